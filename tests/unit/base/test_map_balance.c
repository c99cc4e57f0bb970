/* SPDX-License-Identifier: Apache-2.0 */
/* The tree's invariant, which no question to a map shows: at every node the heights of
 * both sides differ by at most one, and what a node says of its height is true. Clients
 * choose the keys, and the recursion is as deep as the tree is high. */
#include "base/map.c" /* the nodes are its own business */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int value_of_all;

static void *same_ref(void *value)
{
    return value;
}

static void no_unref(void *value)
{
    (void)value;
}

static const struct map_type values = {same_ref, no_unref};

static int assert_balanced(const struct map_node *node)
{
    if (node == NULL) {
        return 0;
    }
    int left = assert_balanced(node->left);
    int right = assert_balanced(node->right);
    assert_in_range(left - right + 1, 0, 2);
    int height = (left > right ? left : right) + 1;
    assert_int_equal(node->height, height);
    return height;
}

static void key_from(uint32_t number, uint8_t key[4])
{
    for (int i = 3; i >= 0; i--) {
        key[i] = (uint8_t)number;
        number >>= 8;
    }
}

static uint32_t chance_state;

static uint32_t chance(uint32_t limit)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 17;
    chance_state ^= chance_state << 5;
    return chance_state % limit;
}

/* Filling, emptying, in order and in none, with a second holder now and then. */
static void churn(uint32_t key_count, uint32_t operations)
{
    struct map map;
    struct map frozen;
    uint8_t key[4];
    map_init(&map, &values);
    map_init(&frozen, &values);
    for (uint32_t i = 0; i < operations; i++) {
        bool filling = i / (2 * key_count) % 2 == 0;
        uint32_t number =
            i / (8 * key_count) % 2 == 0 ? chance(key_count) : i % key_count;
        key_from(number, key);
        if (chance(100) < (filling ? 70u : 30u)) {
            map_put(&map, key, sizeof key, &value_of_all);
        } else {
            map_delete(&map, key, sizeof key);
        }
        if (chance(50) == 0) {
            map_close(&frozen);
            frozen = map_ref(&map);
        }
        if (key_count < 100 || i % 997 == 0) {
            assert_balanced(map.root);
            assert_balanced(frozen.root);
        }
    }
    map_close(&map);
    map_close(&frozen);
    assert_int_equal(map_reap(SIZE_MAX), 0);
}

static void both_sides_are_as_high_whatever_comes_and_goes(void **state)
{
    (void)state;
    bool full = getenv("MUSTER_TEST_FULL") != NULL;
    for (uint32_t seed = 1; seed <= (full ? 400u : 40u); seed++) {
        chance_state = seed;
        churn(3 + seed % 30, 2000);
    }
    churn(3000, full ? 1000000 : 100000);
}

/* The smallest tree of its height is built and one key taken out of it: the longest way
 * of repairs there is. */
static uint32_t fibonacci_tree(struct map *map, int height, uint32_t from)
{
    if (height == 0) {
        return from;
    }
    struct map left;
    struct map right;
    map_init(&left, &values);
    map_init(&right, &values);
    uint8_t key[4];
    uint32_t middle = fibonacci_tree(&left, height - 1, from);
    uint32_t end = fibonacci_tree(&right, height - 2 > 0 ? height - 2 : 0, middle + 1);
    key_from(middle, key);
    map->root = node_new(&values, key, sizeof key, &value_of_all);
    map->root->left = left.root;
    map->root->right = right.root;
    map->count = left.count + right.count + 1;
    node_measure(map->root);
    return end;
}

static void the_leanest_tree_survives_any_one_deletion(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 143; number++) {
        struct map map;
        uint8_t key[4];
        map_init(&map, &values);
        assert_int_equal(fibonacci_tree(&map, 10, 0), 143);
        assert_int_equal(assert_balanced(map.root), 10);
        struct map frozen = map_ref(&map);
        key_from(number, key);
        assert_true(map_delete(&map, key, sizeof key));
        assert_balanced(map.root);
        assert_int_equal(assert_balanced(frozen.root), 10);
        map_close(&map);
        map_close(&frozen);
    }
    assert_int_equal(map_reap(SIZE_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_are_as_high_whatever_comes_and_goes),
        cmocka_unit_test(the_leanest_tree_survives_any_one_deletion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
