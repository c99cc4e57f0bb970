/* SPDX-License-Identifier: Apache-2.0 */
/* How blank nodes become a cluster: an offer, a pledge of each, the same entry 1 on
 * all.
 *
 * One invariant: a cluster is founded only where every member of its charter was seen
 * to hold a durable pledge to it, and a pledge falls only after every node present
 * vowed not to found that cluster. So one set of nodes never founds two.
 *
 * The node drives it while its identity is blank: it forwards what the link reports,
 * and gets formed() once identity and store are durable. */
#ifndef RAFT_FORMING_H
#define RAFT_FORMING_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/charter.h"
#include "raft/clock.h"
#include "raft/disk.h"
#include "raft/identity.h"
#include "raft/link.h"
#include "raft/store/store.h"

struct forming;

/* Strings are copied. Disk, clock, link and identity are borrowed until `stopped`;
 * nobody else writes the identity meanwhile. */
struct forming_options {
    struct disk *disk;
    struct clock *clock;
    struct link *link; /* started, with `peers` as its peers; NULL if `expect` is 1 */
    struct identity *identity; /* opened, blank */
    const char *peer_address;  /* ours, as others reach it; "" only if `expect` is 1 */
    const char *api_address;
    const char *version;
    uint32_t level;
    uint64_t session;         /* of this start, for the hello */
    uint32_t expect;          /* 1..LIMIT_MEMBERS */
    const char *const *peers; /* the others' addresses, expect - 1 of them */
    size_t peer_count;
    uint64_t segment_bytes; /* for the store */
    /* store_create(), called in the pool; it only reads what it is given. */
    int (*store_create)(const struct store_options *options, uint64_t term,
                        const struct entry *first_entry, struct err *err);
    void *owner;
    /* The cluster is founded or joined: the identity has its cluster id, the store
     * holds entry 1, or nothing if it joined, both durable; peers are told. `charter`
     * is borrowed for the call; one that joined has none (NULL). Once, from a turn of
     * its own; forming_stop() may be called from inside. */
    void (*formed)(void *owner, const struct charter *charter);
    /* The disk failed: the process must end. Nothing is called after this but
     * `stopped`. */
    void (*failed)(void *owner, const struct err *err);
};

/* Begin, or go on where the identity says this node was. Introduces the node to the
 * link (set_self), now and whenever its pledge or cluster changes. */
struct forming *forming_start(const struct forming_options *options);

/* From the link's events of the same names. Frames of other kinds are ignored. */
void forming_hello(struct forming *forming, const struct hello *hello);
void forming_frame(struct forming *forming, uint64_t from, const uint8_t *data,
                   size_t len);
void forming_down(struct forming *forming, uint64_t node_id, bool refused);

/* A cluster that exists has let this node in as a standby; `term` is its leader's. A
 * node that holds a pledge stays with it. */
void forming_welcome(struct forming *forming, uint64_t cluster_id, uint64_t term);
/* A cluster that exists does not let it in yet: `text` says why. `leader` is the peer
 * address of who decides, "" if not known: it is dialled too. */
void forming_refused(struct forming *forming, const char *leader, const char *text);

/* In words, why there is no cluster yet: "waiting for 1 of 3: 10.0.0.2:8658 refused".
 * "" once formed. Borrowed until the next call. */
const char *forming_trouble(struct forming *forming);

/* Finish what the disk is doing, then call `stopped` (later, never from inside); the
 * forming is gone then. */
void forming_stop(struct forming *forming, void (*stopped)(void *owner), void *owner);

#endif
