/* SPDX-License-Identifier: Apache-2.0 */
/* Each node is taken apart in the ordinary way after its "power" went: the disk then
 * fails every operation and changes nothing, the net is gone, so nothing that its last
 * moments do can be seen by anybody. */
#include "sim/world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "lib/sim_link.h"
#include "raft/node.h"

#define NODES_MAX      5
#define TERMS_MAX      4096
#define OPS_MAX        4096
#define APPLIED_MAX    65536
#define HEAL_LIMIT_US  60000000 /* virtual time in which all must be well again */
#define ELECTION_MS    150
#define HEARTBEAT_MS   30
#define TAIL_LINES     60
#define LINE_MAX_BYTES 160

enum op_state { OP_PENDING, OP_ACKNOWLEDGED, OP_REFUSED, OP_NEVER, OP_UNKNOWN };

struct op {
    struct world *world;
    uint32_t number;
    enum op_state state;
    uint64_t sequence;
    size_t at; /* the node it was given to */
};

enum sim_node_state { SIM_NODE_UP, SIM_NODE_DYING, SIM_NODE_DOWN };

struct sim_node {
    struct world *world;
    size_t slot;
    enum sim_node_state state;
    bool wiped; /* it lost its folder: a stranger until joining exists */
    bool paused;
    struct sim_disk *disk;
    struct clock *clock;
    struct node *node;
    struct node_watch watch;
    uint64_t commit;
    uint64_t applied;
    uint32_t life;
    enum sim_disk_loss loss;
    struct sim_event restart;
    struct sim_event burial;
    char name[32];
    char address[32];
    char api[32];
};

struct world {
    const struct world_options *options;
    struct world_result *result;
    struct sim_time *time;
    struct sim_random random;
    struct sim_net *net;
    struct sim_node nodes[NODES_MAX];
    uint64_t leader_of[TERMS_MAX];
    struct {
        bool known;
        struct digest digest;
    } at_index[APPLIED_MAX];
    struct op ops[OPS_MAX];
    uint32_t op_count;
    bool calm; /* healed: no more faults */
    uint32_t write_percent;
    uint64_t calm_op; /* ops from this one on were given after healing */
    bool wipes_allowed;
    struct sim_event client;
    struct sim_event chaos;
    char tail[TAIL_LINES][LINE_MAX_BYTES];
    uint32_t line_count;
    jmp_buf broken;
};

/* --- the transcript
 * ------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void world_trace(struct world *world,
                                                              const char *format, ...)
{
    char *line = world->tail[world->line_count++ % TAIL_LINES];
    int len = snprintf(line, LINE_MAX_BYTES, "%8.1f ms  ",
                       (double)sim_time_now_us(world->time) / 1000.0);
    va_list args;
    va_start(args, format);
    vsnprintf(line + len, LINE_MAX_BYTES - (size_t)len, format, args);
    va_end(args);
    world->result->trace_hash =
        hash_bytes(line, strlen(line), world->result->trace_hash);
    if (world->options->trace) {
        puts(line);
    }
}

__attribute__((format(printf, 2, 3), noreturn)) static void world_break(
    struct world *world, const char *format, ...)
{
    struct world_result *result = world->result;
    va_list args;
    va_start(args, format);
    int len = snprintf(result->reason, sizeof result->reason,
                       "seed %" PRIu64 ", %.1f ms: ", world->options->seed,
                       (double)sim_time_now_us(world->time) / 1000.0);
    vsnprintf(result->reason + len, sizeof result->reason - (size_t)len, format, args);
    va_end(args);
    result->failed = true;
    uint32_t first =
        world->line_count > TAIL_LINES ? world->line_count - TAIL_LINES : 0;
    for (uint32_t i = first; !world->options->trace && i < world->line_count; i++) {
        puts(world->tail[i % TAIL_LINES]);
    }
    printf("BROKEN %s\n", result->reason);
    longjmp(world->broken, 1);
}

/* --- what must always be true
 * ----------------------------------------------------------------- */

