/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots written by hand, record by record, with one thing wrong that no checksum
 * shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "raft/snapshot.h"
#include "unit/raft/snapshot_hand.h"

/* --- what becomes of it -------------------------------------------------------------
 */

static int collect(void *ctx, const void *data, size_t len)
{
    buf_put(ctx, data, len);
    return 0;
}

static struct registry *restored(struct err *err)
{
    struct snapshot_decoder *decoder = snapshot_decoder_new();
    *err = (struct err){.code = ERR_NONE};
    if (snapshot_decoder_feed(decoder, bytes.data, bytes.len, err) != 0) {
        snapshot_decoder_free(decoder);
        return NULL;
    }
    return snapshot_decoder_finish(decoder, err);
}

static void start_anew(void)
{
    buf_clear(&bytes);
    record_count = 0;
}

/* What was put so far is refused so; the next one starts anew. */
static void assert_refused(int code, const char *words)
{
    struct err err;
    assert_null(restored(&err));
    assert_int_equal(err.code, code);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, err.text);
    }
    start_anew();
}

/* What was put is taken, and written again as it is. */
static struct registry *taken_and_again(void)
{
    struct err err;
    struct registry *registry = restored(&err);
    if (registry == NULL) {
        fail_msg("%s", err.text);
    }
    struct buf again;
    buf_init(&again);
    assert_int_equal(snapshot_encode(registry, collect, &again), 0);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);
    buf_close(&again);
    start_anew();
    return registry;
}

static void assert_taken(void)
{
    registry_free(taken_and_again());
}

static int teardown(void **state)
{
    (void)state;
    buf_close(&bytes);
    record_count = 0;
    return map_reap(SIZE_MAX) == 0 ? 0 : -1;
}

static void the_smallest_and_a_full_one_are_taken(void **state)
{
    (void)state;
    put_head(1, 1, 1);
    put_end();
    assert_taken();
    put_head(1, 5000000000, 5000000000); /* no events kept: a new epoch */
    put_task("a", 1, 3);
    put_end();
    assert_taken();
    put_head(1, 8, 10);
    put_setting("events_max_count", 100);
    put_setting("task_events", 6);
    put_member(1, 1);
    put_member(UINT64_MAX, 9);
    put_task("b", 2, 2);
    put_task("a", 3, 9);
    put_event(1);
    put_event(30);
    put_end();
    assert_taken();
}

static void one_of_the_second_level_tells_it_and_who_drains(void **state)
{
    (void)state;
    put_head_2(2, 4, 4);
    put_member_2(1, 1, 0);
    put_member_2(2, 3, 1);
    put_end();
    assert_taken();
    struct err err;
    put_head_2(2, 4, 4);
    put_member_2(1, 1, 0);
    put_member_2(2, 3, 1);
    put_end();
    struct registry *registry = restored(&err);
    assert_int_equal(registry_level(registry), 2);
    assert_false(registry_member(registry, 1)->duty.draining);
    assert_true(registry_member(registry, 2)->duty.draining);
    registry_free(registry);
    start_anew();
    put_head_2(4, 1, 1);
    assert_refused(ERR_UNSUPPORTED, "upgrade it");
    put_head_2(3, 1, 1); /* has a format of its own, as the first one */
    assert_refused(ERR_CORRUPT, "a damaged head");
    put_head_2(1, 1, 1); /* has a format of its own */
    assert_refused(ERR_CORRUPT, "a damaged head");
    put_head(2, 1, 1); /* and no level */
    assert_refused(ERR_CORRUPT, "a damaged head");
    put_head_2(2, 4, 4);
    put_member_2(1, 1, 2);
    assert_refused(ERR_CORRUPT, "member");
    put_head_2(2, 4, 4);
    put_member(1, 1);
    assert_refused(ERR_CORRUPT, "member");
    put_head(1, 4, 4);
    put_member_2(1, 1, 0);
    assert_refused(ERR_CORRUPT, "member");
}

