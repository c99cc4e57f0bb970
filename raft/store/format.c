/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/store/format.h"

#include <assert.h>
#include <inttypes.h>
#include <isa-l.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORMAT_VERSION 1

static const char format_anchor_magic[8] = "MUSTRANC";
static const char format_segment_magic[8] = "MUSTRLOG";
static const char format_snapshot_magic[8] = "MUSTRSNP";
static const char format_footer_magic[8] = "MUSTREND";
static const uint8_t format_zeros[FORMAT_SECTOR];

uint32_t format_crc(uint32_t crc, const void *data, size_t len)
{
    assert(len <= INT_MAX);
    /* the library takes a pointer to non-const and only reads */
    return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, ~crc);
}

uint32_t format_crc_place(uint64_t a, uint64_t b)
{
    uint8_t place[16];
    put_u64(place, a);
    put_u64(place + 8, b);
    return format_crc(0, place, sizeof place);
}

int format_damaged(struct err *err, const char *path, const char *name, uint64_t offset,
                   const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, ERR_CORRUPT, "%s/%s: offset %" PRIu64 ": %s", path, name,
                   offset, text);
}

/* --- names -------------------------------------------------------------------------
 */

void format_segment_name(char name[FORMAT_NAME_MAX], uint64_t number)
{
    snprintf(name, FORMAT_NAME_MAX, "log-%020" PRIu64, number);
}

void format_snapshot_name(char name[FORMAT_NAME_MAX], uint64_t index, uint64_t term)
{
    snprintf(name, FORMAT_NAME_MAX, "snapshot-%020" PRIu64 "-%020" PRIu64, index, term);
}

/* Twenty digits; false also if the number is too large. */
static bool format_parse_number(const char **at, uint64_t *out)
{
    uint64_t number = 0;
    for (int i = 0; i < 20; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(c - '0'), &number)) {
            return false;
        }
    }
    *at += 20;
    *out = number;
    return true;
}

bool format_parse_segment_name(const char *name, uint64_t *number)
{
    if (strncmp(name, "log-", 4) != 0) {
        return false;
    }
    const char *at = name + 4;
    return format_parse_number(&at, number) && *at == '\0' && *number > 0;
}

bool format_parse_snapshot_name(const char *name, uint64_t *index, uint64_t *term)
{
    if (strncmp(name, "snapshot-", 9) != 0) {
        return false;
    }
    const char *at = name + 9;
    if (!format_parse_number(&at, index) || *at != '-') {
        return false;
    }
    at++;
    return format_parse_number(&at, term) && *at == '\0';
}

/* --- what all headers share --------------------------------------------------------
 */

static void format_put_head(uint8_t sector[FORMAT_SECTOR], const char magic[8],
                            const struct format_ids *ids)
{
    memset(sector, 0, FORMAT_SECTOR);
    memcpy(sector, magic, 8);
    put_u32(sector + 8, FORMAT_VERSION);
    put_u64(sector + 16, ids->node_id);
    put_u64(sector + 24, ids->cluster_id);
}

static void format_seal_head(uint8_t sector[FORMAT_SECTOR])
{
    put_u32(sector + 12, 0);
    put_u32(sector + 12, format_crc(0, sector, FORMAT_SECTOR));
}

static int format_get_head(const uint8_t sector[FORMAT_SECTOR], const char magic[8],
                           const struct format_ids *ids, const char *name,
                           struct err *err)
{
    uint8_t copy[FORMAT_SECTOR];
    memcpy(copy, sector, sizeof copy);
    put_u32(copy + 12, 0);
    if (memcmp(sector, format_zeros, FORMAT_SECTOR) == 0) {
        return format_damaged(err, ids->path, name, 0, "the header is missing");
    }
    if (format_crc(0, copy, sizeof copy) != get_u32(sector + 12)) {
        return format_damaged(err, ids->path, name, 0,
                              "the header does not match its checksum");
    }
    if (memcmp(sector, magic, 8) != 0) {
        return format_damaged(err, ids->path, name, 0, "this is another kind of file");
    }
    if (get_u32(sector + 8) != FORMAT_VERSION) {
        return format_damaged(err, ids->path, name, 8,
                              "format version %" PRIu32 ", this program knows %d",
                              get_u32(sector + 8), FORMAT_VERSION);
    }
    if (get_u64(sector + 16) != ids->node_id ||
        get_u64(sector + 24) != ids->cluster_id) {
        return format_damaged(err, ids->path, name, 16,
                              "belongs to node %" PRIu64 " of cluster %" PRIu64
                              ", not to node %" PRIu64 " of cluster %" PRIu64,
                              get_u64(sector + 16), get_u64(sector + 24), ids->node_id,
                              ids->cluster_id);
    }
    return 0;
}

/* --- anchor and segment header -----------------------------------------------------
 */

