/* SPDX-License-Identifier: Apache-2.0 */
/* How a run's beginning and end come into the registry, and what becomes of what a
 * restart of the node finds. */
#include <stdio.h>
#include <string.h>

#include "unit/run/runner_bench.h"

/* --- reports -----------------------------------------------------------------------
 */

static void end_with(enum fake_fate fate, uint64_t for_ms)
{
    uint64_t id = bench_started();
    node->fate = fate;
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    bench_pass(for_ms);
    if (fate != FAKE_UNKNOWN_APPLIED) {
        assert_int_equal(fake_node_run(node, id)->state, RUN_RUNNING);
        assert_false(fake_driver_run(&fake, id)->forgotten);
    }
    node->fate = FAKE_APPLIED;
    bench_pass(2100);
    bench_assert_ended(id, RUN_SUCCESS, "");
    assert_true(fake_driver_run(&fake, id)->forgotten);
    assert_int_equal(bench_events_of(EVENT_RUN_ENDED), 1);
}

static void test_report_refused(void **state)
{
    (void)state;
    end_with(FAKE_REFUSED, 3000);
    assert_in_range(node->proposed, 4, 12); /* it waits longer each time */
}

static void test_report_never_happened(void **state)
{
    (void)state;
    end_with(FAKE_NEVER, 3000);
}

static void test_report_unknown(void **state)
{
    (void)state;
    end_with(FAKE_UNKNOWN, 3000);
}

static void test_report_unknown_applied(void **state)
{
    (void)state;
    end_with(FAKE_UNKNOWN_APPLIED, 3000);
}

/* A new leader is told at once, however long the pause was to be. */
static void test_report_to_new_leader(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    node->fate = FAKE_REFUSED;
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    bench_pass(5000);
    node->fate = FAKE_APPLIED;
    fake_node_lead(node, false, 2);
    bench_pass(2);
    bench_assert_ended(id, RUN_SUCCESS, "");
}

/* One report a run is under way, and one that is decided after the runner is gone hurts
 * nobody. */
static void test_report_outlives_runner(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    node->fate = FAKE_PENDING;
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    unsigned before = node->proposed;
    bench_pass(10000);
    assert_int_equal(node->proposed, before + 1);
    bench_end_node();
    fake_node_decide(node, FAKE_APPLIED);
    bench_pass(1);
    bench_assert_ended(id, RUN_SUCCESS, "");
    node->fate = FAKE_APPLIED;
    bench_begin_node(); /* found ended, and nothing is to be said of it */
    bench_pass(100);
    assert_int_equal(runner_count(runner), 0);
    assert_true(fake_driver_run(&fake, id)->forgotten);
    assert_int_equal(bench_events_of(EVENT_RUN_ENDED), 1);
}

/* The beginning is said once, though a stopping run shows it in its time alone. */
static void test_started_of_stopping(void **state)
{
    (void)state;
    fake.begin = false;
    uint64_t id = bench_started();
    bench_stop_run(id);
    bench_pass(1);
    fake_driver_begin(&fake, id);
    unsigned before = node->proposed;
    bench_pass(1000);
    assert_int_equal(node->proposed, before + 1);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
    assert_true(fake_node_run(node, id)->started_ms > 0);
}

/* --- restarts of the node ----------------------------------------------------------
 */

static void test_adopted(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    bench_end_node();
    assert_false(node->wants);
    assert_int_equal(fake_driver_run(&fake, id)->phase, DRIVER_ALIVE);
    bench_begin_node();
    bench_pass(1);
    assert_true(node->wants);
    bench_renew();
    assert_int_equal(fake_driver_run(&fake, id)->deadline_ms, node->lease.until_ms);
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    bench_pass(2);
    bench_assert_ended(id, RUN_SUCCESS, "");
    assert_int_equal(bench_events_of(EVENT_RUN_STARTED), 1);
}

static void test_claimed_is_lost(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    bench_end_node();
    fake_driver_run(&fake, id)->phase = DRIVER_CLAIMED;
    bench_begin_node();
    bench_renew();
    bench_pass(100);
    bench_assert_ended(
        id, RUN_LOST,
        "it was claimed, and when its node came back nothing of it was left");
    assert_int_equal(fake.count, 1);
}

