/* SPDX-License-Identifier: Apache-2.0 */
/*   run_wait_start ──▶ LOOK ──has ended──▶ ended()
 *                      ▲  │ └─not kept any more, the node stops, client gone──▶ 504
 *      its task has    │  ▼
 *      changed         └─WAIT──time is over──▶ late()
 *
 * What wakes it is any change of the task's status, so it looks again each time. The
 * leader plays no part here: where the run is lost with its node, the new leader's word
 * of that is an entry like any other. */
#include "api/run_wait.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "api/await.h"
#include "api/param.h"
#include "api/reply.h"
#include "api/server_internal.h"
#include "base/mem.h"

struct run_wait {
    struct call *call; /* one reference */
    uint64_t id;
    char *task;
    run_wait_cb ended;
    run_wait_cb late;
    bool waiting; /* filed with await */
    struct await await;
};

static int call_fd(const struct call *call)
{
    h2o_conn_t *connection = call->req->conn;
    return h2o_socket_get_fd(connection->callbacks->get_socket(connection));
}

bool call_gone(const struct call *call)
{
    struct pollfd look = {.fd = call_fd(call), .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0 && look.revents != 0;
}

void run_wait_put_location(struct call *call, uint64_t id)
{
    char text[48];
    snprintf(text, sizeof text, "/v1/runs/%" PRIu64, id);
    reply_header(call, REPLY_LOCATION, text);
}

bool run_wait_param(struct call *call, uint64_t *wait_ms)
{
    *wait_ms = LIMIT_WAIT_MS;
    return param_duration(call, "wait", LIMIT_WAIT_MS, wait_ms);
}

/* It does not wait any more. */
static void run_wait_free(struct run_wait *wait)
{
    struct call *call = wait->call;
    if (wait->waiting) {
        await_cancel(&wait->await);
    }
    call->hold = NULL;
    call->held = NULL;
    mem_free(wait->task);
    mem_free(wait);
    call_unref(call);
}

static void run_wait_forget(struct call *call)
{
    run_wait_free(call->held);
}

/* The call goes on: its timer is the answer's from here on. */
static struct call *run_wait_over(struct run_wait *wait)
{
    struct call *call = call_ref(wait->call);
    clock_timer_stop(call->api->options.clock, &call->timer);
    run_wait_free(wait);
    return call;
}

static void run_wait_give_up(struct call *call, const char *why)
{
    struct run_wait *wait = call->held;
    uint64_t id = wait->id;
    call = run_wait_over(wait);
    run_wait_put_location(call, id);
    reply_error(call, 504, err_code_name(ERR_OUTCOME_UNKNOWN),
                "%s: what becomes of run %" PRIu64 " is told at /v1/runs/%" PRIu64, why,
                id, id);
    call_unref(call);
}

static const struct call_hold run_wait_hold = {run_wait_forget, run_wait_give_up};

static const struct run *run_wait_run(const struct run_wait *wait)
{
    return registry_run(node_registry(wait->call->api->node), wait->id);
}

static void run_wait_look(struct run_wait *wait);

static void run_wait_woken(struct await *await)
{
    struct run_wait *wait = await->owner;
    wait->waiting = false;
    run_wait_look(wait);
}

static void run_wait_file(struct run_wait *wait)
{
    struct call *call = wait->call;
    struct err err;
    wait->await = (struct await){
        .noun = NOUN_TASK_STATUS,
        .name = wait->task,
        .index = registry_sequence(node_registry(call->api->node)),
        .fd = call_fd(call),
        .woken = run_wait_woken,
        .owner = wait,
    };
    wait->waiting = await_start(call->api, &wait->await, &err) == 0;
    if (!wait->waiting) {
        run_wait_give_up(call, err.text);
    }
}

static void run_wait_look(struct run_wait *wait)
{
    struct call *call = wait->call;
    if (call->api->stopping) { /* the node may be gone */
        run_wait_give_up(call, "this node stops");
        return;
    }
    const struct run *run = run_wait_run(wait);
    if (run == NULL) {
        run_wait_give_up(call, "the run is not kept any more");
    } else if (node_unfit(call->api->node)[0] != '\0') {
        run_wait_give_up(call, node_unfit(call->api->node));
    } else if (run->state == RUN_ENDED) {
        run_wait_cb ended = wait->ended;
        call = run_wait_over(wait);
        ended(call, run);
        call_unref(call);
    } else if (call_gone(call)) {
        run_wait_give_up(call, "the client has gone");
    } else {
        run_wait_file(wait);
    }
}

static void run_wait_late(struct clock_timer *timer)
{
    struct call *call = timer->owner;
    struct run_wait *wait = call->held;
    const struct run *run = call->api->stopping ? NULL : run_wait_run(wait);
    run_wait_cb late = wait->late;
    if (late == NULL || run == NULL) {
        run_wait_give_up(call, "the run has not ended in time, and goes on");
        return;
    }
    call = run_wait_over(wait);
    late(call, run);
    call_unref(call);
}

void run_wait_start(struct call *call, uint64_t id, uint64_t wait_ms, run_wait_cb ended,
                    run_wait_cb late)
{
    struct run_wait *wait = mem_zalloc(sizeof *wait);
    wait->call = call_ref(call);
    wait->id = id;
    wait->ended = ended;
    wait->late = late;
    call->hold = &run_wait_hold;
    call->held = wait;
    call->timer.fire = run_wait_late;
    call->timer.owner = call;
    clock_timer_start(call->api->options.clock, &call->timer,
                      call->started_ms + wait_ms);
    const struct run *run = call->api->stopping ? NULL : run_wait_run(wait);
    wait->task = mem_strdup(run != NULL ? run->task : "");
    if (run != NULL && run->state != RUN_ENDED && wait_ms == 0) {
        run_wait_late(&call->timer);
    } else {
        run_wait_look(wait);
    }
}
