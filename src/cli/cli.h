/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, one file a command. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "config/config.h"

/* Exit codes that every command shares; README lists them all. */
enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILED = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_CONFIG = 3,
};

struct cli_serve {
    struct config config; /* loaded and checked */
    char *temporary;      /* folder to remove at the end, or NULL */
};

/* `muster serve …`: 0 and a filled `serve`, or an exit code after the reason was
 * printed. argp ends the process itself for --help and unknown options. */
int cli_serve(int argc, char **argv, struct cli_serve *serve);
void cli_serve_close(struct cli_serve *serve); /* removes the temporary folder */

int cli_validate(int argc, char **argv);
int cli_snapshot(int argc, char **argv); /* the verbs below */
int cli_snapshot_verify(int argc, char **argv);
int cli_snapshot_restore(int argc, char **argv);

#endif
