/* SPDX-License-Identifier: Apache-2.0 */
/* Planted bugs: rules of the product that the simulator breaks on purpose, one at a
 * time, to see that it would notice (tests/README.md). In the product, and in every
 * test but the simulator, PLANTED() is the constant false and nothing of a plant is
 * compiled. The only place where a definition decides what is compiled
 * (scripts/layers). */
#ifndef BASE_PLANT_H
#define BASE_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef MUSTER_PLANTS

enum plant {
    PLANT_NOTHING,
#define X(SYMBOL, word, nodes, kind, seed, count, what) PLANT_##SYMBOL,
#include "base/plants.def"
#undef X
    PLANT_COUNT,
};

/* tests/sim/plants.c: is this the one that is planted now? */
bool plant_on(enum plant plant);
/* What apply must not see: the real clock, and where something happens to lie. */
uint64_t plant_clock(void);
bool plant_odd_address(const void *at);
uint64_t plant_id(const char *name); /* always the same for a name */
/* At an address whose low 16 bits are 0: as a flag each of those bytes says no. */
void *plant_round_memory(size_t size);

#define PLANTED(SYMBOL)               plant_on(PLANT_##SYMBOL)
#define PLANTED_OR(SYMBOL, bad, good) (plant_on(PLANT_##SYMBOL) ? (bad) : (good))

#else

#define PLANTED(SYMBOL)               false
#define PLANTED_OR(SYMBOL, bad, good) (good)

#endif
#endif
