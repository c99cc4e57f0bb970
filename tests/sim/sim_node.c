/* SPDX-License-Identifier: Apache-2.0 */
/* A node that dies abruptly is taken apart in the ordinary way after its power went:
 * its disk then fails every operation and changes nothing, its link is gone, so nothing
 * that its last moments do can be seen by anybody. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "control/control.h"
#include "raft/charter.h"
#include "raft/engine_inside.h"
#include "raft/identity.h"
#include "raft/node_inside.h"
#include "raft/store/store.h"
#include "run/runner.h"
#include "sim/inside.h"
#include "sim/machine.h"
#include "sim/witness.h"

static const char *const loss_names[] = {"lost", "kept", "torn", "reordered"};

/* --- starting
 * ---------------------------------------------------------------------- */

static void sim_node_news(struct node_watch *watch, const struct node_status *status)
{
    struct sim_node *member = watch->owner;
    struct world *world = member->world;
    transcript_note(world->transcript,
                    "%s: %s of term %" PRIu64 ", leader %s, commit %" PRIu64
                    ", applied %" PRIu64,
                    member->name, node_role_name(status->role), status->term,
                    status->leader_known ? status->leader_name : "-", status->commit,
                    status->applied);
}

static bool sim_node_disk_fault(const struct sim_node *member)
{
    return member->faulty &&
           (!sim_disk_powered(member->disk) || sim_disk_failed(member->disk));
}

/* It was removed, and the others then rose to a level that it does not know: that may
 * end it. Never a member: the level waits for those. */
static bool sim_node_outdated(const struct sim_node *member, const struct err *err)
{
    const struct world *world = member->world;
    struct node_status status;
    if (member->level == COMMAND_LEVEL || strstr(err->text, "upgrade it") == NULL) {
        return false;
    }
    node_status(member->node, &status);
    for (size_t i = 0; i < world->count; i++) {
        if (sim_node_leads(&world->members[i])) {
            struct membership members;
            engine_membership(node_engine(world->members[i].node), &members);
            if (membership_find(&members, status.id) != NULL) {
                return false;
            }
        }
    }
    return true;
}

/* From inside the node: it is ended in a turn of its own. */
static void sim_node_cannot_go_on(void *owner, const struct err *err)
{
    struct sim_node *member = owner;
    if (member->state != SIM_NODE_UP) {
        return;
    }
    bool full = member->full && err->code == ERR_FULL;
    bool outdated = sim_node_outdated(member, err);
    bool copy = member->put_back && err->code == ERR_CONFLICT;
    if (!full && !outdated && !copy && !damage_refused(member, err) &&
        !sim_node_disk_fault(member)) {
        world_break(member->world, "%s cannot go on: %s", member->name, err->text);
    }
    member->level = outdated ? COMMAND_LEVEL : member->level; /* as it is told to */
    transcript_note(member->world->transcript, "%s: cannot go on: %s", member->name,
                    err->text);
    world_queue(member->world, &member->failed, 0);
}

static void sim_node_failed(struct sim_event *event)
{
    struct sim_node *member = event->owner;
    if (member->put_back) {
        damage_put_back_over(member);
    } else if (member->state == SIM_NODE_UP) {
        sim_node_end(member,
                     sim_disk_powered(member->disk) ? SIM_NODE_KILLED
                                                    : SIM_NODE_POWER_OFF,
                     sim_random_below(&member->random, member->world->down_max_us));
    }
}

