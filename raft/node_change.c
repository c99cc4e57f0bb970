/* SPDX-License-Identifier: Apache-2.0 */
/* Door 2, the changes: what an operator asks of a leader. Judged and begun here; the
 * keeper carries it out and answers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "raft/keeper.h"

/* A leader that can take on a change; what it sees. */
static int keeper_ready(struct node *node, struct membership *members,
                        struct roster_view *view, struct err *err)
{
    if (node->phase != NODE_PHASE_MEMBER ||
        engine_role(node->engine) != ENGINE_LEADER) {
        return err_set(err, ERR_NOT_LEADER, "this node does not lead");
    }
    if (node->keeper.wish.kind != ROSTER_WISH_NOTHING ||
        handover_holds(&node->handover)) {
        return err_set(err, ERR_CONFLICT, "another change of the cluster is under way");
    }
    keeper_see(node, members, view);
    return 0;
}

/* The member of that name, or of that id if no name is like it; NULL. */
static const struct roster_member *keeper_find(const struct roster_view *view,
                                               const char *name)
{
    const struct roster_member *found = NULL;
    for (size_t i = 0; found == NULL && i < view->member_count; i++) {
        found = strcmp(view->members[i].name, name) == 0 ? &view->members[i] : NULL;
    }
    for (size_t i = 0; found == NULL && i < view->member_count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%" PRIu64, view->members[i].id);
        found = strcmp(id, name) == 0 ? &view->members[i] : NULL;
    }
    return found;
}

/* There may be a dead voter of its name beside it. */
static const struct roster_member *keeper_find_standby(const struct roster_view *view,
                                                       const char *name)
{
    for (size_t i = 0; i < view->member_count; i++) {
        const struct roster_member *member = &view->members[i];
        if (!member->voter && strcmp(member->name, name) == 0) {
            return member;
        }
    }
    return NULL;
}

static void keeper_wish(struct node *node, enum roster_wish_kind kind,
                        const struct roster_member *member, node_change_cb done,
                        void *owner)
{
    struct keeper *keeper = &node->keeper;
    keeper->wish = (struct roster_wish){kind, member->id};
    keeper->wish_voter = member->voter;
    keeper->wish_done = done;
    keeper->wish_owner = owner;
    keeper->wish_limit_ms = node_now(node) + LIMIT_WRITE_DEADLINE_MS / 2;
    keeper_arm(node, 0); /* not from inside */
}

static int keeper_no_newcomer(const struct roster_view *view, const char *name,
                              struct err *err)
{
    for (size_t i = 0; i < view->blank_count; i++) {
        const struct roster_blank *blank = &view->blanks[i];
        if (strcmp(blank->name, name) == 0) {
            struct err why;
            roster_judge(view, blank, &why);
            return err_set(err, ERR_CONFLICT, "node '%s' is not let in: %s", name,
                           why.code != ERR_NONE ? why.text : "it is joining just now");
        }
    }
    return err_set(err, ERR_NOT_FOUND,
                   "no node '%s' has asked to join: start it with an empty folder and "
                   "members of this cluster among its cluster.peers",
                   name);
}

int node_add_member(struct node *node, const char *name, node_change_cb done,
                    void *owner, struct err *err)
{
    struct membership members;
    struct roster_view view;
    int rv = keeper_ready(node, &members, &view, err);
    if (rv != 0) {
        return rv;
    }
    const struct roster_member *member = keeper_find_standby(&view, name);
    member = member != NULL ? member : keeper_find(&view, name);
    if (member == NULL) {
        return keeper_no_newcomer(&view, name, err);
    }
    keeper_wish(node, ROSTER_WISH_ADD, member, done, owner);
    return 0;
}

static void keeper_gave_away(void *owner, const struct err *result)
{
    struct node *node = owner;
    struct err err = *result;
    if (err.code == ERR_NONE) {
        err_set(&err, ERR_NOT_LEADER, "another node leads now");
    }
    keeper_answer(node, err.code, err.text);
}

