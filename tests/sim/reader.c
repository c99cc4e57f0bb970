/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that read at any node. Of those that read consistently none may see a state
 * older than what was acknowledged, or shown by another consistent read, before it
 * asked. The registry's sequence says how old a state is; that states of one sequence
 * are equal is checked elsewhere (sim/truth.h). */
#include <inttypes.h>

#include "base/mem.h"
#include "sim/inside.h"

struct read {
    struct read_waiter waiter;
    struct sim_node *member;
    uint64_t began_us;
    uint64_t floor; /* what had been told when it asked */
    uint64_t task;
    size_t place; /* in the history */
};

void reader_told(struct world *world, uint64_t sequence)
{
    if (sequence > world->told) {
        world->told = sequence;
    }
}

/* The task as this node has it now. */
static void reader_shows(struct sim_node *member, size_t place, uint64_t task)
{
    struct world *world = member->world;
    const struct registry *registry = node_registry(member->node);
    uint64_t sequence = registry_sequence(registry);
    struct history_task shown = client_view(registry, task);
    history_shows(world->history, place, sequence, &shown);
    transcript_note(world->transcript,
                    "%s: reads %" PRIu64 ", t%" PRIu64 " has revision %" PRIu64,
                    member->name, sequence, task, shown.revision);
}

static void read_done(struct read_waiter *waiter, const struct err *result)
{
    struct read *read = waiter->owner;
    struct sim_node *member = read->member;
    struct world *world = member->world;
    uint64_t floor = read->floor;
    uint64_t began_us = read->began_us;
    uint64_t task = read->task;
    size_t place = read->place;
    mem_free(read);
    if (result->code != ERR_NONE) {
        transcript_note(world->transcript, "%s: no consistent read: %s", member->name,
                        result->text);
        return;
    }
    uint64_t shown = registry_sequence(node_registry(member->node));
    reader_shows(member, place, task);
    if (shown < floor) {
        world_doubt(world,
                    "%s: a consistent read shows sequence %" PRIu64 ", and %" PRIu64
                    " had been told before it was asked for",
                    member->name, shown, floor);
    }
    reader_told(world, shown);
    member->read_us = began_us + 1;
    world->result->reads++;
}

static uint64_t reader_task(struct world *world)
{
    uint64_t names = world->name_count;
    names = names > 0 ? names : truth_op_count(world->truth) + 1;
    return world_below(world, names);
}

static void read_one(struct world *world, struct sim_node *member)
{
    struct read *read = mem_zalloc(sizeof *read);
    struct err err;
    read->waiter = (struct read_waiter){.done = read_done, .owner = read};
    read->member = member;
    read->began_us = sim_time_now_us(world->time);
    read->floor = world->told;
    read->task = reader_task(world);
    struct history_op op = {
        .kind = HISTORY_READ, .task = read->task, .slot = member->slot};
    read->place = history_ask(world->history, &op);
    if (node_read_index(member->node, &read->waiter, &err) != 0) {
        history_forget_last(world->history);
        mem_free(read);
    }
}

/* An ordinary one: it may show any state, but none that is yet to come. */
static void read_local(struct world *world, struct sim_node *member)
{
    struct history_op op = {
        .kind = HISTORY_READ, .task = reader_task(world), .slot = member->slot};
    size_t place = history_ask_stale(world->history, &op);
    reader_shows(member, place, op.task);
}

static void reader_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    struct sim_node *member = &world->members[world_below(world, world->count)];
    uint64_t burst = world_chance(world, 80) ? 1 : 1 + world_below(world, 6);
    bool asked = member->state == SIM_NODE_UP && !member->paused;
    bool local = world_chance(world, 25);
    for (; asked && burst > 0; burst--) {
        if (local) {
            read_local(world, member);
        } else {
            read_one(world, member);
        }
    }
    world_queue(world, event, 1 + world_below(world, 4 * world->write_gap_us));
}

void reader_init(struct world *world)
{
    world->reader = (struct sim_event){.fire = reader_turn, .owner = world};
    world_queue(world, &world->reader, world->write_gap_us);
}

bool reader_is_well(const struct world *world, uint64_t since_us)
{
    for (size_t i = 0; i < world->count; i++) {
        if (!world->members[i].dead && world->members[i].read_us <= since_us) {
            return false;
        }
    }
    return true;
}
