/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the newest keyed writes: who is found, who goes first, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "registry/key_table.h"

#define AGE_MS 1000

static struct key_name name_of(const char *scope, const char *key)
{
    return (struct key_name){scope, strlen(scope), key, strlen(key)};
}

static void add(struct key_table *table, const char *key, uint64_t at_ms,
                uint64_t revision)
{
    struct key_name name = name_of("", key);
    struct key_outcome outcome = {.revision = revision, .fingerprint = {1}};
    key_table_add(table, &name, at_ms, &outcome);
}

static void add_many(struct key_table *table, uint64_t from, uint64_t to,
                     uint64_t at_ms)
{
    for (uint64_t i = from; i < to; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%llu", (unsigned long long)i);
        add(table, key, at_ms, i);
    }
}

/* The revision that is kept for a key; 0: it is not known. */
static uint64_t found(const struct key_table *table, const char *scope, const char *key)
{
    struct key_name name = name_of(scope, key);
    const struct key_entry *entry = key_table_find(table, &name);
    return entry != NULL ? entry->outcome.revision : 0;
}

static void trim_all(struct key_table *table, uint64_t max_count, uint64_t now_ms)
{
    uint64_t before = 0;
    do {
        before = key_table_count(table);
        key_table_trim(table, max_count, AGE_MS, now_ms);
        assert_true(before - key_table_count(table) <= 16);
    } while (key_table_count(table) < before);
}

static int setup(void **state)
{
    static struct key_table table;
    key_table_init(&table);
    *state = &table;
    return 0;
}

static int teardown(void **state)
{
    key_table_close(*state);
    return map_reap(SIZE_MAX) == 0 ? 0 : -1;
}

static void a_key_is_found_in_its_own_scope(void **state)
{
    struct key_table *table = *state;
    assert_int_equal(found(table, "", "a"), 0);
    add(table, "a", 5, 7);
    struct key_name theirs = name_of("bob", "a");
    struct key_outcome outcome = {.revision = 8, .code = ERR_EXISTS};
    key_table_add(table, &theirs, 6, &outcome);
    assert_int_equal(found(table, "", "a"), 7);
    assert_int_equal(found(table, "bob", "a"), 8);
    assert_int_equal(found(table, "bo", "ba"), 0);
    assert_int_equal(found(table, "", "b"), 0);
    assert_int_equal(key_table_count(table), 2);
    const struct key_entry *entry = key_table_at(table, table->first + 1);
    assert_int_equal(entry->at_ms, 6);
    assert_int_equal(entry->outcome.code, ERR_EXISTS);
    assert_int_equal(entry->scope_len, 3);
    assert_memory_equal(entry->text, "bob\0a", 5);
}

static void what_is_no_key_is_told(void **state)
{
    (void)state;
    char longest[KEY_SCOPE_BYTES_MAX + 2];
    memset(longest, '~', sizeof longest);
    struct key_name sound[] = {
        name_of("", "!"),
        {"", 0, longest, KEY_TEXT_BYTES_MAX},
        {longest, KEY_SCOPE_BYTES_MAX, "a", 1},
        {NULL, 0, "a", 1},
    };
    struct key_name unsound[] = {
        name_of("", ""),
        {"", 0, longest, KEY_TEXT_BYTES_MAX + 1},
        {longest, KEY_SCOPE_BYTES_MAX + 1, "a", 1},
        {"a\0b", 3, "a", 1},
        name_of("", "a b"),
        name_of("", "a\x7f"),
        name_of("", "a\xc3\xa4"),
        {"", 0, "a\0b", 3},
    };
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        assert_true(key_name_sound(&sound[i]));
    }
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        assert_false(key_name_sound(&unsound[i]));
    }
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
    struct key_table *table = *state;
    add_many(table, 1, 301, 0);
    trim_all(table, 300, 0);
    assert_int_equal(key_table_count(table), 300);
    trim_all(table, 100, 0);
    assert_int_equal(key_table_count(table), 100);
    assert_int_equal(found(table, "", "key-200"), 0);
    assert_int_equal(found(table, "", "key-201"), 201);
    assert_int_equal(found(table, "", "key-300"), 300);
    trim_all(table, 0, 0);
    assert_int_equal(key_table_count(table), 0);
    assert_int_equal(table->digest.low, 0);
    assert_int_equal(table->digest.high, 0);
    add(table, "key-1", 0, 9); /* it goes on where it was */
    assert_int_equal(found(table, "", "key-1"), 9);
}

