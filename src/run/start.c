/* SPDX-License-Identifier: Apache-2.0 */
/* "May I start this run?" (DESIGN 8): under a live lease, with the lease's index
 * applied and the run still pending here. The index is that of a majority's word given
 * after the lease was asked for: whatever was committed about the run by then, its loss
 * above all, is applied, and nothing can be committed about it later that does not wait
 * for this lease to run out. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "json/input_json.h"
#include "run/inside.h"

#define START_LEASE_SHARE 4 /* a start needs a quarter of its lease: it is to claim */

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

uint64_t start_deadline_ms(const struct runner *runner, const struct run *run)
{
    struct lease_view lease;
    node_lease(runner->node, &lease);
    if (PLANTED(START_UNLEASED)) {
        return runner->driver->ops->now_ms(runner->driver) + run->lease_ms;
    }
    if (lease.lease_ms == 0 || lease.until_ms < lease.lease_ms) {
        return 0;
    }
    uint64_t asked_ms = lease.until_ms - lease.lease_ms;
    uint64_t deadline_ms =
        asked_ms + PLANTED_OR(LONGER_LEASE, lease.lease_ms,
                              at_most(lease.lease_ms, run->lease_ms));
    return deadline_ms > runner->driver->ops->now_ms(runner->driver) ? deadline_ms : 0;
}

static bool start_allowed(const struct runner *runner, const struct run *run)
{
    struct lease_view lease;
    struct node_status status;
    uint64_t deadline_ms = start_deadline_ms(runner, run);
    if (deadline_ms == 0 || runner->retired || node_unfit(runner->node)[0] != '\0') {
        return false;
    }
    node_lease(runner->node, &lease);
    node_status(runner->node, &status);
    uint64_t left_ms = deadline_ms - runner->driver->ops->now_ms(runner->driver);
    return (status.applied >= lease.index || PLANTED(START_ANY_INDEX)) &&
           left_ms >= at_most(lease.lease_ms, run->lease_ms) / START_LEASE_SHARE;
}

/* The text of what the run carries out: its own, else its task's as that stands now;
 * NULL: it is gone. */
static const char *start_text(const struct registry *registry, const struct run *run,
                              size_t *len)
{
    if (run->draft_len > 0) {
        *len = run->draft_len;
        return run->draft;
    }
    const struct task *task = registry_task(registry, run->task, strlen(run->task));
    if (task == NULL || task->created != run->task_created) {
        return NULL;
    }
    *len = task->text_len;
    return task->text;
}

static bool start_inspects(const struct run *run)
{
    return run->purpose == RUN_INSPECT || run->purpose == RUN_TRIAL_INSPECT;
}

static void start_now(struct runner *runner, struct local_run *local,
                      const struct run *run, const struct input_json *input)
{
    const struct registry *registry = node_registry(runner->node);
    struct driver_spec spec = {
        .run = run->id,
        .task = run->task,
        .module = input->module,
        .input = (const char *)input->text.data,
        .inspect = start_inspects(run),
        .deadline_ms = start_deadline_ms(runner, run),
        .grace_ms = PLANTED_OR(LONGER_GRACE, 3 * run->grace_ms, run->grace_ms),
        .tries = run->tries > 0 && !start_inspects(run) ? run->tries : 1,
        .time_limit_ms = registry_setting(registry, SETTING_RUN_TIME_LIMIT),
        .uid = runner->uid,
        .gid = runner->gid,
        .limits = runner->limits,
    };
    log_info("run %" PRIu64 " of task %s begins", run->id, run->task);
    local->driven = true;
    local_run_move(local, LOCAL_STARTING);
    runner->driver->ops->start(runner->driver, &spec);
}

/* Asked at the door as well; folders may have changed since, and nodes differ. */
static bool start_module_allowed(const struct runner *runner, const char *module,
                                 struct err *err)
{
    return runner->modules.count == 0 ||
           path_inside(module, &runner->modules, err) == 0;
}

bool start_try(struct runner *runner, struct local_run *local, const struct run *run)
{
    if (!start_allowed(runner, run)) {
        return false;
    }
    size_t len = 0;
    const char *text = start_text(node_registry(runner->node), run, &len);
    if (text == NULL) {
        report_end_without(runner, local, DRIVER_FAILED, "its task is gone");
        return true;
    }
    struct input_json input;
    struct err err;
    if (input_json_make(&input, text, len, &err) == 0 &&
        start_module_allowed(runner, input.module, &err)) {
        start_now(runner, local, run, &input);
    } else {
        report_end_without(runner, local, DRIVER_FAILED, err.text);
    }
    input_json_close(&input);
    return true;
}
