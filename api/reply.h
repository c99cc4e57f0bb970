/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: JSON bodies and the headers every answer has (spec/muster.md 3). Long ones:
 * api/stream.h. */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/call.h"
#include "base/buf.h"

enum reply_name {
    REPLY_ALLOW,
    REPLY_AUTHENTICATE,
    REPLY_ETAG,
    REPLY_LEADER,
    REPLY_LEADER_ADDRESS,
    REPLY_LOCATION,
    REPLY_LOG_ENDED,
    REPLY_LOG_FROM,
    REPLY_LOG_NEXT,
    REPLY_NOT_LEADER,
    REPLY_REPLAYED,
    REPLY_RETRY_AFTER,
    REPLY_WARNING,
};

/* Set before the answer is sent. `value` is copied. */
void reply_header(struct call *call, enum reply_name name, const char *value);
void reply_etag(struct call *call, uint64_t revision);

/* Send `body` (JSON without a trailing newline, which is added); closes the buffer. */
void reply_json(struct call *call, int status, struct buf *body);
void reply_empty(struct call *call, int status);

/* {"error":{"message":…},"request_id":…}; `code` adds "code":… beside them if not NULL.
 */
void reply_error(struct call *call, int status, const char *code, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/* The same for a request that h2o has refused before there was a call: sets the headers
 * and returns the body, in the request's pool. */
h2o_iovec_t reply_refusal(struct api *api, h2o_req_t *req, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- for api/stream.c --- */

/* The answer's head, all but its length. The call is answered from here on. */
enum reply_type {
    REPLY_TYPE_NONE,
    REPLY_TYPE_JSON,
    REPLY_TYPE_BYTES,
    REPLY_TYPE_EVENTS,
    REPLY_TYPE_LINES,
    REPLY_TYPE_TEXT
};
void reply_begin(struct call *call, int status, size_t bytes, enum reply_type type);

/* Cut the connection if the client has not taken what is sent now in LIMIT_ANSWER_MS.
 */
void reply_wait_for_client(struct call *call);

#endif