static struct node_options sim_node_options(struct sim_node *member, const char **peers)
{
    struct world *world = member->world;
    size_t peer_count = 0;
    for (size_t i = 0; i < world->founders && peer_count + 1 < world->founders; i++) {
        if (i != member->slot) {
            peers[peer_count++] = world->members[i].address;
        }
    }
    bool alone = world->count == 1;
    return (struct node_options){
        .disk = sim_disk_base(member->disk),
        .clock = member->clock,
        .link = member->link,
        .name = member->name,
        .peer_address = alone ? "" : member->address,
        .api_address = member->api_address,
        .version = "sim",
        .level = member->level,
        .expect = (uint32_t)world->founders,
        .peers = peers,
        .peer_count = peer_count,
        .election_timeout_ms = world->election_timeout_ms,
        .heartbeat_ms = world->heartbeat_ms,
        .replace_after_ms = world->replace_after_ms,
        .segment_bytes = world->segment_bytes,
        .digest_every = 50,
        .snapshot_bytes = world->snapshot_bytes,
        .snapshot_entries = world->snapshot_entries,
        .snapshot_trailing = world->snapshot_trailing,
        .lease_ms = world->lease_ms,
        .notice_ms = 200,
        .forward_writes = world->forward_writes,
        .owner = member,
        .failed = sim_node_cannot_go_on,
    };
}

static void sim_node_free_life(struct sim_node *member)
{
    if (member->link != NULL) {
        sim_link_free(member->link);
        member->link = NULL;
    }
    sim_clock_free(member->clock);
    member->clock = NULL;
}

void sim_node_start_runs(struct sim_node *member)
{
    struct runner_options options = {
        .clock = member->clock,
        .node = member->node,
        .driver = sim_driver_new(member->machine),
    };
    member->runner = runner_new(&options);
    member->control = control_new(member->clock, member->node);
    member->place_now = (struct place_now){.node = member->node};
    member->parts++;
}

void sim_node_stop_control(struct sim_node *member)
{
    if (member->control != NULL) {
        control_free(member->control);
        member->control = NULL;
    }
}

/* What is on the disk when the next life begins. */
static void sim_node_power_on(struct sim_node *member)
{
    struct world *world = member->world;
    sim_disk_fail(member->disk, 0, 0);
    enum sim_disk_loss loss = (enum sim_disk_loss)sim_random_below(&member->random, 4);
    if (member->end == SIM_NODE_POWER_OFF) {
        transcript_note(world->transcript, "%s: its disk: %s", member->name,
                        loss_names[loss]);
        sim_disk_power_on(member->disk, loss);
    } else {
        sim_disk_power_on(member->disk, SIM_STAYS);
    }
    damage_at_start(member);
}

/* So that starting is interrupted too. */
static void sim_node_hinder(struct sim_node *member)
{
    static const char *const kinds[] = {"open", "open", "write", "sync", "rename"};
    const struct world *world = member->world;
    struct sim_random *random = &member->random;
    if (world->calm || member->put_back) {
        return;
    }
    if (world->weights[FAULT_AT_OPERATION] > 0 && sim_random_chance(random, 15)) {
        member->faulty = true;
        sim_disk_power_off_after(member->disk, sim_random_below(random, 100));
    } else if (world->weights[FAULT_DISK_ERROR_KIND] > 0 &&
               sim_random_chance(random, 10)) {
        member->faulty = true;
        sim_disk_fail_kind(member->disk, kinds[sim_random_below(random, 5)], 1);
    }
}

static void sim_node_does_not_start(struct sim_node *member, const struct err *err)
{
    struct world *world = member->world;
    bool full = member->full && err->code == ERR_FULL;
    bool damaged = damage_refused(member, err);
    if (!full && !damaged && !sim_node_disk_fault(member)) {
        world_break(world, "%s does not start: %s", member->name, err->text);
    }
    transcript_note(world->transcript, "%s: does not start: %s", member->name,
                    err->text);
    if (member->link != NULL) {
        sim_link_die(member->link, SIM_KILLED);
    }
    member->end = sim_disk_powered(member->disk) ? SIM_NODE_KILLED : SIM_NODE_POWER_OFF;
    sim_disk_power_off(member->disk);
    if (member->machine != NULL && member->end == SIM_NODE_POWER_OFF) {
        machine_reboot(member->machine);
    }
    sim_node_free_life(member);
    member->node = NULL;
    damage_when_down(member);
    world_queue(world, &member->restart,
                sim_random_below(&member->random, world->down_max_us));
}

