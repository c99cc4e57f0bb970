/* SPDX-License-Identifier: Apache-2.0 */
/* /tasks as Consul-Terraform-Sync has it (spec/cts.md 1.6–1.9, 13). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/cts/admit.h"
#include "api/cts/tasks.h"
#include "api/error.h"
#include "api/key.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "api/terms.h"
#include "api/work.h"
#include "base/mem.h"
#include "json/jsontext.h"
#include "json/task_json.h"
#include "json/task_view.h"
#include "raft/fingerprint.h"
#include "text/quote.h"

#define REPLY_TASK_BYTES 1024 /* most tasks fit, with what stands around them */

void cts_warn_of(struct call *call, const struct task *task)
{
    struct buf text;
    buf_init(&text);
    if (task_view_put_warning(&text, task->text, task->text_len)) {
        buf_put_u8(&text, '\0');
        reply_header(call, REPLY_WARNING, (const char *)text.data);
    }
    buf_close(&text);
}

void cts_reply_task(struct call *call, int status, const struct task *task)
{
    struct buf body;
    buf_init(&body);
    buf_reserve(&body, REPLY_TASK_BYTES);
    buf_put_literal(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    if (task != NULL) {
        buf_put_literal(&body, ",\"task\":");
        task_json_put(&body, task);
        reply_etag(call, task->revision);
        cts_warn_of(call, task);
    }
    buf_put_u8(&body, '}');
    reply_json(call, status, &body);
}

static const struct registry *call_registry(const struct call *call)
{
    return node_registry(call->api->node);
}

/* --- GET
 * ------------------------------------------------------------------------------------
 */

static enum stream_step tasks_next(struct stream_source *source, struct buf *out)
{
    struct page *page = source->arg;
    const struct task *task = registry_task_next(&source->cursor);
    switch (page_step(page, task, true)) {
    case PAGE_SKIP:
        return STREAM_SKIPPED;
    case PAGE_SHOW:
        task_json_put(out, task);
        return STREAM_ITEM;
    case PAGE_END:
        break;
    }
    buf_put_u8(out, ']');
    page_put_next(source, page, task, out);
    buf_put_u8(out, '}');
    return STREAM_END;
}

void cts_tasks_list(struct call *call)
{
    struct stream_source source = {.next = tasks_next};
    if (!page_begin(call, &source)) {
        return;
    }
    buf_init(&source.head);
    buf_printf(&source.head, "{\"request_id\":");
    jsontext_put_text(&source.head, call->request_id);
    buf_printf(&source.head, ",\"tasks\":[");
    stream_start(call, &source);
}

/* Does If-None-Match name this revision, weakly or strongly, or anything? */
static bool etag_matches(h2o_iovec_t header, uint64_t revision)
{
    char etag[24];
    snprintf(etag, sizeof etag, "\"%llu\"", (unsigned long long)revision);
    return (header.len == 1 && header.base[0] == '*') ||
           memmem(header.base, header.len, etag, strlen(etag)) != NULL;
}

void cts_task_get(struct call *call)
{
    const struct task *task =
        registry_task(call_registry(call), call->name, strlen(call->name));
    if (task == NULL) {
        error_no_task(call, call->name);
        return;
    }
    h2o_iovec_t known = call_header(call, "if-none-match");
    if (known.len > 0 && etag_matches(known, task->revision)) {
        reply_etag(call, task->revision);
        reply_empty(call, 304);
        return;
    }
    cts_reply_task(call, 200, task);
}

/* --- bodies
 * ---------------------------------------------------------------------------------- */

#define BODY_ON_LOOP_BYTES (64 * 1024) /* parsed in some 1.5 ms at most */

/* A body on its way to a command. */
struct task_job {
    struct work work;
    struct call *call;
    enum run_mode mode;
    const void *body;
    size_t len;
    struct task_defaults defaults;
    struct path_folders modules;
    void (*parse)(struct task_job *job); /* may be in the pool */
    void (*parsed)(struct task_job *job);
    int rv;
    struct err err;
    struct task_json json; /* of POST */
    bool enabled;          /* of PATCH */
    struct buf base;  /* of a merge: the task as it stands, empty if there is none */
    struct buf asked; /* to be fingerprinted with the body; empty: not */
    uint8_t fingerprint[KEY_FINGERPRINT_BYTES];
    void *copy; /* of the body, if it went to the pool */
};

static void task_job_read(struct task_job *job)
{
    if (job->asked.len > 0) {
        fingerprint_of(job->asked.data, job->asked.len, job->body, job->len,
                       job->fingerprint);
    }
    job->parse(job);
}

static void task_job_go_on(struct task_job *job)
{
    if (job->asked.len > 0) {
        memcpy(job->call->key.fingerprint, job->fingerprint, sizeof job->fingerprint);
        job->call->key.printed = true;
    }
    job->parsed(job);
}

static void task_job_close(struct task_job *job)
{
    task_json_close(&job->json);
    buf_close(&job->base);
    buf_close(&job->asked);
    mem_free(job->copy);
}

static void task_job_run(struct work *work)
{
    task_job_read((struct task_job *)(void *)work);
}

static void task_job_done(struct work *work)
{
    struct task_job *job = (struct task_job *)(void *)work;
    if (call_open(job->call)) {
        task_job_go_on(job);
    }
    call_unref(job->call);
    task_job_close(job);
    mem_free(job);
}

/* Parse the body, here or in the pool, then go on with `parsed`; takes `base` over. */
static void task_job_start_with(struct call *call, enum run_mode mode, struct buf *base,
                                void (*parse)(struct task_job *job),
                                void (*parsed)(struct task_job *job))
{
    struct task_job job = {
        .work = {.run = task_job_run, .done = task_job_done},
        .call = call,
        .mode = mode,
        .body = call->req->entity.base,
        .len = call->req->entity.len,
        .defaults = call->api->options.task_defaults,
        .modules = {(const char *const *)call->api->modules,
                    call->api->options.module_count},
        .parse = parse,
        .parsed = parsed,
        .base = *base,
    };
    buf_init(&job.json.text);
    buf_init(&job.asked);
    if (call->key.text != NULL && !call->key.printed) {
        key_put_asked(call, &job.asked);
    }
    if (job.len + job.base.len <= BODY_ON_LOOP_BYTES) {
        task_job_read(&job);
        task_job_go_on(&job);
        task_job_close(&job);
        return;
    }
    struct task_job *kept = mem_dup(&job, sizeof job);
    kept->copy = mem_dup(job.body, job.len);
    kept->body = kept->copy;
    call_ref(call);
    work_start(call->api, &kept->work);
}

static void task_job_start(struct call *call, enum run_mode mode,
                           void (*parse)(struct task_job *job),
                           void (*parsed)(struct task_job *job))
{
    struct buf nothing;
    buf_init(&nothing);
    task_job_start_with(call, mode, &nothing, parse, parsed);
}

/* --- POST
 * -------------------------------------------------------------------------------------
 */

/* `run` is given more than once: which one is meant? */
static void refuse_runs(struct call *call, const char *const *values, size_t count)
{
    struct buf list;
    buf_init(&list);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&list, "%s%s", i > 0 ? " " : "", values[i]);
    }
    reply_error(call, 400, NULL,
                "cannot support more than one run query parameter, got run values: "
                "[%.*s]",
                (int)list.len, (const char *)list.data);
    buf_close(&list);
}

