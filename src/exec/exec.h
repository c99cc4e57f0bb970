/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of this machine: each run is a folder, a supervisor (`muster supervise`, a
 * process of its own that outlives the node) and a program of a module. */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "exec/driver.h"

struct uv_loop_s;

/* What a folder of runs is kept within, once they have ended and were forgotten. */
struct exec_keep {
    uint64_t bytes;
    uint64_t age_ms;
    uint64_t count;
};

enum exec_containment {
    EXEC_CONTAIN_BEST = 0,    /* the first of these that can be had */
    EXEC_CONTAIN_CGROUP = 1,  /* v2 */
    EXEC_CONTAIN_FREEZER = 2, /* v1 */
    EXEC_CONTAIN_WALK = 3,    /* of descendants */
};

struct exec_options {
    const char *data_dir;  /* of the node: runs/ and work/ are made in it */
    uint64_t node;         /* its id */
    uint64_t log_bytes;    /* of one run, head and tail; 0: EXEC_LOG_BYTES */
    struct exec_keep keep; /* a 0 in it: the default */
    const char *program;   /* that is `supervise`d with; NULL: /proc/self/exe */
    const char *cgroup; /* folder under which runs get theirs; NULL: the node's own */
    enum exec_containment containment;
};

#define EXEC_LOG_BYTES   (64u * 1024 * 1024)
#define EXEC_KEEP_BYTES  (1024u * 1024 * 1024)
#define EXEC_KEEP_AGE_MS (7u * 24 * 3600 * 1000)
#define EXEC_KEEP_COUNT  10000

/* A driver on `loop`; freed by its close(). `options` is copied. ERR_IO if the folders
 * cannot be made. */
int exec_new(struct driver **out, struct uv_loop_s *loop,
             const struct exec_options *options, struct err *err);

/* Where what a run prints is (runlog/runlog.h reads it), to be freed. */
char *exec_log_folder(const char *data_dir, uint64_t run);

/* The command `supervise FOLDER`, started by a driver only: argv[0] is its name.
 * Returns the exit code. */
int exec_supervise(int argc, char **argv);

#endif
