/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of runs in the registry, one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "registry/registry.h"

#define TEXT                                                                           \
    "{\"condition\":{\"services\":{\"names\":[\"api\",\"web\"]}},\"module\":\"m\","    \
    "\"providers\":[\"local\"]}"
#define TEXT_AT 1 /* a place for `enabled` */
#define CONFIG                                                                         \
    "{\"providers\":[\"local\"],\"services\":[\"api\",\"web\"],\"module\":\"m\"}"

#define NODE 77u

static const struct change somebody = {
    .wall_ms = 1700000000000,
    .request_id = "r1",
    .actor = "somebody",
};

static struct task_draft draft_of(const char *name, const char *text, bool enabled)
{
    return (struct task_draft){
        .name = name,
        .name_len = strlen(name),
        .text = text,
        .text_len = strlen(text),
        .enabled_at = TEXT_AT,
        .enabled = enabled,
    };
}

static int create(struct registry *registry, const char *name)
{
    struct task_draft draft = draft_of(name, TEXT, true);
    return registry_task_create(registry, &somebody, &draft);
}

static const struct task *task(const struct registry *registry, const char *name)
{
    return registry_task(registry, name, strlen(name));
}

static const struct run *live(const struct registry *registry, const char *name)
{
    return registry_live_run(registry, name, strlen(name));
}

static struct run_order order_of(const char *name)
{
    return (struct run_order){
        .task = name,
        .task_len = strlen(name),
        .node = NODE,
        .cause = RUN_CAUSE_CLIENT,
        .purpose = RUN_APPLY,
        .lease_ms = 4000,
        .grace_ms = 5000,
        .tries = 3,
    };
}

static int start(struct registry *registry, const char *name)
{
    struct run_order order = order_of(name);
    return registry_run_start(registry, &somebody, &order);
}

/* The number of a run that was placed now. */
static uint64_t place(struct registry *registry, const char *name,
                      enum run_purpose purpose)
{
    struct run_order order = order_of(name);
    order.purpose = (uint32_t)purpose;
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
    uint64_t id = registry_sequence(registry);
    assert_int_equal(live(registry, name)->id, id);
    return id;
}

static int end(struct registry *registry, uint64_t id, enum run_outcome outcome)
{
    struct run_report report = {
        .run = id,
        .node = NODE,
        .outcome = (uint32_t)outcome,
        .started_ms = 1700000000100,
        .ended_ms = 1700000000200,
        .text = outcome == RUN_SUCCESS ? "" : "why",
        .text_len = outcome == RUN_SUCCESS ? 0 : 3,
    };
    return registry_run_end(registry, &somebody, &report);
}

/* A whole run of that outcome. */
static uint64_t run_once(struct registry *registry, const char *name,
                         enum run_outcome outcome)
{
    uint64_t id = place(registry, name, RUN_APPLY);
    assert_int_equal(end(registry, id, outcome), 0);
    return id;
}

static int drop(struct registry *registry, const char *name)
{
    return registry_task_delete(registry, &somebody, name, strlen(name));
}

static int enable(struct registry *registry, const char *name, bool enabled)
{
    return registry_task_enable(registry, &somebody, name, strlen(name), enabled);
}

static int put(struct registry *registry, const char *name, const char *text)
{
    struct task_draft draft = draft_of(name, text, true);
    struct task_match any = {TASK_CONDITION_NONE, 0};
    return registry_task_put(registry, &somebody, &draft, true, &any);
}

static int due(struct registry *registry, const char *name, uint64_t at_ms,
               uint64_t until_ms)
{
    struct due_order order = {
        .task = name,
        .task_len = strlen(name),
        .cause = RUN_CAUSE_CHANGE,
        .at_ms = at_ms,
        .until_ms = until_ms,
    };
    return registry_task_due(registry, &order);
}

static int fire(struct registry *registry, const char *name, uint64_t expected_ms,
                uint64_t next_ms, bool is_due)
{
    struct fire_order order = {
        .task = name,
        .task_len = strlen(name),
        .expected_ms = expected_ms,
        .next_ms = next_ms,
        .due = is_due,
    };
    return registry_task_fire(registry, &order);
}

