/* SPDX-License-Identifier: Apache-2.0 */
/* Is there one order of the operations on a task in which each has its effect at one
 * moment between its question and its answer, and each answer is true?
 *
 * The search is that of Wing and Gong with Lowe's memory of (operations that have had
 * their effect, state): it takes up one operation after the other that no other one
 * must come before, and goes back when it is stuck. An operation of unknown outcome may
 * come at any moment after its question, or never.
 *
 * Sequences and revisions that were told narrow it: whoever was told a lower sequence
 * comes first. So the only freedom that is left is which unknown operations came to
 * pass and when, and which of those with one sequence is first. They prove nothing by
 * themselves: an order is accepted only if it is one in time as well and each answer is
 * what the state before it makes it. */
#ifndef SIM_LINEAR_H
#define SIM_LINEAR_H

#include "sim/history.h"

enum linear_verdict {
    LINEAR_YES,
    LINEAR_NO,
    LINEAR_GAVE_UP, /* not decided within the steps */
};

/* Of one task, absent at first. The order of `ops` does not matter. */
enum linear_verdict linear_check(const struct history_op *ops, size_t count,
                                 uint64_t steps);

/* Reduce operations for which linear_check() says LINEAR_NO to few whose answers cannot
 * all be true: answers that are not needed for that are forgotten (a read goes, a write
 * becomes unknown). Then only those that are left, and the writes that they show, stand
 * at the head of `ops`, in order of their questions; returns how many. */
size_t linear_reduce(struct history_op *ops, size_t count, uint64_t steps);

#endif
