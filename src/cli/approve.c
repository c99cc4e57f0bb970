/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/approve.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/table.h"

int approve(const struct command_arguments *arguments, const char *what,
            const char *name, struct err *err)
{
    char line[16] = "";
    if (arguments->approve) {
        return CLI_EXIT_OK;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        err_set(err, ERR_INVALID,
                "there is no terminal to ask at: --auto-approve is needed");
        return CLI_EXIT_USAGE;
    }
    struct buf safe;
    buf_init(&safe);
    table_put_safe(&safe, name);
    fprintf(stderr, "Do you want to %s '%.*s'? Only 'yes' approves: ", what,
            (int)safe.len, (const char *)safe.data);
    buf_close(&safe);
    if (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "yes\n") == 0) {
        return CLI_EXIT_OK;
    }
    err_set(err, ERR_CANCELLED, "nothing was done: the answer was not 'yes'");
    return CLI_EXIT_FAILED;
}
