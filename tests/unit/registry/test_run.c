/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of runs in the registry, one at a time. */
#include "unit/registry/run_bench.h"

#include <stdio.h>
#include <string.h>

/* --- the life of a run --------------------------------------------------------------
 */

static void a_run_is_placed_begun_and_ended(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    bench_assert_event(registry, 0, EVENT_RUN_PLACED, "a",
                       "{\"run\":4,\"node\":\"77\",\"purpose\":\"apply\","
                       "\"cause\":\"client\"}");
    const struct run *run = registry_run(registry, id);
    assert_ptr_equal(run, bench_live(registry, "a"));
    assert_true(run->state == RUN_PENDING && run->outcome == RUN_OPEN);
    assert_true(run->task_created == bench_task(registry, "a")->created);
    assert_true(run->lease_ms == 4000 && run->grace_ms == 5000 && run->tries == 3);
    assert_int_equal(run->placed_ms, somebody.wall_ms);
    assert_string_equal(run->config, CONFIG);
    assert_int_equal(registry_run_started(registry, &somebody, id, NODE, 1700000000100),
                     0);
    bench_assert_event(registry, 0, EVENT_RUN_STARTED, "a", NULL);
    run = registry_run(registry, id);
    assert_true(run->state == RUN_RUNNING && run->started_ms == 1700000000100);
    assert_int_equal(run->revision, registry_sequence(registry));
    ASSERT_REFUSED(registry_run_started(registry, &somebody, id, NODE, 5), 0);
    struct run_report report = {
        .run = id,
        .node = NODE,
        .outcome = RUN_FAILED,
        .exit_code = 3,
        .signal = 9,
        .changes = true,
        .ended_ms = 1700000000200,
        .text = "no \"such\" \xff file\0!",
        .text_len = 18,
    };
    assert_int_equal(registry_run_end(registry, &somebody, &report), 0);
    run = registry_run(registry, id);
    char event_id[ID_UUID_SIZE];
    char data[1024];
    run_event_id(run, event_id);
    snprintf(data, sizeof data,
             "{\"id\":\"%s\",\"success\":false,"
             "\"start_time\":\"2023-11-14T22:13:20.100Z\","
             "\"end_time\":\"2023-11-14T22:13:20.200Z\",\"task_name\":\"a\","
             "\"error\":{\"message\":\"no \\\"such\\\" ? file?!\"},\"config\":" CONFIG
             ",\"run\":4,\"node\":\"77\",\"purpose\":\"apply\","
             "\"outcome\":\"failed\",\"exit_code\":3,\"signal\":9,\"changes\":true}",
             event_id);
    bench_assert_event(registry, 0, EVENT_RUN_ENDED, "a", data);
    assert_true(run->state == RUN_ENDED && run->exit_code == 3 && run->signal == 9);
    assert_true(run->changes && run->ended_ms == 1700000000200);
    assert_null(bench_live(registry, "a"));
    ASSERT_REFUSED(bench_end(registry, id, RUN_SUCCESS), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, id, 1), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_started(registry, &somebody, id, NODE, 1),
                   ERR_CONFLICT);
}

