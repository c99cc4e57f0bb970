/* SPDX-License-Identifier: Apache-2.0 */
/* /health: CTS's own answer, and two for balancers (spec/muster.md 5). */
#include <inttypes.h>

#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"

static void reply_well(struct call *call)
{
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{}");
    reply_json(call, 200, &body);
}

void cts_health(struct call *call)
{
    if (call_served(call)) {
        reply_well(call);
    }
}

void health_leader(struct call *call)
{
    struct node_status status;
    node_status(call->api->node, &status);
    if (!call_served(call)) {
        return;
    }
    if (status.role == NODE_LEADER) {
        reply_well(call);
        return;
    }
    reply_error(call, 503, "not_leader", "this node is %s, leader %s%s",
                node_role_name(status.role),
                status.leader_known ? "is " : "is not known",
                status.leader_known ? status.leader_name : "");
}

/* Caught up within the setting ready_lag, and a leader is known. */
void health_ready(struct call *call)
{
    struct node_status status;
    node_status(call->api->node, &status);
    uint64_t lag_max =
        registry_setting(node_registry(call->api->node), SETTING_READY_LAG);
    if (!call_served(call)) {
        return;
    }
    if (status.role == NODE_FORMING || !status.leader_known) {
        reply_error(call, 503, "no_leader", "%s",
                    status.trouble[0] != '\0' ? status.trouble : "no leader is known");
        return;
    }
    if (status.lag == UINT64_MAX) {
        reply_error(call, 503, "behind",
                    "this node leads since a moment and is not sure "
                    "yet of what was written before");
        return;
    }
    if (status.lag > lag_max) {
        reply_error(call, 503, "behind",
                    "this node is %" PRIu64 " entries behind; at most %" PRIu64
                    " count as ready",
                    status.lag, lag_max);
        return;
    }
    reply_well(call);
}
