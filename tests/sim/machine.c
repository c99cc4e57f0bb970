/* SPDX-License-Identifier: Apache-2.0 */
/* A run on a machine:
 *
 *   QUEUED ─▶ WRITTEN ─▶ CLAIMED ─▶ UP ─▶ LIVE ─▶ STOPPING ─▶ OVER ─▶ ENDED
 *     │          │          │        │      │         │ SIGKILL   result synced
 *     │          └────┬─────┘        │      └────┬────┘
 *     │   the node's  │ process ends └───────────┤ the supervisor is killed
 *     ▼               ▼                          ▼
 *   gone            LEFT ◀── the guard acts ── BEREFT
 *
 * Each arrow is an event of its own after a time of its own, so that the end of the
 * node's process, of its supervisor or of the machine falls between any two. A reboot
 * leaves ENDED ones, LEFT ones, and of what was not synced what the disk has kept.
 *
 * The promise is what a machine owes (DESIGN 9): a supervisor acts within a second of
 * when it should, by the fastest clock there may be. It may use all of it. */
#include "sim/machine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/clock.h"
#include "sim/inside.h"
#include "sim/witness.h"

#define DRIFT_PPM 10000 /* the fastest clock of a leader, beside the world's */
/* But for what clocks of whole milliseconds leave out three times. */
#define LATE_US     (1000000u - DRIFT_PPM - 4000)
#define FULL_AGAIN  1000000 /* us, until a result is written once more */
#define PAUSE_AGAIN 20000

static uint64_t below(struct machine *machine, uint64_t limit)
{
    return sim_random_below(&machine->random, limit);
}

static bool chance(struct machine *machine, uint32_t percent)
{
    return sim_random_chance(&machine->random, percent);
}

static uint64_t now_us(const struct machine *machine)
{
    return sim_time_now_us(machine->world->time);
}

static uint64_t boot_ms(const struct machine *machine)
{
    return clock_boot_ms(machine->clock);
}

/* How long a step takes. */
static uint64_t step_us(struct machine *machine)
{
    uint64_t dice = below(machine, 100);
    return 1 + below(machine, dice < 50 ? 1000 : dice < 88 ? 20000 : 300000);
}

/* By how much somebody who is to act is late. */
static uint64_t late_us(struct machine *machine)
{
    uint64_t dice = below(machine, 100);
    return below(machine, dice < 75 ? 5000 : dice < 92 ? 100000 : LATE_US);
}

static void queue(struct job *job, struct sim_event *event, uint64_t delay_us)
{
    sim_time_queue(job->machine->world->time, event, now_us(job->machine) + delay_us);
}

static void cancel(struct job *job, struct sim_event *event)
{
    sim_time_cancel(job->machine->world->time, event);
}

static void note(const struct job *job, const char *what)
{
    transcript_note(job->machine->world->transcript, "%s: run %" PRIu64 " of %s %s",
                    job->machine->member->name, job->run, job->task, what);
}

static void tell(struct job *job)
{
    struct machine *machine = job->machine;
    if (machine->driver != NULL && !job->adrift && machine->news.slot == 0) {
        world_queue(machine->world, &machine->news, below(machine, 3000));
    }
}

static void machine_news(struct sim_event *event)
{
    struct machine *machine = event->owner;
    if (machine->driver != NULL) {
        sim_driver_look(machine->driver);
    }
}

/* --- states
 * ------------------------------------------------------------------------ */

#define STATE(state) (1u << (state))

static void job_move(struct job *job, enum job_state to)
{
    static const unsigned moves[] = {
        [JOB_QUEUED] = STATE(JOB_WRITTEN) | STATE(JOB_OVER),
        [JOB_WRITTEN] = STATE(JOB_CLAIMED) | STATE(JOB_OVER) | STATE(JOB_LEFT),
        [JOB_CLAIMED] = STATE(JOB_UP) | STATE(JOB_OVER) | STATE(JOB_LEFT),
        [JOB_UP] = STATE(JOB_LIVE) | STATE(JOB_OVER) | STATE(JOB_LEFT),
        [JOB_LIVE] = STATE(JOB_STOPPING) | STATE(JOB_OVER) | STATE(JOB_BEREFT),
        [JOB_STOPPING] = STATE(JOB_OVER) | STATE(JOB_BEREFT),
        [JOB_BEREFT] = STATE(JOB_LEFT),
        [JOB_OVER] = STATE(JOB_ENDED),
        [JOB_ENDED] = 0,
        [JOB_LEFT] = 0,
    };
    assert(moves[job->state] & STATE(to));
    job->state = to;
    chaos_runs_moment(job->machine->member);
}

