/* SPDX-License-Identifier: Apache-2.0 */
/* Task statuses → JSON, as GET /v1/status and /v1/status/tasks answer
 * (spec/cts.md 1.10, 1.11, 3.3).
 *
 * A task's status is made of the ends of its runs that the registry keeps. One that is
 * being deleted, once its run has ended, says so: "deleting":true. */
#ifndef JSON_STATUS_JSON_H
#define JSON_STATUS_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/registry.h"

const char *task_status_name(enum task_status status); /* "unknown" */

struct status_filter {
    bool include_events;
    bool by_status;
    enum task_status status; /* if by_status */
};

/* The values of one query parameter, in the order given, unescaped and terminated. */
struct status_param {
    const char *const *values;
    size_t count;
};

/* The filter of `?status=` and `?include=`, judged in this order. ERR_INVALID with
 * CTS's texts (spec/cts.md 1.11). */
int status_json_filter(const struct status_param *status,
                       const struct status_param *include, struct status_filter *filter,
                       struct err *err);

/* Append the whole answer of GET /v1/status: {"task_summary":{…}}. */
void status_json_put_overall(struct buf *out, const struct registry *registry);

/* Whether the map of all tasks shows this one. */
bool status_json_matches(const struct registry *registry, const struct task *task,
                         const struct status_filter *filter);

/* Append `"name":{…}`, one entry of the map; the caller puts braces and commas. */
void status_json_put_entry(struct buf *out, const struct registry *registry,
                           const struct task *task, const struct status_filter *filter);

/* Append {"name":{…}}: the answer for one task. A task without events is shown whatever
 * the status asked for; one with another status is not: {}. */
void status_json_put_one(struct buf *out, const struct registry *registry,
                         const struct task *task, const struct status_filter *filter);

/* Append the map of all tasks that match, in creation order, in one go. For registries
 * too big for one turn of the loop, walk the tasks and put the entries. */
void status_json_put_all(struct buf *out, const struct registry *registry,
                         const struct status_filter *filter);

#endif
