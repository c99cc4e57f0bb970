/* SPDX-License-Identifier: Apache-2.0 */
/* What a request with an idempotency key is, in 16 bytes: the first half of a SHA-256.
 * Whoever may write may choose keys and requests, so a hash that can be made to collide
 * would not do. */
#ifndef RAFT_FINGERPRINT_H
#define RAFT_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "registry/key_table.h"

/* Of (length of `what`, 8 bytes little-endian; `what`; `body`): what a request asks
 * for, in blobs, and its body. May be called in the pool. */
void fingerprint_of(const void *what, size_t what_len, const void *body, size_t len,
                    uint8_t fingerprint[KEY_FINGERPRINT_BYTES]);

#endif
