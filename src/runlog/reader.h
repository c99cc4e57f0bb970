/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the log of one run, while it is written or later, in pieces.
 *
 * A reader stands at an offset and is asked for the next piece: bytes, or how many are
 * missing there, or the end. The offset behind a piece is its `offset` + `len`, and is
 * where another reader, on another day, goes on. */
#ifndef RUNLOG_READER_H
#define RUNLOG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct uv_loop_s;
struct runlog_reader;

enum runlog_kind {
    RUNLOG_DATA,    /* `len` bytes at `data` */
    RUNLOG_MISSING, /* `len` bytes that were not kept, or could not be written */
    RUNLOG_END,     /* nothing is behind `offset`; `ended`: and nothing will be */
    RUNLOG_FAILED,  /* `err`: ERR_NOT_FOUND if the log is not, or no longer, there */
};

struct runlog_piece {
    enum runlog_kind kind;
    uint64_t offset;
    uint64_t len;
    bool ended;
    const void *data; /* borrowed until the callback returns */
    struct err err;
};

/* The piece at `offset`, at most `most` bytes into `data`, which `piece` then points
 * to. Blocks: for the pool, or without a loop. An offset behind the end is RUNLOG_END,
 * with the end's offset. */
void runlog_read(const char *folder, uint64_t offset, void *data, size_t most,
                 struct runlog_piece *piece);

/* A reader at `offset`. Opens nothing before it is asked. */
struct runlog_reader *runlog_reader_new(struct uv_loop_s *loop, const char *folder,
                                        uint64_t offset);

/* Ask for the next piece, of at most `most` bytes. With `follow` one that is at the end
 * waits until there is more or the log has ended: RUNLOG_END then is `ended`. `piece`
 * runs once, later, on the loop; not after runlog_reader_close(). One question at a
 * time; after RUNLOG_FAILED, or RUNLOG_END with `ended`, the answer stays the same. */
typedef void (*runlog_piece_cb)(void *owner, const struct runlog_piece *piece);
void runlog_reader_next(struct runlog_reader *reader, size_t most, bool follow,
                        runlog_piece_cb piece, void *owner);

/* Freed when nothing of it is under way; then `closed` (NULL: nothing) runs. */
void runlog_reader_close(struct runlog_reader *reader, void (*closed)(void *ctx),
                         void *ctx);

#endif