static int set(struct registry *registry, const char *name, uint64_t value)
{
    return registry_setting_set(registry, &somebody, name, strlen(name), value);
}

/* Level 3, one member, the tasks a and b. */
static int setup(void **state)
{
    struct registry *registry = registry_new();
    struct member_draft member = {
        .id = NODE,
        .level = 3,
        .name = "n1",
        .address = "",
        .peer_address = "",
        .version = "",
    };
    registry_level_set(registry, 3);
    registry_tick(registry, 1000);
    assert_int_equal(registry_member_set(registry, &somebody, &member), 0);
    assert_int_equal(create(registry, "a"), 0);
    assert_int_equal(create(registry, "b"), 0);
    *state = registry;
    return 0;
}

static int teardown(void **state)
{
    registry_free(*state);
    return map_reap(SIZE_MAX) == 0 ? 0 : -1;
}

static const struct event *event_before(const struct registry *registry, uint64_t back)
{
    return event_log_after(registry_events(registry),
                           registry_sequence(registry) - 1 - back);
}

static void assert_event(const struct registry *registry, uint64_t back,
                         enum event_type type, const char *name, const char *data)
{
    const struct event *event = event_before(registry, back);
    assert_non_null(event);
    assert_int_equal(event->type, type);
    assert_string_equal(event->task, name);
    assert_string_equal(event->actor, "somebody");
    if (data != NULL) {
        assert_string_equal(event->data, data);
    }
}

/* Nothing has happened, but what `rv` says. */
#define ASSERT_REFUSED(call, code)                                                     \
    do {                                                                               \
        struct digest digest_before = registry_digest(registry);                       \
        uint64_t sequence_before = registry_sequence(registry);                        \
        assert_int_equal((call), (code));                                              \
        assert_int_equal(registry_sequence(registry), sequence_before);                \
        assert_true(digest_equal(registry_digest(registry), digest_before));           \
    } while (0)

static void assert_statuses(const struct registry *registry, size_t successful,
                            size_t errored, size_t critical, size_t unknown)
{
    const size_t wanted[] = {successful, errored, critical, unknown};
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        assert_int_equal(registry_status_count(registry, (enum task_status)i),
                         wanted[i]);
    }
}

/* --- the life of a run --------------------------------------------------------------
 */

static void a_run_is_placed_begun_and_ended(void **state)
{
    struct registry *registry = *state;
    uint64_t id = place(registry, "a", RUN_APPLY);
    assert_event(registry, 0, EVENT_RUN_PLACED, "a",
                 "{\"run\":4,\"node\":\"77\",\"purpose\":\"apply\","
                 "\"cause\":\"client\"}");
    const struct run *run = registry_run(registry, id);
    assert_ptr_equal(run, live(registry, "a"));
    assert_true(run->state == RUN_PENDING && run->outcome == RUN_OPEN);
    assert_true(run->task_created == task(registry, "a")->created);
    assert_true(run->lease_ms == 4000 && run->grace_ms == 5000 && run->tries == 3);
    assert_int_equal(run->placed_ms, somebody.wall_ms);
    assert_string_equal(run->config, CONFIG);
    assert_int_equal(registry_run_started(registry, &somebody, id, NODE, 1700000000100),
                     0);
    assert_event(registry, 0, EVENT_RUN_STARTED, "a", NULL);
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
    assert_event(registry, 0, EVENT_RUN_ENDED, "a", data);
    assert_true(run->state == RUN_ENDED && run->exit_code == 3 && run->signal == 9);
    assert_true(run->changes && run->ended_ms == 1700000000200);
    assert_null(live(registry, "a"));
    ASSERT_REFUSED(end(registry, id, RUN_SUCCESS), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, id, 1), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_started(registry, &somebody, id, NODE, 1),
                   ERR_CONFLICT);
}

