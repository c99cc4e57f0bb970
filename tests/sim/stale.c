/* SPDX-License-Identifier: Apache-2.0 */
/* Worlds of kind stale: their network remembers what libraft's engine says, and any of
 * it may come again, whatever has happened since (lib/sim_network.h). The other frames
 * do not: those carry sessions and numbers of their own. */
#include "base/buf.h"
#include "base/hash.h"
#include "raft/engine_inside.h"
#include "raft/frame.h"
#include "sim/inside.h"

#define APPEND_HEAD      42
#define RESULT_BYTES     38
#define VOTE_BYTES       27
#define VOTE_RESULT_HEAD 15

/* The classes that a network remembers apart: each leads to another place of libraft.
 */
enum stale_class {
    STALE_NOT,
    STALE_APPEND,       /* entries */
    STALE_BEAT,         /* none */
    STALE_FIRST_APPEND, /* from the first entry on, to one that has nothing yet */
    STALE_RESULT,
    STALE_REJECTION,
    STALE_VOTE,
    STALE_PRE_VOTE,
    STALE_VOTE_RESULT,
    STALE_PRE_VOTE_RESULT,
    STALE_TIMEOUT_NOW,
    STALE_CLASS_COUNT,
};

/* Formats: raft/README.md. */
static unsigned stale_class(const struct bytes *frame)
{
    const uint8_t *head = frame->data;
    switch (frame->len > 0 ? head[0] : 0) {
    case FRAME_APPEND:
        if (frame->len < APPEND_HEAD) {
            return STALE_NOT;
        }
        return get_u64(head + 10) == 0   ? STALE_FIRST_APPEND
               : get_u32(head + 38) == 0 ? STALE_BEAT
                                         : STALE_APPEND;
    case FRAME_APPEND_RESULT:
        return frame->len < RESULT_BYTES ? STALE_NOT
               : get_u64(head + 10) == 0 ? STALE_RESULT
                                         : STALE_REJECTION;
    case FRAME_VOTE:
        return frame->len < VOTE_BYTES ? STALE_NOT
               : (head[26] & 2) != 0   ? STALE_PRE_VOTE
                                       : STALE_VOTE;
    case FRAME_VOTE_RESULT:
        return frame->len < VOTE_RESULT_HEAD ? STALE_NOT
               : (head[14] & 2) != 0         ? STALE_PRE_VOTE_RESULT
                                             : STALE_VOTE_RESULT;
    case FRAME_TIMEOUT_NOW:
        return STALE_TIMEOUT_NOW;
    default: /* of somebody else */
        return STALE_NOT;
    }
}

void stale_init(struct world *world)
{
    if (world->options->kind == WORLD_STALE) {
        sim_network_remember(world->network,
                             hash_mix(world->options->seed ^ 0x7374616cu), stale_class);
        sim_network_recall_often(world->network, 20, 5000);
    }
}

/* What libraft does not write into a message is whatever lies on its stack: let that be
 * the index of the newest entry, as it well may be. */
void stale_observe(struct world *world)
{
    uint64_t newest = 0;
    for (size_t i = 0; world->options->kind == WORLD_STALE && i < world->count; i++) {
        const struct sim_node *member = &world->members[i];
        const struct engine *engine =
            member->state == SIM_NODE_UP ? node_engine(member->node) : NULL;
        if (engine != NULL && engine_last(engine) > newest) {
            newest = engine_last(engine);
        }
    }
    if (newest > 0) {
        sim_time_stack(world->time, newest);
    }
}

/* All that the network remembers comes again to everybody. */
void stale_flood(struct world *world)
{
    size_t count = 0;
    if (world->options->kind != WORLD_STALE) {
        return;
    }
    for (size_t i = 0; i < world->count; i++) {
        const char *address = world->members[i].address;
        for (unsigned class = STALE_NOT + 1; class < STALE_CLASS_COUNT; class ++) {
            count += sim_network_recall(world->network, address, class);
        }
    }
    transcript_note(world->transcript, "net: %zu frames of the past come again", count);
}

/* --- moments at which a frame of the past means most
 * ---------------------------------------------------- */

struct stage {
    struct world *world;
    struct sim_node *leader;
    struct sim_node *other;
    uint64_t index;
};

