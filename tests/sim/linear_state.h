/* SPDX-License-Identifier: Apache-2.0 */
/* What operations make of a task, told once more as plainly as can be: the rules that a
 * history is held to. */
#ifndef SIM_LINEAR_STATE_H
#define SIM_LINEAR_STATE_H

#include "sim/history.h"

struct state {
    struct history_task task; /* revision 0: open */
    uint64_t least;           /* an open revision is at least this */
    uint64_t low;             /* the sequence is at least this */
};

/* Each of these changes `state` and is true, or leaves it as it is and is false. The
 * task is there, and this is its revision: an open one may become it. */
bool state_is_revision(struct state *state, uint64_t revision);
/* An answered operation has its effect now; false: its answer would not be true. */
bool state_known(struct state *state, const struct history_op *op);
/* An unknown operation has its effect now; false: it has none. */
bool state_unknown(struct state *state, const struct history_op *op);

/* The revision that an answer is about; 0: none, or it made it. */
uint64_t op_needs(const struct history_op *op);
/* Was it told that it changed the task? */
bool op_changed(const struct history_op *op);

#endif