void sim_node_start(struct sim_node *member)
{
    struct world *world = member->world;
    assert(member->state == SIM_NODE_DOWN);
    member->life++;
    member->commit = 0;
    member->membership = 0;
    member->applied = 0;
    member->faulty = false;
    member->full = member->limited;
    if (member->life > 1) {
        sim_node_power_on(member);
    }
    member->clock = sim_clock_new(world->time, sim_random_next(&member->random));
    sim_clock_drift(member->clock,
                    (int32_t)sim_random_below(&member->random, 20001) - 10000);
    if (member->machine != NULL) {
        machine_clock(member->machine, member->clock);
    }
    if (world->count > 1) {
        member->link = sim_link_new(world->network, member->clock, member->address);
    }
    sim_node_hinder(member);
    const char *peers[NODES_MAX];
    struct node_options options = sim_node_options(member, peers);
    struct err err = {0};
    transcript_note(world->transcript, "%s: start %u", member->name, member->life);
    if (disk_lock(options.disk, &err) != 0 ||
        node_start(&member->node, &options, &err) != 0) {
        sim_node_does_not_start(member, &err);
        return;
    }
    member->state = SIM_NODE_UP;
    member->watch = (struct node_watch){.changed = sim_node_news, .owner = member};
    node_on_leadership(member->node, &member->watch);
    leases_started(member);
    member->parts = 1;
    if (member->machine != NULL) {
        sim_node_start_runs(member);
    }
}

static void sim_node_restart(struct sim_event *event)
{
    struct sim_node *member = event->owner;
    if (member->dead) {
        return; /* until it is said to live again */
    }
    if (member->state == SIM_NODE_DYING) { /* still being taken apart */
        world_queue(member->world, event, 1000);
        return;
    }
    sim_node_start(member);
}

/* --- ending
 * ------------------------------------------------------------------------ */

static void sim_node_part_gone(void *owner)
{
    struct sim_node *member = owner;
    if (--member->parts == 0) {
        member->node = NULL;
        world_queue(member->world, &member->bury, 0);
    }
}

/* Before the node, as in the daemon; what is alive lives on, but for a reboot. */
static void sim_node_end_runs(struct sim_node *member)
{
    if (member->runner == NULL) {
        return;
    }
    sim_node_stop_control(member);
    runner_stop(member->runner, sim_node_part_gone, member);
    member->runner = NULL;
    if (member->end == SIM_NODE_POWER_OFF) {
        machine_reboot(member->machine);
    }
}

static void sim_node_bury(struct sim_event *event)
{
    struct sim_node *member = event->owner;
    assert(sim_disk_idle(member->disk));
    sim_node_free_life(member);
    member->state = SIM_NODE_DOWN;
    damage_when_down(member);
}

void sim_node_end(struct sim_node *member, enum sim_node_end end, uint64_t down_us)
{
    static const char *const ends[] = {"killed", "power off", "stopped"};
    struct world *world = member->world;
    assert(member->state == SIM_NODE_UP);
    transcript_note(world->transcript, "%s: %s", member->name, ends[end]);
    world->result->crashes++;
    sim_node_resume(member);
    member->state = SIM_NODE_DYING;
    member->end = end;
    if (end != SIM_NODE_STOPPED) {
        if (member->link != NULL) {
            sim_link_die(member->link,
                         end == SIM_NODE_KILLED ? SIM_KILLED : SIM_POWER_OFF);
        }
        sim_disk_power_off(member->disk);
    }
    node_off_leadership(member->node, &member->watch);
    sim_node_end_runs(member);
    node_stop(member->node, sim_node_part_gone, member);
    sim_time_cancel(world->time, &member->failed);
    sim_time_cancel(world->time, &member->retired);
    member->retiring = false;
    if (down_us != UINT64_MAX) {
        world_queue(world, &member->restart, down_us);
    }
}

