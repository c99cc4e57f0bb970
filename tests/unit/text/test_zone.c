/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/civil.h"
#include "text/zone_file.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void days_are_counted_as_the_calendar_has_them(void **state)
{
    (void)state;
    static const struct {
        struct civil date;
        int64_t days;
        int32_t weekday;
    } rows[] = {
        {{1970, 1, 1}, 0, 4},       {{1969, 12, 31}, -1, 3},
        {{2000, 2, 29}, 11016, 2},  {{2000, 3, 1}, 11017, 3},
        {{2026, 11, 29}, 20786, 0}, {{1, 1, 1}, -719162, 1},
        {{0, 3, 1}, -719468, 3},    {{9999, 12, 31}, 2932896, 5},
        {{-400, 3, 1}, -865565, 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(civil_days(&rows[i].date), rows[i].days);
        struct civil date = civil_of_days(rows[i].days);
        assert_memory_equal(&date, &rows[i].date, sizeof date);
        assert_int_equal(civil_weekday(rows[i].days), rows[i].weekday);
    }
    struct civil before = civil_of_days(-800000);
    for (int64_t day = -799999; day < 800000; day++) {
        struct civil date = civil_of_days(day);
        assert_int_equal(civil_days(&date), day);
        assert_true(date.day == before.day + 1 ||
                    (date.day == 1 &&
                     before.day == civil_month_days(before.year, before.month)));
        before = date;
    }
    assert_int_equal(civil_day_of(-1), -1);
    assert_int_equal(civil_second_of(-1), 86399);
    assert_int_equal(civil_second_of(86400), 0);
}

static void a_name_never_leads_out_of_the_folder(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC",
                                       "Europe/Berlin",
                                       "Etc/GMT+5",
                                       "GMT-0",
                                       "America/Argentina/Buenos_Aires",
                                       "EST5EDT"};
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "../x",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a/",
        "Europe Berlin",
        "localtime",
        "a.b",
        "zone.tab",
        "-x",
        "a/-b",
        "a\\b",
        "\xc3\xa4",
        "_x",
        "x2345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(zone_name_sound(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(zone_name_sound(bad[i], strlen(bad[i])));
        struct zone *zone;
        assert_int_equal(zone_load(bad[i], &zone, NULL), ERR_INVALID);
        assert_null(zone);
    }
    assert_false(zone_name_sound("UTC\0x", 5));
}

static void what_is_no_zone_here_is_told(void **state)
{
    (void)state;
    struct zone *zone;
    struct err err;
    assert_int_equal(zone_load("Europe/Atlantis", &zone, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "there is no time zone 'Europe/Atlantis' in "
                                  "/usr/share/zoneinfo");
    assert_int_equal(zone_load("Europe", &zone, &err), ERR_NOT_FOUND);
    assert_int_equal(zone_load("UTC", &zone, &err), 0);
    assert_null(zone);
}

/* A file of version 2 or more: an empty old block, then `times` with their types, two
 * types (0 s and 3600 s), and the rule. */
static void put_big(struct buf *buf, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0;) {
        buf_put_u8(buf, (uint8_t)(value >> (8 * i)));
    }
}

static void put_header(struct buf *buf, size_t times, size_t leaps)
{
    buf_put(buf, "TZif2", 5);
    buf_put_zeros(buf, 15);
    put_big(buf, 0, 4);
    put_big(buf, 0, 4);
    put_big(buf, leaps, 4);
    put_big(buf, times, 4);
    put_big(buf, 2, 4);
    put_big(buf, 4, 4);
}

static void put_types(struct buf *buf)
{
    put_big(buf, 0, 6);
    put_big(buf, 3600, 4);
    put_big(buf, 0x0100, 2);
    buf_put(buf, "ABC", 4);
}

static struct buf file_of(const int64_t *times, size_t count, const char *rule)
{
    struct buf buf;
    buf_init(&buf);
    put_header(&buf, 0, 0);
    put_types(&buf);
    put_header(&buf, count, 0);
    for (size_t i = 0; i < count; i++) {
        put_big(&buf, (uint64_t)times[i], 8);
    }
    for (size_t i = 0; i < count; i++) {
        buf_put_u8(&buf, (uint8_t)((i + 1) % 2)); /* 3600, 0, 3600 ... */
    }
    put_types(&buf);
    buf_printf(&buf, "\n%s\n", rule);
    return buf;
}

