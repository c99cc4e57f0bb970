/* SPDX-License-Identifier: Apache-2.0 */
/* /settings: what decides results of apply, the same on all nodes (spec/muster.md 7).
 */
#include "api/error.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "json/jsontext.h"
#include "json/settings_json.h"
#include "text/zone_file.h"

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

/* That there is such a zone is looked up here, where it can be: apply must not. */
static int settings_check_zone(const struct settings_change *change, struct err *err)
{
    struct zone *zone = NULL;
    int rv = change->zone[0] != '\0' ? zone_load(change->zone, &zone, err) : 0;
    zone_free(zone);
    return rv != 0 ? err_set(err, ERR_INVALID, "'%s': there is no such time zone here",
                             REGISTRY_ZONE_NAME)
                   : 0;
}

static void settings_propose(struct call *call, const struct settings_change *change)
{
    struct buf blob;
    buf_init(&blob);
    struct command command = {.type = COMMAND_ZONE_SET};
    command.zone_set.zone = text_of(change->zone);
    if (change->zone[0] == '\0') {
        settings_values_put(&blob, change->values, change->count);
        command.type = COMMAND_SETTINGS_SET;
        command.settings_set.values = (struct text){(const char *)blob.data, blob.len};
    }
    call_propose(call, &command, settings_decided);
    buf_close(&blob);
}

void settings_put(struct call *call)
{
    struct settings_change change;
    struct err err;
    h2o_iovec_t body = call->req->entity;
    if (settings_json_read(body.base, body.len, &change, &err) != 0 ||
        settings_check_zone(&change, &err) != 0) {
        error_reply(call, &err);
    } else if (!call_writable(call)) {
        error_not_leader(call);
    } else {
        settings_propose(call, &change);
    }
}
