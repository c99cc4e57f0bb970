/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/1.1 client: requests out, answers in, on a libuv loop or waited for.
 *
 * What a client must know before it repeats a request is whether the request left at
 * all; so that, and not a library's error code, is what each call ends with. Nothing is
 * followed, repeated, cached or sent through a proxy. A request with a body, or any but
 * GET and HEAD, has a connection of its own: on a kept one, libcurl would send it again
 * by itself when that turned out dead. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct uv_loop_s;
struct http_client;
struct http_call;

enum http_outcome {
    HTTP_ANSWERED,  /* status, headers and the whole body are there */
    HTTP_NOT_SENT,  /* no byte of the request left: nothing happened */
    HTTP_LOST,      /* some of it left, and no whole answer came back */
    HTTP_CANCELLED, /* by its owner; what became of it is not known */
};

/* What a request is. It need not outlive the call that takes it, but `arg`. */
struct http_request {
    const char *method; /* "GET" */
    const char *url;    /* "http://host:port/path"; the path goes out as it is */
    const void *body;   /* NULL: none */
    size_t body_len;
    const char *const *headers;  /* "Name: value" …, then NULL; NULL: none */
    uint64_t connect_timeout_ms; /* until the request can be sent; 0: no limit */
    uint64_t timeout_ms;         /* of the whole; 0: no limit */
    uint64_t idle_timeout_ms;    /* without a byte, in or out; 0: no limit */
    size_t answer_max;           /* bytes of a body that is kept; more: HTTP_LOST */
    /* Takes the body of a 2xx answer piece by piece, instead of keeping it; not 0 ends
     * the call with HTTP_LOST and that error. NULL: the body is kept. */
    int (*on_body)(void *arg, const void *data, size_t len, struct err *err);
    void *arg; /* of on_body */
};

struct http_answer {
    enum http_outcome outcome;
    int status;      /* 0: none came */
    struct buf head; /* name, NUL, value, NUL, …: http_answer_header() reads it */
    struct buf body;
    struct err err; /* why it is not HTTP_ANSWERED, without the address */
};

void http_answer_init(struct http_answer *answer);
void http_answer_close(struct http_answer *answer);

/* The value of the first header of that name, whatever its case; NULL: there is none.
 * Borrowed. */
const char *http_answer_header(const struct http_answer *answer, const char *name);

/* --- on a loop ----------------------------------------------------------------- */

typedef void (*http_done_cb)(void *arg, struct http_answer *answer);

/* A client on `loop`; keeps nothing alive while no call is under way. */
struct http_client *http_client_new(struct uv_loop_s *loop);

/* Ends what is under way as HTTP_CANCELLED, later; then `closed` runs, and the client
 * is gone. No call may be started after it. */
void http_client_close(struct http_client *client, void (*closed)(void *arg),
                       void *arg);

/* Send a request. `done` runs exactly once, later, never from inside this call; the
 * answer is borrowed until it returns (its buffers may be taken: swap in empty ones).
 * The call that is returned is valid until then. */
struct http_call *http_start(struct http_client *client,
                             const struct http_request *request, http_done_cb done,
                             void *arg);

/* Give a call up: `done` runs later with HTTP_CANCELLED. */
void http_cancel(struct http_call *call);

/* --- waited for ---------------------------------------------------------------- */

/* Send a request and wait for its end, on a loop of its own: for programs that do one
 * thing. `answer` must be fresh (http_answer_init); close it in any case. */
void http_wait(const struct http_request *request, struct http_answer *answer);

#endif
