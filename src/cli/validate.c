/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

struct validate_arguments {
    struct config config;
    int files;
    struct err err;
    int failed;
};

static const struct argp_option validate_options[] = {
    {"config", 'c', "FILE", 0, "Judge FILE (.json); repeatable, later files win", 0},
    {"describe", 'd', NULL, 0, "Print every setting, its default and its meaning", 0},
    {0},
};

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    puts(text);
}

static error_t validate_option(int key, char *value, struct argp_state *state)
{
    struct validate_arguments *arguments = state->input;
    switch (key) {
    case 'c':
    case ARGP_KEY_ARG:
        arguments->files++;
        if (arguments->failed == 0) {
            arguments->failed = config_load(&arguments->config, value, &arguments->err);
        }
        return 0;
    case 'd':
        config_describe(print_line, NULL);
        exit(CLI_EXIT_OK);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_validate(int argc, char **argv)
{
    static const struct argp parser = {
        .options = validate_options,
        .parser = validate_option,
        .args_doc = "[FILE...]",
        .doc = "Judge configuration files as `muster serve` would.\vExit codes: 0 "
               "valid, 2 "
               "usage, 3 not valid.",
    };
    struct validate_arguments arguments = {0};
    config_init(&arguments.config);
    argp_err_exit_status = CLI_EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.files == 0) {
        fprintf(stderr, "muster validate: --config FILE is needed; see --help\n");
        config_close(&arguments.config);
        return CLI_EXIT_USAGE;
    }
    if (arguments.failed == 0) {
        arguments.failed = config_check(&arguments.config, &arguments.err);
    }
    if (arguments.failed == 0) {
        puts("valid");
    } else {
        fprintf(stderr, "muster validate: %s\n", arguments.err.text);
    }
    config_close(&arguments.config);
    return arguments.failed == 0 ? CLI_EXIT_OK : CLI_EXIT_CONFIG;
}
