/* SPDX-License-Identifier: Apache-2.0 */
/* When cron lines fire. Moments are written as in the zone's local time with its offset
 * from UTC, so that a row reads as a clock on the wall shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "text/civil.h"
#include "text/cron.h"
#include "text/zone_file.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define STEPS_MAX   5

/* "2013-01-01 00:00:59 +01:30" in Unix seconds. */
static int64_t moment(const char *text)
{
    struct civil date;
    int hour;
    int minute;
    int second;
    char sign;
    int off_hour;
    int off_minute;
    assert_int_equal(sscanf(text, "%d-%d-%d %d:%d:%d %c%d:%d", &date.year, &date.month,
                            &date.day, &hour, &minute, &second, &sign, &off_hour,
                            &off_minute),
                     9);
    int offset = (off_hour * 60 + off_minute) * 60;
    return civil_days(&date) * CIVIL_DAY_S + hour * 3600 + minute * 60 + second -
           (sign == '-' ? -offset : offset);
}

static const char *shown(int64_t at, const struct zone *zone, char text[64])
{
    int32_t offset = zone_span_at(zone, at).offset_s;
    struct civil date = civil_of_days(civil_day_of(at + offset));
    int32_t second = civil_second_of(at + offset);
    int32_t size = offset < 0 ? -offset : offset;
    snprintf(text, 64, "%04d-%02d-%02d %02d:%02d:%02d %c%02d:%02d", date.year,
             date.month, date.day, second / 3600, second / 60 % 60, second % 60,
             offset < 0 ? '-' : '+', size / 3600, size / 60 % 60);
    return text;
}

/* Each moment is the next one after the one before it; "" = there is none. */
struct row {
    const char *line;
    const char *times[STEPS_MAX];
};

static void check_rows(const struct row *rows, size_t count, const char *name)
{
    struct zone *zone;
    assert_int_equal(zone_load(name, &zone, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        struct cron cron;
        assert_int_equal(cron_parse(rows[i].line, strlen(rows[i].line), &cron, NULL),
                         0);
        for (size_t at = 0; at + 1 < STEPS_MAX && rows[i].times[at + 1] != NULL; at++) {
            int64_t next;
            char text[64] = "";
            if (cron_next(&cron, zone, moment(rows[i].times[at]), &next)) {
                shown(next, zone, text);
            }
            if (strcmp(text, rows[i].times[at + 1]) != 0) {
                fail_msg("%s: %s after %s: wanted %s, got %s", name, rows[i].line,
                         rows[i].times[at], rows[i].times[at + 1], text);
            }
        }
    }
    zone_free(zone);
}

#define CHECK_ROWS(rows, zone) check_rows(rows, COUNT(rows), zone)

static void fields_and_their_lists(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"* * * * * * *",
         {"2013-01-01 00:00:59 +00:00", "2013-01-01 00:01:00 +00:00",
          "2013-01-01 00:01:01 +00:00"}},
        {"* * * * * * *", {"2016-02-28 23:59:59 +00:00", "2016-02-29 00:00:00 +00:00"}},
        {"*/10 * * * * * *",
         {"2012-12-31 23:59:59 +00:00", "2013-01-01 00:00:00 +00:00",
          "2013-01-01 00:00:10 +00:00"}},
        {"* * * * *", {"2013-01-01 00:00:00 +00:00", "2013-01-01 00:01:00 +00:00"}},
        {"15-30/4,55 * * * *",
         {"2013-01-01 00:16:00 +00:00", "2013-01-01 00:19:00 +00:00",
          "2013-01-01 00:23:00 +00:00", "2013-01-01 00:27:00 +00:00",
          "2013-01-01 00:55:00 +00:00"}},
        {"5/25 3 * * *",
         {"2013-02-28 03:30:00 +00:00", "2013-02-28 03:55:00 +00:00",
          "2013-03-01 03:05:00 +00:00"}},
        {"30 5 10 20 feb,JUNE,7 ? *",
         {"2013-02-20 10:05:30 +00:00", "2013-06-20 10:05:30 +00:00",
          "2013-07-20 10:05:30 +00:00", "2014-02-20 10:05:30 +00:00"}},
        {"59 59 23 31 12 * 2098-2099",
         {"2026-01-01 00:00:00 +00:00", "2098-12-31 23:59:59 +00:00",
          "2099-12-31 23:59:59 +00:00", ""}},
        {"@hourly", {"2013-12-31 23:00:00 +00:00", "2014-01-01 00:00:00 +00:00"}},
        {"@daily", {"2013-12-31 00:00:00 +00:00", "2014-01-01 00:00:00 +00:00"}},
        {"@weekly", {"2013-12-31 00:00:00 +00:00", "2014-01-05 00:00:00 +00:00"}},
        {"@monthly", {"2013-11-30 00:00:00 +00:00", "2013-12-01 00:00:00 +00:00"}},
        {"@yearly", {"2013-01-01 00:00:00 +00:00", "2014-01-01 00:00:00 +00:00"}},
        {"@annually", {"2013-12-31 23:59:59 +00:00", "2014-01-01 00:00:00 +00:00"}},
    };
    CHECK_ROWS(rows, "UTC");
}

