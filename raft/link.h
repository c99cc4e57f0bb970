/* SPDX-License-Identifier: Apache-2.0 */
/* What carries frames between nodes, as the core sees it. raft/peer/ is the real one
 * (TCP), tests/sim has one that loses, delays, reorders across links and partitions.
 *
 * A frame is delivered whole or not at all; frames from one node to another that
 * arrive, arrive in order within one connection; a loss is always legal. Nodes find
 * each other by address, then introduce themselves with a hello: from then on the node
 * id counts. */
#ifndef RAFT_LINK_H
#define RAFT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define LINK_PROTOCOL 1

/* How a node introduces itself; sent first on each connection and again when it
 * changes. Strings are terminated and borrowed for the call. */
struct hello {
    uint32_t protocol;
    uint64_t cluster_id; /* 0 = blank: belongs to no cluster yet */
    uint64_t node_id;
    uint64_t start_counter;
    uint64_t session;    /* random, of this start: two starts never share it */
    uint64_t last_index; /* of its log as this start found it; 0: none */
    uint64_t pledge;     /* cluster id it holds a pledge for, 0 = none */
    uint32_t expect;     /* cluster size it is configured for */
    uint32_t level;      /* highest feature level */
    const char *name;
    const char *peer_address; /* where it listens for peers, as others reach it */
    const char *api_address;  /* its HTTP API, as clients reach it */
    const char *version;
};

/* What the transport reports, on the loop, never from inside a call into it. */
struct link_events {
    /* The node introduced itself on a connection of ours to it (frames can be sent) or
     * on one of its to us, or its introduction changed. Not called for nodes of another
     * cluster: those are refused with a log line. */
    void (*hello)(void *owner, const struct hello *hello);
    /* A frame from that node. Borrowed for the call. */
    void (*frame)(void *owner, uint64_t from, const uint8_t *data, size_t len);
    /* The connection to the node was lost. `refused`: a new attempt was refused at
     * once, so its process is dead, as far as TCP can tell. */
    void (*down)(void *owner, uint64_t node_id, bool refused);
};

struct link;

/* Why a peer cannot be reached, for people. */
struct link_status {
    bool connected;
    uint64_t node_id; /* 0 = never introduced itself */
    char reason[128]; /* "refused", "timed out after 1.2 s", "" when connected */
};

struct link_ops {
    void (*start)(struct link *link, const struct link_events *events, void *owner);
    /* Our own introduction; a change is told to everybody connected. Copied. */
    void (*set_self)(struct link *link, const struct hello *self);
    /* The addresses to keep connected to, "host:port", our own excluded. Copied. */
    void (*set_peers)(struct link *link, const char *const *addresses, size_t count);
    /* Send a frame (a reference is taken); dropped when not connected or when more than
     * LIMIT_PEER_QUEUE_BYTES wait for that peer. False = dropped. */
    bool (*send)(struct link *link, uint64_t to, struct bytes *frame);
    size_t (*queued_bytes)(struct link *link, uint64_t to);
    void (*status)(struct link *link, const char *address, struct link_status *out);
    /* Close everything, then `stopped` is called, later; no event after this call. */
    void (*stop)(struct link *link, void (*stopped)(void *owner), void *owner);
};

struct link {
    const struct link_ops *ops;
};

#endif
