/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that one node hands on to another, in whole nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "raft/forward.h"
#include "raft/forward_wire.h"
#include "raft/node_inside.h"
#include "unit/raft/cluster_bench.h"

/* One write, and what its owner was told. */
struct asked {
    struct bench_node *at;
    bool decided;
    int code;
    struct result result;
    uint64_t here; /* what was applied at that node when its owner was told */
    uint64_t index;
    uint64_t asked_ms;
    uint64_t told_ms;
};

static void asked_decided(void *owner, const struct outcome *outcome)
{
    struct asked *asked = owner;
    assert_false(asked->decided);
    asked->decided = true;
    asked->code = outcome->code;
    asked->result = outcome->result;
    asked->index = outcome->index;
    asked->here = asked->at->node->applier.applied;
    asked->told_ms = bench_now_ms(asked->at->bench);
}

static struct command create(const char *name)
{
    struct command command = {
        .type = COMMAND_TASK_CREATE,
        .request_id = text_of("r"),
        .actor = text_of("somebody"),
    };
    command.task_create.name = text_of(name);
    command.task_create.text = text_of("{\"a\":\"b\"}");
    command.task_create.enabled_at = 1;
    return command;
}

static int ask(struct asked *asked, struct bench_node *at, const char *name)
{
    struct command command = create(name);
    *asked = (struct asked){.at = at, .asked_ms = bench_now_ms(at->bench)};
    return propose_submit(node_propose(at->node), &command, asked_decided, asked, NULL);
}

static bool everything_is_decided(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        const struct bench_node *node = &bench->nodes[i];
        if (node->node != NULL && propose_waiting(node_propose(node->node)) > 0) {
            return false;
        }
    }
    return true;
}

static struct bench_node *lead(struct cluster_bench *bench, bool forward)
{
    bench_open(bench);
    bench->forward_writes = forward;
    bench_start_all(bench);
    assert_true(bench_run_until(bench, bench_has_leader, 20000));
    bench_run(bench, 1000); /* the rows of the members */
    return bench_leader(bench);
}

static struct bench_node *other(struct bench_node *node, size_t skip)
{
    struct bench_node *at = node->bench->nodes;
    for (;; at++) {
        if (at != node && skip-- == 0) {
            return at;
        }
    }
}

static bool has_task(const struct bench_node *node, const char *name)
{
    return registry_task(node_registry(node->node), name, strlen(name)) != NULL;
}

/* --- on a follower -----------------------------------------------------------------
 */

static void a_follower_hands_a_write_on(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *follower = other(lead(&bench, true), 0);
    struct asked first;
    struct asked second;
    assert_true(propose_takes(node_propose(follower->node)));
    assert_int_equal(ask(&first, follower, "t"), 0);
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_int_equal(first.code, 0);
    assert_int_equal(first.result.code, 0);
    assert_true(first.result.revision > 0 && first.result.sequence > 0);
    assert_true(first.index > 0 && first.here >= first.index);
    assert_true(has_task(follower, "t"));
    /* the commit did not wait for the next beat */
    assert_in_range(first.told_ms - first.asked_ms, 0, BENCH_HEARTBEAT_MS / 2);

    assert_int_equal(ask(&second, follower, "t"), 0);
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_int_equal(second.code, 0);
    assert_int_equal(second.result.code, ERR_EXISTS);
    assert_true(second.here >= second.index && second.index > first.index);
    bench_close(&bench);
}

static void a_follower_that_is_not_to_hand_on_refuses(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *follower = other(lead(&bench, false), 0);
    struct asked asked;
    assert_false(propose_takes(node_propose(follower->node)));
    assert_int_equal(ask(&asked, follower, "t"), ERR_NOT_LEADER);
    bench_close(&bench);
}

static void many_writes_go_and_the_door_is_bounded(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *follower = other(lead(&bench, true), 0);
    size_t taken = 0;
    while (bench_write(follower, 10) == 0) {
        taken++;
    }
    assert_int_equal(taken, LIMIT_PROPOSALS);
    assert_int_equal(bench_write(follower, 10), ERR_BUSY);
    bench_run(&bench, 1);
    assert_int_equal(bench_write(follower, 10),
                     ERR_BUSY); /* on their way: they count */
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_int_equal(bench.decided[0], taken);
    bench_close(&bench);
}

static void what_the_leader_has_no_room_for_is_refused_as_it_says(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct asked asked;
    while (bench_write(leader, 10) == 0) { /* its door is full */
    }
    assert_int_equal(ask(&asked, other(leader, 0), "t"), 0);
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_int_equal(asked.code, ERR_BUSY);
    assert_false(has_task(leader, "t") && bench.decided[0] == 0);
    bench_close(&bench);
}