static void days_of_the_month_and_of_the_week(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* both restricted: either; one: that one */
        {"0 0 13 * fri",
         {"2013-09-06 00:00:00 +00:00", "2013-09-13 00:00:00 +00:00",
          "2013-09-20 00:00:00 +00:00", "2013-09-27 00:00:00 +00:00",
          "2013-10-04 00:00:00 +00:00"}},
        {"0 0 13 * *", {"2013-09-13 00:00:00 +00:00", "2013-10-13 00:00:00 +00:00"}},
        {"0 0 13,* * fri",
         {"2013-09-13 00:00:00 +00:00", "2013-09-20 00:00:00 +00:00"}},
        {"0 0 */15 * ?",
         {"2013-02-01 00:00:00 +00:00", "2013-02-16 00:00:00 +00:00",
          "2013-03-01 00:00:00 +00:00", "2013-03-16 00:00:00 +00:00",
          "2013-03-31 00:00:00 +00:00"}},
        /* Sunday at either end */
        {"0 0 * * 5-7",
         {"2013-01-01 00:00:00 +00:00", "2013-01-04 00:00:00 +00:00",
          "2013-01-05 00:00:00 +00:00", "2013-01-06 00:00:00 +00:00",
          "2013-01-11 00:00:00 +00:00"}},
        {"0 0 * * fri-sun",
         {"2013-01-05 12:00:00 +00:00", "2013-01-06 00:00:00 +00:00"}},
        {"0 0 * * fri-0", {"2013-01-05 12:00:00 +00:00", "2013-01-06 00:00:00 +00:00"}},
        {"0 0 * * 5-7/2", {"2013-01-04 12:00:00 +00:00", "2013-01-06 00:00:00 +00:00"}},
        {"0 0 * * 7-1",
         {"2013-01-08 12:00:00 +00:00", "2013-01-13 00:00:00 +00:00",
          "2013-01-14 00:00:00 +00:00", "2013-01-20 00:00:00 +00:00"}},
        {"0 0 * * 0-0", {"2013-01-08 12:00:00 +00:00", "2013-01-13 00:00:00 +00:00"}},
        {"0 0 * * 7/3",
         {"2013-01-06 00:00:00 +00:00", "2013-01-09 00:00:00 +00:00",
          "2013-01-12 00:00:00 +00:00", "2013-01-13 00:00:00 +00:00"}},
        {"0 0 * * 0-7", {"2013-01-08 12:00:00 +00:00", "2013-01-09 00:00:00 +00:00"}},
        /* L, W, # */
        {"0 0 L * *",
         {"2014-01-31 00:00:00 +00:00", "2014-02-28 00:00:00 +00:00",
          "2014-03-31 00:00:00 +00:00"}},
        {"0 0 L 2 *", {"2015-03-01 00:00:00 +00:00", "2016-02-29 00:00:00 +00:00"}},
        {"0 0 LW * *",
         {"2013-09-02 00:00:00 +00:00", "2013-09-30 00:00:00 +00:00",
          "2013-10-31 00:00:00 +00:00", "2013-11-29 00:00:00 +00:00"}},
        {"0 0 14W * *",
         {"2013-03-31 00:00:00 +00:00", "2013-04-15 00:00:00 +00:00",
          "2013-05-14 00:00:00 +00:00"}},
        {"0 0 1W 6 *", {"2013-01-01 00:00:00 +00:00", "2013-06-03 00:00:00 +00:00"}},
        {"0 0 30W * *",
         {"2013-01-31 00:00:00 +00:00", "2013-03-29 00:00:00 +00:00",
          "2013-04-30 00:00:00 +00:00", "2013-05-30 00:00:00 +00:00",
          "2013-06-28 00:00:00 +00:00"}},
        {"0 0 * * 5L",
         {"2013-08-30 00:00:00 +00:00", "2013-09-27 00:00:00 +00:00",
          "2013-10-25 00:00:00 +00:00"}},
        {"0 0 * * 7L", {"2013-08-30 00:00:00 +00:00", "2013-09-29 00:00:00 +00:00"}},
        {"0 0 * * 6#5",
         {"2013-09-02 08:44:30 +00:00", "2013-11-30 00:00:00 +00:00",
          "2014-03-29 00:00:00 +00:00", "2014-05-31 00:00:00 +00:00"}},
        {"0 0 * * mon#1,3#2",
         {"2013-09-01 00:00:00 +00:00", "2013-09-02 00:00:00 +00:00",
          "2013-09-11 00:00:00 +00:00", "2013-10-07 00:00:00 +00:00"}},
        /* rare days, and days that never come */
        {"0 0 29 2 *",
         {"2013-08-30 00:00:00 +00:00", "2016-02-29 00:00:00 +00:00",
          "2020-02-29 00:00:00 +00:00"}},
        {"0 0 29 2 *", {"2096-03-01 00:00:00 +00:00", "2104-02-29 00:00:00 +00:00"}},
        {"0 0 * 2 sun#5",
         {"2026-01-01 00:00:00 +00:00", "2032-02-29 00:00:00 +00:00",
          "2060-02-29 00:00:00 +00:00", "2088-02-29 00:00:00 +00:00",
          "2128-02-29 00:00:00 +00:00"}},
        {"0 0 30 2 *", {"2026-01-01 00:00:00 +00:00", ""}},
        {"0 0 31 4,6,9,11 *", {"2026-01-01 00:00:00 +00:00", ""}},
        {"0 0 1 1 * 1980", {"2013-08-31 00:00:00 +00:00", ""}},
        {"5-1 * * * *", {"2026-01-01 00:00:00 +00:00", ""}},
        {"0 0 * * 5-3", {"2026-01-01 00:00:00 +00:00", ""}},
        {"59 59 23 31 12 * *",
         {"9999-12-31 23:59:58 +00:00", "9999-12-31 23:59:59 +00:00"}},
    };
    CHECK_ROWS(rows, "UTC");
}

