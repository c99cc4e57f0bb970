/* SPDX-License-Identifier: Apache-2.0 */
/* The property that matters: for every k, snapshot at k, restore, replay the rest:
 * equal bytes, equal digest. And the registry against a model that is searched from end
 * to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "lib/golden.h"
#include "lib/workload.h"
#include "raft/fsm.h"
#include "raft/snapshot.h"

#define LOG_BATCHES 150 /* of two commands, on average */

static int collect(void *ctx, const void *data, size_t len)
{
    buf_put(ctx, data, len);
    return 0;
}

static void snapshot_of(const struct registry *registry, struct buf *out)
{
    buf_clear(out);
    assert_int_equal(snapshot_encode(registry, collect, out), 0);
}

/* Fed in pieces of changing size. */
static struct registry *restored(const struct buf *bytes)
{
    struct snapshot_decoder *decoder = snapshot_decoder_new();
    size_t piece = 1;
    for (size_t at = 0; at < bytes->len;) {
        size_t len = piece < bytes->len - at ? piece : bytes->len - at;
        assert_int_equal(snapshot_decoder_feed(decoder, bytes->data + at, len, NULL),
                         0);
        at += len;
        piece = piece * 7 % 4099 + 1;
    }
    struct registry *registry = snapshot_decoder_finish(decoder, NULL);
    assert_non_null(registry);
    return registry;
}

static void apply(struct fsm *fsm, const struct buf *batch)
{
    size_t count = 0;
    assert_int_equal(fsm_apply(fsm, batch->data, batch->len, NULL, 0, &count, NULL), 0);
}

static void replay_one_log(uint64_t seed)
{
    struct workload workload;
    struct buf batches[LOG_BATCHES];
    struct buf end;
    struct buf bytes;
    struct buf again;
    buf_init(&end);
    buf_init(&bytes);
    buf_init(&again);
    workload_init(&workload, seed);
    struct fsm *fsm = fsm_new();
    workload.registry = fsm_registry(fsm);
    for (size_t i = 0; i < LOG_BATCHES; i++) {
        buf_init(&batches[i]);
        workload_batch(&workload, &batches[i]);
        apply(fsm, &batches[i]);
    }
    struct digest digest = registry_digest(fsm_registry(fsm));
    snapshot_of(fsm_registry(fsm), &end);
    fsm_free(fsm);

    struct fsm *head = fsm_new();
    for (size_t k = 0; k < LOG_BATCHES; k++) {
        apply(head, &batches[k]);
        snapshot_of(fsm_registry(head), &bytes);
        struct fsm *tail = fsm_new();
        fsm_restore(tail, restored(&bytes));
        assert_true(digest_equal(registry_digest(fsm_registry(head)),
                                 registry_digest(fsm_registry(tail))));
        snapshot_of(fsm_registry(tail), &again);
        assert_int_equal(again.len, bytes.len);
        assert_memory_equal(again.data, bytes.data, bytes.len);
        for (size_t i = k + 1; i < LOG_BATCHES; i++) {
            apply(tail, &batches[i]);
        }
        assert_true(digest_equal(digest, registry_digest(fsm_registry(tail))));
        snapshot_of(fsm_registry(tail), &again);
        assert_int_equal(again.len, end.len);
        assert_memory_equal(again.data, end.data, end.len);
        fsm_free(tail);
    }
    fsm_free(head);
    for (size_t i = 0; i < LOG_BATCHES; i++) {
        buf_close(&batches[i]);
    }
    buf_close(&end);
    buf_close(&bytes);
    buf_close(&again);
    map_reap(SIZE_MAX);
}

static void a_snapshot_anywhere_and_the_rest_of_the_log_give_the_same(void **state)
{
    (void)state;
    uint64_t logs = getenv("MUSTER_TEST_FULL") != NULL    ? 1000
                    : getenv("MUSTER_TEST_SHORT") != NULL ? 10
                                                          : 60;
    for (uint64_t seed = 1; seed <= logs; seed++) {
        replay_one_log(seed);
    }
}