static void check_leader(struct world *world, const struct node_status *status,
                         size_t slot)
{
    if (status->role != NODE_LEADER) {
        return;
    }
    if (status->term >= TERMS_MAX) {
        world_break(world, "term %" PRIu64 ": elections without end", status->term);
    }
    uint64_t *leader = &world->leader_of[status->term];
    if (*leader != 0 && *leader != status->id) {
        world_break(world, "two leaders in term %" PRIu64 ": n%zu is one", status->term,
                    slot + 1);
    }
    if (*leader == 0) {
        world->result->elections++;
    }
    *leader = status->id;
}

static void check_node(struct sim_node *sim)
{
    struct world *world = sim->world;
    if (sim->state != SIM_NODE_UP || sim->node == NULL) {
        return;
    }
    struct node_status status;
    node_status(sim->node, &status);
    if (status.role == NODE_FORMING) {
        return;
    }
    check_leader(world, &status, sim->slot);
    if (status.commit < sim->commit || status.applied < sim->applied) {
        world_break(
            world,
            "n%zu: commit %" PRIu64 " -> %" PRIu64 ", applied %" PRIu64 " -> %" PRIu64,
            sim->slot + 1, sim->commit, status.commit, sim->applied, status.applied);
    }
    sim->commit = status.commit;
    if (status.applied == sim->applied || status.applied >= APPLIED_MAX) {
        return;
    }
    sim->applied = status.applied;
    struct digest digest = registry_digest(node_registry(sim->node));
    if (!world->at_index[status.applied].known) {
        world->at_index[status.applied].known = true;
        world->at_index[status.applied].digest = digest;
    } else if (!digest_equal(world->at_index[status.applied].digest, digest)) {
        world_break(world, "n%zu: another state at index %" PRIu64, sim->slot + 1,
                    status.applied);
    }
}

/* Every acknowledged command on every node that came that far; none that never was. */
static void check_ops(struct world *world)
{
    for (size_t i = 0; i < world->options->nodes; i++) {
        struct sim_node *sim = &world->nodes[i];
        if (sim->state != SIM_NODE_UP || sim->wiped) {
            continue;
        }
        const struct registry *registry = node_registry(sim->node);
        uint64_t sequence = registry_sequence(registry);
        for (uint32_t n = 0; n < world->op_count; n++) {
            const struct op *op = &world->ops[n];
            char name[16];
            int len = snprintf(name, sizeof name, "t%" PRIu32, op->number);
            const struct task *task = registry_task(registry, name, (size_t)len);
            if (op->state == OP_ACKNOWLEDGED && op->sequence <= sequence &&
                (task == NULL || task->created != op->sequence)) {
                world_break(world, "n%zu lost %s, acknowledged as event %" PRIu64,
                            sim->slot + 1, name, op->sequence);
            }
            if (op->state == OP_NEVER && task != NULL) {
                world_break(world, "n%zu has %s, which was said never to have happened",
                            sim->slot + 1, name);
            }
        }
    }
}

/* --- clients
 * --------------------------------------------------------------------------------------
 */

static void op_decided(void *owner, const struct outcome *outcome)
{
    struct op *op = owner;
    struct world *world = op->world;
    if (outcome->code == 0 && outcome->result.code == 0) {
        op->state = OP_ACKNOWLEDGED;
        op->sequence = outcome->result.sequence;
        world->result->acknowledged++;
    } else if (outcome->code == 0) {
        op->state = OP_REFUSED;
    } else if (outcome->code == ERR_NOT_LEADER) {
        op->state = OP_NEVER;
        world->result->never++;
    } else {
        op->state = OP_UNKNOWN;
        world->result->unknown++;
    }
    world_trace(world, "n%zu: t%" PRIu32 " %s", op->at + 1, op->number,
                op->state == OP_ACKNOWLEDGED ? "acknowledged"
                : op->state == OP_NEVER      ? "never happened"
                : op->state == OP_REFUSED    ? "refused"
                                             : "unknown");
}

