/* SPDX-License-Identifier: Apache-2.0 */
/* /cluster and /version (spec/muster.md 7). */
#include <inttypes.h>

#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "json/jsontext.h"

static void put_member(struct buf *out, const struct node_member *member)
{
    buf_printf(out, "{\"name\":");
    jsontext_put_text(out, member->name);
    buf_printf(out, ",\"id\":\"%" PRIu64 "\",\"address\":", member->id);
    jsontext_put_text(out, member->address);
    buf_printf(out, ",\"peer_address\":");
    jsontext_put_text(out, member->peer_address);
    buf_printf(out, ",\"role\":\"%s\",\"leader\":%s,\"self\":%s,\"reachable\":%s",
               member->voter ? "voter" : "standby", member->leader ? "true" : "false",
               member->self ? "true" : "false", member->reachable ? "true" : "false");
    if (!member->reachable) {
        buf_printf(out, ",\"reason\":");
        jsontext_put_text(out, member->reason);
    }
    if (member->match > 0) {
        buf_printf(out, ",\"match\":%" PRIu64, member->match);
    }
    buf_printf(out, "}");
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
    buf_printf(&body, ",\"cluster_id\":\"%" PRIu64 "\",\"node\":{\"name\":",
               status.cluster_id);
    jsontext_put_text(&body, status.name);
    buf_printf(&body,
               ",\"id\":\"%" PRIu64 "\",\"role\":\"%s\",\"term\":%" PRIu64
               ",\"commit\":%" PRIu64 ",\"applied\":%" PRIu64 ",\"disk_full\":%s},",
               status.id, node_role_name(status.role), status.term, status.commit,
               status.applied, status.disk_full ? "true" : "false");
    if (status.leader_known) {
        buf_printf(&body, "\"leader\":{\"id\":");
        jsontext_put_text(&body, status.leader_name);
        buf_printf(&body, ",\"address\":");
        jsontext_put_text(&body, status.leader_address);
        buf_printf(&body, "},");
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
