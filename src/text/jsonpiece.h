/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text in pieces, for who has no values of it (json/jsontext.h for the rest): the
 * registry writes its events and looks into its tasks with it. */
#ifndef TEXT_JSONPIECE_H
#define TEXT_JSONPIECE_H

#include <stddef.h>

#include "base/buf.h"

/* Append `text` as a JSON string with its quotes, as Go writes it: <, >, &, U+2028 and
 * U+2029 escaped. Bytes that are not UTF-8 become U+FFFD. */
void jsonpiece_put_string(struct buf *out, const char *text, size_t len);

/* The value of member `key` of a compact object (no blanks, no escapes in the keys that
 * are asked for): its JSON text, borrowed, and its length. NULL if there is no such
 * member or `object` is no object. */
const char *jsonpiece_member(const char *object, size_t object_len, const char *key,
                             size_t *len);

/* The next item of a compact array: its JSON text, borrowed, and its length; NULL at
 * the end. `*at` is 0 at first. */
const char *jsonpiece_item(const char *array, size_t array_len, size_t *at,
                           size_t *len);

#endif
