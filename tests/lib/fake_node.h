/* SPDX-License-Identifier: Apache-2.0 */
/* The two doors without a cluster behind them: a registry that is real, a lease, a
 * leadership and outcomes as the test says. It stands in for raft/node.c and
 * raft/propose.c, which a program that links it does not. */
#ifndef LIB_FAKE_NODE_H
#define LIB_FAKE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/clock.h"
#include "raft/command.h"
#include "raft/fsm.h"
#include "raft/node.h"

#define FAKE_SELF  11 /* id of this node, "n1"; the others are 12, "n2", and so on */
#define FAKE_NODES 3

/* What becomes of the next proposals. */
enum fake_fate {
    FAKE_APPLIED,
    FAKE_REFUSED,         /* at once: ERR_NOT_LEADER */
    FAKE_NEVER,           /* later, ERR_NOT_LEADER: it never happened */
    FAKE_UNKNOWN,         /* later, ERR_OUTCOME_UNKNOWN, and it did not happen */
    FAKE_UNKNOWN_APPLIED, /* likewise, and it did */
    FAKE_PENDING,         /* nobody says anything */
};

struct fake_peer {
    struct node_member row; /* as node_members() shows it */
    bool member;            /* else it was removed */
    uint64_t silence_ms;
    bool held;
    unsigned holds; /* how often it was */
};

struct fake_proposal {
    struct buf bytes; /* of the command */
    propose_cb done;
    void *owner;
    enum fake_fate fate;
    struct fake_proposal *next;
};

struct node {
    struct clock *clock;
    struct fsm *fsm;
    struct node_status status;
    struct lease_view lease;
    bool settled;
    bool wants;
    uint32_t most_ms; /* that it wants a lease for; 0: as is set */
    const char *unfit;
    enum fake_fate fate;
    unsigned proposed; /* commands that came so far, refused ones too */
    struct fake_peer peers[FAKE_NODES];
    struct fake_proposal *proposals;
    struct clock_task turn;
    struct node_watch *leadership;
    struct lease_watch *leases;
};

/* A cluster of level 3 with FAKE_NODES members, all reachable; this node leads. */
struct node *fake_node_new(struct clock *clock);
void fake_node_free(struct node *node); /* what has no outcome gets ERR_NOT_LEADER */

/* Apply a command, as if another node had proposed it. */
struct result fake_node_apply(struct node *node, const struct command *command);
/* Several in one batch. */
void fake_node_batch(struct node *node, const struct command *commands, uint32_t count);
/* A lease of `lease_ms` that counts from this moment, good from Raft index `index`
 * on. */
void fake_node_renew(struct node *node, uint32_t lease_ms, uint64_t index);
void fake_node_lead(struct node *node, bool leads, uint64_t term);
/* Decide what is FAKE_PENDING, as `fate` says. */
void fake_node_decide(struct node *node, enum fake_fate fate);

/* Shorthands for what tests are full of. */
uint64_t fake_node_task(struct node *node, const char *name, const char *text);
uint64_t fake_node_place(struct node *node, const char *task, uint64_t on);
const struct run *fake_node_run(struct node *node, uint64_t run);

#endif
