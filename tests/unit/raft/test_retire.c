/* SPDX-License-Identifier: Apache-2.0 */
/* A node before its stop: it goes on serving until balancers have noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "raft/node.h"
#include "unit/raft/cluster_bench.h"

#define NOTICE_MS 1500
#define A_MOMENT  100 /* an election that is asked for; far less than a notice */

static bool done; /* of the one that retires */

static void retired(void *owner)
{
    (void)owner;
    assert_false(done);
    done = true;
}

static void told(void *owner, const struct err *result)
{
    (void)owner;
    assert_int_equal(result->code, ERR_NONE);
}

static bool is_done(struct cluster_bench *bench)
{
    (void)bench;
    return done;
}

static struct bench_node *lead(struct cluster_bench *bench)
{
    done = false;
    bench_open(bench);
    bench->notice_ms = NOTICE_MS;
    bench_start_all(bench);
    assert_true(bench_run_until(bench, bench_has_leader, 20000));
    bench_run(bench, 1000);
    return bench_leader(bench);
}

static struct bench_node *follower(struct bench_node *leader)
{
    struct bench_node *first = leader->bench->nodes;
    return leader == first ? first + 1 : first;
}

static bool takes_writes(const struct bench_node *node)
{
    struct node_status status;
    node_status(node->node, &status);
    return status.takes_writes;
}

/* How long it takes until it is done. */
static uint64_t wait_for_done(struct cluster_bench *bench)
{
    uint64_t begun = bench_now_ms(bench);
    assert_true(bench_run_until(bench, is_done, 60000));
    return bench_now_ms(bench) - begun;
}

static void a_follower_serves_for_one_notice(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench);
    struct bench_node *leaves = follower(leader);
    node_retire(leaves->node, true, retired, NULL);
    assert_false(done);
    assert_false(takes_writes(leaves));
    assert_in_range(wait_for_done(&bench), NOTICE_MS, NOTICE_MS + A_MOMENT);
    assert_ptr_equal(bench_leader(&bench), leader);
    bench_close(&bench);
}

/* Two take writes within the first notice, the new leader alone is seen to within the
 * second; the old one hands on all the while. */
static void a_leader_serves_for_two_and_refuses_no_write(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leaves = lead(&bench);
    size_t asked = 0;
    size_t seen = 0; /* answers that it takes writes */
    node_retire(leaves->node, true, retired, NULL);
    uint64_t begun = bench_now_ms(&bench);
    while (!done) {
        uint64_t since = bench_now_ms(&bench) - begun;
        bool takes = takes_writes(leaves);
        assert_true(since > A_MOMENT && since < NOTICE_MS ? takes : true);
        assert_true(since > NOTICE_MS + A_MOMENT ? !takes : true);
        seen += takes;
        assert_int_equal(bench_write(leaves, 10), 0);
        asked++;
        bench_run(&bench, 10);
        assert_true(since < A_MOMENT || bench_leader(&bench) != leaves);
    }
    assert_in_range(bench_now_ms(&bench) - begun, 2 * NOTICE_MS,
                    2 * NOTICE_MS + A_MOMENT);
    assert_true(seen > 0);
    bench_run(&bench, A_MOMENT);
    assert_int_equal(bench.decided[0], asked);
    assert_int_equal(bench.decided[1] + bench.decided[2], 0);
    bench_close(&bench);
}

static void without_a_wait_it_is_done_when_another_one_leads(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leaves = lead(&bench);
    node_retire(leaves->node, false, retired, NULL);
    assert_in_range(wait_for_done(&bench), 0, A_MOMENT);
    bench_run(&bench, A_MOMENT);
    assert_non_null(bench_leader(&bench));
    assert_ptr_not_equal(bench_leader(&bench), leaves);

    done = false;
    node_retire(leaves->node, false, retired, NULL); /* as a follower */
    assert_false(done);
    assert_in_range(wait_for_done(&bench), 0, 1);
    bench_close(&bench);
}

static void a_wait_can_be_ended(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leaves = follower(lead(&bench));
    node_retire(leaves->node, true, retired, NULL);
    bench_run(&bench, NOTICE_MS / 2);
    assert_false(done);
    node_retire_now(leaves->node);
    assert_false(done); /* not from inside */
    assert_in_range(wait_for_done(&bench), 0, 1);
    node_retire_now(leaves->node); /* too late: nothing happens */
    bench_run(&bench, NOTICE_MS);
    bench_close(&bench);
}

static void a_lead_that_nobody_can_take_does_not_hold_it_up(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leaves = lead(&bench);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (&bench.nodes[i] != leaves) {
            bench_kill(&bench.nodes[i]);
        }
    }
    node_retire(leaves->node, true, retired, NULL);
    assert_in_range(wait_for_done(&bench), 0, 2 * NOTICE_MS + 6 * BENCH_ELECTION_MS);
    bench_close(&bench);
}

/* Whoever had it gave it back, or ended: the node does not keep it. */
static void a_lead_that_comes_back_is_given_away_again(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leaves = lead(&bench);
    node_retire(leaves->node, true, retired, NULL);
    bench_run(&bench, NOTICE_MS / 2);
    struct bench_node *leader = bench_leader(&bench);
    assert_non_null(leader);
    assert_ptr_not_equal(leader, leaves);
    assert_int_equal(node_transfer(leader->node, leaves->name, told, NULL, NULL), 0);
    wait_for_done(&bench);
    assert_non_null(bench_leader(&bench));
    assert_ptr_not_equal(bench_leader(&bench), leaves);
    bench_close(&bench);
}

static void a_node_that_is_stopped_meanwhile_calls_nobody(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leaves = lead(&bench);
    node_retire(leaves->node, true, retired, NULL);
    bench_close(&bench);
    assert_false(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follower_serves_for_one_notice),
        cmocka_unit_test(a_leader_serves_for_two_and_refuses_no_write),
        cmocka_unit_test(without_a_wait_it_is_done_when_another_one_leads),
        cmocka_unit_test(a_wait_can_be_ended),
        cmocka_unit_test(a_lead_that_nobody_can_take_does_not_hold_it_up),
        cmocka_unit_test(a_lead_that_comes_back_is_given_away_again),
        cmocka_unit_test(a_node_that_is_stopped_meanwhile_calls_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
