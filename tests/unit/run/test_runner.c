/* SPDX-License-Identifier: Apache-2.0 */
/* This node's side of a run, one step at a time: when it starts, when it does not, what
 * is reported, and what becomes of what a restart of the node finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "lib/fake_driver.h"
#include "lib/fake_node.h"
#include "lib/sim_clock.h"
#include "run/runner.h"

#define TASK                                                                           \
    "{\"condition\":{},\"module\":\"./"                                                \
    "m\",\"name\":\"web\",\"variables\":{\"a\":\"1\"}}"
#define LEASE_MS 4000
#define OTHER    (FAKE_SELF + 1)

static struct sim_time *time_;
static struct clock *clock_;
static struct node *node;
static struct fake_driver fake;
static struct runner *runner;

static void pass(uint64_t ms)
{
    sim_time_run_until(time_, sim_time_now_us(time_) + ms * 1000);
}

static struct path_folders modules; /* none */
static bool idle;

static void begin_node(void)
{
    struct runner_options options = {
        .clock = clock_,
        .node = node,
        .driver = &fake.driver,
        .modules = modules,
        .idle = idle,
        .uid = 65534,
        .gid = 65534,
        .limits = {.memory_bytes = 1000, .files_count = 7},
    };
    runner = runner_new(&options);
    pass(1);
}

static void gone(void *owner)
{
    *(bool *)owner = true;
}

/* Its process ends; what is alive lives on. */
static void end_node(void)
{
    bool stopped = false;
    runner_stop(runner, gone, &stopped);
    pass(1);
    assert_true(stopped);
    runner = NULL;
}

static void renew(void)
{
    fake_node_renew(node, LEASE_MS, node->status.applied);
    pass(1);
}

static int begin(void **state)
{
    (void)state;
    time_ = sim_time_new();
    clock_ = sim_clock_new(time_, 7);
    node = fake_node_new(clock_);
    fake_driver_init(&fake, clock_);
    fake_node_task(node, "web", TASK);
    begin_node();
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (runner != NULL) {
        end_node();
    }
    idle = false;
    fake_driver_free(&fake);
    fake_node_free(node);
    sim_clock_free(clock_);
    sim_time_free(time_);
    map_reap(SIZE_MAX);
    return 0;
}

/* A run of task web here, started. */
static uint64_t started(void)
{
    uint64_t run = fake_node_place(node, "web", FAKE_SELF);
    pass(1);
    renew();
    assert_non_null(fake_driver_run(&fake, run));
    return run;
}

static void assert_ended(uint64_t id, enum run_outcome outcome, const char *text)
{
    const struct run *run = fake_node_run(node, id);
    assert_int_equal(run->state, RUN_ENDED);
    assert_int_equal(run->outcome, outcome);
    assert_string_equal(run->text, text);
}

static uint64_t events_of(enum event_type type)
{
    uint64_t count = 0;
    const struct event_log *log = registry_events(node_registry(node));
    for (const struct event *event = event_log_after(log, 0); event != NULL;
         event = event_log_after(log, event->seq)) {
        count += event->type == type;
    }
    return count;
}

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
    pass(10);
    fake_node_renew(node, LEASE_MS, node->status.applied);
    pass(0);
    assert_int_equal(fake.count, 64);
    pass(10);
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
    pass(20);
    renew();
    pass(20);
    assert_non_null(fake_driver_run(&fake, first));
    assert_int_equal(fake_node_run(node, first)->state, RUN_RUNNING);
    renew();                                              /* it is looked at at once, */
    fake_driver_end(&fake, first, DRIVER_SUCCESS, 0, ""); /* and at this later */
    pass(1);
    assert_int_equal(fake_node_run(node, first)->state, RUN_RUNNING);
    pass(6);
    assert_ended(first, RUN_SUCCESS, "");
}