static void the_oldest_go_when_they_are_too_old(void **state)
{
    struct key_table *table = *state;
    add(table, "a", 0, 1);
    add(table, "b", 500, 2);
    add(table, "c", 500, 3);
    trim_all(table, 100, AGE_MS - 1);
    assert_int_equal(key_table_count(table), 3);
    assert_false(key_entry_old(key_table_at(table, table->first), AGE_MS, AGE_MS - 1));
    assert_true(key_entry_old(key_table_at(table, table->first), AGE_MS, AGE_MS));
    trim_all(table, 100, AGE_MS);
    assert_int_equal(key_table_count(table), 2);
    trim_all(table, 100, 499); /* a clock that is behind makes nobody old */
    assert_int_equal(key_table_count(table), 2);
    trim_all(table, 100, UINT64_MAX);
    assert_int_equal(key_table_count(table), 0);
}

/* The old entry has not gone yet when its key comes again. */
static void a_key_that_comes_again_is_the_newer_one(void **state)
{
    struct key_table *table = *state;
    add(table, "a", 0, 1);
    add(table, "a", AGE_MS, 2);
    assert_int_equal(found(table, "", "a"), 2);
    assert_int_equal(key_table_count(table), 2);
    trim_all(table, 100, AGE_MS);
    assert_int_equal(key_table_count(table), 1);
    assert_int_equal(found(table, "", "a"), 2);
    trim_all(table, 100, 2 * AGE_MS);
    assert_int_equal(found(table, "", "a"), 0);
}

static void a_frozen_copy_keeps_what_it_has(void **state)
{
    struct key_table *table = *state;
    add_many(table, 1, 100, 0);
    struct key_table frozen = key_table_ref(table);
    struct digest digest = frozen.digest;
    add_many(table, 100, 400, 5);
    trim_all(table, 10, 5);
    assert_int_equal(key_table_count(&frozen), 99);
    assert_int_equal(found(&frozen, "", "key-1"), 1);
    assert_int_equal(found(&frozen, "", "key-99"), 99);
    assert_int_equal(found(&frozen, "", "key-100"), 0);
    assert_int_equal(key_table_at(&frozen, frozen.next - 1)->outcome.revision, 99);
    assert_true(digest_equal(digest, frozen.digest));
    key_table_close(&frozen);
    assert_int_equal(found(table, "", "key-399"), 399);
}

static void the_digest_tells_every_part_and_not_the_way_it_came(void **state)
{
    struct key_table *table = *state;
    struct key_table other;
    key_table_init(&other);
    add_many(table, 1, 200, 3);
    trim_all(table, 50, 3);
    add_many(&other, 150, 200, 3);
    assert_true(digest_equal(table->digest, other.digest));
    key_table_close(&other);

    struct key_name name = name_of("x", "a");
    struct key_name moved = name_of("", "xa");
    const struct key_outcome outcome = {.revision = 1};
    struct key_outcome changed[4] = {outcome, outcome, outcome, outcome};
    changed[0].revision = 2;
    changed[1].fingerprint[15] = 1;
    changed[2].code = ERR_EXISTS;
    changed[3].created = true;
    struct digest seen[7];
    for (size_t i = 0; i < 7; i++) {
        key_table_init(&other);
        key_table_add(&other, i == 5 ? &moved : &name, i == 6 ? 1 : 0,
                      i < 4 ? &changed[i] : &outcome);
        seen[i] = other.digest;
        key_table_close(&other);
        for (size_t at = 0; at < i; at++) {
            assert_false(digest_equal(seen[at], seen[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_found_in_its_own_scope, setup,
                                        teardown),
        cmocka_unit_test(what_is_no_key_is_told),
        cmocka_unit_test_setup_teardown(the_oldest_go_when_there_are_too_many, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_oldest_go_when_they_are_too_old, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_key_that_comes_again_is_the_newer_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frozen_copy_keeps_what_it_has, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            the_digest_tells_every_part_and_not_the_way_it_came, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
