/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a member that begins after a snapshot: they are those of one that has
 * installed it as the first thing it did. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "raft/store/internal.h"

#define CREATE_TEMPORARY "take-1.tmp"

struct create_after {
    struct disk *disk;
    struct format_ids ids;
    const struct snapshot_meta *meta;
    struct err *err;
};

/* Sealed and synced: does all of it come back? Then under its name. */
static int create_publish(const struct create_after *create)
{
    struct snapshot_reader reader;
    struct snapshot_meta found;
    int result = snapshot_reader_open(&reader, create->disk, &create->ids,
                                      CREATE_TEMPORARY, &found, create->err);
    if (result != 0) {
        return result;
    }
    disk_close(create->disk, reader.file);
    bytes_unref(found.configuration);
    char name[FORMAT_NAME_MAX];
    format_snapshot_name(name, create->meta->index, create->meta->term);
    return files_publish(create->disk, CREATE_TEMPORARY, name, create->err);
}

static int create_snapshot(const struct create_after *create,
                           int (*produce)(void *owner, struct snapshot_sink *sink),
                           void *owner)
{
    struct snapshot_sink *sink = mem_zalloc(sizeof *sink); /* it is large */
    int result = snapshot_sink_open(sink, create->disk, &create->ids, CREATE_TEMPORARY,
                                    create->meta);
    if (result == 0) {
        result = produce(owner, sink);
    }
    if (result == 0) {
        result = snapshot_sink_seal(sink);
    }
    if (result != 0) {
        *create->err = sink->err;
    }
    disk_close(create->disk, sink->file);
    mem_free(sink);
    return result == 0 ? create_publish(create) : result;
}

static int create_segment(const struct create_after *create, uint64_t segment_bytes)
{
    struct disk_frame frame = {
        .number = 1,
        .kind = DISK_FRAME_RESET,
        .first = create->meta->index + 1,
        .snapshot_index = create->meta->index,
        .snapshot_term = create->meta->term,
    };
    struct buf sectors;
    buf_init(&sectors);
    format_put_frame(&sectors, &frame, NULL, 1, FORMAT_SECTOR);
    struct disk_file *file = NULL;
    int result =
        files_make_segment(create->disk, &create->ids, 1,
                           files_segment_bytes(segment_bytes), &file, create->err);
    if (result == 0) {
        result = disk_write(create->disk, file, FORMAT_SECTOR, sectors.data,
                            sectors.len, create->err);
    }
    if (result == 0) {
        result = disk_sync(create->disk, file, create->err);
    }
    disk_close(create->disk, file);
    buf_close(&sectors);
    return result;
}

static int create_anchors(const struct create_after *create)
{
    struct anchor anchor = {
        .sequence = 1,
        .term = create->meta->term,
        .first_segment = 1,
        .last_segment = 1,
        .frame = 1,
        .snapshot_index = create->meta->index,
        .snapshot_term = create->meta->term,
    };
    int result = 0;
    for (size_t i = 0; i < 2 && result == 0; i++) {
        struct disk_file *file = NULL;
        result = disk_open(create->disk, files_anchor_names[i], DISK_CREATE, &file,
                           create->err);
        if (result == 0) {
            result = files_write_anchor(create->disk, file, &create->ids, &anchor,
                                        create->err);
        }
        disk_close(create->disk, file);
    }
    return result == 0 ? disk_sync_folder(create->disk, create->err) : result;
}

int store_create_after(const struct store_options *options,
                       const struct snapshot_meta *meta,
                       int (*produce)(void *owner, struct snapshot_sink *sink),
                       void *owner, struct err *err)
{
    struct create_after create = {
        .disk = options->disk,
        .ids = {options->node_id, options->cluster_id, options->disk->path},
        .meta = meta,
        .err = err,
    };
    int result = create_snapshot(&create, produce, owner);
    if (result == 0) {
        result = create_segment(&create, options->segment_bytes);
    }
    return result == 0 ? create_anchors(&create) : result;
}