static void a_time_that_does_not_exist_is_left_out(void **state)
{
    (void)state;
    static const struct row los_angeles[] = {
        {"0 2 * * * 2019",
         {"2019-03-09 01:00:00 -08:00", "2019-03-09 02:00:00 -08:00",
          "2019-03-11 02:00:00 -07:00", "2019-03-12 02:00:00 -07:00"}},
        {"59 2 * * *", {"2019-03-09 02:59:00 -08:00", "2019-03-11 02:59:00 -07:00"}},
        {"0 1 * * *",
         {"2019-03-09 01:00:00 -08:00", "2019-03-10 01:00:00 -08:00",
          "2019-03-11 01:00:00 -07:00"}},
        {"0 3 * * *", {"2019-03-09 03:00:00 -08:00", "2019-03-10 03:00:00 -07:00"}},
        {"0 */2 * * *", {"2019-03-10 00:00:00 -08:00", "2019-03-10 04:00:00 -07:00"}},
        {"30 * * * *", {"2019-03-10 01:30:00 -08:00", "2019-03-10 03:30:00 -07:00"}},
        {"*/20 * * * *", {"2019-03-10 01:40:00 -08:00", "2019-03-10 03:00:00 -07:00"}},
        {"0 0 L 3 *", {"2019-03-10 01:40:00 -08:00", "2019-03-31 00:00:00 -07:00"}},
    };
    static const struct row berlin[] = {
        {"30 2 * * *", {"2026-03-28 02:30:00 +01:00", "2026-03-30 02:30:00 +02:00"}},
        {"0 3 29 3 *", {"2026-01-01 00:00:00 +01:00", "2026-03-29 03:00:00 +02:00"}},
    };
    /* Midnight itself, and a whole day, can be missing. */
    static const struct row sao_paulo[] = {
        {"@daily", {"2018-11-03 00:00:00 -03:00", "2018-11-05 00:00:00 -02:00"}},
    };
    static const struct row apia[] = {
        {"0 12 * * *", {"2011-12-29 12:00:00 -10:00", "2011-12-31 12:00:00 +14:00"}},
    };
    /* Half an hour. */
    static const struct row lord_howe[] = {
        {"15 2 * * *", {"2025-10-04 02:15:00 +10:30", "2025-10-06 02:15:00 +11:00"}},
        {"30 2 * * *", {"2025-10-04 02:30:00 +10:30", "2025-10-05 02:30:00 +11:00"}},
        {"*/15 * * * *", {"2025-10-05 01:45:00 +10:30", "2025-10-05 02:30:00 +11:00"}},
    };
    CHECK_ROWS(los_angeles, "America/Los_Angeles");
    CHECK_ROWS(berlin, "Europe/Berlin");
    CHECK_ROWS(sao_paulo, "America/Sao_Paulo");
    CHECK_ROWS(apia, "Pacific/Apia");
    CHECK_ROWS(lord_howe, "Australia/Lord_Howe");
}