static void a_frozen_root_is_unchanged_by_later_commands(void **state)
{
    (void)state;
    struct workload workload;
    struct fsm *fsm = fsm_new();
    struct buf batch;
    struct buf before;
    struct buf after;
    const struct registry *frozen = NULL;
    struct digest digest = {0};
    buf_init(&batch);
    buf_init(&before);
    buf_init(&after);
    workload_init(&workload, 99);
    for (size_t i = 0; i < 20000; i++) {
        buf_clear(&batch);
        workload_batch(&workload, &batch);
        apply(fsm, &batch);
        if (i % 97 == 0) {
            if (frozen != NULL) {
                snapshot_of(frozen, &after);
                assert_int_equal(after.len, before.len);
                assert_memory_equal(after.data, before.data, before.len);
                assert_true(digest_equal(digest, registry_digest(frozen)));
                registry_thaw(frozen);
            }
            frozen = registry_freeze(fsm_registry(fsm));
            digest = registry_digest(frozen);
            snapshot_of(frozen, &before);
        }
    }
    registry_thaw(frozen);
    buf_close(&batch);
    buf_close(&before);
    buf_close(&after);
    fsm_free(fsm);
    assert_int_equal(map_reap(SIZE_MAX), 0);
}

/* --- the model
 * -------------------------------------------------------------------------- */

struct model_task {
    char name[16];
    char text[128];
    bool enabled;
    uint64_t created;
    uint64_t revision;
};

struct model {
    struct model_task tasks[WORKLOAD_NAMES];
    size_t count; /* in creation order */
    uint64_t sequence;
};

static size_t model_find(const struct model *model, struct text name)
{
    size_t i = 0;
    while (i < model->count &&
           (strlen(model->tasks[i].name) != name.len ||
            memcmp(model->tasks[i].name, name.data, name.len) != 0)) {
        i++;
    }
    return i;
}

static int model_create(struct model *model, const struct command *command)
{
    if (model_find(model, command->task_create.name) < model->count) {
        return ERR_EXISTS;
    }
    struct model_task *task = &model->tasks[model->count++];
    *task = (struct model_task){.enabled = command->task_create.enabled};
    memcpy(task->name, command->task_create.name.data, command->task_create.name.len);
    memcpy(task->text, command->task_create.text.data, command->task_create.text.len);
    task->created = task->revision = ++model->sequence;
    return 0;
}

static int model_enable(struct model *model, const struct command *command)
{
    size_t at = model_find(model, command->task_enable.name);
    if (at == model->count) {
        return ERR_NOT_FOUND;
    }
    if (model->tasks[at].enabled != command->task_enable.enabled) {
        model->tasks[at].enabled = command->task_enable.enabled;
        model->tasks[at].revision = ++model->sequence;
    }
    return 0;
}

static int model_delete(struct model *model, const struct command *command)
{
    size_t at = model_find(model, command->task_delete.name);
    if (at == model->count) {
        return ERR_NOT_FOUND;
    }
    memmove(&model->tasks[at], &model->tasks[at + 1],
            (model->count - at - 1) * sizeof model->tasks[0]);
    model->count--;
    model->sequence++;
    return 0;
}

static bool model_holds(const struct model *model, size_t at,
                        const struct task_match *match)
{
    bool there = at < model->count;
    return match->condition == 0 ? true
           : match->condition == 1
               ? there && model->tasks[at].revision == match->revision
           : match->condition == 2 ? there
           : match->condition == 3 ? !there
                                   : false;
}

