/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of the registry, one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "lib/golden.h"
#include "registry/registry.h"

#define TEXT "{\"condition\":{},\"module\":\"m\"}"

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

static int create(struct registry *registry, const char *name, bool enabled)
{
    struct task_draft draft = {
        .name = name,
        .name_len = strlen(name),
        .text = TEXT,
        .text_len = sizeof TEXT - 1,
        .enabled_at = 16,
        .enabled = enabled,
    };
    return registry_task_create(registry, &somebody, &draft);
}

static int enable(struct registry *registry, const char *name, bool enabled)
{
    return registry_task_enable(registry, &somebody, name, strlen(name), enabled);
}

static int drop(struct registry *registry, const char *name)
{
    return registry_task_delete(registry, &somebody, name, strlen(name));
}

static int set(struct registry *registry, const char *name, uint64_t value)
{
    return registry_setting_set(registry, &somebody, name, strlen(name), value);
}

static struct member_draft member_of(uint64_t id, const char *name)
{
    return (struct member_draft){
        .id = id,
        .level = 1,
        .name = name,
        .address = "10.0.0.1:8558",
        .peer_address = "10.0.0.1:8658",
        .version = "0.1.0",
    };
}

static const struct task *task(const struct registry *registry, const char *name)
{
    return registry_task(registry, name, strlen(name));
}

static const struct event *last_event(const struct registry *registry)
{
    return event_log_after(registry_events(registry), registry_sequence(registry) - 1);
}

static void assert_event(const struct registry *registry, enum event_type type,
                         const char *task_name, const char *data)
{
    const struct event *event = last_event(registry);
    assert_non_null(event);
    assert_int_equal(event->seq, registry_sequence(registry));
    assert_int_equal(event->type, type);
    assert_int_equal(event->wall_ms, somebody.wall_ms);
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

/* --- tasks --------------------------------------------------------------------------
 */

static void a_created_task_has_the_number_of_its_event(void **state)
{
    struct registry *registry = *state;
    assert_int_equal(registry_sequence(registry), 0);
    assert_int_equal(create(registry, "a", true), 0);
    assert_event(registry, EVENT_TASK_CREATED, "a", "{\"enabled\":true}");
    assert_int_equal(create(registry, "b", false), 0);
    assert_event(registry, EVENT_TASK_CREATED, "b", "{\"enabled\":false}");
    assert_int_equal(task(registry, "b")->created, 2);
    assert_int_equal(task(registry, "b")->revision, 2);
    assert_string_equal(task(registry, "b")->text, TEXT);
    assert_int_equal(registry_task_count(registry), 2);
    assert_int_equal(registry_task_enabled_count(registry), 1);
    assert_null(registry_task(registry, "ab", 2));
    assert_null(registry_task(registry, "", 0));
}

static void a_taken_name_is_refused_and_nothing_changes(void **state)
{
    struct registry *registry = *state;
    create(registry, "a", true);
    struct digest digest = registry_digest(registry);
    assert_int_equal(create(registry, "a", false), ERR_EXISTS);
    assert_unchanged(registry, 1, digest);
    assert_true(task(registry, "a")->enabled);
}

static void what_cannot_be_kept_is_refused_and_nothing_changes(void **state)
{
    struct registry *registry = *state;
    struct digest digest = registry_digest(registry);
    char *longest = mem_zalloc(TASK_NAME_BYTES_MAX + 2);
    memset(longest, 'n', TASK_NAME_BYTES_MAX);
    const struct task_draft sound = {
        .name = "a",
        .name_len = 1,
        .text = TEXT,
        .text_len = sizeof TEXT - 1,
        .enabled_at = 16,
    };
    struct task_draft wrong[7];
    for (size_t i = 0; i < 7; i++) {
        wrong[i] = sound;
    }
    wrong[0].name_len = 0;
    wrong[1].name = longest;
    wrong[1].name_len = TASK_NAME_BYTES_MAX + 1;
    wrong[2].name = "a\0b";
    wrong[2].name_len = 3;
    wrong[3].enabled_at = 0;
    wrong[4].enabled_at = (uint32_t)wrong[4].text_len;
    wrong[5].text_len = 0;
    wrong[6].text_len = (size_t)TASK_TEXT_BYTES_MAX + 1; /* judged before it is read */
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(registry_task_create(registry, &somebody, &wrong[i]),
                         ERR_INVALID);
        assert_unchanged(registry, 0, digest);
    }
    assert_int_equal(create(registry, longest, true), 0); /* just fits */
    assert_string_equal(last_event(registry)->task, longest);
    mem_free(longest);
}

