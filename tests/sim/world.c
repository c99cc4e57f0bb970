/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "raft/engine.h"
#include "sim/inside.h"
#include "sim/machine.h"
#include "sim/witness.h"

#define WELL_LIMIT_US 60000000 /* from healing on, in virtual time */
#define END_LIMIT_US  60000000
#define EVENTS_MAX    5000000

const char *world_kind_word(enum world_kind kind)
{
    static const char *const words[] = {
        [WORLD_MIXED] = "mixed",     [WORLD_FOUNDED] = "founded",
        [WORLD_FORMING] = "forming", [WORLD_STORM] = "storm",
        [WORLD_STALE] = "stale",     [WORLD_RUNS] = "runs",
    };
    return words[kind];
}

__attribute__((noreturn)) static void world_broken(struct world *world,
                                                   const char *format, va_list args)
{
    struct world_result *result = world->result;
    int len = snprintf(result->reason, sizeof result->reason,
                       "seed %" PRIu64 " (%zu nodes), %.3f ms: ", world->options->seed,
                       world->count, (double)sim_time_now_us(world->time) / 1000.0);
    vsnprintf(result->reason + len, sizeof result->reason - (size_t)len, format, args);
    result->failed = true;
    result->fault_count = world->fault_number;
    if (!world->options->trace && !world->options->quiet) {
        transcript_print_tail(world->transcript);
    }
    if (!world->options->quiet) {
        printf("BROKEN %s\n", result->reason);
        fflush(stdout);
    }
    longjmp(world->broken, 1);
}

void world_break(struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    world_broken(world, format, args);
    va_end(args);
}

void world_doubt(struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!world->options->histories) {
        world_broken(world, format, args);
    }
    va_end(args);
}

uint64_t world_below(struct world *world, uint64_t limit)
{
    return sim_random_below(&world->random, limit);
}

bool world_chance(struct world *world, uint32_t percent)
{
    return sim_random_chance(&world->random, percent);
}

void world_queue(struct world *world, struct sim_event *event, uint64_t delay_us)
{
    sim_time_queue(world->time, event, sim_time_now_us(world->time) + delay_us);
}

static void world_frame(void *ctx, enum sim_frame_fate fate, const char *from,
                        const char *to, const struct bytes *frame)
{
    struct world *world = ctx;
    world->result->frames += fate == SIM_FRAME_SENT;
    transcript_frame(world->transcript, fate, from, to, frame);
    if (fate == SIM_FRAME_SENT) {
        leases_frame(world, to, frame);
    }
}

/* --- one world
 * --------------------------------------------------------------------- */

/* For what was thought of later: the other worlds stay as they were. */
bool world_later(const struct world *world, uint64_t what, uint32_t percent)
{
    struct sim_random random;
    sim_random_init(&random, hash_mix(world->options->seed ^ what));
    return sim_random_chance(&random, percent);
}

bool world_is_of_all(const struct world *world)
{
    return world->options->kind == WORLD_MIXED || world->options->kind == WORLD_RUNS;
}

