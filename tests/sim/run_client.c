/* SPDX-License-Identifier: Apache-2.0 */
/* Where nodes carry out runs: a client as the API is one, who has tasks of all sorts,
 * some with a schedule, and starts, cancels, changes and deletes them.
 *
 * Elsewhere: who does to runs whatever the state machine allows, and more: places them,
 * tells that they have begun and ended, stops them, calls them lost, deletes their
 * tasks meanwhile, makes tasks due, lets schedules fire; from what some node shows,
 * which may be old. No process runs: what is tried is the replicated state.
 *
 * Its tasks have names of their own: histories know nothing of runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "sim/inside.h"

#define NAMES        6
#define OPS_MAX      3000 /* then there are no more: the log is long enough */
#define REPEAT_LEAST 30   /* percent of the keys */
#define SCHEDULED    4    /* names from this one on: each few seconds */
#define ASK_GAP_US   40000

/* A write under way. */
struct run_op {
    struct world *world;
    struct sim_node *member;
    uint64_t number;
    char name[16];
    char text[160];
    char request_id[32];
    char key[32];
    struct command command;
};

static uint64_t below(struct world *world, uint64_t limit)
{
    return sim_random_below(&world->run_random, limit);
}

static bool chance(struct world *world, uint32_t percent)
{
    return sim_random_chance(&world->run_random, percent);
}

/* --- one function a kind of write ---------------------------------------------------
 */

/* Of one that is carried out. Of a name all but the first member stays as it is: that
 * is what the model knows. */
static struct text op_real_text(struct run_op *op)
{
    uint64_t by = below(op->world, 20);
    const char *cron =
        op->name[1] == '0' + SCHEDULED ? "*/2 * * * * *" : "*/5 * * * * *";
    bool scheduled = op->name[1] >= '0' + SCHEDULED;
    snprintf(op->text, sizeof op->text,
             "{\"by\":%" PRIu64 "%s%s%s,\"module\":\"m\",\"name\":\"%s\"}", by,
             scheduled ? ",\"condition\":{\"schedule\":{\"cron\":\"" : "",
             scheduled ? cron : "", scheduled ? "\"}}" : "", op->name);
    return text_of(op->text);
}

static struct text op_text(struct run_op *op)
{
    if (op->world->witness != NULL) {
        return op_real_text(op);
    }
    /* One after the other: in which order arguments are drawn is the compiler's choice.
     */
    const char *flag = chance(op->world, 50) ? "x" : "";
    uint64_t by = below(op->world, 20);
    snprintf(op->text, sizeof op->text, "{\"by\":%" PRIu64 ",\"f\":\"%s\"}", by, flag);
    return text_of(op->text);
}

static void op_task(struct run_op *op)
{
    struct command *command = &op->command;
    struct world *world = op->world;
    uint64_t dice = below(world, 100);
    if (dice < 45) {
        command->type = COMMAND_TASK_CREATE;
        command->task_create = (__typeof__(command->task_create)){
            text_of(op->name), op_text(op), 1, chance(world, 80)};
    } else if (dice < 60) {
        command->type = COMMAND_TASK_PUT;
        command->task_put = (__typeof__(command->task_put)){
            text_of(op->name), op_text(op),         1, chance(world, 70),
            chance(world, 50), TASK_CONDITION_NONE, 0};
    } else if (dice < 80) {
        command->type = COMMAND_TASK_ENABLE;
        command->task_enable =
            (__typeof__(command->task_enable)){text_of(op->name), chance(world, 75)};
    } else {
        command->type = COMMAND_TASK_DELETE;
        command->task_delete = (__typeof__(command->task_delete)){text_of(op->name)};
    }
}

/* A member that this node knows, or one that nobody does. */
static uint64_t op_node(struct run_op *op)
{
    struct map_cursor cursor;
    const struct member *member = NULL;
    size_t count = registry_member_count(op->world->drawing);
    if (count == 0 || chance(op->world, 8)) {
        return 1;
    }
    uint64_t skip = below(op->world, count);
    registry_member_seek(op->world->drawing, &cursor);
    do {
        member = registry_member_next(&cursor);
    } while (member != NULL && skip-- > 0);
    return member != NULL ? member->id : 1;
}