static void enabling_takes_an_event_only_if_it_changes_something(void **state)
{
    struct registry *registry = *state;
    create(registry, "a", true);
    struct digest digest = registry_digest(registry);
    assert_int_equal(enable(registry, "a", true), 0);
    assert_unchanged(registry, 1, digest);
    assert_int_equal(enable(registry, "a", false), 0);
    assert_event(registry, EVENT_TASK_DISABLED, "a", "{}");
    assert_int_equal(task(registry, "a")->revision, 2);
    assert_int_equal(task(registry, "a")->created, 1);
    assert_int_equal(registry_task_enabled_count(registry), 0);
    assert_int_equal(enable(registry, "a", true), 0);
    assert_event(registry, EVENT_TASK_ENABLED, "a", "{}");
    assert_int_equal(enable(registry, "b", true), ERR_NOT_FOUND);
    assert_int_equal(registry_sequence(registry), 3);
}

static void a_deleted_task_is_gone_and_its_revision_never_comes_back(void **state)
{
    struct registry *registry = *state;
    create(registry, "a", true);
    assert_int_equal(drop(registry, "a"), 0);
    assert_event(registry, EVENT_TASK_DELETED, "a", "{}");
    assert_null(task(registry, "a"));
    assert_int_equal(registry_task_enabled_count(registry), 0);
    assert_int_equal(drop(registry, "a"), ERR_NOT_FOUND);
    assert_int_equal(registry_sequence(registry), 2);
    create(registry, "a", true);
    assert_int_equal(task(registry, "a")->revision, 3);
}

static void tasks_are_listed_in_the_order_of_their_creation(void **state)
{
    struct registry *registry = *state;
    static const char *const names[] = {"m", "z", "a", "k"};
    for (size_t i = 0; i < 4; i++) {
        create(registry, names[i], true);
    }
    enable(registry, "m", false); /* a change moves nothing */
    drop(registry, "z");
    create(registry, "z", true);
    static const char *const wanted[] = {"m", "a", "k", "z"};
    struct map_cursor cursor;
    registry_task_seek(registry, 0, &cursor);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(registry_task_next(&cursor)->name, wanted[i]);
    }
    assert_null(registry_task_next(&cursor));
    registry_task_seek(registry, 4, &cursor); /* created at or after */
    assert_string_equal(registry_task_next(&cursor)->name, "k");
    registry_task_seek(registry, UINT64_MAX, &cursor);
    assert_null(registry_task_next(&cursor));
}

static void enabled_is_spliced_into_the_text(void **state)
{
    struct registry *registry = *state;
    char json[64];
    create(registry, "a", true);
    size_t len = task_write(task(registry, "a"), json);
    assert_int_equal(len, task_json_len(task(registry, "a")));
    json[len] = '\0';
    assert_string_equal(json, "{\"condition\":{},\"enabled\":true,\"module\":\"m\"}");
}

/* --- members and settings -----------------------------------------------------------
 */

static void a_member_row_is_set_changed_and_taken_away(void **state)
{
    struct registry *registry = *state;
    struct member_draft draft = member_of(7, "n1");
    assert_int_equal(registry_member_set(registry, &somebody, &draft), 0);
    assert_event(registry, EVENT_MEMBER_JOINED, "", "{\"id\":\"7\",\"name\":\"n1\"}");
    struct digest digest = registry_digest(registry);
    assert_int_equal(registry_member_set(registry, &somebody, &draft), 0);
    assert_unchanged(registry, 1, digest);
    draft.version = "0.2.0";
    assert_int_equal(registry_member_set(registry, &somebody, &draft), 0);
    assert_event(registry, EVENT_MEMBER_UPDATED, "", "{\"id\":\"7\",\"name\":\"n1\"}");
    assert_string_equal(registry_member(registry, 7)->version, "0.2.0");
    assert_int_equal(registry_member(registry, 7)->revision, 2);
    struct member_draft other[] = {draft, draft, draft, draft};
    other[0].level = 2;
    other[1].name = "n2";
    other[2].address = "";
    other[3].peer_address = "";
    for (size_t i = 0; i < 4; i++) { /* any field is a change */
        registry_member_set(registry, &somebody, &other[i]);
        assert_int_equal(registry_member(registry, 7)->revision, 3 + i);
    }
    registry_member_set(registry, &somebody, &draft);
    assert_int_equal(registry_member_count(registry), 1);
    assert_int_equal(registry_member_delete(registry, &somebody, 8), ERR_NOT_FOUND);
    assert_int_equal(registry_member_delete(registry, &somebody, 7), 0);
    assert_event(registry, EVENT_MEMBER_LEFT, "", "{\"id\":\"7\",\"name\":\"n1\"}");
    assert_null(registry_member(registry, 7));
    assert_int_equal(registry_sequence(registry), 8);
}

