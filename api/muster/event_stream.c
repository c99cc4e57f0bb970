/* SPDX-License-Identifier: Apache-2.0 */
/* /events/stream: the event log as it grows (spec/muster.md 6).
 *
 *   catching up ──looked at the last event──▶ live ──the node stops──▶ bye
 *        ▲                                      │ └──too far behind──▶ cut
 *        └── another state took the place of ───┘
 *            this one (a snapshot was installed)
 *
 * A stream is a place in the log of the node, and nothing else: each turn reads on from
 * there, so what a client has not taken costs no memory but its turn, and nothing can
 * be left out or come twice. The change feed wakes who waits at the end.
 *
 * How slow is too slow is counted by events: a live stream may have LIMIT_STREAM_EVENTS
 * of them waiting, one that still catches up as many as the log keeps. Who takes
 * nothing at all is cut off without a word (LIMIT_ANSWER_MS): there is no room for one.
 *
 * That a client has gone shows when it is written to, a heartbeat later at most; before
 * one is refused because there are too many, all are looked at. */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "api/muster/events.h"
#include "api/param.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "json/event_json.h"

struct event_stream {
    struct call *call;
    struct stream_source *source;
    struct events_filter filter;
    uint64_t after; /* the last event looked at */
    /* Whose log it is in: only compared. Another one means that a snapshot was
     * installed, whose numbers may have leapt. */
    const struct registry *registry;
    bool live; /* has been at the end of that log */
    bool gone; /* its client has; it is not counted any more */
    struct event_stream *next;
    struct event_stream **slot;
};

/* --- what is sent
 * ------------------------------------------------------------------------------- */

static void put_event(struct buf *out, enum stream_form form, const struct event *event)
{
    if (form == STREAM_EVENTS) {
        buf_printf(out, "id: %" PRIu64 "\nevent: %s\ndata: ", event->seq,
                   event_type_name(event->type));
    }
    event_json_put(out, event);
    buf_printf(out, form == STREAM_EVENTS ? "\n\n" : "\n");
}

/* With an id where the client is to go on from there. `first` 0: no gap. */
static void put_marker(struct buf *out, enum stream_form form, const char *type,
                       uint64_t after, uint64_t first)
{
    if (form == STREAM_EVENTS && first == 0) {
        buf_printf(out, "id: %" PRIu64 "\n", after);
    }
    if (form == STREAM_EVENTS) {
        buf_printf(out, "event: %s\ndata: ", type);
    }
    event_json_put_marker(out, type, after, first);
    buf_printf(out, form == STREAM_EVENTS ? "\n\n" : "\n");
}

static enum stream_step end_with(const struct event_stream *stream, struct buf *out,
                                 const char *type)
{
    put_marker(out, stream->source->form, type, stream->after, 0);
    return STREAM_END;
}

/* The log of today; *jumped: it is not the one that this stream read before. */
static const struct event_log *current_log(struct event_stream *stream, bool *jumped)
{
    const struct registry *registry = node_registry(stream->call->api->node);
    *jumped = registry != stream->registry;
    if (*jumped) {
        stream->registry = registry;
        stream->live = false;
    }
    return registry_events(registry);
}

static enum stream_step event_stream_next(struct stream_source *source, struct buf *out)
{
    struct event_stream *stream = source->arg;
    stream->source = source;
    if (stream->gone) {
        return STREAM_END;
    }
    if (source->api->stopping || node_unfit(source->api->node)[0] != '\0') {
        return end_with(stream, out, "bye");
    }
    bool jumped = false;
    const struct event_log *log = current_log(stream, &jumped);
    bool hole = stream->after + 1 < log->first;
    if (hole && jumped) {
        put_marker(out, source->form, "gap", stream->after, log->first);
        stream->after = log->first - 1;
        return STREAM_ITEM;
    }
    if (hole || (stream->live && stream->after + LIMIT_STREAM_EVENTS < log->next - 1)) {
        return end_with(stream, out, "cut");
    }
    const struct event *event = event_log_after(log, stream->after);
    if (event == NULL) {
        stream->live = true;
        return STREAM_REST;
    }
    stream->after = event->seq;
    if (!events_filter_fits(&stream->filter, event)) {
        return STREAM_SKIPPED;
    }
    put_event(out, source->form, event);
    return STREAM_ITEM;
}

/* --- all of them
 * -------------------------------------------------------------------------------- */

static void event_stream_close(struct stream_source *source)
{
    struct event_stream *stream = source->arg;
    *stream->slot = stream->next;
    if (stream->next != NULL) {
        stream->next->slot = stream->slot;
    }
    source->api->event_stream_count -= !stream->gone;
}

