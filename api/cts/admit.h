/* SPDX-License-Identifier: Apache-2.0 */
/* What this node must find on its own machine to take a task: the one check of a task
 * that is not pure. */
#ifndef API_CTS_ADMIT_H
#define API_CTS_ADMIT_H

#include "base/err.h"
#include "base/path.h"

struct task_json;

/* 0; ERR_INVALID: its module lies outside `folders` (none at all: anything goes), or
 * its schedule names a time zone that this machine does not know; then `json` has no
 * draft. Looks at some folders and may read a small file; may be called from the pool.
 */
int task_admit(const struct path_folders *folders, struct task_json *json,
               struct err *err);

#endif
