/* SPDX-License-Identifier: Apache-2.0 */
/* GET /runs/:id/log: what a run has printed, as it is, from any node.
 *
 *   ──▶ ASKING ──the first piece──▶ answered, and from then on in turns (api/stream.h):
 *         └─ there is none ──▶ 410
 *
 *   ASKING ──a piece──▶ SENDING ──taken──▶ ASKING …──the end──▶ the answer ends
 *     └──nothing new, ?follow──▶ PAUSING ──▶ ASKING
 *
 * Without ?follow it goes as far as the log did when the first piece came, so that a
 * header can say where to go on. One that is followed goes on until the log ends; or,
 * if nobody could write its end, until its run has ended and nothing new comes.
 *
 * Where it is kept on another node, that one is asked for each piece. Bytes that are
 * missing, or a node that is lost on the way, are told in a line of their own. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "api/error.h"
#include "api/log_fetch.h"
#include "api/muster/runs.h"
#include "api/param.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/run_log.h"
#include "api/run_wait.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "base/mem.h"

#define VIEW_PAUSE_MS 200

struct log_view {
    struct log_fetch fetch;       /* `after`: where to go on */
    struct call *call;            /* one reference */
    struct stream_source *source; /* NULL: it is not answered yet */
    struct buf ready;             /* to be sent */
    struct clock_timer pause;
    uint64_t until; /* as far as it goes */
    bool follow;
    bool asking;                /* the fetch is under way */
    bool settled;               /* its run had ended before that */
    bool over;                  /* there is nothing more to ask for */
    bool gone;                  /* its request has ended */
    struct log_view *next_view; /* of the api's, until then */
    struct log_view **slot;
};

static void view_free(struct log_view *view)
{
    struct call *call = view->call;
    buf_close(&view->ready);
    mem_free(view);
    call_unref(call);
}

/* The request has ended; a fetch that is under way comes back all the same. */
static void view_gone(struct log_view *view)
{
    struct api *api = view->call->api;
    view->gone = true;
    clock_timer_stop(api->options.clock, &view->pause);
    *view->slot = view->next_view;
    if (view->next_view != NULL) {
        view->next_view->slot = view->slot;
    }
    api->log_view_count--;
    if (!view->asking) {
        view_free(view);
    }
}

static bool view_run_ended(const struct log_view *view)
{
    const struct run *run =
        registry_run(node_registry(view->call->api->node), view->fetch.run);
    return run == NULL || run->state == RUN_ENDED;
}

static void view_ask(struct log_view *view)
{
    struct api *api = view->call->api;
    if (api->stopping || call_gone(view->call)) {
        view->over = true;
        if (view->source != NULL) {
            stream_wake(view->source);
        }
        return;
    }
    view->asking = true;
    view->settled = view_run_ended(view);
    log_fetch_start(api, &view->fetch);
}

static void view_pause_over(struct clock_timer *timer)
{
    struct log_view *view = timer->owner;
    struct call *call = view->call;
    view_ask(view);
    if (view->over && view->source == NULL) {
        call->hold->give_up(call, "this node stops");
    }
}

/* --- answering -----------------------------------------------------------------------
 */

static enum stream_step view_next(struct stream_source *source, struct buf *out)
{
    struct log_view *view = source->arg;
    if (view->ready.len > 0) {
        buf_put(out, view->ready.data, view->ready.len);
        buf_clear(&view->ready);
        if (!view->over && !view->asking) {
            view_ask(view);
        }
        return STREAM_ITEM;
    }
    return view->over ? STREAM_END : STREAM_REST;
}

static void view_close(struct stream_source *source)
{
    view_gone(source->arg);
}

static void put_offset(struct call *call, enum reply_name name, uint64_t offset)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, offset);
    reply_header(call, name, text);
}

static void view_begin(struct log_view *view, const struct log_piece *piece)
{
    struct call *call = view->call;
    struct stream_source source = {
        .form = STREAM_TEXT, .next = view_next, .close = view_close, .arg = view};
    put_offset(call, REPLY_LOG_FROM, piece->from);
    if (!view->follow) {
        view->until = piece->end;
        view->over = view->over || view->fetch.after >= view->until;
        put_offset(call, REPLY_LOG_NEXT,
                   view->until > piece->from ? view->until : piece->from);
        reply_header(call, REPLY_LOG_ENDED,
                     piece->ended || view->settled ? "true" : "false");
    }
    buf_init(&source.head);
    call->hold = NULL;
    view->source = stream_start(call, &source);
}

