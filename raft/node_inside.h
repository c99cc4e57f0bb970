/* SPDX-License-Identifier: Apache-2.0 */
/* What node.c and node_status.c share. */
#ifndef RAFT_NODE_INSIDE_H
#define RAFT_NODE_INSIDE_H

#include "raft/acquaintance.h"
#include "raft/applier.h"
#include "raft/compaction.h"
#include "raft/engine.h"
#include "raft/forming.h"
#include "raft/identity.h"
#include "raft/install.h"
#include "raft/membership.h"
#include "raft/node.h"
#include "raft/store/store.h"
#include "raft/transfer.h"
#include "raft/vigil.h"

enum node_phase {
    NODE_PHASE_FORMING,
    NODE_PHASE_MEMBER,
    NODE_PHASE_FAILED, /* its store or its state cannot be read: it waits for its stop
                        */
    NODE_PHASE_STOPPING,
};

struct node {
    struct node_options options;
    char *name; /* the options' strings */
    char *peer_address;
    char *api_address;
    char *version;
    char **peers;
    enum node_phase phase;
    struct identity identity;
    struct forming *forming; /* while FORMING */
    struct store *store;     /* as MEMBER */
    struct engine *engine;
    struct fsm *fsm;
    struct propose *propose;
    struct applier applier;
    struct vigil vigil;
    struct compaction compaction;
    struct install install;
    struct transfer *transfer;
    struct acquaintances others;
    struct clock_task turn;
    struct node_watch *watches;
    bool leadership_changed;
    uint64_t door_term;        /* door 1 stands as of this term */
    bool rows_proposed;        /* member rows are on their way: one round at a time */
    struct membership members; /* what node_members() last told of */
    struct err failure;        /* FAILED: told in the node's own turn */
    char trouble[256];
    void (*stopped)(void *owner);
    void *stopped_owner;
};

/* What the member `id` says of itself now; false if it was not heard since this node
 * started. Borrowed. */
bool node_draft(struct node *node, uint64_t id, struct member_draft *draft);

/* Has this node's peer address changed since it became a member? Its peers go on
 * dialling `known_as`, so it hears nothing. */
bool node_known_elsewhere(const struct node *node, char known_as[LIMIT_ADDRESS_BYTES]);

#endif
