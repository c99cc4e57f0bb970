/* SPDX-License-Identifier: Apache-2.0 */
/* What a task that fits the schema must still satisfy: the rules of spec/cts.md 7.6,
 * and its effective buffer period (5.1). Private to this module. */
#ifndef JSON_TASK_RULES_H
#define JSON_TASK_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "json/jsonvalue.h"
#include "json/task_json.h"

struct buffer_period {
    bool enabled;
    int64_t min_ns; /* both 0 when off */
    int64_t max_ns;
};

/* Who wrote the task: over the API names beat a regexp, a configuration must choose. */
enum task_source { TASK_FROM_API, TASK_FROM_CONFIGURATION };

/* `task` fits task_schema. First error wins, in CTS's order: durations, then 7.6. On
 * success `*buffer` is what the task shall have. ERR_INVALID or ERR_TOO_LARGE. */
int task_rules_check(const struct jsonvalue *task, const struct task_defaults *defaults,
                     enum task_source source, struct buffer_period *buffer,
                     struct err *err);

/* The string member `key`, "" if there is none. Borrowed. */
const char *task_rules_text(const struct jsonvalue *object, const char *key);

#endif
