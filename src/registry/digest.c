/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/digest.h"

#include "base/hash.h"

#define DIGEST_LOW_SEED  0x6d75737465722d31u
#define DIGEST_HIGH_SEED 0xa0761d6478bd642fu

/* The seeds meet the numbers before the content, through a mix each: two items that
 * collide in one half do not therefore collide in the other. */
static uint64_t digest_half(const struct digest_item *item, uint64_t seed)
{
    uint64_t hash = hash_mix(seed ^ (uint64_t)item->kind);
    for (size_t i = 0; i < item->number_count; i++) {
        hash = hash_mix(hash * 0x9e3779b97f4a7c15u + item->numbers[i]);
    }
    return hash_bytes(item->content, item->len, hash);
}

void digest_add(struct digest *digest, const struct digest_item *item)
{
    digest->low += digest_half(item, DIGEST_LOW_SEED);
    digest->high += digest_half(item, DIGEST_HIGH_SEED);
}

void digest_remove(struct digest *digest, const struct digest_item *item)
{
    digest->low -= digest_half(item, DIGEST_LOW_SEED);
    digest->high -= digest_half(item, DIGEST_HIGH_SEED);
}

bool digest_equal(struct digest a, struct digest b)
{
    return a.low == b.low && a.high == b.high;
}
