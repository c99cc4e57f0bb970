/* SPDX-License-Identifier: Apache-2.0 */
/* How a node learns that it was removed from its cluster: from a leader that hears it
 * say that it belongs there, and finds it in no membership. It is told twice.
 *
 *   FRAME_REMOVED     at once. It counts for who has no newer term than that leader:
 * then the leader was elected after, or is the one, that let it in, and knows of that.
 *   FRAME_NO_MEMBER   once a read index is confirmed that was asked for after the node
 *                     said so. It counts whatever the terms are: one that campaigned on
 *                     its way out may have the higher one for ever.
 *
 * Why the second is true. A node says that it belongs to the cluster after its coming
 * in was committed: as a founder by entry 1, else because the leader that let it in
 * welcomed it when no change was under way. So it was committed before the question was
 * asked, and a confirmed read index proves that this leader's log holds all that was
 * committed by then. If its newest membership, itself committed, does not name the
 * node, the node was removed since; and an id that was removed never comes back, for
 * only blank nodes come in. A leader that was cut off before, or deposed, gets no
 * majority to confirm it and says nothing. Who said hello after the question was asked
 * is not meant by its answer: a newer leader may have let it in meanwhile.
 *
 * Both may be lost and are said again; late ones are still true, and the second one is
 * for one start of the node alone. */
#include "raft/frame.h"
#include "raft/keeper.h"
#include "raft/keeper_wire.h"

#define KEEPER_PROOF_MS 1000

bool keeper_is_outsider(const struct node *node, const struct membership *members,
                        const struct acquaintance *other)
{
    return other->id != 0 && other->up && !other->stale &&
           other->cluster_id == node->identity.cluster_id &&
           membership_find(members, other->id) == NULL;
}

static void keeper_proved(struct read_waiter *waiter, const struct err *result)
{
    struct node *node = waiter->owner;
    struct keeper *keeper = &node->keeper;
    keeper->proving = false;
    if (result->code != ERR_NONE || !keeper_settled(node) ||
        engine_changing(node->engine)) {
        return;
    }
    struct membership members;
    engine_membership(node->engine, &members);
    for (size_t i = 0; i < keeper->outsider_count; i++) {
        const struct outsider *outsider = &keeper->outsiders[i];
        if (membership_find(&members, outsider->id) == NULL) {
            struct keeper_message message = {
                .kind = FRAME_NO_MEMBER,
                .session = outsider->session,
                .term = engine_term(node->engine),
            };
            keeper_send(node, outsider->id, &message);
        }
    }
}

/* What is noted here is what the answer will be true for: nobody is added later. */
static void keeper_prove(struct node *node, const struct membership *members)
{
    struct keeper *keeper = &node->keeper;
    if (keeper->proving || node_now(node) < keeper->proof_after_ms) {
        return;
    }
    keeper->outsider_count = 0;
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        const struct acquaintance *other = &node->others.rows[i];
        if (keeper_is_outsider(node, members, other)) {
            keeper->outsiders[keeper->outsider_count++] =
                (struct outsider){other->id, other->session};
        }
    }
    if (keeper->outsider_count > 0) {
        keeper->proof_after_ms = node_now(node) + KEEPER_PROOF_MS;
        keeper->proof = (struct read_waiter){.done = keeper_proved, .owner = node};
        keeper->proving = node_read_index(node, &keeper->proof, NULL) == 0;
    }
}

void keeper_tell_removed(struct node *node, const struct membership *members)
{
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        const struct acquaintance *other = &node->others.rows[i];
        if (keeper_is_outsider(node, members, other)) {
            struct keeper_message message = {.kind = FRAME_REMOVED,
                                             .term = engine_term(node->engine)};
            keeper_send(node, other->id, &message);
        }
    }
    keeper_prove(node, members);
}

void keeper_called_removed(struct node *node, const struct keeper_message *message)
{
    if (node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    bool sure = message->kind == FRAME_NO_MEMBER;
    if (sure ? message->session == node->session
             : message->term >= engine_term(node->engine)) {
        node_leave(node);
    }
}
