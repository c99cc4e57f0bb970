/* SPDX-License-Identifier: Apache-2.0 */
/* A driver without processes: what it has claimed outlives the runner, as a machine's
 * folders and supervisors outlive a node's process; tests say when a program begins and
 * how it ends. It keeps the deadlines by itself, with a grace of nothing.
 *
 * It breaks the test that starts a run twice, feeds what it does not know or the like.
 */
#ifndef LIB_FAKE_DRIVER_H
#define LIB_FAKE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/driver.h"
#include "raft/clock.h"

#define FAKE_RUNS 256

struct fake_run {
    uint64_t run;
    enum driver_phase phase;
    bool begun;
    uint64_t begun_ms; /* wall */
    uint64_t deadline_ms;
    struct driver_result result; /* once DRIVER_ENDED */
    unsigned fed;
    bool stopped;
    bool killed;
    bool forgotten;
    bool inspect;
    uint32_t tries;
    uint32_t uid;
    struct driver_limits limits;
    char module[64];
    char input[256];
    /* what the runner is still to be told */
    bool tell_begun;
    bool tell_ended;
};

struct fake_driver {
    struct driver driver;
    struct clock *clock;
    const struct driver_events *events; /* NULL: not open */
    void *owner;
    bool tell_found;
    bool begin; /* programs begin by themselves */
    bool hold;  /* nothing is told: it still looks for what is there */
    struct fake_run runs[FAKE_RUNS];
    size_t count;
    struct clock_task turn;
    struct clock_timer deadline;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

void fake_driver_init(struct fake_driver *fake, struct clock *clock);
/* It is not open. */
void fake_driver_free(struct fake_driver *fake);

/* NULL: it was never started here. */
struct fake_run *fake_driver_run(struct fake_driver *fake, uint64_t run);
/* The folder of a run of an earlier life. */
struct fake_run *fake_driver_put(struct fake_driver *fake, uint64_t run,
                                 enum driver_phase phase);
void fake_driver_begin(struct fake_driver *fake, uint64_t run);
void fake_driver_end(struct fake_driver *fake, uint64_t run,
                     enum driver_outcome outcome, uint32_t exit_code, const char *text);
/* It may tell what it has found, from now on. */
void fake_driver_release(struct fake_driver *fake);

#endif
