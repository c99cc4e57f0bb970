/* SPDX-License-Identifier: Apache-2.0 */
/* What blank nodes say to each other ⇄ bytes (raft/README.md, "Forming frames"). */
#ifndef RAFT_FORMING_WIRE_H
#define RAFT_FORMING_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "raft/charter.h"
#include "raft/frame.h"

struct forming_message {
    enum frame_kind kind; /* FRAME_OFFER, PLEDGE, WITHDRAW or VOW */
    uint64_t start_counter;
    uint64_t serial;
    struct charter charter; /* OFFER, PLEDGE */
    uint64_t cluster_id;    /* WITHDRAW, VOW */
    uint64_t token;         /* WITHDRAW, VOW */
};

/* One reference for the caller. */
struct bytes *forming_encode(const struct forming_message *message);
/* False: not a forming frame, or not one that forming_encode() writes. */
bool forming_decode(struct forming_message *out, const uint8_t *data, size_t len);

#endif