static void view_take(struct log_view *view, const struct log_piece *piece)
{
    struct log_fetch *fetch = &view->fetch;
    if (piece->from > fetch->after) {
        run_log_put_gap(&view->ready, piece->from - fetch->after);
    }
    if (piece->data.len > 0) {
        buf_put(&view->ready, piece->data.data, piece->data.len);
    }
    fetch->after = piece->from + piece->data.len;
    bool quiet = piece->data.len == 0 && view->settled;
    view->over = log_piece_last(piece) || quiet || fetch->after >= view->until;
}

/* A log that is not there, or is not to be had: told where it would have gone on, or
 * in the place of an answer. */
static void view_failed(struct log_view *view, const struct err *err)
{
    struct call *call = view->call;
    view->over = true;
    if (view->source != NULL) {
        buf_printf(&view->ready, "\n[muster: %s]\n", err->text);
        stream_wake(view->source);
        return;
    }
    call_ref(call);
    call->hold = NULL;
    view_gone(view);
    reply_error(call, 410, "gone", "%s", err->text);
    call_unref(call);
}

/* Nothing goes out before there is something to send: h2o holds a head back until then.
 */
static void view_took(struct log_view *view, const struct log_piece *piece)
{
    struct clock *clock = view->call->api->options.clock;
    bool begun = view->source != NULL;
    view_take(view, piece);
    view->over = view->over || view->call->api->stopping;
    bool quiet = view->ready.len == 0 && !view->over;
    if (!begun && (!quiet || !view->follow)) {
        view_begin(view, piece);
    } else if (quiet) {
        clock_timer_start(clock, &view->pause, clock_now_ms(clock) + VIEW_PAUSE_MS);
    } else {
        stream_wake(view->source);
    }
}

static void view_fetched(struct log_fetch *fetch, struct log_piece *fetched,
                         const struct err *result)
{
    struct log_view *view =
        (struct log_view *)(void *)((char *)fetch - offsetof(struct log_view, fetch));
    struct log_piece piece = *fetched; /* the view may go with its fetch */
    struct err err = *result;
    bool early = err.code == ERR_NOT_FOUND && !view->settled; /* it has not begun */
    view->asking = false;
    if (view->gone) {
        view_free(view);
    } else if (early) {
        piece.from = fetch->after;
        piece.end = fetch->after;
        view_took(view, &piece);
    } else if (err.code == ERR_NONE) {
        view_took(view, &piece);
    } else {
        view_failed(view, &err);
    }
    buf_close(&piece.data);
}

/* --- the request ---------------------------------------------------------------------
 */

static void view_forget(struct call *call)
{
    call->hold = NULL;
    view_gone(call->held);
}

static void view_give_up(struct call *call, const char *why)
{
    struct err err;
    view_forget(call);
    err_set(&err, ERR_UNAVAILABLE, "%s", why);
    error_reply(call, &err);
}

static const struct call_hold view_hold = {view_forget, view_give_up};

static void view_start(struct call *call, const struct run *run, uint64_t after,
                       bool follow)
{
    struct log_view *view = mem_zalloc(sizeof *view);
    view->call = call_ref(call);
    view->until = UINT64_MAX;
    view->follow = follow;
    buf_init(&view->ready);
    view->pause = (struct clock_timer){.fire = view_pause_over, .owner = view};
    view->fetch = (struct log_fetch){
        .run = run->id, .node = run->node, .after = after, .done = view_fetched};
    call->hold = &view_hold;
    call->held = view;
    view->next_view = call->api->log_views;
    view->slot = &call->api->log_views;
    if (view->next_view != NULL) {
        view->next_view->slot = &view->next_view;
    }
    call->api->log_views = view;
    call->api->log_view_count++;
    view_pause_over(&view->pause);
}

/* Those that pause end now; those that ask, with their answer. */
void run_logs_stop(struct api *api)
{
    struct log_view *next = NULL;
    for (struct log_view *view = api->log_views; view != NULL; view = next) {
        next = view->next_view;
        if (clock_timer_active(&view->pause)) {
            clock_timer_stop(api->options.clock, &view->pause);
            view_pause_over(&view->pause);
        }
    }
}

void run_log_get(struct call *call)
{
    uint64_t id = 0;
    uint64_t after = 0;
    bool follow = false;
    if (!runs_number(call, &id) || !param_number(call, "after", 0, INT64_MAX, &after) ||
        !param_flag(call, "follow", &follow)) {
        return;
    }
    const struct run *run = registry_run(node_registry(call->api->node), id);
    struct err err;
    if (run == NULL) {
        runs_no_run(call);
    } else if (call->api->log_view_count >= LIMIT_STREAMS) {
        err_set(&err, ERR_BUSY, "%d logs are being read already", LIMIT_STREAMS);
        error_reply(call, &err);
    } else {
        view_start(call, run, after, follow);
    }
}
