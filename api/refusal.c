/* SPDX-License-Identifier: Apache-2.0 */
/* A refused body is still on its way when the refusal goes out. A socket that is closed
 * then resets the connection, and the client loses the answer. So a second descriptor
 * of the connection lingers: it reads and forgets what comes until the client is done.
 *
 *   READING ──client ends, LINGER_MS, LINGER_BYTES, stop──▶ CLOSING ──▶ freed
 *
 * Failure modes: too many linger already, no descriptor left: the connection is closed
 * at once, and the client may see a reset instead of the answer. */
#include "api/refusal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/call.h"
#include "api/reply.h"
#include "api/server_internal.h"
#include "base/mem.h"

#define LINGER_MS    5000
#define LINGER_BYTES (64u * 1024 * 1024)
#define LINGER_MAX   64

struct linger_anchor {
    struct lingering *lingering; /* NULL: it ended first */
};

struct lingering {
    uv_tcp_t tcp;
    struct linger_anchor *anchor; /* in the request's pool; NULL: the request ended */
    int fd;                       /* its own, while the anchor is there */
    struct api *api;
    struct lingering *next;
    struct lingering **slot;
    struct clock_timer timer;
    size_t bytes;
};

/* --- lingering
 * ----------------------------------------------------------------------------- */

static void linger_closed(uv_handle_t *handle)
{
    struct lingering *lingering = handle->data;
    struct api *api = lingering->api;
    *lingering->slot = lingering->next;
    if (lingering->next != NULL) {
        lingering->next->slot = lingering->slot;
    }
    api->lingering_count--;
    mem_free(lingering);
    api_settle(api);
}

static void linger_end(struct lingering *lingering)
{
    uv_handle_t *handle = (uv_handle_t *)&lingering->tcp;
    if (!uv_is_closing(handle)) {
        clock_timer_stop(lingering->api->options.clock, &lingering->timer);
        if (lingering->anchor != NULL) {
            lingering->anchor->lingering = NULL;
            lingering->anchor = NULL;
        }
        uv_close(handle, linger_closed);
    }
}

static void linger_over(struct clock_timer *timer)
{
    linger_end(timer->owner);
}

static void linger_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    static char forgotten[16 * 1024];
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(forgotten, sizeof forgotten);
}

static void linger_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct lingering *lingering = stream->data;
    (void)buf;
    lingering->bytes += len > 0 ? (size_t)len : 0;
    if (len < 0 || lingering->bytes > LINGER_BYTES) {
        linger_end(lingering);
    }
}

/* The answer is out, h2o closes its descriptor: the client sees the end as well. */
static void linger_answered(void *memory)
{
    struct linger_anchor *anchor = memory;
    if (anchor->lingering != NULL) {
        shutdown(anchor->lingering->fd, SHUT_WR);
        anchor->lingering->anchor = NULL;
    }
}

static struct lingering *linger_new(struct api *api, h2o_req_t *req)
{
    struct lingering *lingering = mem_zalloc(sizeof *lingering);
    lingering->api = api;
    lingering->tcp.data = lingering;
    lingering->timer = (struct clock_timer){.fire = linger_over, .owner = lingering};
    lingering->next = api->lingering;
    lingering->slot = &api->lingering;
    if (lingering->next != NULL) {
        lingering->next->slot = &lingering->next;
    }
    api->lingering = lingering;
    api->lingering_count++;
    lingering->anchor =
        h2o_mem_alloc_shared(&req->pool, sizeof *lingering->anchor, linger_answered);
    lingering->anchor->lingering = lingering;
    uv_tcp_init(api->options.loop, &lingering->tcp);
    return lingering;
}

static void linger_start(struct api *api, h2o_req_t *req)
{
    h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
    int fd = h2o_socket_get_fd(socket);
    int copy = api->lingering_count < LINGER_MAX && !api->stopping && fd >= 0
                   ? fcntl(fd, F_DUPFD_CLOEXEC, 0)
                   : -1;
    if (copy < 0) {
        return;
    }
    struct lingering *lingering = linger_new(api, req);
    lingering->fd = copy;
    if (uv_tcp_open(&lingering->tcp, copy) != 0) {
        close(copy);
        linger_end(lingering);
        return;
    }
    clock_timer_start(api->options.clock, &lingering->timer,
                      clock_now_ms(api->options.clock) + LINGER_MS);
    if (uv_read_start((uv_stream_t *)&lingering->tcp, linger_alloc, linger_read) != 0) {
        linger_end(lingering);
    }
}

void refusal_stop(struct api *api)
{
    for (struct lingering *at = api->lingering; at != NULL; at = at->next) {
        linger_end(at);
    }
}

/* --- the answer
 * ---------------------------------------------------------------------------- */

struct refusal_filter {
    h2o_filter_t super;
    struct api *api;
};

struct refusal_stream {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static h2o_iovec_t refusal_body(struct api *api, h2o_req_t *req)
{
    switch (req->res.status) {
    case 413:
        return reply_refusal(api, req,
                             "the body is too large; at most %d bytes are read",
                             LIMIT_BODY_BYTES);
    case 417:
        return reply_refusal(api, req,
                             "the one expectation that is met is 100-continue");
    default: /* a number, not an enum */
        return reply_refusal(api, req,
                             "the body's length is broken: a valid Content-Length is "
                             "needed, or Transfer-Encoding: chunked and whole chunks");
    }
}

static void refusal_send(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs,
                         size_t count, h2o_send_state_t state)
{
    struct refusal_stream *stream = (struct refusal_stream *)(void *)super;
    (void)bufs; /* h2o's own words */
    h2o_ostream_send_next(super, req, &stream->body, count > 0 ? 1 : 0, state);
}

static void refusal_setup(h2o_filter_t *super, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct api *api = ((struct refusal_filter *)(void *)super)->api;
    struct refusal_stream *stream =
        (struct refusal_stream *)(void *)h2o_add_ostream(req, sizeof *stream, slot);
    stream->super.do_send = refusal_send;
    stream->body = refusal_body(api, req);
    linger_start(api, req);
    h2o_setup_next_ostream(req, &stream->super.next);
}

void refusal_register(struct api *api, h2o_hostconf_t *host)
{
    struct refusal_filter *filter = (struct refusal_filter *)(void *)h2o_create_filter(
        &host->fallback_path, sizeof *filter);
    filter->super.on_setup_ostream = refusal_setup;
    filter->api = api;
}
