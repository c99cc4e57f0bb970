/* SPDX-License-Identifier: Apache-2.0 */
/* Confirmed read index: how a node learns "everything acknowledged until now is at or
 * below index i" without writing to disk.
 *
 *             leads and settled                a majority says "it is still mine"
 *   IDLE ──────────waiter──────────▶ ASKING ──────────────────────────────▶ IDLE
 *    │ ▲                               └─ leads no more, a newer term, too late ─▲
 *    │ └────── its index; its no, too late (error to all) ───────┐
 *    └──waiter, another leads──▶ WANTING ────────────────────────┘
 *
 * Happy path of a leader: its own term's first entry applied, it notes its commit index
 * and asks every voter for its term. A voter gives its vote for a term only once that
 * term is durable, and what it answers here is never below a durable one. So one that
 * answers our term has not voted for a newer leader before it answered, crashes
 * included; a majority of such voters rules out that one was elected before they were
 * asked, and with it any write we do not know of. The answer binds nobody to anything
 * later, so nothing is written for it.
 *
 * Another node sends one question for all who wait there, is told the index and waits
 * until it is applied.
 *
 * Who comes while a question is out joins the *next* one: the one that is out was asked
 * before, so its answers prove nothing for them. For the same reason every round and
 * every question has a number that is not used again (rounds: in one term, which has
 * one leader's one life; questions: with the session of this start).
 *
 * Failure modes: leadership lost, or a voter with a newer term → ERR_NOT_LEADER, at
 * once; no majority within one election timeout → ERR_UNAVAILABLE. Only voters count,
 * the leader itself only if it is one; a configuration appended while a round is out
 * voids it and asks anew. A lost frame is sent again with the next beat; one that comes
 * twice or late changes nothing. */
#include "raft/read_index.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/plant.h"

static const char read_gone[] = "this node takes no part in a cluster";

/* --- queues ------------------------------------------------------------------------
 */

static void queue_init(struct read_queue *queue)
{
    *queue = (struct read_queue){.last = &queue->first};
}

static void queue_put(struct read_queue *queue, struct read_waiter *waiter)
{
    waiter->next = NULL;
    *queue->last = waiter;
    queue->last = &waiter->next;
}

static struct read_waiter *queue_take(struct read_queue *queue)
{
    struct read_waiter *waiter = queue->first;
    if (waiter != NULL) {
        queue->first = waiter->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    return waiter;
}

/* All of `from` behind what is in `to`; `from` is empty then. */
static void queue_move(struct read_queue *to, struct read_queue *from)
{
    if (from->first != NULL) {
        *to->last = from->first;
        to->last = from->last;
        queue_init(from);
    }
}

/* False: it is not in there. */
static bool queue_drop(struct read_queue *queue, struct read_waiter *waiter)
{
    struct read_waiter **at = &queue->first;
    while (*at != NULL && *at != waiter) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return false;
    }
    *at = waiter->next;
    if (*at == NULL) {
        queue->last = at;
    }
    return true;
}

/* --- saying it ---------------------------------------------------------------------
 */

static uint64_t read_now(const struct read_index *reads)
{
    return clock_now_ms(reads->options.clock);
}

static void read_view(const struct read_index *reads, struct read_view *view)
{
    reads->options.hooks->view(reads->options.owner, view);
}

static void read_send(struct read_index *reads, uint64_t to,
                      const struct read_message *message)
{
    struct bytes *frame = read_encode(message);
    reads->options.hooks->send(reads->options.owner, to, frame);
    bytes_unref(frame);
}

static void read_tell(struct read_index *reads, const struct read_remote *remote,
                      enum read_word word, uint64_t index)
{
    struct read_message message = {
        .kind = FRAME_READ_INDEX,
        .session = remote->session,
        .serial = remote->serial,
        .word = word,
        .index = index,
    };
    read_send(reads, remote->from, &message);
}

/* To those that have not said yes, again and again until the round ends. */
static void read_send_round(struct read_index *reads)
{
    const struct read_round *round = &reads->round;
    struct read_message message = {
        .kind = FRAME_READ_ASK, .term = round->term, .round = round->number};
    for (size_t i = 0; i < round->voter_count; i++) {
        if (!round->voters[i].yes && round->voters[i].id != reads->options.id) {
            read_send(reads, round->voters[i].id, &message);
        }
    }
}

static void read_send_want(struct read_index *reads)
{
    struct read_message message = {.kind = FRAME_READ_WANT,
                                   .session = reads->options.session,
                                   .serial = reads->serial};
    if (reads->wanted_of != 0) {
        read_send(reads, reads->wanted_of, &message);
    }
}