static void the_list_goes_before_the_rule(void **state)
{
    (void)state;
    static const int64_t times[] = {-1000, 5000, 9000};
    struct buf buf = file_of(times, 3, "ABC-1");
    struct zone *zone;
    assert_int_equal(zone_parse(buf.data, buf.len, &zone, NULL), 0);
    static const struct {
        int64_t at;
        struct zone_span span;
    } rows[] = {
        {INT64_MIN, {INT64_MIN, -1000, 0, 0}},   {-1001, {INT64_MIN, -1000, 0, 0}},
        {-1000, {-1000, 5000, 3600, 0}},         {4999, {-1000, 5000, 3600, 0}},
        {5000, {5000, 9000, 0, 3600}},           {9000, {9000, INT64_MAX, 3600, 0}},
        {INT64_MAX, {9000, INT64_MAX, 3600, 0}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct zone_span span = zone_span_at(zone, rows[i].at);
        assert_true(span.from == rows[i].span.from && span.until == rows[i].span.until);
        assert_int_equal(span.offset_s, rows[i].span.offset_s);
        assert_int_equal(span.earlier_s, rows[i].span.earlier_s);
    }
    zone_free(zone);
    buf_close(&buf);
}

/* Whole years by rule alone: how many seconds of 2027 (or from its first change on) are
 * how far from UTC. */
static void rules_are_carried_out_for_ever(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        int64_t at;
        int64_t from;
        int64_t until;
        int32_t offset_s;
    } rows[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1798761600, 1792890000, 1806195600, 3600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1806195600, 1806195600, 1824944400, 7200},
        {"EST5EDT,M3.2.0,M11.1.0", 1805007599, 1793512800, 1805007600, -18000},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1798761600, 1791041400, 1806764400,
         39600},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 1798761600, 1792890000, 1806195600, 0},
        {"NZST-12NZDT,M9.5.0,M4.1.0/3", 1798761600, 1790431200, 1806760800, 46800},
        {"AAA3BBB,J60/0,J300/0", 1709262000, 1709262000, 1729994400, -7200},
        {"AAA3BBB,59/0,299/0", 1709175600, 1709175600, 1729908000, -7200},
        {"EST5EDT,0/0,J365/25", 1798761600, 1798779600, 1798779600, 0}, /* see below */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1806195599, 1792890000, 1806195600, -7200},
        {"UTC0", 5, INT64_MIN, INT64_MAX, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf = file_of(NULL, 0, rows[i].rule);
        struct zone *zone;
        assert_int_equal(zone_parse(buf.data, buf.len, &zone, NULL), 0);
        struct zone_span span = zone_span_at(zone, rows[i].at);
        if (rows[i].from == rows[i].until) { /* summer all year */
            for (int64_t day = 0; day < 800; day++) {
                int64_t at = rows[i].at + day * CIVIL_DAY_S;
                assert_int_equal(zone_span_at(zone, at).offset_s, -14400);
                assert_int_equal(zone_span_at(zone, at).earlier_s, -14400);
            }
        } else if (span.from != rows[i].from || span.until != rows[i].until ||
                   span.offset_s != rows[i].offset_s) {
            fail_msg("%s: [%lld, %lld) %d", rows[i].rule, (long long)span.from,
                     (long long)span.until, span.offset_s);
        }
        zone_free(zone);
        buf_close(&buf);
    }
}

static void files_that_are_not_sound_are_refused(void **state)
{
    (void)state;
    static const int64_t backwards[] = {5, 5};
    static const char *const rules[] = {"CET",
                                        "CET-1CEST",
                                        "C-1",
                                        "CET-25",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M1.1.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,J0,J5",
                                        "CET-1CEST,366,5",
                                        "CET-1CEST,5/168,6",
                                        "CET-1CEST,5,6x",
                                        "<CET-1",
                                        "CET-1:60",
                                        "CET-99999999999999999999"};
    struct zone *zone;
    struct err err;
    struct buf buf = file_of(backwards, 2, "ABC-1");
    assert_int_equal(zone_parse(buf.data, buf.len, &zone, &err), ERR_INVALID);
    buf_close(&buf);
    for (size_t i = 0; i < COUNT(rules); i++) {
        buf = file_of(NULL, 0, rules[i]);
        assert_int_equal(zone_parse(buf.data, buf.len, &zone, &err), ERR_INVALID);
        assert_null(zone);
        buf_close(&buf);
    }
    static const int64_t one[] = {5};
    buf = file_of(one, 1, "ABC-1");
    for (size_t len = 0; len < buf.len; len++) { /* cut anywhere */
        assert_int_equal(zone_parse(buf.data, len, &zone, &err), ERR_INVALID);
    }
    buf_close(&buf);
    buf_init(&buf);
    put_header(&buf, 0, 1);
    put_types(&buf);
    buf_put_zeros(&buf, 8);
    assert_int_equal(zone_parse(buf.data, buf.len, &zone, &err), ERR_INVALID);
    assert_string_equal(err.text, "the zone counts leap seconds, Unix time does not");
    buf_close(&buf);
}

static void zones_of_this_machine_are_what_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t at;
        int32_t offset_s;
    } rows[] = {
        {"Europe/Berlin", 1767225600, 3600},      /* 2026-01-01 */
        {"Europe/Berlin", 1782864000, 7200},      /* 2026-07-01 */
        {"Europe/Berlin", -2500000000, 3600},     /* 1890: 3208 until 1893 */
        {"America/New_York", 4938580800, -14400}, /* 2126-07-01, by the rule */
        {"Asia/Kathmandu", 1767225600, 20700},
        {"Pacific/Chatham", 1767225600, 49500},
        {"Etc/GMT+5", 1767225600, -18000},
        {"Etc/UTC", 1767225600, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct zone *zone;
        assert_int_equal(zone_load(rows[i].name, &zone, NULL), 0);
        int32_t wanted = rows[i].at == -2500000000 ? 3208 : rows[i].offset_s;
        assert_int_equal(zone_span_at(zone, rows[i].at).offset_s, wanted);
        zone_free(zone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_counted_as_the_calendar_has_them),
        cmocka_unit_test(a_name_never_leads_out_of_the_folder),
        cmocka_unit_test(what_is_no_zone_here_is_told),
        cmocka_unit_test(the_list_goes_before_the_rule),
        cmocka_unit_test(rules_are_carried_out_for_ever),
        cmocka_unit_test(files_that_are_not_sound_are_refused),
        cmocka_unit_test(zones_of_this_machine_are_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
