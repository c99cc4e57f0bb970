/* SPDX-License-Identifier: Apache-2.0 */
/* /runs: those that are live and those whose ends are kept, in the order they were
 * placed in; a page at a time as the tasks are. One task's are few (the setting
 * task_events), so they are looked up; all others are walked. */
#include "api/muster/runs.h"

#include <inttypes.h>
#include <string.h>

#include "api/error.h"
#include "api/page.h"
#include "api/param.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "base/limits.h"
#include "json/jsontext.h"
#include "json/run_json.h"
#include "text/name.h"

#define RUNS_OF_TASK_MAX 1024 /* more than any setting lets be kept of one */

static const char live_word[] = "live";

struct runs_walk {
    struct page *page;
    const char *task;     /* NULL: of all */
    const char *node;     /* its name or its id; NULL: of all */
    enum run_state state; /* 0: in any */
    bool live;            /* only those that have not ended */
    uint64_t *ids;        /* of the task's, ascending */
    size_t count;
    size_t at;
};

/* --- what is asked for ------------------------------------------------------------ */

static bool runs_task(struct call *call, struct runs_walk *walk)
{
    if (!param_text(call, "task", &walk->task)) {
        return false;
    }
    size_t len = walk->task != NULL ? strlen(walk->task) : 0;
    if (walk->task == NULL ||
        (len <= LIMIT_NAME_BYTES && name_is_identifier(walk->task, len))) {
        return true;
    }
    reply_error(call, 400, NULL,
                "parameter 'task' must be the name of a task, not '%s'", walk->task);
    return false;
}

static bool runs_state(struct call *call, struct runs_walk *walk)
{
    const char *text = NULL;
    if (!param_text(call, "state", &text)) {
        return false;
    }
    if (text == NULL) {
        return true;
    }
    walk->live = strcmp(text, live_word) == 0;
    walk->state = run_state_from(text, strlen(text));
    if (!walk->live && walk->state == 0) {
        reply_error(call, 400, NULL,
                    "parameter 'state' must be pending, running, stopping, ended or "
                    "live, not '%s'",
                    text);
        return false;
    }
    return true;
}

static bool runs_read(struct call *call, struct runs_walk *walk)
{
    *walk = (struct runs_walk){.page = NULL};
    return runs_task(call, walk) && runs_state(call, walk) &&
           param_text(call, "node", &walk->node);
}

bool runs_judge(struct call *call)
{
    struct runs_walk walk;
    return runs_read(call, &walk);
}

/* --- a list ----------------------------------------------------------------------- */

static bool runs_fits(const struct runs_walk *walk, const struct registry *registry,
                      const struct run *run)
{
    char id[24];
    if ((walk->live && run->state == RUN_ENDED) ||
        (walk->state != 0 && walk->state != run->state)) {
        return false;
    }
    if (walk->node == NULL) {
        return true;
    }
    const struct member *member = registry_member(registry, run->node);
    snprintf(id, sizeof id, "%" PRIu64, run->node);
    return strcmp(walk->node, id) == 0 ||
           (member != NULL && strcmp(walk->node, member->name) == 0);
}

static const struct run *runs_step(struct stream_source *source, struct runs_walk *walk)
{
    if (walk->task == NULL) {
        return registry_run_next(&source->cursor);
    }
    return walk->at < walk->count ? registry_run(source->frozen, walk->ids[walk->at++])
                                  : NULL;
}

static enum stream_step runs_next(struct stream_source *source, struct buf *out)
{
    struct runs_walk *walk = source->arg;
    const struct run *run = runs_step(source, walk);
    const char *name = run != NULL ? run->task : NULL;
    bool fits = run != NULL && runs_fits(walk, source->frozen, run);
    switch (page_step_named(walk->page, name, fits)) {
    case PAGE_SKIP:
        return STREAM_SKIPPED;
    case PAGE_SHOW:
        run_json_put(out, source->frozen, run);
        return STREAM_ITEM;
    case PAGE_END:
        break;
    }
    buf_put_u8(out, ']');
    page_put_next_at(source, walk->page, run != NULL ? run->id : 0, out);
    buf_put_u8(out, '}');
    return STREAM_END;
}

/* Those of the walk's task from number `from` on; the registry has the newest first. */
static void runs_find(struct call *call, struct runs_walk *walk,
                      const struct registry *registry, uint64_t from)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    size_t len = strlen(walk->task);
    walk->ids =
        h2o_mem_alloc_pool(&call->req->pool, RUNS_OF_TASK_MAX * sizeof *walk->ids);
    size_t at = RUNS_OF_TASK_MAX;
    registry_task_run_seek(registry, walk->task, len, &cursor);
    while (at > 0 && (run = registry_task_run_next(&cursor, walk->task, len)) != NULL &&
           run->id >= from) {
        walk->ids[--at] = run->id;
    }
    walk->ids += at;
    walk->count = RUNS_OF_TASK_MAX - at;
}

void runs_list(struct call *call)
{
    struct runs_walk *walk = h2o_mem_alloc_pool(&call->req->pool, sizeof *walk);
    struct stream_source source = {.next = runs_next};
    if (!runs_read(call, walk) || !page_begin(call, &source)) {
        return;
    }
    walk->page = source.arg;
    source.arg = walk;
    if (walk->task != NULL) {
        runs_find(call, walk, source.frozen, walk->page->from);
    } else {
        registry_run_seek(source.frozen, walk->page->from, &source.cursor);
    }
    buf_init(&source.head);
    buf_printf(&source.head, "{\"request_id\":");
    jsontext_put_text(&source.head, call->request_id);
    buf_printf(&source.head, ",\"runs\":[");
    stream_start(call, &source);
}

/* --- one -------------------------------------------------------------------------- */

bool runs_number(struct call *call, uint64_t *id)
{
    return param_read_number(call, "the number of a run", call->name, 1, INT64_MAX, id);
}

const struct run *runs_of_path(struct call *call, const struct registry *registry)
{
    uint64_t id = 0;
    if (!runs_number(call, &id)) {
        return NULL;
    }
    const struct run *run = registry_run(registry, id);
    if (run == NULL) {
        runs_no_run(call);
    }
    return run;
}

void runs_no_run(struct call *call)
{
    reply_error(call, 404, err_code_name(ERR_NOT_FOUND),
                "there is no run %s, or it is not kept any more", call->name);
}

void runs_get(struct call *call)
{
    const struct registry *registry = node_registry(call->api->node);
    const struct run *run = runs_of_path(call, registry);
    if (run == NULL) {
        return;
    }
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    buf_printf(&body, ",\"run\":");
    run_json_put(&body, registry, run);
    buf_put_u8(&body, '}');
    reply_json(call, 200, &body);
}