static void op_place(struct run_op *op)
{
    struct command *command = &op->command;
    struct world *world = op->world;
    if (chance(world, 80)) {
        command->type = COMMAND_RUN_START;
        command->run_start = (__typeof__(command->run_start)){
            .task = text_of(op->name),
            .revision = chance(world, 95) ? 0 : below(world, 500),
            .node = op_node(op),
            .cause = 1 + (uint32_t)below(world, 4),
            .purpose = chance(world, 75) ? RUN_APPLY : (uint32_t)below(world, 4),
            .lease_ms = chance(world, 97) ? 4000 : 0,
            .grace_ms = 5000,
            .tries = 3,
        };
        return;
    }
    command->type = COMMAND_RUN_TRIAL;
    command->run_trial = (__typeof__(command->run_trial)){
        .name = text_of(op->name),
        .text = op_text(op),
        .enabled_at = 1,
        .enabled = chance(world, 70),
        .node = op_node(op),
        .purpose = 3 + (uint32_t)below(world, 2),
        .lease_ms = 4000,
        .grace_ms = 5000,
    };
}

/* A run that is live as far as this node knows, or any number; its node, or not. */
static uint64_t op_run(struct run_op *op, uint64_t *node)
{
    struct world *world = op->world;
    struct map_cursor cursor;
    uint64_t skip = below(world, 1 + registry_live_count(world->drawing));
    registry_live_seek(world->drawing, &cursor);
    const struct run *run = registry_live_next(&cursor);
    while (run != NULL && skip-- > 0) {
        const struct run *next = registry_live_next(&cursor);
        run = next != NULL ? next : run;
    }
    *node = run != NULL && chance(world, 95) ? run->node : op_node(op);
    return run != NULL && chance(world, 95)
               ? run->id
               : below(world, 1 + registry_sequence(world->drawing));
}

static void op_report(struct run_op *op)
{
    struct command *command = &op->command;
    struct world *world = op->world;
    uint64_t node = 0;
    uint64_t run = op_run(op, &node);
    uint64_t dice = below(world, 100);
    snprintf(op->text, sizeof op->text, "why %" PRIu64, below(world, 50));
    if (dice < 30) {
        command->type = COMMAND_RUN_STARTED;
        command->run_started = (__typeof__(command->run_started)){
            run, node, 1700000000000 + below(world, 1000000)};
    } else if (dice < 45) {
        command->type = COMMAND_RUN_STOP;
        command->run_stop =
            (__typeof__(command->run_stop)){run, (uint32_t)below(world, 4)};
    } else if (dice < 60) {
        command->type = COMMAND_RUN_LOST;
        command->run_lost =
            (__typeof__(command->run_lost)){run, node, text_of(op->text)};
    } else {
        command->type = COMMAND_RUN_END;
        command->run_end = (__typeof__(command->run_end)){
            .run = run,
            .node = node,
            .outcome = chance(world, 40) ? RUN_SUCCESS : (uint32_t)below(world, 7),
            .exit_code = (uint32_t)below(world, 3),
            .signal = (uint32_t)below(world, 2),
            .changes = chance(world, 50),
            .started_ms = chance(world, 50) ? 1700000000000 + below(world, 1000000) : 0,
            .ended_ms = 1700001000000 + below(world, 1000000),
            .text = text_of(op->text),
        };
    }
}

static void op_moment(struct run_op *op)
{
    struct command *command = &op->command;
    struct world *world = op->world;
    const struct task *task = registry_task(world->drawing, op->name, strlen(op->name));
    uint64_t created = task != NULL && chance(world, 50) ? task->created : 0;
    uint64_t now_ms = registry_clock_ms(world->drawing);
    if (chance(world, 60)) {
        uint64_t at_ms = now_ms + below(world, 500);
        command->type = COMMAND_TASK_DUE;
        command->task_due = (__typeof__(command->task_due)){
            text_of(op->name), created, 1 + (uint32_t)below(world, 4), at_ms,
            chance(world, 80) ? at_ms + below(world, 500) : 0};
        return;
    }
    uint64_t expected_ms = task != NULL && chance(world, 90)
                               ? registry_task_next_fire(world->drawing, task)
                               : 0;
    command->type = COMMAND_TASK_FIRE;
    command->task_fire = (__typeof__(command->task_fire)){
        text_of(op->name), created, expected_ms,
        chance(world, 90) ? expected_ms + 1 + below(world, 60000) : 0,
        chance(world, 60)};
}

