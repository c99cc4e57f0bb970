/* SPDX-License-Identifier: Apache-2.0 */
/* This node's side of a run, one step at a time: when it begins, when it does not, how
 * it is stopped, what is carried out. test_runner_report.c has the rest. */
#include <stdio.h>
#include <string.h>

#include "unit/run/runner_bench.h"

/* A turn of the loop begins no more than it can in some milliseconds; who has waited
 * longest is not overtaken. */
static void test_many_begin_in_turns(void **state)
{
    (void)state;
    uint64_t runs[200];
    for (size_t i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        fake_node_task(node, name, TASK);
        runs[i] = fake_node_place(node, name, FAKE_SELF);
    }
    bench_pass(10);
    fake_node_renew(node, LEASE_MS, node->status.applied);
    bench_pass(0);
    assert_int_equal(fake.count, 64);
    bench_pass(10);
    assert_int_equal(fake.count, 200);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(fake.runs[i].run, runs[i]);
    }
}

/* Where many live, what is heard between two looks waits for the second. */
static void test_looks_are_apart_where_many_live(void **state)
{
    (void)state;
    for (size_t i = 0; i < 640; i++) { /* 5 ms */
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        fake_node_task(node, name, TASK);
        fake_node_place(node, name, OTHER);
    }
    uint64_t first = fake_node_place(node, "web", FAKE_SELF);
    bench_pass(20);
    bench_renew();
    bench_pass(20);
    assert_non_null(fake_driver_run(&fake, first));
    assert_int_equal(fake_node_run(node, first)->state, RUN_RUNNING);
    bench_renew();                                        /* it is looked at at once, */
    fake_driver_end(&fake, first, DRIVER_SUCCESS, 0, ""); /* and at this later */
    bench_pass(1);
    assert_int_equal(fake_node_run(node, first)->state, RUN_RUNNING);
    bench_pass(6);
    bench_assert_ended(first, RUN_SUCCESS, "");
}

static void test_whole_life(void **state)
{
    (void)state;
    assert_false(node->wants);
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    bench_pass(100);
    assert_true(node->wants);
    assert_null(fake_driver_run(&fake, id)); /* no lease */
    bench_renew();
    struct fake_run *run = fake_driver_run(&fake, id);
    assert_non_null(run);
    assert_int_equal(run->deadline_ms, node->lease.until_ms);
    assert_int_equal(run->tries, 2);
    assert_false(run->inspect);
    assert_int_equal(run->uid, 65534);
    assert_int_equal(run->limits.memory_bytes, 1000);
    assert_int_equal(run->limits.files_count, 7);
    assert_string_equal(run->module, "./m");
    assert_string_equal(run->input, "{\"catalog_services\":{},\"consul_kv\":{},"
                                    "\"services\":[],\"task\":\"web\","
                                    "\"variables\":{\"a\":1}}");
    assert_int_equal(fake_node_run(node, id)->state, RUN_RUNNING);
    assert_int_equal(fake_node_run(node, id)->started_ms, run->begun_ms);
    bench_pass(1300);
    bench_renew();
    assert_int_equal(run->deadline_ms, node->lease.until_ms);
    fake_driver_end(&fake, id, DRIVER_FAILED, 3, "exit code 3: no");
    bench_pass(2);
    bench_assert_ended(id, RUN_FAILED, "exit code 3: no");
    assert_int_equal(fake_node_run(node, id)->exit_code, 3);
    assert_int_equal(fake_node_run(node, id)->ended_ms, run->result.ended_ms);
    bench_pass(2);
    assert_true(run->forgotten);
    assert_false(node->wants);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(bench_events_of(EVENT_RUN_ENDED), 1);
}

/* It says so, whatever becomes of what it says, and again when its row is another one.
 */
static void test_idle_node_says_so(void **state)
{
    (void)state;
    bench_end_node();
    node->fate = FAKE_REFUSED;
    idle = true;
    bench_begin_node();
    bench_pass(1000);
    assert_in_range(node->proposed, 3, 10);
    node->fate = FAKE_UNKNOWN;
    bench_pass(3000);
    assert_int_equal(bench_announced(), MEMBER_DRIVER_EXEC);
    node->fate = FAKE_APPLIED;
    fake_node_lead(node, false, 2); /* somebody new may take it: not in two seconds */
    bench_pass(2);
    assert_int_equal(bench_announced(), 0);
    unsigned before = node->proposed;
    bench_pass(60000);
    assert_int_equal(node->proposed, before);
    struct command exec = {.type = COMMAND_MEMBER_DRIVERS,
                           .member_drivers = {FAKE_SELF, MEMBER_DRIVER_EXEC}};
    fake_node_apply(node, &exec);
    bench_pass(2);
    assert_int_equal(bench_announced(), 0);
    bench_end_node();
    idle = false;
    bench_begin_node();
    bench_pass(2);
    assert_int_equal(bench_announced(), MEMBER_DRIVER_EXEC);
}

