/* SPDX-License-Identifier: Apache-2.0 */
/* Door 2, reads of a stated freshness: what raft/read_index.c sees of this node. */
#include "base/plant.h"
#include "raft/node_inside.h"

static void node_read_view(void *owner, struct read_view *view)
{
    const struct node *node = owner;
    const struct engine *engine = node->engine;
    *view = (struct read_view){
        .leads = engine_role(engine) == ENGINE_LEADER,
        .settled = engine_settled(engine) ||
                   (PLANTED(READ_UNSETTLED) && engine_role(engine) == ENGINE_LEADER),
        .term = engine_term(engine),
        .leader = engine_leader(engine),
        .commit = engine_commit(engine),
        .applied = node->applier.applied,
        .configuration = engine_configuration_index(engine),
    };
}

static void node_read_members(void *owner, struct membership *members)
{
    const struct node *node = owner;
    engine_membership(node->engine, members);
}

/* Of the read index and of leases. Not behind the gate of raft/outbox.c: no term is
 * claimed here that a vote was not durable for, and an answer binds this node to
 * nothing. */
void node_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct node *node = owner;
    if (node->options.link != NULL) {
        (void)node->options.link->ops->send(node->options.link, to, frame);
    }
}

void node_start_reads(struct node *node)
{
    static const struct read_hooks hooks = {
        .view = node_read_view,
        .members = node_read_members,
        .send = node_send,
        .wake = node_wake,
    };
    struct read_options options = {
        .clock = node->options.clock,
        .id = node->identity.node_id,
        .session = node->session,
        .election_timeout_ms = node->options.election_timeout_ms,
        .heartbeat_ms = node->options.heartbeat_ms,
        .hooks = &hooks,
        .owner = node,
    };
    read_index_init(&node->reads, &options);
}

int node_read_index(struct node *node, struct read_waiter *read, struct err *err)
{
    if (node->phase != NODE_PHASE_MEMBER) {
        return err_set(err, ERR_UNAVAILABLE, "this node takes no part in a cluster");
    }
    return read_index_ask(&node->reads, read, err);
}
