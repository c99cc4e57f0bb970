/* SPDX-License-Identifier: Apache-2.0 */
/* The open store, for the files of raft/store only.
 *
 * Work in the pool runs in lanes: each has at most one job at a time and owns what the
 * job touches while it runs. The writer lane writes frames, the anchor lane the two
 * anchor copies, upkeep makes the next segment and removes files, take writes a
 * snapshot of ours; each receipt and each snapshot being read has one more. All else
 * happens on the loop. */
#ifndef RAFT_STORE_INTERNAL_H
#define RAFT_STORE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/store/files.h"
#include "raft/store/format.h"
#include "raft/store/scan.h"
#include "raft/store/snapshot_file.h"
#include "raft/store/store.h"

struct store_lane {
    struct disk_job job; /* first */
    struct store *store;
    bool busy;
    int result;
    struct err err;
};

/* Somebody who waits for an anchor to be durable. */
struct store_wait {
    struct store_wait *next;
    void (*fire)(struct store *store, void *ctx);
    void *ctx;
};

struct anchor_lane {
    struct store_lane lane; /* first */
    struct disk_file *file[2];
    struct anchor value;      /* being written */
    struct store_wait *waits; /* for it */
};

/* One store_append(), or an install. */
struct store_op {
    struct store_op *next;
    uint64_t write_no;
    uint64_t first;
    struct entry *entries;
    size_t count;
    uint64_t content; /* bytes of its entries in a frame */
    uint64_t commit;
    store_write_cb done;
    void *owner;
    struct store_receipt *install; /* NULL: an append */
};

struct writer_lane {
    struct store_lane lane; /* first */
    struct store_op *group; /* what goes into the frame being written */
    struct entry *entries;  /* of the frame; borrowed from the group */
    struct disk_frame frame;
    struct store_receipt *install;
    struct disk_file *file;
    uint64_t segment;
    uint64_t offset;
    struct buf buf;
};

enum upkeep_action { UPKEEP_REMOVE, UPKEEP_MAKE, UPKEEP_MEASURE };

struct upkeep_lane {
    struct store_lane lane; /* first */
    enum upkeep_action action;
    char **names; /* to remove */
    size_t name_count;
    uint64_t number; /* of the segment being made */
    uint64_t size;
    struct disk_file *file; /* made; it is in the list once it is anchored */
    bool full;
    uint64_t free_bytes;
};

/* A sealed snapshot that may be read; the current one, or pinned. */
struct snapshot_file {
    uint32_t refs;
    struct store *store;
    struct snapshot_reader reader;
    struct snapshot_meta meta;
    struct disk_job job;
    struct snapshot_request *requests; /* the first one is being read */
};

enum take_state { TAKE_IDLE, TAKE_WRITING, TAKE_PUBLISHING, TAKE_ANCHORING };

struct take_lane {
    struct store_lane lane; /* first */
    enum take_state state;
    struct snapshot_sink *sink;
    struct snapshot_meta meta;
    uint64_t upto; /* entries up to here are to be forgotten */
    int (*produce)(void *owner, struct snapshot_sink *sink);
    store_snapshot_cb done;
    void *owner;
    bool skip; /* known from the start to be in vain: the job does nothing */
    bool cancelled;
    bool full;
    char name[FORMAT_NAME_MAX];
    struct snapshot_file *made;
    size_t drop; /* segments to forget once it is anchored */
};

/* A snapshot on its way here. */
struct store_receipt {
    struct store_lane lane; /* first */
    struct snapshot_sink *sink;
    struct snapshot_meta meta;
    struct receipt_step *steps; /* the first one is being done */
    bool sealed;
    bool aborted;
    store_snapshot_cb installed;
    void *owner;
    char name[FORMAT_NAME_MAX]; /* when installed */
    struct snapshot_file *made;
    size_t drop;
};

struct store {
    struct disk *disk;
    struct clock *clock;
    struct format_ids ids;
    uint64_t segment_bytes;
    void *owner;
    void (*failed)(void *owner, const struct err *err);

    bool dead; /* failed() was called */
    bool closing;
    void (*closed)(void *owner);
    void *closed_owner;
    struct clock_task close_task;
    uint32_t jobs; /* in the pool */