/* `base` UINT64_MAX: there may be no task, and whichever is there is replaced. */
static int model_replace(struct model *model, const struct task_draft *draft,
                         bool keep_enabled, uint64_t base,
                         const struct task_match *match)
{
    size_t at = model_find(model, (struct text){draft->name, draft->name_len});
    if (match->condition > 3) {
        return ERR_INVALID;
    }
    if (!model_holds(model, at, match)) {
        return ERR_PRECONDITION;
    }
    if (at == model->count) {
        struct command create = {.task_create = {{draft->name, draft->name_len},
                                                 {draft->text, draft->text_len},
                                                 draft->enabled_at,
                                                 draft->enabled}};
        return base == UINT64_MAX ? model_create(model, &create) : ERR_NOT_FOUND;
    }
    struct model_task *task = &model->tasks[at];
    if (base != UINT64_MAX && base != task->revision) {
        return ERR_CONFLICT;
    }
    bool enabled = keep_enabled ? task->enabled : draft->enabled;
    if (enabled != task->enabled || strlen(task->text) != draft->text_len ||
        memcmp(task->text, draft->text, draft->text_len) != 0) {
        memset(task->text, 0, sizeof task->text);
        memcpy(task->text, draft->text, draft->text_len);
        task->enabled = enabled;
        task->revision = ++model->sequence;
    }
    return 0;
}

static int model_conditional(struct model *model, const struct command *command,
                             const struct task_match *match)
{
    bool enables = command->type == COMMAND_TASK_ENABLE_IF;
    struct text name =
        enables ? command->task_enable_if.name : command->task_delete_if.name;
    if (match->condition > 3) {
        return ERR_INVALID;
    }
    if (!model_holds(model, model_find(model, name), match)) {
        return ERR_PRECONDITION;
    }
    if (enables) {
        struct command enable = {
            .task_enable = {name, command->task_enable_if.enabled}};
        return model_enable(model, &enable);
    }
    struct command delete = {.task_delete = {name}};
    return model_delete(model, &delete);
}

static void assert_equals_model(const struct registry *registry,
                                const struct model *model)
{
    struct map_cursor cursor;
    size_t enabled = 0;
    assert_int_equal(registry_sequence(registry), model->sequence);
    assert_int_equal(registry_task_count(registry), model->count);
    registry_task_seek(registry, 0, &cursor);
    for (size_t i = 0; i < model->count; i++) {
        const struct task *task = registry_task_next(&cursor);
        const struct model_task *wanted = &model->tasks[i];
        assert_non_null(task);
        assert_string_equal(task->name, wanted->name);
        assert_string_equal(task->text, wanted->text);
        assert_int_equal(task->enabled, wanted->enabled);
        assert_int_equal(task->created, wanted->created);
        assert_int_equal(task->revision, wanted->revision);
        assert_ptr_equal(task,
                         registry_task(registry, wanted->name, strlen(wanted->name)));
        enabled += wanted->enabled;
    }
    assert_null(registry_task_next(&cursor));
    assert_int_equal(registry_task_enabled_count(registry), enabled);
    const struct event_log *events = registry_events(registry);
    assert_int_equal(events->next, model->sequence + 1);
    for (uint64_t seq = events->first; seq < events->next; seq++) {
        assert_int_equal(event_log_after(events, seq - 1)->seq, seq);
    }
}

static struct task_draft draft_of(const struct command *command)
{
    const __typeof__(command->task_create) *create = &command->task_create;
    bool put = command->type == COMMAND_TASK_PUT;
    bool merge = command->type == COMMAND_TASK_MERGE;
    struct text name = put     ? command->task_put.name
                       : merge ? command->task_merge.name
                               : create->name;
    struct text text = put     ? command->task_put.text
                       : merge ? command->task_merge.text
                               : create->text;
    return (struct task_draft){
        .name = name.data,
        .name_len = name.len,
        .text = text.data,
        .text_len = text.len,
        .enabled_at = 16,
        .enabled = put     ? command->task_put.enabled
                   : merge ? command->task_merge.enabled
                           : create->enabled,
    };
}

