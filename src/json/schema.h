/* SPDX-License-Identifier: Apache-2.0 */
/* What a JSON object may hold, as tables, and the messages of CTS's request validator
 * (spec/cts.md 1.7): `Error at "/task/module": value must be a string`. */
#ifndef JSON_SCHEMA_H
#define JSON_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "json/jsonvalue.h"

enum schema_kind {
    SCHEMA_STRING,
    SCHEMA_BOOL,
    SCHEMA_DEFAULTED_BOOL, /* null means that it is left out */
    SCHEMA_STRINGS,        /* array of strings */
    SCHEMA_STRING_MAP,     /* object whose members are strings */
    SCHEMA_NULLABLE_MAP,   /* … or null */
    SCHEMA_OBJECT,
};

struct schema;

struct schema_property {
    const char *key;
    enum schema_kind kind;
    const struct schema *object; /* for SCHEMA_OBJECT */
};

struct schema {
    const struct schema_property *properties; /* sorted by key */
    size_t count;
    const char *const
        *required; /* in the order in which they are missed; ends with NULL */
};

/* `root` against `schema`; keys no property has are refused. The first error wins:
 * members in the order of their keys, then what is missing. ERR_INVALID with the
 * message; `prefix` stands before it. `at` is the path of `root`, "" or "/task". */
int schema_check(const struct schema *schema, const struct jsonvalue *root,
                 const char *at, const char *prefix, struct err *err);

#endif
