/* SPDX-License-Identifier: Apache-2.0 */
/* A command with an idempotency key takes effect once, whoever proposes it again, and
 * whatever became of it the first time is what its proposer is told again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/map.h"
#include "lib/golden.h"
#include "raft/command.h"
#include "raft/fsm.h"
#include "raft/snapshot.h"

#define TEXT  "{\"condition\":{},\"module\":\"m\"}"
#define OTHER "{\"condition\":{},\"module\":\"n\"}"

static struct fsm *fsm;
static uint64_t clock_ms;

static struct result apply(const struct command *command)
{
    struct batch_header header = {.wall_ms = 1000, .clock_ms = clock_ms, .count = 1};
    struct result result;
    struct buf batch;
    size_t count = 0;
    buf_init(&batch);
    batch_begin(&batch, &header);
    assert_int_equal(command_encode(&batch, command, COMMAND_LEVEL, NULL), 0);
    assert_int_equal(fsm_apply(fsm, batch.data, batch.len, &result, 1, &count, NULL),
                     0);
    buf_close(&batch);
    return result;
}

/* `print` stands for the request. */
static struct command keyed(struct command command, const char *key, uint8_t print)
{
    command.key = text_of(key);
    command.scope = text_of("");
    command.fingerprint[0] = print;
    command.request_id = text_of("r");
    command.actor = text_of("");
    return command;
}

static struct command create(const char *key, const char *name, uint8_t print)
{
    return keyed(
        (struct command){
            .type = COMMAND_TASK_CREATE,
            .task_create = {text_of(name), text_of(TEXT), 16, true},
        },
        key, print);
}

static struct command drop(const char *key, const char *name, uint8_t print)
{
    return keyed(
        (struct command){
            .type = COMMAND_TASK_DELETE,
            .task_delete = {text_of(name)},
        },
        key, print);
}

static void assert_result(struct result result, int code, uint64_t revision,
                          bool created, bool replayed)
{
    assert_int_equal(result.code, code);
    assert_int_equal(result.revision, revision);
    assert_int_equal(result.created, created);
    assert_int_equal(result.replayed, replayed);
    assert_int_equal(result.sequence, registry_sequence(fsm_registry(fsm)));
}

static int setup_at(uint32_t level)
{
    fsm = fsm_new();
    clock_ms = 0;
    struct command raise = keyed((struct command){.type = COMMAND_LEVEL_SET}, "", 0);
    raise.level_set.level = level;
    apply(&raise);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_at(2);
}

static int teardown(void **state)
{
    (void)state;
    fsm_free(fsm);
    return map_reap(SIZE_MAX) == 0 ? 0 : -1;
}

static void a_repeat_says_what_became_of_it_and_does_nothing(void **state)
{
    (void)state;
    struct command first = create("k1", "a", 1);
    struct command gone = drop("k2", "a", 2);
    assert_result(apply(&first), 0, 1, true, false);
    struct digest digest = registry_digest(fsm_registry(fsm));
    assert_result(apply(&first), 0, 1, true, true);
    assert_true(digest_equal(digest, registry_digest(fsm_registry(fsm))));
    assert_result(apply(&gone), 0, 0, false, false);
    assert_result(apply(&first), 0, 1, true, true); /* it is not created again */
    assert_result(apply(&gone), 0, 0, false, true);
    assert_int_equal(registry_task_count(fsm_registry(fsm)), 0);
    assert_int_equal(registry_sequence(fsm_registry(fsm)), 2);
}

static void a_refusal_is_repeated_when_it_would_not_be_refused_any_more(void **state)
{
    (void)state;
    struct command gone = drop("k1", "a", 1);
    struct command first = create("k2", "a", 2);
    struct command taken = create("k3", "a", 3);
    assert_result(apply(&gone), ERR_NOT_FOUND, 0, false, false);
    assert_result(apply(&first), 0, 1, true, false);
    assert_result(apply(&gone), ERR_NOT_FOUND, 0, false, true);
    assert_result(apply(&taken), ERR_EXISTS, 1, false, false);
    struct command drops = drop("k4", "a", 4);
    apply(&drops);
    assert_result(apply(&taken), ERR_EXISTS, 1, false, true);
    assert_int_equal(registry_task_count(fsm_registry(fsm)), 0);
}

