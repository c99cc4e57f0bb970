/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text ⇄ values, for everything that comes from outside.
 *
 * Reading is strict: bounded depth, no duplicate keys, no NUL, valid UTF-8 only; what
 * is refused is refused in the words of Go's encoding/json, because clients of CTS see
 * them (spec/cts.md 1.7, 1.8). Not with jansson: two thirds of a write's work on the
 * leader were its second look at the text, and looking members up by hash. Writing is
 * as Go writes: compact, with <, >, &, U+2028 and U+2029 escaped. */
#ifndef JSON_JSONTEXT_H
#define JSON_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct jsonvalue;

/* Which of Go's two readers is imitated: they differ in what they say of a text that
 * ends early. */
enum jsontext_reader {
    JSONTEXT_STREAM, /* json.Decoder: "unexpected EOF", "EOF" when there is nothing */
    JSONTEXT_WHOLE,  /* json.Unmarshal: "unexpected end of JSON input" */
};

/* Read one value, with nothing but blanks around it. On success `*out` is the caller's
 * (jsonvalue_free() it); else it is NULL. ERR_INVALID with the reason, too deep
 * included; ERR_TOO_LARGE over LIMIT_BODY_BYTES or LIMIT_JSON_VALUES. May be called
 * from the pool. */
int jsontext_parse(const void *data, size_t len, enum jsontext_reader reader,
                   const struct jsonvalue **out, struct err *err);

/* Only judge: what jsontext_parse() would refuse by syntax or depth, without building
 * values. Duplicate keys are not looked for. */
int jsontext_check(const void *data, size_t len, enum jsontext_reader reader,
                   struct err *err);

/* Append `text` as a JSON string with its quotes. Bytes that are not UTF-8 (a text that
 * was cut) become U+FFFD. */
void jsontext_put_string(struct buf *out, const char *text, size_t len);
void jsontext_put_text(struct buf *out, const char *text); /* terminated */

/* Append `"key":`, preceded by a comma unless it follows an opening brace or bracket or
 * begins the buffer. `key` is ours: it needs no escape. */
void jsontext_put_key(struct buf *out, const char *key);
void jsontext_put_bool(struct buf *out, bool value);

/* The value of member `key` of a compact object that this module wrote (no blanks, no
 * escapes in the keys that are asked for): its JSON text, borrowed, and its length.
 * NULL if there is no such member or `object` is no object. */
const char *jsontext_member(const char *object, size_t object_len, const char *key,
                            size_t *len);

#endif
