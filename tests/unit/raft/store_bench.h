/* SPDX-License-Identifier: Apache-2.0 */
/* A store on a simulated disk, driven by a seed, beside a model of what it must hold.
 *
 * The model numbers what is handed to the store (appends, truncations, installs) and
 * keeps the log as it is after each. Whatever happens, the disk must hold the log after
 * one of [reported, handed over]; term and vote, and the snapshot, likewise. */
#ifndef STORE_BENCH_H
#define STORE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_disk.h"
#include "raft/store/store.h"

#define BENCH_NODE    0x1111
#define BENCH_CLUSTER 0x2222

struct bench_log {
    uint64_t base; /* index of the first entry */
    size_t count;
    uint64_t *id; /* each entry's payload follows from its id */
    uint64_t *term;
};

struct bench_snapshot {
    uint64_t index; /* 0 = none */
    uint64_t term;
};

struct bench_vote {
    uint64_t term;
    uint64_t vote;
};

struct bench {
    struct sim_time *time;
    struct sim_random random;
    struct sim_disk *sim;
    struct clock *clock;
    struct store *store;
    uint64_t segment_bytes;

    struct bench_log *logs; /* after each operation */
    size_t log_count;
    struct bench_op *ops;
    size_t reported; /* operations; logs[reported] is the least that must be found */
    uint64_t next_id;
    uint64_t commit;
    struct bench_vote vote;         /* reported */
    struct bench_vote vote_wanted;  /* handed over */
    struct bench_snapshot snapshot; /* reported */
    struct bench_snapshot taking;   /* handed over, index 0 = none */
    struct bench_snapshot receiving;
    bool sealed;
    bool installing;
    bool closed;
    bool failed;
    struct err failure;
    size_t full_count; /* snapshots that were answered ERR_FULL */
};

/* A new disk with a new store on it, opened. */
void bench_init(struct bench *bench, uint64_t seed, uint64_t segment_bytes);
void bench_close(struct bench *bench); /* closes the store if it is open */

void bench_run(struct bench *bench, uint64_t events); /* at most so many */
void bench_settle(struct bench *bench);               /* until nothing is under way */
void bench_close_store(struct bench *bench);
/* Hand over something chosen by chance; may let time pass. */
void bench_step(struct bench *bench);
void bench_append(struct bench *bench, size_t count);
void bench_truncate(struct bench *bench, uint64_t first, size_t count);
void bench_commit_all(struct bench *bench);
void bench_set_vote(struct bench *bench);
bool bench_take(struct bench *bench);
void bench_receive(struct bench *bench);

/* Open the store on `sim` and compare with the model; `what` for the message of a
 * failure. Returns store_open()'s result: 0, or a refusal with its text in `err` (then
 * nothing was compared). With `go_on` it also appends, closes and opens once more. */
int bench_check(const struct bench *bench, struct sim_disk *sim, struct sim_time *time,
                bool go_on, const char *what, struct err *err);

/* The payload of entry `id`; the caller frees it. */
struct bytes *bench_payload(uint64_t id);

bool bench_full_run(void); /* MUSTER_TEST_FULL=1 */

#endif
