/* SPDX-License-Identifier: Apache-2.0 */
/* An event of the event log → JSON (spec/muster.md 6). */
#ifndef JSON_EVENT_JSON_H
#define JSON_EVENT_JSON_H

#include "base/buf.h"
#include "registry/event_log.h"

/* Append {"index":…,"time":…,"type":…,"task":…,"actor":…,"request_id":…,"data":…};
 * `task` only where there is one. */
void event_json_put(struct buf *out, const struct event *event);

/* Append what stands between events in a stream: {"type":"cut","after":…}, and of a gap
 * `"first":…` as well (0: it is none). `type` is ours: it needs no escape. */
void event_json_put_marker(struct buf *out, const char *type, uint64_t after,
                           uint64_t first);

#endif