static void test_whole_life(void **state)
{
    (void)state;
    assert_false(node->wants);
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    pass(100);
    assert_true(node->wants);
    assert_null(fake_driver_run(&fake, id)); /* no lease */
    renew();
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
    pass(1300);
    renew();
    assert_int_equal(run->deadline_ms, node->lease.until_ms);
    fake_driver_end(&fake, id, DRIVER_FAILED, 3, "exit code 3: no");
    pass(2);
    assert_ended(id, RUN_FAILED, "exit code 3: no");
    assert_int_equal(fake_node_run(node, id)->exit_code, 3);
    assert_int_equal(fake_node_run(node, id)->ended_ms, run->result.ended_ms);
    pass(2);
    assert_true(run->forgotten);
    assert_false(node->wants);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(events_of(EVENT_RUN_ENDED), 1);
}

static uint32_t announced(void)
{
    return registry_member(node_registry(node), FAKE_SELF)->duty.drivers;
}

/* It says so, whatever becomes of what it says, and again when its row is another one.
 */
static void test_idle_node_says_so(void **state)
{
    (void)state;
    end_node();
    node->fate = FAKE_REFUSED;
    idle = true;
    begin_node();
    pass(1000);
    assert_in_range(node->proposed, 3, 10);
    node->fate = FAKE_UNKNOWN;
    pass(3000);
    assert_int_equal(announced(), MEMBER_DRIVER_EXEC);
    node->fate = FAKE_APPLIED;
    fake_node_lead(node, false, 2); /* somebody new may take it: not in two seconds */
    pass(2);
    assert_int_equal(announced(), 0);
    unsigned before = node->proposed;
    pass(60000);
    assert_int_equal(node->proposed, before);
    struct command exec = {.type = COMMAND_MEMBER_DRIVERS,
                           .member_drivers = {FAKE_SELF, MEMBER_DRIVER_EXEC}};
    fake_node_apply(node, &exec);
    pass(2);
    assert_int_equal(announced(), 0);
    end_node();
    idle = false;
    begin_node();
    pass(2);
    assert_int_equal(announced(), MEMBER_DRIVER_EXEC);
}

/* What was placed here before it had said so begins elsewhere; what is alive of before
 * goes on to its end. */
static void test_idle_node_begins_nothing(void **state)
{
    (void)state;
    uint64_t alive = started();
    end_node();
    idle = true;
    begin_node();
    renew();
    assert_false(fake_driver_run(&fake, alive)->killed);
    assert_int_equal(fake_driver_run(&fake, alive)->deadline_ms, node->lease.until_ms);
    fake_node_task(node, "other", TASK);
    uint64_t placed = fake_node_place(node, "other", FAKE_SELF);
    renew();
    pass(2);
    assert_null(fake_driver_run(&fake, placed));
    assert_ended(placed, RUN_LOST, "its node carries out no runs (runs.enabled)");
    const struct registry *registry = node_registry(node);
    assert_int_equal(
        registry_task_due_mark(registry, registry_task(registry, "other", 5))->cause,
        RUN_CAUSE_FAILOVER);
    fake_driver_end(&fake, alive, DRIVER_SUCCESS, 0, "");
    pass(2);
    assert_ended(alive, RUN_SUCCESS, "");
}

/* What there is cannot be told: it has nothing placed any more, and a leader is to find
 * it silent, for it cannot say that what was placed was not begun. */
static void test_driver_that_is_not_ready(void **state)
{
    (void)state;
    end_node();
    fake.hold = true;
    begin_node();
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    pass(9000);
    assert_true(node->wants);
    assert_int_equal(announced(), MEMBER_DRIVER_EXEC);
    pass(2000);
    assert_false(node->wants);
    assert_int_equal(announced(), 0);
    fake_driver_release(&fake);
    pass(10);
    assert_true(node->wants);
    assert_int_equal(announced(), MEMBER_DRIVER_EXEC);
    renew();
    assert_non_null(fake_driver_run(&fake, id));
}

/* The run is tried elsewhere, and no other comes here for a while. */
static void test_machine_that_cannot_begin(void **state)
{
    (void)state;
    uint64_t id = started();
    fake_driver_end(&fake, id, DRIVER_LOST, 0, "claim: write: No space left on device");
    fake_driver_run(&fake, id)->result.unable = true;
    pass(10);
    assert_int_equal(announced(), 0);
    assert_ended(id, RUN_LOST, "claim: write: No space left on device");
    pass(29000);
    assert_int_equal(announced(), 0);
    pass(2000);
    assert_int_equal(announced(), MEMBER_DRIVER_EXEC);
}

