/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ways to read the event log share: /events and /events/stream. */
#ifndef API_MUSTER_EVENTS_H
#define API_MUSTER_EVENTS_H

#include "api/call.h"
#include "registry/event_log.h"

#define EVENTS_AFTER_MAX (UINT64_MAX / 2) /* no number is ever so high */

struct events_filter {
    enum event_type type; /* 0: any */
    const char *task;     /* NULL: any; borrowed from the call */
};

/* ?task= and ?type=; false: one is wrong, answered 400. */
bool events_filter_read(struct call *call, struct events_filter *filter);

/* All parameters of /events, for a read that waits before its handler has its turn;
 * false: one is wrong, answered 400. */
bool events_judge(struct call *call);

bool events_filter_fits(const struct events_filter *filter, const struct event *event);

/* The streams of one api (api/muster/event_stream.c). */
struct api;
void event_streams_start(struct api *api); /* once its node is there */
/* Each says good-bye, and none begins any more; the node is not asked again. */
void event_streams_stop(struct api *api);

#endif