bool job_answers(const struct job *job)
{
    return job->state == JOB_UP || job->state == JOB_LIVE ||
           job->state == JOB_STOPPING || job->state == JOB_OVER;
}

static bool job_of_node(const struct job *job)
{
    return job->state == JOB_QUEUED || job->state == JOB_WRITTEN ||
           job->state == JOB_CLAIMED;
}

/* Nothing is left to happen to it but what is told. */
static void job_quiet(struct job *job)
{
    struct sim_event *events[] = {&job->step, &job->end, &job->watch, &job->feed,
                                  &job->order};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        cancel(job, events[i]);
    }
}

static void job_dies(struct job *job)
{
    if (job->alive) {
        job->alive = false;
        witness_ends(job->machine->world->witness, job);
    }
}

/* No program of it is there any more, and its supervisor knows how it ended. */
static void job_over(struct job *job, enum driver_outcome outcome, const char *text)
{
    job_dies(job);
    job_quiet(job);
    job->result = mem_zalloc(sizeof *job->result);
    job->result->outcome = outcome;
    job->result->exit_code = outcome == DRIVER_FAILED ? 1 : 0;
    job->result->signal = outcome == DRIVER_LOST || outcome == DRIVER_CANCELLED ? 9 : 0;
    job->result->started_ms = job->begun_ms;
    job->result->ended_ms = clock_wall_ms(job->machine->clock);
    snprintf(job->result->text, sizeof job->result->text, "%s", text);
    job_move(job, JOB_OVER);
    note(job, outcome == DRIVER_SUCCESS ? "is over: success"
              : outcome == DRIVER_LOST  ? "is over: lost"
                                        : "is over");
    queue(job, &job->step, step_us(job->machine));
}

static void job_left(struct job *job)
{
    job_dies(job);
    job_quiet(job);
    job_move(job, JOB_LEFT);
    note(job, "left nothing but its claim");
    tell(job);
}

/* --- the program
 * -------------------------------------------------------------------- */

/* Most are short, some go on for as long as they are let. */
static uint64_t job_life_us(struct job *job)
{
    struct machine *machine = job->machine;
    uint64_t dice = below(machine, 100);
    if (machine->hurry) {
        return 1 + below(machine, 200000);
    }
    return 1 + below(machine, dice < 30   ? 20000
                              : dice < 60 ? 2000000
                              : dice < 85 ? 20000000
                                          : 1000000000);
}

static void job_ends(struct sim_event *event)
{
    struct job *job = event->owner;
    bool stopped = job->state == JOB_STOPPING;
    if (stopped) {
        job_over(job, job->stop_due ? DRIVER_CANCELLED : DRIVER_LOST, "stopped");
    } else if (chance(job->machine, 80)) {
        job_over(job, DRIVER_SUCCESS, "");
    } else {
        job_over(job, DRIVER_FAILED, "exit code 1");
    }
}

/* When the supervisor will have looked at its clock and seen that boot time. */
static uint64_t watch_us(struct job *job, uint64_t at_ms)
{
    return sim_clock_boot_when(job->machine->clock, at_ms) - now_us(job->machine) +
           late_us(job->machine);
}

/* Down the ladder, whose steps are counted from `from_ms`: it ends at once, or as late
 * as it is let, or only by SIGKILL. */
static void job_stop(struct job *job, uint64_t from_ms)
{
    struct machine *machine = job->machine;
    uint64_t dice = below(machine, 100);
    job->kill_ms = from_ms + job->grace_ms;
    job_move(job, JOB_STOPPING);
    note(job, "is being stopped");
    queue(job, &job->watch, watch_us(job, job->kill_ms));
    if (dice < 40) {
        queue(job, &job->end, below(machine, 5000));
    } else if (dice < 60) {
        uint64_t left_ms =
            job->kill_ms > boot_ms(machine) ? job->kill_ms - boot_ms(machine) : 0;
        queue(job, &job->end, below(machine, left_ms * 1000 + 1));
    } else {
        cancel(job, &job->end);
    }
}

