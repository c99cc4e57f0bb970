/* SPDX-License-Identifier: Apache-2.0 */
/* What the events of a run say of it, as JSON. */
#ifndef REGISTRY_RUN_EVENT_H
#define REGISTRY_RUN_EVENT_H

#include "base/buf.h"
#include "registry/run.h"
#include "registry/task.h"

/* Append the members of the CTS event of a run's end, without braces: id, success,
 * start_time, end_time, task_name, error, config (spec/cts.md 3.1; the module's key as
 * the seed page has it). Of one whose start was never told, it began when it was
 * placed. */
void run_event_put_cts(struct buf *out, const struct run *run);

/* Append the data of run.placed, run.started and run.stopping. */
void run_event_put_open(struct buf *out, const struct run *run);
/* Append the data of run.ended: the CTS event, then run, node, outcome and the rest. */
void run_event_put_end(struct buf *out, const struct run *run);

/* Append a run's `config` of a task's text (registry/run.h). */
void run_event_put_config(struct buf *out, const char *text, size_t len);

#endif
