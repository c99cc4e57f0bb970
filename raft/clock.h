/* SPDX-License-Identifier: Apache-2.0 */
/* Time and chance as the core sees them: monotonic now, boot time now, wall now,
 * timers, "at the end of this turn", random numbers. clock_uv drives it in life,
 * tests/sim from one seed.
 *
 * The timer heap and the list of deferred work are here, once; a backend gives four
 * functions and calls clock_run(). */
#ifndef RAFT_CLOCK_H
#define RAFT_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;

struct clock_ops {
    uint64_t (*now_ms)(struct clock *clock);  /* monotonic, never backwards */
    uint64_t (*wall_ms)(struct clock *clock); /* Unix ms; may jump */
    /* As now_ms, from another origin, and it goes on while the machine is suspended.
     * All processes of a machine share it until it boots again. */
    uint64_t (*boot_ms)(struct clock *clock);
    uint64_t (*random)(struct clock *clock);
    /* Call clock_run() at or soon after `due_ms` (monotonic; UINT64_MAX = never; a past
     * value = before the loop next waits for I/O). Replaces the previous wish. */
    void (*wake)(struct clock *clock, uint64_t due_ms);
};

/* Embedded in its owner; `fire` runs on the loop, once per start. */
struct clock_timer {
    void (*fire)(struct clock_timer *timer);
    void *owner;
    uint64_t due_ms;
    uint64_t order; /* of timers due at the same moment: first started, first fired */
    size_t slot;    /* in the heap, 1-based; 0 = not started */
};

/* Work for the end of this turn of the loop, once per clock_defer(). */
struct clock_task {
    void (*run)(struct clock_task *task);
    void *owner;
    struct clock_task *next;
    bool queued;
};

struct clock {
    const struct clock_ops *ops;
    struct clock_timer **heap;
    size_t count;
    size_t capacity;
    uint64_t order;
    struct clock_task *first_task;
    struct clock_task **last_task;
};

void clock_init(struct clock *clock, const struct clock_ops *ops);
void clock_close(struct clock *clock); /* no timer or task may be pending any more */

uint64_t clock_now_ms(struct clock *clock);
uint64_t clock_wall_ms(struct clock *clock);
uint64_t clock_boot_ms(struct clock *clock);
uint64_t clock_random(struct clock *clock);
uint64_t clock_random_below(struct clock *clock, uint64_t limit); /* limit > 0 */

/* Fire at monotonic `due_ms`; restarting moves it. Stopping an idle timer is fine. */
void clock_timer_start(struct clock *clock, struct clock_timer *timer, uint64_t due_ms);
void clock_timer_stop(struct clock *clock, struct clock_timer *timer);
bool clock_timer_active(const struct clock_timer *timer);

/* Run `task` before the loop next waits for I/O; queued twice it still runs once. */
void clock_defer(struct clock *clock, struct clock_task *task);
void clock_defer_cancel(struct clock *clock, struct clock_task *task);

/* For backends: run deferred work and due timers, then tell ops->wake the next moment.
 */
void clock_run(struct clock *clock);

#endif
