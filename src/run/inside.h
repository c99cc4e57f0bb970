/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share. */
#ifndef RUN_INSIDE_H
#define RUN_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/driver.h"
#include "raft/clock.h"
#include "raft/node.h"
#include "registry/registry.h"
#include "run/local_run.h"
#include "run/runner.h"

struct report;

struct runner {
    struct clock *clock;
    struct node *node;
    struct driver *driver;
    struct path_folders modules;
    uint32_t uid, gid;
    struct driver_limits limits;
    struct local_runs runs;
    uint64_t self; /* id of this node, as of the last look */
    bool ready;    /* the driver has told of all there was */
    bool idle;     /* it begins nothing, as it is configured */
    bool removed;  /* this node is no member any more */
    bool retired;  /* it starts nothing any more */
    bool stopping;
    bool wants;                 /* a lease */
    uint64_t opened_ms;         /* the driver was, on the node's clock */
    uint64_t unable_until_ms;   /* no run could be begun: others take them */
    bool announcing;            /* what it carries out has no outcome yet */
    uint32_t announce_failures; /* in a row */
    uint64_t announce_after_ms; /* the next one not before; 0: there is none to come */
    struct report *reports;     /* without an outcome yet */
    uint64_t looked_ms;         /* the last look was, on the node's clock */
    size_t starts;              /* of this look */
    struct clock_task turn;
    struct clock_timer timer;
    struct fsm_watch events;
    struct node_watch leadership;
    struct lease_watch leases;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

/* Have everything looked at, at the end of this turn. */
void runner_wake(struct runner *runner);

/* --- start.c: may it begin, and with what? */

/* The moment the run has to be over if no later lease comes; 0: there is no lease that
 * is worth a start or a feed. */
uint64_t start_deadline_ms(const struct runner *runner, const struct run *run);
/* Begin it, if it may begin now. False: it may not. */
bool start_try(struct runner *runner, struct local_run *local, const struct run *run);

/* --- report.c: what the registry is to know of it */

/* Report what `local` has and `run` does not say yet; one report a run at a time, again
 * and again until the registry shows it. */
void report_settle(struct runner *runner, struct local_run *local,
                   const struct run *run);
/* Have the row of this node say what it carries runs out with: MEMBER_DRIVER_... */
void report_drivers(struct runner *runner, uint32_t drivers);
/* Nobody waits for an outcome any more. */
void report_forget_all(struct runner *runner);
/* It never began, or nothing is known of it: it ends here with that outcome. */
void report_end_without(struct runner *runner, struct local_run *local,
                        enum driver_outcome outcome, const char *text);

#endif
