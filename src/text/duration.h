/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as Go reads and prints them: "1h30m", "1.5s", "300ms". */
#ifndef TEXT_DURATION_H
#define TEXT_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DURATION_TEXT_SIZE 32 /* the longest is "-2562047h47m16.854775808s" */

/* Nanoseconds, possibly negative. ERR_INVALID in Go's words: `time: invalid duration
 * "x"`, `time: missing unit in duration "5"`, `time: unknown unit "y" in duration
 * "5y"`. */
int duration_parse(const char *text, size_t len, int64_t *duration_ns, struct err *err);

/* "1m0s", "1.5s", "0s", terminated. Returns `text`. */
char *duration_format(int64_t duration_ns, char text[DURATION_TEXT_SIZE]);

#endif