/* --- the end of a wait -------------------------------------------------------------
 */

static enum read_word read_word_of(const struct err *result)
{
    return result->code == ERR_NOT_LEADER ? READ_WORD_NOT_LEADER
                                          : READ_WORD_NO_MAJORITY;
}

static void read_finish(struct read_index *reads, struct read_waiter *waiter,
                        const struct err *result)
{
    if (waiter->remote) {
        struct read_remote *remote = waiter->owner;
        remote->waiting = false;
        read_tell(reads, remote, read_word_of(result), 0);
    } else {
        reads->count -= waiter->counted;
        waiter->done(waiter, result);
    }
}

/* Those who ask again from inside come into `next`, never into what is emptied here. */
static void read_fail(struct read_index *reads, struct read_queue *queue,
                      enum err_code code, const char *text)
{
    struct err err;
    struct read_queue failed;
    queue_init(&failed);
    queue_move(&failed, queue);
    err_set(&err, code, "%s", text);
    for (struct read_waiter *waiter = NULL; (waiter = queue_take(&failed)) != NULL;) {
        read_finish(reads, waiter, &err);
    }
}

/* All who wait for the question that is out may read at `index`. */
static void read_confirm(struct read_index *reads, uint64_t index)
{
    reads->phase = READ_IDLE;
    uint64_t limit_ms =
        read_now(reads) + 2 * (uint64_t)reads->options.election_timeout_ms;
    struct read_waiter *waiter = NULL;
    while ((waiter = queue_take(&reads->asked)) != NULL) {
        if (waiter->remote) {
            struct read_remote *remote = waiter->owner;
            remote->waiting = false;
            read_tell(reads, remote, READ_WORD_INDEX, index);
        } else {
            waiter->index = index;
            waiter->limit_ms = limit_ms;
            queue_put(&reads->confirmed, waiter);
        }
    }
}

static void read_give_up(struct read_index *reads, enum err_code code, const char *text)
{
    reads->phase = READ_IDLE;
    read_fail(reads, &reads->asked, code, text);
}

/* --- the question that is out ------------------------------------------------------
 */

static void read_ask(struct read_index *reads, const struct read_view *view)
{
    struct membership members;
    reads->options.hooks->members(reads->options.owner, &members);
    reads->phase = READ_ASKING;
    reads->round.number = ++reads->rounds;
    reads->round.term = view->term;
    reads->round.index = view->commit;
    reads->round.configuration = view->configuration;
    read_round_begin(&reads->round, &members, reads->options.id);
    read_send_round(reads);
}

static void read_look_asking(struct read_index *reads, const struct read_view *view)
{
    if (!view->leads || view->term != reads->round.term) {
        read_give_up(reads, ERR_NOT_LEADER, "this node does not lead any more");
        return;
    }
    if (view->configuration != reads->round.configuration) {
        read_ask(reads, view); /* other voters: theirs is the word that counts */
    }
    switch (read_round_verdict(&reads->round)) {
    case READ_PROVED:
        read_confirm(reads, reads->round.index);
        return;
    case READ_NEWER:
        read_give_up(reads, ERR_NOT_LEADER, "a voter has heard of a newer leader");
        return;
    case READ_OPEN:
        if (read_now(reads) >= reads->limit_ms) {
            read_give_up(reads, ERR_UNAVAILABLE,
                         "no majority of the voters confirmed in time that this node "
                         "leads");
        }
        return;
    }
}

static void read_want(struct read_index *reads, uint64_t leader)
{
    reads->phase = READ_WANTING;
    reads->wanted_of = leader;
    reads->serial++;
    reads->answered = false;
    read_send_want(reads);
}

/* The leader's no ends the question; that it does not lead does not: another one is
 * heard of soon. */
static void read_look_wanting(struct read_index *reads, const struct read_view *view)
{
    if (reads->answered && reads->answer == READ_WORD_INDEX) {
        read_confirm(reads, reads->answer_index);
    } else if (reads->answered && reads->answer != READ_WORD_NOT_LEADER) {
        read_give_up(reads, ERR_UNAVAILABLE,
                     reads->answer == READ_WORD_BUSY
                         ? "the leader has too many reads to confirm"
                         : "the leader finds no majority that confirms that it leads");
    } else if (read_now(reads) >= reads->limit_ms) {
        read_give_up(reads, ERR_UNAVAILABLE, "no leader answered in time");
    } else if (view->leads) {
        queue_move(&reads->asked, &reads->next);
        queue_move(&reads->next, &reads->asked);
        reads->phase = READ_IDLE;
    } else if (view->leader != 0 && view->leader != reads->wanted_of) {
        read_want(reads, view->leader);
    }
}