static void a_member_drains_through_changes_of_its_row_and_until_it_is_told(
    void **state)
{
    struct registry *registry = *state;
    struct member_draft draft = member_of(7, "n1");
    assert_int_equal(registry_member_drain(registry, &somebody, 7, true), ERR_LEVEL);
    registry_level_set(registry, 2);
    assert_int_equal(registry_member_drain(registry, &somebody, 7, true),
                     ERR_NOT_FOUND);
    registry_member_set(registry, &somebody, &draft);
    struct digest digest = registry_digest(registry);
    assert_int_equal(registry_member_drain(registry, &somebody, 7, false), 0);
    assert_unchanged(registry, 1, digest);
    assert_int_equal(registry_member_drain(registry, &somebody, 7, true), 0);
    assert_event(registry, EVENT_MEMBER_UPDATED, "",
                 "{\"id\":\"7\",\"name\":\"n1\",\"draining\":true}");
    assert_int_equal(registry_member(registry, 7)->revision, 2);
    digest = registry_digest(registry);
    assert_int_equal(registry_member_drain(registry, &somebody, 7, true), 0);
    assert_int_equal(registry_member_set(registry, &somebody, &draft), 0);
    assert_unchanged(registry, 2, digest);
    draft.version = "0.2.0";
    registry_member_set(registry, &somebody, &draft);
    assert_true(registry_member(registry, 7)->duty.draining);
    assert_int_equal(registry_member_drain(registry, &somebody, 7, false), 0);
    assert_event(registry, EVENT_MEMBER_UPDATED, "",
                 "{\"id\":\"7\",\"name\":\"n1\",\"draining\":false}");
    assert_false(registry_member(registry, 7)->duty.draining);
}

/* On the replicated clock, since the level that snapshots have a place for it in. */
static void since_when_it_drains_is_told(void **state)
{
    struct registry *registry = *state;
    struct member_draft draft = member_of(7, "n1");
    registry_level_set(registry, 2);
    registry_tick(registry, 1000);
    registry_member_set(registry, &somebody, &draft);
    registry_member_drain(registry, &somebody, 7, true);
    assert_int_equal(registry_member(registry, 7)->duty.drain_ms, 0);
    registry_member_drain(registry, &somebody, 7, false);
    registry_level_set(registry, 3);
    registry_member_drain(registry, &somebody, 7, true);
    assert_int_equal(registry_member(registry, 7)->duty.drain_ms, 1000);
    registry_tick(registry, 2000);
    struct digest digest = registry_digest(registry);
    uint64_t sequence = registry_sequence(registry);
    registry_member_drain(registry, &somebody, 7, true);
    assert_unchanged(registry, sequence, digest);
    draft.version = "0.2.0";
    registry_member_set(registry, &somebody, &draft);
    assert_int_equal(registry_member(registry, 7)->duty.drain_ms, 1000);
    registry_member_drain(registry, &somebody, 7, false);
    assert_int_equal(registry_member(registry, 7)->duty.drain_ms, 0);
    registry_member_drain(registry, &somebody, 7, true);
    assert_int_equal(registry_member(registry, 7)->duty.drain_ms, 2000);
}

