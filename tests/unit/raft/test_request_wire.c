/* SPDX-License-Identifier: Apache-2.0 */
/* A small question and its answer, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/request.h"
#include "raft/request_wire.h"

#define HEAD    .session = 0x9112131415161718u, .number = 261
#define SESSION "\x18\x17\x16\x15\x14\x13\x12\x91"
#define NUMBER  "\x05\x01\0\0\0\0\0\0"

static const struct request_message question = {
    .kind = FRAME_REQUEST,
    HEAD,
    .about = REQUEST_RUN_LOG,
    .data = (const uint8_t *)"ab",
    .len = 2,
};
static const struct request_message answer = {
    .kind = FRAME_ANSWER,
    HEAD,
    .data = (const uint8_t *)"xyz",
    .len = 3,
};
static const struct request_message refusal = {
    .kind = FRAME_ANSWER,
    HEAD,
    .code = ERR_NOT_FOUND,
    .data = (const uint8_t *)"no",
    .len = 2,
};

static const struct frozen {
    const struct request_message *message;
    const char *bytes;
    size_t len;
} frozen[] = {
#define FROZEN(message, bytes)                                                         \
    {                                                                                  \
        &(message), bytes, sizeof(bytes) - 1                                           \
    }
    FROZEN(question, "\x68" SESSION NUMBER "\x01\0"
                     "\x02\0\0\0ab"),
    FROZEN(answer, "\x69" SESSION NUMBER "\0\0\0\0"
                   "\x03\0\0\0xyz"),
    FROZEN(refusal, "\x69" SESSION NUMBER "\x02\0\0\0"
                    "\x02\0\0\0no"),
};

#define FROZEN_COUNT (sizeof frozen / sizeof frozen[0])

/* From memory of just that size, for the sanitizer. */
static int decode(struct request_message *out, const void *data, size_t len)
{
    struct err err = {.text = ""};
    uint8_t *copy = mem_dup(data, len);
    int rv = request_decode(out, copy, len, &err);
    out->data = NULL;
    mem_free(copy);
    return rv;
}

static void the_bytes_are_those_of_the_readme(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        struct bytes *bytes = request_encode(frozen[i].message);
        assert_int_equal(bytes->len, frozen[i].len);
        assert_memory_equal(bytes->data, frozen[i].bytes, frozen[i].len);
        bytes_unref(bytes);
    }
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        const struct request_message *wanted = frozen[i].message;
        struct request_message got;
        assert_int_equal(decode(&got, frozen[i].bytes, frozen[i].len), 0);
        assert_int_equal(got.kind, wanted->kind);
        assert_true(got.session == wanted->session && got.number == wanted->number);
        assert_int_equal(got.about, wanted->about);
        assert_int_equal(got.code, wanted->code);
        assert_int_equal(got.len, wanted->len);
    }
}

static void what_is_not_whole_is_refused(void **state)
{
    (void)state;
    struct request_message got;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        char longer[64] = {0};
        memcpy(longer, frozen[i].bytes, frozen[i].len);
        for (size_t len = 1; len < frozen[i].len; len++) {
            assert_int_equal(decode(&got, frozen[i].bytes, len), ERR_CORRUPT);
        }
        assert_int_equal(decode(&got, longer, frozen[i].len + 1), ERR_CORRUPT);
    }
    assert_int_equal(decode(&got, "\x6a" SESSION NUMBER "\0\0\0\0\0\0\0\0", 25),
                     ERR_CORRUPT);
    assert_int_equal(decode(&got, "\x69" SESSION NUMBER "\xff\0\0\0\0\0\0\0", 25),
                     ERR_CORRUPT);
    assert_int_equal(
        decode(&got, "\x69" SESSION "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25),
        ERR_CORRUPT); /* number 0 */
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
