/* SPDX-License-Identifier: Apache-2.0 */
/*   NEW ──TCP is there, our hello sent──▶ GREETED ──their hello──▶ OPEN
 *    └──────────────────┬──────────────────┴───────────────────────┘
 *                       └── error, deadline, refusal, end of the other side ──▶ CLOSING
 *
 * Several queued frames go in one write. Bytes that came are kept until a frame is
 * whole: the buffer grows by what arrives, never by what a length claims.
 *
 * Failure modes: whatever is wrong closes the connection with a reason; who dialled
 * dials again. A peer that does not read is cut by TCP_USER_TIMEOUT; until then it
 * costs LIMIT_PEER_QUEUE_BYTES at most. One that never ends what it began to send is
 * cut after WHOLE_MS. */
#include "raft/peer/connection.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/frame.h"
#include "raft/peer/wire.h"

#define DIAL_MS              1500 /* the kernel sends twice in it; then a new attempt */
#define WHOLE_MS             30000
#define KEEPALIVE_IDLE_S     5
#define KEEPALIVE_INTERVAL_S 2
#define KEEPALIVE_COUNT      3
#define USER_TIMEOUT_MS      10000
#define READ_BYTES           (64 * 1024)
#define WRITE_FRAMES         64
#define ITEM_BYTES           64 /* what a queued frame costs beside its body, at most */

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

static void connection_move(struct connection *connection, enum connection_phase to)
{
    static const bool allowed[4][4] = {
        [CONNECTION_NEW] = {[CONNECTION_GREETED] = true, [CONNECTION_CLOSING] = true},
        [CONNECTION_GREETED] = {[CONNECTION_OPEN] = true, [CONNECTION_CLOSING] = true},
        [CONNECTION_OPEN] = {[CONNECTION_CLOSING] = true},
    };
    assert(allowed[connection->phase][to]);
    connection->phase = to;
}

/* --- life --------------------------------------------------------------------------
 */

static void connection_too_late(struct clock_timer *timer)
{
    struct connection *connection = timer->owner;
    char reason[64];
    if (connection->phase == CONNECTION_NEW) {
        snprintf(reason, sizeof reason, "timed out after %.1f s", DIAL_MS / 1000.0);
    } else {
        snprintf(reason, sizeof reason, "it said no hello within %.1f s",
                 LIMIT_HANDSHAKE_MS / 1000.0);
    }
    connection_close(connection, reason);
}

static void connection_look_whole(struct clock_timer *timer)
{
    struct connection *connection = timer->owner;
    if (connection->in.len == 0) {
        return;
    }
    if (clock_now_ms(connection->clock) - connection->partial_ms >= WHOLE_MS) {
        connection_refuse(connection, "a frame of it was not whole after %.0f s",
                          WHOLE_MS / 1000.0);
        return;
    }
    clock_timer_start(connection->clock, timer, connection->partial_ms + WHOLE_MS);
}

struct connection *connection_new(uv_loop_t *loop, struct clock *clock,
                                  const struct connection_events *events, void *owner)
{
    struct connection *connection = mem_zalloc(sizeof *connection);
    uv_tcp_init(loop, &connection->tcp);
    connection->tcp.data = connection;
    connection->connect.data = connection;
    connection->clock = clock;
    connection->events = events;
    connection->owner = owner;
    connection->last = &connection->first;
    connection->deadline =
        (struct clock_timer){.fire = connection_too_late, .owner = connection};
    connection->whole =
        (struct clock_timer){.fire = connection_look_whole, .owner = connection};
    clock_timer_start(clock, &connection->deadline, clock_now_ms(clock) + DIAL_MS);
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
    snprintf(connection->reason, sizeof connection->reason, "%.*s",
             (int)sizeof connection->reason - 1, reason);
    connection_move(connection, CONNECTION_CLOSING);
    clock_timer_stop(connection->clock, &connection->deadline);
    clock_timer_stop(connection->clock, &connection->whole);
    uv_close((uv_handle_t *)&connection->tcp, connection_closed);
}

void connection_refuse(struct connection *connection, const char *format, ...)
{
    if (connection->phase == CONNECTION_CLOSING) {
        return;
    }
    char reason[sizeof connection->reason];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    connection->refused = true;
    connection_close(connection, reason);
}

/* --- out ---------------------------------------------------------------------------
 */

static void connection_flush(struct connection *connection);

static void connection_written(uv_write_t *request, int status)
{
    struct connection_write *write = request->data;
    struct connection *connection = write->connection;
    for (size_t i = 0; i < write->count; i++) {
        bytes_unref(write->bodies[i]);
    }
    assert(connection->queued_bytes >= write->bytes);
    connection->queued_bytes -= write->bytes;
    connection->writing = false;
    mem_free(write);
    if (status != 0) {
        connection_close(connection, uv_strerror(status));
    } else {
        connection_flush(connection);
    }
}

static uv_buf_t connection_piece(const uint8_t *data, size_t len)
{
    union {
        const uint8_t *in;
        char *out; /* libuv's uv_buf_t knows no const; it only reads */
    } bytes = {.in = data};
    return uv_buf_init(bytes.out, (unsigned)len);
}

