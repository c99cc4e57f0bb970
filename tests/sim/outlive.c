/* SPDX-License-Identifier: Apache-2.0 */
/* A minority dies for good, and the others must go on without it: in the middle of
 * faults, or at the moment at which most is asked of those that are left. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "raft/engine_inside.h"
#include "sim/inside.h"

#define MOMENT_LIMIT_US 20000000 /* it may not come */
#define SUCCESSORS      3
#define HASTE_WRITES    21
#define HASTE_MEDIAN_US 6000
#define HASTE_WORST_US  15000

/* As many as a cluster can do without die, whoever it is, and in the middle of
 * something. Those that are left must go on without them. */
static void world_bury_some(struct world *world, struct sim_random *random)
{
    size_t left = (world->count - 1) / 2;
    for (size_t at = sim_random_below(random, world->count); left > 0; at++) {
        struct sim_node *member = &world->members[at % world->count];
        if (!member->dead) {
            transcript_note(world->transcript, "%s: is gone for good", member->name);
            member->dead = true;
            left--;
            if (member->state == SIM_NODE_UP) {
                enum sim_node_end end = sim_random_chance(random, 50)
                                            ? SIM_NODE_KILLED
                                            : SIM_NODE_POWER_OFF;
                sim_node_end(member, end, UINT64_MAX);
            }
        }
    }
}

/* Those that are left get well; then the dead come back. */
static void outlive_go_on(struct world *world)
{
    world_get_well(world);
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        if (member->dead) {
            member->dead = false;
            world_queue(world, &member->restart, 0);
        }
    }
    world_get_well(world);
}

/* --- how long a write takes beside the dead
 * --------------------------------------------- */

struct haste {
    struct sim_node *leader;
    uint64_t last;     /* of its log, when it was looked at last */
    bool idle;         /* all of that was committed then */
    uint64_t entry;    /* that is measured; 0: none */
    uint64_t since_us; /* it was in the leader's log */
    uint64_t took_us[HASTE_WRITES];
    size_t count;
};

/* Only the first entry after a time in which all were committed, so that nothing but
 * its own way is measured, and no queue of a burst. */
static void haste_look(struct haste *haste, uint64_t now_us)
{
    const struct engine *engine = node_engine(haste->leader->node);
    uint64_t last = engine_last(engine);
    uint64_t commit = engine_commit(engine);
    if (haste->entry != 0 && commit >= haste->entry) {
        haste->took_us[haste->count++] = now_us - haste->since_us;
        haste->entry = 0;
    } else if (haste->entry == 0 && haste->idle && last > haste->last) {
        haste->entry = haste->last + 1;
        haste->since_us = now_us;
    }
    haste->idle = commit == last;
    haste->last = last;
}

static int haste_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void haste_judge(struct world *world, struct haste *haste)
{
    qsort(haste->took_us, HASTE_WRITES, sizeof haste->took_us[0], haste_compare);
    uint64_t median_us = haste->took_us[HASTE_WRITES / 2];
    uint64_t worst_us = haste->took_us[HASTE_WRITES - 1];
    transcript_note(world->transcript,
                    "beside the dead a write takes %" PRIu64 " us, at the worst "
                    "%" PRIu64,
                    median_us, worst_us);
    if (median_us > HASTE_MEDIAN_US || worst_us > HASTE_WORST_US) {
        world_doubt(world,
                    "beside the dead a write takes %" PRIu64 " us, at the worst "
                    "%" PRIu64,
                    median_us, worst_us);
    }
}

/* Rule 8: a leader that has a dead peer sends each entry at once. Without it every
 * second idle write waits for a beat. All is calm: a disk and a message take 2 ms at
 * the most. */
static void world_hurry(struct world *world)
{
    struct haste haste = {.leader = world_leader(world, NULL)};
    uint64_t write_gap_us = world->write_gap_us;
    if (world->count != 3 || haste.leader == NULL) {
        return;
    }
    uint64_t limit_us =
        sim_time_now_us(world->time) + 40 * HASTE_WRITES * 1000 * world->heartbeat_ms;
    haste.last = engine_last(node_engine(haste.leader->node));
    world->write_gap_us = 3000 * world->heartbeat_ms;
    while (haste.count < HASTE_WRITES && sim_node_leads(haste.leader) &&
           sim_time_now_us(world->time) < limit_us) {
        world_step(world);
        if (sim_node_leads(haste.leader)) {
            haste_look(&haste, sim_time_now_us(world->time));
        }
    }
    world->write_gap_us = write_gap_us;
    if (haste.count == HASTE_WRITES) {
        haste_judge(world, &haste);
    }
}

void world_outlive(struct world *world)
{
    struct sim_random random;
    sim_random_init(&random, hash_mix(world->options->seed ^ 0x6f75746c697665u));
    if (world->count < 3 || !sim_random_chance(&random, 30)) {
        return;
    }
    uint64_t until_us =
        sim_time_now_us(world->time) + 1000000 + sim_random_below(&random, 3000000);
    chaos_again(world);
    while (sim_time_now_us(world->time) < until_us) {
        world_step(world);
    }
    world_bury_some(world, &random);
    chaos_heal(world);
    world_get_well(world);
    world_hurry(world);
    outlive_go_on(world);
}

