/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/moment_table.h"

#include "base/mem.h"

#define KEY_BYTES 8

typedef void digest_fn(struct digest *digest, const struct digest_item *item);

struct row {
    struct moment moment; /* first: a walk gives it */
    uint32_t refs;
};

static void *row_ref(void *value)
{
    struct row *row = value;
    row->refs++;
    return row;
}

static void row_unref(void *value)
{
    struct row *row = value;
    if (--row->refs == 0) {
        mem_free(row);
    }
}

static const struct map_type row_map = {row_ref, row_unref};

/* Big-endian, so that a map walks numbers in order. */
static void key_of(uint64_t number, uint8_t key[KEY_BYTES])
{
    for (int i = KEY_BYTES - 1; i >= 0; i--) {
        key[i] = (uint8_t)number;
        number >>= 8;
    }
}

static void time_key_of(const struct moment *moment, uint8_t key[2 * KEY_BYTES])
{
    key_of(moment->at_ms, key);
    key_of(moment->task, key + KEY_BYTES);
}

static void moment_digest(struct moment_table *table, digest_fn *apply,
                          const struct moment *moment)
{
    uint64_t numbers[] = {moment->task, moment->at_ms, moment->until_ms, moment->cause};
    struct digest_item item = {
        .kind = table->kind,
        .numbers = numbers,
        .number_count = 4,
    };
    apply(&table->digest, &item);
}

void moment_table_init(struct moment_table *table, enum digest_kind kind)
{
    *table = (struct moment_table){.kind = kind};
    map_init(&table->by_task, &row_map);
    map_init(&table->by_time, &row_map);
}

void moment_table_close(struct moment_table *table)
{
    map_close(&table->by_task);
    map_close(&table->by_time);
}

struct moment_table moment_table_ref(const struct moment_table *table)
{
    return (struct moment_table){
        .by_task = map_ref(&table->by_task),
        .by_time = map_ref(&table->by_time),
        .kind = table->kind,
        .digest = table->digest,
    };
}

const struct moment *moment_table_find(const struct moment_table *table, uint64_t task)
{
    uint8_t key[KEY_BYTES];
    key_of(task, key);
    const struct row *row = map_get(&table->by_task, key, sizeof key);
    return row != NULL ? &row->moment : NULL;
}

void moment_table_put(struct moment_table *table, const struct moment *moment)
{
    uint8_t key[KEY_BYTES];
    uint8_t time_key[2 * KEY_BYTES];
    struct row *row = mem_alloc(sizeof *row);
    *row = (struct row){.moment = *moment, .refs = 1};
    moment_table_delete(table, moment->task);
    moment_digest(table, digest_add, &row->moment);
    key_of(moment->task, key);
    time_key_of(&row->moment, time_key);
    map_put(&table->by_time, time_key, sizeof time_key, row_ref(row));
    map_put(&table->by_task, key, sizeof key, row);
}

void moment_table_delete(struct moment_table *table, uint64_t task)
{
    uint8_t key[KEY_BYTES];
    uint8_t time_key[2 * KEY_BYTES];
    const struct moment *old = moment_table_find(table, task);
    if (old == NULL) {
        return;
    }
    moment_digest(table, digest_remove, old);
    key_of(task, key);
    time_key_of(old, time_key);
    map_delete(&table->by_time, time_key, sizeof time_key);
    map_delete(&table->by_task, key, sizeof key);
}

size_t moment_table_count(const struct moment_table *table)
{
    return map_count(&table->by_task);
}

void moment_table_seek(const struct moment_table *table, struct map_cursor *cursor)
{
    map_seek(&table->by_time, NULL, 0, cursor);
}

void moment_table_seek_behind(const struct moment_table *table,
                              const struct moment *last, struct map_cursor *cursor)
{
    uint8_t time_key[2 * KEY_BYTES];
    struct moment behind = {.at_ms = last->at_ms, .task = last->task + 1};
    time_key_of(&behind, time_key);
    map_seek(&table->by_time, time_key, sizeof time_key, cursor);
}

void moment_table_task_seek(const struct moment_table *table, struct map_cursor *cursor)
{
    map_seek(&table->by_task, NULL, 0, cursor);
}

const struct moment *moment_table_next(struct map_cursor *cursor)
{
    return map_next(cursor, NULL, NULL); /* a row begins with its moment */
}