/* "May I start this run?" */
static void test_start_rule(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, LEASE_MS, node->status.applied + 1);
    pass(100);
    assert_null(fake_driver_run(&fake, id)); /* the index is not applied */
    pass(LEASE_MS);
    node->status.applied++;
    pass(100);
    assert_null(fake_driver_run(&fake, id)); /* the lease is over */
    fake_node_renew(node, LEASE_MS, node->status.applied);
    node->lease.until_ms -= LEASE_MS * 4 / 5;
    pass(50);
    assert_null(fake_driver_run(&fake, id)); /* too little of it is left */
    node->unfit = "its state differs";
    renew();
    assert_null(fake_driver_run(&fake, id));
    node->unfit = "";
    renew();
    assert_non_null(fake_driver_run(&fake, id));
}

/* ... and begins once the index is applied, though that is no news of a run. */
static void test_index_is_applied_later(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, LEASE_MS, node->status.applied + 1);
    pass(100);
    assert_null(fake_driver_run(&fake, id));
    node->status.applied++;
    pass(100);
    assert_non_null(fake_driver_run(&fake, id));
}

/* The index shows that the run was lost meanwhile: nothing begins. */
static void test_lost_before_start(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, LEASE_MS, node->status.applied + 1);
    pass(100);
    struct command lost = {.type = COMMAND_RUN_LOST,
                           .run_lost = {id, FAKE_SELF, text_of("silent")}};
    assert_int_equal(fake_node_apply(node, &lost).code, 0);
    pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_int_equal(runner_count(runner), 0);
    assert_ended(id, RUN_LOST, "silent");
}

/* The lease of the cluster is longer than the run's: it counts from the same moment. */
static void test_shorter_lease_of_run(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_node_renew(node, 60000, node->status.applied);
    pass(1);
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
    pass(1);
    assert_int_equal(node->most_ms, 1500);
    fake_node_renew(node, 1500, node->status.applied);
    pass(1);
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    pass(2);
    assert_int_equal(node->most_ms, 4000);
}

/* Runs of other nodes are no business of this one. */
static void test_other_node(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", OTHER);
    renew();
    pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_false(node->wants);
}

static void stop_run(uint64_t id)
{
    struct command stop = {.type = COMMAND_RUN_STOP, .run_stop = {id, RUN_STOP_CANCEL}};
    assert_int_equal(fake_node_apply(node, &stop).code, 0);
}

static void test_stop(void **state)
{
    (void)state;
    uint64_t id = started();
    stop_run(id);
    pass(1);
    assert_true(fake_driver_run(&fake, id)->stopped);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
    renew();
    fake_driver_end(&fake, id, DRIVER_CANCELLED, 0, "stopped");
    pass(2);
    assert_ended(id, RUN_CANCELLED, "stopped");
}

/* The event that says so has left the log within the batch that brought it. */
static void test_stop_unseen(void **state)
{
    (void)state;
    uint64_t id = started();
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
    pass(1);
    assert_true(fake_driver_run(&fake, id)->stopped);
}

static void test_stop_before_start(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    pass(1);
    stop_run(id);
    pass(2);
    assert_ended(id, RUN_CANCELLED, "it was stopped before it began");
    renew();
    pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_int_equal(runner_count(runner), 0);
}

/* It is declared lost while it is alive: it is killed, and its end is nobody's news. */
static void test_lost_is_killed(void **state)
{
    (void)state;
    uint64_t id = started();
    struct command lost = {.type = COMMAND_RUN_LOST,
                           .run_lost = {id, FAKE_SELF, text_of("silent")}};
    assert_int_equal(fake_node_apply(node, &lost).code, 0);
    pass(3);
    assert_true(fake_driver_run(&fake, id)->killed);
    assert_true(fake_driver_run(&fake, id)->forgotten);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(events_of(EVENT_RUN_ENDED), 1);
    assert_ended(id, RUN_LOST, "silent");
}

