/* SPDX-License-Identifier: Apache-2.0 */
#include "json/status_json.h"

#include <string.h>
#include <strings.h>

#include "json/jsontext.h"

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
    buf_printf(
        out,
        "{\"task_summary\":{\"status\":{\"successful\":0,\"errored\":0,"
        "\"critical\":0,\"unknown\":%zu},\"enabled\":{\"true\":%zu,\"false\":%zu}}}",
        all, enabled, all - enabled);
}

bool status_json_matches(const struct task *task, const struct status_filter *filter)
{
    (void)task; /* whatever it is, nothing has run */
    return !filter->by_status || filter->status == TASK_STATUS_UNKNOWN;
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

void status_json_put_entry(struct buf *out, const struct task *task,
                           const struct status_filter *filter)
{
    (void)filter; /* there are no events to include */
    size_t len;
    jsontext_put_string(out, task->name, task->name_len);
    buf_printf(out, ":{\"task_name\":");
    jsontext_put_string(out, task->name, task->name_len);
    buf_printf(
        out, ",\"status\":\"%s\",\"enabled\":", task_status_name(TASK_STATUS_UNKNOWN));
    jsontext_put_bool(out, task->enabled);
    buf_printf(out, ",\"events_url\":\"\",\"providers\":");
    const char *list = jsontext_member(task->text, task->text_len, "providers", &len);
    put_list(out, list, len);
    buf_printf(out, ",\"services\":");
    list = find_services(task, &len);
    put_list(out, list, len);
    buf_put_u8(out, '}');
}

void status_json_put_one(struct buf *out, const struct task *task,
                         const struct status_filter *filter)
{
    buf_put_u8(out, '{');
    status_json_put_entry(out, task, filter);
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
        if (!status_json_matches(task, filter)) {
            continue;
        }
        if (!first) {
            buf_put_u8(out, ',');
        }
        first = false;
        status_json_put_entry(out, task, filter);
    }
    buf_put_u8(out, '}');
}