static void event_stream_link(struct api *api, struct event_stream *stream)
{
    stream->next = api->event_streams;
    stream->slot = &api->event_streams;
    if (stream->next != NULL) {
        stream->next->slot = &stream->next;
    }
    api->event_streams = stream;
    api->event_stream_count++;
}

static void event_streams_wake(struct api *api)
{
    for (struct event_stream *at = api->event_streams; at != NULL; at = at->next) {
        stream_wake(at->source);
    }
}

static void event_streams_changed(struct fsm_watch *watch, uint64_t from, uint64_t to)
{
    (void)from;
    (void)to;
    event_streams_wake(watch->owner);
}

void event_streams_start(struct api *api)
{
    api->feed = (struct fsm_watch){.changed = event_streams_changed, .owner = api};
    fsm_watch(node_fsm(api->node), &api->feed);
}

void event_streams_stop(struct api *api)
{
    if (api->feed.owner != NULL) {
        fsm_unwatch(node_fsm(api->node), &api->feed);
    }
    event_streams_wake(api);
}

static int socket_of(const struct call *call)
{
    h2o_conn_t *conn = call->req->conn;
    return h2o_socket_get_fd(conn->callbacks->get_socket(conn));
}

/* Those whose client has ended its side of the connection make room. */
static void event_streams_sweep(struct api *api)
{
    struct pollfd fds[LIMIT_STREAMS];
    nfds_t count = 0;
    for (struct event_stream *at = api->event_streams; at != NULL; at = at->next) {
        if (!at->gone) {
            assert(count < LIMIT_STREAMS);
            fds[count++] =
                (struct pollfd){.fd = socket_of(at->call), .events = POLLRDHUP};
        }
    }
    if (poll(fds, count, 0) <= 0) {
        return;
    }
    count = 0;
    for (struct event_stream *at = api->event_streams; at != NULL; at = at->next) {
        if (!at->gone && fds[count++].revents != 0) {
            at->gone = true;
            api->event_stream_count--;
            stream_wake(at->source);
        }
    }
}

/* --- a request
 * ---------------------------------------------------------------------------------- */

/* What the client wants of the two, whichever it names first. */
static enum stream_form accepted_form(struct call *call)
{
    h2o_iovec_t accept = call_header(call, "accept");
    char *text = h2o_strdup(&call->req->pool, accept.base, accept.len).base;
    h2o_strtolower(text, accept.len);
    const char *lines = strstr(text, "application/x-ndjson");
    const char *events = strstr(text, "text/event-stream");
    return lines != NULL && (events == NULL || lines < events) ? STREAM_LINES
                                                               : STREAM_EVENTS;
}

/* The number to go on after: a browser that comes back says it in a header, and its
 * address still has the one it first came with. */
static bool first_after(struct call *call, uint64_t *after)
{
    h2o_iovec_t last = call_header(call, "last-event-id");
    if (last.len > 0) {
        const char *text = h2o_strdup(&call->req->pool, last.base, last.len).base;
        return param_read_number(call, "header 'Last-Event-ID'", text, 0,
                                 EVENTS_AFTER_MAX, after);
    }
    return param_number(call, "after", 0, EVENTS_AFTER_MAX, after);
}

static bool room_for_one(struct call *call)
{
    struct api *api = call->api;
    if (api->event_stream_count >= LIMIT_STREAMS) {
        event_streams_sweep(api);
    }
    bool room = api->event_stream_count < LIMIT_STREAMS;
    if (api->stopping || !room) {
        reply_header(call, REPLY_RETRY_AFTER, "1");
        reply_error(call, 503, "unavailable",
                    room ? "this node is stopping"
                         : "%d event streams are open on this node, the most it serves",
                    LIMIT_STREAMS);
        return false;
    }
    return true;
}

void events_stream(struct call *call)
{
    struct events_filter filter;
    uint64_t after = registry_sequence(node_registry(call->api->node));
    if (!first_after(call, &after) || !events_filter_read(call, &filter) ||
        !room_for_one(call)) {
        return;
    }
    struct event_stream *stream = h2o_mem_alloc_pool(&call->req->pool, sizeof *stream);
    enum stream_form form = accepted_form(call);
    *stream = (struct event_stream){.call = call, .filter = filter, .after = after};
    event_stream_link(call->api, stream);
    struct stream_source source = {
        .form = form,
        .next = event_stream_next,
        .close = event_stream_close,
        .beat = form == STREAM_EVENTS ? ": \n\n" : "{}\n",
        .arg = stream,
    };
    buf_init(&source.head);
    int bytes = LIMIT_STREAM_SOCKET_BYTES; /* of the kernel's, which has megabytes */
    setsockopt(socket_of(call), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    call->req->http1_is_persistent = 0;
    stream->source = stream_start(call, &source);
}
