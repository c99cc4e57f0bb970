/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of any content to the scanner. The first byte says which checksums are made
 * right first (1 the sectors', 2 the frames'), the second how many sectors the first
 * segment has; the rest is what stands behind the headers. Accepted or refused, the log
 * in memory must be one run of entries, and places must lie in their segments. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "raft/store/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_zero(const uint8_t *sector)
{
    static const uint8_t zeros[FORMAT_SECTOR];
    return memcmp(sector, zeros, FORMAT_SECTOR) == 0;
}

static void mend_sectors(uint8_t *segment, size_t len, uint64_t number)
{
    for (size_t at = FORMAT_SECTOR; at < len; at += FORMAT_SECTOR) {
        if (!is_zero(segment + at)) {
            uint32_t crc = format_crc_place(number, at);
            put_u32(segment + at, format_crc(crc, segment + at + 4, FORMAT_SECTOR - 4));
        }
    }
}

/* The chain of each frame, after the one before it. */
static void mend_frames(uint8_t *segment, size_t len, uint32_t *chain)
{
    size_t at = FORMAT_SECTOR;
    while (at < len && !is_zero(segment + at)) {
        uint8_t *head = segment + at + FORMAT_STAMP;
        size_t content = get_u32(head);
        if (content < FORMAT_FRAME_HEAD || format_frame_bytes(content) > len - at) {
            return;
        }
        put_u32(head + 4, 0);
        put_u32(head + 8, *chain);
        uint32_t crc = *chain;
        size_t left = content;
        for (size_t part = at; left > 0; part += FORMAT_SECTOR) {
            size_t piece = left < FORMAT_PART ? left : FORMAT_PART;
            crc = format_crc(crc, segment + part + FORMAT_STAMP, piece);
            left -= piece;
        }
        put_u32(head + 4, crc);
        *chain = crc;
        at += (size_t)format_frame_bytes(content);
    }
}

static void check_place(const struct scan_place *place, const struct segment_list *list)
{
    if (place->segment == 0) {
        return;
    }
    assert(place->segment >= 1 && place->segment <= list->count);
    const struct segment *segment = &list->item[place->segment - 1];
    assert(place->offset >= FORMAT_SECTOR && place->offset < place->end);
    assert(place->end <= segment->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 65536) {
        return 0;
    }
    uint8_t flags = data[0];
    size_t body = (size - 2 + FORMAT_SECTOR - 1) / FORMAT_SECTOR * FORMAT_SECTOR;
    size_t first = (size_t)data[1] * FORMAT_SECTOR;
    first = first < body ? first : body;
    const size_t lens[2] = {FORMAT_SECTOR + first, FORMAT_SECTOR + body - first};
    uint8_t *all = mem_zalloc(2 * FORMAT_SECTOR + body);
    uint8_t *segments[2] = {all, all + lens[0]};
    size_t in_first = size - 2 < first ? size - 2 : first;
    memcpy(segments[0] + FORMAT_SECTOR, data + 2, in_first);
    memcpy(segments[1] + FORMAT_SECTOR, data + 2 + in_first, size - 2 - in_first);

    struct entry_log log;
    entry_log_init(&log, 1);
    struct segment_list list = {.count = 0};
    struct scan scan = {.path = "", .log = &log, .segments = &list};
    struct err err;
    uint32_t chain = 0;
    int result = 0;
    for (uint64_t i = 0; i < 2 && result == 0; i++) {
        if ((flags & 2) != 0) {
            mend_frames(segments[i], lens[i], &chain);
        }
        if ((flags & 1) != 0) {
            mend_sectors(segments[i], lens[i], i + 1);
        }
        uint8_t *copy = mem_dup(segments[i], lens[i]); /* its end is watched */
        result = scan_segment(&scan, i + 1, copy, lens[i], &err);
        mem_free(copy);
    }
    if (result == 0) {
        check_place(&scan.final, &list);
        check_place(&scan.torn, &list);
        assert(scan.started == (scan.frame > 0));
        assert(entry_log_last(&log) >= scan.known);
    }
    entry_log_close(&log);
    segment_list_close(&list);
    mem_free(all);
    return 0;
}