static void op_setting(struct run_op *op)
{
    static const struct {
        const char *name;
        uint64_t least;
        uint64_t span;
    } settings[] = {
        {"task_events", 1, 6}, {"runs_max_count", 95, 40}, {"catch_up", 0, 2}};
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Asia/Tokyo"};
    if (chance(op->world, 30)) {
        op->command.type = COMMAND_ZONE_SET;
        op->command.zone_set.zone = text_of(zones[below(op->world, 3)]);
        return;
    }
    uint64_t which = below(op->world, 3);
    op->command.type = COMMAND_SETTING_SET;
    op->command.setting_set = (__typeof__(op->command.setting_set)){
        text_of(settings[which].name),
        settings[which].least + below(op->world, settings[which].span)};
}

/* Of few keys; the one that was used last comes again, now and then for another run. */
static void op_key(struct run_op *op)
{
    struct world *world = op->world;
    if (!command_takes_key(&op->command) || !chance(world, 20)) {
        return;
    }
    world->run_key += chance(world, 100 - REPEAT_LEAST) ? 1 : 0;
    snprintf(op->key, sizeof op->key, "r%" PRIu64, world->run_key);
    op->command.key = text_of(op->key);
    op->command.scope = text_of("");
    op->command.fingerprint[0] = chance(world, 20);
    op->command.fingerprint[1] = (uint8_t)op->command.type; /* another request */
}

/* --- submitting ---------------------------------------------------------------------
 */

static void op_decided(void *owner, const struct outcome *outcome)
{
    struct run_op *op = owner;
    struct world *world = op->world;
    transcript_note(world->transcript, "%s: op%" PRIu64 " %d (%d, run %" PRIu64 ")",
                    op->member->name, op->number, outcome->code,
                    outcome->code == 0 ? outcome->result.code : 0,
                    outcome->code == 0 ? outcome->result.run : 0);
    const char *wrong = truth_decided(world->truth, op->number, outcome);
    if (wrong != NULL) {
        world_doubt(world, "%s", wrong);
    }
    mem_free(op);
}

static void op_submit(struct run_op *op)
{
    struct world *world = op->world;
    struct err err = {.text = "submitted"};
    op->number = truth_submitted(world->truth);
    snprintf(op->request_id, sizeof op->request_id, "op%" PRIu64, op->number);
    op->command.request_id = text_of(op->request_id);
    op->command.actor = text_of("");
    int rv = propose_submit(node_propose(op->member->node), &op->command, op_decided,
                            op, &err);
    transcript_note(world->transcript, "%s: op%" PRIu64 " %s %s %s: %s",
                    op->member->name, op->number, command_name(op->command.type),
                    op->name, op->key, err.text);
    if (rv == 0) {
        return;
    }
    if (rv != ERR_NOT_LEADER && rv != ERR_BUSY && rv != ERR_FULL && rv != ERR_LEVEL) {
        world_break(world, "%s refuses a write: %s", op->member->name, err.text);
    }
    truth_forget_last(world->truth);
    mem_free(op);
}

/* --- as the API does it
 * ------------------------------------------------------------- */

