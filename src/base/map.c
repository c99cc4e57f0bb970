/* SPDX-License-Identifier: Apache-2.0 */
/* A persistent AVL tree. Writing makes the path to the change its own: a node that only
 * this root holds is changed in place, any other is copied, and its children then have
 * one holder more. AVL and not a treap: clients choose the keys, and the height must
 * stay below MAP_HEIGHT_MAX whatever they choose. */
#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define MAP_REAP_A_WRITE 16 /* more than a write drops, so that garbage shrinks */

struct map_node {
    uint32_t refs;
    uint16_t key_len;
    uint8_t height; /* of a leaf: 1 */
    const struct map_type *type;
    void *value; /* of garbage: the next node */
    struct map_node *left;
    struct map_node *right;
    uint8_t key[];
};

/* --- life of nodes ------------------------------------------------------------------
 */

static struct map_node *map_garbage;
static size_t map_garbage_count;

static struct map_node *node_ref(struct map_node *node)
{
    if (node != NULL) {
        assert(node->refs > 0 && node->refs < UINT32_MAX);
        node->refs++;
    }
    return node;
}

/* The children of a dropped node are dropped when it is reaped. */
static void node_unref(struct map_node *node)
{
    if (node == NULL || --node->refs > 0) {
        return;
    }
    node->type->unref(node->value);
    node->value = map_garbage;
    map_garbage = node;
    map_garbage_count++;
}

size_t map_reap(size_t node_count)
{
    for (; node_count > 0 && map_garbage != NULL; node_count--) {
        struct map_node *node = map_garbage;
        map_garbage = node->value;
        map_garbage_count--;
        node_unref(node->left);
        node_unref(node->right);
        mem_free(node);
    }
    return map_garbage_count;
}

static struct map_node *node_new(const struct map_type *type, const void *key,
                                 size_t key_len, void *value)
{
    assert(key_len <= UINT16_MAX);
    struct map_node *node = mem_alloc(sizeof *node + key_len);
    *node = (struct map_node){
        .refs = 1,
        .key_len = (uint16_t)key_len,
        .height = 1,
        .type = type,
        .value = value,
    };
    if (key_len > 0) {
        memcpy(node->key, key, key_len);
    }
    return node;
}

/* The same node, changeable: takes the caller's reference, gives one back. */
static struct map_node *node_own(struct map_node *node)
{
    if (node->refs == 1) {
        return node;
    }
    struct map_node *copy =
        node_new(node->type, node->key, node->key_len, node->type->ref(node->value));
    copy->height = node->height;
    copy->left = node_ref(node->left);
    copy->right = node_ref(node->right);
    node->refs--; /* others hold it */
    return copy;
}

/* --- balance ------------------------------------------------------------------------
 */

static int node_height(const struct map_node *node)
{
    return node != NULL ? node->height : 0;
}

static void node_measure(struct map_node *node)
{
    int left = node_height(node->left);
    int right = node_height(node->right);
    node->height = (uint8_t)((left > right ? left : right) + 1);
}

static struct map_node *node_rotate_right(struct map_node *node)
{
    struct map_node *top = node_own(node->left);
    node->left = top->right;
    top->right = node;
    node_measure(node);
    node_measure(top);
    return top;
}

static struct map_node *node_rotate_left(struct map_node *node)
{
    struct map_node *top = node_own(node->right);
    node->right = top->left;
    top->left = node;
    node_measure(node);
    node_measure(top);
    return top;
}

/* `node` is owned; its subtrees are balanced and differ by at most two. */
static struct map_node *node_balance(struct map_node *node)
{
    int lean = node_height(node->left) - node_height(node->right);
    if (lean > 1) {
        assert(node->left != NULL);
        if (node_height(node->left->left) < node_height(node->left->right)) {
            node->left = node_rotate_left(node_own(node->left));
        }
        return node_rotate_right(node);
    }
    if (lean < -1) {
        assert(node->right != NULL);
        if (node_height(node->right->right) < node_height(node->right->left)) {
            node->right = node_rotate_right(node_own(node->right));
        }
        return node_rotate_left(node);
    }
    node_measure(node);
    return node;
}

/* --- writing ------------------------------------------------------------------------
 */

