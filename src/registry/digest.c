/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/digest.h"

#include "base/hash.h"

static struct digest digest_item(enum digest_kind kind, uint64_t key,
                                 const void *content, size_t len)
{
    uint64_t seed = hash_mix(hash_mix(key) ^ (uint64_t)kind);
    return (struct digest){
        .low = hash_bytes(content, len, seed),
        .high = hash_bytes(content, len, ~seed),
    };
}

void digest_add(struct digest *digest, enum digest_kind kind, uint64_t key,
                const void *content, size_t len)
{
    struct digest item = digest_item(kind, key, content, len);
    digest->low += item.low;
    digest->high += item.high;
}

void digest_remove(struct digest *digest, enum digest_kind kind, uint64_t key,
                   const void *content, size_t len)
{
    struct digest item = digest_item(kind, key, content, len);
    digest->low -= item.low;
    digest->high -= item.high;
}

bool digest_equal(struct digest a, struct digest b)
{
    return a.low == b.low && a.high == b.high;
}
