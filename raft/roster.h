/* SPDX-License-Identifier: Apache-2.0 */
/* What the membership of a cluster should do next: the leader's schedule of changes, as
 * a pure function of what it sees. So a new leader goes on where the old one was.
 *
 *   a blank node     a standby, unless its name is held by a member that can be heard
 *   a standby        votes, when it has the log and a seat is free
 *   a silent member  leaves when another node of its name is there to take its place
 *
 * One change at a time, one member a change, a voter is never demoted, and no change
 * whose voters would not hold a majority that was heard just now (raft/README.md). */
#ifndef RAFT_ROSTER_H
#define RAFT_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

#define ROSTER_CLOSE_ENTRIES 8 /* a standby so near the end of the log is caught up */

struct roster_member {
    uint64_t id;
    bool voter;
    bool self;
    bool linked; /* a connection to it is up */
    const char *name;
    const char *address; /* for peers */
    uint64_t heard_ms;   /* since it answered in this term; UINT64_MAX: not yet */
    uint64_t match;      /* highest index known to be durable there */
};

/* A node that belongs to no cluster and is connected. */
struct roster_blank {
    uint64_t id;
    const char *name;
    const char *address;
    bool pledged;   /* it forms another cluster */
    uint32_t level; /* highest feature level it knows */
};

enum roster_wish_kind { ROSTER_WISH_NOTHING, ROSTER_WISH_ADD, ROSTER_WISH_REMOVE };

/* What an operator asked this leader for. */
struct roster_wish {
    enum roster_wish_kind kind;
    uint64_t id;
};

struct roster_view {
    struct roster_member members[LIMIT_MEMBERS];
    size_t member_count;
    struct roster_blank blanks[LIMIT_MEMBERS];
    size_t blank_count;
    struct roster_wish wish;
    uint64_t voters_wanted; /* so many seats there are */
    uint32_t level;         /* feature level of the cluster */
    uint64_t last;          /* index of the leader's log */
    uint64_t leading_ms;
    uint64_t election_timeout_ms;
    uint64_t replace_after_ms;
};

enum roster_action {
    ROSTER_NOTHING,
    ROSTER_ADD, /* as a standby */
    ROSTER_REMOVE,
    ROSTER_PROMOTE, /* a standby, to a voter: with `match` = `last` at that moment */
};

struct roster_step {
    enum roster_action action;
    uint64_t id;
    const char *address; /* ADD; borrowed from the view */
};

/* The next change. `why` says what the wish waits for, if it is not what comes next. */
struct roster_step roster_next(const struct roster_view *view, struct err *why);

/* Why `blank` is not let in, for people: code 0 if it is or may be soon. */
void roster_judge(const struct roster_view *view, const struct roster_blank *blank,
                  struct err *why);

/* How long a member has been silent: no link and no answer. */
uint64_t roster_silence_ms(const struct roster_view *view,
                           const struct roster_member *member);

#endif