/* It waits for a leader, for a while; none comes. */
static void with_no_leader_for_long_it_never_happened(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct bench_node *follower = other(leader, 0);
    struct asked asked;
    bench_kill(leader); /* the loss of its link is known a little later */
    bench_kill(other(leader, 1));
    bench_run(&bench, 20);
    assert_int_equal(ask(&asked, follower, "t"), 0);
    assert_false(asked.decided);
    bench_run(&bench, 3 * BENCH_ELECTION_MS);
    assert_true(asked.decided);
    assert_int_equal(asked.code, ERR_NOT_LEADER);
    assert_int_equal(ask(&asked, follower, "t2"), ERR_NOT_LEADER); /* at once by now */
    bench_close(&bench);
}

static void what_comes_between_two_leaders_waits_for_the_next(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct bench_node *follower = other(leader, 0);
    struct asked asked[20];
    bench_kill(leader);
    for (size_t i = 0; i < 20; i++) { /* from before the loss of its link is known on */
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        assert_int_equal(ask(&asked[i], follower, name), 0);
        bench_run(&bench, 5);
    }
    assert_true(bench_run_until(&bench, everything_is_decided, 20000));
    for (size_t i = 0; i < 20; i++) {
        /* the first may have been sent before the link was known to be lost */
        assert_true(asked[i].code == 0 ||
                    (i == 0 && asked[i].code == ERR_OUTCOME_UNKNOWN));
    }
    assert_true(has_task(follower, "t19"));
    bench_close(&bench);
}

static bool at_the_leader(struct cluster_bench *bench)
{
    struct bench_node *leader = bench_leader(bench);
    return leader != NULL && propose_waiting(node_propose(leader->node)) > 0;
}

static void a_leader_that_dies_leaves_the_outcome_unknown(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct bench_node *follower = other(leader, 0);
    struct asked asked;
    assert_int_equal(ask(&asked, follower, "t"), 0);
    assert_true(bench_run_until(&bench, at_the_leader, 100));
    bench_kill(leader);
    bench_run(&bench, 100);
    assert_true(asked.decided);
    assert_int_equal(asked.code, ERR_OUTCOME_UNKNOWN);
    assert_true(bench_run_until(&bench, bench_has_leader, 20000));
    bench_close(&bench);
}

static void an_answer_that_does_not_come_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct bench_node *follower = other(leader, 0);
    struct asked asked;
    sim_network_cut(bench.network, leader->address, follower->address, true);
    assert_int_equal(ask(&asked, follower, "t"), 0);
    bench_run(&bench, LIMIT_WRITE_DEADLINE_MS + 1000);
    assert_true(asked.decided);
    assert_int_equal(asked.code, ERR_OUTCOME_UNKNOWN);
    sim_network_heal(bench.network);
    assert_true(bench_run_until(&bench, bench_is_level, 20000));
    bench_close(&bench);
}

/* --- on the leader -----------------------------------------------------------------
 */

/* The frame that a node sends for a write. */
static struct bytes *frame_of(const struct bench_node *from, uint64_t session,
                              uint64_t number, const char *name)
{
    (void)from;
    struct command command = create(name);
    struct buf buf;
    buf_init(&buf);
    assert_int_equal(command_encode(&buf, &command, COMMAND_LEVEL, NULL), 0);
    struct forward_message message = {
        .kind = FRAME_WRITE,
        .session = session,
        .number = number,
        .command = buf.data,
        .command_len = buf.len,
    };
    struct bytes *frame = forward_encode(&message);
    buf_close(&buf);
    return frame;
}

static void deliver(struct bench_node *to, const struct bench_node *from,
                    uint64_t session, uint64_t number, const char *name)
{
    struct bytes *frame = frame_of(from, session, number, name);
    assert_int_equal(forward_frame(to->node, from->node->identity.node_id, frame->data,
                                   frame->len, NULL),
                     0);
    bytes_unref(frame);
}

static void a_write_that_comes_twice_or_late_is_taken_once(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct bench_node *follower = other(leader, 0);
    uint64_t session = follower->node->session;
    const struct propose *door = node_propose(leader->node);
    deliver(leader, follower, session, 7, "t7");
    assert_int_equal(propose_waiting(door), 1);
    deliver(leader, follower, session, 7, "t7");
    deliver(leader, follower, session, 6, "t6");
    deliver(leader, follower, session + 1, 8, "t8"); /* of another start */
    assert_int_equal(propose_waiting(door), 1);
    deliver(leader, follower, session, 8, "t9");
    assert_int_equal(propose_waiting(door), 2);
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_true(has_task(leader, "t7") && has_task(leader, "t9"));
    assert_false(has_task(leader, "t6") || has_task(leader, "t8"));
    bench_close(&bench);
}

