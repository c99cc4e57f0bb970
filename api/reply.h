/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: JSON bodies and the headers every answer has (spec/muster.md 3). */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/call.h"
#include "base/buf.h"
#include "registry/registry.h"

enum reply_name {
    REPLY_ACCEPT_PATCH,
    REPLY_ALLOW,
    REPLY_ETAG,
    REPLY_LEADER,
    REPLY_LEADER_ADDRESS,
    REPLY_NOT_LEADER,
    REPLY_RETRY_AFTER,
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

/* A long answer from a frozen root, at most 64 KiB a turn (or one item). `next` appends
 * one item and returns true, or appends the end of the body and returns false; commas
 * are put between items. The client is cut if it does not take a turn in
 * LIMIT_ANSWER_MS. */
struct reply_stream {
    const struct registry *frozen; /* one reference, taken over */
    bool (*next)(struct reply_stream *stream, struct buf *out);
    struct buf head; /* opens the body; taken over */
    union {
        struct map_cursor cursor;
        void *arg; /* in the request's pool */
    };
    const void *filter; /* in the request's pool */
};
void reply_stream(struct call *call, int status, struct reply_stream *stream);

#endif
