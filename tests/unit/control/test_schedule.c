/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's schedule loop over a registry of its own, by hand: the clock goes as the
 * test says, what the loop proposes is counted, and applied when the test decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "control/loop.h"
#include "json/task_json.h"

#define MINUTE    ((uint64_t)60000)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define NOON      ((uint64_t)1767268800000) /* 2026-01-01T12:00:00Z */
#define TURN_MAX  64                        /* proposals of a turn at most */
#define PROPOSALS 256

struct proposal {
    struct command command;
    char task[64];
    control_done done;
    void *state;
    uint64_t wall_ms; /* of the batch it would be in */
};

/* What the loop sees of a node. */
struct control {
    struct clock clock;
    struct registry *registry;
    uint64_t now_ms;
    uint64_t wall_ms;
    void *loop;
    uint64_t due_ms; /* when it wants to look again */
    struct proposal proposals[PROPOSALS];
    size_t count; /* without an outcome */
    size_t total; /* proposals of the whole test */
    bool refuses; /* door 1 is full */
};

static struct control *the_control;

static uint64_t bench_now_ms(struct clock *clock)
{
    (void)clock;
    return the_control->now_ms;
}

static uint64_t bench_wall_ms(struct clock *clock)
{
    (void)clock;
    return the_control->wall_ms;
}

static const struct clock_ops bench_clock = {.now_ms = bench_now_ms,
                                             .wall_ms = bench_wall_ms};

struct clock *control_clock(const struct control *control)
{
    return &((struct control *)(uintptr_t)control)->clock;
}

const struct registry *control_registry(const struct control *control)
{
    return control->registry;
}

void control_wake(struct control *control)
{
    control->due_ms = 0;
}

int control_propose(struct control *control, const struct command *command,
                    control_done done, void *state, uint64_t tag)
{
    (void)tag;
    if (control->refuses) {
        return ERR_BUSY;
    }
    assert_true(control->count < PROPOSALS);
    assert_int_equal(command->type, COMMAND_TASK_FIRE);
    struct proposal *proposal = &control->proposals[control->count++];
    *proposal = (struct proposal){
        .command = *command, .done = done, .state = state, .wall_ms = control->wall_ms};
    snprintf(proposal->task, sizeof proposal->task, "%.*s",
             (int)command->task_fire.task.len, command->task_fire.task.data);
    control->total++;
    return 0;
}

/* --- the bench ----------------------------------------------------------------------
 */

static const struct change somebody = {.wall_ms = 1, .request_id = "r", .actor = ""};

static struct control *bench_new(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    struct control *control = mem_zalloc(sizeof *control);
    the_control = control;
    clock_init(&control->clock, &bench_clock);
    control->registry = registry_new();
    registry_level_set(control->registry, 3);
    struct member_draft member = {7, 3, "n1", "", "", ""};
    assert_int_equal(registry_member_set(control->registry, &somebody, &member), 0);
    control->now_ms = 1000;
    control->wall_ms = NOON;
    control->loop = control_schedule.start(control);
    return control;
}

static void bench_free(struct control *control)
{
    control_schedule.stop(control->loop);
    registry_free(control->registry);
    mem_free(control);
    map_reap(SIZE_MAX);
}

/* Another leader takes over; what was proposed is lost unless it was applied. */
static void bench_failover(struct control *control)
{
    control_schedule.stop(control->loop);
    control->count = 0;
    control->due_ms = 0;
    control->loop = control_schedule.start(control);
}

static void put_task(struct control *control, const char *name, const char *line,
                     bool enabled)
{
    char body[512];
    snprintf(
        body, sizeof body,
        "{\"name\":\"%s\",\"module\":\"./m\",\"enabled\":%s,\"condition\":{%s%s%s}}",
        name, enabled ? "true" : "false",
        line != NULL ? "\"schedule\":{\"cron\":\"" : "", line != NULL ? line : "",
        line != NULL ? "\"}" : "");
    struct task_json json;
    assert_int_equal(
        task_json_create_bare(body, strlen(body), &task_defaults_standard, &json, NULL),
        0);
    static const struct task_match any = {0};
    assert_int_equal(
        registry_task_put(control->registry, &somebody, &json.draft, false, &any), 0);
    task_json_close(&json);
    control->due_ms = 0; /* the loop looks after events */
}

static void enable(struct control *control, const char *name, bool enabled)
{
    assert_int_equal(
        registry_task_enable(control->registry, &somebody, name, strlen(name), enabled),
        0);
    control->due_ms = 0;
}

