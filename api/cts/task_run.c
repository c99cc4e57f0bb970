/* SPDX-License-Identifier: Apache-2.0 */
/* ?run=now and ?run=inspect of POST and PATCH, as Consul-Terraform-Sync has them
 * (spec/cts.md 1.7, 1.8, 13), and of PUT and merge patches (spec/muster.md 4): answered
 * when the run has ended.
 *
 *   PATCH   now ──▶ enable and place ──▶ wait ──▶ 200, 500
 *           inspect ────────▶ place ──▶ wait ──▶ its log ──▶ 200, 500
 *   POST    now ──▶ place a trial ──▶ wait ──▶ 201 (its end has created the task), 500
 *           inspect ─▶ place a trial ─▶ wait ─▶ its log ─▶ 200, 400
 *   PUT     now ──▶ store and place ──▶ wait ──▶ 200, 500
 *           inspect ─▶ place what carries the text ─▶ wait ─▶ its log ─▶ 200, 400
 *
 * PUT where there is no task is as POST.
 *
 * What is stored and what is placed is one command: both, or a refusal. With an
 * idempotency key it is under that: who repeats the request waits for that same run. */
#include <string.h>

#include "api/cts/tasks.h"
#include "api/error.h"
#include "api/reply.h"
#include "api/run_log.h"
#include "api/run_order.h"
#include "api/run_wait.h"
#include "api/server_internal.h"
#include "base/mem.h"
#include "json/jsontext.h"
#include "json/task_json.h"

/* What was asked for; in the request's pool. */
struct task_ask {
    enum run_mode mode;
    bool enabled; /* PATCH: the body says so */
    uint64_t wait_ms;
    bool changes;            /* an inspection found some */
    struct task_draft draft; /* of POST and PUT: in the pool, for run=inspect */
    call_outcome_cb missed;  /* of a merge patch, or NULL ... */
    void *missed_arg;        /* ... and the call's `arg` for it */
};

/* NULL: answered. */
static struct task_ask *task_ask_new(struct call *call, enum run_mode mode)
{
    struct task_ask *ask = h2o_mem_alloc_pool(&call->req->pool, sizeof *ask);
    *ask = (struct task_ask){.mode = mode};
    call->arg = ask;
    if (mode != MODE_NONE &&
        (!run_order_allowed(call) || !run_wait_param(call, &ask->wait_ms))) {
        return NULL;
    }
    return ask;
}

/* The plan of an inspection that succeeded: a short one stands in the registry, a long
 * one in the run's log. */
static void plan_of(struct call *call, const struct run *run, run_log_cb done)
{
    struct task_ask *ask = call->arg;
    ask->changes = run->changes;
    if (run->text[0] == '\0') {
        run_log_gather(call, run, done);
        return;
    }
    struct buf text;
    buf_init(&text);
    buf_printf(&text, "%s", run->text);
    done(call, &text);
    buf_close(&text);
}

/* Why it did not succeed, in few words if its program said nothing. */
static const char *run_why(const struct run *run)
{
    return run->text[0] != '\0' ? run->text : run_outcome_name(run->outcome);
}

/* --- PATCH ---------------------------------------------------------------------------
 */

static void reply_inspect(struct call *call, bool changes, const void *plan, size_t len)
{
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{\"inspect\":{\"changes_present\":%s,\"plan\":",
               changes ? "true" : "false");
    jsontext_put_string(&body, plan, len);
    buf_put_literal(&body, "}}");
    reply_json(call, 200, &body);
}

static void reply_patched(struct call *call, uint64_t revision)
{
    const struct task *task = run_order_task(call);
    struct buf body;
    buf_init(&body);
    buf_put_literal(&body, "{}");
    if (revision != 0) {
        reply_etag(call, revision);
    }
    if (task != NULL) {
        cts_warn_of(call, task);
    }
    reply_json(call, 200, &body);
}

