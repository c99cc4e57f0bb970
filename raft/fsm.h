/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine: applies committed batches to the registry and tells who listens.
 * The only holder of a registry that may change (with raft/snapshot_decode.c while
 * restoring).
 *
 * Apply never fails: a refusal is a *result*. An entry that cannot be decoded is not a
 * refusal: fsm_apply() returns ERR_CORRUPT and the node must stop (DESIGN 5). */
#ifndef RAFT_FSM_H
#define RAFT_FSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/registry.h"

struct fsm;

/* The outcome of one command, as every replica computes it. */
struct result {
    int code;          /* 0 or a negative enum err_code */
    uint64_t sequence; /* registry sequence after this command: X-Muster-Index */
    /* Of the task it is about, as it stands afterwards: also if it was refused. 0:
     * there is none (any more), or it is about no task. */
    uint64_t revision;
    /* The run it is about: the one that was placed, or else the live one of that task,
     * which may be why it was refused; the one that was reported or stopped. 0: none.
     */
    uint64_t run;
    bool created; /* a task that was not there before */
    /* Nothing was done now: a command with this key was applied before, and the code,
     * `revision`, `run` and `created` are what became of that one. */
    bool replayed;
};

struct fsm *fsm_new(void);
void fsm_free(struct fsm *fsm);

/* The highest feature level this node knows; COMMAND_LEVEL unless a test says less.
 * What is above it is refused as ERR_UNSUPPORTED, in a batch and in a state. */
void fsm_know(struct fsm *fsm, uint32_t level);
uint32_t fsm_known_level(const struct fsm *fsm);

/* Borrowed until the next fsm_restore(): ask again, do not keep it. */
const struct registry *fsm_registry(const struct fsm *fsm);

/* Apply one batch. `results` is filled with up to `capacity` results in command order
 * and *count is the number of commands; results may be NULL with capacity 0. Afterwards
 * the subscribers are called once if the sequence moved. */
int fsm_apply(struct fsm *fsm, const void *batch, size_t len, struct result *results,
              size_t capacity, size_t *count, struct err *err);

/* Replace the whole state (install or start-up); takes `registry` over; subscribers are
 * called with the range (old sequence, new sequence]. */
void fsm_restore(struct fsm *fsm, struct registry *registry);

/* Likewise, from a snapshot that was fed whole; frees the decoder. ERR_CORRUPT: its end
 * is missing; ERR_UNSUPPORTED: it is of a feature level that this node does not know;
 * the state is as it was. */
struct snapshot_decoder;
int fsm_restore_decoded(struct fsm *fsm, struct snapshot_decoder *decoder,
                        struct err *err);

/* The state becomes the beginning of a new epoch (registry_recover()). ERR_INVALID: the
 * event numbers are at their end; nothing happened. */
int fsm_recover(struct fsm *fsm, const struct change *change, struct err *err);

/* News: events in (from, to] are in the registry's event log (or fell out of it).
 * Called on the loop, after apply, before any client is answered. Embedded in its
 * owner. */
struct fsm_watch {
    void (*changed)(struct fsm_watch *watch, uint64_t from, uint64_t to);
    void *owner;
    /* Call it as well, with from == to, when there was no event, but due marks or next
     * fires have changed. */
    bool moments;
    struct fsm_watch *next;
};
void fsm_watch(struct fsm *fsm, struct fsm_watch *watch);
void fsm_unwatch(struct fsm *fsm, struct fsm_watch *watch);

#endif