static void connection_flush(struct connection *connection)
{
    if (connection->writing || connection->first == NULL ||
        connection->phase == CONNECTION_CLOSING) {
        return;
    }
    struct connection_write *write = mem_alloc(sizeof *write);
    uv_buf_t pieces[2 * WRITE_FRAMES];
    write->connection = connection;
    write->request.data = write;
    write->count = 0;
    write->bytes = 0;
    while (write->count < WRITE_FRAMES && connection->first != NULL) {
        struct connection_item *item = connection->first;
        size_t at = write->count++;
        connection->first = item->next;
        if (item == connection->hello) {
            connection->hello = NULL;
        }
        write->bodies[at] = item->body;
        wire_head(item->body->data, item->body->len, write->heads[at]);
        pieces[2 * at] = connection_piece(write->heads[at], WIRE_HEAD_BYTES);
        pieces[2 * at + 1] = connection_piece(item->body->data, item->body->len);
        write->bytes += ITEM_BYTES + item->body->len;
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

static struct connection_item *connection_queue(struct connection *connection,
                                                struct bytes *body)
{
    struct connection_item *item = mem_alloc(sizeof *item);
    *item = (struct connection_item){.body = bytes_ref(body)};
    *connection->last = item;
    connection->last = &item->next;
    connection->queued_bytes += ITEM_BYTES + body->len;
    return item;
}

bool connection_send(struct connection *connection, struct bytes *body)
{
    assert(body->len > 0);
    if (body->len > LIMIT_FRAME_BYTES) {
        log_error("peer %s: dropped a frame of %zu bytes; %u are possible",
                  connection->address, body->len, LIMIT_FRAME_BYTES);
        return false;
    }
    if (connection->phase != CONNECTION_OPEN ||
        connection->queued_bytes + ITEM_BYTES + body->len > LIMIT_PEER_QUEUE_BYTES) {
        return false;
    }
    connection_queue(connection, body);
    connection_flush(connection);
    return true;
}

void connection_send_hello(struct connection *connection, struct bytes *hello)
{
    if (connection->phase != CONNECTION_GREETED &&
        connection->phase != CONNECTION_OPEN) {
        return;
    }
    if (connection->hello != NULL) { /* a stalled peer keeps one waiting, not many */
        struct connection_item *item = connection->hello;
        connection->queued_bytes += hello->len;
        connection->queued_bytes -= item->body->len;
        bytes_unref(item->body);
        item->body = bytes_ref(hello);
        return;
    }
    connection->hello = connection_queue(connection, hello);
    connection_flush(connection);
}

/* --- in ----------------------------------------------------------------------------
 */

static void connection_hello(struct connection *connection, const uint8_t *body,
                             size_t len)
{
    struct hello hello;
    char *strings = NULL;
    struct err err;
    if (wire_hello_decode(&hello, &strings, body, len, &err) != 0) {
        connection_refuse(connection, "%s", err.text);
    } else if (hello.protocol != LINK_PROTOCOL) {
        connection_refuse(connection,
                          "it speaks protocol %u between nodes, this node speaks %d",
                          hello.protocol, LINK_PROTOCOL);
    } else if (connection->node_id != 0 && connection->node_id != hello.node_id) {
        connection_refuse(connection, "it changed its node id");
    } else {
        clock_timer_stop(connection->clock, &connection->deadline);
        connection->node_id = hello.node_id;
        connection->cluster_id = hello.cluster_id;
        connection->start_counter = hello.start_counter;
        if (connection->phase == CONNECTION_GREETED) {
            connection_move(connection, CONNECTION_OPEN);
        }
        connection->events->hello(connection, &hello);
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

/* Take the whole frames, keep the rest. */
static void connection_parse(struct connection *connection)
{
    size_t at = 0;
    while (connection->phase != CONNECTION_CLOSING) {
        const uint8_t *body = NULL;
        size_t len = 0;
        struct err err;
        size_t max =
            connection->phase == CONNECTION_OPEN ? LIMIT_FRAME_BYTES : WIRE_HELLO_BYTES;
        int rv = wire_frame(connection->in.data + at, connection->in.len - at, max,
                            &body, &len, &err);
        if (rv < 0) {
            connection_refuse(connection, "%s", err.text);
        }
        if (rv <= 0) {
            break;
        }
        connection_take(connection, body, len);
        at += WIRE_HEAD_BYTES + len;
    }
    if (connection->phase == CONNECTION_CLOSING) {
        return;
    }
    connection->in.len -= at;
    if (at > 0 && connection->in.len > 0) {
        memmove(connection->in.data, connection->in.data + at, connection->in.len);
    }
    if (at > 0) { /* what is left has begun just now */
        connection->partial_ms = clock_now_ms(connection->clock);
    }
}

static void connection_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct connection *connection = handle->data;
    (void)suggested;
    if (connection->in.len == 0 && connection->in.capacity > 4 * READ_BYTES) {
        buf_close(&connection->in); /* a large frame has passed */
    }
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
    if (connection->phase == CONNECTION_CLOSING) {
        return;
    }
    if (connection->in.len == 0) {
        connection->partial_ms = clock_now_ms(connection->clock);
    }
    connection->in.len += (size_t)count;
    connection_parse(connection);
    if (connection->phase != CONNECTION_CLOSING && connection->in.len > 0 &&
        !clock_timer_active(&connection->whole)) {
        clock_timer_start(connection->clock, &connection->whole,
                          connection->partial_ms + WHOLE_MS);
    }
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
    connection_move(connection, CONNECTION_GREETED);
    clock_timer_start(connection->clock, &connection->deadline,
                      clock_now_ms(connection->clock) + LIMIT_HANDSHAKE_MS);
    connection_set_options(connection);
    int rv = uv_read_start((uv_stream_t *)&connection->tcp, connection_alloc,
                           connection_read);
    if (rv != 0) {
        connection_close(connection, uv_strerror(rv));
        return;
    }
    connection_send_hello(connection, hello);
}
