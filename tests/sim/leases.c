/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: every node wants one, and whoever leads calls lost what the nodes that are
 * silent for long enough would run. There are no runs here; what a run would do is
 * known: it may live until the lease of its node has run out on that machine's boot
 * clock, as long as a program may take to end beyond that, and as long as it may take
 * until somebody looks. That a node's runs are lost is a command that changes nothing,
 * recognised when it is applied.
 *
 * What must be true at every moment (DESIGN 9, rules 3 and 5):
 *
 *   - for whoever leads in the newest term: a node whose silence is long enough has no
 *     lease, and its runs are dead
 *   - when it is first applied that a node's runs are lost, likewise
 *   - from then on it has no lease that lets it begin anything before it has applied
 *     that itself
 *
 * Whatever becomes of a node's process, its runs live on; so what counts is the node id
 * and the latest end of a lease it had in any of its lives. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "raft/engine.h"
#include "raft/node_inside.h"
#include "sim/inside.h"

#define DRIFT_PPM 10000 /* the fastest clock of a leader, beside the world's */
/* A supervisor that may run does so within a second of a leader's clock, but for what a
 * clock of whole milliseconds leaves out twice. */
#define LATE_US      (1000000u - DRIFT_PPM - 3000)
#define LOST         "lost-"
#define LOSER_TURN   20000 /* us */
#define AWAY_GAP_US  2000000
#define QUIET_GAP_US 4000000 /* between two faults */

/* What has been called lost, and is not decided yet. */
struct loss {
    struct sim_node *member; /* who called it so */
    uint64_t id;
};

/* --- what is known of a node id ----------------------------------------------------
 */

static struct leased *leases_of(struct world *world, uint64_t id)
{
    for (size_t i = 0; i < world->leased_count; i++) {
        if (world->leased[i].id == id) {
            return &world->leased[i];
        }
    }
    if (world->leased_count == LEASED_MAX) {
        world_break(world, "more than %d nodes had leases", LEASED_MAX);
    }
    struct leased *leased = &world->leased[world->leased_count++];
    *leased = (struct leased){.id = id};
    return leased;
}

/* No run of that node is alive from then on, in the time of the world. */
static uint64_t leased_dead_us(const struct world *world, const struct leased *leased)
{
    return leased->until_us + (uint64_t)world->grace_ms * 1000 + LATE_US;
}

static bool leased_may_live(const struct world *world, const struct leased *leased)
{
    return leased->until_us > 0 &&
           sim_time_now_us(world->time) < leased_dead_us(world, leased);
}

/* When a boot clock that is so much faster than the world's has gone on for so long. */
static uint64_t lease_end_us(const struct sim_node *member, uint64_t left_ms)
{
    uint64_t rate = (uint64_t)(1000000 + member->boot_ppm);
    return sim_time_now_us(member->world->time) + left_ms * 1000 * 1000000 / rate;
}

static void leases_look_at(struct sim_node *member)
{
    struct world *world = member->world;
    if (member->state != SIM_NODE_UP) {
        return;
    }
    struct lease_view lease;
    uint64_t now_ms = clock_boot_ms(member->clock);
    node_lease(member->node, &lease);
    if (lease.until_ms <= now_ms) {
        return;
    }
    struct leased *leased = leases_of(world, member->node->identity.node_id);
    if (leased->life != member->life || leased->until_ms != lease.until_ms) {
        uint64_t end_us = lease_end_us(member, lease.until_ms - now_ms);
        leased->life = member->life;
        leased->until_ms = lease.until_ms;
        leased->until_us = end_us > leased->until_us ? end_us : leased->until_us;
        leased->renewed = true;
        world->result->leases++;
    }
    if (lease.index < leased->lost_index) {
        world_doubt(world,
                    "%s has a lease of index %" PRIu64
                    ", and its runs were called lost at %" PRIu64,
                    member->name, lease.index, leased->lost_index);
    }
}

/* The one of the newest term that anybody led in. An older one may think that it leads
 * still: it commits nothing any more. */
static struct sim_node *leases_leader(struct world *world)
{
    struct sim_node *leader = NULL;
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        if (sim_node_leads(member) &&
            engine_term(node_engine(member->node)) >= world->led_term) {
            leader = member;
            world->led_term = engine_term(node_engine(member->node));
        }
    }
    return leader;
}

static bool leases_silent(const struct sim_node *leader, uint64_t id)
{
    const struct world *world = leader->world;
    return node_silence_ms(leader->node, id) >=
           lease_over_ms(world->lease_ms, world->grace_ms);
}

void leases_observe(struct world *world)
{
    if (world->lease_ms == 0) {
        return;
    }
    for (size_t i = 0; i < world->count; i++) {
        leases_look_at(&world->members[i]);
    }
    const struct sim_node *leader = leases_leader(world);
    for (size_t i = 0; leader != NULL && i < world->leased_count; i++) {
        const struct leased *leased = &world->leased[i];
        if (leased_may_live(world, leased) && leases_silent(leader, leased->id)) {
            world_doubt(world,
                        "%s may call the runs of node %" PRIu64
                        " lost, and they may live for another %" PRIu64 " us",
                        leader->name, leased->id,
                        leased_dead_us(world, leased) - sim_time_now_us(world->time));
        }
    }
}

