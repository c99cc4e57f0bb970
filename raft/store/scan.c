/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/store/scan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* --- segments ----------------------------------------------------------------------
 */

void segment_list_add(struct segment_list *list, struct segment segment)
{
    list->item = mem_realloc(list->item, (list->count + 1) * sizeof segment);
    list->item[list->count++] = segment;
}

void segment_list_drop(struct segment_list *list, size_t count)
{
    assert(count <= list->count);
    list->count -= count;
    memmove(list->item, list->item + count, list->count * sizeof list->item[0]);
}

void segment_list_close(struct segment_list *list)
{
    mem_free(list->item);
    *list = (struct segment_list){.count = 0};
}

void segment_list_cut(struct segment_list *list, uint64_t first)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->item[i].last >= first) {
            list->item[i].last = first - 1;
        }
    }
}

/* --- one segment -------------------------------------------------------------------
 */

/* The segment being read. */
struct scan_part {
    struct scan *scan;
    uint64_t number;
    const uint8_t *data;
    size_t len;
    size_t at; /* where the next frame is expected */
    char name[FORMAT_NAME_MAX];
    struct err *err;
};

static int scan_damaged(const struct scan_part *part, uint64_t offset,
                        const char *format, ...) __attribute__((format(printf, 3, 4)));

static int scan_damaged(const struct scan_part *part, uint64_t offset,
                        const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return format_damaged(part->err, part->scan->path, part->name, offset, "%s", text);
}

static enum format_sector scan_sector(const struct scan_part *part, size_t at,
                                      uint32_t *place, uint64_t *number)
{
    return format_check_sector(part->data + at, part->number, at, place, number);
}

/* Nothing but zeros from `at` on, or damaged with `why`. */
static int scan_rest_is_zero(const struct scan_part *part, size_t at, const char *why)
{
    uint32_t place = 0;
    uint64_t number = 0;
    for (; at < part->len; at += FORMAT_SECTOR) {
        if (scan_sector(part, at, &place, &number) != FORMAT_ZERO) {
            return scan_damaged(part, at, "%s", why);
        }
    }
    return 0;
}

static const char scan_followed[] = "a frame was torn before this, and yet something "
                                    "follows it";

/* The head of the next frame is missing: what stands behind may be the rest of it. */
static int scan_headless(struct scan_part *part)
{
    struct scan *scan = part->scan;
    uint64_t expected = scan->frame + 1;
    uint32_t place = 0;
    uint64_t number = 0;
    size_t end = 0;
    for (size_t at = part->at; at < part->len; at += FORMAT_SECTOR) {
        switch (scan_sector(part, at, &place, &number)) {
        case FORMAT_ZERO:
            continue;
        case FORMAT_BAD:
            return scan_damaged(part, at, "a damaged sector");
        case FORMAT_VALID:
            break;
        }
        if (!scan->started && end == 0) {
            expected = number; /* the log's first frame: its number is not known */
        }
        if (number != expected || place != (at - part->at) / FORMAT_SECTOR) {
            return scan_damaged(part, at,
                                "frame %" PRIu64 " follows, but the one before it is "
                                "missing at offset %zu",
                                number, part->at);
        }
        end = at + FORMAT_SECTOR;
    }
    if (end > 0) {
        scan->torn = (struct scan_place){part->number, part->at, end};
    }
    return 0;
}

/* Look at the sectors of a frame whose first one is valid. `*torn`: some are zero. */
static int scan_sectors(const struct scan_part *part, size_t end, bool *torn)
{
    uint32_t place = 0;
    uint64_t number = 0;
    uint64_t expected = 0;
    (void)scan_sector(part, part->at, &place, &expected);
    for (size_t at = part->at; at < end; at += FORMAT_SECTOR) {
        switch (scan_sector(part, at, &place, &number)) {
        case FORMAT_ZERO:
            *torn = true;
            continue;
        case FORMAT_BAD:
            return scan_damaged(part, at, "a damaged sector in frame %" PRIu64,
                                expected);
        case FORMAT_VALID:
            break;
        }
        if (number != expected || place != (at - part->at) / FORMAT_SECTOR) {
            return scan_damaged(part, at,
                                "sector %" PRIu32 " of frame %" PRIu64
                                " stands inside frame %" PRIu64,
                                place, number, expected);
        }
    }
    return 0;
}

/* --- a frame's content ---------------------------------------------------------------
 */

struct scan_frame {
    struct disk_frame head;
    struct cursor entries;
    size_t content_len;
    uint8_t *content; /* owned */
};

