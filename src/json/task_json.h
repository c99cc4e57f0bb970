/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks ⇄ JSON: the request bodies of the CTS task API and the canonical text that the
 * registry keeps.
 *
 * The canonical text is compact, its keys are sorted, every default is spelled out,
 * names of services are sorted, `enabled` is left out. The same task always has the
 * same text, and the text without changes is accepted again and gives itself. */
#ifndef JSON_TASK_JSON_H
#define JSON_TASK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/task.h"

/* What a task inherits at its creation (spec/cts.md 5.1). Nanoseconds. */
struct task_defaults {
    bool buffer_enabled;
    int64_t buffer_min_ns;
    int64_t buffer_max_ns;
};

/* CTS's own: on, 5 s, 20 s. */
extern const struct task_defaults task_defaults_standard;

struct task_json {
    char *name;              /* set as soon as the body fits the schema, owned */
    struct buf text;         /* the canonical text, owned */
    bool enabled_given;      /* the body had `enabled` */
    struct task_draft draft; /* borrows from the two above; only after success */
};

/* Body of POST /v1/tasks, {"task":{…}}: schema, then the handler's checks, first error
 * wins, texts and order of spec/cts.md 1.7 and 7.6. May be called from the pool, where
 * bodies of more than some 100 KiB belong (20 ms a MiB). `out` is always initialised:
 * close it after success and after failure. ERR_INVALID or ERR_TOO_LARGE.
 *
 * On failure `out->name` tells how far it came: NULL, the body does not fit the schema;
 * not NULL, the task of that name is not valid (CTS says first that a name is taken).
 */
int task_json_create(const void *body, size_t len, const struct task_defaults *defaults,
                     struct task_json *out, struct err *err);

/* The same for the bare task object {…}, as configuration and merge patches have it. */
int task_json_create_bare(const void *body, size_t len,
                          const struct task_defaults *defaults, struct task_json *out,
                          struct err *err);

/* What a merge patch (RFC 7386) makes of a task: `base` is its object as clients read
 * it (task_json_put()), NULL if there is no such task: then only the patch's form is
 * judged, and `out` stays empty. ERR_INVALID or ERR_TOO_LARGE; on failure `out->name`
 * is NULL if the patch itself is wrong, whatever the task (no object, or it has
 * `name`). May be called from the pool; `out` as with task_json_create(). */
int task_json_merge(const struct buf *base, const void *patch, size_t len,
                    const struct task_defaults *defaults, struct task_json *out,
                    struct err *err);

void task_json_close(struct task_json *json);

/* Body of PATCH /v1/tasks/:name: one key `enabled`, in any case and of any type that
 * CTS takes for a truth value (spec/cts.md 1.8). ERR_INVALID with CTS's texts. */
int task_json_patch(const void *body, size_t len, bool *enabled, struct err *err);

/* Append the task's object as clients read it, `enabled` included. */
void task_json_put(struct buf *out, const struct task *task);

#endif
