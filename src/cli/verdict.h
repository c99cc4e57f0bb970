/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer, or its absence, says about what was asked (spec/muster.md 1). Pure.
 */
#ifndef CLI_VERDICT_H
#define CLI_VERDICT_H

#include <stdbool.h>

#include "base/buf.h"
#include "http/http.h"

enum verdict {
    VERDICT_DONE,
    VERDICT_REFUSED,   /* nothing happened; asking again will not help */
    VERDICT_NOT_FOUND, /* the same: there is nothing of that name */
    VERDICT_ELSEWHERE, /* nothing happened here; X-Muster-Leader-Address may say where
                        */
    VERDICT_LATER,     /* nothing happened; another node, or this one later */
    VERDICT_UNKNOWN,   /* of a write: it may have happened, or still will */
};

/* `write`: it changes something, so it must not be sent again unless it is certain that
 * nothing happened. A 503 proves that only with Retry-After: proxies answer 503 for a
 * connection lost after the request was sent. */
enum verdict verdict_of(const struct http_answer *answer, bool write);

/* A refusal because of the idempotency key: the cluster, or this node, is of a version
 * that does not know them. */
bool verdict_takes_no_key(const struct http_answer *answer);

/* Retry-After in milliseconds; 0: it is not there, or no number. */
uint64_t verdict_retry_after_ms(const struct http_answer *answer);

/* Append what the answer says for people: the message of its error, else its status, or
 * why there is none. */
void verdict_put_reason(struct buf *out, const struct http_answer *answer);

#endif
