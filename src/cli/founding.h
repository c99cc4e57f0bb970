/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that make the first node of a new cluster, offline: `snapshot restore` from
 * a file, `cluster recover` from what a node left. */
#ifndef CLI_FOUNDING_H
#define CLI_FOUNDING_H

#include "config/config.h"
#include "raft/restore.h"

/* What such a command is told. */
struct founding {
    struct config config;
    const char *peer_address; /* how the others will find it; "" for one alone */
    int files;                /* of the configuration, so far */
    int failed;               /* 0, or what reading them came to */
    struct err err;
};

/* Another file of the configuration, over what is there. */
void founding_config(struct founding *founding, const char *file);

/* Judge what was read and run; the exit code of the command `name`, after the reason
 * was printed. The configuration must be initialised, and is closed. */
int founding_run(struct founding *founding, const char *name,
                 int (*run)(struct founding *founding));

/* The node to be made: new ids, and the time as it is. Borrows from the configuration;
 * its disk is that of the next call. */
struct restore_target founding_target(const struct founding *founding);

/* Make the folder at `path`, which is not there or was left unfinished, that node's. */
int founding_write_folder(struct restore *restore, const char *path,
                          struct restore_target *target, struct err *err);

/* Say, after restore_write(), how long no run begins. */
void founding_print_calm(const struct restore *restore);

#endif