/* What a seed decides before anything happens. */
static void world_draw(struct world *world)
{
    static const uint32_t timeouts[][2] = {{1000, 100}, {300, 50}, {150, 30}};
    static const uint64_t segments[] = {16384, 65536, 262144};
    static const uint64_t disks[] = {300, 2000, 8000, 40000};
    static const uint64_t gaps[] = {30000, 150000, 600000, 2500000};
    static const uint64_t writes[] = {3000, 20000, 100000};
    static const uint64_t names[] = {2, 6, 6, 20, 60, 0};
    const uint32_t *timeout = timeouts[world_below(world, 3)];
    world->election_timeout_ms = timeout[0];
    world->heartbeat_ms = timeout[1];
    world->replace_after_ms = 3 * timeout[0] + (uint32_t)world_below(world, 8000);
    world->segment_bytes = segments[world_below(world, 3)];
    world->snapshot_bytes = world_chance(world, 70) ? 1 : 0;
    world->snapshot_entries = 3 + world_below(world, 60);
    world->snapshot_trailing = world_chance(world, 30) ? 0 : world_below(world, 30);
    world->disk_max_us = disks[world_below(world, 4)];
    world->fault_gap_us = gaps[world_below(world, 4)];
    world->write_gap_us = writes[world_below(world, 3)];
    world->down_max_us = world_chance(world, 30) ? 6000000 : 800000;
    world->name_count = names[world_below(world, 6)];
    world->big_percent = world_chance(world, 30) ? 5 : 0;
    world->big_left = world_chance(world, 20) ? 4000000 : 400000;
    world->mixed = world_chance(world, 30);
    world->forward_writes = world_chance(world, 40);
    enum world_kind kind = world->options->kind;
    bool forms = world_chance(world, 30);
    world->forming = kind == WORLD_FORMING || (world_is_of_all(world) && forms);
    world->founders = world->count;
    if (world->count == 5 && !world->forming && world_later(world, 0x7374616e64, 30)) {
        world->founders = 3;
    }
    if (kind == WORLD_RUNS) {
        world->witness = witness_new(world);
        world->mixed = world->mixed && world_later(world, 0x6c65766c, 40);
    } else {
        leases_draw(world);
    }
    transcript_note(world->transcript,
                    "seed %" PRIu64 ": %zu nodes, %s, election timeout %u ms, disk up "
                    "to %" PRIu64 " us, a fault each %" PRIu64 " us, a write each "
                    "%" PRIu64 " us",
                    world->options->seed, world->count,
                    world->forming ? "forming" : "founded", world->election_timeout_ms,
                    world->disk_max_us, world->fault_gap_us, world->write_gap_us);
}

static void world_open(struct world *world)
{
    struct sim_random *streams[] = {&world->chaos_random, &world->client_random,
                                    &world->operator_random};
    sim_random_init(&world->random, world->options->seed);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        sim_random_init(streams[i], sim_random_next(&world->random));
    }
    world->network = sim_network_new(world->time, sim_random_next(&world->random));
    struct sim_network_watch watch = {world_frame, world};
    sim_network_observe(world->network, &watch);
    stale_init(world);
    world_draw(world);
    for (size_t i = 0; i < world->count; i++) {
        sim_node_init(world, i);
        sim_disk_latency(world->members[i].disk, 50, world->disk_max_us);
    }
    if (!world->forming) {
        world_found(world);
    }
    chaos_init(world);
    formation_init(world);
    for (size_t i = 0; i < world->count; i++) {
        sim_node_start(&world->members[i]);
    }
    client_init(world);
    run_client_init(world);
    reader_init(world);
    operator_init(world);
    leases_init(world);
}

void world_step(struct world *world)
{
    if (!sim_time_run_next(world->time)) {
        world_break(world, "nothing is left to happen");
    }
    if (++world->result->events > EVENTS_MAX) {
        world_break(world, "%d events and no end", EVENTS_MAX);
    }
    for (size_t i = 0; i < world->count; i++) {
        sim_node_observe(&world->members[i]);
    }
    stale_observe(world);
    leases_observe(world);
    const char *wrong = truth_check_outcomes(world->truth);
    if (wrong != NULL) {
        world_doubt(world, "%s", wrong);
    }
}

/* Every node is up, a voter, and has applied all that anybody applied, and a write of
 * after the healing is acknowledged, a consistent read of then answered by every node.
 */
static bool world_is_well(const struct world *world, uint64_t first_op,
                          uint64_t healed_us)
{
    if (!truth_acknowledged_since(world->truth, first_op) || !leases_are_well(world) ||
        !reader_is_well(world, healed_us) || !world_is_complete(world)) {
        return false;
    }
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *member = &world->members[i];
        if (member->dead) {
            continue;
        }
        if (member->state != SIM_NODE_UP ||
            member->applied + 2 < truth_last(world->truth) ||
            registry_level(node_registry(member->node)) != COMMAND_LEVEL) {
            return false;
        }
    }
    return true;
}