static void a_member_says_what_it_carries_runs_out_with(void **state)
{
    struct registry *registry = *state;
    struct member_draft draft = member_of(7, "n1");
    registry_level_set(registry, 2);
    registry_member_set(registry, &somebody, &draft);
    assert_int_equal(registry_member_drivers(registry, &somebody, 7, 0), ERR_LEVEL);
    registry_level_set(registry, 3);
    struct digest digest = registry_digest(registry);
    assert_int_equal(registry_member(registry, 7)->duty.drivers, MEMBER_DRIVER_EXEC);
    assert_int_equal(registry_member_drivers(registry, &somebody, 8, 0), ERR_NOT_FOUND);
    assert_int_equal(registry_member_drivers(registry, &somebody, 7, 2), ERR_INVALID);
    assert_int_equal(registry_member_drivers(registry, &somebody, 7, 1), 0);
    assert_unchanged(registry, 1, digest);
    assert_int_equal(registry_member_drivers(registry, &somebody, 7, 0), 0);
    assert_event(registry, EVENT_MEMBER_UPDATED, "",
                 "{\"id\":\"7\",\"name\":\"n1\",\"drivers\":[]}");
    assert_int_equal(registry_member(registry, 7)->revision, 2);
    assert_false(digest_equal(digest, registry_digest(registry)));
    draft.version = "0.2.0";
    registry_member_set(registry, &somebody, &draft);
    assert_int_equal(registry_member(registry, 7)->duty.drivers, 0);
    assert_int_equal(registry_member_drivers(registry, &somebody, 7, 1), 0);
    assert_event(registry, EVENT_MEMBER_UPDATED, "",
                 "{\"id\":\"7\",\"name\":\"n1\",\"drivers\":[\"exec\"]}");
}

static void the_level_rises_without_an_event_and_never_falls(void **state)
{
    struct registry *registry = *state;
    struct digest digest = registry_digest(registry);
    assert_int_equal(registry_level(registry), 1);
    registry_level_set(registry, 0);
    registry_level_set(registry, 1);
    assert_unchanged(registry, 0, digest);
    registry_level_set(registry, 3);
    assert_int_equal(registry_level(registry), 3);
    assert_int_equal(registry_sequence(registry), 0);
    assert_false(digest_equal(digest, registry_digest(registry)));
    registry_level_set(registry, 2);
    assert_int_equal(registry_level(registry), 3);
    assert_int_equal(registry_recover(registry, &somebody), 0);
    assert_int_equal(registry_level(registry), 3);
}

static void members_are_listed_by_id(void **state)
{
    struct registry *registry = *state;
    static const uint64_t ids[] = {UINT64_MAX, 1, 0x8000000000000000, 256, 255};
    for (size_t i = 0; i < 5; i++) {
        struct member_draft draft = member_of(ids[i], "n");
        registry_member_set(registry, &somebody, &draft);
    }
    struct map_cursor cursor;
    uint64_t last = 0;
    const struct member *member = NULL;
    registry_member_seek(registry, &cursor);
    for (size_t i = 0; i < 5; i++) {
        member = registry_member_next(&cursor);
        assert_true(member->id > last);
        last = member->id;
    }
    assert_null(registry_member_next(&cursor));
}

static void a_member_without_an_id_or_with_endless_texts_is_refused(void **state)
{
    struct registry *registry = *state;
    struct digest digest = registry_digest(registry);
    struct member_draft draft = member_of(0, "n1");
    assert_int_equal(registry_member_set(registry, &somebody, &draft), ERR_INVALID);
    char *text = mem_zalloc(MEMBER_TEXT_BYTES_MAX + 2);
    memset(text, 'x', MEMBER_TEXT_BYTES_MAX + 1);
    for (size_t i = 0; i < 4; i++) {
        draft = member_of(1, i == 0 ? text : "n1");
        draft.address = i == 1 ? text : "";
        draft.peer_address = i == 2 ? text : "";
        draft.version = i == 3 ? text : "";
        assert_int_equal(registry_member_set(registry, &somebody, &draft), ERR_INVALID);
    }
    mem_free(text);
    assert_unchanged(registry, 0, digest);
}

static void a_quote_in_a_members_name_stays_inside_its_string(void **state)
{
    struct registry *registry = *state;
    struct member_draft draft = member_of(1, "a\"b\\c\nd\xc3\xa4");
    registry_member_set(registry, &somebody, &draft);
    assert_string_equal(
        last_event(registry)->data,
        "{\"id\":\"1\",\"name\":\"a\\u0022b\\u005cc\\u000ad\xc3\xa4\"}");
}

