/* SPDX-License-Identifier: Apache-2.0 */
/* Moments of tasks: at most one a task, found by it and walked in order of time.
 *
 * The registry has two of these tables: due marks (a run is wanted from then on, on the
 * replicated clock) and next fires of schedules (Unix milliseconds). A task is named by
 * the sequence of its creation, so what was meant for one incarnation is never taken
 * for the next. */
#ifndef REGISTRY_MOMENT_TABLE_H
#define REGISTRY_MOMENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "registry/digest.h"

struct moment {
    uint64_t task;     /* sequence of its task's creation */
    uint64_t at_ms;    /* when */
    uint64_t until_ms; /* of a due mark: it is not put off beyond that; of a next fire:
                          what the wall clock was when it was computed */
    uint32_t cause;    /* of a due mark: enum run_cause; else 0 */
};

struct moment_table {
    struct map by_task;
    struct map by_time; /* time, then task */
    enum digest_kind kind;
    struct digest digest;
};

void moment_table_init(struct moment_table *table, enum digest_kind kind);
void moment_table_close(struct moment_table *table);
/* A frozen copy, O(1). */
struct moment_table moment_table_ref(const struct moment_table *table);

/* NULL: the task has none. Borrowed until the table changes. */
const struct moment *moment_table_find(const struct moment_table *table, uint64_t task);

/* Set the moment of its task, in the place of the one there is. */
void moment_table_put(struct moment_table *table, const struct moment *moment);
void moment_table_delete(struct moment_table *table, uint64_t task);
size_t moment_table_count(const struct moment_table *table);

/* Walks, in order of time, or of the tasks' creation. NULL at the end. The table must
 * not change meanwhile. */
void moment_table_seek(const struct moment_table *table, struct map_cursor *cursor);
/* From the first one behind `last` on, which may be gone. */
void moment_table_seek_behind(const struct moment_table *table,
                              const struct moment *last, struct map_cursor *cursor);
void moment_table_task_seek(const struct moment_table *table,
                            struct map_cursor *cursor);
const struct moment *moment_table_next(struct map_cursor *cursor);

#endif
