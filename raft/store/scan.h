/* SPDX-License-Identifier: Apache-2.0 */
/* Reads segments back, in order, and decides what is accepted, torn or damaged, as
 * raft/README.md, "Start-up", says. Works on bytes in memory: no disk.
 *
 * One invariant: what was accepted so far is a log that was synced, or the last frame
 * of it was about to be. */
#ifndef RAFT_STORE_SCAN_H
#define RAFT_STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/entry_log.h"
#include "raft/store/format.h"

/* One segment, as scan and store know it. */
struct segment {
    uint64_t number;
    uint64_t size;
    uint64_t used; /* offset behind the last frame */
    uint64_t last; /* no entry above it is in this or an earlier segment; only if it is
                    * not the newest one with frames */
    struct disk_file
        *file; /* the store's: open from the active segment on, else NULL */
};

struct segment_list {
    struct segment *item; /* ascending, without gaps */
    size_t count;
};

void segment_list_add(struct segment_list *list, struct segment segment);
void segment_list_drop(struct segment_list *list, size_t count); /* the first ones */
void segment_list_close(struct segment_list *list);
/* Entries at and after `first` are void: lowers `last` everywhere. */
void segment_list_cut(struct segment_list *list, uint64_t first);

/* A run of bytes in a segment. */
struct scan_place {
    uint64_t segment; /* 0 = none */
    uint64_t offset;
    uint64_t end;
};

struct scan {
    const char *path;
    struct entry_log *log; /* filled; the caller initialised it, first = 1 */
    struct segment_list *segments;
    bool started;   /* a frame was accepted */
    uint64_t frame; /* number of the last accepted one */
    uint32_t chain;
    uint64_t known;       /* highest that a frame knew as committed */
    uint64_t reset_index; /* snapshot of the last reset; 0 = none */
    uint64_t reset_term;
    struct scan_place final; /* the last accepted frame */
    struct scan_place torn;  /* what has to be overwritten with zeros */
};

/* Read the next segment, header included and checked by the caller; adds it to the
 * list. ERR_CORRUPT with file and offset. */
int scan_segment(struct scan *scan, uint64_t number, const uint8_t *data, size_t len,
                 struct err *err);

#endif
