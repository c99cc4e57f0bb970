/* SPDX-License-Identifier: Apache-2.0 */
/* The process above a supervisor, for when that is killed or frozen and no node is
 * there.
 *
 * It is a subreaper as well, one step further up. So when the supervisor dies, all that
 * was below it comes up to the guard, which kills it, to the last one. And it knows the
 * run's deadline: past it and the grace, if the supervisor has not said that nothing is
 * left, the guard kills the supervisor and all. Should the guard itself be killed, the
 * supervisor goes on as if it had never been there. */
#ifndef EXEC_GUARD_H
#define EXEC_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A page that both have; the supervisor writes, the guard reads. */
struct guard {
    atomic_uint_least64_t kill_ms; /* CLOCK_BOOTTIME; 0: not known yet */
    atomic_bool gone;              /* no process of the run is left, or will be */
};

/* Forks, before there are threads and descriptors that matter: returns in the child,
 * the supervisor to be, with the page. The parent guards, and ends with the child's
 * exit code. NULL: it could not fork, there is no guard. */
struct guard *guard_fork(void);

/* The run may live until `deadline_ms`, and take `grace_ms` to end. */
void guard_expect(struct guard *guard, uint64_t deadline_ms, uint32_t grace_ms);

#endif
