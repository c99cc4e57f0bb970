/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of worlds with runs. A run is lost when its node is away for long enough and
 * the others are there, so most of these worlds have few faults beside; and what a node
 * does with a run has moments at which its end, or its silence, means most: it is
 * struck between any two of them, for about as long as it takes until it is called
 * lost. */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "raft/lease.h"
#include "sim/inside.h"
#include "sim/machine.h"

#define STRIKE_PERCENT 7 /* of the moments */
#define PLACED_PERCENT 8 /* of the placed runs */

static uint64_t below(struct world *world, uint64_t limit)
{
    return sim_random_below(&world->fault_random, limit);
}

/* --- away
 * --------------------------------------------------------------------------- */

/* What it says does not arrive, or what it is told, or neither. */
static void runs_cut(struct world *world, bool cut)
{
    const struct sim_node *member = world->absent;
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *peer = &world->members[i];
        if (peer != member && (world->absent_says_nothing || !cut)) {
            sim_network_cut(world->network, member->address, peer->address, cut);
        }
        if (peer != member && (world->absent_hears_nothing || !cut)) {
            sim_network_cut(world->network, peer->address, member->address, cut);
        }
    }
}

static void runs_absent_ends(struct sim_event *event)
{
    struct world *world = event->owner;
    transcript_note(world->transcript, "%s: is back", world->absent->name);
    runs_cut(world, false);
    world->absent = NULL;
}

/* How long a leader waits before it calls a run lost, as runs are placed now. */
static uint64_t runs_over_ms(const struct sim_node *member)
{
    const struct registry *registry = node_registry(member->node);
    return lease_over_ms((uint32_t)registry_setting(registry, SETTING_RUN_LEASE),
                         (uint32_t)registry_setting(registry, SETTING_RUN_GRACE));
}

/* `dice`: below 50 it neither hears nor is heard, below 75 it is not heard. */
static void runs_go_away(struct sim_node *member, uint64_t dice, uint64_t for_ms)
{
    struct world *world = member->world;
    world->absent = member;
    world->absent_says_nothing = dice < 75;
    world->absent_hears_nothing = dice < 50 || dice >= 75;
    transcript_note(world->transcript, "%s: goes away for %" PRIu64 " ms", member->name,
                    for_ms);
    runs_cut(world, true);
    if (below(world, 100) < 25) {
        sim_node_pause(member, 1000 + below(world, for_ms * 1000));
    }
    world_queue(world, &world->absent_ends, for_ms * 1000);
}

/* One that carries out most, mostly; or any. */
static struct sim_node *runs_busiest(struct world *world, struct sim_node *member)
{
    if (below(world, 100) < 30) {
        return member;
    }
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *other = &world->members[i];
        if (machine_alive(other->machine) > machine_alive(member->machine)) {
            member = other;
        }
    }
    return member;
}

void chaos_runs_away(struct world *world, struct sim_node *member)
{
    member = runs_busiest(world, member);
    if (world->absent == NULL && member->state == SIM_NODE_UP && world->count > 1) {
        uint64_t over_ms = runs_over_ms(member);
        uint64_t dice = below(world, 100);
        runs_go_away(member, dice,
                     over_ms * 3 / 4 +
                         below(world, over_ms + world->election_timeout_ms));
    }
}

void chaos_runs_stay_away(struct world *world)
{
    if (world->absent != NULL) {
        runs_cut(world, true);
    }
}

/* --- at a moment
 * -------------------------------------------------------------------- */

static void runs_strike_down(struct sim_node *member, enum fault fault)
{
    struct world *world = member->world;
    uint64_t down_us = 1000 + below(world, world->down_max_us);
    if (below(world, 100) < 50) {
        down_us = (runs_over_ms(member) + below(world, 1500)) * 1000;
    }
    if (below(world, 100) < 40) { /* it will be slow to learn what it missed */
        sim_disk_latency(member->disk, 20000, 150000);
    }
    sim_node_end(member, fault == FAULT_KILL ? SIM_NODE_KILLED : SIM_NODE_POWER_OFF,
                 down_us);
}