static void a_start_is_refused_for_a_reason(void **state)
{
    struct registry *registry = *state;
    ASSERT_REFUSED(bench_start(registry, "c"), ERR_NOT_FOUND);
    struct run_order order = bench_order("a");
    order.revision = bench_task(registry, "a")->revision + 1;
    ASSERT_REFUSED(registry_run_start(registry, &somebody, &order), ERR_PRECONDITION);
    order = bench_order("a");
    order.node = 78;
    ASSERT_REFUSED(registry_run_start(registry, &somebody, &order), ERR_PRECONDITION);
    static const struct {
        uint64_t node;
        uint32_t cause;
        uint32_t purpose;
        uint32_t lease_ms;
        uint32_t tries;
    } unsound[] = {
        {0, 1, 1, 1, 1},    {NODE, 0, 1, 1, 1}, {NODE, 5, 1, 1, 1}, {NODE, 1, 0, 1, 1},
        {NODE, 1, 3, 1, 1}, {NODE, 1, 1, 0, 1}, {NODE, 1, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof unsound / sizeof unsound[0]; i++) {
        order.node = unsound[i].node;
        order.cause = unsound[i].cause;
        order.purpose = unsound[i].purpose;
        order.lease_ms = unsound[i].lease_ms;
        order.tries = unsound[i].tries;
        ASSERT_REFUSED(registry_run_start(registry, &somebody, &order), ERR_INVALID);
    }
    order = bench_order("a");
    order.revision = bench_task(registry, "a")->revision;
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
    ASSERT_REFUSED(bench_start(registry, "a"), ERR_CONFLICT);
    assert_int_equal(bench_start(registry, "b"),
                     0); /* another task's is its own business */
    assert_int_equal(registry_live_count(registry), 2);
}

static void below_its_level_there_is_no_run(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    registry_level_set(registry, 2);
    assert_int_equal(bench_create(registry, "a"), 0);
    struct task_draft draft = bench_draft("c", TEXT, true);
    struct run_order order = bench_order("c");
    struct run_report report = {.run = 1, .node = NODE};
    order.purpose = RUN_TRIAL;
    ASSERT_REFUSED(bench_start(registry, "a"), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_trial(registry, &somebody, &draft, &order), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_started(registry, &somebody, 1, NODE, 1), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, 1, 1), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_end(registry, &somebody, &report), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_lost(registry, &somebody, &report), ERR_LEVEL);
    ASSERT_REFUSED(bench_due(registry, "a", 1, 1), ERR_LEVEL);
    ASSERT_REFUSED(bench_fire(registry, "a", 0, 1, true), ERR_LEVEL);
    ASSERT_REFUSED(bench_set(registry, "runs_max_count", 200), ERR_NOT_FOUND);
    registry_free(registry);
}

static void only_its_node_reports_a_run(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    struct run_report report = {.run = id, .node = 78, .outcome = RUN_SUCCESS};
    ASSERT_REFUSED(registry_run_started(registry, &somebody, id, 78, 1), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_end(registry, &somebody, &report), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_lost(registry, &somebody, &report), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_started(registry, &somebody, 99, NODE, 1),
                   ERR_NOT_FOUND);
    ASSERT_REFUSED(bench_end(registry, 99, RUN_SUCCESS), ERR_NOT_FOUND);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, 99, 1), ERR_NOT_FOUND);
    ASSERT_REFUSED(bench_end(registry, id, RUN_OPEN), ERR_INVALID);
    ASSERT_REFUSED(bench_end(registry, id, (enum run_outcome)6), ERR_INVALID);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, id, 0), ERR_INVALID);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, id, 4), ERR_INVALID);
}

static void one_that_is_to_stop_ends_once(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_CANCEL), 0);
    bench_assert_event(
        registry, 0, EVENT_RUN_STOPPING, "a",
        "{\"run\":4,\"node\":\"77\",\"purpose\":\"apply\",\"cause\":\"client\","
        "\"stop\":\"cancel\"}");
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, id, RUN_STOP_DRAIN), 0);
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(registry_run_started(registry, &somebody, id, NODE, 123), 0);
    assert_int_equal(registry_sequence(registry), sequence);
    const struct run *run = registry_run(registry, id);
    assert_true(run->state == RUN_STOPPING && run->started_ms == 123);
    ASSERT_REFUSED(registry_run_started(registry, &somebody, id, NODE, 124), 0);
    assert_int_equal(bench_end(registry, id, RUN_CANCELLED), 0);
    assert_null(registry_task_due_mark(registry, bench_task(registry, "a")));
    bench_assert_statuses(registry, 0, 1, 0, 1);
}