static void keys_stand_last_in_the_order_of_their_time(void **state)
{
    (void)state;
    static const struct key_row sound[] = {
        {0, "", "a", 0, 9, 1},
        {0, "bob", "a", 3, 3, 0}, /* exists */
        {7, "", "!~", 2, 0, 0},   /* not found */
        {7, "", "a", 0, 0, 0},    /* again, after the first was too old */
    };
    static const struct key_row unsound[] = {
        {6, "", "a", 0, 9, 1},  /* before the one before it */
        {78, "", "a", 0, 9, 1}, /* after the clock */
        {7, "", "", 0, 9, 1},    {7, "", "a b", 0, 9, 1},
        {7, "", "a", 4, 9, 0},   /* a conflict, which is not kept */
        {7, "", "a", 19, 9, 0},  /* a key reused */
        {7, "", "a", 200, 9, 0}, /* no code at all */
        {7, "", "a", 0, 10, 0},  /* a revision to come */
        {7, "", "a", 0, 0, 1},   {7, "", "a", 3, 9, 1},
        {7, "", "a", 0, 9, 2},
    };
    put_head_2(2, 10, 10);
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        put_key(&sound[i]);
    }
    put_end();
    assert_taken();
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        put_head_2(2, 10, 10);
        put_key(&sound[2]);
        put_key(&unsound[i]);
        assert_refused(ERR_CORRUPT, "a damaged key, or out of order at byte 94");
    }
    put_head_2(2, 9, 10);
    put_key(&sound[0]);
    put_event(1);
    assert_refused(ERR_CORRUPT, "a record out of order");
    put_head(1, 10, 10); /* the first level has none */
    put_key(&sound[0]);
    assert_refused(ERR_CORRUPT, "a damaged key");
    put_head(1, 1, 1);
    put_setting("keys_max_count", 100);
    assert_refused(ERR_UNSUPPORTED, "a setting that this build does not know");
    put_head_2(2, 1, 1);
    put_setting("keys_max_count", 100);
    put_end();
    assert_taken();
}

#define LIVE(number, name)                                                             \
    {                                                                                  \
        .id = (number), .task_created = 1, .state = RUN_PENDING, .purpose = RUN_APPLY, \
        .task = (name)                                                                 \
    }

static void put_runs_head(void)
{
    put_head_3(10, 10);
    put_task_3("a", 1, 1);
    put_task_3("b", 2, 0);
}

/* Each of them after a sound one of number 3 of task a. */
static void a_run_that_cannot_be_is_refused(void **state)
{
    (void)state;
    const struct run_row first = LIVE(3, "a");
    const struct run_row unsound[] = {
        LIVE(4, "a"), /* a second live one */
        LIVE(4, "b"), /* of another incarnation */
        LIVE(3, "c"), /* the same number */
        LIVE(4, "nobody"),
        LIVE(4, ""),
        {4, 2, 3, RUN_PENDING, 0, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 0}, /* revision */
        {4, 2, 10, RUN_RUNNING, 0, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 0},
        {4, 0, 0, RUN_PENDING, 0, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 0}, /* no task */
        {4, 2, 0, 5, 0, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 0},
        {4, 2, 0, RUN_ENDED, RUN_OPEN, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 0},
        {4, 2, 0, RUN_RUNNING, RUN_LOST, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 0},
        {4, 2, 0, RUN_ENDED, 6, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 0},
        {4, 2, 0, RUN_STOPPING, 0, RUN_APPLY, RUN_STOP_NONE, "b", NULL, 0, 0, 0, 0},
        {4, 2, 0, RUN_PENDING, 0, RUN_APPLY, 0, "b", NULL, 5, 0, 0, 0}, /* started */
        {4, 2, 0, RUN_PENDING, 0, 5, 0, "b", NULL, 0, 0, 0, 0},
        {4, 2, 0, RUN_PENDING, 0, RUN_APPLY, 0, "b", TEXT, 0, 0, 0, 0}, /* a draft */
        {4, 2, 0, RUN_ENDED, RUN_LOST, RUN_INSPECT, 0, "b", TEXT, 0, 0, 0, 0},
        {4, 0, 0, RUN_PENDING, 0, RUN_INSPECT, 0, "b", TEXT, 0, 0, 0,
         0},                                                            /* of no task */
        {4, 0, 0, RUN_PENDING, 0, RUN_TRIAL, 0, "c", NULL, 0, 0, 0, 0}, /* and none */
        {4, 0, 0, RUN_PENDING, 0, RUN_TRIAL, 0, "b", TEXT, 0, 0, 0,
         0}, /* its task is */
        {4, 0, 0, RUN_ENDED, RUN_SUCCESS, RUN_TRIAL, 0, "c", NULL, 0, 0, 0, 0},
        {4, 2, 0, RUN_PENDING, 0, RUN_APPLY, 0, "b", NULL, 0, 1, 0, 0}, /* no cause */
        {4, 2, 0, RUN_PENDING, 0, RUN_APPLY, 0, "b", NULL, 0, 0, 1, 0}, /* no lease */
        {4, 2, 0, RUN_PENDING, 0, RUN_APPLY, 0, "b", NULL, 0, 0, 0, 2}, /* a flag */
    };
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        put_runs_head();
        put_run(&first);
        put_run(&unsound[i]);
        assert_refused(ERR_CORRUPT, "a damaged run, or out of order");
    }
    put_head_2(2, 10, 10); /* the second level has none */
    put_run(&(struct run_row){4, 0, 0, RUN_PENDING, 0, RUN_TRIAL, 0, "c", TEXT, 0, 0, 0,
                              0});
    assert_refused(ERR_CORRUPT, "a damaged run");
}

