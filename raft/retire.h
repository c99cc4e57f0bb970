/* SPDX-License-Identifier: Apache-2.0 */
/* A node before its stop: node_retire() (raft/node.h). */
#ifndef RAFT_RETIRE_H
#define RAFT_RETIRE_H

#include "raft/node_inside.h"

void retire_stop(struct node *node); /* `done` is not called any more */

#endif
