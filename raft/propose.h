/* SPDX-License-Identifier: Apache-2.0 */
/* DOOR 1: every change of the replicated state passes here.
 *
 * A proposal waits in a bounded queue; what waits when the engine can take more becomes
 * one batch, one Raft entry (group commit); several batches may be in flight. A batch is
 * known by the (index, term) it was appended at: applied with that term = done; another
 * term applied there = it never happened; covered by an installed snapshot = unknown. */
#ifndef RAFT_PROPOSE_H
#define RAFT_PROPOSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/command.h"
#include "raft/fsm.h"

struct propose;

struct outcome {
    /* 0: applied, `result` is every replica's (its code may be a refusal).
     * ERR_NOT_LEADER: it never happened. ERR_OUTCOME_UNKNOWN: it may have, or may yet. */
    int code;
    struct result result;
};

typedef void (*propose_cb)(void *owner, const struct outcome *outcome);

/* Submit one command; its bytes are copied. 0: `done` is called exactly once, later, on
 * the loop; right after apply, so fsm_registry() shows the state just after its batch.
 * Else `done` is never called: ERR_NOT_LEADER, ERR_BUSY (queue full), ERR_FULL (disk),
 * ERR_TOO_LARGE, ERR_UNAVAILABLE (stopping). */
int propose_submit(struct propose *propose, const struct command *command,
                   propose_cb done, void *owner, struct err *err);

size_t propose_waiting(const struct propose *propose); /* submitted, not yet decided */

#endif