static void runs_strike(struct sim_event *event)
{
    struct sim_node *member = event->owner;
    struct world *world = member->world;
    enum fault fault = member->aim;
    member->aimed = false;
    if (world->calm || member->state != SIM_NODE_UP || !chaos_begin(world, fault)) {
        return;
    }
    if (fault == FAULT_PAUSE) {
        sim_node_pause(member, 1000 + below(world, 3000000));
    } else if (fault != FAULT_AWAY) {
        runs_strike_down(member, fault);
    } else if (world->absent == NULL && world->count > 1) {
        uint64_t dice = below(world, 100);
        runs_go_away(member, dice, runs_over_ms(member) - 100 + below(world, 400));
    }
}

/* It may hear of the run and have no lease: it is heard again at about the time at
 * which the run is called lost. */
void chaos_runs_placed(struct sim_node *member)
{
    struct world *world = member->world;
    if (world->calm || !world->strikes || world->absent != NULL || world->count == 1 ||
        !sim_random_chance(&world->strike_random, PLACED_PERCENT) ||
        !chaos_begin(world, FAULT_AWAY)) {
        return;
    }
    uint64_t dice = 40 + below(world, 35);
    runs_go_away(member, dice, runs_over_ms(member) - 30 + below(world, 200));
}

void chaos_runs_moment(struct sim_node *member)
{
    static const uint64_t tops[] = {1, 1000, 20000, 300000};
    struct world *world = member->world;
    if (world->calm || !world->strikes || member->aimed ||
        !sim_random_chance(&world->strike_random, STRIKE_PERCENT)) {
        return;
    }
    uint64_t dice = sim_random_below(&world->strike_random, 100);
    uint64_t top = tops[sim_random_below(&world->strike_random, 4)];
    member->aimed = true;
    member->aim = dice < 35   ? FAULT_KILL
                  : dice < 55 ? FAULT_POWER_OFF
                  : dice < 65 ? FAULT_PAUSE
                              : FAULT_AWAY;
    world_queue(world, &member->strike, sim_random_below(&world->strike_random, top));
}

/* --- start and stop
 * ----------------------------------------------------------------- */

void chaos_runs_draw(struct world *world)
{
    static const uint32_t few[FAULT_COUNT] = {
        [FAULT_KILL] = 6,      [FAULT_POWER_OFF] = 4,    [FAULT_STOP] = 3,
        [FAULT_LEADER] = 4,    [FAULT_AT_OPERATION] = 2, [FAULT_DISK_SLOW] = 3,
        [FAULT_DISK_FULL] = 3, [FAULT_HEAL] = 10,        [FAULT_BREAK] = 4,
        [FAULT_PAUSE] = 6,     [FAULT_WALL_JUMP] = 1,    [FAULT_WIPE] = 2,
        [FAULT_TRANSFER] = 4,  [FAULT_REMOVE] = 3,       [FAULT_DRAIN] = 4,
        [FAULT_RETIRE] = 4,    [FAULT_UPGRADE] = 3,
    };
    struct sim_random random;
    sim_random_init(&random, hash_mix(world->options->seed ^ 0x72756e66u));
    world->write_gap_us = 50000 + sim_random_below(&random, 150000);
    world->chaos_us = 8000000 + sim_random_below(&random, 22000000);
    if (sim_random_chance(&random, 65)) {
        memcpy(world->weights, few, sizeof few);
        world->fault_gap_us = 300000 + sim_random_below(&random, 1500000);
        world->down_max_us = sim_random_chance(&random, 50) ? 6000000 : 800000;
    }
    world->weights[FAULT_SUPERVISOR] = sim_random_chance(&random, 50) ? 6 : 0;
    world->weights[FAULT_AWAY] = sim_random_chance(&random, 80) ? 30 : 0;
    world->strikes = sim_random_chance(&random, 75);
    sim_random_init(&world->strike_random, sim_random_next(&random));
    world->absent_ends = (struct sim_event){.fire = runs_absent_ends, .owner = world};
    for (size_t i = 0; i < world->count; i++) {
        world->members[i].strike =
            (struct sim_event){.fire = runs_strike, .owner = &world->members[i]};
    }
}

void chaos_runs_heal(struct world *world)
{
    sim_time_cancel(world->time, &world->absent_ends);
    world->absent = NULL;
}
