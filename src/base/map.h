/* SPDX-License-Identifier: Apache-2.0 */
/* A persistent ordered map: byte-string keys to reference-counted values.
 *
 * A map is a pointer to an immutable tree root, or NULL when empty. Writing returns a
 * new root that shares all but the path to the change; a root that somebody else holds
 * never changes, so a snapshot is map_ref() and costs nothing. Nodes that only the
 * writer holds are changed in place. All counting happens on the loop thread; a pool
 * job may read a root while the loop holds a reference to it.
 *
 * Freeing is amortised: nodes of dropped roots go to a heap of garbage, a few of which
 * every later write frees, so dropping a big frozen root does not stall the loop. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node;

/* What a map does with its values. Every map of one kind uses one static table. */
struct map_type {
    void *(*ref)(void *value);
    void (*unref)(void *value);
};

struct map {
    const struct map_type *type;
    struct map_node *root; /* NULL = empty */
    size_t count;
};

void map_init(struct map *map, const struct map_type *type);
void map_close(struct map *map); /* drops the root; the nodes are freed in turns */

/* A second map that shares everything with `map`, in O(1). */
struct map map_ref(const struct map *map);

/* Does anybody else hold this very root? Then the next write copies what it changes. */
bool map_is_shared(const struct map *map);

/* The value, borrowed until the map changes or closes; NULL if absent. */
void *map_get(const struct map *map, const void *key, size_t key_len);

/* Insert or replace. Takes over the caller's reference to `value`; copies the key. */
void map_put(struct map *map, const void *key, size_t key_len, void *value);

/* True if it was there. */
bool map_delete(struct map *map, const void *key, size_t key_len);

size_t map_count(const struct map *map);

/* Ordered walk. The cursor borrows the map's root: hold the map (or a map_ref of it)
 * while walking and do not change it. */
#define MAP_HEIGHT_MAX 64
struct map_cursor {
    const struct map_node *path[MAP_HEIGHT_MAX];
    int depth;
};

/* Position at the first key >= `key` (first of all with key_len 0). */
void map_seek(const struct map *map, const void *key, size_t key_len,
              struct map_cursor *cursor);
/* The value at the cursor, then step on; NULL at the end. `key`, `key_len` may be NULL.
 */
void *map_next(struct map_cursor *cursor, const void **key, size_t *key_len);

/* Free up to `node_count` garbage nodes; returns how many are left. The daemon calls it
 * when idle, tests with SIZE_MAX before they end. */
size_t map_reap(size_t node_count);

#endif
