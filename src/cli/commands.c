/* SPDX-License-Identifier: Apache-2.0 */
/* The table of every command, and the way from argv to one of them. */
#include "cli/commands.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("muster " MUSTER_VERSION);
    return CLI_EXIT_OK;
}

static const struct command commands[] = {
    {.noun = "serve", .arguments = "--config FILE", .summary = "run a node"},
    {.noun = "validate",
     .arguments = "FILE...",
     .program = cli_validate,
     .summary = "judge configuration files; --describe lists every setting"},
    {.noun = "status",
     .run = cli_status,
     .summary = "the cluster and the tasks, at a glance"},
    {.noun = "task",
     .verb = "create",
     .arguments = "FILE|-",
     .least = 1,
     .most = 1,
     .options = COMMAND_RUN,
     .run = cli_task_create,
     .summary = "create the task that a JSON file describes",
     .more =
         "FILE holds {\"task\":{\"name\":…,\"module\":…,\"condition\":…}}, or the "
         "inner object alone; - is standard input. With --run now it is created only "
         "if its run succeeds."},
    {.noun = "task",
     .verb = "list",
     .run = cli_task_list,
     .summary = "all tasks, in the order of their creation"},
    {.noun = "task",
     .verb = "show",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .run = cli_task_show,
     .summary = "what one task is"},
    {.noun = "task",
     .verb = "update",
     .arguments = "NAME FILE|-",
     .least = 2,
     .most = 2,
     .options = COMMAND_UPDATE | COMMAND_RUN,
     .run = cli_task_update,
     .summary = "put the task that a JSON file describes in the place of one",
     .more =
         "FILE holds what `task create` takes. With --merge it holds only what is to "
         "change, such as {\"description\":\"new\"}; null takes a field away. With "
         "--run "
         "now it stays updated whatever becomes of the run."},
    {.noun = "task",
     .verb = "enable",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .options = COMMAND_RUN,
     .run = cli_task_enable,
     .summary = "let a task run"},
    {.noun = "task",
     .verb = "disable",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .run = cli_task_disable,
     .summary = "let no run of a task begin"},
    {.noun = "task",
     .verb = "delete",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .options = COMMAND_APPROVE,
     .run = cli_task_delete,
     .summary = "delete a task; what its runs have made stays"},
    {.noun = "task",
     .verb = "run",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .options = COMMAND_WAIT,
     .run = cli_task_run,
     .summary = "run a task now, whatever its schedule says",
     .more = "Ends when the run is placed, or with --wait when it has ended: then 1 if "
             "it did not succeed."},
    {.noun = "task",
     .verb = "logs",
     .arguments = "NAME | --run ID",
     .most = 1,
     .options = COMMAND_LOG,
     .run = cli_task_logs,
     .summary = "what the newest run of a task has printed, as it is",
     .more = "From whichever node: the one that carries the run out is asked. With "
             "--follow it goes on where it was when a node is lost."},
    {.noun = "runs",
     .options = COMMAND_RUNS,
     .run = cli_runs,
     .summary = "the runs that are kept, and what became of them"},
    {.noun = "run",
     .verb = "cancel",
     .arguments = "ID",
     .least = 1,
     .most = 1,
     .run = cli_run_cancel,
     .summary = "stop a run: SIGINT, SIGTERM, and SIGKILL in the end"},
    {.noun = "cluster",
     .verb = "status",
     .run = cli_cluster_status,
     .summary = "the members, who leads, or why nobody does"},
    {.noun = "cluster",
     .verb = "add",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .run = cli_cluster_add,
     .summary = "make a standby a voter"},
    {.noun = "cluster",
     .verb = "remove",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .options = COMMAND_APPROVE,
     .run = cli_cluster_remove,
     .summary = "remove a member"},
    {.noun = "cluster",
     .verb = "transfer",
     .arguments = "[NAME]",
     .most = 1,
     .run = cli_cluster_transfer,
     .summary = "let another member lead"},
    {.noun = "cluster",
     .verb = "drain",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .run = cli_cluster_drain,
     .summary = "no new run and no lead for a member, before work on it"},
    {.noun = "cluster",
     .verb = "undrain",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .run = cli_cluster_undrain,
     .summary = "take that back"},
    {.noun = "cluster",
     .verb = "recover",
     .arguments = "--config FILE",
     .program = cli_cluster_recover,
     .summary = "make a stopped node's folder a new cluster, offline"},
    {.noun = "events",
     .options = COMMAND_FILTER | COMMAND_FOLLOW,
     .run = cli_events,
     .summary = "what has changed, in order; --follow: as it happens",
     .more = "With --follow one line an event; when a node stops or is lost, the next "
             "one goes on where it ended, and --timeout is how long to look for it."},
    {.noun = "settings",
     .arguments = "[NAME=NUMBER...|schedule_zone=ZONE]",
     .most = COMMAND_VALUES_MAX,
     .run = cli_settings,
     .summary = "the settings that all nodes share; with NAME=NUMBER changes them",
     .more = "All that are given are changed, or none."},
    {.noun = "snapshot",
     .verb = "save",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .options = COMMAND_FORCE,
     .run = cli_snapshot_save,
     .summary = "put the whole state of one moment into a file",
     .more = "It is written to FILE.part, synced and renamed: FILE is whole, or not "
             "there. --timeout is for finding a node and for each pause in what it "
             "sends, not for the whole."},
    {.noun = "snapshot",
     .verb = "verify",
     .arguments = "FILE",
     .program = cli_snapshot_verify,
     .summary = "judge a saved snapshot, offline"},
    {.noun = "snapshot",
     .verb = "restore",
     .arguments = "FILE --config FILE",
     .program = cli_snapshot_restore,
     .summary = "make a saved snapshot the first node of a new cluster, offline"},
    {.noun = "token",
     .verb = "create",
     .arguments = "NAME --allow CLASS,CLASS",
     .program = cli_token_create,
     .summary = "make a token, and the line of a configuration that lets it in"},
    {.noun = "supervise",
     .arguments = "FOLDER",
     .summary = "what a node starts for each run; of no use to anybody else"},
    {.noun = "version", .program = version, .summary = "the version"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* --- help ---------------------------------------------------------------------- */

static const char help_end[] =
    "\n`muster COMMAND --help` tells the options of one.\n"
    "\n"
    "Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 wrong\n"
    "configuration, 4 a node could not start, 5 there is nothing of that name,\n"
    "6 no node or no leader in time and nothing happened, 7 the outcome of a\n"
    "write is not known.\n";

/* All commands, or those of one noun. */
static void help(FILE *out, const char *noun)
{
    fprintf(out, "Usage: muster %s [OPTION...]\n\n", noun != NULL ? noun : "COMMAND");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &commands[i];
        if (noun == NULL || strcmp(noun, command->noun) == 0) {
            char *line = mem_printf(
                "%s %s%s%s", command->noun, command->verb != NULL ? command->verb : "",
                command->verb != NULL ? " " : "",
                command->arguments != NULL ? command->arguments : "");
            fprintf(out, "  %-34s %s\n", line, command->summary);
            mem_free(line);
        }
    }
    fputs(help_end, out);
}

/* "create, list, show" */
static int refuse_verb(const char *noun, const char *verb)
{
    struct err verbs = {.text = ""};
    size_t len = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].noun, noun) == 0) {
            len += (size_t)snprintf(verbs.text + len, sizeof verbs.text - len, "%s%s",
                                    len > 0 ? ", " : "", commands[i].verb);
        }
    }
    if (verb == NULL) {
        fprintf(stderr, "muster %s: what? One of: %s\n", noun, verbs.text);
    } else {
        fprintf(stderr, "muster %s: there is no '%.64s'; there is: %s\n", noun, verb,
                verbs.text);
    }
    return CLI_EXIT_USAGE;
}

