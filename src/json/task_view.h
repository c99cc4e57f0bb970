/* SPDX-License-Identifier: Apache-2.0 */
/* What the rest of muster asks a task's canonical text (json/task_json.h), without
 * reading the whole of it into values. */
#ifndef JSON_TASK_VIEW_H
#define JSON_TASK_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct task;

/* When a run that a change made due is wanted, on the replicated clock. */
struct due_times {
    uint64_t at_ms;    /* if nothing else changes */
    uint64_t until_ms; /* at the latest, however often it changes */
};

/* How long changes are let settle that have no buffer period: services come in twos and
 * threes (spec/cts.md 14.4). */
#define DUE_SETTLE_MS 20

/* The cron line, terminated; mem_free() it. NULL: the task has no schedule. */
char *task_view_cron(const char *text, size_t len);

/* `module`, terminated; mem_free() it. NULL: this is no canonical text. */
char *task_view_module(const char *text, size_t len);

/* Append what of the task this build does not do, for people; false, and nothing: it
 * does it all. */
bool task_view_put_warning(struct buf *out, const char *text, size_t len);

/* A change was seen at `now_ms` of the replicated clock: with a buffer period the run
 * waits for `min` of quiet, and no longer than `max` after the first change
 * (spec/cts.md 5.1); without one for DUE_SETTLE_MS. The first change's `until_ms` holds
 * for all that follow: the registry keeps it (registry_task_due()). */
struct due_times due_times(const struct task *task, uint64_t now_ms);

#endif
