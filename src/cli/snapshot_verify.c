/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/snapshot.h"

static error_t verify_option(int key, char *value, struct argp_state *state)
{
    const char **path = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*path != NULL) {
            argp_error(state, "one FILE at a time: '%s'", value);
        }
        *path = value;
        return 0;
    case ARGP_KEY_END:
        if (*path == NULL) {
            argp_error(state, "FILE is needed");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_snapshot_verify(int argc, char **argv)
{
    static const struct argp parser = {
        .parser = verify_option,
        .args_doc = "FILE",
        .doc = "Read FILE, as GET /v1/snapshot gave it, to its end: every record, its "
               "checksum, its order. Print what it holds.\vExit codes: 0 whole, 1 "
               "damaged or not readable (the reason has the offset), 2 usage.",
    };
    const char *path = NULL;
    argp_err_exit_status = CLI_EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &path);
    struct restore *restore = NULL;
    struct restore_summary summary;
    struct err err;
    if (snapshot_read(path, &restore, &summary, &err) != 0) {
        fprintf(stderr, "muster snapshot verify: %s\n", err.text);
        return CLI_EXIT_FAILED;
    }
    restore_free(restore);
    snapshot_print(&summary);
    return CLI_EXIT_OK;
}
