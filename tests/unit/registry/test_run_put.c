/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a task with a run of it: both, or neither. */
#include "unit/registry/run_bench.h"

#include <string.h>

#define OTHER "{\"condition\":{},\"module\":\"other\"}"

static const struct task_match any = {.condition = TASK_CONDITION_NONE};

struct put {
    const char *name;
    bool enabled;
    bool keep_enabled;
    uint64_t base;
    struct task_match match;
    enum run_purpose purpose;
    uint64_t node;
};

static int put(struct registry *registry, const struct put *asked)
{
    struct task_draft draft = {
        .name = asked->name,
        .name_len = strlen(asked->name),
        .text = OTHER,
        .text_len = strlen(OTHER),
        .enabled_at = 1,
        .enabled = asked->enabled,
    };
    struct run_order order = bench_order("");
    order.purpose = (uint32_t)asked->purpose;
    order.node = asked->node;
    struct run_put wanted = {&draft, asked->keep_enabled, asked->base, asked->match};
    return registry_run_put(registry, &somebody, &wanted, &order);
}

static int enable(struct registry *registry, const char *name, bool enabled,
                  const struct task_match *match)
{
    struct run_order order = bench_order(name);
    return registry_run_enable(registry, &somebody, enabled, match, &order);
}

static void what_is_stored_is_what_runs(void **state)
{
    struct registry *registry = *state;
    uint64_t sequence = registry_sequence(registry);
    struct put asked = {"a", true, false, 0, any, RUN_APPLY, NODE};
    assert_int_equal(put(registry, &asked), 0);
    bench_assert_event(registry, 1, EVENT_TASK_UPDATED, "a", NULL);
    bench_assert_event(registry, 0, EVENT_RUN_PLACED, "a", NULL);
    const struct run *run = bench_live(registry, "a");
    assert_int_equal(run->id, sequence + 2);
    assert_true(run->purpose == RUN_APPLY && run->draft_len == 0);
    assert_int_equal(run->task_created, bench_task(registry, "a")->created);
    assert_non_null(strstr(run->config, "other"));
    assert_string_equal(bench_task(registry, "a")->text, OTHER);
    /* the same text again is no change, and a run all the same */
    assert_int_equal(bench_end(registry, run->id, RUN_SUCCESS), 0);
    sequence = registry_sequence(registry);
    assert_int_equal(put(registry, &asked), 0);
    assert_int_equal(registry_sequence(registry), sequence + 1);
    assert_int_equal(bench_live(registry, "a")->id, sequence + 1);
}

static void a_task_that_is_due_is_not_any_more(void **state)
{
    struct registry *registry = *state;
    struct put asked = {"a", true, false, 0, any, RUN_INSPECT, NODE};
    assert_int_equal(bench_due(registry, "a", 5, 5), 0);
    assert_int_equal(put(registry, &asked), 0);
    assert_non_null(registry_task_due_mark(registry, bench_task(registry, "a")));
    assert_int_equal(bench_end(registry, bench_live(registry, "a")->id, RUN_SUCCESS),
                     0);
    asked.purpose = RUN_APPLY;
    assert_int_equal(put(registry, &asked), 0);
    assert_null(registry_task_due_mark(registry, bench_task(registry, "a")));
}

static void where_there_is_no_task_it_is_tried(void **state)
{
    struct registry *registry = *state;
    struct put asked = {"c", true, true, 0, any, RUN_APPLY, NODE};
    assert_int_equal(put(registry, &asked), 0);
    const struct run *run = bench_live(registry, "c");
    assert_int_equal(run->purpose, RUN_TRIAL);
    assert_null(bench_task(registry, "c"));
    assert_int_equal(bench_end(registry, run->id, RUN_SUCCESS), 0);
    assert_string_equal(bench_task(registry, "c")->text, OTHER);
    asked.name = "d";
    asked.enabled = false;
    assert_int_equal(put(registry, &asked), 0);
    bench_assert_event(registry, 0, EVENT_TASK_CREATED, "d", "{\"enabled\":false}");
    assert_null(bench_live(registry, "d"));
    asked.name = "e";
    asked.purpose = RUN_INSPECT;
    ASSERT_REFUSED(put(registry, &asked), 0); /* nothing is to be inspected */
    asked.enabled = true;
    assert_int_equal(put(registry, &asked), 0);
    assert_int_equal(bench_live(registry, "e")->purpose, RUN_TRIAL_INSPECT);
}

static void an_inspection_carries_what_would_be(void **state)
{
    struct registry *registry = *state;
    uint64_t revision = bench_task(registry, "a")->revision;
    struct put asked = {"a", false, true, 0, any, RUN_INSPECT, NODE};
    assert_int_equal(put(registry, &asked), 0);
    const struct run *run = bench_live(registry, "a");
    assert_string_equal(run->draft, OTHER);
    assert_true(run->purpose == RUN_INSPECT && run_sound(run));
    assert_int_equal(run->task_created, bench_task(registry, "a")->created);
    uint64_t id = run->id;
    assert_int_equal(bench_end(registry, id, RUN_SUCCESS), 0);
    run = registry_run(registry, id);
    assert_true(run->draft_len == 0 && run_sound(run));
    assert_int_equal(bench_task(registry, "a")->revision, revision);
    bench_assert_statuses(registry, 0, 0, 0, 2);
    asked.keep_enabled = false;
    ASSERT_REFUSED(put(registry, &asked), 0);
}

