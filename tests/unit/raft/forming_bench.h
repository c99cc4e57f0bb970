/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that form a cluster: forming on a simulated disk, clock and network, with
 * crashes, wipes and replaced machines. Checks, whatever happens: one entry 1 for each
 * cluster id; no two clusters among the machines of one world; who has a cluster keeps
 * it over every crash, and its store opens with that entry 1. */
#ifndef UNIT_FORMING_BENCH_H
#define UNIT_FORMING_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "lib/sim_network.h"
#include "raft/forming.h"
#include "raft/identity.h"
#include "raft/membership.h"

#define BENCH_MACHINES 5
#define BENCH_CLUSTERS 64

struct bench_world;

struct machine {
    struct bench_world *world;
    size_t slot;
    char name[32];
    char address[64];
    const char *peers[BENCH_MACHINES];
    size_t peer_count;
    uint32_t expect;
    struct sim_disk *disk;
    struct sim_disk *spare;  /* of the machine that can take its place; or NULL */
    enum sim_disk_loss loss; /* at the next power off */
    uint64_t cluster_id;     /* its disk's, once known */
    uint64_t spare_cluster_id;
    /* while it runs */
    bool running;
    bool ending; /* crashed; forming winds up */
    bool crash_wanted;
    struct clock *clock;
    struct link *link;
    struct identity identity;
    struct forming *forming;
};

struct bench_cluster {
    uint64_t id;
    struct membership members;
    struct bytes *entry;
    size_t founded; /* disks that have it, ever */
};

struct bench_world {
    uint64_t seed;
    struct sim_time *time;
    struct sim_random random;
    struct sim_network *net;
    size_t machine_count;
    struct machine machines[BENCH_MACHINES];
    size_t cluster_count;
    struct bench_cluster clusters[BENCH_CLUSTERS];
    /* Replaced machines may leave a cluster that only they are in. */
    bool may_strand;
};

/* Everybody peers with everybody; nobody runs yet. */
struct bench_world *bench_world_new(size_t machine_count, uint64_t seed);
void bench_world_free(struct bench_world *world);
void bench_world_run(struct bench_world *world, uint64_t ms);

/* Nothing passes from one to the other, one way, while it is cut. */
void machine_cut(struct machine *from, struct machine *to, bool cut);
void machine_break(struct machine *a, struct machine *b); /* their connections */
/* Parts of a thousand of the frames are lost, or come later by up to `slow_us`. */
void bench_world_faults(struct bench_world *world, uint32_t loss, uint32_t slow,
                        uint64_t slow_us);
void bench_world_heal(struct bench_world *world); /* no cuts, no such faults */

void machine_start(struct machine *machine); /* nothing if it runs or winds up */
void machine_crash(struct machine *machine, enum sim_disk_loss loss);
void machine_wipe(struct machine *machine); /* it must be down */
/* Another machine, with a disk of its own, takes its place; it must be down. */
void machine_swap(struct machine *machine);
bool machine_down(const struct machine *machine);
const char *machine_trouble(struct machine *machine); /* "" if it has a cluster */

/* No more faults, everybody runs; run until everybody has a cluster or stands beside
 * one it is no member of, at most `ms`. True if so, and if just those blank nodes
 * remain that no living cluster counts as members. */
bool bench_world_settle(struct bench_world *world, uint64_t ms);
size_t bench_world_members(const struct bench_world *world); /* that have a cluster */
void bench_world_print(struct bench_world *world);

#endif