static void sim_node_may_stop(void *owner)
{
    struct sim_node *member = owner;
    world_queue(member->world, &member->retired, 0);
}

static void sim_node_retired(struct sim_event *event)
{
    struct sim_node *member = event->owner;
    if (member->state == SIM_NODE_UP) {
        sim_node_end(member, SIM_NODE_STOPPED,
                     sim_random_below(&member->random, member->world->down_max_us));
    }
}

void sim_node_retire(struct sim_node *member, bool wait)
{
    if (member->state == SIM_NODE_UP && !member->retiring) {
        transcript_note(member->world->transcript, "%s: is to stop", member->name);
        member->retiring = true;
        if (member->runner != NULL) {
            runner_retire(member->runner);
        }
        node_retire(member->node, wait, sim_node_may_stop, member);
    }
}

void sim_node_wipe(struct sim_node *member, uint64_t down_us)
{
    transcript_note(member->world->transcript, "%s: wiped", member->name);
    sim_node_end(member, SIM_NODE_POWER_OFF, down_us);
    member->wiped = true;
    member->wipe_due = true;
}

void sim_node_upgrade(struct sim_node *member, uint64_t down_us)
{
    if (member->level < COMMAND_LEVEL) {
        transcript_note(member->world->transcript, "%s: upgraded", member->name);
        member->level = COMMAND_LEVEL;
        if (member->state == SIM_NODE_UP) {
            sim_node_end(member, SIM_NODE_STOPPED, down_us);
        }
    }
}

void sim_node_pause(struct sim_node *member, uint64_t for_us)
{
    if (member->state != SIM_NODE_UP || member->paused) {
        return;
    }
    transcript_note(member->world->transcript, "%s: paused", member->name);
    member->paused = true;
    sim_clock_pause(member->clock, true);
    sim_disk_pause(member->disk, true);
    if (member->link != NULL) {
        sim_link_pause(member->link, true);
    }
    world_queue(member->world, &member->resume, for_us);
}

void sim_node_resume(struct sim_node *member)
{
    if (!member->paused) {
        return;
    }
    transcript_note(member->world->transcript, "%s: goes on", member->name);
    member->paused = false;
    sim_time_cancel(member->world->time, &member->resume);
    sim_clock_pause(member->clock, false);
    sim_disk_pause(member->disk, false);
    if (member->link != NULL) {
        sim_link_pause(member->link, false);
    }
}

static void sim_node_resumed(struct sim_event *event)
{
    sim_node_resume(event->owner);
}

void sim_node_init(struct world *world, size_t slot)
{
    struct sim_node *member = &world->members[slot];
    *member = (struct sim_node){.world = world, .slot = slot, .level = COMMAND_LEVEL};
    if (world->mixed && world_chance(world, 60)) {
        member->level =
            !world_is_of_all(world) || world_later(world, 0x6c6576656c + slot, 50) ? 1
                                                                                   : 2;
    }
    sim_random_init(&member->random, sim_random_next(&world->random));
    member->failed = (struct sim_event){.fire = sim_node_failed, .owner = member};
    member->bury = (struct sim_event){.fire = sim_node_bury, .owner = member};
    member->restart = (struct sim_event){.fire = sim_node_restart, .owner = member};
    member->resume = (struct sim_event){.fire = sim_node_resumed, .owner = member};
    member->retired = (struct sim_event){.fire = sim_node_retired, .owner = member};
    member->give_up = (struct sim_event){.fire = damage_gave_up, .owner = member};
    snprintf(member->name, sizeof member->name, "n%zu", slot + 1);
    snprintf(member->address, sizeof member->address, "n%zu:8658", slot + 1);
    snprintf(member->api_address, sizeof member->api_address, "n%zu:8558", slot + 1);
    member->disk =
        sim_disk_new(world->time, sim_random_next(&member->random), member->name);
    if (world->witness != NULL) {
        member->machine =
            machine_new(member, hash_mix(world->options->seed ^ 0x6d616368) + slot);
    }
}

