/* SPDX-License-Identifier: Apache-2.0 */
/* argv → command. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon.h"

static int main_serve(int argc, char **argv)
{
    struct cli_serve serve;
    int code = cli_serve(argc, argv, &serve);
    if (code == 0) {
        code = daemon_run(&serve.config);
        cli_serve_close(&serve);
    }
    return code;
}

static int main_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("muster " MUSTER_VERSION);
    return CLI_EXIT_OK;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"serve", main_serve, "run a node: --config FILE, or --dev"},
    {"validate", cli_validate,
     "judge configuration files; --describe lists every setting"},
    {"snapshot", cli_snapshot, "saved snapshots: verify, restore"},
    {"version", main_version, "print the version"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int usage(FILE *out, int code)
{
    fprintf(out, "muster: a highly available task service\n\n"
                 "Usage: muster COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(out, "\n`muster COMMAND --help` tells more.\n");
    return code;
}

int main(int argc, char **argv)
{
    setenv("UV_THREADPOOL_SIZE", "8", 0); /* before the pool is first used */
    json_object_seed(0);                  /* before there are threads */
    if (argc < 2) {
        return usage(stderr, CLI_EXIT_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        return usage(stdout, CLI_EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return main_version(argc, argv);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "muster: there is no command '%s'\n\n", argv[1]);
    return usage(stderr, CLI_EXIT_USAGE);
}
