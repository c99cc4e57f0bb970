/* SPDX-License-Identifier: Apache-2.0 */
/* A saved snapshot (raft/README.md, "A snapshot"), read whole and checked, and made the
 * first member of a new cluster. Offline: no loop, no node; everything happens before a
 * call returns.
 *
 * One invariant: a folder that a node starts from holds all of it. */
#ifndef RAFT_RESTORE_H
#define RAFT_RESTORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/disk.h"
#include "registry/digest.h"

struct restore;

/* What a snapshot holds. */
struct restore_summary {
    uint64_t bytes;
    uint64_t tasks;
    uint64_t enabled; /* of them */
    uint64_t members;
    uint64_t live;     /* runs: a new epoch ends them as lost */
    uint64_t deleting; /* tasks that wait for theirs: they go then */
    uint64_t events;
    uint64_t first; /* event kept; next if there is none */
    uint64_t next;  /* number that the next event gets */
    struct digest digest;
};

struct restore *restore_new(void);
void restore_free(struct restore *restore);

/* The file's bytes, in pieces of any size. ERR_CORRUPT with offset and reason,
 * ERR_UNSUPPORTED: a newer build wrote it. After an error it can only be freed. */
int restore_feed(struct restore *restore, const void *data, size_t len,
                 struct err *err);
/* That was all. ERR_CORRUPT: its end is missing. */
int restore_finish(struct restore *restore, struct restore_summary *out,
                   struct err *err);

/* A state that came in another way, as if it had been fed and finished; takes `fsm`
 * over. */
struct fsm;
struct restore *restore_of(struct fsm *fsm, struct restore_summary *out);

/* After either; borrowed until restore_write(). */
struct registry;
const struct registry *restore_registry(const struct restore *restore);

struct restore_target {
    struct disk *disk;   /* locked; empty, or left by a restore that was cut off */
    uint64_t node_id;    /* random, not 0, below 2^63; never used before */
    uint64_t cluster_id; /* likewise */
    uint64_t wall_ms;
    const char *name;
    const char *peer_address; /* as others reach it; "" for a cluster of one */
    const char *api_address;  /* may be "" */
    uint64_t segment_bytes;   /* 0 = default */
};

/* After restore_finish(): begin a new epoch and write it, synced. Until it returns 0 no
 * node starts from the folder. ERR_EXISTS: the folder is somebody's, nothing changed.
 * After any other error the same folder can be restored into again. */
int restore_write(struct restore *restore, const struct restore_target *target,
                  struct err *err);

/* The number of the event cluster.recovered, after restore_write(). */
uint64_t restore_epoch(const struct restore *restore);
/* How long after its first leader's beginning the new cluster begins no runs, after
 * restore_write(): those of the old one may still be alive. 0: it is of a level without
 * runs. */
uint64_t restore_calm_ms(const struct restore *restore);

#endif
