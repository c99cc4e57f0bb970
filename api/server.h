/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP API of a node: one listener, HTTP/1.1, on the loop it is given.
 *
 * Guests of the core: it asks door 2 (raft/node.h), proposes through door 1
 * (raft/propose.h) and reads the registry; it holds nothing that lasts. The process
 * ignores SIGPIPE. */
#ifndef API_SERVER_H
#define API_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/token.h"
#include "base/err.h"
#include "json/task_json.h"
#include "raft/clock.h"
#include "raft/node.h"

struct api;
struct uv_loop_s;

struct api_options {
    struct uv_loop_s *loop;
    struct clock *clock;
    const char *listen; /* "127.0.0.1:8558", "[::1]:0"; port 0: the kernel chooses */
    const char *version;
    const char *cluster_name; /* as CTS shows it */
    struct task_defaults task_defaults;
    const char *const *hosts; /* further names this node is reached by (Host header) */
    size_t host_count;
    uint32_t max_connections;           /* 0 = LIMIT_CONNECTIONS */
    uint32_t max_connections_address;   /* 0 = LIMIT_CONNECTIONS_ADDRESS */
    const char *const *trusted_proxies; /* addresses without a limit of their own */
    size_t trusted_proxy_count;
    const char *const *modules; /* folders that tasks' modules lie in; none: anywhere */
    size_t module_count;
    const struct token *tokens; /* none: everybody may do everything */
    size_t token_count;
    const char *runs; /* the folder that this node's runs are in; NULL: it has none */
    /* Who is to carry out a run that is placed now: a member's id. ERR_CONFLICT, nobody
     * can: why. NULL: this build places none. */
    int (*place)(void *owner, uint64_t *node_id, struct err *err);
    void *place_owner;
};

/* Bind; nothing is accepted yet. Strings are copied. ERR_INVALID: no such address;
 * ERR_IO: the port is taken, …; the text names the address. */
int api_start(struct api **out, const struct api_options *options, struct err *err);

/* Accept connections and answer them from `node`, which outlives the api. ERR_IO. */
int api_serve(struct api *api, struct node *node, struct err *err);

/* The address it is bound to, "127.0.0.1:41234". Borrowed. */
const char *api_address(const struct api *api);

/* This node is about to stop: it says that it is not ready, and each connection ends
 * with its next answer; so none is idle, and ended, just when a request comes on it.
 * All is answered as before. */
void api_leave(struct api *api);

/* Whoever sends requests by health (a balancer) has asked within the last minute. */
bool api_watched(const struct api *api);

/* Stop: no new connections, requests under way are finished for at most `drain_ms`,
 * then `stopped` is called (later) and the api is gone. */
void api_stop(struct api *api, uint64_t drain_ms, void (*stopped)(void *owner),
              void *owner);

#endif