static void a_start_is_refused_for_a_reason(void **state)
{
    struct registry *registry = *state;
    ASSERT_REFUSED(start(registry, "c"), ERR_NOT_FOUND);
    struct run_order order = order_of("a");
    order.revision = task(registry, "a")->revision + 1;
    ASSERT_REFUSED(registry_run_start(registry, &somebody, &order), ERR_PRECONDITION);
    order = order_of("a");
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
    order = order_of("a");
    order.revision = task(registry, "a")->revision;
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
    ASSERT_REFUSED(start(registry, "a"), ERR_CONFLICT);
    assert_int_equal(start(registry, "b"), 0); /* another task's is its own business */
    assert_int_equal(registry_live_count(registry), 2);
}

static void below_its_level_there_is_no_run(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    registry_level_set(registry, 2);
    assert_int_equal(create(registry, "a"), 0);
    struct task_draft draft = draft_of("c", TEXT, true);
    struct run_order order = order_of("c");
    struct run_report report = {.run = 1, .node = NODE};
    order.purpose = RUN_TRIAL;
    ASSERT_REFUSED(start(registry, "a"), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_trial(registry, &somebody, &draft, &order), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_started(registry, &somebody, 1, NODE, 1), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, 1, 1), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_end(registry, &somebody, &report), ERR_LEVEL);
    ASSERT_REFUSED(registry_run_lost(registry, &somebody, &report), ERR_LEVEL);
    ASSERT_REFUSED(due(registry, "a", 1, 1), ERR_LEVEL);
    ASSERT_REFUSED(fire(registry, "a", 0, 1, true), ERR_LEVEL);
    ASSERT_REFUSED(set(registry, "runs_max_count", 200), ERR_NOT_FOUND);
    registry_free(registry);
}

static void only_its_node_reports_a_run(void **state)
{
    struct registry *registry = *state;
    uint64_t id = place(registry, "a", RUN_APPLY);
    struct run_report report = {.run = id, .node = 78, .outcome = RUN_SUCCESS};
    ASSERT_REFUSED(registry_run_started(registry, &somebody, id, 78, 1), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_end(registry, &somebody, &report), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_lost(registry, &somebody, &report), ERR_CONFLICT);
    ASSERT_REFUSED(registry_run_started(registry, &somebody, 99, NODE, 1),
                   ERR_NOT_FOUND);
    ASSERT_REFUSED(end(registry, 99, RUN_SUCCESS), ERR_NOT_FOUND);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, 99, 1), ERR_NOT_FOUND);
    ASSERT_REFUSED(end(registry, id, RUN_OPEN), ERR_INVALID);
    ASSERT_REFUSED(end(registry, id, (enum run_outcome)6), ERR_INVALID);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, id, 0), ERR_INVALID);
    ASSERT_REFUSED(registry_run_stop(registry, &somebody, id, 4), ERR_INVALID);
}

static void one_that_is_to_stop_ends_once(void **state)
{
    struct registry *registry = *state;
    uint64_t id = place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_CANCEL), 0);
    assert_event(
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
    assert_int_equal(end(registry, id, RUN_CANCELLED), 0);
    assert_null(registry_task_due_mark(registry, task(registry, "a")));
    assert_statuses(registry, 0, 1, 0, 1);
}