/* `run` as the generated endpoints judge it: exact values; false: answered. */
static bool post_run_mode(struct call *call, enum run_mode *mode)
{
    const char *values[CALL_QUERY_MAX];
    size_t count = call_query(call, "run", values, CALL_QUERY_MAX);
    *mode = MODE_NONE;
    if (count == 0) {
        return true;
    }
    if (count > 1) {
        refuse_runs(call, values, count);
        return false;
    }
    if (values[0][0] == '\0') {
        reply_error(
            call, 400, NULL,
            "parameter \"run\" in query has an error: empty value is not allowed");
        return false;
    }
    if (strcmp(values[0], "now") == 0) {
        *mode = MODE_NOW;
    } else if (strcmp(values[0], "inspect") == 0) {
        *mode = MODE_INSPECT;
    } else {
        reply_error(call, 400, NULL,
                    "parameter \"run\" in query has an error: value is not one of the "
                    "allowed values [\"now\",\"inspect\"]");
        return false;
    }
    return true;
}

/* application/json, with whatever parameters; false: answered. */
static bool content_type_json(struct call *call)
{
    h2o_iovec_t type = call_header(call, "content-type");
    size_t len = 0;
    while (len < type.len && type.base[len] != ';') {
        len++;
    }
    while (len > 0 && (type.base[len - 1] == ' ' || type.base[len - 1] == '\t')) {
        len--;
    }
    if (len == strlen("application/json") &&
        strncasecmp(type.base, "application/json", len) == 0) {
        return true;
    }
    char *quoted = quote_text(type.base, type.len);
    reply_error(
        call, 400, NULL,
        "request body has an error: header Content-Type has unexpected value %s",
        quoted);
    mem_free(quoted);
    return false;
}

