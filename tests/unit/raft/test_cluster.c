/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios of three nodes: what went wrong once, or was feared to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "unit/raft/cluster_bench.h"

static struct bench_node *bench_lead(struct cluster_bench *bench)
{
    bench_open(bench);
    bench_start_all(bench);
    assert_true(bench_run_until(bench, bench_has_leader, 20000));
    bench_run(bench, 1000); /* the rows of the members */
    return bench_leader(bench);
}

static struct bench_node *bench_other(struct bench_node *node)
{
    struct cluster_bench *bench = node->bench;
    return &bench->nodes[node == &bench->nodes[0] ? 1 : 0];
}

static uint64_t term_of(const struct bench_node *node)
{
    return engine_term(node_engine(node->node));
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

/* --- elections
 * --------------------------------------------------------------------- */

/* Each try undid the vote that was on its way to a disk: twelve terms without a leader.
 */
static void an_election_is_not_undone_by_the_next_try_while_a_slow_disk_votes(
    void **state)
{
    (void)state;
    for (uint64_t us = 500; us <= 64000; us *= 2) {
        struct cluster_bench bench;
        struct bench_node *leader = bench_lead(&bench);
        for (size_t i = 0; i < BENCH_NODES; i++) {
            sim_disk_latency(bench.nodes[i].disk, us, us + us / 4);
        }
        bench_run(&bench, 3000);
        uint64_t term = term_of(leader);
        bench_kill(leader);
        assert_true(bench_run_until(&bench, bench_has_leader, 60000));
        assert_in_range(term_of(bench_leader(&bench)), term + 1, term + 5);
        bench_close(&bench);
    }
}

/* --- who lacks much
 * ----------------------------------------------------------------- */

/* Of what a dead peer lacks all was copied with each beat, to be thrown away. */
static void what_a_dead_peer_lacks_is_not_copied_with_each_beat(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    bench_kill(bench_other(leader));
    for (int i = 0; i < 40; i++) {
        assert_int_equal(bench_write(leader, LIMIT_BODY_BYTES), 0);
        bench_run(&bench, 50);
    }
    bench_run(&bench, 1000);
    uint64_t before = bench_offered();
    bench_run(&bench, 10 * BENCH_HEARTBEAT_MS);
    assert_in_range(bench_offered() - before, 1, 12 * 2 * LIMIT_BODY_BYTES);
    assert_ptr_equal(bench_leader(&bench), leader);
    bench_close(&bench);
}

/* More than a link may hold: the rest is dropped, and asked for again. */
static void who_lacks_more_than_a_link_holds_catches_up(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    struct bench_node *away = bench_other(leader);
    bench_kill(away);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(bench_write(leader, 1000000), 0);
        bench_run(&bench, 20);
    }
    assert_true(bench_run_until(&bench, everything_is_decided, 10000));
    uint64_t before = bench.wire_bytes;
    bench_start(away);
    assert_true(bench_run_until(&bench, bench_is_level, 10000));
    assert_in_range(bench.wire_bytes - before, 100u * 1000000, 300u * 1000000);
    assert_in_range(bench.wire_largest, 1000000, LIMIT_FRAME_BYTES / 2);
    assert_int_equal(bench.decided[0], 100);
    bench_close(&bench);
}

static void who_lacks_many_entries_catches_up_fast(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    struct bench_node *away = bench_other(leader);
    bench_kill(away);
    while (engine_last(node_engine(leader->node)) < 20000) {
        assert_int_equal(bench_write(leader, 10), 0);
        bench_run(&bench, 1);
    }
    bench_start(away);
    assert_true(bench_run_until(&bench, bench_is_level, 2000));
    bench_close(&bench);
}

/* --- the door
 * ----------------------------------------------------------------------- */

/* They waited for their places in the log to be taken again: with nothing written, for
 * ever; and full of them, the door let nothing in that would be written. */
static void writes_of_a_lost_leadership_are_decided_by_the_next_leader(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (&bench.nodes[i] != leader) {
            sim_network_cut(bench.network, leader->address, bench.nodes[i].address,
                            true);
            sim_network_cut(bench.network, bench.nodes[i].address, leader->address,
                            true);
        }
    }
    size_t sent = 0;
    for (; sent < 6; sent++) { /* six entries that nobody else gets */
        assert_int_equal(bench_write(leader, 10), 0);
        bench_run(&bench, 5);
    }
    bench_run(&bench, 5 * BENCH_ELECTION_MS);
    assert_int_equal(propose_waiting(node_propose(leader->node)), sent);
    sim_network_heal(bench.network);
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_int_equal(bench.decided[1], sent);
    bench_close(&bench);
}

static void a_full_door_opens_again(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    size_t taken = 0;
    while (bench_write(leader, 10) == 0) {
        taken++;
    }
    assert_int_equal(taken, LIMIT_PROPOSALS);
    assert_int_equal(bench_write(leader, 10), ERR_BUSY);
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_int_equal(bench.decided[0], taken);
    assert_int_equal(bench_write(leader, 10), 0);
    bench_close(&bench);
}

/* --- disks that hang
 * ---------------------------------------------------------------- */

static void a_leader_whose_disk_hangs_goes_on_with_those_of_the_others(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    sim_disk_pause(leader->disk, true);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(bench_write(leader, 1000), 0);
        bench_run(&bench, 50);
    }
    assert_ptr_equal(bench_leader(&bench), leader);
    assert_true(bench.decided[0] > 190);
    sim_disk_pause(leader->disk, false);
    assert_true(bench_run_until(&bench, everything_is_decided, 5000));
    assert_int_equal(bench.decided[0], 200);
    assert_true(bench_run_until(&bench, bench_is_level, 5000));
    bench_close(&bench);
}

/* Neither a vote nor an acknowledgement leaves it; the others do not need it. */
static void a_follower_whose_disk_hangs_is_not_missed(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    struct bench_node *hung = bench_other(leader);
    sim_disk_pause(hung->disk, true);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(bench_write(leader, 500000), 0);
        bench_run(&bench, 100);
    }
    assert_int_equal(bench.decided[0], 100);
    assert_ptr_equal(bench_leader(&bench), leader);
    sim_disk_pause(hung->disk, false);
    assert_true(bench_run_until(&bench, bench_is_level, 10000));
    assert_int_equal(term_of(hung), term_of(leader));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            an_election_is_not_undone_by_the_next_try_while_a_slow_disk_votes),
        cmocka_unit_test(what_a_dead_peer_lacks_is_not_copied_with_each_beat),
        cmocka_unit_test(who_lacks_more_than_a_link_holds_catches_up),
        cmocka_unit_test(who_lacks_many_entries_catches_up_fast),
        cmocka_unit_test(writes_of_a_lost_leadership_are_decided_by_the_next_leader),
        cmocka_unit_test(a_full_door_opens_again),
        cmocka_unit_test(a_leader_whose_disk_hangs_goes_on_with_those_of_the_others),
        cmocka_unit_test(a_follower_whose_disk_hangs_is_not_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
