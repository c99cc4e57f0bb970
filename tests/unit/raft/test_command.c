/* SPDX-License-Identifier: Apache-2.0 */
/* What is written can be read, what cannot be read is not written, and a reader takes
 * nothing that a writer would not have written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "lib/golden.h"
#include "lib/workload.h"
#include "raft/command.h"

static struct command delete_of(struct text name)
{
    return (struct command){
        .type = COMMAND_TASK_DELETE,
        .request_id = text_of("r1"),
        .actor = text_of("a1"),
        .task_delete = {name},
    };
}

/* The batch again, from what its decoder says; empty if it is refused. */
static void write_again(const uint8_t *data, size_t len, struct buf *out,
                        struct err *err)
{
    struct cursor cursor;
    struct batch_header header;
    struct command command;
    buf_clear(out);
    cursor_init(&cursor, data, len);
    int rv = batch_open(&cursor, &header, err);
    batch_begin(out, &header);
    for (uint32_t i = 0; rv == 0 && i < header.count; i++) {
        rv = batch_next(&cursor, &command, err);
        if (rv == 0) {
            assert_int_equal(command_encode(out, &command, COMMAND_LEVEL, NULL), 0);
        }
    }
    if (rv == 0) {
        rv = batch_end(&cursor, err);
    }
    if (rv != 0) {
        assert_true(rv == ERR_CORRUPT || rv == ERR_UNSUPPORTED);
        assert_int_equal(err->code, rv);
        buf_clear(out);
    }
}

static void what_is_read_is_written_the_same(void **state)
{
    (void)state;
    struct workload workload;
    struct buf batch;
    struct buf again;
    struct err err;
    buf_init(&batch);
    buf_init(&again);
    workload_init(&workload, 11);
    for (int i = 0; i < 5000; i++) {
        buf_clear(&batch);
        workload_batch(&workload, &batch);
        write_again(batch.data, batch.len, &again, &err);
        assert_int_equal(again.len, batch.len);
        assert_memory_equal(again.data, batch.data, batch.len);
    }
    buf_close(&batch);
    buf_close(&again);
}

static void a_flipped_bit_is_refused_or_is_another_batch(void **state)
{
    (void)state;
    struct workload workload;
    struct buf batch;
    struct buf again;
    struct err err;
    buf_init(&batch);
    buf_init(&again);
    workload_init(&workload, 12);
    for (int i = 0; i < 60; i++) {
        buf_clear(&batch);
        workload_batch(&workload, &batch);
        for (size_t at = 0; at < batch.len * 8; at++) {
            batch.data[at / 8] = (uint8_t)(batch.data[at / 8] ^ 1u << at % 8);
            write_again(batch.data, batch.len, &again, &err);
            assert_true(again.len == 0 || again.len == batch.len);
            assert_memory_equal(again.data, batch.data, again.len);
            batch.data[at / 8] = (uint8_t)(batch.data[at / 8] ^ 1u << at % 8);
        }
    }
    buf_close(&batch);
    buf_close(&again);
}

static void what_no_decoder_takes_is_not_written(void **state)
{
    (void)state;
    char *longest = mem_zalloc(65537 + 1);
    memset(longest, 'x', 65537);
    struct buf out;
    struct err err;
    buf_init(&out);
    buf_put(&out, "before", 6);
    struct command wrong[] = {
        delete_of((struct text){"a\0b", 3}),
        delete_of((struct text){longest, 65537}),
        delete_of(text_of("a")),
        delete_of(text_of("a")),
    };
    wrong[2].request_id = (struct text){"\0", 1};
    wrong[3].actor = (struct text){longest, 65537};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(command_encode(&out, &wrong[i], COMMAND_LEVEL, &err),
                         ERR_INVALID);
        assert_non_null(strstr(err.text, "task_delete"));
        assert_int_equal(out.len, 6);
        assert_memory_equal(out.data, "before", 6);
    }
    struct command just = delete_of((struct text){longest, 65536});
    assert_int_equal(command_encode(&out, &just, COMMAND_LEVEL, &err), 0);
    buf_close(&out);
    mem_free(longest);
}

