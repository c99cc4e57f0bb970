/* SPDX-License-Identifier: Apache-2.0 */
/* The steps on files that start-up and the pool's jobs share: making a segment, writing
 * an anchor copy, opening what is there. Each calls the disk directly. */
#ifndef RAFT_STORE_FILES_H
#define RAFT_STORE_FILES_H

#include <stdint.h>

#include "raft/disk.h"
#include "raft/store/format.h"

#define FILES_SEGMENT_DEFAULT (16u * 1024 * 1024)
#define FILES_SEGMENT_MIN     4096u

extern const char *const files_anchor_names[2];

/* What store_options.segment_bytes means: whole sectors, a minimum, a default. */
uint64_t files_segment_bytes(uint64_t wanted);

/* Rename and sync the folder. Never ERR_FULL. */
int files_publish(struct disk *disk, const char *from, const char *to, struct err *err);

/* A segment of zeros under a temporary name, synced, renamed, the folder synced. On
 * success the file is open in `*out`. ERR_FULL leaves nothing behind. */
int files_make_segment(struct disk *disk, const struct format_ids *ids, uint64_t number,
                       uint64_t size, struct disk_file **out, struct err *err);

/* Write one copy and sync it. */
int files_write_anchor(struct disk *disk, struct disk_file *file,
                       const struct format_ids *ids, const struct anchor *anchor,
                       struct err *err);

/* Zeros over [offset, end). Not synced. */
int files_write_zeros(struct disk *disk, struct disk_file *file, uint64_t offset,
                      uint64_t end, struct err *err);

#endif