/* One of a task as it stands, and one of what is to take a task's place. */
static void an_inspection_may_have_a_draft(void **state)
{
    (void)state;
    static const char *const drafts[] = {NULL, TEXT};
    for (size_t i = 0; i < 2; i++) {
        put_runs_head();
        put_run(&(struct run_row){4, 2, 0, RUN_PENDING, 0, RUN_INSPECT, 0, "b",
                                  drafts[i], 0, 0, 0, 0});
        put_end();
        assert_taken();
    }
}

static void runs_due_marks_and_next_fires_stand_behind_the_keys(void **state)
{
    (void)state;
    const struct run_row live = LIVE(3, "a");
    const struct run_row ended = {4,   2,    5, RUN_ENDED, RUN_FAILED, RUN_APPLY, 0,
                                  "b", NULL, 0, 0,         0,          0};
    const struct run_row trial = {6,   0,    0, RUN_PENDING, RUN_OPEN, RUN_TRIAL, 0,
                                  "c", TEXT, 0, 0,           0,        0};
    struct err err;
    for (int round = 0; round < 2; round++) {
        put_runs_head();
        put_run(&live);
        put_run(&ended);
        put_run(&trial);
        put_due(2, 5, 9, RUN_CAUSE_CHANGE);
        put_fire(1, 1000);
        put_fire(2, 5);
        put_end();
        if (round == 0) {
            assert_taken();
        }
    }
    struct registry *registry = restored(&err);
    assert_non_null(registry);
    assert_true(registry_task(registry, "a", 1)->deleting);
    assert_int_equal(registry_live_run(registry, "a", 1)->id, 3);
    assert_int_equal(registry_live_run(registry, "c", 1)->id, 6);
    assert_int_equal(registry_status_count(registry, TASK_STATUS_ERRORED), 1);
    assert_int_equal(registry_status_count(registry, TASK_STATUS_UNKNOWN), 1);
    assert_int_equal(
        registry_task_due_mark(registry, registry_task(registry, "b", 1))->until_ms, 9);
    registry_free(registry);
    start_anew();
    put_runs_head();
    put_due(2, 5, 9, RUN_CAUSE_CHANGE);
    put_due(1, 5, 9, RUN_CAUSE_CHANGE);
    assert_refused(ERR_CORRUPT, "due mark");
    put_runs_head();
    put_due(3, 5, 9, RUN_CAUSE_CHANGE); /* no such task */
    assert_refused(ERR_CORRUPT, "due mark");
    put_runs_head();
    put_due(1, 5, 4, RUN_CAUSE_CHANGE);
    assert_refused(ERR_CORRUPT, "due mark");
    put_runs_head();
    put_due(1, 5, 5, 9);
    assert_refused(ERR_CORRUPT, "due mark");
    put_runs_head();
    put_fire(1, 0);
    assert_refused(ERR_CORRUPT, "next fire");
    put_runs_head();
    put_fire(1, 1);
    put_fire(1, 1);
    assert_refused(ERR_CORRUPT, "next fire");
    put_head_3(10, 10);
    put_task_3("a", 1, 2);
    assert_refused(ERR_CORRUPT, "task");
}

