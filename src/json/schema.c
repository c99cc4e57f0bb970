/* SPDX-License-Identifier: Apache-2.0 */
#include "json/schema.h"

#include <stdio.h>
#include <string.h>

#include "text/quote.h"

#define KEY_SHOWN_MAX 128 /* bytes of a key that a path shows */

/* Where a value is: a chain through the frames of the walk. */
struct place {
    const struct place *up;
    const char *key;
};

struct walk {
    const char *at;
    const char *prefix;
    struct err *err;
};

static int check_object(const struct walk *walk, const struct schema *schema,
                        const struct jsonvalue *value, const struct place *place);

static void put_path(struct buf *out, const struct place *place)
{
    if (place != NULL) {
        put_path(out, place->up);
        buf_printf(out, "/%.*s", KEY_SHOWN_MAX, place->key);
    }
}

static int refuse(const struct walk *walk, const struct place *place, const char *what)
{
    struct buf path;
    buf_init(&path);
    if (place != NULL || walk->at[0] != '\0') {
        buf_printf(&path, "Error at \"%s", walk->at);
        put_path(&path, place);
        buf_printf(&path, "\": ");
    }
    buf_put_u8(&path, '\0');
    int rc = err_set(walk->err, ERR_INVALID, "%s%s%s", walk->prefix,
                     (const char *)path.data, what);
    buf_close(&path);
    return rc;
}

/* `property "key" is …` */
static int refuse_property(const struct walk *walk, const struct place *place,
                           const char *key, const char *verdict)
{
    struct buf what;
    buf_init(&what);
    buf_printf(&what, "property ");
    quote_put(&what, key, strlen(key));
    buf_printf(&what, " is %s", verdict);
    buf_put_u8(&what, '\0');
    int rc = refuse(walk, place, (const char *)what.data);
    buf_close(&what);
    return rc;
}

static int refuse_type(const struct walk *walk, const struct place *place,
                       const struct jsonvalue *value, const char *wanted)
{
    char what[48];
    snprintf(what, sizeof what, "value must be %s", wanted);
    return refuse(walk, place,
                  jsonvalue_is(value, JSONVALUE_NULL) ? "Value is not nullable" : what);
}

static int check_strings(const struct walk *walk, const struct jsonvalue *value,
                         const struct place *place)
{
    if (!jsonvalue_is(value, JSONVALUE_ARRAY)) {
        return refuse_type(walk, place, value, "an array");
    }
    size_t i = 0;
    for (const struct jsonvalue *item = jsonvalue_first(value); item != NULL;
         item = item->next, i++) {
        if (!jsonvalue_is(item, JSONVALUE_STRING)) {
            char index[24];
            snprintf(index, sizeof index, "%zu", i);
            struct place here = {place, index};
            return refuse_type(walk, &here, item, "a string");
        }
    }
    return 0;
}

static int check_map(const struct walk *walk, const struct jsonvalue *value,
                     bool nullable, const struct place *place)
{
    if (!jsonvalue_is(value, JSONVALUE_OBJECT)) {
        return refuse_type(walk, place, value, "an object");
    }
    const char *bad = NULL; /* the first in the order of keys */
    for (const struct jsonvalue *at = jsonvalue_first(value); at != NULL;
         at = at->next) {
        const char *key = at->key;
        bool good = jsonvalue_is(at, JSONVALUE_STRING) ||
                    (nullable && jsonvalue_is(at, JSONVALUE_NULL));
        if (!good && (bad == NULL || strcmp(key, bad) < 0)) {
            bad = key;
        }
    }
    if (bad == NULL) {
        return 0;
    }
    struct place here = {place, bad};
    return refuse_type(walk, &here, jsonvalue_get(value, bad), "a string");
}

static int check_value(const struct walk *walk, const struct schema_property *property,
                       const struct jsonvalue *value, const struct place *up)
{
    struct place place = {up, property->key};
    switch (property->kind) {
    case SCHEMA_STRING:
        return jsonvalue_is(value, JSONVALUE_STRING)
                   ? 0
                   : refuse_type(walk, &place, value, "a string");
    case SCHEMA_BOOL:
        return jsonvalue_is_bool(value) ? 0
                                        : refuse_type(walk, &place, value, "a boolean");
    case SCHEMA_DEFAULTED_BOOL: /* the validator puts the default over a null */
        return jsonvalue_is_bool(value) || jsonvalue_is(value, JSONVALUE_NULL)
                   ? 0
                   : refuse_type(walk, &place, value, "a boolean");
    case SCHEMA_STRINGS:
        return check_strings(walk, value, &place);
    case SCHEMA_STRING_MAP:
        return check_map(walk, value, false, &place);
    case SCHEMA_NULLABLE_MAP:
        return check_map(walk, value, true, &place);
    case SCHEMA_OBJECT:
        break;
    }
    return check_object(walk, property->object, value, &place);
}

/* The least key that no property has, or NULL. */
static const char *find_unknown(const struct schema *schema,
                                const struct jsonvalue *value)
{
    const char *least = NULL;
    for (const struct jsonvalue *at = jsonvalue_first(value); at != NULL;
         at = at->next) {
        const char *key = at->key;
        bool known = false;
        for (size_t i = 0; i < schema->count && !known; i++) {
            const char *other = schema->properties[i].key;
            known = other[0] == key[0] && strcmp(other, key) == 0;
        }
        if (!known && (least == NULL || strcmp(key, least) < 0)) {
            least = key;
        }
    }
    return least;
}

static int check_object(const struct walk *walk, const struct schema *schema,
                        const struct jsonvalue *value, const struct place *place)
{
    if (!jsonvalue_is(value, JSONVALUE_OBJECT)) {
        return refuse_type(walk, place, value, "an object");
    }
    const char *unknown = find_unknown(schema, value);
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_property *property = &schema->properties[i];
        if (unknown != NULL && strcmp(unknown, property->key) < 0) {
            break;
        }
        const struct jsonvalue *member = jsonvalue_get(value, property->key);
        int rc = member != NULL ? check_value(walk, property, member, place) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    if (unknown != NULL) {
        return refuse_property(walk, place, unknown, "unsupported");
    }
    for (const char *const *key = schema->required; *key != NULL; key++) {
        if (jsonvalue_get(value, *key) == NULL) {
            struct place missing = {place, *key};
            return refuse_property(walk, &missing, *key, "missing");
        }
    }
    return 0;
}

int schema_check(const struct schema *schema, const struct jsonvalue *root,
                 const char *at, const char *prefix, struct err *err)
{
    struct walk walk = {at, prefix, err};
    return check_object(&walk, schema, root, NULL);
}
