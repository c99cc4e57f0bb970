/* SPDX-License-Identifier: Apache-2.0 */
/* Faults. Each seed draws which of them its world has and how often: worlds with few
 * kinds of faults reach what worlds with all of them never do. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "sim/inside.h"
#include "sim/machine.h"

static const char *const fault_words[FAULT_COUNT] = {
#define X(SYMBOL, word, weight, storm) [FAULT_##SYMBOL] = word,
#include "sim/faults.def"
#undef X
};

const char *fault_word(enum fault fault)
{
    return fault_words[fault];
}

#define FIRST_LATER FAULT_DISK_ERROR_KIND

static uint64_t chaos_below(struct world *world, uint64_t limit)
{
    return sim_random_below(&world->fault_random, limit);
}

static bool chaos_chance(struct world *world, uint32_t percent)
{
    return sim_random_chance(&world->fault_random, percent);
}

static struct sim_node *chaos_leader(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        if (sim_node_leads(&world->members[i])) {
            return &world->members[i];
        }
    }
    return &world->members[chaos_below(world, world->count)];
}

static void chaos_end(struct sim_node *member, enum sim_node_end end)
{
    struct world *world = member->world;
    if (member->state == SIM_NODE_UP) {
        sim_node_end(member, end, 1000 + chaos_below(world, world->down_max_us));
    }
}

static enum sim_node_end chaos_any_end(struct world *world)
{
    return (enum sim_node_end)chaos_below(world, 3);
}

static void chaos_many(struct world *world)
{
    enum sim_node_end end = chaos_any_end(world);
    for (size_t i = 0; i < world->count; i++) {
        if (chaos_chance(world, 70)) {
            chaos_end(&world->members[i], end);
        }
    }
}

static void chaos_at_operation(struct sim_node *member)
{
    if (member->state == SIM_NODE_UP) {
        uint64_t operations = chaos_below(member->world, 40);
        transcript_note(member->world->transcript,
                        "%s: the power will go after %" PRIu64 " operations",
                        member->name, operations);
        member->faulty = true;
        sim_disk_power_off_after(member->disk, operations);
    }
}

static void chaos_disk_error(struct sim_node *member)
{
    if (member->state == SIM_NODE_UP && !member->faulty) {
        uint64_t skip = chaos_below(member->world, 30);
        transcript_note(member->world->transcript,
                        "%s: the disk will fail after %" PRIu64 " operations",
                        member->name, skip);
        member->faulty = true;
        sim_disk_fail(member->disk, skip, 1 + chaos_below(member->world, 3));
    }
}

static void chaos_disk_slow(struct sim_node *member)
{
    struct world *world = member->world;
    static const uint64_t tops[] = {500, 5000, 30000, 150000};
    uint64_t top = tops[chaos_below(world, 4)];
    transcript_note(world->transcript, "%s: disk takes up to %" PRIu64 " us",
                    member->name, top);
    sim_disk_latency(member->disk, 50, top);
}

static void chaos_break(struct world *world)
{
    size_t a = chaos_below(world, world->count);
    size_t b = chaos_below(world, world->count);
    if (a != b) {
        transcript_note(world->transcript, "net: n%zu and n%zu lose each other", a + 1,
                        b + 1);
        sim_network_break(world->network, world->members[a].address,
                          world->members[b].address);
    }
}

static void chaos_break_all(struct world *world)
{
    transcript_note(world->transcript, "net: all lose each other");
    for (size_t a = 0; a < world->count; a++) {
        for (size_t b = a + 1; b < world->count; b++) {
            sim_network_break(world->network, world->members[a].address,
                              world->members[b].address);
        }
    }
}

static void chaos_disk_full(struct sim_node *member)
{
    struct world *world = member->world;
    if (member->limited) {
        transcript_note(world->transcript, "%s: disk has room again", member->name);
        member->limited = false;
        sim_disk_limit(member->disk, UINT64_MAX);
        return;
    }
    uint64_t room =
        chaos_chance(world, 50) ? 0 : chaos_below(world, 2 * world->segment_bytes);
    transcript_note(world->transcript, "%s: disk has %" PRIu64 " bytes left",
                    member->name, room);
    member->limited = true;
    member->full = true;
    sim_disk_limit(member->disk, sim_disk_used(member->disk) + room);
}

static void chaos_partition(struct world *world, uint64_t side, bool one_way)
{
    transcript_note(world->transcript, "net: partition, apart %02" PRIx64 "%s", side,
                    one_way ? " (one way)" : "");
    for (size_t a = 0; a < world->count; a++) {
        for (size_t b = 0; b < world->count; b++) {
            bool apart = (side >> a & 1) != (side >> b & 1);
            sim_network_cut(world->network, world->members[a].address,
                            world->members[b].address,
                            apart && (!one_way || (side >> a & 1) != 0));
        }
    }
    if (chaos_chance(world, 30)) {
        chaos_break_all(world);
    }
}

/* The leader alone, or with those beside it that are no founders: as long as they are
 * standbys, their word counts for nothing. */
