/* SPDX-License-Identifier: Apache-2.0 */
/* Codes become HTTP here, once (spec/muster.md 1, 2). */
#ifndef API_ERROR_H
#define API_ERROR_H

#include "api/call.h"
#include "base/err.h"
#include "raft/fsm.h"

/* Answer an error of the door or of door 1. Nothing happens if the call is not open. */
void error_reply(struct call *call, const struct err *err);

/* Answer what apply refused (`result->code` is not 0) for the task of this name, in
 * CTS's words. */
void error_result(struct call *call, const struct result *result, const char *name);

/* 409: the task of this name is being deleted, or else has the live run that `result`
 * names; what error_result() answers to a conflict. */
void error_task_live(struct call *call, const struct result *result, const char *name);

void error_task_exists(struct call *call, const char *name); /* 400, as in CTS */
void error_no_task(struct call *call, const char *name);     /* 404 */

/* This node does not lead: 400 with the leader's name and address. */
void error_not_leader(struct call *call);

/* This build cannot do it: 501. What it could mean must not be ignored. */
void error_unsupported(struct call *call, const char *what);

#endif
