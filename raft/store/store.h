/* SPDX-License-Identifier: Apache-2.0 */
/* The durable log of a node: segments of frames, the anchor (term, vote, newest
 * segment, newest snapshot), snapshots. Specified byte by byte in raft/README.md.
 *
 * One invariant: what was reported durable is found again by store_open(), or
 * store_open() refuses and names file and offset. A write torn by a crash before it was
 * reported is cut without a word.
 *
 * Any failed write, sync or rename ends in hooks.failed(): the process must end, for
 * what the page cache holds is then unknown. Only a segment or snapshot that cannot be
 * *created* for lack of space is not an error: the store is then full, store_full()
 * says so, it goes on in the space it has and tries again by itself. */
#ifndef RAFT_STORE_STORE_H
#define RAFT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "raft/clock.h"
#include "raft/disk.h"
#include "raft/entry_log.h"

struct store;

struct snapshot_meta {
    uint64_t index; /* last entry it contains */
    uint64_t term;
    uint64_t configuration_index;
    struct bytes *configuration; /* as the entry's payload; owned by the holder */
};

struct store_options {
    struct disk *disk;
    struct clock *clock; /* to try again when the disk was full */
    uint64_t node_id;    /* stands in every file: a foreign file is refused */
    uint64_t cluster_id;
    uint64_t segment_bytes; /* 0 = default, 16 MiB; a larger frame gets a larger one */
    void *owner;
    /* A write failed for good; `err` is borrowed. Nothing is called after this. */
    void (*failed)(void *owner, const struct err *err);
};

/* What store_open() found. */
struct store_found {
    uint64_t term;
    uint64_t vote;
    uint64_t commit; /* at least so much was committed, says the log itself */
    bool has_snapshot;
    struct snapshot_meta snapshot; /* the caller owns snapshot.configuration */
    struct entry_log log;          /* the caller owns it; first = snapshot.index + 1 or
                                    * earlier; without snapshot and entries first = 1 */
};

/* Write the files of a brand-new member, synced: its anchor with `term` and no vote,
 * and, if `first_entry` is given, entry 1. Fails if any of them exists, unless they
 * hold just this (a crash between two steps of forming): then it is done again. */
int store_create(const struct store_options *options, uint64_t term,
                 const struct entry *first_entry, struct err *err);

/* Write the files of a brand-new member whose log begins after a snapshot, synced: the
 * snapshot (`produce(owner, sink)` fills it, as in store_take_snapshot()), read back
 * and checked; segment 1 with a reset frame; the anchors, with meta->term and no vote.
 * Calls the disk directly. The folder has no file of a store. ERR_FULL, ERR_IO,
 * ERR_CORRUPT: what is there is of no use. */
struct snapshot_sink;
int store_create_after(const struct store_options *options,
                       const struct snapshot_meta *meta,
                       int (*produce)(void *owner, struct snapshot_sink *sink),
                       void *owner, struct err *err);

/* Scan everything, cut a torn end, sync what was accepted, before the loop runs.
 * ERR_NOT_FOUND: no store here. ERR_CORRUPT: damaged, missing or foreign file, the text
 * says which and where. On success the caller owns *out and what is in *found. */
int store_open(struct store **out, const struct store_options *options,
               struct store_found *found, struct err *err);

/* Find what store_open() would find, and change nothing: for who looks at a stopped
 * node's folder. `options` needs no clock and nobody to tell of failures. The store can
 * be asked for its snapshot's content (store_snapshot_load()) alone, until it is given
 * back. */
int store_look(struct store **out, const struct store_options *options,
               struct store_found *found, struct err *err);
void store_look_close(struct store *store);

/* Stop: finishes what runs in the pool, drops what is queued, then `closed` is called
 * (later, never from inside) and the store is gone. No other callback runs after this
 * call, also not for what the pool was doing. Pins may be released later. */
void store_close(struct store *store, void (*closed)(void *owner), void *owner);

