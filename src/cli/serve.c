/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"

enum { OPTION_DEV = 256, OPTION_DATA_DIR, OPTION_LISTEN };

struct serve_arguments {
    struct cli_serve *serve;
    bool dev;
    bool configured;
    const char *data_dir;
    const char *listen;
    struct err err;
    int failed;
};

static const struct argp_option serve_options[] = {
    {"config", 'c', "FILE", 0, "Read FILE (.json); repeatable, later files win", 0},
    {"dev", OPTION_DEV, NULL, 0, "One node alone on loopback, in a temporary folder",
     0},
    {"data-dir", OPTION_DATA_DIR, "DIR", 0, "Instead of node.data_dir", 0},
    {"listen", OPTION_LISTEN, "HOST:PORT", 0, "Instead of listen.address", 0},
    {0},
};

static error_t serve_option(int key, char *value, struct argp_state *state)
{
    struct serve_arguments *arguments = state->input;
    switch (key) {
    case 'c':
        arguments->configured = true;
        if (arguments->failed == 0) {
            arguments->failed =
                config_load(&arguments->serve->config, value, &arguments->err);
        }
        return 0;
    case OPTION_DEV:
        arguments->dev = true;
        return 0;
    case OPTION_DATA_DIR:
        arguments->data_dir = value;
        return 0;
    case OPTION_LISTEN:
        arguments->listen = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "serve takes no argument: '%s'", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int serve_temporary(struct cli_serve *serve)
{
    const char *parent = getenv("TMPDIR");
    char *template =
        mem_printf("%s/muster-dev-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(template) == NULL) {
        fprintf(stderr, "muster serve: cannot make a temporary folder %s\n", template);
        mem_free(template);
        return CLI_EXIT_FAILED;
    }
    serve->temporary = template;
    config_replace(&serve->config.node_data_dir, template);
    return 0;
}

static void serve_log_level(const char *level)
{
    if (strcasecmp(level, "TRACE") == 0 || strcasecmp(level, "DEBUG") == 0) {
        log_set_level(LOG_LEVEL_DEBUG);
    } else if (strcasecmp(level, "WARN") == 0) {
        log_set_level(LOG_LEVEL_WARN);
    } else if (strcasecmp(level, "ERR") == 0) {
        log_set_level(LOG_LEVEL_ERROR);
    }
}

static int serve_complete(struct serve_arguments *arguments)
{
    struct cli_serve *serve = arguments->serve;
    if (arguments->failed == 0 && !arguments->dev && !arguments->configured) {
        fprintf(stderr, "muster serve: --config FILE or --dev is needed; see --help\n");
        return CLI_EXIT_USAGE;
    }
    if (arguments->listen != NULL) {
        config_replace(&serve->config.listen_address, arguments->listen);
        serve->config.port = 0;
    }
    if (arguments->data_dir != NULL) {
        config_replace(&serve->config.node_data_dir, arguments->data_dir);
    }
    if (arguments->failed == 0) {
        arguments->failed = config_check(&serve->config, &arguments->err);
    }
    if (arguments->failed == 0 && arguments->dev && serve->config.cluster_expect != 1) {
        arguments->failed = err_set(&arguments->err, ERR_INVALID,
                                    "cluster.expect: --dev is one node alone");
    }
    if (arguments->failed != 0) {
        fprintf(stderr, "muster serve: %s\n", arguments->err.text);
        return CLI_EXIT_CONFIG;
    }
    serve_log_level(serve->config.log_level);
    return arguments->dev && arguments->data_dir == NULL ? serve_temporary(serve) : 0;
}

int cli_serve(int argc, char **argv, struct cli_serve *serve)
{
    static const struct argp parser = {
        .options = serve_options,
        .parser = serve_option,
        .doc = "Run a node.\vExit codes: 0 stopped by a signal, 1 could not go on, 2 "
               "usage, 3 configuration, 4 could not start.",
    };
    *serve = (struct cli_serve){0};
    config_init(&serve->config);
    struct serve_arguments arguments = {.serve = serve};
    argp_err_exit_status = CLI_EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    int code = serve_complete(&arguments);
    if (code != 0) {
        cli_serve_close(serve);
    }
    return code;
}

static int remove_one(const char *path, const struct stat *status, int kind,
                      struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void cli_serve_close(struct cli_serve *serve)
{
    if (serve->temporary != NULL) {
        nftw(serve->temporary, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        mem_free(serve->temporary);
        serve->temporary = NULL;
    }
    config_close(&serve->config);
}
