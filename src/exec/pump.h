/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that takes what a program prints into the run's log.
 *
 * A thread, because a disk may let a write wait for as long as it likes, and whoever
 * stops the program when its deadline has passed must not wait with it. */
#ifndef EXEC_PUMP_H
#define EXEC_PUMP_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "exec/words.h"
#include "runlog/writer.h"

struct pump {
    pthread_t thread;
    int output_fd;
    int wake_fd;
    atomic_bool finishing;
    struct runlog_writer *log; /* the thread's until pump_finish() */
    struct words *words;       /* likewise */
};

/* Takes `output_fd` over, whatever is returned. ERR_IO. */
int pump_start(struct pump *pump, int output_fd, struct runlog_writer *log,
               struct words *words, struct err *err);

/* What is in the pipe by now is still taken; then the thread ends. Waits for that. */
void pump_finish(struct pump *pump);

#endif
