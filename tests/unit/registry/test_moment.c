/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of due marks and next fires in the registry, one at a time. */
#include "unit/registry/run_bench.h"

#include <stdio.h>
#include <string.h>

static void a_due_mark_is_put_off_no_further_than_the_first_one_says(void **state)
{
    struct registry *registry = *state;
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(bench_due(registry, "a", 1500, 2000), 0);
    assert_int_equal(bench_due(registry, "a", 1900, 2400), 0);
    const struct task *a = bench_task(registry, "a");
    assert_int_equal(registry_task_due_mark(registry, a)->at_ms, 1900);
    assert_int_equal(bench_due(registry, "a", 2300, 2800), 0);
    assert_int_equal(registry_task_due_mark(registry, a)->at_ms, 2000);
    assert_int_equal(registry_task_due_mark(registry, a)->until_ms, 2000);
    assert_int_equal(bench_due(registry, "a", 1000, 1000), 0); /* at once after all */
    assert_int_equal(registry_task_due_mark(registry, a)->at_ms, 1000);
    assert_int_equal(bench_due(registry, "b", 900, 0), 0);
    assert_int_equal(
        registry_task_due_mark(registry, bench_task(registry, "b"))->until_ms, 900);
    struct map_cursor cursor;
    registry_due_seek(registry, &cursor);
    assert_string_equal(
        registry_task_of(registry, registry_due_next(&cursor)->task)->name, "b");
    assert_string_equal(
        registry_task_of(registry, registry_due_next(&cursor)->task)->name, "a");
    assert_null(registry_due_next(&cursor));
    assert_int_equal(registry_sequence(registry), sequence);
}

static void who_is_not_there_or_disabled_is_not_due(void **state)
{
    struct registry *registry = *state;
    ASSERT_REFUSED(bench_due(registry, "c", 1, 1), ERR_NOT_FOUND);
    struct due_order order = {.task = "a", .task_len = 1, .cause = 9};
    ASSERT_REFUSED(registry_task_due(registry, &order), ERR_INVALID);
    order.cause = RUN_CAUSE_CLIENT;
    order.created = bench_task(registry, "b")->created;
    ASSERT_REFUSED(registry_task_due(registry, &order), ERR_PRECONDITION);
    order.created = bench_task(registry, "a")->created;
    assert_int_equal(registry_task_due(registry, &order), 0);
    assert_int_equal(bench_enable(registry, "a", false), 0);
    assert_int_equal(registry_due_count(registry), 0);
    ASSERT_REFUSED(registry_task_due(registry, &order), ERR_CONFLICT);
    assert_int_equal(bench_due(registry, "b", 1, 1), 0);
    struct task_draft draft = bench_draft("b", TEXT, false);
    struct task_match any = {TASK_CONDITION_NONE, 0};
    assert_int_equal(registry_task_put(registry, &somebody, &draft, false, &any), 0);
    assert_int_equal(registry_due_count(registry), 0);
}

static void a_run_ends_what_its_task_was_due_for(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(bench_due(registry, "a", 1, 1), 0);
    uint64_t id = bench_place(registry, "a", RUN_INSPECT); /* that is no run of it */
    assert_int_equal(bench_end(registry, id, RUN_SUCCESS), 0);
    assert_int_equal(registry_due_count(registry), 1);
    id = bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_due_count(registry), 0);
    assert_int_equal(bench_due(registry, "a", 2, 2),
                     0); /* changes that came meanwhile */
    assert_int_equal(bench_due(registry, "a", 3, 3), 0);
    assert_int_equal(bench_end(registry, id, RUN_SUCCESS), 0);
    assert_int_equal(registry_due_count(registry), 1);
}

static void a_schedule_fires_once_at_each_time(void **state)
{
    struct registry *registry = *state;
    const struct task *a = bench_task(registry, "a");
    ASSERT_REFUSED(bench_fire(registry, "c", 0, 1, false), ERR_NOT_FOUND);
    ASSERT_REFUSED(bench_fire(registry, "a", 5, 60000, true), ERR_PRECONDITION);
    assert_int_equal(bench_fire(registry, "a", 0, 60000, false), 0);
    assert_int_equal(registry_task_next_fire(registry, a), 60000);
    assert_int_equal(registry_due_count(registry), 0);
    ASSERT_REFUSED(bench_fire(registry, "a", 0, 60000, false), ERR_PRECONDITION);
    assert_int_equal(bench_fire(registry, "a", 60000, 120000, true), 0);
    const struct moment *mark = registry_task_due_mark(registry, a);
    assert_true(mark->at_ms == 1000 && mark->cause == RUN_CAUSE_SCHEDULE);
    ASSERT_REFUSED(bench_fire(registry, "a", 60000, 120000, true), ERR_PRECONDITION);
    bench_place(registry, "a", RUN_APPLY);
    assert_int_equal(bench_fire(registry, "a", 120000, 180000, true), 0);
    assert_int_equal(registry_due_count(registry), 0); /* a run is live: skipped */
    assert_int_equal(bench_fire(registry, "b", 0, 70000, false), 0);
    struct map_cursor cursor;
    registry_fire_seek(registry, &cursor);
    assert_int_equal(registry_fire_next(&cursor)->task,
                     bench_task(registry, "b")->created);
    assert_int_equal(registry_fire_next(&cursor)->task, a->created);
    assert_null(registry_fire_next(&cursor));
    assert_int_equal(bench_enable(registry, "b", false), 0);
    assert_int_equal(bench_fire(registry, "b", 70000, 80000, true), 0);
    assert_int_equal(registry_due_count(registry), 0); /* disabled: skipped */
    assert_int_equal(bench_put(registry, "b", "{\"module\":\"x\"}"), 0);
    assert_int_equal(registry_task_next_fire(registry, bench_task(registry, "b")), 0);
    assert_int_equal(bench_fire(registry, "a", 180000, 0, false), 0);
    assert_int_equal(registry_task_next_fire(registry, bench_task(registry, "a")), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_due_mark_is_put_off_no_further_than_the_first_one_says),
        CASE(who_is_not_there_or_disabled_is_not_due),
        CASE(a_run_ends_what_its_task_was_due_for),
        CASE(a_schedule_fires_once_at_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
