/* SPDX-License-Identifier: Apache-2.0 */
/* Replacing a task, and changes that ask for what must be there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "registry/registry.h"

static const struct change somebody = {
    .wall_ms = 1700000000000,
    .request_id = "r1",
    .actor = "somebody",
};

static int setup(void **state)
{
    *state = registry_new();
    return 0;
}

static int teardown(void **state)
{
    registry_free(*state);
    return map_reap(SIZE_MAX) == 0 ? 0 : -1;
}

static const struct task *task(const struct registry *registry, const char *name)
{
    return registry_task(registry, name, strlen(name));
}

static int create(struct registry *registry, const char *name, bool enabled)
{
    struct task_draft draft = {
        .name = name,
        .name_len = strlen(name),
        .text = "{\"condition\":{},\"module\":\"m\"}",
        .text_len = 29,
        .enabled_at = 16,
        .enabled = enabled,
    };
    return registry_task_create(registry, &somebody, &draft);
}

static void assert_event(const struct registry *registry, enum event_type type,
                         const char *task_name, const char *data)
{
    uint64_t last = registry_sequence(registry);
    const struct event *event = event_log_after(registry_events(registry), last - 1);
    assert_non_null(event);
    assert_int_equal(event->type, type);
    assert_string_equal(event->task, task_name);
    assert_string_equal(event->actor, "somebody");
    assert_string_equal(event->request_id, "r1");
    assert_string_equal(event->data, data);
}

static void assert_unchanged(const struct registry *registry, uint64_t sequence,
                             struct digest digest)
{
    assert_int_equal(registry_sequence(registry), sequence);
    assert_true(digest_equal(registry_digest(registry), digest));
}

static int put(struct registry *registry, const char *text, int enabled,
               struct task_match match)
{
    struct task_draft draft = {
        .name = "a",
        .name_len = 1,
        .text = text,
        .text_len = strlen(text),
        .enabled_at = 1,
        .enabled = enabled != 0,
    };
    return registry_task_put(registry, &somebody, &draft, enabled < 0, &match);
}

static const struct task_match any = {TASK_CONDITION_NONE, 0};
static const struct task_match present = {TASK_CONDITION_PRESENT, 0};
static const struct task_match absent = {TASK_CONDITION_ABSENT, 0};
static const struct task_match unheard = {4, 0};

static struct task_match revision(uint64_t number)
{
    return (struct task_match){TASK_CONDITION_REVISION, number};
}

static void a_change_is_made_only_where_its_condition_holds(void **state)
{
    struct registry *registry = *state;
    struct task_match wrong[] = {present, revision(0), revision(1), unheard};
    for (size_t i = 0; i < 4; i++) {
        int refusal = i < 3 ? ERR_PRECONDITION : ERR_INVALID;
        assert_int_equal(put(registry, "{}", 1, wrong[i]), refusal);
        assert_int_equal(
            registry_task_enable_if(registry, &somebody, "a", 1, true, &wrong[i]),
            refusal);
        assert_int_equal(
            registry_task_delete_if(registry, &somebody, "a", 1, &wrong[i]), refusal);
    }
    assert_int_equal(registry_task_enable_if(registry, &somebody, "a", 1, true, &any),
                     ERR_NOT_FOUND);
    assert_int_equal(registry_sequence(registry), 0);
    assert_int_equal(put(registry, "{}", 1, absent), 0);
    assert_event(registry, EVENT_TASK_CREATED, "a", "{\"enabled\":true}");
    struct digest digest = registry_digest(registry);
    struct task_match stale[] = {absent, revision(0), revision(2), unheard};
    for (size_t i = 0; i < 4; i++) {
        int refusal = i < 3 ? ERR_PRECONDITION : ERR_INVALID;
        assert_int_equal(put(registry, "{ }", 0, stale[i]), refusal);
        assert_int_equal(
            registry_task_enable_if(registry, &somebody, "a", 1, false, &stale[i]),
            refusal);
        assert_int_equal(
            registry_task_delete_if(registry, &somebody, "a", 1, &stale[i]), refusal);
    }
    assert_unchanged(registry, 1, digest);
    struct task_match holds = revision(1);
    assert_int_equal(
        registry_task_enable_if(registry, &somebody, "a", 1, false, &holds), 0);
    assert_event(registry, EVENT_TASK_DISABLED, "a", "{}");
    holds = revision(2);
    assert_int_equal(put(registry, "{\"a\":1}", -1, holds), 0);
    assert_false(task(registry, "a")->enabled);
    assert_int_equal(registry_task_delete_if(registry, &somebody, "a", 1, &present), 0);
    assert_int_equal(registry_sequence(registry), 4);
    assert_null(task(registry, "a"));
}

static void a_replaced_task_keeps_its_place_and_names_what_changed(void **state)
{
    struct registry *registry = *state;
    create(registry, "a", false);
    create(registry, "b", true);
    assert_int_equal(put(registry, "{\"condition\":{},\"module\":\"x\"}", -1, any), 0);
    assert_event(registry, EVENT_TASK_UPDATED, "a", "{\"changed\":[\"module\"]}");
    assert_int_equal(task(registry, "a")->created, 1);
    assert_int_equal(task(registry, "a")->revision, 3);
    assert_false(task(registry, "a")->enabled);
    struct digest digest = registry_digest(registry);
    assert_int_equal(put(registry, "{\"condition\":{},\"module\":\"x\"}", 0, any), 0);
    assert_unchanged(registry, 3, digest);
    assert_int_equal(put(registry, "{\"condition\":{},\"module\":\"x\"}", 1, any), 0);
    assert_event(registry, EVENT_TASK_UPDATED, "a", "{\"changed\":[\"enabled\"]}");
    assert_int_equal(registry_task_enabled_count(registry), 2);
    struct map_cursor cursor;
    registry_task_seek(registry, 0, &cursor);
    assert_string_equal(registry_task_next(&cursor)->name, "a");
}

static void an_update_names_what_differs_whatever_the_texts(void **state)
{
    static const struct {
        const char *was;
        const char *is; /* with enabled, which was not */
        const char *changed;
    } rows[] = {
        {"{}", "{}", "\"enabled\""},
        {"{}", "{\"a\":1,\"z\":2}", "\"a\",\"enabled\",\"z\""},
        {"{\"a\":1,\"z\":2}", "{}", "\"a\",\"enabled\",\"z\""},
        {"{\"f\":1,\"g\":2}", "{\"f\":1,\"g\":3}", "\"enabled\",\"g\""},
        {"{\"f\":{\"x\":[\"}\\\"\",{}]}}", "{\"f\":{\"x\":[\"}\\\"\",{ }]}}",
         "\"enabled\",\"f\""},
        {"{\"b\":1,\"a\":1}", "{}", "\"enabled\",\"text\""}, /* out of order */
        {"{\"A\":1}", "{}", "\"enabled\",\"text\""},
        {"{\"a\":1}x", "{}", "\"enabled\",\"text\""},
        {"{\"a\":\"1}", "{}", "\"enabled\",\"text\""},
        {"{\"a\"}", "{}", "\"enabled\",\"text\""},
        {"[]", "{}", "\"enabled\",\"text\""},
        {"no", "no", "\"enabled\""},
    };
    struct registry *registry = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char data[128];
        assert_int_equal(put(registry, rows[i].was, 0, any), 0);
        assert_int_equal(put(registry, rows[i].is, 1, any), 0);
        snprintf(data, sizeof data, "{\"changed\":[%s]}", rows[i].changed);
        assert_event(registry, EVENT_TASK_UPDATED, "a", data);
    }
}

