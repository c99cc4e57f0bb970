/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `muster snapshot` and `muster cluster recover` share. */
#ifndef CLI_SNAPSHOT_H
#define CLI_SNAPSHOT_H

#include "config/config.h"
#include "raft/restore.h"

/* Read the file at `path` whole and check it. The text of an error begins with the
 * path. On success the caller frees *out. */
int snapshot_read(const char *path, struct restore **out,
                  struct restore_summary *summary, struct err *err);

/* How the others will find the first node of a new cluster: "" for one alone; borrowed
 * from the configuration. ERR_INVALID: its port is left to the system. */
int snapshot_peer_address(const struct config *config, const char **out,
                          struct err *err);

/* The first node of a new cluster, as this configuration has it: new ids, and the time
 * as it is. Borrows from the configuration; its disk is that of the next call. */
struct restore_target snapshot_target(const struct config *config,
                                      const char *peer_address);

/* Make the folder at `path`, which is not there or was left unfinished, that node's. */
int snapshot_write_folder(struct restore *restore, const char *path,
                          struct restore_target *target, struct err *err);

/* A line for each thing it holds. */
void snapshot_print(const struct restore_summary *summary);

#endif
