/* SPDX-License-Identifier: Apache-2.0 */
/* A write handed on and its outcome, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/forward_wire.h"

#define SESSION "\x18\x17\x16\x15\x14\x13\x12\x91"
#define NUMBER  "\x05\x01\0\0\0\0\0\0"

#define HEAD .session = 0x9112131415161718u, .number = 261

static const struct forward_message handed_on = {.kind = FRAME_WRITE,
                                                 HEAD,
                                                 .command =
                                                     (const uint8_t *)"\x02\0\0\0ab",
                                                 .command_len = 6};
static const struct forward_message done = {
    .kind = FRAME_WRITE_OUTCOME,
    HEAD,
    .outcome = {
        .code = 0,
        .index = 259,
        .result = {.code = 0, .sequence = 7, .revision = INT64_MAX, .created = true}}};
static const struct forward_message again = {
    .kind = FRAME_WRITE_OUTCOME,
    HEAD,
    .outcome = {.code = 0,
                .index = 1,
                .result = {.code = 0, .sequence = 7, .revision = 2, .replayed = true}}};
static const struct forward_message placed = {
    .kind = FRAME_WRITE_OUTCOME,
    HEAD,
    .outcome = {
        .code = 0, .index = 1, .result = {.sequence = 7, .revision = 2, .run = 7}}};
static const struct forward_message refused = {
    .kind = FRAME_WRITE_OUTCOME,
    HEAD,
    .outcome = {.code = 0, .index = 1, .result = {.code = ERR_EXISTS, .sequence = 7}}};
static const struct forward_message never = {
    .kind = FRAME_WRITE_OUTCOME, HEAD, .outcome = {.code = ERR_NOT_LEADER}};
static const struct forward_message full = {
    .kind = FRAME_WRITE_OUTCOME,
    HEAD,
    .outcome = {.code = ERR_FULL, .why = "no\nroom"}};

static const struct frozen {
    const struct forward_message *message;
    const char *bytes;
    size_t len;
} frozen[] = {
#define FROZEN(message, bytes)                                                         \
    {                                                                                  \
        &(message), bytes, sizeof(bytes) - 1                                           \
    }
    FROZEN(handed_on, "\x58" SESSION NUMBER "\x02\0\0\0ab"),
    FROZEN(done, "\x59" SESSION NUMBER "\0"
                 "\x03\x01\0\0\0\0\0\0"
                 "\0"
                 "\x07\0\0\0\0\0\0\0"
                 "\xff\xff\xff\xff\xff\xff\xff\x7f\x01"),
    FROZEN(refused, "\x59" SESSION NUMBER "\0"
                    "\x01\0\0\0\0\0\0\0"
                    "\x03"
                    "\x07\0\0\0\0\0\0\0"
                    "\0\0\0\0\0\0\0\0\0"),
    FROZEN(never, "\x59" SESSION NUMBER "\x06\0\0\0\0"),
    FROZEN(full, "\x59" SESSION NUMBER "\x09\x07\0\0\0no?room"),
    FROZEN(again, "\x59" SESSION NUMBER "\0"
                  "\x01\0\0\0\0\0\0\0"
                  "\0"
                  "\x07\0\0\0\0\0\0\0"
                  "\x02\0\0\0\0\0\0\0\x02"),
    FROZEN(placed, "\x59" SESSION NUMBER "\0"
                   "\x01\0\0\0\0\0\0\0"
                   "\0"
                   "\x07\0\0\0\0\0\0\0"
                   "\x02\0\0\0\0\0\0\0\x04"
                   "\x07\0\0\0\0\0\0\0"),
};

#define FROZEN_COUNT (sizeof frozen / sizeof frozen[0])

/* From memory of just that size, for the sanitizer. */
static int decode(struct forward_message *out, const void *data, size_t len)
{
    struct err err = {.text = ""};
    uint8_t *copy = mem_dup(data, len);
    int rv = forward_decode(out, copy, len, &err);
    out->command = NULL;
    mem_free(copy);
    return rv;
}

static void the_bytes_are_those_of_the_readme(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        struct bytes *bytes = forward_encode(frozen[i].message);
        assert_int_equal(bytes->len, frozen[i].len);
        assert_memory_equal(bytes->data, frozen[i].bytes, frozen[i].len);
        bytes_unref(bytes);
    }
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        const struct forward_message *wanted = frozen[i].message;
        struct forward_message got;
        assert_int_equal(decode(&got, frozen[i].bytes, frozen[i].len), 0);
        assert_int_equal(got.kind, wanted->kind);
        assert_true(got.session == wanted->session && got.number == wanted->number);
        assert_int_equal(got.command_len, wanted->command_len);
        assert_int_equal(got.outcome.code, wanted->outcome.code);
        assert_true(got.outcome.index == wanted->outcome.index);
        const struct result *a = &got.outcome.result;
        const struct result *b = &wanted->outcome.result;
        assert_true(a->code == b->code && a->sequence == b->sequence &&
                    a->revision == b->revision && a->created == b->created &&
                    a->replayed == b->replayed && a->run == b->run);
    }
    struct forward_message got;
    assert_int_equal(decode(&got, frozen[4].bytes, frozen[4].len), 0);
    assert_string_equal(got.text, "no?room");
}

static void what_is_not_whole_is_refused(void **state)
{
    (void)state;
    struct forward_message got;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        bool open_end = frozen[i].message->kind == FRAME_WRITE;
        for (size_t len = 1; len < frozen[i].len; len++) {
            int wanted = open_end && len >= 17 ? 0 : ERR_CORRUPT;
            assert_int_equal(decode(&got, frozen[i].bytes, len), wanted);
        }
    }
    static const char no_run[] = "\x59" SESSION NUMBER "\0"
                                 "\x01\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0"
                                 "\x02\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0";
    assert_int_equal(decode(&got, no_run, sizeof no_run - 1), ERR_CORRUPT);
    static const char more[] = "\x59" SESSION NUMBER "\x06\0\0\0\0x";
    static const char no_number[] = "\x59" SESSION "\0\0\0\0\0\0\0\0\x06\0\0\0\0";
    static const char no_code[] = "\x59" SESSION NUMBER "\x7f\0\0\0\0";
    static const char no_text[] = "\x59" SESSION NUMBER "\x06\x01\0\0\0\n";
    static const char no_kind[] = "\x5a" SESSION NUMBER "\x06\0\0\0\0";
    assert_int_equal(decode(&got, more, sizeof more - 1), ERR_CORRUPT);
    assert_int_equal(decode(&got, no_number, sizeof no_number - 1), ERR_CORRUPT);
    assert_int_equal(decode(&got, no_code, sizeof no_code - 1), ERR_CORRUPT);
    assert_int_equal(decode(&got, no_text, sizeof no_text - 1), ERR_CORRUPT);
    assert_int_equal(decode(&got, no_kind, sizeof no_kind - 1), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_readme),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_is_not_whole_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
