/* SPDX-License-Identifier: Apache-2.0 */
/* One question of a leader to the voters, "is your term still mine?", and what their
 * answers prove. Pure.
 *
 * One invariant: a round is proved only by voters of the membership it was asked of,
 * each of which answered this round, not an earlier one. */
#ifndef RAFT_READ_ROUND_H
#define RAFT_READ_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "raft/membership.h"

struct read_voter {
    uint64_t id;
    bool yes;
};

struct read_round {
    uint64_t number;        /* this process never uses one twice */
    uint64_t term;          /* of the leader that asks */
    uint64_t index;         /* its commit index as it asked */
    uint64_t configuration; /* index of the newest membership as it asked */
    bool newer;             /* a voter has a newer term */
    struct read_voter voters[LIMIT_MEMBERS];
    size_t voter_count;
};

enum read_verdict {
    READ_OPEN,
    READ_PROVED, /* no newer leader was there when the round was asked */
    READ_NEWER,  /* a voter has a newer term: this leader may be none any more */
};

/* A new round, asked now; `self` says yes at once if it is a voter. The caller fills
 * number, term, index and configuration. */
void read_round_begin(struct read_round *round, const struct membership *members,
                      uint64_t self);

/* `from` answers round `number` of the leader of `asked_term`: its own term is `term`.
 * What does not belong to this round or comes from no voter is ignored. */
void read_round_hear(struct read_round *round, uint64_t from, uint64_t number,
                     uint64_t asked_term, uint64_t term);

enum read_verdict read_round_verdict(const struct read_round *round);

#endif
