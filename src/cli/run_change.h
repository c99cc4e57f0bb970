/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of a task that run it as well: ?run=now and ?run=inspect
 * (spec/cts.md 1.7, 1.8, 8.3). */
#ifndef CLI_RUN_CHANGE_H
#define CLI_RUN_CHANGE_H

#include "cli/client.h"
#include "cli/commands.h"

/* Send `request`, a write of task `name` whose path has no query, with the run that
 * --run asks for, and print what came of it; `said` is what the task is then. However
 * long the run takes it is waited for, whichever nodes come and go: --timeout is for
 * finding one. With --run ask: inspect, show the plan, ask at the terminal, and have it
 * run if the answer is yes. */
int run_change(struct client *client, const struct command_arguments *arguments,
               struct client_request *request, const char *name, const char *said,
               struct err *err);

#endif
