/* SPDX-License-Identifier: Apache-2.0 */
#include "json/task_json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "json/jsontext.h"
#include "json/jsonvalue.h"
#include "json/task_rules.h"
#include "json/task_schema.h"
#include "text/duration.h"

#define BODY_ERROR      "request body has an error"
#define TASK_TEXT_BYTES 512 /* most tasks fit */

const struct task_defaults task_defaults_standard = {
    .buffer_enabled = true,
    .buffer_min_ns = INT64_C(5000000000),
    .buffer_max_ns = INT64_C(20000000000),
};

/* --- writing the canonical text
 * -------------------------------------------------------- */

static void put_text(struct buf *out, const struct jsonvalue *object, const char *key)
{
    const struct jsonvalue *value = jsonvalue_get(object, key);
    jsontext_put_key(out, key);
    jsontext_put_string(out, value != NULL ? value->text : "",
                        value != NULL ? value->count : 0);
}

static void put_bool(struct buf *out, const struct jsonvalue *object, const char *key,
                     bool otherwise)
{
    const struct jsonvalue *value = jsonvalue_get(object, key);
    jsontext_put_key(out, key);
    jsontext_put_bool(out, jsonvalue_is_bool(value)
                               ? jsonvalue_is(value, JSONVALUE_TRUE)
                               : otherwise);
}

static void put_duration(struct buf *out, const char *key, int64_t duration_ns)
{
    char text[DURATION_TEXT_SIZE];
    jsontext_put_key(out, key);
    jsontext_put_text(out, duration_format(duration_ns, text));
}

static void open_object(struct buf *out, const char *key)
{
    jsontext_put_key(out, key);
    buf_put_u8(out, '{');
}

