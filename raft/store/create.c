/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a new member: segment 1, whole and synced, then the two anchors. All of
 * their bytes follow from what the caller gives, so a creation that was cut off is told
 * from anything else: what is there is, byte for byte, as it would be written or zero.
 */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "raft/store/internal.h"

struct creation {
    struct disk *disk;
    struct format_ids ids;
    struct err *err;
    uint64_t segment_bytes;
    struct buf frame; /* empty without a first entry */
    uint8_t anchor[FORMAT_SECTOR];
    bool has_segment;
    bool has_temporary;
    bool has_anchor[2];
    char *other; /* a file that no new store has */
};

static void creation_name(void *ctx, const char *name)
{
    struct creation *creation = ctx;
    uint64_t number = 0;
    uint64_t term = 0;
    bool other = format_parse_snapshot_name(name, &number, &term);
    if (format_parse_segment_name(name, &number)) {
        creation->has_segment |= number == 1;
        other = number != 1;
    }
    creation->has_temporary |= strcmp(name, "spare-1.tmp") == 0;
    for (size_t i = 0; i < 2; i++) {
        creation->has_anchor[i] |= strcmp(name, files_anchor_names[i]) == 0;
    }
    if (other && creation->other == NULL) {
        creation->other = mem_strdup(name);
    }
}

static int creation_exists(const struct creation *creation, const char *name,
                           uint64_t offset)
{
    return err_set(creation->err, ERR_EXISTS,
                   "%s/%s: offset %" PRIu64 ": there is a store here already",
                   creation->ids.path, name, offset);
}

/* Is the file no longer than `size`, and each byte of it zero or that of `wanted`,
 * which is followed by zeros? */
static int creation_compare(const struct creation *creation, const char *name,
                            struct disk_file *file, const struct buf *wanted,
                            uint64_t size)
{
    uint64_t have = 0;
    int result = disk_size(creation->disk, file, &have, creation->err);
    if (result != 0) {
        return result;
    }
    if (have > size) {
        return creation_exists(creation, name, size);
    }
    uint8_t *data = mem_alloc((size_t)have);
    result = disk_read(creation->disk, file, 0, data, (size_t)have, creation->err);
    for (size_t i = 0; result == 0 && i < have; i++) {
        if (data[i] != 0 && (i >= wanted->len || data[i] != wanted->data[i])) {
            result = creation_exists(creation, name, i);
        }
    }
    mem_free(data);
    return result;
}

static int creation_open_segment(struct creation *creation, const char *name,
                                 struct disk_file **file)
{
    int result = 0;
    if (creation->has_temporary) {
        result = disk_remove(creation->disk, "spare-1.tmp", creation->err);
        if (result == 0) { /* one of the same name may come, and take its place */
            result = disk_sync_folder(creation->disk, creation->err);
        }
    }
    if (result != 0) {
        return result;
    }
    if (!creation->has_segment) {
        return files_make_segment(creation->disk, &creation->ids, 1,
                                  creation->segment_bytes, file, creation->err);
    }
    result = disk_open(creation->disk, name, DISK_WRITE, file, creation->err);
    uint64_t size = 0;
    if (result == 0) {
        result = disk_size(creation->disk, *file, &size, creation->err);
    }
    if (result == 0 && (size < FORMAT_SECTOR + creation->frame.len ||
                        size > FORMAT_SEGMENT_MAX + FORMAT_SECTOR)) {
        result = creation_exists(creation, name, size);
    }
    if (result == 0) {
        uint8_t sector[FORMAT_SECTOR];
        format_put_segment(sector, &creation->ids, 1, size);
        struct buf wanted;
        buf_init(&wanted);
        buf_put(&wanted, sector, sizeof sector);
        buf_put(&wanted, creation->frame.data, creation->frame.len);
        result = creation_compare(creation, name, *file, &wanted, size);
        if (result == 0) {
            result = disk_write(creation->disk, *file, 0, sector, sizeof sector,
                                creation->err);
        }
        buf_close(&wanted);
    }
    return result;
}

static int creation_segment(struct creation *creation)
{
    char name[FORMAT_NAME_MAX];
    format_segment_name(name, 1);
    struct disk_file *file = NULL;
    int result = creation_open_segment(creation, name, &file);
    if (result == 0) {
        result = disk_write(creation->disk, file, FORMAT_SECTOR, creation->frame.data,
                            creation->frame.len, creation->err);
    }
    if (result == 0) {
        result = disk_sync(creation->disk, file, creation->err);
    }
    disk_close(creation->disk, file);
    return result == 0 ? disk_sync_folder(creation->disk, creation->err) : result;
}

/* Judged before anything is written. */
static int creation_check_anchor(struct creation *creation, size_t copy)
{
    if (!creation->has_anchor[copy]) {
        return 0;
    }
    const char *name = files_anchor_names[copy];
    struct buf wanted = {.data = creation->anchor, .len = FORMAT_SECTOR};
    struct disk_file *file = NULL;
    int result = disk_open(creation->disk, name, DISK_READ, &file, creation->err);
    if (result == 0) {
        result = creation_compare(creation, name, file, &wanted, FORMAT_SECTOR);
    }
    disk_close(creation->disk, file);
    return result;
}

static int creation_anchor(struct creation *creation, size_t copy)
{
    struct disk_file *file = NULL;
    int result = disk_open(creation->disk, files_anchor_names[copy],
                           creation->has_anchor[copy] ? DISK_WRITE : DISK_CREATE, &file,
                           creation->err);
    if (result == 0) {
        result = disk_write(creation->disk, file, 0, creation->anchor, FORMAT_SECTOR,
                            creation->err);
    }
    if (result == 0) {
        result = disk_sync(creation->disk, file, creation->err);
    }
    disk_close(creation->disk, file);
    return result == 0 ? disk_sync_folder(creation->disk, creation->err) : result;
}

static int creation_run(struct creation *creation)
{
    int result = disk_list(creation->disk, creation_name, creation, creation->err);
    if (result == 0 && creation->other != NULL) {
        result = creation_exists(creation, creation->other, 0);
    }
    for (size_t i = 0; i < 2 && result == 0; i++) {
        result = creation_check_anchor(creation, i);
    }
    if (result == 0) {
        result = creation_segment(creation);
    }
    for (size_t i = 0; i < 2 && result == 0; i++) {
        result = creation_anchor(creation, i);
    }
    return result;
}

int store_create(const struct store_options *options, uint64_t term,
                 const struct entry *first_entry, struct err *err)
{
    struct creation creation = {
        .disk = options->disk,
        .ids = {options->node_id, options->cluster_id, options->disk->path},
        .err = err,
        .segment_bytes = files_segment_bytes(options->segment_bytes),
    };
    buf_init(&creation.frame);
    if (first_entry != NULL) {
        struct disk_frame frame = {
            .number = 1,
            .kind = DISK_FRAME_APPEND,
            .first = 1,
            .count = 1,
        };
        format_put_frame(&creation.frame, &frame, first_entry, 1, FORMAT_SECTOR);
    }
    if (creation.segment_bytes < FORMAT_SECTOR + creation.frame.len) {
        creation.segment_bytes = FORMAT_SECTOR + creation.frame.len;
    }
    struct anchor anchor = {
        .sequence = 1,
        .term = term,
        .first_segment = 1,
        .last_segment = 1,
        .frame = first_entry != NULL,
    };
    format_put_anchor(creation.anchor, &creation.ids, &anchor);
    int result = creation_run(&creation);
    buf_close(&creation.frame);
    mem_free(creation.other);
    return result;
}
