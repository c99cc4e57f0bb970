/* SPDX-License-Identifier: Apache-2.0 */
/* What holds all processes of a run together, so that none is left when it has ended.
 *
 *   v2 cgroup   cgroup.kill reaches all of them at once; limits, where its parent
 *               has the controllers
 *   v1 freezer  frozen, killed, thawed
 *   walk        the supervisor is the subreaper of all it has started: what lives is
 *               below it, and when it has no child there is nothing
 *
 * The walk is always there; a cgroup is on top of it. */
#ifndef EXEC_CONTAINER_H
#define EXEC_CONTAINER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "exec/exec.h"
#include "exec/files.h"

struct container {
    enum exec_containment kind; /* never EXEC_CONTAIN_BEST */
    char path[PATH_MAX];        /* of its cgroup; "": none */
};

/* The best that `order` allows; cgroups that cannot be made are done without, unless it
 * asks for one by kind: ERR_UNSUPPORTED. */
int container_make(struct container *container, const struct files_order *order,
                   struct err *err);

/* A descriptor of cgroup.procs, close-on-exec, to which a process writes "0" to enter;
 * -1: there is none to enter. ERR_IO. */
int container_door(const struct container *container, int *fd, struct err *err);

/* How many processes were killed so far because the cgroup's memory limit was reached;
 * 0 where no such limit is. */
uint64_t container_starved(const struct container *container);

/* SIGKILL to what is in the cgroup; nothing without one. */
void container_kill(const struct container *container);
/* Is nothing in the cgroup? Without one: true. */
bool container_is_empty(const struct container *container);
/* Remove the cgroup, which is empty; what is left of it is harmless. */
void container_remove(const struct container *container);

#endif