static void a_setting_is_changed_within_its_bounds_only(void **state)
{
    struct registry *registry = *state;
    struct digest fresh = registry_digest(registry);
    assert_int_equal(registry_setting(registry, SETTING_EVENTS_MAX_COUNT), 100000);
    assert_int_equal(registry_setting(registry, SETTING_EVENTS_MAX_BYTES), 67108864);
    assert_int_equal(registry_setting(registry, SETTING_TASK_EVENTS), 5);
    assert_int_equal(set(registry, "task_events", 0), ERR_INVALID);
    assert_int_equal(set(registry, "task_events", 101), ERR_INVALID);
    assert_int_equal(set(registry, "task_event", 5), ERR_NOT_FOUND);
    assert_int_equal(set(registry, "", 5), ERR_NOT_FOUND);
    assert_int_equal(set(registry, "task_events", 5), 0); /* so it is already */
    assert_unchanged(registry, 0, fresh);
    assert_int_equal(set(registry, "task_events", 100), 0);
    assert_event(registry, EVENT_SETTING_CHANGED, "",
                 "{\"name\":\"task_events\",\"value\":100}");
    assert_int_equal(registry_setting(registry, SETTING_TASK_EVENTS), 100);
}

static void settings_change_together_or_not_at_all(void **state)
{
    struct registry *registry = *state;
    static const struct {
        struct setting_value values[2];
        int code;
    } refused[] = {
        {{{SETTING_TASK_EVENTS, 7}, {SETTING_TASK_EVENTS, 7}}, ERR_INVALID},
        {{{SETTING_TASK_EVENTS, 7}, {SETTING_READY_LAG, 1000001}}, ERR_INVALID},
        {{{SETTING_TASK_EVENTS, 7}, {SETTING_EVENTS_MAX_COUNT, 99}}, ERR_INVALID},
        {{{SETTING_TASK_EVENTS, 7}, {SETTING_VOTERS, 3}}, ERR_INVALID},
        {{{SETTING_TASK_EVENTS, 7}, {SETTING_COUNT, 3}}, ERR_NOT_FOUND},
        {{{SETTING_TASK_EVENTS, 7}, {SETTING_KEYS_MAX_COUNT, 300}}, ERR_NOT_FOUND},
    };
    struct digest fresh = registry_digest(registry);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(
            registry_settings_set(registry, &somebody, refused[i].values, 2),
            refused[i].code);
        assert_unchanged(registry, 0, fresh);
    }
    struct setting_value values[] = {{SETTING_READY_LAG, 0},
                                     {SETTING_TASK_EVENTS, 5}, /* so it is already */
                                     {SETTING_EVENTS_MAX_COUNT, 200}};
    assert_int_equal(registry_settings_set(registry, &somebody, values, 3), 0);
    assert_int_equal(registry_sequence(registry), 2); /* in the order of settings.def */
    assert_string_equal(
        event_log_after(registry_events(registry), 0)->data,
        "{\"name\":\"events_max_count\",\"from\":100000,\"value\":200}");
    assert_event(registry, EVENT_SETTING_CHANGED, "",
                 "{\"name\":\"ready_lag\",\"from\":1000,\"value\":0}");
    struct digest changed = registry_digest(registry);
    assert_int_equal(registry_settings_set(registry, &somebody, values, 3), 0);
    assert_int_equal(registry_settings_set(registry, &somebody, values, 0), 0);
    assert_unchanged(registry, 2, changed);

    struct registry *other = registry_new(); /* how it came there is not in the state */
    set(other, "events_max_count", 200);
    set(other, "ready_lag", 0);
    assert_int_equal(registry_setting(other, SETTING_READY_LAG),
                     registry_setting(registry, SETTING_READY_LAG));
    registry_free(other);
    registry_level_set(registry, 2);
    struct setting_value keys = {SETTING_KEYS_MAX_COUNT, 300};
    assert_int_equal(registry_settings_set(registry, &somebody, &keys, 1), 0);
}

/* What is too much by a lower retention goes in turns, with the writes that follow. */
static void a_lower_retention_takes_away_a_bounded_number_at_once(void **state)
{
    struct registry *registry = *state;
    create(registry, "a", true);
    for (uint64_t i = 0; i < 4999; i++) {
        enable(registry, "a", i % 2 == 1);
    }
    const struct event_log *events = registry_events(registry);
    struct setting_value value = {SETTING_EVENTS_MAX_COUNT, 100};
    assert_int_equal(registry_settings_set(registry, &somebody, &value, 1), 0);
    uint64_t kept = events->next - events->first;
    assert_true(kept > 3900);
    for (int i = 0; i < 10; i++) {
        enable(registry, "a", i % 2 == 1);
        assert_true(events->next - events->first <= kept);
        kept = events->next - events->first;
    }
    assert_int_equal(kept, 100);
}