static void world_write(struct world *world, struct sim_node *sim)
{
    struct op *op = &world->ops[world->op_count];
    *op = (struct op){.world = world, .number = world->op_count, .at = sim->slot};
    char name[16];
    char text[96];
    snprintf(name, sizeof name, "t%" PRIu32, op->number);
    snprintf(text, sizeof text, "{\"condition\":{},\"module\":\"m%" PRIu64 "\"}",
             sim_random_below(&world->random, 1000000));
    struct command command = {
        .type = COMMAND_TASK_CREATE,
        .request_id = text_of("sim"),
        .actor = text_of(""),
        .task_create = {text_of(name), text_of(text), 16,
                        sim_random_chance(&world->random, 50)},
    };
    if (propose_submit(node_propose(sim->node), &command, op_decided, op, NULL) == 0) {
        world->op_count++;
    }
}

static void client_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    size_t first = sim_random_below(&world->random, world->options->nodes);
    uint64_t burst = 1 + sim_random_below(&world->random, 8);
    for (size_t i = 0; i < world->options->nodes; i++) {
        struct sim_node *sim = &world->nodes[(first + i) % world->options->nodes];
        struct node_status status = {0};
        if (sim->state == SIM_NODE_UP && !sim->paused) {
            node_status(sim->node, &status);
        }
        for (; status.role == NODE_LEADER && burst > 0 && world->op_count < OPS_MAX;
             burst--) {
            world_write(world, sim);
        }
    }
    uint64_t pause =
        world->calm ? 50000 : 1000 + sim_random_below(&world->random, 30000);
    sim_time_queue(world->time, event, sim_time_now_us(world->time) + pause);
}

/* --- nodes live and die
 * ----------------------------------------------------------------------------- */

static void sim_node_start(struct sim_node *sim);

static void sim_node_failed(void *owner, const struct err *err)
{
    struct sim_node *sim = owner;
    if (sim->state == SIM_NODE_UP) {
        world_break(sim->world, "n%zu could not go on: %s", sim->slot + 1, err->text);
    }
}

/* Not from inside the clock that goes with it. */
static void sim_node_bury(struct sim_event *event)
{
    struct sim_node *sim = event->owner;
    sim->state = SIM_NODE_DOWN;
    sim_clock_free(sim->clock);
    sim->clock = NULL;
    sim_disk_drop_jobs(sim->disk);
    sim_disk_power_on(sim->disk, sim->loss);
}

static void sim_node_gone(void *owner)
{
    struct sim_node *sim = owner;
    sim->node = NULL;
    sim->burial = (struct sim_event){.fire = sim_node_bury, .owner = sim};
    sim_time_queue(sim->world->time, &sim->burial, sim_time_now_us(sim->world->time));
}

static void sim_node_restart(struct sim_event *event)
{
    struct sim_node *sim = event->owner;
    if (sim->state == SIM_NODE_DYING) { /* still being taken apart */
        sim_time_queue(sim->world->time, event,
                       sim_time_now_us(sim->world->time) + 1000);
        return;
    }
    sim_node_start(sim);
}

static void sim_node_crash(struct sim_node *sim, uint64_t down_us)
{
    struct world *world = sim->world;
    static const char *const losses[] = {"lose", "keep", "tear", "reorder"};
    sim->loss = (enum sim_disk_loss)sim_random_below(&world->random, 4);
    world_trace(world, "n%zu: crash (%s)", sim->slot + 1, losses[sim->loss]);
    world->result->crashes++;
    sim->state = SIM_NODE_DYING;
    if (sim->paused) {
        sim->paused = false;
        sim_clock_pause(sim->clock, false);
        sim_disk_pause(sim->disk, false);
        if (world->options->nodes > 1) {
            sim_net_pause(world->net, sim->slot, false);
        }
    }
    sim_disk_power_off(sim->disk);
    if (world->options->nodes > 1) {
        sim_net_kill(world->net, sim->slot);
    }
    node_off_leadership(sim->node, &sim->watch);
    node_stop(sim->node, sim_node_gone, sim);
    sim->restart = (struct sim_event){.fire = sim_node_restart, .owner = sim};
    sim_time_queue(world->time, &sim->restart, sim_time_now_us(world->time) + down_us);
}

