/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <uv.h>

#include "base/buf.h"
#include "lib/sim_clock.h"
#include "raft/clock_uv.h"

/* What happened, a letter each. */
static char trace[4096];

struct named_timer {
    struct clock_timer timer; /* first */
    struct clock *clock;
    char letter;
};

struct named_task {
    struct clock_task task; /* first */
    struct clock *clock;
    struct clock_timer *starts; /* when run, at 0 */
    char letter;
    int again;
};

static void note(char letter)
{
    size_t len = strlen(trace);
    assert_true(len + 1 < sizeof trace);
    trace[len] = letter;
}

static void timer_fired(struct clock_timer *timer)
{
    note(((struct named_timer *)timer)->letter);
}

static void task_ran(struct clock_task *task)
{
    struct named_task *named = (struct named_task *)task;
    note(named->letter);
    if (named->again > 0) {
        named->again--;
        clock_defer(named->clock, task);
    }
    if (named->starts != NULL) {
        clock_timer_start(named->clock, named->starts, 0);
        named->starts = NULL;
    }
}

static void timers_fire_in_order_and_at_their_moment(void **state)
{
    (void)state;
    struct sim_time *time = sim_time_new();
    struct clock *clock = sim_clock_new(time, 7);
    memset(trace, 0, sizeof trace);
    uint64_t now = clock_now_ms(clock);
    struct named_timer timers[5];
    static const unsigned delay[5] = {30, 10, 20, 10, 0};
    for (size_t i = 0; i < 5; i++) {
        timers[i] = (struct named_timer){.timer = {.fire = timer_fired},
                                         .letter = (char)('a' + (char)i)};
        clock_timer_start(clock, &timers[i].timer, now + delay[i]);
    }
    clock_timer_stop(clock, &timers[2].timer);
    clock_timer_stop(clock, &timers[2].timer);
    assert_false(clock_timer_active(&timers[2].timer));
    sim_time_run_until(time, 9999);
    assert_string_equal(trace, "e");
    sim_time_run_until(time, 10000);
    assert_string_equal(trace, "ebd");
    clock_timer_start(clock, &timers[0].timer, now + 40); /* moves it */
    sim_time_run_until(time, 39999);
    assert_string_equal(trace, "ebd");
    sim_time_run_until(time, 40000);
    assert_string_equal(trace, "ebda");
    sim_clock_free(clock);
    sim_time_free(time);
}

static void deferred_work_runs_once_and_may_defer_again(void **state)
{
    (void)state;
    struct sim_time *time = sim_time_new();
    struct clock *clock = sim_clock_new(time, 7);
    memset(trace, 0, sizeof trace);
    struct named_task a = {.task = {.run = task_ran}, .clock = clock, .letter = 'a'};
    struct named_task b = {.task = {.run = task_ran}, .clock = clock, .letter = 'b'};
    struct named_task c = {.task = {.run = task_ran}, .clock = clock, .letter = 'c'};
    a.again = 2;
    clock_defer(clock, &a.task);
    clock_defer(clock, &b.task);
    clock_defer(clock, &c.task);
    clock_defer(clock, &a.task);
    clock_defer_cancel(clock, &c.task);
    clock_defer_cancel(clock, &c.task);
    assert_string_equal(trace, "");
    sim_time_run_until(time, 0);
    assert_string_equal(trace, "abaa");
    sim_clock_free(clock);
    sim_time_free(time);
}

