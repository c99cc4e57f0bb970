/* SPDX-License-Identifier: Apache-2.0 */
/* A fast 64-bit hash for tables and state digests: the same bytes give the same value
 * on every machine and in every release. Not for secrets. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);
uint64_t hash_mix(uint64_t value); /* a bijection that spreads every bit */

#endif
