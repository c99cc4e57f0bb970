/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/store/snapshot_file.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/plant.h"

/* --- writing -----------------------------------------------------------------------
 */

static int snapshot_sink_write(struct snapshot_sink *sink, const void *data, size_t len)
{
    if (sink->result == 0) {
        sink->result =
            disk_write(sink->disk, sink->file, sink->at, data, len, &sink->err);
        sink->at += len;
    }
    return sink->result;
}

int snapshot_sink_open(struct snapshot_sink *sink, struct disk *disk,
                       const struct format_ids *ids, const char *name,
                       const struct snapshot_meta *meta)
{
    *sink = (struct snapshot_sink){.disk = disk, .index = meta->index};
    size_t len = strnlen(name, sizeof sink->name - 1);
    memcpy(sink->name, name, len);
    sink->result = disk_open(disk, name, DISK_CREATE, &sink->file, &sink->err);
    struct buf head;
    buf_init(&head);
    format_put_snapshot(&head, ids, meta);
    sink->crc = format_crc(0, head.data, FORMAT_SECTOR);
    snapshot_sink_write(sink, head.data, head.len);
    buf_close(&head);
    return sink->result;
}

static void snapshot_sink_flush(struct snapshot_sink *sink)
{
    if (sink->used == 0) {
        return;
    }
    uint8_t *chunk = sink->chunk;
    put_u32(chunk, (uint32_t)sink->used);
    put_u32(chunk + 4, format_chunk_crc(sink->index, sink->chunks, chunk,
                                        chunk + FORMAT_CHUNK_HEAD, sink->used));
    sink->crc = format_crc(sink->crc, chunk + 4, 4);
    snapshot_sink_write(sink, chunk, FORMAT_CHUNK_HEAD + sink->used);
    sink->chunks++;
    sink->content_bytes += sink->used;
    sink->used = 0;
}

int snapshot_sink_put(struct snapshot_sink *sink, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0 && sink->result == 0) {
        size_t room = FORMAT_CHUNK - sink->used;
        size_t part = len < room ? len : room;
        memcpy(sink->chunk + FORMAT_CHUNK_HEAD + sink->used, at, part);
        sink->used += part;
        at += part;
        len -= part;
        if (sink->used == FORMAT_CHUNK) {
            snapshot_sink_flush(sink);
        }
    }
    return sink->result;
}

int snapshot_sink_seal(struct snapshot_sink *sink)
{
    snapshot_sink_flush(sink);
    uint8_t footer[FORMAT_FOOTER];
    format_put_footer(footer, sink->content_bytes, sink->chunks, sink->crc);
    snapshot_sink_write(sink, footer, sizeof footer);
    if (sink->result == 0 && !PLANTED(TORN_SNAPSHOT)) {
        sink->result = disk_sync(sink->disk, sink->file, &sink->err);
    }
    return sink->result;
}

void snapshot_sink_discard(struct snapshot_sink *sink)
{
    if (sink->file == NULL) {
        return;
    }
    disk_close(sink->disk, sink->file);
    sink->file = NULL;
    struct err ignored; /* a left-over is removed at the next start */
    disk_remove(sink->disk, sink->name, &ignored);
}

/* --- reading -----------------------------------------------------------------------
 */

static uint64_t snapshot_chunk_at(const struct snapshot_reader *reader, uint64_t chunk)
{
    return reader->base + chunk * (FORMAT_CHUNK_HEAD + FORMAT_CHUNK);
}

static size_t snapshot_chunk_len(const struct snapshot_reader *reader, uint64_t chunk)
{
    uint64_t before = chunk * FORMAT_CHUNK;
    uint64_t left = reader->content_bytes - before;
    return left < FORMAT_CHUNK ? (size_t)left : FORMAT_CHUNK;
}

/* Head and data of a chunk into `room`, checked; its crc in `*crc`. */
static int snapshot_read_chunk(const struct snapshot_reader *reader, uint64_t chunk,
                               uint8_t *room, struct err *err)
{
    uint64_t at = snapshot_chunk_at(reader, chunk);
    size_t len = snapshot_chunk_len(reader, chunk);
    int result =
        disk_read(reader->disk, reader->file, at, room, FORMAT_CHUNK_HEAD + len, err);
    if (result != 0) {
        return result;
    }
    if (get_u32(room) != len ||
        get_u32(room + 4) != format_chunk_crc(reader->index, chunk, room,
                                              room + FORMAT_CHUNK_HEAD, len)) {
        return format_damaged(err, reader->path, reader->name, at,
                              "chunk %" PRIu64 " does not match its checksum", chunk);
    }
    return 0;
}

