/* SPDX-License-Identifier: Apache-2.0 */
/* How runs are carried out on this machine. The runner stands on this; exec/exec.h
 * makes the real one, the simulator has its own.
 *
 * A run is started at most once, ever, on one machine: it is claimed on disk before
 * anything of it begins. It has ended when none of its processes is left, and its end
 * is told once to each start of the node, until it is forgotten.
 *
 * Times named deadline are CLOCK_BOOTTIME, those named wall are Unix time, all in
 * milliseconds. What is given is borrowed and copied. All callbacks run on the loop,
 * later, never from inside a call. */
#ifndef EXEC_DRIVER_H
#define EXEC_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

struct driver;

/* What a run may use; 0 is "as much as there is". By the run's cgroup where there is
 * one with the controller, else by rlimits, which hold for each process. */
struct driver_limits {
    uint64_t memory_bytes;
    uint32_t cpu_percent; /* 100 is one processor; cgroup only */
    uint32_t cpu_seconds; /* of processor time, each process */
    uint32_t files_count; /* open at a time, each process */
    uint32_t processes_count;
};

struct driver_spec {
    uint64_t run;           /* its id, which is its fence number; not 0 */
    const char *task;       /* name, an identifier */
    const char *module;     /* folder; a relative one is in the node's working folder */
    const char *input;      /* JSON text that MUSTER_INPUT names; "" is {} */
    bool inspect;           /* `plan` instead of `apply` */
    uint64_t deadline_ms;   /* it is stopped then, unless it was fed a later one */
    uint32_t grace_ms;      /* what the stopping may take */
    uint32_t tries;         /* at least 1; an inspection has one */
    uint64_t time_limit_ms; /* of all tries together; 0 none */
    uint32_t uid, gid;      /* what it runs as, if this is root; 0 as the node does */
    struct driver_limits limits;
};

enum driver_phase {
    DRIVER_CLAIMED = 1, /* claimed, no result, and nothing of it is left: it is lost */
    DRIVER_ALIVE = 2,   /* its supervisor answers; `ended` will follow */
    DRIVER_ENDED = 3,   /* its end was not forgotten yet */
};

/* Numbered as run_outcome is. */
enum driver_outcome {
    DRIVER_SUCCESS = 1,
    DRIVER_FAILED = 2,
    DRIVER_TIMED_OUT = 3,
    DRIVER_CANCELLED = 4,
    DRIVER_LOST = 5,
};

#define DRIVER_TEXT_SIZE 4096 /* with the terminator */

struct driver_result {
    enum driver_outcome outcome;
    uint32_t exit_code; /* of the last try's program */
    uint32_t signal;    /* that ended it, or 0 */
    bool changes;       /* of an inspection: there are some */
    /* It is lost because this machine could not begin a run: its disk is full, it can
     * start no process, or none that supervises. Of ended() alone. */
    bool unable;
    uint64_t started_ms; /* wall; 0 if no program began */
    uint64_t ended_ms;   /* wall */
    /* UTF-8 without control characters but line feeds and tabs. Why it did not succeed:
     * exit code or signal, and what the program said last. Of an inspection that did:
     * the plan, if it is short enough, else "" (the run's log has it). */
    char text[DRIVER_TEXT_SIZE];
};

/* `owner` is what was given to open(). What is pointed to is valid during the call. */
struct driver_events {
    /* A run of an earlier start of the node that was not forgotten. `result` is NULL
     * unless it is DRIVER_ENDED. */
    void (*found)(void *owner, uint64_t run, enum driver_phase phase,
                  const struct driver_result *result);
    /* All that was there was found: from now on runs may be started. */
    void (*ready)(void *owner);
    /* The program has begun. Told again of a run that was found alive. */
    void (*started)(void *owner, uint64_t run, uint64_t wall_ms);
    /* All its processes are gone, and that is on disk (or, as long as the disk is full,
     * with its supervisor, which stays). Also of a start that failed. Once a run. */
    void (*ended)(void *owner, uint64_t run, const struct driver_result *result);
};

struct driver_ops {
    /* Once, before all else: looks for what is there; `found`…, then `ready`. */
    void (*open)(struct driver *driver, const struct driver_events *events,
                 void *owner);
    /* Claim it, durably, then start it. `ended` with lost instead if it was claimed
     * before or if the deadline has passed by then; with failed if the module cannot be
     * run. Not before `ready`; not twice for a run. */
    void (*start)(struct driver *driver, const struct driver_spec *spec);
    /* A later deadline; an earlier one changes nothing. Of a run that has ended or that
     * is being stopped: nothing. */
    void (*feed)(struct driver *driver, uint64_t run, uint64_t deadline_ms);
    /* SIGINT, SIGTERM, SIGKILL within its grace; `ended` follows, with cancelled unless
     * the program had ended before. */
    void (*stop)(struct driver *driver, uint64_t run);
    /* SIGKILL at once, to all of it, whether its supervisor answers or not; `ended`
     * follows, with lost unless it had ended before. */
    void (*kill)(struct driver *driver, uint64_t run);
    /* Its end is where it must be: it is not told again, and its folder goes when the
     * retention of logs says so. */
    void (*forget)(struct driver *driver, uint64_t run);
    uint64_t (*now_ms)(struct driver *driver); /* CLOCK_BOOTTIME */
    /* No callback comes any more but this one; then the driver is freed. What is alive
     * lives on, each until its deadline. */
    void (*close)(struct driver *driver, void (*closed)(void *ctx), void *ctx);
};

struct driver {
    const struct driver_ops *ops;
};

#endif
