/* SPDX-License-Identifier: Apache-2.0 */
/* One turn settles everything: what the registry wants of this node beside what the
 * driver has. A run's states and moves are drawn in local_run.c.
 *
 * Happy path: run.placed is applied, a lease is asked for; it comes, its index is
 * applied: the driver starts the run; each renewal feeds it; it ends, the end is
 * reported, the registry shows it: the driver forgets the run.
 *
 * What the node finds after its own restart: a run that is alive is adopted (and fed
 * from the next lease on); one that has ended is reported; one that was claimed and of
 * which nothing is left is reported lost, and never started again. Until the registry
 * has been read up to the number of a run nothing is decided about it: what is not
 * there yet is not gone.
 *
 * A node that is not to begin runs, or whose driver cannot tell what there is, has its
 * row say so: none is placed on it. One that was is ended as lost by the former, so
 * that it begins elsewhere; the latter, as long as it has nothing to feed, asks for no
 * lease, and a leader finds it silent.
 *
 * A run that is alive and not live here in the registry is killed: it was declared
 * lost, or this node was removed, or its folder comes from another cluster. That is
 * safe on a state of yesterday: an end is never taken back. */
#include "run/runner.h"

#include <assert.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "run/inside.h"

#define RUNNER_WAIT_MS     20    /* while a run waits for the index of its lease */
#define RUNNER_UNABLE_MS   30000 /* before it tries again whether runs can be begun */
#define RUNNER_READY_MS    10000 /* the driver is to know by then what there is */
#define RUNNER_STARTS      64    /* of one look: some 15 us each */
#define RUNNER_LIVE_PER_MS 128   /* live runs for which looks are a millisecond apart */
#define RUNNER_EVENTS_LOOK 1024  /* more news than this: look without reading it */

/* When the next look may be: with many runs one after each piece of news would be all
 * that the node does. */
static uint64_t runner_rested_ms(const struct runner *runner)
{
    uint64_t live = registry_live_count(node_registry(runner->node));
    return runner->looked_ms + live / RUNNER_LIVE_PER_MS;
}

/* Have the timer fire at `at_ms`, if it does not before. */
static void runner_arm(struct runner *runner, uint64_t at_ms)
{
    struct clock_timer *timer = &runner->timer;
    if (at_ms < UINT64_MAX && (!clock_timer_active(timer) || at_ms < timer->due_ms)) {
        clock_timer_stop(runner->clock, timer);
        clock_timer_start(runner->clock, timer, at_ms);
    }
}

void runner_wake(struct runner *runner)
{
    if (runner->stopping) {
        return;
    }
    uint64_t rested_ms = runner_rested_ms(runner);
    if (clock_now_ms(runner->clock) >= rested_ms) {
        clock_defer(runner->clock, &runner->turn);
    } else {
        runner_arm(runner, rested_ms);
    }
}

/* --- what the registry says ------------------------------------------------------ */

/* The run, if it is live and placed on this node; NULL else. */
static const struct run *runner_wanted(const struct runner *runner, uint64_t id)
{
    const struct run *run = registry_run(node_registry(runner->node), id);
    return !runner->removed && run != NULL && run->state != RUN_ENDED &&
                   run->node == runner->self
               ? run
               : NULL;
}

/* What is said of that run here is final if it is not wanted: it was applied. */
static bool runner_knows(const struct runner *runner, uint64_t id)
{
    return runner->removed || id <= registry_sequence(node_registry(runner->node));
}

/* --- one run --------------------------------------------------------------------- */

static void runner_drop(struct runner *runner, struct local_run *local)
{
    if (local->driven) {
        runner->driver->ops->forget(runner->driver, local->run);
    }
    local_runs_remove(&runner->runs, local->run);
}

/* It is not to be here. */
static void runner_disown(struct runner *runner, struct local_run *local)
{
    switch (local->state) {
    case LOCAL_WAITING:
    case LOCAL_ENDED:
        runner_drop(runner, local);
        break;
    case LOCAL_STARTING:
    case LOCAL_RUNNING:
    case LOCAL_STOPPING:
        log_warn("run %" PRIu64 " is killed: it is not live on this node any more",
                 local->run);
        local_run_move(local, LOCAL_KILLING);
        runner->driver->ops->kill(runner->driver, local->run);
        break;
    case LOCAL_KILLING:
        break;
    }
}