/* It would hand on a write of its own, and hands none on that was handed on to it. */
static void who_does_not_lead_hands_nothing_on_twice(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct bench_node *first = other(leader, 0);
    struct bench_node *second = other(leader, 1);
    deliver(second, first, first->node->session, 1, "t");
    assert_int_equal(propose_waiting(node_propose(second->node)), 0);
    bench_run(&bench, 1000);
    assert_false(has_task(leader, "t"));
    bench_close(&bench);
}

/* --- the lead given away -----------------------------------------------------------
 */

struct given {
    bool over;
    enum err_code code;
};

static void given_away(void *owner, const struct err *result)
{
    struct given *given = owner;
    given->over = true;
    given->code = result->code;
}

#define WRITES 400

/* A write each half millisecond, all to the one that led. */
static void a_lead_given_away_refuses_no_write(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, false);
    static struct asked asked[WRITES];
    struct given given = {false, ERR_NONE};
    for (size_t i = 0; i < WRITES; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        if (i == 50) {
            assert_int_equal(node_transfer(leader->node, other(leader, 1)->name,
                                           given_away, &given, NULL),
                             0);
        }
        assert_int_equal(ask(&asked[i], leader, name), 0);
        sim_time_run_until(bench.time, sim_time_now_us(bench.time) + 500);
    }
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_true(given.over);
    assert_int_equal(given.code, ERR_NONE);
    assert_ptr_equal(bench_leader(&bench), other(leader, 1));
    for (size_t i = 0; i < WRITES; i++) {
        assert_int_equal(asked[i].code, 0);
        assert_int_equal(asked[i].result.code, 0);
    }
    struct asked late;
    bench_run(&bench, 6000);
    assert_int_equal(ask(&late, leader, "late"), ERR_NOT_LEADER);
    bench_close(&bench);
}

static void a_transfer_that_fails_leaves_what_was_held_to_the_old_leader(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, false);
    struct bench_node *to = other(leader, 0);
    struct given given = {false, ERR_NONE};
    struct asked asked;
    sim_disk_pause(to->disk, true); /* it cannot vote for itself */
    assert_int_equal(node_transfer(leader->node, to->name, given_away, &given, NULL),
                     0);
    bench_run(&bench, 10);
    assert_int_equal(ask(&asked, leader, "held"), 0);
    assert_true(bench_run_until(&bench, everything_is_decided, 20000));
    assert_true(given.over);
    assert_int_equal(asked.code, 0);
    assert_int_equal(asked.result.code, 0);
    sim_disk_pause(to->disk, false);
    bench_run(&bench, 1000);
    bench_close(&bench);
}

/* A follower's write waits at a leader that gives the lead away: it is told that it
 * never happened there, and goes to the next. */
static void a_lead_given_away_refuses_no_write_of_a_follower_either(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench, true);
    struct bench_node *follower = other(leader, 0);
    struct bench_node *to = other(leader, 1);
    static struct asked asked[WRITES];
    struct given given = {false, ERR_NONE};
    for (size_t i = 0; i < WRITES; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        if (i == 50) {
            assert_int_equal(
                node_transfer(leader->node, to->name, given_away, &given, NULL), 0);
        }
        assert_int_equal(ask(&asked[i], i % 2 == 0 ? follower : to, name), 0);
        sim_time_run_until(bench.time, sim_time_now_us(bench.time) + 500);
    }
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_true(given.over);
    assert_int_equal(given.code, ERR_NONE);
    assert_ptr_equal(bench_leader(&bench), to);
    for (size_t i = 0; i < WRITES; i++) {
        assert_int_equal(asked[i].code, 0);
        assert_int_equal(asked[i].result.code, 0); /* ERR_EXISTS: it went twice */
    }
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follower_hands_a_write_on),
        cmocka_unit_test(a_follower_that_is_not_to_hand_on_refuses),
        cmocka_unit_test(many_writes_go_and_the_door_is_bounded),
        cmocka_unit_test(what_the_leader_has_no_room_for_is_refused_as_it_says),
        cmocka_unit_test(with_no_leader_for_long_it_never_happened),
        cmocka_unit_test(what_comes_between_two_leaders_waits_for_the_next),
        cmocka_unit_test(a_leader_that_dies_leaves_the_outcome_unknown),
        cmocka_unit_test(an_answer_that_does_not_come_is_waited_for_until_the_deadline),
        cmocka_unit_test(a_write_that_comes_twice_or_late_is_taken_once),
        cmocka_unit_test(who_does_not_lead_hands_nothing_on_twice),
        cmocka_unit_test(a_lead_given_away_refuses_no_write),
        cmocka_unit_test(a_transfer_that_fails_leaves_what_was_held_to_the_old_leader),
        cmocka_unit_test(a_lead_given_away_refuses_no_write_of_a_follower_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
