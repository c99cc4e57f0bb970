/* SPDX-License-Identifier: Apache-2.0 */
/* Who does not belong, lies, babbles, stalls or crowds: it is cut off, what it costs is
 * bounded, and the others go on. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/frame.h"
#include "raft/peer/wire.h"
#include "unit/raft/peer_bench.h"

/* After all that: do two good ones still reach each other? */
static void still_works(struct bench_node *a, struct bench_node *b)
{
    size_t frames = b->frames;
    assert_true(bench_send(a, b, b->next_number, 100));
    bench_until(a->bench, b->frames == frames + 1);
    assert_false(b->out_of_order);
}

static void another_cluster_is_refused(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_bind(bench, 1, "127.0.0.1:0");
    b->self.cluster_id = 78;
    bench_start(b);
    bench_dial(a, b->address);
    bench_until(bench, strcmp(bench_status(a, b->address).reason,
                              "it belongs to cluster 78, this node to 77") == 0);
    assert_int_equal(a->hellos + b->hellos + a->downs + b->downs, 0);
    b->self.cluster_id = 0; /* a blank one is nobody's enemy */
    bench_tell(b);
    bench_until(bench, bench_status(a, b->address).connected);
}

static void one_that_joins_another_cluster_is_cut_at_once(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_bind(bench, 1, "127.0.0.1:0");
    b->self.cluster_id = 0;
    bench_start(b);
    bench_connect(a, b);
    assert_true(bench_send(a, b, 0, 5)); /* under way to a node that is none of ours */
    b->self.cluster_id = 78;
    bench_tell(b);
    assert_false(bench_send(b, a, 0, 5));
    bench_until(bench, !bench_status(a, b->address).connected && a->downs > 0);
    assert_int_equal(a->frames + b->frames, 0);
}

static void its_own_id_is_refused(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    bench_dial(a, a->address);
    bench_until(bench, strstr(bench_status(a, a->address).reason, "own id") != NULL);
    assert_int_equal(a->hellos + a->downs, 0);
}

struct saying {
    const char *what;
    bool hello_first;
    size_t len;
    const uint8_t *bytes;
};

#define saying(text) (sizeof(text) - 1), (const uint8_t *)(text)

static void nonsense_is_cut_off(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    static const struct saying sayings[] = {
        {"HTTP", false, saying("GET / HTTP/1.1\r\nHost: muster\r\n\r\n")},
        {"length 0", false, saying("\0\0\0\0\0\0\0\0")},
        {"length 0 later", true, saying("\0\0\0\0\0\0\0\0")},
        {"huge length", false, saying("\xff\xff\xff\xff\0\0\0\0")},
        {"huge length later", true, saying("\xff\xff\xff\xff\0\0\0\0")},
        {"one more than 8 MiB", true, saying("\x01\0\x80\0\0\0\0\0")},
        {"a first frame of 4097", false, saying("\x01\x10\0\0\0\0\0\0")},
        {"wrong checksum", true, saying("\x01\0\0\0\0\0\0\0\x01")},
    };
    for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++) {
        int raw = raw_connect(a->address);
        size_t hellos = a->hellos;
        if (sayings[i].hello_first) {
            raw_send_hello(bench, raw, 40 + i, 1);
            bench_until(bench, a->hellos == hellos + 1);
        }
        raw_send(bench, raw, sayings[i].bytes, sayings[i].len);
        bench->frozen = true; /* no deadline does it */
        bench_until(bench, raw_closed(raw));
        bench->frozen = false;
        close(raw);
        still_works(a, b);
    }
    assert_int_equal(a->frames, 0);
}

static void whole_frames_of_the_wrong_kind_are_cut_off(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    static const uint8_t kinds[] = {FRAME_HELLO, FRAME_APPEND, FRAME_PING, 200};
    for (size_t i = 0; i < sizeof kinds; i++) { /* before a hello */
        int raw = raw_connect(a->address);
        raw_send_body(bench, raw, &kinds[i], 1);
        bench_until(bench, raw_closed(raw));
        close(raw);
    }
    assert_int_equal(a->hellos + a->frames + a->downs, 0);
    int raw = raw_connect(a->address);
    raw_send_hello(bench, raw, 50, 1);
    raw_send_body(bench, raw, &kinds[2], 1); /* then a ping is nothing */
    raw_send_body(bench, raw, &kinds[3], 1); /* an unknown kind is the core's matter */
    bench_until(bench, a->frames == 1);
    raw_send_body(bench, raw, &kinds[0], 1);
    bench_until(bench, raw_closed(raw));
    close(raw);
}

