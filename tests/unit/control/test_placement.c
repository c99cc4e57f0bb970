/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's loops: what is due is placed, on whom it can be, and forgotten by
 * nobody. */
#include <stdio.h>
#include <string.h>

#include "control/place.h"
#include "unit/control/control_bench.h"

static void test_due_is_placed(void **state)
{
    (void)state;
    bench_due("web", 0);
    bench_pass(2);
    const struct run *run = bench_live("web");
    assert_non_null(run);
    assert_int_equal(run->node, N1);
    assert_int_equal(run->cause, RUN_CAUSE_CHANGE);
    assert_int_equal(run->purpose, RUN_APPLY);
    assert_int_equal(run->lease_ms, 4000);
    assert_int_equal(run->grace_ms, 5000);
    assert_int_equal(run->tries, 3);
    assert_int_equal(registry_due_count(node_registry(node)), 0);
}

static void test_not_before_its_time(void **state)
{
    (void)state;
    bench_due("web", 5000);
    bench_pass(4800);
    assert_null(bench_live("web"));
    bench_pass(2 * TICK_MS + 1);
    assert_non_null(bench_live("web"));
}

/* All that is due starts at once, spread over the nodes. */
static void test_many_are_spread(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < 6; i++) {
        fake_node_task(node, names[i], TASK);
        bench_due(names[i], 0);
    }
    bench_pass(2);
    unsigned runs[FAKE_NODES] = {0};
    for (size_t i = 0; i < 6; i++) {
        assert_non_null(bench_live(names[i]));
        runs[bench_live(names[i])->node - FAKE_SELF]++;
    }
    for (size_t i = 0; i < FAKE_NODES; i++) {
        assert_int_equal(runs[i], 2);
    }
}

/* A change that is to settle for `min_ms`, and not longer than `max_ms` (spec/cts.md
 * 5.1). */
static void make_change(const char *name, uint64_t min_ms, uint64_t max_ms)
{
    uint64_t now_ms = clock_now_ms(clock_);
    struct command due = {
        .type = COMMAND_TASK_DUE,
        .task_due = {.task = text_of(name),
                     .cause = RUN_CAUSE_CHANGE,
                     .at_clock_ms = now_ms + min_ms,
                     .until_clock_ms = now_ms + max_ms},
    };
    assert_int_equal(fake_node_apply(node, &due).code, 0);
}

static void test_buffer_is_put_off_up_to_its_end(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) { /* at 0, 4, 8 and 12 s, each for 5 s, to 15 s */
        make_change("web", 5000, 15000);
        bench_pass(4000);
        assert_int_equal(bench_live("web") == NULL,
                         i < 3 || clock_now_ms(clock_) < 15001);
    }
    bench_pass(TICK_MS + 2);
    assert_non_null(bench_live("web"));
    assert_int_equal(registry_due_count(node_registry(node)), 0);
}

/* The period is on the replicated clock: another leader ends it at the same moment. */
static void test_buffer_over_leaders(void **state)
{
    (void)state;
    make_change("web", 5000, 20000);
    bench_pass(2000);
    fake_node_lead(node, false, 2);
    bench_pass(100);
    fake_node_lead(node, true, 3);
    bench_pass(2700);
    assert_null(bench_live("web"));
    bench_pass(200 + TICK_MS);
    assert_int_equal(bench_live("web")->cause, RUN_CAUSE_CHANGE);
}

/* Changes during a run: its follow-up waits for the end of the period, and for the end
 * of the run. */
static void test_buffer_during_a_run(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    make_change("web", 5000, 20000);
    make_change("web", 5000, 20000);
    bench_pass(1000);
    bench_end_run(bench_live("web"));
    bench_pass(3000);
    assert_null(bench_live("web")); /* the period is not over */
    bench_pass(1000 + TICK_MS);
    uint64_t second = bench_live("web")->id;
    assert_true(second > first);
    make_change("web", 5000, 20000);
    bench_pass(60000);
    assert_int_equal(bench_live("web")->id, second); /* it is, and the run goes on */
    bench_end_run(bench_live("web"));
    bench_pass(2);
    assert_true(bench_live("web")->id > second);
    bench_end_run(bench_live("web"));
    bench_pass(60000);
    assert_null(bench_live("web"));
}

/* What was disabled or deleted meanwhile does not run, nor what has its name later. */
static void test_buffer_of_what_is_disabled_or_deleted(void **state)
{
    (void)state;
    make_change("web", 5000, 20000);
    struct command enable = {.type = COMMAND_TASK_ENABLE,
                             .task_enable = {text_of("web"), false}};
    assert_int_equal(fake_node_apply(node, &enable).code, 0);
    bench_pass(10000);
    enable.task_enable.enabled = true;
    assert_int_equal(fake_node_apply(node, &enable).code, 0);
    bench_pass(60000);
    assert_null(bench_live("web"));
    make_change("web", 5000, 20000);
    struct command delete = {.type = COMMAND_TASK_DELETE,
                             .task_delete = {text_of("web")}};
    assert_int_equal(fake_node_apply(node, &delete).code, 0);
    fake_node_task(node, "web", TASK);
    bench_pass(60000);
    assert_null(bench_live("web"));
    assert_int_equal(node->proposed, 0);
}

