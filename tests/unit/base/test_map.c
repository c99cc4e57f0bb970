/* SPDX-License-Identifier: Apache-2.0 */
/* The map against an array that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "lib/sim_clock.h"

#define KEYS   300
#define FROZEN 8

struct value {
    uint32_t refs;
    uint64_t number;
};

static int64_t values_alive;

static void *value_ref(void *memory)
{
    struct value *value = memory;
    value->refs++;
    return value;
}

static void value_unref(void *memory)
{
    struct value *value = memory;
    if (--value->refs == 0) {
        values_alive--;
        mem_free(value);
    }
}

static const struct map_type values = {value_ref, value_unref};

static struct value *value_new(uint64_t number)
{
    struct value *value = mem_alloc(sizeof *value);
    *value = (struct value){1, number};
    values_alive++;
    return value;
}

struct model {
    uint64_t number[KEYS]; /* 0 = absent */
};

static size_t key_of(uint64_t key, char text[16])
{
    return (size_t)snprintf(text, 16, "%" PRIu64, key * key % 100003);
}

static void assert_equals_model(const struct map *map, const struct model *model)
{
    size_t count = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        char text[16];
        size_t len = key_of(key, text);
        const struct value *value = map_get(map, text, len);
        assert_true((value == NULL) == (model->number[key] == 0));
        assert_true(value == NULL || value->number == model->number[key]);
        count += value != NULL;
    }
    assert_int_equal(count, map_count(map));

    struct map_cursor cursor;
    const void *key = NULL;
    size_t len = 0;
    char last[16] = "";
    size_t last_len = 0;
    size_t walked = 0;
    map_seek(map, NULL, 0, &cursor);
    while (map_next(&cursor, &key, &len) != NULL) {
        size_t common = len < last_len ? len : last_len;
        int order = memcmp(last, key, common);
        assert_true(walked == 0 || order < 0 || (order == 0 && last_len < len));
        memcpy(last, key, len);
        last_len = len;
        walked++;
    }
    assert_int_equal(walked, count);
}

static void it_is_what_the_naive_one_is_and_frozen_ones_stay(void **state)
{
    (void)state;
    uint64_t operations = getenv("MUSTER_TEST_FULL") != NULL ? 1000000 : 200000;
    struct sim_random random;
    struct map map;
    struct model model = {{0}};
    struct map frozen[FROZEN];
    struct model then[FROZEN];
    size_t frozen_count = 0;
    sim_random_init(&random, 7);
    map_init(&map, &values);
    for (uint64_t i = 1; i <= operations; i++) {
        uint64_t key = sim_random_below(&random, KEYS);
        char text[16];
        size_t len = key_of(key, text);
        if (sim_random_chance(&random, 55)) {
            map_put(&map, text, len, value_new(i));
            model.number[key] = i;
        } else {
            assert_int_equal(map_delete(&map, text, len), model.number[key] != 0);
            model.number[key] = 0;
        }
        if (i % 997 == 0) {
            assert_equals_model(&map, &model);
            size_t slot = frozen_count % FROZEN;
            if (frozen_count >= FROZEN) {
                assert_equals_model(&frozen[slot], &then[slot]);
                map_close(&frozen[slot]);
            }
            frozen[slot] = map_ref(&map);
            then[slot] = model;
            frozen_count++;
        }
    }
    for (size_t i = 0; i < FROZEN; i++) {
        assert_equals_model(&frozen[i], &then[i]);
        map_close(&frozen[i]);
    }
    map_close(&map);
    assert_int_equal(map_reap(SIZE_MAX), 0);
    assert_int_equal(values_alive, 0);
}

static void keys_in_order_keep_it_low(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, &values);
    for (uint32_t i = 0; i < 200000; i++) {
        uint8_t key[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
                          (uint8_t)i};
        map_put(&map, key, sizeof key, value_new(i));
    }
    struct map_cursor cursor;
    map_seek(&map, NULL, 0, &cursor);
    assert_true(cursor.depth > 0 && cursor.depth <= 26); /* 1.44 log2(200 000) */
    uint64_t count = 0;
    const struct value *value = NULL;
    while ((value = map_next(&cursor, NULL, NULL)) != NULL) {
        assert_int_equal(value->number, count++);
    }
    assert_int_equal(count, 200000);
    uint8_t key[4] = {0, 1, 0, 0};
    map_seek(&map, key, sizeof key, &cursor);
    value = map_next(&cursor, NULL, NULL);
    assert_int_equal(value->number, 65536);
    map_close(&map);
    assert_true(map_reap(1000) > 0); /* in turns */
    assert_int_equal(map_reap(SIZE_MAX), 0);
    assert_int_equal(values_alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_the_naive_one_is_and_frozen_ones_stay),
        cmocka_unit_test(keys_in_order_keep_it_low),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