void format_put_anchor(uint8_t sector[FORMAT_SECTOR], const struct format_ids *ids,
                       const struct anchor *anchor)
{
    format_put_head(sector, format_anchor_magic, ids);
    put_u64(sector + 32, anchor->sequence);
    put_u64(sector + 40, anchor->term);
    put_u64(sector + 48, anchor->vote);
    put_u64(sector + 56, anchor->first_segment);
    put_u64(sector + 64, anchor->last_segment);
    put_u64(sector + 72, anchor->frame);
    put_u64(sector + 80, anchor->snapshot_index);
    put_u64(sector + 88, anchor->snapshot_term);
    format_seal_head(sector);
}

int format_get_anchor(const uint8_t sector[FORMAT_SECTOR], const struct format_ids *ids,
                      const char *name, struct anchor *out, struct err *err)
{
    int result = format_get_head(sector, format_anchor_magic, ids, name, err);
    if (result != 0) {
        return result;
    }
    *out = (struct anchor){
        .sequence = get_u64(sector + 32),
        .term = get_u64(sector + 40),
        .vote = get_u64(sector + 48),
        .first_segment = get_u64(sector + 56),
        .last_segment = get_u64(sector + 64),
        .frame = get_u64(sector + 72),
        .snapshot_index = get_u64(sector + 80),
        .snapshot_term = get_u64(sector + 88),
    };
    if (out->first_segment == 0 || out->first_segment > out->last_segment ||
        out->last_segment == UINT64_MAX ||
        (out->snapshot_index == 0) != (out->snapshot_term == 0)) {
        return format_damaged(err, ids->path, name, 56, "the record makes no sense");
    }
    return 0;
}

void format_put_segment(uint8_t sector[FORMAT_SECTOR], const struct format_ids *ids,
                        uint64_t number, uint64_t size)
{
    format_put_head(sector, format_segment_magic, ids);
    put_u64(sector + 32, number);
    put_u64(sector + 40, size);
    format_seal_head(sector);
}

int format_get_segment(const uint8_t sector[FORMAT_SECTOR],
                       const struct format_ids *ids, const char *name, uint64_t number,
                       uint64_t size, struct err *err)
{
    int result = format_get_head(sector, format_segment_magic, ids, name, err);
    if (result != 0) {
        return result;
    }
    if (get_u64(sector + 32) != number) {
        return format_damaged(err, ids->path, name, 32, "this is segment %" PRIu64,
                              get_u64(sector + 32));
    }
    if (get_u64(sector + 40) != size || size % FORMAT_SECTOR != 0) {
        return format_damaged(err, ids->path, name, 40,
                              "made with %" PRIu64 " bytes, has %" PRIu64,
                              get_u64(sector + 40), size);
    }
    return 0;
}

/* --- frames ------------------------------------------------------------------------
 */

uint64_t format_frame_bytes(uint64_t content)
{
    return (content + FORMAT_PART - 1) / FORMAT_PART * FORMAT_SECTOR;
}

/* Content on its way into sectors: `place` counts them, `used` is what the open one
 * holds; `chain` runs over all of it. */
struct format_writer {
    uint8_t *sector;
    size_t used;
    uint32_t place;
    uint32_t chain;
    uint64_t number;
};

static void format_stamp(struct format_writer *writer)
{
    put_u32(writer->sector + 4, writer->place);
    put_u64(writer->sector + 8, writer->number);
}

static void format_write(struct format_writer *writer, const void *data, size_t len)
{
    const uint8_t *at = data;
    writer->chain = format_crc(writer->chain, data, len);
    while (len > 0) {
        if (writer->used == FORMAT_PART) {
            writer->sector += FORMAT_SECTOR;
            writer->place++;
            writer->used = 0;
        }
        if (writer->used == 0) {
            format_stamp(writer);
        }
        size_t room = FORMAT_PART - writer->used;
        size_t part = len < room ? len : room;
        memcpy(writer->sector + FORMAT_STAMP + writer->used, at, part);
        writer->used += part;
        at += part;
        len -= part;
    }
}

static void format_write_entries(struct format_writer *writer,
                                 const struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t head[FORMAT_ENTRY_HEAD];
        put_u64(head, entries[i].term);
        put_u32(head + 8, (uint32_t)entries[i].type);
        put_u32(head + 12, (uint32_t)entries[i].data->len);
        format_write(writer, head, sizeof head);
        format_write(writer, entries[i].data->data, entries[i].data->len);
    }
}

