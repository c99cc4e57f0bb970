/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/heap.h"
#include "raft/membership.h"

static struct membership three(void)
{
    struct membership members = {.count = 3};
    for (size_t i = 0; i < 3; i++) {
        members.rows[i].id = INT64_MAX - i;
        members.rows[i].voter = i != 2;
        snprintf(members.rows[i].address, sizeof members.rows[i].address,
                 "10.0.0.%zu:8658", i + 1);
    }
    return members;
}

static void assert_same(const struct membership *a, const struct membership *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_true(a->rows[i].id == b->rows[i].id);
        assert_int_equal(a->rows[i].voter, b->rows[i].voter);
        assert_string_equal(a->rows[i].address, b->rows[i].address);
    }
}

static void what_is_encoded_is_decoded_in_order(void **state)
{
    (void)state;
    struct membership members = three();
    struct bytes *bytes = membership_encode(&members);
    struct membership back;
    assert_int_equal(membership_decode(&back, bytes->data, bytes->len, NULL), 0);
    assert_same(&members, &back);
    assert_int_equal(membership_voter_count(&back), 2);
    assert_string_equal(membership_find(&back, INT64_MAX - 1)->address,
                        "10.0.0.2:8658");
    assert_null(membership_find(&back, 1));
    bytes_unref(bytes);
}

static void a_full_membership_of_long_addresses_fits(void **state)
{
    (void)state;
    struct membership members = {.count = LIMIT_MEMBERS};
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        members.rows[i].id = i + 1;
        members.rows[i].voter = true;
        memset(members.rows[i].address, 'a' + (int)i, LIMIT_ADDRESS_BYTES - 1);
    }
    struct bytes *bytes = membership_encode(&members);
    struct membership back;
    assert_int_equal(membership_decode(&back, bytes->data, bytes->len, NULL), 0);
    assert_same(&members, &back);
    bytes_unref(bytes);
}

/* Every prefix is refused, and so is every byte changed to every value, unless what it
 * says can be written that way. */
static void damaged_bytes_are_refused_or_mean_what_they_say(void **state)
{
    (void)state;
    struct membership members = three();
    struct bytes *bytes = membership_encode(&members);
    struct membership back;
    struct err err;
    for (size_t len = 0; len < bytes->len; len++) {
        uint8_t *part = mem_dup(bytes->data, len);
        assert_int_equal(membership_decode(&back, part, len, &err), ERR_CORRUPT);
        mem_free(part);
    }
    for (size_t at = 0; at < bytes->len; at++) {
        for (int value = 0; value < 256; value++) {
            uint8_t *copy = mem_dup(bytes->data, bytes->len);
            copy[at] = (uint8_t)value;
            if (membership_decode(&back, copy, bytes->len, &err) == 0) {
                struct bytes *again = membership_encode(&back);
                assert_true(again->len == bytes->len &&
                            memcmp(again->data, copy, again->len) == 0);
                bytes_unref(again);
            }
            mem_free(copy);
        }
    }
    bytes_unref(bytes);
}

static void the_newest_of_a_log_is_found(void **state)
{
    (void)state;
    struct entry_log log;
    struct membership found;
    entry_log_init(&log, 1);
    assert_false(membership_newest(&log, &found));
    for (size_t count = 1; count <= 3; count++) {
        struct membership members = three();
        members.count = count;
        struct entry change = {1, ENTRY_CONFIGURATION, membership_encode(&members)};
        struct entry batch = {1, ENTRY_COMMAND, bytes_new("x", 1)};
        entry_log_append(&log, &change);
        entry_log_append(&log, &batch);
        assert_true(membership_newest(&log, &found));
        assert_int_equal(found.count, count);
    }
    entry_log_truncate(&log, 5); /* the third is overwritten */
    assert_true(membership_newest(&log, &found));
    assert_int_equal(found.count, 2);
    entry_log_close(&log);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded_in_order),
        cmocka_unit_test(a_full_membership_of_long_addresses_fits),
        cmocka_unit_test(damaged_bytes_are_refused_or_mean_what_they_say),
        cmocka_unit_test(the_newest_of_a_log_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