static void a_time_zone_is_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "UTC", "../x", "localtime", "a b"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_head_3(1, 1);
        put_zone(wrong[i]);
        assert_refused(ERR_CORRUPT, "time zone");
    }
    put_head_3(1, 1);
    put_zone("Europe/Berlin");
    put_zone("Europe/Berlin");
    assert_refused(ERR_CORRUPT, "time zone");
    put_head_2(2, 1, 1); /* the second level has none */
    put_zone("Europe/Berlin");
    assert_refused(ERR_CORRUPT, "time zone");
    put_head_3(1, 1);
    put_zone("Europe/Berlin");
    put_end();
    struct registry *registry = taken_and_again();
    assert_string_equal(registry_zone(registry), "Europe/Berlin");
    registry_free(registry);
}

static void one_of_the_third_level_tells_what_members_are_there_for(void **state)
{
    (void)state;
    put_head_3(4, 4);
    put_member_3(1, 0, 0, 1);
    put_member_3(2, 1, 0, 0); /* it drained at a level that does not know since when */
    put_member_3(3, 1, 77, 1);
    put_end();
    struct registry *registry = taken_and_again();
    assert_int_equal(registry_member(registry, 1)->duty.drivers, 1);
    assert_int_equal(registry_member(registry, 2)->duty.drivers, 0);
    assert_int_equal(registry_member(registry, 2)->duty.drain_ms, 0);
    assert_int_equal(registry_member(registry, 3)->duty.drain_ms, 77);
    registry_free(registry);
    static const struct {
        uint8_t draining;
        uint64_t drain_ms;
        uint32_t drivers;
    } wrong[] = {{0, 1, 1}, {2, 1, 1}, {1, 1, 2}, {1, 78, 1}}; /* the clock is at 77 */
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_head_3(4, 4);
        put_member_3(1, wrong[i].draining, wrong[i].drain_ms, wrong[i].drivers);
        assert_refused(ERR_CORRUPT, "member");
    }
    put_head_3(4, 4);
    put_member_2(1, 1, 0);
    assert_refused(ERR_CORRUPT, "member");
    put_head_2(2, 4, 4);
    put_member_3(1, 1, 1, 1);
    assert_refused(ERR_CORRUPT, "member");
}

static void when_runs_may_begin_is_checked(void **state)
{
    (void)state;
    put_head_3(1, 1);
    put_zone("Europe/Berlin");
    put_runs_from(5);
    put_end();
    struct registry *registry = taken_and_again();
    assert_int_equal(registry_runs_from_ms(registry), 5);
    registry_free(registry);
    put_head_3(1, 1);
    put_runs_from(0);
    assert_refused(ERR_CORRUPT, "a damaged time for runs to begin");
    put_head_3(1, 1);
    put_runs_from(5);
    put_runs_from(5);
    assert_refused(ERR_CORRUPT, "a damaged time for runs to begin");
    put_head_2(2, 1, 1);
    put_runs_from(5);
    assert_refused(ERR_CORRUPT, "a damaged time for runs to begin");
}

static void what_a_newer_build_wrote_is_unsupported_not_damaged(void **state)
{
    (void)state;
    put_head(4, 1, 1);
    assert_refused(ERR_UNSUPPORTED, "a format that this muster does not know");
    put_head(1, 1, 1);
    put_setting("from_the_future", 1);
    assert_refused(ERR_UNSUPPORTED, "a setting that this build does not know");
    put_head(1, 1, 2);
    put_event(999);
    assert_refused(ERR_UNSUPPORTED, "an event that this build does not know");
    put_head(1, 1, 1);
    record_begin(12);
    record_end();
    assert_refused(ERR_UNSUPPORTED, "a record that this build does not know");
}

