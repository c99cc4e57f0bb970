/* SPDX-License-Identifier: Apache-2.0 */
#include "text/zone_rule.h"

#include <string.h>

#include "text/civil.h"

#define HOUR_S          3600
#define OFFSET_HOURS    24
#define TIME_HOURS      167 /* of what follows a slash; POSIX knows 24 */
#define CHANGE_STANDARD 7200
#define SHOWN_MAX       64

/* What is left of the text. Its error is sticky, as a struct cursor's. */
struct reader {
    const char *at;
    const char *end;
    bool failed;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static char peek(const struct reader *reader)
{
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char byte)
{
    if (reader->at == reader->end || *reader->at != byte) {
        return false;
    }
    reader->at++;
    return true;
}

static void need(struct reader *reader, char byte)
{
    reader->failed = !take(reader, byte) || reader->failed;
}

static int32_t read_number(struct reader *reader, int32_t min, int32_t max)
{
    int32_t value = 0;
    bool any = false;
    while (is_digit(peek(reader)) && value <= max) {
        value = value * 10 + (*reader->at++ - '0');
        any = true;
    }
    reader->failed = reader->failed || !any || value < min || value > max;
    return value;
}

/* Three letters or more, or anything of letters, digits and signs in angle brackets. */
static void skip_name(struct reader *reader)
{
    const char *from = reader->at;
    if (take(reader, '<')) {
        while (is_letter(peek(reader)) || is_digit(peek(reader)) ||
               peek(reader) == '+' || peek(reader) == '-') {
            reader->at++;
        }
        need(reader, '>');
        return;
    }
    while (is_letter(peek(reader))) {
        reader->at++;
    }
    reader->failed = reader->failed || reader->at - from < 3;
}

/* [+-]h[:mm[:ss]] in seconds. */
static int32_t read_seconds(struct reader *reader, int32_t hours_max)
{
    int32_t sign = take(reader, '-') ? -1 : 1;
    if (sign == 1) {
        take(reader, '+');
    }
    int32_t value = read_number(reader, 0, hours_max) * HOUR_S;
    if (take(reader, ':')) {
        value += read_number(reader, 0, 59) * 60;
        if (take(reader, ':')) {
            value += read_number(reader, 0, 59);
        }
    }
    return sign * value;
}

static void read_date(struct reader *reader, struct zone_rule_date *date)
{
    need(reader, ',');
    if (take(reader, 'M')) {
        date->kind = ZONE_RULE_WEEKDAY;
        date->month = read_number(reader, 1, 12);
        need(reader, '.');
        date->week = read_number(reader, 1, 5);
        need(reader, '.');
        date->day = read_number(reader, 0, 6);
    } else if (take(reader, 'J')) {
        date->kind = ZONE_RULE_JULIAN;
        date->day = read_number(reader, 1, 365);
    } else {
        date->kind = ZONE_RULE_ORDINAL;
        date->day = read_number(reader, 0, 365);
    }
    date->at_s = take(reader, '/') ? read_seconds(reader, TIME_HOURS) : CHANGE_STANDARD;
}

int zone_rule_parse(const char *text, size_t len, struct zone_rule *out,
                    struct err *err)
{
    struct reader reader = {.at = text, .end = text + len};
    *out = (struct zone_rule){0};
    skip_name(&reader);
    out->standard_s = -read_seconds(&reader, OFFSET_HOURS);
    if (!reader.failed && reader.at < reader.end) {
        out->changes = true;
        skip_name(&reader);
        out->summer_s = out->standard_s + HOUR_S;
        if (peek(&reader) != ',') {
            out->summer_s = -read_seconds(&reader, OFFSET_HOURS);
        }
        read_date(&reader, &out->begin);
        read_date(&reader, &out->end);
    }
    if (reader.failed || reader.at != reader.end) {
        return err_set(err, ERR_INVALID, "not a rule of a time zone: '%.*s'",
                       (int)(len < SHOWN_MAX ? len : SHOWN_MAX), text);
    }
    return 0;
}

/* --- the moments of a year ----------------------------------------------------------
 */

static int64_t date_day(const struct zone_rule_date *date, int32_t year)
{
    struct civil first = {year, 1, 1};
    if (date->kind == ZONE_RULE_ORDINAL) {
        return civil_days(&first) + date->day;
    }
    if (date->kind == ZONE_RULE_JULIAN) {
        bool behind = civil_month_days(year, 2) == 29 && date->day >= 60;
        return civil_days(&first) + date->day - 1 + (behind ? 1 : 0);
    }
    first.month = date->month;
    int64_t begin = civil_days(&first);
    int32_t day = (date->day - civil_weekday(begin) + 7) % 7 + 7 * (date->week - 1);
    return begin + (day < civil_month_days(year, date->month) ? day : day - 7);
}

static int64_t date_moment(const struct zone_rule_date *date, int32_t year,
                           int32_t offset_s)
{
    return date_day(date, year) * CIVIL_DAY_S + date->at_s - offset_s;
}

struct moment {
    int64_t at;
    int32_t offset_s; /* from then on */
};

#define MOMENTS 6 /* two a year, of a year, the one before and the one after */

/* In order of time. Of two at one moment the beginning of summer is the later one, so
 * that summer which ends as the next one begins is one. */
static void moments_around(const struct zone_rule *rule, int32_t year,
                           struct moment moments[MOMENTS])
{
    for (int32_t i = 0; i < MOMENTS / 2; i++) {
        int32_t of = year - 1 + i;
        struct moment end = {date_moment(&rule->end, of, rule->summer_s),
                             rule->standard_s};
        struct moment begin = {date_moment(&rule->begin, of, rule->standard_s),
                               rule->summer_s};
        moments[2 * i] = end;
        moments[2 * i + 1] = begin;
    }
    for (size_t i = 1; i < MOMENTS; i++) { /* insertion: stable, and nearly in order */
        struct moment moment = moments[i];
        size_t at = i;
        for (; at > 0 && moments[at - 1].at > moment.at; at--) {
            moments[at] = moments[at - 1];
        }
        moments[at] = moment;
    }
}

void zone_rule_span(const struct zone_rule *rule, int64_t at, struct zone_span *out)
{
    *out = (struct zone_span){INT64_MIN, INT64_MAX, rule->standard_s, rule->standard_s};
    /* Past what an int32_t of years holds nothing changes any more. */
    const int64_t far = (int64_t)100000 * 366 * CIVIL_DAY_S;
    if (!rule->changes || at > far || at < -far) {
        return;
    }
    struct moment moments[MOMENTS];
    moments_around(rule, civil_of_days(civil_day_of(at)).year, moments);
    for (size_t i = 0; i < MOMENTS; i++) {
        if (moments[i].at > at) {
            out->until = moments[i].at;
            return;
        }
        if (moments[i].at != out->from) {
            out->earlier_s = i > 0 ? moments[i - 1].offset_s : moments[i].offset_s;
        }
        out->from = moments[i].at;
        out->offset_s = moments[i].offset_s;
    }
}
