/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sim_clock.h"

#include <assert.h>

#include "base/hash.h"
#include "base/mem.h"

#define SIM_WALL_START_MS 1700000000000u
#define STACK_WORDS       128     /* 1 KiB */
#define SIM_BOOT_AHEAD_MS 5000000 /* it was suspended for so long */

/* --- chance ------------------------------------------------------------------------
 */

void sim_random_init(struct sim_random *random, uint64_t seed)
{
    random->state = hash_mix(seed + 0x5851f42d4c957f2du);
}

uint64_t sim_random_next(struct sim_random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    return hash_mix(random->state);
}

uint64_t sim_random_below(struct sim_random *random, uint64_t limit)
{
    assert(limit > 0);
    return sim_random_next(random) % limit;
}

bool sim_random_chance(struct sim_random *random, uint32_t percent)
{
    return sim_random_below(random, 100) < percent;
}

/* --- time --------------------------------------------------------------------------
 */

struct sim_time {
    uint64_t now_us;
    uint64_t stack; /* what a look at a clock leaves on it; 0: nothing */
    uint64_t order;
    struct sim_event **heap;
    size_t count;
    size_t capacity;
};

struct sim_time *sim_time_new(void)
{
    return mem_zalloc(sizeof(struct sim_time));
}

void sim_time_free(struct sim_time *time)
{
    for (size_t i = 0; i < time->count; i++) {
        time->heap[i]->slot = 0;
    }
    mem_free(time->heap);
    mem_free(time);
}

uint64_t sim_time_now_us(const struct sim_time *time)
{
    return time->now_us;
}

static bool sim_event_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void sim_time_place(struct sim_time *time, struct sim_event *event, size_t slot)
{
    time->heap[slot - 1] = event;
    event->slot = slot;
}

static void sim_time_sift(struct sim_time *time, struct sim_event *event, size_t slot)
{
    while (slot > 1 && sim_event_before(event, time->heap[slot / 2 - 1])) {
        sim_time_place(time, time->heap[slot / 2 - 1], slot);
        slot /= 2;
    }
    for (;;) {
        size_t child = slot * 2;
        if (child < time->count &&
            sim_event_before(time->heap[child], time->heap[child - 1])) {
            child++;
        }
        if (child > time->count || !sim_event_before(time->heap[child - 1], event)) {
            break;
        }
        sim_time_place(time, time->heap[child - 1], slot);
        slot = child;
    }
    sim_time_place(time, event, slot);
}

void sim_time_cancel(struct sim_time *time, struct sim_event *event)
{
    size_t slot = event->slot;
    if (slot == 0) {
        return;
    }
    assert(time->heap[slot - 1] == event);
    struct sim_event *last = time->heap[time->count - 1];
    time->count--;
    event->slot = 0;
    if (last != event) {
        sim_time_sift(time, last, slot);
    }
}

void sim_time_queue(struct sim_time *time, struct sim_event *event, uint64_t due_us)
{
    sim_time_cancel(time, event);
    if (time->count == time->capacity) {
        time->capacity = time->capacity > 0 ? time->capacity * 2 : 64;
        time->heap = mem_realloc(time->heap, time->capacity * sizeof event);
    }
    event->due_us = due_us > time->now_us ? due_us : time->now_us;
    event->order = time->order++;
    time->count++;
    sim_time_sift(time, event, time->count);
}

uint64_t sim_time_next_us(const struct sim_time *time)
{
    return time->count > 0 ? time->heap[0]->due_us : UINT64_MAX;
}

bool sim_time_run_next(struct sim_time *time)
{
    if (time->count == 0) {
        return false;
    }
    struct sim_event *event = time->heap[0];
    sim_time_cancel(time, event);
    assert(event->due_us >= time->now_us);
    time->now_us = event->due_us;
    event->fire(event);
    return true;
}

void sim_time_run_until(struct sim_time *time, uint64_t until_us)
{
    while (sim_time_next_us(time) <= until_us) {
        sim_time_run_next(time);
    }
    if (time->now_us < until_us) {
        time->now_us = until_us;
    }
}

/* --- a node's clock ----------------------------------------------------------------
 */

