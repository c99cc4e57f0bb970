/* SPDX-License-Identifier: Apache-2.0 */
/* Door 2, the questions: who this node is, who leads, who is a member and can be heard.
 */
#include <stdio.h>
#include <string.h>

#include "raft/node_inside.h"

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
    case NODE_REMOVED:
        return "removed";
    }
    return "unknown";
}

const struct registry *node_registry(const struct node *node)
{
    return fsm_registry(node->fsm);
}

struct fsm *node_fsm(struct node *node)
{
    return node->fsm;
}

struct propose *node_propose(struct node *node)
{
    return node->propose;
}

const struct engine *node_engine(const struct node *node)
{
    return node->engine;
}

static enum node_role node_role(const struct node *node)
{
    if (node->engine == NULL || node->phase == NODE_PHASE_FORMING) {
        return NODE_FORMING;
    }
    if (node->phase == NODE_PHASE_REMOVED) {
        return NODE_REMOVED;
    }
    switch (engine_role(node->engine)) {
    case ENGINE_FOLLOWER:
        return NODE_FOLLOWER;
    case ENGINE_CANDIDATE:
        return NODE_CANDIDATE;
    case ENGINE_LEADER:
        return NODE_LEADER;
    }
    return NODE_FOLLOWER;
}

/* What a member is called and where its API is: what it said last, else its row. */
static void node_name_of(struct node *node, uint64_t id, const char **name,
                         const char **address)
{
    struct member_draft draft;
    const struct member *row = registry_member(fsm_registry(node->fsm), id);
    if (node_draft(node, id, &draft)) {
        *name = draft.name;
        *address = draft.address;
    } else {
        *name = row != NULL ? row->name : "";
        *address = row != NULL ? row->address : "";
    }
}

/* Likewise. */
static void node_version_of(struct node *node, struct node_member *member)
{
    struct member_draft draft;
    const struct member *row = registry_member(fsm_registry(node->fsm), member->id);
    member->draining = row != NULL && row->duty.draining;
    member->drivers = row != NULL ? row->duty.drivers : 0;
    if (node_draft(node, member->id, &draft)) {
        member->version = draft.version;
        member->level = draft.level;
    } else {
        member->version = row != NULL ? row->version : "";
        member->level = row != NULL ? row->level : 0;
    }
}

bool node_known_elsewhere(const struct node *node, char known_as[LIMIT_ADDRESS_BYTES])
{
    struct membership members;
    engine_membership(node->engine, &members);
    const struct membership_row *self =
        membership_find(&members, node->identity.node_id);
    if (self == NULL || members.count == 1 ||
        strcmp(self->address, node->peer_address) == 0) {
        return false;
    }
    memcpy(known_as, self->address, LIMIT_ADDRESS_BYTES);
    return true;
}

/* "no leader: 2 of 3 voters unreachable: n2 refused, n3 timed out after 1.2 s" */
static void node_explain_no_leader(struct node *node)
{
    struct node_member members[LIMIT_MEMBERS];
    size_t count = node_members(node, members, LIMIT_MEMBERS);
    size_t voters = 0;
    size_t away = 0;
    char list[sizeof node->trouble] = "";
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        voters += members[i].voter;
        if (!members[i].voter || members[i].reachable) {
            continue;
        }
        const char *name =
            members[i].name[0] != '\0' ? members[i].name : members[i].peer_address;
        int more = snprintf(list + len, sizeof list - len, "%s%s %s",
                            away > 0 ? ", " : "", name, members[i].reason);
        len += more > 0 && (size_t)more < sizeof list - len ? (size_t)more : 0;
        away++;
    }
    char known_as[LIMIT_ADDRESS_BYTES];
    if (node_known_elsewhere(node, known_as)) {
        snprintf(node->trouble, sizeof node->trouble,
                 "no leader: the cluster knows this node as %.90s, not as %.90s",
                 known_as, node->peer_address);
    } else if (away == 0) {
        snprintf(node->trouble, sizeof node->trouble,
                 "no leader: an election is under way");
    } else {
        snprintf(node->trouble, sizeof node->trouble,
                 "no leader: %zu of %zu voters unreachable: %.180s", away, voters,
                 list);
    }
}

/* Have fewer than a majority of the voters room, as far as they said? */
static bool node_majority_full(const struct node *node)
{
    struct membership members;
    size_t room = 0;
    engine_membership(node->engine, &members);
    for (size_t i = 0; i < members.count; i++) {
        uint64_t id = members.rows[i].id;
        bool full = id == node->identity.node_id ? store_full(node->store)
                                                 : engine_peer_full(node->engine, id);
        room += members.rows[i].voter && !full;
    }
    return 2 * room <= membership_voter_count(&members);
}

