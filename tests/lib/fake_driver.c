/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_driver.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void fake_wake(struct fake_driver *fake)
{
    clock_defer(fake->clock, &fake->turn);
}

static struct fake_driver *fake_of(struct driver *driver)
{
    return (struct fake_driver *)driver;
}

struct fake_run *fake_driver_run(struct fake_driver *fake, uint64_t run)
{
    for (size_t i = 0; i < fake->count; i++) {
        if (fake->runs[i].run == run) {
            return &fake->runs[i];
        }
    }
    return NULL;
}

static struct fake_run *fake_known(struct driver *driver, uint64_t run)
{
    struct fake_run *known = fake_driver_run(fake_of(driver), run);
    assert(known != NULL && !known->forgotten);
    return known;
}

struct fake_run *fake_driver_put(struct fake_driver *fake, uint64_t run,
                                 enum driver_phase phase)
{
    assert(fake->count < FAKE_RUNS && fake_driver_run(fake, run) == NULL);
    struct fake_run *put = &fake->runs[fake->count++];
    *put = (struct fake_run){.run = run, .phase = phase};
    return put;
}

/* --- deadlines ------------------------------------------------------------------- */

static void fake_arm(struct fake_driver *fake)
{
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < fake->count; i++) {
        const struct fake_run *run = &fake->runs[i];
        if (run->phase == DRIVER_ALIVE && run->deadline_ms > 0 &&
            run->deadline_ms < next_ms) {
            next_ms = run->deadline_ms;
        }
    }
    clock_timer_stop(fake->clock, &fake->deadline);
    if (next_ms != UINT64_MAX) {
        uint64_t boot_ms = clock_boot_ms(fake->clock);
        clock_timer_start(fake->clock, &fake->deadline,
                          clock_now_ms(fake->clock) +
                              (next_ms > boot_ms ? next_ms - boot_ms : 0));
    }
}

void fake_driver_end(struct fake_driver *fake, uint64_t id, enum driver_outcome outcome,
                     uint32_t exit_code, const char *text)
{
    struct fake_run *run = fake_driver_run(fake, id);
    assert(run != NULL && run->phase == DRIVER_ALIVE);
    run->phase = DRIVER_ENDED;
    run->result = (struct driver_result){
        .outcome = outcome,
        .exit_code = exit_code,
        .started_ms = run->begun ? run->begun_ms : 0,
        .ended_ms = clock_wall_ms(fake->clock),
    };
    snprintf(run->result.text, sizeof run->result.text, "%s", text);
    run->tell_ended = true;
    fake_wake(fake);
}

static void fake_deadline(struct clock_timer *timer)
{
    struct fake_driver *fake = timer->owner;
    for (size_t i = 0; i < fake->count; i++) {
        struct fake_run *run = &fake->runs[i];
        if (run->phase == DRIVER_ALIVE && run->deadline_ms > 0 &&
            run->deadline_ms <= clock_boot_ms(fake->clock)) {
            fake_driver_end(fake, run->run, DRIVER_LOST, 0, "its lease ran out");
        }
    }
    fake_arm(fake);
}

void fake_driver_begin(struct fake_driver *fake, uint64_t id)
{
    struct fake_run *run = fake_driver_run(fake, id);
    assert(run != NULL && run->phase == DRIVER_ALIVE && !run->begun);
    run->begun = true;
    run->begun_ms = clock_wall_ms(fake->clock);
    run->tell_begun = true;
    fake_wake(fake);
}

/* --- what the runner calls ------------------------------------------------------- */

static void fake_open(struct driver *driver, const struct driver_events *events,
                      void *owner)
{
    struct fake_driver *fake = fake_of(driver);
    assert(fake->events == NULL);
    fake->events = events;
    fake->owner = owner;
    fake->tell_found = true;
    fake_wake(fake);
}

static void fake_start(struct driver *driver, const struct driver_spec *spec)
{
    struct fake_driver *fake = fake_of(driver);
    assert(fake->events != NULL && !fake->tell_found);
    assert(spec->tries > 0 && spec->task[0] != '\0');
    struct fake_run *run = fake_driver_put(fake, spec->run, DRIVER_ALIVE);
    run->deadline_ms = spec->deadline_ms;
    run->inspect = spec->inspect;
    run->tries = spec->tries;
    run->uid = spec->uid;
    run->limits = spec->limits;
    snprintf(run->module, sizeof run->module, "%s", spec->module);
    snprintf(run->input, sizeof run->input, "%s", spec->input);
    if (fake->begin) {
        fake_driver_begin(fake, spec->run);
    }
    fake_arm(fake);
}

