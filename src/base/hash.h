/* SPDX-License-Identifier: Apache-2.0 */
/* A fast 64-bit hash for tables and state digests: the same bytes give the same value
 * on every machine and in every release. Not for secrets. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);

/* Both seeds at once: the two sums do not wait for one another. */
void hash_bytes_twice(const void *data, size_t len, uint64_t hashes[2]);

/* A bijection that spreads every bit. */
static inline uint64_t hash_mix(uint64_t value)
{
    value ^= value >> 30;
    value *= 0xbf58476d1ce4e5b9u;
    value ^= value >> 27;
    value *= 0x94d049bb133111ebu;
    value ^= value >> 31;
    return value;
}

#endif
