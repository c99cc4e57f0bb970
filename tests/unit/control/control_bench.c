/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/control/control_bench.h"

#include <string.h>

#include "base/map.h"

struct sim_time *time_;
struct clock *clock_;
struct node *node;
struct control *control;

void bench_pass(uint64_t ms)
{
    sim_time_run_until(time_, sim_time_now_us(time_) + ms * 1000);
}

/* Nodes that are not heard of grow silent with the time. */
void bench_pass_in_silence(uint64_t id, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        node->peers[id - FAKE_SELF].silence_ms++;
        bench_pass(1);
    }
}

int bench_begin(void **state)
{
    (void)state;
    time_ = sim_time_new();
    clock_ = sim_clock_new(time_, 7);
    node = fake_node_new(clock_);
    fake_node_task(node, "web", TASK);
    control = control_new(clock_, node);
    bench_pass(1);
    return 0;
}

int bench_end(void **state)
{
    (void)state;
    if (control != NULL) {
        control_free(control);
    }
    control = NULL;
    fake_node_free(node);
    sim_clock_free(clock_);
    sim_time_free(time_);
    map_reap(SIZE_MAX);
    return 0;
}

void bench_due(const char *name, uint64_t in_ms)
{
    uint64_t at_ms = clock_now_ms(clock_) + in_ms;
    struct command due = {
        .type = COMMAND_TASK_DUE,
        .task_due = {.task = text_of(name),
                     .cause = RUN_CAUSE_CHANGE,
                     .at_clock_ms = at_ms,
                     .until_clock_ms = at_ms},
    };
    assert_int_equal(fake_node_apply(node, &due).code, 0);
}

const struct run *bench_live(const char *name)
{
    return registry_live_run(node_registry(node), name, strlen(name));
}

void bench_end_run(const struct run *run)
{
    struct command over = {
        .type = COMMAND_RUN_END,
        .run_end = {.run = run->id,
                    .node = run->node,
                    .outcome = RUN_SUCCESS,
                    .text = text_of("")},
    };
    assert_int_equal(fake_node_apply(node, &over).code, 0);
}

void bench_drain(uint64_t id, bool draining)
{
    struct command command = {.type = COMMAND_MEMBER_DRAIN,
                              .member_drain = {id, draining}};
    assert_int_equal(fake_node_apply(node, &command).code, 0);
}

void bench_drivers(uint64_t id, uint32_t drivers)
{
    struct command command = {.type = COMMAND_MEMBER_DRIVERS,
                              .member_drivers = {id, drivers}};
    assert_int_equal(fake_node_apply(node, &command).code, 0);
}