static void task_created(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code != 0) {
        error_result(call, result, call->name);
        return;
    }
    /* gone or changed already by a later command of the same batch: as it stands */
    cts_reply_task(call, 201,
                   registry_task(call_registry(call), call->name, strlen(call->name)));
}

static void task_create(struct call *call, const struct task_draft *draft)
{
    struct command command = {
        .type = COMMAND_TASK_CREATE,
        .task_create =
            {
                .name = {draft->name, draft->name_len},
                .text = {draft->text, draft->text_len},
                .enabled_at = draft->enabled_at,
                .enabled = draft->enabled,
            },
    };
    call_propose(call, &command, task_created);
}

/* Schema first, then the leader, then what only the leader may look up. That the name
 * is taken is decided by apply: this node may have been replaced as leader unknowingly.
 */
static void task_create_parsed(struct task_job *job)
{
    struct call *call = job->call;
    if (job->rv != 0 && job->json.name == NULL) {
        error_reply(call, &job->err);
        return;
    }
    if (!call_writable(call)) {
        error_not_leader(call);
        return;
    }
    const char *name = job->json.name;
    call->name = h2o_strdup(&call->req->pool, name, SIZE_MAX).base;
    const struct task_draft *draft = &job->json.draft;
    if (job->rv != 0) {
        bool taken = registry_task(call_registry(call), name, strlen(name)) != NULL;
        if (taken) {
            error_task_exists(call, name);
        } else {
            error_reply(call, &job->err);
        }
    } else if (job->mode == MODE_NONE || (job->mode == MODE_NOW && !draft->enabled)) {
        task_create(call, draft);
    } else {
        cts_task_create_run(call, job->mode, draft);
    }
}

static void task_create_parse(struct task_job *job)
{
    job->rv =
        task_json_create(job->body, job->len, &job->defaults, &job->json, &job->err);
    if (job->rv == 0) {
        job->rv = task_admit(&job->modules, &job->json, &job->err);
    }
}

void cts_task_create(struct call *call)
{
    enum run_mode mode = MODE_NONE;
    if (!post_run_mode(call, &mode) || !content_type_json(call) || !terms_read(call)) {
        return;
    }
    task_job_start(call, mode, task_create_parse, task_create_parsed);
}

/* --- PUT
 * -------------------------------------------------------------------------------------
 */

/* Where there is no task to replace, only a live trial takes the name. */
static void task_put_barred(struct call *call)
{
    const struct run *run =
        registry_live_run(call_registry(call), call->name, strlen(call->name));
    if (run != NULL) {
        error_task_live(call, &(struct result){.run = run->id}, call->name);
    } else {
        reply_error(call, 409, err_code_name(ERR_CONFLICT),
                    "task '%s' was just being created by a run", call->name);
    }
}

static void task_put_decided(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code == ERR_EXISTS) {
        task_put_barred(call);
        return;
    }
    if (result->code != 0) {
        error_result(call, result, call->name);
        return;
    }
    cts_reply_task(call, result->created ? 201 : 200,
                   registry_task(call_registry(call), call->name, strlen(call->name)));
}

