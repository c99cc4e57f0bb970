/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say to each other about leases ⇄ bytes (raft/README.md, "Leases"). */
#ifndef RAFT_LEASE_WIRE_H
#define RAFT_LEASE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "raft/frame.h"

/* Why there is no grant. */
enum lease_word {
    LEASE_WORD_GRANTED = 0,
    LEASE_WORD_NOT_LEADER = 1,
    LEASE_WORD_NO_MAJORITY = 2,
    LEASE_WORD_BUSY = 3,
    LEASE_WORD_HELD = 4,      /* its runs are being called lost */
    LEASE_WORD_NO_MEMBER = 5, /* who asks */
    LEASE_WORD_DIFFERS = 6,   /* its state */
};
const char *lease_word_name(enum lease_word word);

struct lease_message {
    enum frame_kind kind;
    uint64_t session;     /* of the start that asks */
    uint64_t serial;      /* which question of that start */
    uint32_t lease_ms;    /* ASK: what it is asked for; not 0 */
    enum lease_word word; /* GRANT */
    uint64_t index;       /* GRANT: with word GRANTED, else 0 */
};

/* One reference for the caller. */
struct bytes *lease_encode(const struct lease_message *message);
/* ERR_CORRUPT: not what lease_encode() writes. */
int lease_decode(struct lease_message *out, const uint8_t *data, size_t len,
                 struct err *err);

#endif
