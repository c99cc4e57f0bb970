/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time for tests: one struct sim_time for a world (its moment, its queue of
 * events), one clock for each node in it. Nothing happens but through
 * sim_time_run_next(); events of one moment fire in the order they were queued, so that
 * a seed gives one history. */
#ifndef LIB_SIM_CLOCK_H
#define LIB_SIM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/clock.h"

/* Random numbers from a seed; the same on every machine. Not 0-initialised: seed it. */
struct sim_random {
    uint64_t state;
};
void sim_random_init(struct sim_random *random, uint64_t seed);
uint64_t sim_random_next(struct sim_random *random);
uint64_t sim_random_below(struct sim_random *random, uint64_t limit); /* limit > 0 */
bool sim_random_chance(struct sim_random *random, uint32_t percent);

/* Embedded in its owner, zeroed before its first use; fires once. */
struct sim_event {
    void (*fire)(struct sim_event *event);
    void *owner;
    uint64_t due_us;
    uint64_t order;
    size_t slot; /* in the heap, 1-based; 0 = not queued */
};

struct sim_time;
struct sim_time *sim_time_new(void);
void sim_time_free(struct sim_time *time); /* events still queued are forgotten */
uint64_t sim_time_now_us(const struct sim_time *time);
void sim_time_queue(struct sim_time *time, struct sim_event *event, uint64_t due_us);
void sim_time_cancel(struct sim_time *time, struct sim_event *event);
uint64_t sim_time_next_us(const struct sim_time *time); /* UINT64_MAX: nothing queued */
bool sim_time_run_next(struct sim_time *time);          /* false: nothing queued */
/* Run every event up to and with `until_us`; it is then that moment. */
void sim_time_run_until(struct sim_time *time, uint64_t until_us);

/* From now on, whenever a node looks at a clock, the free stack below it is full of
 * `word`, so that what code of others reads of it unwritten is the same in every run,
 * and as bad as can be; 0: no more. */
void sim_time_stack(struct sim_time *time, uint64_t word);

/* A node's clock: `random` from `seed`, monotonic time from an origin of its own. */
struct clock *sim_clock_new(struct sim_time *time, uint64_t seed);
/* Timers and tasks still pending are forgotten: a process that ends abruptly. */
void sim_clock_free(struct clock *clock);
/* A paused node's timers and tasks wait; its time goes on (SIGSTOP). */
void sim_clock_pause(struct clock *clock, bool paused);
void sim_clock_wall_jump(struct clock *clock, int64_t by_ms);
/* The node's seconds are longer or shorter by parts of a million; -100000..100000. */
void sim_clock_drift(struct clock *clock, int32_t ppm);
/* Likewise of boot time alone, which is exact at first. */
void sim_clock_boot_drift(struct clock *clock, int32_t ppm);
/* Boot time is that of a machine that showed `origin_ms` at `started_us` of the world,
 * and whose seconds are shorter by parts of a million: the same for all its processes,
 * one after the other. */
void sim_clock_boot_of(struct clock *clock, uint64_t started_us, uint64_t origin_ms,
                       int32_t ppm);
/* The boot time of another clock of the same machine. */
void sim_clock_boot_like(struct clock *clock, const struct clock *other);
/* The first moment of the world at which it shows that boot time, or later. */
uint64_t sim_clock_boot_when(const struct clock *clock, uint64_t boot_ms);
/* Boot time went on for so long while nothing else did. */
void sim_clock_suspend(struct clock *clock, uint64_t for_ms);

#endif