/* One follow-up, when what runs has ended. */
static void test_follow_up_waits(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    bench_due("web", 0);
    bench_due("web", 0);
    bench_pass(1000);
    assert_int_equal(bench_live("web")->id, first);
    bench_end_run(bench_live("web"));
    bench_pass(2);
    assert_non_null(bench_live("web"));
    assert_true(bench_live("web")->id > first);
    bench_end_run(bench_live("web"));
    bench_pass(1000);
    assert_null(bench_live("web"));
}

static void test_nobody_can(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAKE_NODES; i++) {
        node->peers[i].row.reachable = false;
    }
    bench_due("web", 0);
    bench_pass(1000);
    assert_null(bench_live("web"));
    node->peers[2].row.reachable = true;
    bench_pass(2 * TICK_MS + 2);
    assert_int_equal(bench_live("web")->node, N3);
}

static void test_not_on_who_drains(void **state)
{
    (void)state;
    bench_drain(N1, true);
    bench_due("web", 0);
    bench_pass(2);
    assert_int_equal(bench_live("web")->node, N2);
}

/* Neither its failovers nor its queue lose what is due for want of a driver. */
static void test_not_on_who_carries_none_out(void **state)
{
    (void)state;
    for (uint64_t id = N1; id <= N3; id++) {
        bench_drivers(id, 0);
    }
    bench_due("web", 0);
    bench_pass(1000);
    assert_null(bench_live("web"));
    struct err err;
    struct place_now now = {.node = node};
    uint64_t chosen = 0;
    assert_int_equal(control_place_now(&now, &chosen, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.text, "n3 carries out no runs (runs.enabled, or it"));
    fake_node_lead(node, false, 2);
    bench_pass(1);
    fake_node_lead(node, true, 3);
    bench_pass(1000);
    bench_drivers(N2, MEMBER_DRIVER_EXEC);
    bench_pass(TICK_MS + 2);
    assert_int_equal(bench_live("web")->node, N2);
}

/* However many tasks are due that cannot start, one that can is not kept waiting. */
static void test_many_that_cannot_start(void **state)
{
    (void)state;
    enum { TASKS = 5000 };
    char name[16];
    for (int i = 0; i < TASKS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        fake_node_task(node, name, TASK);
        fake_node_place(node, name, N3);
        bench_due(name, 0);
    }
    bench_pass(1);
    bench_due("web", 0);
    bench_pass(10);
    assert_non_null(bench_live("web"));
    assert_int_equal(node->proposed, 1);
}

/* The run of one that the walk has passed ends before the walk does. */
static void test_passed_before_its_run_ended(void **state)
{
    (void)state;
    enum { TASKS = 5000 };
    char name[16];
    uint64_t first = fake_node_place(node, "web", N2);
    bench_due("web", 0);
    for (int i = 0; i < TASKS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        fake_node_task(node, name, TASK);
        fake_node_place(node, name, N3);
        bench_due(name, 0);
    }
    bench_pass(1000);
    fake_node_task(node, "other", TASK); /* an event: a walk begins */
    sim_time_run_until(time_, sim_time_now_us(time_) + 500);
    bench_end_run(fake_node_run(node, first));
    bench_pass(10);
    assert_non_null(bench_live("web"));
    assert_int_equal(node->proposed, 1);
}

/* Likewise while the walk stands at one that nobody can carry out, and that one goes.
 */
static void test_passed_while_nobody_could(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    fake_node_task(node, "other", TASK);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        node->peers[i].row.reachable = false;
    }
    bench_due("web", 0);
    bench_due("other", 0);
    bench_pass(1000);
    bench_end_run(fake_node_run(node, first));
    bench_pass(1000);
    struct command enable = {.type = COMMAND_TASK_ENABLE,
                             .task_enable = {text_of("other"), false}};
    assert_int_equal(fake_node_apply(node, &enable).code, 0);
    bench_pass(1000);
    node->peers[2].row.reachable = true;
    bench_pass(2 * TICK_MS + 2);
    assert_int_equal(bench_live("web")->node, N3);
}

/* Without work there are no looks: a mark's time and events are what wakes it. */
static void test_not_before_an_event(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    bench_due("web", 0);
    bench_pass(3600000);
    assert_int_equal(bench_live("web")->id, first);
    bench_end_run(bench_live("web"));
    bench_pass(2);
    assert_true(bench_live("web")->id > first);
}