static void sim_node_news(struct node_watch *watch, const struct node_status *status)
{
    struct sim_node *sim = watch->owner;
    world_trace(sim->world, "n%zu: %s of term %" PRIu64 ", leader %s", sim->slot + 1,
                node_role_name(status->role), status->term,
                status->leader_known ? status->leader_name : "-");
    check_leader(sim->world, status, sim->slot);
}

static void sim_node_start(struct sim_node *sim)
{
    struct world *world = sim->world;
    const char *peers[NODES_MAX];
    size_t peer_count = 0;
    for (size_t i = 0; i < world->options->nodes; i++) {
        if (i != sim->slot) {
            peers[peer_count++] = world->nodes[i].address;
        }
    }
    sim->life++;
    sim->commit = 0;
    sim->applied = 0;
    sim->clock = sim_clock_new(world->time, sim_random_next(&world->random));
    struct node_options options = {
        .disk = sim_disk_base(sim->disk),
        .clock = sim->clock,
        .link = world->options->nodes > 1
                    ? sim_net_attach(world->net, sim->slot, sim->address)
                    : NULL,
        .name = sim->name,
        .peer_address = world->options->nodes > 1 ? sim->address : "",
        .api_address = sim->api,
        .version = "sim",
        .expect = (uint32_t)world->options->nodes,
        .peers = peers,
        .peer_count = peer_count,
        .election_timeout_ms = ELECTION_MS,
        .heartbeat_ms = HEARTBEAT_MS,
        .segment_bytes = 65536,
        .owner = sim,
        .failed = sim_node_failed,
    };
    struct err err;
    if (disk_lock(options.disk, &err) != 0 ||
        node_start(&sim->node, &options, &err) != 0) {
        world_break(world, "n%zu does not start: %s", sim->slot + 1, err.text);
    }
    sim->state = SIM_NODE_UP;
    sim->watch = (struct node_watch){.changed = sim_node_news, .owner = sim};
    node_on_leadership(sim->node, &sim->watch);
    world_trace(world, "n%zu: start", sim->slot + 1);
}

/* --- faults
 * -------------------------------------------------------------------------------------------
 */

static size_t world_up(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->options->nodes; i++) {
        count += world->nodes[i].state == SIM_NODE_UP;
    }
    return count;
}

static void chaos_partition(struct world *world)
{
    size_t n = world->options->nodes;
    uint64_t side = sim_random_next(&world->random);
    bool one_way = sim_random_chance(&world->random, 25);
    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < n; b++) {
            bool apart = (side >> a & 1) != (side >> b & 1);
            sim_net_cut(world->net, a, b, apart && (!one_way || (side >> a & 1) != 0));
        }
    }
    world_trace(world, "net: partition %02" PRIx64 "%s", side & ((1u << n) - 1),
                one_way ? ", one way" : "");
}

static void chaos_pause(struct sim_node *sim)
{
    struct world *world = sim->world;
    sim->paused = !sim->paused;
    sim_clock_pause(sim->clock, sim->paused);
    sim_disk_pause(sim->disk, sim->paused);
    if (world->options->nodes > 1) {
        sim_net_pause(world->net, sim->slot, sim->paused);
    }
    world_trace(world, "n%zu: %s", sim->slot + 1, sim->paused ? "paused" : "resumed");
}

/* Its folder is gone for good. Only when all have applied the same, so that the others
 * hold everything; and only once, so that a majority of the members is left. */
