/* SPDX-License-Identifier: Apache-2.0 */
/* What node.c and node_status.c share. */
#ifndef RAFT_NODE_INSIDE_H
#define RAFT_NODE_INSIDE_H

#include "raft/acquaintance.h"
#include "raft/applier.h"
#include "raft/compaction.h"
#include "raft/digest_watch.h"
#include "raft/engine.h"
#include "raft/forming.h"
#include "raft/handover.h"
#include "raft/identity.h"
#include "raft/install.h"
#include "raft/lease.h"
#include "raft/membership.h"
#include "raft/node.h"
#include "raft/read_index.h"
#include "raft/request_inside.h"
#include "raft/store/store.h"
#include "raft/transfer.h"
#include "raft/roster.h"
#include "raft/vigil.h"

enum node_phase {
    NODE_PHASE_FORMING,
    NODE_PHASE_MEMBER,
    NODE_PHASE_REMOVED, /* a leader told it so: engine and door are stopped */
    NODE_PHASE_FAILED,  /* its store or its state cannot be read: it waits for its stop
                         */
    NODE_PHASE_STOPPING,
};

/* Who says that it belongs to the cluster and is no member (raft/keeper_removed.c). */
struct outsider {
    uint64_t id;
    uint64_t session; /* of the start that said so */
};

/* The leader's keeper of the membership (raft/keeper.c). */
struct keeper {
    struct clock_timer tick;
    bool due;          /* something was heard or decided since it looked */
    bool row_proposed; /* a member row is on its way: one at a time */
    bool setting_proposed;
    bool level_proposed;
    /* An operator's wish; kind NOTHING: none. */
    struct roster_wish wish;
    bool wish_voter; /* REMOVE: it was one */
    node_change_cb wish_done;
    void *wish_owner;
    uint64_t wish_limit_ms;
    /* Writes are held until this standby has the whole log; 0: none. */
    uint64_t promoting;
    uint64_t promote_limit_ms;
    uint64_t promote_after_ms; /* the last try failed: not before */
    uint64_t relieve_after_ms; /* likewise, of giving the lead away for a full disk */
    uint64_t acked_told_ms;
    uint64_t dialled; /* a hash of the addresses the link was given */
    /* Outsiders are told for sure once a read index that was asked for after they said
     * so is confirmed. */
    struct read_waiter proof;
    bool proving;
    uint64_t proof_after_ms;
    struct outsider outsiders[ACQUAINTANCE_MAX];
    size_t outsider_count;
};

/* Writes handed on to the leader (raft/forward.c). */
struct forward {
    struct errand *errands; /* without an outcome yet, by number */
    struct errand **last;
    uint64_t number; /* of the last one, in this session */
    size_t answered; /* of them: applied by the leader, and not yet here */
    struct clock_timer timer;
    struct clock_task beat;
};

/* This node's state beside that of the others (raft/node_digest.c). */
struct node_digests {
    struct digest_watch watch;
    struct digest_finding finding; /* of the last comparison */
    uint64_t told;                 /* newest index that all were told of */
    uint64_t told_ms;
    uint64_t open_told; /* newest index at which it was logged that nobody is right */
    bool differs;       /* a majority has another state: this node serves nothing */
    char why[256];
};

/* The wait before the stop (raft/retire.c). */
struct retire {
    bool waits;         /* for balancers to notice */
    bool giving;        /* a handover of its own is under way */
    uint64_t giving_ms; /* it tries to give the lead away until then ... */
    uint64_t until_ms;  /* ... and goes on serving until then at least */
    struct clock_timer timer;
    void (*done)(void *owner);
    void *owner;
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
    struct handover handover;
    struct keeper keeper;
    uint32_t level; /* the highest feature level it knows */
    struct forward forward;
    struct requests requests; /* raft/request.c */
    struct retire retire;
    bool leaderless;             /* nobody leads, as far as it knows */
    struct clock_timer patience; /* ... since so lately that writes wait for one */
    uint64_t session;
    uint64_t found_last; /* last index of the log as it was opened */
    struct compaction compaction;
    struct install install;
    struct transfer *transfer;
    struct read_index reads;
    struct lease lease;
    bool lease_wanted;      /* also before there is an engine */
    uint32_t lease_most_ms; /* 0: as the cluster is set */
    struct lease_watch *lease_watches;
    struct node_digests digests;
    struct acquaintances others;
    struct clock_task turn;
    struct node_watch *watches;
    bool leadership_changed;
    uint64_t door_term;        /* door 1 stands as of this term */
    struct membership members; /* what node_members() last told of */
    struct err failure;        /* FAILED: told in the node's own turn */
    char trouble[256];
    void (*stopped)(void *owner);
    void *stopped_owner;
};

uint64_t node_now(const struct node *node); /* monotonic, ms */
void node_wake(void *node);                 /* its turn comes */
void node_set_door(struct node *node);      /* open, hold or close door 1, as is due */
void node_introduce(struct node *node);     /* tell peers who it is, again */
void node_leave(struct node *node);         /* a leader says that it was removed */

void node_start_reads(struct node *node); /* raft/node_read.c; there is an engine */
/* A frame that needs no vote to be durable; lost without a word. Owner: the node. */
void node_send(void *owner, uint64_t to, struct bytes *frame);
void node_start_leases(struct node *node); /* raft/node_lease.c; likewise */

/* --- raft/node_digest.c; as a member */
void node_start_digests(struct node *node);
void node_look_digests(struct node *node); /* something was applied */
void node_beat_digests(struct node *node);
/* A hello of node `id`, before it is noted. */
void node_meet_digests(struct node *node, uint64_t id, uint64_t session);
int node_digest_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                      struct err *err);
void node_renew_digests(struct node *node); /* the state is a leader's snapshot now */
bool node_member_differs(const struct node *node, uint64_t id);

/* What the member `id` says of itself now; false if it was not heard since this node
 * started. Borrowed. */
bool node_draft(struct node *node, uint64_t id, struct member_draft *draft);

/* Has this node's peer address changed since it became a member? Its peers go on
 * dialling `known_as`, so it hears nothing. */
bool node_known_elsewhere(const struct node *node, char known_as[LIMIT_ADDRESS_BYTES]);

#endif