void sim_node_close(struct sim_node *member)
{
    assert(member->state == SIM_NODE_DOWN);
    damage_forget_copy(member);
    sim_disk_free(member->disk);
    if (member->machine != NULL) {
        machine_free(member->machine);
    }
}

/* --- looking at it
 * ----------------------------------------------------------------- */

bool sim_node_leads(const struct sim_node *member)
{
    const struct engine *engine =
        member->state == SIM_NODE_UP ? node_engine(member->node) : NULL;
    return engine != NULL && engine_role(engine) == ENGINE_LEADER;
}

static void sim_node_check(struct sim_node *member, const char *wrong)
{
    if (wrong != NULL) {
        world_doubt(member->world, "%s: %s", member->name, wrong);
    }
}

static void sim_node_observe_applied(struct sim_node *member,
                                     const struct engine *engine)
{
    struct truth *truth = member->world->truth;
    uint64_t applied = engine_applied_index(engine);
    if (applied < member->applied) {
        world_break(member->world, "%s: applied goes back, %" PRIu64 " to %" PRIu64,
                    member->name, member->applied, applied);
    }
    if (applied == member->applied) {
        return;
    }
    bool news = applied > truth_last(truth);
    for (uint64_t index = member->applied + 1; index <= applied; index++) {
        const struct entry *entry = engine_entry(engine, index);
        if (entry != NULL) { /* else a snapshot covers it: the state tells */
            bool first = index > truth_last(truth);
            sim_node_check(member, truth_applied(truth, index, entry));
            if (first) {
                leases_applied(member->world, index, entry);
            }
        }
    }
    member->applied = applied;
    if (applied > truth_last(truth)) {
        world_break(member->world, "%s: applied %" PRIu64 " and nobody knows what",
                    member->name, applied);
    }
    sim_node_check(member, truth_state(truth, applied, node_registry(member->node)));
    if (news && member->world->witness != NULL) {
        witness_applied(member->world->witness, node_registry(member->node));
    }
}

/* What a node keeps for others is bounded, whatever befalls it. What waits in its
 * connections the simulated links hold to LIMIT_PEER_QUEUE_BYTES themselves. */
static void sim_node_check_bounds(const struct sim_node *member,
                                  const struct engine *engine)
{
    const struct node *node = member->node;
    size_t writes = propose_waiting(node->propose);
    size_t held = engine->outbox.held_bytes;
    if (writes > LIMIT_PROPOSALS || node->reads.count > LIMIT_READS ||
        held > LIMIT_PEER_QUEUE_BYTES) {
        world_break(member->world,
                    "%s: %zu writes and %zu reads wait, %zu bytes are held for peers: "
                    "more than is allowed",
                    member->name, writes, node->reads.count, held);
    }
}

/* Rule 4: a membership is durable where it was made before anybody else has it, and who
 * makes one knows what is committed. */
static void sim_node_observe_membership(struct sim_node *member,
                                        const struct engine *engine)
{
    struct world *world = member->world;
    uint64_t index = engine_configuration_index(engine);
    const struct entry *entry =
        index != member->membership ? engine_entry(engine, index) : NULL;
    member->membership = index;
    if (entry == NULL || index <= engine_commit(engine)) {
        return;
    }
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *maker = &world->members[i];
        const struct engine *leader =
            sim_node_leads(maker) ? node_engine(maker->node) : NULL;
        if (leader == NULL || engine_term(leader) != entry->term) {
            continue;
        }
        if (maker != member && leader->stored < index) {
            world_doubt(world,
                        "%s has the membership %" PRIu64 " of %s, which has %" PRIu64
                        " on its disk",
                        member->name, index, maker->name, leader->stored);
        }
        if (maker == member &&
            engine_term_at(leader, engine_commit(leader)) != entry->term) {
            world_doubt(world, "%s makes the membership %" PRIu64 " and is not settled",
                        member->name, index);
        }
    }
}