struct sim_clock {
    struct clock clock; /* first: a struct clock * is a struct sim_clock * */
    struct sim_time *time;
    struct sim_random random;
    struct sim_event event;
    uint64_t origin_ms; /* monotonic time does not start at 0 in life either */
    uint64_t anchor_us; /* world time when the drift was set, and ... */
    uint64_t local_us;  /* ... the node's time then */
    int32_t drift_ppm;
    uint64_t boot_origin_ms;
    uint64_t boot_anchor_us; /* likewise, of boot time */
    uint64_t boot_local_us;
    int32_t boot_drift_ppm;
    int64_t wall_offset_ms;
    uint64_t wish_ms;
    bool paused;
};

static struct sim_clock *sim_clock_of(struct clock *clock)
{
    return (struct sim_clock *)clock;
}

static uint64_t sim_clock_rate(const struct sim_clock *sim)
{
    return (uint64_t)(1000000 + sim->drift_ppm);
}

static uint64_t sim_clock_local_us(const struct sim_clock *sim)
{
    uint64_t passed = sim->time->now_us - sim->anchor_us;
    return sim->local_us + passed / 1000000 * sim_clock_rate(sim) +
           passed % 1000000 * sim_clock_rate(sim) / 1000000;
}

/* An array of its own on the real stack, and gone when it returns. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static void
sim_stack_fill(uint64_t word)
{
    uint64_t words[STACK_WORDS];
    for (size_t i = 0; i < STACK_WORDS; i++) {
        words[i] = word;
    }
    __asm__ volatile("" : : "r"(words) : "memory"); /* they are written */
}

void sim_time_stack(struct sim_time *time, uint64_t word)
{
    time->stack = word;
}

static uint64_t sim_clock_now_ms(struct clock *clock)
{
    const struct sim_clock *sim = sim_clock_of(clock);
    if (sim->time->stack != 0) {
        sim_stack_fill(sim->time->stack);
    }
    return sim->origin_ms + sim_clock_local_us(sim) / 1000;
}

static uint64_t sim_clock_wall_ms(struct clock *clock)
{
    const struct sim_clock *sim = sim_clock_of(clock);
    return (uint64_t)((int64_t)(SIM_WALL_START_MS + sim_clock_local_us(sim) / 1000) +
                      sim->wall_offset_ms);
}

static uint64_t sim_clock_boot_us(const struct sim_clock *sim)
{
    uint64_t passed = sim->time->now_us - sim->boot_anchor_us;
    uint64_t rate = (uint64_t)(1000000 + sim->boot_drift_ppm);
    return sim->boot_local_us + passed / 1000000 * rate +
           passed % 1000000 * rate / 1000000;
}

static uint64_t sim_clock_boot_ms(struct clock *clock)
{
    const struct sim_clock *sim = sim_clock_of(clock);
    return sim->boot_origin_ms + sim_clock_boot_us(sim) / 1000;
}

static uint64_t sim_clock_random(struct clock *clock)
{
    return sim_random_next(&sim_clock_of(clock)->random);
}

static void sim_clock_arm(struct sim_clock *sim)
{
    if (sim->paused || sim->wish_ms == UINT64_MAX) {
        sim_time_cancel(sim->time, &sim->event);
        return;
    }
    uint64_t now_us = sim_clock_local_us(sim);
    uint64_t due_us =
        sim->wish_ms > sim->origin_ms ? (sim->wish_ms - sim->origin_ms) * 1000 : 0;
    uint64_t wait_us = 0;
    if (due_us > now_us) {
        uint64_t wait = due_us - now_us;
        /* rounded up: too early would find nothing due at the same moment, for ever */
        wait_us = wait / sim_clock_rate(sim) * 1000000 +
                  wait % sim_clock_rate(sim) * 1000000 / sim_clock_rate(sim) + 1;
        if (sim->drift_ppm == 0) {
            wait_us = wait;
        }
    }
    sim_time_queue(sim->time, &sim->event, sim->time->now_us + wait_us);
}

static void sim_clock_wake(struct clock *clock, uint64_t due_ms)
{
    struct sim_clock *sim = sim_clock_of(clock);
    sim->wish_ms = due_ms;
    sim_clock_arm(sim);
}

static void sim_clock_fired(struct sim_event *event)
{
    struct sim_clock *sim = event->owner;
    clock_run(&sim->clock);
}

static const struct clock_ops sim_clock_ops = {
    .now_ms = sim_clock_now_ms,
    .wall_ms = sim_clock_wall_ms,
    .boot_ms = sim_clock_boot_ms,
    .random = sim_clock_random,
    .wake = sim_clock_wake,
};

