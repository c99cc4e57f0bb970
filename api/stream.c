/* SPDX-License-Identifier: Apache-2.0 */
/*           ┌────────── nothing to send: all was skipped ─────────┐
 *           ▼                                                     │
 *   ──▶ WAITING ──a round has time left──▶ its turn ──h2o_send──▶ SENDING
 *        ▲  ▲                                 │  └──the end──▶ answered │
 *        │  └──────────────── the client has taken it ◀─────────────────┘
 *        └─woken, or a heartbeat is due── RESTING ◀── nothing is there yet
 *
 * The answer begins with the first turn that has something to send; if that is also the
 * end, it has a length and no chunks. The request may end while its stream waits (the
 * drain of a stop): it then leaves the queue. */
#include "api/stream.h"

#include <stddef.h>
#include <string.h>

#include "api/reply.h"
#include "api/server_internal.h"

struct stream {
    h2o_generator_t super;
    struct call *call; /* ends with the request, as this does */
    struct stream_source source;
    struct buf out;
    size_t taken; /* of `out`, by the client */
    size_t sent;  /* behind that, on its way */
    bool begun;   /* the answer's head is out */
    bool ended;   /* the source has come to its end */
    bool first;   /* no item yet */
    bool waiting; /* in the queue */
    bool sending; /* the client has not taken the last turn */
    bool resting; /* the source has nothing */
    uint64_t beat_ms;
    struct stream *next;
};

static void stream_idle(uv_idle_t *idle);

static void stream_enqueue(struct api *api, struct stream *stream)
{
    if (api->streams == NULL) {
        uv_idle_start(&api->stream_idle, stream_idle);
    }
    stream->waiting = true;
    stream->next = NULL;
    *api->last_stream = stream;
    api->last_stream = &stream->next;
}

static void stream_dequeue(struct api *api, struct stream *stream)
{
    struct stream **at = &api->streams;
    while (*at != stream) {
        at = &(*at)->next;
    }
    *at = stream->next;
    if (stream->next == NULL) {
        api->last_stream = at;
    }
    stream->waiting = false;
    if (api->streams == NULL) {
        uv_idle_stop(&api->stream_idle);
    }
}

/* The request has ended, by an answer or a client that went. */
static void stream_dispose(void *memory)
{
    struct stream *stream = memory;
    if (stream->waiting) {
        stream_dequeue(stream->source.api, stream);
    }
    if (stream->source.close != NULL) {
        stream->source.close(&stream->source);
    }
    if (stream->source.frozen != NULL) {
        registry_thaw(stream->source.frozen);
    }
    buf_close(&stream->out);
}

/* One item, and in JSON the comma before it. */
static enum stream_step stream_step(struct stream *stream)
{
    struct buf *out = &stream->out;
    if (stream->source.form != STREAM_JSON) {
        return stream->source.next(&stream->source, out);
    }
    size_t before = out->len;
    if (!stream->first) {
        buf_put_u8(out, ',');
    }
    size_t item = out->len;
    enum stream_step step = stream->source.next(&stream->source, out);
    switch (step) {
    case STREAM_ITEM:
        stream->first = false;
        return step;
    case STREAM_SKIPPED:
    case STREAM_REST:
        out->len = before;
        return step;
    case STREAM_END:
        memmove(out->data + before, out->data + item, out->len - item);
        out->len -= item - before;
        buf_put_u8(out, '\n');
        return step;
    }
    return step;
}

static void stream_fill(struct stream *stream)
{
    uint64_t end_ns = uv_hrtime() + STREAM_TURN_US * 1000;
    stream->resting = false;
    while (!stream->ended && !stream->resting &&
           stream->out.len - stream->taken < STREAM_TURN_BYTES &&
           uv_hrtime() < end_ns) {
        enum stream_step step = stream_step(stream);
        stream->ended = step == STREAM_END;
        stream->resting = step == STREAM_REST;
    }
}

static enum reply_type stream_type(const struct stream *stream)
{
    switch (stream->source.form) {
    case STREAM_JSON:
        return REPLY_TYPE_JSON;
    case STREAM_BYTES:
        return REPLY_TYPE_BYTES;
    case STREAM_EVENTS:
        return REPLY_TYPE_EVENTS;
    case STREAM_LINES:
        return REPLY_TYPE_LINES;
    case STREAM_TEXT:
        return REPLY_TYPE_TEXT;
    }
    return REPLY_TYPE_NONE;
}

static void stream_begin(struct stream *stream)
{
    h2o_req_t *req = stream->call->req;
    stream->begun = true;
    reply_begin(stream->call, 200, stream->out.len, stream_type(stream));
    if (stream->ended) {
        req->res.content_length = stream->out.len;
    } else if (req->version < 0x101) {
        req->http1_is_persistent = 0; /* no chunks: the end of the answer is its end */
    }
    h2o_start_response(req, &stream->super);
}

