/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/map.h"
#include "raft/command.h"
#include "raft/fsm.h"

#define TEXT "{\"condition\":{},\"module\":\"m\"}"

static struct command create(const char *name)
{
    return (struct command){
        .type = COMMAND_TASK_CREATE,
        .request_id = text_of("r1"),
        .actor = text_of(""),
        .task_create = {text_of(name), text_of(TEXT), 16, true},
    };
}

static void batch_of(struct buf *out, const struct command *commands, uint32_t count)
{
    struct batch_header header = {.wall_ms = 1000, .clock_ms = 5, .count = count};
    batch_begin(out, &header);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(command_encode(out, &commands[i], COMMAND_LEVEL, NULL), 0);
    }
}

static int notified;
static uint64_t notified_to;

static void changed(struct fsm_watch *watch, uint64_t from, uint64_t to)
{
    (void)watch;
    (void)from;
    notified++;
    notified_to = to;
}

static void a_batch_has_one_result_a_command_and_one_notice(void **state)
{
    (void)state;
    struct fsm *fsm = fsm_new();
    struct fsm_watch watch = {.changed = changed};
    notified = 0;
    fsm_watch(fsm, &watch);
    struct command commands[] = {
        create("a"),
        create("a"),
        {.type = COMMAND_TASK_ENABLE,
         .request_id = text_of(""),
         .actor = text_of(""),
         .task_enable = {text_of("a"), false}},
        {.type = COMMAND_TASK_DELETE,
         .request_id = text_of(""),
         .actor = text_of(""),
         .task_delete = {text_of("b")}},
    };
    struct buf batch;
    buf_init(&batch);
    batch_of(&batch, commands, 4);
    struct result results[4];
    size_t count = 0;
    assert_int_equal(fsm_apply(fsm, batch.data, batch.len, results, 4, &count, NULL),
                     0);
    assert_int_equal(count, 4);
    assert_int_equal(results[0].code, 0);
    assert_int_equal(results[0].revision, 1);
    assert_int_equal(results[1].code, ERR_EXISTS);
    assert_int_equal(results[2].code, 0);
    assert_int_equal(results[2].sequence, 2);
    assert_int_equal(results[2].revision, 2);
    assert_int_equal(results[3].code, ERR_NOT_FOUND);
    assert_int_equal(notified, 1);
    assert_int_equal(notified_to, 2);
    assert_int_equal(registry_clock_ms(fsm_registry(fsm)), 5);
    const struct task *task = registry_task(fsm_registry(fsm), "a", 1);
    assert_false(task->enabled);
    char json[128];
    size_t len = task_write(task, json);
    assert_int_equal(len, task_json_len(task));
    json[len] = '\0';
    assert_string_equal(json, "{\"condition\":{},\"enabled\":false,\"module\":\"m\"}");
    fsm_unwatch(fsm, &watch);
    buf_close(&batch);
    fsm_free(fsm);
    map_reap(SIZE_MAX);
}

static void nobody_is_told_when_nothing_shows(void **state)
{
    (void)state;
    struct fsm *fsm = fsm_new();
    struct fsm_watch watches[3] = {{.changed = changed}, {.changed = changed}};
    struct command refused[] = {
        {.type = COMMAND_TASK_DELETE,
         .request_id = text_of(""),
         .actor = text_of(""),
         .task_delete = {text_of("b")}},
        {.type = COMMAND_SETTING_SET,
         .request_id = text_of(""),
         .actor = text_of(""),
         .setting_set = {text_of("task_events"), 5}},
    };
    struct command made[] = {create("a"), create("b")};
    struct result result;
    size_t count = 0;
    struct buf batch;
    buf_init(&batch);
    notified = 0;
    fsm_watch(fsm, &watches[0]);
    fsm_watch(fsm, &watches[1]);
    batch_of(&batch, refused, 2);
    assert_int_equal(fsm_apply(fsm, batch.data, batch.len, NULL, 0, &count, NULL), 0);
    assert_int_equal(notified, 0);
    fsm_unwatch(fsm, &watches[0]);
    fsm_unwatch(fsm, &watches[2]); /* it never listened */
    buf_clear(&batch);
    batch_of(&batch, made, 2);
    assert_int_equal(fsm_apply(fsm, batch.data, batch.len, &result, 1, &count, NULL),
                     0); /* room for one result of two */
    assert_int_equal(count, 2);
    assert_int_equal(result.sequence, 1);
    assert_int_equal(notified, 1);
    fsm_restore(fsm, registry_new());
    assert_int_equal(notified, 2);
    assert_int_equal(notified_to, 0);
    fsm_restore(fsm, registry_new());
    assert_int_equal(notified, 2);
    fsm_unwatch(fsm, &watches[1]);
    buf_close(&batch);
    fsm_free(fsm);
    map_reap(SIZE_MAX);
}

static void a_damaged_batch_changes_nothing(void **state)
{
    (void)state;
    struct fsm *fsm = fsm_new();
    struct command commands[] = {create("a"), create("b")};
    struct buf batch;
    buf_init(&batch);
    batch_of(&batch, commands, 2);
    struct digest before = registry_digest(fsm_registry(fsm));
    size_t count = 0;
    for (size_t len = 0; len < batch.len; len++) {
        struct err err;
        assert_true(fsm_apply(fsm, batch.data, len, NULL, 0, &count, &err) != 0);
        assert_true(digest_equal(before, registry_digest(fsm_registry(fsm))));
    }
    buf_put_u8(&batch, 0);
    assert_int_equal(fsm_apply(fsm, batch.data, batch.len, NULL, 0, &count, NULL),
                     ERR_CORRUPT);
    buf_close(&batch);
    fsm_free(fsm);
    map_reap(SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_has_one_result_a_command_and_one_notice),
        cmocka_unit_test(nobody_is_told_when_nothing_shows),
        cmocka_unit_test(a_damaged_batch_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
