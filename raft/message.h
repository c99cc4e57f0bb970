/* SPDX-License-Identifier: Apache-2.0 */
/* What the engines of two nodes say to each other ⇄ bytes (format: raft/README.md).
 *
 * Decoding accepts exactly what encoding writes, and nothing that a sound engine would
 * not say: entry terms never fall, none is above the sender's term, a membership
 * decodes. Nothing is allocated by what a frame claims, only by what it holds. */
#ifndef RAFT_MESSAGE_H
#define RAFT_MESSAGE_H

#include <raft.h>

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "raft/entry_log.h"

#define MESSAGE_CONTACT_UNKNOWN UINT32_MAX

struct message {
    struct raft_message raft; /* of an append: `entries` is NULL, they are below */
    uint64_t request_term;    /* results: the term of the request it answers (rule 1) */
    uint32_t contact_age_ms;  /* append: since the leader had a majority's word */
    size_t entry_count;       /* append: what follows prev_log_index */
    struct entry *entries;    /* owned, each with a reference to its payload */
};

/* One frame with one reference. An append takes its entries [prev + 1, prev +
 * n_entries] from `log`, which holds them. `raft` keeps what it has. */
struct bytes *message_encode(const struct raft_message *raft, uint64_t request_term,
                             uint32_t contact_age_ms, const struct entry_log *log);

/* Fill `out` from a frame of `from`; close it with message_close(). ERR_CORRUPT with
 * the reason; `out` is then empty. */
int message_decode(struct message *out, uint64_t from, const uint8_t *data, size_t len,
                   struct err *err);
void message_close(struct message *message);

#endif