static void an_end_keeps_the_beginning_of_a_long_text(void **state)
{
    struct registry *registry = *state;
    static char text[RUN_TEXT_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    memcpy(text + RUN_TEXT_BYTES_MAX - 1, "\xc3\xa9", 2); /* a letter over the edge */
    struct run_report report = {
        .run = place(registry, "a", RUN_APPLY),
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
    uint64_t id = place(registry, "a", RUN_APPLY);
    assert_int_equal(lose(registry, id), 0);
    assert_event(registry, 0, EVENT_RUN_ENDED, "a", NULL);
    const struct run *run = registry_run(registry, id);
    assert_true(run->outcome == RUN_LOST && run->ended_ms == somebody.wall_ms);
    assert_string_equal(run->text, "n1 is silent");
    const struct moment *mark = registry_task_due_mark(registry, task(registry, "a"));
    assert_true(mark->at_ms == 1000 && mark->cause == RUN_CAUSE_FAILOVER);
    ASSERT_REFUSED(end(registry, id, RUN_SUCCESS), ERR_CONFLICT);
    struct run_order order = order_of("a");
    order.cause = RUN_CAUSE_FAILOVER;
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
    assert_null(registry_task_due_mark(registry, task(registry, "a")));
    assert_int_equal(lose(registry, live(registry, "a")->id), 0);
    mark = registry_task_due_mark(registry, task(registry, "a"));
    assert_int_equal(mark->at_ms, 1000 + 4000); /* no node may spin */
}

static void what_nobody_interrupted_is_not_wanted_again(void **state)
{
    struct registry *registry = *state;
    uint64_t id = place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_CANCEL), 0);
    assert_int_equal(lose(registry, id), 0);
    run_once(registry, "a", RUN_FAILED);
    id = place(registry, "a", RUN_INSPECT);
    assert_int_equal(lose(registry, id), 0);
    assert_null(registry_task_due_mark(registry, task(registry, "a")));
    id = place(registry, "a", RUN_APPLY);
    assert_int_equal(enable(registry, "a", false), 0);
    assert_int_equal(lose(registry, id), 0);
    assert_int_equal(registry_due_count(registry), 0);
}

static void a_drained_run_moves(void **state)
{
    struct registry *registry = *state;
    uint64_t id = place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_DRAIN), 0);
    assert_int_equal(end(registry, id, RUN_CANCELLED), 0);
    assert_int_equal(registry_due_count(registry), 1);
    id = place(registry, "b", RUN_APPLY);
    assert_int_equal(registry_run_stop(registry, &somebody, id, RUN_STOP_DRAIN), 0);
    assert_int_equal(end(registry, id, RUN_SUCCESS), 0); /* it made it in time */
    assert_int_equal(registry_due_count(registry), 1);
}

static void a_task_with_a_live_run_goes_when_that_has_ended(void **state)
{
    struct registry *registry = *state;
    uint64_t id = place(registry, "a", RUN_APPLY);
    assert_int_equal(due(registry, "a", 5, 5), 0);
    assert_int_equal(fire(registry, "a", 0, 5, false), 0);
    assert_int_equal(drop(registry, "a"), 0);
    assert_event(registry, 0, EVENT_TASK_DELETING, "a", "{}");
    assert_true(task(registry, "a")->deleting);
    assert_int_equal(task(registry, "a")->revision, registry_sequence(registry));
    assert_int_equal(registry_due_count(registry), 0);
    assert_int_equal(registry_task_next_fire(registry, task(registry, "a")), 0);
    ASSERT_REFUSED(drop(registry, "a"), 0);
    ASSERT_REFUSED(create(registry, "a"), ERR_EXISTS);
    ASSERT_REFUSED(enable(registry, "a", true), ERR_CONFLICT);
    ASSERT_REFUSED(put(registry, "a", "{\"module\":\"x\"}"), ERR_CONFLICT);
    struct task_draft draft = draft_of("a", "{\"module\":\"x\"}", true);
    struct task_match any = {TASK_CONDITION_NONE, 0};
    ASSERT_REFUSED(registry_task_merge(registry, &somebody, &draft,
                                       task(registry, "a")->revision, &any),
                   ERR_CONFLICT);
    ASSERT_REFUSED(start(registry, "a"), ERR_CONFLICT);
    ASSERT_REFUSED(due(registry, "a", 5, 5), ERR_CONFLICT);
    ASSERT_REFUSED(fire(registry, "a", 0, 5, true), ERR_CONFLICT);
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(lose(registry, id), 0);
    assert_event(registry, 1, EVENT_RUN_ENDED, "a", NULL);
    assert_event(registry, 0, EVENT_TASK_DELETED, "a", "{}");
    assert_int_equal(registry_sequence(registry), sequence + 2);
    assert_null(task(registry, "a"));
    assert_statuses(registry, 0, 0, 0, 1);
    assert_int_equal(create(registry, "a"), 0);
    assert_true(place(registry, "a", RUN_APPLY) > id); /* fence numbers only grow */
}

