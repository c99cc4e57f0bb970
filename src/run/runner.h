/* SPDX-License-Identifier: Apache-2.0 */
/* This node's side of the runs that are placed on it (DESIGN 9): starts each once,
 * under a lease, keeps it fed, stops it when the registry says so, reports its end
 * until the registry has it; and kills what it finds alive that is not to be.
 *
 * What it remembers it can lose: the registry says what is wanted, the driver what
 * there is, and everything it does follows from these two. */
#ifndef RUN_RUNNER_H
#define RUN_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/path.h"
#include "exec/driver.h"
#include "raft/clock.h"
#include "raft/node.h"

struct runner;

/* All of it outlives the runner; the driver is not open yet. */
struct runner_options {
    struct clock *clock;
    struct node *node;
    struct driver *driver;
    struct path_folders modules; /* that modules must lie in; none: anywhere */
    bool idle;                   /* it begins no runs, and says so to the cluster */
    uint32_t uid, gid;           /* whom they run as; 0 as the node does */
    struct driver_limits limits; /* of each run */
};
struct runner *runner_new(const struct runner_options *options);

/* The node is about to stop: nothing is started any more. What is placed here waits for
 * the next start, which comes soon or finds it lost; what is alive is kept alive. */
void runner_retire(struct runner *runner);

/* Close the driver and leave alone what is alive: the next start of the node adopts it.
 * `stopped` is called later, and the runner is gone. */
void runner_stop(struct runner *runner, void (*stopped)(void *owner), void *owner);

/* Runs of this node that are not over and done with; for tests and the curious. */
size_t runner_count(const struct runner *runner);

#endif
