/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a read that asks for more than the state as it is:
 *
 *   CONFIRMING ◀──────────── PAUSING          ?consistent: up to where must be applied?
 *    │     └─ no, or nobody ───▲
 *    ▼
 *   REACHING    until the sequence is at least ?min_index
 *    ▼
 *   WATCHING    until the noun has changed after ?index, or ?wait is over
 *    ▼
 *   handler
 *
 * Each step is left out if it is not asked for or holds already. ?max_stale is judged
 * first, so that nobody waits in vain, and again before the handler runs: it is a
 * promise about the answer.
 *
 * A leader that is lost, or not there for a moment, is no answer: the question is asked
 * again until LIMIT_READ_DEADLINE_MS is over. While CONFIRMING the node holds the
 * waiter, so this lives until that is called back, also when its client has gone. */
#include "api/fresh.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/await.h"
#include "api/cts/status.h"
#include "api/error.h"
#include "api/muster/events.h"
#include "api/muster/runs.h"
#include "api/param.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "base/mem.h"

#define FRESH_PAUSE_MS     20
#define FRESH_STALE_MAX_MS (INT64_MAX / 1000000) /* what a duration can say */
#define FRESH_JITTER       16 /* long polls end over so large a part of their time more */

enum fresh_stage {
    FRESH_BETWEEN,
    FRESH_CONFIRMING,
    FRESH_PAUSING,
    FRESH_REACHING,
    FRESH_WATCHING,
};

/* What was asked for. */
struct fresh_wish {
    bool consistent;
    bool has_min_index;
    bool has_max_stale;
    bool has_index;
    bool has_wait;
    uint64_t min_index;
    uint64_t max_stale_ms;
    uint64_t index;
    uint64_t wait_ms;
    enum noun noun;
};

struct fresh {
    struct call *call; /* one reference */
    struct fresh_wish wish;
    enum fresh_stage stage;
    bool waited; /* the state is another one than that which was confirmed */
    struct read_waiter read;
    struct clock_timer pause;
    struct await await;
    char reason[256]; /* why it is not confirmed yet */
};

/* --- what is asked for -------------------------------------------------------------
 */

/* What a long poll of each route waits for, and what judges the parameters of its own:
 * a request that is wrong is not worth waiting for. */
struct fresh_noun {
    void (*handler)(struct call *call);
    enum noun noun;
    bool (*judge)(struct call *call); /* NULL: it has none */
};

static const struct fresh_noun fresh_nouns[] = {
    {cts_tasks_list, NOUN_TASKS, NULL},
    {cts_task_get, NOUN_TASK, NULL},
    {cts_status, NOUN_STATUS, NULL},
    {cts_status_tasks, NOUN_STATUS, cts_status_judge},
    {cts_status_task, NOUN_TASK_STATUS, cts_status_judge},
    {cts_status_cluster, NOUN_MEMBERS, NULL},
    {cluster_get, NOUN_MEMBERS, NULL},
    {events_list, NOUN_EVENTS, events_judge},
    {runs_list, NOUN_RUNS, runs_judge},
    {runs_get, NOUN_RUN, NULL},
    {settings_get, NOUN_SETTINGS, NULL},
};

static const struct fresh_noun *fresh_noun(const struct route *route)
{
    static const struct fresh_noun none = {.noun = NOUN_NONE};
    for (size_t i = 0; i < sizeof fresh_nouns / sizeof fresh_nouns[0]; i++) {
        if (fresh_nouns[i].handler == route->handler) {
            return &fresh_nouns[i];
        }
    }
    return &none;
}

/* False: answered. */
static bool fresh_parse(struct call *call, struct fresh_wish *wish)
{
    *wish = (struct fresh_wish){.noun = fresh_noun(call->route)->noun};
    wish->has_min_index = call_query(call, "min_index", NULL, 0) > 0;
    wish->has_max_stale = call_query(call, "max_stale", NULL, 0) > 0;
    wish->has_index = call_query(call, "index", NULL, 0) > 0;
    wish->has_wait = call_query(call, "wait", NULL, 0) > 0;
    if (!param_flag(call, "consistent", &wish->consistent) ||
        !param_number(call, "min_index", 0, INT64_MAX, &wish->min_index) ||
        !param_number(call, "index", 0, INT64_MAX, &wish->index) ||
        !param_duration(call, "max_stale", FRESH_STALE_MAX_MS, &wish->max_stale_ms) ||
        !param_duration(call, "wait", LIMIT_WAIT_MS, &wish->wait_ms)) {
        return false;
    }
    if (wish->has_index && wish->noun == NOUN_NONE) {
        reply_error(call, 400, NULL,
                    "parameter 'index' does not go here: this is no noun whose changes "
                    "can be waited for");
        return false;
    }
    return true;
}

/* --- the end -----------------------------------------------------------------------
 */

static void fresh_free(struct fresh *fresh)
{
    struct call *call = fresh->call;
    call->fresh = NULL;
    mem_free(fresh);
    call_unref(call);
}

