/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/raft/peer_bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/peer/wire.h"

/* --- time --------------------------------------------------------------------------
 */

static struct bench *bench_of(struct clock *clock)
{
    return (struct bench *)clock;
}

static uint64_t bench_now_ms(struct clock *clock)
{
    return bench_of(clock)->now_ms;
}

static uint64_t bench_random(struct clock *clock)
{
    return hash_mix(bench_of(clock)->random++);
}

/* Looked at with each tick. */
static void bench_wake(struct clock *clock, uint64_t due_ms)
{
    (void)clock;
    (void)due_ms;
}

static const struct clock_ops bench_clock_ops = {
    .now_ms = bench_now_ms,
    .wall_ms = bench_now_ms,
    .boot_ms = bench_now_ms,
    .random = bench_random,
    .wake = bench_wake,
};

static void bench_ticked(uv_timer_t *timer)
{
    struct bench *bench = timer->data;
    if (!bench->frozen) {
        bench_advance(bench, 1);
    }
}

void bench_advance(struct bench *bench, uint64_t ms)
{
    bench->now_ms += ms;
    clock_run(&bench->clock);
}

void bench_turns(struct bench *bench, size_t count)
{
    bench->frozen = true;
    for (size_t i = 0; i < count; i++) {
        uv_run(&bench->loop, UV_RUN_ONCE); /* the tick ends the wait */
    }
    bench->frozen = false;
}

/* --- life --------------------------------------------------------------------------
 */

int bench_set_up(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    clock_init(&bench.clock, &bench_clock_ops);
    bench.now_ms = 1000000;
    uv_loop_init(&bench.loop);
    uv_timer_init(&bench.loop, &bench.tick);
    bench.tick.data = &bench;
    uv_timer_start(&bench.tick, bench_ticked, 1, 1);
    *state = &bench;
    return 0;
}

int bench_tear_down(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (bench->nodes[i].link != NULL) {
            bench_stop(&bench->nodes[i]);
        }
    }
    uv_close((uv_handle_t *)&bench->tick, NULL);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    clock_close(&bench->clock); /* asserts that no timer is left */
    return uv_loop_close(&bench->loop);
}

/* --- links -------------------------------------------------------------------------
 */

static void on_hello(void *owner, const struct hello *hello)
{
    struct bench_node *node = owner;
    assert_false(node->bench->inside);
    assert_false(node->stopped);
    node->hellos++;
    node->heard = *hello;
    snprintf(node->heard_name, sizeof node->heard_name, "%s", hello->name);
}

static void on_frame(void *owner, uint64_t from, const uint8_t *data, size_t len)
{
    struct bench_node *node = owner;
    assert_false(node->bench->inside);
    node->frames++;
    node->frame_bytes += len;
    node->frame_from = from;
    if (len >= 5) {
        node->out_of_order |= get_u32(data + 1) != node->next_number;
        node->next_number++;
        for (size_t i = 5; i < len; i += 1021) {
            node->out_of_order |= data[i] != (uint8_t)(i + data[1]);
        }
    }
    if (node->on_frame != NULL) {
        node->on_frame(node);
    }
}

static void on_down(void *owner, uint64_t node_id, bool refused)
{
    struct bench_node *node = owner;
    assert_false(node->bench->inside);
    node->downs++;
    node->deaths += refused;
    node->down_id = node_id;
    if (node->on_down != NULL) {
        node->on_down(node);
    }
}

static const struct link_events bench_events = {
    .hello = on_hello,
    .frame = on_frame,
    .down = on_down,
};

struct bench_node *bench_bind(struct bench *bench, size_t slot, const char *listen)
{
    static const char *const names[BENCH_NODES] = {"n1", "n2", "n3", "n4"};
    struct bench_node *node = &bench->nodes[slot];
    struct peer_options options = {.listen = listen};
    struct err err;
    memset(node, 0, sizeof *node);
    node->bench = bench;
    node->link = peer_new(&bench->loop, &bench->clock, &options, &err);
    assert_non_null(node->link);
    snprintf(node->address, sizeof node->address, "%s", peer_address(node->link));
    node->self = (struct hello){
        .protocol = LINK_PROTOCOL,
        .cluster_id = 77,
        .node_id = slot + 1,
        .start_counter = 1,
        .expect = 3,
        .level = 1,
        .name = names[slot],
        .peer_address = node->address,
        .api_address = "127.0.0.1:8558",
        .version = "0.1.0",
    };
    return node;
}

