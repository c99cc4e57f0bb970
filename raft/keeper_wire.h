/* SPDX-License-Identifier: Apache-2.0 */
/* What members say to each other about who is one, and to who wants to become one ⇄
 * bytes (raft/README.md, "Members and newcomers"). */
#ifndef RAFT_KEEPER_WIRE_H
#define RAFT_KEEPER_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "raft/frame.h"

#define KEEPER_TEXT_BYTES ERR_TEXT_MAX

struct keeper_acked {
    uint64_t id;
    uint64_t counter; /* of the start that said so */
    uint64_t index;   /* committed, and durable at `id` */
};

struct keeper_message {
    enum frame_kind kind; /* FRAME_WELCOME … FRAME_NO_MEMBER */
    uint64_t session;     /* but WAIT, REMOVED, ACKED: of the start that is meant */
    uint64_t cluster_id;  /* WELCOME */
    uint64_t term;        /* WELCOME, REMOVED, NO_MEMBER: of the leader that says so */
    char leader[LIMIT_ADDRESS_BYTES]; /* WAIT: peer address, "" = not known */
    char text[KEEPER_TEXT_BYTES];     /* WAIT, STALE, OUTDATED: why, for people */
    size_t acked_count;               /* ACKED */
    struct keeper_acked acked[LIMIT_MEMBERS];
};

/* One reference for the caller. */
struct bytes *keeper_encode(const struct keeper_message *message);
/* ERR_CORRUPT: not what keeper_encode() writes. */
int keeper_decode(struct keeper_message *out, const uint8_t *data, size_t len,
                  struct err *err);

#endif
