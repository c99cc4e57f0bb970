/* SPDX-License-Identifier: Apache-2.0 */
/* Time is walked in the stretches in which the zone's offset stands still: within one,
 * local time is a plain calendar. A stretch is left by its end in local time, so a time
 * that a jump forwards leaves out is found in none; after a jump backwards the search
 * begins where the stretch before had come to, so a time that comes twice is found
 * once. */
#include "text/cron.h"

#include "text/civil.h"

#define HOURS_ALL 0xffffffu
#define AFTER_MIN (-62135596800) /* 0001-01-01T00:00:00 */
#define AFTER_MAX 253402300799   /* 9999-12-31T23:59:59 */
#define HORIZON_S ((int64_t)CRON_HORIZON_YEARS * 366 * CIVIL_DAY_S)
#define HOUR_S    3600
#define SATURDAY  6

/* The lowest member of `set` that is at least `from`, or -1. */
static int set_from(uint64_t set, int from)
{
    uint64_t rest = from < 64 ? set >> from << from : 0;
    return rest != 0 ? __builtin_ctzll(rest) : -1;
}

static bool in_year(const struct cron *cron, int32_t year)
{
    if (cron->every_year) {
        return true;
    }
    int32_t bit = year - CRON_YEAR_MIN;
    return year >= CRON_YEAR_MIN && year <= CRON_YEAR_MAX &&
           (cron->years[bit / 64] >> (bit % 64) & 1) != 0;
}

/* --- days of a month -------------------------------------------------------------- */

struct month {
    int32_t days;  /* 28..31 */
    int32_t first; /* weekday of the 1st */
};

static int32_t weekday_of(const struct month *month, int32_t day)
{
    return (month->first + day - 1) % 7;
}

/* Monday to Friday stay; Saturday goes back and Sunday forth, unless that would leave
 * the month. */
static int32_t workday_near(const struct month *month, int32_t day)
{
    int32_t weekday = weekday_of(month, day);
    if (weekday == SATURDAY) {
        return day > 1 ? day - 1 : day + 2;
    }
    if (weekday == 0) {
        return day < month->days ? day + 1 : day - 2;
    }
    return day;
}

static uint32_t days_by_date(const struct cron *cron, const struct month *month)
{
    uint32_t named = cron->days;
    if (cron->last_day) {
        named |= (uint32_t)1 << month->days;
    }
    if (cron->last_workday) {
        named |= (uint32_t)1 << workday_near(month, month->days);
    }
    for (int day = set_from(cron->workdays, 1); day > 0 && day <= month->days;
         day = set_from(cron->workdays, day + 1)) {
        named |= (uint32_t)1 << workday_near(month, day);
    }
    return named;
}

static uint32_t days_by_weekday(const struct cron *cron, const struct month *month)
{
    uint32_t named = 0;
    for (int32_t day = 1; day <= month->days; day++) {
        int32_t weekday = weekday_of(month, day);
        uint32_t sets = cron->weekdays | cron->nth_weekdays[(day - 1) / 7];
        if (day + 7 > month->days) {
            sets |= cron->last_weekdays;
        }
        named |= (sets >> weekday & 1) << day;
    }
    return named;
}

/* Bit n: the line fires on day n of this month. */
static uint32_t month_days(const struct cron *cron, const struct civil *date)
{
    struct civil first = {date->year, date->month, 1};
    struct month month = {civil_month_days(date->year, date->month),
                          civil_weekday(civil_days(&first))};
    uint32_t all = (uint32_t)(((uint64_t)2 << month.days) - 2);
    if (!in_year(cron, date->year) || (cron->months >> date->month & 1) == 0) {
        return 0;
    }
    if (cron->every_day && cron->every_weekday) {
        return all;
    }
    uint32_t named = cron->every_day ? 0 : days_by_date(cron, &month);
    named |= cron->every_weekday ? 0 : days_by_weekday(cron, &month);
    return named & all;
}

/* --- the next one on a plain calendar -----------------------------------------------
 */

/* The first second of a day that is at least `from` at which the line fires, or -1. */
static int32_t second_from(const struct cron *cron, int32_t from)
{
    int hour = set_from(cron->hours, from / HOUR_S);
    int minute = hour == from / HOUR_S ? from / 60 % 60 : 0;
    int second = hour == from / HOUR_S ? from % 60 : 0;
    while (hour >= 0) {
        int found = set_from(cron->minutes, minute);
        int at = set_from(cron->seconds, found == minute ? second : 0);
        if (found >= 0 && at < 0) { /* not in what is left of this minute */
            found = set_from(cron->minutes, found + 1);
            at = set_from(cron->seconds, 0);
        }
        if (found >= 0 && at >= 0) {
            return hour * HOUR_S + found * 60 + at;
        }
        hour = set_from(cron->hours, hour + 1);
        minute = second = 0;
    }
    return -1;
}

/* The first local second in [from, until) at which the line fires. */
static bool local_next(const struct cron *cron, int64_t from, int64_t until,
                       int64_t *next)
{
    int64_t day = civil_day_of(from);
    int32_t second = second_from(cron, civil_second_of(from));
    int32_t midnight = second_from(cron, 0);
    if (midnight < 0) {
        return false; /* at no second of any day */
    }
    if (second < 0) {
        day++;
        second = midnight;
    }
    while (day * CIVIL_DAY_S < until) {
        struct civil date = civil_of_days(day);
        int found = set_from(month_days(cron, &date), date.day);
        if (found > 0) {
            second = found == date.day ? second : midnight;
            *next = (day + found - date.day) * CIVIL_DAY_S + second;
            return *next < until;
        }
        day += civil_month_days(date.year, date.month) - date.day + 1;
        second = midnight;
    }
    return false;
}

bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after,
               int64_t *next)
{
    if (after < AFTER_MIN || after > AFTER_MAX) {
        return false;
    }
    bool rhythm = cron->hours == HOURS_ALL;
    int64_t horizon = after + HORIZON_S;
    for (int64_t at = after + 1; at < horizon;) {
        struct zone_span span = zone_span_at(zone, at);
        int64_t from = at + span.offset_s;
        int64_t until = (span.until < horizon ? span.until : horizon) + span.offset_s;
        if (!rhythm && span.from > AFTER_MIN && span.from + span.earlier_s > from) {
            from = span.from + span.earlier_s;
        }
        int64_t local;
        if (local_next(cron, from, until, &local)) {
            *next = local - span.offset_s;
            return true;
        }
        at = span.until;
    }
    return false;
}
