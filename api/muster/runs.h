/* SPDX-License-Identifier: Apache-2.0 */
/* Runs, as they are asked for. */
#ifndef API_MUSTER_RUNS_H
#define API_MUSTER_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/call.h"
#include "registry/registry.h"

/* Judge ?task, ?state and ?node. False: answered. */
bool runs_judge(struct call *call);

/* The number in the path, /runs/:id; false: answered 400. */
bool runs_number(struct call *call, uint64_t *id);
/* Answer 404 to that. */
void runs_no_run(struct call *call);

/* The run of the path; NULL: answered 400 or 404. */
const struct run *runs_of_path(struct call *call, const struct registry *registry);

#endif
