/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a task with a run of it, of the naive registry: the change and the run as
 * the two commands they could have been, once nothing stands against either. */
#include <string.h>

#include "base/mem.h"
#include "sim/model_inside.h"

enum { APPLY = 1, INSPECT = 2, TRIAL = 3, TRIAL_INSPECT = 4 };
enum { CLIENT = 1, SUCCESS = 1 };

static bool has_live(const struct model *model, struct text name)
{
    char *copy = model_copy(name);
    bool live = model_live(model, copy) != NULL;
    mem_free(copy);
    return live;
}

/* Does the task's condition hold? 0, or the code; a change of nothing asks for it. */
static int holds(struct model *model, struct text name, uint32_t condition,
                 uint64_t revision)
{
    const struct model_task *task = model_find(model, name);
    bool present = task != NULL;
    bool yes = condition == TASK_CONDITION_NONE ||
               (condition == TASK_CONDITION_REVISION && present &&
                task->revision == revision) ||
               (condition == TASK_CONDITION_PRESENT && present) ||
               (condition == TASK_CONDITION_ABSENT && !present);
    if (condition > TASK_CONDITION_ABSENT) {
        return ERR_INVALID;
    }
    return yes ? 0 : ERR_PRECONDITION;
}

/* A run of the task as it is now; of one that is disabled, over already. */
static int run_stored(struct model *model, struct text name, struct model_run *run)
{
    struct model_task *task = model_find(model, name);
    uint64_t id = model_next(model);
    run->task_created = task->created;
    run->purpose = APPLY;
    task->due = false;
    bool enabled = task->enabled;
    model_place(model, name, run);
    if (enabled) {
        return 0;
    }
    struct model_run end = {
        .outcome = SUCCESS, .started_ms = model->wall_ms, .ended_ms = model->wall_ms};
    return model_finish(model, id, run->node, &end,
                        text_of("the task is disabled: nothing was run"));
}

static int place_draft(struct model *model, const struct command *command,
                       struct model_run *run, bool enabled)
{
    const __typeof__(command->run_put) *put = &command->run_put;
    run->draft = model_copy(put->text);
    run->draft_len = put->text.len;
    run->enabled_at = put->enabled_at;
    run->enabled = enabled;
    return model_place(model, put->name, run);
}

static int put_and_run(struct model *model, const struct command *command,
                       struct model_run *run)
{
    const __typeof__(command->run_put) *put = &command->run_put;
    bool there = model_find(model, put->name) != NULL;
    if (!there && put->enabled) {
        run->purpose = TRIAL;
        return place_draft(model, command, run, true);
    }
    struct command plain = {
        .type = COMMAND_TASK_PUT,
        .task_put = {put->name, put->text, put->enabled_at, put->enabled,
                     put->keep_enabled, TASK_CONDITION_NONE, 0},
    };
    int code = model_command(model, &plain);
    return there ? run_stored(model, put->name, run) : code;
}

static int put_inspected(struct model *model, const struct command *command,
                         struct model_run *run)
{
    const __typeof__(command->run_put) *put = &command->run_put;
    const struct model_task *task = model_find(model, put->name);
    bool enabled = task != NULL && put->keep_enabled ? task->enabled : put->enabled;
    run->purpose = task != NULL ? INSPECT : TRIAL_INSPECT;
    run->task_created = task != NULL ? task->created : 0;
    return enabled ? place_draft(model, command, run, true) : 0;
}

int model_run_put(struct model *model, const struct command *command)
{
    const __typeof__(command->run_put) *put = &command->run_put;
    const struct model_task *task = model_find(model, put->name);
    struct model_run run = {
        .node = put->node,
        .cause = CLIENT,
        .lease_ms = put->lease_ms,
        .grace_ms = put->grace_ms,
        .tries = 1,
    };
    if (!model_draft_is_sound(put->name, put->text, put->enabled_at) ||
        put->node == 0 || put->lease_ms == 0 || put->purpose < APPLY ||
        put->purpose > INSPECT) {
        return ERR_INVALID;
    }
    int refused = holds(model, put->name, put->condition, put->revision);
    if (refused != 0) {
        return refused;
    }
    if (task == NULL && put->base != 0) {
        return ERR_NOT_FOUND;
    }
    if (has_live(model, put->name) ||
        (task != NULL &&
         (task->deleting || (put->base != 0 && put->base != task->revision)))) {
        return ERR_CONFLICT;
    }
    if (model_member(model, put->node) == NULL) {
        return ERR_BUSY;
    }
    return put->purpose == APPLY ? put_and_run(model, command, &run)
                                 : put_inspected(model, command, &run);
}

int model_run_enable(struct model *model, const struct command *command)
{
    const __typeof__(command->run_enable) *enable = &command->run_enable;
    const struct model_task *task = model_find(model, enable->task);
    struct model_run run = {
        .node = enable->node,
        .cause = CLIENT,
        .lease_ms = enable->lease_ms,
        .grace_ms = enable->grace_ms,
        .tries = 1,
    };
    if (enable->node == 0 || enable->lease_ms == 0) {
        return ERR_INVALID;
    }
    int refused = holds(model, enable->task, enable->condition, enable->revision);
    if (refused != 0 || task == NULL) {
        return refused != 0 ? refused : ERR_NOT_FOUND;
    }
    if (task->deleting || has_live(model, enable->task)) {
        return ERR_CONFLICT;
    }
    if (model_member(model, enable->node) == NULL) {
        return ERR_BUSY;
    }
    struct command plain = {.type = COMMAND_TASK_ENABLE,
                            .task_enable = {enable->task, enable->enabled}};
    model_command(model, &plain);
    return run_stored(model, enable->task, &run);
}
