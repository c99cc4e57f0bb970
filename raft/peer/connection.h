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

/* Called on the loop, never from inside a call into the connection. After `closed` the
 * connection is gone. In all others it may be closed from inside. */
struct connection_events {
    /* Their hello, the first or a new one; close or refuse it from inside. */
    void (*hello)(struct connection *connection, const struct hello *hello);
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
    bool accepted;    /* the owner's: a hello of it was reported */
    bool refused;     /* what it sent was not acceptable; `reason` says why */
    int connect_code; /* libuv's, of dialling: 0, UV_ECONNREFUSED … */
    uint64_t node_id; /* 0 until the hello */
    uint64_t cluster_id;
    uint64_t start_counter;
    struct clock_timer deadline;   /* of dialling, then of the handshake */
    struct clock_timer whole;      /* looks whether the frame under way became whole */
    uint64_t partial_ms;           /* since then that one frame is under way */
    struct buf in;                 /* what is no whole frame yet */
    struct connection_item *first; /* frames not given to libuv yet */
    struct connection_item **last;
    struct connection_item *hello; /* the one of them that is our hello, or NULL */
    size_t queued_bytes;           /* those, and what libuv holds */
    bool writing;
    char reason[128];                  /* why it closed, for people */
    char address[LIMIT_ADDRESS_BYTES]; /* of the other end, for people */
    struct connection *next;           /* the owner's list */
};

/* Memory for a connection; the caller dials with it, within DIAL_MS, or accepts into
 * connection->tcp; then it calls connection_begin() or connection_close(). */
struct connection *connection_new(uv_loop_t *loop, struct clock *clock,
                                  const struct connection_events *events, void *owner);

/* TCP is there: set its options, send `hello`, read. */
void connection_begin(struct connection *connection, struct bytes *hello);

/* Queue a frame's body; takes a reference. False: dropped, since it is not open, larger
 * than a frame can be, or more than LIMIT_PEER_QUEUE_BYTES would wait. */
bool connection_send(struct connection *connection, struct bytes *body);

/* Our hello has changed; never dropped, the newest is enough. Nothing to do before
 * connection_begin(). */
void connection_send_hello(struct connection *connection, struct bytes *hello);

/* Events->closed follows, later; the first reason is kept. */
void connection_close(struct connection *connection, const char *reason);

/* Close it because of what it sent: connection->refused. */
void connection_refuse(struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
