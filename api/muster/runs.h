/* SPDX-License-Identifier: Apache-2.0 */
/* Runs, as they are asked for. */
#ifndef API_MUSTER_RUNS_H
#define API_MUSTER_RUNS_H

#include <stdbool.h>

#include "api/call.h"
#include "registry/registry.h"

/* Judge ?task, ?state and ?node. False: answered. */
bool runs_judge(struct call *call);

/* The run of the path, /runs/:id; NULL: answered 404. */
const struct run *runs_of_path(struct call *call, const struct registry *registry);

#endif
