/* SPDX-License-Identifier: Apache-2.0 */
/* Processes as /proc shows them.
 *
 * A run's processes carry its *mark*: a random number that a program gets as a limit
 * (RLIMIT_RTTIME, 2^63 + the mark microseconds, which limits nothing) and in its
 * environment. A limit is inherited by every fork and exec, cannot be raised again
 * without CAP_SYS_RESOURCE, and anybody may read it; so it finds what has left its
 * session, its parents, its environment and its descriptors behind. */
#ifndef EXEC_PROCESS_H
#define EXEC_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_BOOT_SIZE 40

/* Not alive: gone, or a zombie without a thread that runs. */
struct process {
    pid_t pid;
    pid_t parent;
    uint64_t
        start_ticks; /* of its start since the boot: tells it from its successors */
    bool alive;
};

uint64_t process_boot_ms(void); /* CLOCK_BOOTTIME */
uint64_t process_wall_ms(void);
void process_boot_id(char id[PROCESS_BOOT_SIZE]); /* "" if there is no /proc */
uint64_t process_pid_namespace(void);             /* its inode, 0 if not known */

/* False: there is none of that id. */
bool process_read(pid_t pid, struct process *out);
/* SIGKILL to that very process; true if it was there and alive, or if that cannot be
 * known (no descriptor, no memory). */
bool process_kill(pid_t pid, uint64_t start_ticks);

uint64_t process_mark_limit(uint64_t mark); /* what RLIMIT_RTTIME becomes */
#define PROCESS_MARK_VARIABLE "MUSTER_MARK"

/* A signal to each process below `root` (not itself) that lives; how many these were.
 */
size_t process_signal_below(pid_t root, int signal);
/* SIGKILL to each process that carries the mark; how many of them live, one more if not
 * all could be looked at. 0 twice in a row: none is left. */
size_t process_kill_marked(uint64_t mark);

#endif
