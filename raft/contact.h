/* SPDX-License-Identifier: Apache-2.0 */
/* Who was heard when: how old a node's word about the cluster is, and for how long its
 * leader has been silent. Times are the monotonic clock's. */
#ifndef RAFT_CONTACT_H
#define RAFT_CONTACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "raft/membership.h"

struct contact_peer {
    uint64_t id;
    uint64_t heard_ms; /* it confirmed our term */
    bool full;         /* its disk, as it said then */
};

struct contact {
    /* follower */
    uint64_t leader_heard_ms; /* a leader of our term, or a newer one */
    bool majority_known;
    uint64_t majority_ms;   /* moment of the leader's last majority, as it told */
    uint64_t leader_commit; /* highest commit index it told */
    /* leader, of its term */
    uint64_t leading_since_ms;
    struct contact_peer peers[LIMIT_MEMBERS];
    size_t peer_count;
};

void contact_init(struct contact *contact, uint64_t now_ms);

/* Follower: an append of its leader; `age_ms` since that had a majority's word, by its
 * own account; UINT64_MAX = not known. */
void contact_from_leader(struct contact *contact, uint64_t now_ms, uint64_t age_ms,
                         uint64_t leader_commit);

/* Leader: begins a term; `id` answered in that term, and whether its disk is full. */
void contact_lead(struct contact *contact, uint64_t now_ms);
void contact_from_peer(struct contact *contact, uint64_t now_ms, uint64_t id,
                       bool full);
/* It leads no more; `age_ms` since it had a majority's word: that grows on. */
void contact_leads_no_more(struct contact *contact, uint64_t now_ms, uint64_t age_ms);
/* UINT64_MAX: it did not answer in this term. */
uint64_t contact_peer_age_ms(const struct contact *contact, uint64_t id,
                             uint64_t now_ms);
bool contact_peer_full(const struct contact *contact, uint64_t id);

/* Leader `self`: since the youngest moment by which a majority of the voters, itself
 * included, had confirmed its term: by their answers, or by their votes. */
uint64_t contact_majority_age_ms(const struct contact *contact,
                                 const struct membership *members, uint64_t self,
                                 uint64_t now_ms);

/* Follower: since its leader had a majority's word; UINT64_MAX: not known. */
uint64_t contact_leader_age_ms(const struct contact *contact, uint64_t now_ms);

#endif
