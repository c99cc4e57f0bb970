/* SPDX-License-Identifier: Apache-2.0 */
/* /health: CTS's own answer, and three for balancers (spec/muster.md 5). */
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

/* What a balancer goes by: a stop waits for it to notice (api_watched()). */
static void health_status(struct call *call, struct node_status *status)
{
    struct api *api = call->api;
    api->health_asked_ms = clock_now_ms(api->options.clock);
    node_status(api->node, status);
}

static void reply_not_leader(struct call *call, const struct node_status *status)
{
    reply_error(call, 503, "not_leader", "this node is %s, leader %s%s",
                node_role_name(status->role),
                status->leader_known ? "is " : "is not known",
                status->leader_known ? status->leader_name : "");
}

void health_leader(struct call *call)
{
    struct node_status status;
    health_status(call, &status);
    if (!call_served(call)) {
        return;
    }
    if (status.role == NODE_LEADER) {
        reply_well(call);
    } else {
        reply_not_leader(call, &status);
    }
}

/* Where writes are to be sent: the leader; and, until balancers have found it, who has
 * just given the lead away and hands on what comes. */
void health_writes(struct call *call)
{
    struct node_status status;
    health_status(call, &status);
    if (!call_served(call)) {
        return;
    }
    if (status.takes_writes) {
        reply_well(call);
    } else {
        reply_not_leader(call, &status);
    }
}

/* Caught up within the setting ready_lag, and a leader is known. */
void health_ready(struct call *call)
{
    struct node_status status;
    health_status(call, &status);
    uint64_t lag_max =
        registry_setting(node_registry(call->api->node), SETTING_READY_LAG);
    if (!call_served(call)) {
        return;
    }
    if (call->api->leaving) {
        reply_error(call, 503, "stopping", "this node is stopping");
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
