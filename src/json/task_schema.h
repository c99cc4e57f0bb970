/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of a task and of the body that carries one (spec/cts.md 1.7). */
#ifndef JSON_TASK_SCHEMA_H
#define JSON_TASK_SCHEMA_H

#include "json/schema.h"

extern const struct schema task_schema;         /* {"name":…,"module":…} */
extern const struct schema task_request_schema; /* {"task":{…}} */

#endif
