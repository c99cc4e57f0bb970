/* SPDX-License-Identifier: Apache-2.0 */
/* When tasks are due: by changes, with their buffer periods and while a run is live,
 * and by their schedules. What a trigger and the leader's loops do is done by hand
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "json/task_json.h"
#include "json/task_view.h"
#include "registry/registry.h"

#define NODE 7

static const struct change somebody = {.wall_ms = 1, .request_id = "r", .actor = ""};

static int task_make(struct registry *registry, const char *members)
{
    char body[512];
    snprintf(body, sizeof body, "{\"name\":\"t\",\"module\":\"./m\",%s}", members);
    struct task_json json;
    assert_int_equal(
        task_json_create_bare(body, strlen(body), &task_defaults_standard, &json, NULL),
        0);
    static const struct task_match any = {0};
    int rc = registry_task_put(registry, &somebody, &json.draft, true, &any);
    task_json_close(&json);
    return rc;
}

#define SERVICES   "\"condition\":{\"services\":{\"names\":[\"web\"]}}"
#define CRON(line) "\"condition\":{\"schedule\":{\"cron\":\"" line "\"}}"

/* A registry with a member, at replicated time 1000, and task t. */
static struct registry *registry_with(const char *members)
{
    struct registry *registry = registry_new();
    struct member_draft member = {NODE, 3, "n1", "", "", ""};
    registry_level_set(registry, 3);
    assert_int_equal(registry_member_set(registry, &somebody, &member), 0);
    registry_tick(registry, 1000);
    assert_int_equal(task_make(registry, members), 0);
    return registry;
}

static void done(struct registry *registry)
{
    registry_free(registry);
    map_reap(SIZE_MAX);
}

static const struct task *the_task(const struct registry *registry)
{
    return registry_task(registry, "t", 1);
}

/* What a trigger does when it sees a change. */
static int change_seen(struct registry *registry)
{
    struct due_times times = due_times(the_task(registry), registry_clock_ms(registry));
    struct due_order order = {
        .task = "t",
        .task_len = 1,
        .created = the_task(registry)->created,
        .cause = RUN_CAUSE_CHANGE,
        .at_ms = times.at_ms,
        .until_ms = times.until_ms,
    };
    return registry_task_due(registry, &order);
}

static void assert_due_at(const struct registry *registry, uint64_t at_ms)
{
    const struct moment *mark = registry_task_due_mark(registry, the_task(registry));
    assert_non_null(mark);
    assert_int_equal(mark->at_ms, at_ms);
    assert_int_equal(registry_due_count(registry), 1);
}

static void run_begins(struct registry *registry)
{
    struct run_order order = {
        .task = "t",
        .task_len = 1,
        .node = NODE,
        .cause = RUN_CAUSE_CHANGE,
        .purpose = RUN_APPLY,
        .lease_ms = 4000,
        .grace_ms = 5000,
        .tries = 1,
    };
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
}

static void run_ends(struct registry *registry)
{
    struct run_report report = {
        .run = registry_live_run(registry, "t", 1)->id,
        .node = NODE,
        .outcome = RUN_SUCCESS,
        .text = "",
    };
    assert_int_equal(registry_run_end(registry, &somebody, &report), 0);
}

static int fire(struct registry *registry, uint64_t expected_ms, uint64_t next_ms,
                bool due)
{
    struct fire_order order = {
        .task = "t",
        .task_len = 1,
        .created = the_task(registry)->created,
        .expected_ms = expected_ms,
        .next_ms = next_ms,
        .due = due,
    };
    return registry_task_fire(registry, &order);
}

