/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH /v1/tasks/:name as CTS decodes it: a map, then a struct with one field, found
 * whatever the case of its key, filled whatever the type that means true or false. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "json/jsontext.h"
#include "json/jsonvalue.h"
#include "json/task_json.h"
#include "text/quote.h"

static const char field[] = "enabled";

/* Go's name of what a JSON value decodes to by itself. */
static const char *go_type(const struct jsonvalue *value)
{
    switch (value->type) {
    case JSONVALUE_OBJECT:
        return "map[string]interface {}";
    case JSONVALUE_ARRAY:
        return "[]interface {}";
    case JSONVALUE_STRING:
        return "string";
    case JSONVALUE_NUMBER:
        return "float64";
    case JSONVALUE_TRUE:
    case JSONVALUE_FALSE:
        return "bool";
    case JSONVALUE_NULL:
        break;
    }
    return "nil";
}

static const char *json_word(const struct jsonvalue *value)
{
    switch (value->type) {
    case JSONVALUE_OBJECT:
        return "object";
    case JSONVALUE_ARRAY:
        return "array";
    case JSONVALUE_STRING:
        return "string";
    case JSONVALUE_NUMBER:
        return "number";
    case JSONVALUE_TRUE:
    case JSONVALUE_FALSE:
        return "bool";
    case JSONVALUE_NULL:
        break;
    }
    return "null";
}

/* The key that stands for the field: itself, else the least that differs only in case.
 */
static const char *find_key(const struct jsonvalue *root)
{
    const char *found = NULL;
    if (jsonvalue_get(root, field) != NULL) {
        return field;
    }
    for (const struct jsonvalue *at = jsonvalue_first(root); at != NULL;
         at = at->next) {
        const char *key = at->key;
        if (strcasecmp(key, field) == 0 && (found == NULL || strcmp(key, found) < 0)) {
            found = key;
        }
    }
    return found;
}

static int read_word(const struct jsonvalue *value, bool *enabled, struct err *err)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", ""};
    const char *text = value->text;
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

static int read_truth(const struct jsonvalue *value, bool *enabled, struct err *err)
{
    if (jsonvalue_is_bool(value)) {
        *enabled = jsonvalue_is(value, JSONVALUE_TRUE);
        return 0;
    }
    if (jsonvalue_is(value, JSONVALUE_NUMBER)) {
        double number = value->number;
        *enabled = number > 0 || number < 0;
        return 0;
    }
    if (jsonvalue_is(value, JSONVALUE_STRING)) {
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
static int refuse_others(const struct jsonvalue *root, const char *used,
                         struct err *err)
{
    const char **keys = mem_array(jsonvalue_count(root) + 1, sizeof *keys);
    size_t count = 0;
    for (const struct jsonvalue *at = jsonvalue_first(root); at != NULL;
         at = at->next) {
        const char *key = at->key;
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

static int read_patch(const struct jsonvalue *root, bool *enabled, struct err *err)
{
    const char *key = find_key(root);
    const struct jsonvalue *value = key != NULL ? jsonvalue_get(root, key) : NULL;
    bool given = value != NULL && !jsonvalue_is(value, JSONVALUE_NULL);
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
    const struct jsonvalue *root;
    *enabled = false;
    int rc = jsontext_parse(body, len, JSONTEXT_WHOLE, &root, err);
    if (rc != 0) {
        return rc;
    }
    if (jsonvalue_is(root, JSONVALUE_OBJECT) ||
        jsonvalue_is(root, JSONVALUE_NULL)) { /* Go: null leaves a map empty */
        rc = read_patch(root, enabled, err);
    } else {
        rc = err_set(err, ERR_INVALID,
                     "json: cannot unmarshal %s into Go value of type "
                     "map[string]interface {}",
                     json_word(root));
    }
    jsonvalue_free(root);
    return rc;
}
