/* SPDX-License-Identifier: Apache-2.0 */
/* The idempotency key of a write (spec/muster.md 4), as the door sees it: what request
 * it stands for, and whether another one with it is under way at this node right now.
 *
 * The latter is a courtesy: whether a key came before is decided in apply. */
#ifndef API_KEY_H
#define API_KEY_H

#include "api/call.h"

/* What the request asks for, but for its body: method, path, parameters, and what it
 * wants its task to be like. Two forms of one path are the same. */
void key_put_asked(const struct call *call, struct buf *out);

/* Put the key into `command`, which changes a task, and note that a request with it is
 * under way; computes the fingerprint unless that is done. False: another one is under
 * way, and the call is answered 409. Nothing is done for a call without a key. */
bool key_begin(struct call *call, struct command *command);
/* It is not under way any more: its outcome is there, or its client has been told that
 * there is none, or has gone. May be called again. */
void key_end(struct call *call);

#endif