static void changes_are_let_settle_but_not_for_ever(void **state)
{
    (void)state;
    struct registry *registry =
        registry_with(SERVICES ",\"buffer_period\":{\"min\":\"5s\",\"max\":\"20s\"}");
    assert_int_equal(change_seen(registry), 0);
    assert_due_at(registry, 6000); /* 5 s of quiet */
    registry_tick(registry, 3000);
    assert_int_equal(change_seen(registry), 0);
    assert_due_at(registry, 8000);
    for (uint64_t ms = 4000; ms <= 20000; ms += 1000) { /* never quiet */
        registry_tick(registry, ms);
        assert_int_equal(change_seen(registry), 0);
    }
    assert_due_at(registry, 21000); /* 20 s after the first */
    run_begins(registry);
    assert_int_equal(registry_due_count(registry), 0);
    run_ends(registry);
    registry_tick(registry, 30000);
    assert_int_equal(change_seen(registry), 0);
    assert_due_at(registry, 35000); /* it all begins anew */
    done(registry);
}

static void without_a_buffer_a_run_is_wanted_at_once(void **state)
{
    (void)state;
    struct registry *registry =
        registry_with(SERVICES ",\"buffer_period\":{\"enabled\":false}");
    assert_int_equal(change_seen(registry), 0);
    registry_tick(registry, 1010);
    assert_int_equal(change_seen(registry), 0);
    assert_due_at(registry, 1000 + DUE_SETTLE_MS);
    done(registry);
}

/* However many changes come while a run is live, and however often it happens. */
static void changes_during_a_run_have_exactly_one_run_follow(void **state)
{
    (void)state;
    struct registry *registry = registry_with(SERVICES);
    uint64_t clock_ms = 1000;
    assert_int_equal(change_seen(registry), 0);
    for (int round = 0; round < 5; round++) {
        run_begins(registry);
        assert_int_equal(registry_due_count(registry), 0);
        for (int i = 0; i < 10; i++) {
            registry_tick(registry, clock_ms += 100);
            assert_int_equal(change_seen(registry), 0);
            assert_int_equal(registry_due_count(registry), 1);
        }
        run_ends(registry);
        assert_int_equal(registry_due_count(registry), 1);
    }
    run_begins(registry);
    run_ends(registry);
    assert_int_equal(registry_due_count(registry), 0); /* and none follows that one */
    done(registry);
}

static void a_fire_is_taken_once(void **state)
{
    (void)state;
    struct registry *registry = registry_with(CRON("@hourly"));
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(fire(registry, 5, 10, false), ERR_PRECONDITION); /* no row yet */
    assert_int_equal(fire(registry, 0, 3600000, false), 0);
    assert_int_equal(fire(registry, 0, 3600000, false), ERR_PRECONDITION);
    assert_int_equal(registry_due_count(registry), 0);
    assert_int_equal(fire(registry, 3600000, 7200000, true), 0);
    assert_due_at(registry, 1000); /* now */
    assert_int_equal(fire(registry, 3600000, 7200000, true), ERR_PRECONDITION);
    run_begins(registry);
    run_ends(registry);
    assert_int_equal(registry_due_count(registry), 0);
    assert_int_equal(registry_task_next_fire(registry, the_task(registry)), 7200000);
    assert_int_equal(sequence + 2, registry_sequence(registry)); /* the run's events */
    assert_int_equal(fire(registry, 7200000, 0, false), 0);
    assert_int_equal(registry_task_next_fire(registry, the_task(registry)), 0);
    done(registry);
}

static void a_fire_during_a_run_is_skipped_or_caught_up_with_once(void **state)
{
    (void)state;
    for (uint64_t catch_up = 0; catch_up <= 1; catch_up++) {
        struct registry *registry = registry_with(CRON("@hourly"));
        assert_int_equal(
            registry_setting_set(registry, &somebody, "catch_up", 8, catch_up), 0);
        assert_int_equal(fire(registry, 0, 10, true), 0);
        run_begins(registry);
        assert_int_equal(fire(registry, 10, 20, true), 0);
        assert_int_equal(fire(registry, 20, 30, true), 0);
        assert_int_equal(registry_due_count(registry), catch_up);
        run_ends(registry);
        assert_int_equal(registry_due_count(registry), catch_up);
        done(registry);
    }
}

