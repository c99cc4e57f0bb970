/* SPDX-License-Identifier: Apache-2.0 */
/* DOOR 1: every change of the replicated state passes here.
 *
 * A proposal waits in a bounded queue; what waits when the engine can take more becomes
 * one batch, one Raft entry (group commit); several batches may be in flight. A batch
 * is known by the (index, term) it was appended at: applied with that term = done;
 * another term applied there, or a newer one before it = it never happened; covered by
 * an installed snapshot = unknown.
 *
 * A node that does not lead refuses, or hands what comes on to the leader
 * (raft/forward.h), if it was told to or has just given the lead away. */
#ifndef RAFT_PROPOSE_H
#define RAFT_PROPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/clock.h"
#include "raft/command.h"
#include "raft/engine.h"
#include "raft/fsm.h"

struct propose;

struct outcome {
    /* 0: applied, `result` is every replica's (its code may be a refusal).
     * ERR_NOT_LEADER: it never happened. ERR_LEVEL: nor did this, it was held and the
     * cluster's feature level is too low for it. ERR_OUTCOME_UNKNOWN: it may have, or
     * may yet. Of a write that was handed on also what the leader's door 1 refused it
     * with. */
    int code;
    struct result result;
    uint64_t index;  /* code 0: the entry that holds it; it is applied here by now */
    const char *why; /* of a refusal, borrowed for the call; NULL: nothing to add */
};

typedef void (*propose_cb)(void *owner, const struct outcome *outcome);

/* Submit one command; its bytes are copied. 0: `done` is called exactly once, later, on
 * the loop; right after apply, so fsm_registry() shows the state just after its batch.
 * Else `done` is never called: ERR_NOT_LEADER, ERR_BUSY (queue full), ERR_FULL (disk),
 * ERR_TOO_LARGE, ERR_UNAVAILABLE (stopping), ERR_LEVEL: the cluster's feature level is
 * too low for it. */
int propose_submit(struct propose *propose, const struct command *command,
                   propose_cb done, void *owner, struct err *err);

/* The replicated clock as what is submitted now will carry it; while the door is not
 * open here, as a leader that is settled opens it, the clock of the state, which
 * stands. */
uint64_t propose_clock_ms(const struct propose *propose);

/* Commands up to this feature level go into the log now: the cluster's, or what a
 * level_set raises it to that stands before them in the log of this leadership. */
uint32_t propose_level(const struct propose *propose);

/* Likewise, and never handed on: it never happened if this node does not lead. For what
 * a leader proposes by itself, and for what another node has handed on already. */
int propose_submit_here(struct propose *propose, const struct command *command,
                        propose_cb done, void *owner, struct err *err);

/* propose_submit() would not say ERR_NOT_LEADER now. */
bool propose_takes(const struct propose *propose);

size_t propose_waiting(const struct propose *propose); /* submitted, not yet decided */

/* --- for raft/node.c, which owns it -------------------------------------------------
 */

struct propose *propose_new(struct clock *clock, const struct fsm *fsm);
void propose_free(
    struct propose *propose); /* nothing may wait: propose_stop() before */

/* Leadership: closed refuses; holding takes proposals and keeps them until the leader
 * is settled, or known; open submits to `engine`; relaying hands on what waits and what
 * comes. Closing answers what was not submitted yet with ERR_NOT_LEADER; what was
 * submitted waits for propose_applied(). */
enum propose_state {
    PROPOSE_CLOSED,
    PROPOSE_HOLDING,
    PROPOSE_OPEN,
    PROPOSE_RELAYING,
};
void propose_set_state(struct propose *propose, enum propose_state state,
                       struct engine *engine);

/* This node does not lead, or leads anew: batches of before do not count as in flight,
 * and what waits for this node alone never happens. */
void propose_deposed(struct propose *propose);

/* Whom to hand on to. `hand` sends one command, as it stands in a batch, to the leader.
 * 0: `done` is called once, later; else it was certainly not sent. */
struct propose_relay {
    int (*hand)(void *owner, const uint8_t *command, size_t len, propose_cb done,
                void *done_owner);
    void *owner;
};
void propose_set_relay(struct propose *propose, const struct propose_relay *relay);

/* The entry at `index` was applied with `term`; `results` are its commands' (count 0
 * for an entry that is no batch). Decides the batch that was submitted at this index,
 * and those behind it that were submitted in an older term: they never happened. */
void propose_applied(struct propose *propose, uint64_t index, uint64_t term,
                     const struct result *results, size_t count);

/* An installed snapshot covers the log up to `index`: what was submitted there may have
 * been done or not; ERR_OUTCOME_UNKNOWN. */
void propose_covered(struct propose *propose, uint64_t index);

/* Answer everything that waits: what was submitted ERR_OUTCOME_UNKNOWN, the rest
 * ERR_NOT_LEADER. Refuses from now on. What was handed on was decided before
 * (forward_stop()). */
void propose_stop(struct propose *propose);

#endif