static void a_command_too_large_or_too_new_is_not_written(void **state)
{
    (void)state;
    char *text = mem_zalloc(LIMIT_BATCH_BYTES);
    struct command command = {
        .type = COMMAND_TASK_CREATE,
        .request_id = text_of(""),
        .actor = text_of(""),
        .task_create = {text_of("a"), {text, LIMIT_BATCH_BYTES}, 1, true},
    };
    struct buf out;
    struct err err;
    buf_init(&out);
    assert_int_equal(command_encode(&out, &command, COMMAND_LEVEL, &err),
                     ERR_TOO_LARGE);
    command.task_create.text.len -= 2 + 4 + 4 + 4 + 1 + 4 + 4 + 1;
    assert_int_equal(command_encode(&out, &command, COMMAND_LEVEL, &err), 0);
    buf_clear(&out);
    command.task_create.text.len++;
    assert_int_equal(command_encode(&out, &command, COMMAND_LEVEL, &err),
                     ERR_TOO_LARGE);
    command.task_create.text.len = 1;
    assert_int_equal(command_encode(&out, &command, 0, &err), ERR_UNSUPPORTED);
    assert_int_equal(out.len, 0);
    buf_close(&out);
    mem_free(text);
}

static struct command keyed(struct text key)
{
    struct command command = delete_of(text_of("task_a"));
    command.key = key;
    command.scope = text_of("somebody");
    memcpy(command.fingerprint, "0123456789abcdef", KEY_FINGERPRINT_BYTES);
    return command;
}

#define KEY_AT    (4 + 2 + 4 + 2 + 4 + 2) /* of a command's bytes: behind "r1", "a1" */
#define NUMBER_AT (KEY_AT + 4 + 2 + 4 + 8 + 16)

static void a_key_travels_in_an_envelope_around_a_command(void **state)
{
    (void)state;
    struct command command = keyed(text_of("k1"));
    struct command read;
    struct cursor cursor;
    struct buf out;
    struct err err;
    buf_init(&out);
    assert_int_equal(command_encode(&out, &command, 1, &err), ERR_UNSUPPORTED);
    assert_int_equal(command_encode(&out, &command, 2, &err), 0);
    golden_check("command_keyed.hex", out.data, out.len);
    assert_int_equal(get_u16(out.data + 4), 40);
    assert_int_equal(get_u16(out.data + NUMBER_AT), COMMAND_TASK_DELETE);
    cursor_init(&cursor, out.data, out.len);
    assert_int_equal(batch_next(&cursor, &read, &err), 0);
    assert_int_equal(read.type, COMMAND_TASK_DELETE);
    assert_int_equal(read.key.len, 2);
    assert_memory_equal(read.key.data, "k1", 2);
    assert_int_equal(read.scope.len, 8);
    assert_memory_equal(read.fingerprint, "0123456789abcdef", 16);
    assert_int_equal(read.task_delete.name.len, 6);
    buf_close(&out);
}

static void an_envelope_takes_sound_keys_and_commands_of_tasks_only(void **state)
{
    (void)state;
    static const struct {
        uint16_t number;
        int code;
    } inside[] = {
        {40, ERR_CORRUPT}, /* another envelope */
        {COMMAND_MEMBER_DELETE, ERR_CORRUPT},
        {COMMAND_LEVEL_SET, ERR_CORRUPT},
        {COMMAND_SETTING_SET, ERR_CORRUPT},
        {COMMAND_TASK_CREATE, ERR_CORRUPT},
        {999, ERR_UNSUPPORTED},
    };
    struct command command = keyed(text_of("k1"));
    struct command read;
    struct cursor cursor;
    struct buf out;
    struct err err;
    buf_init(&out);
    assert_int_equal(command_encode(&out, &command, 2, NULL), 0);
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        put_u16(out.data + NUMBER_AT, inside[i].number);
        cursor_init(&cursor, out.data, out.len);
        assert_int_equal(batch_next(&cursor, &read, &err), inside[i].code);
    }
    put_u16(out.data + NUMBER_AT, COMMAND_TASK_DELETE);
    out.data[KEY_AT + 4] = ' ';
    cursor_init(&cursor, out.data, out.len);
    assert_int_equal(batch_next(&cursor, &read, &err), ERR_CORRUPT);
    buf_clear(&out);
    struct command wrong[] = {keyed(text_of("a b")), keyed((struct text){"a\0", 2}),
                              keyed(text_of("k1"))};
    wrong[2].type = COMMAND_MEMBER_DELETE;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(command_encode(&out, &wrong[i], 2, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "its key"));
        assert_int_equal(out.len, 0);
    }
    buf_close(&out);
}