static void a_disabled_task_does_not_fire(void **state)
{
    (void)state;
    struct registry *registry = registry_with(CRON("@hourly"));
    assert_int_equal(fire(registry, 0, 10, false), 0);
    assert_int_equal(registry_task_enable(registry, &somebody, "t", 1, false), 0);
    assert_int_equal(fire(registry, 10, 20, true), 0);
    assert_int_equal(registry_due_count(registry), 0);
    assert_int_equal(change_seen(registry), ERR_CONFLICT);
    done(registry);
}

static void another_text_is_another_schedule(void **state)
{
    (void)state;
    struct registry *registry = registry_with(CRON("@hourly"));
    assert_int_equal(fire(registry, 0, 10, false), 0);
    assert_int_equal(task_make(registry, CRON("@hourly")), 0); /* nothing differs */
    assert_int_equal(registry_task_next_fire(registry, the_task(registry)), 10);
    assert_int_equal(task_make(registry, CRON("@daily")), 0);
    assert_int_equal(registry_task_next_fire(registry, the_task(registry)), 0);
    assert_int_equal(fire(registry, 10, 20, true), ERR_PRECONDITION);
    /* Nor is one of the same name and text that was created again the same. */
    assert_int_equal(fire(registry, 0, 10, false), 0);
    uint64_t created = the_task(registry)->created;
    assert_int_equal(registry_task_delete(registry, &somebody, "t", 1), 0);
    assert_int_equal(task_make(registry, CRON("@daily")), 0);
    assert_int_equal(registry_task_next_fire(registry, the_task(registry)), 0);
    struct fire_order late = {"t", 1, created, 0, 10, true, 5};
    assert_int_equal(registry_task_fire(registry, &late), ERR_PRECONDITION);
    done(registry);
}

static void another_zone_is_another_time_for_all(void **state)
{
    (void)state;
    struct registry *registry = registry_with(CRON("0 3 * * *"));
    struct digest before = registry_digest(registry);
    assert_string_equal(registry_zone(registry), "UTC");
    assert_int_equal(fire(registry, 0, 10, false), 0);
    assert_int_equal(registry_zone_set(registry, &somebody, "UTC", 3), 0);
    assert_int_equal(registry_task_next_fire(registry, the_task(registry)), 10);
    assert_int_equal(registry_zone_set(registry, &somebody, "Asia/Tokyo", 10), 0);
    assert_string_equal(registry_zone(registry), "Asia/Tokyo");
    assert_int_equal(registry_task_next_fire(registry, the_task(registry)), 0);
    assert_false(digest_equal(before, registry_digest(registry)));
    const struct event *event =
        event_log_after(registry_events(registry), registry_sequence(registry) - 1);
    assert_int_equal(event->type, EVENT_SETTING_CHANGED);
    assert_string_equal(event->data, "{\"name\":\"schedule_zone\",\"from\":\"UTC\","
                                     "\"value\":\"Asia/Tokyo\"}");
    uint64_t sequence = registry_sequence(registry);
    static const char *const wrong[] = {"", "..", "a/../b", "/etc", "x y", "localtime"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(
            registry_zone_set(registry, &somebody, wrong[i], strlen(wrong[i])),
            ERR_INVALID);
    }
    assert_int_equal(registry_sequence(registry), sequence);
    done(registry);
    registry = registry_new(); /* of level 1 */
    assert_int_equal(registry_zone_set(registry, &somebody, "Asia/Tokyo", 10),
                     ERR_LEVEL);
    done(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_let_settle_but_not_for_ever),
        cmocka_unit_test(without_a_buffer_a_run_is_wanted_at_once),
        cmocka_unit_test(changes_during_a_run_have_exactly_one_run_follow),
        cmocka_unit_test(a_fire_is_taken_once),
        cmocka_unit_test(a_fire_during_a_run_is_skipped_or_caught_up_with_once),
        cmocka_unit_test(a_disabled_task_does_not_fire),
        cmocka_unit_test(another_text_is_another_schedule),
        cmocka_unit_test(another_zone_is_another_time_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
