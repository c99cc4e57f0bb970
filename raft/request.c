/* SPDX-License-Identifier: Apache-2.0 */
/* A question to another node:
 *
 *   ASKED ──its answer──▶ told ──▶ gone
 *     └─ link lost, that node started anew, deadline, our stop ──▶ ERR_UNAVAILABLE
 *
 * An answer counts only from who was asked, in the session that asked. One that comes
 * later than the deadline finds nobody and is dropped. */
#include "raft/request.h"

#include <string.h>

#include "base/mem.h"
#include "raft/node_inside.h"
#include "raft/request_wire.h"

struct ask {
    struct ask *next;
    uint64_t number;
    uint64_t to;      /* the node that was asked ... */
    uint64_t session; /* ... as which start of it */
    uint64_t due_ms;
    request_cb done;
    void *owner;
};

/* --- asking ------------------------------------------------------------------------
 */

static void request_arm(struct node *node)
{
    struct requests *requests = &node->requests;
    if (requests->asks == NULL) {
        clock_timer_stop(node->options.clock, &requests->timer);
    } else if (!clock_timer_active(&requests->timer)) {
        clock_timer_start(node->options.clock, &requests->timer,
                          requests->asks->due_ms);
    }
}

/* Take the one that `at` points to off the list. */
static struct ask *ask_take(struct node *node, struct ask **at)
{
    struct ask *ask = *at;
    *at = ask->next;
    if (*at == NULL) {
        node->requests.last = at;
    }
    return ask;
}

static void ask_fail(struct ask *ask, const char *why)
{
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "%s", why);
    ask->done(ask->owner, &err, NULL, 0);
    mem_free(ask);
}

/* Those that `lost` names are taken off first: who is told may ask anew. */
static void request_lose(struct node *node,
                         bool (*lost)(const struct ask *ask, uint64_t a, uint64_t b),
                         uint64_t a, uint64_t b, const char *why)
{
    struct ask *gone = NULL;
    struct ask **end = &gone;
    struct ask **at = &node->requests.asks;
    while (*at != NULL) {
        if (lost(*at, a, b)) {
            *end = ask_take(node, at);
            end = &(*end)->next;
            *end = NULL;
        } else {
            at = &(*at)->next;
        }
    }
    request_arm(node);
    while (gone != NULL) {
        struct ask *ask = gone;
        gone = ask->next;
        ask_fail(ask, why);
    }
}

static bool ask_any(const struct ask *ask, uint64_t a, uint64_t b)
{
    (void)ask;
    (void)a;
    (void)b;
    return true;
}

static bool ask_late(const struct ask *ask, uint64_t now_ms, uint64_t unused)
{
    (void)unused;
    return ask->due_ms <= now_ms;
}

static bool ask_of_another_session(const struct ask *ask, uint64_t id, uint64_t session)
{
    return ask->to == id && ask->session != session;
}

static void request_late(struct clock_timer *timer)
{
    struct node *node = timer->owner;
    request_lose(node, ask_late, node_now(node), 0, "it does not answer");
}

void request_met(struct node *node, uint64_t id, uint64_t session)
{
    request_lose(node, ask_of_another_session, id, session, "the link to it was lost");
}

int node_ask(struct node *node, uint64_t peer, enum request_kind kind,
             const void *question, size_t len, request_cb done, void *owner,
             struct err *err)
{
    struct requests *requests = &node->requests;
    struct link *link = node->options.link;
    const struct acquaintance *other = acquaintances_find(&node->others, peer);
    struct request_message message = {
        .kind = FRAME_REQUEST,
        .session = node->session,
        .number = requests->number + 1,
        .about = (uint16_t)kind,
        .data = question,
        .len = len,
    };
    if (other == NULL || link == NULL || node->phase != NODE_PHASE_MEMBER) {
        return err_set(err, ERR_UNAVAILABLE, "there is no link to it");
    }
    struct bytes *frame = request_encode(&message);
    bool sent = link->ops->send(link, peer, frame);
    bytes_unref(frame);
    if (!sent) {
        return err_set(err, ERR_UNAVAILABLE, "there is no link to it");
    }
    struct ask *ask = mem_alloc(sizeof *ask);
    *ask = (struct ask){
        .number = ++requests->number,
        .to = peer,
        .session = other->session,
        .due_ms = node_now(node) + REQUEST_DEADLINE_MS,
        .done = done,
        .owner = owner,
    };
    *requests->last = ask;
    requests->last = &ask->next;
    request_arm(node);
    return 0;
}

static void request_told(struct node *node, uint64_t from,
                         const struct request_message *message)
{
    struct ask **at = &node->requests.asks;
    if (message->session != node->session) {
        return; /* asked by an earlier start */
    }
    while (*at != NULL && ((*at)->number != message->number || (*at)->to != from)) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return; /* too late */
    }
    struct ask *ask = ask_take(node, at);
    struct err err = {.code = ERR_NONE};
    request_arm(node);
    if (message->code != 0) {
        err_set(&err, (enum err_code)message->code, "%.*s", (int)message->len,
                (const char *)message->data);
    }
    ask->done(ask->owner, &err, message->code == 0 ? message->data : NULL,
              message->code == 0 ? message->len : 0);
    mem_free(ask);
}

/* --- being asked -------------------------------------------------------------------
 */

void node_answers(struct node *node, enum request_kind kind,
                  const struct request_handler *handler)
{
    node->requests.handlers[kind] = handler;
}

void node_answer(struct node *node, const struct request_asker *asker,
                 enum err_code code, const void *data, size_t len)
{
    struct link *link = node->options.link;
    struct request_message message = {
        .kind = FRAME_ANSWER,
        .session = asker->session,
        .number = asker->number,
        .code = code,
        .data = data,
        .len = len,
    };
    if (link == NULL || node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    struct bytes *frame = request_encode(&message);
    (void)link->ops->send(link, asker->node, frame); /* lost: its deadline */
    bytes_unref(frame);
}

static void request_asked(struct node *node, uint64_t from,
                          const struct request_message *message)
{
    static const char nobody[] = "nobody there knows";
    struct request_asker asker = {from, message->session, message->number};
    const struct request_handler *handler =
        message->about < REQUEST_KINDS ? node->requests.handlers[message->about] : NULL;
    if (handler != NULL) {
        handler->asked(handler->owner, &asker, message->data, message->len);
    } else {
        node_answer(node, &asker, ERR_UNAVAILABLE, nobody, sizeof nobody - 1);
    }
}

int request_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                  struct err *err)
{
    struct request_message message;
    int rv = request_decode(&message, data, len, err);
    if (rv != 0) {
        return rv;
    }
    if (message.kind == FRAME_REQUEST) {
        request_asked(node, from, &message);
    } else {
        request_told(node, from, &message);
    }
    return 0;
}

/* --- start and stop ----------------------------------------------------------------
 */

void request_start(struct node *node)
{
    node->requests = (struct requests){
        .timer = {.fire = request_late, .owner = node},
    };
    node->requests.last = &node->requests.asks;
}

void request_stop(struct node *node)
{
    request_lose(node, ask_any, 0, 0, "this node stops");
}
