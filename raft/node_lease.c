/* SPDX-License-Identifier: Apache-2.0 */
/* Door 2, leases: what raft/lease.c sees of this node. */
#include "base/buf.h"
#include "raft/forward.h"
#include "raft/node_inside.h"

static uint32_t node_lease_ms(const struct node *node)
{
    uint64_t set = registry_setting(fsm_registry(node->fsm), SETTING_RUN_LEASE);
    uint64_t most = node->lease_most_ms != 0 ? node->lease_most_ms : UINT32_MAX;
    return node->options.lease_ms != 0 ? node->options.lease_ms
                                       : (uint32_t)(set < most ? set : most);
}

static void node_lease_sight(void *owner, struct lease_sight *sight)
{
    const struct node *node = owner;
    const struct engine *engine = node->engine;
    *sight = (struct lease_sight){
        .leads = engine_role(engine) == ENGINE_LEADER,
        .settled = engine_settled(engine),
        .fit = !node->digests.differs,
        .term = engine_term(engine),
        .leader = engine_leader(engine),
        .commit = engine_commit(engine),
        .lease_ms = node_lease_ms(node),
    };
}

/* A member of the newest membership, committed or not: who leaves gets none any more,
 * and who comes may have one, for its runs are placed by then. */
static enum lease_word node_lease_judge(void *owner, uint64_t id)
{
    const struct node *node = owner;
    struct membership members;
    engine_membership(node->engine, &members);
    if (membership_find(&members, id) == NULL) {
        return LEASE_WORD_NO_MEMBER;
    }
    return node_member_differs(node, id) ? LEASE_WORD_DIFFERS : LEASE_WORD_GRANTED;
}

static int node_lease_confirm(void *owner, struct read_waiter *waiter)
{
    struct node *node = owner;
    return read_index_ask_always(&node->reads, waiter, NULL);
}

static void node_lease_renewed(void *owner, const struct lease_view *lease)
{
    struct node *node = owner;
    struct lease_watch *next = NULL;
    for (struct lease_watch *watch = node->lease_watches; watch != NULL; watch = next) {
        next = watch->next;
        watch->renewed(watch, lease);
    }
}

void node_start_leases(struct node *node)
{
    static const struct lease_hooks hooks = {
        .sight = node_lease_sight,
        .judge = node_lease_judge,
        .confirm = node_lease_confirm,
        .send = node_send,
        .wake = node_wake,
        .renewed = node_lease_renewed,
    };
    struct lease_options options = {
        .clock = node->options.clock,
        .id = node->identity.node_id,
        .session = node->session,
        .election_timeout_ms = node->options.election_timeout_ms,
        .heartbeat_ms = node->options.heartbeat_ms,
        .hooks = &hooks,
        .owner = node,
    };
    lease_init(&node->lease, &options);
    lease_want(&node->lease, node->lease_wanted);
}

/* --- door 2 ------------------------------------------------------------------------
 */

void node_lease(const struct node *node, struct lease_view *out)
{
    *out = node->lease.view;
}

void node_lease_shorten(struct node *node, uint32_t most_ms)
{
    if (node->lease_most_ms != most_ms) {
        node->lease_most_ms = most_ms;
        node_wake(node);
    }
}

void node_lease_want(struct node *node, bool want)
{
    node->lease_wanted = want;
    if (node->phase == NODE_PHASE_MEMBER) {
        lease_want(&node->lease, want);
    }
}

void node_on_lease(struct node *node, struct lease_watch *watch)
{
    watch->next = node->lease_watches;
    node->lease_watches = watch;
}

void node_off_lease(struct node *node, struct lease_watch *watch)
{
    for (struct lease_watch **at = &node->lease_watches; *at != NULL;
         at = &(*at)->next) {
        if (*at == watch) {
            *at = watch->next;
            return;
        }
    }
}

uint64_t node_silence_ms(struct node *node, uint64_t id)
{
    return node->phase == NODE_PHASE_MEMBER ? lease_silence_ms(&node->lease, id) : 0;
}

void node_lease_hold(struct node *node, uint64_t id)
{
    if (node->phase == NODE_PHASE_MEMBER) {
        lease_hold(&node->lease, id);
    }
}

void node_lease_release(struct node *node, uint64_t id)
{
    if (node->phase == NODE_PHASE_MEMBER) {
        lease_release(&node->lease, id);
    }
}

/* --- what this node has to say of its runs ------------------------------------------
 */

int node_report(struct node *node, const struct command *command, propose_cb done,
                void *owner, struct err *err)
{
    if (node->phase != NODE_PHASE_MEMBER) {
        return err_set(err, ERR_UNAVAILABLE, "this node takes no part in a cluster");
    }
    if (propose_takes(node->propose)) {
        return propose_submit(node->propose, command, done, owner, err);
    }
    struct buf encoded;
    buf_init(&encoded);
    int rv = command_encode(&encoded, command, COMMAND_LEVEL, err);
    if (rv == 0) {
        rv = forward_hand(node, encoded.data, encoded.len, done, owner);
        if (rv != 0) {
            err_set(err, (enum err_code)rv, "no leader can be reached");
        }
    }
    buf_close(&encoded);
    return rv;
}
