/* SPDX-License-Identifier: Apache-2.0 */
/* Who sees every program of a world, whatever becomes of machines and folders, and
 * every event of runs as it is first applied:
 *
 *   - of each task one program is alive at the most
 *   - what begins has a higher number than all that began before it: so none twice
 *   - nothing is started that the registry has ended, nothing of that is alive, and
 *     nothing of it may begin any more
 *   - at the end each run has ended, and each task that is due has had its run */
#ifndef SIM_WITNESS_H
#define SIM_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

struct job;
struct registry;
struct witness;
struct world;

struct witness *witness_new(struct world *world);
void witness_free(struct witness *witness);

/* A node gives `job` to its driver. */
void witness_starts(struct witness *witness, const struct job *job);
/* The program of `job` begins, and ends. */
void witness_begins(struct witness *witness, const struct job *job);
void witness_ends(struct witness *witness, const struct job *job);
/* Somebody was the first to apply all that `registry` shows. */
void witness_applied(struct witness *witness, const struct registry *registry);
/* Is no run under way, and no task waiting for one? */
bool witness_is_done(const struct witness *witness);
/* Into the transcript: what is not done. */
void witness_tell(const struct witness *witness);

#endif
