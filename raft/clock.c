/* SPDX-License-Identifier: Apache-2.0 */
/* Timers stand in a binary heap ordered by (due_ms, order); slot numbers are 1-based,
 * so that a zeroed timer is an idle one. Deferred work is a list in the order it was
 * asked for; a task may defer itself again: it is off the list before it runs.
 *
 * The backend is told the earliest moment whenever that changes; asking too early is
 * harmless, clock_run() then finds nothing due and wishes again. */
#include "raft/clock.h"

#include <assert.h>

#include "base/mem.h"

void clock_init(struct clock *clock, const struct clock_ops *ops)
{
    *clock = (struct clock){.ops = ops};
    clock->last_task = &clock->first_task;
}

void clock_close(struct clock *clock)
{
    assert(clock->count == 0 && clock->first_task == NULL);
    mem_free(clock->heap);
    clock->heap = NULL;
    clock->capacity = 0;
}

uint64_t clock_now_ms(struct clock *clock)
{
    return clock->ops->now_ms(clock);
}

uint64_t clock_wall_ms(struct clock *clock)
{
    return clock->ops->wall_ms(clock);
}

uint64_t clock_boot_ms(struct clock *clock)
{
    return clock->ops->boot_ms(clock);
}

uint64_t clock_random(struct clock *clock)
{
    return clock->ops->random(clock);
}

uint64_t clock_random_below(struct clock *clock, uint64_t limit)
{
    assert(limit > 0);
    /* values below `uneven` would make the low results likelier: draw again */
    uint64_t uneven = (UINT64_MAX - limit + 1) % limit;
    uint64_t value = clock_random(clock);
    while (value < uneven) {
        value = clock_random(clock);
    }
    return value % limit;
}

/* --- the heap ----------------------------------------------------------------------
 */

static bool clock_before(const struct clock_timer *a, const struct clock_timer *b)
{
    return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order);
}

static void clock_place(struct clock *clock, struct clock_timer *timer, size_t slot)
{
    clock->heap[slot - 1] = timer;
    timer->slot = slot;
}

static void clock_sift_up(struct clock *clock, struct clock_timer *timer, size_t slot)
{
    while (slot > 1 && clock_before(timer, clock->heap[slot / 2 - 1])) {
        clock_place(clock, clock->heap[slot / 2 - 1], slot);
        slot /= 2;
    }
    clock_place(clock, timer, slot);
}

static void clock_sift_down(struct clock *clock, struct clock_timer *timer, size_t slot)
{
    for (;;) {
        size_t child = slot * 2;
        if (child > clock->count) {
            break;
        }
        if (child < clock->count &&
            clock_before(clock->heap[child], clock->heap[child - 1])) {
            child++;
        }
        if (!clock_before(clock->heap[child - 1], timer)) {
            break;
        }
        clock_place(clock, clock->heap[child - 1], slot);
        slot = child;
    }
    clock_place(clock, timer, slot);
}

static void clock_unlink(struct clock *clock, struct clock_timer *timer)
{
    size_t slot = timer->slot;
    assert(slot >= 1 && slot <= clock->count && clock->heap[slot - 1] == timer);
    struct clock_timer *last = clock->heap[clock->count - 1];
    clock->count--;
    timer->slot = 0;
    if (last == timer) {
        return;
    }
    clock_sift_down(clock, last, slot);
    clock_sift_up(clock, last, last->slot);
}

static uint64_t clock_next_ms(const struct clock *clock)
{
    if (clock->first_task != NULL) {
        return 0;
    }
    return clock->count > 0 ? clock->heap[0]->due_ms : UINT64_MAX;
}

static void clock_wish(struct clock *clock)
{
    clock->ops->wake(clock, clock_next_ms(clock));
}

void clock_timer_start(struct clock *clock, struct clock_timer *timer, uint64_t due_ms)
{
    uint64_t before = clock_next_ms(clock);
    if (timer->slot != 0) {
        clock_unlink(clock, timer);
    }
    if (clock->count == clock->capacity) {
        clock->capacity = clock->capacity > 0 ? clock->capacity * 2 : 16;
        clock->heap =
            mem_realloc(clock->heap, clock->capacity * sizeof(struct clock_timer *));
    }
    timer->due_ms = due_ms;
    timer->order = clock->order++;
    clock->count++;
    clock_sift_up(clock, timer, clock->count);
    if (clock_next_ms(clock) != before) {
        clock_wish(clock);
    }
}

void clock_timer_stop(struct clock *clock, struct clock_timer *timer)
{
    if (timer->slot == 0) {
        return;
    }
    uint64_t before = clock_next_ms(clock);
    clock_unlink(clock, timer);
    if (clock_next_ms(clock) != before) {
        clock_wish(clock);
    }
}

bool clock_timer_active(const struct clock_timer *timer)
{
    return timer->slot != 0;
}

/* --- deferred work -----------------------------------------------------------------
 */

void clock_defer(struct clock *clock, struct clock_task *task)
{
    if (task->queued) {
        return;
    }
    bool first = clock->first_task == NULL;
    task->queued = true;
    task->next = NULL;
    *clock->last_task = task;
    clock->last_task = &task->next;
    if (first) {
        clock_wish(clock);
    }
}

void clock_defer_cancel(struct clock *clock, struct clock_task *task)
{
    if (!task->queued) {
        return;
    }
    struct clock_task **link = &clock->first_task;
    while (*link != task) {
        link = &(*link)->next;
    }
    *link = task->next;
    if (clock->last_task == &task->next) {
        clock->last_task = link;
    }
    task->queued = false;
    task->next = NULL;
    if (clock->first_task == NULL) {
        clock_wish(clock);
    }
}

static void clock_run_tasks(struct clock *clock)
{
    while (clock->first_task != NULL) {
        struct clock_task *task = clock->first_task;
        clock->first_task = task->next;
        if (clock->first_task == NULL) {
            clock->last_task = &clock->first_task;
        }
        task->queued = false;
        task->next = NULL;
        task->run(task);
    }
}

/* A timer that starts itself anew with a due moment of the past waits for the next run:
 * only timers started before this one fire, so no turn is endless. */
void clock_run(struct clock *clock)
{
    uint64_t now = clock_now_ms(clock);
    uint64_t started_until = clock->order;
    clock_run_tasks(clock);
    while (clock->count > 0 && clock->heap[0]->due_ms <= now &&
           clock->heap[0]->order < started_until) {
        struct clock_timer *timer = clock->heap[0];
        clock_unlink(clock, timer);
        timer->fire(timer);
        clock_run_tasks(clock);
    }
    clock_wish(clock);
}
