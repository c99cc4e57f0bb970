/* SPDX-License-Identifier: Apache-2.0 */
/* The terms of a write: what its headers ask for beside its body (spec/muster.md 4). */
#ifndef API_TERMS_H
#define API_TERMS_H

#include "api/call.h"

/* Read If-Match and If-None-Match into call->match, Idempotency-Key into call->key.
 * False: they make no sense here, or are none, and the call is answered. A tag that no
 * task can have (weak, or no number) is one that does not match: 412 is apply's to say.
 */
bool terms_read(struct call *call);

#endif
