/* SPDX-License-Identifier: Apache-2.0 */
/* Runs worlds, one a seed, alone or dealt out to processes, and adds up what happened
 * in them. What comes of a seed does not depend on how many processes there are. */
#ifndef SIM_RUNS_H
#define SIM_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/world.h"

struct runs_options {
    struct world_options world; /* its seed is the first one */
    uint64_t count;
    uint32_t jobs;   /* processes; 1: none beside this one */
    bool keep_going; /* after a broken seed */
    bool apart;      /* no world in this process */
    bool silent;     /* broken seeds are not run again to be read */
};

#define RUNS_BROKEN_MAX 64

struct runs_totals {
    uint64_t runs; /* up to the first broken seed, unless kept going */
    uint64_t failures;
    uint64_t thin; /* too few writes were acknowledged to show anything */
    struct world_result sum;
    uint64_t broken[RUNS_BROKEN_MAX]; /* the first broken seeds, ascending */
    char reason[600];                 /* of the first one */
};

/* Run them all. What broke is printed. */
void runs_run(const struct runs_options *options, struct runs_totals *totals);

/* One seed in a process of its own, so that a crash is a broken seed like any other.
 * `quiet`: nothing it prints is seen. */
void runs_apart(const struct world_options *options, bool quiet,
                struct world_result *result);

#endif
