/* SPDX-License-Identifier: Apache-2.0 */
/* The driver that a runner stands on in a world: what it is told goes to its machine
 * (sim/machine.h), what happens there it tells, on the node's own loop. It holds the
 * runner to the contract of exec/driver.h. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/plant.h"
#include "sim/inside.h"
#include "sim/machine.h"

struct sim_driver {
    struct driver driver; /* first: a struct driver * is a struct sim_driver * */
    struct world *world;
    struct machine *machine;
    struct clock *clock; /* of the node */
    const struct driver_events *events;
    void *owner;
    bool ready;
    struct clock_task turn;
    struct sim_event end;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static struct sim_driver *driver_of(struct driver *driver)
{
    return (struct sim_driver *)driver;
}

/* --- what is told
 * ------------------------------------------------------------------- */

static bool job_left_alone(const struct job *job)
{
    return job->adrift || job->forgotten;
}

static bool job_seems_alive(const struct job *job)
{
    bool stale = job->state == JOB_LEFT && job->boot != job->machine->boot;
    return job_answers(job) || (PLANTED(ADOPT_STALE) && stale);
}

/* Who is about to go, one way or the other, is waited for. */
static void driver_finds(struct sim_driver *driver, struct job *job)
{
    if (job->state == JOB_ENDED || (job->state == JOB_LEFT && !job_seems_alive(job))) {
        job->finding = false;
        job->told_ended = true;
        driver->events->found(driver->owner, job->run,
                              job->state == JOB_ENDED ? DRIVER_ENDED : DRIVER_CLAIMED,
                              job->result);
    } else if (job_seems_alive(job)) {
        job->finding = false;
        driver->events->found(driver->owner, job->run, DRIVER_ALIVE, NULL);
    }
}

/* Its supervisor was killed, and what it had started is dead by now. */
static void driver_tells_loss(struct sim_driver *driver, const struct job *job)
{
    struct driver_result lost = {
        .outcome = DRIVER_LOST,
        .signal = 9,
        .started_ms = job->begun_ms,
        .ended_ms = clock_wall_ms(job->machine->clock),
        .text = "its supervisor was killed",
    };
    driver->events->ended(driver->owner, job->run, &lost);
}

static void driver_tells(struct sim_driver *driver, struct job *job)
{
    bool left = job->state == JOB_LEFT && !job_seems_alive(job);
    if (job->told_ended) {
        return;
    }
    if (job->begun_ms > 0 && !job->told_begun) {
        job->told_begun = true;
        driver->events->started(driver->owner, job->run, job->begun_ms);
    }
    job->told_ended = left || job->state == JOB_ENDED || job->unwritten;
    if (left) {
        driver_tells_loss(driver, job);
    } else if (job->told_ended) {
        driver->events->ended(driver->owner, job->run, job->result);
    }
}

static void driver_turn(struct clock_task *task)
{
    struct sim_driver *driver = task->owner;
    bool finding = false;
    for (struct job *job = driver->machine->jobs; job != NULL; job = job->next) {
        if (job->finding && !job_left_alone(job)) {
            driver_finds(driver, job);
        }
        finding |= job->finding && !job_left_alone(job);
        if (!job->finding && !job_left_alone(job)) {
            driver_tells(driver, job);
        }
    }
    if (!finding && !driver->ready) {
        driver->ready = true;
        driver->events->ready(driver->owner);
    }
}

void sim_driver_look(struct sim_driver *driver)
{
    clock_defer(driver->clock, &driver->turn);
}

/* --- what is asked
 * ------------------------------------------------------------------ */

static void driver_open(struct driver *base, const struct driver_events *events,
                        void *owner)
{
    struct sim_driver *driver = driver_of(base);
    driver->events = events;
    driver->owner = owner;
    driver->machine->driver = driver;
    for (struct job *job = driver->machine->jobs; job != NULL; job = job->next) {
        job->finding = true;
        job->told_begun = false;
        job->told_ended = false;
    }
    world_queue(driver->world, &driver->machine->news,
                machine_scan_us(driver->machine));
}

static void driver_start(struct driver *base, const struct driver_spec *spec)
{
    struct sim_driver *driver = driver_of(base);
    if (!driver->ready) {
        world_break(driver->world, "run %" PRIu64 " is started before it may be",
                    spec->run);
    }
    if (machine_job(driver->machine, spec->run) != NULL) {
        world_break(driver->world, "%s: run %" PRIu64 " is started once more",
                    driver->machine->member->name, spec->run);
    }
    machine_start(driver->machine, spec);
}

static struct job *driver_job(struct sim_driver *driver, uint64_t run, const char *what)
{
    struct job *job = machine_job(driver->machine, run);
    if (job == NULL || job->forgotten) {
        world_break(driver->world, "%s: run %" PRIu64 " is not there to %s",
                    driver->machine->member->name, run, what);
    }
    return job;
}

static void driver_feed(struct driver *base, uint64_t run, uint64_t deadline_ms)
{
    machine_feed(driver_job(driver_of(base), run, "feed"), deadline_ms);
}

static void driver_stop(struct driver *base, uint64_t run)
{
    machine_stop(driver_job(driver_of(base), run, "stop"));
}

static void driver_kill(struct driver *base, uint64_t run)
{
    machine_kill(driver_job(driver_of(base), run, "kill"));
}

static void driver_forget(struct driver *base, uint64_t run)
{
    struct sim_driver *driver = driver_of(base);
    struct job *job = driver_job(driver, run, "forget");
    if (!job->told_ended) {
        world_break(driver->world, "%s: run %" PRIu64 " is forgotten before its end",
                    driver->machine->member->name, run);
    }
    machine_forget(job);
}

static uint64_t driver_now_ms(struct driver *base)
{
    return clock_boot_ms(driver_of(base)->machine->clock);
}

static void driver_is_closed(struct sim_event *event)
{
    struct sim_driver *driver = event->owner;
    void (*closed)(void *ctx) = driver->closed;
    void *ctx = driver->closed_ctx;
    mem_free(driver);
    closed(ctx);
}

static void driver_close(struct driver *base, void (*closed)(void *ctx), void *ctx)
{
    struct sim_driver *driver = driver_of(base);
    driver->closed = closed;
    driver->closed_ctx = ctx;
    clock_defer_cancel(driver->clock, &driver->turn);
    machine_node_gone(driver->machine);
    world_queue(driver->world, &driver->end, 0);
}

struct driver *sim_driver_new(struct machine *machine)
{
    static const struct driver_ops ops = {
        .open = driver_open,
        .start = driver_start,
        .feed = driver_feed,
        .stop = driver_stop,
        .kill = driver_kill,
        .forget = driver_forget,
        .now_ms = driver_now_ms,
        .close = driver_close,
    };
    struct sim_driver *driver = mem_zalloc(sizeof *driver);
    driver->driver.ops = &ops;
    driver->world = machine->world;
    driver->machine = machine;
    driver->clock = machine->member->clock;
    driver->turn = (struct clock_task){.run = driver_turn, .owner = driver};
    driver->end = (struct sim_event){.fire = driver_is_closed, .owner = driver};
    return &driver->driver;
}
