/* SPDX-License-Identifier: Apache-2.0 */
/* A run as the registry keeps it: one supervised execution of a task on one node, an
 * immutable, shared value. Its moves stand in one table (run.c).
 *
 * A run is placed once, on one node. From then on only that node's report of its end,
 * or a leader's word that the node has been silent for long enough, ends it; each run
 * reaches exactly one end and has exactly one event run.ended. */
#ifndef REGISTRY_RUN_H
#define REGISTRY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

/* The numbers of these five stand in commands and snapshots and are forever. */
enum run_state {
    RUN_PENDING = 1, /* placed; its node has not begun */
    RUN_RUNNING = 2,
    RUN_STOPPING = 3,
    RUN_ENDED = 4,
};

enum run_outcome {
    RUN_OPEN = 0, /* it has not ended */
    RUN_SUCCESS = 1,
    RUN_FAILED = 2,
    RUN_TIMED_OUT = 3,
    RUN_CANCELLED = 4,
    RUN_LOST = 5,
};

enum run_cause {
    RUN_CAUSE_CLIENT = 1,
    RUN_CAUSE_SCHEDULE = 2,
    RUN_CAUSE_CHANGE = 3,
    RUN_CAUSE_FAILOVER = 4,
};

enum run_purpose {
    RUN_APPLY = 1,
    RUN_INSPECT = 2,
    RUN_TRIAL = 3,         /* of a task that is created if it succeeds */
    RUN_TRIAL_INSPECT = 4, /* of a task that is never stored */
};

enum run_stop {
    RUN_STOP_NONE = 0,
    RUN_STOP_CANCEL = 1,
    RUN_STOP_DRAIN = 2,
    RUN_STOP_DELETE = 3,
};

#define RUN_TEXT_BYTES_MAX   4096 /* part of the format, as is the next */
#define RUN_CONFIG_BYTES_MAX 4096

struct run {
    uint32_t refs;
    uint64_t id;           /* sequence of its run.placed: the fence number */
    uint64_t task_created; /* incarnation of its task; 0: a trial whose task is not
                              created (yet, or ever) */
    uint64_t revision;     /* sequence of its last event */
    uint64_t node;         /* member id */
    enum run_state state;
    enum run_outcome outcome;
    enum run_cause cause;
    enum run_purpose purpose;
    enum run_stop stop; /* why it is, or was, stopped */
    uint32_t lease_ms;  /* as placed: its node uses no longer ones */
    uint32_t grace_ms;
    uint32_t tries;
    uint64_t placed_ms;  /* wall clock: shown, decides nothing */
    uint64_t started_ms; /* these two as the node measured them; 0: not yet */
    uint64_t ended_ms;
    uint32_t exit_code; /* of its program, once ended */
    uint32_t signal;
    bool changes; /* an inspection found some */
    /* Of a live trial the task's draft (registry/task.h), of a live inspection that of
     * what is to take the task's place, if that is it; else "" and 0. */
    bool enabled;
    uint32_t enabled_at;
    uint32_t draft_len;
    const char *task; /* name; all texts are terminated and inside this allocation */
    const char *text; /* why it did not succeed; "" */
    /* {"providers":[…],"services":[…],"module":"…"} of its task as placed: CTS's event
     * shows it (spec/cts.md 3.1). */
    const char *config;
    const char *draft;
};

const char *run_state_name(enum run_state state);       /* "pending" */
const char *run_outcome_name(enum run_outcome outcome); /* "timed_out"; "" of open */
const char *run_cause_name(enum run_cause cause);       /* "schedule" */
const char *run_purpose_name(enum run_purpose purpose); /* "trial_inspect" */
const char *run_stop_name(enum run_stop stop);          /* "cancel"; "" of none */

/* The reverse of the first one; 0 if no state has that name. */
enum run_state run_state_from(const char *name, size_t len);

/* Does the table have that move? */
bool run_may_move(enum run_state from, enum run_state to);

/* How long after the last lease that a node was given it may have something of a run
 * alive that was placed with these: both have run out, by whatever clock (they may
 * differ by a hundredth), and a second is for who has to see to it (DESIGN 9, rule 5).
 */
uint64_t run_over_ms(uint32_t lease_ms, uint32_t grace_ms);

/* A copy of `from`, texts and all, with one reference, the caller's. What `from` says
 * is sound (run_sound()); its `refs` mean nothing. */
struct run *run_new(const struct run *from);
struct run *run_ref(struct run *run);
void run_unref(struct run *run);

/* Could commands have made it? For what a snapshot says. */
bool run_sound(const struct run *run);

/* Of the name's runs, is it one that CTS has an event of once it ended: an apply, or a
 * trial whose task was created? An inspection is none. */
bool run_is_event(const struct run *run);

/* A trial has no task before it succeeded. */
bool run_is_trial(const struct run *run);

/* The id of the event of its end, as CTS writes ids: of the run's own numbers, the same
 * on every node. */
void run_event_id(const struct run *run, char text[ID_UUID_SIZE]);

#endif
