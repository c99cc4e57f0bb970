/* SPDX-License-Identifier: Apache-2.0 */
/* Is this a cron line in the grammar of CTS schedules (spec/cts.md 4.4)?
 *
 * Five fields: minute hour day-of-month month day-of-week. Six: a year after them.
 * Seven: seconds before all. Lists, ranges, steps, names of months and days, L and W in
 * days of the month, L and # in days of the week, and macros such as @hourly. */
#ifndef TEXT_CRON_H
#define TEXT_CRON_H

#include <stddef.h>

#include "base/err.h"

/* ERR_INVALID with the reason. */
int cron_check(const char *text, size_t len, struct err *err);

#endif