/* Claimed, and the node ended before anything else. */
static void test_claimed_pending_is_lost(void **state)
{
    (void)state;
    bench_end_node();
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_driver_put(&fake, id, DRIVER_CLAIMED);
    bench_begin_node();
    bench_renew();
    bench_pass(100);
    assert_int_equal(fake_node_run(node, id)->outcome, RUN_LOST);
}

static void test_ended_while_away(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    bench_end_node();
    fake_driver_end(&fake, id, DRIVER_TIMED_OUT, 0, "too slow");
    bench_pass(60000);
    bench_begin_node();
    bench_pass(100);
    bench_assert_ended(id, RUN_TIMED_OUT, "too slow");
}

/* A folder without a trace of a run that had begun: whatever happened, it is not begun
 * again. */
static void test_no_trace(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    bench_end_node();
    fake.count = 0;
    bench_begin_node();
    bench_renew();
    bench_assert_ended(id, RUN_LOST, "its node has no trace of it any more");
}

/* Nothing starts before the driver has told of all there was. */
static void test_not_ready(void **state)
{
    (void)state;
    bench_end_node();
    fake.hold = true;
    bench_begin_node();
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    bench_renew();
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id));
    fake_driver_release(&fake);
    bench_pass(2);
    assert_non_null(fake_driver_run(&fake, id));
}

/* A node that is about to stop begins nothing, and keeps alive what is. */
static void test_retired(void **state)
{
    (void)state;
    uint64_t old = bench_started();
    runner_retire(runner);
    fake_node_task(node, "new", TASK);
    uint64_t id = fake_node_place(node, "new", FAKE_SELF);
    bench_renew();
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_int_equal(fake_driver_run(&fake, old)->deadline_ms, node->lease.until_ms);
    bench_end_node();
    bench_begin_node();
    bench_renew();
    assert_non_null(fake_driver_run(&fake, id));
}

/* The log is not read up to the run yet: it is not killed, not fed, and adopted when
 * the registry shows it. */
static void test_not_applied_yet(void **state)
{
    (void)state;
    bench_end_node();
    uint64_t id = registry_sequence(node_registry(node)) + 2;
    struct fake_run *run = fake_driver_put(&fake, id, DRIVER_ALIVE);
    run->deadline_ms = clock_boot_ms(clock_) + LEASE_MS;
    bench_begin_node();
    bench_renew();
    bench_pass(100);
    assert_false(run->killed);
    assert_int_equal(run->fed, 0);
    fake_node_task(node, "other", TASK); /* the number before it */
    bench_pass(1);
    assert_false(run->killed);
    assert_int_equal(fake_node_place(node, "web", FAKE_SELF), id);
    bench_pass(1);
    bench_renew();
    assert_int_equal(run->fed, 1);
    assert_false(run->killed);
}

/* What the registry went past without it is of another cluster, or ended long ago. */
static void test_unknown_is_killed(void **state)
{
    (void)state;
    bench_end_node();
    struct fake_run *alive = fake_driver_put(&fake, 1, DRIVER_ALIVE);
    struct fake_run *ended = fake_driver_put(&fake, 2, DRIVER_ENDED);
    struct fake_run *claimed = fake_driver_put(&fake, 3, DRIVER_CLAIMED);
    bench_begin_node();
    bench_pass(3);
    assert_true(alive->killed && alive->forgotten);
    assert_true(ended->forgotten && !ended->killed);
    assert_true(claimed->forgotten && !claimed->killed);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(node->proposed, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)
    const struct CMUnitTest tests[] = {
        TEST(test_report_refused),
        TEST(test_report_never_happened),
        TEST(test_report_unknown),
        TEST(test_report_unknown_applied),
        TEST(test_report_to_new_leader),
        TEST(test_report_outlives_runner),
        TEST(test_started_of_stopping),
        TEST(test_adopted),
        TEST(test_claimed_is_lost),
        TEST(test_claimed_pending_is_lost),
        TEST(test_ended_while_away),
        TEST(test_no_trace),
        TEST(test_not_ready),
        TEST(test_retired),
        TEST(test_not_applied_yet),
        TEST(test_unknown_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
