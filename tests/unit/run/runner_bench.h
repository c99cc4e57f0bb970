/* SPDX-License-Identifier: Apache-2.0 */
/* A runner between a fake node and a fake driver, and what is done to it in a line
 * each. */
#ifndef UNIT_RUN_RUNNER_BENCH_H
#define UNIT_RUN_RUNNER_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/fake_driver.h"
#include "lib/fake_node.h"
#include "lib/sim_clock.h"
#include "run/runner.h"

#define TASK                                                                           \
    "{\"condition\":{},\"module\":\"./"                                                \
    "m\",\"name\":\"web\",\"variables\":{\"a\":\"1\"}}"
#define LEASE_MS 4000
#define OTHER    (FAKE_SELF + 1)

extern struct sim_time *time_;
extern struct clock *clock_;
extern struct node *node;
extern struct fake_driver fake;
extern struct runner *runner;
extern struct path_folders modules; /* of the next start; none */
extern bool idle;                   /* likewise; false */

/* For cmocka: a node with a task web, started; and its end. */
int bench_begin(void **state);
int bench_end(void **state);
/* A start of the node's process, and its end: what is alive lives on. */
void bench_begin_node(void);
void bench_end_node(void);
/* So many milliseconds go by. */
void bench_pass(uint64_t ms);
/* A lease of LEASE_MS from now on, whose index is applied. */
void bench_renew(void);
/* A run of task web here, started. */
uint64_t bench_started(void);
/* The registry has that end. */
void bench_assert_ended(uint64_t id, enum run_outcome outcome, const char *text);
uint64_t bench_events_of(enum event_type type);
/* A client cancels it. */
void bench_stop_run(uint64_t id);
/* What the node's row says that it carries runs out with. */
uint32_t bench_announced(void);

#endif
