/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/store/files.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/plant.h"

const char *const files_anchor_names[2] = {"anchor-1", "anchor-2"};

/* A segment is made in pieces of this size, each synced: one large sync would hold up
 * the frames that are written at the same time. */
#define FILES_PIECE (1024u * 1024)

uint64_t files_segment_bytes(uint64_t wanted)
{
    uint64_t size = wanted == 0 ? FILES_SEGMENT_DEFAULT : wanted;
    if (size < FILES_SEGMENT_MIN) {
        size = FILES_SEGMENT_MIN;
    }
    if (size > FORMAT_SEGMENT_MAX) {
        size = FORMAT_SEGMENT_MAX;
    }
    return size / FORMAT_SECTOR * FORMAT_SECTOR;
}

int files_write_zeros(struct disk *disk, struct disk_file *file, uint64_t offset,
                      uint64_t end, struct err *err)
{
    static const uint8_t zeros[65536];
    int result = 0;
    while (result == 0 && offset < end) {
        size_t part =
            end - offset < sizeof zeros ? (size_t)(end - offset) : sizeof zeros;
        result = disk_write(disk, file, offset, zeros, part, err);
        offset += part;
    }
    return result;
}

int files_publish(struct disk *disk, const char *from, const char *to, struct err *err)
{
    int result = disk_rename(disk, from, to, err);
    if (result == 0 && !PLANTED(UNSYNCED_RENAME)) {
        result = disk_sync_folder(disk, err);
    }
    if (result == ERR_FULL) { /* too late for "nothing happened" */
        err->code = ERR_IO;
        result = ERR_IO;
    }
    return result;
}

static int files_fill_segment(struct disk *disk, struct disk_file *file,
                              const struct format_ids *ids, uint64_t number,
                              uint64_t size, struct err *err)
{
    uint8_t header[FORMAT_SECTOR];
    format_put_segment(header, ids, number, size);
    int result = disk_write(disk, file, 0, header, sizeof header, err);
    for (uint64_t at = FORMAT_SECTOR; result == 0 && at < size; at += FILES_PIECE) {
        uint64_t end = size - at < FILES_PIECE ? size : at + FILES_PIECE;
        result = files_write_zeros(disk, file, at, end, err);
        if (result == 0) {
            result = disk_sync(disk, file, err);
        }
    }
    return result;
}

int files_make_segment(struct disk *disk, const struct format_ids *ids, uint64_t number,
                       uint64_t size, struct disk_file **out, struct err *err)
{
    char temporary[FORMAT_NAME_MAX];
    char name[FORMAT_NAME_MAX];
    snprintf(temporary, sizeof temporary, "spare-%" PRIu64 ".tmp", number);
    format_segment_name(name, number);
    struct disk_file *file = NULL;
    int result = disk_open(disk, temporary, DISK_CREATE, &file, err);
    if (result != 0) {
        return result;
    }
    result = files_fill_segment(disk, file, ids, number, size, err);
    if (result == ERR_FULL) {
        disk_close(disk, file);
        result = disk_remove(disk, temporary, err);
        if (result == 0) { /* the next one has this name again, and other bytes */
            result = disk_sync_folder(disk, err);
        }
        return result == 0
                   ? err_set(err, ERR_FULL, "%s: no room for a segment", ids->path)
                   : result;
    }
    if (result == 0) {
        result = files_publish(disk, temporary, name, err);
    }
    if (result != 0) {
        disk_close(disk, file);
        return result;
    }
    *out = file;
    return 0;
}

int files_write_anchor(struct disk *disk, struct disk_file *file,
                       const struct format_ids *ids, const struct anchor *anchor,
                       struct err *err)
{
    uint8_t sector[FORMAT_SECTOR];
    format_put_anchor(sector, ids, anchor);
    int result = disk_write(disk, file, 0, sector, sizeof sector, err);
    return result == 0 && !PLANTED(UNSYNCED_BALLOT) ? disk_sync(disk, file, err)
                                                    : result;
}
