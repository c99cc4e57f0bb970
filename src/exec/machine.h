/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the real driver share: exec.c (the driver), job.c (the pool),
 * leash.c (supervisors). */
#ifndef EXEC_MACHINE_H
#define EXEC_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "exec/driver.h"
#include "exec/keep.h"
#include "exec/place.h"
#include "exec/talk.h"

#define EXEC_BUCKETS 1024

enum exec_state {
    EXEC_QUEUED,    /* to be started */
    EXEC_LAUNCHING, /* in the pool */
    EXEC_LIVE,      /* connected to its supervisor */
    EXEC_LOOKING, /* to be found out what became of it: waits for the pool, or there */
    EXEC_PAUSED,  /* the same, again at retry_ms */
    EXEC_ENDED,   /* told; waits to be forgotten */
};

struct leash;

struct exec_run {
    struct exec *exec;
    uint64_t run;
    struct exec_run *next_in_bucket;
    struct exec_run *next_job; /* while it waits for the pool */
    enum exec_state state;
    bool untold; /* of an earlier start: `found` was not called yet */
    bool stop;   /* wanted; told_stop: the supervisor knows */
    bool told_stop;
    bool refused;        /* stopped or killed before it was launched */
    bool kill;           /* wanted */
    bool force;          /* the look that is under way kills */
    bool working;        /* its job is in the pool */
    bool gone;           /* its supervisor says that no process is left */
    bool forgotten;      /* freed when nothing uses it any more */
    const char *why;     /* it is lost, if no result says otherwise */
    uint64_t started_ms; /* wall, as was told; 0: was not */
    uint64_t wanted_ms;  /* the deadline it is to have, */
    uint64_t sent_ms;    /* the one that was last sent, */
    uint64_t granted_ms; /* and the one its supervisor has confirmed */
    uint32_t grace_ms;
    uint64_t mark; /* of its claim, as soon as that was read */
    uint64_t retry_ms;
    uint32_t again_ms; /* how long it waited for that */
    struct leash *leash;
    struct driver_spec spec; /* copies, until it was launched */
    uv_work_t work;
    struct place_launched launched;
    struct place_settled settled;
};

struct exec {
    struct driver driver; /* first */
    uv_loop_t *loop;
    struct place place;
    struct exec_keep limits;
    struct keep *keep;
    const struct driver_events *events;
    void *owner;
    uv_timer_t timer;
    bool ticking;
    struct exec_run *buckets[EXEC_BUCKETS];
    size_t run_count;
    size_t untold_count; /* plus 1 until the folder was listed */
    bool ready;
    uint64_t scan_at_ms; /* the folder could not be listed: again then; 0: it could */
    uint32_t scan_wait_ms;
    struct exec_run *first_job;
    struct exec_run **last_job;
    size_t jobs_count; /* in the pool */
    size_t leashes_count;
    uint64_t trimmed_ms;
    bool closing;
    bool timer_closed;
    void (*closed)(void *ctx);
    void *ctx;
};

/* exec.c */
void exec_move(struct exec_run *run, enum exec_state next);
void exec_end(struct exec_run *run, const struct driver_result *result);
void exec_started(struct exec_run *run, uint64_t wall_ms);
void exec_look(struct exec_run *run, bool force, const char *why);
/* Of an earlier start: it is told and counted. `phase` 0: there was none. */
void exec_found(struct exec_run *run, unsigned phase,
                const struct driver_result *result);
void exec_live(struct exec_run *run, int fd);
void exec_drop(struct exec_run *run); /* off the table, freed */
void exec_may_close(struct exec *exec);

/* job.c */
void job_queue(struct exec_run *run);
void jobs_submit(struct exec *exec);
void jobs_drop(struct exec *exec); /* those that are not in the pool */

/* leash.c */
void leash_open(struct exec_run *run, int fd);
void leash_close(struct exec_run *run);
/* What is wanted and not sent yet: a deadline, a stop. */
void leash_feed(struct exec_run *run);
void leash_bye(struct exec_run *run);

#endif
