/* SPDX-License-Identifier: Apache-2.0 */
/* A write handed on to the leader, and its outcome on the way back ⇄ bytes
 * (raft/README.md, "Writes handed on"). */
#ifndef RAFT_FORWARD_WIRE_H
#define RAFT_FORWARD_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "raft/frame.h"
#include "raft/propose.h"

struct forward_message {
    enum frame_kind kind; /* FRAME_WRITE or FRAME_WRITE_OUTCOME */
    uint64_t session;     /* of the start that hands it on */
    uint64_t number;      /* of the write, in that session */
    /* WRITE: the command as it stands in a batch; borrowed */
    const uint8_t *command;
    size_t command_len;
    /* WRITE_OUTCOME: `why` is `text` */
    struct outcome outcome;
    char text[ERR_TEXT_MAX];
};

/* One reference for the caller. Of the outcome's text what is not printable ASCII
 * becomes '?'. */
struct bytes *forward_encode(const struct forward_message *message);
/* ERR_CORRUPT: not what forward_encode() writes. Whether the command is one, the
 * receiver finds out. */
int forward_decode(struct forward_message *out, const uint8_t *data, size_t len,
                   struct err *err);

#endif
