/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshot files: written through a sink, checked whole, read piece by piece.
 * Everything here calls the disk directly: at start-up or inside a pool job. */
#ifndef RAFT_STORE_SNAPSHOT_FILE_H
#define RAFT_STORE_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/disk.h"
#include "raft/store/format.h"

/* A file being written. After the first error every put returns it. */
struct snapshot_sink {
    struct disk *disk;
    struct disk_file *file; /* NULL = not created */
    char name[FORMAT_NAME_MAX];
    uint64_t index;
    uint64_t at; /* where the next chunk goes */
    uint64_t chunks;
    uint64_t content_bytes;
    uint32_t crc;
    int result;
    struct err err; /* valid if result != 0 */
    size_t used;    /* of `chunk`, behind its head */
    uint8_t chunk[FORMAT_CHUNK_HEAD + FORMAT_CHUNK];
};

/* Create the file `name` and write its header. The sink is on the heap: it is large. */
int snapshot_sink_open(struct snapshot_sink *sink, struct disk *disk,
                       const struct format_ids *ids, const char *name,
                       const struct snapshot_meta *meta);
/* Footer and sync; the file stays open. */
int snapshot_sink_seal(struct snapshot_sink *sink);
/* Close and remove what there is of it; for a sink that will not be sealed. */
void snapshot_sink_discard(struct snapshot_sink *sink);

/* A sealed file. */
struct snapshot_reader {
    struct disk *disk;
    struct disk_file *file;
    const char *path;
    char name[FORMAT_NAME_MAX];
    uint64_t index;
    uint64_t base;
    uint64_t chunks;
    uint64_t content_bytes;
};

/* Open `name` and read all of it: every checksum, every length. On success the caller
 * owns the open file and meta->configuration. */
int snapshot_reader_open(struct snapshot_reader *reader, struct disk *disk,
                         const struct format_ids *ids, const char *name,
                         struct snapshot_meta *meta, struct err *err);
/* Up to `len` bytes of content from `offset`; less only at its end. */
int snapshot_reader_read(const struct snapshot_reader *reader, uint64_t offset,
                         void *data, size_t len, size_t *got, struct err *err);

#endif