static void task_put(struct call *call, const struct task_json *json)
{
    const struct task_draft *draft = &json->draft;
    struct command command = {
        .type = COMMAND_TASK_PUT,
        .task_put =
            {
                .name = {draft->name, draft->name_len},
                .text = {draft->text, draft->text_len},
                .enabled_at = draft->enabled_at,
                .enabled = draft->enabled,
                .keep_enabled = !json->enabled_given,
                .condition = call->match.condition,
                .revision = call->match.revision,
            },
    };
    call_propose(call, &command, task_put_decided);
}

/* The form first, then the leader: nothing is looked up here. */
static void task_put_parsed(struct task_job *job)
{
    struct call *call = job->call;
    if (job->rv == 0 && strcmp(job->json.name, call->name) != 0) {
        job->rv =
            err_set(&job->err, ERR_INVALID, "the path names task '%s', the body '%s'",
                    call->name, job->json.name);
    }
    if (job->rv != 0) {
        error_reply(call, &job->err);
    } else if (!call_writable(call)) {
        error_not_leader(call);
    } else if (job->mode != MODE_NONE) {
        struct task_change change = {
            .draft = &job->json.draft,
            .keep_enabled = !job->json.enabled_given,
        };
        cts_task_change_run(call, job->mode, &change);
    } else {
        task_put(call, &job->json);
    }
}

void cts_task_put(struct call *call)
{
    enum run_mode mode = MODE_NONE;
    if (!post_run_mode(call, &mode) || !content_type_json(call) || !terms_read(call)) {
        return;
    }
    task_job_start(call, mode, task_create_parse, task_put_parsed);
}

/* --- PATCH
 * ---------------------------------------------------------------------------------------
 */

/* `run` as the hand-written endpoint judges it: any case, not twice; false: answered.
 */
static bool patch_run_mode(struct call *call, enum run_mode *mode)
{
    const char *values[CALL_QUERY_MAX];
    size_t count = call_query(call, "run", values, CALL_QUERY_MAX);
    *mode = MODE_NONE;
    if (count == 0) {
        return true;
    }
    if (count > 1) {
        refuse_runs(call, values, count);
        return false;
    }
    if (strcasecmp(values[0], "now") == 0) {
        *mode = MODE_NOW;
    } else if (strcasecmp(values[0], "inspect") == 0) {
        *mode = MODE_INSPECT;
    } else {
        char *lower = mem_strdup(values[0]);
        h2o_strtolower(lower, strlen(lower));
        reply_error(
            call, 400, NULL,
            "unsupported run parameter value. only supporting run values now and "
            "inspect but got %s",
            lower);
        mem_free(lower);
        return false;
    }
    return true;
}

static void task_patch_parsed(struct task_job *job)
{
    struct call *call = job->call;
    if (job->rv != 0) {
        error_reply(call, &job->err);
        return;
    }
    cts_task_patch_run(call, job->mode, job->enabled);
}

static void task_patch_parse(struct task_job *job)
{
    job->rv = task_json_patch(job->body, job->len, &job->enabled, &job->err);
}

/* --- PATCH with a merge patch
 * ----------------------------------------------------------------- */

#define MERGE_TRIES 5

/* What stays of a merge from one try to the next. */
struct merge {
    enum run_mode mode;
    unsigned tries;
    uint64_t base;  /* the revision it was computed against; 0: there was no task */
    bool refused;   /* what it makes of that one is no task: */
    struct err err; /* for this reason */
};

static void task_merge_start(struct call *call);

/* The task is another one than was looked up: compute it anew. */
static void task_merge_missed(struct call *call, const struct result *result)
{
    struct merge *merge = call->arg;
    const struct task *task =
        registry_task(call_registry(call), call->name, strlen(call->name));
    if (task != NULL && task->deleting) {
        error_task_live(call, result, call->name);
    } else if (merge->refused && result->revision == merge->base) {
        error_reply(call, &merge->err);
    } else if (++merge->tries < MERGE_TRIES) {
        task_merge_start(call);
    } else {
        reply_error(call, 409, err_code_name(ERR_CONFLICT),
                    "task '%s' was changed by others each time the patch was computed",
                    call->name);
    }
}

static void task_merged(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code == ERR_CONFLICT) {
        task_merge_missed(call, result);
    } else if (result->code != 0) {
        error_result(call, result, call->name);
    } else {
        cts_reply_task(
            call, 200,
            registry_task(call_registry(call), call->name, strlen(call->name)));
    }
}

