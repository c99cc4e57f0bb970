/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered, bounded log of registry events.
 *
 * Events are immutable and kept in chunks that a frozen copy can hold. Numbers start at
 * 1 and have no gaps; the log keeps the newest ones, bounded by count and by bytes. It
 * has no clock and no I/O: every replica that applies the same commands holds the same
 * log. */
#ifndef REGISTRY_EVENT_LOG_H
#define REGISTRY_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "registry/digest.h"

/* Rows of registry/events.def: X(symbol, number, "type.as.shown"). Numbers are forever.
 */
enum event_type {
#define X(symbol, number, text) EVENT_##symbol = (number),
#include "registry/events.def"
#undef X
};

/* "task.created"; NULL for a number no row has. */
const char *event_type_name(enum event_type type);
/* The reverse; 0 if no row has that text. */
enum event_type event_type_from(const char *text, size_t len);

struct event {
    enum event_type type;
    uint64_t seq;
    uint64_t wall_ms; /* proposing leader's clock, Unix milliseconds */
    const char *task; /* "" where there is none; strings inside this allocation */
    const char *actor;
    const char *request_id;
    const char *data; /* a JSON object, "{}" if nothing to say */
};

struct event_log {
    struct map chunks; /* by chunk number */
    uint64_t first;    /* oldest kept; first == next when empty */
    uint64_t next;     /* number the next event gets; starts at 1 */
    size_t bytes;      /* of the kept events */
    struct digest digest;
};

void event_log_init(struct event_log *log, uint64_t next);
void event_log_close(struct event_log *log);
/* A frozen copy, O(1): later appends do not change it, and it is never appended to. */
struct event_log event_log_ref(const struct event_log *log);

/* Append a copy of `event` as number log->next (event->seq is ignored), then
 * let the oldest go until at most `max_count` and `max_bytes` are kept: the newest one
 * always stays, and at most 1,024 go at a time, so that a setting that was lowered
 * does not stall the loop. An event counts as 64 bytes and its four texts with a
 * terminator each. Returns the stored event, borrowed. */
const struct event *event_log_append(struct event_log *log, const struct event *event,
                                     uint64_t max_count, uint64_t max_bytes);

/* The first kept event with seq > `after`, or NULL. A reader that fell behind sees the
 * gap as event->seq > after + 1. Borrowed until the log changes. */
const struct event *event_log_after(const struct event_log *log, uint64_t after);

#endif
