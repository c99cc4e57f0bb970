/* SPDX-License-Identifier: Apache-2.0 */
/* A world: a cluster of the real raft/ and registry/ code on simulated disks, links and
 * clocks, its faults and its clients, all from one seed. What must always be true, and
 * is looked at after everything that happens:
 *
 *   - at most one leader a term; all belong to one cluster
 *   - an entry that a node applied is the same entry for ever, on every node; so is
 *     the state after it
 *   - commit and applied never go back while a node lives
 *   - an acknowledged write is applied, once, in the entry and with the result that was
 *     told
 *   - a command comes to what a naive registry says, and so do tasks, events and keys
 *   - what clients asked and were told of a task has one order that makes it true (at
 *     the end; sim/linear.h), and its node shows what it answered
 *   - what was decided of a write with a key is told of each that repeats it
 *   - a consistent read shows no less than what was acknowledged or read consistently
 *     before it began
 *   - a write that was said never to have happened is applied nowhere
 *   - what waits in a node for others is bounded
 *   - a node stops by itself only because of a fault we made, and starts again
 *   - a leader that may call a node's runs lost, and does, finds its lease run out, and
 *     no later lease lets it begin what was called lost (leases.c)
 *   - of each task one run is alive, and what else a witness knows (witness.h)
 *   - when all is healed: a write is acknowledged and every member catches up
 *
 * What breaks ends in `failed` and a printed transcript. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/history.h"

enum world_kind {
    WORLD_MIXED,   /* by seed: most worlds are founded, some form */
    WORLD_FOUNDED, /* the disks hold a cluster already */
    WORLD_FORMING, /* the disks are empty, and faults begin at once */
    WORLD_STORM,   /* founded; leaders cut off, connections lost, disks slow */
    WORLD_STALE,   /* founded; frames of the past come again */
    WORLD_RUNS,    /* as mixed, and nodes carry out runs */
    WORLD_KIND_COUNT,
};

const char *world_kind_word(enum world_kind kind);

enum fault {
#define X(SYMBOL, word, weight, storm) FAULT_##SYMBOL,
#include "sim/faults.def"
#undef X
    FAULT_COUNT,
};
const char *fault_word(enum fault fault);

#define FAULTS_MAX 4096 /* of a world; later ones cannot be left out */

struct world_options {
    uint64_t seed;
    size_t nodes; /* 1..5 */
    enum world_kind kind;
    bool trace;        /* print every line */
    bool quiet;        /* print nothing, not even what broke */
    bool histories;    /* nothing but the histories of the clients is judged */
    uint64_t chaos_ms; /* how long faults are made; 0 = by seed */
    /* Faults that are drawn and not made, by number; so the others stay as they are. */
    bool left_out[FAULTS_MAX];
};

struct world_result {
    bool failed;
    char reason[600]; /* what broke, and when */
    uint64_t trace_hash;
    uint64_t acknowledged;
    uint64_t unknown;
    uint64_t never;
    uint64_t reads;   /* consistent ones that were answered */
    uint64_t leases;  /* that a node had */
    uint64_t losses;  /* times that a node's runs, or a run, were called lost */
    uint64_t runs;    /* programs that began */
    uint64_t applied; /* length of the log */
    uint64_t crashes;
    uint64_t elections;
    uint64_t wipes;
    uint64_t events;
    uint64_t virtual_us;
    uint64_t operations;          /* of disks */
    uint64_t frames;              /* sent */
    uint64_t faults[FAULT_COUNT]; /* made, by kind */
    uint64_t fault_count;         /* drawn */
    struct history_totals history;
};

void world_run(const struct world_options *options, struct world_result *result);

#endif
