/* SPDX-License-Identifier: Apache-2.0 */
/* /settings: what decides results of apply, the same on all nodes (spec/muster.md 7).
 */
#include "api/error.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "json/jsontext.h"
#include "json/settings_json.h"

void settings_get(struct call *call)
{
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    buf_printf(&body, ",\"settings\":");
    settings_json_put(&body, node_registry(call->api->node));
    buf_printf(&body, "}");
    reply_json(call, 200, &body);
}

/* The door has judged as apply does: what apply refuses all the same, it knows more of.
 */
static void settings_decided(struct call *call, const struct result *result)
{
    call->sequence = result->sequence;
    if (result->code != 0) {
        struct err err;
        err_set(&err, ERR_INVALID, "the settings were refused: %s",
                err_code_name((enum err_code)result->code));
        error_reply(call, &err);
        return;
    }
    settings_get(call);
}

void settings_put(struct call *call)
{
    struct setting_value values[SETTING_VALUES_MAX];
    size_t count = 0;
    struct err err;
    h2o_iovec_t body = call->req->entity;
    if (settings_json_read(body.base, body.len, values, &count, &err) != 0) {
        error_reply(call, &err);
        return;
    }
    if (!call_writable(call)) {
        error_not_leader(call);
        return;
    }
    struct buf blob;
    buf_init(&blob);
    settings_values_put(&blob, values, count);
    struct command command = {
        .type = COMMAND_SETTINGS_SET,
        .settings_set = {{(const char *)blob.data, blob.len}},
    };
    call_propose(call, &command, settings_decided);
    buf_close(&blob);
}