static void patch_ended_now(struct call *call, const struct run *run)
{
    const struct task *task = run_order_task(call);
    if (run->outcome == RUN_SUCCESS) {
        reply_patched(call, task != NULL ? task->revision : 0);
    } else {
        run_wait_put_location(call, run->id);
        call->run_failed = true;
        reply_error(call, 500, NULL, "error tf-apply for '%s': %s", run->task,
                    run_why(run));
    }
}

static void patch_planned(struct call *call, const struct buf *plan)
{
    const struct task_ask *ask = call->arg;
    reply_inspect(call, ask->changes, plan->data, plan->len);
}

static void patch_ended_inspect(struct call *call, const struct run *run)
{
    run_wait_put_location(call, run->id);
    if (run->outcome == RUN_SUCCESS) {
        plan_of(call, run, patch_planned);
    } else {
        call->run_failed = true;
        reply_error(call, 500, NULL,
                    "Error updating task '%s'. Unable to inspect task: %s", run->task,
                    run_why(run));
    }
}

/* As CTS says it of a live run (spec/cts.md 13). */
static void patch_active(struct call *call, const struct result *result)
{
    const struct task *task = run_order_task(call);
    if (task != NULL && task->deleting) {
        error_task_live(call, result, call->name);
    } else {
        call->run_failed = true;
        reply_error(call, 500, NULL,
                    "task '%s' is active and cannot be updated at this time",
                    call->name);
    }
}

/* With If-Match a task that is not there is another one. */
static void patch_refused(struct call *call, const struct result *result)
{
    struct result refusal = *result;
    if (result->code == ERR_NOT_FOUND && call->match.condition != TASK_CONDITION_NONE) {
        refusal.code = ERR_PRECONDITION;
        refusal.revision = 0;
    }
    error_result(call, &refusal, call->name);
}

static void patch_placed(struct call *call, const struct result *result)
{
    const struct task_ask *ask = call->arg;
    bool other = call->match.condition == TASK_CONDITION_REVISION &&
                 call->match.revision != result->revision;
    call->sequence = result->sequence;
    if (result->code == 0 && result->run != 0) {
        call->sequence = 0; /* as it stands when it is answered */
        run_wait_start(call, result->run, ask->wait_ms,
                       ask->mode == MODE_NOW ? patch_ended_now : patch_ended_inspect,
                       NULL);
    } else if (result->code == 0) { /* it is disabled: nothing was to be done */
        reply_patched(call, result->revision);
    } else if (result->code == ERR_CONFLICT) {
        patch_active(call, result);
    } else if (result->code == ERR_BUSY || (result->code == ERR_PRECONDITION &&
                                            ask->mode == MODE_INSPECT && !other)) {
        run_order_left(call);
    } else {
        patch_refused(call, result);
    }
}

static void patch_enabled(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code != 0) {
        error_result(call, result, call->name);
    } else {
        reply_patched(call, result->revision);
    }
}

/* Store `enabled`, without a run. */
static void patch_enable(struct call *call)
{
    const struct task_ask *ask = call->arg;
    struct text name = text_of(call->name);
    struct command command = {
        .type = COMMAND_TASK_ENABLE,
        .task_enable = {name, ask->enabled},
    };
    if (call->match.condition != TASK_CONDITION_NONE) {
        command.type = COMMAND_TASK_ENABLE_IF;
        command.task_enable_if.name = name;
        command.task_enable_if.enabled = ask->enabled;
        command.task_enable_if.condition = call->match.condition;
        command.task_enable_if.revision = call->match.revision;
    }
    call->unkeyed = false;
    call_propose(call, &command, patch_enabled);
}

static void patch_enable_and_run(struct call *call)
{
    const struct task_ask *ask = call->arg;
    struct command command = {
        .type = COMMAND_RUN_ENABLE,
        .run_enable =
            {
                .task = text_of(call->name),
                .enabled = ask->enabled,
                .condition = call->match.condition,
                .revision = call->match.revision,
            },
    };
    run_order_change(call, &command, patch_placed);
}

