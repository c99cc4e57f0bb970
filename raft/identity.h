/* SPDX-License-Identifier: Apache-2.0 */
/* Who this node is: the file `identity` of its folder, the first that is written there.
 *
 * One invariant: what a peer was told under a node id (its pledge, its cluster) is
 * found again under that id, or the node does not start. So a folder that holds other
 * files but no identity, or a damaged one, is refused and never gets a new id silently.
 */
#ifndef RAFT_IDENTITY_H
#define RAFT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "raft/charter.h"
#include "raft/clock.h"
#include "raft/disk.h"

struct identity {
    uint64_t node_id;       /* random, not 0, below 2^63; the Raft id */
    uint64_t cluster_id;    /* 0 = blank: belongs to no cluster yet */
    uint64_t start_counter; /* 1 at the first start */
    char name[LIMIT_NAME_BYTES + 1];
    /* While forming: the charter this node has promised to found. It is its own offer
     * if its own id is the charter's first. */
    bool pledged;
    /* Every member was seen to have pledged: the store may be half written, and this
     * node founds that cluster and no other. */
    bool decided;
    struct charter pledge; /* only if `pledged` */
    /* It was let into a cluster that exists: the store may be half written, and this
     * node joins that cluster and no other. 0 = no. */
    uint64_t joining;      /* cluster id; blank until the store is there */
    uint64_t joining_term; /* of the leader that let it in */
    /* A snapshot is being restored into this folder: what is in it is nobody's. */
    bool restoring;
};

/* Read the identity, or make one in an empty folder (its id from `clock`); count this
 * start, synced, before it returns. Synchronous: before the loop runs, with the folder
 * locked. ERR_CORRUPT: damaged, or missing beside other files; the text has file and
 * offset. ERR_CONFLICT: the folder belongs to a node of another name, or a restore into
 * it was cut off. ERR_INVALID: the name is empty or too long. ERR_IO, ERR_FULL from the
 * disk. */
int identity_open(struct identity *out, struct disk *disk, struct clock *clock,
                  const char *name, struct err *err);

/* Read it, and change nothing: for who looks at a stopped node's folder. ERR_NOT_FOUND:
 * there is none; ERR_CORRUPT with file and offset. */
int identity_read(struct identity *out, struct disk *disk, struct err *err);

/* Make it durable: written beside, synced, renamed, folder synced. Calls the disk
 * directly: at start-up or inside a job. After an error the old one or the new one is
 * on the disk: the process must end. */
int identity_save(const struct identity *identity, struct disk *disk, struct err *err);

/* Make an empty folder, or one where a restore was cut off, the place of a restore:
 * `identity` has id and name; it is marked, synced, and then alone in the folder.
 * ERR_EXISTS: there is something else in it; nothing changed. The restore ends with
 * identity_save() without the mark and with a cluster id. */
int identity_begin_restore(struct identity *identity, struct disk *disk,
                           struct err *err);

/* Is the pledge this node's own offer? The lowest id offers. */
bool identity_offers(const struct identity *identity);

#endif