/* Half of the time the one that is there. */
static uint64_t merge_base(const struct model *model, const struct command *command)
{
    size_t at = model_find(model, command->task_merge.name);
    bool hit = at < model->count && command->task_merge.base % 2 == 0;
    return hit ? model->tasks[at].revision : command->task_merge.base;
}

static void a_million_commands_are_what_the_naive_registry_says(void **state)
{
    (void)state;
    uint64_t commands = getenv("MUSTER_TEST_FULL") != NULL ? 1000000 : 100000;
    struct workload workload;
    struct model model = {.count = 0};
    struct registry *registry = registry_new();
    workload_init(&workload, 3);
    for (uint64_t i = 0; i < commands; i++) {
        struct change change = {.wall_ms = i, .request_id = "r", .actor = ""};
        struct command command;
        workload_command(&workload, &command);
        if (command.type == COMMAND_TASK_CREATE) {
            struct task_draft draft = draft_of(&command);
            assert_int_equal(registry_task_create(registry, &change, &draft),
                             model_create(&model, &command));
        } else if (command.type == COMMAND_TASK_PUT) {
            struct task_draft draft = draft_of(&command);
            struct task_match match = {command.task_put.condition,
                                       command.task_put.revision};
            bool keep = command.task_put.keep_enabled;
            assert_int_equal(registry_task_put(registry, &change, &draft, keep, &match),
                             model_replace(&model, &draft, keep, UINT64_MAX, &match));
        } else if (command.type == COMMAND_TASK_MERGE) {
            struct task_draft draft = draft_of(&command);
            struct task_match match = {command.task_merge.condition,
                                       command.task_merge.revision};
            uint64_t base = merge_base(&model, &command);
            assert_int_equal(
                registry_task_merge(registry, &change, &draft, base, &match),
                model_replace(&model, &draft, false, base, &match));
        } else if (command.type == COMMAND_TASK_ENABLE_IF) {
            struct task_match match = {command.task_enable_if.condition,
                                       command.task_enable_if.revision};
            assert_int_equal(registry_task_enable_if(
                                 registry, &change, command.task_enable_if.name.data,
                                 command.task_enable_if.name.len,
                                 command.task_enable_if.enabled, &match),
                             model_conditional(&model, &command, &match));
        } else if (command.type == COMMAND_TASK_DELETE_IF) {
            struct task_match match = {command.task_delete_if.condition,
                                       command.task_delete_if.revision};
            assert_int_equal(registry_task_delete_if(
                                 registry, &change, command.task_delete_if.name.data,
                                 command.task_delete_if.name.len, &match),
                             model_conditional(&model, &command, &match));
        } else if (command.type == COMMAND_TASK_ENABLE) {
            assert_int_equal(registry_task_enable(registry, &change,
                                                  command.task_enable.name.data,
                                                  command.task_enable.name.len,
                                                  command.task_enable.enabled),
                             model_enable(&model, &command));
        } else if (command.type == COMMAND_TASK_DELETE) {
            assert_int_equal(registry_task_delete(registry, &change,
                                                  command.task_delete.name.data,
                                                  command.task_delete.name.len),
                             model_delete(&model, &command));
        }
        if (i % 1009 == 0) {
            assert_equals_model(registry, &model);
        }
    }
    assert_equals_model(registry, &model);
    registry_free(registry);
    assert_int_equal(map_reap(SIZE_MAX), 0);
}

/* --- damage and frozen bytes
 * --------------------------------------------------------------- */