static void chaos_wipe(struct world *world, struct sim_node *sim)
{
    if (!world->wipes_allowed || sim->state != SIM_NODE_UP || sim->applied < 3 ||
        world_up(world) != world->options->nodes) {
        return;
    }
    world->wipes_allowed = false;
    world->result->wipes++;
    world_trace(world, "n%zu: wiped", sim->slot + 1);
    sim_node_crash(sim, 200000);
    sim->wiped = true;
    sim->loss = SIM_LOSE;
    sim_disk_wipe(sim->disk);
}

static void chaos_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    if (world->calm) {
        return;
    }
    size_t n = world->options->nodes;
    struct sim_node *sim = &world->nodes[sim_random_below(&world->random, n)];
    size_t other = sim_random_below(&world->random, n);
    uint64_t dice = sim_random_below(&world->random, 100);
    bool up = sim->state == SIM_NODE_UP;
    if (dice < 30 && up) {
        sim_node_crash(sim, 1000 + sim_random_below(&world->random, 900000));
    } else if (dice < 45 && n > 1) {
        chaos_partition(world);
    } else if (dice < 60) {
        sim_net_heal(world->net);
        sim_net_faults(world->net, (uint32_t)sim_random_below(&world->random, 150),
                       (uint32_t)sim_random_below(&world->random, 150), 300000);
        world_trace(world, "net: no cuts");
    } else if (dice < 70 && n > 1 && other != sim->slot) {
        sim_net_break(world->net, sim->slot, other);
        world_trace(world, "net: n%zu-n%zu broken", sim->slot + 1, other + 1);
    } else if (dice < 82 && up) {
        chaos_pause(sim);
    } else if (dice < 90) {
        uint64_t slow = sim_random_chance(&world->random, 30) ? 60000 : 3000;
        sim_disk_latency(sim->disk, 100, slow);
    } else if (dice < 96 && n > 1) {
        chaos_wipe(world, sim);
    } else if (up) {
        sim_clock_wall_jump(sim->clock, -500000);
    }
    sim_time_queue(world->time, event,
                   sim_time_now_us(world->time) + 10000 +
                       sim_random_below(&world->random, 500000));
}

static void world_heal(struct world *world)
{
    world->calm = true;
    world->calm_op = world->op_count;
    sim_net_heal(world->net);
    for (size_t i = 0; i < world->options->nodes; i++) {
        sim_disk_latency(world->nodes[i].disk, 100, 3000);
        if (world->nodes[i].state == SIM_NODE_UP && world->nodes[i].paused) {
            chaos_pause(&world->nodes[i]);
        }
    }
    world_trace(world, "healed");
}

/* Why it is not well, node by node. */
static void world_explain(struct world *world)
{
    for (size_t i = 0; i < world->options->nodes; i++) {
        struct sim_node *sim = &world->nodes[i];
        struct node_status status = {.trouble = "", .leader_name = ""};
        if (sim->state == SIM_NODE_UP) {
            node_status(sim->node, &status);
        }
        world_trace(world,
                    "n%zu: %s, term %" PRIu64 " commit %" PRIu64 " applied %" PRIu64
                    " leader %s%s%s",
                    i + 1,
                    sim->state == SIM_NODE_UP ? node_role_name(status.role) : "not up",
                    status.term, status.commit, status.applied, status.leader_name,
                    sim->wiped ? ", wiped" : "", sim->paused ? ", paused" : "");
        world_trace(world, "    %s", status.trouble);
    }
}

/* All members up, one index, and a write given after healing acknowledged. */
static bool world_is_well(struct world *world)
{
    bool acknowledged = world->op_count == OPS_MAX;
    for (uint64_t n = world->calm_op; n < world->op_count; n++) {
        acknowledged = acknowledged || world->ops[n].state == OP_ACKNOWLEDGED;
    }
    uint64_t commit = 0;
    uint64_t applied = UINT64_MAX;
    for (size_t i = 0; i < world->options->nodes; i++) {
        struct sim_node *sim = &world->nodes[i];
        if (sim->wiped) {
            continue;
        }
        struct node_status status = {0};
        if (sim->state == SIM_NODE_UP) {
            node_status(sim->node, &status);
        }
        commit = status.commit > commit ? status.commit : commit;
        applied = status.applied < applied ? status.applied : applied;
    }
    return acknowledged && commit > 0 && applied + 2 >= commit;
}

