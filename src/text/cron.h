/* SPDX-License-Identifier: Apache-2.0 */
/* Cron lines in the grammar of CTS schedules (spec/cts.md 4.4): are they sound, and
 * when do they fire next?
 *
 * Five fields: minute hour day-of-month month day-of-week. Six: a year after them.
 * Seven: seconds before all. Lists, ranges, steps, names of months and days, L and W in
 * days of the month, L and # in days of the week, and macros such as @hourly. Before
 * the fields `CRON_TZ=Europe/Berlin` or `TZ=...` may name the line's own time zone:
 * that is ours, CTS has no such thing.
 *
 * What a line means is what hashicorp/cronexpr documents:
 *
 * - Days: if day-of-month and day-of-week are both restricted (neither has an entry `*`
 *   or `?`), a day that either names counts; if one is, only that one counts. Every
 *   other day (a step over `*`) restricts.
 * - 15W is the workday (Monday to Friday) nearest to the 15th and in the same month; LW
 *   the last workday, L the last day of the month; 5L its last Friday, 5#3 its third.
 *   A day that a month does not have is left out, not moved.
 * - 0 and 7 are Sunday; a range may end in it: 5-7, fri-sun. Any other range that runs
 *   backwards names nothing.
 * - `5/15` is from 5 to the field's end in steps of 15.
 * - Years are 1970 to 2099; without a year, or with `*`, there is no last one.
 *
 * When local time jumps:
 *
 * - Forwards: a time that does not exist is left out; the line fires when the clock
 *   next shows one of its times.
 * - Backwards: a line that names hours fires once at a time that comes twice, the
 *   first time (cronexpr fires twice). A line of every hour is a rhythm and not a time
 *   of day: it goes on through both passes. */
#ifndef TEXT_CRON_H
#define TEXT_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "text/zone.h"

#define CRON_YEAR_MIN      1970
#define CRON_YEAR_MAX      2099
#define CRON_HORIZON_YEARS 100 /* the rarest day, a fifth Sunday in February: 40 */

/* A line that was read: sets of values, bit n for value n. */
struct cron {
    uint64_t seconds;
    uint64_t minutes;
    uint32_t hours;
    uint32_t months;          /* 1..12 */
    uint32_t days;            /* of the month, 1..31 */
    uint32_t workdays;        /* nearest to this day, 1..31 */
    uint32_t weekdays;        /* 0 = Sunday .. 6 */
    uint32_t last_weekdays;   /* of the month */
    uint32_t nth_weekdays[5]; /* first to fifth of the month */
    bool last_day;            /* of the month */
    bool last_workday;
    bool every_day; /* day-of-month is not restricted */
    bool every_weekday;
    bool every_year;
    uint64_t years[3];            /* bit 0 = CRON_YEAR_MIN */
    char zone[ZONE_NAME_MAX + 1]; /* its own; "": none */
};

/* ERR_INVALID with the reason, in cronexpr's words where it has some. Whether there is
 * such a time zone is not looked up. */
int cron_parse(const char *text, size_t len, struct cron *out, struct err *err);
/* Likewise, only to know. */
int cron_check(const char *text, size_t len, struct err *err);

/* The first moment after `after` (both Unix seconds) at which the line fires in `zone`
 * (NULL: UTC; its own zone is for the caller to find). False: there is none within
 * CRON_HORIZON_YEARS, or `after` is not in the years 1 to 9999. */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after,
               int64_t *next);

#endif