/* 503, and when to come again. */
static void fresh_refuse(struct call *call, const char *text)
{
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "%s", text);
    error_reply(call, &err);
}

/* True: answered. */
static bool fresh_refuse_stale(struct call *call, const struct fresh_wish *wish)
{
    struct node_status status;
    char text[128];
    node_status(call->api->node, &status);
    if (status.last_contact_ms <= wish->max_stale_ms) {
        return false;
    }
    if (status.last_contact_ms == UINT64_MAX) {
        snprintf(text, sizeof text, "this node has heard of no leader yet");
    } else {
        snprintf(text, sizeof text,
                 "the last contact with a leader was %" PRIu64
                 " ms ago, more than max_stale allows",
                 status.last_contact_ms);
    }
    fresh_refuse(call, text);
    return true;
}

/* A read that was confirmed a moment ago is as fresh as can be. */
static void fresh_answer(struct fresh *fresh)
{
    struct call *call = call_ref(fresh->call);
    struct fresh_wish wish = fresh->wish;
    bool confirmed = wish.consistent && !fresh->waited;
    clock_timer_stop(call->api->options.clock, &call->timer);
    fresh_free(fresh);
    bool served = call->route->handler == cluster_get || call_served(call);
    if (served &&
        (!wish.has_max_stale || confirmed || !fresh_refuse_stale(call, &wish))) {
        call->route->handler(call);
    }
    call_unref(call);
}

/* Its client is answered; what the node holds comes back later. */
static void fresh_end(struct fresh *fresh, const char *why)
{
    struct call *call = call_ref(fresh->call);
    enum fresh_stage stage = fresh->stage;
    clock_timer_stop(call->api->options.clock, &call->timer);
    if (stage == FRESH_PAUSING) {
        clock_timer_stop(call->api->options.clock, &fresh->pause);
    } else if (stage == FRESH_REACHING || stage == FRESH_WATCHING) {
        await_cancel(&fresh->await);
    }
    if (stage != FRESH_CONFIRMING) {
        fresh_free(fresh);
    }
    fresh_refuse(call, why);
    call_unref(call);
}

static void fresh_too_late(struct clock_timer *timer)
{
    struct call *call = timer->owner;
    struct fresh *fresh = call->fresh;
    char why[ERR_TEXT_MAX];
    switch (fresh->stage) {
    case FRESH_BETWEEN:
        return;
    case FRESH_CONFIRMING:
    case FRESH_PAUSING:
        snprintf(why, sizeof why, "a consistent read is not possible now: %s",
                 fresh->reason[0] != '\0' ? fresh->reason : "no majority answers");
        break;
    case FRESH_REACHING:
        snprintf(why, sizeof why, "this node has not reached index %" PRIu64 " in time",
                 fresh->wish.min_index);
        break;
    case FRESH_WATCHING:
        await_cancel(&fresh->await);
        fresh_answer(fresh);
        return;
    }
    fresh_end(fresh, why);
}

static void fresh_limit(struct fresh *fresh, uint64_t due_ms)
{
    struct call *call = fresh->call;
    call->timer.fire = fresh_too_late;
    call->timer.owner = call;
    clock_timer_start(call->api->options.clock, &call->timer, due_ms);
}

/* --- waiting for the state ---------------------------------------------------------
 */

static void fresh_woken(struct await *await);

/* False: too many wait; answered. */
static bool fresh_wait(struct fresh *fresh, enum fresh_stage stage, enum noun noun,
                       uint64_t index)
{
    struct call *call = fresh->call;
    struct err err;
    h2o_socket_t *socket = call->req->conn->callbacks->get_socket(call->req->conn);
    fresh->stage = stage;
    fresh->waited = true;
    fresh->await = (struct await){
        .noun = noun,
        .name = call->name,
        .index = index,
        .fd = h2o_socket_get_fd(socket),
        .woken = fresh_woken,
        .owner = fresh,
    };
    if (await_start(call->api, &fresh->await, &err) != 0) {
        call_ref(call);
        clock_timer_stop(call->api->options.clock, &call->timer);
        fresh_free(fresh);
        error_reply(call, &err);
        call_unref(call);
        return false;
    }
    return true;
}

static bool fresh_holds(const struct fresh *fresh, enum noun noun, uint64_t index)
{
    const struct call *call = fresh->call;
    return await_changed(node_registry(call->api->node), noun, call->name, index);
}

static uint64_t fresh_jitter(struct call *call, uint64_t wait_ms)
{
    return clock_random_below(call->api->options.clock, wait_ms / FRESH_JITTER + 1);
}

static void fresh_watch(struct fresh *fresh)
{
    const struct fresh_wish *wish = &fresh->wish;
    struct call *call = fresh->call;
    fresh->stage = FRESH_BETWEEN;
    if (!wish->has_index || call->api->stopping ||
        fresh_holds(fresh, wish->noun, wish->index)) {
        fresh_answer(fresh);
        return;
    }
    uint64_t wait_ms = wish->has_wait ? wish->wait_ms : LIMIT_WAIT_DEFAULT_MS;
    if (fresh_wait(fresh, FRESH_WATCHING, wish->noun, wish->index)) {
        fresh_limit(fresh, call->started_ms + wait_ms + fresh_jitter(call, wait_ms));
    }
}