static void a_key_of_another_request_is_refused_and_nothing_is_kept_of_it(void **state)
{
    (void)state;
    struct command first = create("k1", "a", 1);
    struct command other = create("k1", "b", 2);
    struct command theirs = create("k1", "c", 2);
    theirs.scope = text_of("bob");
    apply(&first);
    struct digest digest = registry_digest(fsm_registry(fsm));
    assert_result(apply(&other), ERR_KEY_REUSED, 0, false, false);
    assert_result(apply(&other), ERR_KEY_REUSED, 0, false, false);
    assert_true(digest_equal(digest, registry_digest(fsm_registry(fsm))));
    assert_result(apply(&first), 0, 1, true, true);
    assert_result(apply(&theirs), 0, 2, true, false);
}

/* What is computed from a task depends on it; what it is asked for does not. */
static void a_merge_that_came_too_late_may_come_again(void **state)
{
    (void)state;
    struct command first = create("k1", "a", 1);
    struct command merge = keyed(
        (struct command){
            .type = COMMAND_TASK_MERGE,
            .task_merge =
                {
                    .name = text_of("a"),
                    .text = text_of(OTHER),
                    .enabled_at = 16,
                    .enabled = true,
                },
        },
        "k2", 2);
    apply(&first);
    struct digest digest = registry_digest(fsm_registry(fsm));
    assert_result(apply(&merge), ERR_CONFLICT, 1, false, false);
    assert_true(digest_equal(digest, registry_digest(fsm_registry(fsm))));
    merge.task_merge.base = 1;
    assert_result(apply(&merge), 0, 2, false, false);
    merge.task_merge.base = 2;
    assert_result(apply(&merge), 0, 2, false, true);
}

static void two_in_one_batch_are_one(void **state)
{
    (void)state;
    struct command both[] = {create("k1", "a", 1), create("k1", "a", 1)};
    struct batch_header header = {.count = 2};
    struct result results[2];
    struct buf batch;
    size_t count = 0;
    buf_init(&batch);
    batch_begin(&batch, &header);
    assert_int_equal(command_encode(&batch, &both[0], COMMAND_LEVEL, NULL), 0);
    assert_int_equal(command_encode(&batch, &both[1], COMMAND_LEVEL, NULL), 0);
    assert_int_equal(fsm_apply(fsm, batch.data, batch.len, results, 2, &count, NULL),
                     0);
    buf_close(&batch);
    assert_result(results[0], 0, 1, true, false);
    assert_result(results[1], 0, 1, true, true);
}

static void a_key_is_forgotten_by_the_replicated_clock(void **state)
{
    (void)state;
    const struct registry *registry = fsm_registry(fsm);
    uint64_t age_ms = registry_setting(registry, SETTING_KEYS_MAX_AGE);
    struct command first = create("k1", "a", 1);
    struct command second = create("k2", "b", 2);
    assert_int_equal(age_ms, 24 * 3600 * 1000);
    apply(&first);
    clock_ms = 10;
    apply(&second);
    clock_ms = age_ms - 1;
    assert_result(apply(&first), 0, 1, true, true);
    clock_ms = age_ms;
    assert_result(apply(&second), 0, 2, true, true);
    assert_int_equal(key_table_count(registry_keys(registry)), 1);
    assert_result(apply(&first), ERR_EXISTS, 1, false, false);
    clock_ms = 5; /* it never goes back */
    assert_result(apply(&second), 0, 2, true, true);
}

