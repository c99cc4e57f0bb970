/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `muster snapshot` share. */
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

/* A line for each thing it holds. */
void snapshot_print(const struct restore_summary *summary);

#endif
