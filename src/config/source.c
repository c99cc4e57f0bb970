/* SPDX-License-Identifier: Apache-2.0 */
#include "config/source.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SOURCE_PATH_MAX 128
#define SOURCE_BYTES    (1024 * 1024)

static int source_list(json_t *json, struct source_value *value)
{
    value->kind = SOURCE_LIST;
    value->items = mem_array(json_array_size(json), sizeof *value->items);
    size_t at = 0;
    json_t *item = NULL;
    json_array_foreach(json, at, item)
    {
        if (!json_is_string(item)) {
            value->kind = SOURCE_OTHER;
            break;
        }
        value->items[value->count++] = json_string_value(item);
    }
    return 0;
}

/* One value; its shown text is `dump`, or the string itself. */
static void source_convert(json_t *json, const char *dump, struct source_value *value)
{
    *value = (struct source_value){.kind = SOURCE_OTHER, .text = dump};
    if (json_is_string(json)) {
        value->kind = SOURCE_TEXT;
        value->text = json_string_value(json);
    } else if (json_is_boolean(json)) {
        value->kind = SOURCE_FLAG;
        value->number = json_is_true(json);
    } else if (json_is_integer(json)) {
        value->kind = SOURCE_NUMBER;
        value->number = json_integer_value(json);
    } else if (json_is_array(json)) {
        source_list(json, value);
    }
}

static int source_walk(json_t *object, const char *prefix,
                       bool (*block)(const char *path), source_value_cb value,
                       void *ctx, struct err *err)
{
    const char *key = NULL;
    json_t *json = NULL;
    json_object_foreach(object, key, json)
    {
        char path[SOURCE_PATH_MAX];
        int len = snprintf(path, sizeof path, "%s%s%s", prefix,
                           prefix[0] != '\0' ? "." : "", key);
        if (len < 0 || (size_t)len >= sizeof path) {
            return err_set(err, ERR_INVALID, "%.40s…: there is no such setting", key);
        }
        int rv = 0;
        if (json_is_object(json) && block(path)) {
            rv = source_walk(json, path, block, value, ctx, err);
        } else {
            struct source_value converted;
            char *dump = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
            source_convert(json, dump != NULL ? dump : "?", &converted);
            rv = value(ctx, path, &converted, err);
            mem_free(converted.items);
            mem_free(dump);
        }
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

int source_read_json(const char *file, bool (*block)(const char *path),
                     source_value_cb value, void *ctx, struct err *err)
{
    FILE *stream = fopen(file, "re");
    if (stream == NULL) {
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s",
                       strerror(errno));
    }
    char *text = mem_alloc(SOURCE_BYTES + 1);
    size_t len = fread(text, 1, SOURCE_BYTES + 1, stream);
    bool failed = ferror(stream) != 0;
    fclose(stream);
    int rv = 0;
    json_t *root = NULL;
    json_error_t where;
    if (failed || len > SOURCE_BYTES) {
        rv = err_set(err, failed ? ERR_IO : ERR_TOO_LARGE,
                     "cannot be read, or is over %d "
                     "bytes",
                     SOURCE_BYTES);
        goto out;
    }
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        rv = err_set(err, ERR_INVALID, "line %d, column %d: %s", where.line,
                     where.column, where.text);
    } else if (!json_is_object(root)) {
        rv = err_set(err, ERR_INVALID, "must be an object: {\"node\": {…}, …}");
    } else {
        rv = source_walk(root, "", block, value, ctx, err);
    }
out:
    json_decref(root);
    mem_free(text);
    return rv;
}
