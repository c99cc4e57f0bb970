/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of api/ share of a running server. */
#ifndef API_SERVER_INTERNAL_H
#define API_SERVER_INTERNAL_H

#include <h2o.h>

#include "api/page.h"
#include "api/server.h"
#include "base/limits.h"
#include "raft/request.h"

#define API_KEY_BUCKETS 256

struct await_room;
struct call;
struct connection;
struct event_stream;
struct lingering;
struct log_view;
struct stream;
struct work;

struct api {
    struct api_options options;
    struct node *node; /* once it serves */
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    uv_tcp_t listener;
    char address[LIMIT_ADDRESS_BYTES];
    char *version;
    char *cluster_name;
    char *runs; /* folder of this node's runs, or NULL */
    char **hosts;
    char **proxies;
    char **modules;
    struct token *tokens;
    bool loopback; /* the listener is */
    struct connection *connections;
    size_t connection_count;
    struct call *calls;                 /* whose request is there */
    struct call *keys[API_KEY_BUCKETS]; /* of them, those with a key under way */
    struct lingering *lingering;        /* api/refusal.c */
    size_t lingering_count;
    struct work *work; /* api/work.c: the first is in the pool */
    struct work **last_work;
    struct stream *streams; /* api/stream.c: that wait for their turn */
    struct stream **last_stream;
    uv_idle_t stream_idle;
    uint64_t stream_round;              /* uv_now() of the round ... */
    uint64_t stream_spent_ns;           /* ... and what turns have taken of it */
    struct event_stream *event_streams; /* api/muster/event_stream.c */
    size_t event_stream_count;
    struct fsm_watch feed;
    struct request_handler log_answers; /* api/log_fetch.c */
    struct log_view *log_views;
    size_t log_view_count; /* api/muster/run_log_get.c */
    struct page_room pages;
    struct await_room *awaits; /* api/await.c; NULL: it serves no node yet */
    uint64_t health_asked_ms;  /* for a balancer, when last; 0: never */
    bool leaving;              /* api_leave() */
    bool stopping;
    bool drained; /* stopping, and nothing new may wait for an outcome */
    bool listener_open;
    bool disposed;
    uv_idle_t last; /* closed last of all; never started */
    struct clock_timer drain;
    struct clock_timer new_over; /* connections that have asked nothing yet end */
    void (*stopped)(void *owner);
    void *stopped_owner;
};

/* Something that a stop waits for has ended. */
void api_settle(struct api *api);

#endif
