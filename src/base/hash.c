/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/buf.h"

#define HASH_ODD 0x9e3779b97f4a7c15u

void hash_bytes_twice(const void *data, size_t len, uint64_t hashes[2])
{
    const uint8_t *at = data;
    uint64_t start = hash_mix((uint64_t)len + HASH_ODD);
    uint64_t first = hashes[0] ^ start;
    uint64_t second = hashes[1] ^ start;
    size_t left = len;
    for (; left >= 8; at += 8, left -= 8) {
        first = hash_mix(first ^ get_u64(at)) * HASH_ODD;
        second = hash_mix(second ^ get_u64(at)) * HASH_ODD;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < left; i++) {
        tail |= (uint64_t)at[i] << (8 * i);
    }
    hashes[0] = hash_mix(first ^ tail);
    hashes[1] = hash_mix(second ^ tail);
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
    uint64_t hashes[2] = {seed, 0};
    hash_bytes_twice(data, len, hashes);
    return hashes[0];
}
