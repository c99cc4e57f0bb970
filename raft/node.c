/* SPDX-License-Identifier: Apache-2.0 */
/* A node: identity and forming first, then store, engine, applier and door 1 around one
 * registry.
 *
 *   FORMING ──founded or joined, on disk──▶ MEMBER ──node_stop()──▶ STOPPING ──▶ freed
 *      │                                     │ │                       ▲
 *      │          a leader says so: REMOVED ◀┘ └▶ FAILED: its state    │
 *      │                               │             │ cannot be read  │
 *      └───────────────────────────────┴─────────────┴── node_stop() ──┘
 *
 * What the engine reports is handled in a turn of the node's own (node_turn): apply,
 * open or close door 1, tell who listens, then answer them. So nobody is called from
 * inside the engine.
 *
 * Who is a member is the Raft configuration's word alone; a leader's keeper changes it
 * (raft/keeper.c).
 *
 * Failure modes: a disk error or an entry that cannot be decoded ends the process
 * through options.failed; a restart or its peers repair it. */
#include "raft/node_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/acquaintance.h"
#include "raft/applier.h"
#include "raft/compaction.h"
#include "raft/engine.h"
#include "raft/forming.h"
#include "raft/forward.h"
#include "raft/frame.h"
#include "raft/identity.h"
#include "raft/keeper.h"
#include "raft/membership.h"
#include "raft/retire.h"
#include "raft/snapshot.h"
#include "raft/store/store.h"
#include "raft/transfer.h"
#include "raft/vigil.h"

#define NODE_SNAPSHOT_BYTES    (64u * 1024 * 1024)
#define NODE_SNAPSHOT_ENTRIES  64
#define NODE_SNAPSHOT_TRAILING 4096
#define NODE_TRAILING_BYTES    (16u * 1024 * 1024)

uint64_t node_now(const struct node *node)
{
    return clock_now_ms(node->options.clock);
}

static void node_fail(void *owner, const struct err *err)
{
    struct node *node = owner;
    node->options.failed(node->options.owner, err);
}

/* --- after each turn of the engine
 * -------------------------------------------------------- */

void node_wake(void *owner)
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

/* A node that hands writes on holds them for as long as it takes to elect a leader. */
static void node_watch_leader(struct node *node)
{
    bool leaderless = engine_leader(node->engine) == 0;
    if (leaderless && !node->leaderless && node->options.forward_writes) {
        clock_timer_start(node->options.clock, &node->patience,
                          node_now(node) +
                              2 * (uint64_t)node->options.election_timeout_ms);
    } else if (!leaderless) {
        clock_timer_stop(node->options.clock, &node->patience);
    }
    node->leaderless = leaderless;
}

/* How door 1 is to stand: see raft/propose.c. */
static enum propose_state node_door(const struct node *node)
{
    bool held = handover_holds(&node->handover) || keeper_holds(node);
    bool held_back = held || node->digests.differs; /* until another one leads */
    if (engine_role(node->engine) == ENGINE_LEADER) {
        return engine_settled(node->engine) && !held_back ? PROPOSE_OPEN
                                                          : PROPOSE_HOLDING;
    }
    bool gave_away = handover_hands_on(&node->handover);
    if (engine_leader(node->engine) == 0) {
        /* what waits is handed on, or answered, once it is known who leads */
        return held || gave_away || clock_timer_active(&node->patience)
                   ? PROPOSE_HOLDING
                   : PROPOSE_CLOSED;
    }
    return node->options.forward_writes || gave_away ? PROPOSE_RELAYING
                                                     : PROPOSE_CLOSED;
}

void node_set_door(struct node *node)
{
    bool leads = engine_role(node->engine) == ENGINE_LEADER;
    if (!leads) {
        propose_deposed(node->propose);
    } else if (engine_term(node->engine) != node->door_term) {
        node->door_term = engine_term(node->engine); /* again, or within one turn */
        propose_deposed(node->propose);
        propose_set_state(node->propose, PROPOSE_HOLDING, node->engine);
    }
    if (engine_settled(node->engine) && node->phase == NODE_PHASE_MEMBER) {
        keeper_raise_level(node); /* before anybody is let in */
    }
    node_watch_leader(node);
    propose_set_state(node->propose, node_door(node), node->engine);
}

