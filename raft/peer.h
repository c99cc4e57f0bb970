/* SPDX-License-Identifier: Apache-2.0 */
/* The link of a living node: one TCP listener, one connection of ours to each peer
 * (format: raft/README.md, "The wire between nodes"). */
#ifndef RAFT_PEER_H
#define RAFT_PEER_H

#include "base/err.h"
#include "raft/clock.h"
#include "raft/link.h"

struct uv_loop_s;

struct peer_options {
    /* "10.0.0.1:8658", "[::1]:0", a name; port 0: the kernel's choice */
    const char *listen;
};

/* Bind; connections are taken from link->ops->start() on. ERR_INVALID: no such
 * address; ERR_IO: taken. Free it when stopped, or when it was never started. */
struct link *peer_new(struct uv_loop_s *loop, struct clock *clock,
                      const struct peer_options *options, struct err *err);

/* What the loop still holds of one that was never stopped goes in its next turns; the
 * clock must be there until then. */
void peer_free(struct link *link);

/* The address it is bound to, "127.0.0.1:41235"; borrowed. */
const char *peer_address(const struct link *link);

#endif
