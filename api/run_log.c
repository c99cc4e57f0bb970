/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run_log.h"

#include <inttypes.h>
#include <stddef.h>

#include "api/error.h"
#include "api/log_fetch.h"
#include "api/server_internal.h"
#include "base/mem.h"

/* The whole log of an ended run, piece after piece:
 *
 *   ASKING ──a piece──▶ ASKING … ──the end, or enough──▶ done
 *     └─ nothing new, and it is not marked as ended ──▶ done: its run has ended */
struct gather {
    struct log_fetch fetch;
    struct call *call; /* one reference */
    run_log_cb done;
    bool over; /* the call waits for it no more */
    struct buf text;
};

void run_log_put_gap(struct buf *out, uint64_t bytes)
{
    buf_printf(out, "\n[muster: %" PRIu64 " bytes are missing here]\n", bytes);
}

static void gather_forget(struct call *call)
{
    ((struct gather *)call->held)->over = true;
    call->hold = NULL;
}

static void gather_finish(struct gather *gather)
{
    struct call *call = gather->call;
    if (!gather->over) {
        call->hold = NULL;
        gather->done(call, &gather->text);
    }
    buf_close(&gather->text);
    mem_free(gather);
    call_unref(call);
}

/* The node stops: what there is has to do. */
static void gather_give_up(struct call *call, const char *why)
{
    struct gather *gather = call->held;
    gather->over = true;
    call->hold = NULL;
    buf_printf(&gather->text, "\n[muster: %s]\n", why);
    gather->done(call, &gather->text);
}

static const struct call_hold gather_hold = {gather_forget, gather_give_up};

static bool gather_take(struct gather *gather, const struct log_piece *piece)
{
    struct log_fetch *fetch = &gather->fetch;
    if (piece->from > fetch->after) {
        run_log_put_gap(&gather->text, piece->from - fetch->after);
    }
    if (piece->data.len > 0) {
        buf_put(&gather->text, piece->data.data, piece->data.len);
    }
    fetch->after = piece->from + piece->data.len;
    if (gather->text.len > RUN_LOG_PLAN_BYTES) {
        gather->text.len = RUN_LOG_PLAN_BYTES;
        buf_printf(&gather->text, "\n[muster: cut: it is longer than %d bytes]\n",
                   RUN_LOG_PLAN_BYTES);
        return false;
    }
    return !log_piece_last(piece) && piece->data.len > 0;
}

static void gather_fetched(struct log_fetch *fetch, struct log_piece *piece,
                           const struct err *err)
{
    struct gather *gather =
        (struct gather *)(void *)((char *)fetch - offsetof(struct gather, fetch));
    bool more = false;
    if (err->code != ERR_NONE && !gather->over) {
        buf_printf(&gather->text,
                   "[muster: the log of run %" PRIu64 " is not here: ", fetch->run);
        buf_printf(&gather->text, "%s]\n", err->text);
    } else if (!gather->over) {
        more = gather_take(gather, piece);
    }
    buf_close(&piece->data);
    if (more && !gather->call->api->stopping) {
        log_fetch_start(gather->call->api, fetch);
    } else {
        gather_finish(gather);
    }
}

void run_log_gather(struct call *call, const struct run *run, run_log_cb done)
{
    struct gather *gather = mem_zalloc(sizeof *gather);
    gather->call = call_ref(call);
    gather->done = done;
    buf_init(&gather->text);
    gather->fetch.run = run->id;
    gather->fetch.node = run->node;
    gather->fetch.done = gather_fetched;
    call->hold = &gather_hold;
    call->held = gather;
    log_fetch_start(call->api, &gather->fetch);
}
