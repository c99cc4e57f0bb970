/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/heap.h"

#include <raft.h>

#include <stddef.h>

#include "base/mem.h"
#include "base/plant.h"

static void *heap_malloc(void *data, size_t size)
{
    (void)data;
    return PLANTED_OR(ROUND_ADDRESSES, plant_round_memory(size), mem_alloc(size));
}

static void heap_free(void *data, void *memory)
{
    (void)data;
    mem_free(memory);
}

static void *heap_calloc(void *data, size_t count, size_t size)
{
    (void)data;
    return mem_array(count, size);
}

static void *heap_realloc(void *data, void *memory, size_t size)
{
    (void)data;
    return mem_realloc(memory, size);
}

void heap_install(void)
{
    static struct raft_heap heap = {
        .malloc = heap_malloc,
        .free = heap_free,
        .calloc = heap_calloc,
        .realloc = heap_realloc,
        .aligned_alloc = NULL, /* only its I/O layer asks for that: not used */
    };
    raft_heap_set(&heap);
}
