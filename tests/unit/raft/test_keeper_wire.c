/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about members, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "raft/keeper_wire.h"

#define SESSION "\x18\x17\x16\x15\x14\x13\x12\x91"
#define CLUSTER "\x28\x27\x26\x25\x24\x23\x22\x21"
#define TERM    "\x05\x01\0\0\0\0\0\0"

static const struct keeper_message welcome = {.kind = FRAME_WELCOME,
                                              .session = 0x9112131415161718u,
                                              .cluster_id = 0x2122232425262728u,
                                              .term = 261};
static const struct keeper_message wait_there = {
    .kind = FRAME_WAIT, .leader = "n2:8658", .text = "no seat"};
static const struct keeper_message wait_nowhere = {.kind = FRAME_WAIT};
static const struct keeper_message removed = {.kind = FRAME_REMOVED, .term = 261};
static const struct keeper_message stale = {
    .kind = FRAME_STALE, .session = 0x9112131415161718u, .text = "~ an old copy"};
static const struct keeper_message no_member = {
    .kind = FRAME_NO_MEMBER, .session = 0x9112131415161718u, .term = 261};
static const struct keeper_message acked = {
    .kind = FRAME_ACKED, .acked_count = 2, .acked = {{7, 261, 259}, {INT64_MAX, 1, 0}}};
static const struct keeper_message acked_none = {.kind = FRAME_ACKED};

static const struct frozen {
    const struct keeper_message *message;
    const char *bytes;
    size_t len;
} frozen[] = {
#define FROZEN(message, bytes)                                                         \
    {                                                                                  \
        &(message), bytes, sizeof(bytes) - 1                                           \
    }
    FROZEN(welcome, "\x30" SESSION CLUSTER TERM),
    FROZEN(wait_there, "\x31\x07\0\0\0n2:8658\x07\0\0\0no seat"),
    FROZEN(wait_nowhere, "\x31\0\0\0\0\0\0\0\0"),
    FROZEN(removed, "\x32" TERM),
    FROZEN(stale, "\x33" SESSION "\x0d\0\0\0~ an old copy"),
    FROZEN(no_member, "\x36" SESSION TERM),
    FROZEN(acked, "\x34\x02\0\0\0"
                  "\x07\0\0\0\0\0\0\0" TERM "\x03\x01\0\0\0\0\0\0"
                  "\xff\xff\xff\xff\xff\xff\xff\x7f"
                  "\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    FROZEN(acked_none, "\x34\0\0\0\0"),
};

#define FROZEN_COUNT (sizeof frozen / sizeof frozen[0])

/* From memory of just that size, for the sanitizer; the text says which kind. */
static int decode(struct keeper_message *out, const void *data, size_t len)
{
    struct err err = {.text = ""};
    uint8_t *copy = mem_dup(data, len);
    int rv = keeper_decode(out, copy, len, &err);
    mem_free(copy);
    if (rv != 0) {
        char kind[16];
        snprintf(kind, sizeof kind, "kind %u ", len > 0 ? *(const uint8_t *)data : 0u);
        assert_int_equal(rv, ERR_CORRUPT);
        assert_non_null(strstr(err.text, kind));
    }
    return rv;
}

static void assert_bytes(const struct keeper_message *message, const void *data,
                         size_t len)
{
    struct bytes *bytes = keeper_encode(message);
    assert_int_equal(bytes->len, len);
    assert_memory_equal(bytes->data, data, len);
    bytes_unref(bytes);
}

static void each_kind_lies_as_it_was_frozen(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        assert_bytes(frozen[i].message, frozen[i].bytes, frozen[i].len);
    }
}

static void what_was_frozen_says_what_it_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        const struct keeper_message *wanted = frozen[i].message;
        struct keeper_message got;
        assert_int_equal(decode(&got, frozen[i].bytes, frozen[i].len), 0);
        assert_int_equal(got.kind, wanted->kind);
        assert_true(got.session == wanted->session);
        assert_true(got.cluster_id == wanted->cluster_id);
        assert_true(got.term == wanted->term);
        assert_string_equal(got.leader, wanted->leader);
        assert_string_equal(got.text, wanted->text);
        assert_int_equal(got.acked_count, wanted->acked_count);
        assert_memory_equal(got.acked, wanted->acked, sizeof got.acked);
    }
}

static void cut_and_added_bytes_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        struct keeper_message got;
        char longer[128] = {0};
        for (size_t len = 0; len < frozen[i].len; len++) {
            assert_int_equal(decode(&got, frozen[i].bytes, len), ERR_CORRUPT);
        }
        memcpy(longer, frozen[i].bytes, frozen[i].len);
        assert_int_equal(decode(&got, longer, frozen[i].len + 1), ERR_CORRUPT);
    }
}

/* Every byte changed to every value: refused, or it says what is written like that. */
static void changed_bytes_are_refused_or_mean_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        for (size_t at = 0; at < frozen[i].len; at++) {
            for (int value = 0; value < 256; value++) {
                struct keeper_message got;
                char copy[128];
                memcpy(copy, frozen[i].bytes, frozen[i].len);
                copy[at] = (char)value;
                if (decode(&got, copy, frozen[i].len) == 0) {
                    assert_bytes(&got, copy, frozen[i].len);
                }
            }
        }
    }
}

