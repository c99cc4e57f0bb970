/* SPDX-License-Identifier: Apache-2.0 */
/* A write handed on, an errand, on the node that has the client:
 *
 *   SENT ──the leader's outcome: applied at index i──▶ ANSWERED
 *    │ │                                               └── i applied here ──▶ done
 *    │ └── its outcome: never happened, or refused ──▶ told as it is
 *    └── link lost, leader started anew, deadline ──▶ ERR_OUTCOME_UNKNOWN
 *
 * The leader proposes it through its own door 1 (a favour), which never hands it on: a
 * node that does not lead any more answers that it never happened. So a write makes one
 * step only, and there are no loops.
 *
 * It is sent once, whatever becomes of it; only who was told that it never happened may
 * come with it again, as another errand. A frame may still come twice or late: each
 * carries a number that grows within the sender's session, and the leader takes none
 * that is not newer than the last.
 *
 * A follower hears of a commit with the next append; so that a client need not wait for
 * the beat, the leader sends it at once when it has an outcome to tell.
 *
 * Failure modes: the outcome is lost with the leader's own connection, or was dropped
 * there → the deadline; the client is told that it may have happened, and it may. */
#include "raft/forward.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/forward_wire.h"

/* --- asking ------------------------------------------------------------------------
 */

struct errand {
    struct errand *next;
    uint64_t number;
    uint64_t to;      /* the leader it was sent to ... */
    uint64_t session; /* ... as which start of it */
    uint64_t due_ms;
    propose_cb done;
    void *owner;
    bool answered; /* applied there; `outcome` waits until it is here */
    struct outcome outcome;
};

static void forward_arm(struct node *node)
{
    struct forward *forward = &node->forward;
    if (forward->errands == NULL) {
        clock_timer_stop(node->options.clock, &forward->timer);
    } else if (!clock_timer_active(&forward->timer)) {
        clock_timer_start(node->options.clock, &forward->timer,
                          forward->errands->due_ms);
    }
}

/* Take the errand that `at` points to off the list and tell its owner. */
static void errand_decide(struct node *node, struct errand **at,
                          const struct outcome *outcome)
{
    struct errand *errand = *at;
    *at = errand->next;
    if (*at == NULL) {
        node->forward.last = at;
    }
    node->forward.answered -= errand->answered;
    errand->done(errand->owner, outcome);
    mem_free(errand);
}

/* Decide as unknown what `lost` says. */
static void forward_lose(struct node *node,
                         bool (*lost)(const struct errand *errand, uint64_t a,
                                      uint64_t b),
                         uint64_t a, uint64_t b)
{
    static const struct outcome unknown = {.code = ERR_OUTCOME_UNKNOWN};
    struct errand **at = &node->forward.errands;
    while (*at != NULL) {
        if (lost(*at, a, b)) {
            errand_decide(node, at, &unknown);
        } else {
            at = &(*at)->next;
        }
    }
    forward_arm(node);
}

static bool errand_any(const struct errand *errand, uint64_t a, uint64_t b)
{
    (void)errand;
    (void)a;
    (void)b;
    return true;
}

static bool errand_late(const struct errand *errand, uint64_t now_ms, uint64_t unused)
{
    (void)unused;
    return errand->due_ms <= now_ms;
}

static bool errand_of_another_session(const struct errand *errand, uint64_t id,
                                      uint64_t session)
{
    return errand->to == id && errand->session != session && !errand->answered;
}

static void forward_late(struct clock_timer *timer)
{
    struct node *node = timer->owner;
    forward_lose(node, errand_late, node_now(node), 0);
}

void forward_met(struct node *node, uint64_t id, uint64_t session)
{
    forward_lose(node, errand_of_another_session, id, session);
}

int forward_hand(void *owner, const uint8_t *command, size_t len, propose_cb done,
                 void *done_owner)
{
    struct node *node = owner;
    struct forward *forward = &node->forward;
    uint64_t to = engine_leader(node->engine);
    const struct acquaintance *leader =
        to != 0 ? acquaintances_find(&node->others, to) : NULL;
    if (leader == NULL || leader->stale || node->phase != NODE_PHASE_MEMBER) {
        return ERR_NOT_LEADER;
    }
    struct forward_message message = {
        .kind = FRAME_WRITE,
        .session = node->session,
        .number = forward->number + 1,
        .command = command,
        .command_len = len,
    };
    struct bytes *frame = forward_encode(&message);
    struct link *link = node->options.link;
    bool sent = link != NULL && link->ops->send(link, to, frame);
    if (PLANTED(FORWARD_TWICE) && sent) {
        link->ops->send(link, to, frame);
    }
    bytes_unref(frame);
    if (!sent) { /* for certain: not a byte of it */
        return ERR_NOT_LEADER;
    }
    struct errand *errand = mem_alloc(sizeof *errand);
    *errand = (struct errand){
        .number = ++forward->number,
        .to = to,
        .session = leader->session,
        .due_ms = node_now(node) + LIMIT_WRITE_DEADLINE_MS,
        .done = done,
        .owner = done_owner,
    };
    *forward->last = errand;
    forward->last = &errand->next;
    forward_arm(node);
    return 0;
}

