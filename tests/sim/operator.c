/* SPDX-License-Identifier: Apache-2.0 */
/* The operator of a world: has the lead given away and members removed in the middle of
 * everything, and, once all is healed, makes the cluster whole again: who was removed
 * gets an empty folder, who comes in as a standby is made a voter. */
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "raft/engine.h"
#include "sim/inside.h"

#define OPERATOR_GAP_US 300000

/* The node that leads and knows it; NULL. */
static struct sim_node *operator_leader(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        if (sim_node_leads(member) && !member->paused) {
            return member;
        }
    }
    return NULL;
}

/* Is each node up, and a voter of `members` as whom it is now? */
static bool operator_all_vote(const struct world *world,
                              const struct membership *members)
{
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *member = &world->members[i];
        struct node_status status;
        if (member->dead) {
            continue;
        }
        if (member->state != SIM_NODE_UP || member->put_back) {
            return false;
        }
        node_status(member->node, &status);
        const struct membership_row *row = membership_find(members, status.id);
        if (row == NULL || !row->voter) {
            return false;
        }
    }
    return members->count == world->count;
}

bool world_is_complete(const struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *member = &world->members[i];
        struct membership members;
        if (!sim_node_leads(member) || member->paused || /* others may lead by now */
            engine_changing(node_engine(member->node))) {
            continue;
        }
        engine_membership(node_engine(member->node), &members);
        if (operator_all_vote(world, &members)) {
            return true;
        }
    }
    return false;
}

static void operator_told(void *owner, const struct err *result)
{
    struct world *world = owner;
    world->asked = false;
    transcript_note(world->transcript, "operator: %s",
                    result->code == ERR_NONE ? "done" : result->text);
}

typedef int (*operator_change)(struct node *node, const char *name, node_change_cb done,
                               void *owner, struct err *err);

static void operator_ask(struct world *world, struct sim_node *leader, const char *verb,
                         operator_change change, const char *name)
{
    struct err err = {.text = "asked"};
    if (world->asked) {
        return;
    }
    world->asked = change(leader->node, name, operator_told, world, &err) == 0;
    transcript_note(world->transcript, "operator: %s: %s %s: %s", leader->name, verb,
                    name, err.text);
}

void operator_transfer(struct world *world, const struct sim_node *to)
{
    struct sim_node *leader = operator_leader(world);
    if (leader != NULL) {
        operator_ask(world, leader, "transfer", node_transfer,
                     to != NULL ? to->name : "");
    }
}

void operator_drain(struct world *world, struct sim_node *member, bool undrain)
{
    struct sim_node *leader = operator_leader(world);
    if (leader != NULL) {
        operator_ask(world, leader, undrain ? "undrain" : "drain",
                     undrain ? node_undrain_member : node_drain_member, member->name);
    }
}

/* Only from a whole cluster: it may be that the folder is thrown away after it. */
void operator_remove(struct world *world, struct sim_node *member)
{
    struct sim_node *leader = operator_leader(world);
    if (leader != NULL && leader != member && world->count > 2 &&
        world_is_complete(world)) {
        operator_ask(world, leader, "remove", node_remove_member, member->name);
        world->wipes_left = 0; /* what is left must not lose a majority */
    }
}

/* Who was told that it was removed gets an empty folder. */
static void operator_replace(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        struct node_status status;
        if (member->state == SIM_NODE_UP) {
            node_status(member->node, &status);
            if (status.role == NODE_REMOVED) {
                sim_node_wipe(member, 1000 + sim_random_below(&world->operator_random,
                                                              world->down_max_us));
            }
        }
    }
}

static void operator_complete(struct world *world, struct sim_node *leader)
{
    struct node_member members[LIMIT_MEMBERS];
    size_t count = node_members(leader->node, members, LIMIT_MEMBERS);
    for (size_t i = 0; i < count && i < LIMIT_MEMBERS; i++) {
        if (!members[i].voter && members[i].name[0] != '\0') {
            operator_ask(world, leader, "add", node_add_member, members[i].name);
            return;
        }
    }
}

static void operator_told_settings(void *owner, const struct outcome *outcome)
{
    struct world *world = owner;
    transcript_note(world->transcript, "operator: settings: %d (%d)", outcome->code,
                    outcome->result.code);
}

/* Now and then one that nobody sets, one twice, one out of its bounds, one of a level
 * that the cluster may not have. */
static void operator_set(struct world *world, struct sim_node *leader)
{
    static const struct {
        enum setting setting;
        uint64_t most;
    } rows[] = {{SETTING_EVENTS_MAX_COUNT, 800}, {SETTING_EVENTS_MAX_COUNT, 800},
                {SETTING_READY_LAG, 2000},       {SETTING_READY_LAG, 2000},
                {SETTING_TASK_EVENTS, 104},      {SETTING_TASK_EVENTS, 104},
                {SETTING_DRAIN_DEADLINE, 90000}, {SETTING_VOTERS, 5}};
    struct sim_random *random = &world->settings_random;
    struct setting_value values[3];
    size_t count = 1 + (size_t)sim_random_below(random, 3);
    for (size_t i = 0; i < count; i++) {
        size_t row = (size_t)sim_random_below(random, sizeof rows / sizeof rows[0]);
        values[i].setting = rows[row].setting;
        values[i].value = sim_random_below(random, rows[row].most + 1);
    }
    struct buf blob;
    struct err err = {.text = "asked"};
    buf_init(&blob);
    settings_values_put(&blob, values, count);
    struct command command = {
        .type = COMMAND_SETTINGS_SET,
        .request_id = text_of(""),
        .actor = text_of(""),
        .settings_set.values = {(const char *)blob.data, blob.len},
    };
    if (registry_level(node_registry(leader->node)) >= command_needs(&command)) {
        (void)propose_submit(node_propose(leader->node), &command,
                             operator_told_settings, world, &err);
        transcript_note(world->transcript, "operator: %s: %zu settings: %s",
                        leader->name, count, err.text);
    }
    buf_close(&blob);
}

static void operator_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    struct sim_node *leader = operator_leader(world);
    if (world->calm || sim_random_chance(&world->operator_random, 10)) {
        operator_replace(world);
    }
    if (world->sets && leader != NULL &&
        sim_random_chance(&world->settings_random, 20)) {
        operator_set(world, leader);
    }
    bool grow = world->founders < world->count && leader != NULL &&
                sim_random_chance(&world->operator_random, 1);
    if (leader != NULL && (world->calm || grow)) {
        operator_complete(world, leader);
    }
    world_queue(world, event, OPERATOR_GAP_US);
}

void operator_init(struct world *world)
{
    sim_random_init(&world->settings_random,
                    hash_mix(world->options->seed ^ 0x73657474u));
    world->sets = sim_random_chance(&world->settings_random, 40);
    world->operator=(struct sim_event){.fire = operator_turn, .owner = world};
    world_queue(world, &world->operator, OPERATOR_GAP_US);
}