static void an_end_keeps_the_beginning_of_a_long_text(void **state)
{
    struct registry *registry = *state;
    static char text[RUN_TEXT_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    memcpy(text + RUN_TEXT_BYTES_MAX - 1, "\xc3\xa9", 2); /* a letter over the edge */
    struct run_report report = {
        .run = bench_place(registry, "a", RUN_APPLY),
        .node = NODE,
        .outcome = RUN_FAILED,
        .text = text,
        .text_len = sizeof text,
    };
    assert_int_equal(registry_run_end(registry, &somebody, &report), 0);
    assert_int_equal(strlen(registry_run(registry, report.run)->text),
                     RUN_TEXT_BYTES_MAX - 1);
}

/* --- what is interrupted, and what is deleted ---------------------------------------
 */

static int lose(struct registry *registry, uint64_t id)
{
    struct run_report report = {
        .run = id, .node = NODE, .text = "n1 is silent", .text_len = 12};
    return registry_run_lost(registry, &somebody, &report);
}

static void a_lost_run_is_wanted_again(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(lose(registry, id), 0);
    bench_assert_event(registry, 0, EVENT_RUN_ENDED, "a", NULL);
    const struct run *run = registry_run(registry, id);
    assert_true(run->outcome == RUN_LOST && run->ended_ms == somebody.wall_ms);
    assert_string_equal(run->text, "n1 is silent");
    const struct moment *mark =
        registry_task_due_mark(registry, bench_task(registry, "a"));
    assert_true(mark->at_ms == 1000 && mark->cause == RUN_CAUSE_FAILOVER);
    ASSERT_REFUSED(bench_end(registry, id, RUN_SUCCESS), ERR_CONFLICT);
    struct run_order order = bench_order("a");
    order.cause = RUN_CAUSE_FAILOVER;
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
    assert_null(registry_task_due_mark(registry, bench_task(registry, "a")));
    assert_int_equal(lose(registry, bench_live(registry, "a")->id), 0);
    mark = registry_task_due_mark(registry, bench_task(registry, "a"));
    assert_int_equal(mark->at_ms, 1000 + 4000); /* no node may spin */
}

static void what_nobody_interrupted_is_not_wanted_again(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_CANCEL), 0);
    assert_int_equal(lose(registry, id), 0);
    bench_run_once(registry, "a", RUN_FAILED);
    id = bench_place(registry, "a", RUN_INSPECT);
    assert_int_equal(lose(registry, id), 0);
    assert_null(registry_task_due_mark(registry, bench_task(registry, "a")));
    id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(bench_enable(registry, "a", false), 0);
    assert_int_equal(lose(registry, id), 0);
    assert_int_equal(registry_due_count(registry), 0);
}

static void a_drained_run_moves(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_DRAIN), 0);
    assert_int_equal(bench_end(registry, id, RUN_CANCELLED), 0);
    assert_int_equal(registry_due_count(registry), 1);
    id = bench_place(registry, "b", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_DRAIN), 0);
    assert_int_equal(bench_end(registry, id, RUN_SUCCESS), 0); /* it made it in time */
    assert_int_equal(registry_due_count(registry), 1);
}

static void a_task_with_a_live_run_goes_when_that_has_ended(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(bench_due(registry, "a", 5, 5), 0);
    assert_int_equal(bench_fire(registry, "a", 0, 5, false), 0);
    assert_int_equal(bench_drop(registry, "a"), 0);
    bench_assert_event(registry, 0, EVENT_TASK_DELETING, "a", "{}");
    assert_true(bench_task(registry, "a")->deleting);
    assert_int_equal(bench_task(registry, "a")->revision, registry_sequence(registry));
    assert_int_equal(registry_due_count(registry), 0);
    assert_int_equal(registry_task_next_fire(registry, bench_task(registry, "a")), 0);
    ASSERT_REFUSED(bench_drop(registry, "a"), 0);
    ASSERT_REFUSED(bench_create(registry, "a"), ERR_EXISTS);
    ASSERT_REFUSED(bench_enable(registry, "a", true), ERR_CONFLICT);
    ASSERT_REFUSED(bench_put(registry, "a", "{\"module\":\"x\"}"), ERR_CONFLICT);
    struct task_draft draft = bench_draft("a", "{\"module\":\"x\"}", true);
    struct task_match any = {TASK_CONDITION_NONE, 0};
    ASSERT_REFUSED(registry_task_merge(registry, &somebody, &draft,
                                       bench_task(registry, "a")->revision, &any),
                   ERR_CONFLICT);
    ASSERT_REFUSED(bench_start(registry, "a"), ERR_CONFLICT);
    ASSERT_REFUSED(bench_due(registry, "a", 5, 5), ERR_CONFLICT);
    ASSERT_REFUSED(bench_fire(registry, "a", 0, 5, true), ERR_CONFLICT);
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(lose(registry, id), 0);
    bench_assert_event(registry, 1, EVENT_RUN_ENDED, "a", NULL);
    bench_assert_event(registry, 0, EVENT_TASK_DELETED, "a", "{}");
    assert_int_equal(registry_sequence(registry), sequence + 2);
    assert_null(bench_task(registry, "a"));
    bench_assert_statuses(registry, 0, 0, 0, 1);
    assert_int_equal(bench_create(registry, "a"), 0);
    assert_true(bench_place(registry, "a", RUN_APPLY) >
                id); /* fence numbers only grow */
}