static void a_setting_bounds_how_many_are_kept(void **state)
{
    (void)state;
    const struct key_table *keys = registry_keys(fsm_registry(fsm));
    struct command fewer = keyed(
        (struct command){
            .type = COMMAND_SETTING_SET,
            .setting_set = {text_of("keys_max_count"), 100},
        },
        "", 0);
    assert_int_equal(apply(&fewer).code, 0);
    for (int i = 0; i < 150; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        struct command gone = drop(key, "a", 1);
        assert_result(apply(&gone), ERR_NOT_FOUND, 0, false, false);
    }
    assert_int_equal(key_table_count(keys), 100);
    struct command oldest = drop("k50", "a", 1);
    struct command forgotten = drop("k49", "a", 1);
    assert_true(apply(&oldest).replayed);
    assert_false(apply(&forgotten).replayed);
}

static int feed(void *ctx, const void *data, size_t len)
{
    return snapshot_decoder_feed(ctx, data, len, NULL);
}

static int collect(void *ctx, const void *data, size_t len)
{
    buf_put(ctx, data, len);
    return 0;
}

static void a_restored_state_knows_them(void **state)
{
    (void)state;
    struct command first = create("k1", "a", 1);
    struct command taken = create("k2", "a", 2);
    taken.scope = text_of("bob");
    clock_ms = 7;
    apply(&first);
    apply(&taken);
    struct buf bytes;
    buf_init(&bytes);
    assert_int_equal(snapshot_encode(fsm_registry(fsm), collect, &bytes), 0);
    golden_check("snapshot_keys.hex", bytes.data, bytes.len);
    buf_close(&bytes);
    struct digest digest = registry_digest(fsm_registry(fsm));
    struct snapshot_decoder *decoder = snapshot_decoder_new();
    assert_int_equal(snapshot_encode(fsm_registry(fsm), feed, decoder), 0);
    assert_int_equal(fsm_restore_decoded(fsm, decoder, NULL), 0);
    assert_true(digest_equal(digest, registry_digest(fsm_registry(fsm))));
    assert_result(apply(&first), 0, 1, true, true);
    assert_result(apply(&taken), ERR_EXISTS, 1, false, true);
    assert_true(digest_equal(digest, registry_digest(fsm_registry(fsm))));
}

/* A snapshot of the first level could not tell it: the next node would do it twice. */
static void the_first_level_knows_no_keys(void **state)
{
    (void)state;
    struct command first = create("k1", "a", 1);
    assert_int_equal(command_needs(&first), 2);
    assert_int_equal(command_level(first.type), 1);
    struct digest digest = registry_digest(fsm_registry(fsm));
    assert_result(apply(&first), ERR_LEVEL, 0, false, false);
    assert_true(digest_equal(digest, registry_digest(fsm_registry(fsm))));
    struct command setting = keyed(
        (struct command){
            .type = COMMAND_SETTING_SET,
            .setting_set = {text_of("keys_max_count"), 100},
        },
        "", 0);
    assert_int_equal(apply(&setting).code, ERR_NOT_FOUND);
}

static struct command place(const char *key, uint8_t print)
{
    return keyed(
        (struct command){
            .type = COMMAND_RUN_START,
            .run_start = {text_of("a"), 0, 9, RUN_CAUSE_CLIENT, RUN_APPLY, 4000, 5000,
                          1},
        },
        key, print);
}

