/* SPDX-License-Identifier: Apache-2.0 */
/* A disk in memory that does what disks do at their worst. It outlives the process that
 * uses it: each file has a written image (the page cache) and a synced one; creates,
 * renames and removes are durable only after sync_folder().
 *
 * A process dies by sim_disk_kill() (the page cache stays) or with the power: off,
 * every operation fails and changes nothing, jobs still end, so that the owner can be
 * taken apart in the ordinary way; on again, with what the loss left. In both cases
 * files opened before are stale: using them fails, closing them is still needed.
 *
 * Every operation but close counts; "after N" and "the N-th" are in these numbers. */
#ifndef LIB_SIM_DISK_H
#define LIB_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "raft/disk.h"

#define SIM_SECTOR 512

struct sim_disk;

/* `time` carries the jobs: each works after a random latency and is done after another.
 */
struct sim_disk *sim_disk_new(struct sim_time *time, uint64_t seed, const char *path);
/* Jobs not done yet are forgotten: their done() is never called. */
void sim_disk_free(struct sim_disk *sim);
struct disk *sim_disk_base(struct sim_disk *sim);
/* A second disk with the same written and synced content, jobs and faults aside. */
struct sim_disk *sim_disk_clone(const struct sim_disk *sim, struct sim_time *time,
                                uint64_t seed);
/* `before` is called before each operation is carried out; it may clone. */
void sim_disk_watch(struct sim_disk *sim, void (*before)(void *ctx), void *ctx);

void sim_disk_latency(struct sim_disk *sim, uint64_t min_us, uint64_t max_us);
void sim_disk_pause(struct sim_disk *sim, bool paused); /* jobs wait */
bool sim_disk_idle(const struct sim_disk *sim);         /* no job under way */
/* Forget jobs under way: their done() is never called (a process that ends abruptly,
 * whose owner frees them itself). */
void sim_disk_drop_jobs(struct sim_disk *sim);

/* What happens to what was not synced when the power goes. */
enum sim_disk_loss {
    SIM_LOSE,    /* all of it is gone */
    SIM_KEEP,    /* all of it happens to be there */
    SIM_TEAR,    /* each sector is old or new; of the folder's changes a first part */
    SIM_REORDER, /* likewise, and any of the folder's changes, each for itself */
    SIM_STAYS,   /* only the process ended: the page cache is as it was */
};
void sim_disk_power_off(struct sim_disk *sim);
void sim_disk_power_off_after(struct sim_disk *sim, uint64_t operations);
bool sim_disk_powered(const struct sim_disk *sim);
void sim_disk_power_on(struct sim_disk *sim, enum sim_disk_loss loss);
void sim_disk_kill(struct sim_disk *sim); /* the process only: open files, lock */

uint64_t sim_disk_operations(const struct sim_disk *sim);
/* After `skip` more operations the next `times` fail with ERR_IO. A failed write may
 * have written a part; a failed sync may leave sectors clean in the cache that never
 * reached the disk, as Linux does. times = 0: no more failures. */
void sim_disk_fail(struct sim_disk *sim, uint64_t skip, uint64_t times);
/* Likewise the next `times` operations called `what` alone: "open", "write", "sync",
 * "rename", "remove". */
void sim_disk_fail_kind(struct sim_disk *sim, const char *what, uint64_t times);
bool sim_disk_failed(const struct sim_disk *sim); /* did it, since the last _fail()? */
/* Room for all files together; UINT64_MAX = no limit. Less than is used now is fine. */
void sim_disk_limit(struct sim_disk *sim, uint64_t bytes);
uint64_t sim_disk_used(const struct sim_disk *sim);

/* Damage and inspection, by file name; both images change. False: no such file. */
bool sim_disk_flip(struct sim_disk *sim, const char *name, uint64_t offset,
                   uint8_t mask);
bool sim_disk_cut(struct sim_disk *sim, const char *name, uint64_t size);
bool sim_disk_delete(struct sim_disk *sim, const char *name);
bool sim_disk_put(struct sim_disk *sim, const char *name, const void *data, size_t len);
void sim_disk_wipe(struct sim_disk *sim); /* an empty folder */
/* The written image, borrowed until the next call for this file; NULL: no such file. */
const uint8_t *sim_disk_content(const struct sim_disk *sim, const char *name,
                                size_t *len);
size_t sim_disk_count(const struct sim_disk *sim);
const char *sim_disk_name(const struct sim_disk *sim, size_t at); /* in order */

#endif
