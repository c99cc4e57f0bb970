/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/registry/run_bench.h"

#include <string.h>

#include "base/map.h"

const struct change somebody = {
    .wall_ms = 1700000000000,
    .request_id = "r1",
    .actor = "somebody",
};

struct task_draft bench_draft(const char *name, const char *text, bool enabled)
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

int bench_create(struct registry *registry, const char *name)
{
    struct task_draft draft = bench_draft(name, TEXT, true);
    return registry_task_create(registry, &somebody, &draft);
}

const struct task *bench_task(const struct registry *registry, const char *name)
{
    return registry_task(registry, name, strlen(name));
}

const struct run *bench_live(const struct registry *registry, const char *name)
{
    return registry_live_run(registry, name, strlen(name));
}

struct run_order bench_order(const char *name)
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

int bench_start(struct registry *registry, const char *name)
{
    struct run_order order = bench_order(name);
    return registry_run_start(registry, &somebody, &order);
}

uint64_t bench_place(struct registry *registry, const char *name,
                     enum run_purpose purpose)
{
    struct run_order order = bench_order(name);
    order.purpose = (uint32_t)purpose;
    assert_int_equal(registry_run_start(registry, &somebody, &order), 0);
    uint64_t id = registry_sequence(registry);
    assert_int_equal(bench_live(registry, name)->id, id);
    return id;
}

int bench_end(struct registry *registry, uint64_t id, enum run_outcome outcome)
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

uint64_t bench_run_once(struct registry *registry, const char *name,
                        enum run_outcome outcome)
{
    uint64_t id = bench_place(registry, name, RUN_APPLY);
    assert_int_equal(bench_end(registry, id, outcome), 0);
    return id;
}

int bench_drop(struct registry *registry, const char *name)
{
    return registry_task_delete(registry, &somebody, name, strlen(name));
}

int bench_enable(struct registry *registry, const char *name, bool enabled)
{
    return registry_task_enable(registry, &somebody, name, strlen(name), enabled);
}

int bench_put(struct registry *registry, const char *name, const char *text)
{
    struct task_draft draft = bench_draft(name, text, true);
    struct task_match any = {TASK_CONDITION_NONE, 0};
    return registry_task_put(registry, &somebody, &draft, true, &any);
}

int bench_due(struct registry *registry, const char *name, uint64_t at_ms,
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

int bench_fire(struct registry *registry, const char *name, uint64_t expected_ms,
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

int bench_set(struct registry *registry, const char *name, uint64_t value)
{
    return registry_setting_set(registry, &somebody, name, strlen(name), value);
}

int bench_setup(void **state)
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
    assert_int_equal(bench_create(registry, "a"), 0);
    assert_int_equal(bench_create(registry, "b"), 0);
    *state = registry;
    return 0;
}

int bench_teardown(void **state)
{
    registry_free(*state);
    return map_reap(SIZE_MAX) == 0 ? 0 : -1;
}

static const struct event *event_before(const struct registry *registry, uint64_t back)
{
    return event_log_after(registry_events(registry),
                           registry_sequence(registry) - 1 - back);
}

void bench_assert_event(const struct registry *registry, uint64_t back,
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

void bench_assert_statuses(const struct registry *registry, size_t successful,
                           size_t errored, size_t critical, size_t unknown)
{
    const size_t wanted[] = {successful, errored, critical, unknown};
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        assert_int_equal(registry_status_count(registry, (enum task_status)i),
                         wanted[i]);
    }
}
