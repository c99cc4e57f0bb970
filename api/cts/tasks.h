/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of /tasks share: its answers, and the runs that ?run asks for. */
#ifndef API_CTS_TASKS_H
#define API_CTS_TASKS_H

#include "api/call.h"
#include "registry/task.h"

enum run_mode { MODE_NONE, MODE_NOW, MODE_INSPECT };

/* {"request_id":U,"task":T}, without the task if it is NULL. */
void cts_reply_task(struct call *call, int status, const struct task *task);

/* X-Muster-Warning: what of the task this build does not do, if there is such a thing.
 */
void cts_warn_of(struct call *call, const struct task *task);

/* PATCH {"enabled":…} in any mode (spec/cts.md 1.8), once its form is judged. */
void cts_task_patch_run(struct call *call, enum run_mode mode, bool enabled);

/* POST with run=now or run=inspect (spec/cts.md 1.7) of a task that is sound;
 * call->name is its name. */
void cts_task_create_run(struct call *call, enum run_mode mode,
                         const struct task_draft *draft);

/* What is to become of a task that may be there, with a run of that. */
struct task_change {
    const struct task_draft *draft;
    bool keep_enabled; /* one that is there stays enabled or not */
    uint64_t base;     /* the revision it was made of; 0: of none */
    /* It is another one by now, or is being deleted; call->arg is what it was before.
     */
    call_outcome_cb missed;
};

/* PUT, or PATCH with a merge patch, with run=now or run=inspect (spec/muster.md 4), of
 * a task that is sound; call->name is its name. */
void cts_task_change_run(struct call *call, enum run_mode mode,
                         const struct task_change *change);

#endif
