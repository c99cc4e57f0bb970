/* SPDX-License-Identifier: Apache-2.0 */
/* 128 bits that tell two states apart: the sum over all items of a hash of (kind, key,
 * content). Incremental, O(1) a change, whatever the order of the changes was. */
#ifndef REGISTRY_DIGEST_H
#define REGISTRY_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
    uint64_t low;
    uint64_t high;
};

enum digest_kind {
    DIGEST_TASK = 1,
    DIGEST_MEMBER,
    DIGEST_SETTING,
    DIGEST_EVENT,
    DIGEST_STATE,
};

void digest_add(struct digest *digest, enum digest_kind kind, uint64_t key,
                const void *content, size_t len);
void digest_remove(struct digest *digest, enum digest_kind kind, uint64_t key,
                   const void *content, size_t len);
bool digest_equal(struct digest a, struct digest b);

#endif
