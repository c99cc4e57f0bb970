/* SPDX-License-Identifier: Apache-2.0 */
/* sim [--seed N] [--count N] [--nodes N] [--trace]: runs worlds and counts them. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/world.h"

struct totals {
    uint64_t runs;
    uint64_t failures;
    uint64_t acknowledged;
    uint64_t never;
    uint64_t unknown;
    uint64_t crashes;
    uint64_t elections;
    uint64_t wipes;
    uint64_t virtual_ms;
};

static void totals_add(struct totals *totals, const struct world_result *result)
{
    totals->runs++;
    totals->failures += result->failed;
    totals->acknowledged += result->acknowledged;
    totals->never += result->never;
    totals->unknown += result->unknown;
    totals->crashes += result->crashes;
    totals->elections += result->elections;
    totals->wipes += result->wipes;
    totals->virtual_ms += result->virtual_ms;
}

/* Every tenth seed runs twice: the same seed must give the same trace. */
static void run_seed(const struct world_options *options, struct totals *totals)
{
    struct world_result first;
    world_run(options, &first);
    totals_add(totals, &first);
    if (options->seed % 10 != 0 || first.failed || options->trace) {
        return;
    }
    struct world_result again;
    world_run(options, &again);
    if (again.trace_hash != first.trace_hash) {
        printf("BROKEN seed %" PRIu64 ": two runs, two traces\n", options->seed);
        totals->failures++;
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {"nodes", required_argument, NULL, 'n'},
        {"trace", no_argument, NULL, 't'},
        {0},
    };
    struct world_options options = {.seed = 1, .nodes = 3};
    uint64_t count = 1;
    int key = 0;
    while ((key = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (key) {
        case 's':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            count = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            options.nodes = strtoul(optarg, NULL, 10);
            break;
        case 't':
            options.trace = true;
            break;
        default:
            fprintf(stderr,
                    "usage: sim [--seed N] [--count N] [--nodes 1|3|5] [--trace]\n");
            return 2;
        }
    }
    struct totals totals = {0};
    for (uint64_t i = 0; i < count; i++, options.seed++) {
        run_seed(&options, &totals);
    }
    printf("sim: %" PRIu64 " worlds of %zu nodes, %" PRIu64 " broken; %" PRIu64
           " s of virtual time, %" PRIu64 " acknowledged, %" PRIu64 " never, %" PRIu64
           " unknown, %" PRIu64 " crashes, %" PRIu64 " elections, %" PRIu64 " wipes\n",
           totals.runs, options.nodes, totals.failures, totals.virtual_ms / 1000,
           totals.acknowledged, totals.never, totals.unknown, totals.crashes,
           totals.elections, totals.wipes);
    return totals.failures > 0;
}
