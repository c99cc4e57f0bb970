/* SPDX-License-Identifier: Apache-2.0 */
/* Links that mean well: they find each other, carry frames, lose and find each other
 * again. Who means ill is in test_peer_hostile.c. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/clock_uv.h"
#include "raft/peer/wire.h"
#include "unit/raft/peer_bench.h"

static void two_links_introduce_themselves(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    assert_int_equal(a->heard.node_id, 2);
    assert_string_equal(a->heard_name, "n2");
    assert_int_equal(b->heard.node_id, 1);
    struct link_status status = bench_status(a, b->address);
    assert_true(status.connected);
    assert_int_equal(status.node_id, 2);
    assert_string_equal(status.reason, "");
    assert_int_equal(a->downs + b->downs, 0);
}

static void frames_come_whole_and_in_order(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    size_t bytes = 0;
    uint32_t number = 0;
    for (; number < 3000; number++) {
        size_t len = 5 + (number * 7919u) % 5000u;
        len = number % 500 == 0 ? LIMIT_FRAME_BYTES : len;
        if (!bench_send(a, b, number, len)) { /* the queue is full */
            bench_until(bench, bench_queued(a, b) == 0);
            assert_true(bench_send(a, b, number, len));
        }
        bytes += len;
    }
    bench_until(bench, b->frames == number);
    assert_false(b->out_of_order);
    assert_int_equal(b->frame_bytes, bytes);
    assert_int_equal(b->frame_from, 1);
    bench_until(bench, bench_queued(a, b) == 0);
    assert_int_equal(b->downs, 0);
}

static void three_links_talk_across(void **state)
{
    struct bench *bench = *state;
    struct bench_node *nodes[3];
    for (size_t i = 0; i < 3; i++) {
        nodes[i] = bench_node(bench, i, "127.0.0.1:0");
    }
    for (size_t i = 0; i < 3; i++) {
        const char *peers[] = {nodes[(i + 1) % 3]->address,
                               nodes[(i + 2) % 3]->address};
        nodes[i]->link->ops->set_peers(nodes[i]->link, peers, 2);
    }
    for (size_t i = 0; i < 3; i++) {
        bench_until(bench,
                    bench_status(nodes[i], nodes[(i + 1) % 3]->address).connected &&
                        bench_status(nodes[i], nodes[(i + 2) % 3]->address).connected);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_true(bench_send(nodes[i % 3], nodes[(i + 1 + i / 3) % 3], 0, 5));
    }
    for (size_t i = 0; i < 3; i++) {
        bench_until(bench, nodes[i]->frames == 2);
    }
}

static void a_frame_too_large_is_dropped_by_its_sender(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    assert_false(bench_send(a, b, 0, LIMIT_FRAME_BYTES + 1));
    assert_true(bench_send(a, b, 0, 5));
    bench_until(bench, b->frames == 1);
    assert_int_equal(a->downs, 0);
}

static void who_is_not_connected_gets_nothing(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    assert_false(bench_send(a, b, 0, 5));
    assert_int_equal(bench_queued(a, b), 0);
    bench_dial(a, b->address);
    assert_false(bench_send(a, b, 0, 5));
    assert_string_equal(bench_status(a, "10.9.9.9:1").reason,
                        "is not a peer of this node");
}

static void a_changed_hello_is_told(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    a->self.cluster_id = 0;
    bench_tell(a);
    bench_connect(a, b);
    a->self.cluster_id = 77;
    a->self.pledge = 5;
    a->self.name = "renamed";
    bench_tell(a);
    bench_until(bench, b->heard.pledge == 5 && b->hellos >= 4); /* on both */
    assert_string_equal(b->heard_name, "renamed");
    assert_int_equal(b->heard.cluster_id, 77);
    assert_int_equal(a->downs + b->downs, 0);
}