/* --- trials -------------------------------------------------------------------------
 */

static int try(struct registry *registry, const char *name, enum run_purpose purpose)
{
    struct task_draft draft = draft_of(name, TEXT, false);
    struct run_order order = order_of(name);
    order.purpose = (uint32_t)purpose;
    return registry_run_trial(registry, &somebody, &draft, &order);
}

static void a_trial_that_succeeds_makes_its_task(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(try(registry, "c", RUN_TRIAL), 0);
    const struct run *run = live(registry, "c");
    assert_event(registry, 0, EVENT_RUN_PLACED, "c", NULL);
    assert_string_equal(run->draft, TEXT);
    assert_true(run->task_created == 0 && run->draft_len == strlen(TEXT));
    ASSERT_REFUSED(create(registry, "c"), ERR_EXISTS);
    ASSERT_REFUSED(put(registry, "c", TEXT), ERR_EXISTS);
    ASSERT_REFUSED(try(registry, "c", RUN_TRIAL), ERR_EXISTS);
    ASSERT_REFUSED(try(registry, "a", RUN_TRIAL), ERR_EXISTS);
    ASSERT_REFUSED(try(registry, "d", RUN_APPLY), ERR_INVALID);
    ASSERT_REFUSED(drop(registry, "c"), ERR_NOT_FOUND);
    uint64_t id = run->id;
    assert_int_equal(end(registry, id, RUN_SUCCESS), 0);
    assert_event(registry, 1, EVENT_RUN_ENDED, "c", NULL);
    assert_event(registry, 0, EVENT_TASK_CREATED, "c", "{\"enabled\":false}");
    assert_int_equal(task(registry, "c")->created, registry_sequence(registry));
    assert_string_equal(task(registry, "c")->text, TEXT);
    assert_false(task(registry, "c")->enabled);
    run = registry_run(registry, id);
    assert_int_equal(run->task_created, task(registry, "c")->created);
    assert_true(run->draft_len == 0 && run->draft[0] == '\0');
    assert_statuses(registry, 1, 0, 0, 2);
}

static void a_trial_that_fails_leaves_nothing_but_itself(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(try(registry, "c", RUN_TRIAL), 0);
    assert_int_equal(end(registry, live(registry, "c")->id, RUN_FAILED), 0);
    assert_int_equal(try(registry, "c", RUN_TRIAL_INSPECT), 0);
    assert_int_equal(end(registry, live(registry, "c")->id, RUN_SUCCESS), 0);
    assert_null(task(registry, "c"));
    assert_int_equal(registry_run_count(registry), 2);
    assert_int_equal(create(registry, "c"), 0);
    assert_int_equal(registry_task_status(registry, task(registry, "c")),
                     TASK_STATUS_UNKNOWN);
    assert_statuses(registry, 0, 0, 0, 3);
}

/* --- status and what is kept --------------------------------------------------------
 */