void format_put_frame(struct buf *out, struct disk_frame *frame,
                      const struct entry *entries, uint64_t segment, uint64_t offset)
{
    uint64_t content = FORMAT_FRAME_HEAD;
    for (size_t i = 0; i < frame->count; i++) {
        content += FORMAT_ENTRY_HEAD + entries[i].data->len;
    }
    assert(content <= FORMAT_SEGMENT_MAX);
    size_t start = out->len;
    buf_put_zeros(out, (size_t)format_frame_bytes(content));

    uint8_t head[FORMAT_FRAME_HEAD] = {0};
    put_u32(head, (uint32_t)content);
    put_u32(head + 8, frame->previous);
    put_u32(head + 12, (uint32_t)frame->count);
    put_u32(head + 16, (uint32_t)frame->kind);
    put_u64(head + 24, frame->first);
    put_u64(head + 32, frame->known);
    put_u64(head + 40, frame->snapshot_index);
    put_u64(head + 48, frame->snapshot_term);
    uint8_t *sector = out->data + start;
    struct format_writer writer = {
        .sector = sector,
        .chain = frame->previous,
        .number = frame->number,
    };
    format_write(&writer, head, sizeof head);
    format_write_entries(&writer, entries, frame->count);
    frame->chain = writer.chain;
    put_u32(sector + FORMAT_STAMP + 4, writer.chain);

    for (; sector < out->data + out->len; sector += FORMAT_SECTOR) {
        uint64_t at = offset + (uint64_t)(sector - (out->data + start));
        uint32_t crc = format_crc_place(segment, at);
        put_u32(sector, format_crc(crc, sector + 4, FORMAT_SECTOR - 4));
    }
}

enum format_sector format_check_sector(const uint8_t sector[FORMAT_SECTOR],
                                       uint64_t segment, uint64_t offset,
                                       uint32_t *place, uint64_t *number)
{
    *place = get_u32(sector + 4);
    *number = get_u64(sector + 8);
    /* a written sector has a frame number: most of the zero ones end here */
    if (*number == 0 && memcmp(sector, format_zeros, FORMAT_SECTOR) == 0) {
        return FORMAT_ZERO;
    }
    uint32_t crc = format_crc_place(segment, offset);
    crc = format_crc(crc, sector + 4, FORMAT_SECTOR - 4);
    return *number > 0 && crc == get_u32(sector) ? FORMAT_VALID : FORMAT_BAD;
}

/* --- snapshots ---------------------------------------------------------------------
 */

static size_t format_padded(size_t len)
{
    return (len + FORMAT_SECTOR - 1) / FORMAT_SECTOR * FORMAT_SECTOR;
}

uint64_t format_snapshot_base(size_t configuration_len)
{
    return FORMAT_SECTOR + format_padded(configuration_len);
}

void format_put_snapshot(struct buf *out, const struct format_ids *ids,
                         const struct snapshot_meta *meta)
{
    const struct bytes *configuration = meta->configuration;
    assert(configuration->len <= FORMAT_CONFIG_MAX);
    uint8_t sector[FORMAT_SECTOR];
    format_put_head(sector, format_snapshot_magic, ids);
    put_u64(sector + 32, meta->index);
    put_u64(sector + 40, meta->term);
    put_u64(sector + 48, meta->configuration_index);
    put_u32(sector + 56, (uint32_t)configuration->len);
    put_u32(sector + 60, format_crc(0, configuration->data, configuration->len));
    format_seal_head(sector);
    buf_put(out, sector, sizeof sector);
    buf_put(out, configuration->data, configuration->len);
    buf_put_zeros(out, format_padded(configuration->len) - configuration->len);
}

int format_get_snapshot(const uint8_t sector[FORMAT_SECTOR],
                        const struct format_ids *ids, const char *name,
                        struct snapshot_meta *out, uint32_t *configuration_len,
                        uint32_t *configuration_crc, struct err *err)
{
    int result = format_get_head(sector, format_snapshot_magic, ids, name, err);
    if (result != 0) {
        return result;
    }
    *out = (struct snapshot_meta){
        .index = get_u64(sector + 32),
        .term = get_u64(sector + 40),
        .configuration_index = get_u64(sector + 48),
    };
    *configuration_len = get_u32(sector + 56);
    *configuration_crc = get_u32(sector + 60);
    if (*configuration_len > FORMAT_CONFIG_MAX || out->index == 0 || out->term == 0) {
        return format_damaged(err, ids->path, name, 32, "the header makes no sense");
    }
    return 0;
}

uint32_t format_chunk_crc(uint64_t index, uint64_t chunk, const uint8_t length[4],
                          const void *data, size_t len)
{
    uint32_t crc = format_crc(format_crc_place(index, chunk), length, 4);
    return format_crc(crc, data, len);
}

void format_put_footer(uint8_t footer[FORMAT_FOOTER], uint64_t content_bytes,
                       uint64_t chunks, uint32_t crc)
{
    memcpy(footer, format_footer_magic, 8);
    put_u64(footer + 8, content_bytes);
    put_u64(footer + 16, chunks);
    put_u32(footer + 24, crc);
    put_u32(footer + 28, format_crc(0, footer, 28));
}

bool format_get_footer(const uint8_t footer[FORMAT_FOOTER], uint64_t *content_bytes,
                       uint64_t *chunks, uint32_t *crc)
{
    *content_bytes = get_u64(footer + 8);
    *chunks = get_u64(footer + 16);
    *crc = get_u32(footer + 24);
    return memcmp(footer, format_footer_magic, 8) == 0 &&
           get_u32(footer + 28) == format_crc(0, footer, 28);
}