static void stream_beat(struct clock_timer *timer)
{
    struct stream *stream = timer->owner;
    buf_printf(&stream->out, "%s", stream->source.beat);
    stream_wake(&stream->source);
}

/* Until it is woken: the timer that waited for the client beats now, if at all. */
static void stream_rest(struct stream *stream)
{
    struct call *call = stream->call;
    buf_close(&stream->out); /* there may be many, for hours */
    buf_init(&stream->out);
    if (stream->source.beat == NULL) {
        clock_timer_stop(call->api->options.clock, &call->timer);
        return;
    }
    call->timer.fire = stream_beat;
    call->timer.owner = stream;
    clock_timer_start(call->api->options.clock, &call->timer, stream->beat_ms);
}

static void stream_send(struct stream *stream)
{
    struct call *call = stream->call;
    size_t left = stream->out.len - stream->taken;
    stream->sent = left < STREAM_TURN_BYTES ? left : STREAM_TURN_BYTES;
    bool last = stream->ended && stream->sent == left;
    h2o_iovec_t piece = h2o_iovec_init(NULL, 0);
    if (stream->sent > 0) { /* else there may be no buffer to be at a place of */
        piece = h2o_iovec_init((char *)stream->out.data + stream->taken, stream->sent);
    }
    stream->beat_ms = clock_now_ms(call->api->options.clock) + LIMIT_STREAM_BEAT_MS;
    h2o_send(call->req, &piece, stream->sent > 0,
             last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void stream_turn(struct stream *stream)
{
    struct call *call = stream->call;
    stream_fill(stream);
    bool head_waits = stream->resting && !stream->begun;
    if (stream->out.len == 0 && head_waits && stream->source.beat != NULL) {
        buf_printf(&stream->out, "%s", stream->source.beat); /* it is to go out */
    }
    if (stream->out.len == 0 && stream->resting) {
        stream_rest(stream);
        return;
    }
    if (stream->out.len == 0 && !stream->ended) {
        stream_enqueue(call->api, stream);
        return;
    }
    stream->sending = true;
    if (!stream->begun) {
        stream_begin(stream);
    } else {
        reply_wait_for_client(call);
    }
    if (call->head) {
        h2o_send(call->req, NULL, 0, H2O_SEND_STATE_FINAL);
    } else {
        stream_send(stream);
    }
}

/* Is there time left in this round of the loop? */
static bool stream_round_left(struct api *api)
{
    uint64_t round = uv_now(api->options.loop);
    if (api->stream_round != round) {
        api->stream_round = round;
        api->stream_spent_ns = 0;
    }
    return api->stream_spent_ns < STREAM_ROUND_US * 1000;
}

static void stream_run(struct api *api, struct stream *stream)
{
    uint64_t begin_ns = uv_hrtime();
    stream_turn(stream);
    api->stream_spent_ns += uv_hrtime() - begin_ns;
}

/* Those that wait now: who comes back to the queue waits for the next round. */
static void stream_idle(uv_idle_t *idle)
{
    struct api *api = idle->data;
    size_t count = 0;
    for (const struct stream *at = api->streams; at != NULL; at = at->next) {
        count++;
    }
    while (count-- > 0 && api->streams != NULL && stream_round_left(api)) {
        struct stream *stream = api->streams;
        stream_dequeue(api, stream);
        stream_run(api, stream);
    }
}

/* The client has taken the last turn. A large item may have more. */
static void stream_proceed(h2o_generator_t *super, h2o_req_t *req)
{
    struct stream *stream = (struct stream *)(void *)super;
    (void)req;
    stream->sending = false;
    stream->taken += stream->sent;
    if (stream->taken == stream->out.len) {
        buf_clear(&stream->out);
        stream->taken = 0;
    }
    stream_enqueue(stream->source.api, stream);
}

struct stream_source *stream_start(struct call *call, struct stream_source *source)
{
    struct api *api = call->api;
    struct stream *stream =
        h2o_mem_alloc_shared(&call->req->pool, sizeof *stream, stream_dispose);
    *stream = (struct stream){
        .super = {.proceed = stream_proceed},
        .call = call,
        .source = *source,
        .out = source->head, /* owned here now */
        .first = true,
    };
    stream->source.api = api;
    if (api->streams == NULL && stream_round_left(api)) {
        stream_run(api, stream);
    } else {
        stream_enqueue(api, stream);
    }
    return &stream->source;
}

void stream_wake(struct stream_source *source)
{
    struct stream *stream =
        (struct stream *)(void *)((char *)source - offsetof(struct stream, source));
    if (stream->resting && !stream->waiting && !stream->sending) {
        stream_enqueue(source->api, stream);
    }
}

void stream_open(struct api *api)
{
    uv_idle_init(api->options.loop, &api->stream_idle);
    api->stream_idle.data = api;
    api->last_stream = &api->streams;
}

void stream_close(struct api *api)
{
    uv_close((uv_handle_t *)&api->stream_idle, NULL);
}
