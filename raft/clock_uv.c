/* SPDX-License-Identifier: Apache-2.0 */
/* Deferred work runs in the two places where libuv is about to wait or has just been
 * served: `check` after the I/O callbacks of a turn, `prepare` before the next wait,
 * for what timers and closing callbacks asked. `idle` is active only while work is
 * deferred: it keeps uv_run() from ending before the work ran. */
#include "raft/clock_uv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <uv.h>

#include "base/hash.h"
#include "base/mem.h"

struct clock_uv {
    struct clock clock; /* first: a struct clock * is a struct clock_uv * */
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uint64_t armed_ms; /* UINT64_MAX = timer not running */
    uint64_t random_state;
    int open_handles;
    void (*closed)(void *owner);
    void *owner;
};

static struct clock_uv *clock_uv_of(struct clock *clock)
{
    return (struct clock_uv *)clock;
}

static uint64_t clock_uv_now_ms(struct clock *clock)
{
    (void)clock;
    return uv_hrtime() /
           1000000; /* not uv_now(): it stands still while a turn is long */
}

static uint64_t clock_uv_wall_ms(struct clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t clock_uv_boot_ms(struct clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t clock_uv_random(struct clock *clock)
{
    struct clock_uv *uv = clock_uv_of(clock);
    uv->random_state += 0x9e3779b97f4a7c15u;
    return hash_mix(uv->random_state);
}

static void clock_uv_fired(uv_timer_t *timer)
{
    struct clock_uv *uv = timer->data;
    uv->armed_ms = UINT64_MAX;
    clock_run(&uv->clock);
}

static void clock_uv_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void clock_uv_wake(struct clock *clock, uint64_t due_ms)
{
    struct clock_uv *uv = clock_uv_of(clock);
    if (clock->first_task != NULL) {
        uv_idle_start(&uv->idle, clock_uv_idle);
        return; /* the timer stays as it is: clock_run() will set it anew */
    }
    uv_idle_stop(&uv->idle);
    if (due_ms == uv->armed_ms) {
        return;
    }
    uv->armed_ms = due_ms;
    if (due_ms == UINT64_MAX) {
        uv_timer_stop(&uv->timer);
        return;
    }
    uint64_t base = uv_now(uv->loop); /* what the timer counts from */
    uv_timer_start(&uv->timer, clock_uv_fired, due_ms > base ? due_ms - base : 0, 0);
}

static const struct clock_ops clock_uv_ops = {
    .now_ms = clock_uv_now_ms,
    .wall_ms = clock_uv_wall_ms,
    .boot_ms = clock_uv_boot_ms,
    .random = clock_uv_random,
    .wake = clock_uv_wake,
};

static void clock_uv_turn(struct clock_uv *uv)
{
    if (uv->clock.first_task != NULL) {
        clock_run(&uv->clock);
    }
}

static void clock_uv_prepare(uv_prepare_t *prepare)
{
    clock_uv_turn(prepare->data);
}

static void clock_uv_check(uv_check_t *check)
{
    clock_uv_turn(check->data);
}

static uint64_t clock_uv_seed(void)
{
    uint64_t seed = 0;
    ssize_t got = 0;
    do {
        got = getrandom(&seed, sizeof seed, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof seed) {
        abort();
    }
    return seed;
}

struct clock *clock_uv_new(struct uv_loop_s *loop)
{
    struct clock_uv *uv = mem_zalloc(sizeof *uv);
    clock_init(&uv->clock, &clock_uv_ops);
    uv->loop = loop;
    uv->armed_ms = UINT64_MAX;
    uv->random_state = clock_uv_seed();
    uv_timer_init(loop, &uv->timer);
    uv_prepare_init(loop, &uv->prepare);
    uv_check_init(loop, &uv->check);
    uv_idle_init(loop, &uv->idle);
    uv->timer.data = uv->prepare.data = uv->check.data = uv->idle.data = uv;
    uv->open_handles = 4;
    uv_prepare_start(&uv->prepare, clock_uv_prepare);
    uv_check_start(&uv->check, clock_uv_check);
    uv_unref((uv_handle_t *)&uv->prepare); /* they alone are no reason to go on */
    uv_unref((uv_handle_t *)&uv->check);
    return &uv->clock;
}

static void clock_uv_handle_closed(uv_handle_t *handle)
{
    struct clock_uv *uv = handle->data;
    if (--uv->open_handles > 0) {
        return;
    }
    void (*closed)(void *owner) = uv->closed;
    void *owner = uv->owner;
    mem_free(uv);
    if (closed != NULL) {
        closed(owner);
    }
}

void clock_uv_close(struct clock *clock, void (*closed)(void *owner), void *owner)
{
    struct clock_uv *uv = clock_uv_of(clock);
    clock_close(clock);
    uv->closed = closed;
    uv->owner = owner;
    uv_close((uv_handle_t *)&uv->timer, clock_uv_handle_closed);
    uv_close((uv_handle_t *)&uv->prepare, clock_uv_handle_closed);
    uv_close((uv_handle_t *)&uv->check, clock_uv_handle_closed);
    uv_close((uv_handle_t *)&uv->idle, clock_uv_handle_closed);
}