/* An outcome that is here no sooner than the state which contains it. */
static void forward_told(struct node *node, uint64_t from,
                         const struct forward_message *message)
{
    struct errand **at = &node->forward.errands;
    if (message->session != node->session) {
        return; /* asked by an earlier start */
    }
    while (*at != NULL && ((*at)->number != message->number || (*at)->to != from)) {
        at = &(*at)->next;
    }
    if (*at == NULL || (*at)->answered) {
        return; /* too late */
    }
    if (message->outcome.code != 0 || message->outcome.index <= node->applier.applied ||
        PLANTED(FORWARD_EARLY)) {
        errand_decide(node, at, &message->outcome);
        forward_arm(node);
        return;
    }
    (*at)->outcome = message->outcome;
    (*at)->answered = true;
    node->forward.answered++;
}

void forward_applied(struct node *node)
{
    struct errand **at = &node->forward.errands;
    while (*at != NULL && node->forward.answered > 0) {
        if ((*at)->answered && (*at)->outcome.index <= node->applier.applied) {
            struct outcome outcome = (*at)->outcome;
            errand_decide(node, at, &outcome);
        } else {
            at = &(*at)->next;
        }
    }
    forward_arm(node);
}

/* --- being asked -------------------------------------------------------------------
 */

struct favour {
    struct node *node;
    uint64_t from;
    uint64_t session;
    uint64_t number;
};

static void forward_tell(const struct favour *favour, const struct outcome *outcome)
{
    struct node *node = favour->node;
    struct link *link = node->options.link;
    struct forward_message message = {
        .kind = FRAME_WRITE_OUTCOME,
        .session = favour->session,
        .number = favour->number,
        .outcome = *outcome,
    };
    if (link != NULL) {
        struct bytes *frame = forward_encode(&message);
        (void)link->ops->send(link, favour->from, frame); /* lost: its deadline */
        bytes_unref(frame);
    }
}

static void forward_beat(struct clock_task *task)
{
    struct node *node = task->owner;
    if (node->phase == NODE_PHASE_MEMBER) {
        engine_beat(node->engine);
    }
}

static void forward_decided(void *owner, const struct outcome *outcome)
{
    struct favour *favour = owner;
    struct node *node = favour->node;
    static const struct outcome unknown = {.code = ERR_OUTCOME_UNKNOWN,
                                           .why = "the state of the leader differs"};
    bool wrong = outcome->code == 0 && node->digests.differs;
    forward_tell(favour, wrong ? &unknown : outcome);
    mem_free(favour);
    if (outcome->code == 0 && node->phase == NODE_PHASE_MEMBER) {
        clock_defer(node->options.clock, &node->forward.beat);
    }
}

/* Through the door as if the client were here; 0: it is on its way. */
static int forward_propose(struct node *node, const struct forward_message *message,
                           struct favour *favour, struct err *err)
{
    struct cursor cursor;
    struct command command;
    cursor_init(&cursor, message->command, message->command_len);
    int rv = batch_next(&cursor, &command, err);
    if (rv == 0 && !cursor_done(&cursor)) {
        rv = err_set(err, ERR_INVALID, "more than one command was handed on");
    }
    if (rv == 0) {
        rv = node_room(node, command.type, err);
    }
    return rv == 0 ? propose_submit_here(node->propose, &command, forward_decided,
                                         favour, err)
                   : rv;
}

static void forward_asked(struct node *node, uint64_t from,
                          const struct forward_message *message)
{
    struct acquaintance *sender = acquaintances_find(&node->others, from);
    if (sender == NULL || sender->session != message->session ||
        (message->number <= sender->forwarded && !PLANTED(FORWARD_TWICE))) {
        return; /* of a start that is over, or for the second time */
    }
    sender->forwarded = message->number;
    struct favour *favour = mem_alloc(sizeof *favour);
    *favour = (struct favour){node, from, message->session, message->number};
    struct err err;
    int rv = forward_propose(node, message, favour, &err);
    if (rv != 0) {
        struct outcome refused = {.code = rv, .why = err.text};
        forward_tell(favour, &refused);
        mem_free(favour);
    }
}

int forward_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                  struct err *err)
{
    struct forward_message message;
    int rv = forward_decode(&message, data, len, err);
    if (rv != 0) {
        return rv;
    }
    if (message.kind == FRAME_WRITE) {
        forward_asked(node, from, &message);
    } else {
        forward_told(node, from, &message);
    }
    return 0;
}

/* --- start and stop ----------------------------------------------------------------
 */

void forward_start(struct node *node)
{
    node->forward = (struct forward){
        .timer = {.fire = forward_late, .owner = node},
        .beat = {.run = forward_beat, .owner = node},
    };
    node->forward.last = &node->forward.errands;
}

void forward_stop(struct node *node)
{
    forward_lose(node, errand_any, 0, 0);
    clock_defer_cancel(node->options.clock, &node->forward.beat);
}