static void world_tell_state(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        if (member->state != SIM_NODE_UP) {
            transcript_note(world->transcript, "%s: not up", member->name);
            continue;
        }
        struct node_status status;
        node_status(member->node, &status);
        transcript_note(
            world->transcript,
            "%s: %s%s term %" PRIu64 " commit %" PRIu64 " applied %" PRIu64 " %s",
            member->name, member->wiped ? "(wiped) " : "", node_role_name(status.role),
            status.term, status.commit, status.applied, status.trouble);
    }
}

void world_get_well(struct world *world)
{
    uint64_t first_op = truth_op_count(world->truth);
    uint64_t healed_us = sim_time_now_us(world->time);
    uint64_t limit = healed_us + WELL_LIMIT_US;
    world->write_gap_us = world->write_gap_us > 20000 ? world->write_gap_us : 20000;
    while (!world_is_well(world, first_op, healed_us)) {
        if (sim_time_now_us(world->time) > limit) {
            world_tell_state(world);
            world_break(world,
                        "not well %d s after all was healed (anybody applied: "
                        "%" PRIu64 ")",
                        WELL_LIMIT_US / 1000000, truth_last(world->truth));
        }
        world_step(world);
    }
}

static bool world_all_down(const struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        if (world->members[i].state != SIM_NODE_DOWN) {
            return false;
        }
    }
    return true;
}

static uint64_t world_place(const void *owner, uint64_t op)
{
    return truth_place(owner, op);
}

/* Stop everybody in the ordinary way; no write may stay undecided. */
static void world_end(struct world *world)
{
    struct history_hints hints = {world_place, world->truth};
    sim_time_cancel(world->time, &world->client);
    sim_time_cancel(world->time, &world->run_client);
    sim_time_cancel(world->time, &world->operator);
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        sim_time_cancel(world->time, &member->restart);
        if (member->state == SIM_NODE_UP) {
            sim_node_end(member, SIM_NODE_STOPPED, UINT64_MAX);
        }
    }
    uint64_t limit = sim_time_now_us(world->time) + END_LIMIT_US;
    while (!world_all_down(world)) {
        if (sim_time_now_us(world->time) > limit) {
            world_break(world, "a node does not stop");
        }
        world_step(world);
    }
    const char *wrong = truth_check_outcomes(world->truth);
    wrong = wrong != NULL ? wrong : truth_all_decided(world->truth);
    if (wrong != NULL) {
        world_doubt(world, "%s", wrong);
    }
    wrong = history_check(world->history, &hints, world->transcript,
                          &world->result->history);
    if (wrong != NULL) {
        world_break(world, "%s", wrong);
    }
}

static void world_close(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        sim_node_close(&world->members[i]);
    }
    client_close(world);
    sim_network_free(world->network);
    if (world->witness != NULL) {
        witness_free(world->witness);
    }
    truth_free(world->truth);
    history_free(world->history);
    transcript_free(world->transcript);
    sim_time_free(world->time);
    map_reap(SIZE_MAX);
}

static void world_total(struct world *world)
{
    struct world_result *result = world->result;
    struct truth_totals totals = truth_totals(world->truth);
    result->trace_hash = transcript_hash(world->transcript);
    result->acknowledged = totals.acknowledged;
    result->never = totals.never;
    result->unknown = totals.unknown;
    result->applied = truth_last(world->truth);
    result->elections = truth_elections(world->truth);
    result->virtual_us = sim_time_now_us(world->time);
    result->fault_count = world->fault_number;
    for (size_t i = 0; i < world->count; i++) {
        result->operations += sim_disk_operations(world->members[i].disk);
    }
}

/* Is all that is in anybody's log applied by everybody? */
static bool world_is_settled(const struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *member = &world->members[i];
        const struct engine *engine =
            member->state == SIM_NODE_UP ? node_engine(member->node) : NULL;
        if (engine == NULL || engine_last(engine) != truth_last(world->truth) ||
            engine_applied_index(engine) != truth_last(world->truth)) {
            return false;
        }
    }
    return true;
}

