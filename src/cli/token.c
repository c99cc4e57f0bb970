/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access/token.h"
#include "cli/cli.h"

struct token_arguments {
    const char *name;
    const char *allow;
    const char *file;
};

static const struct argp_option token_options[] = {
    {"allow", 'a', "CLASS,CLASS", 0,
     "What it allows: write (create, change, delete tasks), run (have one run, cancel "
     "it), operate (members, the lead, settings, snapshots)",
     0},
    {"secret-file", 'f', "FILE", 0,
     "Write the token there, for its owner alone to read, instead of printing it", 0},
    {0},
};

static error_t token_option(int key, char *value, struct argp_state *state)
{
    struct token_arguments *arguments = state->input;
    switch (key) {
    case 'a':
        arguments->allow = value;
        return 0;
    case 'f':
        arguments->file = value;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->name != NULL) {
            argp_error(state, "there is an argument too many: '%s'", value);
        }
        arguments->name = value;
        return 0;
    case ARGP_KEY_END:
        if (arguments->name == NULL || arguments->allow == NULL) {
            argp_error(state, "what is missing is NAME or --allow");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A file that is there already may be in use: it is not replaced. */
static int secret_save(const char *file, const char *secret, struct err *err)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", secret) < 0 || fsync(fd) != 0) {
        err_set(err, ERR_IO, "%s: %s", file, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return (int)err->code;
}

int cli_token_create(int argc, char **argv)
{
    static const struct argp parser = {
        .options = token_options,
        .parser = token_option,
        .args_doc = "NAME",
        .doc = "Make a token, and the line of a configuration that lets it in. NAME is "
               "the actor of what is done with it.\vThe nodes keep a digest: a token "
               "that is lost cannot be shown again.\n\nExit codes: 0 done, 1 a file "
               "could not be written, 2 usage.",
    };
    struct token_arguments arguments = {0};
    argp_err_exit_status = CLI_EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    char secret[TOKEN_SECRET_SIZE];
    char line[TOKEN_LINE_SIZE];
    struct err err = {.code = ERR_NONE};
    int code = CLI_EXIT_OK;
    if (token_new(arguments.name, arguments.allow, secret, line, &err) != 0) {
        code = CLI_EXIT_USAGE;
    } else if (arguments.file != NULL &&
               secret_save(arguments.file, secret, &err) != 0) {
        code = CLI_EXIT_FAILED;
    }
    if (code != CLI_EXIT_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
        return code;
    }
    if (arguments.file == NULL) {
        printf("token:         %s\n", secret);
    }
    printf("configuration: {\"access\": {\"tokens\": [\"%s\"]}}\n", line);
    return CLI_EXIT_OK;
}
