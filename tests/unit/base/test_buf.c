/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_put_u8(&buf, 7);
    buf_put_u16(&buf, 0xabcd);
    buf_put_u32(&buf, 0x12345678);
    buf_put_u64(&buf, UINT64_MAX - 1);
    buf_put_text(&buf, "hello");
    buf_put_blob(&buf, NULL, 0);

    struct cursor cursor;
    cursor_init(&cursor, buf.data, buf.len);
    assert_int_equal(cursor_u8(&cursor), 7);
    assert_int_equal(cursor_u16(&cursor), 0xabcd);
    assert_int_equal(cursor_u32(&cursor), 0x12345678);
    assert_true(cursor_u64(&cursor) == UINT64_MAX - 1);
    size_t len = 0;
    const uint8_t *text = cursor_blob(&cursor, 5, &len);
    assert_int_equal(len, 5);
    assert_memory_equal(text, "hello", 5);
    assert_non_null(cursor_blob(&cursor, 0, &len));
    assert_int_equal(len, 0);
    assert_true(cursor_done(&cursor));
    buf_close(&buf);
}

static void numbers_are_little_endian(void **state)
{
    (void)state;
    uint8_t bytes[8];
    put_u64(bytes, 0x0102030405060708);
    assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    assert_true(get_u64(bytes) == 0x0102030405060708);
}

static void reading_past_the_end_stays_failed(void **state)
{
    (void)state;
    struct cursor cursor;
    cursor_init(&cursor, "\x01\x02\x03", 3);
    assert_int_equal(cursor_u32(&cursor), 0);
    assert_false(cursor_ok(&cursor));
    assert_int_equal(cursor_u8(&cursor), 0); /* there is a byte, but the error sticks */
    assert_int_equal(cursor_left(&cursor), 0);
    assert_false(cursor_done(&cursor));
}

static void a_blob_over_its_maximum_fails(void **state)
{
    (void)state;
    struct cursor cursor;
    size_t len = 99;
    cursor_init(&cursor,
                "\x03\x00\x00\x00"
                "abc",
                7);
    assert_null(cursor_blob(&cursor, 2, &len));
    assert_int_equal(len, 0);

    /* a length that claims 4 GiB allocates and reads nothing */
    cursor_init(&cursor, "\xff\xff\xff\xff", 4);
    assert_null(cursor_blob(&cursor, SIZE_MAX, &len));
    assert_false(cursor_ok(&cursor));
}

static void printf_and_patching_a_length(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_put_u32(&buf, 0);
    buf_printf(&buf, "%s-%d", "n", 3);
    buf_set_u32(&buf, 0, (uint32_t)(buf.len - 4));
    assert_int_equal(buf.len, 7);
    assert_memory_equal(buf.data, "\x03\x00\x00\x00n-3", 7);
    buf_close(&buf);
    assert_null(buf.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(reading_past_the_end_stays_failed),
        cmocka_unit_test(a_blob_over_its_maximum_fails),
        cmocka_unit_test(printf_and_patching_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
