/* SPDX-License-Identifier: Apache-2.0 */
#include "text/rfc3339.h"

#include <stdio.h>
#include <time.h>

#define LAST_MS 253402300799999u /* 9999-12-31T23:59:59.999Z */

char *rfc3339_format_ms(uint64_t wall_ms, char text[RFC3339_TEXT_SIZE])
{
    if (wall_ms > LAST_MS) {
        wall_ms = LAST_MS;
    }
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};
    gmtime_r(&seconds, &parts);
    /* Each number is cut to its width, which it has already, so that the compiler sees
     * that the text fits. */
    snprintf(text, RFC3339_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(parts.tm_year + 1900) % 10000,
             (unsigned)(parts.tm_mon + 1) % 100, (unsigned)parts.tm_mday % 100,
             (unsigned)parts.tm_hour % 100, (unsigned)parts.tm_min % 100,
             (unsigned)parts.tm_sec % 100, (unsigned)(wall_ms % 1000));
    return text;
}
