/* SPDX-License-Identifier: Apache-2.0 */
/* Runs worlds, one a seed, and counts what happened in them. */
#include <argp.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raft/rules.h"
#include "sim/world.h"

#define HEAP_KEPT (256 * 1024 * 1024)

struct arguments {
    struct world_options world;
    uint64_t count;
    uint64_t full_count; /* instead of `count` when MUSTER_TEST_FULL is set */
    bool keep_going;
    uint32_t rules_off;
};

struct totals {
    uint64_t runs;
    uint64_t failures;
    struct world_result sum;
};

static const struct argp_option option_list[] = {
    {"seed", 's', "N", 0, "First seed (1)", 0},
    {"count", 'c', "N", 0, "Number of seeds (1)", 0},
    {"full", 'f', "N", 0, "Number of seeds if MUSTER_TEST_FULL is set", 0},
    {"nodes", 'n', "N", 0, "Nodes of the cluster, 1 to 5 (3)", 0},
    {"kind", 'k', "WORD", 0, "founded, forming, storm, or mixed (the default)", 0},
    {"chaos", 'm', "MS", 0, "Virtual time with faults (by seed)", 0},
    {"trace", 't', NULL, 0, "Print all that happens", 0},
    {"keep-going", 'g', NULL, 0, "A process a seed; go on after a broken one", 0},
    {"rules-off", 'r', "MASK", 0, "Switch rules of raft/rules.h off", 0},
    {0},
};

static void run_parse_kind(struct world_options *world, const char *word,
                           struct argp_state *state)
{
    if (strcmp(word, "founded") == 0) {
        world->kind = WORLD_FOUNDED;
    } else if (strcmp(word, "forming") == 0) {
        world->kind = WORLD_FORMING;
    } else if (strcmp(word, "storm") == 0) {
        world->kind = WORLD_STORM;
    } else if (strcmp(word, "mixed") != 0) {
        argp_error(state, "no kind %s", word);
    }
}

static error_t run_parse(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    uint64_t number = value != NULL ? strtoull(value, NULL, 0) : 0;
    switch (key) {
    case 's':
        arguments->world.seed = number;
        break;
    case 'c':
        arguments->count = number;
        break;
    case 'f':
        arguments->full_count = number;
        break;
    case 'n':
        if (number < 1 || number > 5) {
            argp_error(state, "1 to 5 nodes");
        }
        arguments->world.nodes = (size_t)number;
        break;
    case 'k':
        run_parse_kind(&arguments->world, value, state);
        break;
    case 'm':
        arguments->world.chaos_ms = number;
        break;
    case 't':
        arguments->world.trace = true;
        break;
    case 'g':
        arguments->keep_going = true;
        break;
    case 'r':
        arguments->rules_off = (uint32_t)number;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void totals_add(struct totals *totals, const struct world_result *result)
{
    totals->runs++;
    totals->failures += result->failed;
    totals->sum.trace_hash += result->trace_hash;
    totals->sum.acknowledged += result->acknowledged;
    totals->sum.reads += result->reads;
    totals->sum.never += result->never;
    totals->sum.unknown += result->unknown;
    totals->sum.applied += result->applied;
    totals->sum.crashes += result->crashes;
    totals->sum.elections += result->elections;
    totals->sum.wipes += result->wipes;
    totals->sum.events += result->events;
    totals->sum.virtual_ms += result->virtual_ms;
}

/* Every tenth seed runs twice: the same seed must give the same trace. */
static void run_seed(const struct world_options *options, struct world_result *result)
{
    world_run(options, result);
    if (options->seed % 10 != 0 || result->failed || options->trace) {
        return;
    }
    struct world_result again;
    world_run(options, &again);
    if (again.trace_hash != result->trace_hash) {
        printf("BROKEN seed %" PRIu64 ": two runs, two traces\n", options->seed);
        result->failed = true;
    }
}

/* In a process of its own, so that a crash is one broken seed. */
static void run_seed_apart(const struct world_options *options,
                           struct world_result *result)
{
    int ends[2];
    *result = (struct world_result){.failed = true};
    fflush(stdout);
    if (pipe(ends) != 0) {
        perror("pipe");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        struct world_result mine;
        run_seed(options, &mine);
        fflush(stdout);
        ssize_t wrote = write(ends[1], &mine, sizeof mine);
        _exit(wrote == (ssize_t)sizeof mine ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], result, sizeof *result);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (got != (ssize_t)sizeof *result) {
        *result = (struct world_result){.failed = true};
        printf("BROKEN seed %" PRIu64 " (%zu nodes): the process ended, status %x\n",
               options->seed, options->nodes, (unsigned)status);
    }
}

static void totals_print(const struct totals *totals, size_t nodes)
{
    const struct world_result *sum = &totals->sum;
    printf("sim: %" PRIu64 " worlds of %zu nodes, %" PRIu64 " broken; %" PRIu64
           " s of virtual time, %" PRIu64 " events, %" PRIu64 " entries, %" PRIu64
           " acknowledged, %" PRIu64 " consistent reads, %" PRIu64 " never, %" PRIu64
           " unknown, %" PRIu64 " ends of a node, %" PRIu64 " elections, %" PRIu64
           " wipes; traces %016" PRIx64 "\n",
           totals->runs, nodes, totals->failures, sum->virtual_ms / 1000, sum->events,
           sum->applied, sum->acknowledged, sum->reads, sum->never, sum->unknown,
           sum->crashes, sum->elections, sum->wipes, sum->trace_hash);
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = run_parse,
        .doc = "Whole clusters in one process, from a seed each.",
    };
    struct arguments arguments = {.world = {.seed = 1, .nodes = 3}, .count = 1};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (arguments.full_count > 0 && getenv("MUSTER_TEST_FULL") != NULL) {
        arguments.count = arguments.full_count;
    }
    rules_switch_off(arguments.rules_off);
    mallopt(M_TRIM_THRESHOLD,
            HEAP_KEPT); /* each world needs again what one gave back */
    mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
    struct totals totals = {0};
    for (uint64_t i = 0; i < arguments.count; i++, arguments.world.seed++) {
        struct world_result result;
        if (arguments.keep_going) {
            run_seed_apart(&arguments.world, &result);
        } else {
            run_seed(&arguments.world, &result);
        }
        totals_add(&totals, &result);
        fflush(stdout);
        if (result.failed && !arguments.keep_going) {
            break;
        }
    }
    totals_print(&totals, arguments.world.nodes);
    return totals.failures > 0;
}