static void another_protocol_is_cut_off(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = raw_listen(address);
    bench_dial(a, address);
    int raw = raw_accept(bench, listener);
    static const uint8_t body[] = "\x00muster\x00\x00\x02\x00\x00\x00what it knows";
    raw_send_body(bench, raw, body, sizeof body);
    bench_until(bench, raw_closed(raw));
    bench_until(bench, strstr(bench_status(a, address).reason,
                              "speaks protocol 2 between nodes, this node speaks 1"));
    assert_int_equal(a->hellos + a->downs, 0);
    close(raw);
    close(listener);
}

static void what_comes_byte_by_byte_is_taken(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    size_t hellos = a->hellos;
    int raw = raw_connect(a->address);
    struct buf all;
    buf_init(&all);
    struct hello hello = b->self;
    hello.node_id = 50;
    struct bytes *body = wire_hello_encode(&hello);
    uint8_t head[WIRE_HEAD_BYTES];
    wire_head(body->data, body->len, head);
    buf_put(&all, head, sizeof head);
    buf_put(&all, body->data, body->len);
    bytes_unref(body);
    static const uint8_t frames[2][6] = {{FRAME_PING, 1, 2, 3, 4, 5},
                                         {1, 0, 0, 0, 0, 5}};
    for (size_t i = 0; i < 2; i++) {
        wire_head(frames[i], 6, head);
        buf_put(&all, head, sizeof head);
        buf_put(&all, frames[i], 6);
    }
    for (size_t i = 0; i < all.len; i++) {
        raw_send(bench, raw, all.data + i, 1);
        bench_turns(bench, 1);
    }
    bench_until(bench, a->hellos == hellos + 1 && a->frames == 1);
    assert_int_equal(a->frame_from, 50);
    buf_close(&all);
    close(raw);
    bench_until(bench, a->downs == 1 && a->down_id == 50);
}

static void who_says_no_hello_is_cut_off(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    int silent = raw_connect(a->address);
    int slow = raw_connect(a->address);
    raw_send(bench, slow, "\x60\0\0\0", 4);
    bench_turns(bench, 5);
    bench_advance(bench, LIMIT_HANDSHAKE_MS - 1);
    raw_send(bench, slow, "\0", 1); /* a byte now and then does not help */
    bench_turns(bench, 5);
    assert_false(raw_closed(silent));
    bench_advance(bench, 1);
    bench_until(bench, raw_closed(silent) && raw_closed(slow));
    close(silent);
    close(slow);
}

static void who_never_ends_its_frame_is_cut_off(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    int raw = raw_connect(a->address);
    raw_send_hello(bench, raw, 50, 1);
    bench_until(bench, a->hellos == 1);
    for (size_t i = 0; i < 3; i++) { /* whole ones count for nothing */
        raw_send_body(bench, raw, "\x01", 1);
        bench_until(bench, a->frames == i + 1);
        bench_advance(bench, 20000);
    }
    uint8_t frame[WIRE_HEAD_BYTES + 1] = {0};
    frame[WIRE_HEAD_BYTES] = 1;
    wire_head(&frame[WIRE_HEAD_BYTES], 1, frame);
    for (size_t i = 3; i < 6; i++) { /* nor do those that share a packet */
        uint8_t packet[2 * sizeof frame];
        size_t had = i > 3 ? 4 : 0;
        memcpy(packet, frame + had, sizeof frame - had);
        memcpy(packet + sizeof frame - had, frame, 4);
        raw_send(bench, raw, packet, sizeof frame - had + 4);
        bench_until(bench, a->frames == i + 1);
        bench_advance(bench, 20000);
        bench_turns(bench, 5);
        assert_false(raw_closed(raw));
    }
    raw_send(bench, raw, frame + 4, sizeof frame - 4);
    bench_until(bench, a->frames == 7);
    raw_send(bench, raw, "\x00\x00\x80\x00", 4);
    bench_turns(bench, 5);
    bench_advance(bench, 29999);
    bench_turns(bench, 5);
    assert_false(raw_closed(raw));
    bench_advance(bench, 20000);
    bench_until(bench, raw_closed(raw));
    bench_until(bench, a->downs == 1);
    close(raw);
}

static void a_claimed_length_costs_nothing(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    int raws[40];
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < 40; i++) {
        raws[i] = raw_connect(a->address);
        raw_send_hello(bench, raws[i], 50 + i, 1);
        raw_send(bench, raws[i], "\x00\x00\x80\x00\x01\x02\x03\x04\x05", 9);
    }
    bench_until(bench, a->hellos == 40);
    bench_turns(bench, 20);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024); /* 320 MiB claimed */
    for (size_t i = 0; i < 40; i++) {
        close(raws[i]);
    }
    bench_until(bench, a->downs == 40);
}

