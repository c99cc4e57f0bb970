/* SPDX-License-Identifier: Apache-2.0 */
/* Giving the lead away on purpose: new writes are held, those under way are finished,
 * then another voter stands for election. So no write is refused or in doubt because of
 * it: what was held, and what comes late from who does not know yet, is handed on to
 * the new leader; if nobody takes the lead it is proposed here. */
#ifndef RAFT_HANDOVER_H
#define RAFT_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/clock.h"
#include "raft/engine.h"

/* `result` code 0: this node does not lead any more. Else it still does, and goes on:
 * ERR_TIMEOUT, ERR_CONFLICT with the reason. */
typedef void (*handover_cb)(void *owner, const struct err *result);

enum handover_phase {
    HANDOVER_IDLE,
    HANDOVER_DRAINING,
    HANDOVER_MOVING,
    HANDOVER_LANDING,
    HANDOVER_LATE,
};

struct handover_options {
    struct clock *clock;
    struct engine *engine;
    uint32_t election_timeout_ms;
    uint64_t notice_ms;           /* what balancers need to notice who takes writes */
    void (*changed)(void *owner); /* what is asked below may have another answer now */
    void *owner;
};

struct handover {
    struct handover_options options;
    enum handover_phase phase;
    uint64_t to;
    uint64_t limit_ms;
    uint64_t given_ms; /* LATE: since when */
    struct clock_timer timer;
    handover_cb done;
    void *done_owner;
};

void handover_init(struct handover *handover, const struct handover_options *options);
void handover_stop(struct handover *handover); /* `done` with ERR_OUTCOME_UNKNOWN */

/* Give the lead to voter `to`; `done` is called once, later. ERR_NOT_LEADER;
 * ERR_CONFLICT: one is under way already. */
int handover_start(struct handover *handover, uint64_t to, handover_cb done,
                   void *owner, struct err *err);

/* Writes are to be held now, not submitted and not refused. */
bool handover_holds(const struct handover *handover);

/* Writes are to be handed on if another node leads. */
bool handover_hands_on(const struct handover *handover);

/* Balancers may send writes here as well as to the leader. For a while after the lead
 * is given away this is so, that they find the new leader before the old one says that
 * it is not: there is no moment without a node that takes writes. */
bool handover_shares(const struct handover *handover);

/* When whoever noticed that has also noticed its end; 0: no lead was given away. */
uint64_t handover_noticed_ms(const struct handover *handover);

/* Something was applied, or the role changed: go on if it can. */
void handover_look(struct handover *handover);

#endif