static void test_removed_node(void **state)
{
    (void)state;
    uint64_t id = started();
    node->status.role = NODE_REMOVED;
    node->leadership->changed(node->leadership, &node->status);
    pass(3);
    assert_true(fake_driver_run(&fake, id)->killed);
    assert_false(node->wants);
    assert_int_equal(fake_node_run(node, id)->state, RUN_RUNNING);
}

/* The lease is not renewed: the driver stops the run by itself, and that is reported.
 */
static void test_lease_runs_out(void **state)
{
    (void)state;
    uint64_t id = started();
    pass(LEASE_MS + 1);
    assert_ended(id, RUN_LOST, "its lease ran out");
}

/* --- reports -----------------------------------------------------------------------
 */

static void end_with(enum fake_fate fate, uint64_t for_ms)
{
    uint64_t id = started();
    node->fate = fate;
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    pass(for_ms);
    if (fate != FAKE_UNKNOWN_APPLIED) {
        assert_int_equal(fake_node_run(node, id)->state, RUN_RUNNING);
        assert_false(fake_driver_run(&fake, id)->forgotten);
    }
    node->fate = FAKE_APPLIED;
    pass(2100);
    assert_ended(id, RUN_SUCCESS, "");
    assert_true(fake_driver_run(&fake, id)->forgotten);
    assert_int_equal(events_of(EVENT_RUN_ENDED), 1);
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
    uint64_t id = started();
    node->fate = FAKE_REFUSED;
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    pass(5000);
    node->fate = FAKE_APPLIED;
    fake_node_lead(node, false, 2);
    pass(2);
    assert_ended(id, RUN_SUCCESS, "");
}

/* One report a run is under way, and one that is decided after the runner is gone hurts
 * nobody. */
static void test_report_outlives_runner(void **state)
{
    (void)state;
    uint64_t id = started();
    node->fate = FAKE_PENDING;
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    unsigned before = node->proposed;
    pass(10000);
    assert_int_equal(node->proposed, before + 1);
    end_node();
    fake_node_decide(node, FAKE_APPLIED);
    pass(1);
    assert_ended(id, RUN_SUCCESS, "");
    node->fate = FAKE_APPLIED;
    begin_node(); /* found ended, and nothing is to be said of it */
    pass(100);
    assert_int_equal(runner_count(runner), 0);
    assert_true(fake_driver_run(&fake, id)->forgotten);
    assert_int_equal(events_of(EVENT_RUN_ENDED), 1);
}

/* The beginning is said once, though a stopping run shows it in its time alone. */
static void test_started_of_stopping(void **state)
{
    (void)state;
    fake.begin = false;
    uint64_t id = started();
    stop_run(id);
    pass(1);
    fake_driver_begin(&fake, id);
    unsigned before = node->proposed;
    pass(1000);
    assert_int_equal(node->proposed, before + 1);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
    assert_true(fake_node_run(node, id)->started_ms > 0);
}

/* --- restarts of the node ----------------------------------------------------------
 */

static void test_adopted(void **state)
{
    (void)state;
    uint64_t id = started();
    end_node();
    assert_false(node->wants);
    assert_int_equal(fake_driver_run(&fake, id)->phase, DRIVER_ALIVE);
    begin_node();
    pass(1);
    assert_true(node->wants);
    renew();
    assert_int_equal(fake_driver_run(&fake, id)->deadline_ms, node->lease.until_ms);
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    pass(2);
    assert_ended(id, RUN_SUCCESS, "");
    assert_int_equal(events_of(EVENT_RUN_STARTED), 1);
}

static void test_claimed_is_lost(void **state)
{
    (void)state;
    uint64_t id = started();
    end_node();
    fake_driver_run(&fake, id)->phase = DRIVER_CLAIMED;
    begin_node();
    renew();
    pass(100);
    assert_ended(id, RUN_LOST,
                 "it was claimed, and when its node came back nothing of it was left");
    assert_int_equal(fake.count, 1);
}

/* Claimed, and the node ended before anything else. */
static void test_claimed_pending_is_lost(void **state)
{
    (void)state;
    end_node();
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    fake_driver_put(&fake, id, DRIVER_CLAIMED);
    begin_node();
    renew();
    pass(100);
    assert_int_equal(fake_node_run(node, id)->outcome, RUN_LOST);
}

