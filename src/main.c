/* SPDX-License-Identifier: Apache-2.0 */
/* argv → command. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon.h"
#include "exec/exec.h"

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

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "supervise") == 0) { /* small: one a run */
        return exec_supervise(argc - 1, argv + 1);
    }
    setenv("UV_THREADPOOL_SIZE", "8", 0); /* before the pool is first used */
    json_object_seed(0);                  /* before there are threads */
    return cli_main(argc, argv, main_serve);
}
