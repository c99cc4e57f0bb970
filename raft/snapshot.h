/* SPDX-License-Identifier: Apache-2.0 */
/* The registry ⇄ bytes, for snapshots (format: raft/README.md). A versioned sequence of
 * length-prefixed records in a fixed order, so that restore(snapshot(state)) gives the
 * same bytes again. Encoding reads a frozen view and may run in the pool. */
#ifndef RAFT_SNAPSHOT_H
#define RAFT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/registry.h"

/* Calls `put` with pieces of 64 KiB, in order, the last one as long as it comes; stops
 * at its first non-zero return and returns that. The pieces are borrowed. */
int snapshot_encode(const struct registry *frozen,
                    int (*put)(void *ctx, const void *data, size_t len), void *ctx);

/* The same, a record at a time: for who must not take long. `frozen` is borrowed until
 * the encoder is freed. next() appends one record; false: there was none any more, and
 * what was appended so far is the whole. */
struct snapshot_encoder;
struct snapshot_encoder *snapshot_encoder_new(const struct registry *frozen);
bool snapshot_encoder_next(struct snapshot_encoder *encoder, struct buf *out);
void snapshot_encoder_free(struct snapshot_encoder *encoder);

/* A restorer is fed pieces of any size, on the loop thread only: it writes maps, and
 * their garbage is the loop's (base/map.h). A piece of 64 KiB takes about a
 * millisecond, so a turn of the loop can take several. After an error it can only be
 * freed. */
struct snapshot_decoder;
struct snapshot_decoder *snapshot_decoder_new(void);
int snapshot_decoder_feed(
    struct snapshot_decoder *decoder, const void *data, size_t len,
    struct err *err); /* ERR_CORRUPT with offset, ERR_UNSUPPORTED */
/* The registry, owned by the caller; NULL and ERR_CORRUPT if the end is missing. Frees
 * the decoder in either case. */
struct registry *snapshot_decoder_finish(struct snapshot_decoder *decoder,
                                         struct err *err);
void snapshot_decoder_free(
    struct snapshot_decoder *decoder); /* abandon; NULL is fine */

#endif
