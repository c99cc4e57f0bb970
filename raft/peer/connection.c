/* SPDX-License-Identifier: Apache-2.0 */
/*   NEW ──TCP is there, our hello sent──▶ GREETED ──their hello, accepted──▶ OPEN
 *    └───────────────┴── error, deadline, refusal, end of the other side ────┴─▶
 * CLOSING
 *
 * Several queued frames go in one write. Bytes that came are kept until a frame is
 * whole: the buffer grows by what arrives, never by what a length claims.
 *
 * Failure modes: whatever is wrong closes the connection with a reason; the other side
 * dials again. A peer that does not read is cut by TCP_USER_TIMEOUT; until then it
 * costs LIMIT_PEER_QUEUE_BYTES at most. */
#include "raft/peer/connection.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/frame.h"
#include "raft/peer/wire.h"

#define KEEPALIVE_IDLE_S     5
#define KEEPALIVE_INTERVAL_S 2
#define KEEPALIVE_COUNT      3
#define USER_TIMEOUT_MS      10000
#define READ_BYTES           (64 * 1024)
#define WRITE_FRAMES         64

struct connection_item {
    struct connection_item *next;
    struct bytes *body;
};

struct connection_write {
    uv_write_t request;
    struct connection *connection;
    size_t count;
    size_t bytes;
    struct bytes *bodies[WRITE_FRAMES];
    uint8_t heads[WRITE_FRAMES][WIRE_HEAD_BYTES];
};

/* --- life
 * --------------------------------------------------------------------------------- */

static void connection_too_late(struct clock_timer *timer)
{
    struct connection *connection = timer->owner;
    char reason[64];
    snprintf(reason, sizeof reason, "timed out after %.1f s",
             LIMIT_HANDSHAKE_MS / 1000.0);
    connection_close(connection, reason);
}

struct connection *connection_new(uv_loop_t *loop, struct clock *clock,
                                  const struct connection_events *events, void *owner,
                                  bool outbound)
{
    struct connection *connection = mem_zalloc(sizeof *connection);
    uv_tcp_init(loop, &connection->tcp);
    connection->tcp.data = connection;
    connection->connect.data = connection;
    connection->clock = clock;
    connection->events = events;
    connection->owner = owner;
    connection->outbound = outbound;
    connection->last = &connection->first;
    connection->began_ms = clock_now_ms(clock);
    connection->deadline =
        (struct clock_timer){.fire = connection_too_late, .owner = connection};
    clock_timer_start(clock, &connection->deadline,
                      connection->began_ms + LIMIT_HANDSHAKE_MS);
    buf_init(&connection->in);
    return connection;
}

static void connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    while (connection->first != NULL) {
        struct connection_item *item = connection->first;
        connection->first = item->next;
        bytes_unref(item->body);
        mem_free(item);
    }
    buf_close(&connection->in);
    connection->events->closed(connection);
    mem_free(connection);
}

void connection_close(struct connection *connection, const char *reason)
{
    if (connection->phase == CONNECTION_CLOSING) {
        return;
    }
    if (connection->reason[0] == '\0') {
        snprintf(connection->reason, sizeof connection->reason, "%.120s", reason);
    }
    connection->phase = CONNECTION_CLOSING;
    clock_timer_stop(connection->clock, &connection->deadline);
    uv_close((uv_handle_t *)&connection->tcp, connection_closed);
}

/* --- out
 * ---------------------------------------------------------------------------------- */

static void connection_flush(struct connection *connection);

static void connection_written(uv_write_t *request, int status)
{
    struct connection_write *write = request->data;
    struct connection *connection = write->connection;
    for (size_t i = 0; i < write->count; i++) {
        bytes_unref(write->bodies[i]);
    }
    connection->queued_bytes -= write->bytes;
    connection->writing = false;
    mem_free(write);
    if (status != 0) {
        connection_close(connection, uv_strerror(status));
    } else {
        connection_flush(connection);
    }
}

static void connection_flush(struct connection *connection)
{
    if (connection->writing || connection->first == NULL ||
        connection->phase == CONNECTION_CLOSING) {
        return;
    }
    struct connection_write *write = mem_zalloc(sizeof *write);
    uv_buf_t pieces[2 * WRITE_FRAMES];
    write->connection = connection;
    write->request.data = write;
    while (write->count < WRITE_FRAMES && connection->first != NULL) {
        struct connection_item *item = connection->first;
        size_t at = write->count++;
        connection->first = item->next;
        write->bodies[at] = item->body;
        wire_head(item->body->data, item->body->len, write->heads[at]);
        pieces[2 * at] = uv_buf_init((char *)write->heads[at], WIRE_HEAD_BYTES);
        pieces[2 * at + 1] =
            uv_buf_init((char *)item->body->data, (unsigned)item->body->len);
        write->bytes += WIRE_HEAD_BYTES + item->body->len;
        mem_free(item);
    }
    if (connection->first == NULL) {
        connection->last = &connection->first;
    }
    connection->writing = true;
    int rv = uv_write(&write->request, (uv_stream_t *)&connection->tcp, pieces,
                      (unsigned)(2 * write->count), connection_written);
    if (rv != 0) { /* the callback is not called then */
        connection_written(&write->request, rv);
    }
}

