/* SPDX-License-Identifier: Apache-2.0 */
/* /events: the event log, a part at a time (spec/muster.md 6).
 *
 * A filter may pass over very many events: at most EVENTS_LOOKED_AT are looked at for
 * one answer, and `next` says where to go on (`after` of the next request). */
#include "api/muster/events.h"

#include <inttypes.h>
#include <string.h>

#include "api/param.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "json/event_json.h"
#include "json/jsontext.h"
#include "text/name.h"

#define EVENTS_DEFAULT   100
#define EVENTS_MOST      1000
#define EVENTS_LOOKED_AT 100000

struct events_walk {
    uint64_t after; /* the last one looked at */
    uint64_t left;  /* that may still be shown */
    uint32_t looks; /* that may still be looked at */
    struct events_filter filter;
};

static bool events_type(struct call *call, enum event_type *type)
{
    const char *text = NULL;
    if (!param_text(call, "type", &text)) {
        return false;
    }
    if (text == NULL) {
        return true;
    }
    *type = event_type_from(text, strlen(text));
    if (*type == 0) {
        reply_error(call, 400, NULL, "there is no event type '%s'", text);
        return false;
    }
    return true;
}

/* Only what can be a task's name: an empty one would find what no task has. */
static bool events_task(struct call *call, const char **task)
{
    if (!param_text(call, "task", task)) {
        return false;
    }
    size_t len = *task != NULL ? strlen(*task) : 0;
    if (*task == NULL || (len <= LIMIT_NAME_BYTES && name_is_identifier(*task, len))) {
        return true;
    }
    reply_error(call, 400, NULL,
                "parameter 'task' must be the name of a task, not '%s'", *task);
    return false;
}

bool events_filter_read(struct call *call, struct events_filter *filter)
{
    *filter = (struct events_filter){0};
    return events_task(call, &filter->task) && events_type(call, &filter->type);
}

bool events_filter_fits(const struct events_filter *filter, const struct event *event)
{
    return (filter->type == 0 || filter->type == event->type) &&
           (filter->task == NULL || strcmp(filter->task, event->task) == 0);
}

static enum stream_step events_next(struct stream_source *source, struct buf *out)
{
    struct events_walk *walk = source->arg;
    const struct event_log *log = registry_events(source->frozen);
    const struct event *event = NULL;
    if (walk->left > 0 && walk->looks > 0) {
        event = event_log_after(log, walk->after);
    }
    if (event == NULL) {
        buf_printf(out,
                   "],\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"next\":%" PRIu64 "}",
                   log->first, log->next - 1, walk->after);
        return STREAM_END;
    }
    walk->after = event->seq;
    walk->looks--;
    if (!events_filter_fits(&walk->filter, event)) {
        return STREAM_SKIPPED;
    }
    walk->left--;
    event_json_put(out, event);
    return STREAM_ITEM;
}

static bool events_read(struct call *call, struct events_walk *walk)
{
    *walk = (struct events_walk){.left = EVENTS_DEFAULT, .looks = EVENTS_LOOKED_AT};
    return param_number(call, "after", 0, EVENTS_AFTER_MAX, &walk->after) &&
           param_number(call, "limit", 1, EVENTS_MOST, &walk->left) &&
           events_filter_read(call, &walk->filter);
}

bool events_judge(struct call *call)
{
    struct events_walk walk;
    return events_read(call, &walk);
}

void events_list(struct call *call)
{
    struct events_walk *walk = h2o_mem_alloc_pool(&call->req->pool, sizeof *walk);
    if (!events_read(call, walk)) {
        return;
    }
    struct stream_source source = {
        .frozen = registry_freeze(node_registry(call->api->node)),
        .next = events_next,
        .arg = walk,
    };
    buf_init(&source.head);
    buf_printf(&source.head, "{\"request_id\":");
    jsontext_put_text(&source.head, call->request_id);
    buf_printf(&source.head, ",\"events\":[");
    stream_start(call, &source);
}
