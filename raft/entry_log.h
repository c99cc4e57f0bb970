/* SPDX-License-Identifier: Apache-2.0 */
/* The log in memory: a run of entries without gaps, [first, last], whose payloads are
 * shared with the disk queue and with frames on their way to peers. */
#ifndef RAFT_ENTRY_LOG_H
#define RAFT_ENTRY_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Numbers as on wire and disk; the same as libraft's (asserted in raft/engine.c). */
enum entry_type {
    ENTRY_COMMAND = 1,       /* a batch of commands */
    ENTRY_BARRIER = 2,       /* nothing: proves that earlier ones are committed */
    ENTRY_CONFIGURATION = 3, /* who is a member */
};

struct entry {
    uint64_t term;
    enum entry_type type;
    struct bytes *data; /* never NULL; may be empty */
};

struct entry_log {
    struct entry *ring;
    size_t capacity;
    size_t head; /* slot of `first` */
    uint64_t first;
    size_t count;
    size_t bytes; /* sum of the payloads */
};

void entry_log_init(struct entry_log *log, uint64_t first);
void entry_log_close(struct entry_log *log);
void entry_log_reset(struct entry_log *log,
                     uint64_t first); /* forget all; the next is `first` */
uint64_t entry_log_first(const struct entry_log *log);
uint64_t entry_log_last(const struct entry_log *log); /* first - 1 when empty */
void entry_log_append(struct entry_log *log,
                      const struct entry *entry); /* takes its reference */
void entry_log_truncate(struct entry_log *log,
                        uint64_t index); /* drop index and after */
void entry_log_drop_prefix(struct entry_log *log,
                           uint64_t index); /* drop up to and with */
const struct entry *entry_log_get(const struct entry_log *log,
                                  uint64_t index); /* NULL: not here */

#endif
