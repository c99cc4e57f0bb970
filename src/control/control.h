/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's side of runs: loops that begin with this node's leadership, once an
 * entry of its own term is applied (it then knows all there is), and end with it. What
 * they want becomes commands through door 1; nothing they remember outlives the
 * leadership, so what must not be forgotten stands in the registry. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdint.h>

#include "base/err.h"
#include "raft/clock.h"
#include "raft/node.h"

struct control;

/* Both outlive it. From the first leadership on it acts by itself. */
struct control *control_new(struct clock *clock, struct node *node);

/* No loop runs any more. Proposals that have no outcome yet are left to door 1: nobody
 * is told of theirs. */
void control_free(struct control *control);

#endif