/* What was placed here before it had said so begins elsewhere; what is alive of before
 * goes on to its end. */
static void test_idle_node_begins_nothing(void **state)
{
    (void)state;
    uint64_t alive = bench_started();
    bench_end_node();
    idle = true;
    bench_begin_node();
    bench_renew();
    assert_false(fake_driver_run(&fake, alive)->killed);
    assert_int_equal(fake_driver_run(&fake, alive)->deadline_ms, node->lease.until_ms);
    fake_node_task(node, "other", TASK);
    uint64_t placed = fake_node_place(node, "other", FAKE_SELF);
    bench_renew();
    bench_pass(2);
    assert_null(fake_driver_run(&fake, placed));
    bench_assert_ended(placed, RUN_LOST, "its node carries out no runs (runs.enabled)");
    const struct registry *registry = node_registry(node);
    assert_int_equal(
        registry_task_due_mark(registry, registry_task(registry, "other", 5))->cause,
        RUN_CAUSE_FAILOVER);
    fake_driver_end(&fake, alive, DRIVER_SUCCESS, 0, "");
    bench_pass(2);
    bench_assert_ended(alive, RUN_SUCCESS, "");
}

/* What there is cannot be told: it has nothing placed any more, and a leader is to find
 * it silent, for it cannot say that what was placed was not begun. */
static void test_driver_that_is_not_ready(void **state)
{
    (void)state;
    bench_end_node();
    fake.hold = true;
    bench_begin_node();
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    bench_pass(9000);
    assert_true(node->wants);
    assert_int_equal(bench_announced(), MEMBER_DRIVER_EXEC);
    bench_pass(2000);
    assert_false(node->wants);
    assert_int_equal(bench_announced(), 0);
    fake_driver_release(&fake);
    bench_pass(10);
    assert_true(node->wants);
    assert_int_equal(bench_announced(), MEMBER_DRIVER_EXEC);
    bench_renew();
    assert_non_null(fake_driver_run(&fake, id));
}

/* The run is tried elsewhere, and no other comes here for a while. */
static void test_machine_that_cannot_begin(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    fake_driver_end(&fake, id, DRIVER_LOST, 0, "claim: write: No space left on device");
    fake_driver_run(&fake, id)->result.unable = true;
    bench_pass(10);
    assert_int_equal(bench_announced(), 0);
    bench_assert_ended(id, RUN_LOST, "claim: write: No space left on device");
    bench_pass(29000);
    assert_int_equal(bench_announced(), 0);
    bench_pass(2000);
    assert_int_equal(bench_announced(), MEMBER_DRIVER_EXEC);
}

/* "May I start this run?" */
static void test_start_rule(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, LEASE_MS, node->status.applied + 1);
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id)); /* the index is not applied */
    bench_pass(LEASE_MS);
    node->status.applied++;
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id)); /* the lease is over */
    fake_node_renew(node, LEASE_MS, node->status.applied);
    node->lease.until_ms -= LEASE_MS * 4 / 5;
    bench_pass(50);
    assert_null(fake_driver_run(&fake, id)); /* too little of it is left */
    node->unfit = "its state differs";
    bench_renew();
    assert_null(fake_driver_run(&fake, id));
    node->unfit = "";
    bench_renew();
    assert_non_null(fake_driver_run(&fake, id));
}

/* ... and begins once the index is applied, though that is no news of a run. */
static void test_index_is_applied_later(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, LEASE_MS, node->status.applied + 1);
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id));
    node->status.applied++;
    bench_pass(100);
    assert_non_null(fake_driver_run(&fake, id));
}

