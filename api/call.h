/* SPDX-License-Identifier: Apache-2.0 */
/* A call: one request from its arrival to its answer.
 *
 * Two lives meet in it: the request, which h2o ends whenever the client goes, and work
 * that may still be pending then (a write that waits for a majority, a body that is
 * being parsed). Each holds one reference. A request gets one answer: who comes with
 * another one later finds call_open() false, and `api` may then be gone as well. */
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
struct call_hold;
struct fresh;
struct page;
struct route;

#define CALL_QUERY_MAX   16
#define CALL_SEGMENT_MAX 4

struct call_param {
    const char *name; /* unescaped, terminated */
    const char *value;
};

/* Idempotency-Key: api/key.h. */
struct call_key {
    const char *text; /* in the request's pool; NULL: it has none */
    bool printed;     /* the fingerprint is there */
    uint8_t fingerprint[KEY_FINGERPRINT_BYTES];
    struct call *next;
    struct call **slot; /* in api->keys while it is under way, else NULL */
};

typedef void (*call_outcome_cb)(struct call *call, const struct result *result);

/* How to end what a call waits for beside a proposal: a run, or a piece of a log. */
struct call_hold {
    /* Its request has ended: it waits no more. */
    void (*forget)(struct call *call);
    /* Its client, who still waits, is to be answered now. */
    void (*give_up)(struct call *call, const char *why);
};

struct call {
    uint32_t refs;
    struct api *api; /* valid while `req` is there */
    h2o_req_t *req;  /* NULL: the request has ended */
    struct call *next;
    struct call **slot; /* in api->calls while `req` is there */
    const struct route *route;
    uint64_t started_ms;
    uint64_t sequence; /* X-Muster-Index; 0: the registry's, as it is answered */
    const char *actor; /* the name of its token, "" if none; the api's */
    bool head;         /* HEAD: headers only */
    bool sized;        /* the request says how long its body is */
    bool answered;     /* an answer is on its way */
    bool run_failed;   /* 500 is no bug of ours, but CTS's word for a run */
    bool pending;      /* its proposal has no outcome yet */
    uint32_t level;    /* feature level that its command needs */
    char request_id[LIMIT_REQUEST_ID_BYTES + 1];
    char *target; /* unescaped in place; the pointers below are into it */
    const char *segments[CALL_SEGMENT_MAX]; /* of the path, without /v1 */
    size_t segment_count;                   /* may be more than fit: no such path */
    const char *name;                       /* the `:name` of the route, "" if none */
    struct call_param params[CALL_QUERY_MAX];
    size_t param_count;
    struct task_match match; /* what its task must be like: api/terms.h */
    bool merges;             /* its body is a merge patch */
    bool unkeyed;            /* its next proposal is a question: not under its key */
    struct call_key key;
    call_outcome_cb decided;
    void *arg;           /* of the handler, in the request's pool, or NULL */
    struct page *page;   /* api/page.c: what part of a list is asked for, or NULL */
    struct fresh *fresh; /* api/fresh.c: waits before its handler runs, else NULL */
    const struct call_hold *hold; /* it waits for something else; NULL: not */
    void *held;                   /* by whom */
    /* Until the outcome, then until the client has taken the answer. */
    struct clock_timer timer;
};

/* A new call for a request: reads request id, path and query. 0, or a status to answer
 * (400, 431) with the reason in `err`; the call exists in either case. */
struct call *call_new(struct api *api, h2o_req_t *req, int *status, struct err *err);

/* The request's id: the client's own if it is one, else a new one. */
void call_request_id(const h2o_req_t *req, char id[LIMIT_REQUEST_ID_BYTES + 1]);

struct call *call_ref(struct call *call);
void call_unref(struct call *call);

/* The client waits and has no answer yet. */
bool call_open(const struct call *call);

/* `call_open` calls that wait for an outcome are answered 504 now, reads that wait 503:
 * the node stops. */
void call_give_up_all(struct api *api);

/* The values of a query parameter; returns how many there are, fills up to `capacity`.
 */
size_t call_query(const struct call *call, const char *name, const char **values,
                  size_t capacity);

/* A request header's value, "" if absent; borrowed from the request. */
h2o_iovec_t call_header(const struct call *call, const char *name);

/* An outcome comes later and holds the call until then: the client is answered 504 if
 * it does not come in time. */
void call_wait(struct call *call);
/* It has come. True: the client still waits for an answer. To be followed by
 * call_unref(). */
bool call_waited(struct call *call);

/* This node serves what it has. False, and answered 503: its state differs from that of
 * a majority. */
bool call_served(struct call *call);

/* A write can go on from here: this node leads, or hands writes on to who does. */
bool call_writable(const struct call *call);

/* Propose `command` (its actor and request id are set here); `decided` is called with
 * the result if it was applied and the call is open. Everything else is answered here:
 * not the leader, busy, full, outcome unknown, too late, another one with its key.
 * Returns nothing: the call is answered or pending. */
void call_propose(struct call *call, struct command *command, call_outcome_cb decided);

#endif
