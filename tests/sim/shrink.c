/* SPDX-License-Identifier: Apache-2.0 */
/* Halves, quarters, ... single faults: what can be left out with the seed still broken
 * is left out, until nothing more can. It need not break in the same way: a shorter
 * history that breaks at all is worth more. */
#include "sim/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/plants.h"
#include "sim/runs.h"

bool shrink_parse(struct world_options *options, const char *list)
{
    const char *at = list;
    for (;;) {
        char *end = NULL;
        uint64_t first = strtoull(at, &end, 10);
        uint64_t last = first;
        if (end == at) {
            return false;
        }
        if (*end == '-') {
            at = end + 1;
            last = strtoull(at, &end, 10);
        }
        if (end == at || last < first || last >= FAULTS_MAX) {
            return false;
        }
        memset(options->left_out + first, 1, (size_t)(last - first) + 1);
        if (*end == '\0') {
            return true;
        }
        if (*end != ',') {
            return false;
        }
        at = end + 1;
    }
}

static void shrink_print_left_out(const struct world_options *options)
{
    const char *before = " --leave-out ";
    for (size_t first = 0; first < FAULTS_MAX; first++) {
        size_t last = first;
        if (!options->left_out[first]) {
            continue;
        }
        while (last + 1 < FAULTS_MAX && options->left_out[last + 1]) {
            last++;
        }
        printf("%s%zu", before, first);
        if (last > first) {
            printf("-%zu", last);
        }
        before = ",";
        first = last;
    }
}

void shrink_print_command(const struct world_options *options)
{
    printf("sim: again: build/tests/sim --trace --seed %" PRIu64
           " --nodes %zu --kind %s",
           options->seed, options->nodes, world_kind_word(options->kind));
    if (options->chaos_ms > 0) {
        printf(" --chaos %" PRIu64, options->chaos_ms);
    }
    printf("%s", options->histories ? " --histories" : "");
    plants_print_option();
    shrink_print_left_out(options);
    printf("\n");
}

static bool shrink_breaks(const struct world_options *options,
                          struct world_result *result)
{
    runs_apart(options, true, result);
    return result->failed;
}

static size_t shrink_left(const struct world_options *options, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        left += !options->left_out[i];
    }
    return left;
}

/* Leave [first, first + size) out, if it still breaks then. */
static bool shrink_try(struct world_options *options, size_t first, size_t size)
{
    struct world_options fewer = *options;
    struct world_result result;
    bool any = false;
    for (size_t i = first; i < first + size && i < FAULTS_MAX; i++) {
        any |= !fewer.left_out[i];
        fewer.left_out[i] = true;
    }
    if (!any || !shrink_breaks(&fewer, &result)) {
        return false;
    }
    *options = fewer;
    return true;
}

int shrink_run(const struct world_options *options)
{
    struct world_options best = *options;
    struct world_result result;
    if (!shrink_breaks(&best, &result)) {
        printf("sim: seed %" PRIu64 " does not break\n", best.seed);
        return 1;
    }
    printf("sim: %s\n", result.reason);
    size_t count = result.fault_count > 0 && result.fault_count < FAULTS_MAX
                       ? (size_t)result.fault_count
                       : FAULTS_MAX;
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t size = count; size > 0; size /= 2) {
            for (size_t first = 0; first < count; first += size) {
                changed |= shrink_try(&best, first, size);
            }
        }
    }
    shrink_breaks(&best, &result);
    memset(best.left_out + count, 0, FAULTS_MAX - count);
    printf("sim: %zu of %zu faults are needed: %s\n", shrink_left(&best, count), count,
           result.reason);
    shrink_print_command(&best);
    return 0;
}