static void read_look_out(struct read_index *reads, const struct read_view *view)
{
    switch (reads->phase) {
    case READ_IDLE:
        return;
    case READ_ASKING:
        read_look_asking(reads, view);
        return;
    case READ_WANTING:
        read_look_wanting(reads, view);
        return;
    }
}

/* --- who waits ---------------------------------------------------------------------
 */

/* Those who have waited for somebody to ask for too long: first in, first out. */
static void read_expire(struct read_index *reads, const struct read_view *view)
{
    struct read_queue late;
    queue_init(&late);
    while (reads->next.first != NULL &&
           reads->next.first->limit_ms <= read_now(reads)) {
        queue_put(&late, queue_take(&reads->next));
    }
    read_fail(reads, &late, ERR_UNAVAILABLE,
              view->leads
                  ? "this node leads, and has not committed an entry of its own "
                    "yet"
                  : "no leader is known");
}

static void read_look_next(struct read_index *reads, const struct read_view *view)
{
    if (reads->phase != READ_IDLE || reads->next.first == NULL) {
        return;
    }
    bool other = !view->leads && view->leader != 0;
    if (!view->settled && !other) {
        read_expire(reads, view);
        return;
    }
    queue_move(&reads->asked, &reads->next);
    reads->limit_ms = read_now(reads) + reads->options.election_timeout_ms;
    if (view->settled) {
        read_ask(reads, view);
        read_look_asking(reads, view); /* the sole voter has said yes already */
    } else {
        reads->limit_ms +=
            reads->options.election_timeout_ms; /* a round is out there */
        read_want(reads, view->leader);
    }
}

static void read_look_confirmed(struct read_index *reads, const struct read_view *view)
{
    static const struct err good = {.code = ERR_NONE};
    struct read_queue waiting;
    struct read_queue late;
    uint64_t now = read_now(reads);
    queue_init(&waiting);
    queue_init(&late);
    queue_move(&waiting, &reads->confirmed);
    for (struct read_waiter *waiter = NULL; (waiter = queue_take(&waiting)) != NULL;) {
        if (waiter->index <= view->applied) {
            read_finish(reads, waiter, &good);
        } else {
            queue_put(waiter->limit_ms <= now ? &late : &reads->confirmed, waiter);
        }
    }
    read_fail(reads, &late, ERR_UNAVAILABLE,
              "this node has not caught up with the leader in time");
}

static bool read_waits(const struct read_index *reads)
{
    return reads->phase != READ_IDLE || reads->next.first != NULL ||
           reads->confirmed.first != NULL;
}

void read_index_look(struct read_index *reads)
{
    if (!read_waits(reads)) {
        return;
    }
    struct read_view view;
    read_view(reads, &view);
    read_look_out(reads, &view);
    read_look_next(reads, &view);
    read_look_confirmed(reads, &view);
    if (!read_waits(reads)) {
        clock_timer_stop(reads->options.clock, &reads->tick);
    } else if (!clock_timer_active(&reads->tick)) {
        clock_timer_start(reads->options.clock, &reads->tick,
                          read_now(reads) + reads->options.heartbeat_ms);
    }
}

/* A frame may have been lost; and nobody may wait for ever. */
static void read_beat(struct clock_timer *timer)
{
    struct read_index *reads = timer->owner;
    if (reads->phase == READ_ASKING) {
        read_send_round(reads);
    } else if (reads->phase == READ_WANTING) {
        read_send_want(reads);
    }
    reads->options.hooks->wake(reads->options.owner);
    clock_timer_start(reads->options.clock, timer,
                      read_now(reads) + reads->options.heartbeat_ms);
}

static void read_join(struct read_index *reads, struct read_waiter *waiter)
{
    waiter->limit_ms = read_now(reads) + reads->options.election_timeout_ms;
    bool late = PLANTED(READ_LATE) && reads->phase == READ_ASKING;
    queue_put(late ? &reads->asked : &reads->next, waiter);
    reads->options.hooks->wake(reads->options.owner);
}

int read_index_ask(struct read_index *reads, struct read_waiter *waiter,
                   struct err *err)
{
    if (reads->stopped) {
        return err_set(err, ERR_UNAVAILABLE, "%s", read_gone);
    }
    if (reads->count >= LIMIT_READS) {
        return err_set(err, ERR_BUSY, "%d reads wait to be confirmed already",
                       LIMIT_READS);
    }
    reads->count++;
    waiter->remote = false;
    waiter->counted = true;
    read_join(reads, waiter);
    return 0;
}