int node_remove_member(struct node *node, const char *name, node_change_cb done,
                       void *owner, struct err *err)
{
    struct membership members;
    struct roster_view view;
    int rv = keeper_ready(node, &members, &view, err);
    if (rv != 0) {
        return rv;
    }
    const struct roster_member *member = keeper_find(&view, name);
    if (member == NULL) {
        return err_set(err, ERR_NOT_FOUND, "no member '%s'", name);
    }
    if (!member->self) {
        keeper_wish(node, ROSTER_WISH_REMOVE, member, done, owner);
        return 0;
    }
    uint64_t to = keeper_successor(node);
    if (to == 0) {
        return err_set(err, ERR_CONFLICT,
                       "'%s' leads, and no other voter is there to take the lead",
                       name);
    }
    rv = handover_start(&node->handover, to, keeper_gave_away, node, err);
    if (rv == 0) {
        keeper_wish(node, ROSTER_WISH_REMOVE, member, done, owner);
    }
    return rv;
}

int node_transfer(struct node *node, const char *to, node_change_cb done, void *owner,
                  struct err *err)
{
    struct membership members;
    struct roster_view view;
    int rv = keeper_ready(node, &members, &view, err);
    if (rv != 0) {
        return rv;
    }
    if (to[0] == '\0') {
        uint64_t id = keeper_successor(node);
        return id != 0 ? handover_start(&node->handover, id, done, owner, err)
                       : err_set(err, ERR_CONFLICT,
                                 "no other voter is there to take the lead");
    }
    const struct roster_member *member = keeper_find(&view, to);
    if (member == NULL) {
        return err_set(err, ERR_NOT_FOUND, "no member '%s'", to);
    }
    if (node_member_differs(node, member->id)) {
        return err_set(err, ERR_CONFLICT,
                       "the state of '%s' differs from that of a majority", to);
    }
    if (member->self || !member->voter) {
        return err_set(err, ERR_CONFLICT, "'%s' %s", to,
                       member->self ? "leads already" : "is a standby and cannot lead");
    }
    const struct member *row = registry_member(fsm_registry(node->fsm), member->id);
    if (row != NULL && row->duty.draining) {
        return err_set(err, ERR_CONFLICT,
                       "'%s' drains, and would give the lead away again: undrain it "
                       "first",
                       to);
    }
    return handover_start(&node->handover, member->id, done, owner, err);
}

/* Whoever waits for a row to change. */
struct drain_wait {
    node_change_cb done;
    void *owner;
};

static void drain_decided(void *owner, const struct outcome *outcome)
{
    struct drain_wait *wait = owner;
    struct err result = {.code = ERR_NONE};
    int code = outcome->code != 0 ? outcome->code : outcome->result.code;
    if (code != 0) {
        err_set(&result, (enum err_code)code, "the member's row was not changed: %s",
                err_code_name((enum err_code)code));
    }
    wait->done(wait->owner, &result);
    mem_free(wait);
}

static int drain_set(struct node *node, const char *name, bool draining,
                     const struct drain_wait *asked, struct err *err)
{
    struct membership members;
    struct roster_view view;
    int rv = keeper_ready(node, &members, &view, err);
    if (rv != 0) {
        return rv;
    }
    const struct roster_member *member = keeper_find(&view, name);
    if (member == NULL) {
        return err_set(err, ERR_NOT_FOUND, "no member '%s'", name);
    }
    struct command command = {
        .type = COMMAND_MEMBER_DRAIN,
        .request_id = text_of(""),
        .actor = text_of(""),
        .member_drain = {.id = member->id, .draining = draining},
    };
    struct drain_wait *wait = mem_alloc(sizeof *wait);
    *wait = *asked;
    rv = propose_submit(node->propose, &command, drain_decided, wait, err);
    if (rv != 0) {
        mem_free(wait);
    }
    if (rv == ERR_LEVEL) {
        node_explain_level(node, command_needs(&command), err);
    }
    return rv;
}

int node_drain_member(struct node *node, const char *name, node_change_cb done,
                      void *owner, struct err *err)
{
    struct drain_wait asked = {done, owner};
    return drain_set(node, name, true, &asked, err);
}

int node_undrain_member(struct node *node, const char *name, node_change_cb done,
                        void *owner, struct err *err)
{
    struct drain_wait asked = {done, owner};
    return drain_set(node, name, false, &asked, err);
}