static void chaos_isolate_leader(struct world *world)
{
    uint64_t side = (uint64_t)1 << chaos_leader(world)->slot;
    bool one_way = chaos_chance(world, 30);
    if (world->founders < world->count && chaos_chance(world, 70)) {
        side |= ((uint64_t)1 << world->count) - ((uint64_t)1 << world->founders);
    }
    chaos_partition(world, side, one_way);
}

static void chaos_wire(struct world *world)
{
    struct sim_wire wire = {.latency_min_us = 20 + chaos_below(world, 300)};
    wire.latency_max_us = wire.latency_min_us +
                          chaos_below(world, chaos_chance(world, 20) ? 60000 : 3000);
    if (chaos_chance(world, 40)) {
        wire.loss_permille = (uint32_t)chaos_below(world, 200);
    }
    if (chaos_chance(world, 50)) {
        wire.stall_permille = (uint32_t)chaos_below(world, 60);
        wire.stall_us = chaos_below(world, 1500000);
    }
    transcript_note(world->transcript,
                    "net: %" PRIu64 "-%" PRIu64 " us, loss %u, stalls %u of %" PRIu64
                    " us",
                    wire.latency_min_us, wire.latency_max_us, wire.loss_permille,
                    wire.stall_permille, wire.stall_us);
    sim_network_set_wire(world->network, &wire);
}

/* A folder is gone for good; its node comes back as a stranger. */
void chaos_wipe(struct world *world, struct sim_node *member)
{
    if (damage_allowed(world, member)) {
        world->wipes_left--;
        sim_node_wipe(member, 1000 + chaos_below(world, world->down_max_us));
    }
}

static void chaos_flip(struct world *world, struct sim_node *member)
{
    if (damage_allowed(world, member)) {
        uint64_t seed = sim_random_next(&world->fault_random);
        enum sim_node_end end = chaos_any_end(world);
        damage_flip(member, seed, end, 1000 + chaos_below(world, world->down_max_us));
    }
}

static void chaos_disk_error_kind(struct sim_node *member)
{
    static const char *const kinds[] = {"open", "open",   "write",
                                        "sync", "rename", "remove"};
    const char *kind = kinds[chaos_below(member->world, 6)];
    if (member->state == SIM_NODE_UP && !member->faulty) {
        transcript_note(member->world->transcript, "%s: the next %s will fail",
                        member->name, kind);
        member->faulty = true;
        sim_disk_fail_kind(member->disk, kind, 1);
    }
}

/* By seconds, or by up to forty days. */
static void chaos_wall_jump(struct sim_node *member)
{
    struct world *world = member->world;
    uint64_t most = chaos_chance(world, 50) ? 1000000 : 40u * 86400000u;
    int64_t by = (int64_t)chaos_below(world, 2 * most) - (int64_t)most;
    if (member->state == SIM_NODE_UP) {
        transcript_note(world->transcript, "%s: its wall clock jumps by %" PRId64 " ms",
                        member->name, by);
        sim_clock_wall_jump(member->clock, by);
    }
}