/* --- trials -------------------------------------------------------------------------
 */

static int try(struct registry *registry, const char *name, enum run_purpose purpose)
{
    struct task_draft draft = bench_draft(name, TEXT, false);
    struct run_order order = bench_order(name);
    order.purpose = (uint32_t)purpose;
    return registry_run_trial(registry, &somebody, &draft, &order);
}

static void a_trial_that_succeeds_makes_its_task(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(try(registry, "c", RUN_TRIAL), 0);
    const struct run *run = bench_live(registry, "c");
    bench_assert_event(registry, 0, EVENT_RUN_PLACED, "c", NULL);
    assert_string_equal(run->draft, TEXT);
    assert_true(run->task_created == 0 && run->draft_len == strlen(TEXT));
    ASSERT_REFUSED(bench_create(registry, "c"), ERR_EXISTS);
    ASSERT_REFUSED(bench_put(registry, "c", TEXT), ERR_EXISTS);
    ASSERT_REFUSED(try(registry, "c", RUN_TRIAL), ERR_EXISTS);
    ASSERT_REFUSED(try(registry, "a", RUN_TRIAL), ERR_EXISTS);
    ASSERT_REFUSED(try(registry, "d", RUN_APPLY), ERR_INVALID);
    ASSERT_REFUSED(bench_drop(registry, "c"), ERR_NOT_FOUND);
    uint64_t id = run->id;
    assert_int_equal(bench_end(registry, id, RUN_SUCCESS), 0);
    bench_assert_event(registry, 1, EVENT_RUN_ENDED, "c", NULL);
    bench_assert_event(registry, 0, EVENT_TASK_CREATED, "c", "{\"enabled\":false}");
    assert_int_equal(bench_task(registry, "c")->created, registry_sequence(registry));
    assert_string_equal(bench_task(registry, "c")->text, TEXT);
    assert_false(bench_task(registry, "c")->enabled);
    run = registry_run(registry, id);
    assert_int_equal(run->task_created, bench_task(registry, "c")->created);
    assert_true(run->draft_len == 0 && run->draft[0] == '\0');
    bench_assert_statuses(registry, 1, 0, 0, 2);
}

static void a_trial_that_fails_leaves_nothing_but_itself(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(try(registry, "c", RUN_TRIAL), 0);
    assert_int_equal(bench_end(registry, bench_live(registry, "c")->id, RUN_FAILED), 0);
    assert_int_equal(try(registry, "c", RUN_TRIAL_INSPECT), 0);
    assert_int_equal(bench_end(registry, bench_live(registry, "c")->id, RUN_SUCCESS),
                     0);
    assert_null(bench_task(registry, "c"));
    assert_int_equal(registry_run_count(registry), 2);
    assert_int_equal(bench_create(registry, "c"), 0);
    assert_int_equal(registry_task_status(registry, bench_task(registry, "c")),
                     TASK_STATUS_UNKNOWN);
    bench_assert_statuses(registry, 0, 0, 0, 3);
}

/* --- status and what is kept --------------------------------------------------------
 */