static void node_patience_over(struct clock_timer *timer)
{
    struct node *node = timer->owner;
    if (node->phase == NODE_PHASE_MEMBER) {
        node_set_door(node);
    }
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

static void node_turn(struct clock_task *task)
{
    struct node *node = task->owner;
    if (node->phase == NODE_PHASE_FAILED && node->failure.code != 0) {
        node_fail(node, &node->failure);
        return;
    }
    if (node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    node_set_door(node);
    applier_run(&node->applier);
    if (node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    handover_look(&node->handover);
    if (node->leadership_changed) {
        node->keeper.due = true;
        keeper_look(node);
        node_tell_leadership(node);
    }
    read_index_look(&node->reads);
    lease_look(&node->lease);
}

/* Something was applied: a leader may be settled by it. */
static void node_progressed(void *owner)
{
    struct node *node = owner;
    node_set_door(node);
    node_look_digests(node);
    forward_applied(node);
    if (keeper_due(node)) {
        keeper_look(node);
    }
    if (!node->digests.differs) {
        compaction_look(&node->compaction, node->applier.applied,
                        transfer_sending(node->transfer));
    }
    read_index_look(&node->reads);
    lease_look(&node->lease);
}

/* --- who it is, and who others are
 * ----------------------------------------------------------------- */

/* What the member `id` says of itself now; false if it was not heard since this node
 * started. */
bool node_draft(struct node *node, uint64_t id, struct member_draft *draft)
{
    if (id == node->identity.node_id) {
        *draft = (struct member_draft){
            .id = id,
            .level = node->level,
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

/* --- from peers
 * ------------------------------------------------------------------------------- */

/* Who has started anew knows nothing of a snapshot that was on its way to it. */
static void node_meet_receiver(struct node *node, const struct hello *hello)
{
    const struct acquaintance *other =
        acquaintances_find(&node->others, hello->node_id);
    bool same = other != NULL && other->session == hello->session;
    if (node->phase == NODE_PHASE_MEMBER && !same) {
        transfer_lost(node->transfer, hello->node_id);
    }
}

static void node_link_hello(void *owner, const struct hello *hello)
{
    struct node *node = owner;
    forward_met(node, hello->node_id, hello->session);
    request_met(node, hello->node_id, hello->session);
    node_meet_receiver(node, hello);
    node_meet_digests(node, hello->node_id, hello->session);
    if (!keeper_hello(node, hello)) {
        return;
    }
    switch (node->phase) {
    case NODE_PHASE_FORMING:
        forming_hello(node->forming, hello);
        break;
    case NODE_PHASE_MEMBER:
        keeper_look(node);
        break;
    case NODE_PHASE_REMOVED:
    case NODE_PHASE_FAILED:
    case NODE_PHASE_STOPPING:
        break;
    }
}

/* Of the services that members do each other. */
static int node_member_frame(struct node *node, uint64_t from, const uint8_t *data,
                             size_t len, struct err *err)
{
    if (data[0] > FRAME_LEASE_END) {
        return request_frame(node, from, data, len, err);
    }
    if (data[0] >= FRAME_LEASE_ASK) {
        return lease_frame(&node->lease, from, data, len, err);
    }
    if (data[0] >= FRAME_DIGEST) {
        return node_digest_frame(node, from, data, len, err);
    }
    if (data[0] > FRAME_READ_END) {
        return forward_frame(node, from, data, len, err);
    }
    return read_index_frame(&node->reads, from, data, len, err);
}

static void node_link_frame(void *owner, uint64_t from, const uint8_t *data, size_t len)
{
    struct node *node = owner;
    struct err err;
    int rv = 0;
    uint8_t kind = len > 0 ? data[0] : 0;
    const struct acquaintance *sender = acquaintances_find(&node->others, from);
    if (sender != NULL && (sender->stale || keeper_outdated(node, sender))) {
        return; /* its votes and its word are an old copy's, or an old muster's */
    }
    if (kind >= FRAME_READ_ASK) {
        if (node->phase == NODE_PHASE_MEMBER) {
            rv = node_member_frame(node, from, data, len, &err);
        }
    } else if (kind >= FRAME_WELCOME) {
        rv = keeper_frame(node, from, data, len, &err);
    } else if (kind >= FRAME_OFFER) {
        if (node->phase == NODE_PHASE_FORMING) {
            forming_frame(node->forming, from, data, len);
        }
    } else if (node->phase == NODE_PHASE_MEMBER) {
        rv = kind >= FRAME_SNAPSHOT
                 ? transfer_frame(node->transfer, from, data, len, &err)
                 : engine_receive(node->engine, from, data, len, &err);
    }
    if (rv != 0) {
        log_warn("%s: dropped a frame: %s", node->options.name, err.text);
    }
}

static void node_link_down(void *owner, uint64_t node_id, bool refused)
{
    struct node *node = owner;
    acquaintances_down(&node->others, node_id, refused);
    forward_met(node, node_id, 0);
    request_met(node, node_id, 0);
    switch (node->phase) {
    case NODE_PHASE_FORMING:
        forming_down(node->forming, node_id, refused);
        break;
    case NODE_PHASE_MEMBER:
        transfer_lost(node->transfer, node_id);
        if (refused) {
            vigil_death(&node->vigil, node_id);
        }
        break;
    case NODE_PHASE_REMOVED:
    case NODE_PHASE_FAILED:
    case NODE_PHASE_STOPPING:
        break;
    }
}

static const struct link_events node_link_events = {
    .hello = node_link_hello,
    .frame = node_link_frame,
    .down = node_link_down,
};

static bool node_engine_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct node *node = owner;
    const struct acquaintance *other = acquaintances_find(&node->others, to);
    bool of_wrong_state =
        node->digests.differs &&
        (frame->data[0] == FRAME_SNAPSHOT || frame->data[0] == FRAME_SNAPSHOT_CHUNK);
    return node->options.link != NULL && !of_wrong_state &&
           (other == NULL || !keeper_outdated(node, other)) &&
           node->options.link->ops->send(node->options.link, to, frame);
}

static void node_stop_on(struct node *node);

/* --- from forming to member
 * ------------------------------------------------------------------- */

static struct hello node_hello(const struct node *node)
{
    return (struct hello){
        .protocol = LINK_PROTOCOL,
        .cluster_id = node->identity.cluster_id,
        .node_id = node->identity.node_id,
        .start_counter = node->identity.start_counter,
        .session = node->session,
        .last_index = node->found_last,
        .pledge = 0,
        .expect = node->options.expect,
        .level = node->level,
        .name = node->options.name,
        .peer_address = node->options.peer_address,
        .api_address = node->options.api_address,
        .version = node->options.version,
    };
}

void node_introduce(struct node *node)
{
    struct hello hello = node_hello(node);
    node->options.link->ops->set_self(node->options.link, &hello);
}

static struct store_options node_store_options(struct node *node)
{
    return (struct store_options){
        .disk = node->options.disk,
        .clock = node->options.clock,
        .node_id = node->identity.node_id,
        .cluster_id = node->identity.cluster_id,
        .segment_bytes = node->options.segment_bytes,
        .owner = node,
        .failed = node_fail,
    };
}

static void node_snapshot_wanted(void *owner, uint64_t to)
{
    struct node *node = owner;
    transfer_wanted(node->transfer, to);
}

/* A leader's snapshot is in the place of log and state. */
static void node_loaded(void *owner, const struct err *err)
{
    struct node *node = owner;
    if (err != NULL) {
        node_fail(node, err);
        return;
    }
    uint64_t index = engine_snapshot_index(node->engine);
    log_info("%s: a snapshot of index %" PRIu64 " is installed", node->options.name,
             index);
    node->applier.applied = PLANTED_OR(APPLY_AGAIN, index - 1, index);
    propose_covered(node->propose, index);
    if (node->phase == NODE_PHASE_REMOVED) {
        return; /* it was told so while it loaded: its engine is stopped */
    }
    engine_installed(node->engine);
    node_renew_digests(node);
    forward_applied(node);
    node_wake(node);
}

/* It is on disk: now here too. */
static void node_installed(void *owner)
{
    struct node *node = owner;
    install_start(&node->install);
}

static void node_start_compaction(struct node *node)
{
    static const struct transfer_hooks hooks = {node_engine_send, node_installed};
    const struct node_options *options = &node->options;
    bool given = options->snapshot_bytes > 0;
    node->compaction = (struct compaction){
        .store = node->store,
        .engine = node->engine,
        .fsm = node->fsm,
        .min_bytes = given ? options->snapshot_bytes : NODE_SNAPSHOT_BYTES,
        .min_entries = given ? options->snapshot_entries : NODE_SNAPSHOT_ENTRIES,
        .trailing = given ? options->snapshot_trailing : NODE_SNAPSHOT_TRAILING,
        .trailing_bytes = NODE_TRAILING_BYTES,
    };
    node->install = (struct install){
        .store = node->store,
        .fsm = node->fsm,
        .owner = node,
        .done = node_loaded,
    };
    node->transfer =
        transfer_new(options->clock, node->store, node->engine, &hooks, node);
}

static void node_door_changed(void *owner)
{
    node_set_door(owner);
}

static void node_start_engine(struct node *node, struct store_found *found)
{
    struct engine_options options = {
        .id = node->identity.node_id,
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
                .snapshot_wanted = node_snapshot_wanted,
            },
        .owner = node,
    };
    node->applier.applied = found->has_snapshot ? found->snapshot.index : 0;
    node->engine = engine_new(&options, found);
    node->applier.engine = node->engine;
    node_start_compaction(node);
    vigil_start(&node->vigil, node->options.clock, node->engine, options.id,
                options.election_timeout_ms);
    handover_init(&node->handover,
                  &(struct handover_options){
                      .clock = node->options.clock,
                      .engine = node->engine,
                      .election_timeout_ms = options.election_timeout_ms,
                      .notice_ms = node->options.notice_ms,
                      .changed = node_door_changed,
                      .owner = node,
                  });
    node_start_reads(node);
    node_start_leases(node);
    node_start_digests(node);
    keeper_start(node);
}

/* The store is there: run as a member of the cluster. */
static int node_become_member(struct node *node, struct err *err)
{
    struct store_options options = node_store_options(node);
    struct store_found found;
    int rv = store_open(&node->store, &options, &found, err);
    if (rv != 0) {
        return rv;
    }
    log_info("%s: node %" PRIu64 " of cluster %" PRIu64 ", term %" PRIu64
             ", log [%" PRIu64 ", %" PRIu64 "]",
             node->options.name, node->identity.node_id, node->identity.cluster_id,
             found.term, entry_log_first(&found.log), entry_log_last(&found.log));
    if (found.has_snapshot && compaction_load(node->store, node->fsm, err) != 0) {
        /* the store is at work already: the node ends in order, in a turn of its own */
        node->phase = NODE_PHASE_FAILED;
        node->failure = *err;
        node_wake(node);
        entry_log_close(&found.log);
        bytes_unref(found.snapshot.configuration);
        return 0;
    }
    node->phase = NODE_PHASE_MEMBER;
    node->found_last = entry_log_last(&found.log);
    node_start_engine(node, &found);
    char known_as[LIMIT_ADDRESS_BYTES];
    if (node_known_elsewhere(node, known_as)) {
        log_warn("%s: the cluster knows this node's peer address as %s, now it is %s: "
                 "its peers do not reach it. Set listen.peer or listen.advertise_peer "
                 "back",
                 node->options.name, known_as, node->peer_address);
    }
    node_engine_changed(node);
    return 0;
}

static void node_forming_gone(void *owner)
{
    struct node *node = owner;
    node->forming = NULL;
    node_stop_on(node);
}

static void node_formed(void *owner, const struct charter *charter)
{
    struct node *node = owner;
    (void)charter; /* the store and the identity say the same */
    struct err err;
    forming_stop(node->forming, node_forming_gone, node);
    if (node_become_member(node, &err) != 0) {
        node->phase = NODE_PHASE_FAILED;
        node_fail(node, &err);
    }
}

static void node_start_forming(struct node *node)
{
    struct forming_options options = {
        .disk = node->options.disk,
        .clock = node->options.clock,
        .link = node->options.link,
        .session = node->session,
        .identity = &node->identity,
        .peer_address = node->options.peer_address,
        .api_address = node->options.api_address,
        .version = node->options.version,
        .level = node->level,
        .expect = node->options.expect,
        .peers = node->options.peers,
        .peer_count = node->options.peer_count,
        .segment_bytes = node->options.segment_bytes,
        .store_create = store_create,
        .owner = node,
        .formed = node_formed,
        .failed = node_fail,
    };
    node->forming = forming_start(&options);
}

/* --- start
 * ------------------------------------------------------------------------------------
 */

/* The node owns what its options point to. */
static void node_copy_options(struct node *node, const struct node_options *options)
{
    node->name = mem_strdup(options->name);
    node->peer_address = mem_strdup(options->peer_address);
    node->api_address = mem_strdup(options->api_address);
    node->version = mem_strdup(options->version);
    node->peers = mem_array(options->peer_count, sizeof *node->peers);
    for (size_t i = 0; i < options->peer_count; i++) {
        node->peers[i] = mem_strdup(options->peers[i]);
    }
    node->options = *options;
    node->options.name = node->name;
    node->options.peer_address = node->peer_address;
    node->options.api_address = node->api_address;
    node->options.version = node->version;
    node->options.peers = (const char *const *)node->peers;
}

static void node_free(struct node *node)
{
    clock_defer_cancel(node->options.clock, &node->turn);
    lease_close(&node->lease);
    applier_close(&node->applier);
    propose_free(node->propose);
    fsm_free(node->fsm);
    acquaintances_close(&node->others);
    for (size_t i = 0; i < node->options.peer_count; i++) {
        mem_free(node->peers[i]);
    }
    mem_free(node->peers);
    mem_free(node->name);
    mem_free(node->peer_address);
    mem_free(node->api_address);
    mem_free(node->version);
    mem_free(node);
}

static struct node *node_new(const struct node_options *options)
{
    struct node *node = mem_zalloc(sizeof *node);
    node_copy_options(node, options);
    acquaintances_init(&node->others);
    forward_start(node);
    request_start(node);
    node->session = clock_random(options->clock);
    node->turn = (struct clock_task){.run = node_turn, .owner = node};
    node->patience = (struct clock_timer){.fire = node_patience_over, .owner = node};
    node->level = options->level != 0 ? options->level : COMMAND_LEVEL;
    node->fsm = fsm_new();
    fsm_know(node->fsm, node->level);
    node->propose = propose_new(options->clock, node->fsm);
    propose_set_relay(node->propose, &(struct propose_relay){forward_hand, node});
    node->applier = (struct applier){
        .clock = options->clock,
        .fsm = node->fsm,
        .propose = node->propose,
        .owner = node,
        .progressed = node_progressed,
        .failed = node_fail,
    };
    applier_init(&node->applier);
    return node;
}

/* A node that is in a cluster already introduces itself; a blank one lets forming do
 * it. The link starts last: nothing can fail after it. */
static int node_begin(struct node *node, struct err *err)
{
    bool member = node->identity.cluster_id != 0;
    if (member) {
        int rv = node_become_member(node, err);
        if (rv != 0) {
            return rv;
        }
    }
    struct link *link = node->options.link;
    if (link != NULL) {
        link->ops->start(link, &node_link_events, node);
        node_introduce(node);
        link->ops->set_peers(link, node->options.peers, node->options.peer_count);
    }
    if (!member) {
        node->phase = NODE_PHASE_FORMING;
        node_start_forming(node);
    }
    return 0;
}

int node_start(struct node **out, const struct node_options *options, struct err *err)
{
    struct node *node = node_new(options);
    int rv = identity_open(&node->identity, options->disk, options->clock,
                           options->name, err);
    if (rv == 0) {
        rv = node_begin(node, err);
    }
    if (rv != 0) {
        node_free(node);
        return rv;
    }
    *out = node;
    return 0;
}

/* --- removed
 * ---------------------------------------------------------------------------------- */

/* What takes part in the cluster stops: engine, door, elections. Reads go on. */
static void node_quieten(struct node *node)
{
    propose_set_state(node->propose, PROPOSE_CLOSED, node->engine);
    forward_stop(node);
    request_stop(node);
    clock_timer_stop(node->options.clock, &node->applier.more);
    clock_timer_stop(node->options.clock, &node->patience);
    if (node->engine != NULL) {
        handover_stop(&node->handover);
        lease_stop(&node->lease);
        read_index_stop(&node->reads);
        keeper_stop(node);
        vigil_stop(&node->vigil);
        transfer_stop(node->transfer);
        engine_stop(node->engine);
    }
}

void node_leave(struct node *node)
{
    assert(node->phase == NODE_PHASE_MEMBER);
    log_warn("%s: this node was removed from its cluster: it takes no part any more. "
             "Stop it; to join anew, start it with an empty folder instead of %s",
             node->options.name, node->options.disk->path);
    node_quieten(node);
    node->phase = NODE_PHASE_REMOVED;
    node_tell_leadership(node);
}

/* --- stop
 * -------------------------------------------------------------------------------------
 */

static void node_store_closed(void *owner)
{
    struct node *node = owner;
    node->store = NULL;
    node_stop_on(node);
}

static void node_link_stopped(void *owner)
{
    struct node *node = owner;
    node->options.link = NULL;
    node_stop_on(node);
}

/* Each part that is gone calls again; the last one frees the node. */
static void node_stop_on(struct node *node)
{
    if (node->phase != NODE_PHASE_STOPPING || node->forming != NULL ||
        node->store != NULL || node->options.link != NULL) {
        return;
    }
    if (node->engine != NULL) {
        transfer_free(node->transfer);
        compaction_close(&node->compaction);
        install_close(&node->install);
        engine_free(node->engine);
    }
    void (*stopped)(void *owner) = node->stopped;
    void *owner = node->stopped_owner;
    node_free(node);
    stopped(owner);
}

static void node_stop_later(struct clock_task *task)
{
    node_stop_on(task->owner);
}

void node_stop(struct node *node, void (*stopped)(void *owner), void *owner)
{
    assert(node->phase != NODE_PHASE_STOPPING);
    bool forming = node->phase == NODE_PHASE_FORMING;
    bool quiet = node->phase == NODE_PHASE_REMOVED;
    node->phase = NODE_PHASE_STOPPING;
    node->stopped = stopped;
    node->stopped_owner = owner;
    clock_defer_cancel(node->options.clock, &node->turn);
    retire_stop(node);
    forward_stop(node);
    request_stop(node);
    propose_stop(node->propose);
    if (!quiet) {
        node_quieten(node);
    }
    if (node->store != NULL) {
        store_close(node->store, node_store_closed, node);
    }
    if (forming) {
        forming_stop(node->forming, node_forming_gone, node);
    }
    if (node->options.link != NULL) {
        node->options.link->ops->stop(node->options.link, node_link_stopped, node);
    }
    node->turn.run = node_stop_later; /* nothing may have been open at all */
    clock_defer(node->options.clock, &node->turn);
}