static void chaos_twice(struct world *world)
{
    uint32_t permille =
        chaos_chance(world, 30) ? 0 : 1 + (uint32_t)chaos_below(world, 200);
    uint64_t late_us = chaos_below(world, chaos_chance(world, 50) ? 5000 : 2000000);
    transcript_note(world->transcript,
                    "net: %u in a thousand come again, after up to %" PRIu64 " us",
                    permille, late_us);
    sim_network_repeat(world->network, permille, late_us);
}

static void chaos_stale(struct world *world)
{
    uint32_t permille =
        chaos_chance(world, 20) ? 0 : 1 + (uint32_t)chaos_below(world, 300);
    uint64_t late_us = chaos_below(world, chaos_chance(world, 70) ? 5000 : 500000);
    transcript_note(world->transcript,
                    "net: behind %u in a thousand comes one of the past", permille);
    sim_network_recall_often(world->network, permille, late_us);
}

/* A fault of a disk. False: it is none of these. */
static bool chaos_make_disk(struct world *world, struct sim_node *member,
                            enum fault fault)
{
    switch ((int)fault) {
    case FAULT_AT_OPERATION:
        chaos_at_operation(member);
        return true;
    case FAULT_DISK_ERROR:
        chaos_disk_error(member);
        return true;
    case FAULT_DISK_SLOW:
        chaos_disk_slow(member);
        return true;
    case FAULT_DISK_FULL:
        chaos_disk_full(member);
        return true;
    case FAULT_DISK_ERROR_KIND:
        chaos_disk_error_kind(member);
        return true;
    case FAULT_FLIP:
        chaos_flip(world, member);
        return true;
    case FAULT_PUT_BACK:
        if (!damage_put_back(world, member->slot)) {
            damage_copy(member, 1000 + chaos_below(world, world->down_max_us));
        }
        return true;
    default: /* another kind */
        return false;
    }
}

/* A fault of the network. False: it is none of these. */
static bool chaos_make_net(struct world *world, enum fault fault)
{
    uint64_t all = ((uint64_t)1 << world->count) - 1;
    switch ((int)fault) {
    case FAULT_PARTITION:
        chaos_partition(world, sim_random_next(&world->fault_random) & all, false);
        return true;
    case FAULT_PARTITION_ONE_WAY:
        chaos_partition(world, sim_random_next(&world->fault_random) & all, true);
        return true;
    case FAULT_ISOLATE_LEADER:
        chaos_isolate_leader(world);
        return true;
    case FAULT_HEAL:
        transcript_note(world->transcript, "net: no cuts");
        sim_network_heal(world->network);
        leases_stay_away(world);
        chaos_runs_stay_away(world);
        return true;
    case FAULT_BREAK:
        if (chaos_chance(world, 70)) {
            chaos_break(world);
        } else {
            chaos_break_all(world);
        }
        return true;
    case FAULT_WIRE:
        chaos_wire(world);
        return true;
    case FAULT_TWICE:
        chaos_twice(world);
        return true;
    case FAULT_STALE:
        chaos_stale(world);
        return true;
    default: /* another kind */
        return false;
    }
}

static void chaos_make(struct world *world, enum fault fault)
{
    struct sim_node *member = &world->members[chaos_below(world, world->count)];
    if (chaos_make_disk(world, member, fault) || chaos_make_net(world, fault)) {
        return;
    }
    switch ((int)fault) {
    case FAULT_KILL:
        chaos_end(member, SIM_NODE_KILLED);
        break;
    case FAULT_POWER_OFF:
        chaos_end(member, SIM_NODE_POWER_OFF);
        break;
    case FAULT_STOP:
        chaos_end(member, SIM_NODE_STOPPED);
        break;
    case FAULT_LEADER:
        member = chaos_leader(world); /* in a statement of its own: it may draw */
        chaos_end(member, chaos_any_end(world));
        break;
    case FAULT_MANY:
        chaos_many(world);
        break;
    case FAULT_PAUSE:
        sim_node_pause(member, 1000 + chaos_below(world, 3000000));
        break;
    case FAULT_WALL_JUMP:
        chaos_wall_jump(member);
        break;
    case FAULT_WIPE:
        chaos_wipe(world, member);
        break;
    case FAULT_TRANSFER:
        operator_transfer(world, NULL);
        break;
    case FAULT_REMOVE:
        operator_remove(world, member);
        break;
    case FAULT_UPGRADE:
        sim_node_upgrade(member, 1000 + chaos_below(world, world->down_max_us));
        break;
    case FAULT_DRAIN:
        operator_drain(world, member, chaos_chance(world, 40));
        break;
    case FAULT_RETIRE:
        member = chaos_chance(world, 50) ? chaos_leader(world) : member;
        sim_node_retire(member, chaos_chance(world, 50));
        break;
    case FAULT_SUPERVISOR:
        machine_kill_supervisor(member->machine, chaos_below(world, 1000));
        break;
    case FAULT_AWAY:
        chaos_runs_away(world, member);
        break;
    default: /* there is no other */
        assert(false);
    }
}