/* --- one run
 * --------------------------------------------------------------------------------------------
 */

static void world_open(struct world *world)
{
    world->time = sim_time_new();
    sim_random_init(&world->random, world->options->seed);
    world->net = sim_net_new(world->time, sim_random_next(&world->random));
    world->wipes_allowed =
        world->options->nodes > 1 && sim_random_chance(&world->random, 30);
    for (size_t i = 0; i < world->options->nodes; i++) {
        struct sim_node *sim = &world->nodes[i];
        sim->world = world;
        sim->slot = i;
        snprintf(sim->name, sizeof sim->name, "n%zu", i + 1);
        snprintf(sim->address, sizeof sim->address, "p%zu:1", i + 1);
        snprintf(sim->api, sizeof sim->api, "a%zu:1", i + 1);
    }
    for (size_t i = 0; i < world->options->nodes; i++) {
        struct sim_node *sim = &world->nodes[i];
        sim->disk =
            sim_disk_new(world->time, sim_random_next(&world->random), sim->name);
        sim_disk_latency(sim->disk, 100, 3000);
        sim_node_start(sim);
    }
    world->client = (struct sim_event){.fire = client_turn, .owner = world};
    world->chaos = (struct sim_event){.fire = chaos_turn, .owner = world};
    sim_time_queue(world->time, &world->client, 100000);
    sim_time_queue(world->time, &world->chaos,
                   sim_random_below(&world->random, 400000));
}

static void world_step(struct world *world)
{
    if (!sim_time_run_next(world->time)) {
        world_break(world, "nothing is left to happen");
    }
    for (size_t i = 0; i < world->options->nodes; i++) {
        check_node(&world->nodes[i]);
    }
}

static void world_close(struct world *world)
{
    for (size_t i = 0; i < world->options->nodes; i++) {
        struct sim_node *sim = &world->nodes[i];
        sim_time_cancel(world->time, &sim->restart);
        if (sim->state == SIM_NODE_UP) {
            sim_node_crash(sim, 1000);
            sim_time_cancel(world->time, &sim->restart);
        }
    }
    bool dying = true;
    while (dying && sim_time_run_next(world->time)) {
        dying = false;
        for (size_t i = 0; i < world->options->nodes; i++) {
            dying = dying || world->nodes[i].state == SIM_NODE_DYING;
        }
    }
    sim_net_free(world->net);
    for (size_t i = 0; i < world->options->nodes; i++) {
        sim_disk_free(world->nodes[i].disk);
    }
    sim_time_free(world->time);
    map_reap(SIZE_MAX);
}

void world_run(const struct world_options *options, struct world_result *result)
{
    struct world *world = mem_zalloc(sizeof *world);
    *result = (struct world_result){0};
    world->options = options;
    world->result = result;
    log_set_level(LOG_LEVEL_ERROR + 1);
    if (setjmp(world->broken) == 0) {
        world_open(world);
        uint64_t end_us = 3000000 + sim_random_below(&world->random, 5000000);
        while (sim_time_now_us(world->time) < end_us) {
            world_step(world);
        }
        check_ops(world);
        world_heal(world);
        while (!world_is_well(world)) {
            if (sim_time_now_us(world->time) > end_us + HEAL_LIMIT_US) {
                world_explain(world);
                world_break(world, "not well again %d s after healing",
                            HEAL_LIMIT_US / 1000000);
            }
            world_step(world);
        }
        check_ops(world);
        result->virtual_ms = sim_time_now_us(world->time) / 1000;
        world_close(world);
    } /* else the world is left as it is: its parts are in the middle of something */
    mem_free(world);
}