/* Propose what was computed. Where there is nothing to propose (no such task here, or
 * what the patch makes of it is no task) it goes as a change of revision 0, which no
 * task has: this node may have been replaced as leader unknowingly, so it is apply that
 * says whether there is no task, or still the one that was judged. */
static void task_merge(struct call *call, const struct task_draft *draft)
{
    const struct merge *merge = call->arg;
    bool made = draft->name_len > 0;
    struct command command = {
        .type = COMMAND_TASK_MERGE,
        .task_merge =
            {
                .name = text_of(call->name),
                .text = {made ? draft->text : "{}", made ? draft->text_len : 2},
                .enabled_at = made ? draft->enabled_at : 1,
                .enabled = draft->enabled,
                .base = made ? merge->base : 0,
                .condition = call->match.condition,
                .revision = call->match.revision,
            },
    };
    call_propose(call, &command, task_merged);
}

static void task_merge_parsed(struct task_job *job)
{
    struct call *call = job->call;
    struct merge *merge = call->arg;
    merge->refused = job->rv != 0;
    merge->err = job->err;
    if (job->rv != 0 && job->json.name == NULL) {
        error_reply(call, &job->err);
    } else if (job->rv == 0 && merge->base != 0 && merge->mode != MODE_NONE) {
        struct task_change change = {
            .draft = &job->json.draft,
            .base = merge->base,
            .missed = task_merge_missed,
        };
        cts_task_change_run(call, merge->mode, &change);
    } else {
        task_merge(call, &job->json.draft);
    }
}

static void task_merge_parse(struct task_job *job)
{
    const struct buf *base = job->base.len > 0 ? &job->base : NULL;
    job->rv = task_json_merge(base, job->body, job->len, &job->defaults, &job->json,
                              &job->err);
    if (job->rv == 0 && job->json.draft.name_len > 0) {
        job->rv = task_admit(&job->modules, &job->json, &job->err);
    }
}

static void task_merge_start(struct call *call)
{
    struct merge *merge = call->arg;
    const struct task *task =
        registry_task(call_registry(call), call->name, strlen(call->name));
    struct buf base;
    buf_init(&base);
    merge->base = task != NULL ? task->revision : 0;
    if (task != NULL) {
        task_json_put(&base, task);
    }
    task_job_start_with(call, merge->mode, &base, task_merge_parse, task_merge_parsed);
}

/* CTS does not look at the Content-Type of a PATCH. */
static bool patch_merges(const struct call *call)
{
    h2o_iovec_t type = call_header(call, "content-type");
    static const char merge[] = "application/merge-patch+json";
    return type.len >= sizeof merge - 1 &&
           strncasecmp(type.base, merge, sizeof merge - 1) == 0;
}

void cts_task_patch(struct call *call)
{
    enum run_mode mode = MODE_NONE;
    if (!patch_run_mode(call, &mode) || !terms_read(call)) {
        return;
    }
    call->merges = patch_merges(call);
    if (!call->merges) {
        task_job_start(call, mode, task_patch_parse, task_patch_parsed);
        return;
    }
    struct merge *merge = h2o_mem_alloc_pool(&call->req->pool, sizeof *merge);
    *merge = (struct merge){.mode = mode};
    call->arg = merge;
    task_merge_start(call);
}

/* --- DELETE
 * ---------------------------------------------------------------------------------------
 */

static void task_deleted(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code != 0) {
        error_result(call, result, call->name);
        return;
    }
    cts_reply_task(call, 202, NULL);
}

void cts_task_delete(struct call *call)
{
    struct command command = {
        .type = COMMAND_TASK_DELETE,
        .task_delete = {text_of(call->name)},
    };
    if (!terms_read(call)) {
        return;
    }
    if (call->match.condition != TASK_CONDITION_NONE) {
        command.type = COMMAND_TASK_DELETE_IF;
        command.task_delete_if.name = text_of(call->name);
        command.task_delete_if.condition = call->match.condition;
        command.task_delete_if.revision = call->match.revision;
    }
    call_propose(call, &command, task_deleted);
}
