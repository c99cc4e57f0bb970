/* SPDX-License-Identifier: Apache-2.0 */
/* 128 bits that tell two states apart: the sum over all items of a hash of (kind,
 * numbers, content). Incremental, O(1) a change, whatever the order of the changes was.
 * Nodes of different releases compare theirs, so it is as frozen as a wire format. */
#ifndef REGISTRY_DIGEST_H
#define REGISTRY_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
    uint64_t low;
    uint64_t high;
};

/* Numbers are forever. */
enum digest_kind {
    DIGEST_TASK = 1,
    DIGEST_MEMBER = 2,
    DIGEST_SETTING = 3,
    DIGEST_EVENT = 4,
    DIGEST_STATE = 5,
    DIGEST_LEVEL = 6,
    DIGEST_KEY = 7,
    DIGEST_RUN = 8,
    DIGEST_DUE = 9,
    DIGEST_FIRE = 10,
    DIGEST_ZONE = 11,
    DIGEST_RUNS_FROM = 12,
};

/* What is counted: the item's numbers, in an order that is always the same, and its
 * text. All borrowed. */
struct digest_item {
    enum digest_kind kind;
    const uint64_t *numbers;
    size_t number_count;
    const void *content; /* may be NULL when `len` is 0 */
    size_t len;
};

void digest_add(struct digest *digest, const struct digest_item *item);
void digest_remove(struct digest *digest, const struct digest_item *item);
bool digest_equal(struct digest a, struct digest b);

#endif