/* No client asks for runs any more, programs are short: each run that was accepted
 * comes to its end, each task that is due has its run. Then nobody places any. */
static void world_finish_runs(struct world *world)
{
    uint64_t limit = sim_time_now_us(world->time) + END_LIMIT_US;
    transcript_note(world->transcript, "runs are to end");
    sim_time_cancel(world->time, &world->run_client);
    for (size_t i = 0; i < world->count; i++) {
        machine_hurry(world->members[i].machine);
    }
    while (!witness_is_done(world->witness)) {
        if (sim_time_now_us(world->time) > limit) {
            world_tell_state(world);
            witness_tell(world->witness);
            world_break(world,
                        "a run has not ended, or a task has had no run, %d s "
                        "after the last was asked for",
                        END_LIMIT_US / 1000000);
        }
        world_step(world);
    }
    for (size_t i = 0; i < world->count; i++) {
        sim_node_stop_control(&world->members[i]);
    }
}

/* The clients go. What is in the logs comes to pass now, or never will: whatever was
 * said never to happen has shown itself by then. */
static void world_settle(struct world *world)
{
    if (world->witness != NULL) {
        world_finish_runs(world);
    }
    uint64_t limit = sim_time_now_us(world->time) + END_LIMIT_US;
    sim_time_cancel(world->time, &world->client);
    sim_time_cancel(world->time, &world->run_client);
    sim_time_cancel(world->time, &world->reader);
    leases_end(world);
    client_close(world);
    while (!world_is_settled(world)) {
        if (sim_time_now_us(world->time) > limit) {
            world_tell_state(world);
            world_break(world, "the logs are not applied to their ends");
        }
        world_step(world);
    }
}

/* All lose their power at once: what was acknowledged is on the disks. */
static void world_power_cycle(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        if (world->members[i].state == SIM_NODE_UP) {
            sim_node_end(&world->members[i], SIM_NODE_POWER_OFF, 1000);
        }
    }
    world_get_well(world);
}

/* Everybody knows everybody: now an old copy has to be refused. */
static void world_put_back(struct world *world)
{
    if (damage_put_back(world, 0)) {
        while (world->put_back != NULL) {
            world_step(world);
        }
        world_get_well(world);
    }
}

static void world_live(struct world *world)
{
    world_open(world);
    uint64_t chaos_us = world->options->chaos_ms * 1000;
    chaos_us = chaos_us == 0 ? world->chaos_us : chaos_us;
    if (chaos_us == 0) {
        chaos_us = world_chance(world, 20) ? 60000000 : 12000000;
        chaos_us = 2000000 + world_below(world, chaos_us);
    }
    while (sim_time_now_us(world->time) < chaos_us) {
        world_step(world);
    }
    chaos_heal(world);
    stale_flood(world);
    world_get_well(world);
    stale_moments(world);
    world_put_back(world);
    world_outlive(world);
    world_succeed(world);
    world_promote(world);
    if (world_chance(world, 40)) {
        world_power_cycle(world);
    }
    world_settle(world);
    world_end(world);
    recovery_check(world);
    world_total(world);
    world_close(world);
}

/* A world that breaks is left as it is: its parts are in the middle of something. */
void world_run(const struct world_options *options, struct world_result *result)
{
    struct world *world = mem_zalloc(sizeof *world);
    *result = (struct world_result){0};
    world->options = options;
    world->result = result;
    world->count = options->nodes;
    world->time = sim_time_new();
    world->transcript = transcript_new(world->time, options->trace);
    world->truth = truth_new(world->time);
    world->history = history_new(world->time);
    log_set_level(LOG_LEVEL_ERROR + 1);
    if (setjmp(world->broken) == 0) {
        world_live(world);
    }
    mem_free(world);
}