static int key_compare(const void *a, size_t a_len, const struct map_node *node)
{
    size_t common = a_len < node->key_len ? a_len : node->key_len;
    int order = common > 0 ? memcmp(a, node->key, common) : 0;
    if (order != 0) {
        return order;
    }
    return (a_len > node->key_len) - (a_len < node->key_len);
}

static struct map_node *node_put(struct map *map, struct map_node *node,
                                 const void *key, size_t key_len, void *value)
{
    if (node == NULL) {
        map->count++;
        return node_new(map->type, key, key_len, value);
    }
    int order = key_compare(key, key_len, node);
    node = node_own(node);
    if (order == 0) {
        map->type->unref(node->value);
        node->value = value;
        return node;
    }
    struct map_node **branch = order < 0 ? &node->left : &node->right;
    int height = node_height(*branch);
    *branch = node_put(map, *branch, key, key_len, value);
    bool grown = node_height(*branch) != height;
    return grown ? node_balance(node) : node; /* mostly nothing changes above */
}

/* Take the first node out of a non-empty tree, into *first (owned, without children).
 */
static struct map_node *node_take_first(struct map_node *node, struct map_node **first)
{
    node = node_own(node);
    if (node->left == NULL) {
        struct map_node *right = node->right;
        node->right = NULL;
        *first = node;
        return right;
    }
    node->left = node_take_first(node->left, first);
    return node_balance(node);
}

/* The key is there. */
static struct map_node *node_delete(struct map_node *node, const void *key,
                                    size_t key_len)
{
    int order = key_compare(key, key_len, node);
    node = node_own(node);
    if (order < 0) {
        node->left = node_delete(node->left, key, key_len);
        return node_balance(node);
    }
    if (order > 0) {
        node->right = node_delete(node->right, key, key_len);
        return node_balance(node);
    }
    struct map_node *left = node->left;
    struct map_node *right = node->right;
    node->left = NULL;
    node->right = NULL;
    node_unref(node);
    if (right == NULL) {
        return left;
    }
    struct map_node *first = NULL;
    right = node_take_first(right, &first);
    first->left = left;
    first->right = right;
    return node_balance(first);
}

void map_init(struct map *map, const struct map_type *type)
{
    *map = (struct map){.type = type};
}

void map_close(struct map *map)
{
    node_unref(map->root);
    map->root = NULL;
    map->count = 0;
}

struct map map_ref(const struct map *map)
{
    struct map copy = *map;
    node_ref(copy.root);
    return copy;
}

bool map_is_shared(const struct map *map)
{
    return map->root != NULL && map->root->refs > 1;
}

void *map_get(const struct map *map, const void *key, size_t key_len)
{
    const struct map_node *node = map->root;
    while (node != NULL) {
        int order = key_compare(key, key_len, node);
        if (order == 0) {
            return node->value;
        }
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

void map_put(struct map *map, const void *key, size_t key_len, void *value)
{
    assert(value != NULL);
    map->root = node_put(map, map->root, key, key_len, value);
    map_reap(MAP_REAP_A_WRITE);
}

bool map_delete(struct map *map, const void *key, size_t key_len)
{
    if (map_get(map, key, key_len) == NULL) {
        return false;
    }
    map->root = node_delete(map->root, key, key_len);
    map->count--;
    map_reap(MAP_REAP_A_WRITE);
    return true;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

/* --- walking ------------------------------------------------------------------------
 */

static void cursor_push(struct map_cursor *cursor, const struct map_node *node)
{
    assert(cursor->depth < MAP_HEIGHT_MAX);
    cursor->path[cursor->depth++] = node;
}

/* The path holds the nodes that are still to come, the next one last. */
void map_seek(const struct map *map, const void *key, size_t key_len,
              struct map_cursor *cursor)
{
    cursor->depth = 0;
    const struct map_node *node = map->root;
    while (node != NULL) {
        if (key_compare(key, key_len, node) <= 0) {
            cursor_push(cursor, node);
            node = node->left;
        } else {
            node = node->right;
        }
    }
}

void *map_next(struct map_cursor *cursor, const void **key, size_t *key_len)
{
    if (cursor->depth == 0) {
        return NULL;
    }
    const struct map_node *node = cursor->path[--cursor->depth];
    for (const struct map_node *next = node->right; next != NULL; next = next->left) {
        cursor_push(cursor, next);
    }
    if (key != NULL) {
        *key = node->key;
    }
    if (key_len != NULL) {
        *key_len = node->key_len;
    }
    return node->value;
}