static void a_crowd_without_hellos_keeps_nobody_out(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    int crowd[3 * LIMIT_HANDSHAKES];
    size_t count = sizeof crowd / sizeof crowd[0];
    for (size_t i = 0; i < count; i++) {
        crowd[i] = raw_connect(a->address);
        bench_turns(bench, 1);
    }
    size_t left = count;
    bench_until(bench, (left = 0, ({
                            for (size_t i = 0; i < count; i++) {
                                left += !raw_closed(crowd[i]);
                            }
                        }),
                        left == LIMIT_HANDSHAKES));
    assert_true(raw_closed(crowd[0]));
    assert_false(raw_closed(crowd[count - 1]));
    bench_connect(a, b);
    still_works(b, a);
    for (size_t i = 0; i < count; i++) {
        close(crowd[i]);
    }
}

static void a_crowd_with_hellos_is_bounded(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    int crowd[100];
    size_t left = 0;
    for (size_t i = 0; i < 100; i++) {
        crowd[i] = raw_connect(a->address);
        raw_send_hello(bench, crowd[i], 50 + i, 1);
        bench_turns(bench, 2);
    }
    bench_turns(bench, 10);
    for (size_t i = 0; i < 100; i++) {
        left += !raw_closed(crowd[i]);
    }
    assert_int_equal(left, 4 * LIMIT_MEMBERS - 1);
    still_works(a, b);
    still_works(b, a);
    for (size_t i = 0; i < 100; i++) {
        close(crowd[i]);
    }
}

static void remains_of_an_earlier_start_go(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    int old = raw_connect(a->address);
    raw_send_hello(bench, old, 50, 1);
    bench_until(bench, a->hellos == 1);
    int new = raw_connect(a->address);
    raw_send_hello(bench, new, 50, 2);
    bench_until(bench, raw_closed(old));
    bench_turns(bench, 5);
    assert_false(raw_closed(new));
    assert_int_equal(a->downs, 0); /* the node is there all the time */
    int more[5];
    for (size_t i = 0; i < 5; i++) {
        more[i] = raw_connect(a->address);
        raw_send_hello(bench, more[i], 50, 2);
        bench_until(bench, a->hellos == 3 + i);
    }
    bench_until(bench, raw_closed(new));
    assert_int_equal(a->downs, 0);
    close(old);
    close(new);
    for (size_t i = 0; i < 5; i++) {
        close(more[i]);
    }
    bench_until(bench, a->downs == 1);
}

static void a_changed_node_id_is_cut_off(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    int raw = raw_connect(a->address);
    raw_send_hello(bench, raw, 50, 1);
    raw_send_hello(bench, raw, 51, 1);
    bench_until(bench, raw_closed(raw));
    bench_until(bench, a->downs == 1);
    assert_int_equal(a->hellos, 1);
    assert_int_equal(a->down_id, 50);
    close(raw);
}

/* A listener of ours that says hello, as node 60. */
static int false_friend(struct bench *bench, struct bench_node *a, char *address,
                        int *listener)
{
    *listener = raw_listen(address);
    bench_dial(a, address);
    int raw = raw_accept(bench, *listener);
    raw_send_hello(bench, raw, 60, 1);
    bench_until(bench, bench_status(a, address).connected);
    return raw;
}

static void a_frame_the_wrong_way_is_cut_off(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = -1;
    int raw = false_friend(bench, a, address, &listener);
    raw_send_body(bench, raw, "\x01", 1);
    bench_until(bench, raw_closed(raw));
    assert_int_equal(a->frames, 0);
    bench_until(bench, a->downs == 1);
    close(raw);
    close(listener);
}

/* Its connections may end in any order. */
static void after_a_death_its_other_connection_says_nothing(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = -1;
    int raw = false_friend(bench, a, address, &listener);
    int other = raw_connect(a->address);
    raw_send_hello(bench, other, 60, 1);
    bench_until(bench, a->hellos == 2);
    close(listener);
    close(raw);
    bench_until(bench, a->deaths == 1);
    assert_int_equal(a->downs, 2); /* lost, then dead */
    close(other);
    bench_turns(bench, 20);
    assert_int_equal(a->downs, 2);
}

