/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the durable log's files, as raft/README.md gives them: pure encoding, no
 * disk. Decoders accept anything: what is not right is ERR_CORRUPT with file and
 * offset. */
#ifndef RAFT_STORE_FORMAT_H
#define RAFT_STORE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "raft/entry_log.h"
#include "raft/store/store.h"

#define FORMAT_SECTOR      512u
#define FORMAT_STAMP       16u /* of a frame's sector */
#define FORMAT_PART        (FORMAT_SECTOR - FORMAT_STAMP)
#define FORMAT_FRAME_HEAD  56u
#define FORMAT_ENTRY_HEAD  16u
#define FORMAT_CHUNK       65536u
#define FORMAT_CHUNK_HEAD  8u
#define FORMAT_FOOTER      32u
#define FORMAT_CONFIG_MAX  65536u
#define FORMAT_SEGMENT_MAX ((uint64_t)1 << 30)
#define FORMAT_NAME_MAX    64

/* Whose files these are, and the folder's path for messages. */
struct format_ids {
    uint64_t node_id;
    uint64_t cluster_id;
    const char *path;
};

/* CRC32C; start with 0, continue with the previous result. */
uint32_t format_crc(uint32_t crc, const void *data, size_t len);
/* The crc of two numbers: a place, so that bytes found elsewhere do not fit. */
uint32_t format_crc_place(uint64_t a, uint64_t b);

/* "path/name: offset N: sentence", ERR_CORRUPT. */
int format_damaged(struct err *err, const char *path, const char *name, uint64_t offset,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

enum format_sector { FORMAT_ZERO, FORMAT_VALID, FORMAT_BAD };

void format_segment_name(char name[FORMAT_NAME_MAX], uint64_t number);
void format_snapshot_name(char name[FORMAT_NAME_MAX], uint64_t index, uint64_t term);
bool format_parse_segment_name(const char *name, uint64_t *number);
bool format_parse_snapshot_name(const char *name, uint64_t *index, uint64_t *term);

struct anchor {
    uint64_t sequence;
    uint64_t term;
    uint64_t vote;
    uint64_t first_segment;
    uint64_t last_segment;
    uint64_t frame;          /* was synced */
    uint64_t snapshot_index; /* 0 = none */
    uint64_t snapshot_term;
};

void format_put_anchor(uint8_t sector[FORMAT_SECTOR], const struct format_ids *ids,
                       const struct anchor *anchor);
int format_get_anchor(const uint8_t sector[FORMAT_SECTOR], const struct format_ids *ids,
                      const char *name, struct anchor *out, struct err *err);

void format_put_segment(uint8_t sector[FORMAT_SECTOR], const struct format_ids *ids,
                        uint64_t number, uint64_t size);
int format_get_segment(const uint8_t sector[FORMAT_SECTOR],
                       const struct format_ids *ids, const char *name, uint64_t number,
                       uint64_t size, struct err *err);

/* --- frames ------------------------------------------------------------------------
 */

enum frame_kind_on_disk {
    DISK_FRAME_APPEND = 1,
    DISK_FRAME_REPLACE = 2,
    DISK_FRAME_RESET = 3,
};

struct disk_frame {
    uint64_t number;
    uint32_t previous;
    uint32_t chain; /* set by format_put_frame() */
    enum frame_kind_on_disk kind;
    uint64_t first;
    uint64_t known;
    uint64_t snapshot_index; /* reset only */
    uint64_t snapshot_term;
    size_t count;
};

/* Bytes on disk of a frame with `content` bytes: whole sectors. */
uint64_t format_frame_bytes(uint64_t content);

/* Write the frame's sectors into `out`, for `offset` of segment `segment`. */
void format_put_frame(struct buf *out, struct disk_frame *frame,
                      const struct entry *entries, uint64_t segment, uint64_t offset);

/* What a sector at `offset` of segment `segment` is; place and number if it is valid.
 */
enum format_sector format_check_sector(const uint8_t sector[FORMAT_SECTOR],
                                       uint64_t segment, uint64_t offset,
                                       uint32_t *place, uint64_t *number);

/* --- snapshots ---------------------------------------------------------------------
 */

/* Where the chunks begin. */
uint64_t format_snapshot_base(size_t configuration_len);
/* Header and configuration. */
void format_put_snapshot(struct buf *out, const struct format_ids *ids,
                         const struct snapshot_meta *meta);
/* From the first sector; the configuration's length and crc come back for the reader.
 */
int format_get_snapshot(const uint8_t sector[FORMAT_SECTOR],
                        const struct format_ids *ids, const char *name,
                        struct snapshot_meta *out, uint32_t *configuration_len,
                        uint32_t *configuration_crc, struct err *err);
uint32_t format_chunk_crc(uint64_t index, uint64_t chunk, const uint8_t length[4],
                          const void *data, size_t len);
void format_put_footer(uint8_t footer[FORMAT_FOOTER], uint64_t content_bytes,
                       uint64_t chunks, uint32_t crc);
bool format_get_footer(const uint8_t footer[FORMAT_FOOTER], uint64_t *content_bytes,
                       uint64_t *chunks, uint32_t *crc);

#endif