static int scan_nonsense(const struct scan_part *part, const char *what)
{
    return scan_damaged(part, part->at, "frame %" PRIu64 ": %s", part->scan->frame + 1,
                        what);
}

/* Put the pieces together and check the chain. */
static int scan_gather(const struct scan_part *part, struct scan_frame *frame)
{
    const struct scan *scan = part->scan;
    size_t count = (size_t)(format_frame_bytes(frame->content_len) / FORMAT_SECTOR);
    frame->content = mem_alloc(count * FORMAT_PART);
    for (size_t i = 0; i < count; i++) {
        memcpy(frame->content + i * FORMAT_PART,
               part->data + part->at + i * FORMAT_SECTOR + FORMAT_STAMP, FORMAT_PART);
    }
    for (size_t i = frame->content_len; i < count * FORMAT_PART; i++) {
        if (frame->content[i] != 0) {
            return scan_nonsense(part, "something stands behind its end");
        }
    }
    uint32_t chain = get_u32(frame->content + 4);
    uint32_t previous = get_u32(frame->content + 8);
    put_u32(frame->content + 4, 0);
    if (format_crc(previous, frame->content, frame->content_len) != chain) {
        return scan_nonsense(part, "it does not match its checksum");
    }
    if ((scan->started || frame->head.number == 1) && previous != scan->chain) {
        return scan_nonsense(part, "it continues another log");
    }
    frame->head.previous = previous;
    frame->head.chain = chain;
    return 0;
}

static int scan_check_head(const struct scan_part *part, const struct disk_frame *head)
{
    const struct scan *scan = part->scan;
    uint64_t last = entry_log_last(scan->log);
    bool reset = head->kind == DISK_FRAME_RESET;
    if (head->first == 0 || (head->snapshot_index != 0) != reset ||
        (head->snapshot_term != 0) != reset) {
        return scan_nonsense(part, "its head makes no sense");
    }
    if (head->known >= head->first || (scan->started && head->known > last)) {
        return scan_nonsense(part, "it knows more committed than was written");
    }
    switch (head->kind) {
    case DISK_FRAME_APPEND:
        if (scan->started && head->first != last + 1) {
            return scan_nonsense(part, "its entries do not continue the log");
        }
        return 0;
    case DISK_FRAME_REPLACE:
        if (head->first <= scan->known || (scan->started && head->first > last)) {
            return scan_nonsense(part, "it cuts the log where it cannot");
        }
        return 0;
    case DISK_FRAME_RESET:
        if (head->count != 0 || head->first != head->snapshot_index + 1) {
            return scan_nonsense(part, "its snapshot makes no sense");
        }
        return 0;
    }
    return scan_nonsense(part, "it is of no known kind");
}

/* Do what the frame says to the log in memory. */
static int scan_apply(const struct scan_part *part, struct scan_frame *frame)
{
    struct scan *scan = part->scan;
    const struct disk_frame *head = &frame->head;
    switch (head->kind) {
    case DISK_FRAME_APPEND:
        break;
    case DISK_FRAME_REPLACE:
        if (scan->started && head->first < entry_log_first(scan->log)) {
            /* what was kept was in segments that are gone: it is below a snapshot */
            entry_log_reset(scan->log, head->first);
        } else if (scan->started) {
            entry_log_truncate(scan->log, head->first);
        }
        segment_list_cut(scan->segments, head->first);
        break;
    case DISK_FRAME_RESET:
        entry_log_reset(scan->log, head->first);
        segment_list_cut(scan->segments, 1);
        scan->reset_index = head->snapshot_index;
        scan->reset_term = head->snapshot_term;
        scan->known = head->snapshot_index;
        break;
    }
    if (!scan->started) {
        entry_log_reset(scan->log, head->first);
        scan->started = true;
    }
    for (size_t i = 0; i < head->count; i++) {
        uint64_t term = cursor_u64(&frame->entries);
        uint32_t type = cursor_u32(&frame->entries);
        size_t len = 0;
        const uint8_t *data = cursor_blob(&frame->entries, SIZE_MAX, &len);
        if (data == NULL || term == 0 || type < ENTRY_COMMAND ||
            type > ENTRY_CONFIGURATION) {
            return scan_nonsense(part, "an entry in it makes no sense");
        }
        struct entry entry = {term, (enum entry_type)type, bytes_new(data, len)};
        entry_log_append(scan->log, &entry);
    }
    if (!cursor_done(&frame->entries)) {
        return scan_nonsense(part, "its entries do not fill it");
    }
    return 0;
}

