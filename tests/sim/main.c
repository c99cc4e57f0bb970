/* SPDX-License-Identifier: Apache-2.0 */
/* Runs worlds, one a seed, and counts what happened in them. */
#include <argp.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/plants.h"
#include "sim/runs.h"
#include "sim/shrink.h"

#define HEAP_KEPT  (256 * 1024 * 1024)
#define THIN_SHARE 10 /* percent of the worlds, at the most */

struct arguments {
    struct runs_options runs;
    uint64_t full_count;  /* instead of the count when MUSTER_TEST_FULL is set */
    uint64_t short_count; /* ... when MUSTER_TEST_SHORT is */
    const char *find;
    bool shrink;
};

static const struct argp_option option_list[] = {
    {"seed", 's', "N", 0, "First seed (1)", 0},
    {"count", 'c', "N", 0, "Number of seeds (1)", 0},
    {"full", 'f', "N", 0, "Number of seeds if MUSTER_TEST_FULL is set", 0},
    {"short", 'S', "N", 0, "Number of seeds if MUSTER_TEST_SHORT is set", 0},
    {"nodes", 'n', "N", 0, "Nodes of the cluster, 1 to 5 (3)", 0},
    {"kind", 'k', "WORD", 0,
     "founded, forming, storm, stale, runs, or mixed (the default)", 0},
    {"chaos", 'm', "MS", 0, "Virtual time with faults (by seed)", 0},
    {"jobs", 'j', "N", 0, "Processes that share the seeds (1)", 0},
    {"trace", 't', NULL, 0, "Print all that happens", 0},
    {"keep-going", 'g', NULL, 0, "Go on after a broken seed", 0},
    {"histories", 'H', NULL, 0, "Judge nothing but what the clients were told", 0},
    {"leave-out", 'l', "LIST", 0, "Faults not to make, by number: 0-3,17", 0},
    {"shrink", 'x', NULL, 0, "Find the faults a broken seed needs", 0},
    {"plant", 'p', "WORD", 0, "Plant a bug", 0},
    {"find", 'F', "WORD", 0, "Plant a bug and find it where it is known to be", 0},
    {"plants", 'L', NULL, 0, "List the bugs that can be planted", 0},
    {0},
};

static void run_parse_kind(struct world_options *world, const char *word,
                           struct argp_state *state)
{
    for (int kind = WORLD_MIXED; kind < WORLD_KIND_COUNT; kind++) {
        if (strcmp(word, world_kind_word((enum world_kind)kind)) == 0) {
            world->kind = (enum world_kind)kind;
            return;
        }
    }
    argp_error(state, "no kind %s", word);
}

static uint64_t run_parse_number(const char *value, uint64_t min, uint64_t max,
                                 struct argp_state *state)
{
    char *end = NULL;
    uint64_t number = strtoull(value, &end, 0);
    if (*value == '\0' || *end != '\0' || number < min || number > max) {
        argp_error(state, "%s: a number from %" PRIu64 " to %" PRIu64, value, min, max);
    }
    return number;
}