static void a_status_is_that_of_the_ends_that_are_kept(void **state)
{
    struct registry *registry = *state;
    assert_statuses(registry, 0, 0, 0, 2);
    run_once(registry, "a", RUN_FAILED);
    assert_statuses(registry, 0, 1, 0, 1);
    run_once(registry, "a", RUN_SUCCESS);
    assert_statuses(registry, 1, 0, 0, 1);
    run_once(registry, "a", RUN_TIMED_OUT); /* the second bad one, if not in a row */
    assert_statuses(registry, 0, 0, 1, 1);
    uint64_t id = place(registry, "a", RUN_INSPECT);
    assert_int_equal(end(registry, id, RUN_SUCCESS), 0);
    assert_statuses(registry, 0, 0, 1, 1); /* an inspection is no event */
    for (int i = 0; i < 4; i++) {
        run_once(registry, "a", RUN_SUCCESS);
    }
    run_once(registry, "a", RUN_FAILED); /* the first two bad ones are gone */
    assert_statuses(registry, 0, 1, 0, 1);
    struct map_cursor cursor;
    registry_task_event_seek(registry, task(registry, "a"), &cursor);
    for (uint64_t i = 0; i < 5; i++) {
        const struct run *run = registry_task_event_next(&cursor, task(registry, "a"));
        assert_int_equal(run->outcome, i == 0 ? RUN_FAILED : RUN_SUCCESS);
    }
    assert_null(registry_task_event_next(&cursor, task(registry, "a")));
    assert_int_equal(drop(registry, "a"), 0);
    assert_statuses(registry, 0, 0, 0, 1);
    assert_int_equal(create(registry, "a"), 0); /* another one of that name */
    assert_statuses(registry, 0, 0, 0, 2);
    run_once(registry, "a", RUN_FAILED);
    assert_statuses(registry, 0, 1, 0, 1);
}

static void an_inspection_pushes_no_end_out(void **state)
{
    struct registry *registry = *state;
    uint64_t first = run_once(registry, "a", RUN_SUCCESS);
    for (int i = 0; i < 20; i++) {
        uint64_t id = place(registry, "a", RUN_INSPECT);
        assert_int_equal(end(registry, id, RUN_FAILED), 0);
    }
    assert_non_null(registry_run(registry, first));
    assert_int_equal(registry_run_count(registry), 6);
    assert_statuses(registry, 1, 0, 0, 1);
}

static void a_lower_bound_lets_the_oldest_go_some_at_a_time(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(set(registry, "task_events", 100), 0);
    for (int i = 0; i < 100; i++) {
        run_once(registry, "a", i == 0 ? RUN_SUCCESS : RUN_FAILED);
    }
    assert_int_equal(registry_run_count(registry), 100);
    assert_int_equal(set(registry, "task_events", 1), 0);
    assert_statuses(registry, 0, 0, 1, 1); /* as long as they are kept */
    for (int i = 1; i <= 6; i++) {
        run_once(registry, "a", RUN_FAILED);
        assert_int_equal(registry_run_count(registry), 101 + i - 1 - 16 * i);
    }
    run_once(registry, "a", RUN_FAILED);
    assert_int_equal(registry_run_count(registry), 1);
    assert_statuses(registry, 0, 1, 0, 1);
}

static void no_more_are_kept_than_the_setting_says(void **state)
{
    struct registry *registry = *state;
    char name[16];
    assert_int_equal(set(registry, "runs_max_count", 100), 0);
    uint64_t first = run_once(registry, "a", RUN_SUCCESS);
    uint64_t still_live = place(registry, "b", RUN_APPLY);
    for (int i = 0; i < 99; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(create(registry, name), 0);
        run_once(registry, name, RUN_SUCCESS);
    }
    assert_non_null(registry_run(registry, first));
    assert_statuses(registry, 100, 0, 0, 1);
    assert_int_equal(end(registry, still_live, RUN_SUCCESS), 0);
    assert_null(registry_run(registry, first)); /* that ended first, so goes first */
    assert_non_null(registry_run(registry, still_live));
    assert_statuses(registry, 100, 0, 0, 1);
    assert_int_equal(registry_run_count(registry), 100);
}

