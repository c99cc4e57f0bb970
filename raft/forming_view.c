/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/forming_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void forming_view_init(struct forming_view *view, struct link *link, uint32_t expect,
                       const struct charter_row *self, const char *const *peers,
                       size_t peer_count)
{
    *view = (struct forming_view){.link = link, .expect = expect, .self = *self};
    view->place_count = peer_count;
    for (size_t i = 0; i < peer_count; i++) {
        view->places[i].address = mem_strdup(peers[i]);
    }
}

void forming_view_close(struct forming_view *view)
{
    for (size_t i = 0; i < view->place_count; i++) {
        mem_free(view->places[i].address);
    }
    for (size_t i = 0; i < FORMING_NODES_MAX; i++) {
        mem_free(view->nodes[i].charter);
    }
}

/* --- what the nodes said -------------------------------------------------------------
 */

struct forming_node *forming_view_find(struct forming_view *view, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < FORMING_NODES_MAX; i++) {
        if (view->nodes[i].id == id) {
            return &view->nodes[i];
        }
    }
    return NULL;
}

/* A free row, or that of who was heard longest ago and is at none of our places. There
 * are fewer places than rows, so there is one. */
static struct forming_node *view_room(struct forming_view *view)
{
    struct forming_node *oldest = NULL;
    for (size_t i = 0; i < FORMING_NODES_MAX; i++) {
        struct forming_node *node = &view->nodes[i];
        if (node->id == 0) {
            return node;
        }
        if (forming_view_present(view, node->id) == NULL &&
            (oldest == NULL || node->heard < oldest->heard)) {
            oldest = node;
        }
    }
    mem_free(oldest->charter);
    *oldest = (struct forming_node){0};
    return oldest;
}

void forming_node_set_charter(struct forming_node *node, const struct charter *charter)
{
    if (charter == NULL) {
        mem_free(node->charter);
        node->charter = NULL;
        return;
    }
    if (node->charter == NULL) {
        node->charter = mem_alloc(sizeof(*node->charter));
    }
    *node->charter = *charter;
}

/* What it said in frames holds no longer. */
static void view_forget_frames(struct forming_node *node)
{
    forming_node_set_charter(node, NULL);
    node->vow_token = 0;
}

static void view_set_row(struct forming_node *node, const struct hello *hello)
{
    struct charter_row *row = &node->row;
    node->usable = node->id <= INT64_MAX && charter_name_valid(hello->name) &&
                   charter_address_valid(hello->peer_address) &&
                   hello->peer_address[0] != '\0' &&
                   charter_address_valid(hello->api_address);
    *row = (struct charter_row){.id = node->id};
    snprintf(row->name, sizeof(row->name), "%s", hello->name);
    snprintf(row->peer_address, sizeof(row->peer_address), "%s", hello->peer_address);
    snprintf(row->api_address, sizeof(row->api_address), "%s", hello->api_address);
}

struct forming_node *forming_view_hello(struct forming_view *view,
                                        const struct hello *hello)
{
    if (hello->node_id == 0) {
        return NULL;
    }
    struct forming_node *node = forming_view_find(view, hello->node_id);
    if (node == NULL) {
        node = view_room(view);
        node->id = hello->node_id;
        node->start_counter = hello->start_counter;
    }
    if (hello->start_counter < node->start_counter) {
        return NULL; /* late, from a process that is gone */
    }
    if (hello->start_counter > node->start_counter) {
        view_forget_frames(node);
        node->withdrawn = 0;
        node->serial = 0;
        node->start_counter = hello->start_counter;
    }
    if (hello->cluster_id != 0) {
        node->cluster_id = hello->cluster_id;
    }
    node->pledge = hello->pledge;
    node->expect = hello->expect;
    if (node->charter != NULL && node->charter->cluster_id != node->pledge) {
        forming_node_set_charter(node, NULL);
    }
    view_set_row(node, hello);
    node->heard = ++view->heard;
    return node;
}

void forming_view_down(struct forming_view *view, uint64_t id)
{
    struct forming_node *node = forming_view_find(view, id);
    if (node != NULL) {
        view_forget_frames(node);
    }
}

/* --- who is there --------------------------------------------------------------------
 */

struct forming_node *forming_view_present(struct forming_view *view, uint64_t id)
{
    for (size_t i = 0; i < view->place_count; i++) {
        if (view->places[i].node != NULL && view->places[i].node->id == id) {
            return view->places[i].node;
        }
    }
    return NULL;
}

