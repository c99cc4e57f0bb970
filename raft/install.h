/* SPDX-License-Identifier: Apache-2.0 */
/* A leader's snapshot, installed on disk, becomes the state: read in the pool and
 * decoded on the loop, a piece a turn, for the whole would take the loop for as long as
 * an election. Until the last piece the old state stays as it was and is read. */
#ifndef RAFT_INSTALL_H
#define RAFT_INSTALL_H

#include <stdint.h>

#include "raft/fsm.h"
#include "raft/store/store.h"

struct install {
    struct store *store;
    struct fsm *fsm;
    void *owner;
    /* `err` NULL: the state is the snapshot's. ERR_CORRUPT, ERR_IO: it is as it was,
     * and the node cannot go on. */
    void (*done)(void *owner, const struct err *err);
    struct store_pin *pin; /* NULL: none under way */
    struct snapshot_decoder *decoder;
    uint8_t *piece;
    uint64_t offset;
    uint64_t total;
};

/* The caller has set the first four fields; none is under way. `done` is called later,
 * unless the store is closed before. */
void install_start(struct install *install);

/* After the store is closed: drops one that is under way. */
void install_close(struct install *install);

#endif
