/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of api/ share of a running server. */
#ifndef API_SERVER_INTERNAL_H
#define API_SERVER_INTERNAL_H

#include <h2o.h>

#include "api/server.h"

struct connection;

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
    char **hosts;
    char **proxies;
    bool loopback; /* the listener is */
    struct connection *connections;
    size_t connection_count;
    size_t call_count; /* under way */
    bool stopping;
    bool listener_open;
    bool disposed;
    uv_idle_t last; /* closed last of all; never started */
    struct clock_timer drain;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

/* The last call is answered, or a connection closed: a stop may go on. */
void api_settle(struct api *api);

#endif
