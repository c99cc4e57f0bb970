/* SPDX-License-Identifier: Apache-2.0 */
/* Days of the Gregorian calendar as numbers, before and after it was introduced. Years
 * are those of int32_t and less: -100000 to 100000. */
#ifndef TEXT_CIVIL_H
#define TEXT_CIVIL_H

#include <stdint.h>

#define CIVIL_DAY_S 86400

struct civil {
    int32_t year;
    int32_t month; /* 1..12 */
    int32_t day;   /* 1..31 */
};

/* Days since 1970-01-01. */
int64_t civil_days(const struct civil *date);
struct civil civil_of_days(int64_t days);

int32_t civil_month_days(int32_t year, int32_t month); /* 28..31 */
int32_t civil_weekday(int64_t days);                   /* 0 = Sunday .. 6 */

/* The day and the second of it that a count of seconds since 1970-01-01T00:00 is in. */
int64_t civil_day_of(int64_t seconds);
int32_t civil_second_of(int64_t seconds); /* 0..86399 */

#endif
