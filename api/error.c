/* SPDX-License-Identifier: Apache-2.0 */
#include "api/error.h"

#include <inttypes.h>
#include <string.h>

#include "api/reply.h"
#include "api/server_internal.h"
#include "json/jsontext.h"

static int error_status(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return 200;
    case ERR_INVALID:
    case ERR_NOT_LEADER:
    case ERR_EXISTS: /* CTS answers 400 for a name that is taken */
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_PRECONDITION:
        return 412;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_KEY_REUSED:
        return 422;
    case ERR_UNSUPPORTED:
    case ERR_LEVEL: /* no repeating helps: somebody has to upgrade a node */
        return 501;
    case ERR_UNAVAILABLE:
    case ERR_BUSY:
        return 503;
    case ERR_OUTCOME_UNKNOWN:
    case ERR_TIMEOUT:
        return 504;
    case ERR_FULL:
        return 507;
    case ERR_CANCELLED:
    case ERR_CORRUPT:
    case ERR_IO:
    case ERR_INTERNAL:
        return 500;
    }
    return 500;
}

void error_reply(struct call *call, const struct err *err)
{
    if (!call_open(call)) {
        return;
    }
    if (err->code == ERR_NOT_LEADER) {
        error_not_leader(call);
        return;
    }
    int status = error_status(err->code);
    if (status == 503) {
        reply_header(call, REPLY_RETRY_AFTER, "1");
    }
    reply_error(call, status, status >= 409 ? err_code_name(err->code) : NULL, "%s",
                err->text);
}

void error_task_exists(struct call *call, const char *name)
{
    reply_error(call, 400, NULL, "task with name %s already exists", name);
}

void error_no_task(struct call *call, const char *name)
{
    reply_error(call, 404, NULL,
                "a task with name '%s' does not exist or has not been initialized yet",
                name);
}

/* `revision` is the task's own, 0 if there is none. */
static void error_precondition(struct call *call, uint64_t revision, const char *name)
{
    const char *code = err_code_name(ERR_PRECONDITION);
    if (revision == 0) {
        reply_error(call, 412, code, "task '%s' does not exist", name);
    } else if (call->match.condition == TASK_CONDITION_ABSENT) {
        reply_error(call, 412, code, "task '%s' exists, with revision %" PRIu64, name,
                    revision);
    } else {
        reply_error(call, 412, code,
                    "task '%s' has revision %" PRIu64 ", which If-Match does not name",
                    name, revision);
    }
}

void error_task_live(struct call *call, const struct result *result, const char *name)
{
    const char *code = err_code_name(ERR_CONFLICT);
    const struct task *task =
        registry_task(node_registry(call->api->node), name, strlen(name));
    if (task != NULL && task->deleting) {
        reply_error(call, 409, code,
                    "task '%s' is being deleted, once its run has ended", name);
    } else {
        reply_error(call, 409, code, "task '%s' has a live run: %" PRIu64, name,
                    result->run);
    }
}

void error_result(struct call *call, const struct result *result, const char *name)
{
    if (result->code == ERR_EXISTS) {
        error_task_exists(call, name);
    } else if (result->code == ERR_NOT_FOUND) {
        error_no_task(call, name);
    } else if (result->code == ERR_PRECONDITION) {
        error_precondition(call, result->revision, name);
    } else if (result->code == ERR_CONFLICT) {
        error_task_live(call, result, name);
    } else if (result->code == ERR_KEY_REUSED) {
        reply_error(
            call, 422, err_code_name(ERR_KEY_REUSED),
            "this Idempotency-Key came before with another method, path, condition "
            "or body: nothing is done");
    } else {
        struct err err;
        err_set(&err, (enum err_code)result->code, "the change was refused: %s",
                err_code_name((enum err_code)result->code));
        error_reply(call, &err);
    }
}

void error_unsupported(struct call *call, const char *what)
{
    reply_error(call, 501, err_code_name(ERR_UNSUPPORTED),
                "%s is not supported by this version of muster", what);
}

static void put_leader(struct call *call, struct buf *body,
                       const struct node_status *status)
{
    buf_printf(body, ",\"leader\":{\"id\":");
    jsontext_put_text(body, status->leader_name);
    reply_header(call, REPLY_LEADER, status->leader_name);
    if (status->leader_address[0] != '\0') {
        buf_printf(body, ",\"address\":");
        jsontext_put_text(body, status->leader_address);
        buf_printf(body, ",\"url\":\"http://%s\"", status->leader_address);
        reply_header(call, REPLY_LEADER_ADDRESS, status->leader_address);
    }
    buf_printf(body, "}");
}

void error_not_leader(struct call *call)
{
    if (!call_open(call)) {
        return;
    }
    struct node_status status;
    node_status(call->api->node, &status);
    bool named = status.leader_known && status.leader_name[0] != '\0';

    struct buf message;
    struct buf body;
    buf_init(&message);
    buf_init(&body);
    buf_printf(&message, "redirect requests to leader");
    if (named) {
        buf_printf(&message, " '%s'", status.leader_name);
    }
    if (named && status.leader_address[0] != '\0') {
        buf_printf(&message, " at %s", status.leader_address);
    }
    buf_printf(&body, "{\"error\":{\"message\":");
    jsontext_put_string(&body, (const char *)message.data, message.len);
    buf_printf(&body, "},\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    reply_header(call, REPLY_NOT_LEADER, "true");
    if (named) {
        put_leader(call, &body, &status);
    }
    buf_printf(&body, "}");
    buf_close(&message);
    reply_json(call, 400, &body);
}
