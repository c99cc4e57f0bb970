/* SPDX-License-Identifier: Apache-2.0 */
/* /cluster and /version (spec/muster.md 7). */
#include <inttypes.h>
#include <string.h>

#include "api/error.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "json/jsontext.h"
#include "json/jsonvalue.h"

static void put_member(struct buf *out, const struct node_member *member)
{
    buf_printf(out, "{\"name\":");
    jsontext_put_text(out, member->name);
    buf_printf(out, ",\"id\":\"%" PRIu64 "\",\"address\":", member->id);
    jsontext_put_text(out, member->address);
    buf_printf(out, ",\"peer_address\":");
    jsontext_put_text(out, member->peer_address);
    buf_printf(out, ",\"version\":");
    jsontext_put_text(out, member->version);
    buf_printf(out, ",\"feature_level\":%" PRIu32 ",\"draining\":%s", member->level,
               member->draining ? "true" : "false");
    buf_printf(out, ",\"drivers\":[%s]",
               (member->drivers & MEMBER_DRIVER_EXEC) != 0 ? "\"exec\"" : "");
    buf_printf(out, ",\"role\":\"%s\",\"leader\":%s,\"self\":%s,\"reachable\":%s",
               member->voter ? "voter" : "standby", member->leader ? "true" : "false",
               member->self ? "true" : "false", member->reachable ? "true" : "false");
    if (!member->reachable) {
        buf_printf(out, ",\"reason\":");
        jsontext_put_text(out, member->reason);
    }
    if (member->differs) {
        buf_printf(out, ",\"differs\":true");
    }
    if (member->match > 0) {
        buf_printf(out, ",\"match\":%" PRIu64 ",\"disk_full\":%s", member->match,
                   member->disk_full ? "true" : "false");
    }
    buf_printf(out, "}");
}

static void put_leader(struct buf *out, const struct node_status *status)
{
    buf_printf(out, "\"leader\":{\"id\":");
    jsontext_put_text(out, status->leader_name);
    buf_printf(out, ",\"address\":");
    jsontext_put_text(out, status->leader_address);
    buf_printf(out, "}");
}

static void put_unfit(struct buf *out, const char *unfit)
{
    if (unfit[0] != '\0') {
        buf_printf(out, ",\"unfit\":");
        jsontext_put_text(out, unfit);
    }
}

/* How many idempotency keys are kept, and how old the oldest is by the replicated
 * clock, which goes on with each batch. */
static void put_keys(struct buf *out, const struct registry *registry)
{
    const struct key_table *keys = registry_keys(registry);
    uint64_t count = key_table_count(keys);
    uint64_t age_ms =
        count > 0 ? registry_clock_ms(registry) - key_table_at(keys, keys->first)->at_ms
                  : 0;
    buf_printf(out, ",\"keys\":%" PRIu64 ",\"oldest_key_ms\":%" PRIu64, count, age_ms);
}

void cluster_get(struct call *call)
{
    struct node_status status;
    struct node_member members[LIMIT_MEMBERS];
    node_status(call->api->node, &status);
    size_t count = node_members(call->api->node, members, LIMIT_MEMBERS);
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    buf_printf(&body,
               ",\"cluster_id\":\"%" PRIu64 "\",\"feature_level\":%" PRIu32
               ",\"node\":{\"name\":",
               status.cluster_id, status.level);
    jsontext_put_text(&body, status.name);
    buf_printf(&body,
               ",\"id\":\"%" PRIu64 "\",\"role\":\"%s\",\"term\":%" PRIu64
               ",\"commit\":%" PRIu64 ",\"applied\":%" PRIu64 ",\"disk_full\":%s",
               status.id, node_role_name(status.role), status.term, status.commit,
               status.applied, status.disk_full ? "true" : "false");
    put_unfit(&body, node_unfit(call->api->node));
    put_keys(&body, node_registry(call->api->node));
    buf_printf(&body, "},");
    if (status.leader_known) {
        put_leader(&body, &status);
        buf_printf(&body, ",");
    } else {
        buf_printf(&body, "\"leader\":null,\"reason\":");
        jsontext_put_text(&body, status.trouble);
        buf_printf(&body, ",");
    }
    buf_printf(&body, "\"members\":[");
    for (size_t i = 0; i < count && i < LIMIT_MEMBERS; i++) {
        buf_put(&body, ",", i > 0 ? 1 : 0);
        put_member(&body, &members[i]);
    }
    buf_printf(&body, "]}");
    reply_json(call, 200, &body);
}