static void a_merge_is_of_the_revision_it_was_computed_from(void **state)
{
    struct registry *registry = *state;
    struct task_draft draft = {"a", 1, "{\"m\":1}", 7, 1, true};
    assert_int_equal(registry_task_merge(registry, &somebody, &draft, 0, &any),
                     ERR_NOT_FOUND);
    assert_int_equal(registry_task_merge(registry, &somebody, &draft, 0, &present),
                     ERR_PRECONDITION);
    create(registry, "a", true);
    struct digest digest = registry_digest(registry);
    struct task_match stale = revision(2);
    assert_int_equal(registry_task_merge(registry, &somebody, &draft, 2, &any),
                     ERR_CONFLICT);
    assert_int_equal(registry_task_merge(registry, &somebody, &draft, 1, &stale),
                     ERR_PRECONDITION); /* what the client asked for comes first */
    assert_int_equal(registry_task_merge(registry, &somebody, &draft, 1, &unheard),
                     ERR_INVALID);
    draft.enabled_at = 7;
    assert_int_equal(registry_task_merge(registry, &somebody, &draft, 1, &any),
                     ERR_INVALID);
    assert_int_equal(registry_task_put(registry, &somebody, &draft, true, &any),
                     ERR_INVALID);
    assert_unchanged(registry, 1, digest);
    draft.enabled_at = 1;
    assert_int_equal(registry_task_merge(registry, &somebody, &draft, 1, &present), 0);
    assert_event(registry, EVENT_TASK_UPDATED, "a",
                 "{\"changed\":[\"condition\",\"m\",\"module\"]}");
    assert_int_equal(task(registry, "a")->revision, 2);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RULE(a_change_is_made_only_where_its_condition_holds),
        RULE(a_replaced_task_keeps_its_place_and_names_what_changed),
        RULE(an_update_names_what_differs_whatever_the_texts),
        RULE(a_merge_is_of_the_revision_it_was_computed_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
