/* SPDX-License-Identifier: Apache-2.0 */
/* A process of its own beside each node that forks the supervisors of its runs.
 *
 * Loading this program takes some 16 ms of processor time, nearly all of it for
 * libraries that a supervisor never calls, and leaves each with some hundred private
 * pages. So it is loaded once: the starter (`muster supervise --starter`) is executed
 * with nothing of the node's but a socket, has no thread, opens nothing, and a
 * supervisor is a fork of it that shares what it has written to.
 *
 * It is there from the first start on; one that has died or does not answer is done
 * without and executed anew. It ends with its node, by the end of the socket, and what
 * it has forked goes on. */
#ifndef EXEC_STARTER_H
#define EXEC_STARTER_H

#include <stdint.h>

#define STARTER_OPTION "--starter"

struct starter;

enum starter_outcome {
    STARTER_FORKED, /* a supervisor is on its way */
    STARTER_NONE,   /* there is none, and errno says why */
    STARTER_SILENT, /* not known: the starter ended or did not answer */
};

/* `program` is executed by it (NULL is not one), `runs` is the folder of the runs'
 * folders, absolute. No process is started yet. */
struct starter *starter_new(const char *program, const char *runs);
/* Ends the process, if there is one; supervisors go on. */
void starter_free(struct starter *starter);

/* Fork a supervisor for the folder of `run`; its standard output is `ready_fd`, which
 * stays the caller's. Blocks, some tenths of a millisecond as a rule, ten seconds at
 * the most; may be called by several threads. */
enum starter_outcome starter_start(struct starter *starter, uint64_t run, int ready_fd);

/* The process: `argv` is `supervise --starter RUNS ROOM`, standard input the socket.
 * In a fork that is to be the supervisor it calls `supervise`, which returns an exit
 * code. */
int starter_serve(int argc, char **argv, int (*supervise)(char *folder));

#endif