/* What is wrong inside of a settings_set is apply's to refuse: every node reads it
 * alike.
 */
static void the_values_of_settings_come_back_or_are_none(void **state)
{
    (void)state;
    static const struct setting_value values[] = {
        {SETTING_READY_LAG, 7}, {SETTING_EVENTS_MAX_COUNT, 1ULL << 40}};
    struct setting_value read[SETTING_VALUES_MAX];
    size_t count = 0;
    struct buf blob;
    buf_init(&blob);
    settings_values_put(&blob, values, 2);
    for (size_t len = 0; len <= blob.len; len++) {
        struct text text = {(const char *)blob.data, len};
        assert_int_equal(settings_values_get(text, read, &count),
                         len == blob.len ? 0 : ERR_INVALID);
    }
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(read[i].setting, values[i].setting);
        assert_int_equal(read[i].value, values[i].value);
    }
    blob.data[6] = 'X'; /* of the first name */
    struct text text = {(const char *)blob.data, blob.len};
    assert_int_equal(settings_values_get(text, read, &count), 0);
    assert_int_equal(read[0].setting, SETTING_COUNT);
    blob.data[6] = '\0'; /* no text */
    assert_int_equal(settings_values_get(text, read, &count), ERR_INVALID);
    buf_put_u8(&blob, 0);
    text = (struct text){(const char *)blob.data, blob.len};
    assert_int_equal(settings_values_get(text, read, &count), ERR_INVALID);
    blob.data[0] = SETTING_VALUES_MAX + 1;
    assert_int_equal(settings_values_get(text, read, &count), ERR_INVALID);
    buf_close(&blob);
}

static void an_unknown_number_or_format_is_unsupported_not_damaged(void **state)
{
    (void)state;
    struct batch_header header = {.count = 1};
    struct command command = delete_of(text_of("a"));
    struct buf batch;
    struct buf again;
    struct err err;
    buf_init(&batch);
    buf_init(&again);
    batch_begin(&batch, &header);
    size_t at = batch.len;
    assert_int_equal(command_encode(&batch, &command, COMMAND_LEVEL, NULL), 0);
    put_u16(batch.data + at + 4, 999);
    write_again(batch.data, batch.len, &again, &err);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "command 999 at byte 37"));
    batch.data[0] = 2;
    write_again(batch.data, batch.len, &again, &err);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    buf_close(&batch);
    buf_close(&again);
}

static void a_batch_of_none_or_too_many_is_damaged(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, LIMIT_BATCH_COMMANDS + 1, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct batch_header header = {.count = counts[i]};
        struct cursor cursor;
        struct buf batch;
        buf_init(&batch);
        batch_begin(&batch, &header);
        cursor_init(&cursor, batch.data, batch.len);
        assert_int_equal(batch_open(&cursor, &header, NULL), ERR_CORRUPT);
        buf_close(&batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_the_same),
        cmocka_unit_test(a_flipped_bit_is_refused_or_is_another_batch),
        cmocka_unit_test(what_no_decoder_takes_is_not_written),
        cmocka_unit_test(a_command_too_large_or_too_new_is_not_written),
        cmocka_unit_test(a_key_travels_in_an_envelope_around_a_command),
        cmocka_unit_test(an_envelope_takes_sound_keys_and_commands_of_tasks_only),
        cmocka_unit_test(the_values_of_settings_come_back_or_are_none),
        cmocka_unit_test(an_unknown_number_or_format_is_unsupported_not_damaged),
        cmocka_unit_test(a_batch_of_none_or_too_many_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
