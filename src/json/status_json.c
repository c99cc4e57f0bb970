/* SPDX-License-Identifier: Apache-2.0 */
#include "json/status_json.h"

#include <string.h>
#include <strings.h>

#include "json/jsontext.h"
#include "json/task_view.h"
#include "registry/run_event.h"
#include "text/jsonpiece.h"

static const char *const status_names[] = {
    [TASK_STATUS_SUCCESSFUL] = "successful",
    [TASK_STATUS_ERRORED] = "errored",
    [TASK_STATUS_CRITICAL] = "critical",
    [TASK_STATUS_UNKNOWN] = "unknown",
};
#define STATUS_COUNT (sizeof status_names / sizeof status_names[0])

const char *task_status_name(enum task_status status)
{
    return status_names[status];
}

/* `text [a b]` */
static int refuse_several(const char *text, const struct status_param *param,
                          struct err *err)
{
    struct buf list;
    buf_init(&list);
    for (size_t i = 0; i < param->count && list.len < ERR_TEXT_MAX; i++) {
        buf_printf(&list, "%s%.*s", i > 0 ? " " : "", ERR_TEXT_MAX, param->values[i]);
    }
    int rc = err_set(err, ERR_INVALID, "%s [%.*s]", text, (int)list.len,
                     (const char *)list.data);
    buf_close(&list);
    return rc;
}

static int read_status(const struct status_param *param, struct status_filter *filter,
                       struct err *err)
{
    if (param->count == 0) {
        return 0;
    }
    if (param->count > 1) {
        return refuse_several(
            "cannot support more than one status query parameter, got "
            "status values:",
            param, err);
    }
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (strcasecmp(param->values[0], status_names[i]) == 0) {
            filter->by_status = true;
            filter->status = (enum task_status)i;
            return 0;
        }
    }
    struct buf lower;
    buf_init(&lower);
    for (const char *at = param->values[0]; *at != '\0'; at++) {
        buf_put_u8(&lower, (uint8_t)(*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at));
    }
    buf_put_u8(&lower, '\0');
    int rc =
        err_set(err, ERR_INVALID,
                "unsupported status parameter value. only supporting status values "
                "successful, errored, critical, and unknown but got %s",
                (const char *)lower.data);
    buf_close(&lower);
    return rc;
}

static int read_include(const struct status_param *param, struct status_filter *filter,
                        struct err *err)
{
    if (param->count == 0) {
        return 0;
    }
    if (param->count > 1) {
        return refuse_several("cannot support more than one include parameter, got "
                              "include values:",
                              param, err);
    }
    if (strcmp(param->values[0], "events") != 0) {
        return err_set(err, ERR_INVALID,
                       "unsupported ?include parameter value. only supporting "
                       "'include=events' but got 'include=%s'",
                       param->values[0]);
    }
    filter->include_events = true;
    return 0;
}

int status_json_filter(const struct status_param *status,
                       const struct status_param *include, struct status_filter *filter,
                       struct err *err)
{
    *filter = (struct status_filter){0};
    int rc = read_status(status, filter, err);
    return rc == 0 ? read_include(include, filter, err) : rc;
}

void status_json_put_overall(struct buf *out, const struct registry *registry)
{
    size_t all = registry_task_count(registry);
    size_t enabled = registry_task_enabled_count(registry);
    buf_put_literal(out, "{\"task_summary\":{\"status\":{");
    for (int status = 0; status < TASK_STATUS_COUNT; status++) {
        buf_printf(out, "%s\"%s\":%zu", status > 0 ? "," : "", status_names[status],
                   registry_status_count(registry, (enum task_status)status));
    }
    buf_printf(out, "},\"enabled\":{\"true\":%zu,\"false\":%zu}}}", enabled,
               all - enabled);
}

bool status_json_matches(const struct registry *registry, const struct task *task,
                         const struct status_filter *filter)
{
    return !filter->by_status || filter->status == registry_task_status(registry, task);
}

/* The names of the services the task watches or is given: the list of its condition,
 * else of its module input. */
static const char *find_services(const struct task *task, size_t *len)
{
    static const char *const homes[] = {"condition", "module_input"};
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
        size_t part_len;
        const char *part =
            jsontext_member(task->text, task->text_len, homes[i], &part_len);
        if (part != NULL) {
            part = jsontext_member(part, part_len, "services", &part_len);
        }
        if (part != NULL) {
            part = jsontext_member(part, part_len, "names", len);
            if (part != NULL) {
                return part;
            }
        }
    }
    return NULL;
}

static void put_list(struct buf *out, const char *list, size_t len)
{
    if (list == NULL) {
        buf_put(out, "[]", 2);
    } else {
        buf_put(out, list, len);
    }
}

