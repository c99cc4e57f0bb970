/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, one file a command; the table of them all is in commands.c. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "config/config.h"

/* Exit codes that every command shares; README lists them all. */
enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILED = 1, /* refused, or a file could not be read or written */
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_CONFIG = 3,
    CLI_EXIT_START = 4, /* a node that could not start */
    CLI_EXIT_NOT_FOUND = 5,
    CLI_EXIT_UNREACHABLE = 6, /* no node, or no leader, in time: nothing happened */
    CLI_EXIT_UNKNOWN = 7,     /* a write that may have happened, or still will */
};

/* argv → a command of commands.c; `serve` runs a node, which this layer cannot. Returns
 * the exit code; argp ends the process itself for --help. */
int cli_main(int argc, char **argv, int (*serve)(int argc, char **argv));

struct cli_serve {
    struct config config; /* loaded and checked */
    char *temporary;      /* folder to remove at the end, or NULL */
};

/* `muster serve …`: 0 and a filled `serve`, or an exit code after the reason was
 * printed. argp ends the process itself for --help and unknown options. */
int cli_serve(int argc, char **argv, struct cli_serve *serve);
void cli_serve_close(struct cli_serve *serve); /* removes the temporary folder */

/* Commands that read their own options; an exit code, after the reason was printed. */
int cli_validate(int argc, char **argv);
int cli_token_create(int argc, char **argv);
int cli_snapshot_verify(int argc, char **argv);
int cli_snapshot_restore(int argc, char **argv);
int cli_cluster_recover(int argc, char **argv);

#endif
