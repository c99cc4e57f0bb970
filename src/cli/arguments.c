/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a command that asks the nodes. argp reads them with its own messages
 * off: they have two lines, and not the form of ours. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/token.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "text/duration.h"

#define ADDRESS_DEFAULT "127.0.0.1:8558"
#define TIMEOUT_DEFAULT "10s"
#define TIMEOUT_MAX_NS  (24 * INT64_C(3600000000000))
#define OPTIONS_MAX     16

enum {
    OPTION_ADDRESS = 'a',
    OPTION_OUTPUT = 'o',
    OPTION_HELP = '?',
    OPTION_TIMEOUT = 256,
    OPTION_TOKEN,
    OPTION_APPROVE,
    OPTION_FORCE,
    OPTION_AFTER,
    OPTION_LIMIT,
    OPTION_TASK,
    OPTION_TYPE,
    OPTION_REVISION,
    OPTION_MERGE,
    OPTION_WAIT,
    OPTION_RUN,
    OPTION_RUN_MODE,
    OPTION_STATE,
    OPTION_NODE,
    OPTION_FOLLOW = 'f',
};

static const struct {
    unsigned needs; /* of enum command_option; 0: every command has it */
    struct argp_option option;
} options[] = {
    {0,
     {"address", OPTION_ADDRESS, "HOST:PORT,...", 0,
      "The nodes, else those of MUSTER_ADDRESS, else " ADDRESS_DEFAULT, 0}},
    {0,
     {"timeout", OPTION_TIMEOUT, "DURATION", 0,
      "How long to look for a node that does it (" TIMEOUT_DEFAULT ")", 0}},
    {0,
     {"token-file", OPTION_TOKEN, "FILE", 0,
      "Show the nodes the token in FILE, else the one in MUSTER_TOKEN", 0}},
    {0,
     {"output", OPTION_OUTPUT, "table|json", 0,
      "For people, or what the server answered, as it did", 0}},
    {COMMAND_RUN,
     {"run", OPTION_RUN_MODE, "now|inspect|ask", 0,
      "Run it now, and wait until that has ended; or show what that would do, and "
      "change "
      "nothing; or show it, ask at the terminal, and run it then",
      0}},
    {COMMAND_RUN,
     {"auto-approve", OPTION_APPROVE, NULL, 0,
      "With --run ask: do not ask, run it after showing what that does", 0}},
    {COMMAND_APPROVE,
     {"auto-approve", OPTION_APPROVE, NULL, 0,
      "Do not ask; needed where there is no terminal", 0}},
    {COMMAND_FORCE, {"force", OPTION_FORCE, NULL, 0, "Replace FILE if it is there", 0}},
    {COMMAND_FILTER,
     {"after", OPTION_AFTER, "N", 0, "Only events with a number above N", 0}},
    {COMMAND_FILTER,
     {"limit", OPTION_LIMIT, "N", 0, "At most N events, up to 1000 (100)", 0}},
    {COMMAND_FILTER, {"task", OPTION_TASK, "NAME", 0, "Only events of this task", 0}},
    {COMMAND_FILTER,
     {"type", OPTION_TYPE, "TYPE", 0, "Only events of this type: task.created, …", 0}},
    {COMMAND_FOLLOW,
     {"follow", OPTION_FOLLOW, NULL, 0,
      "Tell what comes, until it is interrupted; without --after, from now on", 0}},
    {COMMAND_UPDATE,
     {"if-revision", OPTION_REVISION, "N", 0,
      "Only if it still has the revision that `task show` told", 0}},
    {COMMAND_UPDATE,
     {"merge", OPTION_MERGE, NULL, 0, "FILE holds only the fields that change", 0}},
    {COMMAND_WAIT,
     {"wait", OPTION_WAIT, NULL, 0, "Until the run has ended; 1 if it failed", 0}},
    {COMMAND_LOG,
     {"run", OPTION_RUN, "ID", 0, "Of this run, instead of the task's newest", 0}},
    {COMMAND_LOG,
     {"follow", OPTION_FOLLOW, NULL, 0, "Tell what comes, until the run ends", 0}},
    {COMMAND_RUNS, {"task", OPTION_TASK, "NAME", 0, "Only runs of this task", 0}},
    {COMMAND_RUNS,
     {"state", OPTION_STATE, "STATE", 0,
      "Only those that are pending, running, stopping or ended; or live: not ended",
      0}},
    {COMMAND_RUNS, {"node", OPTION_NODE, "NAME", 0, "Only runs on this node", 0}},
    {0, {"help", OPTION_HELP, NULL, 0, "Print this and end", -1}},
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

struct reading {
    const struct command *command;
    struct command_arguments arguments;
    const char *address;
    const char *timeout;
    const char *token_file;
    struct argp *parser;
    const char *name;
    int code; /* CLI_EXIT_OK so far */
    struct err err;
};

static error_t refuse(struct reading *reading, const char *what, const char *value)
{
    if (reading->code == CLI_EXIT_OK) {
        reading->code = CLI_EXIT_USAGE;
        err_set(&reading->err, ERR_INVALID, "%s '%.100s'; see --help", what, value);
    }
    return EINVAL;
}

static error_t read_output(struct reading *reading, const char *value)
{
    reading->arguments.json = strcmp(value, "json") == 0;
    if (!reading->arguments.json && strcmp(value, "table") != 0) {
        return refuse(reading, "--output is table or json, not", value);
    }
    return 0;
}

/* As ETag has it, so that 007 is not taken for 7. */
static error_t read_revision(struct reading *reading, const char *value)
{
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > 19 || value[digits] != '\0' || value[0] == '0') {
        return refuse(reading, "--if-revision is a number above 0, not", value);
    }
    reading->arguments.if_revision = value;
    return 0;
}

