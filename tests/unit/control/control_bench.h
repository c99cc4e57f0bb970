/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's loops over a fake node, and what is done to it in a line each. */
#ifndef UNIT_CONTROL_CONTROL_BENCH_H
#define UNIT_CONTROL_CONTROL_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/control.h"
#include "lib/fake_node.h"
#include "lib/sim_clock.h"

#define TASK_NAMED(name) "{\"condition\":{},\"module\":\"./m\",\"name\":\"" name "\"}"
#define TASK             "{\"condition\":{},\"module\":\"./m\",\"name\":\"web\"}"
#define N1               FAKE_SELF
#define N2               (FAKE_SELF + 1)
#define N3               (FAKE_SELF + 2)
#define WAIT_MS          (4000 + 5000 + 90 + 1000) /* (lease + grace)(1 + rho) + 1 s */
#define TICK_MS          100

extern struct sim_time *time_;
extern struct clock *clock_;
extern struct node *node;
extern struct control *control; /* a test may free it, and then sets it to NULL */

/* So many milliseconds go by. */
void bench_pass(uint64_t ms);
/* Likewise, and that member grows silent with them. */
void bench_pass_in_silence(uint64_t id, uint64_t ms);
/* For cmocka: a node that leads, settled, with a task web; and its end. */
int bench_begin(void **state);
int bench_end(void **state);
/* A mark of that task, whose time comes in so long. */
void bench_due(const char *name, uint64_t in_ms);
/* The live run of a task, or NULL. */
const struct run *bench_live(const char *name);
/* It ends with success. */
void bench_end_run(const struct run *run);
void bench_drain(uint64_t id, bool draining);
void bench_drivers(uint64_t id, uint32_t drivers);

#endif
