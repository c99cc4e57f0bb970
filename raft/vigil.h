/* SPDX-License-Identifier: Apache-2.0 */
/* Notices that the leader is gone sooner than the engine's own timer, in two ways:
 *
 *   death     its process is dead as far as TCP can tell: elect now, one survivor after
 *             the other, until somebody leads
 *   silence   nothing heard for one election timeout: elect, one after the other
 *
 * Either starts an ordinary election with pre-vote, so a wrong notice is harmless. */
#ifndef RAFT_VIGIL_H
#define RAFT_VIGIL_H

#include <stdint.h>

#include "raft/clock.h"
#include "raft/engine.h"

struct vigil {
    struct clock *clock;
    struct engine *engine;
    uint64_t self;
    uint32_t election_timeout_ms;
    uint64_t dead;        /* the leader whose death was noticed */
    uint32_t tries;       /* left */
    uint64_t ballot_term; /* of the election under way, and when it was noticed */
    uint64_t ballot_ms;
    uint32_t ballots; /* elections of this death so far, up to a bound */
    struct clock_timer death;
    struct clock_timer silence;
    uint64_t answered_ms; /* the silence since then was answered */
};

void vigil_start(struct vigil *vigil, struct clock *clock, struct engine *engine,
                 uint64_t self, uint32_t election_timeout_ms);
void vigil_stop(struct vigil *vigil); /* a zeroed or stopped one is fine */

/* The process of node `id` is dead; of interest only if it leads. */
void vigil_death(struct vigil *vigil, uint64_t id);

#endif
