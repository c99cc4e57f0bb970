/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "control/place.h"
#include "raft/propose.h"

static void place_count_live(struct place_members *members,
                             const struct registry *registry)
{
    struct map_cursor cursor;
    registry_live_seek(registry, &cursor);
    const struct run *run = NULL;
    while ((run = registry_live_next(&cursor)) != NULL) {
        for (size_t i = 0; i < members->count; i++) {
            members->candidates[i].live += members->candidates[i].id == run->node;
        }
    }
}

void place_members_load(struct place_members *members, struct node *node)
{
    const struct registry *registry = node_registry(node);
    struct node_status status;
    size_t known = node_members(node, members->rows, LIMIT_MEMBERS);
    node_status(node, &status);
    known = known < LIMIT_MEMBERS ? known : LIMIT_MEMBERS;
    members->count = 0;
    for (size_t i = 0; i < known; i++) {
        const struct node_member *row = &members->rows[i];
        if (registry_member(registry, row->id) == NULL) {
            continue; /* apply would refuse it: its row is not there yet */
        }
        members->candidates[members->count++] = (struct place_candidate){
            .id = row->id,
            .name = row->name,
            .level = row->level,
            .carries = (row->drivers & MEMBER_DRIVER_EXEC) != 0,
            .full = row->disk_full,
            .draining = row->draining,
            .reachable = row->reachable,
            /* who does not lead hears of nobody: a link is all that he has to go by */
            .answers = row->answers || status.role != NODE_LEADER,
            .differs = row->differs,
        };
    }
    place_count_live(members, registry);
}

/* The count of that member; there are never more of them than places. */
static uint64_t *place_now_count(struct place_now *now, uint64_t id)
{
    size_t at = 0;
    while (at + 1 < LIMIT_MEMBERS && now->counts[at] > 0 && now->chosen[at] != id) {
        at++;
    }
    now->chosen[at] = id;
    return &now->counts[at];
}

int control_place_now(void *owner, uint64_t *id, struct err *err)
{
    struct place_now *now = owner;
    const struct registry *registry = node_registry(now->node);
    struct place_members members;
    size_t chosen = 0;
    int rv = place_time_judge(registry, propose_clock_ms(node_propose(now->node)), err);
    if (rv != 0) {
        return rv;
    }
    uint64_t sequence = registry_sequence(registry);
    if (sequence != now->sequence) {
        *now = (struct place_now){.node = now->node, .sequence = sequence};
    }
    place_members_load(&members, now->node);
    for (size_t i = 0; i < members.count; i++) {
        members.candidates[i].live += *place_now_count(now, members.candidates[i].id);
    }
    rv = place_choose(members.candidates, members.count, &chosen, err);
    if (rv == 0) {
        *id = members.candidates[chosen].id;
        *place_now_count(now, *id) += 1;
    }
    return rv;
}