static void the_clock_never_goes_back_and_takes_no_number(void **state)
{
    struct registry *registry = *state;
    registry_tick(registry, 10);
    registry_tick(registry, 9);
    assert_int_equal(registry_clock_ms(registry), 10);
    assert_int_equal(registry_sequence(registry), 0);
}

/* --- events -------------------------------------------------------------------------
 */

static void the_oldest_events_go_when_there_are_too_many(void **state)
{
    struct registry *registry = *state;
    set(registry, "events_max_count", 100);
    create(registry, "a", true);
    for (uint64_t i = 0; i < 1000; i++) {
        enable(registry, "a", i % 2 == 1);
        const struct event_log *events = registry_events(registry);
        uint64_t kept = events->next - events->first;
        assert_int_equal(kept, events->next - 1 < 100 ? events->next - 1 : 100);
        assert_int_equal(event_log_after(events, 0)->seq, events->first);
        assert_null(event_log_after(events, events->next - 1));
        assert_null(event_log_after(events, UINT64_MAX));
        assert_true(map_count(&events->chunks) <= 3); /* what has gone is not held */
    }
}

static void the_oldest_events_go_when_they_have_too_many_bytes(void **state)
{
    struct registry *registry = *state;
    set(registry, "events_max_bytes", 65536);
    struct change change = somebody;
    char *wordy = mem_zalloc(1001);
    memset(wordy, 'w', 1000);
    change.actor = wordy;
    create(registry, "a", true);
    for (uint64_t i = 0; i < 200; i++) {
        registry_task_enable(registry, &change, "a", 1, i % 2 == 1);
        assert_true(registry_events(registry)->bytes <= 65536);
    }
    /* 64 and the texts with a terminator each: a, 1 000 times w, r1, {} */
    const struct event_log *events = registry_events(registry);
    assert_int_equal(events->next - events->first, 65536 / (64 + 2 + 1001 + 3 + 3));
    mem_free(wordy);
}

static void the_newest_event_stays_however_large_it_is(void **state)
{
    struct registry *registry = *state;
    set(registry, "events_max_bytes", 65536);
    struct change change = somebody;
    char *wordy = mem_zalloc(100001);
    memset(wordy, 'w', 100000);
    change.actor = wordy;
    create(registry, "a", true);
    registry_task_enable(registry, &change, "a", 1, false);
    const struct event_log *events = registry_events(registry);
    assert_int_equal(events->first, 3);
    assert_int_equal(events->next, 4);
    assert_string_equal(last_event(registry)->actor, wordy);
    mem_free(wordy);
}

static void a_lowered_setting_lets_events_go_in_turns(void **state)
{
    struct registry *registry = *state;
    create(registry, "a", true);
    for (uint64_t i = 0; i < 3000; i++) {
        enable(registry, "a", i % 2 == 1);
    }
    set(registry, "events_max_count", 100);
    const struct event_log *events = registry_events(registry);
    assert_int_equal(events->next - events->first, 3002 - 1024);
    create(registry, "b", true);
    assert_int_equal(events->next - events->first, 3003 - 2 * 1024);
    create(registry, "c", true);
    assert_int_equal(events->next - events->first, 100);
    assert_int_equal(event_log_after(events, 0)->seq, events->first);
}

static void an_empty_log_has_no_event_after_any_number(void **state)
{
    struct registry *registry = *state;
    assert_null(event_log_after(registry_events(registry), 0));
    registry_restore_events(registry, 5000000000);
    assert_int_equal(registry_sequence(registry), 4999999999);
    assert_null(event_log_after(registry_events(registry), 0));
    assert_null(event_log_after(registry_events(registry), 4999999998));
    create(registry, "a", true);
    assert_int_equal(event_log_after(registry_events(registry), 0)->seq, 5000000000);
}

