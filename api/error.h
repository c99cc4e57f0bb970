/* SPDX-License-Identifier: Apache-2.0 */
/* Codes become HTTP here, once (spec/muster.md 1, 2). */
#ifndef API_ERROR_H
#define API_ERROR_H

#include "api/call.h"
#include "base/err.h"

/* Answer an error of the door or of apply that no handler gives a text of its own. */
void error_reply(struct call *call, const struct err *err);

/* This node does not lead: 400 with the leader's name and address. */
void error_not_leader(struct call *call);

#endif
