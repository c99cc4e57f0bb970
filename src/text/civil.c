/* SPDX-License-Identifier: Apache-2.0 */
#include "text/civil.h"

#include <stdbool.h>

/* Years are counted from March here, so that the day a leap year has more is its last,
 * and in eras of 400 years, each of which has the same days. */
#define ERA_YEARS   400
#define ERA_DAYS    146097
#define ERA_TO_1970 719468 /* days from 0000-03-01 to 1970-01-01 */

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0 ? 1 : 0);
}

int64_t civil_days(const struct civil *date)
{
    int64_t year = (int64_t)date->year - (date->month <= 2 ? 1 : 0);
    int64_t era = floor_div(year, ERA_YEARS);
    int64_t year_of_era = year - era * ERA_YEARS;
    int64_t month = (date->month + 9) % 12; /* 0 = March */
    int64_t day_of_year = (153 * month + 2) / 5 + date->day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - ERA_TO_1970;
}

struct civil civil_of_days(int64_t days)
{
    days += ERA_TO_1970;
    int64_t era = floor_div(days, ERA_DAYS);
    int64_t day_of_era = days - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) /
        365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 = March */
    struct civil date = {
        .day = (int32_t)(day_of_year - (153 * month + 2) / 5 + 1),
        .month = (int32_t)(month < 10 ? month + 3 : month - 9),
    };
    date.year = (int32_t)(year_of_era + era * ERA_YEARS + (date.month <= 2 ? 1 : 0));
    return date;
}

int32_t civil_month_days(int32_t year, int32_t month)
{
    static const int32_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

int32_t civil_weekday(int64_t days)
{
    int64_t since_thursday = days - floor_div(days, 7) * 7;
    return (int32_t)((since_thursday + 4) % 7);
}

int64_t civil_day_of(int64_t seconds)
{
    return floor_div(seconds, CIVIL_DAY_S);
}

int32_t civil_second_of(int64_t seconds)
{
    return (int32_t)(seconds - civil_day_of(seconds) * CIVIL_DAY_S);
}
