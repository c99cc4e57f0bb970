/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's loops: whom they live by; runs of silent nodes are lost after their wait
 * and not before, and drains end what has not ended. test_placement.c has the rest. */
#include <stdio.h>
#include <string.h>

#include "unit/control/control_bench.h"

/* --- leadership --------------------------------------------------------------------
 */

static void test_only_a_settled_leader(void **state)
{
    (void)state;
    fake_node_lead(node, false, 2);
    bench_pass(1);
    bench_due("web", 0);
    bench_pass(1000);
    assert_int_equal(node->proposed, 0);
    fake_node_lead(node, true, 3);
    node->settled = false;
    bench_pass(1000);
    assert_int_equal(node->proposed, 0);
    node->settled = true;
    bench_pass(100);
    assert_non_null(bench_live("web"));
}

/* What a leadership had proposed is nobody's business in the next, nor after the end.
 */
static void test_outcomes_after_the_end(void **state)
{
    (void)state;
    node->fate = FAKE_PENDING;
    bench_due("web", 0);
    bench_pass(1);
    fake_node_lead(node, true, 2); /* lost and won again within a turn */
    bench_pass(1);
    assert_int_equal(node->proposed, 2);
    control_free(control);
    control = NULL;
    fake_node_decide(node, FAKE_APPLIED);
    bench_pass(1);
    assert_non_null(bench_live("web"));
}

static void test_level_is_too_low(void **state)
{
    (void)state;
    struct node *low = fake_node_new(clock_);
    struct fsm *known = low->fsm;
    low->fsm = fsm_new(); /* of level 1 */
    control_free(control);
    control = control_new(clock_, low);
    bench_pass(5000);
    assert_int_equal(low->proposed, 0);
    control_free(control);
    control = NULL;
    fsm_free(known);
    fake_node_free(low);
}

/* --- lost runs ---------------------------------------------------------------------
 */

static void test_lost_after_its_wait(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", N2);
    bench_pass(1);
    bench_pass_in_silence(N2, WAIT_MS - 1);
    assert_non_null(bench_live("web"));
    assert_int_equal(node->peers[1].holds, 0);
    node->fate = FAKE_PENDING;
    bench_pass_in_silence(N2, 2 * TICK_MS + 2);
    assert_true(node->peers[1].held); /* as long as it is not decided */
    assert_int_equal(node->proposed, 1);
    bench_pass_in_silence(N2, 1000);
    assert_true(node->peers[1].held);
    assert_int_equal(node->proposed, 1);
    node->fate = FAKE_APPLIED;
    node->peers[1].row.reachable = false;
    fake_node_decide(node, FAKE_APPLIED);
    bench_pass(1);
    const struct run *run = fake_node_run(node, id);
    assert_int_equal(run->outcome, RUN_LOST);
    assert_memory_equal(run->text, "its node n2 has not been heard of for 1", 39);
    assert_false(node->peers[1].held);
    bench_pass(TICK_MS);
    assert_non_null(bench_live("web")); /* its successor, elsewhere */
    assert_int_equal(bench_live("web")->node, N1);
    assert_int_equal(bench_live("web")->cause, RUN_CAUSE_FAILOVER);
}

/* A node that had nothing to do has had no grant for long: that alone loses nothing. */
static void test_idle_node_is_not_silent(void **state)
{
    (void)state;
    node->peers[1].silence_ms = 3600000;
    fake_node_place(node, "web", N2);
    bench_pass(5000);
    assert_non_null(bench_live("web"));
    node->peers[1].silence_ms = 10;
    bench_pass(3600000);
    assert_non_null(bench_live("web"));
    assert_int_equal(node->proposed, 0);
}

/* The wait begins anew with the leadership. */
static void test_new_leader_waits(void **state)
{
    (void)state;
    fake_node_place(node, "web", N2);
    bench_pass_in_silence(N2, WAIT_MS - 1000);
    fake_node_lead(node, false, 2);
    bench_pass_in_silence(N2, 5000);
    node->peers[1].silence_ms = 0;
    fake_node_lead(node, true, 3);
    bench_pass_in_silence(N2, WAIT_MS - 1);
    assert_non_null(bench_live("web"));
    bench_pass_in_silence(N2, TICK_MS + 3);
    assert_int_equal(node->peers[1].holds, 1);
}

/* Longer leases and graces, as the run records them. */
static void test_waits_as_recorded(void **state)
{
    (void)state;
    struct command place = {
        .type = COMMAND_RUN_START,
        .run_start = {.task = text_of("web"),
                      .node = N2,
                      .cause = RUN_CAUSE_CLIENT,
                      .purpose = RUN_APPLY,
                      .lease_ms = 10001,
                      .grace_ms = 30000,
                      .tries = 1},
    };
    assert_int_equal(fake_node_apply(node, &place).code, 0);
    bench_pass(1);
    bench_pass_in_silence(N2, 40001 + 401 + 1000 - 1); /* the hundredth is rounded up */
    assert_int_equal(node->peers[1].holds, 0);
    bench_pass_in_silence(N2, 2 * TICK_MS + 2);
    assert_int_equal(node->peers[1].holds, 1);
}