static const struct engine *stage_engine(const struct sim_node *member)
{
    return member->state == SIM_NODE_UP ? node_engine(member->node) : NULL;
}

static uint64_t stage_id(const struct sim_node *member)
{
    struct node_status status;
    node_status(member->node, &status);
    return status.id;
}

/* It led all along, and `other` is up. */
static bool stage_stands(const struct stage *stage)
{
    return sim_node_leads(stage->leader) && stage->other->state == SIM_NODE_UP;
}

/* False: it did not come in time, or another one leads. */
static bool stage_wait(const struct stage *stage, uint64_t limit_ms,
                       bool (*there)(const struct stage *stage))
{
    struct world *world = stage->world;
    uint64_t limit_us = sim_time_now_us(world->time) + limit_ms * 1000;
    while (stage_stands(stage) && sim_time_now_us(world->time) < limit_us) {
        if (there != NULL && there(stage)) {
            return true;
        }
        world_step(world);
    }
    return there == NULL && stage_stands(stage);
}

/* Likewise, but nodes may end and others lead. */
static bool stage_let(const struct stage *stage, uint64_t limit_ms,
                      bool (*there)(const struct stage *stage))
{
    struct world *world = stage->world;
    uint64_t limit_us = sim_time_now_us(world->time) + limit_ms * 1000;
    while (sim_time_now_us(world->time) < limit_us) {
        if (there(stage)) {
            return true;
        }
        world_step(world);
    }
    return false;
}

static bool stage_set(struct stage *stage, struct world *world, size_t step)
{
    *stage = (struct stage){.world = world, .leader = world_leader(world, NULL)};
    if (stage->leader == NULL) {
        return false;
    }
    stage->other = &world->members[(stage->leader->slot + step) % world->count];
    return true;
}

static void stage_recall(const struct stage *stage, const struct sim_node *to,
                         enum stale_class class, const char *what)
{
    size_t count = sim_network_recall(stage->world->network, to->address, class);
    transcript_note(stage->world->transcript,
                    "net: %zu %s of the past come to %s again", count, what, to->name);
}

static void stage_heal(const struct stage *stage)
{
    transcript_note(stage->world->transcript, "net: no cuts");
    sim_network_heal(stage->world->network);
}

/* --- 18: who went astray asks in vain, and is back before it is refused */

static bool stage_astray(const struct stage *stage)
{
    return engine_role(stage_engine(stage->other)) == ENGINE_CANDIDATE;
}

static bool stage_follows(const struct stage *stage)
{
    const struct engine *engine = stage_engine(stage->other);
    return engine_role(engine) == ENGINE_FOLLOWER &&
           engine_leader(engine) == stage_id(stage->leader) &&
           engine_term(engine) == engine_term(stage_engine(stage->leader));
}

static void stale_refusal(struct world *world)
{
    struct stage stage;
    if (!stage_set(&stage, world, 1)) {
        return;
    }
    uint64_t timeout_ms = world->election_timeout_ms;
    transcript_note(world->transcript, "net: %s hears nobody", stage.other->name);
    for (size_t i = 0; i < world->count; i++) {
        sim_network_cut(world->network, world->members[i].address, stage.other->address,
                        i != stage.other->slot);
    }
    bool asked = stage_wait(&stage, 4 * timeout_ms, stage_astray) &&
                 stage_wait(&stage, 2 * world->heartbeat_ms, NULL);
    stage_heal(&stage);
    if (!asked || !stage_wait(&stage, 4 * timeout_ms, stage_follows)) {
        return;
    }
    uint64_t term = engine_term(stage_engine(stage.leader));
    stage_recall(&stage, stage.other, STALE_PRE_VOTE_RESULT, "answers");
    bool stands = stage_wait(&stage, 2 * timeout_ms, NULL);
    const struct engine *engine = stage_engine(stage.other);
    if (!stands || engine == NULL || engine_term(engine) > term) {
        world_doubt(world,
                    "%s is not followed any more, for %s was refused a vote once",
                    stage.leader->name, stage.other->name);
    }
}

/* --- 1b: who has caught up to a place rejected that very place before */