/* The node that leads says where; false: nobody can take it. */
static bool ask_place(struct run_op *op)
{
    struct world *world = op->world;
    struct command *command = &op->command;
    uint64_t node = 0;
    struct err err;
    if (control_place_now(&op->member->place_now, &node, &err) != 0) {
        return false;
    }
    uint32_t lease_ms = (uint32_t)registry_setting(world->drawing, SETTING_RUN_LEASE);
    uint32_t grace_ms = (uint32_t)registry_setting(world->drawing, SETTING_RUN_GRACE);
    bool inspects = chance(world, 15);
    uint64_t dice = below(world, 100);
    if (dice < 12) {
        command->type = COMMAND_RUN_PUT;
        command->run_put = (__typeof__(command->run_put)){
            .name = text_of(op->name),
            .text = op_text(op),
            .enabled_at = 1,
            .enabled = chance(world, 80),
            .keep_enabled = chance(world, 50),
            .condition = TASK_CONDITION_NONE,
            .node = node,
            .purpose = inspects ? RUN_INSPECT : RUN_APPLY,
            .lease_ms = lease_ms,
            .grace_ms = grace_ms,
        };
        return true;
    }
    if (dice < 18) {
        command->type = COMMAND_RUN_ENABLE;
        command->run_enable = (__typeof__(command->run_enable)){
            .task = text_of(op->name),
            .enabled = chance(world, 75),
            .condition = TASK_CONDITION_NONE,
            .node = node,
            .lease_ms = lease_ms,
            .grace_ms = grace_ms,
        };
        return true;
    }
    if (dice < 92) {
        command->type = COMMAND_RUN_START;
        command->run_start = (__typeof__(command->run_start)){
            .task = text_of(op->name),
            .node = node,
            .cause = RUN_CAUSE_CLIENT,
            .purpose = inspects ? RUN_INSPECT : RUN_APPLY,
            .lease_ms = lease_ms,
            .grace_ms = grace_ms,
            .tries = 3,
        };
        return true;
    }
    command->type = COMMAND_RUN_TRIAL;
    command->run_trial = (__typeof__(command->run_trial)){
        .name = text_of(op->name),
        .text = op_text(op),
        .enabled_at = 1,
        .enabled = true,
        .node = node,
        .purpose = inspects ? RUN_TRIAL_INSPECT : RUN_TRIAL,
        .lease_ms = lease_ms,
        .grace_ms = grace_ms,
    };
    return true;
}

static bool ask_cancel(struct run_op *op)
{
    const struct run *run =
        registry_live_run(op->world->drawing, op->name, strlen(op->name));
    if (run != NULL) {
        op->command.type = COMMAND_RUN_STOP;
        op->command.run_stop =
            (__typeof__(op->command.run_stop)){run->id, RUN_STOP_CANCEL};
    }
    return run != NULL;
}

static void ask_due(struct run_op *op)
{
    uint64_t at_ms = registry_clock_ms(op->world->drawing) + below(op->world, 300);
    op->command.type = COMMAND_TASK_DUE;
    op->command.task_due = (__typeof__(op->command.task_due)){
        text_of(op->name), 0, RUN_CAUSE_CHANGE, at_ms, at_ms + below(op->world, 300)};
}

/* Leases and graces that a world can wait for. */
static void ask_setting(struct run_op *op)
{
    static const struct {
        const char *name;
        uint64_t least;
        uint64_t span;
    } settings[] = {
        {"run_lease_ms", 1000, 200},    {"run_lease_ms", 1000, 1000},
        {"run_lease_ms", 3000, 3000},   {"run_grace_ms", 500, 300},
        {"run_grace_ms", 500, 1000},    {"run_grace_ms", 2000, 3000},
        {"drain_deadline_ms", 0, 3000}, {"task_events", 1, 6},
        {"runs_max_count", 100, 40},    {"catch_up", 0, 2},
    };
    struct command *command = &op->command;
    uint64_t which = below(op->world, sizeof settings / sizeof settings[0]);
    command->type = COMMAND_SETTING_SET;
    command->setting_set = (__typeof__(command->setting_set)){
        text_of(settings[which].name),
        settings[which].least + below(op->world, settings[which].span)};
}

/* In most worlds leases and graces are soon shorter than they are at first. False: they
 * are. */
