/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/buf.h"

uint64_t hash_mix(uint64_t value)
{
    value ^= value >> 30;
    value *= 0xbf58476d1ce4e5b9u;
    value ^= value >> 27;
    value *= 0x94d049bb133111ebu;
    value ^= value >> 31;
    return value;
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
    const uint8_t *at = data;
    uint64_t hash = seed ^ hash_mix((uint64_t)len + 0x9e3779b97f4a7c15u);
    size_t left = len;
    for (; left >= 8; at += 8, left -= 8) {
        hash = hash_mix(hash ^ get_u64(at)) * 0x9e3779b97f4a7c15u;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < left; i++) {
        tail |= (uint64_t)at[i] << (8 * i);
    }
    return hash_mix(hash ^ tail);
}