/* May it be made now? No node ends while an old copy is to be refused: its peers
 * remember it only as long as they live. */
static bool chaos_may(const struct world *world, enum fault fault)
{
    static const bool harmless[FAULT_COUNT] = {
        [FAULT_DISK_SLOW] = true,  [FAULT_PARTITION] = true,
        [FAULT_HEAL] = true,       [FAULT_PARTITION_ONE_WAY] = true,
        [FAULT_BREAK] = true,      [FAULT_ISOLATE_LEADER] = true,
        [FAULT_PAUSE] = true,      [FAULT_WIRE] = true,
        [FAULT_WALL_JUMP] = true,  [FAULT_TRANSFER] = true,
        [FAULT_TWICE] = true,      [FAULT_STALE] = true,
        [FAULT_SUPERVISOR] = true, [FAULT_AWAY] = true,
    };
    return world->put_back == NULL || harmless[fault];
}

bool chaos_begin(struct world *world, enum fault fault)
{
    uint64_t number = world->fault_number++;
    bool left_out = number < FAULTS_MAX && world->options->left_out[number];
    if (left_out || !chaos_may(world, fault)) {
        return false;
    }
    sim_random_init(&world->fault_random, hash_mix(world->options->seed) + number);
    world->result->faults[fault]++;
    return true;
}

/* Which one and when comes from one stream, the rest of a fault from a stream of its
 * own: leaving some out leaves the others as they are. */
static void chaos_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    struct sim_random *random = &world->chaos_random;
    uint64_t total = 0;
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        total += world->weights[i];
    }
    uint64_t dice = sim_random_below(random, total);
    size_t fault = 0;
    while (dice >= world->weights[fault]) {
        dice -= world->weights[fault++];
    }
    if (chaos_begin(world, (enum fault)fault)) {
        chaos_make(world, (enum fault)fault);
    }
    world_queue(world, event, 1 + sim_random_below(random, 2 * world->fault_gap_us));
}

/* Leaders that go on alone for a while, slow disks, connections that break: entries
 * are overwritten while they are written, and frames come late. */
static void chaos_storm(struct world *world)
{
    static const uint32_t weights[FAULT_COUNT] = {
#define X(SYMBOL, word, weight, storm) [FAULT_##SYMBOL] = storm,
#include "sim/faults.def"
#undef X
    };
    memcpy(world->weights, weights, FIRST_LATER * sizeof weights[0]);
    for (size_t i = FIRST_LATER; i < FAULT_COUNT; i++) {
        world->weights[i] = world->weights[i] > 0 ? weights[i] : 0;
    }
    world->election_timeout_ms = 150;
    world->heartbeat_ms = 30;
    world->fault_gap_us = 20000 + world_below(world, 100000);
    world->write_gap_us = 3000 + world_below(world, 10000);
    world->down_max_us = 300000;
}

/* Frames of the past matter where much changes under them: members that are new, logs
 * that snapshots cut short, leaders that come back. */
