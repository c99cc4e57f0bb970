/* SPDX-License-Identifier: Apache-2.0 */
/* Long answers from a frozen root, in turns: no read may hold up the loop, for it would
 * cost the leader its place.
 *
 * A turn ends after STREAM_TURN_BYTES or STREAM_TURN_US, whichever comes first, and in
 * one round of the loop all streams together get STREAM_ROUND_US; who comes later waits
 * for the next round, in order. A client that does not take a turn in LIMIT_ANSWER_MS
 * is cut. */
#ifndef API_STREAM_H
#define API_STREAM_H

#include "api/call.h"
#include "base/buf.h"
#include "registry/registry.h"

#define STREAM_TURN_BYTES (64 * 1024)
#define STREAM_TURN_US    1000
#define STREAM_ROUND_US   2000

struct api;

enum stream_step {
    STREAM_ITEM,    /* one item is appended */
    STREAM_SKIPPED, /* looked at something that is not shown; nothing is appended */
    STREAM_REST,    /* nothing is there yet: stream_wake() when there is */
    STREAM_END,     /* the end of the body is appended */
};

enum stream_form {
    STREAM_JSON,   /* commas between the items, a newline at the end */
    STREAM_BYTES,  /* the items as they are */
    STREAM_EVENTS, /* likewise, as text/event-stream */
    STREAM_LINES,  /* likewise, as application/x-ndjson */
    STREAM_TEXT,   /* likewise, as text/plain */
};

struct stream_source {
    enum stream_form form;
    const struct registry *frozen; /* one reference, taken over; or NULL */
    enum stream_step (*next)(struct stream_source *source, struct buf *out);
    void (*close)(struct stream_source *source); /* gives `arg` back; NULL: nothing */
    struct buf head;                             /* opens the body; taken over */
    struct map_cursor cursor;
    void *arg;        /* in the request's pool, or for close(), or NULL */
    const char *beat; /* sent after LIMIT_STREAM_BEAT_MS of rest; NULL: nothing is */
    struct api *api;  /* set by stream_start() */
};

/* Answer the call with all the items. Returns the stream's own copy of the source, for
 * stream_wake(): borrowed until close(). */
struct stream_source *stream_start(struct call *call, struct stream_source *source);

/* What rests has a turn again; nothing happens to one that does not rest. */
void stream_wake(struct stream_source *source);

/* One for an api. */
void stream_open(struct api *api);
void stream_close(struct api *api); /* none is under way any more */

#endif
