/* SPDX-License-Identifier: Apache-2.0 */
/* How fresh an answer has to be (spec/muster.md 5): ?consistent, ?min_index,
 * ?max_stale, and the long poll, ?index. Judged and waited for here, before the handler
 * runs, so that no handler knows of it. */
#ifndef API_FRESH_H
#define API_FRESH_H

#include "api/call.h"

struct api;

/* Run the handler of the call's route, a reading one, once its parameters are kept; or
 * answer that they cannot be: 400, 503. */
void fresh_run(struct call *call);

/* The call's request has ended: it waits no more. */
void fresh_forget(struct call *call);

/* The call waits and is answered 503 now, if its client still waits. */
void fresh_give_up(struct call *call, const char *why);

/* The api stops: long polls are answered with the state as it is, now. */
void fresh_stop(struct api *api);

#endif
