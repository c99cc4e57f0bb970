/* SPDX-License-Identifier: Apache-2.0 */
/* Small questions ⇄ bytes (raft/README.md, "Small questions"). */
#ifndef RAFT_REQUEST_WIRE_H
#define RAFT_REQUEST_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "raft/frame.h"

struct request_message {
    enum frame_kind kind;
    uint64_t session; /* of the start that asks */
    uint64_t number;  /* which question of that start, from 1 */
    uint16_t about;   /* REQUEST: enum request_kind, or one that a newer muster knows */
    int code;         /* ANSWER: 0 or a negative enum err_code */
    const uint8_t *data; /* question, answer, or the text of a refusal; borrowed */
    size_t len;
};

/* One reference for the caller. */
struct bytes *request_encode(const struct request_message *message);
/* `out->data` is within `data`. ERR_CORRUPT: not what request_encode() writes. */
int request_decode(struct request_message *out, const uint8_t *data, size_t len,
                   struct err *err);

#endif