static void the_end_of_its_connection_is_a_reason_to_dial(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = -1;
    int raw = false_friend(bench, a, address, &listener);
    int other = raw_connect(a->address);
    raw_send_hello(bench, other, 60, 1);
    bench_until(bench, a->hellos == 2);
    bench->frozen = true; /* up for a moment only: it backs off, and that never ends */
    close(raw);
    bench_until(bench, a->downs == 1);
    close(other);
    int next = raw_accept(bench, listener);
    bench->frozen = false;
    close(next);
    close(listener);
}

static void an_attempt_that_is_not_refused_is_no_death(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = -1;
    int raw = false_friend(bench, a, address, &listener);
    bench_advance(bench, 1000);
    close(raw);
    for (size_t i = 0; i < 4; i++) {
        close(raw_accept(bench, listener));
    }
    assert_int_equal(a->downs, 1);
    close(listener);
    bench_until(bench, a->deaths == 1); /* but this is */
}

/* A full backlog: the kernel drops what comes to it without a word. */
static void without_an_answer_a_hello_begins_anew(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = raw_listen(address);
    assert_int_equal(listen(listener, 0), 0);
    int filler[4];
    for (size_t i = 0; i < 4; i++) {
        filler[i] = raw_connect(address);
    }
    bench_dial(a, address);
    clock_run(&bench->clock);
    bench_turns(bench, 5);
    bench_advance(bench, 700);
    assert_string_equal(bench_status(a, address).reason, "no answer for 0.7 s");
    struct hello hello = a->self;
    hello.node_id = 60;
    hello.peer_address = address;
    struct bytes *body = wire_hello_encode(&hello);
    int other = raw_connect(a->address);
    bench->frozen = true;
    raw_send_body(bench, other, body->data, body->len);
    bench_until(bench, strcmp(bench_status(a, address).reason, "no answer") == 0);
    bench->frozen = false;
    bench_advance(bench, 1499);
    bench_turns(bench, 3);
    assert_string_equal(bench_status(a, address).reason, "no answer for 1.5 s");
    bench_advance(bench, 1);
    bench_until(bench,
                strcmp(bench_status(a, address).reason, "timed out after 1.5 s") == 0);
    bytes_unref(body);
    close(other);
    for (size_t i = 0; i < 4; i++) {
        close(filler[i]);
    }
    close(listener);
}

static void attempts_come_less_and_less_often(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = raw_listen(address);
    bench_dial(a, address);
    size_t count = 0;
    for (size_t i = 0; i < 200; i++) { /* 5 s in steps of 25 ms */
        bench_advance(bench, 25);
        bench_turns(bench, 2);
        int raw = accept(listener, NULL, NULL);
        if (raw >= 0) {
            count++;
            close(raw);
            bench_turns(bench, 3);
        }
    }
    assert_in_range(count, 8, 16); /* 20, 40 … 320, then 500 ms, and up to a quarter */
    close(listener);
}

static void one_that_does_not_read_costs_32_mib_at_most(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = -1;
    int raw = false_friend(bench, a, address, &listener);
    const char *both[] = {address, b->address};
    a->link->ops->set_peers(a->link, both, 2);
    bench_until(bench, bench_status(a, b->address).connected);
    struct bench_node stalled = {.self = {.node_id = 60}};
    uint32_t number = 0;
    while (bench_send(a, &stalled, number, 1000000)) {
        assert_true(++number < 200);
        bench_turns(bench, 1);
        assert_true(bench_queued(a, &stalled) <= LIMIT_PEER_QUEUE_BYTES);
    }
    assert_true(bench_queued(a, &stalled) > LIMIT_PEER_QUEUE_BYTES - 1100000);
    size_t queued = bench_queued(a, &stalled);
    for (size_t i = 0; i < 2000; i++) { /* as many hellos as there may be: one waits */
        a->self.pledge = i;
        bench_tell(a);
    }
    assert_true(bench_queued(a, &stalled) <= queued + WIRE_HELLO_BYTES);
    still_works(a, b);
    /* small ones cost more than their bytes, and are counted so */
    bench_until(bench, raw_closed(raw) || bench_queued(a, &stalled) == 0);
    size_t count = 0;
    while (bench_send(a, &stalled, number, 5)) {
        assert_true(++count <= LIMIT_PEER_QUEUE_BYTES / 64);
    }
    bench_until(bench, raw_closed(raw) || bench_queued(a, &stalled) == 0);
    assert_true(bench_status(a, address).connected);
    close(raw);
    close(listener);
}