static void view_refresh(struct forming_view *view)
{
    for (size_t i = 0; i < view->place_count; i++) {
        struct forming_place *place = &view->places[i];
        view->link->ops->status(view->link, place->address, &place->status);
        place->node = place->status.connected
                          ? forming_view_find(view, place->status.node_id)
                          : NULL;
    }
}

static bool view_cluster(const struct forming_view *view, struct buf *why)
{
    for (size_t i = 0; i < view->place_count; i++) {
        const struct forming_node *node = view->places[i].node;
        if (node != NULL && node->cluster_id != 0) {
            buf_printf(why,
                       "cluster %" PRIu64 " exists; this node is not a member "
                       "(%s at %s belongs to it)",
                       node->cluster_id, node->row.name, view->places[i].address);
            return true;
        }
    }
    return false;
}

/* Is what the node at `at` says of itself impossible, or against our configuration? */
static bool view_misfit_one(const struct forming_view *view, size_t at, struct buf *why)
{
    const struct forming_place *place = &view->places[at];
    const struct forming_node *node = place->node;
    if (node->id == view->self.id) {
        buf_printf(why, "the peer %s is this node itself", place->address);
    } else if (!node->usable) {
        buf_printf(why,
                   "%s introduces itself with a name or an address that is not one",
                   place->address);
    } else if (node->expect != view->expect) {
        buf_printf(why, "%s (%s) expects %u nodes, %s (%s) expects %u", view->self.name,
                   view->self.peer_address, view->expect, node->row.name,
                   place->address, node->expect);
    } else {
        return false;
    }
    return true;
}

/* Can two of them not be in one cluster? */
static bool view_misfit_two(const struct charter_row *a, const struct charter_row *b,
                            struct buf *why)
{
    if (a->id == b->id) {
        buf_printf(why, "two peer addresses lead to the same node, %s at %s", a->name,
                   a->peer_address);
    } else if (strcmp(a->name, b->name) == 0) {
        buf_printf(why, "two nodes are named %s: %s and %s", a->name, a->peer_address,
                   b->peer_address);
    } else if (strcmp(a->peer_address, b->peer_address) == 0) {
        buf_printf(why, "%s and %s both say that peers reach them at %s", a->name,
                   b->name, a->peer_address);
    } else {
        return false;
    }
    return true;
}

static bool view_misfit(const struct forming_view *view, struct buf *why)
{
    for (size_t i = 0; i < view->place_count; i++) {
        const struct forming_node *node = view->places[i].node;
        if (node == NULL) {
            continue;
        }
        if (view_misfit_one(view, i, why) ||
            view_misfit_two(&view->self, &node->row, why)) {
            return true;
        }
        for (size_t k = 0; k < i; k++) {
            const struct forming_node *other = view->places[k].node;
            if (other != NULL && view_misfit_two(&other->row, &node->row, why)) {
                return true;
            }
        }
    }
    return false;
}

static bool view_missing(const struct forming_view *view, struct buf *why)
{
    size_t missing = 0;
    for (size_t i = 0; i < view->place_count; i++) {
        missing += view->places[i].node == NULL;
    }
    if (missing == 0) {
        return false;
    }
    buf_printf(why, "waiting for %zu of %u:", missing, view->expect);
    const char *comma = "";
    for (size_t i = 0; i < view->place_count; i++) {
        const struct forming_place *place = &view->places[i];
        if (place->node == NULL) {
            const char *reason = place->status.reason;
            buf_printf(why, "%s %s %s", comma, place->address,
                       reason[0] != '\0' ? reason : "has not introduced itself");
            comma = ",";
        }
    }
    return true;
}

enum forming_company forming_view_look(struct forming_view *view, struct buf *why)
{
    struct buf unread;
    buf_init(&unread);
    if (why == NULL) {
        why = &unread;
    }
    view_refresh(view);
    enum forming_company company = view_cluster(view, why)   ? COMPANY_CLUSTER
                                   : view_misfit(view, why)  ? COMPANY_MISFIT
                                   : view_missing(view, why) ? COMPANY_MISSING
                                                             : COMPANY_COMPLETE;
    buf_close(&unread);
    return company;
}

void forming_view_members(const struct forming_view *view, struct charter *out)
{
    *out = (struct charter){.count = 1, .rows = {view->self}};
    for (size_t i = 0; i < view->place_count; i++) {
        const struct charter_row *row = &view->places[i].node->row;
        size_t at = out->count++;
        for (; at > 0 && out->rows[at - 1].id > row->id; at--) {
            out->rows[at] = out->rows[at - 1];
        }
        out->rows[at] = *row;
    }
}