static uint64_t node_lag(const struct node *node, const struct node_status *status)
{
    if (!status->leader_known ||
        (status->role == NODE_LEADER && !engine_settled(node->engine))) {
        return UINT64_MAX;
    }
    uint64_t known = engine_leader_commit(node->engine);
    return known > status->applied ? known - status->applied : 0;
}

bool node_settled(const struct node *node)
{
    return node->phase == NODE_PHASE_MEMBER && engine_settled(node->engine);
}

void node_status(struct node *node, struct node_status *out)
{
    *out = (struct node_status){
        .role = node_role(node),
        .id = node->identity.node_id,
        .cluster_id = node->identity.cluster_id,
        .name = node->options.name,
        .leader_name = "",
        .leader_address = "",
        .last_contact_ms = UINT64_MAX,
        .lag = UINT64_MAX,
        .trouble = "",
    };
    if (out->role == NODE_FORMING) {
        out->trouble = node->forming != NULL ? forming_trouble(node->forming) : "";
        return;
    }
    if (out->role == NODE_REMOVED) {
        out->applied = node->applier.applied;
        out->trouble = "this node was removed from its cluster";
        return;
    }
    out->term = engine_term(node->engine);
    out->commit = engine_commit(node->engine);
    out->applied = node->applier.applied;
    out->leader_id = engine_leader(node->engine);
    out->leader_known = out->leader_id != 0;
    out->last_contact_ms = engine_contact_age_ms(node->engine);
    out->lag = node_lag(node, out);
    out->level = registry_level(fsm_registry(node->fsm));
    out->handing_over = out->role == NODE_LEADER && handover_holds(&node->handover);
    out->takes_writes = out->role == NODE_LEADER || handover_shares(&node->handover);
    out->disk_full = node->store != NULL && store_full(node->store);
    out->majority_full = out->role == NODE_LEADER && node_majority_full(node);
    if (out->leader_known) {
        node_name_of(node, out->leader_id, &out->leader_name, &out->leader_address);
    } else {
        node_explain_no_leader(node);
        out->trouble = node->trouble;
    }
}

/* What room is left is for deletes: they are how it becomes more. */
int node_room(struct node *node, enum command_type type, struct err *err)
{
    bool leads = node_role(node) == NODE_LEADER;
    bool deletes = type == COMMAND_TASK_DELETE || type == COMMAND_TASK_DELETE_IF;
    if (deletes || !leads || !(store_full(node->store) || node_majority_full(node))) {
        return 0;
    }
    return err_set(
        err, ERR_FULL,
        "the disks of the leader or of a majority are full: only deletes are "
        "taken");
}

static void node_reach(struct node *node, struct node_member *member)
{
    const struct acquaintance *other = acquaintances_find(&node->others, member->id);
    member->reachable = member->self || (other != NULL && other->up);
    if (member->reachable || node->options.link == NULL) {
        return;
    }
    struct link_status status;
    node->options.link->ops->status(node->options.link, member->peer_address, &status);
    snprintf(member->reason, sizeof member->reason, "%s",
             status.reason[0] != '\0' ? status.reason : "not heard yet");
}

/* The rows are in the registry: their strings live until the loop turns. */
size_t node_members(struct node *node, struct node_member *out, size_t capacity)
{
    if (node->engine == NULL) {
        return 0;
    }
    struct membership *members = &node->members; /* the addresses' memory */
    engine_membership(node->engine, members);
    size_t count = members->count < capacity ? members->count : capacity;
    for (size_t i = 0; i < count; i++) {
        struct node_member member = {
            .id = members->rows[i].id,
            .peer_address = members->rows[i].address,
            .voter = members->rows[i].voter,
            .leader = members->rows[i].id == engine_leader(node->engine),
            .self = members->rows[i].id == node->identity.node_id,
            .match = engine_match(node->engine, members->rows[i].id),
            .disk_full = engine_peer_full(node->engine, members->rows[i].id),
            .differs = node_member_differs(node, members->rows[i].id),
        };
        member.answers = member.self || engine_heard_age_ms(node->engine, member.id) <=
                                            node->options.election_timeout_ms;
        if (member.self) {
            member.disk_full = node->store != NULL && store_full(node->store);
        }
        node_name_of(node, member.id, &member.name, &member.address);
        node_version_of(node, &member);
        node_reach(node, &member);
        size_t at = i;
        for (; at > 0 && strcmp(out[at - 1].name, member.name) > 0; at--) {
            out[at] = out[at - 1];
        }
        out[at] = member;
    }
    return members->count;
}

/* --- news
 * -------------------------------------------------------------------------------------
 */

void node_on_leadership(struct node *node, struct node_watch *watch)
{
    watch->next = node->watches;
    node->watches = watch;
}

void node_off_leadership(struct node *node, struct node_watch *watch)
{
    for (struct node_watch **at = &node->watches; *at != NULL; at = &(*at)->next) {
        if (*at == watch) {
            *at = watch->next;
            return;
        }
    }
}
