/* SPDX-License-Identifier: Apache-2.0 */
/* A node: identity and forming first, then store, engine, applier and door 1 around one
 * registry.
 *
 *   FORMING ──charter agreed and on disk──▶ MEMBER ──node_stop()──▶ STOPPING ──▶ freed
 *      └────────────────────────────────────────────────────────────▲
 *
 * What the engine reports is handled in a turn of the node's own (node_turn): apply,
 * open or close door 1, tell who listens, then answer them. So nobody is called from
 * inside the engine.
 *
 * A leader keeps the member rows true: what a member says of itself in its hello is
 * proposed when the row differs. Who is a member is the Raft configuration's word alone.
 *
 * Failure modes: a disk error or an entry that cannot be decoded ends the process through
 * options.failed; a restart or its peers repair it. */
#include "raft/node.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/acquaintance.h"
#include "raft/applier.h"
#include "raft/engine.h"
#include "raft/forming.h"
#include "raft/frame.h"
#include "raft/identity.h"
#include "raft/membership.h"
#include "raft/store/store.h"

enum node_phase { NODE_PHASE_FORMING, NODE_PHASE_MEMBER, NODE_PHASE_STOPPING };

struct node {
    struct node_options options;
    enum node_phase phase;
    struct identity *identity;
    struct forming *forming; /* while FORMING */
    struct store *store;     /* as MEMBER */
    struct engine *engine;
    struct fsm *fsm;
    struct propose *propose;
    struct applier applier;
    struct acquaintances others;
    struct clock_task turn;
    struct node_watch *watches;
    bool leadership_changed;
    bool rows_proposed; /* member rows are on their way: one round at a time */
    char trouble[256];
    void (*stopped)(void *owner);
    void *stopped_owner;
};

const char *node_role_name(enum node_role role)
{
    switch (role) {
    case NODE_FORMING:
        return "forming";
    case NODE_FOLLOWER:
        return "follower";
    case NODE_CANDIDATE:
        return "candidate";
    case NODE_LEADER:
        return "leader";
    }
    return "unknown";
}

static uint64_t node_now(const struct node *node)
{
    return clock_now_ms(node->options.clock);
}

static void node_fail(void *owner, const struct err *err)
{
    struct node *node = owner;
    node->options.failed(node->options.owner, err);
}

/* --- after each turn of the engine -------------------------------------------------------- */

static void node_wake(void *owner)
{
    struct node *node = owner;
    clock_defer(node->options.clock, &node->turn);
}

static void node_engine_changed(void *owner)
{
    struct node *node = owner;
    node->leadership_changed = true;
    node_wake(node);
}

static void node_set_door(struct node *node)
{
    enum propose_state state = PROPOSE_CLOSED;
    if (engine_role(node->engine) == ENGINE_LEADER) {
        state = engine_settled(node->engine) ? PROPOSE_OPEN : PROPOSE_HOLDING;
    }
    propose_set_state(node->propose, state, node->engine);
}

static void node_tell_leadership(struct node *node)
{
    struct node_status status;
    node->leadership_changed = false;
    node_status(node, &status);
    log_info("%s: %s of term %" PRIu64 ", leader %s", node->options.name,
             node_role_name(status.role), status.term,
             status.leader_known ? status.leader_name : "not known");
    struct node_watch *next = NULL;
    for (struct node_watch *watch = node->watches; watch != NULL; watch = next) {
        next = watch->next;
        watch->changed(watch, &status);
    }
}

static void node_reconcile_rows(struct node *node);

