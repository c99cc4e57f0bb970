/* SPDX-License-Identifier: Apache-2.0 */
/*   IDLE ──start──▶ DRAINING ──all is applied──▶ MOVING ──leads no more──▶ LANDING
 *    ▲ ▲               └──── too late ──────────────┴── nobody took it        │
 *    │ └──────────────────────── done ◀──────────────────────┘                │
 *    └── in time, or a new start ── LATE ◀── done ◀── leader known, too late ┘
 *
 * Each phase before it is done has at most two election timeouts. Leadership lost while
 * draining is as good as given away. */
#include "raft/handover.h"

#include <assert.h>

#define HANDOVER_POLL_MS 5
#define HANDOVER_LATE_MS 5000 /* at least; clients have learnt of it by then */

static void handover_move(struct handover *handover, enum handover_phase to)
{
    handover->phase = to;
    handover->limit_ms = clock_now_ms(handover->options.clock) +
                         2 * (uint64_t)handover->options.election_timeout_ms;
}

/* Twice a notice, and a bit. */
static uint64_t handover_late_ms(const struct handover *handover)
{
    uint64_t noticed = 3 * handover->options.notice_ms;
    return noticed > HANDOVER_LATE_MS ? noticed : HANDOVER_LATE_MS;
}

static void handover_end(struct handover *handover, const struct err *result)
{
    handover->phase = HANDOVER_IDLE;
    clock_timer_stop(handover->options.clock, &handover->timer);
    if (result->code == ERR_NONE) {
        handover->phase = HANDOVER_LATE;
        handover->given_ms = clock_now_ms(handover->options.clock);
        handover->limit_ms = handover->given_ms + handover_late_ms(handover);
        clock_timer_start(handover->options.clock, &handover->timer,
                          handover->limit_ms);
    }
    handover->options.changed(handover->options.owner);
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
    struct engine *engine = handover->options.engine;
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
    struct engine *engine = handover->options.engine;
    bool late = clock_now_ms(handover->options.clock) >= handover->limit_ms;
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
        handover->options.changed(handover->options.owner);
        return;
    }
    clock_timer_start(handover->options.clock, timer,
                      clock_now_ms(handover->options.clock) + HANDOVER_POLL_MS);
    handover_look(handover);
}

void handover_init(struct handover *handover, const struct handover_options *options)
{
    *handover = (struct handover){
        .options = *options,
        .timer = {.fire = handover_poll, .owner = handover},
    };
}

void handover_stop(struct handover *handover)
{
    if (handover_holds(handover)) {
        handover_fail(handover, ERR_OUTCOME_UNKNOWN, "this node stops");
    }
    handover->phase = HANDOVER_IDLE;
    clock_timer_stop(handover->options.clock, &handover->timer);
}

int handover_start(struct handover *handover, uint64_t to, handover_cb done,
                   void *owner, struct err *err)
{
    if (handover_holds(handover)) {
        return err_set(err, ERR_CONFLICT, "the lead is being given away already");
    }
    if (engine_role(handover->options.engine) != ENGINE_LEADER) {
        return err_set(err, ERR_NOT_LEADER, "this node does not lead");
    }
    handover->to = to;
    handover->done = done;
    handover->done_owner = owner;
    handover_move(handover, HANDOVER_DRAINING);
    handover->options.changed(handover->options.owner);
    clock_timer_start(handover->options.clock, &handover->timer,
                      clock_now_ms(handover->options.clock)); /* not from inside */
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

bool handover_shares(const struct handover *handover)
{
    return handover_holds(handover) ||
           (handover->phase == HANDOVER_LATE &&
            clock_now_ms(handover->options.clock) <
                handover->given_ms + handover->options.notice_ms);
}

uint64_t handover_noticed_ms(const struct handover *handover)
{
    return handover->phase == HANDOVER_LATE
               ? handover->given_ms + 2 * handover->options.notice_ms
               : 0;
}