void sim_node_observe(struct sim_node *member)
{
    struct world *world = member->world;
    const struct engine *engine =
        member->state == SIM_NODE_UP ? node_engine(member->node) : NULL;
    if (world->formation) {
        formation_observe(member);
    }
    if (engine == NULL) {
        return;
    }
    if (engine_role(engine) == ENGINE_LEADER) {
        sim_node_check(member, member->put_back ? "leads from an old copy" : NULL);
        sim_node_check(member, truth_leads(world->truth, engine_term(engine),
                                           member->slot, member->life));
    }
    uint64_t commit = engine_commit(engine);
    if (commit < member->commit || commit > engine_last(engine)) {
        world_break(
            world, "%s: commit %" PRIu64 " after %" PRIu64 ", its log ends at %" PRIu64,
            member->name, commit, member->commit, engine_last(engine));
    }
    if (engine->stored > engine_last(engine)) { /* rule 6 */
        world_doubt(world, "%s: calls %" PRIu64 " durable, its log ends at %" PRIu64,
                    member->name, engine->stored, engine_last(engine));
    }
    if (member->commit == 0) {
        member->founded = true;
        struct node_status status;
        node_status(member->node, &status);
        sim_node_check(member, truth_cluster(world->truth, status.cluster_id));
    }
    if (node_sees_difference(
            member->node)) { /* truth_state() would have seen it first */
        world_break(world, "%s: calls a state different that is not", member->name);
    }
    member->commit = commit;
    sim_node_observe_membership(member, engine);
    sim_node_check_bounds(member, engine);
    sim_node_observe_applied(member, engine);
}

/* --- founding
 * ---------------------------------------------------------------------- */

static void found_check(struct world *world, int rv, const struct err *err)
{
    if (rv != 0) {
        world_break(world, "cannot found a cluster: %s", err->text);
    }
}

static void found_one(struct world *world, size_t slot, struct identity *identity,
                      const struct charter *charter)
{
    struct sim_node *member = &world->members[slot];
    struct err err;
    struct bytes *membership = charter_membership(charter);
    struct store_options options = {
        .disk = sim_disk_base(member->disk),
        .node_id = identity->node_id,
        .cluster_id = charter->cluster_id,
        .segment_bytes = world->segment_bytes,
    };
    struct entry entry = {.term = 1, .type = ENTRY_CONFIGURATION, .data = membership};
    found_check(world, store_create(&options, 1, &entry, &err), &err);
    bytes_unref(membership);
    identity->cluster_id = charter->cluster_id;
    found_check(world, identity_save(identity, options.disk, &err), &err);
    sim_disk_kill(member->disk);
}

static void charter_add(struct charter *charter, const struct sim_node *member,
                        uint64_t id, bool alone)
{
    struct charter_row row = {.id = id};
    snprintf(row.name, sizeof row.name, "%s", member->name);
    snprintf(row.peer_address, sizeof row.peer_address, "%s",
             alone ? "" : member->address);
    snprintf(row.api_address, sizeof row.api_address, "%s", member->api_address);
    size_t at = charter->count++;
    for (; at > 0 && charter->rows[at - 1].id > id; at--) {
        charter->rows[at] = charter->rows[at - 1];
    }
    charter->rows[at] = row;
}

void world_found(struct world *world)
{
    struct identity identities[NODES_MAX];
    struct charter charter = {.cluster_id = 1 + sim_random_next(&world->random) / 4};
    for (size_t i = 0; i < world->founders; i++) {
        struct sim_node *member = &world->members[i];
        struct clock *clock =
            sim_clock_new(world->time, sim_random_next(&world->random));
        struct err err;
        found_check(world,
                    identity_open(&identities[i], sim_disk_base(member->disk), clock,
                                  member->name, &err),
                    &err);
        sim_clock_free(clock);
        charter_add(&charter, member, identities[i].node_id, world->count == 1);
    }
    for (size_t i = 0; i < world->founders; i++) {
        found_one(world, i, &identities[i], &charter);
    }
}