static void one_that_closes_after_its_hello_makes_nobody_spin(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = raw_listen(address);
    bench_dial(a, address);
    clock_run(&bench->clock);
    for (size_t i = 0; i < 10; i++) {
        int raw = raw_accept(bench, listener);
        raw_send_hello(bench, raw, 60, 1);
        bench_until(bench, a->hellos == i + 1);
        close(raw);
        bench->frozen = true;
        bench_until(bench, a->downs == i + 1);
        bench_turns(bench, 20);
        assert_int_equal(accept(listener, NULL, NULL), -1); /* not before its time */
        bench->frozen = false;
    }
    assert_int_equal(a->deaths, 0);
    close(listener);
}

static void a_newer_start_replaces_a_connection_that_hangs(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int listener = -1;
    int hanging = false_friend(bench, a, address, &listener);
    int raw = raw_connect(a->address);
    raw_send_hello(bench, raw, 60, 2); /* its machine was gone and is back */
    int next = raw_accept(bench, listener);
    raw_send_hello(bench, next, 60, 2);
    bench_until(bench, raw_closed(hanging) && bench_status(a, address).connected);
    close(hanging);
    close(raw);
    close(next);
    close(listener);
}

static void without_descriptors_it_waits_for_some(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    struct bench_node *c = bench_node(bench, 2, "127.0.0.1:0");
    bench_connect(a, b);
    int raw = raw_connect(a->address); /* will be accepted without a descriptor left */
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit tight = {.rlim_cur = (rlim_t)raw + 1, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    const char *both[] = {b->address, c->address};
    a->link->ops->set_peers(a->link, both, 2);
    bench_until(bench, strstr(bench_status(a, c->address).reason, "too many open"));
    still_works(a, b);
    setrlimit(RLIMIT_NOFILE, &before);
    bench_until(bench, bench_status(a, c->address).connected);
    still_works(b, a);
    close(raw);
}

static void random_bytes_and_flips_harm_nobody(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    struct bytes *body = wire_hello_encode(&b->self);
    size_t len = WIRE_HEAD_BYTES + body->len;
    for (size_t i = 0; i < 8 * len; i += 5) { /* every byte, one bit of it */
        uint8_t *data = mem_alloc(len);
        wire_head(body->data, body->len, data);
        memcpy(data + WIRE_HEAD_BYTES, body->data, body->len);
        data[i / 8] ^= (uint8_t)(1u << i % 8);
        int raw = raw_connect(a->address);
        raw_send(bench, raw, data, len);
        shutdown(raw, SHUT_WR);
        bench_until(bench, raw_closed(raw));
        close(raw);
        mem_free(data);
    }
    bytes_unref(body);
    for (size_t i = 0; i < 100; i++) {
        uint8_t data[300];
        for (size_t at = 0; at < sizeof data; at++) {
            data[at] = (uint8_t)clock_random(&bench->clock);
        }
        data[1] = data[2] = data[3] = 0; /* a length it will believe */
        int raw = raw_connect(a->address);
        raw_send(bench, raw, data, sizeof data);
        shutdown(raw, SHUT_WR);
        bench_until(bench, raw_closed(raw));
        close(raw);
    }
    assert_int_equal(a->hellos, 2);
    still_works(a, b);
    still_works(b, a);
}

#define peer_test(name)                                                                \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        peer_test(another_cluster_is_refused),
        peer_test(one_that_joins_another_cluster_is_cut_at_once),
        peer_test(its_own_id_is_refused),
        peer_test(nonsense_is_cut_off),
        peer_test(whole_frames_of_the_wrong_kind_are_cut_off),
        peer_test(another_protocol_is_cut_off),
        peer_test(what_comes_byte_by_byte_is_taken),
        peer_test(who_says_no_hello_is_cut_off),
        peer_test(who_never_ends_its_frame_is_cut_off),
        peer_test(a_claimed_length_costs_nothing),
        peer_test(a_crowd_without_hellos_keeps_nobody_out),
        peer_test(a_crowd_with_hellos_is_bounded),
        peer_test(remains_of_an_earlier_start_go),
        peer_test(a_changed_node_id_is_cut_off),
        peer_test(a_frame_the_wrong_way_is_cut_off),
        peer_test(after_a_death_its_other_connection_says_nothing),
        peer_test(the_end_of_its_connection_is_a_reason_to_dial),
        peer_test(an_attempt_that_is_not_refused_is_no_death),
        peer_test(without_an_answer_a_hello_begins_anew),
        peer_test(attempts_come_less_and_less_often),
        peer_test(one_that_does_not_read_costs_32_mib_at_most),
        peer_test(one_that_closes_after_its_hello_makes_nobody_spin),
        peer_test(a_newer_start_replaces_a_connection_that_hangs),
        peer_test(without_descriptors_it_waits_for_some),
        peer_test(random_bytes_and_flips_harm_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
