/* SPDX-License-Identifier: Apache-2.0 */
#include "text/zone.h"

#include <string.h>

#include "base/mem.h"
#include "text/civil.h"
#include "text/zone_rule.h"

#define HEADER_BYTES   44
#define VERSION_AT     4
#define COUNTS_AT      20
#define OFFSET_MAX_S   93599  /* a second less than 26 h, as RFC 8536 has it */
#define OFFSET_MIN_S   -89999 /* a second more than -25 h */
#define TYPES_MAX      256    /* their numbers are bytes */
#define OLD_TIME_BYTES 4
#define NEW_TIME_BYTES 8

struct zone {
    size_t count;      /* of changes that the file lists */
    int64_t *at;       /* Unix seconds, ascending */
    int32_t *offset_s; /* from that moment on */
    int32_t first_s;   /* before all of them */
    bool ruled;        /* after the last one, or always if there is none: */
    struct zone_rule rule;
};

static bool is_word(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

bool zone_name_sound(const char *name, size_t len)
{
    static const char local[] = "localtime";
    if (len == 0 || len > ZONE_NAME_MAX ||
        (len == strlen(local) && memcmp(name, local, len) == 0)) {
        return false;
    }
    bool begins = true; /* a part of the name */
    for (size_t i = 0; i < len; i++) {
        bool mark = name[i] == '_' || name[i] == '+' || name[i] == '-';
        bool slash = name[i] == '/';
        if (begins ? !is_word(name[i]) : !is_word(name[i]) && !mark && !slash) {
            return false;
        }
        begins = slash;
    }
    return !begins;
}

/* --- the file; its numbers are big-endian ---------------------------------------- */

struct block {
    const uint8_t *times;
    const uint8_t *kinds; /* of each time: a number of a type */
    const uint8_t *types; /* six bytes each, of which the first four are the offset */
    size_t time_count;
    size_t type_count;
    size_t time_bytes;
    size_t len; /* header included */
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_time(const struct block *block, size_t i)
{
    const uint8_t *at = block->times + i * block->time_bytes;
    if (block->time_bytes == OLD_TIME_BYTES) {
        return (int32_t)read_u32(at);
    }
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

/* The block whose header is at `data`, its times of `time_bytes` each. */
static int read_block(const uint8_t *data, size_t len, size_t time_bytes,
                      struct block *out, struct err *err)
{
    if (len < HEADER_BYTES || memcmp(data, "TZif", 4) != 0) {
        return err_set(err, ERR_INVALID, "not a time zone file: no TZif header");
    }
    uint64_t counts[6];
    for (size_t i = 0; i < 6; i++) {
        counts[i] = read_u32(data + COUNTS_AT + 4 * i);
    }
    enum { UT, STANDARD, LEAPS, TIMES, TYPES, CHARS };
    uint64_t need = HEADER_BYTES + counts[TIMES] * (time_bytes + 1) +
                    counts[TYPES] * 6 + counts[CHARS] +
                    counts[LEAPS] * (time_bytes + 4) + counts[STANDARD] + counts[UT];
    if (need > len) {
        return err_set(err, ERR_INVALID,
                       "the time zone file is cut short: %llu bytes are announced, "
                       "there are %zu",
                       (unsigned long long)need, len);
    }
    *out = (struct block){
        .times = data + HEADER_BYTES,
        .kinds = data + HEADER_BYTES + counts[TIMES] * time_bytes,
        .types = data + HEADER_BYTES + counts[TIMES] * (time_bytes + 1),
        .time_count = (size_t)counts[TIMES],
        .type_count = (size_t)counts[TYPES],
        .time_bytes = time_bytes,
        .len = (size_t)need,
    };
    if (counts[LEAPS] > 0) {
        return err_set(err, ERR_INVALID,
                       "the zone counts leap seconds, Unix time does not");
    }
    return 0;
}

static bool read_offset(const struct block *block, size_t type, int32_t *offset_s)
{
    if (type >= block->type_count) {
        return false;
    }
    *offset_s = (int32_t)read_u32(block->types + 6 * type);
    return *offset_s >= OFFSET_MIN_S && *offset_s <= OFFSET_MAX_S;
}

static int read_changes(struct zone *zone, const struct block *block, struct err *err)
{
    if (block->type_count > TYPES_MAX || !read_offset(block, 0, &zone->first_s)) {
        return err_set(err, ERR_INVALID, "the time zone file has no sound first type");
    }
    zone->count = block->time_count;
    zone->at = mem_array(zone->count + 1, sizeof *zone->at);
    zone->offset_s = mem_array(zone->count + 1, sizeof *zone->offset_s);
    for (size_t i = 0; i < zone->count; i++) {
        zone->at[i] = read_time(block, i);
        if ((i > 0 && zone->at[i] <= zone->at[i - 1]) ||
            !read_offset(block, block->kinds[i], &zone->offset_s[i])) {
            return err_set(err, ERR_INVALID,
                           "the time zone file's change %zu is not sound", i + 1);
        }
    }
    return 0;
}

/* A line feed, the rule, a line feed. It may be empty: then nothing is known. */
static int read_footer(struct zone *zone, const uint8_t *data, size_t len,
                       struct err *err)
{
    const uint8_t *end = len > 1 ? memchr(data + 1, '\n', len - 1) : NULL;
    if (end == NULL || data[0] != '\n') {
        return err_set(err, ERR_INVALID, "the time zone file has no rule at its end");
    }
    const char *text = (const char *)data + 1;
    size_t text_len = (size_t)(end - data) - 1;
    if (text_len == 0) {
        return 0;
    }
    zone->ruled = true;
    return zone_rule_parse(text, text_len, &zone->rule, err);
}

static int read_zone(struct zone *zone, const uint8_t *data, size_t len,
                     struct err *err)
{
    struct block block;
    int rc = read_block(data, len, OLD_TIME_BYTES, &block, err);
    if (rc != 0 || data[VERSION_AT] == '\0') {
        return rc == 0 ? read_changes(zone, &block, err) : rc;
    }
    const uint8_t *second = data + block.len;
    size_t left = len - block.len;
    rc = read_block(second, left, NEW_TIME_BYTES, &block, err);
    if (rc == 0) {
        rc = read_changes(zone, &block, err);
    }
    return rc == 0 ? read_footer(zone, second + block.len, left - block.len, err) : rc;
}

int zone_parse(const void *data, size_t len, struct zone **out, struct err *err)
{
    *out = NULL;
    if (len > ZONE_FILE_BYTES_MAX) {
        return err_set(err, ERR_INVALID, "a time zone file of more than %d bytes",
                       ZONE_FILE_BYTES_MAX);
    }
    struct zone *zone = mem_zalloc(sizeof *zone);
    int rc = read_zone(zone, data, len, err);
    if (rc != 0) {
        zone_free(zone);
        return rc;
    }
    *out = zone;
    return 0;
}

void zone_free(struct zone *zone)
{
    if (zone != NULL) {
        mem_free(zone->at);
        mem_free(zone->offset_s);
        mem_free(zone);
    }
}

/* --- questions -------------------------------------------------------------------- */

/* How many changes are at or before `at`. */
static size_t changes_until(const struct zone *zone, int64_t at)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->at[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct zone_span zone_span_at(const struct zone *zone, int64_t at)
{
    if (zone == NULL) {
        return (struct zone_span){INT64_MIN, INT64_MAX, 0, 0};
    }
    size_t past = changes_until(zone, at);
    struct zone_span span = {
        .from = past > 0 ? zone->at[past - 1] : INT64_MIN,
        .until = past < zone->count ? zone->at[past] : INT64_MAX,
        .offset_s = past > 0 ? zone->offset_s[past - 1] : zone->first_s,
        .earlier_s = past > 1 ? zone->offset_s[past - 2] : zone->first_s,
    };
    if (past < zone->count || !zone->ruled) {
        return span;
    }
    struct zone_span ruled;
    zone_rule_span(&zone->rule, at, &ruled);
    if (ruled.from > span.from) {
        return ruled;
    }
    /* The rule has said nothing since the last change in the list. */
    span.until = ruled.until;
    return span;
}
