/* SPDX-License-Identifier: Apache-2.0 */
/* /status as Consul-Terraform-Sync has it (spec/cts.md 1.5, 1.10, 1.11, 13). */
#include "api/cts/status.h"

#include <string.h>

#include "api/error.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "json/jsontext.h"
#include "json/status_json.h"

static const struct registry *call_registry(const struct call *call)
{
    return node_registry(call->api->node);
}

void cts_status(struct call *call)
{
    struct buf body;
    buf_init(&body);
    status_json_put_overall(&body, call_registry(call));
    reply_json(call, 200, &body);
}

/* ?status= and ?include=; false: answered. */
static bool status_filter(struct call *call, struct status_filter *filter)
{
    const char *statuses[CALL_QUERY_MAX];
    const char *includes[CALL_QUERY_MAX];
    struct status_param status = {statuses, 0};
    struct status_param include = {includes, 0};
    struct err err;
    status.count = call_query(call, "status", statuses, CALL_QUERY_MAX);
    include.count = call_query(call, "include", includes, CALL_QUERY_MAX);
    if (status_json_filter(&status, &include, filter, &err) != 0) {
        reply_error(call, 400, NULL, "%s", err.text);
        return false;
    }
    return true;
}

struct status_walk {
    struct status_filter filter;
    struct page *page;
};

/* Task names and `next_token` are members of one object. So a task of that name comes
 * last of all, on the page that has no token. */
static const char token_name[] = "next_token";

static bool is_token_name(const struct page *page, const struct task *task)
{
    return page->paged && task->name_len == strlen(token_name) &&
           memcmp(task->name, token_name, task->name_len) == 0;
}

/* The walk is at the end of the list. */
static void status_put_last(struct stream_source *source, struct buf *out)
{
    struct status_walk *walk = source->arg;
    struct page *page = walk->page;
    const struct task *task =
        registry_task(source->frozen, token_name, strlen(token_name));
    bool more = page->shown > 0;
    page->left = 1;
    if (page->paged && task != NULL &&
        page_step(page, task,
                  status_json_matches(source->frozen, task, &walk->filter)) ==
            PAGE_SHOW) {
        buf_put(out, ",", more ? 1 : 0);
        status_json_put_entry(out, source->frozen, task, &walk->filter);
    }
}

bool cts_status_judge(struct call *call)
{
    struct status_filter filter;
    return status_filter(call, &filter);
}

static enum stream_step status_next(struct stream_source *source, struct buf *out)
{
    struct status_walk *walk = source->arg;
    struct page *page = walk->page;
    const struct task *task = registry_task_next(&source->cursor);
    bool fits = task != NULL && !is_token_name(page, task) &&
                status_json_matches(source->frozen, task, &walk->filter);
    switch (page_step(page, task, fits)) {
    case PAGE_SKIP:
        return STREAM_SKIPPED;
    case PAGE_SHOW:
        status_json_put_entry(out, source->frozen, task, &walk->filter);
        return STREAM_ITEM;
    case PAGE_END:
        break;
    }
    if (task == NULL) {
        status_put_last(source, out);
    }
    page_put_next(source, page, task, out);
    buf_put_u8(out, '}');
    return STREAM_END;
}

void cts_status_tasks(struct call *call)
{
    struct status_walk *walk = h2o_mem_alloc_pool(&call->req->pool, sizeof *walk);
    struct stream_source source = {.next = status_next};
    if (!status_filter(call, &walk->filter) || !page_begin(call, &source)) {
        return;
    }
    walk->page = source.arg;
    source.arg = walk;
    buf_init(&source.head);
    buf_put_u8(&source.head, '{');
    stream_start(call, &source);
}

void cts_status_task(struct call *call)
{
    struct status_filter filter;
    if (!status_filter(call, &filter)) {
        return;
    }
    const struct task *task =
        registry_task(call_registry(call), call->name, strlen(call->name));
    if (task == NULL) {
        error_no_task(call, call->name);
        return;
    }
    struct buf body;
    buf_init(&body);
    status_json_put_one(&body, call_registry(call), task, &filter);
    reply_json(call, 200, &body);
}

/* The Enterprise form: every node is a member of a cluster, if only of one. */
void cts_status_cluster(struct call *call)
{
    struct node_member members[LIMIT_MEMBERS];
    size_t count = node_members(call->api->node, members, LIMIT_MEMBERS);
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{\"cluster_name\":");
    jsontext_put_text(&body, call->api->cluster_name);
    buf_printf(&body, ",\"members\":[");
    for (size_t i = 0; i < count && i < LIMIT_MEMBERS; i++) {
        buf_printf(&body, "%s{", i > 0 ? "," : "");
        if (members[i].address[0] != '\0') {
            buf_printf(&body, "\"address\":");
            jsontext_put_text(&body, members[i].address);
            buf_printf(&body, ",");
        }
        buf_printf(&body,
                   "\"healthy\":%s,\"id\":", members[i].reachable ? "true" : "false");
        jsontext_put_text(&body, members[i].name);
        buf_printf(&body, ",\"leader\":%s,\"service_name\":\"muster\"}",
                   members[i].leader ? "true" : "false");
    }
    buf_printf(&body, "],\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    buf_printf(&body, "}");
    reply_json(call, 200, &body);
}