static void fake_feed(struct driver *driver, uint64_t id, uint64_t deadline_ms)
{
    struct fake_run *run = fake_known(driver, id);
    run->fed++;
    if (run->phase == DRIVER_ALIVE && deadline_ms > run->deadline_ms) {
        run->deadline_ms = deadline_ms;
        fake_arm(fake_of(driver));
    }
}

static void fake_stop(struct driver *driver, uint64_t id)
{
    struct fake_run *run = fake_known(driver, id);
    assert(!run->stopped);
    run->stopped = true;
}

static void fake_kill(struct driver *driver, uint64_t id)
{
    struct fake_run *run = fake_known(driver, id);
    assert(!run->killed);
    run->killed = true;
    if (run->phase == DRIVER_ALIVE) {
        fake_driver_end(fake_of(driver), id, DRIVER_LOST, 0, "killed");
    }
}

static void fake_forget(struct driver *driver, uint64_t id)
{
    struct fake_run *run = fake_known(driver, id);
    assert(run->phase != DRIVER_ALIVE);
    run->forgotten = true;
}

static uint64_t fake_now_ms(struct driver *driver)
{
    return clock_boot_ms(fake_of(driver)->clock);
}

static void fake_close(struct driver *driver, void (*closed)(void *ctx), void *ctx)
{
    struct fake_driver *fake = fake_of(driver);
    fake->events = NULL;
    fake->closed = closed;
    fake->closed_ctx = ctx;
    fake_wake(fake);
}

static const struct driver_ops fake_ops = {
    .open = fake_open,
    .start = fake_start,
    .feed = fake_feed,
    .stop = fake_stop,
    .kill = fake_kill,
    .forget = fake_forget,
    .now_ms = fake_now_ms,
    .close = fake_close,
};

/* --- what it tells --------------------------------------------------------------- */

static void fake_tell_found(struct fake_driver *fake)
{
    fake->tell_found = false;
    for (size_t i = 0; i < fake->count && fake->events != NULL; i++) {
        struct fake_run *run = &fake->runs[i];
        if (run->forgotten) {
            continue;
        }
        run->tell_ended = false;
        run->tell_begun = run->phase == DRIVER_ALIVE && run->begun;
        fake->events->found(fake->owner, run->run, run->phase,
                            run->phase == DRIVER_ENDED ? &run->result : NULL);
    }
    fake->events->ready(fake->owner);
}

static void fake_turn(struct clock_task *task)
{
    struct fake_driver *fake = task->owner;
    if (fake->closed != NULL) {
        void (*closed)(void *ctx) = fake->closed;
        fake->closed = NULL;
        closed(fake->closed_ctx);
        return;
    }
    if (fake->events == NULL || fake->hold) {
        return;
    }
    if (fake->tell_found) {
        fake_tell_found(fake);
    }
    for (size_t i = 0; i < fake->count; i++) {
        struct fake_run *run = &fake->runs[i];
        if (run->tell_begun) {
            run->tell_begun = false;
            fake->events->started(fake->owner, run->run, run->begun_ms);
        }
        if (run->tell_ended) {
            run->tell_ended = false;
            fake->events->ended(fake->owner, run->run, &run->result);
        }
    }
}

void fake_driver_release(struct fake_driver *fake)
{
    fake->hold = false;
    fake_wake(fake);
}

void fake_driver_init(struct fake_driver *fake, struct clock *clock)
{
    *fake = (struct fake_driver){.driver = {&fake_ops}, .clock = clock, .begin = true};
    fake->turn = (struct clock_task){.run = fake_turn, .owner = fake};
    fake->deadline = (struct clock_timer){.fire = fake_deadline, .owner = fake};
}

void fake_driver_free(struct fake_driver *fake)
{
    assert(fake->events == NULL);
    clock_defer_cancel(fake->clock, &fake->turn);
    clock_timer_stop(fake->clock, &fake->deadline);
}