static bool ask_quick(struct run_op *op)
{
    struct world *world = op->world;
    bool lease = registry_setting(world->drawing, SETTING_RUN_LEASE) == 4000;
    bool grace = registry_setting(world->drawing, SETTING_RUN_GRACE) == 5000;
    if (!world_later(world, 0x71756963, 80) || (!lease && !grace) ||
        chance(world, 20)) {
        return false;
    }
    op->command.type = COMMAND_SETTING_SET;
    op->command.setting_set = (__typeof__(op->command.setting_set)){
        text_of(lease ? "run_lease_ms" : "run_grace_ms"),
        (lease ? 1000 : 500) + below(world, 600)};
    return true;
}

/* False: there is nothing to ask for. */
static bool ask_make(struct run_op *op)
{
    uint64_t dice = below(op->world, 100);
    if (ask_quick(op)) {
        return true;
    }
    if (dice < 30) {
        op_task(op);
    } else if (dice < 62) {
        return ask_place(op);
    } else if (dice < 74) {
        return ask_cancel(op);
    } else if (dice < 92) {
        ask_due(op);
    } else {
        ask_setting(op);
    }
    return true;
}

static void run_ask(struct world *world, struct sim_node *member)
{
    struct run_op *op = mem_zalloc(sizeof *op);
    op->world = world;
    op->member = member;
    world->drawing = node_registry(member->node);
    snprintf(op->name, sizeof op->name, "r%" PRIu64, below(world, NAMES));
    if (!ask_make(op)) {
        mem_free(op);
        return;
    }
    op_key(op);
    world->run_ops++;
    op_submit(op);
}

static void run_ask_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    struct sim_node *leader = NULL;
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        bool leads = sim_node_leads(member) && !member->paused;
        leader = leads && (leader == NULL || chance(world, 50)) ? member : leader;
    }
    if (leader != NULL &&
        (registry_level(node_registry(leader->node)) >= 3 || chance(world, 5))) {
        run_ask(world, leader);
    }
    if (world->run_ops < OPS_MAX) {
        world_queue(world, event, 1 + below(world, 2 * world->run_gap_us));
    }
}

static void run_write(struct world *world, struct sim_node *member)
{
    struct run_op *op = mem_zalloc(sizeof *op);
    uint64_t dice = below(world, 100);
    op->world = world;
    op->member = member;
    world->drawing = node_registry(member->node);
    snprintf(op->name, sizeof op->name, "r%" PRIu64, below(world, NAMES));
    bool any = registry_live_count(world->drawing) > 0 || chance(world, 10);
    if (dice < 20) {
        op_task(op);
    } else if (dice < 45 || (dice < 83 && !any)) {
        op_place(op);
    } else if (dice < 83) {
        op_report(op);
    } else if (dice < 98) {
        op_moment(op);
    } else {
        op_setting(op);
    }
    op_key(op);
    world->run_ops++;
    op_submit(op);
}

static void run_client_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    size_t first = below(world, world->count);
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[(first + i) % world->count];
        bool asked = member->state == SIM_NODE_UP && !member->paused &&
                     (sim_node_leads(member) ||
                      (propose_takes(node_propose(member->node)) && chance(world, 50)));
        bool level = asked && registry_level(node_registry(member->node)) >= 3;
        if (asked && (level || chance(world, 5))) { /* it may know better */
            run_write(world, member);
        }
    }
    if (world->run_ops < OPS_MAX) {
        world_queue(world, event, 1 + below(world, 2 * world->write_gap_us));
    }
}

/* In the other worlds nothing is done to runs: their logs are shorter, and storms and
 * formings are what they were before there were any. */
void run_client_init(struct world *world)
{
    sim_random_init(&world->run_random, hash_mix(world->options->seed ^ 0x72756e73));
    if (world->witness != NULL) {
        world->run_gap_us = ASK_GAP_US / 4 + below(world, 4 * ASK_GAP_US);
        world->run_client = (struct sim_event){.fire = run_ask_turn, .owner = world};
        world_queue(world, &world->run_client, world->run_gap_us);
        return;
    }
    world->run_client = (struct sim_event){.fire = run_client_turn, .owner = world};
    if (world->options->kind == WORLD_MIXED && chance(world, 60)) {
        world_queue(world, &world->run_client, world->write_gap_us);
    }
}
