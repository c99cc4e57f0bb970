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
                        json_t *value, const struct place *place);

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
                       json_t *value, const char *wanted)
{
    char what[48];
    snprintf(what, sizeof what, "value must be %s", wanted);
    return refuse(walk, place, json_is_null(value) ? "Value is not nullable" : what);
}

static int check_strings(const struct walk *walk, json_t *value,
                         const struct place *place)
{
    if (!json_is_array(value)) {
        return refuse_type(walk, place, value, "an array");
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *item = json_array_get(value, i);
        if (!json_is_string(item)) {
            char index[24];
            snprintf(index, sizeof index, "%zu", i);
            struct place here = {place, index};
            return refuse_type(walk, &here, item, "a string");
        }
    }
    return 0;
}

static int check_map(const struct walk *walk, json_t *value, bool nullable,
                     const struct place *place)
{
    if (!json_is_object(value)) {
        return refuse_type(walk, place, value, "an object");
    }
    const char *bad = NULL; /* the first in the order of keys */
    for (void *at = json_object_iter(value); at != NULL;
         at = json_object_iter_next(value, at)) {
        const json_t *item = json_object_iter_value(at);
        const char *key = json_object_iter_key(at);
        bool good = json_is_string(item) || (nullable && json_is_null(item));
        if (!good && (bad == NULL || strcmp(key, bad) < 0)) {
            bad = key;
        }
    }
    if (bad == NULL) {
        return 0;
    }
    struct place here = {place, bad};
    return refuse_type(walk, &here, json_object_get(value, bad), "a string");
}

static int check_value(const struct walk *walk, const struct schema_property *property,
                       json_t *value, const struct place *up)
{
    struct place place = {up, property->key};
    switch (property->kind) {
    case SCHEMA_STRING:
        return json_is_string(value) ? 0 : refuse_type(walk, &place, value, "a string");
    case SCHEMA_BOOL:
        return json_is_boolean(value) ? 0
                                      : refuse_type(walk, &place, value, "a boolean");
    case SCHEMA_DEFAULTED_BOOL: /* the validator puts the default over a null */
        return json_is_boolean(value) || json_is_null(value)
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
static const char *find_unknown(const struct schema *schema, json_t *value)
{
    const char *least = NULL;
    for (void *at = json_object_iter(value); at != NULL;
         at = json_object_iter_next(value, at)) {
        const char *key = json_object_iter_key(at);
        bool known = false;
        for (size_t i = 0; i < schema->count && !known; i++) {
            known = strcmp(schema->properties[i].key, key) == 0;
        }
        if (!known && (least == NULL || strcmp(key, least) < 0)) {
            least = key;
        }
    }
    return least;
}

static int check_object(const struct walk *walk, const struct schema *schema,
                        json_t *value, const struct place *place)
{
    if (!json_is_object(value)) {
        return refuse_type(walk, place, value, "an object");
    }
    const char *unknown = find_unknown(schema, value);
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_property *property = &schema->properties[i];
        if (unknown != NULL && strcmp(unknown, property->key) < 0) {
            break;
        }
        json_t *member = json_object_get(value, property->key);
        int rc = member != NULL ? check_value(walk, property, member, place) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    if (unknown != NULL) {
        return refuse_property(walk, place, unknown, "unsupported");
    }
    for (const char *const *key = schema->required; *key != NULL; key++) {
        if (json_object_get(value, *key) == NULL) {
            struct place missing = {place, *key};
            return refuse_property(walk, &missing, *key, "missing");
        }
    }
    return 0;
}

int schema_check(const struct schema *schema, json_t *root, const char *at,
                 const char *prefix, struct err *err)
{
    struct walk walk = {at, prefix, err};
    return check_object(&walk, schema, root, NULL);
}