/* The index shows that the run was lost meanwhile: nothing begins. */
static void test_lost_before_start(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, LEASE_MS, node->status.applied + 1);
    bench_pass(100);
    struct command lost = {.type = COMMAND_RUN_LOST,
                           .run_lost = {id, FAKE_SELF, text_of("silent")}};
    assert_int_equal(fake_node_apply(node, &lost).code, 0);
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_int_equal(runner_count(runner), 0);
    bench_assert_ended(id, RUN_LOST, "silent");
}

/* The lease of the cluster is longer than the run's: it counts from the same moment. */
static void test_shorter_lease_of_run(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, 60000, node->status.applied);
    bench_pass(1);
    uint64_t asked_ms = node->lease.until_ms - 60000;
    assert_int_equal(fake_driver_run(&fake, id)->deadline_ms, asked_ms + 4000);
}

/* ... and one that is as short has to be asked for in time: the shortest of all. */
static void test_shortest_lease_is_asked_for(void **state)
{
    (void)state;
    fake_node_place(node, "web", FAKE_SELF);
    fake_node_task(node, "short", TASK);
    struct command place = {
        .type = COMMAND_RUN_START,
        .run_start = {.task = text_of("short"),
                      .node = FAKE_SELF,
                      .cause = RUN_CAUSE_CLIENT,
                      .purpose = RUN_APPLY,
                      .lease_ms = 1500,
                      .grace_ms = 500,
                      .tries = 1},
    };
    uint64_t id = fake_node_apply(node, &place).run;
    bench_pass(1);
    assert_int_equal(node->most_ms, 1500);
    fake_node_renew(node, 1500, node->status.applied);
    bench_pass(1);
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    bench_pass(2);
    assert_int_equal(node->most_ms, 4000);
}

/* Runs of other nodes are no business of this one. */
static void test_other_node(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", OTHER);
    bench_renew();
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_false(node->wants);
}

static void test_stop(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    bench_stop_run(id);
    bench_pass(1);
    assert_true(fake_driver_run(&fake, id)->stopped);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
    bench_renew();
    fake_driver_end(&fake, id, DRIVER_CANCELLED, 0, "stopped");
    bench_pass(2);
    bench_assert_ended(id, RUN_CANCELLED, "stopped");
}

/* The event that says so has left the log within the batch that brought it. */
static void test_stop_unseen(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    struct command keep = {.type = COMMAND_SETTING_SET,
                           .setting_set = {text_of("events_max_count"), 100}};
    assert_int_equal(fake_node_apply(node, &keep).code, 0);
    struct command batch[121] = {
        {.type = COMMAND_RUN_STOP, .run_stop = {id, RUN_STOP_CANCEL}}};
    for (size_t i = 1; i < 121; i++) {
        batch[i] = (struct command){.type = COMMAND_MEMBER_DRAIN,
                                    .member_drain = {OTHER, i % 2 == 1}};
    }
    fake_node_batch(node, batch, 121);
    bench_pass(1);
    assert_true(fake_driver_run(&fake, id)->stopped);
}

static void test_stop_before_start(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    bench_pass(1);
    bench_stop_run(id);
    bench_pass(2);
    bench_assert_ended(id, RUN_CANCELLED, "it was stopped before it began");
    bench_renew();
    bench_pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_int_equal(runner_count(runner), 0);
}

/* It is declared lost while it is alive: it is killed, and its end is nobody's news. */
static void test_lost_is_killed(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    struct command lost = {.type = COMMAND_RUN_LOST,
                           .run_lost = {id, FAKE_SELF, text_of("silent")}};
    assert_int_equal(fake_node_apply(node, &lost).code, 0);
    bench_pass(3);
    assert_true(fake_driver_run(&fake, id)->killed);
    assert_true(fake_driver_run(&fake, id)->forgotten);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(bench_events_of(EVENT_RUN_ENDED), 1);
    bench_assert_ended(id, RUN_LOST, "silent");
}

static void test_removed_node(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    node->status.role = NODE_REMOVED;
    node->leadership->changed(node->leadership, &node->status);
    bench_pass(3);
    assert_true(fake_driver_run(&fake, id)->killed);
    assert_false(node->wants);
    assert_int_equal(fake_node_run(node, id)->state, RUN_RUNNING);
}

/* The lease is not renewed: the driver stops the run by itself, and that is reported.
 */
static void test_lease_runs_out(void **state)
{
    (void)state;
    uint64_t id = bench_started();
    bench_pass(LEASE_MS + 1);
    bench_assert_ended(id, RUN_LOST, "its lease ran out");
}

