/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between a task and what replaces it, by the names of its fields. */
#ifndef REGISTRY_TASK_DIFF_H
#define REGISTRY_TASK_DIFF_H

#include "base/buf.h"
#include "registry/task.h"

/* Append `{"changed":["condition","enabled"]}`: the members of the two objects, and
 * `enabled`, that are not the same in both, in the order of their names; the data of
 * task.updated. Of texts that are not compact objects with plain names in ascending
 * order (the door writes no others, but the registry takes any) it says `"text"`. */
void task_diff_put(struct buf *out, const struct task *task,
                   const struct task_draft *draft);

#endif