static const struct task *task_of(struct control *control, const char *name)
{
    return registry_task(control->registry, name, strlen(name));
}

static uint64_t next_fire(struct control *control, const char *name)
{
    return registry_task_next_fire(control->registry, task_of(control, name));
}

/* One turn. Returns how much it proposed. */
static size_t look(struct control *control)
{
    size_t before = control->total;
    control->due_ms = UINT64_MAX;
    uint64_t due_ms = control_schedule.look(control->loop, control->now_ms);
    if (due_ms < control->due_ms) {
        control->due_ms = due_ms;
    }
    assert_true(control->total - before <= TURN_MAX);
    return control->total - before;
}

static void apply(struct control *control, const struct proposal *proposal)
{
    struct fire_order order = {
        .task = proposal->task,
        .task_len = strlen(proposal->task),
        .created = proposal->command.task_fire.created,
        .expected_ms = proposal->command.task_fire.expected_ms,
        .next_ms = proposal->command.task_fire.next_ms,
        .due = proposal->command.task_fire.due,
        .wall_ms = proposal->wall_ms,
    };
    registry_task_fire(control->registry, &order);
}

static void decide(struct control *control)
{
    size_t count = control->count;
    control->count = 0;
    for (size_t i = 0; i < count; i++) {
        apply(control, &control->proposals[i]);
    }
    static const struct outcome outcome = {0};
    for (size_t i = 0; i < count; i++) {
        control->proposals[i].done(control->proposals[i].state, 0, &outcome);
    }
}

/* Turn after turn, until there is nothing to do at this moment. How many it took. */
static size_t settle(struct control *control)
{
    size_t turns = 0;
    while (control->due_ms <= control->now_ms) {
        look(control);
        decide(control);
        turns++;
        assert_true(turns < 10000);
    }
    return turns;
}

/* The marks that are due go, as if their runs had ended. How many there were. */
static size_t run_all(struct control *control)
{
    size_t count = 0;
    struct map_cursor cursor;
    const struct moment *due;
    for (;; count++) {
        registry_due_seek(control->registry, &cursor);
        due = registry_due_next(&cursor);
        if (due == NULL) {
            return count;
        }
        const struct task *task = registry_task_of(control->registry, due->task);
        struct run_order order = {task->name, task->name_len, 0, 7, RUN_CAUSE_SCHEDULE,
                                  RUN_APPLY,  4000,           1, 1};
        assert_int_equal(registry_run_start(control->registry, &somebody, &order), 0);
        struct run_report report = {
            .run = registry_live_run(control->registry, task->name, task->name_len)->id,
            .node = 7,
            .outcome = RUN_SUCCESS,
            .text = "",
        };
        assert_int_equal(registry_run_end(control->registry, &somebody, &report), 0);
    }
}

/* Time goes on for so long, a look whenever the loop wants one. How many runs began. */
static size_t pass(struct control *control, uint64_t for_ms)
{
    uint64_t until_ms = control->now_ms + for_ms;
    size_t runs = 0;
    for (;;) {
        settle(control);
        runs += run_all(control);
        control->due_ms = 0;
        settle(control); /* the runs' events */
        if (control->due_ms > until_ms) {
            control->wall_ms += until_ms - control->now_ms;
            control->now_ms = until_ms;
            return runs;
        }
        control->wall_ms += control->due_ms - control->now_ms;
        control->now_ms = control->due_ms;
    }
}

/* --- the tests ----------------------------------------------------------------------
 */

static void a_task_fires_at_its_times(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "m", "*/10 * * * *", true);
    put_task(control, "z", "CRON_TZ=Asia/Kathmandu 0 18 * * *", true);
    put_task(control, "never", "0 0 30 2 *", true);
    put_task(control, "none", NULL, true);
    settle(control);
    assert_int_equal(next_fire(control, "m"), NOON + 10 * MINUTE);
    assert_int_equal(next_fire(control, "z"), NOON + 15 * MINUTE);
    assert_true(next_fire(control, "never") == UINT64_MAX);
    assert_int_equal(next_fire(control, "none"), 0);
    assert_int_equal(pass(control, 10 * MINUTE - 1), 0);
    assert_int_equal(pass(control, 1), 1);
    assert_int_equal(next_fire(control, "m"), NOON + 20 * MINUTE);
    assert_int_equal(pass(control, 10 * MINUTE), 2);
    assert_int_equal(next_fire(control, "z"), NOON + 15 * MINUTE + DAY);
    assert_int_equal(pass(control, DAY), 144 + 1);
    bench_free(control);
}