/* What a node has said is taken first. */
static void job_take_feed(struct job *job)
{
    if (job->fed_ms > job->deadline_ms) {
        job->deadline_ms = job->fed_ms;
    }
    cancel(job, &job->feed);
}

static void job_watch(struct sim_event *event)
{
    struct job *job = event->owner;
    uint64_t ms = boot_ms(job->machine);
    if (job->state == JOB_STOPPING) {
        job_over(job, job->stop_due ? DRIVER_CANCELLED : DRIVER_LOST, "killed");
        return;
    }
    job_take_feed(job);
    if (ms < job->deadline_ms) {
        queue(job, &job->watch, watch_us(job, job->deadline_ms));
    } else if (PLANTED(STOP_ON_EOF) && job->machine->driver != NULL) {
        queue(job, &job->watch, 1000 + late_us(job->machine));
    } else if (job->state == JOB_UP) {
        job_over(job, DRIVER_LOST, "the lease ran out before it began");
    } else {
        job_stop(job, job->deadline_ms);
    }
}

static void job_begins(struct job *job)
{
    struct machine *machine = job->machine;
    job_move(job, JOB_LIVE);
    job->alive = true;
    job->begun_ms = clock_wall_ms(machine->clock);
    note(job, "begins");
    queue(job, &job->end, job_life_us(job));
    witness_begins(machine->world->witness, job);
    tell(job);
}

/* --- from the node to the program
 * --------------------------------------------------- */

static bool job_claims(struct job *job)
{
    struct machine *machine = job->machine;
    if (machine->member->limited && chance(machine, 60)) {
        job_over(job, DRIVER_FAILED, "it cannot be claimed: no room");
        return false;
    }
    return true;
}

static void job_goes_up(struct job *job)
{
    job_move(job, JOB_UP);
    job_take_feed(job);
    if (boot_ms(job->machine) >= job->deadline_ms) {
        job_over(job, DRIVER_LOST, "the lease ran out before it began");
        return;
    }
    queue(job, &job->watch, watch_us(job, job->deadline_ms));
    queue(job, &job->step, step_us(job->machine));
}

/* On a full disk the supervisor stays, and tells whoever listens. */
static void job_writes_result(struct job *job)
{
    if (job->machine->member->limited && chance(job->machine, 80)) {
        job->unwritten = true;
        queue(job, &job->step, FULL_AGAIN);
    } else {
        job->unwritten = false;
        job_move(job, JOB_ENDED);
    }
    tell(job);
}

static void job_step(struct sim_event *event)
{
    struct job *job = event->owner;
    struct machine *machine = job->machine;
    if (job_of_node(job) && machine->member->paused) {
        queue(job, &job->step, PAUSE_AGAIN);
        return;
    }
    switch (job->state) {
    case JOB_QUEUED:
        if (job_claims(job)) {
            job_move(job, JOB_WRITTEN);
            queue(job, &job->step, step_us(machine));
        }
        break;
    case JOB_WRITTEN:
        job_move(job, JOB_CLAIMED);
        queue(job, &job->step, step_us(machine));
        break;
    case JOB_CLAIMED:
        job_goes_up(job);
        break;
    case JOB_UP:
        job_begins(job);
        break;
    case JOB_BEREFT:
        job_left(job);
        break;
    case JOB_OVER:
        job_writes_result(job);
        break;
    case JOB_LIVE:
    case JOB_STOPPING:
    case JOB_ENDED:
    case JOB_LEFT:
        break;
    }
}

static void job_fed(struct sim_event *event)
{
    struct job *job = event->owner;
    if (job->state == JOB_UP || job->state == JOB_LIVE) {
        job_take_feed(job);
    }
}

static void job_ordered(struct sim_event *event)
{
    struct job *job = event->owner;
    if (job->kill_due && job->state == JOB_BEREFT) {
        job_left(job);
    } else if (job->state == JOB_BEREFT || job->state == JOB_OVER ||
               job->state == JOB_ENDED || job->state == JOB_LEFT) {
        return;
    } else if (job->kill_due) {
        job_over(job, DRIVER_LOST, "killed");
    } else if (job->state == JOB_LIVE) {
        job_stop(job, boot_ms(job->machine));
    } else if (job->state != JOB_STOPPING) {
        job_over(job, DRIVER_CANCELLED, "it was stopped before it began");
    }
}

