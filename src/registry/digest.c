/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/digest.h"

#include "base/hash.h"

#define DIGEST_LOW_SEED  0x6d75737465722d31u
#define DIGEST_HIGH_SEED 0xa0761d6478bd642fu

/* The seeds meet the numbers before the content, through a mix each: two items that
 * collide in one half do not therefore collide in the other. */
static struct digest digest_of(const struct digest_item *item)
{
    uint64_t hashes[2] = {
        hash_mix(DIGEST_LOW_SEED ^ (uint64_t)item->kind),
        hash_mix(DIGEST_HIGH_SEED ^ (uint64_t)item->kind),
    };
    for (size_t i = 0; i < item->number_count; i++) {
        hashes[0] = hash_mix(hashes[0] * 0x9e3779b97f4a7c15u + item->numbers[i]);
        hashes[1] = hash_mix(hashes[1] * 0x9e3779b97f4a7c15u + item->numbers[i]);
    }
    hash_bytes_twice(item->content, item->len, hashes);
    return (struct digest){hashes[0], hashes[1]};
}

void digest_add(struct digest *digest, const struct digest_item *item)
{
    struct digest one = digest_of(item);
    digest->low += one.low;
    digest->high += one.high;
}

void digest_remove(struct digest *digest, const struct digest_item *item)
{
    struct digest one = digest_of(item);
    digest->low -= one.low;
    digest->high -= one.high;
}

bool digest_equal(struct digest a, struct digest b)
{
    return a.low == b.low && a.high == b.high;
}