static void the_zone_of_the_cluster_is_that_of_lines_without_one(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "t", "0 18 * * *", true);
    put_task(control, "z", "CRON_TZ=Asia/Tokyo 0 22 * * *", true);
    pass(control, MINUTE);
    assert_int_equal(next_fire(control, "t"), NOON + 6 * HOUR);
    assert_int_equal(next_fire(control, "z"), NOON + HOUR);
    assert_int_equal(
        registry_zone_set(control->registry, &somebody, "Asia/Kathmandu", 14), 0);
    control->due_ms = 0;
    assert_int_equal(pass(control, MINUTE), 0);
    assert_int_equal(next_fire(control, "t"), NOON + 15 * MINUTE);
    assert_int_equal(next_fire(control, "z"), NOON + HOUR);
    assert_int_equal(pass(control, HOUR), 2);
    bench_free(control);
}

static void a_change_makes_it_compute_anew(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "t", "*/10 * * * *", true);
    pass(control, MINUTE);
    put_task(control, "t", "*/7 * * * *", true);
    settle(control);
    assert_int_equal(next_fire(control, "t"), NOON + 7 * MINUTE);
    put_task(control, "t", NULL, true);
    assert_int_equal(pass(control, HOUR), 0);
    put_task(control, "t", "0 13 * * *", false); /* disabled */
    assert_int_equal(pass(control, 30 * MINUTE), 0);
    assert_int_equal(next_fire(control, "t"), 0);
    bench_free(control);
}

static void a_disabled_task_does_not_fire_and_an_enabled_one_fires_from_now(
    void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "t", "*/10 * * * *", true);
    settle(control);
    enable(control, "t", false);
    assert_int_equal(pass(control, HOUR), 0);
    assert_int_equal(next_fire(control, "t"), 0); /* nothing to come back to */
    size_t before = control->total;
    assert_int_equal(pass(control, DAY), 0);
    assert_int_equal(control->total, before);
    control->now_ms += 5 * MINUTE;
    control->wall_ms += 5 * MINUTE;
    enable(control, "t", true);
    settle(control);
    assert_int_equal(next_fire(control, "t"), control->wall_ms + 5 * MINUTE);
    assert_int_equal(pass(control, 10 * MINUTE), 1);
    bench_free(control);
}

static void a_failover_neither_loses_nor_doubles_a_tick(void **state)
{
    (void)state;
    for (int applied = 0; applied <= 1; applied++) {
        struct control *control = bench_new();
        put_task(control, "t", "*/10 * * * *", true);
        pass(control, 10 * MINUTE - 1);
        control->now_ms++;
        control->wall_ms++;
        control->due_ms = 0;
        assert_int_equal(look(control), 1); /* proposed, and the leader dies */
        struct proposal last = control->proposals[0];
        if (applied) {
            apply(control, &last);
        }
        control->now_ms += 5000; /* an election, and some seconds more */
        control->wall_ms += 5000;
        bench_failover(control);
        assert_int_equal(pass(control, 10 * MINUTE - 5001), 1);
        apply(control, &last); /* it comes late, from the old leader: refused */
        assert_int_equal(run_all(control), 0);
        assert_int_equal(pass(control, 10 * MINUTE), 1);
        bench_free(control);
    }
}

static void ticks_that_were_missed_are_skipped_or_caught_up_with_once(void **state)
{
    (void)state;
    for (uint64_t catch_up = 0; catch_up <= 1; catch_up++) {
        struct control *control = bench_new();
        assert_int_equal(
            registry_setting_set(control->registry, &somebody, "catch_up", 8, catch_up),
            0);
        put_task(control, "t", "*/10 * * * *", true);
        pass(control, MINUTE);
        control->now_ms += 2 * HOUR; /* nobody leads */
        control->wall_ms += 2 * HOUR;
        bench_failover(control);
        assert_int_equal(pass(control, MINUTE), catch_up);
        assert_int_equal(pass(control, 10 * MINUTE), 1); /* and from now on as ever */
        bench_free(control);
    }
}