static void every_event_type_has_a_name_of_its_own(void **state)
{
    (void)state;
#define X(symbol, number, text)                                                        \
    assert_int_equal(event_type_from(text, strlen(text)), number);                     \
    assert_string_equal(event_type_name(EVENT_##symbol), text);
#include "registry/events.def"
#undef X
    assert_int_equal(event_type_from("task.create", 11), 0);
    assert_int_equal(event_type_from("", 0), 0);
    assert_null(event_type_name((enum event_type)999));
}

/* --- frozen roots and the digest -----------------------------------------------------
 */

static void a_frozen_root_keeps_its_events_while_the_log_goes_on(void **state)
{
    struct registry *registry = *state;
    set(registry, "events_max_count", 100);
    create(registry, "a", true);
    const struct registry *frozen[40];
    for (uint64_t i = 0; i < 40; i++) {
        frozen[i] = registry_freeze(registry);
        for (uint64_t j = 0; j <= i % 7; j++) {
            enable(registry, "a", !task(registry, "a")->enabled);
        }
        if (i % 3 == 0) { /* a second holder comes and goes between two writes */
            registry_thaw(registry_freeze(registry));
        }
    }
    for (uint64_t i = 0; i < 40; i++) {
        const struct event_log *events = registry_events(frozen[i]);
        uint64_t seq = events->first;
        for (; seq < events->next; seq++) {
            assert_int_equal(event_log_after(events, seq - 1)->seq, seq);
        }
        assert_null(event_log_after(events, seq - 1));
        registry_thaw(frozen[i]);
    }
}

static void the_digest_does_not_know_the_way_it_came(void **state)
{
    struct registry *registry = *state;
    struct digest fresh = registry_digest(registry);
    struct digest sum = {0, 0};
    uint64_t numbers[] = {1, 2};
    struct digest_item item = {DIGEST_TASK, numbers, 2, "abc", 3};
    digest_add(&sum, &item);
    struct digest one = sum;
    assert_true(sum.low != sum.high && sum.low != 0 && sum.high != 0);
    item.kind = DIGEST_EVENT;
    digest_add(&sum, &item);
    item.kind = DIGEST_TASK;
    digest_remove(&sum, &item);
    assert_false(digest_equal(sum, one)); /* the kind counts */
    digest_add(&sum, &item);
    item.kind = DIGEST_EVENT;
    digest_remove(&sum, &item);
    assert_true(digest_equal(sum, one));
    set(registry, "task_events", 9);
    struct digest nine = registry_digest(registry);
    assert_false(digest_equal(fresh, nine));
}

/* Two items whose first words make up for their numbers collided in both halves once.
 */
static void halves_do_not_collide_together(void **state)
{
    (void)state;
    for (uint64_t number = 0; number < 2000; number++) {
        uint64_t other = number + 1;
        struct digest a = {0, 0};
        struct digest b = {0, 0};
        uint64_t word = 0;
        struct digest_item of_a = {DIGEST_TASK, &number, 1, &word, sizeof word};
        digest_add(&a, &of_a);
        struct digest_item of_b = {DIGEST_TASK, &other, 1, &word, sizeof word};
        digest_add(&b, &of_b);
        assert_true(a.low != b.low && a.high != b.high);
        assert_true((a.low ^ b.low) != (a.high ^ b.high));
        assert_true(a.low - b.low != a.high - b.high);
    }
}

static void the_digest_is_what_it_always_was(void **state)
{
    struct registry *registry = *state;
    struct buf out;
    buf_init(&out);
    struct member_draft draft = member_of(0x0123456789abcdef, "n1");
    registry_tick(registry, 1234);
    create(registry, "task_a", true);
    create(registry, "task_b", false);
    registry_member_set(registry, &somebody, &draft);
    set(registry, "task_events", 7);
    enable(registry, "task_b", true);
    drop(registry, "task_a");
    struct digest digest = registry_digest(registry);
    buf_put_u64(&out, digest.low);
    buf_put_u64(&out, digest.high);
    golden_check("digest.hex", out.data, out.len);
    buf_close(&out);
}

static void a_new_epoch_leaps_and_keeps_the_tasks(void **state)
{
    struct registry *registry = *state;
    create(registry, "a", true);
    create(registry, "b", false);
    struct member_draft member = {
        .id = 7, .name = "n1", .address = "", .peer_address = "", .version = ""};
    registry_member_set(registry, &somebody, &member);
    assert_int_equal(registry_setting_set(registry, &somebody, "task_events", 11, 9),
                     0);
    registry_tick(registry, 500);
    const struct registry *frozen = registry_freeze(registry);
    assert_int_equal(registry_recover(registry, &somebody), 0);
    assert_int_equal(registry_sequence(registry), REGISTRY_EPOCH + 5);
    assert_event(registry, EVENT_CLUSTER_RECOVERED, "", "{\"after\":4}");
    assert_int_equal(registry_events(registry)->first, REGISTRY_EPOCH + 5);
    assert_int_equal(registry_member_count(registry), 0);
    assert_int_equal(registry_task_count(registry), 2);
    assert_int_equal(registry_task(registry, "b", 1)->revision, 2);
    assert_int_equal(registry_setting(registry, SETTING_TASK_EVENTS), 9);
    assert_int_equal(registry_clock_ms(registry), 500);

    /* the digest is that of what is there, however it came */
    struct registry *other = registry_new();
    registry_restore_clock(other, 500);
    registry_restore_setting(other, SETTING_TASK_EVENTS, 9);
    struct task_draft draft = {"a", 1, TEXT, sizeof TEXT - 1, 16, true};
    registry_restore_task(other, &draft, 1, 1, false);
    draft = (struct task_draft){"b", 1, TEXT, sizeof TEXT - 1, 16, false};
    registry_restore_task(other, &draft, 2, 2, false);
    registry_restore_events(other, REGISTRY_EPOCH + 5);
    registry_restore_event(other, last_event(registry));
    assert_true(digest_equal(registry_digest(registry), registry_digest(other)));
    registry_free(other);

    assert_int_equal(registry_sequence(frozen), 4);
    assert_int_equal(registry_member_count(frozen), 1);
    assert_int_equal(event_log_after(registry_events(frozen), 0)->seq, 1);
    registry_thaw(frozen);
}

static void numbers_that_are_at_their_end_begin_no_epoch(void **state)
{
    struct registry *registry = *state;
    registry_restore_events(registry, INT64_MAX - REGISTRY_EPOCH);
    struct digest digest = registry_digest(registry);
    assert_int_equal(registry_recover(registry, &somebody), ERR_INVALID);
    assert_true(digest_equal(registry_digest(registry), digest));
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RULE(a_created_task_has_the_number_of_its_event),
        RULE(a_taken_name_is_refused_and_nothing_changes),
        RULE(what_cannot_be_kept_is_refused_and_nothing_changes),
        RULE(enabling_takes_an_event_only_if_it_changes_something),
        RULE(a_deleted_task_is_gone_and_its_revision_never_comes_back),
        RULE(tasks_are_listed_in_the_order_of_their_creation),
        RULE(enabled_is_spliced_into_the_text),
        RULE(a_member_row_is_set_changed_and_taken_away),
        RULE(a_member_drains_through_changes_of_its_row_and_until_it_is_told),
        RULE(since_when_it_drains_is_told),
        RULE(a_member_says_what_it_carries_runs_out_with),
        RULE(the_level_rises_without_an_event_and_never_falls),
        RULE(members_are_listed_by_id),
        RULE(a_member_without_an_id_or_with_endless_texts_is_refused),
        RULE(a_quote_in_a_members_name_stays_inside_its_string),
        RULE(a_setting_is_changed_within_its_bounds_only),
        RULE(settings_change_together_or_not_at_all),
        RULE(a_lower_retention_takes_away_a_bounded_number_at_once),
        RULE(the_clock_never_goes_back_and_takes_no_number),
        RULE(the_oldest_events_go_when_there_are_too_many),
        RULE(the_oldest_events_go_when_they_have_too_many_bytes),
        RULE(the_newest_event_stays_however_large_it_is),
        RULE(a_lowered_setting_lets_events_go_in_turns),
        RULE(an_empty_log_has_no_event_after_any_number),
        RULE(every_event_type_has_a_name_of_its_own),
        RULE(a_frozen_root_keeps_its_events_while_the_log_goes_on),
        RULE(a_new_epoch_leaps_and_keeps_the_tasks),
        RULE(numbers_that_are_at_their_end_begin_no_epoch),
        RULE(the_digest_does_not_know_the_way_it_came),
        RULE(halves_do_not_collide_together),
        RULE(the_digest_is_what_it_always_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