/* Runs of the cluster that this state comes from may still be ending: what is due waits
 * as for a node that is silent, whoever leads meanwhile. */
static void test_after_a_recovery(void **state)
{
    (void)state;
    uint64_t old = fake_node_place(node, "web", N2);
    fake_node_task(node, "other", TASK);
    bench_due("other", 0);
    struct change change = {.request_id = "", .actor = ""};
    struct err err;
    bench_pass(1);
    bench_end_run(bench_live("other"));
    bench_pass(5000);
    fake_node_lead(node, false, 2);
    bench_pass(1);
    uint64_t clock_ms = registry_clock_ms(node_registry(node));
    assert_int_equal(fsm_recover(node->fsm, &change, &err), 0);
    assert_int_equal(registry_runs_from_ms(node_registry(node)), clock_ms + WAIT_MS);
    assert_int_equal(fake_node_run(node, old)->outcome, RUN_LOST);
    struct command set = {
        .type = COMMAND_MEMBER_SET,
        .member_set = {N1, COMMAND_LEVEL, text_of("n1"), text_of("a"), text_of("p"),
                       text_of("v")},
    };
    fake_node_apply(node, &set);
    fake_node_lead(node, true, 3);
    uint64_t waits_ms = clock_ms + WAIT_MS - clock_now_ms(clock_);
    bench_due("other", 0);
    bench_pass(waits_ms / 2);
    fake_node_lead(node, false, 4);
    bench_pass(1);
    fake_node_lead(node, true, 5);
    bench_pass(waits_ms - waits_ms / 2 - 3);
    assert_null(bench_live("web"));
    assert_null(bench_live("other"));
    struct place_now now = {.node = node};
    uint64_t chosen = 0;
    assert_int_equal(control_place_now(&now, &chosen, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.text, "runs begin in 1 s"));
    bench_pass(TICK_MS + 4);
    assert_int_equal(bench_live("web")->cause,
                     RUN_CAUSE_FAILOVER); /* it was interrupted */
    assert_non_null(bench_live("other"));
    assert_int_equal(control_place_now(&now, &chosen, &err), 0);
}

/* A full queue, a lead that is being lost: the mark is still there. */
static void test_placement_is_refused(void **state)
{
    (void)state;
    node->fate = FAKE_REFUSED;
    bench_due("web", 0);
    bench_pass(1000);
    assert_in_range(node->proposed, 1, 20);
    node->fate = FAKE_NEVER;
    bench_pass(1000);
    assert_null(bench_live("web"));
    node->fate = FAKE_APPLIED;
    bench_pass(2 * TICK_MS);
    assert_non_null(bench_live("web"));
}

/* While it is not known what becomes of it nothing is proposed again. */
static void test_placement_is_pending(void **state)
{
    (void)state;
    node->fate = FAKE_PENDING;
    bench_due("web", 0);
    bench_pass(1000);
    assert_int_equal(node->proposed, 1);
    node->fate = FAKE_APPLIED;
    fake_node_decide(node, FAKE_APPLIED);
    bench_pass(TICK_MS);
    assert_non_null(bench_live("web"));
    assert_int_equal(node->proposed, 1);
}

/* None of the runs they asked for is there yet when the next one asks. */
static void test_many_who_ask_at_once_are_spread(void **state)
{
    (void)state;
    struct place_now now = {.node = node};
    struct err err;
    unsigned counts[FAKE_NODES] = {0};
    fake_node_task(node, "busy", TASK_NAMED("busy"));
    fake_node_place(node, "busy", N2);
    for (int i = 0; i < 8; i++) {
        uint64_t id = 0;
        assert_int_equal(control_place_now(&now, &id, &err), 0);
        counts[id - FAKE_SELF]++;
    }
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 2);
    assert_int_equal(counts[2], 3);
    fake_node_place(node, "web", N1); /* an event: from now on the registry counts */
    uint64_t id = 0;
    assert_int_equal(control_place_now(&now, &id, &err), 0);
    assert_int_equal(id, N3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)
    const struct CMUnitTest tests[] = {
        TEST(test_due_is_placed),
        TEST(test_not_before_its_time),
        TEST(test_many_are_spread),
        TEST(test_buffer_is_put_off_up_to_its_end),
        TEST(test_buffer_over_leaders),
        TEST(test_buffer_during_a_run),
        TEST(test_buffer_of_what_is_disabled_or_deleted),
        TEST(test_follow_up_waits),
        TEST(test_nobody_can),
        TEST(test_not_on_who_drains),
        TEST(test_not_on_who_carries_none_out),
        TEST(test_many_that_cannot_start),
        TEST(test_passed_before_its_run_ended),
        TEST(test_passed_while_nobody_could),
        TEST(test_not_before_an_event),
        TEST(test_after_a_recovery),
        TEST(test_placement_is_refused),
        TEST(test_placement_is_pending),
        TEST(test_many_who_ask_at_once_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