/* Door 1 took nothing: no hold stays behind. */
static void test_lost_is_refused(void **state)
{
    (void)state;
    fake_node_place(node, "web", N2);
    node->fate = FAKE_REFUSED;
    bench_pass_in_silence(N2, WAIT_MS + 2 * TICK_MS);
    assert_true(node->peers[1].holds > 0);
    assert_false(node->peers[1].held);
    assert_non_null(bench_live("web"));
    node->fate = FAKE_NEVER;
    bench_pass_in_silence(N2, TICK_MS);
    node->fate = FAKE_APPLIED;
    bench_pass_in_silence(N2, 2 * TICK_MS);
    assert_false(node->peers[1].held);
    assert_int_equal(bench_live("web")->cause, RUN_CAUSE_FAILOVER);
}

/* It may still be committed: the node stays held until another leadership. */
static void test_lost_is_unknown(void **state)
{
    (void)state;
    fake_node_place(node, "web", N2);
    node->fate = FAKE_UNKNOWN;
    bench_pass_in_silence(N2, WAIT_MS + 1000);
    assert_true(node->peers[1].held);
    assert_int_equal(node->peers[1].holds, 1);
}

/* Several runs of it: it is held until the last one is decided; others are not. */
static void test_all_runs_of_a_node(void **state)
{
    (void)state;
    fake_node_task(node, "a", TASK);
    fake_node_task(node, "b", TASK);
    uint64_t first = fake_node_place(node, "a", N2);
    uint64_t second = fake_node_place(node, "web", N2);
    uint64_t other = fake_node_place(node, "b", N3);
    bench_pass_in_silence(N2, WAIT_MS + 2 * TICK_MS + 2);
    assert_int_equal(fake_node_run(node, first)->outcome, RUN_LOST);
    assert_int_equal(fake_node_run(node, second)->outcome, RUN_LOST);
    assert_int_equal(fake_node_run(node, other)->state, RUN_PENDING);
    assert_int_equal(node->peers[1].holds, 1);
    assert_false(node->peers[1].held);
}

static void test_removed_member(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", N3);
    struct command remove = {.type = COMMAND_MEMBER_DELETE, .member_delete = {N3}};
    assert_int_equal(fake_node_apply(node, &remove).code, 0);
    node->peers[2].member = false;
    bench_pass(1);
    bench_pass_in_silence(N3, WAIT_MS - 1);
    assert_int_equal(bench_live("web")->id, id);
    bench_pass_in_silence(N3, 2 * TICK_MS + 2);
    assert_string_equal(fake_node_run(node, id)->text,
                        "its node is no member of the cluster any more");
}

/* --- drains ------------------------------------------------------------------------
 */

static void set_drain_deadline(uint64_t deadline_ms)
{
    struct command set = {
        .type = COMMAND_SETTING_SET,
        .setting_set = {text_of("drain_deadline_ms"), deadline_ms},
    };
    assert_int_equal(fake_node_apply(node, &set).code, 0);
}

static void test_drain_deadline(void **state)
{
    (void)state;
    set_drain_deadline(20000);
    uint64_t id = fake_node_place(node, "web", N2);
    fake_node_task(node, "other", TASK);
    uint64_t other = fake_node_place(node, "other", N3);
    bench_pass(60000);
    bench_drain(N2, true);
    bench_pass(19700);
    assert_int_equal(fake_node_run(node, id)->state, RUN_PENDING);
    bench_pass(600);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
    assert_int_equal(fake_node_run(node, id)->stop, RUN_STOP_DRAIN);
    assert_int_equal(fake_node_run(node, other)->state, RUN_PENDING);
    unsigned before = node->proposed;
    bench_pass(60000);
    assert_int_equal(node->proposed, before);
    struct command over = {
        .type = COMMAND_RUN_END,
        .run_end = {.run = id,
                    .node = N2,
                    .outcome = RUN_CANCELLED,
                    .text = text_of("")},
    };
    fake_node_apply(node, &over);
    bench_pass(2 * TICK_MS + 2);
    assert_int_equal(bench_live("web")->node, N1); /* moved */
}

/* However often another one leads meanwhile. */
static void test_drain_deadline_over_leaders(void **state)
{
    (void)state;
    set_drain_deadline(20000);
    uint64_t id = fake_node_place(node, "web", N2);
    bench_drain(N2, true);
    for (uint64_t term = 2; term < 40; term += 2) {
        bench_pass(900);
        fake_node_lead(node, false, term);
        bench_pass(100);
        fake_node_lead(node, true, term + 1);
    }
    assert_int_equal(fake_node_run(node, id)->state, RUN_PENDING);
    bench_pass(1500);
    assert_int_equal(fake_node_run(node, id)->stop, RUN_STOP_DRAIN);
}

/* A drain that was taken back counts from nothing the next time. */
static void test_drain_taken_back(void **state)
{
    (void)state;
    set_drain_deadline(20000);
    uint64_t id = fake_node_place(node, "web", N2);
    bench_drain(N2, true);
    bench_pass(15000);
    bench_drain(N2, false);
    bench_pass(1000);
    bench_drain(N2, true);
    bench_pass(15000);
    assert_int_equal(fake_node_run(node, id)->state, RUN_PENDING);
    bench_pass(6000);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)
    const struct CMUnitTest tests[] = {
        TEST(test_only_a_settled_leader),
        TEST(test_outcomes_after_the_end),
        TEST(test_level_is_too_low),
        TEST(test_lost_after_its_wait),
        TEST(test_idle_node_is_not_silent),
        TEST(test_new_leader_waits),
        TEST(test_waits_as_recorded),
        TEST(test_lost_is_refused),
        TEST(test_lost_is_unknown),
        TEST(test_all_runs_of_a_node),
        TEST(test_removed_member),
        TEST(test_drain_deadline),
        TEST(test_drain_deadline_over_leaders),
        TEST(test_drain_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
