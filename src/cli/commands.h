/* SPDX-License-Identifier: Apache-2.0 */
/* What a command that asks the nodes is, and what it is given. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/cli.h"

struct client;

#define COMMAND_VALUES_MAX 16

/* Options beyond those that all of them have. */
enum command_option {
    COMMAND_APPROVE = 1, /* --auto-approve */
    COMMAND_FORCE = 2,   /* --force */
    COMMAND_FILTER = 4,  /* --after, --limit, --task, --type */
    COMMAND_FOLLOW = 8,  /* --follow */
    COMMAND_UPDATE = 16, /* --if-revision, --merge */
    COMMAND_WAIT = 32,   /* --wait */
    COMMAND_LOG = 64,    /* --run, --follow */
    COMMAND_RUNS = 128,  /* --task, --state, --node */
    COMMAND_RUN = 256,   /* --run MODE, --auto-approve */
};

struct command_arguments {
    const char *values[COMMAND_VALUES_MAX]; /* NULL: not given */
    size_t count;
    bool json; /* -o json: what the server said, as it said it */
    bool approve;
    bool force;
    bool follow;
    bool merge;
    const char *if_revision; /* a number, as it is written in an ETag; or NULL */
    const char *after;
    const char *limit;
    const char *task;
    const char *type;
    bool wait;
    const char *run;
    const char *run_mode; /* "now", "inspect" or "ask" */
    const char *state;
    const char *node;
};

/* Does the command, prints its result; returns an exit code and, unless that is
 * CLI_EXIT_OK, fills `err`. */
typedef int (*command_run)(struct client *client,
                           const struct command_arguments *arguments, struct err *err);

struct command {
    const char *noun;
    const char *verb;      /* NULL: the noun alone */
    const char *arguments; /* as --help shows them, or NULL */
    size_t least;          /* how many must be given, and may be */
    size_t most;
    unsigned options; /* of enum command_option */
    command_run run;  /* or: */
    int (*program)(int argc, char **argv);
    const char *summary;
    const char *more; /* what --help adds, or NULL */
};

/* Run one that asks the nodes; argv[0] is its name, "muster task list". */
int command_start(const struct command *command, int argc, char **argv);

int cli_task_create(struct client *client, const struct command_arguments *arguments,
                    struct err *err);
int cli_task_list(struct client *client, const struct command_arguments *arguments,
                  struct err *err);
int cli_task_show(struct client *client, const struct command_arguments *arguments,
                  struct err *err);
int cli_task_update(struct client *client, const struct command_arguments *arguments,
                    struct err *err);
int cli_task_enable(struct client *client, const struct command_arguments *arguments,
                    struct err *err);
int cli_task_disable(struct client *client, const struct command_arguments *arguments,
                     struct err *err);
int cli_task_delete(struct client *client, const struct command_arguments *arguments,
                    struct err *err);
int cli_task_run(struct client *client, const struct command_arguments *arguments,
                 struct err *err);
int cli_task_logs(struct client *client, const struct command_arguments *arguments,
                  struct err *err);
int cli_runs(struct client *client, const struct command_arguments *arguments,
             struct err *err);
int cli_run_cancel(struct client *client, const struct command_arguments *arguments,
                   struct err *err);
int cli_status(struct client *client, const struct command_arguments *arguments,
               struct err *err);
int cli_cluster_status(struct client *client, const struct command_arguments *arguments,
                       struct err *err);
int cli_cluster_add(struct client *client, const struct command_arguments *arguments,
                    struct err *err);
int cli_cluster_remove(struct client *client, const struct command_arguments *arguments,
                       struct err *err);
int cli_cluster_transfer(struct client *client,
                         const struct command_arguments *arguments, struct err *err);
int cli_cluster_drain(struct client *client, const struct command_arguments *arguments,
                      struct err *err);
int cli_cluster_undrain(struct client *client,
                        const struct command_arguments *arguments, struct err *err);
int cli_events(struct client *client, const struct command_arguments *arguments,
               struct err *err);
int cli_settings(struct client *client, const struct command_arguments *arguments,
                 struct err *err);
int cli_snapshot_save(struct client *client, const struct command_arguments *arguments,
                      struct err *err);

#endif