/* Seconds, when leaders change: a tick of many that were passed over is one. */
static void a_short_silence_costs_at_most_what_came_in_it(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "t", "*/5 * * * * * *", true);
    assert_int_equal(pass(control, MINUTE), 12);
    control->now_ms += 22000;
    control->wall_ms += 22000;
    bench_failover(control);
    assert_int_equal(pass(control, 0), 1);
    assert_int_equal(pass(control, 3000), 1); /* the next of its ticks */
    bench_free(control);
}

static void the_wall_clock_may_jump(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "t", "* * * * *", true);
    assert_int_equal(pass(control, 10 * MINUTE), 10);
    control->wall_ms += DAY; /* 1440 ticks */
    assert_int_equal(pass(control, MINUTE), 1);
    assert_int_equal(pass(control, 10 * MINUTE), 10);
    control->wall_ms += 20000; /* by less than counts as missed */
    assert_int_equal(pass(control, 40000), 1);
    /* A jump is seen soon although nothing was due for long. */
    put_task(control, "t", "0 12 * * *", true);
    pass(control, MINUTE);
    uint64_t noon_ms = next_fire(control, "t");
    control->wall_ms = noon_ms;
    assert_int_equal(pass(control, 1000), 1);
    bench_free(control);
}

/* How many runs begin after it was 12:10 and the clock is set back by so much. */
static size_t runs_after_a_step_back(const char *line, uint64_t back_ms,
                                     uint64_t for_ms, bool failover)
{
    struct control *control = bench_new();
    control->wall_ms = NOON - MINUTE;
    put_task(control, "t", line, true);
    pass(control, 11 * MINUTE);
    control->wall_ms -= back_ms;
    if (failover) { /* or another one leads, by its own clock */
        bench_failover(control);
    }
    size_t runs = pass(control, for_ms);
    bench_free(control);
    return runs;
}

static void a_clock_that_is_set_back_neither_silences_nor_repeats(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint64_t back_ms;
        uint64_t for_ms;
        size_t runs;
    } steps[] = {
        /* within what clocks differ by: nothing fires again */
        {"* * * * *", MINUTE - 1000, 10 * MINUTE, 9},
        {"0 12 * * *", MINUTE, 20 * MINUTE, 0},
        /* what fires often does not stand still */
        {"* * * * *", 2 * MINUTE, 10 * MINUTE, 10},
        {"* * * * *", 2 * HOUR, HOUR, 60},
        {"*/10 * * * *", 30 * MINUTE, HOUR, 6},
        {"0 * * * *", 30 * MINUTE, HOUR, 1},
        /* what fires seldom is not repeated */
        {"0 12 * * *", 20 * MINUTE, DAY - MINUTE, 0},
        {"0 12 * * *", 20 * MINUTE, DAY + 20 * MINUTE, 1},
        {"0 12 * * *", 3 * HOUR + 10 * MINUTE - 1, DAY, 0},
        {"0 */2 * * *", HOUR, HOUR, 0},
        /* it was wrong before: 12:00, which has fired, is three hours ahead */
        {"0 12 * * *", 3 * HOUR + 10 * MINUTE, 3 * HOUR, 1},
        {"0 12 * * *", 1000 * DAY, DAY, 1},
        {"* * * * *", 1000 * DAY, HOUR, 60},
    };
    for (size_t i = 0; i < 2 * sizeof steps / sizeof steps[0]; i++) {
        size_t at = i / 2;
        size_t runs = runs_after_a_step_back(steps[at].line, steps[at].back_ms,
                                             steps[at].for_ms, i % 2 == 1);
        if (runs != steps[at].runs) {
            fail_msg("%s, back by %" PRIu64 " s: %zu runs, and not %zu", steps[at].line,
                     steps[at].back_ms / 1000, runs, steps[at].runs);
        }
    }
}

/* A time that was wrong for a while is no reason to be silent until it comes. */
static void a_clock_that_was_ahead_for_years_is_made_up_for(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "day", "30 12 * * *", true);
    put_task(control, "year", "0 0 13 * * * 2026", true);
    put_task(control, "minute", "* * * * *", true);
    pass(control, MINUTE);
    uint64_t year_ms = next_fire(control, "year");
    control->wall_ms += 4000 * DAY;
    pass(control, MINUTE);
    assert_int_equal(next_fire(control, "year"), UINT64_MAX);
    control->wall_ms -= 4000 * DAY;
    pass(control, 2 * MINUTE);
    assert_int_equal(next_fire(control, "year"), year_ms);
    assert_true(next_fire(control, "day") < NOON + HOUR);
    assert_int_equal(pass(control, 20 * MINUTE), 20);
    bench_free(control);
}

