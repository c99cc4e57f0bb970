/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper of the membership says to other nodes and hears from them. Whatever
 * it says may be lost: it is said again at each tick. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "raft/keeper.h"

#define KEEPER_ACKED_MS 1000

/* --- what others are told ----------------------------------------------------------
 */

void keeper_send(struct node *node, uint64_t to, const struct keeper_message *message)
{
    struct link *link = node->options.link;
    if (link != NULL) {
        struct bytes *frame = keeper_encode(message);
        (void)link->ops->send(link, to, frame);
        bytes_unref(frame);
    }
}

static void keeper_tell_wait(struct node *node, uint64_t to, const char *text)
{
    struct keeper_message message = {.kind = FRAME_WAIT};
    struct membership members;
    engine_membership(node->engine, &members);
    const struct membership_row *leader =
        membership_find(&members, engine_leader(node->engine));
    if (leader != NULL) {
        snprintf(message.leader, sizeof message.leader, "%s", leader->address);
    }
    snprintf(message.text, sizeof message.text, "%s", text);
    keeper_send(node, to, &message);
}

static void keeper_tell_stale(struct node *node, uint64_t to, uint64_t session,
                              const char *text)
{
    struct keeper_message message = {.kind = FRAME_STALE, .session = session};
    snprintf(message.text, sizeof message.text, "%s", text);
    keeper_send(node, to, &message);
}

/* The leader's word to a blank node. */
static void keeper_tell_blank(struct node *node, const struct roster_view *view,
                              const struct membership *members,
                              const struct roster_blank *blank)
{
    const struct membership_row *row = membership_find(members, blank->id);
    const struct acquaintance *other = acquaintances_find(&node->others, blank->id);
    if (row != NULL && row->voter) {
        /* one of the founders that is late: it knows what to do */
        keeper_tell_wait(node, blank->id,
                         "a voter of it has this node's id: if its folder is lost, "
                         "remove what is left of it");
    } else if (row != NULL) {
        struct keeper_message welcome = {
            .kind = FRAME_WELCOME,
            .session = other->session,
            .cluster_id = node->identity.cluster_id,
            .term = engine_term(node->engine),
        };
        keeper_send(node, blank->id, &welcome);
    } else {
        struct err why;
        roster_judge(view, blank, &why);
        keeper_tell_wait(node, blank->id,
                         why.code != ERR_NONE ? why.text : "it is being let in");
    }
}

static void keeper_tell_outdated(struct node *node, const struct acquaintance *other)
{
    if (other->up && keeper_outdated(node, other)) {
        struct keeper_message message = {.kind = FRAME_OUTDATED,
                                         .session = other->session};
        keeper_explain_outdated(node, other->level, message.text, sizeof message.text);
        keeper_send(node, other->id, &message);
    }
}

/* Who is not listened to has to know, or say what is wrong about that; and what it was
 * told when it said hello may have been lost. Of session 0, nobody's: it says its hello
 * again, and is judged again. */
static void keeper_tell_again(struct node *node, const struct acquaintance *other)
{
    if (other->id != 0 && other->up && other->stale) {
        keeper_tell_stale(node, other->id, 0, "an earlier start of it says less");
    }
}

static void keeper_tell_acked(struct node *node, const struct membership *members)
{
    struct keeper_message message = {.kind = FRAME_ACKED};
    uint64_t commit = engine_commit(node->engine);
    for (size_t i = 0; i < members->count; i++) {
        uint64_t id = members->rows[i].id;
        uint64_t match = engine_match(node->engine, id);
        const struct acquaintance *other = acquaintances_find(&node->others, id);
        bool self = id == node->identity.node_id;
        if (!self && other == NULL) {
            continue;
        }
        struct keeper_acked acked = {
            .id = id,
            .counter = self ? node->identity.start_counter : other->start_counter,
            .index = match < commit ? match : commit,
        };
        message.acked[message.acked_count++] = acked;
        acquaintances_acked(&node->others, id, acked.counter, acked.index);
    }
    for (size_t i = 0; i < members->count; i++) {
        if (members->rows[i].id != node->identity.node_id) {
            keeper_send(node, members->rows[i].id, &message);
        }
    }
}

void keeper_tell(struct node *node)
{
    struct membership members;
    struct roster_view view;
    bool leads = keeper_settled(node);
    keeper_see(node, &members, &view);
    for (size_t i = 0; i < view.blank_count; i++) {
        if (!leads) {
            keeper_tell_wait(node, view.blanks[i].id, "its leader decides");
        } else if (!engine_changing(node->engine)) {
            keeper_tell_blank(node, &view, &members, &view.blanks[i]);
        }
    }
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        keeper_tell_outdated(node, &node->others.rows[i]);
        keeper_tell_again(node, &node->others.rows[i]);
    }
    if (leads && !engine_changing(node->engine)) {
        keeper_tell_removed(node, &members);
    }
    if (leads && node_now(node) - node->keeper.acked_told_ms >= KEEPER_ACKED_MS) {
        node->keeper.acked_told_ms = node_now(node);
        keeper_tell_acked(node, &members);
    }
}

/* --- whom to dial ------------------------------------------------------------------
 */

struct keeper_addresses {
    const char *item[4 * LIMIT_MEMBERS];
    size_t count;
};

static void keeper_dial_address(struct keeper_addresses *list, const struct node *node,
                                const char *address)
{
    bool room = list->count < sizeof list->item / sizeof list->item[0];
    bool wanted = address[0] != '\0' && strcmp(address, node->peer_address) != 0;
    for (size_t i = 0; i < list->count; i++) {
        wanted = wanted && strcmp(list->item[i], address) != 0;
    }
    if (room && wanted) {
        list->item[list->count++] = address;
    }
}

