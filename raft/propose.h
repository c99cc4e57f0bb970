/* SPDX-License-Identifier: Apache-2.0 */
/* DOOR 1: every change of the replicated state passes here.
 *
 * A proposal waits in a bounded queue; what waits when the engine can take more becomes
 * one batch, one Raft entry (group commit); several batches may be in flight. A batch
 * is known by the (index, term) it was appended at: applied with that term = done;
 * another term applied there, or a newer one before it = it never happened; covered by
 * an installed snapshot = unknown. */
#ifndef RAFT_PROPOSE_H
#define RAFT_PROPOSE_H

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
     * may yet. */
    int code;
    struct result result;
};

typedef void (*propose_cb)(void *owner, const struct outcome *outcome);

/* Submit one command; its bytes are copied. 0: `done` is called exactly once, later, on
 * the loop; right after apply, so fsm_registry() shows the state just after its batch.
 * Else `done` is never called: ERR_NOT_LEADER, ERR_BUSY (queue full), ERR_FULL (disk),
 * ERR_TOO_LARGE, ERR_UNAVAILABLE (stopping), ERR_LEVEL: the cluster's feature level is
 * too low for it. */
int propose_submit(struct propose *propose, const struct command *command,
                   propose_cb done, void *owner, struct err *err);

/* Commands up to this feature level go into the log now: the cluster's, or what a
 * level_set raises it to that stands before them in the log of this leadership. */
uint32_t propose_level(const struct propose *propose);

size_t propose_waiting(const struct propose *propose); /* submitted, not yet decided */

/* --- for raft/node.c, which owns it -------------------------------------------------
 */

struct propose *propose_new(struct clock *clock, const struct fsm *fsm);
void propose_free(
    struct propose *propose); /* nothing may wait: propose_stop() before */

/* Leadership: closed refuses; holding takes proposals and keeps them until the leader
 * is settled; open submits to `engine`. Closing answers what was not submitted yet with
 * ERR_NOT_LEADER; what was submitted waits for propose_applied(). */
enum propose_state { PROPOSE_CLOSED, PROPOSE_HOLDING, PROPOSE_OPEN };
void propose_set_state(struct propose *propose, enum propose_state state,
                       struct engine *engine);

/* The entry at `index` was applied with `term`; `results` are its commands' (count 0
 * for an entry that is no batch). Decides the batch that was submitted at this index,
 * and those behind it that were submitted in an older term: they never happened. */
void propose_applied(struct propose *propose, uint64_t index, uint64_t term,
                     const struct result *results, size_t count);

/* An installed snapshot covers the log up to `index`: what was submitted there may have
 * been done or not; ERR_OUTCOME_UNKNOWN. */
void propose_covered(struct propose *propose, uint64_t index);

/* Answer everything that waits: what was submitted ERR_OUTCOME_UNKNOWN, the rest
 * ERR_NOT_LEADER. Refuses from now on. */
void propose_stop(struct propose *propose);

#endif