void bench_start(struct bench_node *node)
{
    node->bench->inside = true;
    node->link->ops->start(node->link, &bench_events, node);
    node->bench->inside = false;
    bench_tell(node);
}

struct bench_node *bench_node(struct bench *bench, size_t slot, const char *listen)
{
    struct bench_node *node = bench_bind(bench, slot, listen);
    bench_start(node);
    return node;
}

void bench_tell(struct bench_node *node)
{
    node->bench->inside = true;
    node->link->ops->set_self(node->link, &node->self);
    node->bench->inside = false;
}

void bench_dial(struct bench_node *node, const char *address)
{
    node->bench->inside = true;
    node->link->ops->set_peers(node->link, &address, 1);
    node->bench->inside = false;
}

void bench_connect(struct bench_node *a, struct bench_node *b)
{
    bench_dial(a, b->address);
    bench_dial(b, a->address);
    bench_until(a->bench, bench_status(a, b->address).connected &&
                              bench_status(b, a->address).connected);
    bench_until(a->bench, a->hellos >= 2 && b->hellos >= 2);
}

static void bench_stopped(void *owner)
{
    struct bench_node *node = owner;
    assert_false(node->bench->inside);
    node->stopped = true;
    peer_free(node->link);
    node->link = NULL;
}

void bench_stop(struct bench_node *node)
{
    struct bench *bench = node->bench;
    bench->inside = true;
    node->link->ops->stop(node->link, bench_stopped, node);
    bench->inside = false;
    size_t reported = node->hellos + node->downs + node->frames;
    bench_until(bench, node->stopped);
    assert_int_equal(node->hellos + node->downs + node->frames, reported);
}

bool bench_send(struct bench_node *from, const struct bench_node *to, uint32_t number,
                size_t len)
{
    struct bytes *frame = bytes_new(NULL, len);
    frame->data[0] = 1;
    put_u32(frame->data + 1, number);
    for (size_t i = 5; i < len; i++) {
        frame->data[i] = (uint8_t)(i + frame->data[1]);
    }
    from->bench->inside = true;
    bool sent = from->link->ops->send(from->link, to->self.node_id, frame);
    from->bench->inside = false;
    bytes_unref(frame);
    return sent;
}

struct link_status bench_status(struct bench_node *node, const char *address)
{
    struct link_status status;
    node->link->ops->status(node->link, address, &status);
    return status;
}

size_t bench_queued(struct bench_node *from, const struct bench_node *to)
{
    return from->link->ops->queued_bytes(from->link, to->self.node_id);
}

/* --- raw sockets -------------------------------------------------------------------
 */

int raw_connect(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strrchr(address, ':');
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    int rv = connect(fd, (struct sockaddr *)&to, sizeof to);
    assert_true(rv == 0 || errno == EINPROGRESS);
    return fd;
}

int raw_listen(char address[LIMIT_ADDRESS_BYTES])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(address, LIMIT_ADDRESS_BYTES, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

int raw_accept(struct bench *bench, int listener)
{
    int fd = -1;
    bench_until(
        bench, (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
    return fd;
}

/* What does not fit waits; what the other side has cut off is lost. */
void raw_send(struct bench *bench, int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return;
        }
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        } else {
            bench_turns(bench, 1);
        }
    }
}

void raw_send_body(struct bench *bench, int fd, const void *body, size_t len)
{
    uint8_t head[WIRE_HEAD_BYTES];
    wire_head(body, len, head);
    raw_send(bench, fd, head, sizeof head);
    raw_send(bench, fd, body, len);
}

void raw_send_hello(struct bench *bench, int fd, uint64_t node_id, uint64_t start)
{
    struct hello hello = {
        .protocol = LINK_PROTOCOL,
        .node_id = node_id,
        .start_counter = start,
        .name = "raw",
        .peer_address = "127.0.0.1:1",
        .api_address = "127.0.0.1:2",
        .version = "raw",
    };
    struct bytes *body = wire_hello_encode(&hello);
    raw_send_body(bench, fd, body->data, body->len);
    bytes_unref(body);
}

bool raw_closed(int fd)
{
    static uint8_t bin[65536];
    for (;;) {
        ssize_t got = recv(fd, bin, sizeof bin, 0);
        if (got == 0) {
            return true;
        }
        if (got < 0) {
            return errno != EAGAIN && errno != EINTR && errno != ENOTCONN;
        }
    }
}
