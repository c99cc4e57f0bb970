/* SPDX-License-Identifier: Apache-2.0 */
/* What a cluster is founded on: its id and its first members. Whoever has the charter
 * can write the cluster's entry 1, byte for byte the one that all others write. */
#ifndef RAFT_CHARTER_H
#define RAFT_CHARTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"

struct charter_row {
    uint64_t id;
    char name[LIMIT_NAME_BYTES + 1];
    char peer_address[LIMIT_ADDRESS_BYTES]; /* "" only in a cluster of one */
    char api_address[LIMIT_ADDRESS_BYTES];  /* may be "" */
};

/* Rows in ascending order of id, so that one set of members has one spelling. */
struct charter {
    uint64_t cluster_id; /* not 0, below 2^63 */
    uint32_t count;
    struct charter_row rows[LIMIT_MEMBERS];
};

/* Append its bytes (raft/README.md). */
void charter_put(struct buf *buf, const struct charter *charter);

/* Read one; the cursor fails for what charter_put() would not write or what cannot be a
 * cluster: ids not ascending, a name or peer address twice, too long or unprintable.
 * `out` is then unspecified. */
void charter_get(struct cursor *cursor, struct charter *out);

/* Could it be a cluster? As charter_get() checks. */
bool charter_valid(const struct charter *charter);

/* 1..LIMIT_NAME_BYTES bytes, none a control character. */
bool charter_name_valid(const char *name);
/* Fewer than LIMIT_ADDRESS_BYTES printable ASCII bytes without space; may be empty. */
bool charter_address_valid(const char *address);

bool charter_row_equal(const struct charter_row *a, const struct charter_row *b);
/* The same members with the same names and addresses, whatever the cluster ids are. */
bool charter_same_members(const struct charter *a, const struct charter *b);
/* NULL if there is no such member. */
const struct charter_row *charter_find(const struct charter *charter, uint64_t id);

/* The payload of entry 1, an ENTRY_CONFIGURATION of term 1: all members vote. One
 * reference for the caller. */
struct bytes *charter_membership(const struct charter *charter);

#endif