static void node_turn(struct clock_task *task)
{
    struct node *node = task->owner;
    if (node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    node_set_door(node);
    applier_run(&node->applier);
    if (node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    if (node->leadership_changed) {
        node_tell_leadership(node);
    }
}

/* Something was applied: a leader may be settled by it. */
static void node_progressed(void *owner)
{
    struct node *node = owner;
    node_set_door(node);
    node_reconcile_rows(node);
}

/* --- member rows ---------------------------------------------------------------------------- */

static bool node_row_differs(const struct member *row, const struct member_draft *draft)
{
    return row == NULL || row->level != draft->level ||
           strcmp(row->name, draft->name) != 0 ||
           strcmp(row->address, draft->address) != 0 ||
           strcmp(row->peer_address, draft->peer_address) != 0 ||
           strcmp(row->version, draft->version) != 0;
}

/* What the member `id` says of itself now; false if it was not heard since this node
 * started. */
static bool node_draft(struct node *node, uint64_t id, struct member_draft *draft)
{
    if (id == node->identity->node_id) {
        *draft = (struct member_draft){
            .id = id,
            .level = COMMAND_LEVEL,
            .name = node->options.name,
            .address = node->options.api_address,
            .peer_address = node->options.peer_address,
            .version = node->options.version,
        };
        return true;
    }
    const struct acquaintance *other = acquaintances_find(&node->others, id);
    if (other == NULL) {
        return false;
    }
    *draft = (struct member_draft){
        .id = id,
        .level = other->level,
        .name = other->name,
        .address = other->api_address,
        .peer_address = other->peer_address,
        .version = other->version,
    };
    return true;
}

static void node_row_decided(void *owner, const struct outcome *outcome)
{
    struct node *node = owner;
    (void)outcome; /* refused or lost: the next round looks again */
    node->rows_proposed = false;
    if (node->phase == NODE_PHASE_MEMBER) {
        node_wake(node);
    }
}

static int node_propose_row(struct node *node, const struct member_draft *draft)
{
    struct command command = {
        .type = COMMAND_MEMBER_SET,
        .request_id = text_of(""),
        .actor = text_of("muster"),
        .member_set =
            {
                .id = draft->id,
                .level = draft->level,
                .name = text_of(draft->name),
                .address = text_of(draft->address),
                .peer_address = text_of(draft->peer_address),
                .version = text_of(draft->version),
            },
    };
    return propose_submit(node->propose, &command, node_row_decided, node, NULL);
}

/* One row at a time: its outcome starts the next look. */
static void node_reconcile_rows(struct node *node)
{
    if (node->rows_proposed || !engine_settled(node->engine)) {
        return;
    }
    struct membership members;
    engine_membership(node->engine, &members);
    for (size_t i = 0; i < members.count; i++) {
        struct member_draft draft;
        uint64_t id = members.rows[i].id;
        if (node_draft(node, id, &draft) &&
            node_row_differs(registry_member(fsm_registry(node->fsm), id), &draft)) {
            node->rows_proposed = node_propose_row(node, &draft) == 0;
            return;
        }
    }
}

/* --- from peers ------------------------------------------------------------------------------- */

static void node_link_hello(void *owner, const struct hello *hello)
{
    struct node *node = owner;
    acquaintances_hello(&node->others, hello, node_now(node));
    switch (node->phase) {
    case NODE_PHASE_FORMING:
        forming_hello(node->forming, hello);
        break;
    case NODE_PHASE_MEMBER:
        node_reconcile_rows(node);
        break;
    case NODE_PHASE_STOPPING:
        break;
    }
}

static void node_link_frame(void *owner, uint64_t from, const uint8_t *data, size_t len)
{
    struct node *node = owner;
    struct err err;
    int rv = 0;
    bool forming = len > 0 && data[0] >= FRAME_OFFER;
    if (forming && node->phase == NODE_PHASE_FORMING) {
        rv = forming_frame(node->forming, from, data, len, &err);
    } else if (!forming && node->phase == NODE_PHASE_MEMBER) {
        rv = engine_receive(node->engine, from, data, len, &err);
    }
    if (rv != 0) {
        log_warn("%s: dropped a frame: %s", node->options.name, err.text);
    }
}

static void node_link_down(void *owner, uint64_t node_id, bool refused)
{
    struct node *node = owner;
    acquaintances_down(&node->others, node_id, refused);
    if (node->phase == NODE_PHASE_FORMING) {
        forming_down(node->forming, node_id);
    }
}

static const struct link_events node_link_events = {
    .hello = node_link_hello,
    .frame = node_link_frame,
    .down = node_link_down,
};

static void node_engine_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct node *node = owner;
    if (node->options.link != NULL) {
        node->options.link->ops->send(node->options.link, to, frame);
    }
}

/* --- from forming to member ------------------------------------------------------------------- */

static struct hello node_hello(const struct node *node)
{
    return (struct hello){
        .protocol = LINK_PROTOCOL,
        .cluster_id = node->identity->cluster_id,
        .node_id = node->identity->node_id,
        .start_counter = node->identity->start_counter,
        .pledge = 0,
        .expect = node->options.expect,
        .level = COMMAND_LEVEL,
        .name = node->options.name,
        .peer_address = node->options.peer_address,
        .api_address = node->options.api_address,
        .version = node->options.version,
    };
}

static struct store_options node_store_options(struct node *node)
{
    return (struct store_options){
        .disk = node->options.disk,
        .clock = node->options.clock,
        .node_id = node->identity->node_id,
        .cluster_id = node->identity->cluster_id,
        .segment_bytes = node->options.segment_bytes,
        .owner = node,
        .failed = node_fail,
    };
}

/* The store is there: run as a member of the cluster. */
static int node_become_member(struct node *node, struct err *err)
{
    struct store_options store_options = node_store_options(node);
    struct store_found found;
    int rv = store_open(&node->store, &store_options, &found, err);
    if (rv != 0) {
        return rv;
    }
    log_info("%s: node %" PRIu64 " of cluster %" PRIu64 ": term %" PRIu64
             ", log [%" PRIu64 ", %" PRIu64 "]",
             node->options.name, node->identity->node_id, node->identity->cluster_id,
             found.term, entry_log_first(&found.log), entry_log_last(&found.log));
    struct engine_options engine_options = {
        .id = node->identity->node_id,
        .address = node->options.peer_address,
        .clock = node->options.clock,
        .store = node->store,
        .election_timeout_ms = node->options.election_timeout_ms,
        .heartbeat_ms = node->options.heartbeat_ms,
        .hooks =
            {
                .send = node_engine_send,
                .committed = node_wake,
                .changed = node_engine_changed,
                .failed = node_fail,
            },
        .owner = node,
    };
    node->engine = engine_new(&engine_options, &found);
    node->applier.engine = node->engine;
    node->phase = NODE_PHASE_MEMBER;
    if (node->options.link != NULL) {
        struct hello hello = node_hello(node);
        node->options.link->ops->set_self(node->options.link, &hello);
    }
    node_engine_changed(node);
    return 0;
}