static void a_status_is_that_of_the_ends_that_are_kept(void **state)
{
    struct registry *registry = *state;
    bench_assert_statuses(registry, 0, 0, 0, 2);
    bench_run_once(registry, "a", RUN_FAILED);
    bench_assert_statuses(registry, 0, 1, 0, 1);
    bench_run_once(registry, "a", RUN_SUCCESS);
    bench_assert_statuses(registry, 1, 0, 0, 1);
    bench_run_once(registry, "a",
                   RUN_TIMED_OUT); /* the second bad one, if not in a row */
    bench_assert_statuses(registry, 0, 0, 1, 1);
    uint64_t id = bench_place(registry, "a", RUN_INSPECT);
    assert_int_equal(bench_end(registry, id, RUN_SUCCESS), 0);
    bench_assert_statuses(registry, 0, 0, 1, 1); /* an inspection is no event */
    for (int i = 0; i < 4; i++) {
        bench_run_once(registry, "a", RUN_SUCCESS);
    }
    bench_run_once(registry, "a", RUN_FAILED); /* the first two bad ones are gone */
    bench_assert_statuses(registry, 0, 1, 0, 1);
    struct map_cursor cursor;
    registry_task_event_seek(registry, bench_task(registry, "a"), &cursor);
    for (uint64_t i = 0; i < 5; i++) {
        const struct run *run =
            registry_task_event_next(&cursor, bench_task(registry, "a"));
        assert_int_equal(run->outcome, i == 0 ? RUN_FAILED : RUN_SUCCESS);
    }
    assert_null(registry_task_event_next(&cursor, bench_task(registry, "a")));
    assert_int_equal(bench_drop(registry, "a"), 0);
    bench_assert_statuses(registry, 0, 0, 0, 1);
    assert_int_equal(bench_create(registry, "a"), 0); /* another one of that name */
    bench_assert_statuses(registry, 0, 0, 0, 2);
    bench_run_once(registry, "a", RUN_FAILED);
    bench_assert_statuses(registry, 0, 1, 0, 1);
}

static void an_inspection_pushes_no_end_out(void **state)
{
    struct registry *registry = *state;
    uint64_t first = bench_run_once(registry, "a", RUN_SUCCESS);
    for (int i = 0; i < 20; i++) {
        uint64_t id = bench_place(registry, "a", RUN_INSPECT);
        assert_int_equal(bench_end(registry, id, RUN_FAILED), 0);
    }
    assert_non_null(registry_run(registry, first));
    assert_int_equal(registry_run_count(registry), 6);
    bench_assert_statuses(registry, 1, 0, 0, 1);
}

static void a_lower_bound_lets_the_oldest_go_some_at_a_time(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(bench_set(registry, "task_events", 100), 0);
    for (int i = 0; i < 100; i++) {
        bench_run_once(registry, "a", i == 0 ? RUN_SUCCESS : RUN_FAILED);
    }
    assert_int_equal(registry_run_count(registry), 100);
    assert_int_equal(bench_set(registry, "task_events", 1), 0);
    bench_assert_statuses(registry, 0, 0, 1, 1); /* as long as they are kept */
    for (int i = 1; i <= 6; i++) {
        bench_run_once(registry, "a", RUN_FAILED);
        assert_int_equal(registry_run_count(registry), 101 + i - 1 - 16 * i);
    }
    bench_run_once(registry, "a", RUN_FAILED);
    assert_int_equal(registry_run_count(registry), 1);
    bench_assert_statuses(registry, 0, 1, 0, 1);
}

static void no_more_are_kept_than_the_setting_says(void **state)
{
    struct registry *registry = *state;
    char name[16];
    assert_int_equal(bench_set(registry, "runs_max_count", 100), 0);
    uint64_t first = bench_run_once(registry, "a", RUN_SUCCESS);
    uint64_t still_live = bench_place(registry, "b", RUN_APPLY);
    for (int i = 0; i < 99; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(bench_create(registry, name), 0);
        bench_run_once(registry, name, RUN_SUCCESS);
    }
    assert_non_null(registry_run(registry, first));
    bench_assert_statuses(registry, 100, 0, 0, 1);
    assert_int_equal(bench_end(registry, still_live, RUN_SUCCESS), 0);
    assert_null(registry_run(registry, first)); /* that ended first, so goes first */
    assert_non_null(registry_run(registry, still_live));
    bench_assert_statuses(registry, 100, 0, 0, 1);
    assert_int_equal(registry_run_count(registry), 100);
}