/* Many small steps are a large one. */
static void a_clock_that_creeps_back_is_seen(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "t", "* * * * *", true);
    pass(control, 10 * MINUTE);
    for (int i = 0; i < 30; i++) { /* five minutes in all */
        control->wall_ms -= 30000;
        pass(control, 20000);
    }
    assert_true(pass(control, 10 * MINUTE) >= 9);
    bench_free(control);
}

static void a_tick_during_a_run_is_skipped(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "t", "*/10 * * * *", true);
    pass(control, MINUTE);
    struct run_order order = {"t", 1, 0, 7, RUN_CAUSE_CLIENT, RUN_APPLY, 4000, 1, 1};
    assert_int_equal(registry_run_start(control->registry, &somebody, &order), 0);
    control->now_ms += 9 * MINUTE;
    control->wall_ms += 9 * MINUTE;
    control->due_ms = 0;
    settle(control);
    assert_int_equal(registry_due_count(control->registry), 0);
    assert_int_equal(next_fire(control, "t"), NOON + 20 * MINUTE);
    bench_free(control);
}

static void jitter_spreads_and_never_doubles(void **state)
{
    (void)state;
    struct control *control = bench_new();
    assert_int_equal(registry_setting_set(control->registry, &somebody,
                                          "schedule_jitter_ms", 18, 300000),
                     0);
    uint64_t first_ms = UINT64_MAX;
    uint64_t last_ms = 0;
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        put_task(control, name, i % 2 == 0 ? "0 * * * *" : "* * * * *", true);
    }
    settle(control);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        uint64_t fire_ms = next_fire(control, name);
        uint64_t tick_ms = i % 2 == 0 ? NOON + HOUR : NOON + MINUTE;
        assert_true(fire_ms >= tick_ms);
        assert_true(fire_ms <= tick_ms + (i % 2 == 0 ? 300000 : 59000));
        if (i % 2 == 0) {
            first_ms = fire_ms < first_ms ? fire_ms : first_ms;
            last_ms = fire_ms > last_ms ? fire_ms : last_ms;
        }
    }
    assert_true(last_ms - first_ms > 200000);
    /* Each tick once, whatever becomes of the setting meanwhile: 50 tasks of every
     * minute, the first of whose fires is up to a minute late, and 50 of every hour. */
    size_t runs = 0;
    for (int i = 0; i < 12; i++) {
        runs += pass(control, 5 * MINUTE);
        registry_setting_set(control->registry, &somebody, "schedule_jitter_ms", 18,
                             i % 2 == 0 ? 0 : 300000);
    }
    registry_setting_set(control->registry, &somebody, "schedule_jitter_ms", 18, 0);
    runs += pass(control, 10 * MINUTE);
    assert_int_equal(runs, 50 * 70 + 50);
    bench_free(control);
}

static void ten_thousand_schedules_keep_turns_short(void **state)
{
    (void)state;
    enum { TASKS = 10000, OFTEN = 10 };
    struct control *control = bench_new();
    for (int i = 0; i < TASKS; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        put_task(control, name, i < OFTEN ? "* * * * *" : "0 13 * * *", true);
    }
    /* look() asserts that no turn proposes more than TURN_MAX. */
    assert_true(settle(control) >= TASKS / TURN_MAX);
    assert_int_equal(control->total, TASKS);
    /* A new leader finds the rows there: nothing is proposed, in turns all the same. */
    bench_failover(control);
    size_t turns = settle(control);
    assert_true(turns >= TASKS / 512 && turns < TASKS / 100);
    assert_int_equal(control->total, TASKS);
    /* What is not due costs nothing: a minute is its ten tasks. */
    for (int i = 0; i < 5; i++) {
        size_t before = control->total;
        assert_int_equal(pass(control, MINUTE), OFTEN);
        assert_int_equal(control->total - before, OFTEN);
    }
    /* All at once: each once, TURN_MAX a turn. */
    size_t before = control->total;
    control->wall_ms += 55 * MINUTE - 5000;
    control->now_ms += 55 * MINUTE - 5000;
    control->due_ms = 0;
    pass(control, 10000);
    assert_int_equal(control->total - before, TASKS - OFTEN + 2 * OFTEN);
    bench_free(control);
}

