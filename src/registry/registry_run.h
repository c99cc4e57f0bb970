/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in the replicated state: what registry.h is for tasks. All of it since feature
 * level 3: below, every command here is ERR_LEVEL. */
#ifndef REGISTRY_REGISTRY_RUN_H
#define REGISTRY_REGISTRY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/moment_table.h"
#include "registry/run.h"
#include "registry/task.h"

struct change;
struct map_cursor;
struct registry;

#define REGISTRY_RUN_LEVEL 3

/* A task's status by what became of its runs (spec/cts.md 3.3). */
enum task_status {
    TASK_STATUS_SUCCESSFUL,
    TASK_STATUS_ERRORED,
    TASK_STATUS_CRITICAL,
    TASK_STATUS_UNKNOWN,
    TASK_STATUS_COUNT,
};

/* --- questions; what they give is borrowed until the registry changes --- */

/* NULL: it is not known, or not kept any more. */
const struct run *registry_run(const struct registry *registry, uint64_t id);
/* The live run of that name, a trial of it too. NULL: there is none. */
const struct run *registry_live_run(const struct registry *registry, const char *task,
                                    size_t task_len);
size_t registry_run_count(const struct registry *registry);
size_t registry_live_count(const struct registry *registry);

/* No run is to be placed before, on the replicated clock: the state was put into a new
 * cluster (registry_recover()), and runs of the old one, known to it or not, may take
 * so long to end. Counts from the new one's first leader: the clock stood still until
 * then. 0: at once. */
uint64_t registry_runs_from_ms(const struct registry *registry);

/* By number, from the first at or after `id`. */
void registry_run_seek(const struct registry *registry, uint64_t id,
                       struct map_cursor *cursor);
const struct run *registry_run_next(struct map_cursor *cursor);
/* The live ones, by name. */
void registry_live_seek(const struct registry *registry, struct map_cursor *cursor);
const struct run *registry_live_next(struct map_cursor *cursor);
/* Those of a name, newest first: of earlier tasks of that name as well, and those that
 * are no events. `task` is given again to each step. */
void registry_task_run_seek(const struct registry *registry, const char *task,
                            size_t task_len, struct map_cursor *cursor);
const struct run *registry_task_run_next(struct map_cursor *cursor, const char *task,
                                         size_t task_len);
/* Those of a task that CTS shows as its events: of this incarnation, ended, no
 * inspections; newest first. */
void registry_task_event_seek(const struct registry *registry, const struct task *task,
                              struct map_cursor *cursor);
const struct run *registry_task_event_next(struct map_cursor *cursor,
                                           const struct task *task);

/* Over the events that are kept. */
enum task_status registry_task_status(const struct registry *registry,
                                      const struct task *task);
/* How many tasks have it; counted as they change. */
size_t registry_status_count(const struct registry *registry, enum task_status status);

/* The task that was created at that sequence; NULL: it is gone. */
const struct task *registry_task_of(const struct registry *registry, uint64_t created);
/* NULL: the task is not due. */
const struct moment *registry_task_due_mark(const struct registry *registry,
                                            const struct task *task);
/* The next fire of the task's schedule, Unix ms; 0: none is known. A task whose text
 * is changed has none. */
uint64_t registry_task_next_fire(const struct registry *registry,
                                 const struct task *task);
/* The same with all that is known of it; NULL: none is. */
const struct moment *registry_task_fire_row(const struct registry *registry,
                                            const struct task *task);
/* Due marks in order of their time on the replicated clock, next fires in order of
 * theirs. Each names its task by its creation: registry_task_of(). */
void registry_due_seek(const struct registry *registry, struct map_cursor *cursor);
/* Due marks from the first one behind `last` on, which may be gone; {0}: from the
 * first. */
void registry_due_seek_behind(const struct registry *registry,
                              const struct moment *last, struct map_cursor *cursor);
void registry_fire_seek(const struct registry *registry, struct map_cursor *cursor);
const struct moment *registry_due_next(struct map_cursor *cursor);
const struct moment *registry_fire_next(struct map_cursor *cursor);
/* Likewise, in order of the tasks' creation. */
void registry_due_task_seek(const struct registry *registry, struct map_cursor *cursor);
void registry_fire_task_seek(const struct registry *registry,
                             struct map_cursor *cursor);
size_t registry_due_count(const struct registry *registry);
/* Differs from what it was whenever due marks or next fires have changed on this node.
 * No part of the state. */
uint64_t registry_moment_changes(const struct registry *registry);

/* --- commands; every refusal leaves the registry unchanged --- */

/* What is placed, where. The texts are borrowed; numbers of enums are as they came. */
struct run_order {
    const char *task;
    size_t task_len;
    uint64_t revision; /* of its task; 0: any */
    uint64_t node;
    uint32_t cause;
    uint32_t purpose;
    uint32_t lease_ms;
    uint32_t grace_ms;
    uint32_t tries;
};

/* Place a run of a task: event run.placed, whose sequence is the run's number. An apply
 * ends what its task was due for. ERR_INVALID: a number that means nothing (a purpose
 * of a trial, too), no lease, no tries, node 0; ERR_NOT_FOUND: there is no such task;
 * ERR_CONFLICT: it is being deleted, or has a live run; ERR_PRECONDITION: it has
 * another revision, or `node` is no member. Whether the node drains is placement's
 * business. */