static void runner_settle_wanted(struct runner *runner, struct local_run *local,
                                 const struct run *run)
{
    switch (local->state) {
    case LOCAL_WAITING:
        if (run->state == RUN_STOPPING) {
            report_end_without(runner, local, DRIVER_CANCELLED,
                               "it was stopped before it began");
        } else if (runner->idle) {
            report_end_without(runner, local, DRIVER_LOST,
                               "its node carries out no runs (runs.enabled)");
        } else if (runner->starts < RUNNER_STARTS && start_try(runner, local, run)) {
            runner->starts++;
        }
        break;
    case LOCAL_STARTING:
    case LOCAL_RUNNING:
        if (run->state == RUN_STOPPING) {
            log_info("run %" PRIu64 " of task %s is stopped", run->id, run->task);
            local_run_move(local, LOCAL_STOPPING);
            runner->driver->ops->stop(runner->driver, run->id);
        }
        break;
    case LOCAL_STOPPING:
    case LOCAL_KILLING:
    case LOCAL_ENDED:
        break;
    }
    report_settle(runner, local, run);
}

static void runner_settle(struct runner *runner, struct local_run *local)
{
    const struct run *run = runner_wanted(runner, local->run);
    if (run != NULL) {
        runner_settle_wanted(runner, local, run);
    } else if (runner_knows(runner, local->run)) {
        runner_disown(runner, local);
    }
}

/* --- all of them ----------------------------------------------------------------- */

/* A run that is wanted here and that the driver has never heard of. */
static void runner_take(struct runner *runner, const struct run *run)
{
    struct local_run *local = local_runs_add(&runner->runs, run->id, LOCAL_WAITING);
    if (run->started_ms > 0 || run->state == RUN_RUNNING) {
        report_end_without(runner, local, DRIVER_LOST,
                           "its node has no trace of it any more");
    }
}

/* The shortest lease that a run which is wanted here is placed with; 0: none is. */
static uint32_t runner_take_wanted(struct runner *runner)
{
    uint32_t lease_ms = 0;
    struct map_cursor cursor;
    registry_live_seek(node_registry(runner->node), &cursor);
    const struct run *run = NULL;
    while (!runner->removed && (run = registry_live_next(&cursor)) != NULL) {
        if (run->node == runner->self) {
            lease_ms =
                lease_ms == 0 || run->lease_ms < lease_ms ? run->lease_ms : lease_ms;
            if (runner->ready && local_runs_find(&runner->runs, run->id) == NULL) {
                runner_take(runner, run);
            }
        }
    }
    return lease_ms;
}

/* Oldest first: not all that may begin do so in one look. */
static void runner_settle_all(struct runner *runner)
{
    struct local_runs *runs = &runner->runs;
    size_t i = 0;
    while (i < runs->count) {
        uint64_t run = runs->items[i]->run;
        runner_settle(runner, runs->items[i]);
        i += i < runs->count && runs->items[i]->run == run; /* else it went */
    }
}

/* There is a lease, and its index is not applied yet: nobody tells when it is. */
static bool runner_index_waits(struct runner *runner)
{
    struct lease_view lease;
    struct node_status status;
    node_lease(runner->node, &lease);
    node_status(runner->node, &status);
    return lease.until_ms > runner->driver->ops->now_ms(runner->driver) &&
           status.applied < lease.index;
}

/* The driver cannot tell what there is, and by now should. */
static bool runner_late(const struct runner *runner)
{
    return !runner->ready &&
           clock_now_ms(runner->clock) >= runner->opened_ms + RUNNER_READY_MS;
}

/* What this node carries runs out with, at the moment. */
static uint32_t runner_drivers(const struct runner *runner)
{
    bool able = runner->looked_ms >= runner->unable_until_ms;
    return able && !runner->idle && !runner_late(runner) ? MEMBER_DRIVER_EXEC : 0;
}