static void what_is_disabled_has_succeeded_at_once(void **state)
{
    struct registry *registry = *state;
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(enable(registry, "a", false, &any), 0);
    bench_assert_event(registry, 2, EVENT_TASK_DISABLED, "a", "{}");
    bench_assert_event(registry, 1, EVENT_RUN_PLACED, "a", NULL);
    bench_assert_event(registry, 0, EVENT_RUN_ENDED, "a", NULL);
    assert_int_equal(registry_sequence(registry), sequence + 3);
    const struct run *run = registry_run(registry, sequence + 2);
    assert_true(run->state == RUN_ENDED && run->outcome == RUN_SUCCESS);
    assert_string_equal(run->text, "the task is disabled: nothing was run");
    assert_int_equal(run->started_ms, somebody.wall_ms);
    assert_true(run_sound(run) && run_is_event(run));
    assert_null(bench_live(registry, "a"));
    bench_assert_statuses(registry, 1, 0, 0, 1);
    struct put asked = {"b", false, false, 0, any, RUN_APPLY, NODE};
    assert_int_equal(put(registry, &asked), 0);
    bench_assert_statuses(registry, 2, 0, 0, 0);
}

static void enabling_runs(void **state)
{
    struct registry *registry = *state;
    struct task_match match = {TASK_CONDITION_REVISION, 0};
    assert_int_equal(bench_enable(registry, "a", false), 0);
    ASSERT_REFUSED(enable(registry, "a", true, &match), ERR_PRECONDITION);
    match.revision = bench_task(registry, "a")->revision;
    assert_int_equal(enable(registry, "a", true, &match), 0);
    bench_assert_event(registry, 1, EVENT_TASK_ENABLED, "a", "{}");
    assert_int_equal(bench_live(registry, "a")->purpose, RUN_APPLY);
    ASSERT_REFUSED(enable(registry, "a", true, &any), ERR_CONFLICT);
    ASSERT_REFUSED(enable(registry, "c", true, &any), ERR_NOT_FOUND);
}

static void both_are_refused_together(void **state)
{
    struct registry *registry = *state;
    struct put asked = {"a", true, false, 0, any, RUN_APPLY, NODE};
    const struct put fine = asked;
    asked.purpose = RUN_TRIAL;
    ASSERT_REFUSED(put(registry, &asked), ERR_INVALID);
    asked = fine;
    asked.match.condition = 4;
    ASSERT_REFUSED(put(registry, &asked), ERR_INVALID);
    asked.match.condition = TASK_CONDITION_ABSENT;
    ASSERT_REFUSED(put(registry, &asked), ERR_PRECONDITION);
    asked = fine;
    asked.base = 99;
    ASSERT_REFUSED(put(registry, &asked), ERR_CONFLICT);
    asked.name = "c";
    ASSERT_REFUSED(put(registry, &asked), ERR_NOT_FOUND);
    asked = fine;
    asked.node = 78;
    ASSERT_REFUSED(put(registry, &asked), ERR_BUSY);
    asked.node = 0;
    ASSERT_REFUSED(put(registry, &asked), ERR_INVALID);
    struct run_order order = bench_order("b");
    order.node = 78;
    ASSERT_REFUSED(registry_run_enable(registry, &somebody, true, &any, &order),
                   ERR_BUSY);
    order.node = 0;
    ASSERT_REFUSED(registry_run_enable(registry, &somebody, true, &any, &order),
                   ERR_INVALID);
    bench_place(registry, "a", RUN_APPLY);
    ASSERT_REFUSED(put(registry, &fine), ERR_CONFLICT);
    assert_int_equal(bench_drop(registry, "a"), 0);
    ASSERT_REFUSED(put(registry, &fine), ERR_CONFLICT);
}

static void below_its_level_there_is_neither(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    registry_level_set(registry, 2);
    assert_int_equal(bench_create(registry, "a"), 0);
    struct put asked = {"a", true, false, 0, any, RUN_APPLY, NODE};
    ASSERT_REFUSED(put(registry, &asked), ERR_LEVEL);
    ASSERT_REFUSED(enable(registry, "a", true, &any), ERR_LEVEL);
    registry_free(registry);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_stored_is_what_runs),
        TEST(a_task_that_is_due_is_not_any_more),
        TEST(where_there_is_no_task_it_is_tried),
        TEST(an_inspection_carries_what_would_be),
        TEST(what_is_disabled_has_succeeded_at_once),
        TEST(enabling_runs),
        TEST(both_are_refused_together),
        cmocka_unit_test(below_its_level_there_is_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
