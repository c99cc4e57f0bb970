/* SPDX-License-Identifier: Apache-2.0 */
/* What lives on a member's machine beside its node: claims and results on its disk,
 * supervisors, programs, a boot clock. It outlives the node's process; a reboot ends
 * all of it but what was durable.
 *
 * One invariant: whatever is alive is known to the witness, to which each program says
 * when it begins and ends, so that no folder that is lost makes anybody forget it. */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/driver.h"
#include "lib/sim_clock.h"

#define JOB_NAME_SIZE 16

struct machine;
struct sim_node;
struct world;

/* Drawn in machine.c. */
enum job_state {
    JOB_QUEUED,   /* the node is to claim it */
    JOB_WRITTEN,  /* ... has claimed it, and the claim is not synced */
    JOB_CLAIMED,  /* ... and is to start its supervisor */
    JOB_UP,       /* the supervisor is there, the program not yet */
    JOB_LIVE,     /* the program is alive */
    JOB_STOPPING, /* ... on its way down the ladder */
    JOB_BEREFT,   /* its supervisor was killed, and its guard has not acted yet */
    JOB_OVER,     /* nothing is alive, the result is not on disk yet */
    JOB_ENDED,    /* the result is */
    JOB_LEFT,     /* there is a claim, no result, and nothing alive */
};

/* A run, as far as this machine has to do with it. */
struct job {
    struct machine *machine;
    struct job *next;
    uint64_t run;
    char task[JOB_NAME_SIZE];
    enum job_state state;
    bool adrift;    /* its folder is gone: nobody can find it, feed it, or stop it */
    bool forgotten; /* it is told to nobody any more */
    bool alive;     /* the witness knows its program as alive */
    bool inspects;
    bool stop_due; /* on its way to the supervisor */
    bool kill_due;
    bool unwritten; /* OVER: the disk was full, so its end is told before it is there */
    bool finding;   /* the driver that is open has yet to tell that it found it */
    bool told_begun;
    bool told_ended;
    uint64_t boot; /* number of the start of the machine that it was claimed in */
    uint64_t deadline_ms; /* boot time */
    uint64_t fed_ms;      /* likewise, on its way */
    uint32_t grace_ms;
    uint64_t kill_ms;  /* STOPPING: SIGKILL then, boot time */
    uint64_t dead_us;  /* BEREFT: the guard acts then at the latest */
    uint64_t begun_ms; /* wall; 0: no program began */
    struct driver_result *result;
    struct sim_event step;  /* on to the next state */
    struct sim_event end;   /* the program ends by itself */
    struct sim_event watch; /* the supervisor looks at its deadline */
    struct sim_event feed;
    struct sim_event order; /* to stop, to die */
};

struct machine {
    struct world *world;
    struct sim_node *member;
    struct sim_random random;
    struct clock *clock; /* boot time */
    uint64_t boot;       /* starts of it */
    int32_t boot_ppm;
    struct job *jobs;          /* newest first */
    struct sim_driver *driver; /* of the node's process; NULL: none is open */
    bool hurry;                /* programs are short from now on */
    struct sim_event news;     /* the driver is to look */
};

/* --- machine.c */
struct machine *machine_new(struct sim_node *member, uint64_t seed);
void machine_free(struct machine *machine);
/* The clock of a process of this machine. */
void machine_clock(const struct machine *machine, struct clock *clock);
/* The node's process is gone, orderly or not: what it was about to do to a job is done,
 * or not. */
void machine_node_gone(struct machine *machine);
/* The power goes, and comes back: what was not synced may be lost. */
void machine_reboot(struct machine *machine);
/* The folder of the node is gone, and another is in its place. */
void machine_lose_folder(struct machine *machine);
/* Kill the supervisor of one of its runs, if there is any. */
void machine_kill_supervisor(struct machine *machine, uint64_t dice);
/* How long it takes to find what is there. */
uint64_t machine_scan_us(struct machine *machine);
/* Is that run on its way to a start, and has its lease not run out? */
bool machine_may_begin(const struct machine *machine, uint64_t run);
/* Programs that are alive on it. */
size_t machine_alive(const struct machine *machine);
/* What is alive ends within a second or so, and what begins from now on too. */
void machine_hurry(struct machine *machine);

/* The one that the driver knows by that number; NULL. */
struct job *machine_job(struct machine *machine, uint64_t run);
/* The node gives it to its driver. */
struct job *machine_start(struct machine *machine, const struct driver_spec *spec);
void machine_feed(struct job *job, uint64_t deadline_ms);
void machine_stop(struct job *job);
void machine_kill(struct job *job);
void machine_forget(struct job *job);
/* A supervisor answers. */
bool job_answers(const struct job *job);

/* --- driver.c: the driver that a runner stands on, one a life of its node */
struct driver *sim_driver_new(struct machine *machine);
/* There is news of its machine's jobs. */
void sim_driver_look(struct sim_driver *driver);

#endif
