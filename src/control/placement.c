/* SPDX-License-Identifier: Apache-2.0 */
/* Due tasks become runs: for each mark whose time has come a run_start, on the member
 * that is to carry it out.
 *
 * The marks are walked in order of their time, in turns, and the proposals of one turn
 * are decided before the next begins, so that no task is proposed twice and the live
 * runs that the choice counts are those there are. A turn goes on behind the last mark
 * of the one before until all that is due was seen: marks of tasks that cannot start (a
 * live run, disabled) keep nobody else's task waiting. One that was passed may have
 * become able to start before the end is reached: if anything has changed since the
 * walk began there is another one. What cannot start stays due: its mark is in the
 * registry, so that neither a failover nor a full queue forgets it.
 *
 * Whether a task can start changes by an event, whether a member can carry it out does
 * not: so it is looked at each tick only while something waits for a member. */
#include "base/log.h"
#include "base/mem.h"
#include "control/loop.h"
#include "control/place.h"

#define PLACEMENT_BATCH   256  /* runs that one turn starts */
#define PLACEMENT_WALK    4096 /* marks that it looks at */
#define PLACEMENT_TICK_MS 100  /* while something waits for a member */

struct placement {
    struct control *control;
    struct moment last; /* the walk goes on behind it; {0}: it begins */
    uint64_t began;     /* placement_changes() when it did */
    size_t waiting;     /* proposals without an outcome */
    bool refused;       /* ... or had one, in this turn, that was no run */
    bool said;          /* in the log: that nobody can */
};

/* How a turn ended. */
enum placement_end {
    PLACEMENT_DONE,  /* all that is due was seen */
    PLACEMENT_CUT,   /* the next one goes on, or begins a walk anew */
    PLACEMENT_STUCK, /* nothing can be started at present */
};

static void *placement_start(struct control *control)
{
    struct placement *placement = mem_zalloc(sizeof *placement);
    placement->control = control;
    return placement;
}

static void placement_stop(void *state)
{
    mem_free(state);
}

static void placement_decided(void *state, uint64_t tag, const struct outcome *outcome)
{
    (void)tag;
    struct placement *placement = state;
    placement->waiting--;
    placement->refused |= outcome->code != 0 || outcome->result.code != 0;
    if (placement->waiting == 0 && !placement->refused) {
        control_wake(placement->control); /* else at the tick: it may be so again */
    }
}

/* May it start, but for the node? */
static bool placement_startable(const struct registry *registry,
                                const struct task *task)
{
    return task != NULL && task->enabled && !task->deleting &&
           registry_live_run(registry, task->name, task->name_len) == NULL;
}

static int placement_propose(struct placement *placement, const struct task *task,
                             uint32_t cause, uint64_t node_id)
{
    const struct registry *registry = control_registry(placement->control);
    struct command command = {
        .type = COMMAND_RUN_START,
        .request_id = text_of(""),
        .actor = text_of(""),
        .run_start =
            {
                .task = {task->name, task->name_len},
                .revision = task->revision, /* changed meanwhile: once more */
                .node = node_id,
                .cause = cause,
                .purpose = RUN_APPLY,
                .lease_ms = (uint32_t)registry_setting(registry, SETTING_RUN_LEASE),
                .grace_ms = (uint32_t)registry_setting(registry, SETTING_RUN_GRACE),
                .tries = (uint32_t)registry_setting(registry, SETTING_RUN_TRIES),
            },
    };
    return control_propose(placement->control, &command, placement_decided, placement,
                           0);
}

static void placement_say(struct placement *placement, const struct err *err)
{
    if (!placement->said) {
        log_warn("due tasks wait: %s", err->text);
        placement->said = true;
    }
}

/* Who is to carry a run out that is placed now. */
static int placement_choose(struct placement *placement, struct place_members *members,
                            size_t *chosen, struct err *err)
{
    int rv = place_time_judge(control_registry(placement->control),
                              control_clock_ms(placement->control), err);
    if (rv != 0) {
        return rv;
    }
    if (members->count == SIZE_MAX) {
        place_members_load(members, control_node(placement->control));
    }
    return place_choose(members->candidates, members->count, chosen, err);
}

/* False: nothing more can be started at present. */
static bool placement_place(struct placement *placement, struct place_members *members,
                            const struct task *task, uint32_t cause)
{
    size_t chosen = 0;
    struct err err;
    if (placement_choose(placement, members, &chosen, &err) != 0) {
        placement_say(placement, &err);
        return false;
    }
    placement->said = false;
    struct place_candidate *candidate = &members->candidates[chosen];
    if (placement_propose(placement, task, cause, candidate->id) != 0) {
        return false; /* the queue is full, or the lead is about to be lost */
    }
    candidate->live++;
    placement->waiting++;
    return true;
}

/* Differs from what it was whenever a task may start that could not. */
static uint64_t placement_changes(const struct registry *registry)
{
    return registry_sequence(registry) + registry_moment_changes(registry);
}

/* One turn of the walk; *next_ms: when the next mark's time comes, on the replicated
 * clock, if it is done. */
static enum placement_end placement_walk(struct placement *placement, uint64_t clock_ms,
                                         uint64_t *next_ms)
{
    const struct registry *registry = control_registry(placement->control);
    struct place_members members = {.count = SIZE_MAX};
    struct map_cursor cursor;
    if (placement->last.task == 0) {
        placement->began = placement_changes(registry);
    }
    registry_due_seek_behind(registry, &placement->last, &cursor);
    for (size_t seen = 0;; seen++) {
        const struct moment *due = registry_due_next(&cursor);
        if (due == NULL || due->at_ms > clock_ms) {
            placement->last = (struct moment){.task = 0};
            *next_ms = due != NULL ? due->at_ms : UINT64_MAX;
            return placement->began == placement_changes(registry) ? PLACEMENT_DONE
                                                                   : PLACEMENT_CUT;
        }
        if (seen == PLACEMENT_WALK || placement->waiting == PLACEMENT_BATCH) {
            return PLACEMENT_CUT;
        }
        const struct task *task = registry_task_of(registry, due->task);
        if (placement_startable(registry, task) &&
            !placement_place(placement, &members, task, due->cause)) {
            return PLACEMENT_STUCK;
        }
        placement->last = *due;
    }
}

static uint64_t placement_look(void *state, uint64_t now_ms)
{
    struct placement *placement = state;
    if (placement->waiting > 0) {
        return now_ms + PLACEMENT_TICK_MS;
    }
    placement->refused = false;
    uint64_t clock_ms = control_clock_ms(placement->control);
    uint64_t next_ms = UINT64_MAX;
    enum placement_end end = placement_walk(placement, clock_ms, &next_ms);
    if (placement->waiting > 0 || end == PLACEMENT_STUCK) {
        return now_ms + PLACEMENT_TICK_MS;
    }
    if (end == PLACEMENT_CUT) {
        return now_ms;
    }
    return next_ms == UINT64_MAX ? UINT64_MAX : now_ms + (next_ms - clock_ms);
}

const struct control_loop control_placement = {
    .name = "placement",
    .on_change = true,
    .start = placement_start,
    .stop = placement_stop,
    .look = placement_look,
};
