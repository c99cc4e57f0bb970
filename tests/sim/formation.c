/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that are aimed at the moments at which a cluster forms: they are over before
 * chaos, which looks at a clock only, has struck twice. Somebody pledged: one of the
 * others does not hear of it, or it ends. Somebody founds: it stands still over it, and
 * meanwhile another one comes back as a stranger, so that those who only pledged want
 * to let go of their pledges. In two of three worlds of kind forming, drawn from a
 * stream of its own: the others stay as they were. */
#include <string.h>

#include "base/hash.h"
#include "raft/forming_inside.h"
#include "raft/node_inside.h"
#include "sim/inside.h"

static uint64_t formation_below(struct world *world, uint64_t limit)
{
    return sim_random_below(&world->formation_random, limit);
}

static bool formation_chance(struct world *world, uint32_t percent)
{
    return sim_random_chance(&world->formation_random, percent);
}

static struct sim_node *formation_other(const struct sim_node *member)
{
    struct world *world = member->world;
    size_t step = 1 + (size_t)sim_random_below(&world->fault_random, world->count - 1);
    return &world->members[(member->slot + step) % world->count];
}

/* Its disk or all of it stands still while its company changes. */
static void formation_hold(struct sim_node *member)
{
    struct world *world = member->world;
    if (sim_random_chance(&world->fault_random, 50)) {
        sim_node_pause(member,
                       200000 + sim_random_below(&world->fault_random, 3000000));
    } else {
        transcript_note(world->transcript, "%s: disk takes up to 150000 us",
                        member->name);
        sim_disk_latency(member->disk, 20000, 150000);
    }
    chaos_wipe(world, formation_other(member));
}

static void formation_strike(struct sim_event *event)
{
    struct sim_node *member = event->owner;
    struct world *world = member->world;
    member->aimed = false;
    if (world->calm || member->state != SIM_NODE_UP ||
        !chaos_begin(world, member->aim)) {
        return;
    }
    if (member->aim == FAULT_WIPE) {
        formation_hold(member);
    } else if (member->aim == FAULT_PARTITION_ONE_WAY) {
        struct sim_node *other = formation_other(member);
        transcript_note(world->transcript, "net: %s does not hear %s", other->name,
                        member->name);
        sim_network_cut(world->network, member->address, other->address, true);
    } else {
        sim_node_end(member,
                     member->aim == FAULT_KILL ? SIM_NODE_KILLED : SIM_NODE_POWER_OFF,
                     1000 + sim_random_below(&world->fault_random, world->down_max_us));
    }
}

static void formation_aim(struct sim_node *member, enum fault fault, uint64_t top_us)
{
    if (!member->aimed) {
        member->aimed = true;
        member->aim = fault;
        world_queue(member->world, &member->strike,
                    formation_below(member->world, top_us));
    }
}

void formation_observe(struct sim_node *member)
{
    static const uint64_t tops[] = {1, 1000, 20000};
    struct world *world = member->world;
    const struct forming *forming =
        member->state == SIM_NODE_UP ? member->node->forming : NULL;
    int state = forming != NULL ? (int)forming->state : FORMING_WAITING;
    if (!world->formation || state == member->forming_state) {
        return;
    }
    member->forming_state = state;
    uint64_t top = tops[formation_below(world, 3)];
    bool end = formation_chance(world, 20);
    bool off = formation_chance(world, 50);
    bool cross = formation_chance(world, 45);
    if (end && state != FORMING_WAITING) {
        formation_aim(member, off ? FAULT_POWER_OFF : FAULT_KILL, top);
    } else if (cross && state == FORMING_PLEDGING) {
        formation_aim(member, FAULT_PARTITION_ONE_WAY, 1);
    } else if (cross && state == FORMING_FOUNDING) {
        formation_aim(member, FAULT_WIPE, 1);
    }
}

void formation_init(struct world *world)
{
    sim_random_init(&world->formation_random,
                    hash_mix(world->options->seed ^ 0x73746570u));
    world->formation = world->options->kind == WORLD_FORMING && world->count > 1 &&
                       formation_chance(world, 67);
    for (size_t i = 0; world->formation && i < world->count; i++) {
        world->members[i].strike =
            (struct sim_event){.fire = formation_strike, .owner = &world->members[i]};
    }
}
