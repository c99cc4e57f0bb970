/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/witness.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "raft/engine.h"
#include "raft/node_inside.h"
#include "registry/registry.h"
#include "sim/inside.h"
#include "sim/machine.h"

#define NAMES_MAX 16

struct witness_name {
    char task[JOB_NAME_SIZE];
    const struct job *alive;
    uint64_t begun; /* the highest number of those that began */
    uint64_t ended; /* ... of those that the registry has ended */
};

struct witness {
    struct world *world;
    struct witness_name names[NAMES_MAX];
    size_t count;
    uint64_t seen; /* events up to this one */
};

struct witness *witness_new(struct world *world)
{
    struct witness *witness = mem_zalloc(sizeof *witness);
    witness->world = world;
    return witness;
}

void witness_free(struct witness *witness)
{
    mem_free(witness);
}

static struct witness_name *witness_name(struct witness *witness, const char *task)
{
    for (size_t i = 0; i < witness->count; i++) {
        if (strcmp(witness->names[i].task, task) == 0) {
            return &witness->names[i];
        }
    }
    if (witness->count == NAMES_MAX || strlen(task) >= JOB_NAME_SIZE) {
        world_break(witness->world, "runs of more than %d tasks", NAMES_MAX);
    }
    struct witness_name *name = &witness->names[witness->count++];
    memcpy(name->task, task, strlen(task) + 1);
    return name;
}

/* --- programs
 * ----------------------------------------------------------------------- */

void witness_starts(struct witness *witness, const struct job *job)
{
    const struct witness_name *name = witness_name(witness, job->task);
    if (job->run <= name->ended) {
        world_doubt(witness->world,
                    "run %" PRIu64 " of %s is started on %s, and run %" PRIu64
                    " has ended by the registry",
                    job->run, job->task, job->machine->member->name, name->ended);
    }
}

void witness_begins(struct witness *witness, const struct job *job)
{
    struct witness_name *name = witness_name(witness, job->task);
    const char *here = job->machine->member->name;
    if (name->alive != NULL) {
        world_doubt(witness->world,
                    "two live runs of %s: %" PRIu64 " on %s, and now %" PRIu64 " on %s",
                    job->task, name->alive->run, name->alive->machine->member->name,
                    job->run, here);
    }
    if (job->run <= name->begun) {
        world_doubt(witness->world,
                    "run %" PRIu64 " of %s begins on %s after run %" PRIu64
                    " had begun",
                    job->run, job->task, here, name->begun);
    }
    if (job->run <= name->ended) {
        world_doubt(witness->world,
                    "run %" PRIu64 " of %s begins on %s, and run %" PRIu64
                    " has ended by the registry",
                    job->run, job->task, here, name->ended);
    }
    name->alive = job;
    name->begun = job->run;
    witness->world->result->runs++;
}

void witness_ends(struct witness *witness, const struct job *job)
{
    struct witness_name *name = witness_name(witness, job->task);
    if (name->alive == job) {
        name->alive = NULL;
    }
}

/* --- the registry
 * ------------------------------------------------------------------- */

static void witness_ends_for_good(struct witness *witness, uint64_t run)
{
    struct world *world = witness->world;
    for (size_t i = 0; i < world->count; i++) {
        if (machine_may_begin(world->members[i].machine, run)) {
            world_doubt(world,
                        "run %" PRIu64
                        " has ended by the registry, and may yet begin on %s",
                        run, world->members[i].name);
        }
    }
}

static void witness_ended(struct witness *witness, const struct event *event)
{
    const char *at = strstr(event->data, "\"run\":");
    uint64_t run = at != NULL ? strtoull(at + 6, NULL, 10) : 0;
    struct witness_name *name = witness_name(witness, event->task);
    const char *error = strstr(event->data, "\"error\":");
    transcript_note(witness->world->transcript, "run %" PRIu64 " of %s has ended, %.*s",
                    run, event->task, error != NULL ? (int)strcspn(error, "}") : 0,
                    error != NULL ? error : "");
    name->ended = run > name->ended ? run : name->ended;
    if (strstr(event->data, "\"outcome\":\"lost\"") != NULL) {
        witness->world->result->losses++;
    }
    if (name->alive != NULL && name->alive->run <= run) {
        world_doubt(witness->world,
                    "run %" PRIu64 " of %s has ended by the registry, and run %" PRIu64
                    " is alive on %s",
                    run, event->task, name->alive->run,
                    name->alive->machine->member->name);
    }
    witness_ends_for_good(witness, run);
}

/* Its node's end before it knows, or before it begins, is worth trying. */
static void witness_placed(struct witness *witness, const struct event *event)
{
    struct world *world = witness->world;
    const char *at = strstr(event->data, "\"node\":\"");
    uint64_t node = at != NULL ? strtoull(at + 8, NULL, 10) : 0;
    for (size_t i = 0; i < world->count; i++) {
        struct sim_node *member = &world->members[i];
        if (member->state == SIM_NODE_UP && member->node->identity.node_id == node) {
            chaos_runs_placed(member);
            chaos_runs_moment(member);
        }
    }
}

void witness_applied(struct witness *witness, const struct registry *registry)
{
    const struct event_log *log = registry_events(registry);
    const struct event *event = event_log_after(log, witness->seen);
    for (; event != NULL; event = event_log_after(log, event->seq)) {
        witness->seen = event->seq;
        if (event->type == EVENT_RUN_ENDED) {
            witness_ended(witness, event);
        } else if (event->type == EVENT_RUN_PLACED) {
            witness_placed(witness, event);
        }
    }
}

static bool task_waits(const struct registry *registry, const struct moment *due)
{
    const struct task *task = registry_task_of(registry, due->task);
    return task != NULL && task->enabled && !task->deleting &&
           due->at_ms <= registry_clock_ms(registry);
}

/* What waits for a run on the node that leads; nobody may be able to take one. */
static size_t witness_due(const struct sim_node *leader)
{
    const struct registry *registry = node_registry(leader->node);
    struct map_cursor cursor;
    const struct moment *due = NULL;
    uint64_t id = 0;
    struct err err;
    size_t count = 0;
    registry_due_seek(registry, &cursor);
    while ((due = registry_due_next(&cursor)) != NULL) {
        count += task_waits(registry, due);
    }
    struct place_now now = {.node = leader->node};
    return control_place_now(&now, &id, &err) == 0 ? count : 0;
}

static struct sim_node *witness_leader(const struct witness *witness)
{
    struct sim_node *leader = world_leader(witness->world, NULL);
    return leader != NULL && engine_settled(node_engine(leader->node)) ? leader : NULL;
}

bool witness_is_done(const struct witness *witness)
{
    const struct sim_node *leader = witness_leader(witness);
    return leader != NULL && registry_live_count(node_registry(leader->node)) == 0 &&
           witness_due(leader) == 0;
}

void witness_tell(const struct witness *witness)
{
    struct world *world = witness->world;
    const struct sim_node *leader = witness_leader(witness);
    if (leader == NULL) {
        transcript_note(world->transcript, "nobody leads");
        return;
    }
    struct map_cursor cursor;
    const struct run *run = NULL;
    registry_live_seek(node_registry(leader->node), &cursor);
    while ((run = registry_live_next(&cursor)) != NULL) {
        transcript_note(world->transcript,
                        "run %" PRIu64 " of %s, on node %" PRIu64
                        ", is in state %d still",
                        run->id, run->task, run->node, (int)run->state);
    }
    transcript_note(world->transcript, "%zu tasks are due", witness_due(leader));
}
