/* SPDX-License-Identifier: Apache-2.0 */
/* A task's text → what its program is given: the JSON that MUSTER_INPUT names, and the
 * module that it belongs to. */
#ifndef JSON_INPUT_JSON_H
#define JSON_INPUT_JSON_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct input_json {
    char *module;    /* as the task has it; owned, terminated */
    struct buf text; /* {"catalog_services":…,"consul_kv":…,"services":…,"task":NAME,
                        "variables":{…}}; owned, terminated */
};

/* `text` is the canonical text of a task (json/task_json.h). A variable whose text is
 * JSON is given as that value, any other as a string: "[1,2]" is an array, "\"a\"" and
 * "a" are the same string. What Consul would give is empty. `out` is always
 * initialised: close it. ERR_INVALID: that is no task's text. */
int input_json_make(struct input_json *out, const char *text, size_t len,
                    struct err *err);
void input_json_close(struct input_json *input);

#endif
