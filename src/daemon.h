/* SPDX-License-Identifier: Apache-2.0 */
/* A running node: its parts in order, until a signal ends it. */
#ifndef DAEMON_H
#define DAEMON_H

#include "config/config.h"

/* Exit codes of `muster serve`. */
enum daemon_exit {
    DAEMON_EXIT_OK = 0,
    DAEMON_EXIT_FAILED = 1,       /* it ran, and could not go on: the log says why */
    DAEMON_EXIT_CANNOT_START = 4, /* data folder, port, stored files */
};

/* Run until SIGTERM or SIGINT; a second one ends at once. Prints
 * `ready api=HOST:PORT peer=HOST:PORT` on stdout when requests are answered (peer=- for
 * a cluster of one). Returns an exit code. */
int daemon_run(const struct config *config);

#endif