/* Without events: what the task says. */
static void put_task_lists(struct buf *out, const struct task *task)
{
    size_t len;
    const char *list = jsontext_member(task->text, task->text_len, "providers", &len);
    buf_put_literal(out, ",\"providers\":");
    put_list(out, list, len);
    list = find_services(task, &len);
    buf_put_literal(out, ",\"services\":");
    put_list(out, list, len);
}

/* Is the item in the list that was begun at `start`? */
static bool is_listed(const struct buf *out, size_t start, const char *item, size_t len)
{
    size_t at = 0;
    size_t other_len = 0;
    const char *list = (const char *)out->data + start;
    const char *other = NULL;
    while ((other = jsonpiece_item(list, out->len - start, &at, &other_len)) != NULL) {
        if (other_len == len && memcmp(other, item, len) == 0) {
            return true;
        }
    }
    return false;
}

/* The union of that list over all events, in the order in which they come. */
static void put_event_list(struct buf *out, const struct registry *registry,
                           const struct task *task, const char *key)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    jsontext_put_key(out, key);
    size_t start = out->len;
    buf_put_u8(out, '[');
    registry_task_event_seek(registry, task, &cursor);
    while ((run = registry_task_event_next(&cursor, task)) != NULL) {
        size_t list_len = 0;
        size_t at = 0;
        size_t len = 0;
        const char *item = NULL;
        const char *list =
            jsonpiece_member(run->config, strlen(run->config), key, &list_len);
        while (list != NULL &&
               (item = jsonpiece_item(list, list_len, &at, &len)) != NULL) {
            if (!is_listed(out, start, item, len)) {
                buf_put(out, ",", out->len - start > 1 ? 1 : 0);
                buf_put(out, item, len);
            }
        }
    }
    buf_put_u8(out, ']');
}

/* Newest first. */
static void put_events(struct buf *out, const struct registry *registry,
                       const struct task *task)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    bool first = true;
    buf_put_literal(out, ",\"events\":[");
    registry_task_event_seek(registry, task, &cursor);
    while ((run = registry_task_event_next(&cursor, task)) != NULL) {
        buf_put(out, ",", first ? 0 : 1);
        buf_put_u8(out, '{');
        run_event_put_cts(out, run);
        buf_put_u8(out, '}');
        first = false;
    }
    buf_put_u8(out, ']');
}

/* spec/muster.md 4 */
static void put_warning(struct buf *out, const struct task *task)
{
    struct buf text;
    buf_init(&text);
    if (task_view_put_warning(&text, task->text, task->text_len)) {
        buf_put_literal(out, ",\"warning\":");
        jsontext_put_string(out, (const char *)text.data, text.len);
    }
    buf_close(&text);
}

void status_json_put_entry(struct buf *out, const struct registry *registry,
                           const struct task *task, const struct status_filter *filter)
{
    enum task_status status = registry_task_status(registry, task);
    jsontext_put_string(out, task->name, task->name_len);
    buf_printf(out, ":{\"task_name\":");
    jsontext_put_string(out, task->name, task->name_len);
    buf_printf(out, ",\"status\":\"%s\",\"enabled\":", task_status_name(status));
    jsontext_put_bool(out, task->enabled);
    if (status == TASK_STATUS_UNKNOWN) {
        buf_put_literal(out, ",\"events_url\":\"\"");
        put_task_lists(out, task);
    } else {
        buf_printf(out, ",\"events_url\":\"/v1/status/tasks/%s?include=events\"",
                   task->name);
        if (filter->include_events) {
            put_events(out, registry, task);
        }
        put_event_list(out, registry, task, "providers");
        put_event_list(out, registry, task, "services");
    }
    if (task->deleting) {
        buf_put_literal(out, ",\"deleting\":true");
    }
    put_warning(out, task);
    buf_put_u8(out, '}');
}

void status_json_put_one(struct buf *out, const struct registry *registry,
                         const struct task *task, const struct status_filter *filter)
{
    buf_put_u8(out, '{');
    if (status_json_matches(registry, task, filter) ||
        registry_task_status(registry, task) == TASK_STATUS_UNKNOWN) {
        status_json_put_entry(out, registry, task, filter);
    }
    buf_put_u8(out, '}');
}

void status_json_put_all(struct buf *out, const struct registry *registry,
                         const struct status_filter *filter)
{
    struct map_cursor cursor;
    registry_task_seek(registry, 0, &cursor);
    buf_put_u8(out, '{');
    bool first = true;
    for (const struct task *task = registry_task_next(&cursor); task != NULL;
         task = registry_task_next(&cursor)) {
        if (!status_json_matches(registry, task, filter)) {
            continue;
        }
        if (!first) {
            buf_put_u8(out, ',');
        }
        first = false;
        status_json_put_entry(out, registry, task, filter);
    }
    buf_put_u8(out, '}');
}
