/* SPDX-License-Identifier: Apache-2.0 */
/* What a stopped node's folder holds, made the state of a new cluster: for when the
 * majority is lost, or every node stops at the same entry. Offline: no loop, no node;
 * everything happens before a call returns.
 *
 * One invariant: the folder is read and not changed. */
#ifndef RAFT_RECOVER_H
#define RAFT_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "raft/disk.h"
#include "raft/restore.h"

struct recover_member {
    uint64_t id;
    bool voter;
    char name[LIMIT_NAME_BYTES +
              1]; /* as its row in the state has it; "" if not known */
    char address[LIMIT_ADDRESS_BYTES]; /* likewise: its API */
    char peer_address[LIMIT_ADDRESS_BYTES];
};

/* A node's copy of the log. Of two copies the one with the higher term of its last
 * entry is further ahead, and of equal ones that with the higher index. */
struct recover_copy {
    char name[LIMIT_NAME_BYTES + 1];
    uint64_t node_id;
    uint64_t cluster_id;
    uint64_t term;           /* the newest the node knew */
    uint64_t snapshot_index; /* 0: none */
    uint64_t snapshot_term;
    uint64_t last; /* entry, of the log or else of the snapshot */
    uint64_t last_term;
    uint64_t commit; /* at least so much was committed, says the log itself */
    /* The newest membership in it, committed or not. */
    struct recover_member members[LIMIT_MEMBERS];
    size_t member_count;
};

/* An entry that is left out. */
struct recover_skipped {
    uint64_t index;
    uint64_t term;
    size_t bytes;
    char what[ERR_TEXT_MAX]; /* what of it can be read, and why not more */
};

struct recover_order {
    const uint64_t *skip; /* indexes of entries that are left out */
    size_t skip_count;
    void (*skipped)(void *owner, const struct recover_skipped *skipped); /* of each */
    void *owner;
};

/* Of a folder that is locked: what its store holds, and the state that its snapshot and
 * the whole log behind it make: also what is not known to be committed, for it may have
 * been acknowledged. *out is as after restore_finish(), the caller's. ERR_NOT_FOUND: no
 * node that belongs to a cluster has run there; ERR_CORRUPT: damaged, with file and
 * offset; *copy has cluster_id 0 then. Else it is filled, also if an entry cannot be
 * applied, which the text names with what is known of it (ERR_CORRUPT,
 * ERR_UNSUPPORTED), or if one that is to be left out can be, or is not there
 * (ERR_INVALID). */
int recover_read(struct disk *disk, const struct recover_order *order,
                 struct recover_copy *copy, struct restore **out,
                 struct restore_summary *summary, struct err *err);

#endif