static bool stage_level(const struct stage *stage)
{
    const struct engine *leader = stage_engine(stage->leader);
    return engine_last(leader) > stage->index &&
           engine_match(leader, stage_id(stage->other)) == engine_last(leader);
}

/* As many as a majority can do without are gone, not the other one among them. */
static void stage_isolate_rest(const struct stage *stage)
{
    struct world *world = stage->world;
    for (size_t i = 0; i < (world->count - 1) / 2; i++) {
        size_t slot = (stage->other->slot + 1 + i) % world->count;
        slot = slot == stage->leader->slot ? (slot + 1) % world->count : slot;
        world_isolate(world, &world->members[slot]);
    }
}

/* An entry is lost with its connection, so the beat behind it is rejected. Then it
 * comes after all, which commits it; but before the other one is told so, the leader
 * sees nothing of it for a while. (Of what it knows as committed a node tells in its
 * answer to any beat, by rule 5: that would hide what the rejection does.) */
static void stale_rejection(struct world *world)
{
    struct stage stage;
    uint64_t write_gap_us = world->write_gap_us;
    if (!stage_set(&stage, world, 1)) {
        return;
    }
    stage.index = engine_last(stage_engine(stage.leader));
    world->write_gap_us = 4000000;
    stage_isolate_rest(&stage);
    transcript_note(world->transcript, "net: %s and %s lose each other",
                    stage.leader->name, stage.other->name);
    sim_network_break(world->network, stage.leader->address, stage.other->address);
    world_queue(world, &world->client, 0);
    bool level = stage_wait(&stage, world->election_timeout_ms, stage_level);
    stage_heal(&stage);
    if (level) {
        world_isolate(world, stage.other);
        sim_network_break(world->network, stage.leader->address, stage.other->address);
        stage_wait(&stage, 3 * world->heartbeat_ms, NULL);
        stage_recall(&stage, stage.leader, STALE_REJECTION, "rejections");
        stage_wait(&stage, 1, NULL);
        stage_heal(&stage);
    }
    world->write_gap_us = write_gap_us;
}

/* --- 5: who began with nothing is sent the beginning again, and has let go of it */

static bool stage_is_new(const struct stage *stage)
{
    const struct engine *engine = stage_engine(stage->other);
    return engine != NULL && stage_id(stage->other) != stage->index &&
           engine_commit(engine) > 0 && world_is_complete(stage->world);
}

static bool stage_let_go(const struct stage *stage)
{
    return entry_log_first(&stage_engine(stage->other)->log) > 1;
}

static void stale_beginning(struct world *world)
{
    struct stage stage;
    uint64_t write_gap_us = world->write_gap_us;
    if (!stage_set(&stage, world, 1) || world->count < 3 ||
        world->snapshot_bytes == 0 ||
        entry_log_first(&stage_engine(stage.leader)->log) > 1) {
        return;
    }
    stage.index = stage_id(stage.other);
    operator_remove(world, stage.other);
    if (!stage_let(&stage, 20000, stage_is_new)) {
        return;
    }
    world->write_gap_us = 3000;
    if (stage_wait(&stage, 10000, stage_let_go)) {
        stage_recall(&stage, stage.other, STALE_FIRST_APPEND, "beginnings of a log");
    }
    world->write_gap_us = write_gap_us;
}

/* --- 1: who began with nothing answers the beginning of an older term
 * --------------------------------------------------------------------------------- */

static bool stage_is_succeeded(const struct stage *stage)
{
    const struct sim_node *next = world_leader(stage->world, stage->leader);
    return next != NULL && engine_settled(stage_engine(next));
}

static bool stage_elected(const struct stage *stage)
{
    const struct engine *engine = stage_engine(stage->leader);
    return engine != NULL && engine_settled(engine) &&
           engine_term(engine) > stage->index && world_is_complete(stage->world);
}

static bool stage_give(const struct stage *stage, const struct sim_node *to,
                       bool (*there)(const struct stage *stage))
{
    for (int times = 0; times < 20; times++) {
        operator_transfer(stage->world, to);
        if (stage_let(stage, 300, there)) {
            return true;
        }
    }
    return false;
}