static void peers_may_be_told_before_we_know_ourselves(void **state)
{
    struct bench *bench = *state;
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    struct bench_node *a = bench_bind(bench, 0, "127.0.0.1:0");
    bench_dial(a, b->address);
    bench_advance(bench, 10); /* its first attempt has nothing to say */
    bench_start(a);
    bench_until(bench, bench_status(a, b->address).connected);
}

static void one_that_dials_is_dialled_back_at_once(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_bind(bench, 1, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    snprintf(address, sizeof address, "%s", b->address);
    bench_stop(b);
    bench_dial(a, address);
    bench_until(bench, strcmp(bench_status(a, address).reason, "refused") == 0);
    for (size_t i = 0; i < 10; i++) { /* into the longest back-offs */
        bench_advance(bench, 700);
        bench_turns(bench, 5);
    }
    b = bench_node(bench, 1, address);
    bench_turns(bench, 3);
    bench->frozen = true; /* its back-off cannot end any more */
    bench_dial(b, a->address);
    clock_run(&bench->clock);
    bench_until(bench, bench_status(a, address).connected);
    bench->frozen = false;
}

/* The attempt that its dialling meets may be about to fail. */
static void an_attempt_that_fails_meanwhile_is_made_again_at_once(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < 3; i++) {
        struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
        char address[LIMIT_ADDRESS_BYTES];
        int listener = raw_listen(address);
        int raw = raw_connect(a->address);
        bench_dial(a, address);
        bench->frozen = true;
        clock_run(&bench->clock);
        int first = raw_accept(bench, listener); /* under way */
        struct hello hello = a->self;
        hello.node_id = 60;
        hello.peer_address = address;
        struct bytes *body = wire_hello_encode(&hello);
        raw_send_body(bench, raw, body->data, body->len);
        bench_until(bench, a->hellos == 1);
        close(first);
        bench->frozen = true;
        int second = raw_accept(bench, listener);
        raw_send_body(bench, second, body->data, body->len);
        bench_until(bench, bench_status(a, address).connected);
        bench->frozen = false;
        bytes_unref(body);
        close(raw);
        close(second);
        close(listener);
        bench_stop(a);
    }
}

static void a_death_is_told_as_such(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    bench_advance(bench, 1000);
    bench->frozen = true; /* the notice needs no time to pass */
    bench_stop(b);
    bench_until(bench, a->deaths == 1);
    bench->frozen = false;
    assert_int_equal(a->down_id, 2);
    assert_true(a->downs >= 2);
    size_t downs = a->downs;
    bench_advance(bench, 5000);
    bench_turns(bench, 50);
    assert_int_equal(a->downs, downs); /* not again */
    assert_string_equal(bench_status(a, b->address).reason, "refused");
    assert_false(bench_send(a, b, 0, 5));
}

static void one_that_comes_again_is_found_again(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    snprintf(address, sizeof address, "%s", b->address);
    bench_connect(a, b);
    for (uint64_t start = 2; start < 6; start++) {
        bench_stop(b);
        bench_until(bench, a->deaths == start - 1);
        b = bench_bind(bench, 1, address);
        b->self.start_counter = start;
        bench_start(b);
        bench_dial(b, a->address);
        bench_until(bench, bench_status(a, address).connected &&
                               bench_status(b, a->address).connected &&
                               a->heard.start_counter == start);
        uint32_t number = a->next_number;
        assert_true(bench_send(b, a, number, 5));
        assert_true(bench_send(a, b, 0, 5));
        bench_until(bench, b->frames == 1 && a->next_number == number + 1);
    }
}

