/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `muster snapshot` share. */
#ifndef CLI_SNAPSHOT_H
#define CLI_SNAPSHOT_H

#include "raft/restore.h"

/* Read the file at `path` whole and check it. The text of an error begins with the
 * path. On success the caller frees *out. */
int snapshot_read(const char *path, struct restore **out,
                  struct restore_summary *summary, struct err *err);

/* A line for each thing it holds. */
void snapshot_print(const struct restore_summary *summary);

#endif