int read_index_ask_always(struct read_index *reads, struct read_waiter *waiter,
                          struct err *err)
{
    if (reads->stopped) {
        return err_set(err, ERR_UNAVAILABLE, "%s", read_gone);
    }
    waiter->remote = false;
    waiter->counted = false;
    read_join(reads, waiter);
    return 0;
}

/* --- from other nodes --------------------------------------------------------------
 */

/* Whoever asks is told this node's term: that of a node that does not vote is not
 * counted there. */
static void read_heard_ask(struct read_index *reads, uint64_t from,
                           const struct read_message *message,
                           const struct read_view *view)
{
    struct read_message answer = {
        .kind = FRAME_READ_TERM,
        .term = message->term,
        .round = message->round,
        .own_term = view->term,
    };
    read_send(reads, from, &answer);
}

static void read_heard_term(struct read_index *reads, uint64_t from,
                            const struct read_message *message)
{
    if (reads->phase == READ_ASKING) {
        read_round_hear(&reads->round, from, message->round, message->term,
                        message->own_term);
        if (read_round_verdict(&reads->round) != READ_OPEN) {
            reads->options.hooks->wake(reads->options.owner);
        }
    }
}

/* Its place, else a free one. */
static struct read_remote *read_remote_of(struct read_index *reads, uint64_t from)
{
    struct read_remote *place = NULL;
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        struct read_remote *remote = &reads->remotes[i];
        if (remote->waiting && remote->from == from) {
            return remote;
        }
        place = place == NULL && !remote->waiting ? remote : place;
    }
    return place;
}

/* The same question again changes nothing. A later one of the same start, or one of a
 * later start, takes its place and waits behind: what is out was asked before it. One
 * that was overtaken by a later one comes to nothing, and its sender waits for none. */
static void read_heard_want(struct read_index *reads, uint64_t from,
                            const struct read_message *message,
                            const struct read_view *view)
{
    struct read_remote *remote = read_remote_of(reads, from);
    struct read_remote asked = {
        .from = from, .session = message->session, .serial = message->serial};
    if (!view->leads || remote == NULL) {
        read_tell(reads, &asked, view->leads ? READ_WORD_BUSY : READ_WORD_NOT_LEADER,
                  0);
        return;
    }
    if (remote->waiting) {
        if (remote->session == asked.session && remote->serial >= asked.serial) {
            return;
        }
        if (!queue_drop(&reads->next, &remote->waiter)) {
            (void)queue_drop(&reads->asked, &remote->waiter);
        }
    }
    *remote = asked;
    remote->waiting = true;
    remote->waiter.owner = remote;
    remote->waiter.remote = true;
    read_join(reads, &remote->waiter);
}

static void read_heard_index(struct read_index *reads, uint64_t from,
                             const struct read_message *message)
{
    if (reads->phase == READ_WANTING && from == reads->wanted_of &&
        message->session == reads->options.session &&
        message->serial == reads->serial) {
        reads->answered = true;
        reads->answer = message->word;
        reads->answer_index = message->index;
        reads->options.hooks->wake(reads->options.owner);
    }
}

int read_index_frame(struct read_index *reads, uint64_t from, const uint8_t *data,
                     size_t len, struct err *err)
{
    struct read_message message;
    struct read_view view;
    int rv = read_decode(&message, data, len, err);
    if (rv != 0) {
        return rv;
    }
    read_view(reads, &view);
    if (message.kind == FRAME_READ_ASK) {
        read_heard_ask(reads, from, &message, &view);
    } else if (message.kind == FRAME_READ_TERM) {
        read_heard_term(reads, from, &message);
    } else if (message.kind == FRAME_READ_WANT) {
        read_heard_want(reads, from, &message, &view);
    } else {
        read_heard_index(reads, from, &message);
    }
    return 0;
}

/* --- start and stop ----------------------------------------------------------------
 */

void read_index_init(struct read_index *reads, const struct read_options *options)
{
    *reads = (struct read_index){.options = *options};
    reads->tick = (struct clock_timer){.fire = read_beat, .owner = reads};
    queue_init(&reads->asked);
    queue_init(&reads->next);
    queue_init(&reads->confirmed);
}

void read_index_stop(struct read_index *reads)
{
    reads->stopped = true;
    clock_timer_stop(reads->options.clock, &reads->tick);
    reads->phase = READ_IDLE;
    read_fail(reads, &reads->asked, ERR_UNAVAILABLE, read_gone);
    read_fail(reads, &reads->next, ERR_UNAVAILABLE, read_gone);
    read_fail(reads, &reads->confirmed, ERR_UNAVAILABLE, read_gone);
}
