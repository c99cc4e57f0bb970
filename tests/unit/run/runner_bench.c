/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/run/runner_bench.h"

#include "base/map.h"

struct sim_time *time_;
struct clock *clock_;
struct node *node;
struct fake_driver fake;
struct runner *runner;
struct path_folders modules; /* none */
bool idle;

void bench_pass(uint64_t ms)
{
    sim_time_run_until(time_, sim_time_now_us(time_) + ms * 1000);
}

void bench_begin_node(void)
{
    struct runner_options options = {
        .clock = clock_,
        .node = node,
        .driver = &fake.driver,
        .modules = modules,
        .idle = idle,
        .uid = 65534,
        .gid = 65534,
        .limits = {.memory_bytes = 1000, .files_count = 7},
    };
    runner = runner_new(&options);
    bench_pass(1);
}

static void gone(void *owner)
{
    *(bool *)owner = true;
}

/* Its process ends; what is alive lives on. */
void bench_end_node(void)
{
    bool stopped = false;
    runner_stop(runner, gone, &stopped);
    bench_pass(1);
    assert_true(stopped);
    runner = NULL;
}

void bench_renew(void)
{
    fake_node_renew(node, LEASE_MS, node->status.applied);
    bench_pass(1);
}

int bench_begin(void **state)
{
    (void)state;
    time_ = sim_time_new();
    clock_ = sim_clock_new(time_, 7);
    node = fake_node_new(clock_);
    fake_driver_init(&fake, clock_);
    fake_node_task(node, "web", TASK);
    bench_begin_node();
    return 0;
}

int bench_end(void **state)
{
    (void)state;
    if (runner != NULL) {
        bench_end_node();
    }
    idle = false;
    fake_driver_free(&fake);
    fake_node_free(node);
    sim_clock_free(clock_);
    sim_time_free(time_);
    map_reap(SIZE_MAX);
    return 0;
}

/* A run of task web here, started. */
uint64_t bench_started(void)
{
    uint64_t run = fake_node_place(node, "web", FAKE_SELF);
    bench_pass(1);
    bench_renew();
    assert_non_null(fake_driver_run(&fake, run));
    return run;
}

void bench_assert_ended(uint64_t id, enum run_outcome outcome, const char *text)
{
    const struct run *run = fake_node_run(node, id);
    assert_int_equal(run->state, RUN_ENDED);
    assert_int_equal(run->outcome, outcome);
    assert_string_equal(run->text, text);
}

uint64_t bench_events_of(enum event_type type)
{
    uint64_t count = 0;
    const struct event_log *log = registry_events(node_registry(node));
    for (const struct event *event = event_log_after(log, 0); event != NULL;
         event = event_log_after(log, event->seq)) {
        count += event->type == type;
    }
    return count;
}

void bench_stop_run(uint64_t id)
{
    struct command stop = {.type = COMMAND_RUN_STOP, .run_stop = {id, RUN_STOP_CANCEL}};
    assert_int_equal(fake_node_apply(node, &stop).code, 0);
}

uint32_t bench_announced(void)
{
    return registry_member(node_registry(node), FAKE_SELF)->duty.drivers;
}