static void a_time_that_comes_twice_fires_once(void **state)
{
    (void)state;
    static const struct row los_angeles[] = {
        {"30 1 * * *",
         {"2019-11-03 00:00:00 -07:00", "2019-11-03 01:30:00 -07:00",
          "2019-11-04 01:30:00 -08:00"}},
        {"30 1 * * *", {"2019-11-03 01:40:00 -07:00", "2019-11-04 01:30:00 -08:00"}},
        {"30 1 * * *", {"2019-11-03 01:10:00 -08:00", "2019-11-04 01:30:00 -08:00"}},
        {"30 0 * * *", {"2019-11-02 00:30:00 -07:00", "2019-11-03 00:30:00 -07:00"}},
        {"0 2 * * *",
         {"2019-11-03 00:00:00 -07:00", "2019-11-03 02:00:00 -08:00",
          "2019-11-04 02:00:00 -08:00"}},
        {"*/30 1,3 * * *",
         {"2019-11-03 01:00:00 -07:00", "2019-11-03 01:30:00 -07:00",
          "2019-11-03 03:00:00 -08:00"}},
        /* a rhythm goes on */
        {"30 * * * *",
         {"2019-11-03 00:30:00 -07:00", "2019-11-03 01:30:00 -07:00",
          "2019-11-03 01:30:00 -08:00", "2019-11-03 02:30:00 -08:00"}},
        {"*/40 * * * *",
         {"2019-11-03 01:40:00 -07:00", "2019-11-03 01:00:00 -08:00",
          "2019-11-03 01:40:00 -08:00", "2019-11-03 02:00:00 -08:00"}},
    };
    static const struct row lord_howe[] = {
        {"45 1 * * *",
         {"2026-04-05 01:00:00 +11:00", "2026-04-05 01:45:00 +11:00",
          "2026-04-06 01:45:00 +10:30"}},
        {"15 1,2 * * *",
         {"2026-04-05 01:00:00 +11:00", "2026-04-05 01:15:00 +11:00",
          "2026-04-05 02:15:00 +10:30"}},
    };
    static const struct row dublin[] = {
        /* its winter is what the rule calls summer */
        {"30 1 * * *",
         {"2026-10-24 01:30:00 +01:00", "2026-10-25 01:30:00 +01:00",
          "2026-10-26 01:30:00 +00:00"}},
        {"30 1 * * *", {"2026-03-28 01:30:00 +00:00", "2026-03-30 01:30:00 +01:00"}},
    };
    CHECK_ROWS(los_angeles, "America/Los_Angeles");
    CHECK_ROWS(lord_howe, "Australia/Lord_Howe");
    CHECK_ROWS(dublin, "Europe/Dublin");
}

