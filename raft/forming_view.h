/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a blank node sees: what the others said of themselves, who of the configured
 * peers is there now, and what is wrong with the company.
 *
 * A node is present if the link is connected to one of our configured addresses, that
 * address introduced itself as that node, and its hello was heard. */
#ifndef RAFT_FORMING_VIEW_H
#define RAFT_FORMING_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "raft/charter.h"
#include "raft/link.h"

#define FORMING_NODES_MAX (4 * LIMIT_MEMBERS) /* strangers dial us as well */

/* A node that introduced itself. What it said in frames is forgotten when it restarts
 * or its connection is lost: it says it again. */
struct forming_node {
    uint64_t id; /* 0 = free */
    uint64_t start_counter;
    uint64_t cluster_id; /* never back to 0: an id that has a cluster keeps it */
    uint64_t pledge;
    uint32_t expect;
    bool usable; /* its name and addresses could stand in a charter */
    struct charter_row row;
    uint64_t heard;          /* order of hellos */
    uint64_t serial;         /* of its last frame */
    struct charter *charter; /* it holds a durable pledge to it; NULL: not known */
    uint64_t withdrawn;      /* the cluster that it will not found; 0: none */
    uint64_t vow_token;      /* the question of ours that it answered with a vow */
};

/* A configured address. */
struct forming_place {
    char *address;
    struct link_status status;
    struct forming_node *node; /* present; else NULL */
};

enum forming_company {
    COMPANY_COMPLETE, /* everybody is present, blank, and fits */
    COMPANY_MISSING,  /* somebody is not there */
    COMPANY_MISFIT,   /* they can never form as they are configured */
    COMPANY_CLUSTER,  /* one of them belongs to a cluster already */
};

struct forming_view {
    struct link *link; /* NULL: a node alone */
    uint32_t expect;
    struct charter_row self;
    uint64_t heard;
    size_t place_count;
    struct forming_place places[LIMIT_MEMBERS];
    struct forming_node nodes[FORMING_NODES_MAX];
};

/* Copies the addresses; `self` too. */
void forming_view_init(struct forming_view *view, struct link *link, uint32_t expect,
                       const struct charter_row *self, const char *const *peers,
                       size_t peer_count);
void forming_view_close(struct forming_view *view);

/* Returns the node, or NULL if the hello is older than what is known. */
struct forming_node *forming_view_hello(struct forming_view *view,
                                        const struct hello *hello);
void forming_view_down(struct forming_view *view, uint64_t id);
struct forming_node *forming_view_find(struct forming_view *view, uint64_t id);
/* Its pledge, as it told in a frame: copied; NULL: it told that it holds none. */
void forming_node_set_charter(struct forming_node *node, const struct charter *charter);

/* Ask the link who is present and judge; `why` (may be NULL) gets the words for
 * anything but COMPANY_COMPLETE. */
enum forming_company forming_view_look(struct forming_view *view, struct buf *why);

/* After a look: is `id` the node at one of our places? */
struct forming_node *forming_view_present(struct forming_view *view, uint64_t id);
/* After a look that found COMPANY_COMPLETE: everybody, with us, as a charter without
 * cluster id. */
void forming_view_members(const struct forming_view *view, struct charter *out);

#endif
