/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say to each other about the read index ⇄ bytes (raft/README.md, "The read
 * index"). */
#ifndef RAFT_READ_WIRE_H
#define RAFT_READ_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "raft/frame.h"

enum read_word {
    READ_WORD_INDEX = 0,
    READ_WORD_NOT_LEADER = 1,
    READ_WORD_NO_MAJORITY = 2,
    READ_WORD_BUSY = 3,
};

struct read_message {
    enum frame_kind kind;
    uint64_t term;       /* ASK, TERM: of the leader that asks */
    uint64_t round;      /* ASK, TERM */
    uint64_t own_term;   /* TERM: of who answers */
    uint64_t session;    /* WANT, INDEX: of the start that wants it */
    uint64_t serial;     /* WANT, INDEX: which question of that start */
    enum read_word word; /* INDEX */
    uint64_t index;      /* INDEX: with word INDEX, else 0 */
};

/* One reference for the caller. */
struct bytes *read_encode(const struct read_message *message);
/* ERR_CORRUPT: not what read_encode() writes. */
int read_decode(struct read_message *out, const uint8_t *data, size_t len,
                struct err *err);

#endif
