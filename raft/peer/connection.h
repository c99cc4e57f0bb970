/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection to another node: handshake, frames in, a bounded queue of frames
 * out. Who dials sends the frames; who accepts answers with its hello alone. */
#ifndef RAFT_PEER_CONNECTION_H
#define RAFT_PEER_CONNECTION_H

#include <uv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "raft/clock.h"
#include "raft/link.h"

struct connection;

enum connection_phase {
    CONNECTION_NEW,     /* being dialled, or just accepted */
    CONNECTION_GREETED, /* our hello is sent, theirs has not come */
    CONNECTION_OPEN,
    CONNECTION_CLOSING,
};

/* Called on the loop. After `closed` the connection is gone. In all others it may be
 * closed from inside. */
struct connection_events {
    /* Their hello, the first or a new one; false: refuse, close. */
    bool (*hello)(struct connection *connection, const struct hello *hello);
    void (*frame)(struct connection *connection, const uint8_t *body, size_t len);
    void (*closed)(struct connection *connection);
};

struct connection {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct clock *clock;
    const struct connection_events *events;
    void *owner;
    enum connection_phase phase;
    bool outbound;
    bool connected;   /* TCP is */
    uint64_t node_id; /* 0 until the hello */
    uint64_t began_ms;
    struct clock_timer deadline; /* of the handshake */
    struct buf in;
    struct connection_item *first; /* frames not given to libuv yet */
    struct connection_item **last;
    size_t queued_bytes; /* those, and what libuv holds */
    bool writing;
    char reason[128];                  /* why it closed, for people */
    char address[LIMIT_ADDRESS_BYTES]; /* of the other end, for people */
    struct connection *next;           /* the owner's list */
};

/* Memory for a connection; the caller connects it or accepts into connection->tcp and
 * then calls connection_begin(). */
struct connection *connection_new(uv_loop_t *loop, struct clock *clock,
                                  const struct connection_events *events, void *owner,
                                  bool outbound);

/* TCP is there: set its options, send `hello`, read. */
void connection_begin(struct connection *connection, struct bytes *hello);

/* Queue a frame's body; takes a reference. False: dropped, more than
 * LIMIT_PEER_QUEUE_BYTES wait or it is not open. A hello may go before it is open. */
bool connection_send(struct connection *connection, struct bytes *body);

/* `reason` is kept unless there is one. Events->closed follows, later. */
void connection_close(struct connection *connection, const char *reason);

#endif
