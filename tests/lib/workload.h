/* SPDX-License-Identifier: Apache-2.0 */
/* Random commands from a seed, of every kind and with many refusals among them. */
#ifndef LIB_WORKLOAD_H
#define LIB_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "lib/sim_clock.h"
#include "raft/command.h"
#include "registry/registry.h"

#define WORKLOAD_NAMES 40

struct workload {
    struct sim_random random;
    uint64_t clock_ms;
    bool raised; /* the level, by the first batch, most of the time */
    /* Set by who applies what is made, so that commands about runs find some; NULL:
     * they rarely do. Borrowed. */
    const struct registry *registry;
    char name[16]; /* what the command that was made last points to */
    char text[128];
    char request_id[24];
    char key[16];
};

void workload_init(struct workload *workload, uint64_t seed);
/* One without a key. */
void workload_command(struct workload *workload, struct command *command);
/* One batch of one to three commands, appended to `out`; returns how many. */
uint32_t workload_batch(struct workload *workload, struct buf *out);

#endif
