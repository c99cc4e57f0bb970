/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a task and a run of it in one: whoever asks for both gets both, or a
 * refusal of both. */
#include <string.h>

#include "base/buf.h"
#include "registry/registry_inside.h"

static const char skipped[] = "the task is disabled: nothing was run";

/* CTS has an event of it (spec/cts.md 1.8, 3.2): a run that was over when it was
 * placed.
 */
static void registry_skip_run(struct registry *registry, const struct change *change,
                              const struct run_order *order, const struct task *task)
{
    uint64_t id = registry_place_task(registry, change, order, task);
    struct run next = *registry_run(registry, id);
    next.outcome = RUN_SUCCESS;
    next.started_ms = change->wall_ms;
    next.ended_ms = change->wall_ms;
    next.text = skipped;
    registry_end_run(registry, change, &next);
}

/* It is stored. */
static void registry_run_stored(struct registry *registry, const struct change *change,
                                const struct run_order *order)
{
    const struct task *task = registry_task(registry, order->task, order->task_len);
    if (task->enabled) {
        registry_place_task(registry, change, order, task);
    } else {
        registry_skip_run(registry, change, order, task);
    }
}

static int registry_judge_put(const struct registry *registry,
                              const struct run_put *put, const struct run_order *order,
                              const struct task *old)
{
    const struct task_draft *draft = put->draft;
    int refused = task_match_check(&put->match, old);
    if (refused != 0) {
        return refused;
    }
    if (old == NULL && put->base != 0) {
        return ERR_NOT_FOUND;
    }
    if ((old != NULL &&
         (old->deleting || (put->base != 0 && put->base != old->revision))) ||
        registry_live_run(registry, draft->name, draft->name_len) != NULL) {
        return ERR_CONFLICT;
    }
    return registry_member(registry, order->node) == NULL ? ERR_BUSY : 0;
}

static void registry_apply_put(struct registry *registry, const struct change *change,
                               const struct task_draft *draft, const struct task *old,
                               struct run_order *order)
{
    if (old != NULL) {
        registry_replace_task(registry, change, old, draft);
        registry_run_stored(registry, change, order);
    } else if (draft->enabled) {
        order->purpose = RUN_TRIAL;
        registry_place_draft(registry, change, order, draft, 0);
    } else {
        registry_add_task(registry, change, draft);
    }
}

static void registry_inspect_put(struct registry *registry, const struct change *change,
                                 const struct task_draft *draft, const struct task *old,
                                 struct run_order *order)
{
    if (draft->enabled) {
        order->purpose = old != NULL ? RUN_INSPECT : RUN_TRIAL_INSPECT;
        registry_place_draft(registry, change, order, draft,
                             old != NULL ? old->created : 0);
    }
}

int registry_run_put(struct registry *registry, const struct change *change,
                     const struct run_put *put, const struct run_order *order)
{
    struct task_draft draft = *put->draft;
    struct run_order settled = *order;
    settled.task = draft.name;
    settled.task_len = draft.name_len;
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    if (!task_draft_sound(&draft) || !run_order_sound(order) ||
        (order->purpose != RUN_APPLY && order->purpose != RUN_INSPECT)) {
        return ERR_INVALID;
    }
    const struct task *old = registry_task(registry, draft.name, draft.name_len);
    int refused = registry_judge_put(registry, put, order, old);
    if (refused != 0) {
        return refused;
    }
    draft.enabled = put->keep_enabled && old != NULL ? old->enabled : draft.enabled;
    if (order->purpose == RUN_APPLY) {
        registry_apply_put(registry, change, &draft, old, &settled);
    } else {
        registry_inspect_put(registry, change, &draft, old, &settled);
    }
    return 0;
}

int registry_run_enable(struct registry *registry, const struct change *change,
                        bool enabled, const struct task_match *match,
                        const struct run_order *order)
{
    const struct task *old = registry_task(registry, order->task, order->task_len);
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    if (!run_order_sound(order) || order->purpose != RUN_APPLY) {
        return ERR_INVALID;
    }
    int refused = task_match_check(match, old);
    if (refused != 0 || old == NULL) {
        return refused != 0 ? refused : ERR_NOT_FOUND;
    }
    if (old->deleting ||
        registry_live_run(registry, order->task, order->task_len) != NULL) {
        return ERR_CONFLICT;
    }
    if (registry_member(registry, order->node) == NULL) {
        return ERR_BUSY;
    }
    registry_task_enable(registry, change, order->task, order->task_len, enabled);
    registry_run_stored(registry, change, order);
    return 0;
}
