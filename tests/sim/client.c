/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: write to whoever says it leads, or hands writes on, and remember what they
 * were told. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "sim/inside.h"

#define BURST_MAX   12
#define CALM_AFTER  5000
#define CALM_GAP_US 100000

struct write {
    struct world *world;
    uint64_t op;
    size_t slot;
};

static uint64_t client_below(struct world *world, uint64_t limit)
{
    return sim_random_below(&world->client_random, limit);
}

static bool client_chance(struct world *world, uint32_t percent)
{
    return sim_random_chance(&world->client_random, percent);
}

static void write_decided(void *owner, const struct outcome *outcome)
{
    struct write *write = owner;
    struct world *world = write->world;
    const char *word = outcome->code == 0                     ? "acknowledged"
                       : outcome->code == ERR_OUTCOME_UNKNOWN ? "unknown"
                                                              : "never happened";
    transcript_note(world->transcript, "n%zu: op%" PRIu64 " %s (%d)", write->slot + 1,
                    write->op, word, outcome->result.code);
    const char *wrong = truth_decided(world->truth, write->op, outcome);
    mem_free(write);
    if (outcome->code == 0) {
        reader_told(world, outcome->result.sequence);
    }
    if (wrong != NULL) {
        world_break(world, "%s", wrong);
    }
}

/* A task text of some size; its content is the write's number. */
static char *write_text(struct world *world, uint64_t op, size_t *len)
{
    size_t filler = client_below(world, 40);
    if (client_chance(world, world->big_percent)) {
        filler = client_below(world, client_chance(world, 5) ? 1500000 : 30000);
        filler = filler < world->big_left ? filler : 0;
        world->big_left -= filler;
    }
    char *text = mem_alloc(filler + 64);
    int head = snprintf(text, 64, "{\"op\":%" PRIu64 ",\"f\":\"", op);
    memset(text + head, 'x', filler);
    memcpy(text + (size_t)head + filler, "\"}", 2);
    *len = (size_t)head + filler + 2;
    return text;
}

/* What to do, and to which task: most worlds have few names, so that writes meet; in
 * the others each has its own, and a few come back to an earlier one. */
static void write_draw(struct world *world, uint64_t op, char *name, size_t size,
                       struct command *command)
{
    bool few = world->name_count > 0;
    uint64_t dice = client_below(world, 100);
    uint64_t subject = op;
    if (few || dice >= 90) {
        subject = client_below(world, few ? world->name_count : op + 1);
    }
    snprintf(name, size, "t%" PRIu64, subject);
    if (dice >= 98) {
        command->type = COMMAND_SETTING_SET;
        command->setting_set.name = text_of("events_max_count");
        command->setting_set.value = client_below(world, 400);
    } else if (dice >= (few ? 75 : 94)) {
        command->type = COMMAND_TASK_DELETE;
        command->task_delete.name = text_of(name);
    } else if (dice >= (few ? 40 : 90)) {
        command->type = COMMAND_TASK_ENABLE;
        command->task_enable.name = text_of(name);
        command->task_enable.enabled = client_chance(world, 50);
    } else {
        command->type = COMMAND_TASK_CREATE;
        command->task_create.name = text_of(name);
        command->task_create.enabled_at = 1;
        command->task_create.enabled = client_chance(world, 50);
    }
}

static void write_one(struct world *world, struct sim_node *member)
{
    uint64_t op = truth_submitted(world->truth);
    char request_id[32];
    char name[32];
    size_t len = 0;
    char *text = write_text(world, op, &len);
    snprintf(request_id, sizeof request_id, "op%" PRIu64, op);
    struct command command = {.request_id = text_of(request_id), .actor = text_of("")};
    write_draw(world, op, name, sizeof name, &command);
    if (command.type == COMMAND_TASK_CREATE) {
        command.task_create.text = (struct text){text, len};
    }
    struct write *write = mem_alloc(sizeof *write);
    *write = (struct write){world, op, member->slot};
    struct err err;
    int rv = propose_submit(node_propose(member->node), &command, write_decided, write,
                            &err);
    if (rv != 0) {
        mem_free(write);
        truth_forget_last(world->truth);
    }
    if (rv != 0 && rv != ERR_NOT_LEADER && rv != ERR_BUSY && rv != ERR_FULL) {
        world_break(world, "%s refuses a write: %s", member->name, err.text);
    }
    transcript_note(world->transcript, "%s: op%" PRIu64 " %s", member->name, op,
                    rv == 0 ? "submitted" : err.text);
    mem_free(text);
}

static bool client_asks(struct world *world, const struct sim_node *member)
{
    if (member->state != SIM_NODE_UP || member->paused) {
        return false;
    }
    return sim_node_leads(member) ||
           (propose_takes(node_propose(member->node)) && world_chance(world, 50));
}

static void client_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    size_t first = client_below(world, world->count);
    uint64_t burst = client_chance(world, 60) ? 1 : 1 + client_below(world, BURST_MAX);
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[(first + i) % world->count];
        bool asked = client_asks(world, member);
        for (uint64_t n = 0; asked && n < burst; n++) {
            write_one(world, member);
        }
    }
    uint64_t gap = world->write_gap_us;
    if (truth_op_count(world->truth) > CALM_AFTER && gap < CALM_GAP_US) {
        gap = CALM_GAP_US; /* a long log costs much and shows little */
    }
    world_queue(world, event, 1 + client_below(world, 2 * gap));
}

void client_init(struct world *world)
{
    world->client = (struct sim_event){.fire = client_turn, .owner = world};
    world_queue(world, &world->client, world->write_gap_us);
}
