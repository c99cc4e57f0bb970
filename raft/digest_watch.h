/* SPDX-License-Identifier: Apache-2.0 */
/* Do the nodes hold the same state? Each notes the digest of its state at the Raft
 * indexes that are multiples of `every`, tells the others, and holds what they say to
 * its own. Pure: no clock, no link.
 *
 * One invariant: nobody is called different but by a majority of the voters that hold
 * the same digest at the same index. So a majority never stops itself: with two of
 * three up and different, it is not known which of them is wrong, and none is called
 * so. */
#ifndef RAFT_DIGEST_WATCH_H
#define RAFT_DIGEST_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "raft/membership.h"
#include "registry/digest.h"

#define DIGEST_WATCH_EVERY  1000
#define DIGEST_WATCH_POINTS 4 /* a node keeps so many, the newest */

/* The digest of the state in which the log up to `index` is applied. */
struct digest_point {
    uint64_t index;
    struct digest digest;
};

/* What one node said last, or holds itself: from the newest on. */
struct digest_report {
    uint64_t id; /* 0 = free */
    size_t count;
    struct digest_point points[DIGEST_WATCH_POINTS];
};

struct digest_watch {
    uint64_t every;
    struct digest_report own;
    struct digest_report others[LIMIT_MEMBERS];
};

enum digest_verdict {
    DIGEST_ALONE,     /* there is nothing to compare with yet */
    DIGEST_SAME,      /* and so has every node that is not in `different` */
    DIGEST_OPEN,      /* digests differ, and no majority of the voters has the same */
    DIGEST_DIFFERENT, /* a majority has another one than this node */
};

/* At the newest index at which there is anything to say. */
struct digest_finding {
    enum digest_verdict verdict;
    uint64_t index;
    struct digest right; /* DIFFERENT: what the majority has */
    struct digest own;
    uint64_t different[LIMIT_MEMBERS]; /* SAME: who has another one */
    size_t different_count;
};

/* `every` 0: DIGEST_WATCH_EVERY. */
void digest_watch_init(struct digest_watch *watch, uint64_t self, uint64_t every);

/* Is the digest at this index one to note? */
bool digest_watch_wants(const struct digest_watch *watch, uint64_t index);
void digest_watch_note(struct digest_watch *watch, uint64_t index,
                       struct digest digest);
/* The state is another one now: what was noted of it counts no more. */
void digest_watch_forget(struct digest_watch *watch);
/* Of the newest point; 0: none. */
uint64_t digest_watch_newest(const struct digest_watch *watch);
/* Has node `id` said something of this node's newest point, or of a newer one? */
bool digest_watch_heard(const struct digest_watch *watch, uint64_t id);

/* Node `id` is another start of itself, or gone: what it said counts no more. */
void digest_watch_drop(struct digest_watch *watch, uint64_t id);

/* Its own points as a frame (raft/README.md, "State digests"); one reference for the
 * caller. NULL: it has none. */
struct bytes *digest_watch_encode(const struct digest_watch *watch);
/* A frame of node `id`: it takes the place of what that node said before. Of whom it
 * knows too many, it forgets who is not in `members`. ERR_CORRUPT: it is none. */
int digest_watch_hear(struct digest_watch *watch, uint64_t id,
                      const struct membership *members, const uint8_t *data, size_t len,
                      struct err *err);

void digest_watch_judge(const struct digest_watch *watch,
                        const struct membership *members, struct digest_finding *out);

#endif