int registry_run_start(struct registry *registry, const struct change *change,
                       const struct run_order *order);
/* Place a run of a task that is not there: event run.placed. `order` says nothing of
 * the task, its revision and tries: those are the draft's, none and one. ERR_INVALID,
 * ERR_PRECONDITION likewise; ERR_EXISTS: the name is taken, by a task or by a live
 * trial. */
int registry_run_trial(struct registry *registry, const struct change *change,
                       const struct task_draft *draft, const struct run_order *order);
/* Store a task and place a run of it, both or neither (spec/cts.md 1.8, spec/muster.md
 * 4). `order` says nothing of the task, its revision, cause and tries: those are the
 * draft's, none, a client and one; its purpose is RUN_APPLY or RUN_INSPECT.
 *
 * RUN_APPLY: the draft takes the task's place (as registry_task_put() has it), then a
 * run is placed; where there is no task, a trial. A task that is disabled by then is
 * stored and not run; where it was there before, an apply of it is placed and has
 * succeeded in the same moment, with nothing done. RUN_INSPECT: a run is placed that
 * carries the draft, none if that is disabled; nothing is stored.
 *
 * ERR_INVALID; ERR_PRECONDITION: `match` does not hold; ERR_NOT_FOUND: there is a
 * `base` and no task; ERR_CONFLICT: the task has a live run, another revision than
 * `base` (if that is not 0), or is being deleted; ERR_BUSY: `node` is no member. */
struct run_put {
    const struct task_draft *draft;
    bool keep_enabled;
    uint64_t base;
    struct task_match match;
};
int registry_run_put(struct registry *registry, const struct change *change,
                     const struct run_put *put, const struct run_order *order);
/* The same of a task as it stands, with another `enabled`. */
int registry_run_enable(struct registry *registry, const struct change *change,
                        bool enabled, const struct task_match *match,
                        const struct run_order *order);
/* It has begun: event run.started. Of one that is stopping only the time is noted; of
 * one that was begun nothing. ERR_NOT_FOUND; ERR_CONFLICT: it has ended, or is on
 * another node. */
int registry_run_started(struct registry *registry, const struct change *change,
                         uint64_t id, uint64_t node, uint64_t started_ms);
/* It is to stop: event run.stopping; none if it is stopping already. ERR_INVALID: no
 * such reason; ERR_NOT_FOUND; ERR_CONFLICT: it has ended. */
int registry_run_stop(struct registry *registry, const struct change *change,
                      uint64_t id, uint32_t stop);

struct run_report {
    uint64_t run;
    uint64_t node;
    uint32_t outcome;
    uint32_t exit_code;
    uint32_t signal;
    bool changes;
    uint64_t started_ms; /* 0: it never began, or that is not known */
    uint64_t ended_ms;
    const char *text; /* not terminated; only its beginning is kept */
    size_t text_len;
};

/* It has ended, as its node says: event run.ended. A task that waited for it to be
 * deleted goes (task.deleted), that of a trial that succeeded is created
 * (task.created), one whose apply was interrupted (lost, or stopped by a drain) and
 * that is enabled is due again, by failover. ERR_INVALID: no such outcome;
 * ERR_NOT_FOUND; ERR_CONFLICT: it has ended before, or is on another node. */
int registry_run_end(struct registry *registry, const struct change *change,
                     const struct run_report *report);
/* Likewise, as a leader says whose patience with its node has ended. */
int registry_run_lost(struct registry *registry, const struct change *change,
                      const struct run_report *report);

/* A run is wanted of the task from `at_ms` on, on the replicated clock. One that is due
 * already is put off to then, not beyond the first mark's `until_ms` (spec/cts.md 5.1).
 * `created`: 0 or the task's incarnation. No event. ERR_INVALID: no such cause;
 * ERR_NOT_FOUND; ERR_PRECONDITION: another incarnation; ERR_CONFLICT: disabled, or
 * being deleted. */
struct due_order {
    const char *task;
    size_t task_len;
    uint64_t created;
    uint32_t cause;
    uint64_t at_ms;
    uint64_t until_ms;
};
int registry_task_due(struct registry *registry, const struct due_order *order);

/* The task's schedule fires next at `next_ms` (0: there is no telling; UINT64_MAX:
 * never), if it was `expected_ms` (0: none yet) before. `due`: it fires now, and so is
 * due, unless it is disabled or has a live run; with the setting catch_up also then,
 * for when that has ended. No event. ERR_NOT_FOUND; ERR_PRECONDITION: another
 * incarnation, or another time than expected; ERR_CONFLICT: it is being deleted. */
struct fire_order {
    const char *task;
    size_t task_len;
    uint64_t created;
    uint64_t expected_ms;
    uint64_t next_ms;
    bool due;
    uint64_t wall_ms; /* of the leader that proposes it; kept with `next_ms` */
};
int registry_task_fire(struct registry *registry, const struct fire_order *order);

/* --- for snapshots --- */

/* `run` is sound and of a higher number than all that are kept; its texts are copied.
 * False: it does not fit what is there: a live one of its name, another that ended with
 * that event; of a live one, that its task is not there, or of a trial, that it is. */
bool registry_restore_run(struct registry *registry, const struct run *run);
/* False: there is no such task, or it has one. */
bool registry_restore_due(struct registry *registry, const struct moment *moment);
bool registry_restore_fire(struct registry *registry, const struct moment *moment);

#endif
