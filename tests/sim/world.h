/* SPDX-License-Identifier: Apache-2.0 */
/* A world: a cluster of the real raft/ and registry/ code on simulated disks, links and
 * clocks, its faults and its clients, all from one seed; and what must always be true.
 *
 *   - one leader a term
 *   - equal digests at equal applied index, on all nodes, ever
 *   - commit and applied never go back in one life
 *   - an acknowledged command is on every node that has come that far
 *   - a command reported as never happened is nowhere
 *   - after healing: a write is acknowledged and every member catches up */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world_options {
    uint64_t seed;
    size_t nodes; /* 1, 3, 5 */
    bool trace;   /* print every line */
};

struct world_result {
    bool failed;
    char reason[512]; /* what broke, and when */
    uint64_t trace_hash;
    uint64_t acknowledged;
    uint64_t unknown;
    uint64_t never;
    uint64_t crashes;
    uint64_t elections;
    uint64_t wipes;
    uint64_t virtual_ms;
};

void world_run(const struct world_options *options, struct world_result *result);

#endif