/* --- calling lost ------------------------------------------------------------------
 */

static void loss_decided(void *owner, const struct outcome *outcome)
{
    struct loss *loss = owner;
    transcript_note(loss->member->world->transcript,
                    "%s: the runs of node %" PRIu64 " are lost: %d", loss->member->name,
                    loss->id, outcome->code);
    node_lease_release(loss->member->node, loss->id);
    mem_free(loss);
}

static void leases_lose(struct sim_node *leader, uint64_t id)
{
    char name[40];
    snprintf(name, sizeof name, LOST "%" PRIu64, id);
    struct command command = {
        .type = COMMAND_TASK_DELETE,
        .request_id = text_of(name),
        .actor = text_of(leader->name),
    };
    command.task_delete.name = text_of(name);
    struct loss *loss = mem_alloc(sizeof *loss);
    *loss = (struct loss){leader, id};
    node_lease_hold(leader->node, id);
    if (propose_submit_here(node_propose(leader->node), &command, loss_decided, loss,
                            NULL) != 0) {
        node_lease_release(leader->node, id);
        mem_free(loss);
    }
}

/* Whoever believes that it leads, and knows all there is. */
static void leases_turn_of(struct sim_node *member)
{
    struct world *world = member->world;
    if (!sim_node_leads(member) || member->paused ||
        !engine_settled(node_engine(member->node))) {
        return;
    }
    for (size_t i = 0; i < world->leased_count; i++) {
        const struct leased *leased = &world->leased[i];
        uint32_t percent = leased->renewed ? 60 : 3; /* else it was done already */
        bool may = leases_silent(member, leased->id);
        if (may && sim_random_chance(&world->lease_random, percent)) {
            leases_lose(member, leased->id);
        }
    }
}

static void leases_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    for (size_t i = 0; i < world->count; i++) {
        leases_turn_of(&world->members[i]);
    }
    world_queue(world, event,
                1 + sim_random_below(&world->lease_random, 2 * LOSER_TURN));
}

static void leases_lost(struct world *world, uint64_t id, uint64_t index)
{
    struct leased *leased = leases_of(world, id);
    if (leased_may_live(world, leased)) {
        world_doubt(world,
                    "entry %" PRIu64 ": the runs of node %" PRIu64
                    " are called lost, and may live for another %" PRIu64 " us",
                    index, id,
                    leased_dead_us(world, leased) - sim_time_now_us(world->time));
    }
    leased->lost_index = index;
    leased->renewed = false;
    world->result->losses++;
}

void leases_applied(struct world *world, uint64_t index, const struct entry *entry)
{
    struct cursor cursor;
    struct batch_header header;
    struct command command;
    if (world->lease_ms == 0 || entry->type != ENTRY_COMMAND) {
        return;
    }
    cursor_init(&cursor, entry->data->data, entry->data->len);
    int rv = batch_open(&cursor, &header, NULL);
    for (uint32_t i = 0; rv == 0 && i < header.count; i++) {
        rv = batch_next(&cursor, &command, NULL);
        size_t prefix = strlen(LOST);
        if (rv == 0 && command.request_id.len > prefix &&
            memcmp(command.request_id.data, LOST, prefix) == 0) {
            char id[24] = "";
            memcpy(id, command.request_id.data + prefix,
                   command.request_id.len - prefix);
            leases_lost(world, strtoull(id, NULL, 10), index);
        }
    }
}

/* --- who is away -------------------------------------------------------------------
 */

/* What this node says does not arrive, maybe nothing that it is told either. */
static void away_cut(struct world *world, bool cut, bool both_ways)
{
    const struct sim_node *member = world->away;
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *peer = &world->members[i];
        if (peer != member) {
            sim_network_cut(world->network, member->address, peer->address, cut);
            if (both_ways) {
                sim_network_cut(world->network, peer->address, member->address, cut);
            }
        }
    }
}

/* Its grants are of no use to anybody: it sleeps until another leads and has called its
 * runs lost, and then goes on as if nothing had happened. */
static uint64_t away_sleeps(struct sim_node *leader, uint64_t over_ms)
{
    struct world *world = leader->world;
    uint64_t for_ms = over_ms + 2 * (uint64_t)world->election_timeout_ms +
                      sim_random_below(&world->lease_random, 1000);
    sim_node_pause(leader, for_ms * 1000);
    return for_ms;
}

/* A grant is on its way to it. It may stop for a while, and take the grant late; then
 * nobody hears of it until about the time at which its runs are called lost. */