/* When to look again though nothing is heard; UINT64_MAX: not. */
static uint64_t runner_next_ms(struct runner *runner)
{
    uint64_t now_ms = clock_now_ms(runner->clock);
    uint64_t next_ms = UINT64_MAX;
    if (runner->announce_after_ms > 0 && !runner->announcing) {
        next_ms = runner->announce_after_ms;
    }
    if (!runner->ready && !runner_late(runner) &&
        runner->opened_ms + RUNNER_READY_MS < next_ms) {
        next_ms = runner->opened_ms + RUNNER_READY_MS;
    }
    if (runner->unable_until_ms > now_ms && runner->unable_until_ms < next_ms) {
        next_ms = runner->unable_until_ms;
    }
    bool index_waits = runner_index_waits(runner);
    for (size_t i = 0; i < runner->runs.count; i++) {
        const struct local_run *local = runner->runs.items[i];
        uint64_t due_ms = UINT64_MAX;
        if (local->state == LOCAL_WAITING && index_waits) {
            due_ms = now_ms + RUNNER_WAIT_MS;
        } else if (local->report_after_ms > now_ms) {
            due_ms = local->report_after_ms;
        }
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    return next_ms;
}

static void runner_want_lease(struct runner *runner, uint32_t lease_ms)
{
    bool wanted = lease_ms > 0;
    node_lease_shorten(runner->node, PLANTED_OR(LONGER_LEASE, 0, lease_ms));
    if (wanted != runner->wants) {
        runner->wants = wanted;
        node_lease_want(runner->node, wanted);
    }
}

static void runner_look(struct runner *runner)
{
    struct node_status status;
    node_status(runner->node, &status);
    runner->self = status.id;
    runner->removed = status.role == NODE_REMOVED;
    runner->looked_ms = clock_now_ms(runner->clock);
    runner->starts = 0;
    clock_timer_stop(runner->clock, &runner->timer);
    bool late = runner_late(runner);
    report_drivers(runner, runner_drivers(runner));
    uint32_t lease_ms = runner_take_wanted(runner);
    runner_settle_all(runner);
    runner_want_lease(runner, late && runner->runs.count == 0 ? 0 : lease_ms);
    runner_arm(runner, runner_next_ms(runner));
    if (runner->starts == RUNNER_STARTS) { /* the turn is over, there may be more */
        uint64_t rested_ms = runner_rested_ms(runner);
        runner_arm(runner,
                   rested_ms > runner->looked_ms ? rested_ms : runner->looked_ms + 1);
    }
}

static void runner_turn(struct clock_task *task)
{
    runner_look(task->owner);
}

static void runner_timer(struct clock_timer *timer)
{
    runner_look(timer->owner);
}

/* --- news ------------------------------------------------------------------------ */

/* Runs, and the rows of members: what this node carries out stands in its own. */
static bool event_concerns(enum event_type type)
{
    return type == EVENT_RUN_PLACED || type == EVENT_RUN_STARTED ||
           type == EVENT_RUN_STOPPING || type == EVENT_RUN_ENDED ||
           type == EVENT_MEMBER_JOINED || type == EVENT_MEMBER_UPDATED;
}

/* Do these events concern this node? What fell out of the log may. */
static bool runner_concerned(const struct runner *runner, uint64_t from, uint64_t to)
{
    const struct event_log *log = registry_events(node_registry(runner->node));
    if (to - from > RUNNER_EVENTS_LOOK || log->first > from + 1) {
        return true;
    }
    const struct event *event = event_log_after(log, from);
    for (; event != NULL && event->seq <= to;
         event = event_log_after(log, event->seq)) {
        if (event_concerns(event->type)) {
            return true;
        }
    }
    return false;
}

static void runner_changed(struct fsm_watch *watch, uint64_t from, uint64_t to)
{
    struct runner *runner = watch->owner;
    size_t count = runner->runs.count;
    /* One that was not known here yet may be by now. */
    bool waits = count > 0 && runner->runs.items[count - 1]->run > from;
    if (waits || runner_concerned(runner, from, to)) {
        runner_wake(runner);
    }
}

static void runner_led(struct node_watch *watch, const struct node_status *status)
{
    (void)status;
    struct runner *runner = watch->owner;
    for (size_t i = 0; i < runner->runs.count; i++) {
        runner->runs.items[i]->report_after_ms = 0; /* somebody new may take it */
    }
    runner->announce_after_ms = 0;
    runner_wake(runner);
}

static void runner_renewed(struct lease_watch *watch, const struct lease_view *lease)
{
    (void)lease;
    struct runner *runner = watch->owner;
    for (size_t i = 0; i < runner->runs.count; i++) {
        struct local_run *local = runner->runs.items[i];
        const struct run *run = runner_wanted(runner, local->run);
        if (run != NULL && local_run_alive(local) && local->state != LOCAL_KILLING) {
            uint64_t deadline_ms = start_deadline_ms(runner, run);
            if (deadline_ms > 0) {
                runner->driver->ops->feed(runner->driver, local->run, deadline_ms);
            }
        }
    }
    runner_wake(runner);
}

/* --- the driver ------------------------------------------------------------------ */

static void runner_found(void *owner, uint64_t run, enum driver_phase phase,
                         const struct driver_result *result)
{
    struct runner *runner = owner;
    struct local_run *local = local_runs_add(&runner->runs, run, LOCAL_STARTING);
    local->driven = true;
    switch (phase) {
    case DRIVER_ALIVE:
        log_info("run %" PRIu64 " of an earlier start of this node is alive: adopted",
                 run);
        break;
    case DRIVER_ENDED:
        local_run_end(local, result);
        break;
    case DRIVER_CLAIMED:
        if (PLANTED(CLAIMED_AGAIN)) {
            local_runs_remove(&runner->runs, run);
            break;
        }
        report_end_without(runner, local, DRIVER_LOST,
                           "it was claimed, and when its node came back nothing of it "
                           "was left");
        break;
    }
    runner_wake(runner);
}

static void runner_ready(void *owner)
{
    struct runner *runner = owner;
    runner->ready = true;
    runner_wake(runner);
}

static void runner_started(void *owner, uint64_t run, uint64_t wall_ms)
{
    struct runner *runner = owner;
    struct local_run *local = local_runs_find(&runner->runs, run);
    if (local == NULL) {
        return;
    }
    local->started_ms = wall_ms;
    if (local->state == LOCAL_STARTING) {
        local_run_move(local, LOCAL_RUNNING);
    }
    runner_wake(runner);
}

static void runner_ended(void *owner, uint64_t run, const struct driver_result *result)
{
    struct runner *runner = owner;
    struct local_run *local = local_runs_find(&runner->runs, run);
    if (local == NULL || !local_run_alive(local)) {
        return;
    }
    log_info("run %" PRIu64 " has ended: %s%s%s", run,
             run_outcome_name((enum run_outcome)result->outcome),
             result->text[0] != '\0' ? ": " : "", result->text);
    if (result->unable) {
        runner->unable_until_ms = clock_now_ms(runner->clock) + RUNNER_UNABLE_MS;
        log_error("this node can begin no run, and takes none for %d s: %s",
                  RUNNER_UNABLE_MS / 1000, result->text);
    }
    local_run_end(local, result);
    local->report_after_ms = 0;
    runner_wake(runner);
}

static const struct driver_events runner_events = {
    .found = runner_found,
    .ready = runner_ready,
    .started = runner_started,
    .ended = runner_ended,
};

/* --- life ------------------------------------------------------------------------ */

struct runner *runner_new(const struct runner_options *options)
{
    struct runner *runner = mem_zalloc(sizeof *runner);
    runner->clock = options->clock;
    runner->node = options->node;
    runner->driver = options->driver;
    runner->modules = options->modules;
    runner->idle = options->idle;
    runner->opened_ms = clock_now_ms(options->clock);
    runner->uid = options->uid;
    runner->gid = options->gid;
    runner->limits = options->limits;
    runner->turn = (struct clock_task){.run = runner_turn, .owner = runner};
    runner->timer = (struct clock_timer){.fire = runner_timer, .owner = runner};
    runner->events = (struct fsm_watch){.changed = runner_changed, .owner = runner};
    runner->leadership = (struct node_watch){.changed = runner_led, .owner = runner};
    runner->leases = (struct lease_watch){.renewed = runner_renewed, .owner = runner};
    fsm_watch(node_fsm(runner->node), &runner->events);
    node_on_leadership(runner->node, &runner->leadership);
    node_on_lease(runner->node, &runner->leases);
    runner->driver->ops->open(runner->driver, &runner_events, runner);
    runner_wake(runner);
    return runner;
}

static void runner_closed(void *ctx)
{
    struct runner *runner = ctx;
    void (*stopped)(void *owner) = runner->stopped;
    void *owner = runner->stopped_owner;
    local_runs_close(&runner->runs);
    mem_free(runner);
    stopped(owner);
}

void runner_retire(struct runner *runner)
{
    runner->retired = true;
}

void runner_stop(struct runner *runner, void (*stopped)(void *owner), void *owner)
{
    runner->stopping = true;
    runner->stopped = stopped;
    runner->stopped_owner = owner;
    runner_want_lease(runner, 0);
    clock_timer_stop(runner->clock, &runner->timer);
    clock_defer_cancel(runner->clock, &runner->turn);
    fsm_unwatch(node_fsm(runner->node), &runner->events);
    node_off_leadership(runner->node, &runner->leadership);
    node_off_lease(runner->node, &runner->leases);
    report_forget_all(runner);
    runner->driver->ops->close(runner->driver, runner_closed, runner);
}

size_t runner_count(const struct runner *runner)
{
    return runner->runs.count;
}
