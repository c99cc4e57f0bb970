/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON text as a tree of values that is only read: root, members, items and their
 * texts stand in one allocation, which is what makes reading a request cheap. Members
 * and items keep the order of the text. Made by jsontext_parse(). */
#ifndef JSON_JSONVALUE_H
#define JSON_JSONVALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

enum jsonvalue_type {
    JSONVALUE_NULL,
    JSONVALUE_FALSE,
    JSONVALUE_TRUE,
    JSONVALUE_NUMBER,
    JSONVALUE_STRING,
    JSONVALUE_ARRAY,
    JSONVALUE_OBJECT,
};

struct jsonvalue {
    enum jsonvalue_type type;
    uint32_t key_len;
    const char *key; /* of a member: terminated, without a NUL in it; else NULL */
    const struct jsonvalue *next; /* member or item of the same parent */
    size_t count;                 /* bytes of a string; members; items */
    union {
        const char *text; /* of a string: terminated, without a NUL in it */
        const struct jsonvalue *first;
        double number;
    };
};

/* The tree of a text that jsonscan_check() has found good, with the number of values
 * it gave: free with jsonvalue_free(). NULL with ERR_INVALID for what only shows here:
 * a key twice in one object, a number past a double. Private to this module. */
const struct jsonvalue *jsonvalue_build(const char *text, size_t len, size_t values,
                                        struct err *err);
void jsonvalue_free(const struct jsonvalue *root); /* or NULL */

/* The member of that name of an object; NULL if there is none, or if `object` is none.
 */
const struct jsonvalue *jsonvalue_find(const struct jsonvalue *object, const char *key,
                                       size_t len);

/* The same. Here, so that the length of a key that stands in the source costs nothing.
 */
static inline const struct jsonvalue *jsonvalue_get(const struct jsonvalue *object,
                                                    const char *key)
{
    return object != NULL ? jsonvalue_find(object, key, strlen(key)) : NULL;
}

/* The first member or item, NULL if there is none; go on with ->next. */
const struct jsonvalue *jsonvalue_first(const struct jsonvalue *parent);
size_t jsonvalue_count(const struct jsonvalue *parent); /* 0 for NULL */

/* The members in the order of their keys: mem_free() the array. NULL if there is none.
 * Whoever looks every member up by jsonvalue_get() pays the square of their number. */
const struct jsonvalue **jsonvalue_by_key(const struct jsonvalue *object);

/* All take NULL for "not there", of which none is true. */
bool jsonvalue_is(const struct jsonvalue *value, enum jsonvalue_type type);
bool jsonvalue_is_bool(const struct jsonvalue *value);

#endif
