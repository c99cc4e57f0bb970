/* SPDX-License-Identifier: Apache-2.0 */
/* The POSIX rule of a time zone, "CET-1CEST,M3.5.0,M10.5.0/3" (RFC 8536 3.3): when
 * summer time begins and ends in each year, for ever. Private to text/zone. */
#ifndef TEXT_ZONE_RULE_H
#define TEXT_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "text/zone.h"

enum zone_rule_day {
    ZONE_RULE_JULIAN,  /* Jn: 1..365, the 29th of February is never counted */
    ZONE_RULE_ORDINAL, /* n: 0..365, it is */
    ZONE_RULE_WEEKDAY, /* Mm.w.d */
};

struct zone_rule_date {
    enum zone_rule_day kind;
    int32_t day;   /* of the year, or of the week (0 = Sunday) */
    int32_t week;  /* 1..5, 5 = the last of its kind in the month */
    int32_t month; /* 1..12 */
    int32_t at_s;  /* of the day, in the local time that ends; -167 h .. 167 h */
};

struct zone_rule {
    int32_t standard_s; /* to be added to UTC */
    bool changes;       /* there is a summer time: */
    int32_t summer_s;
    struct zone_rule_date begin;
    struct zone_rule_date end;
};

/* ERR_INVALID; a summer time without its two dates is refused too. */
int zone_rule_parse(const char *text, size_t len, struct zone_rule *out,
                    struct err *err);

/* The stretch that `at` (Unix seconds) is in. */
void zone_rule_span(const struct zone_rule *rule, int64_t at, struct zone_span *out);

#endif