static void fresh_reach(struct fresh *fresh)
{
    const struct fresh_wish *wish = &fresh->wish;
    struct call *call = fresh->call;
    if (!wish->has_min_index || fresh_holds(fresh, NOUN_SEQUENCE, wish->min_index)) {
        fresh_watch(fresh);
        return;
    }
    if (call->api->stopping) {
        fresh_end(fresh, "this node stops");
        return;
    }
    uint64_t wait_ms = wish->has_wait ? wish->wait_ms : LIMIT_READ_DEADLINE_MS;
    if (fresh_wait(fresh, FRESH_REACHING, NOUN_SEQUENCE, wish->min_index)) {
        fresh_limit(fresh, call->started_ms + wait_ms);
    }
}

/* What it waited for is there; or its client has gone, or the node stops: then the
 * state as it is has to do. */
static void fresh_woken(struct await *await)
{
    struct fresh *fresh = await->owner;
    bool reaching = fresh->stage == FRESH_REACHING;
    fresh->stage = FRESH_BETWEEN;
    if (!reaching) {
        fresh_answer(fresh);
    } else if (fresh_holds(fresh, NOUN_SEQUENCE, fresh->wish.min_index)) {
        fresh_watch(fresh);
    } else {
        fresh_end(fresh, "this node has not reached the index that was asked for");
    }
}

/* --- ?consistent -------------------------------------------------------------------
 */

static void fresh_confirm(struct fresh *fresh);

static void fresh_pause_over(struct clock_timer *timer)
{
    fresh_confirm(timer->owner);
}

static void fresh_pause(struct fresh *fresh, const struct err *err)
{
    struct clock *clock = fresh->call->api->options.clock;
    snprintf(fresh->reason, sizeof fresh->reason, "%.255s", err->text);
    fresh->stage = FRESH_PAUSING;
    fresh->pause = (struct clock_timer){.fire = fresh_pause_over, .owner = fresh};
    clock_timer_start(clock, &fresh->pause, clock_now_ms(clock) + FRESH_PAUSE_MS);
}

static void fresh_confirmed(struct read_waiter *read, const struct err *result)
{
    struct fresh *fresh = read->owner;
    fresh->stage = FRESH_BETWEEN;
    if (!call_open(fresh->call)) {
        fresh_free(fresh);
    } else if (result->code == ERR_NONE) {
        fresh_reach(fresh);
    } else {
        fresh_pause(fresh, result);
    }
}

static void fresh_confirm(struct fresh *fresh)
{
    struct err err;
    fresh->read = (struct read_waiter){.done = fresh_confirmed, .owner = fresh};
    fresh->stage = FRESH_CONFIRMING;
    if (node_read_index(fresh->call->api->node, &fresh->read, &err) != 0) {
        fresh_pause(fresh, &err);
    }
}

/* --- doors -------------------------------------------------------------------------
 */

void fresh_run(struct call *call)
{
    struct fresh_wish wish;
    if (call->param_count == 0) {
        call->route->handler(call);
        return;
    }
    if (!fresh_parse(call, &wish)) {
        return;
    }
    if (wish.has_max_stale && !wish.consistent && fresh_refuse_stale(call, &wish)) {
        return;
    }
    if (!wish.consistent && !wish.has_min_index && !wish.has_index) {
        call->route->handler(call);
        return;
    }
    bool (*judge)(struct call * call) = fresh_noun(call->route)->judge;
    if (judge != NULL && !judge(call)) {
        return;
    }
    struct fresh *fresh = mem_zalloc(sizeof *fresh);
    fresh->call = call_ref(call);
    fresh->wish = wish;
    call->fresh = fresh;
    if (wish.consistent && call->api->drained) {
        fresh_end(fresh, "this node stops"); /* it may be gone */
    } else if (wish.consistent) {
        fresh_limit(fresh, call->started_ms + LIMIT_READ_DEADLINE_MS);
        fresh_confirm(fresh);
    } else {
        fresh_reach(fresh);
    }
}

void fresh_forget(struct call *call)
{
    struct fresh *fresh = call->fresh;
    switch (fresh->stage) {
    case FRESH_BETWEEN:
    case FRESH_CONFIRMING: /* it comes back */
        return;
    case FRESH_PAUSING:
        clock_timer_stop(call->api->options.clock, &fresh->pause);
        break;
    case FRESH_REACHING:
    case FRESH_WATCHING:
        await_cancel(&fresh->await);
        break;
    }
    fresh_free(fresh);
}

void fresh_give_up(struct call *call, const char *why)
{
    if (call_open(call)) {
        fresh_end(call->fresh, why);
    }
}

void fresh_stop(struct api *api)
{
    await_stop(api);
}
