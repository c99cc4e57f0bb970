/* SPDX-License-Identifier: Apache-2.0 */
/*   IDLE ──start──▶ DRAINING ──all is applied──▶ MOVING ──leads no more──▶ LANDING
 *    ▲ ▲               └──── too late ──────────────┴── nobody took it        │
 *    │ └──────────────────────── done ◀──────────────────────┘                │
 *    └── 5 s, or a new start ── LATE ◀── done ◀── a leader is known, too late ┘
 *
 * Each phase before it is done has at most two election timeouts. Leadership lost while
 * draining is as good as given away. */
#include "raft/handover.h"

#include <assert.h>

#define HANDOVER_POLL_MS 5
#define HANDOVER_LATE_MS 5000 /* balancers and clients have learnt of it by then */

static void handover_move(struct handover *handover, enum handover_phase to)
{
    handover->phase = to;
    handover->limit_ms =
        clock_now_ms(handover->clock) + 2 * (uint64_t)handover->election_timeout_ms;
}

static void handover_end(struct handover *handover, const struct err *result)
{
    handover->phase = HANDOVER_IDLE;
    clock_timer_stop(handover->clock, &handover->timer);
    if (result->code == ERR_NONE) {
        handover->phase = HANDOVER_LATE;
        handover->limit_ms = clock_now_ms(handover->clock) + HANDOVER_LATE_MS;
        clock_timer_start(handover->clock, &handover->timer, handover->limit_ms);
    }
    handover->changed(handover->owner);
    handover->done(handover->done_owner, result);
}

static void handover_fail(struct handover *handover, enum err_code code,
                          const char *text)
{
    struct err err;
    err_set(&err, code, "%s", text);
    handover_end(handover, &err);
}

/* Not before the other has the whole log: libraft tells it to stand for election with
 * its first answer, whatever that says, and only once; it refuses if it lacks
 * entries. */
static void handover_drain(struct handover *handover, bool late)
{
    struct engine *engine = handover->engine;
    struct err err;
    uint64_t last = engine_last(engine);
    if (engine_applied_index(engine) == last &&
        engine_match(engine, handover->to) == last && !engine_changing(engine)) {
        if (engine_transfer(engine, handover->to, &err) != 0) {
            handover_end(handover, &err);
            return;
        }
        handover_move(handover, HANDOVER_MOVING);
    } else if (late) {
        handover_fail(handover, ERR_TIMEOUT,
                      "the writes under way were not confirmed in time, by a majority "
                      "and by the node that is to lead");
    }
}

void handover_look(struct handover *handover)
{
    static const struct err done = {.code = ERR_NONE};
    struct engine *engine = handover->engine;
    bool late = clock_now_ms(handover->clock) >= handover->limit_ms;
    bool leads = engine_role(engine) == ENGINE_LEADER;
    switch (handover->phase) {
    case HANDOVER_IDLE:
    case HANDOVER_LATE:
        return;
    case HANDOVER_DRAINING:
    case HANDOVER_MOVING:
        if (!leads) {
            handover_move(handover, HANDOVER_LANDING);
            handover_look(handover);
        } else if (handover->phase == HANDOVER_DRAINING) {
            handover_drain(handover, late);
        } else if (!engine_transferring(engine)) {
            handover_fail(handover, ERR_TIMEOUT,
                          "the other node did not take the lead in time");
        }
        return;
    case HANDOVER_LANDING:
        if (late || engine_leader(engine) != 0) {
            handover_end(handover, &done);
        }
        return;
    }
}

static void handover_poll(struct clock_timer *timer)
{
    struct handover *handover = timer->owner;
    if (handover->phase == HANDOVER_LATE) {
        handover->phase = HANDOVER_IDLE;
        handover->changed(handover->owner);
        return;
    }
    clock_timer_start(handover->clock, timer,
                      clock_now_ms(handover->clock) + HANDOVER_POLL_MS);
    handover_look(handover);
}

void handover_init(struct handover *handover, struct clock *clock,
                   struct engine *engine, uint32_t election_timeout_ms,
                   void (*changed)(void *owner), void *owner)
{
    *handover = (struct handover){
        .clock = clock,
        .engine = engine,
        .election_timeout_ms = election_timeout_ms,
        .changed = changed,
        .owner = owner,
        .timer = {.fire = handover_poll, .owner = handover},
    };
}

void handover_stop(struct handover *handover)
{
    if (handover_holds(handover)) {
        handover_fail(handover, ERR_OUTCOME_UNKNOWN, "this node stops");
    }
    handover->phase = HANDOVER_IDLE;
    clock_timer_stop(handover->clock, &handover->timer);
}

int handover_start(struct handover *handover, uint64_t to, handover_cb done,
                   void *owner, struct err *err)
{
    if (handover_holds(handover)) {
        return err_set(err, ERR_CONFLICT, "the lead is being given away already");
    }
    if (engine_role(handover->engine) != ENGINE_LEADER) {
        return err_set(err, ERR_NOT_LEADER, "this node does not lead");
    }
    handover->to = to;
    handover->done = done;
    handover->done_owner = owner;
    handover_move(handover, HANDOVER_DRAINING);
    handover->changed(handover->owner);
    clock_timer_start(handover->clock, &handover->timer,
                      clock_now_ms(handover->clock)); /* not from inside */
    return 0;
}

bool handover_holds(const struct handover *handover)
{
    return handover->phase != HANDOVER_IDLE && handover->phase != HANDOVER_LATE;
}

/* Also while it drains: then somebody else took the lead meanwhile. */
bool handover_hands_on(const struct handover *handover)
{
    return handover->phase != HANDOVER_IDLE;
}