static void many_timers_fire_sorted(void **state)
{
    (void)state;
    struct sim_time *time = sim_time_new();
    struct clock *clock = sim_clock_new(time, 3);
    struct sim_random random;
    sim_random_init(&random, 3);
    static struct named_timer timers[500];
    memset(timers, 0, sizeof timers);
    for (size_t round = 0; round < 5000; round++) {
        struct named_timer *named = &timers[sim_random_below(&random, 500)];
        named->timer.fire = timer_fired;
        if (sim_random_chance(&random, 30)) {
            clock_timer_stop(clock, &named->timer);
        } else {
            clock_timer_start(clock, &named->timer,
                              clock_now_ms(clock) + sim_random_below(&random, 100));
        }
        for (size_t slot = 2; slot <= clock->count; slot++) {
            const struct clock_timer *parent = clock->heap[slot / 2 - 1];
            assert_true(parent->due_ms <= clock->heap[slot - 1]->due_ms);
            assert_true(clock->heap[slot - 1]->slot == slot);
        }
    }
    sim_clock_free(clock);
    sim_time_free(time);
}

static void a_drifting_clock_still_fires(void **state)
{
    (void)state;
    struct sim_time *time = sim_time_new();
    struct clock *clock = sim_clock_new(time, 3);
    memset(trace, 0, sizeof trace);
    sim_clock_drift(clock, -10000);
    struct named_timer timer = {.timer = {.fire = timer_fired}, .letter = 't'};
    clock_timer_start(clock, &timer.timer, clock_now_ms(clock) + 1000);
    sim_time_run_until(time, 1010000);
    assert_string_equal(trace, "");
    sim_time_run_until(time, 1010200);
    assert_string_equal(trace, "t");
    sim_clock_free(clock);
    sim_time_free(time);
}

static void boot_time_goes_on_by_itself(void **state)
{
    (void)state;
    struct sim_time *time = sim_time_new();
    struct clock *clock = sim_clock_new(time, 3);
    uint64_t boot = clock_boot_ms(clock);
    uint64_t now = clock_now_ms(clock);
    sim_clock_boot_drift(clock, -10000);
    sim_time_run_until(time, 1000000);
    assert_int_equal(clock_now_ms(clock) - now, 1000);
    assert_int_equal(clock_boot_ms(clock) - boot, 990);
    sim_clock_suspend(clock, 60000);
    assert_int_equal(clock_now_ms(clock) - now, 1000);
    assert_int_equal(clock_boot_ms(clock) - boot, 60990);
    sim_clock_free(clock);
    sim_time_free(time);
}

static void boot_time_is_the_kernel_s(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct timespec before;
    uv_loop_init(&loop);
    struct clock *clock = clock_uv_new(&loop);
    clock_gettime(CLOCK_BOOTTIME, &before);
    uint64_t first = clock_boot_ms(clock);
    assert_true(first / 1000 >= (uint64_t)before.tv_sec);
    assert_true(clock_boot_ms(clock) >= first);
    clock_uv_close(clock, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

static void the_loop_runs_deferred_work_before_it_waits(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct clock *clock = clock_uv_new(&loop);
    memset(trace, 0, sizeof trace);
    struct named_timer timer = {.timer = {.fire = timer_fired}, .letter = 't'};
    struct named_task task = {.task = {.run = task_ran},
                              .clock = clock,
                              .starts = &timer.timer,
                              .letter = 'a',
                              .again = 1};
    struct named_timer late = {.timer = {.fire = timer_fired}, .letter = 'l'};
    clock_defer(clock, &task.task);
    clock_timer_start(clock, &late.timer, clock_now_ms(clock) + 5);
    uint64_t before = clock_now_ms(clock);
    uv_run(&loop, UV_RUN_DEFAULT); /* ends when nothing is left to wait for */
    assert_string_equal(trace, "aatl");
    assert_true(clock_now_ms(clock) >= before + 5);
    assert_true(clock_random(clock) != clock_random(clock));
    assert_true(clock_random_below(clock, 1) == 0);
    clock_uv_close(clock, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_at_their_moment),
        cmocka_unit_test(deferred_work_runs_once_and_may_defer_again),
        cmocka_unit_test(many_timers_fire_sorted),
        cmocka_unit_test(a_drifting_clock_still_fires),
        cmocka_unit_test(boot_time_goes_on_by_itself),
        cmocka_unit_test(boot_time_is_the_kernel_s),
        cmocka_unit_test(the_loop_runs_deferred_work_before_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