static error_t run_parse(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct world_options *world = &arguments->runs.world;
    switch (key) {
    case 's':
        world->seed = run_parse_number(value, 0, UINT64_MAX, state);
        break;
    case 'c':
        arguments->runs.count = run_parse_number(value, 1, 10000000, state);
        break;
    case 'f':
        arguments->full_count = run_parse_number(value, 1, 10000000, state);
        break;
    case 'S':
        arguments->short_count = run_parse_number(value, 1, 10000000, state);
        break;
    case 'n':
        world->nodes = (size_t)run_parse_number(value, 1, 5, state);
        break;
    case 'k':
        run_parse_kind(world, value, state);
        break;
    case 'm':
        world->chaos_ms = run_parse_number(value, 0, 3600000, state);
        break;
    case 'j':
        arguments->runs.jobs = (uint32_t)run_parse_number(value, 1, 16, state);
        break;
    case 't':
        world->trace = true;
        break;
    case 'H':
        world->histories = true;
        break;
    case 'g':
        arguments->runs.keep_going = true;
        break;
    case 'l':
        if (!shrink_parse(world, value)) {
            argp_error(state, "%s: numbers and ranges below %d", value, FAULTS_MAX);
        }
        break;
    case 'x':
        arguments->shrink = true;
        break;
    case 'p':
        if (!plants_plant(value)) {
            argp_error(state, "no planted bug is called %s: try --plants", value);
        }
        break;
    case 'F':
        arguments->find = value;
        break;
    case 'L':
        plants_print_list();
        exit(0);
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void totals_print(const struct runs_totals *totals, size_t nodes)
{
    const struct world_result *sum = &totals->sum;
    const char *comma = "";
    printf("sim: faults: ");
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (sum->faults[i] > 0) {
            printf("%s%s %" PRIu64, comma, fault_word((enum fault)i), sum->faults[i]);
            comma = ", ";
        }
    }
    printf("\nsim: %" PRIu64 " elections, %" PRIu64 " ends of a node, %" PRIu64
           " wipes, %" PRIu64 " events, %" PRIu64 " frames, %" PRIu64
           " disk operations, %" PRIu64 " entries; writes: %" PRIu64
           " acknowledged, %" PRIu64 " never, %" PRIu64 " unknown; %" PRIu64
           " consistent reads; %" PRIu64 " leases, %" PRIu64
           " times called lost, %" PRIu64 " runs\n",
           sum->elections, sum->crashes, sum->wipes, sum->events, sum->frames,
           sum->operations, sum->applied, sum->acknowledged, sum->never, sum->unknown,
           sum->reads, sum->leases, sum->losses, sum->runs);
    printf("sim: histories of %" PRIu64 " tasks with %" PRIu64
           " operations judged, %" PRIu64 " given up\n",
           sum->history.tasks, sum->history.operations, sum->history.gave_up);
    printf("sim: %" PRIu64 " worlds of %zu nodes, %" PRIu64 " broken, %" PRIu64
           " with hardly a write; %.2f hours of virtual time; traces %016" PRIx64 "\n",
           totals->runs, nodes, totals->failures, totals->thin,
           (double)sum->virtual_us / 3.6e9, sum->trace_hash);
}

static double run_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_all(const struct runs_options *options)
{
    struct runs_totals totals;
    double began = run_seconds();
    runs_run(options, &totals);
    double took = run_seconds() - began;
    totals_print(&totals, options->world.nodes);
    printf("sim: %.1f seconds with %u jobs, %.0f virtual seconds in each\n", took,
           options->jobs, (double)totals.sum.virtual_us / 1e6 / took);
    for (uint64_t i = 0; i < totals.failures && i < RUNS_BROKEN_MAX; i++) {
        struct world_options world = options->world;
        world.seed = totals.broken[i];
        shrink_print_command(&world);
    }
    bool thin = totals.runs >= 50 && totals.thin * 100 > totals.runs * THIN_SHARE;
    if (thin) {
        printf("sim: void: too many worlds in which hardly a write was acknowledged\n");
    }
    return totals.failures > 0 || thin;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = run_parse,
        .doc = "Whole clusters in one process, from a seed each.",
    };
    static struct arguments arguments = {
        .runs = {.world = {.seed = 1, .nodes = 3}, .count = 1, .jobs = 1},
    };
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (arguments.full_count > 0 && getenv("MUSTER_TEST_FULL") != NULL) {
        arguments.runs.count = arguments.full_count;
    } else if (arguments.short_count > 0 && getenv("MUSTER_TEST_SHORT") != NULL) {
        arguments.runs.count = arguments.short_count;
    }
    mallopt(M_TRIM_THRESHOLD,
            HEAP_KEPT); /* each world needs again what one gave back */
    mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
    if (arguments.find != NULL) {
        return plants_find(arguments.find, arguments.runs.world.histories);
    }
    if (arguments.shrink) {
        return shrink_run(&arguments.runs.world);
    }
    return run_all(&arguments.runs);
}
