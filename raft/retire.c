/* SPDX-License-Identifier: Apache-2.0 */
/*   node_retire() ─▶ leads? ──yes, give the lead away──▶ given, or nobody takes it
 *                      │  ▲                                       │
 *                      no └────── it leads again ─────────────────┤
 *                      ▼                                          ▼
 *                   one notice more                      two notices more ──▶ done
 *
 * A balancer learns who is well by asking again and again; in between it goes by what
 * it learnt last. So a follower serves for one notice after it has begun to say that it
 * is not ready. A leader that has given the lead away takes writes for two: within the
 * first, balancers find the new leader beside it, within the second they leave it.
 *
 * Failure modes: nobody can take the lead → tried again until both notices are over;
 * without a wait, once. Whatever happens, it is done after that and what a handover may
 * take. */
#include "raft/retire.h"

#include "base/log.h"
#include "raft/keeper.h"

#define RETIRE_POLL_MS 20

static void retire_arm(struct node *node, uint64_t due_ms)
{
    clock_timer_start(node->options.clock, &node->retire.timer, due_ms);
}

static void retire_gave(void *owner, const struct err *result)
{
    struct node *node = owner;
    struct retire *retire = &node->retire;
    if (retire->done == NULL) {
        return; /* stopped, or done with */
    }
    retire->giving = false;
    if (result->code != ERR_NONE) {
        log_warn("%s: the lead is not given away: %s", node->options.name,
                 result->text);
        retire->giving_ms = retire->waits ? retire->giving_ms : 0;
    }
    retire_arm(node, node_now(node)); /* not from inside */
}

/* False: it leads on, and that is not to be waited for. */
static bool retire_give(struct node *node)
{
    struct retire *retire = &node->retire;
    struct err err;
    if (node_now(node) > retire->giving_ms) {
        return false;
    }
    if (node_transfer(node, "", retire_gave, node, &err) == 0) {
        retire->giving = true;
        return true;
    }
    if (!retire->waits) {
        log_info("%s: the lead is not given away: %s", node->options.name, err.text);
        return false;
    }
    retire_arm(node, node_now(node) + RETIRE_POLL_MS);
    return true;
}

static bool retire_waits_on(struct node *node)
{
    struct retire *retire = &node->retire;
    uint64_t noticed = handover_noticed_ms(&node->handover);
    uint64_t until = noticed > retire->until_ms ? noticed : retire->until_ms;
    uint64_t now = node_now(node);
    if (!retire->waits || now >= until) {
        return false;
    }
    retire_arm(node, until < now + RETIRE_POLL_MS ? until : now + RETIRE_POLL_MS);
    return true;
}

static void retire_look(struct clock_timer *timer)
{
    struct node *node = timer->owner;
    struct retire *retire = &node->retire;
    if (retire->giving) {
        return; /* retire_gave() comes */
    }
    if (node->phase == NODE_PHASE_MEMBER) {
        bool leads = engine_role(node->engine) == ENGINE_LEADER;
        if (leads ? retire_give(node) : retire_waits_on(node)) {
            return;
        }
    }
    void (*done)(void *owner) = retire->done;
    void *owner = retire->owner;
    retire->done = NULL;
    done(owner);
}

static bool node_has_others(struct node *node)
{
    struct membership members;
    if (node->phase != NODE_PHASE_MEMBER) {
        return false;
    }
    engine_membership(node->engine, &members);
    return members.count > 1;
}

void node_retire(struct node *node, bool wait, void (*done)(void *owner), void *owner)
{
    uint64_t now = node_now(node);
    node->retire = (struct retire){
        .waits = wait && node->options.notice_ms > 0 && node_has_others(node),
        .giving_ms = now + 2 * node->options.notice_ms,
        .until_ms = now + node->options.notice_ms,
        .timer = {.fire = retire_look, .owner = node},
        .done = done,
        .owner = owner,
    };
    retire_arm(node, now);
}

void node_retire_now(struct node *node)
{
    struct retire *retire = &node->retire;
    if (retire->done != NULL) {
        retire->waits = false;
        retire->giving_ms = 0;
        retire->giving = false; /* the handover goes on without it */
        retire_arm(node, node_now(node));
    }
}

void retire_stop(struct node *node)
{
    node->retire.done = NULL;
    clock_timer_stop(node->options.clock, &node->retire.timer);
}