static void runs_are_walked_by_number_and_by_name(void **state)
{
    struct registry *registry = *state;
    struct map_cursor cursor;
    assert_int_equal(bench_create(registry, "aa"), 0);
    uint64_t first = bench_run_once(registry, "a", RUN_SUCCESS);
    uint64_t other = bench_run_once(registry, "aa", RUN_SUCCESS);
    uint64_t second = bench_place(registry, "a", RUN_APPLY);
    registry_run_seek(registry, first + 1, &cursor);
    assert_int_equal(registry_run_next(&cursor)->id, other);
    assert_int_equal(registry_run_next(&cursor)->id, second);
    assert_null(registry_run_next(&cursor));
    registry_task_run_seek(registry, "a", 1, &cursor);
    assert_int_equal(registry_task_run_next(&cursor, "a", 1)->id, second);
    assert_int_equal(registry_task_run_next(&cursor, "a", 1)->id, first);
    assert_null(registry_task_run_next(&cursor, "a", 1));
    registry_live_seek(registry, &cursor);
    assert_int_equal(registry_live_next(&cursor)->id, second);
    assert_null(registry_live_next(&cursor));
}

/* --- the whole state ----------------------------------------------------------------
 */

static void a_frozen_view_keeps_its_runs(void **state)
{
    struct registry *registry = *state;
    uint64_t id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(bench_due(registry, "b", 1, 1), 0);
    struct digest before = registry_digest(registry);
    const struct registry *frozen = registry_freeze(registry);
    assert_int_equal(bench_end(registry, id, RUN_FAILED), 0);
    assert_int_equal(bench_enable(registry, "b", false), 0);
    assert_true(digest_equal(registry_digest(frozen), before));
    assert_false(digest_equal(registry_digest(registry), before));
    assert_int_equal(registry_run(frozen, id)->state, RUN_PENDING);
    assert_int_equal(bench_live(frozen, "a")->id, id);
    assert_int_equal(registry_due_count(frozen), 1);
    bench_assert_statuses(frozen, 0, 0, 0, 2);
    registry_thaw(frozen);
}

static void in_a_new_cluster_no_run_is_live(void **state)
{
    struct registry *registry = *state;
    uint64_t first = bench_place(registry, "b", RUN_APPLY);
    uint64_t second = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(try(registry, "c", RUN_TRIAL), 0);
    assert_int_equal(bench_drop(registry, "a"), 0);
    assert_int_equal(bench_create(registry, "d"), 0);
    assert_int_equal(bench_due(registry, "d", 5, 5), 0);
    assert_int_equal(bench_fire(registry, "b", 0, 5, false), 0);
    uint64_t clock_ms = registry_clock_ms(registry);
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(registry_recover(registry, &somebody), 0);
    assert_int_equal(registry_sequence(registry), sequence + REGISTRY_EPOCH + 5);
    bench_assert_event(registry, 4, EVENT_CLUSTER_RECOVERED, "", NULL);
    bench_assert_event(registry, 3, EVENT_RUN_ENDED, "a", NULL);
    bench_assert_event(registry, 2, EVENT_TASK_DELETED, "a", NULL);
    bench_assert_event(registry, 1, EVENT_RUN_ENDED, "b", NULL);
    bench_assert_event(registry, 0, EVENT_RUN_ENDED, "c", NULL);
    assert_int_equal(registry_live_count(registry), 0);
    assert_null(bench_task(registry, "a"));
    assert_int_equal(registry_run(registry, first)->outcome, RUN_LOST);
    assert_int_equal(registry_run(registry, second)->outcome, RUN_LOST);
    assert_int_equal(registry_task_due_mark(registry, bench_task(registry, "d"))->at_ms,
                     5);
    assert_int_equal(registry_task_next_fire(registry, bench_task(registry, "b")), 5);
    /* What was interrupted is due again, when what may be alive of it has ended. */
    const struct moment *due =
        registry_task_due_mark(registry, bench_task(registry, "b"));
    assert_int_equal(due->at_ms, clock_ms);
    assert_int_equal(due->cause, RUN_CAUSE_FAILOVER);
    assert_int_equal(registry_due_count(registry), 2);
    assert_int_equal(registry_runs_from_ms(registry), clock_ms + 9000 + 90 + 1000);
    bench_assert_statuses(registry, 0, 1, 0, 1);
}

