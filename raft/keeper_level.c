/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's feature level: its leader raises it as soon as every member, voters and
 * standbys, is known to know more; it never falls. What is above it does not pass door
 * 1, and who knows less than it is refused.
 *
 * A new leader raises it before its door opens: a cluster whose nodes are all new is at
 * their level before it takes its first write. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "raft/keeper.h"

uint32_t keeper_level(const struct node *node)
{
    return registry_level(fsm_registry(node->fsm));
}

/* By its own word, else by its row; 0: not known. */
static uint32_t level_of(struct node *node, uint64_t id)
{
    struct member_draft draft;
    const struct member *row = registry_member(fsm_registry(node->fsm), id);
    if (node_draft(node, id, &draft)) {
        return draft.level;
    }
    return row != NULL ? row->level : 0;
}

/* The member that knows least. */
static const struct membership_row *level_lowest(struct node *node,
                                                 const struct membership *members,
                                                 uint32_t *level)
{
    const struct membership_row *lowest = NULL;
    for (size_t i = 0; i < members->count; i++) {
        uint32_t known = level_of(node, members->rows[i].id);
        if (lowest == NULL || known < *level) {
            lowest = &members->rows[i];
            *level = known;
        }
    }
    return lowest;
}

static void level_decided(void *owner, const struct outcome *outcome)
{
    struct node *node = owner;
    node->keeper.level_proposed = false;
    if (outcome->code == 0) {
        log_info("%s: the cluster is at feature level %u", node->options.name,
                 keeper_level(node));
    }
    if (node->phase == NODE_PHASE_MEMBER) {
        node_wake(node);
    }
}

void keeper_raise_level(struct node *node)
{
    struct membership members;
    uint32_t level = 0;
    if (node->keeper.level_proposed || engine_changing(node->engine)) {
        return;
    }
    engine_membership(node->engine, &members);
    if (level_lowest(node, &members, &level) == NULL || level <= keeper_level(node)) {
        return;
    }
    struct command command = {
        .type = COMMAND_LEVEL_SET,
        .request_id = text_of(""),
        .actor = text_of("muster"),
        .level_set.level = level,
    };
    node->keeper.level_proposed =
        propose_submit_here(node->propose, &command, level_decided, node, NULL) == 0;
}

bool keeper_outdated(const struct node *node, const struct acquaintance *other)
{
    return other->id != 0 && other->cluster_id != 0 &&
           other->cluster_id == node->identity.cluster_id &&
           other->level < keeper_level(node);
}

void keeper_explain_outdated(const struct node *node, uint32_t level, char *out,
                             size_t size)
{
    snprintf(out, size,
             "the cluster is at feature level %u, this muster knows %u: upgrade it",
             keeper_level(node), level);
}

void node_explain_level(struct node *node, uint32_t needed, struct err *out)
{
    struct membership members;
    uint32_t known = 0;
    const struct membership_row *lowest = NULL;
    if (node->engine != NULL) {
        engine_membership(node->engine, &members);
        lowest = level_lowest(node, &members, &known);
    }
    err_set(out, ERR_LEVEL, "this needs feature level %u; the cluster is at %u", needed,
            keeper_level(node));
    if (lowest == NULL || known >= needed) {
        return;
    }
    size_t len = strlen(out->text);
    const char *name = keeper_name(node, lowest->id);
    const struct member *row = registry_member(fsm_registry(node->fsm), lowest->id);
    struct member_draft draft;
    const char *version = node_draft(node, lowest->id, &draft) ? draft.version
                          : row != NULL                        ? row->version
                                                               : "";
    if (known == 0) {
        snprintf(out->text + len, sizeof out->text - len,
                 " because %s has not been heard yet",
                 name[0] != '\0' ? name : lowest->address);
    } else {
        snprintf(out->text + len, sizeof out->text - len, " because %s runs %s", name,
                 version);
    }
}