/* --- the two moments
 * --------------------------------------------------------------------- */

static void outlive_bury(struct sim_node *member)
{
    transcript_note(member->world->transcript, "%s: is gone for good", member->name);
    member->dead = true;
    if (member->state == SIM_NODE_UP) {
        sim_node_end(member, SIM_NODE_POWER_OFF, UINT64_MAX);
    }
}

/* Bury `first` and, up to the minority, others that are not in `spared`. */
static void outlive_bury_all(struct world *world, struct sim_node *first,
                             uint64_t spared)
{
    size_t left = (world->count - 1) / 2;
    if (first != NULL) {
        outlive_bury(first);
        left--;
    }
    for (size_t i = 0; i < world->count && left > 0; i++) {
        if (!world->members[i].dead && (spared >> i & 1) == 0) {
            outlive_bury(&world->members[i]);
            left--;
        }
    }
}

struct sim_node *world_leader(struct world *world, const struct sim_node *but)
{
    for (size_t i = 0; i < world->count; i++) {
        if (&world->members[i] != but && sim_node_leads(&world->members[i])) {
            return &world->members[i];
        }
    }
    return NULL;
}

void world_isolate(struct world *world, const struct sim_node *member)
{
    transcript_note(world->transcript, "net: %s alone", member->name);
    for (size_t i = 0; i < world->count; i++) {
        const char *other = world->members[i].address;
        if (i != member->slot) {
            sim_network_cut(world->network, member->address, other, true);
            sim_network_cut(world->network, other, member->address, true);
        }
    }
}

/* The next node to lead beside `leader`; NULL: none in time. */
static struct sim_node *outlive_next(struct world *world, const struct sim_node *leader,
                                     uint64_t limit_us)
{
    struct sim_node *next = NULL;
    while (next == NULL && sim_time_now_us(world->time) < limit_us) {
        world_step(world);
        next = world_leader(world, leader);
    }
    return next;
}

/* A leader is cut off, and goes on writing. Whoever leads after it loses its power
 * before anybody hears so, the last one for good. Of those that are left the old leader
 * has the better log and the others a term that is higher by more than one. */
void world_succeed(struct world *world)
{
    uint64_t limit_us = sim_time_now_us(world->time) + MOMENT_LIMIT_US;
    uint64_t write_gap_us = world->write_gap_us;
    struct sim_node *leader = world_leader(world, NULL);
    if (world->count < 3 || leader == NULL || !world_later(world, 0x73756363u, 12)) {
        return;
    }
    world->write_gap_us = 3000;
    world_isolate(world, leader);
    for (int round = 1; round <= SUCCESSORS; round++) {
        struct sim_node *next = outlive_next(world, leader, limit_us);
        if (next != NULL && round == SUCCESSORS) {
            outlive_bury_all(world, next, (uint64_t)1 << leader->slot);
        } else if (next != NULL) {
            sim_node_end(next, SIM_NODE_POWER_OFF, 1000);
        }
    }
    while (sim_node_leads(leader) && sim_time_now_us(world->time) < limit_us) {
        world_step(world);
    }
    world->write_gap_us = write_gap_us;
    transcript_note(world->transcript, "net: no cuts");
    sim_network_heal(world->network);
    outlive_go_on(world);
}

/* Has `leader` on its disk that all are voters, and is that not committed yet? */
static bool outlive_promotes(const struct world *world, const struct sim_node *leader)
{
    const struct engine *engine = node_engine(leader->node);
    struct membership members;
    engine_membership(engine, &members);
    bool all = members.count == world->count;
    for (size_t i = 0; i < members.count; i++) {
        all = all && members.rows[i].voter;
    }
    for (uint64_t at = engine_commit(engine) + 1; all && at <= engine->stored; at++) {
        const struct entry *entry = engine_entry(engine, at);
        if (entry != NULL && entry->type == ENTRY_CONFIGURATION) {
            return true;
        }
    }
    return false;
}

/* A member is replaced. The leader has its promotion on its disk and has told nobody
 * when its power goes, and others die for good: those that are left are a majority by
 * what the leader has, and need the vote of the one that does not know it has one. */
void world_promote(struct world *world)
{
    uint64_t limit_us = sim_time_now_us(world->time) + MOMENT_LIMIT_US;
    struct sim_node *leader = world_leader(world, NULL);
    if (world->count < 3 || leader == NULL || !world_later(world, 0x70726f6du, 12)) {
        return;
    }
    struct sim_node *member = &world->members[(leader->slot + 1) % world->count];
    operator_remove(world, member);
    do {
        world_step(world);
        leader = world_leader(world, NULL);
    } while ((leader == NULL || leader == member || !outlive_promotes(world, leader)) &&
             sim_time_now_us(world->time) < limit_us);
    if (sim_time_now_us(world->time) < limit_us) {
        uint64_t spared = (uint64_t)1 << leader->slot | (uint64_t)1 << member->slot;
        sim_node_end(leader, SIM_NODE_POWER_OFF, 1000);
        outlive_bury_all(world, NULL, spared);
    }
    outlive_go_on(world);
}
