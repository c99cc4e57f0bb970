/* SPDX-License-Identifier: Apache-2.0 */
/* A drain lets the runs of its member end; those that have not when drain_deadline_ms
 * is over are stopped by the ladder, and their tasks are due anew, elsewhere.
 *
 * The deadline counts from when the drain began, which the member's row tells on the
 * replicated clock: it is the same for every leader. While nobody leads that clock
 * stands, so it is later by what failovers took. Of a drain that began below feature
 * level 3 the row does not tell: then it counts from when this leader first saw it. */
#include <inttypes.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/loop.h"

#define DRAIN_TICK_MS 200
#define DRAIN_BATCH   256 /* runs that one look has stopped */

struct drain_member {
    uint64_t id;
    uint64_t since_ms; /* replicated clock */
};

struct drain {
    struct control *control;
    struct drain_member members[LIMIT_MEMBERS];
    size_t count;
    size_t waiting; /* proposals without an outcome */
};

static void *drain_start(struct control *control)
{
    struct drain *drain = mem_zalloc(sizeof *drain);
    drain->control = control;
    return drain;
}

static void drain_stop(void *state)
{
    mem_free(state);
}

/* Of a member that drains: since when it is known here, or now. */
static uint64_t drain_since(const struct drain *drain, const struct member *member,
                            uint64_t clock_ms)
{
    if (member->duty.drain_ms != 0) {
        return member->duty.drain_ms;
    }
    for (size_t i = 0; i < drain->count; i++) {
        if (drain->members[i].id == member->id) {
            return drain->members[i].since_ms;
        }
    }
    return clock_ms;
}

/* Take note of the members that drain now. */
static void drain_note(struct drain *drain, const struct registry *registry,
                       uint64_t clock_ms)
{
    struct drain_member members[LIMIT_MEMBERS];
    size_t count = 0;
    struct map_cursor cursor;
    registry_member_seek(registry, &cursor);
    const struct member *member = NULL;
    while (count < LIMIT_MEMBERS && (member = registry_member_next(&cursor)) != NULL) {
        if (member->duty.draining) {
            members[count++] =
                (struct drain_member){member->id, drain_since(drain, member, clock_ms)};
        }
    }
    for (size_t i = 0; i < count; i++) {
        drain->members[i] = members[i];
    }
    drain->count = count;
}

static void drain_decided(void *state, uint64_t tag, const struct outcome *outcome)
{
    (void)tag;
    (void)outcome; /* what is still to be stopped is asked for again */
    struct drain *drain = state;
    drain->waiting--;
}

static bool drain_over(const struct drain *drain, const struct run *run,
                       uint64_t clock_ms)
{
    const struct registry *registry = control_registry(drain->control);
    const struct member *member = registry_member(registry, run->node);
    if (run->stop != RUN_STOP_NONE || member == NULL || !member->duty.draining) {
        return false;
    }
    /* the clock goes back to the state's while the lead is being given away */
    uint64_t since_ms = drain_since(drain, member, clock_ms);
    return clock_ms >= since_ms &&
           clock_ms - since_ms >= registry_setting(registry, SETTING_DRAIN_DEADLINE);
}

static void drain_propose(struct drain *drain, const struct run *run)
{
    struct command command = {
        .type = COMMAND_RUN_STOP,
        .request_id = text_of(""),
        .actor = text_of(""),
        .run_stop = {.run = run->id, .stop = RUN_STOP_DRAIN},
    };
    if (control_propose(drain->control, &command, drain_decided, drain, 0) == 0) {
        log_info("run %" PRIu64 " of task %s is stopped: its node drains", run->id,
                 run->task);
        drain->waiting++;
    }
}

static uint64_t drain_look(void *state, uint64_t now_ms)
{
    struct drain *drain = state;
    const struct registry *registry = control_registry(drain->control);
    uint64_t clock_ms = control_clock_ms(drain->control);
    drain_note(drain, registry, clock_ms);
    if (drain->count == 0 || drain->waiting > 0) {
        return now_ms + DRAIN_TICK_MS;
    }
    struct map_cursor cursor;
    registry_live_seek(registry, &cursor);
    const struct run *run = NULL;
    while (drain->waiting < DRAIN_BATCH &&
           (run = registry_live_next(&cursor)) != NULL) {
        if (drain_over(drain, run, clock_ms)) {
            drain_propose(drain, run);
        }
    }
    return now_ms + DRAIN_TICK_MS;
}

const struct control_loop control_drain = {
    .name = "drain",
    .start = drain_start,
    .stop = drain_stop,
    .look = drain_look,
};
