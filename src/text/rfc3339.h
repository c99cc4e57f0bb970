/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as RFC 3339 text. */
#ifndef TEXT_RFC3339_H
#define TEXT_RFC3339_H

#include <stdint.h>

#define RFC3339_TEXT_SIZE 25 /* 2026-01-01T00:00:00.000Z and the terminator */

/* Unix milliseconds as UTC with three fraction digits; what is past the year 9999 is
 * shown as its last millisecond. Returns `text`. */
char *rfc3339_format_ms(uint64_t wall_ms, char text[RFC3339_TEXT_SIZE]);

#endif
