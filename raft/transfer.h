/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot on its way from a leader to a peer that fell behind the log: in pieces,
 * each answered before the next one goes, one transfer at a time a peer; and the other
 * side of it, one receipt at a time.
 *
 * Received whole, checked and synced under a temporary name, it is offered to the
 * engine; only then does the store put it in the place of log and state. */
#ifndef RAFT_TRANSFER_H
#define RAFT_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "raft/clock.h"
#include "raft/engine.h"
#include "raft/store/store.h"

#define TRANSFER_PIECE_BYTES (256 * 1024)
#define TRANSFER_SILENCE_MS  10000 /* without the next piece, or an answer: over */
#define TRANSFER_PIECE_MS    2000  /* for each, taken together */

struct transfer;

struct transfer_hooks {
    /* frame is borrowed; false: dropped, which is as legal as any loss */
    bool (*send)(void *owner, uint64_t to, struct bytes *frame);
    /* The store has installed a snapshot: load it, then engine_installed(). */
    void (*installed)(void *owner);
};

struct transfer *transfer_new(struct clock *clock, struct store *store,
                              struct engine *engine, const struct transfer_hooks *hooks,
                              void *owner);
void transfer_stop(struct transfer *transfer); /* no hook after this */
void transfer_free(struct transfer *transfer); /* after the store is closed */

/* As leader: peer `to` needs a snapshot. Ignored while one is on its way to it. */
void transfer_wanted(struct transfer *transfer, uint64_t to);
/* What peer `to` was sent last may be lost, or it has forgotten what it got: the
 * connection is, or it has started anew. What is on its way to it is given up, and the
 * engine asks for it again soon. */
void transfer_lost(struct transfer *transfer, uint64_t to);
/* How long a transfer of so much may take, whatever comes; the receiver's sealing has
 * as long again. */
uint64_t transfer_whole_ms(uint64_t content_bytes);
bool transfer_sending(const struct transfer *transfer);

/* A frame of the kinds FRAME_SNAPSHOT…; ERR_CORRUPT: dropped, for the reason given. */
int transfer_frame(struct transfer *transfer, uint64_t from, const uint8_t *data,
                   size_t len, struct err *err);

#endif
