/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine gives away, in the one right order: frames to peers and entries to
 * the store, all behind a gate that is closed while term and vote are on their way to
 * disk.
 *
 * One invariant: no frame leaves, and no entry is given to the store, before the term
 * and the vote that stood when it was put here are durable. */
#ifndef RAFT_OUTBOX_H
#define RAFT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "raft/entry_log.h"
#include "raft/store/store.h"

/* A write under way in the store. */
struct outbox_write {
    uint64_t number;
    uint64_t last; /* highest index it makes durable */
};

/* A frame that waits for the gate. */
struct outbox_held {
    uint64_t to;
    struct bytes *frame;
};

struct outbox_hooks {
    /* frame is borrowed; false: it was dropped, and more would be now */
    bool (*send)(void *owner, uint64_t to, struct bytes *frame);
    /* Entries up to `last` are durable, and still the log's. */
    void (*stored)(void *owner, uint64_t last);
    void (*voted)(void *owner); /* term and vote are durable; the gate is open again */
};

struct outbox {
    struct store *store;
    struct entry_log *log; /* borrowed: the engine's */
    struct outbox_hooks hooks;
    void *owner;
    bool stopped;

    uint64_t term;
    uint64_t vote;
    bool vote_writing;
    bool vote_changed; /* again, while it was being written */

    uint64_t commit;             /* what the next frame on disk says is committed */
    uint64_t unhanded;           /* first entry not given to the store; 0 = all are */
    struct outbox_write *writes; /* ring, oldest first */
    size_t write_capacity;
    size_t write_head;
    size_t write_count;
    uint64_t barrier; /* frames wait for this write; 0 = none */

    struct outbox_held *held;
    size_t held_count;
    size_t held_capacity;
    size_t held_bytes;
};

/* `term` and `vote` as they are on disk. Hooks are called on the loop. */
void outbox_init(struct outbox *outbox, struct store *store, struct entry_log *log,
                 uint64_t term, uint64_t vote, const struct outbox_hooks *hooks,
                 void *owner);
void outbox_stop(struct outbox *outbox);  /* drops what is held; no hook after this */
void outbox_close(struct outbox *outbox); /* after the store is closed */

/* Make term and vote durable; terms never fall. hooks.voted follows, once for all
 * changes made until then. */
void outbox_vote(struct outbox *outbox, uint64_t term, uint64_t vote);

/* The log's entries from `first` on are new; those that were there before are void. */
void outbox_append(struct outbox *outbox, uint64_t first, uint64_t commit);

/* The whole log is void: nothing of it is given to the store or reported any more. */
void outbox_cancel(struct outbox *outbox);

/* Hold frames until all that was appended so far is durable (rule 4). */
void outbox_barrier(struct outbox *outbox);

/* False: it was dropped, which is legal; what follows it would be too. */
bool outbox_send(struct outbox *outbox, uint64_t to, struct bytes *frame);

/* Nothing is on its way to disk. */
bool outbox_idle(const struct outbox *outbox);

#endif