static void test_ended_while_away(void **state)
{
    (void)state;
    uint64_t id = started();
    end_node();
    fake_driver_end(&fake, id, DRIVER_TIMED_OUT, 0, "too slow");
    pass(60000);
    begin_node();
    pass(100);
    assert_ended(id, RUN_TIMED_OUT, "too slow");
}

/* A folder without a trace of a run that had begun: whatever happened, it is not begun
 * again. */
static void test_no_trace(void **state)
{
    (void)state;
    uint64_t id = started();
    end_node();
    fake.count = 0;
    begin_node();
    renew();
    assert_ended(id, RUN_LOST, "its node has no trace of it any more");
}

/* Nothing starts before the driver has told of all there was. */
static void test_not_ready(void **state)
{
    (void)state;
    end_node();
    fake.hold = true;
    begin_node();
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    renew();
    pass(100);
    assert_null(fake_driver_run(&fake, id));
    fake_driver_release(&fake);
    pass(2);
    assert_non_null(fake_driver_run(&fake, id));
}

/* A node that is about to stop begins nothing, and keeps alive what is. */
static void test_retired(void **state)
{
    (void)state;
    uint64_t old = started();
    runner_retire(runner);
    fake_node_task(node, "new", TASK);
    uint64_t id = fake_node_place(node, "new", FAKE_SELF);
    renew();
    pass(100);
    assert_null(fake_driver_run(&fake, id));
    assert_int_equal(fake_driver_run(&fake, old)->deadline_ms, node->lease.until_ms);
    end_node();
    begin_node();
    renew();
    assert_non_null(fake_driver_run(&fake, id));
}

/* The log is not read up to the run yet: it is not killed, not fed, and adopted when
 * the registry shows it. */
static void test_not_applied_yet(void **state)
{
    (void)state;
    end_node();
    uint64_t id = registry_sequence(node_registry(node)) + 2;
    struct fake_run *run = fake_driver_put(&fake, id, DRIVER_ALIVE);
    run->deadline_ms = clock_boot_ms(clock_) + LEASE_MS;
    begin_node();
    renew();
    pass(100);
    assert_false(run->killed);
    assert_int_equal(run->fed, 0);
    fake_node_task(node, "other", TASK); /* the number before it */
    pass(1);
    assert_false(run->killed);
    assert_int_equal(fake_node_place(node, "web", FAKE_SELF), id);
    pass(1);
    renew();
    assert_int_equal(run->fed, 1);
    assert_false(run->killed);
}

/* What the registry went past without it is of another cluster, or ended long ago. */
static void test_unknown_is_killed(void **state)
{
    (void)state;
    end_node();
    struct fake_run *alive = fake_driver_put(&fake, 1, DRIVER_ALIVE);
    struct fake_run *ended = fake_driver_put(&fake, 2, DRIVER_ENDED);
    struct fake_run *claimed = fake_driver_put(&fake, 3, DRIVER_CLAIMED);
    begin_node();
    pass(3);
    assert_true(alive->killed && alive->forgotten);
    assert_true(ended->forgotten && !ended->killed);
    assert_true(claimed->forgotten && !claimed->killed);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(node->proposed, 0);
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
    renew();
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
    renew();
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
    renew();
    pass(2);
    assert_int_equal(runner_count(runner), 0);
    assert_int_equal(node->proposed, 0);
}

static void test_module_outside(void **state)
{
    (void)state;
    static const char *const folders[] = {"/srv/modules"};
    end_node();
    modules = (struct path_folders){folders, 1};
    begin_node();
    modules = (struct path_folders){0};
    uint64_t id = fake_node_place(node, "web", FAKE_SELF);
    renew();
    pass(2);
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
    renew();
    assert_string_equal(fake_driver_run(&fake, id)->module, "./new");
    assert_false(fake_driver_run(&fake, id)->inspect);
    fake_driver_end(&fake, id, DRIVER_SUCCESS, 0, "");
    pass(2);
    assert_non_null(registry_task(node_registry(node), "t", 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
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
        TEST(test_inspection),
        TEST(test_inspection_of_a_draft),
        TEST(test_disabled_is_not_run),
        TEST(test_module_outside),
        TEST(test_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