static void records_stand_in_their_order(void **state)
{
    (void)state;
    put_end();
    assert_refused(ERR_CORRUPT, "out of order at byte 0");
    put_head(1, 1, 1);
    put_head(1, 1, 1);
    assert_refused(ERR_CORRUPT, "out of order at byte 37");
    put_head(1, 1, 9);
    put_task("a", 1, 1);
    put_member(1, 1);
    assert_refused(ERR_CORRUPT, "a record out of order");
    put_head(1, 1, 9);
    put_setting("task_events", 6);
    put_setting("events_max_count", 100);
    assert_refused(ERR_CORRUPT, "a setting out of order");
    put_head(1, 1, 9);
    put_setting("task_events", 6);
    put_setting("task_events", 7);
    assert_refused(ERR_CORRUPT, "a setting out of order");
    put_head(1, 1, 9);
    put_member(2, 1);
    put_member(2, 1);
    assert_refused(ERR_CORRUPT, "member");
    put_head(1, 1, 9);
    put_task("a", 2, 2);
    put_task("b", 1, 1);
    assert_refused(ERR_CORRUPT, "task");
    put_head(1, 1, 1);
    put_end();
    put_end();
    assert_refused(ERR_CORRUPT, "a record out of order");
}

static void numbers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    put_head(1, 0, 1);
    assert_refused(ERR_CORRUPT, "a damaged head");
    put_head(1, 3, 2);
    assert_refused(ERR_CORRUPT, "a damaged head");
    put_head(1, 1, 9);
    put_setting("task_events", 0);
    assert_refused(ERR_CORRUPT, "bounds");
    put_head(1, 1, 9);
    put_setting("task_events", 5); /* its default */
    assert_refused(ERR_CORRUPT, "bounds");
    put_head(1, 1, 9);
    put_member(0, 1);
    assert_refused(ERR_CORRUPT, "member");
    put_head(1, 1, 9);
    put_member(1, 9);
    assert_refused(ERR_CORRUPT, "member");
    put_head(1, 1, 9);
    put_task("a", 2, 1);
    assert_refused(ERR_CORRUPT, "task");
    put_head(1, 1, 9);
    put_task("a", 1, 9);
    assert_refused(ERR_CORRUPT, "task");
    put_head(1, 1, 9);
    put_task("", 1, 1);
    assert_refused(ERR_CORRUPT, "task");
    put_head(1, 1, 9);
    put_task("a", 1, 1);
    put_task("a", 2, 2);
    assert_refused(ERR_CORRUPT, "task");
}

static void bytes_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    put_head(1, 1, 1);
    put_end();
    buf_put_u8(&bytes, 1); /* the beginning of a record that never comes */
    assert_refused(ERR_CORRUPT, "it ends at byte");
    put_head(1, 1, 9);
    record_begin(4);
    buf_put_u64(&bytes, 1);
    buf_put_u64(&bytes, 1);
    buf_put_u8(&bytes, 2); /* neither enabled nor disabled */
    buf_put_u32(&bytes, 16);
    buf_put_text(&bytes, "a");
    buf_put_text(&bytes, TEXT);
    record_end();
    assert_refused(ERR_CORRUPT, "task");
    for (int wrong = 0; wrong < 4; wrong++) {
        put_head(1, 1, 2);
        record_begin(5);
        buf_put_u16(&bytes, 1);
        buf_put_u64(&bytes, 1000);
        for (int i = 0; i < 4; i++) {
            buf_put_blob(&bytes, i == wrong ? "a\0b" : "abc", 3);
        }
        record_end();
        assert_refused(ERR_CORRUPT, "event");
    }
    put_head(1, 1, 9);
    record_begin(2);
    buf_put_text(&bytes, "task_events");
    buf_put_u64(&bytes, 6);
    buf_put_u8(&bytes, 0); /* one too many */
    record_end();
    assert_refused(ERR_CORRUPT, "setting");
}

static void events_lead_to_the_heads_next_one(void **state)
{
    (void)state;
    put_head(1, 1, 2);
    put_event(1);
    put_event(1);
    assert_refused(ERR_CORRUPT, "one too many");
    put_head(1, 1, 3);
    put_event(1);
    put_end();
    assert_refused(ERR_CORRUPT, "an end that does not fit");
    put_head(1, 1, 1);
    record_count = 2;
    put_end();
    assert_refused(ERR_CORRUPT, "an end that does not fit");
}

