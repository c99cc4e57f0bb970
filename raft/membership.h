/* SPDX-License-Identifier: Apache-2.0 */
/* Who is a member, as the payload of an ENTRY_CONFIGURATION entry: the only place
 * beside the engine that knows libraft's encoding of it. Order of members matters to
 * libraft and is kept. */
#ifndef RAFT_MEMBERSHIP_H
#define RAFT_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "raft/entry_log.h"

struct membership_row {
    uint64_t id;
    bool voter;                        /* else a standby: gets the log, does not vote */
    char address[LIMIT_ADDRESS_BYTES]; /* peer address, terminated */
};

struct membership {
    size_t count;
    struct membership_row rows[LIMIT_MEMBERS];
};

/* The entry payload, one reference for the caller. The rows have been checked before:
 * distinct ids and addresses, at most LIMIT_MEMBERS. */
struct bytes *membership_encode(const struct membership *membership);

/* ERR_CORRUPT for what membership_encode() would not write. */
int membership_decode(struct membership *out, const void *data, size_t len,
                      struct err *err);

/* NULL if there is no such member. */
const struct membership_row *membership_find(const struct membership *membership,
                                             uint64_t id);
/* The newest membership of a log, committed or not; false if it holds none (or one that
 * cannot be decoded, which raft/message.c and the store let in nowhere). */
bool membership_newest(const struct entry_log *log, struct membership *out);
size_t membership_voter_count(const struct membership *membership);

#endif