struct job *machine_job(struct machine *machine, uint64_t run)
{
    for (struct job *job = machine->jobs; job != NULL; job = job->next) {
        if (job->run == run && !job->adrift) {
            return job;
        }
    }
    return NULL;
}

struct job *machine_start(struct machine *machine, const struct driver_spec *spec)
{
    struct job *job = mem_zalloc(sizeof *job);
    *job = (struct job){
        .machine = machine,
        .next = machine->jobs,
        .run = spec->run,
        .state = JOB_QUEUED,
        .inspects = spec->inspect,
        .boot = machine->boot,
        .deadline_ms = spec->deadline_ms,
        .grace_ms = spec->grace_ms,
        .step = {.fire = job_step, .owner = job},
        .end = {.fire = job_ends, .owner = job},
        .watch = {.fire = job_watch, .owner = job},
        .feed = {.fire = job_fed, .owner = job},
        .order = {.fire = job_ordered, .owner = job},
    };
    snprintf(job->task, sizeof job->task, "%s", spec->task);
    machine->jobs = job;
    note(job, "is given to the driver");
    witness_starts(machine->world->witness, job);
    queue(job, &job->step, step_us(machine));
    return job;
}

void machine_feed(struct job *job, uint64_t deadline_ms)
{
    if (deadline_ms > job->fed_ms) {
        job->fed_ms = deadline_ms;
    }
    if (job->feed.slot == 0 && (job->state == JOB_UP || job->state == JOB_LIVE)) {
        queue(job, &job->feed, step_us(job->machine));
    }
}

void machine_stop(struct job *job)
{
    job->stop_due = true;
    queue(job, &job->order, step_us(job->machine));
}

void machine_kill(struct job *job)
{
    job->kill_due = true;
    queue(job, &job->order, step_us(job->machine));
}

static void job_free(struct job *job)
{
    assert(!job->alive);
    job_quiet(job);
    mem_free(job->result);
    mem_free(job);
}

static bool job_is_nothing(const struct job *job)
{
    bool ended = job->state == JOB_ENDED || job->state == JOB_LEFT;
    return ended && job->adrift;
}

/* Of what is neither on the disk nor alive nothing is kept. */
static void machine_tidy(struct machine *machine)
{
    struct job **at = &machine->jobs;
    while (*at != NULL) {
        struct job *job = *at;
        if (job_is_nothing(job)) {
            *at = job->next;
            job_free(job);
        } else {
            at = &job->next;
        }
    }
}

/* Mostly its folder goes at once. */
void machine_forget(struct job *job)
{
    job->forgotten = true;
    if (chance(job->machine, 80)) {
        job->adrift = true;
        machine_tidy(job->machine);
    }
}

/* --- what befalls all of it
 * --------------------------------------------------------- */

/* Nobody can find it any more; what of it is alive goes on by itself. */
static void job_set_adrift(struct job *job)
{
    if (!job->adrift) {
        job->adrift = true;
        cancel(job, &job->order);
    }
}

/* The claim is there or not; the supervisor was just started or not. */
static void job_loses_node(struct job *job)
{
    if (job->state == JOB_QUEUED) {
        job->adrift |= chance(job->machine, 50);
        job_move(job, JOB_WRITTEN);
        job_left(job);
    } else if (job->state == JOB_WRITTEN || job->state == JOB_CLAIMED) {
        if (chance(job->machine, 50)) {
            job_left(job);
        } else {
            job->state = JOB_CLAIMED;
            job_goes_up(job);
        }
    }
}

void machine_node_gone(struct machine *machine)
{
    machine->driver = NULL;
    sim_time_cancel(machine->world->time, &machine->news);
    for (struct job *job = machine->jobs; job != NULL; job = job->next) {
        job_loses_node(job);
        if (PLANTED(STOP_ON_EOF) && job->state == JOB_LIVE) {
            job_stop(job, boot_ms(machine));
        }
        if (PLANTED(NO_CLAIM) && job->state != JOB_ENDED) {
            job_set_adrift(job);
        }
    }
    machine_tidy(machine);
}

static void job_loses_power(struct job *job)
{
    struct machine *machine = job->machine;
    bool synced = job->state != JOB_WRITTEN && job->state != JOB_QUEUED;
    job_dies(job);
    job_quiet(job);
    if (job->adrift || (!synced && chance(machine, 50))) {
        job->adrift = true;
        job->state = JOB_LEFT; /* nothing at all: machine_tidy() */
    } else if (job->state == JOB_OVER && chance(machine, 50)) {
        job_move(job, JOB_ENDED);
    } else if (job->state != JOB_ENDED) {
        job->state = JOB_LEFT;
    }
    if (job->forgotten && chance(machine, 30)) {
        job->forgotten = false; /* that was not synced */
    }
}