/* Queue entries [first, first + count) for one frame; entries at or after `first` that
 * were queued or written before are replaced (a truncation when first <= last).
 * `commit` is the node's commit index now. References are taken. `done(owner,
 * write_no)` runs when it is durable; writes finish in the order they were queued. What
 * is queued while a frame is being written goes together in the next. Returns the
 * write's number. */
typedef void (*store_write_cb)(void *owner, uint64_t write_no);
uint64_t store_append(struct store *store, uint64_t first, const struct entry *entries,
                      size_t count, uint64_t commit, store_write_cb done, void *owner);

/* Make term and vote durable: two copies, one after the other. Independent of appends.
 * One at a time. */
void store_set_vote(struct store *store, uint64_t term, uint64_t vote,
                    void (*done)(void *owner), void *owner);

/* Is there no room to create another segment or snapshot? What is left is for
 * elections, configuration and deletes. */
bool store_full(const struct store *store);
uint64_t store_bytes(const struct store *store); /* log bytes on disk */

/* --- snapshots ------------------------------------------------------------------- */

/* Where a snapshot's content goes: called in the pool, any sizes, in order. */
int snapshot_sink_put(struct snapshot_sink *sink, const void *data, size_t len);

/* Write a snapshot taken here: `produce(owner, sink)` runs in the pool and returns 0 or
 * what snapshot_sink_put() returned. Sealed, synced, renamed, anchored; then the log up
 * to meta->index - `trailing` is forgotten on disk too, as far as whole segments go.
 * `done`: 0, or ERR_FULL (nothing changed), or ERR_CANCELLED (an install overtook it).
 * One at a time; `meta` is copied. */
typedef void (*store_snapshot_cb)(void *owner, int result);
void store_take_snapshot(struct store *store, const struct snapshot_meta *meta,
                         uint64_t trailing,
                         int (*produce)(void *owner, struct snapshot_sink *sink),
                         store_snapshot_cb done, void *owner);

/* Read the newest snapshot's content from `offset` on, at most `len` bytes, in the
 * pool. The file stays readable until store_snapshot_unpin(), also when a newer one
 * replaces it. Content only: header, chunk frames and footer are not part of it. What
 * pin() gives in `meta` is borrowed. `data` is the store's until `done`, also when the
 * pin is released meanwhile; the result is 0, ERR_CORRUPT or ERR_IO. */
struct store_pin;
struct store_pin *store_snapshot_pin(struct store *store, struct snapshot_meta *meta,
                                     uint64_t *content_bytes); /* NULL: none */
typedef void (*store_read_cb)(void *owner, int result, size_t len);
void store_snapshot_read(struct store_pin *pin, uint64_t offset, void *data, size_t len,
                         store_read_cb done, void *owner);
void store_snapshot_unpin(struct store_pin *pin);

/* Receive a snapshot from a leader under a temporary name: begin, put in order, then
 * either seal (whole file checked and synced, still temporary) and install, or abort.
 * Install queues behind the pending appends "this file is the snapshot, the whole log
 * is void, the next entry is meta->index + 1", synced. One receipt at a time: another
 * may begin once this one is installed or aborted. `meta` and `data` are copied.
 * Results are 0, ERR_FULL (abort it) or ERR_CANCELLED (it was aborted meanwhile). */
void store_receive_begin(struct store *store, const struct snapshot_meta *meta);
void store_receive_put(struct store *store, const void *data, size_t len,
                       store_snapshot_cb done, void *owner);
void store_receive_seal(struct store *store, store_snapshot_cb done, void *owner);
void store_receive_abort(struct store *store);
void store_receive_install(struct store *store, store_snapshot_cb done, void *owner);

/* Read a whole snapshot's content at start-up or after an install, in order, in the
 * thread that calls: `consume` gets pieces; its error stops the reading. */
int store_snapshot_load(struct store *store,
                        int (*consume)(void *owner, const void *data, size_t len,
                                       struct err *err),
                        void *owner, struct err *err);

#endif
