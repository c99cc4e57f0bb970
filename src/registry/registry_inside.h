/* SPDX-License-Identifier: Apache-2.0 */
/* The root itself, for the files that hold the registry's rules: registry.c,
 * registry_run.c. */
#ifndef REGISTRY_REGISTRY_INSIDE_H
#define REGISTRY_REGISTRY_INSIDE_H

#include "registry/registry.h"
#include "text/zone.h"

struct registry {
    struct map tasks;   /* by name */
    struct map created; /* the same tasks, by the sequence of their creation */
    struct map members; /* by id */
    struct settings settings;
    struct event_log events;
    struct key_table keys;
    struct run_table runs;
    struct moment_table due;      /* on the replicated clock */
    struct moment_table fires;    /* Unix milliseconds */
    char zone[ZONE_NAME_MAX + 1]; /* of schedules without one */
    uint64_t clock_ms;
    uint64_t runs_from_ms; /* on that clock; 0: from ever on */
    uint32_t level;
    size_t enabled_count;
    size_t status_counts[TASK_STATUS_COUNT]; /* of unknown: 0, it is the rest */
    struct digest digest; /* of tasks, members, settings and the zone */
    /* How often due marks and next fires changed here: no part of the state. */
    uint64_t moment_changes;
};

/* The number the next event will get: known before the noun that carries it is made. */
uint64_t registry_next(const struct registry *registry);
void registry_event(struct registry *registry, const struct change *change,
                    enum event_type type, const char *task, const char *data);

/* Put a task in the place of the one it replaces; NULL: it is new. Takes the reference.
 */
void registry_put_task(struct registry *registry, const struct task *old,
                       struct task *task);
/* Remove a task and what it has: event task.deleted. */
void registry_remove_task(struct registry *registry, const struct change *change,
                          const struct task *task);
/* Mark a task that is deleted when its run has ended: event task.deleting. */
void registry_mark_deleting(struct registry *registry, const struct change *change,
                            const struct task *task);
/* Create the task of a sound draft whose name is free: event task.created. */
void registry_add_task(struct registry *registry, const struct change *change,
                       const struct task_draft *draft);

/* A sound draft in the place of a task, with its place in the list: event task.updated,
 * none if nothing differs. */
void registry_replace_task(struct registry *registry, const struct change *change,
                           const struct task *old, const struct task_draft *draft);

/* A cause that exists, a node, a lease, tries. */
bool run_order_sound(const struct run_order *order);
/* Place a run, of a name that has no live one: event run.placed. `run` says what it is
 * of, the order the rest; it is then what was placed. */
void registry_place_run(struct registry *registry, const struct change *change,
                        const struct run_order *order, struct run *run);
/* Likewise of a task as it stands, which is not due any more if it is an apply; its
 * number. */
uint64_t registry_place_task(struct registry *registry, const struct change *change,
                             const struct run_order *order, const struct task *task);
/* Likewise of a sound draft; `task_created`: of the task that it would replace, or 0.
 */
void registry_place_draft(struct registry *registry, const struct change *change,
                          const struct run_order *order, const struct task_draft *draft,
                          uint64_t task_created);
/* End a live run: `next` is a copy of it with what is known of its end; event
 * run.ended, and what follows for its task: if it was interrupted, it is wanted anew.
 */
void registry_end_run(struct registry *registry, const struct change *change,
                      struct run *next);

/* A task has no due mark any more; nor a next fire. */
void registry_drop_due(struct registry *registry, const struct task *task);
void registry_drop_fire(struct registry *registry, const struct task *task);

/* How long a node that is heard of no more may go on with a run: the longest of those
 * that are live, and of one that is placed now. */
uint64_t registry_runs_over_ms(const struct registry *registry);
/* All live runs end as lost, in order of their tasks' names: the nodes they are on are
 * none of this cluster. */
void registry_lose_runs(struct registry *registry, const struct change *change);

/* Count the task's status, before and after what may change it. */
void registry_count_status(struct registry *registry, const struct task *task,
                           bool counts);

#endif
