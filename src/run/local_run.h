/* SPDX-License-Identifier: Apache-2.0 */
/* A run as far as this node has brought it, and the table of all of them, by number.
 * Private to this module. */
#ifndef RUN_LOCAL_RUN_H
#define RUN_LOCAL_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/driver.h"

/* Drawn in local_run.c. */
enum local_state {
    LOCAL_WAITING,  /* placed here, not claimed: it waits for its start */
    LOCAL_STARTING, /* the driver has it; its program is not known to have begun */
    LOCAL_RUNNING,
    LOCAL_STOPPING, /* the driver was told to end it */
    LOCAL_KILLING,  /* it is not to be alive, and the driver was told so */
    LOCAL_ENDED,    /* nothing of it is alive; the registry is to know */
};

const char *local_state_name(enum local_state state);

struct local_run {
    uint64_t run;
    enum local_state state;
    bool driven;                  /* the driver knows of it */
    bool started_told;            /* a leader has taken the report of it */
    uint64_t started_ms;          /* wall, of its program; 0: not known to have begun */
    struct driver_result *result; /* of one that has ended; owned */
    bool reporting;               /* a report has no outcome yet */
    uint32_t report_failures;     /* of those in a row */
    uint64_t report_after_ms;     /* the next one not before, on the node's clock */
};

/* Make the move; it must be one of the table. */
void local_run_move(struct local_run *local, enum local_state to);

/* Its program may be alive. */
bool local_run_alive(const struct local_run *local);

/* It has ended so; takes a copy. */
void local_run_end(struct local_run *local, const struct driver_result *result);

struct local_runs {
    struct local_run *
        *items; /* by number; each on the heap: they stay where they are */
    size_t count;
    size_t capacity;
};

void local_runs_close(struct local_runs *runs);
struct local_run *local_runs_find(const struct local_runs *runs, uint64_t run);
/* There is none of that number yet. */
struct local_run *local_runs_add(struct local_runs *runs, uint64_t run,
                                 enum local_state state);
void local_runs_remove(struct local_runs *runs, uint64_t run);

#endif