/* --- what is carried out -----------------------------------------------------------
 */

static void test_inspection(void **state)
{
    (void)state;
    struct command place = {
        .type = COMMAND_RUN_START,
        .run_start = {.task = text_of("web"),
                      .node = FAKE_SELF,
                      .cause = RUN_CAUSE_CLIENT,
                      .purpose = RUN_INSPECT,
                      .lease_ms = 4000,
                      .grace_ms = 5000,
                      .tries = 3},
    };
    uint64_t id = fake_node_apply(node, &place).run;
    bench_renew();
    assert_true(fake_driver_run(&fake, id)->inspect);
    assert_int_equal(fake_driver_run(&fake, id)->tries, 1);
}

/* What is to take the task's place is inspected, not the task. */
static void test_inspection_of_a_draft(void **state)
{
    (void)state;
    struct command put = {
        .type = COMMAND_RUN_PUT,
        .run_put = {.name = text_of("web"),
                    .text = text_of("{\"condition\":{},\"module\":\"./new\","
                                    "\"name\":\"web\"}"),
                    .enabled_at = 1,
                    .enabled = true,
                    .node = FAKE_SELF,
                    .purpose = RUN_INSPECT,
                    .lease_ms = 4000,
                    .grace_ms = 5000},
    };
    uint64_t id = fake_node_apply(node, &put).run;
    bench_renew();
    assert_true(fake_driver_run(&fake, id)->inspect);
    assert_string_equal(fake_driver_run(&fake, id)->module, "./new");
}

/* Placed here and over in the same moment. */
static void test_disabled_is_not_run(void **state)
{
    (void)state;
    struct command disable = {
        .type = COMMAND_RUN_ENABLE,
        .run_enable = {.task = text_of("web"), .node = FAKE_SELF, .lease_ms = 4000},
    };
    struct result result = fake_node_apply(node, &disable);
    assert_true(result.code == 0 && result.run == 0);
    bench_renew();
    bench_pass(2);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(node->proposed, 0);
}

static void test_module_outside(void **state)
{
    (void)state;
    static const char *const folders[] = {"/srv/modules"};
    bench_end_node();
    modules = (struct path_folders){folders, 1};
    bench_begin_node();
    modules = (struct path_folders){0};
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    bench_renew();
    bench_pass(2);
    assert_null(fake_driver_run(&fake, id));
    assert_int_equal(fake_node_run(node, id)->outcome, RUN_FAILED);
    assert_non_null(strstr(fake_node_run(node, id)->text, "./m"));
}

static void test_trial(void **state)
{
    (void)state;
    static const char draft[] =
        "{\"condition\":{},\"module\":\"./new\",\"name\":\"t\"}";
    struct command trial = {
        .type = COMMAND_RUN_TRIAL,
        .run_trial = {.name = text_of("t"),
                      .text = text_of(draft),
                      .enabled_at = 1,
                      .enabled = true,
                      .node = FAKE_SELF,
                      .purpose = RUN_TRIAL,
                      .lease_ms = 4000,
                      .grace_ms = 5000},
    };
    uint64_t id = fake_node_apply(node, &trial).run;
    bench_renew();
    assert_string_equal(fake_driver_run(&fake, id)->module, "./new");
    assert_false(fake_driver_run(&fake, id)->inspect);
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    bench_pass(2);
    assert_non_null(registry_task(node_registry(node), "t", 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)
    const struct CMUnitTest tests[] = {
        TEST(test_whole_life),
        TEST(test_many_begin_in_turns),
        TEST(test_looks_are_apart_where_many_live),
        TEST(test_idle_node_says_so),
        TEST(test_idle_node_begins_nothing),
        TEST(test_driver_that_is_not_ready),
        TEST(test_machine_that_cannot_begin),
        TEST(test_start_rule),
        TEST(test_index_is_applied_later),
        TEST(test_lost_before_start),
        TEST(test_shorter_lease_of_run),
        TEST(test_shortest_lease_is_asked_for),
        TEST(test_other_node),
        TEST(test_stop),
        TEST(test_stop_unseen),
        TEST(test_stop_before_start),
        TEST(test_lost_is_killed),
        TEST(test_removed_node),
        TEST(test_lease_runs_out),
        TEST(test_inspection),
        TEST(test_inspection_of_a_draft),
        TEST(test_disabled_is_not_run),
        TEST(test_module_outside),
        TEST(test_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