static void kinds_of_others_are_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        uint8_t bytes[64] = {(uint8_t)kind};
        struct keeper_message got;
        for (size_t len = 1; len < sizeof bytes; len++) {
            bool ours = kind >= FRAME_WELCOME && kind <= FRAME_NO_MEMBER;
            assert_true(ours || decode(&got, bytes, len) == ERR_CORRUPT);
        }
    }
}

static void ids_and_terms_that_nobody_has_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t cluster_id;
        uint64_t term;
        int result;
    } rows[] = {
        {1, 1, 0},
        {INT64_MAX, UINT64_MAX, 0},
        {0, 1, ERR_CORRUPT},
        {(uint64_t)INT64_MAX + 1, 1, ERR_CORRUPT},
        {UINT64_MAX, 1, ERR_CORRUPT},
        {1, 0, ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct keeper_message message = {.kind = FRAME_WELCOME,
                                         .session = 1,
                                         .cluster_id = rows[i].cluster_id,
                                         .term = rows[i].term};
        struct keeper_message got;
        struct bytes *bytes = keeper_encode(&message);
        assert_int_equal(decode(&got, bytes->data, bytes->len), rows[i].result);
        bytes_unref(bytes);
    }
}

/* A frame with texts of so many characters of a kind. */
static int decode_texts(enum frame_kind kind, size_t leader, size_t text, char filling,
                        struct keeper_message *got)
{
    char filled[KEEPER_TEXT_BYTES + 8];
    struct buf out;
    memset(filled, filling, sizeof filled);
    buf_init(&out);
    buf_put_u8(&out, (uint8_t)kind);
    if (kind == FRAME_STALE) {
        buf_put_u64(&out, 1);
    } else {
        buf_put_blob(&out, filled, leader);
    }
    buf_put_blob(&out, filled, text);
    int rv = decode(got, out.data, out.len);
    buf_close(&out);
    return rv;
}

static void texts_are_as_long_as_there_is_room(void **state)
{
    (void)state;
    struct keeper_message got;
    size_t leader = LIMIT_ADDRESS_BYTES - 1;
    size_t text = KEEPER_TEXT_BYTES - 1;
    assert_int_equal(decode_texts(FRAME_WAIT, leader, text, 'a', &got), 0);
    assert_int_equal(strlen(got.leader), leader);
    assert_int_equal(strlen(got.text), text);
    assert_int_equal(decode_texts(FRAME_STALE, 0, text, 'a', &got), 0);
    assert_int_equal(strlen(got.text), text);
    assert_int_equal(decode_texts(FRAME_WAIT, leader + 1, 0, 'a', &got), ERR_CORRUPT);
    assert_int_equal(decode_texts(FRAME_WAIT, 0, text + 1, 'a', &got), ERR_CORRUPT);
    assert_int_equal(decode_texts(FRAME_STALE, 0, text + 1, 'a', &got), ERR_CORRUPT);
}

static void only_what_can_be_printed_is_taken(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        struct keeper_message got;
        int wanted = c >= ' ' && c <= '~' ? 0 : ERR_CORRUPT;
        assert_int_equal(decode_texts(FRAME_WAIT, 1, 0, (char)c, &got), wanted);
        assert_int_equal(decode_texts(FRAME_WAIT, 0, 1, (char)c, &got), wanted);
        assert_int_equal(decode_texts(FRAME_STALE, 0, 1, (char)c, &got), wanted);
    }
}

static void as_many_are_told_of_as_there_are_members(void **state)
{
    (void)state;
    struct keeper_message got;
    struct keeper_message full = {.kind = FRAME_ACKED, .acked_count = LIMIT_MEMBERS};
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        full.acked[i] = (struct keeper_acked){i + 1, 2 * i, UINT64_MAX - i};
    }
    struct bytes *bytes = keeper_encode(&full);
    assert_int_equal(decode(&got, bytes->data, bytes->len), 0);
    assert_memory_equal(got.acked, full.acked, sizeof full.acked);
    static const uint32_t counts[] = {LIMIT_MEMBERS + 1, 0x10000, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t len = 5 + (LIMIT_MEMBERS + 1) * sizeof(struct keeper_acked);
        uint8_t *longer = mem_zalloc(len);
        longer[0] = FRAME_ACKED;
        put_u32(longer + 1, counts[i]);
        assert_int_equal(decode(&got, longer, len), ERR_CORRUPT);
        mem_free(longer);
    }
    bytes_unref(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_lies_as_it_was_frozen),
        cmocka_unit_test(what_was_frozen_says_what_it_said),
        cmocka_unit_test(cut_and_added_bytes_are_refused),
        cmocka_unit_test(changed_bytes_are_refused_or_mean_what_they_say),
        cmocka_unit_test(kinds_of_others_are_refused),
        cmocka_unit_test(ids_and_terms_that_nobody_has_are_refused),
        cmocka_unit_test(texts_are_as_long_as_there_is_room),
        cmocka_unit_test(only_what_can_be_printed_is_taken),
        cmocka_unit_test(as_many_are_told_of_as_there_are_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