static error_t read_run_mode(struct reading *reading, const char *value)
{
    static const char *const modes[] = {"now", "inspect", "ask"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(value, modes[i]) == 0) {
            reading->arguments.run_mode = value;
            return 0;
        }
    }
    return refuse(reading, "--run is now, inspect or ask, not", value);
}

static error_t read_value(struct reading *reading, const char *value)
{
    struct command_arguments *arguments = &reading->arguments;
    if (arguments->count == reading->command->most) {
        return refuse(reading, "there is an argument too many:", value);
    }
    if (value[0] == '\0') {
        return refuse(reading, "an argument is empty:", value);
    }
    arguments->values[arguments->count++] = value;
    return 0;
}

static error_t read_option(int key, char *value, struct argp_state *state)
{
    struct reading *reading = state->input;
    struct command_arguments *arguments = &reading->arguments;
    switch (key) {
    case OPTION_ADDRESS:
        reading->address = value;
        return 0;
    case OPTION_TIMEOUT:
        reading->timeout = value;
        return 0;
    case OPTION_TOKEN:
        reading->token_file = value;
        return 0;
    case OPTION_OUTPUT:
        return read_output(reading, value);
    case OPTION_APPROVE:
        arguments->approve = true;
        return 0;
    case OPTION_FORCE:
        arguments->force = true;
        return 0;
    case OPTION_AFTER:
        arguments->after = value;
        return 0;
    case OPTION_LIMIT:
        arguments->limit = value;
        return 0;
    case OPTION_TASK:
        arguments->task = value;
        return 0;
    case OPTION_TYPE:
        arguments->type = value;
        return 0;
    case OPTION_REVISION:
        return read_revision(reading, value);
    case OPTION_WAIT:
        arguments->wait = true;
        return 0;
    case OPTION_RUN:
        arguments->run = value;
        return 0;
    case OPTION_RUN_MODE:
        return read_run_mode(reading, value);
    case OPTION_STATE:
        arguments->state = value;
        return 0;
    case OPTION_NODE:
        arguments->node = value;
        return 0;
    case OPTION_MERGE:
        arguments->merge = true;
        return 0;
    case OPTION_FOLLOW:
        arguments->follow = true;
        return 0;
    case OPTION_HELP:
        argp_help(reading->parser, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK,
                  state->argv[0]);
        exit(CLI_EXIT_OK);
    case ARGP_KEY_ARG:
        return read_value(reading, value);
    case ARGP_KEY_ERROR:
        /* argp counts what it could not read as read */
        return refuse(reading, "no such option, or one without its value:",
                      state->next > 0 ? state->argv[state->next - 1] : "");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int read_timeout(struct reading *reading, struct client *client)
{
    const char *text = reading->timeout != NULL ? reading->timeout : TIMEOUT_DEFAULT;
    int64_t timeout_ns = 0;
    struct err ignored;
    if (duration_parse(text, strlen(text), &timeout_ns, &ignored) != 0 ||
        timeout_ns < 1000000 || timeout_ns > TIMEOUT_MAX_NS) {
        return refuse(reading, "--timeout must be a duration such as 10s or 1m30s, not",
                      text);
    }
    client->timeout_ms = (uint64_t)timeout_ns / 1000000;
    return 0;
}

static int read_address(struct reading *reading, struct client *client)
{
    const char *list = reading->address;
    const char *from = "--address";
    const char *environment = getenv("MUSTER_ADDRESS");
    if (list == NULL && environment != NULL && environment[0] != '\0') {
        list = environment;
        from = "MUSTER_ADDRESS";
    }
    if (nodes_parse(&client->nodes, list != NULL ? list : ADDRESS_DEFAULT,
                    &reading->err) != 0) {
        err_prefix(&reading->err, "%s", from);
        reading->code = CLI_EXIT_USAGE;
    }
    return reading->code;
}

/* The file's first line; NULL after `refuse`. */
static char *read_token_file(struct reading *reading)
{
    char text[TOKEN_SECRET_MAX + 2];
    FILE *file = fopen(reading->token_file, "r");
    size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    bool failed = file == NULL || ferror(file) != 0;
    if (failed) {
        err_set(&reading->err, ERR_IO, "--token-file %s: %s", reading->token_file,
                strerror(errno));
        reading->code = CLI_EXIT_FAILED;
    }
    if (file != NULL) {
        fclose(file);
    }
    text[len] = '\0';
    return failed ? NULL : mem_strndup(text, strcspn(text, "\r\n"));
}

static int read_token(struct reading *reading, struct client *client)
{
    const char *environment = getenv("MUSTER_TOKEN");
    if (reading->token_file != NULL) {
        client->token = read_token_file(reading);
    } else if (environment != NULL && environment[0] != '\0') {
        client->token = mem_strdup(environment);
    }
    if (client->token == NULL) {
        return reading->code;
    }
    size_t len = strlen(client->token);
    bool sound = len > 0 && len <= TOKEN_SECRET_MAX;
    for (size_t i = 0; i < len; i++) {
        sound = sound && client->token[i] > ' ' && client->token[i] < 127;
    }
    if (!sound) {
        const char *from =
            reading->token_file != NULL ? reading->token_file : "MUSTER_TOKEN";
        refuse(reading, "a token is 1 to 1024 visible ASCII characters, not what is in",
               from);
    }
    return reading->code;
}

/* All of argv; the code of `reading` tells. */
static void read_all(struct reading *reading, struct client *client, int argc,
                     char **argv)
{
    const struct command *command = reading->command;
    int rv = argp_parse(reading->parser, argc, argv, ARGP_NO_HELP | ARGP_NO_ERRS, NULL,
                        reading);
    if (rv != 0) {
        refuse(reading, "the command line cannot be read:", argv[argc - 1]);
    } else if (reading->arguments.count < command->least) {
        refuse(reading, "what is missing is", command->arguments);
    } else if (read_timeout(reading, client) == 0 && read_token(reading, client) == 0) {
        read_address(reading, client);
    }
}

/* What a buffered write could not do shows here; EPIPE too, where SIGPIPE is ignored.
 */
static int flush_output(struct err *err)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        err_set(err, ERR_IO, "the output cannot be written: %s", strerror(errno));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* One line, whatever a server put into its message. */
static void complain(const char *name, const struct err *err)
{
    struct buf line;
    buf_init(&line);
    table_put_safe(&line, err->text);
    fprintf(stderr, "%s: %.*s\n", name, (int)line.len, (const char *)line.data);
    buf_close(&line);
}

int command_start(const struct command *command, int argc, char **argv)
{
    struct argp_option chosen[OPTIONS_MAX] = {0};
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].needs == 0 || (options[i].needs & command->options) != 0) {
            chosen[count++] = options[i].option;
        }
    }
    char *doc = mem_printf(
        "%s.%s%s\vExit codes: 0 done, 1 refused or failed, 2 wrong command line, 5 "
        "there is nothing of that name, 6 no node or no leader in time and nothing "
        "happened, 7 the outcome of a write is not known.",
        command->summary, command->more != NULL ? " " : "",
        command->more != NULL ? command->more : "");
    struct argp parser = {
        .options = chosen,
        .parser = read_option,
        .args_doc = command->arguments != NULL ? command->arguments : "",
        .doc = doc,
    };
    struct reading reading = {.command = command, .parser = &parser};
    struct client client = {0};
    read_all(&reading, &client, argc, argv);
    int code = reading.code;
    if (code == CLI_EXIT_OK) {
        code = command->run(&client, &reading.arguments, &reading.err);
    }
    if (code == CLI_EXIT_OK) {
        code = flush_output(&reading.err);
    }
    if (code != CLI_EXIT_OK) {
        complain(argv[0], &reading.err);
    }
    mem_free(client.token);
    mem_free(doc);
    return code;
}