/* As the longest of the runs there were, for nobody asks their nodes any more. */
static void runs_of_a_new_cluster_wait_for_the_longest_lease(void **state)
{
    struct registry *registry = *state;
    struct run_order order = bench_order("a");
    order.lease_ms = 60000;
    order.grace_ms = 1;
    bench_place(registry, "b", RUN_APPLY);
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
    struct digest digest = registry_digest(registry);
    assert_int_equal(registry_runs_from_ms(registry), 0);
    assert_int_equal(registry_recover(registry, &somebody), 0);
    assert_int_equal(registry_runs_from_ms(registry),
                     registry_clock_ms(registry) + 60001 + 601 + 1000);
    assert_false(digest_equal(digest, registry_digest(registry)));
    const struct registry *frozen = registry_freeze(registry);
    assert_int_equal(registry_runs_from_ms(frozen), registry_runs_from_ms(registry));
    registry_thaw(frozen);
}

static void below_their_level_no_runs_are_waited_for(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    registry_tick(registry, 1000);
    registry_level_set(registry, 2);
    assert_int_equal(registry_recover(registry, &somebody), 0);
    assert_int_equal(registry_runs_from_ms(registry), 0);
    registry_free(registry);
}

static void the_moves_are_those_of_the_table(void **state)
{
    (void)state;
    static const char *const moves[] = {"12", "13", "14", "23", "24", "34"};
    for (int from = RUN_PENDING; from <= RUN_ENDED; from++) {
        for (int to = RUN_PENDING; to <= RUN_ENDED; to++) {
            bool is_there = false;
            for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
                is_there =
                    is_there || (moves[i][0] == '0' + from && moves[i][1] == '0' + to);
            }
            assert_int_equal(run_may_move((enum run_state)from, (enum run_state)to),
                             is_there);
        }
    }
    assert_int_equal(run_state_from("running", 7), RUN_RUNNING);
    assert_int_equal(run_state_from("runnin", 6), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_is_placed_begun_and_ended),
        CASE(a_start_is_refused_for_a_reason),
        cmocka_unit_test(below_its_level_there_is_no_run),
        CASE(only_its_node_reports_a_run),
        CASE(one_that_is_to_stop_ends_once),
        CASE(an_end_keeps_the_beginning_of_a_long_text),
        CASE(a_lost_run_is_wanted_again),
        CASE(what_nobody_interrupted_is_not_wanted_again),
        CASE(a_drained_run_moves),
        CASE(a_task_with_a_live_run_goes_when_that_has_ended),
        CASE(a_trial_that_succeeds_makes_its_task),
        CASE(a_trial_that_fails_leaves_nothing_but_itself),
        CASE(a_status_is_that_of_the_ends_that_are_kept),
        CASE(an_inspection_pushes_no_end_out),
        CASE(a_lower_bound_lets_the_oldest_go_some_at_a_time),
        CASE(no_more_are_kept_than_the_setting_says),
        CASE(runs_are_walked_by_number_and_by_name),
        CASE(a_frozen_view_keeps_its_runs),
        CASE(in_a_new_cluster_no_run_is_live),
        CASE(runs_of_a_new_cluster_wait_for_the_longest_lease),
        cmocka_unit_test(below_their_level_no_runs_are_waited_for),
        cmocka_unit_test(the_moves_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