/* A turn that reads texts of a mebibyte reads few of them. */
static void long_texts_keep_turns_short(void **state)
{
    (void)state;
    enum { TASKS = 20, TEXT = 900000 };
    struct control *control = bench_new();
    char *text = mem_alloc(TEXT + 1);
    memset(text, 'x', TEXT);
    text[TEXT] = '\0';
    for (int i = 0; i < TASKS; i++) {
        char *body = mem_printf("{\"name\":\"t%d\",\"module\":\"./m\",\"condition\":{"
                                "\"schedule\":{\"cron\":\"@daily\"}},"
                                "\"description\":\"%s\"}",
                                i, text);
        struct task_json json;
        assert_int_equal(task_json_create_bare(body, strlen(body),
                                               &task_defaults_standard, &json, NULL),
                         0);
        static const struct task_match any = {0};
        assert_int_equal(
            registry_task_put(control->registry, &somebody, &json.draft, false, &any),
            0);
        task_json_close(&json);
        mem_free(body);
    }
    mem_free(text);
    control->due_ms = 0;
    while (control->due_ms <= control->now_ms) {
        assert_true(look(control) <= 2);
        decide(control);
    }
    assert_int_equal(control->total, TASKS);
    bench_free(control);
}

static void a_full_queue_is_tried_again(void **state)
{
    (void)state;
    struct control *control = bench_new();
    put_task(control, "a", "* * * * *", true);
    put_task(control, "b", "* * * * *", true);
    control->refuses = true;
    assert_int_equal(look(control), 0);
    assert_true(control->due_ms > control->now_ms);
    assert_true(control->due_ms <= control->now_ms + 1000);
    control->refuses = false;
    assert_int_equal(pass(control, MINUTE), 2);
    control->refuses = true;
    control->wall_ms += MINUTE;
    assert_int_equal(look(control), 0);
    control->refuses = false;
    assert_int_equal(pass(control, 1000), 2);
    bench_free(control);
}

static void events_that_fell_out_of_the_log_are_made_up_for(void **state)
{
    (void)state;
    struct control *control = bench_new();
    settle(control);
    assert_int_equal(
        registry_setting_set(control->registry, &somebody, "events_max_count", 16, 100),
        0);
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        put_task(control, name, "* * * * *", true);
    }
    settle(control);
    assert_int_equal(control->total, 300);
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(next_fire(control, name), NOON + MINUTE);
    }
    bench_free(control);
}

static void a_zone_that_is_not_known_here_does_not_fire(void **state)
{
    (void)state;
    struct control *control = bench_new();
    log_set_level(LOG_LEVEL_ERROR + 1);
    put_task(control, "t", "TZ=Europe/Atlantis * * * * *", true);
    assert_int_equal(pass(control, HOUR), 0);
    assert_int_equal(next_fire(control, "t"), 0);
    /* Another node knew it: what it computed still fires, and then it is not known. */
    struct fire_order order = {
        "t", 1, 0, 0, control->wall_ms + MINUTE, false, control->wall_ms};
    assert_int_equal(registry_task_fire(control->registry, &order), 0);
    assert_int_equal(pass(control, HOUR), 1);
    assert_int_equal(next_fire(control, "t"), 0);
    bench_free(control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_fires_at_its_times),
        cmocka_unit_test(the_zone_of_the_cluster_is_that_of_lines_without_one),
        cmocka_unit_test(a_change_makes_it_compute_anew),
        cmocka_unit_test(
            a_disabled_task_does_not_fire_and_an_enabled_one_fires_from_now),
        cmocka_unit_test(a_failover_neither_loses_nor_doubles_a_tick),
        cmocka_unit_test(ticks_that_were_missed_are_skipped_or_caught_up_with_once),
        cmocka_unit_test(a_short_silence_costs_at_most_what_came_in_it),
        cmocka_unit_test(the_wall_clock_may_jump),
        cmocka_unit_test(a_clock_that_is_set_back_neither_silences_nor_repeats),
        cmocka_unit_test(a_clock_that_was_ahead_for_years_is_made_up_for),
        cmocka_unit_test(a_clock_that_creeps_back_is_seen),
        cmocka_unit_test(a_tick_during_a_run_is_skipped),
        cmocka_unit_test(jitter_spreads_and_never_doubles),
        cmocka_unit_test(ten_thousand_schedules_keep_turns_short),
        cmocka_unit_test(long_texts_keep_turns_short),
        cmocka_unit_test(a_full_queue_is_tried_again),
        cmocka_unit_test(events_that_fell_out_of_the_log_are_made_up_for),
        cmocka_unit_test(a_zone_that_is_not_known_here_does_not_fire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
