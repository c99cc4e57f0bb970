/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/linear_state.h"

#include "base/err.h"
#include "registry/task.h"

/* The task is there, and this is its revision. */
bool state_is_revision(struct state *state, uint64_t revision)
{
    if (!state->task.there) {
        return false;
    }
    if (state->task.revision == 0 && revision >= state->least) {
        state->task.revision = revision;
        state->low = revision > state->low ? revision : state->low;
    }
    return state->task.revision == revision;
}

static bool state_meets(struct state *state, const struct history_op *op)
{
    switch (op->condition) {
    case TASK_CONDITION_REVISION:
        return state_is_revision(state, op->expected);
    case TASK_CONDITION_PRESENT:
        return state->task.there;
    case TASK_CONDITION_ABSENT:
        return !state->task.there;
    default:
        return true;
    }
}

/* The state after an operation that was not refused; false: it would have been. */
static bool op_effect(const struct history_op *op, struct state *state)
{
    struct history_task *task = &state->task;
    if (!state_meets(state, op)) {
        return false;
    }
    switch (op->kind) {
    case HISTORY_READ:
        break;
    case HISTORY_CREATE:
        if (task->there) {
            return false;
        }
        *task = (struct history_task){true, op->enabled, 0, op->content};
        break;
    case HISTORY_MERGE:
        if (!state_is_revision(state, op->base)) {
            return false;
        }
        task->content = op->content;
        task->enabled = op->enabled;
        break;
    case HISTORY_PUT:
        task->enabled = task->there && op->keep_enabled ? task->enabled : op->enabled;
        task->content = op->content;
        task->there = true;
        break;
    case HISTORY_ENABLE:
        task->enabled = op->enabled;
        return task->there;
    case HISTORY_DELETE:
        if (!task->there) {
            return false;
        }
        *task = (struct history_task){0};
        break;
    }
    return true;
}

static bool task_differs(const struct history_task *a, const struct history_task *b)
{
    return a->there != b->there ||
           (a->there && (a->enabled != b->enabled || a->content != b->content));
}

/* An unknown operation has its effect now; false: it has none. */
bool state_unknown(struct state *state, const struct history_op *op)
{
    struct state after = *state;
    if (!op_effect(op, &after) || !task_differs(&state->task, &after.task)) {
        return false;
    }
    after.low++;
    after.least = after.low;
    after.task.revision = 0;
    *state = after;
    return true;
}

/* What was shown is the state as it is. */
static bool state_shows(struct state *state, const struct history_op *op)
{
    const struct history_task *shown = &op->shown;
    if (op->kind == HISTORY_READ &&
        (shown->there != state->task.there || task_differs(shown, &state->task))) {
        return false;
    }
    return shown->revision == 0 ? !state->task.there
                                : state_is_revision(state, shown->revision);
}

/* Is this refusal the right one of the state, whose revision is known by now? */
static bool state_refuses(const struct state *state, const struct history_op *op)
{
    struct state copy = *state;
    bool meets = state_meets(&copy, op);
    switch (op->code) {
    case ERR_PRECONDITION:
        return !meets;
    case ERR_EXISTS:
        return op->kind == HISTORY_CREATE && state->task.there;
    case ERR_NOT_FOUND:
        return meets && !state->task.there && op->kind != HISTORY_CREATE &&
               op->kind != HISTORY_PUT;
    case ERR_CONFLICT:
        return meets && op->kind == HISTORY_MERGE && state->task.there &&
               state->task.revision != op->base;
    default:
        return false;
    }
}

/* An answered operation has its effect now; false: its answer would not be true. */
bool state_known(struct state *state, const struct history_op *op)
{
    struct state after = *state;
    if (op->sequence < state->low) {
        return false;
    }
    if (op->kind == HISTORY_READ || op->code != 0) {
        if (!state_shows(&after, op) || (op->code != 0 && !state_refuses(&after, op)) ||
            after.task.revision > op->sequence) {
            return false;
        }
        after.low = op->sequence;
        *state = after;
        return true;
    }
    if (!op_effect(op, &after)) {
        return false;
    }
    if (!task_differs(&state->task, &after.task)) {
        if (op->created || !state_is_revision(&after, op->shown.revision) ||
            after.task.revision > op->sequence) {
            return false;
        }
        after.low = op->sequence;
        *state = after;
        return true;
    }
    bool created = !state->task.there;
    if (op->sequence <= after.low || op->created != created ||
        op->shown.revision != (after.task.there ? op->sequence : 0)) {
        return false;
    }
    after.task.revision = op->shown.revision;
    after.low = op->sequence;
    *state = after;
    return true;
}

/* The revision that an answer is about; 0: none, or it made it. */
uint64_t op_needs(const struct history_op *op)
{
    if (op->kind == HISTORY_READ || op->code != 0) {
        return op->shown.revision;
    }
    return op->condition == TASK_CONDITION_REVISION ? op->expected
           : op->kind == HISTORY_MERGE              ? op->base
                                                    : 0;
}

/* Was it told that it changed the task? */
bool op_changed(const struct history_op *op)
{
    return op->kind != HISTORY_READ && op->code == 0 &&
           (op->kind == HISTORY_DELETE || op->shown.revision == op->sequence);
}