static uint64_t away_is_silent(struct sim_node *member, uint64_t over_ms)
{
    struct world *world = member->world;
    struct sim_random *random = &world->lease_random;
    bool both_ways = sim_random_chance(random, 30);
    world->away_is_cut = true;
    world->away_is_deaf = both_ways;
    away_cut(world, true, both_ways);
    if (sim_random_chance(random, 70)) { /* half a lease later it asks anew */
        uint64_t late_ms = 1 + sim_random_below(random, world->lease_ms / 2);
        sim_node_pause(member, late_ms * 1000);
    }
    return over_ms - 100 + sim_random_below(random, 400);
}

static void away_begins(struct sim_event *event)
{
    struct world *world = event->owner;
    struct sim_node *leader = leases_leader(world);
    uint64_t over_ms = lease_over_ms(world->lease_ms, world->grace_ms);
    uint64_t for_ms = 0;
    if (leader != NULL && sim_random_chance(&world->lease_random, 30)) {
        world->away = leader;
        for_ms = away_sleeps(leader, over_ms);
    } else {
        for_ms = away_is_silent(world->away, over_ms);
    }
    transcript_note(world->transcript, "%s: goes away for %" PRIu64 " ms",
                    world->away->name, for_ms);
    world_queue(world, &world->away_ends, for_ms * 1000);
}

static void away_ends(struct sim_event *event)
{
    struct world *world = event->owner;
    struct sim_node *member = world->away;
    transcript_note(world->transcript, "%s: is back", member->name);
    away_cut(world, false, true);
    world->away_is_cut = false;
    world->away = NULL;
    world->away_after_us =
        sim_time_now_us(world->time) +
        sim_random_below(&world->lease_random,
                         world->lease_quiet ? AWAY_GAP_US / 10 : AWAY_GAP_US);
}

void leases_stay_away(struct world *world)
{
    if (world->away_is_cut) {
        away_cut(world, true, world->away_is_deaf);
    }
}

void leases_frame(struct world *world, const char *to, const struct bytes *frame)
{
    if (world->lease_ms == 0 || frame->data[0] != FRAME_LEASE_GRANT || world->calm ||
        world->away != NULL || sim_time_now_us(world->time) < world->away_after_us) {
        return;
    }
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        if (strcmp(member->address, to) == 0 && member->state == SIM_NODE_UP) {
            world->away = member;
            world_queue(world, &world->away_begins, 0); /* before it arrives */
        }
    }
}

/* --- start and stop ----------------------------------------------------------------
 */

/* In some of these worlds little else happens, so that leases run out beside a leader
 * that stays. None is one of those that tests/CMakeLists.txt names for what broke once.
 */
void leases_draw(struct world *world)
{
    static const uint32_t lengths[] = {200, 500, 1200, 3000};
    static const uint32_t graces[] = {50, 300, 1500};
    struct sim_random *random = &world->lease_random;
    sim_random_init(random, hash_mix(world->options->seed ^ 0x6c6561736cu));
    if (sim_random_chance(random, 40)) {
        world->lease_ms = lengths[sim_random_below(random, 4)];
        world->grace_ms = graces[sim_random_below(random, 3)];
        world->lease_quiet = sim_random_chance(random, 40);
        transcript_note(world->transcript, "leases of %u ms, a grace of %u ms%s",
                        world->lease_ms, world->grace_ms,
                        world->lease_quiet ? ", and few faults" : "");
    }
}

void leases_init(struct world *world)
{
    world->loser = (struct sim_event){.fire = leases_turn, .owner = world};
    world->away_begins = (struct sim_event){.fire = away_begins, .owner = world};
    world->away_ends = (struct sim_event){.fire = away_ends, .owner = world};
    if (world->lease_ms > 0) {
        world_queue(world, &world->loser, LOSER_TURN);
    }
    if (world->lease_quiet) {
        world->fault_gap_us = QUIET_GAP_US;
    }
}

/* A leader's clock may be faster than the world's by all that clocks may differ by; so
 * a boot clock is not slower than the world's. */
void leases_started(struct sim_node *member)
{
    struct world *world = member->world;
    if (world->lease_ms > 0) {
        struct sim_random *random = &world->lease_random;
        bool slowest = sim_random_chance(random, 50);
        member->boot_ppm =
            slowest ? 0 : (int32_t)sim_random_below(random, DRIFT_PPM + 1);
        sim_clock_boot_drift(member->clock, member->boot_ppm);
        node_lease_want(member->node, true);
    }
}

void leases_end(struct world *world)
{
    sim_time_cancel(world->time, &world->loser);
}

bool leases_are_well(const struct world *world)
{
    for (size_t i = 0; world->lease_ms > 0 && i < world->count; i++) {
        const struct sim_node *member = &world->members[i];
        struct lease_view lease = {0};
        if (member->state == SIM_NODE_UP) {
            node_lease(member->node, &lease);
        }
        if (!member->dead && (member->state != SIM_NODE_UP ||
                              clock_boot_ms(member->clock) >= lease.until_ms)) {
            return false;
        }
    }
    return true;
}