    struct anchor anchor; /* as it will be after the next anchor write */
    bool anchor_dirty;
    struct store_wait *waits; /* for the next anchor write */
    struct anchor_lane anchors;

    struct segment_list segments;
    size_t active;  /* in the list; behind it are those made ahead */
    uint64_t frame; /* number of the last synced one */
    uint32_t chain;
    uint64_t frame_segment; /* where it is; 0 = there is none */
    uint64_t last;          /* index of the last synced entry */
    uint64_t last_queued;
    uint64_t write_no;
    struct store_op *queue;
    struct store_op **queue_end;
    bool writer_held; /* callbacks of a frame run, or an install waits for its anchor */
    struct writer_lane writer;

    uint64_t wanted_bytes; /* a frame waits for a segment with this room; 0 = none */
    bool segment_anchoring;
    bool full_segment;
    uint64_t full_snapshot; /* bytes it would have taken at least; 0 = not full */
    struct clock_timer retry;
    char **trash; /* names to remove */
    size_t trash_count;
    struct upkeep_lane upkeep;

    struct snapshot_file *snapshot; /* NULL = none */
    struct take_lane take;
    struct store_receipt *receipt;
    uint64_t installs;                /* queued or being carried out */
    struct store_receipt *installing; /* waits for its anchor */
    uint64_t temporary;               /* number of the last temporary name */
};

/* --- store.c -----------------------------------------------------------------------
 */

void store_lane_init(struct store *store, struct store_lane *lane);
/* Run `work` in the pool, then `done` on the loop; it starts with store_lane_ended().
 */
void store_lane_start(struct store_lane *lane, void (*work)(struct disk_job *job),
                      void (*done)(struct disk_job *job));
/* False: closing, or failed: leave everything as it is and return at once. */
bool store_lane_ended(struct store_lane *lane);
void store_job_begun(struct store *store);
bool store_job_ended(struct store *store); /* false: closing; the store may be gone */
void store_fail(struct store *store, const struct err *err);

/* Write `store->anchor` soon; `fire` runs when that is durable. */
void store_anchor_write(struct store *store,
                        void (*fire)(struct store *store, void *ctx), void *ctx);
void store_trash(struct store *store, const char *name); /* remove it some time */
void store_upkeep(struct store *store); /* whatever is to be done now */

/* Everything but the files of an open store. */
struct store *store_new(const struct store_options *options);
void store_free(struct store *store);

/* How many of the first segments hold nothing that is needed above `upto`. */
size_t store_droppable(const struct store *store, uint64_t upto);
/* Set the anchor to name `file` and to begin after `drop` segments. */
void store_adopt_begin(struct store *store, const struct snapshot_file *file,
                       size_t drop);
/* It is anchored: make it the current one, remove what it replaces. */
void store_adopt_end(struct store *store, struct snapshot_file *file, size_t drop);

/* --- writer.c ----------------------------------------------------------------------
 */

void writer_start(struct store *store);
void writer_release(struct store *store); /* an install is done: go on */
void writer_queue_install(struct store *store, struct store_receipt *receipt);
void writer_free(struct store *store);

/* --- snapshots.c -------------------------------------------------------------------
 */

struct snapshot_file *snapshot_file_new(struct store *store,
                                        const struct snapshot_reader *reader,
                                        const struct snapshot_meta *meta);
/* The sink's file, sealed and renamed to `name`, for reading. */
struct snapshot_file *snapshot_file_seal(struct store *store,
                                         struct snapshot_sink *sink,
                                         const struct snapshot_meta *meta,
                                         const char *name);
void snapshot_file_unref(struct snapshot_file *file); /* NULL is fine */
void snapshots_free(struct store *store);

/* --- receive.c ---------------------------------------------------------------------
 */

/* In the pool: publish the file under its own name. */
int receipt_publish(struct store_receipt *receipt, struct err *err);
/* On the loop, when its reset frame is synced. */
void receipt_written(struct store_receipt *receipt);
void receipt_free(struct store_receipt *receipt); /* NULL is fine */

#endif
