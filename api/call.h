/* SPDX-License-Identifier: Apache-2.0 */
/* A call: one request from its arrival to its answer.
 *
 * Two lives meet in it: the request, which h2o ends whenever the client goes, and work
 * that may still be pending then (a write that waits for a majority). Each holds one
 * reference; `req` is NULL once the request has ended, and an answer then goes nowhere.
 */
#ifndef API_CALL_H
#define API_CALL_H

#include <h2o.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "raft/command.h"
#include "raft/node.h"

struct api;
struct call;
struct route;

#define CALL_QUERY_MAX   16
#define CALL_SEGMENT_MAX 4

struct call_param {
    const char *name; /* unescaped, terminated */
    const char *value;
};

typedef void (*call_outcome_cb)(struct call *call, const struct result *result);

struct call {
    uint32_t refs;
    struct api *api;
    h2o_req_t *req; /* NULL: the client is gone or answered */
    const struct route *route;
    uint64_t started_ms;
    bool head; /* HEAD: headers only */
    char request_id[LIMIT_REQUEST_ID_BYTES + 1];
    char
        *target; /* the request's, unescaped in place; the pointers below are into it */
    const char *segments[CALL_SEGMENT_MAX]; /* of the path, without /v1 */
    size_t segment_count;                   /* may be more than fit: no such path */
    const char *name;                       /* the `:name` of the route, "" if none */
    struct call_param params[CALL_QUERY_MAX];
    size_t param_count;
    /* A write under way. */
    call_outcome_cb decided;
    struct clock_timer deadline;
    bool pending;
};

/* A new call for a request: reads request id, path and query. 0, or a status to answer
 * (400, 414, 431) with the reason in `err`; the call exists in either case. */
struct call *call_new(struct api *api, h2o_req_t *req, int *status, struct err *err);

/* The values of a query parameter; returns how many there are, fills up to `capacity`.
 */
size_t call_query(const struct call *call, const char *name, const char **values,
                  size_t capacity);

/* A request header's value, "" if absent; borrowed from the request. */
h2o_iovec_t call_header(const struct call *call, const char *name);

/* Propose `command` (its actor and request id are set here); `decided` is called with
 * the result if it was applied. Everything else is answered here: not the leader, busy,
 * full, outcome unknown, too late. Returns nothing: the call is answered or pending. */
void call_propose(struct call *call, struct command *command, call_outcome_cb decided);

void call_unref(struct call *call);

#endif