static void damaged_snapshots_are_refused(void **state)
{
    (void)state;
    struct workload workload;
    struct fsm *fsm = fsm_new();
    struct buf batch;
    struct buf bytes;
    buf_init(&batch);
    buf_init(&bytes);
    workload_init(&workload, 5);
    for (size_t i = 0; i < 12; i++) {
        buf_clear(&batch);
        workload_batch(&workload, &batch);
        apply(fsm, &batch);
    }
    snapshot_of(fsm_registry(fsm), &bytes);
    struct err err;
    for (size_t len = 0; len < bytes.len; len++) {
        struct snapshot_decoder *decoder = snapshot_decoder_new();
        assert_int_equal(snapshot_decoder_feed(decoder, bytes.data, len, &err), 0);
        assert_null(snapshot_decoder_finish(decoder, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    for (size_t at = 0; at < bytes.len * 8; at++) {
        uint8_t *copy = mem_dup(bytes.data, bytes.len);
        copy[at / 8] = (uint8_t)(copy[at / 8] ^ 1u << at % 8);
        struct snapshot_decoder *decoder = snapshot_decoder_new();
        if (snapshot_decoder_feed(decoder, copy, bytes.len, &err) != 0) {
            snapshot_decoder_free(decoder);
        } else {
            assert_null(snapshot_decoder_finish(decoder, &err));
        }
        mem_free(copy);
    }
    buf_close(&batch);
    buf_close(&bytes);
    fsm_free(fsm);
    map_reap(SIZE_MAX);
}

/* task_events 7, ready_lag 2000 */
static const char golden_values[] = "\x02\x00"
                                    "\x0b\x00\x00\x00task_events\x07\0\0\0\0\0\0\0"
                                    "\x09\x00\x00\x00ready_lag\xd0\x07\0\0\0\0\0\0";

static uint32_t golden_level = 2; /* that is set */

/* Those of runs. */
static void golden_run_command(struct command *command)
{
    const uint64_t node = 0x0123456789abcdef;
    switch ((int)command->type) {
    case COMMAND_RUN_START:
        command->run_start = (__typeof__(command->run_start)){
            text_of("task_a"), 0, node, RUN_CAUSE_CLIENT, RUN_APPLY, 4000, 5000, 3};
        break;
    case COMMAND_RUN_TRIAL:
        command->run_trial = (__typeof__(command->run_trial)){
            text_of("task_b"),
            text_of("{\"condition\":{},\"module\":\"t\"}"),
            16,
            true,
            node,
            RUN_TRIAL,
            4000,
            5000};
        break;
    case COMMAND_RUN_PUT:
        command->run_put = (__typeof__(command->run_put)){
            text_of("task_a"),
            text_of("{\"condition\":{},\"module\":\"r\"}"),
            16,
            true,
            true,
            2,
            TASK_CONDITION_REVISION,
            2,
            node,
            RUN_INSPECT,
            4000,
            5000};
        break;
    case COMMAND_RUN_ENABLE:
        command->run_enable = (__typeof__(command->run_enable)){
            text_of("task_a"), true, TASK_CONDITION_REVISION, 2, node, 4000, 5000};
        break;
    case COMMAND_RUN_STARTED:
        command->run_started =
            (__typeof__(command->run_started)){3, node, 1700000000100};
        break;
    case COMMAND_RUN_STOP:
        command->run_stop = (__typeof__(command->run_stop)){4, RUN_STOP_CANCEL};
        break;
    case COMMAND_RUN_END:
        command->run_end = (__typeof__(command->run_end)){4,
                                                          node,
                                                          RUN_FAILED,
                                                          3,
                                                          9,
                                                          true,
                                                          1700000000100,
                                                          1700000000200,
                                                          text_of("no \"such\" file")};
        break;
    case COMMAND_RUN_LOST:
        command->run_lost =
            (__typeof__(command->run_lost)){4, node, text_of("n1 is silent")};
        break;
    case COMMAND_TASK_DUE:
        command->task_due = (__typeof__(command->task_due)){
            text_of("task_a"), 0, RUN_CAUSE_CHANGE, 5000, 20000};
        break;
    default:
        command->task_fire = (__typeof__(command->task_fire)){text_of("task_a"), 1, 0,
                                                              1700000060000, true};
        break;
    }
}

static struct command golden_command(enum command_type type)
{
    struct command command = {
        .type = type,
        .request_id = text_of("0e0290f9-94df-3a4a-fd17-72467a16083c"),
        .actor = text_of("somebody"),
    };
    switch (type) {
    case COMMAND_TASK_CREATE:
        command.task_create.name = text_of("task_a");
        command.task_create.text = text_of("{\"condition\":{},\"module\":\"m\"}");
        command.task_create.enabled_at = 16;
        command.task_create.enabled = true;
        break;
    case COMMAND_TASK_ENABLE:
        command.task_enable.name = text_of("task_a");
        command.task_enable.enabled = false;
        break;
    case COMMAND_TASK_DELETE:
        command.task_delete.name = text_of("task_a");
        break;
    case COMMAND_TASK_PUT:
        command.task_put.name = text_of("task_a");
        command.task_put.text = text_of("{\"condition\":{},\"module\":\"p\"}");
        command.task_put.enabled_at = 16;
        command.task_put.keep_enabled = true;
        command.task_put.condition = TASK_CONDITION_REVISION;
        command.task_put.revision = 1;
        break;
    case COMMAND_TASK_MERGE:
        command.task_merge.name = text_of("task_a");
        command.task_merge.text = text_of("{\"condition\":{},\"module\":\"q\"}");
        command.task_merge.enabled_at = 16;
        command.task_merge.base = 2;
        command.task_merge.condition = TASK_CONDITION_PRESENT;
        break;
    case COMMAND_TASK_ENABLE_IF:
        command.task_enable_if.name = text_of("task_a");
        command.task_enable_if.enabled = true;
        command.task_enable_if.condition = TASK_CONDITION_REVISION;
        command.task_enable_if.revision = 3;
        break;
    case COMMAND_TASK_DELETE_IF:
        command.task_delete_if.name = text_of("task_a");
        command.task_delete_if.condition = TASK_CONDITION_REVISION;
        command.task_delete_if.revision = 0x0123456789abcdef;
        break;
    case COMMAND_MEMBER_SET:
        command.member_set.id = 0x0123456789abcdef;
        command.member_set.level = 1;
        command.member_set.name = text_of("n1");
        command.member_set.address = text_of("10.0.0.1:8558");
        command.member_set.peer_address = text_of("10.0.0.1:8658");
        command.member_set.version = text_of("0.1.0");
        break;
    case COMMAND_MEMBER_DELETE:
        command.member_delete.id = 0x0123456789abcdef;
        break;
    case COMMAND_MEMBER_DRAIN:
        command.member_drain.id = 0x0123456789abcdef;
        command.member_drain.draining = true;
        break;
    case COMMAND_MEMBER_DRIVERS:
        command.member_drivers.id = 0x0123456789abcdef;
        break;
    case COMMAND_SETTINGS_SET:
        command.settings_set.values =
            (struct text){golden_values, sizeof golden_values - 1};
        break;
    case COMMAND_SETTING_SET:
        command.setting_set.name = text_of("task_events");
        command.setting_set.value = 7;
        break;
    case COMMAND_LEVEL_SET:
        command.level_set.level = golden_level;
        break;
    case COMMAND_ZONE_SET:
        command.zone_set.zone = text_of("Europe/Berlin");
        break;
    case COMMAND_RUN_START:
    case COMMAND_RUN_TRIAL:
    case COMMAND_RUN_PUT:
    case COMMAND_RUN_ENABLE:
    case COMMAND_RUN_STARTED:
    case COMMAND_RUN_STOP:
    case COMMAND_RUN_END:
    case COMMAND_RUN_LOST:
    case COMMAND_TASK_DUE:
    case COMMAND_TASK_FIRE:
        golden_run_command(&command);
        break;
    }
    return command;
}

static const enum command_type golden_types[] = {
#define X(SYMBOL, number, level, name, fields) COMMAND_##SYMBOL,
#include "raft/commands.def"
#undef X
};

static void every_command_is_written_as_it_always_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof golden_types / sizeof golden_types[0]; i++) {
        struct command command = golden_command(golden_types[i]);
        struct buf out;
        buf_init(&out);
        assert_int_equal(command_encode(&out, &command, COMMAND_LEVEL, NULL), 0);
        char *name = mem_printf("command_%s.hex", command_name(command.type));
        golden_check(name, out.data, out.len);
        mem_free(name);
        buf_close(&out);
    }
}

/* `names`: of the batch, and of the snapshot after it. */
static void check_golden_batch(const enum command_type *types, size_t type_count,
                               const char *const names[2])
{
    struct batch_header header = {.wall_ms = 1700000000000, .clock_ms = 1234};
    for (size_t i = 0; i < sizeof header.chance; i++) {
        header.chance[i] = (uint8_t)(i * 17);
    }
    struct buf batch;
    struct buf bytes;
    buf_init(&batch);
    buf_init(&bytes);
    batch_begin(&batch, &header);
    for (size_t i = 0; i < type_count; i++) {
        struct command command = golden_command(types[i]);
        assert_int_equal(command_encode(&batch, &command, COMMAND_LEVEL, NULL), 0);
    }
    batch_set_count(&batch, (uint32_t)type_count);
    golden_check(names[0], batch.data, batch.len);
    struct fsm *fsm = fsm_new();
    apply(fsm, &batch);
    snapshot_of(fsm_registry(fsm), &bytes);
    golden_check(names[1], bytes.data, bytes.len);
    struct registry *registry = restored(&bytes);
    assert_true(
        digest_equal(registry_digest(registry), registry_digest(fsm_registry(fsm))));
    registry_free(registry);
    buf_close(&batch);
    buf_close(&bytes);
    fsm_free(fsm);
    map_reap(SIZE_MAX);
}

static void a_batch_and_a_snapshot_are_written_as_they_always_were(void **state)
{
    (void)state;
    static const enum command_type first[] = {
        COMMAND_TASK_CREATE,
        COMMAND_TASK_ENABLE,
        COMMAND_MEMBER_SET,
        COMMAND_SETTING_SET,
    };
    static const enum command_type second[] = {
        COMMAND_TASK_CREATE,
        COMMAND_MEMBER_SET,
        COMMAND_LEVEL_SET,
        COMMAND_MEMBER_DRAIN,
    };
    static const enum command_type third[] = {
        COMMAND_TASK_CREATE,  COMMAND_MEMBER_SET,   COMMAND_LEVEL_SET,
        COMMAND_TASK_FIRE,    COMMAND_RUN_START,    COMMAND_RUN_TRIAL,
        COMMAND_RUN_STARTED,  COMMAND_RUN_STOP,     COMMAND_TASK_DELETE,
        COMMAND_RUN_END,      COMMAND_TASK_CREATE,  COMMAND_TASK_FIRE,
        COMMAND_TASK_DUE,     COMMAND_SETTINGS_SET, COMMAND_MEMBER_DRIVERS,
        COMMAND_MEMBER_DRAIN,
    };
    static const char *const names[][2] = {
        {"batch.hex", "snapshot.hex"},
        {"batch_level_2.hex", "snapshot_level_2.hex"},
        {"batch_level_3.hex", "snapshot_level_3.hex"},
    };
    check_golden_batch(first, sizeof first / sizeof first[0], names[0]);
    check_golden_batch(second, sizeof second / sizeof second[0], names[1]);
    golden_level = 3;
    check_golden_batch(third, sizeof third / sizeof third[0], names[2]);
    golden_level = 2;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_anywhere_and_the_rest_of_the_log_give_the_same),
        cmocka_unit_test(a_frozen_root_is_unchanged_by_later_commands),
        cmocka_unit_test(a_million_commands_are_what_the_naive_registry_says),
        cmocka_unit_test(damaged_snapshots_are_refused),
        cmocka_unit_test(every_command_is_written_as_it_always_was),
        cmocka_unit_test(a_batch_and_a_snapshot_are_written_as_they_always_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