static void runs_are_walked_by_number_and_by_name(void **state)
{
    struct registry *registry = *state;
    struct map_cursor cursor;
    assert_int_equal(create(registry, "aa"), 0);
    uint64_t first = run_once(registry, "a", RUN_SUCCESS);
    uint64_t other = run_once(registry, "aa", RUN_SUCCESS);
    uint64_t second = place(registry, "a", RUN_APPLY);
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

/* --- due marks and next fires -------------------------------------------------------
 */

static void a_due_mark_is_put_off_no_further_than_the_first_one_says(void **state)
{
    struct registry *registry = *state;
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(due(registry, "a", 1500, 2000), 0);
    assert_int_equal(due(registry, "a", 1900, 2400), 0);
    const struct task *a = task(registry, "a");
    assert_int_equal(registry_task_due_mark(registry, a)->at_ms, 1900);
    assert_int_equal(due(registry, "a", 2300, 2800), 0);
    assert_int_equal(registry_task_due_mark(registry, a)->at_ms, 2000);
    assert_int_equal(registry_task_due_mark(registry, a)->until_ms, 2000);
    assert_int_equal(due(registry, "a", 1000, 1000), 0); /* at once after all */
    assert_int_equal(registry_task_due_mark(registry, a)->at_ms, 1000);
    assert_int_equal(due(registry, "b", 900, 0), 0);
    assert_int_equal(registry_task_due_mark(registry, task(registry, "b"))->until_ms,
                     900);
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
    ASSERT_REFUSED(due(registry, "c", 1, 1), ERR_NOT_FOUND);
    struct due_order order = {.task = "a", .task_len = 1, .cause = 9};
    ASSERT_REFUSED(registry_task_due(registry, &order), ERR_INVALID);
    order.cause = RUN_CAUSE_CLIENT;
    order.created = task(registry, "b")->created;
    ASSERT_REFUSED(registry_task_due(registry, &order), ERR_PRECONDITION);
    order.created = task(registry, "a")->created;
    assert_int_equal(registry_task_due(registry, &order), 0);
    assert_int_equal(enable(registry, "a", false), 0);
    assert_int_equal(registry_due_count(registry), 0);
    ASSERT_REFUSED(registry_task_due(registry, &order), ERR_CONFLICT);
    assert_int_equal(due(registry, "b", 1, 1), 0);
    struct task_draft draft = draft_of("b", TEXT, false);
    struct task_match any = {TASK_CONDITION_NONE, 0};
    assert_int_equal(registry_task_put(registry, &somebody, &draft, false, &any), 0);
    assert_int_equal(registry_due_count(registry), 0);
}

static void a_run_ends_what_its_task_was_due_for(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(due(registry, "a", 1, 1), 0);
    uint64_t id = place(registry, "a", RUN_INSPECT); /* that is no run of it */
    assert_int_equal(end(registry, id, RUN_SUCCESS), 0);
    assert_int_equal(registry_due_count(registry), 1);
    id = place(registry, "a", RUN_APPLY);
    assert_int_equal(registry_due_count(registry), 0);
    assert_int_equal(due(registry, "a", 2, 2), 0); /* changes that came meanwhile */
    assert_int_equal(due(registry, "a", 3, 3), 0);
    assert_int_equal(end(registry, id, RUN_SUCCESS), 0);
    assert_int_equal(registry_due_count(registry), 1);
}

static void a_schedule_fires_once_at_each_time(void **state)
{
    struct registry *registry = *state;
    const struct task *a = task(registry, "a");
    ASSERT_REFUSED(fire(registry, "c", 0, 1, false), ERR_NOT_FOUND);
    ASSERT_REFUSED(fire(registry, "a", 5, 60000, true), ERR_PRECONDITION);
    assert_int_equal(fire(registry, "a", 0, 60000, false), 0);
    assert_int_equal(registry_task_next_fire(registry, a), 60000);
    assert_int_equal(registry_due_count(registry), 0);
    ASSERT_REFUSED(fire(registry, "a", 0, 60000, false), ERR_PRECONDITION);
    assert_int_equal(fire(registry, "a", 60000, 120000, true), 0);
    const struct moment *mark = registry_task_due_mark(registry, a);
    assert_true(mark->at_ms == 1000 && mark->cause == RUN_CAUSE_SCHEDULE);
    ASSERT_REFUSED(fire(registry, "a", 60000, 120000, true), ERR_PRECONDITION);
    place(registry, "a", RUN_APPLY);
    assert_int_equal(fire(registry, "a", 120000, 180000, true), 0);
    assert_int_equal(registry_due_count(registry), 0); /* a run is live: skipped */
    assert_int_equal(fire(registry, "b", 0, 70000, false), 0);
    struct map_cursor cursor;
    registry_fire_seek(registry, &cursor);
    assert_int_equal(registry_fire_next(&cursor)->task, task(registry, "b")->created);
    assert_int_equal(registry_fire_next(&cursor)->task, a->created);
    assert_null(registry_fire_next(&cursor));
    assert_int_equal(enable(registry, "b", false), 0);
    assert_int_equal(fire(registry, "b", 70000, 80000, true), 0);
    assert_int_equal(registry_due_count(registry), 0); /* disabled: skipped */
    assert_int_equal(put(registry, "b", "{\"module\":\"x\"}"), 0);
    assert_int_equal(registry_task_next_fire(registry, task(registry, "b")), 0);
    assert_int_equal(fire(registry, "a", 180000, 0, false), 0);
    assert_int_equal(registry_task_next_fire(registry, task(registry, "a")), 0);
}

/* --- the whole state ----------------------------------------------------------------
 */

static void a_frozen_view_keeps_its_runs(void **state)
{
    struct registry *registry = *state;
    uint64_t id = place(registry, "a", RUN_APPLY);
    assert_int_equal(due(registry, "b", 1, 1), 0);
    struct digest before = registry_digest(registry);
    const struct registry *frozen = registry_freeze(registry);
    assert_int_equal(end(registry, id, RUN_FAILED), 0);
    assert_int_equal(enable(registry, "b", false), 0);
    assert_true(digest_equal(registry_digest(frozen), before));
    assert_false(digest_equal(registry_digest(registry), before));
    assert_int_equal(registry_run(frozen, id)->state, RUN_PENDING);
    assert_int_equal(live(frozen, "a")->id, id);
    assert_int_equal(registry_due_count(frozen), 1);
    assert_statuses(frozen, 0, 0, 0, 2);
    registry_thaw(frozen);
}

static void in_a_new_cluster_no_run_is_live(void **state)
{
    struct registry *registry = *state;
    uint64_t first = place(registry, "b", RUN_APPLY);
    uint64_t second = place(registry, "a", RUN_APPLY);
    assert_int_equal(try(registry, "c", RUN_TRIAL), 0);
    assert_int_equal(drop(registry, "a"), 0);
    assert_int_equal(due(registry, "b", 5, 5), 0);
    assert_int_equal(fire(registry, "b", 0, 5, false), 0);
    uint64_t sequence = registry_sequence(registry);
    assert_int_equal(registry_recover(registry, &somebody), 0);
    assert_int_equal(registry_sequence(registry), sequence + REGISTRY_EPOCH + 5);
    assert_event(registry, 4, EVENT_CLUSTER_RECOVERED, "", NULL);
    assert_event(registry, 3, EVENT_RUN_ENDED, "a", NULL);
    assert_event(registry, 2, EVENT_TASK_DELETED, "a", NULL);
    assert_event(registry, 1, EVENT_RUN_ENDED, "b", NULL);
    assert_event(registry, 0, EVENT_RUN_ENDED, "c", NULL);
    assert_int_equal(registry_live_count(registry), 0);
    assert_null(task(registry, "a"));
    assert_int_equal(registry_run(registry, first)->outcome, RUN_LOST);
    assert_int_equal(registry_run(registry, second)->outcome, RUN_LOST);
    assert_int_equal(registry_task_due_mark(registry, task(registry, "b"))->at_ms, 5);
    assert_int_equal(registry_task_next_fire(registry, task(registry, "b")), 5);
    assert_statuses(registry, 0, 1, 0, 0);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        CASE(a_due_mark_is_put_off_no_further_than_the_first_one_says),
        CASE(who_is_not_there_or_disabled_is_not_due),
        CASE(a_run_ends_what_its_task_was_due_for),
        CASE(a_schedule_fires_once_at_each_time),
        CASE(a_frozen_view_keeps_its_runs),
        CASE(in_a_new_cluster_no_run_is_live),
        cmocka_unit_test(the_moves_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
