/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the log short: when enough of it lies behind the last snapshot, the state is
 * frozen, written in the pool, and the log before it forgotten. */
#ifndef RAFT_COMPACTION_H
#define RAFT_COMPACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "raft/engine.h"
#include "raft/fsm.h"
#include "raft/store/store.h"

struct compaction {
    struct store *store;
    struct engine *engine;
    struct fsm *fsm;
    uint64_t min_bytes;   /* of the log on disk */
    uint64_t min_entries; /* since the last snapshot */
    uint64_t trailing;    /* entries kept before a snapshot, for peers a bit behind */
    uint64_t trailing_bytes; /* as long as they have no more bytes than this */
    bool taking;
    uint64_t kept;                 /* trailing entries of the one under way */
    struct snapshot_meta meta;     /* likewise */
    const struct registry *frozen; /* likewise; the pool reads it */
};

/* Take a snapshot of the state at `applied` if it is time. `held`: not now (a snapshot
 * is being sent: the log behind it must stay). */
void compaction_look(struct compaction *compaction, uint64_t applied, bool held);

/* Put the store's newest snapshot in the place of the state, in one go: before the loop
 * runs. ERR_CORRUPT, ERR_IO. */
int compaction_load(struct store *store, struct fsm *fsm, struct err *err);

/* After the store is closed. */
void compaction_close(struct compaction *compaction);

#endif