static void patch_skipped(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code == ERR_NOT_FOUND) {
        patch_refused(call, result);
    } else {
        reply_inspect(call, false, "", 0);
    }
}

/* There is no live run, or it is for apply to say. */
static void patch_go_on(struct call *call)
{
    const struct task_ask *ask = call->arg;
    bool conditional = call->match.condition == TASK_CONDITION_REVISION;
    if (ask->mode == MODE_NOW) {
        patch_enable_and_run(call);
    } else if (ask->mode == MODE_NONE) {
        patch_enable(call);
    } else if (ask->enabled) {
        run_order(call, conditional ? call->match.revision : 0, RUN_INSPECT,
                  patch_placed);
    } else {
        run_order_ask(call, patch_skipped); /* nothing is to be inspected */
    }
}

static void patch_asked(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->run != 0) {
        patch_active(call, result);
    } else if (result->code == ERR_NOT_FOUND) {
        patch_refused(call, result);
    } else {
        patch_go_on(call);
    }
}

void cts_task_patch_run(struct call *call, enum run_mode mode, bool enabled)
{
    struct task_ask *ask = task_ask_new(call, mode);
    if (ask == NULL) {
        return;
    }
    ask->enabled = enabled;
    const struct registry *registry = node_registry(call->api->node);
    if (mode != MODE_NOW && !run_order_known(call) &&
        registry_live_run(registry, call->name, strlen(call->name)) != NULL) {
        run_order_ask(call, patch_asked);
    } else {
        patch_go_on(call);
    }
}

/* --- POST ----------------------------------------------------------------------------
 */

/* {"request_id":U,"run":{…},"task":T}, with the task as it would be. */
static void reply_trial(struct call *call, bool changes, const void *plan, size_t len)
{
    const struct task_ask *ask = call->arg;
    struct task *task = task_new(&ask->draft, 0, 0);
    struct buf body;
    buf_init(&body);
    buf_put_literal(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    buf_printf(&body, ",\"run\":{\"changes_present\":%s,\"plan\":",
               changes ? "true" : "false");
    jsontext_put_string(&body, plan, len);
    buf_put_literal(&body, "},\"task\":");
    task_json_put(&body, task);
    buf_put_u8(&body, '}');
    cts_warn_of(call, task);
    task_unref(task);
    reply_json(call, 200, &body);
}

static void trial_planned(struct call *call, const struct buf *plan)
{
    const struct task_ask *ask = call->arg;
    reply_trial(call, ask->changes, plan->data, plan->len);
}

static void trial_ended_inspect(struct call *call, const struct run *run)
{
    run_wait_put_location(call, run->id);
    if (run->outcome == RUN_SUCCESS) {
        plan_of(call, run, trial_planned);
    } else {
        reply_error(call, 400, NULL, "error tf-plan for '%s': %s", run->task,
                    run_why(run));
    }
}

static void trial_ended_now(struct call *call, const struct run *run)
{
    run_wait_put_location(call, run->id);
    if (run->outcome == RUN_SUCCESS) {
        cts_reply_task(call, run->purpose == RUN_TRIAL ? 201 : 200,
                       run_order_task(call));
    } else {
        call->run_failed = true;
        reply_error(call, 500, NULL, "error tf-apply for '%s': %s", run->task,
                    run_why(run));
    }
}

static void trial_placed(struct call *call, const struct result *result)
{
    const struct task_ask *ask = call->arg;
    call->sequence = result->sequence;
    if (result->code == 0) {
        call->sequence = 0; /* as it stands when it is answered */
        run_wait_start(call, result->run, ask->wait_ms,
                       ask->mode == MODE_NOW ? trial_ended_now : trial_ended_inspect,
                       NULL);
    } else if (result->code == ERR_EXISTS && result->revision == 0 &&
               result->run != 0) {
        error_task_live(call, result, call->name); /* of another trial of that name */
    } else if (result->code == ERR_PRECONDITION) {
        run_order_left(call);
    } else {
        error_result(call, result, call->name);
    }
}

static void reply_skipped(struct call *call)
{
    static const char skipped[] = "Task is disabled, inspection was skipped.";
    reply_trial(call, false, skipped, sizeof skipped - 1);
}

/* A task that is disabled is not inspected; that its name is free is said by apply. */
static void trial_skipped(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code == ERR_NOT_FOUND) {
        reply_skipped(call);
    } else {
        error_task_exists(call, call->name);
    }
}