static bool stage_alone_ahead(const struct stage *stage)
{
    const struct engine *leader = stage_engine(stage->leader);
    return engine_last(leader) > stage->index && leader->stored == engine_last(leader);
}

static bool stage_committed(const struct stage *stage)
{
    return engine_commit(stage_engine(stage->leader)) > stage->index;
}

/* The leader of then leads again. It is alone with an entry when the answer comes,
 * takes it for an acknowledgement, and is gone for good: the entry is with nobody. */
static void stale_answer(struct world *world)
{
    struct stage stage;
    uint64_t write_gap_us = world->write_gap_us;
    if (!stage_set(&stage, world, 1) || world->count != 3 ||
        entry_log_first(&stage_engine(stage.leader)->log) > 1) {
        return;
    }
    stage.index = stage_id(stage.other);
    operator_remove(world, stage.other);
    if (!stage_let(&stage, 20000, stage_is_new) || !stage_stands(&stage)) {
        return;
    }
    stage.index = engine_term(stage_engine(stage.leader));
    if (!stage_give(&stage, stage.other, stage_is_succeeded) ||
        !stage_give(&stage, stage.leader, stage_elected)) {
        return;
    }
    stage.index = engine_last(stage_engine(stage.leader));
    world_isolate(world, stage.leader);
    world->write_gap_us = 4000000;
    world_queue(world, &world->client, 0);
    if (stage_wait(&stage, world->heartbeat_ms * 2, stage_alone_ahead)) {
        stage_recall(&stage, stage.other, STALE_FIRST_APPEND, "beginnings of a log");
        /* what it says to that passes */
        sim_network_cut(world->network, stage.other->address, stage.leader->address,
                        false);
        stage_wait(&stage, world->heartbeat_ms * 2, stage_committed);
        world_isolate(world, stage.leader);
        stage_let(&stage, 8000, stage_is_succeeded);
    }
    world->write_gap_us = write_gap_us;
    stage_heal(&stage);
}

/* --- 2: who got memberships behind other entries leads, before there are new ones
 * --------------------------------------------------------------------------------- */

static bool stage_changed(const struct stage *stage)
{
    const struct engine *leader = stage_engine(stage->leader);
    uint64_t index = engine_configuration_index(leader);
    return index > stage->index && engine_commit(leader) > index;
}

static bool stage_has_all(const struct stage *stage)
{
    return engine_last(stage_engine(stage->other)) ==
           engine_last(stage_engine(stage->leader));
}

static void stale_lag(struct world *world)
{
    struct stage stage;
    if (world->count < 5 || !stage_set(&stage, world, 1)) {
        return;
    }
    struct sim_node *removed = &world->members[(stage.other->slot + 1) % world->count];
    removed = removed == stage.leader
                  ? &world->members[(removed->slot + 1) % world->count]
                  : removed;
    world_isolate(world, stage.other);
    world_queue(world, &world->client, 0);
    stage_wait(&stage, 20, NULL);
    stage.index = engine_last(stage_engine(stage.leader));
    operator_remove(world, removed);
    bool changed = stage_wait(&stage, 20000, stage_changed);
    stage_heal(&stage);
    if (changed && stage_wait(&stage, 4000, stage_has_all)) {
        transcript_note(world->transcript, "%s lagged over a membership",
                        stage.other->name);
        sim_node_end(stage.leader, SIM_NODE_POWER_OFF, 8000000);
    }
}

static void stale_moment(struct world *world, void (*moment)(struct world *world))
{
    moment(world);
    world_get_well(world);
}

/* Each in some worlds only; the first two begin with the same. */
void stale_moments(struct world *world)
{
    if (world->options->kind != WORLD_STALE) {
        return;
    }
    if (world->count > 2) {
        bool beginning = world_later(world, 0x626567u, 50);
        stale_moment(world, beginning ? stale_beginning : stale_answer);
    }
    if (world->count > 2 && world_later(world, 0x726566u, 50)) {
        stale_moment(world, stale_refusal);
    }
    if (world->count > 2 && world_later(world, 0x72656au, 50)) {
        stale_moment(world, stale_rejection);
    }
    if (world_later(world, 0x6c6167u, 50)) {
        stale_moment(world, stale_lag);
    }
    stale_flood(world);
    world_get_well(world);
}
