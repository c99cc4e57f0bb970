/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a run's beginning and end into the registry.
 *
 * A report is proposed wherever this node is, handed on to the leader if need be, and
 * proposed again until the registry shows what it says: a lost leader, a full queue, an
 * unknown outcome are all the same, for apply takes the first of several and refuses
 * the rest. So no outcome is looked at but to know that the registry stands still or
 * when to try again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "run/inside.h"

#define REPORT_RETRY_MS     50 /* doubled with each failure ... */
#define REPORT_RETRY_MAX_MS 2000
#define REPORT_DOUBLINGS    6

_Static_assert((int)DRIVER_SUCCESS == (int)RUN_SUCCESS &&
                   (int)DRIVER_FAILED == (int)RUN_FAILED &&
                   (int)DRIVER_TIMED_OUT == (int)RUN_TIMED_OUT &&
                   (int)DRIVER_CANCELLED == (int)RUN_CANCELLED &&
                   (int)DRIVER_LOST == (int)RUN_LOST,
               "a driver's outcomes are those of the registry");

/* On the heap of its own: door 1 may decide it after the runner is gone. */
struct report {
    struct runner *runner; /* NULL: nobody wants to know any more */
    uint64_t run;          /* 0: of what this node carries out */
    struct report *next;
    struct report **at; /* the link that points to it */
};

static void report_unlink(struct report *report)
{
    *report->at = report->next;
    if (report->next != NULL) {
        report->next->at = report->at;
    }
}

void report_forget_all(struct runner *runner)
{
    while (runner->reports != NULL) {
        struct report *report = runner->reports;
        report_unlink(report);
        report->runner = NULL;
    }
}

static uint64_t report_again_ms(const struct runner *runner, uint32_t failures)
{
    uint32_t doublings = failures < REPORT_DOUBLINGS ? failures : REPORT_DOUBLINGS;
    uint64_t wait_ms = (uint64_t)REPORT_RETRY_MS << doublings;
    return clock_now_ms(runner->clock) +
           (wait_ms < REPORT_RETRY_MAX_MS ? wait_ms : REPORT_RETRY_MAX_MS);
}

/* Nothing came of it: later once more. */
static void report_failed(struct runner *runner, struct local_run *local)
{
    local->report_after_ms = report_again_ms(runner, local->report_failures++);
    runner_wake(runner);
}

static void report_drivers_failed(struct runner *runner)
{
    runner->announce_after_ms = report_again_ms(runner, runner->announce_failures++);
    runner_wake(runner);
}

static void report_decided(void *owner, const struct outcome *outcome)
{
    struct report *report = owner;
    struct runner *runner = report->runner;
    if (runner != NULL && report->run == 0) {
        report_unlink(report);
        runner->announcing = false;
        report_drivers_failed(runner); /* or the row says so: then it was the last */
    } else if (runner != NULL) {
        report_unlink(report);
        struct local_run *local = local_runs_find(&runner->runs, report->run);
        if (local != NULL) {
            local->reporting = PLANTED(REPORT_ONCE);
            if (outcome->code == 0 && outcome->result.code == 0) {
                local->report_failures = 0;
                local->started_told = true; /* of an end: no matter */
                runner_wake(runner);
            } else {
                report_failed(runner, local);
            }
        }
    }
    mem_free(report);
}

/* False: not now. */
static bool report_propose(struct runner *runner, uint64_t run,
                           const struct command *command)
{
    struct report *report = mem_zalloc(sizeof *report);
    struct err err;
    report->runner = runner;
    report->run = run;
    if (node_report(runner->node, command, report_decided, report, &err) != 0) {
        mem_free(report);
        return false;
    }
    report->next = runner->reports;
    report->at = &runner->reports;
    if (report->next != NULL) {
        report->next->at = &report->next;
    }
    runner->reports = report;
    return true;
}

static void report_send(struct runner *runner, struct local_run *local,
                        const struct command *command)
{
    local->reporting = report_propose(runner, local->run, command);
    if (!local->reporting) {
        report_failed(runner, local);
    }
}

void report_drivers(struct runner *runner, uint32_t drivers)
{
    const struct registry *registry = node_registry(runner->node);
    const struct member *member = registry_member(registry, runner->self);
    if (runner->removed || member == NULL || member->duty.drivers == drivers) {
        runner->announce_failures = 0;
        runner->announce_after_ms = 0;
        return;
    }
    if (runner->announcing || clock_now_ms(runner->clock) < runner->announce_after_ms) {
        return;
    }
    struct command command = {
        .type = COMMAND_MEMBER_DRIVERS,
        .request_id = text_of(""),
        .actor = text_of(""),
        .member_drivers = {.id = runner->self, .drivers = drivers},
    };
    runner->announcing = report_propose(runner, 0, &command);
    if (!runner->announcing) { /* nobody leads, or the cluster does not know it yet */
        report_drivers_failed(runner);
    }
}

static void report_started(struct runner *runner, struct local_run *local,
                           const struct run *run)
{
    struct command command = {
        .type = COMMAND_RUN_STARTED,
        .request_id = text_of(""),
        .actor = text_of(""),
        .run_started =
            {
                .run = run->id,
                .node = run->node,
                .started_ms = local->started_ms,
            },
    };
    report_send(runner, local, &command);
}

static void report_ended(struct runner *runner, struct local_run *local,
                         const struct run *run)
{
    const struct driver_result *result = local->result;
    struct command command = {
        .type = COMMAND_RUN_END,
        .request_id = text_of(""),
        .actor = text_of(""),
        .run_end =
            {
                .run = run->id,
                .node = run->node,
                .outcome = result->outcome,
                .exit_code = result->exit_code,
                .signal = result->signal,
                .changes = result->changes,
                .started_ms = result->started_ms,
                .ended_ms = result->ended_ms,
                .text = text_of(result->text),
            },
    };
    report_send(runner, local, &command);
}

void report_settle(struct runner *runner, struct local_run *local,
                   const struct run *run)
{
    if (local->reporting || clock_now_ms(runner->clock) < local->report_after_ms) {
        return;
    }
    if (local->state == LOCAL_ENDED) {
        report_ended(runner, local, run);
    } else if (local->started_ms > 0 && run->started_ms == 0 && !local->started_told) {
        report_started(runner, local, run);
    }
}

void report_end_without(struct runner *runner, struct local_run *local,
                        enum driver_outcome outcome, const char *text)
{
    struct driver_result result = {
        .outcome = outcome,
        .ended_ms = clock_wall_ms(runner->clock),
    };
    snprintf(result.text, sizeof result.text, "%s", text);
    local_run_end(local, &result);
    runner_wake(runner);
}
