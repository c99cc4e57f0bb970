/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: JSON bodies and the headers every answer has (spec/muster.md 3). */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/call.h"
#include "base/buf.h"
#include "registry/registry.h"

/* Set before the answer is sent. `value` is copied. */
void reply_header(struct call *call, const char *name, const char *value);
void reply_index(struct call *call, uint64_t sequence); /* X-Muster-Index */
void reply_etag(struct call *call, uint64_t revision);

/* Send `body` (JSON without a trailing newline, which is added); closes the buffer. */
void reply_json(struct call *call, int status, struct buf *body);
void reply_empty(struct call *call, int status);

/* {"error":{"message":…},"request_id":…}; `code` adds "code":… beside them if not NULL.
 */
void reply_error(struct call *call, int status, const char *code, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/* A long answer from a frozen root, at most 64 KiB a turn. `next` appends one item and
 * returns true, or returns false at the end; commas are put between items. Takes over
 * `head` and one reference to the frozen root. */
struct reply_stream {
    const struct registry *frozen;
    struct map_cursor cursor;
    bool (*next)(struct reply_stream *stream, struct buf *out);
    const char *tail; /* closes the body; static */
    struct buf head;  /* opens it; owned */
    void *arg;        /* owned by the call's pool */
};
void reply_stream(struct call *call, int status, struct reply_stream *stream);

#endif
