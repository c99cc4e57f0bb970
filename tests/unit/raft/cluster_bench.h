/* SPDX-License-Identifier: Apache-2.0 */
/* A few whole nodes in one process, on simulated disks and links, driven by a scenario
 * instead of by a seed (tests/sim has those). Founded already; nobody is started. */
#ifndef TEST_CLUSTER_BENCH_H
#define TEST_CLUSTER_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "lib/sim_network.h"
#include "raft/engine.h"
#include "raft/node.h"

#define BENCH_NODES        3
#define BENCH_ELECTION_MS  1000
#define BENCH_HEARTBEAT_MS 100
#define BENCH_DIGEST_EVERY 50

struct bench_node {
    struct cluster_bench *bench;
    struct sim_disk *disk;
    struct clock *clock;
    struct link *link;
    struct node *node; /* NULL: down */
    uint32_t level;    /* it claims to know; 0: what the build knows */
    bool may_fail;     /* it may be unable to go on; why: */
    char failure[512];
    char name[8];
    char address[16];
};

struct cluster_bench {
    struct sim_time *time;
    struct sim_network *network;
    struct bench_node nodes[BENCH_NODES];
    uint64_t seed;
    uint64_t wire_bytes; /* of frames that the links took so far */
    uint64_t wire_largest;
    uint64_t notice_ms;
    bool forward_writes; /* of who is started from now on */
    size_t decided[3];   /* writes: done, never happened, unknown */
};

void bench_open(struct cluster_bench *bench);
void bench_close(struct cluster_bench *bench); /* stops who is up */

void bench_start(struct bench_node *node);
void bench_start_all(struct cluster_bench *bench);
void bench_kill(struct bench_node *node); /* SIGKILL */

void bench_run(struct cluster_bench *bench, uint64_t ms);
/* Run until `test` holds; false: not within `ms`. */
bool bench_run_until(struct cluster_bench *bench,
                     bool (*test)(struct cluster_bench *bench), uint64_t ms);
uint64_t bench_now_ms(const struct cluster_bench *bench);

/* The one that leads and has applied an entry of its term, or NULL. */
struct bench_node *bench_leader(struct cluster_bench *bench);
bool bench_has_leader(struct cluster_bench *bench);
/* Everybody that is up has applied what the one furthest ahead has. */
bool bench_is_level(struct cluster_bench *bench);
uint64_t bench_applied(const struct bench_node *node);

/* Bytes of all frames that were offered to links, taken or dropped. */
uint64_t bench_offered(void);

/* Submit a task of about `bytes` to that node; what propose_submit() says. */
int bench_write(struct bench_node *node, size_t bytes);

#endif
