/* SPDX-License-Identifier: Apache-2.0 */
/* Time zone files, and cron lines in them. The first byte says how many bytes are the
 * line's; the rest are the file's. A stretch holds the moment that was asked for and
 * ends where the next one begins; what cron_next() finds is later than what it was
 * asked from, in order, and is a second that the line names. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/civil.h"
#include "text/cron.h"
#include "text/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_zone(const struct zone *zone)
{
    int64_t at = -4000000000;
    for (int i = 0; i < 1000 && at < 8000000000; i++) {
        struct zone_span span = zone_span_at(zone, at);
        assert(span.from <= at && span.until > at);
        at = span.until;
    }
}

static void walk_line(const struct cron *cron, const struct zone *zone)
{
    int64_t at = 1700000000;
    int64_t next;
    for (int i = 0; i < 20 && cron_next(cron, zone, at, &next); i++) {
        assert(next > at);
        struct zone_span span = zone_span_at(zone, next);
        int32_t second = civil_second_of(next + span.offset_s);
        struct civil date = civil_of_days(civil_day_of(next + span.offset_s));
        assert(cron->seconds >> (second % 60) & 1);
        assert(cron->minutes >> (second / 60 % 60) & 1);
        assert(cron->hours >> (second / 3600) & 1);
        assert(cron->months >> date.month & 1);
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t line_len = data[0] < size ? data[0] : size - 1;
    struct err err;
    struct zone *zone;
    if (zone_parse(data + 1 + line_len, size - 1 - line_len, &zone, &err) == 0) {
        walk_zone(zone);
    }
    struct cron cron;
    if (cron_parse((const char *)data + 1, line_len, &cron, &err) == 0) {
        walk_line(&cron, zone);
    }
    zone_free(zone);
    return 0;
}
