/* SPDX-License-Identifier: Apache-2.0 */
/* What a read that waits (api/fresh.c) must know of /status/tasks before. */
#ifndef API_CTS_STATUS_H
#define API_CTS_STATUS_H

#include <stdbool.h>

#include "api/call.h"

/* ?status= and ?include=; false: one is wrong, answered 400. */
bool cts_status_judge(struct call *call);

#endif