struct clock *sim_clock_new(struct sim_time *time, uint64_t seed)
{
    struct sim_clock *sim = mem_zalloc(sizeof *sim);
    clock_init(&sim->clock, &sim_clock_ops);
    sim->time = time;
    sim_random_init(&sim->random, seed);
    sim->event = (struct sim_event){.fire = sim_clock_fired, .owner = sim};
    sim->origin_ms = 1000 + sim_random_below(&sim->random, 1000000);
    sim->anchor_us = time->now_us;
    sim->local_us = time->now_us;
    sim->boot_origin_ms = sim->origin_ms + SIM_BOOT_AHEAD_MS;
    sim->boot_anchor_us = time->now_us;
    sim->boot_local_us = time->now_us;
    sim->wish_ms = UINT64_MAX;
    return &sim->clock;
}

void sim_clock_free(struct clock *clock)
{
    struct sim_clock *sim = sim_clock_of(clock);
    sim_time_cancel(sim->time, &sim->event);
    for (size_t i = 0; i < clock->count; i++) {
        clock->heap[i]->slot = 0;
    }
    clock->count = 0;
    for (struct clock_task *task = clock->first_task; task != NULL; task = task->next) {
        task->queued = false;
    }
    clock->first_task = NULL;
    clock_close(clock);
    mem_free(sim);
}

void sim_clock_pause(struct clock *clock, bool paused)
{
    struct sim_clock *sim = sim_clock_of(clock);
    sim->paused = paused;
    sim_clock_arm(sim);
}

void sim_clock_wall_jump(struct clock *clock, int64_t by_ms)
{
    sim_clock_of(clock)->wall_offset_ms += by_ms;
}

void sim_clock_drift(struct clock *clock, int32_t ppm)
{
    struct sim_clock *sim = sim_clock_of(clock);
    assert(ppm >= -100000 && ppm <= 100000);
    sim->local_us = sim_clock_local_us(sim);
    sim->anchor_us = sim->time->now_us;
    sim->drift_ppm = ppm;
    sim_clock_arm(sim);
}

void sim_clock_boot_drift(struct clock *clock, int32_t ppm)
{
    struct sim_clock *sim = sim_clock_of(clock);
    assert(ppm >= -100000 && ppm <= 100000);
    sim->boot_local_us = sim_clock_boot_us(sim);
    sim->boot_anchor_us = sim->time->now_us;
    sim->boot_drift_ppm = ppm;
}

void sim_clock_boot_of(struct clock *clock, uint64_t started_us, uint64_t origin_ms,
                       int32_t ppm)
{
    struct sim_clock *sim = sim_clock_of(clock);
    assert(started_us <= sim->time->now_us && ppm >= -100000 && ppm <= 100000);
    sim->boot_origin_ms = origin_ms;
    sim->boot_anchor_us = started_us;
    sim->boot_local_us = 0;
    sim->boot_drift_ppm = ppm;
}

void sim_clock_boot_like(struct clock *clock, const struct clock *other)
{
    struct sim_clock *sim = sim_clock_of(clock);
    const struct sim_clock *like = (const struct sim_clock *)other;
    sim->boot_origin_ms = like->boot_origin_ms;
    sim->boot_anchor_us = like->boot_anchor_us;
    sim->boot_local_us = like->boot_local_us;
    sim->boot_drift_ppm = like->boot_drift_ppm;
}

uint64_t sim_clock_boot_when(const struct clock *clock, uint64_t boot_ms)
{
    const struct sim_clock *sim = (const struct sim_clock *)clock;
    uint64_t rate = (uint64_t)(1000000 + sim->boot_drift_ppm);
    uint64_t shown_us =
        boot_ms > sim->boot_origin_ms ? (boot_ms - sim->boot_origin_ms) * 1000 : 0;
    uint64_t left_us =
        shown_us > sim->boot_local_us ? shown_us - sim->boot_local_us : 0;
    uint64_t when_us = sim->boot_anchor_us + left_us / rate * 1000000 +
                       left_us % rate * 1000000 / rate + (left_us > 0);
    return when_us > sim->time->now_us ? when_us : sim->time->now_us;
}

void sim_clock_suspend(struct clock *clock, uint64_t for_ms)
{
    sim_clock_of(clock)->boot_local_us += for_ms * 1000;
}