static void ask_keep_draft(struct call *call, const struct task_draft *draft)
{
    struct task_ask *ask = call->arg;
    h2o_mem_pool_t *pool = &call->req->pool;
    ask->draft = *draft;
    ask->draft.name = h2o_strdup(pool, draft->name, draft->name_len).base;
    ask->draft.text = h2o_strdup(pool, draft->text, draft->text_len).base;
}

void cts_task_create_run(struct call *call, enum run_mode mode,
                         const struct task_draft *draft)
{
    if (task_ask_new(call, mode) == NULL) {
        return;
    }
    if (mode == MODE_NOW) {
        run_order_trial(call, draft, RUN_TRIAL, trial_placed);
        return;
    }
    ask_keep_draft(call, draft);
    if (draft->enabled) {
        run_order_trial(call, draft, RUN_TRIAL_INSPECT, trial_placed);
    } else {
        run_order_ask(call, trial_skipped);
    }
}

/* --- PUT, and PATCH with a merge patch -----------------------------------------------
 */

static void change_ended_inspect(struct call *call, const struct run *run)
{
    struct task_ask *ask = call->arg;
    ask->draft.enabled = true; /* else it would not have been inspected */
    if (call->merges && run->outcome != RUN_SUCCESS) {
        patch_ended_inspect(call, run);
    } else {
        trial_ended_inspect(call, run);
    }
}

/* What is disabled has been stored, or would be. */
static void change_not_run(struct call *call, const struct result *result)
{
    struct task_ask *ask = call->arg;
    if (ask->mode == MODE_NOW) {
        cts_reply_task(call, result->created ? 201 : 200, run_order_task(call));
        return;
    }
    ask->draft.enabled = false;
    reply_skipped(call);
}

static void change_placed(struct call *call, const struct result *result)
{
    struct task_ask *ask = call->arg;
    call->sequence = result->sequence;
    if (result->code == 0 && result->run != 0) {
        call->sequence = 0; /* as it stands when it is answered */
        run_wait_start(call, result->run, ask->wait_ms,
                       ask->mode == MODE_NOW ? trial_ended_now : change_ended_inspect,
                       NULL);
    } else if (result->code == 0) {
        change_not_run(call, result);
    } else if (result->code == ERR_CONFLICT && result->run == 0 &&
               ask->missed != NULL) {
        call->arg = ask->missed_arg;
        ask->missed(call, result);
    } else if (result->code == ERR_BUSY) {
        run_order_left(call);
    } else {
        error_result(call, result, call->name);
    }
}

void cts_task_change_run(struct call *call, enum run_mode mode,
                         const struct task_change *change)
{
    void *before = call->arg;
    const struct task_draft *draft = change->draft;
    struct task_ask *ask = task_ask_new(call, mode);
    if (ask == NULL) {
        return;
    }
    ask->missed = change->missed;
    ask->missed_arg = before;
    if (mode == MODE_INSPECT) {
        ask_keep_draft(call, draft);
    }
    struct command command = {
        .type = COMMAND_RUN_PUT,
        .run_put =
            {
                .name = text_of(call->name),
                .text = {draft->text, draft->text_len},
                .enabled_at = draft->enabled_at,
                .enabled = draft->enabled,
                .keep_enabled = change->keep_enabled,
                .base = change->base,
                .condition = call->match.condition,
                .revision = call->match.revision,
                .purpose = mode == MODE_NOW ? RUN_APPLY : RUN_INSPECT,
            },
    };
    run_order_change(call, &command, change_placed);
}
