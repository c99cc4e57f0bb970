/* SPDX-License-Identifier: Apache-2.0 */
/* Links in one loop, and raw sockets that say to them what no link would say. Time is
 * the test's: it stands still in bench_turns(), passes as real time does in
 * bench_until(), and jumps in bench_advance(). */
#ifndef UNIT_RAFT_PEER_BENCH_H
#define UNIT_RAFT_PEER_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "base/limits.h"
#include "raft/clock.h"
#include "raft/link.h"
#include "raft/peer.h"

#define BENCH_NODES 4

struct bench_node {
    struct bench *bench;
    struct link *link;
    bool stopped;
    char address[LIMIT_ADDRESS_BYTES];
    struct hello self;
    size_t hellos; /* what was reported to it */
    struct hello heard;
    char heard_name[LIMIT_NAME_BYTES + 1];
    size_t downs;
    size_t deaths;
    uint64_t down_id;
    size_t frames;
    size_t frame_bytes;
    uint64_t frame_from;
    uint32_t next_number; /* frames made by bench_send() carry one, from 0 */
    bool out_of_order;
    void (*on_frame)(struct bench_node *node); /* NULL, or called from inside */
    void (*on_down)(struct bench_node *node);
};

struct bench {
    struct clock clock; /* first */
    uint64_t now_ms;
    uint64_t random;
    uv_loop_t loop;
    uv_timer_t tick;
    bool frozen;
    bool inside; /* a call into a link is under way: no event may come */
    struct bench_node nodes[BENCH_NODES];
};

int bench_set_up(void **state);    /* *state is a struct bench */
int bench_tear_down(void **state); /* stops all links; nothing may be left over */

/* A started link of node id `slot` + 1 that listens on `listen`. */
struct bench_node *bench_node(struct bench *bench, size_t slot, const char *listen);
/* The same without start(): nobody is introduced. */
struct bench_node *bench_bind(struct bench *bench, size_t slot, const char *listen);
void bench_start(struct bench_node *node);
void bench_tell(struct bench_node *node); /* set_self(node->self) */
void bench_dial(struct bench_node *node, const char *address);
void bench_connect(struct bench_node *a, struct bench_node *b); /* both ways; waits */
void bench_stop(struct bench_node *node);                       /* waits */
/* A frame of `len` bytes, at least 5, with the next number of the receiver's count. */
bool bench_send(struct bench_node *from, const struct bench_node *to, uint32_t number,
                size_t len);
struct link_status bench_status(struct bench_node *node, const char *address);
size_t bench_queued(struct bench_node *from, const struct bench_node *to);

/* Run the loop until the condition holds; fails the test after a minute of real time.
 */
#define bench_until(bench, condition)                                                  \
    do {                                                                               \
        uint64_t give_up = uv_hrtime() + UINT64_C(60000000000);                        \
        while (!(condition)) {                                                         \
            assert_true(uv_hrtime() < give_up);                                        \
            uv_run(&(bench)->loop, UV_RUN_ONCE);                                       \
        }                                                                              \
    } while (0)

void bench_turns(struct bench *bench, size_t count); /* of the loop; no time passes */
void bench_advance(struct bench *bench, uint64_t ms);

/* Raw sockets, never blocking. */
int raw_connect(const char *address);
int raw_listen(char address[LIMIT_ADDRESS_BYTES]); /* 127.0.0.1, a free port */
int raw_accept(struct bench *bench, int listener); /* waits */
void raw_send(struct bench *bench, int fd, const void *data, size_t len);
void raw_send_body(struct bench *bench, int fd, const void *body, size_t len);
void raw_send_hello(struct bench *bench, int fd, uint64_t node_id, uint64_t start);
/* Reads and forgets what comes; true once the other side has closed. */
bool raw_closed(int fd);

#endif