/* The end of a process as the kernel makes it, in whatever order. */
static void a_killed_process_is_noticed(void **state)
{
    struct bench *bench = *state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static uv_loop_t loop;
        uv_loop_init(&loop);
        struct clock *clock = clock_uv_new(&loop);
        struct err err;
        struct peer_options options = {.listen = "127.0.0.1:0"};
        struct bench_node node = {.bench = bench};
        struct link *link = peer_new(&loop, clock, &options, &err);
        static const struct link_events no_events;
        struct hello self = {.protocol = LINK_PROTOCOL,
                             .node_id = 9,
                             .name = "child",
                             .peer_address = peer_address(link),
                             .api_address = "-",
                             .version = "-"};
        (void)node;
        static char line[LIMIT_ADDRESS_BYTES];
        snprintf(line, sizeof line, "%s", peer_address(link));
        link->ops->start(link, &no_events, NULL);
        link->ops->set_self(link, &self);
        if (write(pipe_ends[1], line, sizeof line) != (ssize_t)sizeof line) {
            _exit(1);
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        _exit(1);
    }
    char address[LIMIT_ADDRESS_BYTES];
    assert_int_equal(read(pipe_ends[0], address, sizeof address), sizeof address);
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    bench_dial(a, address);
    bench_until(bench, bench_status(a, address).connected);
    kill(child, SIGKILL);
    bench_until(bench, a->deaths == 1);
    assert_int_equal(a->down_id, 9);
    waitpid(child, NULL, 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void nobody_there_is_no_death(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_bind(bench, 1, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    snprintf(address, sizeof address, "%s", b->address);
    bench_stop(b);
    bench_dial(a, address);
    bench_until(bench, strcmp(bench_status(a, address).reason, "refused") == 0);
    assert_int_equal(bench_status(a, address).node_id, 0);
    assert_int_equal(a->downs, 0);
}

static void silence_has_a_name(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    char address[LIMIT_ADDRESS_BYTES];
    int silent = raw_listen(address);
    bench_dial(a, address);
    bench_until(bench, (bench_advance(bench, 50),
                        strstr(bench_status(a, address).reason, "no answer for")));
    bench_until(bench, (bench_advance(bench, 500),
                        strcmp(bench_status(a, address).reason,
                               "it said no hello within 5.0 s") == 0));
    close(silent);
}

static void it_works_over_ipv6_and_by_name(void **state)
{
    struct bench *bench = *state;
    struct bench_node *b = bench_node(bench, 1, "[::1]:0");
    assert_memory_equal(b->address, "[::1]:", 6);
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    bench_connect(a, b);
    struct bench_node *c = bench_node(bench, 2, "127.0.0.1:0");
    char name[LIMIT_ADDRESS_BYTES];
    snprintf(name, sizeof name, "localhost%s", strrchr(c->address, ':'));
    bench_dial(a, name);
    bench_until(bench, bench_status(a, name).connected);
    bench_advance(bench, 1000);
    bench->frozen = true; /* where it was is asked, not the name's other address */
    bench_stop(c);
    bench_until(bench, a->deaths == 1);
    bench->frozen = false;
    assert_int_equal(a->down_id, 3);
}

static void a_name_that_does_not_resolve_is_said(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    bench_dial(a, "no-such-host.invalid:80");
    bench_until(bench, strstr(bench_status(a, "no-such-host.invalid:80").reason,
                              "name does not resolve: ") != NULL);
    bench_dial(a, "nonsense");
    bench_until(bench,
                strcmp(bench_status(a, "nonsense").reason, "is no host:port") == 0);
    bench_dial(a, "late.invalid:80");
    bench_turns(bench, 1); /* and stopped while it is looked up */
}

static void an_address_that_is_taken_or_wrong_is_said(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct err err;
    struct peer_options options = {.listen = a->address};
    assert_null(peer_new(&bench->loop, &bench->clock, &options, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, a->address));
    options.listen = "127.0.0.1";
    assert_null(peer_new(&bench->loop, &bench->clock, &options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    options.listen = "203.0.113.7:0"; /* not of this machine */
    assert_null(peer_new(&bench->loop, &bench->clock, &options, &err));
    assert_int_equal(err.code, ERR_IO);
}

static void one_removed_is_let_go_and_can_come_back(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    bench_connect(a, b);
    a->link->ops->set_peers(a->link, NULL, 0);
    assert_false(bench_send(a, b, 0, 5));
    bench_dial(a, b->address); /* while the old connection is closing */
    bench_until(bench, bench_status(a, b->address).connected);
    assert_true(bench_send(a, b, 0, 5));
    bench_until(bench, b->frames == 1);
    assert_int_equal(a->downs, 0);
}

static void forget_everybody(struct bench_node *node)
{
    node->link->ops->set_peers(node->link, NULL, 0);
}

static void stop_at_once(struct bench_node *node)
{
    node->on_frame = NULL;
    node->on_down = NULL;
    struct link *link = node->link;
    node->self.name = "stopping";
    link->ops->set_self(link, &node->self);
    link->ops->set_peers(link, NULL, 0);
}

static void events_may_change_everything_from_inside(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    struct bench_node *c = bench_node(bench, 2, "127.0.0.1:0");
    bench_connect(a, b);
    b->on_frame = stop_at_once;
    a->on_down = forget_everybody;
    for (uint32_t i = 0; i < 10; i++) {
        bench_send(a, b, i, 70000);
    }
    bench_until(bench, b->frames == 10);
    bench_stop(b);
    bench_until(bench, a->downs > 0);
    assert_string_equal(bench_status(a, b->address).reason,
                        "is not a peer of this node");
    bench_dial(a, c->address);
    bench_until(bench, bench_status(a, c->address).connected);
}

static void a_link_stops_whatever_is_under_way(void **state)
{
    struct bench *bench = *state;
    for (size_t turns = 0; turns < 12; turns++) {
        struct bench_node *a = bench_node(bench, 0, "127.0.0.1:0");
        struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
        bench_dial(a, b->address);
        bench_dial(b, a->address);
        clock_run(&bench->clock);
        bench_turns(bench, turns);
        bench_send(a, b, 0, LIMIT_FRAME_BYTES);
        bench_send(b, a, 0, LIMIT_FRAME_BYTES);
        bench_stop(turns % 2 == 0 ? a : b);
        bench_stop(turns % 2 == 0 ? b : a);
    }
}

static void one_never_started_is_freed_with_what_it_has(void **state)
{
    struct bench *bench = *state;
    struct bench_node *a = bench_bind(bench, 0, "127.0.0.1:0");
    struct bench_node *b = bench_node(bench, 1, "127.0.0.1:0");
    int raw = raw_connect(a->address);
    bench_dial(b, a->address);
    bench_until(bench, strcmp(bench_status(b, a->address).reason,
                              "it closed the connection") == 0);
    int late = raw_connect(a->address);
    bench_turns(bench, 1); /* accepted, and closing */
    peer_free(a->link);
    a->link = NULL;
    bench_turns(bench, 5);
    close(raw);
    close(late);
}

#define peer_test(name)                                                                \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        peer_test(two_links_introduce_themselves),
        peer_test(frames_come_whole_and_in_order),
        peer_test(three_links_talk_across),
        peer_test(a_frame_too_large_is_dropped_by_its_sender),
        peer_test(who_is_not_connected_gets_nothing),
        peer_test(a_changed_hello_is_told),
        peer_test(peers_may_be_told_before_we_know_ourselves),
        peer_test(one_that_dials_is_dialled_back_at_once),
        peer_test(an_attempt_that_fails_meanwhile_is_made_again_at_once),
        peer_test(a_death_is_told_as_such),
        peer_test(one_that_comes_again_is_found_again),
        peer_test(a_killed_process_is_noticed),
        peer_test(nobody_there_is_no_death),
        peer_test(silence_has_a_name),
        peer_test(it_works_over_ipv6_and_by_name),
        peer_test(a_name_that_does_not_resolve_is_said),
        peer_test(an_address_that_is_taken_or_wrong_is_said),
        peer_test(one_removed_is_let_go_and_can_come_back),
        peer_test(events_may_change_everything_from_inside),
        peer_test(a_link_stops_whatever_is_under_way),
        peer_test(one_never_started_is_freed_with_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
