/* SPDX-License-Identifier: Apache-2.0 */
/* POST /tasks/:name/run and POST /runs/:id/cancel (spec/muster.md 7). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "api/muster/runs.h"
#include "api/param.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/run_order.h"
#include "api/run_wait.h"
#include "api/server_internal.h"
#include "api/terms.h"
#include "json/jsontext.h"
#include "json/run_json.h"

/* {"request_id":U,"run":R} and where it is found. */
static void reply_run(struct call *call, int status, const struct run *run)
{
    struct buf body;
    buf_init(&body);
    buf_put_literal(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    buf_put_literal(&body, ",\"run\":");
    run_json_put(&body, node_registry(call->api->node), run);
    buf_put_u8(&body, '}');
    run_wait_put_location(call, run->id);
    reply_json(call, status, &body);
}

/* These take no body; an empty object is none. False: answered. */
static bool body_empty(struct call *call)
{
    h2o_iovec_t body = call->req->entity;
    if (body.len == 0 || h2o_memis(body.base, body.len, H2O_STRLIT("{}"))) {
        return true;
    }
    reply_error(call, 400, NULL, "this takes no body, or {}");
    return false;
}

/* --- run -----------------------------------------------------------------------------
 */

/* What stays of it from one try to the next; in the request's pool. */
struct task_run {
    uint64_t wait_ms; /* 0: as soon as it is placed */
    unsigned tries;
    bool disabled; /* as it was looked up ... */
    uint64_t base; /* ... at this revision; 0: there was none */
};

static void task_run_try(struct call *call);

/* The task is another one than was looked up, or the one that is disabled. */
static void task_run_missed(struct call *call, const struct result *result)
{
    struct task_run *asked = call->arg;
    const char *code = err_code_name(ERR_CONFLICT);
    if (asked->disabled && result->revision == asked->base) {
        reply_error(call, 409, code, "task '%s' is disabled", call->name);
    } else if (++asked->tries < RUN_ORDER_TRIES) {
        task_run_try(call);
    } else {
        reply_error(call, 409, code,
                    "task '%s' was changed by others each time the run was placed",
                    call->name);
    }
}

static void task_run_ended(struct call *call, const struct run *run)
{
    reply_run(call, 200, run);
}

static void task_run_going(struct call *call, const struct run *run)
{
    reply_run(call, 202, run);
}

static void task_run_decided(struct call *call, const struct result *result)
{
    const struct task_run *asked = call->arg;
    call->sequence = result->sequence;
    if (result->code == ERR_PRECONDITION && !result->replayed) {
        task_run_missed(call, result);
    } else if (result->code != 0) {
        error_result(call, result, call->name);
    } else {
        call->sequence = 0; /* as it stands when it is answered */
        run_wait_start(call, result->run, asked->wait_ms, task_run_ended,
                       task_run_going);
    }
}

/* A task that is not there, or is disabled, as far as this node knows, is asked about:
 * apply is to say so. */
static void task_run_try(struct call *call)
{
    struct task_run *asked = call->arg;
    const struct task *task = run_order_task(call);
    asked->base = task != NULL ? task->revision : 0;
    asked->disabled = task != NULL && !task->enabled;
    if (run_order_known(call)) {
        run_order(call, 0, RUN_APPLY, task_run_decided);
    } else if (task == NULL || asked->disabled) {
        run_order_ask(call, task_run_decided);
    } else {
        run_order(call, task->revision, RUN_APPLY, task_run_decided);
    }
}

void task_run(struct call *call)
{
    struct task_run *asked = h2o_mem_alloc_pool(&call->req->pool, sizeof *asked);
    *asked = (struct task_run){.wait_ms = 0};
    if (!param_duration(call, "wait", LIMIT_WAIT_MS, &asked->wait_ms) ||
        !terms_read(call) || !body_empty(call)) {
        return;
    }
    if (!call_writable(call)) {
        error_not_leader(call);
        return;
    }
    call->arg = asked;
    task_run_try(call);
}

/* --- cancel --------------------------------------------------------------------------
 */

static void run_cancelled(struct call *call, const struct result *result)
{
    const struct run *run =
        registry_run(node_registry(call->api->node), strtoull(call->name, NULL, 10));
    call->sequence = result->sequence;
    if (result->code == ERR_NOT_FOUND || run == NULL) {
        runs_no_run(call);
    } else if (result->code == ERR_CONFLICT) {
        reply_error(call, 409, err_code_name(ERR_CONFLICT),
                    "run %" PRIu64 " of task '%s' has ended: %s", run->id, run->task,
                    run_outcome_name(run->outcome));
    } else if (result->code != 0) {
        error_result(call, result, run->task);
    } else {
        reply_run(call, 202, run);
    }
}

void run_cancel(struct call *call)
{
    uint64_t id = 0;
    if (!runs_number(call, &id) || !body_empty(call)) {
        return;
    }
    struct command command = {
        .type = COMMAND_RUN_STOP,
        .run_stop = {.run = id, .stop = RUN_STOP_CANCEL},
    };
    call_propose(call, &command, run_cancelled);
}
