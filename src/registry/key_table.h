/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the newest writes that carried an idempotency key: the newest ones by
 * count, none older than an age on the replicated clock.
 *
 * Entries are immutable and stand in the order in which they came, in chunks that a
 * frozen copy can hold; of one key only the newest entry is found. No clock and no I/O:
 * time arrives as an argument. */
#ifndef REGISTRY_KEY_TABLE_H
#define REGISTRY_KEY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "registry/digest.h"

#define KEY_SCOPE_BYTES_MAX   1024 /* part of the format, as are the next two */
#define KEY_TEXT_BYTES_MAX    128
#define KEY_FINGERPRINT_BYTES 16

/* Whose key it is, and which. Borrowed, not terminated. */
struct key_name {
    const char *scope; /* the caller; empty: who needs no credentials */
    size_t scope_len;
    const char *key;
    size_t key_len;
};

struct key_outcome {
    uint64_t revision; /* of its task then; 0: there was none */
    uint8_t fingerprint[KEY_FINGERPRINT_BYTES]; /* of the request, by its proposer */
    int code;     /* 0, or the enum err_code that it was refused with */
    bool created; /* its task was not there before */
};

struct key_entry {
    uint64_t at_ms; /* replicated clock */
    struct key_outcome outcome;
    uint16_t scope_len;
    uint16_t len;
    char text[]; /* scope, NUL, key */
};

struct key_table {
    struct map by_key; /* scope, NUL, key → its newest entry, which a chunk owns */
    struct map chunks; /* by number / chunk size */
    uint64_t first;    /* number of the oldest entry; first == next when empty */
    uint64_t next;
    struct digest digest;
};

void key_table_init(struct key_table *table);
void key_table_close(struct key_table *table);
/* A frozen copy, O(1); it is never added to. */
struct key_table key_table_ref(const struct key_table *table);

/* 1 to 128 visible ASCII characters, of a scope within its bound and without a NUL. */
bool key_name_sound(const struct key_name *name);

/* The newest entry of that name, which is sound; NULL if there is none. Borrowed. */
const struct key_entry *key_table_find(const struct key_table *table,
                                       const struct key_name *name);

/* Add an entry; `name` is sound, `at_ms` not below the last one's. */
void key_table_add(struct key_table *table, const struct key_name *name, uint64_t at_ms,
                   const struct key_outcome *outcome);

/* Let the oldest go that are more than `max_count`, or are `max_age_ms` old at
 * `now_ms`: at most 16 at a time, so that nothing stalls the loop. */
void key_table_trim(struct key_table *table, uint64_t max_count, uint64_t max_age_ms,
                    uint64_t now_ms);
/* Is it `max_age_ms` old? Then it counts for nothing, gone or not. */
bool key_entry_old(const struct key_entry *entry, uint64_t max_age_ms, uint64_t now_ms);

uint64_t key_table_count(const struct key_table *table);

/* The entry of number `at` in [first, next). */
const struct key_entry *key_table_at(const struct key_table *table, uint64_t at);

#endif