static void chaos_draw_stale(struct world *world)
{
    struct sim_random random;
    sim_random_init(&random, hash_mix(world->options->seed ^ 0x7061737465u));
    if (sim_random_chance(&random, 30)) {
        chaos_storm(world);
    }
    world->weights[FAULT_STALE] = 12;
    world->weights[FAULT_WIPE] = sim_random_chance(&random, 60) ? 5 : 0;
    world->weights[FAULT_REMOVE] = sim_random_chance(&random, 60) ? 8 : 0;
    world->weights[FAULT_TRANSFER] = sim_random_chance(&random, 60) ? 8 : 0;
    world->snapshot_bytes = sim_random_chance(&random, 85) ? 1 : 0;
    world->snapshot_trailing = sim_random_below(&random, 6);
    if (sim_random_chance(&random, 50)) { /* nobody lets go of the beginning for long */
        world->snapshot_entries = 200 + sim_random_below(&random, 600);
    }
}

/* Faults that were thought of later: the other worlds stay as they were. */
static void chaos_draw_later(struct world *world, const uint32_t *weights)
{
    struct sim_random random;
    sim_random_init(&random, hash_mix(world->options->seed ^ 0x6c61746572u));
    bool any = sim_random_chance(&random, 35);
    for (size_t i = FIRST_LATER; i < FAULT_COUNT; i++) {
        bool drawn = sim_random_chance(&random, 55);
        world->weights[i] = any && drawn ? weights[i] : 0;
    }
}

void chaos_init(struct world *world)
{
    static const uint32_t weights[FAULT_COUNT] = {
#define X(SYMBOL, word, weight, storm) [FAULT_##SYMBOL] = weight,
#include "sim/faults.def"
#undef X
    };
    for (size_t i = 0; i < FIRST_LATER; i++) {
        bool drawn = world_chance(world, 55);
        world->weights[i] = i == FAULT_HEAL || drawn ? weights[i] : 0;
    }
    chaos_draw_later(world, weights);
    bool storm = world_chance(world, 25);
    if (world->options->kind == WORLD_STORM || (world_is_of_all(world) && storm)) {
        chaos_storm(world);
    }
    if (world->witness != NULL) {
        chaos_runs_draw(world);
    }
    if (world->options->kind == WORLD_STALE) {
        chaos_draw_stale(world);
    }
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (world->weights[i] > 0) {
            transcript_note(world->transcript, "fault: %s, %u", fault_words[i],
                            world->weights[i]);
        }
    }
    world->wipes_left = (world->founders - 1) / 2;
    world->chaos = (struct sim_event){.fire = chaos_turn, .owner = world};
    world_queue(world, &world->chaos, world_below(world, 2 * world->fault_gap_us));
}

void chaos_again(struct world *world)
{
    static const enum fault kinds[] = {
        FAULT_KILL,    FAULT_POWER_OFF, FAULT_LEADER, FAULT_MANY,
        FAULT_BREAK,   FAULT_PARTITION, FAULT_PAUSE,  FAULT_PARTITION_ONE_WAY,
        FAULT_HEAL,    FAULT_WIRE,      FAULT_TWICE,  FAULT_ISOLATE_LEADER,
        FAULT_TRANSFER};
    memset(world->weights, 0, sizeof world->weights);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        world->weights[kinds[i]] = 4;
    }
    world->calm = false;
    world->fault_gap_us = 60000;
    world->down_max_us = 400000;
    world_queue(world, &world->chaos, 0);
}

void chaos_heal(struct world *world)
{
    static const struct sim_wire wire = {.latency_min_us = 100, .latency_max_us = 1000};
    transcript_note(world->transcript, "all is healed");
    world->calm = true;
    world->formation = false;
    world->down_max_us = 1000;
    sim_time_cancel(world->time, &world->chaos);
    chaos_runs_heal(world);
    sim_network_heal(world->network);
    sim_network_set_wire(world->network, &wire);
    sim_network_repeat(world->network, 0, 0);
    if (world->options->kind == WORLD_STALE) {
        sim_network_recall_often(world->network, 0, 0);
    }
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        sim_node_resume(member);
        sim_disk_latency(member->disk, 50, 2000);
        sim_disk_limit(member->disk, UINT64_MAX);
        member->limited = false;
        sim_node_upgrade(member, 1000);
        if (member->faulty && member->state == SIM_NODE_UP) {
            sim_node_end(member, SIM_NODE_KILLED, 1000); /* a fault may still be set */
        }
    }
}