/* Is one of the configured addresses this node's? */
static bool keeper_dials_already(const struct node *node, uint64_t id)
{
    for (size_t i = 0; i < node->options.peer_count; i++) {
        struct link_status status;
        node->options.link->ops->status(node->options.link, node->peers[i], &status);
        if (status.node_id == id) {
            return true;
        }
    }
    return false;
}

/* Whose address no configuration and no membership need have: who waits to be let in,
 * who was removed; and, while this node's log does not tell its members yet, who leads:
 * what its leader sends may arrive all the while that nothing can go back. */
static bool keeper_wants(const struct node *node, const struct membership *members,
                         const struct acquaintance *other)
{
    bool leads = other->id != 0 && other->id == engine_leader(node->engine);
    return leads || keeper_is_blank(other) || keeper_is_outsider(node, members, other);
}

void keeper_dial(struct node *node)
{
    struct link *link = node->options.link;
    struct keeper_addresses list = {.count = 0};
    struct membership members;
    uint64_t hash = 0;
    if (link == NULL) {
        return;
    }
    for (size_t i = 0; i < node->options.peer_count; i++) {
        keeper_dial_address(&list, node, node->peers[i]);
    }
    engine_membership(node->engine, &members);
    for (size_t i = 0; i < members.count; i++) {
        if (!keeper_dials_already(node, members.rows[i].id)) {
            keeper_dial_address(&list, node, members.rows[i].address);
        }
    }
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        const struct acquaintance *other = &node->others.rows[i];
        if (keeper_wants(node, &members, other) &&
            !keeper_dials_already(node, other->id)) {
            keeper_dial_address(&list, node, other->peer_address);
        }
    }
    for (size_t i = 0; i < list.count; i++) {
        hash = hash_bytes(list.item[i], strlen(list.item[i]), hash);
    }
    if (hash != node->keeper.dialled) {
        node->keeper.dialled = hash;
        link->ops->set_peers(link, list.item, list.count);
    }
}

/* --- from other nodes --------------------------------------------------------------
 */

static void keeper_judge_level(struct node *node, const struct hello *hello)
{
    const struct acquaintance *other =
        acquaintances_find(&node->others, hello->node_id);
    char text[KEEPER_TEXT_BYTES];
    if (other != NULL && keeper_outdated(node, other)) {
        keeper_explain_outdated(node, hello->level, text, sizeof text);
        log_warn("%s: %s (%" PRIu64 ", muster %s) is not listened to: %s",
                 node->options.name, hello->name, hello->node_id, hello->version, text);
        keeper_tell_outdated(node, other);
    }
}

bool keeper_hello(struct node *node, const struct hello *hello)
{
    struct err why;
    node->keeper.due = true;
    if (acquaintances_hello(&node->others, hello, node_now(node), &why) == 0) {
        keeper_judge_level(node, hello);
        return true;
    }
    log_warn("%s: %s (%" PRIu64 ") is refused: %s", node->options.name, hello->name,
             hello->node_id, why.text);
    keeper_tell_stale(node, hello->node_id, hello->session, why.text);
    return false;
}

/* Said of this start: then this folder is an old copy. Of an earlier start: late, and
 * whoever said it hears of this one. */
static void keeper_called_stale(struct node *node, const struct keeper_message *message,
                                uint64_t from)
{
    if (message->session != node->session) {
        node_introduce(node);
        return;
    }
    const struct acquaintance *other = acquaintances_find(&node->others, from);
    struct err err;
    err_set(
        &err, ERR_CONFLICT,
        "%s refuses this node: %s. The folder is an old copy or lost what this node "
        "had acknowledged: remove this folder (%s) and start the node with an empty "
        "one; it then joins anew",
        other != NULL ? other->name : "a member", message->text,
        node->options.disk->path);
    node->options.failed(node->options.owner, &err);
}

/* Likewise: of this start only. */
static void keeper_called_outdated(struct node *node,
                                   const struct keeper_message *message, uint64_t from)
{
    const struct acquaintance *other = acquaintances_find(&node->others, from);
    struct err err;
    if (message->session == node->session) {
        err_set(&err, ERR_UNSUPPORTED, "%s refuses this node: %s",
                other != NULL ? other->name : "a member", message->text);
        node->options.failed(node->options.owner, &err);
    }
}

int keeper_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                 struct err *err)
{
    struct keeper_message message;
    int rv = keeper_decode(&message, data, len, err);
    if (rv != 0) {
        return rv;
    }
    if (message.kind == FRAME_STALE) {
        keeper_called_stale(node, &message, from);
    } else if (message.kind == FRAME_OUTDATED) {
        keeper_called_outdated(node, &message, from);
    } else if (message.kind == FRAME_WELCOME) {
        if (node->phase == NODE_PHASE_FORMING && message.session == node->session) {
            forming_welcome(node->forming, message.cluster_id, message.term);
        }
    } else if (message.kind == FRAME_WAIT) {
        if (node->phase == NODE_PHASE_FORMING) {
            forming_refused(node->forming, message.leader, message.text);
        }
    } else if (message.kind == FRAME_REMOVED || message.kind == FRAME_NO_MEMBER) {
        keeper_called_removed(node, &message);
    } else {
        for (size_t i = 0; i < message.acked_count; i++) {
            acquaintances_acked(&node->others, message.acked[i].id,
                                message.acked[i].counter, message.acked[i].index);
        }
    }
    return 0;
}
