/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters of ours (spec/muster.md 5, 6): given once, and what they must be.
 * Each function answers 400 itself, naming what is right, and then returns false. */
#ifndef API_PARAM_H
#define API_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "api/call.h"

/* The value of a parameter, NULL if it is not given; false: it is given twice. Borrowed
 * from the call. */
bool param_text(struct call *call, const char *name, const char **value);

/* A decimal number from `min` to `max`; *number stays as it is if the parameter is not
 * given. */
bool param_number(struct call *call, const char *name, uint64_t min, uint64_t max,
                  uint64_t *number);

/* The same of a text that came some other way: `what` names it in the answer. */
bool param_read_number(struct call *call, const char *what, const char *text,
                       uint64_t min, uint64_t max, uint64_t *number);

/* A flag: "consistent", "consistent=true" or "consistent=false". */
bool param_flag(struct call *call, const char *name, bool *flag);

/* A duration as Go writes it, "1m30s", from 0 to `max_ms`; a part of a millisecond
 * counts as a whole one. *ms stays as it is if the parameter is not given. */
bool param_duration(struct call *call, const char *name, uint64_t max_ms, uint64_t *ms);

#endif