static void machine_boot(struct machine *machine)
{
    bool slowest = chance(machine, 50);
    machine->boot++;
    machine->boot_ppm = slowest ? 0 : (int32_t)below(machine, DRIFT_PPM + 1);
    sim_clock_boot_of(machine->clock, now_us(machine), 1000 + below(machine, 100000),
                      machine->boot_ppm);
}

void machine_reboot(struct machine *machine)
{
    for (struct job *job = machine->jobs; job != NULL; job = job->next) {
        job_loses_power(job);
    }
    machine_tidy(machine);
    machine_boot(machine);
}

void machine_lose_folder(struct machine *machine)
{
    for (struct job *job = machine->jobs; job != NULL; job = job->next) {
        job_set_adrift(job);
    }
    machine_tidy(machine);
}

/* Its guard is there to kill what it leaves; in the time that it would have had. */
static void job_is_bereft(struct job *job)
{
    struct machine *machine = job->machine;
    uint64_t end_ms =
        job->state == JOB_STOPPING ? job->kill_ms : job->deadline_ms + job->grace_ms;
    uint64_t latest_us = sim_clock_boot_when(machine->clock, end_ms) + LATE_US;
    uint64_t guard_us = now_us(machine) + late_us(machine);
    note(job, "has lost its supervisor");
    job_quiet(job);
    if (job->state == JOB_UP) {
        job_left(job);
        return;
    }
    job_move(job, JOB_BEREFT);
    sim_time_queue(machine->world->time, &job->step,
                   guard_us < latest_us ? guard_us : latest_us);
}

void machine_kill_supervisor(struct machine *machine, uint64_t dice)
{
    size_t count = 0;
    for (struct job *job = machine->jobs; job != NULL; job = job->next) {
        count += job_answers(job) && job->state != JOB_OVER;
    }
    if (count == 0) {
        return;
    }
    size_t skip = dice % count;
    for (struct job *job = machine->jobs; job != NULL; job = job->next) {
        if (job_answers(job) && job->state != JOB_OVER && skip-- == 0) {
            job_is_bereft(job);
            return;
        }
    }
}

/* A disk that fails, now and then, for so long that its node says that it carries out
 * nothing. */
uint64_t machine_scan_us(struct machine *machine)
{
    bool fails = !machine->world->calm && chance(machine, 3);
    return below(machine, fails ? 20000000 : 50000);
}

bool machine_may_begin(const struct machine *machine, uint64_t run)
{
    for (const struct job *job = machine->jobs; job != NULL; job = job->next) {
        if (job->run == run && (job_of_node(job) || job->state == JOB_UP) &&
            boot_ms(machine) < job->deadline_ms) {
            return true;
        }
    }
    return false;
}

size_t machine_alive(const struct machine *machine)
{
    size_t count = 0;
    for (const struct job *job = machine->jobs; job != NULL; job = job->next) {
        count += job->alive;
    }
    return count;
}

void machine_hurry(struct machine *machine)
{
    machine->hurry = true;
    for (struct job *job = machine->jobs; job != NULL; job = job->next) {
        if (job->state == JOB_LIVE) {
            queue(job, &job->end, below(machine, 1000000));
        }
    }
}

void machine_clock(const struct machine *machine, struct clock *clock)
{
    sim_clock_boot_like(clock, machine->clock);
}

struct machine *machine_new(struct sim_node *member, uint64_t seed)
{
    struct machine *machine = mem_zalloc(sizeof *machine);
    machine->world = member->world;
    machine->member = member;
    machine->news = (struct sim_event){.fire = machine_news, .owner = machine};
    sim_random_init(&machine->random, seed);
    machine->clock = sim_clock_new(member->world->time, seed);
    machine_boot(machine);
    return machine;
}

void machine_free(struct machine *machine)
{
    while (machine->jobs != NULL) {
        struct job *job = machine->jobs;
        machine->jobs = job->next;
        job_dies(job);
        job_free(job);
    }
    sim_clock_free(machine->clock);
    mem_free(machine);
}
