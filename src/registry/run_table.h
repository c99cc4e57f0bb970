/* SPDX-License-Identifier: Apache-2.0 */
/* The runs that the registry keeps, live and ended, found by number, by task and by the
 * order in which they ended.
 *
 * Of each name at most one is live. Of the ended ones the newest of each name stay, and
 * no more than a number of them in all. No clock and no I/O. A task without runs stands
 * in none of the maps. */
#ifndef REGISTRY_RUN_TABLE_H
#define REGISTRY_RUN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "registry/digest.h"
#include "registry/run.h"

struct run_table {
    struct map runs;    /* by id */
    struct map live;    /* by task */
    struct map by_task; /* by task, newest first */
    struct map ended;   /* by revision: the order in which they ended */
    struct digest digest;
};

void run_table_init(struct run_table *table);
void run_table_close(struct run_table *table);
/* A frozen copy, O(1). */
struct run_table run_table_ref(const struct run_table *table);

/* NULL if there is none. Borrowed until the table changes, as all answers are. */
const struct run *run_table_find(const struct run_table *table, uint64_t id);
const struct run *run_table_live(const struct run_table *table, const char *task,
                                 size_t task_len);
/* The one that ended with that event. */
const struct run *run_table_ended(const struct run_table *table, uint64_t revision);

/* A reference to the run of that number, the caller's; there is one. */
struct run *run_table_hold(const struct run_table *table, uint64_t id);

/* Put a run in the place of the one of its id, if there is one. Takes the reference. */
void run_table_put(struct run_table *table, struct run *run);
void run_table_delete(struct run_table *table, const struct run *run);

/* The next ended run that is not to be kept, or NULL: one of `task` beyond the newest
 * `task_count` of those that are CTS's events, or of those that are none; else, with
 * more than `max_count` in all, the one that ended first. */
const struct run *run_table_surplus(const struct run_table *table, const char *task,
                                    uint64_t task_count, uint64_t max_count);

size_t run_table_ended_count(const struct run_table *table);

/* Walks. The table must not change meanwhile. By id, from the first at or after `id`;
 * those of a task from the newest; live ones by task. NULL at the end. */
void run_table_seek(const struct run_table *table, uint64_t id,
                    struct map_cursor *cursor);
void run_table_live_seek(const struct run_table *table, struct map_cursor *cursor);
void run_table_task_seek(const struct run_table *table, const char *task,
                         size_t task_len, struct map_cursor *cursor);
const struct run *run_table_next(struct map_cursor *cursor); /* of the first two */
const struct run *run_table_task_next(struct map_cursor *cursor, const char *task,
                                      size_t task_len);

#endif