static void connection_queue(struct connection *connection, struct bytes *body)
{
    struct connection_item *item = mem_alloc(sizeof *item);
    *item = (struct connection_item){.body = bytes_ref(body)};
    *connection->last = item;
    connection->last = &item->next;
    connection->queued_bytes += WIRE_HEAD_BYTES + body->len;
    connection_flush(connection);
}

bool connection_send(struct connection *connection, struct bytes *body)
{
    bool hello = body->len > 0 && body->data[0] == FRAME_HELLO;
    if ((connection->phase != CONNECTION_OPEN &&
         !(hello && connection->phase == CONNECTION_GREETED)) ||
        connection->queued_bytes + body->len > LIMIT_PEER_QUEUE_BYTES) {
        return false;
    }
    connection_queue(connection, body);
    return true;
}

/* --- in
 * ------------------------------------------------------------------------------------
 */

static void connection_hello(struct connection *connection, const uint8_t *body,
                             size_t len)
{
    struct hello hello;
    char *strings = NULL;
    struct err err;
    if (wire_hello_decode(&hello, &strings, body, len, &err) != 0) {
        connection_close(connection, err.text);
    } else if (hello.protocol != LINK_PROTOCOL) {
        char reason[96];
        snprintf(reason, sizeof reason,
                 "it speaks protocol %u between nodes, this node %d", hello.protocol,
                 LINK_PROTOCOL);
        connection_close(connection, reason);
    } else if (connection->node_id != 0 && connection->node_id != hello.node_id) {
        connection_close(connection, "it changed its node id");
    } else {
        clock_timer_stop(connection->clock, &connection->deadline);
        connection->node_id = hello.node_id;
        connection->phase = CONNECTION_OPEN;
        if (!connection->events->hello(connection, &hello)) {
            connection_close(connection, "refused its hello");
        }
    }
    mem_free(strings);
}

static void connection_take(struct connection *connection, const uint8_t *body,
                            size_t len)
{
    if (body[0] == FRAME_HELLO || connection->phase != CONNECTION_OPEN) {
        connection_hello(connection, body, len);
    } else if (body[0] != FRAME_PING) {
        connection->events->frame(connection, body, len);
    }
}

static void connection_parse(struct connection *connection)
{
    size_t at = 0;
    while (connection->phase != CONNECTION_CLOSING) {
        const uint8_t *body = NULL;
        size_t len = 0;
        size_t used = 0;
        struct err err;
        int rv = wire_frame(connection->in.data + at, connection->in.len - at, &body,
                            &len, &used, &err);
        if (rv < 0) {
            connection_close(connection, err.text);
        }
        if (rv <= 0) {
            break;
        }
        connection_take(connection, body, len);
        at += used;
    }
    if (at > 0) {
        connection->in.len -= at;
        memmove(connection->in.data, connection->in.data + at, connection->in.len);
    }
    if (connection->in.len == 0 && connection->in.capacity > 4 * READ_BYTES) {
        buf_close(&connection->in); /* a large frame has passed */
    }
}

static void connection_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct connection *connection = handle->data;
    (void)suggested;
    buf_reserve(&connection->in, READ_BYTES);
    *out = uv_buf_init((char *)connection->in.data + connection->in.len, READ_BYTES);
}

static void connection_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *data)
{
    struct connection *connection = stream->data;
    (void)data;
    if (count < 0) {
        connection_close(connection, count == UV_EOF ? "it closed the connection"
                                                     : uv_strerror((int)count));
        return;
    }
    connection->in.len += (size_t)count;
    connection_parse(connection);
}

/* A peer's machine that vanishes is noticed within some 10 s, whatever is under way. */
static void connection_set_options(struct connection *connection)
{
    uv_os_fd_t fd = -1;
    uv_tcp_nodelay(&connection->tcp, 1);
    uv_tcp_keepalive(&connection->tcp, 1, KEEPALIVE_IDLE_S);
    if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0) {
        int interval = KEEPALIVE_INTERVAL_S;
        int count = KEEPALIVE_COUNT;
        unsigned timeout = USER_TIMEOUT_MS;
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    }
}

void connection_begin(struct connection *connection, struct bytes *hello)
{
    assert(connection->phase == CONNECTION_NEW);
    connection->connected = true;
    connection->phase = CONNECTION_GREETED;
    connection_set_options(connection);
    connection_queue(connection, hello);
    int rv = uv_read_start((uv_stream_t *)&connection->tcp, connection_alloc,
                           connection_read);
    if (rv != 0) {
        connection_close(connection, uv_strerror(rv));
    }
}
