/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH /v1/tasks/:name as CTS decodes it: a map, then a struct with one field, found
 * whatever the case of its key, filled whatever the type that means true or false. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/mem.h"
#include "json/jsontext.h"
#include "json/task_json.h"
#include "text/quote.h"

static const char field[] = "enabled";

/* Go's name of what a JSON value decodes to by itself. */
static const char *go_type(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "map[string]interface {}";
    case JSON_ARRAY:
        return "[]interface {}";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "float64";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    case JSON_NULL:
        break;
    }
    return "nil";
}

static const char *json_word(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    case JSON_NULL:
        break;
    }
    return "null";
}

/* The key that stands for the field: itself, else the least that differs only in case.
 */
static const char *find_key(json_t *root)
{
    const char *found = NULL;
    if (json_object_get(root, field) != NULL) {
        return field;
    }
    for (void *at = json_object_iter(root); at != NULL;
         at = json_object_iter_next(root, at)) {
        const char *key = json_object_iter_key(at);
        if (strcasecmp(key, field) == 0 && (found == NULL || strcmp(key, found) < 0)) {
            found = key;
        }
    }
    return found;
}

static int read_word(const json_t *value, bool *enabled, struct err *err)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", ""};
    const char *text = json_string_value(value);
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0) {
            *enabled = true;
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (strcmp(text, no[i]) == 0) {
            *enabled = false;
            return 0;
        }
    }
    char *quoted = quote_text(text, strlen(text));
    int rc = err_set(err, ERR_INVALID,
                     "1 error(s) decoding:\n\n* cannot parse '%s' as bool: "
                     "strconv.ParseBool: parsing %s: invalid syntax",
                     field, quoted);
    mem_free(quoted);
    return rc;
}

static int read_truth(const json_t *value, bool *enabled, struct err *err)
{
    if (json_is_boolean(value)) {
        *enabled = json_is_true(value);
        return 0;
    }
    if (json_is_number(value)) {
        double number = json_number_value(value);
        *enabled = number > 0 || number < 0;
        return 0;
    }
    if (json_is_string(value)) {
        return read_word(value, enabled, err);
    }
    return err_set(err, ERR_INVALID,
                   "1 error(s) decoding:\n\n* '%s' expected type 'bool', got "
                   "unconvertible type '%s'",
                   field, go_type(value));
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Name every key but `used`, sorted. */
static int refuse_others(json_t *root, const char *used, struct err *err)
{
    const char **keys = mem_array(json_object_size(root) + 1, sizeof *keys);
    size_t count = 0;
    for (void *at = json_object_iter(root); at != NULL;
         at = json_object_iter_next(root, at)) {
        const char *key = json_object_iter_key(at);
        if (used == NULL || strcmp(key, used) != 0) {
            keys[count++] = key;
        }
    }
    qsort(keys, count, sizeof *keys, compare_texts);
    struct buf list;
    buf_init(&list);
    for (size_t i = 0; i < count && list.len < ERR_TEXT_MAX; i++) {
        buf_printf(&list, "%s%.*s", i > 0 ? ", " : "", ERR_TEXT_MAX, keys[i]);
    }
    int rc = 0;
    if (count > 0) {
        rc = err_set(err, ERR_INVALID,
                     "request body's JSON contains unsupported keys: %.*s",
                     (int)list.len, (const char *)list.data);
    }
    buf_close(&list);
    mem_free(keys);
    return rc;
}

static int read_patch(json_t *root, bool *enabled, struct err *err)
{
    const char *key = find_key(root);
    const json_t *value = key != NULL ? json_object_get(root, key) : NULL;
    bool given = value != NULL && !json_is_null(value);
    int rc = given ? read_truth(value, enabled, err) : 0;
    if (rc == 0) {
        rc = refuse_others(root, key, err);
    }
    if (rc == 0 && !given) {
        rc =
            err_set(err, ERR_INVALID,
                    "/v1/tasks/:task_name currently only supports the 'enabled' field. "
                    "Missing 'enabled' from the request body");
    }
    return rc;
}

int task_json_patch(const void *body, size_t len, bool *enabled, struct err *err)
{
    json_t *root;
    *enabled = false;
    int rc = jsontext_parse(body, len, JSONTEXT_WHOLE, &root, err);
    if (rc != 0) {
        return rc;
    }
    if (json_is_object(root) || json_is_null(root)) { /* Go: null leaves a map empty */
        rc = read_patch(root, enabled, err);
    } else {
        rc = err_set(err, ERR_INVALID,
                     "json: cannot unmarshal %s into Go value of type "
                     "map[string]interface {}",
                     json_word(root));
    }
    json_decref(root);
    return rc;
}
