/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_APPROVE_H
#define CLI_APPROVE_H

#include "cli/commands.h"

/* "Do you want to <what> '<name>'?" on the terminal, unless --auto-approve was given.
 * CLI_EXIT_OK only if the answer is yes. Where there is no terminal nobody is asked: it
 * is refused (CLI_EXIT_USAGE), never waited for. */
int approve(const struct command_arguments *arguments, const char *what,
            const char *name, struct err *err);

#endif
