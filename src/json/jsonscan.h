/* SPDX-License-Identifier: Apache-2.0 */
/* Is this JSON? Judged before a parser that recurses sees it, in the words of Go's
 * scanner. Private to this module: others use json/jsontext.h. */
#ifndef JSON_JSONSCAN_H
#define JSON_JSONSCAN_H

#include <stddef.h>

#include "base/err.h"
#include "json/jsontext.h"

/* *values: how many there are, keys counted as well. ERR_INVALID: bad syntax, NUL,
 * bytes that are not UTF-8, half a surrogate pair, nested deeper than LIMIT_JSON_DEPTH.
 * ERR_TOO_LARGE: over LIMIT_BODY_BYTES or LIMIT_JSON_VALUES. */
int jsonscan_check(const char *text, size_t len, enum jsontext_reader reader,
                   size_t *values, struct err *err);

#endif
