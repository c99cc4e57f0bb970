/* SPDX-License-Identifier: Apache-2.0 */
/* What request.c and node.c share. */
#ifndef RAFT_REQUEST_INSIDE_H
#define RAFT_REQUEST_INSIDE_H

#include "raft/clock.h"
#include "raft/request.h"

struct ask;

struct requests {
    struct ask *asks; /* without an answer, the oldest first */
    struct ask **last;
    uint64_t number; /* of the last one, in this session */
    struct clock_timer timer;
    const struct request_handler *handlers[REQUEST_KINDS];
};

void request_start(struct node *node);
/* All that is on its way is told that there is no answer. */
void request_stop(struct node *node);
/* A frame of FRAME_REQUEST or FRAME_ANSWER. ERR_CORRUPT: dropped. */
int request_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                  struct err *err);
/* Node `id` is of this session now, 0: no link to it is left: what an earlier one was
 * asked has no answer. */
void request_met(struct node *node, uint64_t id, uint64_t session);

#endif