/* A run that was asked for is that run, also when it has ended. */
static void the_key_of_a_run_tells_the_run(void **state)
{
    (void)state;
    struct command first = place("k1", 1);
    struct command task = create("", "a", 1);
    struct command member = keyed(
        (struct command){
            .type = COMMAND_MEMBER_SET,
            .member_set = {9, 3, text_of("n"), text_of(""), text_of(""), text_of("")},
        },
        "", 0);
    assert_int_equal(command_needs(&first), 3);
    assert_int_equal(apply(&first).code, ERR_LEVEL); /* and nothing is kept of it */
    struct command raise = keyed((struct command){.type = COMMAND_LEVEL_SET}, "", 0);
    raise.level_set.level = 3;
    apply(&raise);
    apply(&member);
    assert_result(apply(&first), ERR_NOT_FOUND, 0, false, false);
    first = place("k2", 1);
    apply(&task);
    first.run_start.revision = 77; /* not what it was taken for: not kept either */
    assert_result(apply(&first), ERR_PRECONDITION, 2, false, false);
    first.run_start.revision = 2;
    struct result result = apply(&first);
    assert_result(result, 0, 2, false, false);
    assert_int_equal(result.run, 3);
    struct command second = place("k3", 1);
    result = apply(&second);
    assert_result(result, ERR_CONFLICT, 2, false, false);
    assert_int_equal(result.run, 3); /* the one that is in its way */
    struct command end = keyed(
        (struct command){
            .type = COMMAND_RUN_END,
            .run_end =
                {.run = 3, .node = 9, .outcome = RUN_SUCCESS, .text = text_of("")},
        },
        "", 0);
    result = apply(&end);
    assert_result(result, 0, 2, false, false);
    assert_int_equal(result.run, 3);
    result = apply(&first);
    assert_result(result, 0, 2, false, true);
    assert_int_equal(result.run, 3);
    result = apply(&second); /* a conflict is not kept */
    assert_true(result.code == 0 && !result.replayed && result.run == 5);
}

/* One that placed none: kept as well, through a snapshot too. */
static void the_key_of_a_change_that_ran_nothing_tells_that(void **state)
{
    (void)state;
    struct command raise = keyed((struct command){.type = COMMAND_LEVEL_SET}, "", 0);
    struct command member = keyed(
        (struct command){
            .type = COMMAND_MEMBER_SET,
            .member_set = {9, 3, text_of("n"), text_of(""), text_of(""), text_of("")},
        },
        "", 0);
    struct command put = keyed(
        (struct command){
            .type = COMMAND_RUN_PUT,
            .run_put = {.name = text_of("a"),
                        .text = text_of("{\"condition\":{}}"),
                        .enabled_at = 1,
                        .node = 9,
                        .purpose = RUN_APPLY,
                        .lease_ms = 4000},
        },
        "k1", 1);
    raise.level_set.level = 3;
    apply(&raise);
    assert_int_equal(apply(&put).code, ERR_BUSY); /* its node: not kept */
    apply(&member);
    struct result result = apply(&put);
    assert_result(result, 0, 2, true, false);
    assert_int_equal(result.run, 0);
    struct snapshot_decoder *decoder = snapshot_decoder_new();
    assert_int_equal(snapshot_encode(fsm_registry(fsm), feed, decoder), 0);
    assert_int_equal(fsm_restore_decoded(fsm, decoder, NULL), 0);
    result = apply(&put);
    assert_result(result, 0, 2, true, true);
    assert_int_equal(result.run, 0);
    put.run_put.condition = TASK_CONDITION_ABSENT; /* a refusal is kept */
    put.key = text_of("k2");
    assert_result(apply(&put), ERR_PRECONDITION, 2, false, false);
    assert_result(apply(&put), ERR_PRECONDITION, 2, false, true);
}

static int setup_first_level(void **state)
{
    (void)state;
    return setup_at(1);
}

#define KEYED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYED(a_repeat_says_what_became_of_it_and_does_nothing),
        KEYED(a_refusal_is_repeated_when_it_would_not_be_refused_any_more),
        KEYED(a_key_of_another_request_is_refused_and_nothing_is_kept_of_it),
        KEYED(a_merge_that_came_too_late_may_come_again),
        KEYED(two_in_one_batch_are_one),
        KEYED(a_key_is_forgotten_by_the_replicated_clock),
        KEYED(a_setting_bounds_how_many_are_kept),
        KEYED(a_restored_state_knows_them),
        KEYED(the_key_of_a_run_tells_the_run),
        KEYED(the_key_of_a_change_that_ran_nothing_tells_that),
        cmocka_unit_test_setup_teardown(the_first_level_knows_no_keys,
                                        setup_first_level, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