static int scan_content(const struct scan_part *part, struct scan_frame *frame)
{
    int result = scan_gather(part, frame);
    if (result != 0) {
        return result;
    }
    struct cursor cursor;
    cursor_init(&cursor, frame->content, frame->content_len);
    cursor_bytes(&cursor, 12);
    frame->head.count = cursor_u32(&cursor);
    uint32_t kind = cursor_u32(&cursor);
    uint32_t zero = cursor_u32(&cursor);
    frame->head.first = cursor_u64(&cursor);
    frame->head.known = cursor_u64(&cursor);
    frame->head.snapshot_index = cursor_u64(&cursor);
    frame->head.snapshot_term = cursor_u64(&cursor);
    if (zero != 0 || kind < DISK_FRAME_APPEND || kind > DISK_FRAME_RESET) {
        return scan_nonsense(part, "it is of no known kind");
    }
    frame->head.kind = (enum frame_kind_on_disk)kind;
    frame->entries = cursor;
    result = scan_check_head(part, &frame->head);
    return result == 0 ? scan_apply(part, frame) : result;
}

/* A frame begins at part->at with a valid first sector. */
static int scan_frame(struct scan_part *part, uint64_t number)
{
    struct scan *scan = part->scan;
    size_t content = get_u32(part->data + part->at + FORMAT_STAMP);
    size_t room = part->len - part->at;
    if (content < FORMAT_FRAME_HEAD || content > room ||
        format_frame_bytes(content) > room) {
        return scan_damaged(part, part->at,
                            "frame %" PRIu64 " claims %zu bytes, %zu are left", number,
                            content, room);
    }
    size_t end = part->at + (size_t)format_frame_bytes(content);
    bool torn = false;
    int result = scan_sectors(part, end, &torn);
    if (result != 0) {
        return result;
    }
    if (torn) {
        scan->torn = (struct scan_place){part->number, part->at, end};
        return scan_rest_is_zero(part, end, scan_followed);
    }
    struct scan_frame frame = {.head = {.number = number}, .content_len = content};
    result = scan_content(part, &frame);
    mem_free(frame.content);
    if (result != 0) {
        return result;
    }
    if (frame.head.known > scan->known) {
        scan->known = frame.head.known;
    }
    scan->frame = number;
    scan->chain = frame.head.chain;
    scan->final = (struct scan_place){part->number, part->at, end};
    part->at = end;
    return 0;
}

/* The frames of a segment, one by one, until its end, a tear or a damage. */
static int scan_frames(struct scan_part *part)
{
    struct scan *scan = part->scan;
    while (part->at < part->len) {
        uint32_t place = 0;
        uint64_t number = 0;
        switch (scan_sector(part, part->at, &place, &number)) {
        case FORMAT_ZERO:
            return scan_headless(part);
        case FORMAT_BAD:
            return scan_damaged(part, part->at, "a damaged sector");
        case FORMAT_VALID:
            break;
        }
        /* the number of the log's first frame is known only if nothing was removed */
        bool known = scan->started || part->number == 1;
        if (place != 0 || (known && number != scan->frame + 1)) {
            return scan_damaged(part, part->at,
                                "sector %" PRIu32 " of frame %" PRIu64
                                ", but frame %" PRIu64 " should begin here",
                                place, number, scan->frame + 1);
        }
        int result = scan_frame(part, number);
        if (result != 0 || scan->torn.segment != 0) {
            return result;
        }
    }
    return 0;
}

int scan_segment(struct scan *scan, uint64_t number, const uint8_t *data, size_t len,
                 struct err *err)
{
    struct scan_part part = {
        .scan = scan,
        .number = number,
        .data = data,
        .len = len - len % FORMAT_SECTOR,
        .at = FORMAT_SECTOR,
        .err = err,
    };
    format_segment_name(part.name, number);
    bool was_torn = scan->torn.segment != 0;
    uint64_t last_before = entry_log_last(scan->log);
    uint64_t frame_before = scan->frame;
    segment_list_add(scan->segments, (struct segment){.number = number, .size = len});
    int result = was_torn ? scan_rest_is_zero(&part, part.at, scan_followed)
                          : scan_frames(&part);
    struct segment *segment = &scan->segments->item[scan->segments->count - 1];
    segment->used = part.at;
    segment->last =
        scan->frame == frame_before ? last_before : entry_log_last(scan->log);
    return result;
}
