/* SPDX-License-Identifier: Apache-2.0 */
/* One run's supervisor, from its first try to its result; exec/supervise.c makes it. */
#ifndef EXEC_SUPERVISOR_H
#define EXEC_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "exec/container.h"
#include "exec/files.h"
#include "exec/guard.h"
#include "exec/ladder.h"
#include "exec/links.h"
#include "exec/program.h"
#include "exec/pump.h"
#include "exec/tries.h"
#include "exec/words.h"
#include "runlog/writer.h"

enum supervisor_state {
    SUPERVISOR_WAITING,  /* no process; a try begins at wait_until_ms */
    SUPERVISOR_RUNNING,  /* the program is there */
    SUPERVISOR_LEAVING,  /* it has ended, others that it started have not */
    SUPERVISOR_STOPPING, /* it was to end before it had */
    SUPERVISOR_GONE,     /* no process is left and none will come */
    SUPERVISOR_DONE,     /* the result is where it must be */
};

enum supervisor_reason {
    REASON_NONE,
    REASON_DEADLINE,
    REASON_TIME_LIMIT,
    REASON_CANCEL,
    REASON_SIGNAL, /* somebody told the supervisor to end */
    REASON_FOLDER, /* nobody will find this run again */
};

struct supervisor {
    struct files_order order;
    const char *folder; /* absolute; the current one */
    int folder_fd;
    int timer_fd;
    int signal_fd;
    struct guard *guard; /* NULL: there is none */
    struct links links;
    struct container container;
    struct runlog_writer log;
    struct words words;
    struct pump pump;
    struct program program;
    bool program_lives;
    bool childless;       /* nothing is below this process; its cgroup may still tell
                             otherwise */
    struct err begin_err; /* why it was not executed; code 0: it was, or is not known */
    struct tries_ending ending;
    uint64_t starved; /* killed for their memory before this try */
    struct tries tries;
    enum supervisor_state state;
    enum supervisor_reason reason;
    struct ladder ladder;
    uint64_t deadline_ms;
    uint64_t limit_at_ms;   /* UINT64_MAX: no time limit */
    uint64_t wait_until_ms; /* of WAITING: the next try; of GONE: writing the result */
    struct driver_result result;
    bool bye;
};

/* All descriptors, the order, the container and the log are set: carries the run out
 * and returns when its result is on disk or was taken. */
void supervisor_run(struct supervisor *supervisor);

/* Before supervisor_run(): the run fails with this text, and nothing is started. */
void supervisor_refuse(struct supervisor *supervisor, const char *text);

#endif
