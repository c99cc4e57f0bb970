/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/entry_log.h"

#include <assert.h>

#include "base/mem.h"

static struct entry *entry_log_slot(const struct entry_log *log, size_t position)
{
    return &log->ring[(log->head + position) & (log->capacity - 1)];
}

void entry_log_init(struct entry_log *log, uint64_t first)
{
    *log = (struct entry_log){.first = first};
}

void entry_log_close(struct entry_log *log)
{
    entry_log_reset(log, 1);
    mem_free(log->ring);
    entry_log_init(log, 1);
}

void entry_log_reset(struct entry_log *log, uint64_t first)
{
    entry_log_truncate(log, log->first);
    log->head = 0;
    log->first = first;
}

uint64_t entry_log_first(const struct entry_log *log)
{
    return log->first;
}

uint64_t entry_log_last(const struct entry_log *log)
{
    return log->first + log->count - 1;
}

/* The ring's size is a power of two; growing lays it out from slot 0 again. */
static void entry_log_grow(struct entry_log *log)
{
    size_t capacity = log->capacity > 0 ? log->capacity * 2 : 16;
    struct entry *ring = mem_array(capacity, sizeof *ring);
    for (size_t i = 0; i < log->count; i++) {
        ring[i] = *entry_log_slot(log, i);
    }
    mem_free(log->ring);
    log->ring = ring;
    log->capacity = capacity;
    log->head = 0;
}

void entry_log_append(struct entry_log *log, const struct entry *entry)
{
    assert(entry->data != NULL);
    if (log->count == log->capacity) {
        entry_log_grow(log);
    }
    *entry_log_slot(log, log->count) = *entry;
    log->count++;
    log->bytes += entry->data->len;
}

void entry_log_truncate(struct entry_log *log, uint64_t index)
{
    assert(index >= log->first);
    while (log->count > 0 && entry_log_last(log) >= index) {
        struct entry *last = entry_log_slot(log, log->count - 1);
        log->bytes -= last->data->len;
        bytes_unref(last->data);
        log->count--;
    }
}

void entry_log_drop_prefix(struct entry_log *log, uint64_t index)
{
    while (log->count > 0 && log->first <= index) {
        struct entry *first = entry_log_slot(log, 0);
        log->bytes -= first->data->len;
        bytes_unref(first->data);
        log->head = (log->head + 1) & (log->capacity - 1);
        log->first++;
        log->count--;
    }
}

const struct entry *entry_log_get(const struct entry_log *log, uint64_t index)
{
    if (index < log->first || index - log->first >= log->count) {
        return NULL;
    }
    return entry_log_slot(log, index - log->first);
}
