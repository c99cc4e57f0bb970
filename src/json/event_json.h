/* SPDX-License-Identifier: Apache-2.0 */
/* An event of the event log → JSON (spec/muster.md 6). */
#ifndef JSON_EVENT_JSON_H
#define JSON_EVENT_JSON_H

#include "base/buf.h"
#include "registry/event_log.h"

/* Append {"index":…,"time":…,"type":…,"task":…,"actor":…,"request_id":…,"data":…};
 * `task` only where there is one. */
void event_json_put(struct buf *out, const struct event *event);

#endif