static void close_object(struct buf *out)
{
    buf_put_u8(out, '}');
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void put_strings(struct buf *out, const char *key,
                        const struct jsonvalue *values)
{
    jsontext_put_key(out, key);
    buf_put_u8(out, '[');
    for (const struct jsonvalue *at = jsonvalue_first(values); at != NULL;
         at = at->next) {
        jsontext_put_string(out, at->text, at->count);
        if (at->next != NULL) {
            buf_put_u8(out, ',');
        }
    }
    buf_put_u8(out, ']');
}

/* A list of at least one, sorted. */
static void put_names(struct buf *out, const struct jsonvalue *names)
{
    size_t count = jsonvalue_count(names);
    const char **texts = mem_array(count, sizeof *texts);
    size_t filled = 0;
    for (const struct jsonvalue *at = jsonvalue_first(names); at != NULL;
         at = at->next) {
        texts[filled++] = at->text;
    }
    qsort(texts, count, sizeof *texts, compare_texts);
    jsontext_put_key(out, "names");
    for (size_t i = 0; i < count; i++) {
        buf_put_u8(out, i == 0 ? '[' : ',');
        jsontext_put_text(out, texts[i]);
    }
    buf_put_u8(out, ']');
    mem_free(texts);
}

/* A map of strings, sorted; a null becomes "", as Go decodes it. */
static void put_map(struct buf *out, const struct jsonvalue *object, const char *key)
{
    const struct jsonvalue *map = jsonvalue_get(object, key);
    size_t count = jsonvalue_count(map);
    const struct jsonvalue **members = jsonvalue_by_key(map);
    open_object(out, key);
    for (size_t i = 0; i < count; i++) {
        bool text = members[i]->type == JSONVALUE_STRING;
        if (i > 0) {
            buf_put_u8(out, ',');
        }
        jsontext_put_string(out, members[i]->key, members[i]->key_len);
        buf_put_u8(out, ':');
        jsontext_put_string(out, text ? members[i]->text : "",
                            text ? members[i]->count : 0);
    }
    close_object(out);
    mem_free(members);
}

/* The services of a condition or, `input`, of a module input. */
static void put_services(struct buf *out, const struct jsonvalue *services, bool input)
{
    const struct jsonvalue *names = jsonvalue_get(services, "names");
    open_object(out, "services");
    put_map(out, services, "cts_user_defined_meta");
    put_text(out, services, "datacenter");
    put_text(out, services, "filter");
    if (jsonvalue_count(names) > 0) {
        put_names(out, names);
    }
    put_text(out, services, "namespace");
    if (jsonvalue_count(names) == 0) {
        put_text(out, services, "regexp");
    }
    if (!input) {
        put_bool(out, services, "use_as_module_input", true);
    }
    close_object(out);
}

static void put_kv(struct buf *out, const struct jsonvalue *kv, bool input)
{
    open_object(out, "consul_kv");
    put_text(out, kv, "datacenter");
    put_text(out, kv, "namespace");
    put_text(out, kv, "path");
    put_bool(out, kv, "recurse", false);
    if (!input) {
        put_bool(out, kv, "use_as_module_input", true);
    }
    close_object(out);
}

static void put_catalog(struct buf *out, const struct jsonvalue *catalog)
{
    open_object(out, "catalog_services");
    put_text(out, catalog, "datacenter");
    put_text(out, catalog, "namespace");
    put_map(out, catalog, "node_meta");
    put_text(out, catalog, "regexp");
    put_bool(out, catalog, "use_as_module_input", true);
    close_object(out);
}

/* Of a condition there is at most one kind. */
static void put_inputs(struct buf *out, const char *key, const struct jsonvalue *inputs,
                       bool input)
{
    const struct jsonvalue *catalog = jsonvalue_get(inputs, "catalog_services");
    const struct jsonvalue *kv = jsonvalue_get(inputs, "consul_kv");
    const struct jsonvalue *schedule = jsonvalue_get(inputs, "schedule");
    const struct jsonvalue *services = jsonvalue_get(inputs, "services");
    open_object(out, key);
    if (catalog != NULL) {
        put_catalog(out, catalog);
    }
    if (kv != NULL) {
        put_kv(out, kv, input);
    }
    if (schedule != NULL) {
        open_object(out, "schedule");
        put_text(out, schedule, "cron");
        close_object(out);
    }
    if (services != NULL) {
        put_services(out, services, input);
    }
    close_object(out);
}

static void put_buffer(struct buf *out, const struct buffer_period *buffer)
{
    open_object(out, "buffer_period");
    jsontext_put_key(out, "enabled");
    jsontext_put_bool(out, buffer->enabled);
    put_duration(out, "max", buffer->max_ns);
    put_duration(out, "min", buffer->min_ns);
    close_object(out);
}

/* Returns the offset at which `"enabled":…,` belongs. */
static size_t put_canonical(struct buf *out, const struct jsonvalue *task,
                            const struct buffer_period *buffer)
{
    buf_reserve(out, TASK_TEXT_BYTES);
    buf_put_u8(out, '{');
    put_buffer(out, buffer);
    put_inputs(out, "condition", jsonvalue_get(task, "condition"), false);
    put_text(out, task, "description");
    size_t enabled_at = out->len + 1; /* behind the comma of the next */
    put_text(out, task, "module");
    put_inputs(out, "module_input", jsonvalue_get(task, "module_input"), true);
    put_text(out, task, "name");
    put_strings(out, "providers", jsonvalue_get(task, "providers"));
    put_map(out, task, "variables");
    put_text(out, task, "version");
    close_object(out);
    return enabled_at;
}

/* --- reading
 * --------------------------------------------------------------------------- */

/* A task that fits the schema → everything of `out`. */
static int take_task(const struct jsonvalue *task, const struct task_defaults *defaults,
                     enum task_source source, struct task_json *out, struct err *err)
{
    out->name = mem_strdup(task_rules_text(task, "name"));
    struct buffer_period buffer;
    int rc = task_rules_check(task, defaults, source, &buffer, err);
    if (rc != 0) {
        return rc;
    }
    size_t enabled_at = put_canonical(&out->text, task, &buffer);
    if (out->text.len > LIMIT_BODY_BYTES) { /* escapes and defaults make it longer */
        return err_set(err, ERR_TOO_LARGE, "the task has %zu bytes as JSON, at most %d",
                       out->text.len, LIMIT_BODY_BYTES);
    }
    const struct jsonvalue *enabled = jsonvalue_get(task, "enabled");
    out->enabled_given = jsonvalue_is_bool(enabled);
    out->draft = (struct task_draft){
        .name = out->name,
        .name_len = strlen(out->name),
        .text = (const char *)out->text.data,
        .text_len = out->text.len,
        .enabled_at = (uint32_t)enabled_at,
        .enabled = !jsonvalue_is(enabled, JSONVALUE_FALSE),
    };
    return 0;
}

int task_json_create(const void *body, size_t len, const struct task_defaults *defaults,
                     struct task_json *out, struct err *err)
{
    struct err ignored = {0}; /* err_prefix() needs one */
    err = err != NULL ? err : &ignored;
    *out = (struct task_json){0};
    if (len == 0) {
        return err_set(err, ERR_INVALID, BODY_ERROR ": value is required but missing");
    }
    const struct jsonvalue *root;
    int rc = jsontext_parse(body, len, JSONTEXT_STREAM, &root, err);
    if (rc != 0) {
        return err_prefix(err, BODY_ERROR ": failed to decode request body");
    }
    rc = schema_check(
        &task_request_schema, root, "",
        BODY_ERROR ": doesn't match schema #/components/schemas/TaskRequest: ", err);
    if (rc == 0) {
        rc = take_task(jsonvalue_get(root, "task"), defaults, TASK_FROM_API, out, err);
    }
    jsonvalue_free(root);
    return rc;
}

int task_json_create_bare(const void *body, size_t len,
                          const struct task_defaults *defaults, struct task_json *out,
                          struct err *err)
{
    struct err ignored = {0};
    err = err != NULL ? err : &ignored;
    *out = (struct task_json){0};
    const struct jsonvalue *task;
    int rc = jsontext_parse(body, len, JSONTEXT_WHOLE, &task, err);
    if (rc != 0) {
        return rc;
    }
    rc = schema_check(&task_schema, task, "", "", err);
    if (rc == 0) {
        rc = take_task(task, defaults, TASK_FROM_CONFIGURATION, out, err);
    }
    jsonvalue_free(task);
    return rc;
}

void task_json_close(struct task_json *json)
{
    mem_free(json->name);
    buf_close(&json->text);
    *json = (struct task_json){0};
}

void task_json_put(struct buf *out, const struct task *task)
{
    size_t len = task_json_len(task);
    buf_reserve(out, len);
    out->len += task_write(task, (char *)out->data + out->len);
}
