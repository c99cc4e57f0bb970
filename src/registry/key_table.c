/* SPDX-License-Identifier: Apache-2.0 */
/* Entry n lives in chunk n / KEY_CHUNK, in slot n % KEY_CHUNK, as events do in their
 * log: a slot is written once, when its number is given, and a frozen copy reads only
 * numbers below its own `next`. The map by key borrows from the chunks of its own root.
 * A key that comes again when its entry is too old leaves two entries: the newer one is
 * found, the older one goes when its turn comes. */
#include "registry/key_table.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define KEY_CHUNK         64
#define KEY_DROPS_A_WRITE 16

typedef void digest_fn(struct digest *digest, const struct digest_item *item);

struct key_chunk {
    uint32_t refs;
    struct key_entry *slot[KEY_CHUNK]; /* NULL: not yet, or gone before a restore */
};

static void *chunk_ref(void *value)
{
    struct key_chunk *chunk = value;
    chunk->refs++;
    return chunk;
}

static void chunk_unref(void *value)
{
    struct key_chunk *chunk = value;
    if (--chunk->refs > 0) {
        return;
    }
    for (size_t i = 0; i < KEY_CHUNK; i++) {
        mem_free(chunk->slot[i]);
    }
    mem_free(chunk);
}

static void *entry_ref(void *value)
{
    return value; /* borrowed */
}

static void entry_unref(void *value)
{
    (void)value;
}

static const struct map_type key_chunks = {chunk_ref, chunk_unref};
static const struct map_type key_entries = {entry_ref, entry_unref};

/* Big-endian, so that chunks stand in order. */
static void chunk_key(uint64_t number, uint8_t key[8])
{
    number /= KEY_CHUNK;
    for (int i = 7; i >= 0; i--) {
        key[i] = (uint8_t)number;
        number >>= 8;
    }
}

static struct key_chunk *chunk_find(const struct key_table *table, uint64_t number)
{
    uint8_t key[8];
    chunk_key(number, key);
    return map_get(&table->chunks, key, sizeof key);
}

static struct key_chunk *chunk_for_next(struct key_table *table)
{
    struct key_chunk *chunk = chunk_find(table, table->next);
    if (chunk == NULL) {
        uint8_t key[8];
        chunk_key(table->next, key);
        chunk = mem_zalloc(sizeof *chunk);
        chunk->refs = 1;
        map_put(&table->chunks, key, sizeof key, chunk);
    }
    return chunk;
}

static void entry_digest(struct key_table *table, digest_fn *apply,
                         const struct key_entry *entry)
{
    const struct key_outcome *outcome = &entry->outcome;
    uint64_t numbers[] = {
        entry->at_ms,
        outcome->revision,
        (uint64_t)-outcome->code,
        outcome->created,
        get_u64(outcome->fingerprint),
        get_u64(outcome->fingerprint + 8),
    };
    struct digest_item item = {
        .kind = DIGEST_KEY,
        .numbers = numbers,
        .number_count = 6,
        .content = entry->text,
        .len = entry->len,
    };
    apply(&table->digest, &item);
}

void key_table_init(struct key_table *table)
{
    *table = (struct key_table){.first = 1, .next = 1};
    map_init(&table->by_key, &key_entries);
    map_init(&table->chunks, &key_chunks);
}

void key_table_close(struct key_table *table)
{
    map_close(&table->by_key);
    map_close(&table->chunks);
}

struct key_table key_table_ref(const struct key_table *table)
{
    struct key_table copy = *table;
    copy.by_key = map_ref(&table->by_key);
    copy.chunks = map_ref(&table->chunks);
    return copy;
}

bool key_name_sound(const struct key_name *name)
{
    if (name->key_len < 1 || name->key_len > KEY_TEXT_BYTES_MAX ||
        name->scope_len > KEY_SCOPE_BYTES_MAX ||
        (name->scope_len > 0 && memchr(name->scope, '\0', name->scope_len) != NULL)) {
        return false;
    }
    for (size_t i = 0; i < name->key_len; i++) {
        if (name->key[i] < 0x21 || name->key[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* Scope, NUL, key: no two names are the same. */
static size_t key_name_put(const struct key_name *name, char *out)
{
    if (name->scope_len > 0) {
        memcpy(out, name->scope, name->scope_len);
    }
    out[name->scope_len] = '\0';
    memcpy(out + name->scope_len + 1, name->key, name->key_len);
    return name->scope_len + 1 + name->key_len;
}

const struct key_entry *key_table_find(const struct key_table *table,
                                       const struct key_name *name)
{
    char text[KEY_SCOPE_BYTES_MAX + 1 + KEY_TEXT_BYTES_MAX];
    if (table->first == table->next) {
        return NULL;
    }
    assert(key_name_sound(name));
    return map_get(&table->by_key, text, key_name_put(name, text));
}

void key_table_add(struct key_table *table, const struct key_name *name, uint64_t at_ms,
                   const struct key_outcome *outcome)
{
    assert(key_name_sound(name));
    size_t len = name->scope_len + 1 + name->key_len;
    struct key_chunk *chunk = chunk_for_next(table);
    struct key_entry *entry = mem_alloc(sizeof *entry + len);
    *entry = (struct key_entry){
        .at_ms = at_ms,
        .outcome = *outcome,
        .scope_len = (uint16_t)name->scope_len,
        .len = (uint16_t)len,
    };
    key_name_put(name, entry->text);
    chunk->slot[table->next % KEY_CHUNK] = entry;
    table->next++;
    entry_digest(table, digest_add, entry);
    map_put(&table->by_key, entry->text, len, entry);
}

static void key_table_drop_first(struct key_table *table)
{
    const struct key_entry *gone = key_table_at(table, table->first);
    entry_digest(table, digest_remove, gone);
    if (map_get(&table->by_key, gone->text, gone->len) == gone) {
        map_delete(&table->by_key, gone->text, gone->len);
    }
    table->first++;
    if (table->first % KEY_CHUNK == 0) {
        uint8_t key[8];
        chunk_key(table->first - 1, key);
        map_delete(&table->chunks, key, sizeof key);
    }
}

bool key_entry_old(const struct key_entry *entry, uint64_t max_age_ms, uint64_t now_ms)
{
    return now_ms >= entry->at_ms && now_ms - entry->at_ms >= max_age_ms;
}

void key_table_trim(struct key_table *table, uint64_t max_count, uint64_t max_age_ms,
                    uint64_t now_ms)
{
    for (int i = 0; i < KEY_DROPS_A_WRITE && table->first < table->next; i++) {
        if (key_table_count(table) <= max_count &&
            !key_entry_old(key_table_at(table, table->first), max_age_ms, now_ms)) {
            return;
        }
        key_table_drop_first(table);
    }
}

uint64_t key_table_count(const struct key_table *table)
{
    return table->next - table->first;
}

const struct key_entry *key_table_at(const struct key_table *table, uint64_t at)
{
    return chunk_find(table, at)->slot[at % KEY_CHUNK];
}