/* --- argv ---------------------------------------------------------------------- */

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-?") == 0 ||
           strcmp(argument, "-h") == 0 || strcmp(argument, "help") == 0;
}

static int start(const struct command *command, int argc, char **argv,
                 int (*serve)(int argc, char **argv))
{
    char *name =
        mem_printf("muster %s%s%s", command->noun, command->verb != NULL ? " " : "",
                   command->verb != NULL ? command->verb : "");
    argv[0] = name; /* what argp calls it */
    int code = CLI_EXIT_OK;
    if (command->run != NULL) {
        code = command_start(command, argc, argv);
    } else {
        code = (command->program != NULL ? command->program : serve)(argc, argv);
    }
    mem_free(name);
    return code;
}

/* A file or a socket must not become descriptor 0, 1 or 2: what is printed would go
 * there. What is closed is opened so that using it is an error. */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

int cli_main(int argc, char **argv, int (*serve)(int argc, char **argv))
{
    hold_standard_descriptors();
    if (argc < 2) {
        help(stderr, NULL);
        return CLI_EXIT_USAGE;
    }
    if (is_help(argv[1])) {
        help(stdout, NULL);
        return CLI_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        return version(argc, argv);
    }
    bool noun = false;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &commands[i];
        if (strcmp(argv[1], command->noun) != 0) {
            continue;
        }
        noun = true;
        if (command->verb == NULL) {
            return start(command, argc - 1, argv + 1, serve);
        }
        if (argc > 2 && strcmp(argv[2], command->verb) == 0) {
            return start(command, argc - 2, argv + 2, serve);
        }
    }
    if (noun && argc > 2 && is_help(argv[2])) {
        help(stdout, argv[1]);
        return CLI_EXIT_OK;
    }
    if (noun) {
        return refuse_verb(argv[1], argc > 2 ? argv[2] : NULL);
    }
    fprintf(stderr,
            "muster: there is no command '%.64s'; `muster --help` lists them%s\n",
            argv[1], argv[1][0] == '-' ? " (options come after a command)" : "");
    return CLI_EXIT_USAGE;
}