static void offsets_of_every_kind(void **state)
{
    (void)state;
    static const struct row kathmandu[] = {
        {"0 0 * * *", {"2026-01-01 00:00:00 +05:45", "2026-01-02 00:00:00 +05:45"}},
        {"@hourly", {"2026-01-01 00:59:59 +05:45", "2026-01-01 01:00:00 +05:45"}},
    };
    static const struct row chatham[] = {
        {"0 3 * * *",
         {"2026-04-04 03:00:00 +13:45", "2026-04-05 03:00:00 +13:45",
          "2026-04-06 03:00:00 +12:45"}},
    };
    /* Long past what the file lists: the rule at its end. */
    static const struct row far[] = {
        {"30 2 * * *", {"2099-03-28 02:30:00 +01:00", "2099-03-30 02:30:00 +02:00"}},
        {"30 2 25 10 *",
         {"2099-01-01 00:00:00 +01:00", "2099-10-25 02:30:00 +02:00",
          "2100-10-25 02:30:00 +02:00"}},
        {"0 12 29 2 *", {"2399-01-01 00:00:00 +01:00", "2400-02-29 12:00:00 +01:00"}},
        {"30 2 29 3 * 2026", {"2026-01-01 00:00:00 +01:00", ""}},
    };
    CHECK_ROWS(kathmandu, "Asia/Kathmandu");
    CHECK_ROWS(chatham, "Pacific/Chatham");
    CHECK_ROWS(far, "Europe/Berlin");
}

static void a_line_may_name_its_zone(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *zone;
        const char *error;
    } rows[] = {
        {"0 3 * * *", "", NULL},
        {"CRON_TZ=Europe/Berlin 0 3 * * *", "Europe/Berlin", NULL},
        {"  TZ=Etc/GMT+5\t@daily", "Etc/GMT+5", NULL},
        {"TZ=UTC 0 0 3 * * * *", "UTC", NULL},
        {"TZ=UTC 3 * * *", "", "missing field(s)"},
        {"TZ=UTC", "", "missing field(s)"},
        {"TZ= 0 3 * * *", "", "not a name of a time zone: ''"},
        {"TZ=../../etc/passwd 0 3 * * *", "",
         "not a name of a time zone: '../../etc/passwd'"},
        {"CRON_TZ=/etc/localtime 0 3 * * *", "",
         "not a name of a time zone: '/etc/localtime'"},
        {"0 TZ=UTC 3 * *", "", "syntax error in hour field: 'TZ=UTC'"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cron cron;
        struct err err;
        int rc = cron_parse(rows[i].line, strlen(rows[i].line), &cron, &err);
        assert_int_equal(rc, rows[i].error == NULL ? 0 : ERR_INVALID);
        if (rc == 0) {
            assert_string_equal(cron.zone, rows[i].zone);
        } else {
            assert_string_equal(err.text, rows[i].error);
        }
    }
}

static void moments_out_of_the_calendar_have_no_next(void **state)
{
    (void)state;
    struct cron cron;
    int64_t next;
    assert_int_equal(cron_parse("* * * * *", 9, &cron, NULL), 0);
    assert_false(cron_next(&cron, NULL, INT64_MAX, &next));
    assert_false(cron_next(&cron, NULL, INT64_MIN, &next));
    assert_true(cron_next(&cron, NULL, -1, &next));
    assert_int_equal(next, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_their_lists),
        cmocka_unit_test(days_of_the_month_and_of_the_week),
        cmocka_unit_test(a_time_that_does_not_exist_is_left_out),
        cmocka_unit_test(a_time_that_comes_twice_fires_once),
        cmocka_unit_test(offsets_of_every_kind),
        cmocka_unit_test(a_line_may_name_its_zone),
        cmocka_unit_test(moments_out_of_the_calendar_have_no_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
