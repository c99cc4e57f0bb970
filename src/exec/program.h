/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a module's program: nothing of the node or of its supervisor reaches it but
 * what is said here.
 *
 * It gets a session of its own, SIGKILL when its supervisor dies, its cgroup, its mark
 * and its limits, its user, the work folder as the current one, /dev/null as input, one
 * pipe as output and error, default signals, umask 022, and this environment: PATH,
 * HOME (the work folder), LANG=C.UTF-8, MUSTER_INPUT, MUSTER_FENCE, MUSTER_RUN,
 * MUSTER_TASK, MUSTER_MODULE, MUSTER_MARK. */
#ifndef EXEC_PROGRAM_H
#define EXEC_PROGRAM_H

#include <sys/types.h>

#include "base/err.h"
#include "exec/container.h"
#include "exec/files.h"

struct program {
    pid_t pid;
    int output_fd; /* what it prints */
    int begun_fd;  /* end of file: it was executed; bytes: program_failure() reads them
                    */
};

/* Fork it. Both descriptors are the caller's. `folder` is the run's, an absolute path.
 * Call with one thread only. */
int program_start(struct program *program, const struct files_order *order,
                  const struct container *container, const char *folder,
                  struct err *err);

/* Read what begun_fd has, without waiting. 0: not known yet, or it has begun
 * (`*begun`); an error: why it was never executed. */
int program_begun(const struct program *program, const struct files_order *order,
                  bool *begun, struct err *err);

#endif
