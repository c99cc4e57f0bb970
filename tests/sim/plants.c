/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plants.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/plant.h"
#include "raft/rules.h"
#include "sim/runs.h"

struct planting {
    const char *word;
    enum plant plant; /* or, if it is nothing, rules that are off */
    uint32_t rules_off;
    size_t nodes; /* where it is to be found */
    enum world_kind kind;
    uint64_t seed;
    uint64_t count;
    const char *what;
};

static const struct planting plantings[] = {
#define X(SYMBOL, word, nodes, kind, seed, count, what)                                \
    {word, PLANT_##SYMBOL, 0, nodes, WORLD_##kind, seed, count, what},
#include "base/plants.def"
#undef X
#define X(word, rules, nodes, kind, seed, count, what)                                 \
    {word, PLANT_NOTHING, rules, nodes, WORLD_##kind, seed, count, what},
#include "sim/rules_off.def"
#undef X
};

static const struct planting *planted;

bool plant_on(enum plant plant)
{
    if (planted == NULL) {
        return false;
    }
    /* Without the rule libraft takes a byte of an address for a flag: let it say no. */
    bool round = plant == PLANT_ROUND_ADDRESSES &&
                 (planted->rules_off & (uint32_t)RULE_CANDIDATE) != 0;
    return planted->plant == plant || round;
}

bool plants_plant(const char *word)
{
    for (size_t i = 0; i < sizeof plantings / sizeof plantings[0]; i++) {
        if (strcmp(plantings[i].word, word) == 0) {
            planted = &plantings[i];
            rules_switch_off(planted->rules_off);
            return true;
        }
    }
    return false;
}

void plants_print_option(void)
{
    if (planted != NULL) {
        printf(" --plant %s", planted->word);
    }
}

void plants_print_list(void)
{
    for (size_t i = 0; i < sizeof plantings / sizeof plantings[0]; i++) {
        printf("%-24s %s\n", plantings[i].word, plantings[i].what);
    }
}

int plants_find(const char *word, bool histories)
{
    if (!plants_plant(word)) {
        printf("sim: no planted bug is called %s\n", word);
        return 2;
    }
    struct runs_options options = {
        .world = {.seed = planted->seed,
                  .nodes = planted->nodes,
                  .kind = planted->kind,
                  .histories = histories},
        .count = planted->count,
        .jobs = 1,
        .apart = true,
        .silent = true,
    };
    struct runs_totals totals;
    runs_run(&options, &totals);
    if (totals.failures == 0) {
        printf("sim: NOT FOUND in %" PRIu64 " worlds: %s\n", totals.runs,
               planted->what);
        return 1;
    }
    printf("sim: planted: %s\nsim: found in world %" PRIu64 " of %" PRIu64 ": %s\n",
           planted->what, totals.runs, planted->count, totals.reason);
    return 0;
}

uint64_t plant_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool plant_odd_address(const void *at)
{
    return (hash_mix((uint64_t)(uintptr_t)at) & 1) != 0;
}

uint64_t plant_id(const char *name)
{
    return hash_bytes(name, strlen(name), 1) >> 1 | 1;
}

void *plant_round_memory(size_t size)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 1u << 16, size) != 0) {
        abort();
    }
    return memory;
}