static int snapshot_read_head(struct snapshot_reader *reader,
                              const struct format_ids *ids, uint64_t size,
                              struct snapshot_meta *meta, uint32_t *crc,
                              struct err *err)
{
    uint8_t sector[FORMAT_SECTOR];
    if (size < FORMAT_SECTOR + FORMAT_FOOTER) {
        return format_damaged(err, ids->path, reader->name, size,
                              "the file is cut off");
    }
    int result = disk_read(reader->disk, reader->file, 0, sector, sizeof sector, err);
    uint32_t len = 0;
    uint32_t configuration_crc = 0;
    if (result == 0) {
        result = format_get_snapshot(sector, ids, reader->name, meta, &len,
                                     &configuration_crc, err);
    }
    if (result != 0) {
        return result;
    }
    *crc = format_crc(0, sector, sizeof sector);
    reader->index = meta->index;
    reader->base = format_snapshot_base(len);
    if (size < reader->base + FORMAT_FOOTER) {
        return format_damaged(err, ids->path, reader->name, size,
                              "the file is cut off");
    }
    size_t padded = (size_t)reader->base - FORMAT_SECTOR;
    uint8_t *room = mem_alloc(padded);
    result = disk_read(reader->disk, reader->file, FORMAT_SECTOR, room, padded, err);
    bool zero = true;
    for (size_t i = len; result == 0 && i < padded; i++) {
        zero = zero && room[i] == 0;
    }
    if (result == 0 && (!zero || format_crc(0, room, len) != configuration_crc)) {
        result = format_damaged(err, ids->path, reader->name, FORMAT_SECTOR,
                                "the configuration does not match its checksum");
    }
    if (result == 0) {
        meta->configuration = bytes_new(room, len);
    }
    mem_free(room);
    return result;
}

static int snapshot_read_footer(struct snapshot_reader *reader, uint64_t size,
                                uint32_t *crc, struct err *err)
{
    uint8_t footer[FORMAT_FOOTER];
    uint64_t at = size - FORMAT_FOOTER;
    int result = disk_read(reader->disk, reader->file, at, footer, sizeof footer, err);
    if (result != 0) {
        return result;
    }
    if (!format_get_footer(footer, &reader->content_bytes, &reader->chunks, crc)) {
        return format_damaged(err, reader->path, reader->name, at,
                              "the footer is missing or damaged");
    }
    uint64_t room = at - reader->base;
    uint64_t content = reader->content_bytes;
    if (content > room ||
        reader->chunks != (content + FORMAT_CHUNK - 1) / FORMAT_CHUNK ||
        content + reader->chunks * FORMAT_CHUNK_HEAD != room) {
        return format_damaged(err, reader->path, reader->name, at,
                              "the file has not the length its footer says");
    }
    return 0;
}

static int snapshot_check_chunks(struct snapshot_reader *reader, uint64_t size,
                                 uint32_t crc, uint32_t wanted, struct err *err)
{
    uint8_t *room = mem_alloc(FORMAT_CHUNK_HEAD + FORMAT_CHUNK);
    int result = 0;
    for (uint64_t i = 0; result == 0 && i < reader->chunks; i++) {
        result = snapshot_read_chunk(reader, i, room, err);
        if (result == 0) {
            crc = format_crc(crc, room + 4, 4);
        }
    }
    mem_free(room);
    if (result == 0 && crc != wanted) {
        result = format_damaged(err, reader->path, reader->name, size - FORMAT_FOOTER,
                                "the chunks are not those that the footer seals");
    }
    return result;
}

int snapshot_reader_open(struct snapshot_reader *reader, struct disk *disk,
                         const struct format_ids *ids, const char *name,
                         struct snapshot_meta *meta, struct err *err)
{
    *reader = (struct snapshot_reader){.disk = disk, .path = ids->path};
    *meta = (struct snapshot_meta){.index = 0};
    size_t name_len = strnlen(name, sizeof reader->name - 1);
    memcpy(reader->name, name, name_len);
    uint64_t size = 0;
    uint32_t crc = 0;
    uint32_t wanted = 0;
    int result = disk_open(disk, name, DISK_READ, &reader->file, err);
    if (result == 0) {
        result = disk_size(disk, reader->file, &size, err);
    }
    if (result == 0) {
        result = snapshot_read_head(reader, ids, size, meta, &crc, err);
    }
    if (result == 0) {
        result = snapshot_read_footer(reader, size, &wanted, err);
    }
    if (result == 0) {
        result = snapshot_check_chunks(reader, size, crc, wanted, err);
    }
    if (result != 0) {
        disk_close(disk, reader->file);
        reader->file = NULL;
        bytes_unref(meta->configuration);
        meta->configuration = NULL;
    }
    return result;
}

int snapshot_reader_read(const struct snapshot_reader *reader, uint64_t offset,
                         void *data, size_t len, size_t *got, struct err *err)
{
    *got = 0;
    if (offset >= reader->content_bytes) {
        return 0;
    }
    uint64_t left = reader->content_bytes - offset;
    size_t wanted = len < left ? len : (size_t)left;
    uint8_t *room = mem_alloc(FORMAT_CHUNK_HEAD + FORMAT_CHUNK);
    int result = 0;
    while (result == 0 && *got < wanted) {
        uint64_t chunk = (offset + *got) / FORMAT_CHUNK;
        size_t inside = (size_t)((offset + *got) % FORMAT_CHUNK);
        result = snapshot_read_chunk(reader, chunk, room, err);
        if (result == 0) {
            size_t part = snapshot_chunk_len(reader, chunk) - inside;
            if (part > wanted - *got) {
                part = wanted - *got;
            }
            memcpy((uint8_t *)data + *got, room + FORMAT_CHUNK_HEAD + inside, part);
            *got += part;
        }
    }
    mem_free(room);
    return result;
}
