/* SPDX-License-Identifier: Apache-2.0 */
/* Which member is to carry a run out: a choice made of what is known of each, pure.
 *
 * The driver of a run is that of its module, and the module's folder is on the disks of
 * the nodes, which may differ. So what is judged here is what a member says that it has
 * (the row's drivers, of which exec is the only one there is); what of the module is
 * there is judged by the node that is to start it, and a run for which nothing is there
 * fails with that reason. */
#ifndef CONTROL_PLACE_H
#define CONTROL_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "raft/node.h"
#include "registry/registry.h"

struct place_candidate {
    uint64_t id;
    const char *name;
    uint32_t level; /* the highest feature level it knows */
    bool carries;   /* it has the driver that the run needs */
    bool full;      /* it cannot write what a run needs */
    bool draining;
    bool reachable;
    bool answers;  /* else a process that hangs, or not heard of yet */
    bool differs;  /* its state is not that of a majority: it serves nothing */
    uint64_t live; /* runs that are placed there and have not ended */
};

/* Of those that can, the one with the fewest live runs, then the first by name:
 * *chosen is its place in `candidates`. ERR_CONFLICT, nobody can: why each of them
 * cannot. ERR_UNAVAILABLE: there are none, as a cluster has in its first moments. */
int place_choose(const struct place_candidate *candidates, size_t count, size_t *chosen,
                 struct err *err);

/* May runs begin at all? ERR_CONFLICT: the state was put into a new cluster so short a
 * time ago that runs of the old one may still be ending (registry_runs_from_ms()). */
int place_time_judge(const struct registry *registry, uint64_t clock_ms,
                     struct err *err);

/* The members as candidates, with what of the cluster this node knows. */
struct place_members {
    struct node_member rows[LIMIT_MEMBERS];
    struct place_candidate candidates[LIMIT_MEMBERS];
    size_t count;
};
void place_members_load(struct place_members *members, struct node *node);

/* What this node chose since the last event of the registry, and is not among its live
 * runs yet: many who ask at once are not all sent to the same member. */
struct place_now {
    struct node *node;
    uint64_t sequence; /* of that event */
    uint64_t chosen[LIMIT_MEMBERS];
    uint64_t counts[LIMIT_MEMBERS]; /* of these; 0: no more of them */
};

/* The id of the member that is to carry out a run that is placed now. A node that does
 * not lead, and hands a client's run on to who does, knows less of who answers. `owner`
 * is a struct place_now, zero but for the node at first. For who places a run by
 * himself. ERR_CONFLICT as above. */
int control_place_now(void *owner, uint64_t *id, struct err *err);

#endif