static void names_that_a_map_cannot_hold_are_refused(void **state)
{
    (void)state;
    char *name = mem_zalloc(70000 + 1);
    memset(name, 'n', 70000);
    put_head(1, 1, 9);
    put_task(name, 1, 1);
    assert_refused(ERR_CORRUPT, "task");
    name[TASK_NAME_BYTES_MAX] = '\0';
    put_head(1, 9, 9);
    put_task(name, 1, 1);
    put_end();
    assert_taken();
    mem_free(name);
}

static void a_length_from_outside_is_bounded_before_it_is_waited_for(void **state)
{
    (void)state;
    record_begin(1);
    buf_set_u32(&bytes, 1, UINT32_MAX);
    assert_refused(ERR_CORRUPT, "too large at byte 0");
}

/* --- pieces -------------------------------------------------------------------------
 */

struct pieces {
    struct buf whole;
    size_t count;
    size_t fail_at; /* this one; 0 = none */
    bool short_one; /* one that was not 64 KiB came: the last */
};

static int take_piece(void *ctx, const void *data, size_t len)
{
    struct pieces *pieces = ctx;
    assert_true(len > 0 && len <= 65536 && !pieces->short_one);
    pieces->short_one = len < 65536;
    buf_put(&pieces->whole, data, len);
    pieces->count++;
    return pieces->count == pieces->fail_at ? ERR_IO : 0;
}

static void pieces_have_64_kib_and_the_first_failure_ends_it(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    struct change change = {.request_id = "", .actor = ""};
    static const size_t sizes[] = {1000, TASK_TEXT_BYTES_MAX, 65536, 20, 200000};
    char *text = mem_zalloc(TASK_TEXT_BYTES_MAX);
    memset(text, 't', TASK_TEXT_BYTES_MAX);
    for (size_t i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + (int)i), '\0'};
        struct task_draft draft = {name, 1, text, sizes[i], 1, true};
        assert_int_equal(registry_task_create(registry, &change, &draft), 0);
    }
    struct pieces pieces = {.fail_at = 0};
    assert_int_equal(snapshot_encode(registry, take_piece, &pieces), 0);
    assert_true(pieces.count > 32);
    struct err err;
    buf_put(&bytes, pieces.whole.data, pieces.whole.len);
    struct registry *again = restored(&err);
    assert_non_null(again);
    assert_true(digest_equal(registry_digest(registry), registry_digest(again)));
    for (size_t fail_at = 1; fail_at <= pieces.count; fail_at++) {
        struct pieces failing = {.fail_at = fail_at};
        assert_int_equal(snapshot_encode(registry, take_piece, &failing), ERR_IO);
        assert_int_equal(failing.count, fail_at);
        buf_close(&failing.whole);
    }
    registry_free(again);
    registry_free(registry);
    buf_close(&pieces.whole);
    mem_free(text);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_smallest_and_a_full_one_are_taken),
        CASE(one_of_the_second_level_tells_it_and_who_drains),
        CASE(keys_stand_last_in_the_order_of_their_time),
        CASE(a_run_that_cannot_be_is_refused),
        CASE(an_inspection_may_have_a_draft),
        CASE(runs_due_marks_and_next_fires_stand_behind_the_keys),
        CASE(a_time_zone_is_checked),
        CASE(one_of_the_third_level_tells_what_members_are_there_for),
        CASE(when_runs_may_begin_is_checked),
        CASE(what_a_newer_build_wrote_is_unsupported_not_damaged),
        CASE(records_stand_in_their_order),
        CASE(numbers_that_cannot_be_are_refused),
        CASE(bytes_that_mean_nothing_are_refused),
        CASE(events_lead_to_the_heads_next_one),
        CASE(names_that_a_map_cannot_hold_are_refused),
        CASE(a_length_from_outside_is_bounded_before_it_is_waited_for),
        CASE(pieces_have_64_kib_and_the_first_failure_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