/* --- changes -------------------------------------------------------------------------
 */

static void cluster_changed(struct call *call)
{
    struct node_status status;
    struct buf body;
    node_status(call->api->node, &status);
    buf_init(&body);
    buf_printf(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    if (status.leader_known) {
        buf_printf(&body, ",");
        put_leader(&body, &status);
    }
    buf_printf(&body, "}");
    reply_json(call, 200, &body);
}

static void cluster_change_decided(void *owner, const struct err *result)
{
    struct call *call = owner;
    if (call_waited(call)) {
        if (result->code == ERR_NONE) {
            cluster_changed(call);
        } else {
            error_reply(call, result);
        }
    }
    call_unref(call);
}

typedef int (*cluster_change)(struct node *node, const char *name, node_change_cb done,
                              void *owner, struct err *err);

static void cluster_begin(struct call *call, cluster_change change, const char *name)
{
    struct err err;
    call_wait(call);
    if (change(call->api->node, name, cluster_change_decided, call, &err) != 0) {
        cluster_change_decided(call, &err);
    }
}

/* The one text member `key` of a body that has no other, "" if it may be and is left
 * out; in the request's pool. NULL: answered. */
static const char *cluster_body_name(struct call *call, const char *key, bool needed)
{
    const struct jsonvalue *root = NULL;
    struct err err;
    h2o_iovec_t body = call->req->entity;
    if (body.len == 0 && !needed) {
        return "";
    }
    if (jsontext_parse(body.base, body.len, JSONTEXT_WHOLE, &root, &err) != 0) {
        error_reply(call, &err);
        return NULL;
    }
    const struct jsonvalue *value = jsonvalue_get(root, key);
    size_t known = value != NULL ? 1 : 0;
    bool text = value != NULL && value->type == JSONVALUE_STRING && value->count > 0;
    const char *name = NULL;
    if (jsonvalue_is(root, JSONVALUE_OBJECT) && jsonvalue_count(root) == known &&
        (text || (value == NULL && !needed))) {
        name = text ? h2o_strdup(&call->req->pool, value->text, value->count).base : "";
    } else {
        reply_error(call, 400, NULL,
                    "the body must be an object like {\"%s\":\"n1\"}%s", key,
                    needed ? "" : " or {}");
    }
    jsonvalue_free(root);
    return name;
}

static void cluster_ask(struct call *call, cluster_change change, const char *key,
                        bool needed)
{
    struct node_status status;
    const char *name = cluster_body_name(call, key, needed);
    node_status(call->api->node, &status);
    if (name == NULL) {
        return;
    }
    if (status.role != NODE_LEADER) {
        error_not_leader(call);
        return;
    }
    cluster_begin(call, change, name);
}

void cluster_member_add(struct call *call)
{
    cluster_ask(call, node_add_member, "name", true);
}

void cluster_transfer(struct call *call)
{
    cluster_ask(call, node_transfer, "to", false);
}

void cluster_drain(struct call *call)
{
    cluster_ask(call, node_drain_member, "node", true);
}

void cluster_undrain(struct call *call)
{
    cluster_ask(call, node_undrain_member, "node", true);
}

void cluster_member_remove(struct call *call)
{
    cluster_begin(call, node_remove_member, call->name);
}

void version_get(struct call *call)
{
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    buf_printf(&body, ",\"version\":");
    jsontext_put_text(&body, call->api->version);
    buf_printf(&body, "}");
    reply_json(call, 200, &body);
}
