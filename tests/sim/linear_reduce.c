/* SPDX-License-Identifier: Apache-2.0 */
/* Out of a history that cannot be, the few operations whose answers cannot all be true:
 * first the moment from which on it cannot be, then whatever need not be known. To make
 * a known operation an unknown one never makes a history worse. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/linear.h"
#include "sim/linear_state.h"

/* What is known of an operation at the moment `at`. */
static struct history_op op_until(const struct history_op *op, uint64_t at)
{
    struct history_op copy = *op;
    if (op->asked > at) {
        copy.state = HISTORY_NEVER;
    } else if (op->answered > at) {
        copy.state = HISTORY_UNKNOWN;
    }
    return copy;
}

static bool ops_are_wrong(const struct history_op *ops, size_t count, uint64_t steps)
{
    return linear_check(ops, count, steps) == LINEAR_NO;
}

/* The first moment at which what was known by then cannot be true: it never can again.
 */
static uint64_t reduce_moment(const struct history_op *ops, struct history_op *scratch,
                              size_t count, uint64_t steps)
{
    uint64_t low = 0;
    uint64_t high = 0;
    for (size_t i = 0; i < count; i++) {
        bool known = ops[i].state == HISTORY_KNOWN;
        high = known && ops[i].answered > high ? ops[i].answered : high;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        for (size_t i = 0; i < count; i++) {
            scratch[i] = op_until(&ops[i], middle);
        }
        if (ops_are_wrong(scratch, count, steps)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return high;
}

/* Forget the answers that are not needed, ever fewer at once. */
static void reduce_forget(struct history_op *ops, size_t count, uint64_t steps)
{
    struct history_op *before = mem_array(count, sizeof *before);
    for (size_t chunk = count; chunk > 0; chunk /= 2) {
        for (size_t from = 0; from < count; from += chunk) {
            size_t forgotten = 0;
            memcpy(before, ops, count * sizeof *before);
            for (size_t i = from; i < from + chunk && i < count; i++) {
                forgotten += ops[i].state == HISTORY_KNOWN;
                ops[i].state =
                    ops[i].state == HISTORY_KNOWN ? HISTORY_UNKNOWN : ops[i].state;
            }
            if (forgotten > 0 && !ops_are_wrong(ops, count, steps)) {
                memcpy(ops, before, count * sizeof *before);
            }
        }
    }
    mem_free(before);
}

/* Does somebody who is left show, or ask for, what `op` wrote? */
static bool reduce_is_shown(const struct history_op *op, const struct history_op *ops,
                            size_t count)
{
    for (size_t i = 0; i < count && op->kind != HISTORY_READ; i++) {
        const struct history_op *other = &ops[i];
        if (other->state != HISTORY_KNOWN) {
            continue;
        }
        bool content = other->kind == HISTORY_READ && other->shown.there &&
                       op->kind != HISTORY_ENABLE && op->kind != HISTORY_DELETE &&
                       other->shown.content == op->content;
        bool revision = op->state == HISTORY_KNOWN && op->shown.revision > 0 &&
                        op->code == 0 && op->shown.revision == op_needs(other);
        if (content || revision) {
            return true;
        }
    }
    return false;
}

static int asked_compare(const void *a, const void *b)
{
    const struct history_op *one = a;
    const struct history_op *two = b;
    return one->asked != two->asked
               ? (one->asked < two->asked ? -1 : 1)
               : (one->number > two->number) - (one->number < two->number);
}

size_t linear_reduce(struct history_op *ops, size_t count, uint64_t steps)
{
    struct history_op *scratch = mem_array(count + 1, sizeof *scratch);
    uint64_t moment = reduce_moment(ops, scratch, count, steps);
    for (size_t i = 0; i < count; i++) {
        scratch[i] = op_until(&ops[i], moment);
    }
    reduce_forget(scratch, count, steps);
    size_t kept = 0;
    bool *keep = mem_array(count + 1, sizeof *keep);
    for (size_t i = 0; i < count; i++) {
        keep[i] = scratch[i].state == HISTORY_KNOWN ||
                  (scratch[i].state != HISTORY_NEVER &&
                   reduce_is_shown(&ops[i], scratch, count));
    }
    for (size_t i = 0; i < count; i++) {
        if (keep[i]) {
            ops[kept++] = ops[i];
        }
    }
    mem_free(keep);
    mem_free(scratch);
    qsort(ops, kept, sizeof *ops, asked_compare);
    return kept;
}
