/* SPDX-License-Identifier: Apache-2.0 */
/* The node that asks:
 *
 *           wanted, fit               granted; refused; no answer
 *   IDLE ───────────────▶ RESTING ◀────────────────────────────── ASKING
 *    ▲                     │  └── a third of the lease has passed, ──▶ │
 *    │                     │     soon after a no, another leader       │
 *    └──── not wanted, unfit, stopped ─────────────────────────────────┘
 *
 * Happy path: it notes the boot time and asks the leader, itself if it leads. The
 * leader has a majority of the voters confirm that it leads, asked after the question
 * came (raft/read_index.h), and answers with its commit index as it answers: whatever
 * it has called lost, and released again, is at or below that. The lease ends as long
 * after the question, not the answer, as it is long: so by then as much has passed for
 * the leader, which counts from its answer, and for one that was elected after the
 * majority was asked, which counts from its election.
 *
 * Only the answer to the newest question counts. Each has a number of its own in this
 * start of the node, and is repeated with every beat until it is answered.
 *
 * The leader: what it notes of grants belongs to one leadership. A new one begins with
 * nobody held: what an older one has proposed stands before this one's first entry,
 * without which nothing is granted, or never happens.
 *
 *   FREE ──lease_hold()──▶ HELD (so often)
 *    ▲                       │
 *    └── lease_release(), ───┘ another leadership
 *
 * Failure modes: a question or an answer is lost → the question is repeated; no answer
 * for two election timeouts, or half the lease → a new one; who was asked does not
 * lead, or is not confirmed → a new one after a beat; the node starts anew → it has no
 * lease. A state that is known to be wrong ends the lease at once. */
#include "raft/lease.h"

#include <assert.h>

#include "base/mem.h"
#include "base/plant.h"
#include "registry/run.h"

static uint64_t lease_now(const struct lease *lease)
{
    return clock_now_ms(lease->options.clock);
}

static void lease_sight(const struct lease *lease, struct lease_sight *sight)
{
    lease->options.hooks->sight(lease->options.owner, sight);
}

static void lease_wake(struct lease *lease)
{
    lease->options.hooks->wake(lease->options.owner);
}

/* --- what it asks ------------------------------------------------------------------
 */

static void lease_heard_ask(struct lease *lease, uint64_t from,
                            const struct lease_message *message);

static void lease_send_ask(struct lease *lease)
{
    struct lease_message message = {
        .kind = FRAME_LEASE_ASK,
        .session = lease->options.session,
        .serial = lease->serial,
        .lease_ms = lease->asked_for,
    };
    if (lease->asked_of == lease->options.id) {
        lease_heard_ask(lease, lease->asked_of, &message);
        return;
    }
    struct bytes *frame = lease_encode(&message);
    lease->options.hooks->send(lease->options.owner, lease->asked_of, frame);
    bytes_unref(frame);
}

static void lease_ask(struct lease *lease, const struct lease_sight *sight, uint64_t of)
{
    lease->phase = LEASE_ASKING;
    lease->serial++;
    lease->asked_of = of;
    lease->asked_ms = lease_now(lease);
    lease->sent_ms = clock_boot_ms(lease->options.clock);
    lease->asked_for = sight->lease_ms;
    lease_send_ask(lease); /* may be answered by now */
}

static void lease_rest(struct lease *lease, bool refused)
{
    lease->phase = LEASE_RESTING;
    lease->refused = refused;
    lease->refused_ms = lease_now(lease);
}

/* The answer to the newest question. */
static void lease_heard_grant(struct lease *lease, uint64_t from,
                              const struct lease_message *message)
{
    if (lease->phase != LEASE_ASKING || from != lease->asked_of ||
        message->session != lease->options.session ||
        message->serial != lease->serial) {
        return;
    }
    bool granted = message->word == LEASE_WORD_GRANTED;
    lease_rest(lease, !granted);
    if (granted) {
        uint64_t from_ms = PLANTED_OR(
            LEASE_FROM_ANSWER, clock_boot_ms(lease->options.clock), lease->sent_ms);
        lease->view = (struct lease_view){
            .until_ms = from_ms + lease->asked_for,
            .index = message->index,
            .lease_ms = lease->asked_for,
        };
        lease->news = true;
    }
    lease_wake(lease);
}

/* When the next question is due; while RESTING. */
static uint64_t lease_due_ms(const struct lease *lease, const struct lease_sight *sight)
{
    if (lease->serial == 0) {
        return 0;
    }
    return lease->refused ? lease->refused_ms + lease->options.heartbeat_ms
                          : lease->asked_ms + sight->lease_ms / 3;
}

static void lease_look_asking(struct lease *lease, const struct lease_sight *sight,
                              uint64_t leader)
{
    uint64_t patience = 2 * (uint64_t)lease->options.election_timeout_ms;
    uint64_t half = lease->asked_for / 2; /* an answer would hardly be worth it */
    patience = half < patience ? half : patience;
    if (leader != 0 && leader != lease->asked_of) {
        lease_ask(lease, sight, leader);
    } else if (lease_now(lease) >= lease->asked_ms + patience) {
        lease_rest(lease, true);
    }
}

static void lease_look_resting(struct lease *lease, const struct lease_sight *sight,
                               uint64_t leader)
{
    if (leader != 0 &&
        (leader != lease->asked_of || lease_now(lease) >= lease_due_ms(lease, sight))) {
        lease_ask(lease, sight, leader);
    }
}

/* Who leads not knowing it wakes the node as it becomes known. */
static void lease_arm(struct lease *lease, const struct lease_sight *sight,
                      uint64_t leader)
{
    struct clock *clock = lease->options.clock;
    uint64_t due_ms = lease_due_ms(lease, sight);
    if (lease->phase == LEASE_ASKING) {
        if (!clock_timer_active(&lease->tick)) {
            clock_timer_start(clock, &lease->tick,
                              lease_now(lease) + lease->options.heartbeat_ms);
        }
    } else if (leader == 0 || lease->phase == LEASE_IDLE) {
        clock_timer_stop(clock, &lease->tick);
    } else if (!clock_timer_active(&lease->tick) || lease->tick.due_ms != due_ms) {
        clock_timer_start(clock, &lease->tick, due_ms);
    }
}

static void lease_beat(struct clock_timer *timer)
{
    struct lease *lease = timer->owner;
    if (lease->phase == LEASE_ASKING) {
        lease_send_ask(lease); /* it, or its answer, may have been lost */
    }
    lease_wake(lease);
}

static void lease_look_own(struct lease *lease, const struct lease_sight *sight)
{
    uint64_t leader = sight->leads ? lease->options.id : sight->leader;
    if (!sight->fit) {
        lease->view = (struct lease_view){0};
        lease->news = false;
    }
    if (!lease->wanted || !sight->fit) {
        lease->phase = LEASE_IDLE;
    } else if (lease->phase == LEASE_IDLE) {
        lease_rest(lease, lease->serial > 0);
    }
    switch (lease->phase) {
    case LEASE_IDLE:
        break;
    case LEASE_ASKING:
        lease_look_asking(lease, sight, leader);
        break;
    case LEASE_RESTING:
        lease_look_resting(lease, sight, leader);
        break;
    }
    lease_arm(lease, sight, leader);
}

void lease_want(struct lease *lease, bool wanted)
{
    if (lease->wanted != wanted && !lease->stopped) {
        lease->wanted = wanted;
        lease_wake(lease);
    }
}

/* --- what a leader notes -----------------------------------------------------------
 */

/* Another leadership: nothing that was noted in an older one counts. */
static void lease_see(struct lease *lease, const struct lease_sight *sight)
{
    if (sight->leads && sight->term != lease->term) {
        lease->term = sight->term;
        lease->since_ms = PLANTED_OR(LEASE_AT_ONCE, 0, lease_now(lease));
        lease->place_count = 0;
    }
}

static struct lease_place *lease_find(struct lease *lease, uint64_t id)
{
    for (size_t i = 0; i < lease->place_count; i++) {
        if (lease->places[i].id == id) {
            return &lease->places[i];
        }
    }
    return NULL;
}

/* None is ever given to another node: members come and go, and who is gone may have a
 * lease still. They are as many as were members in one leadership. */
static struct lease_place *lease_place(struct lease *lease, uint64_t id)
{
    struct lease_place *place = lease_find(lease, id);
    if (place != NULL) {
        return place;
    }
    if (lease->place_count == lease->place_capacity) {
        lease->place_capacity =
            lease->place_capacity > 0 ? 2 * lease->place_capacity : LIMIT_MEMBERS;
        lease->places =
            mem_realloc(lease->places, lease->place_capacity * sizeof *lease->places);
    }
    place = &lease->places[lease->place_count++];
    *place = (struct lease_place){.id = id};
    return place;
}

uint64_t lease_over_ms(uint32_t lease_ms, uint32_t grace_ms)
{
    return run_over_ms(lease_ms, grace_ms);
}

uint64_t lease_silence_ms(struct lease *lease, uint64_t id)
{
    struct lease_sight sight;
    lease_sight(lease, &sight);
    lease_see(lease, &sight);
    if (!sight.leads || lease->stopped) {
        return 0;
    }
    const struct lease_place *place = lease_find(lease, id);
    uint64_t since = place != NULL && place->answered_ms > lease->since_ms
                         ? place->answered_ms
                         : lease->since_ms;
    return lease_now(lease) - since;
}

void lease_hold(struct lease *lease, uint64_t id)
{
    struct lease_sight sight;
    lease_sight(lease, &sight);
    lease_see(lease, &sight);
    lease_place(lease, id)->holds++;
}

void lease_release(struct lease *lease, uint64_t id)
{
    struct lease_place *place = lease_find(lease, id);
    if (place != NULL && place->holds > 0) {
        place->holds--;
    }
}

/* --- what a leader answers ---------------------------------------------------------
 */

static void lease_tell(struct lease *lease, const struct lease_asker *asker,
                       enum lease_word word, uint64_t index)
{
    struct lease_message message = {
        .kind = FRAME_LEASE_GRANT,
        .session = asker->session,
        .serial = asker->serial,
        .word = word,
        .index = index,
    };
    if (asker->from == lease->options.id) {
        lease_heard_grant(lease, asker->from, &message);
        return;
    }
    struct bytes *frame = lease_encode(&message);
    lease->options.hooks->send(lease->options.owner, asker->from, frame);
    bytes_unref(frame);
}

/* GRANTED: nothing that can be seen here stands against it. */
static enum lease_word lease_judge(struct lease *lease, uint64_t id,
                                   const struct lease_sight *sight)
{
    if (!sight->leads || !sight->fit) {
        return LEASE_WORD_NOT_LEADER;
    }
    const struct lease_place *place = lease_find(lease, id);
    if (place != NULL && place->holds > 0 && !PLANTED(LEASE_WHILE_HELD)) {
        return LEASE_WORD_HELD;
    }
    return lease->options.hooks->judge(lease->options.owner, id);
}

/* It leads in the term in which a majority was asked: so it led all the while. */
static void lease_answer(struct lease *lease, struct lease_asker *asker)
{
    struct lease_sight sight;
    lease_sight(lease, &sight);
    lease_see(lease, &sight);
    enum lease_word word = lease_judge(lease, asker->from, &sight);
    if (!sight.settled || sight.term != asker->term) {
        word = LEASE_WORD_NOT_LEADER;
    }
    if (word == LEASE_WORD_GRANTED) {
        lease_place(lease, asker->from)->answered_ms = lease_now(lease);
    }
    lease_tell(lease, asker, word, word == LEASE_WORD_GRANTED ? sight.commit : 0);
}

static void lease_confirm(struct lease *lease, struct lease_asker *asker)
{
    struct lease_sight sight;
    lease_sight(lease, &sight);
    asker->term = sight.term;
    if (PLANTED(LEASE_ALONE) && sight.settled) {
        lease_answer(lease, asker);
        return;
    }
    asker->waiting = true;
    if (lease->options.hooks->confirm(lease->options.owner, &asker->waiter) != 0) {
        asker->waiting = false;
        lease_tell(lease, asker, LEASE_WORD_BUSY, 0);
    }
}

/* The majority was asked before a later question came: that proves nothing for it, and
 * nobody waits for the answer to the earlier one. */
static void lease_confirmed(struct read_waiter *waiter, const struct err *result)
{
    struct lease_asker *asker = waiter->owner;
    struct lease *lease = asker->lease;
    asker->waiting = false;
    if (lease->stopped) {
        return;
    }
    if (asker->newer) {
        asker->newer = false;
        asker->session = asker->newer_session;
        asker->serial = asker->newer_serial;
        lease_confirm(lease, asker);
    } else if (result->code != 0) {
        lease_tell(lease, asker,
                   result->code == ERR_NOT_LEADER ? LEASE_WORD_NOT_LEADER
                                                  : LEASE_WORD_NO_MAJORITY,
                   0);
    } else {
        lease_answer(lease, asker);
    }
}

/* Its place, else a free one. */
static struct lease_asker *lease_asker_of(struct lease *lease, uint64_t from)
{
    struct lease_asker *free_one = NULL;
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        struct lease_asker *asker = &lease->askers[i];
        if (asker->waiting && asker->from == from) {
            return asker;
        }
        free_one = free_one == NULL && !asker->waiting ? asker : free_one;
    }
    return free_one;
}

/* Of two questions of one start the later one; of two starts the one heard last. */
static void lease_ask_later(struct lease_asker *asker,
                            const struct lease_message *message)
{
    uint64_t session = asker->newer ? asker->newer_session : asker->session;
    uint64_t serial = asker->newer ? asker->newer_serial : asker->serial;
    if (session != message->session || serial < message->serial) {
        asker->newer = true;
        asker->newer_session = message->session;
        asker->newer_serial = message->serial;
    }
}

static void lease_heard_ask(struct lease *lease, uint64_t from,
                            const struct lease_message *message)
{
    struct lease_sight sight;
    struct lease_asker *asker = lease_asker_of(lease, from);
    struct lease_asker asked = {
        .lease = lease,
        .from = from,
        .session = message->session,
        .serial = message->serial,
        .waiter = {.done = lease_confirmed, .owner = asker},
    };
    lease_sight(lease, &sight);
    lease_see(lease, &sight);
    enum lease_word word = lease_judge(lease, from, &sight);
    if (word != LEASE_WORD_GRANTED || asker == NULL) {
        lease_tell(lease, &asked, asker == NULL ? LEASE_WORD_BUSY : word, 0);
    } else if (asker->waiting) {
        lease_ask_later(asker, message);
    } else {
        *asker = asked;
        lease_confirm(lease, asker);
    }
}

int lease_frame(struct lease *lease, uint64_t from, const uint8_t *data, size_t len,
                struct err *err)
{
    struct lease_message message;
    int rv = lease_decode(&message, data, len, err);
    if (rv != 0 || lease->stopped) {
        return rv;
    }
    if (message.kind == FRAME_LEASE_ASK) {
        lease_heard_ask(lease, from, &message);
    } else {
        lease_heard_grant(lease, from, &message);
    }
    return 0;
}

/* --- its turn, start and stop ------------------------------------------------------
 */

void lease_look(struct lease *lease)
{
    struct lease_sight sight;
    if (lease->stopped) {
        return;
    }
    lease_sight(lease, &sight);
    lease_see(lease, &sight);
    lease_look_own(lease, &sight);
    if (lease->news) {
        struct lease_view view = lease->view;
        lease->news = false;
        lease->options.hooks->renewed(lease->options.owner, &view);
    }
}

void lease_init(struct lease *lease, const struct lease_options *options)
{
    *lease = (struct lease){.options = *options};
    lease->tick = (struct clock_timer){.fire = lease_beat, .owner = lease};
}

void lease_stop(struct lease *lease)
{
    lease->stopped = true;
    lease->phase = LEASE_IDLE;
    lease->view = (struct lease_view){0};
    lease->news = false;
    clock_timer_stop(lease->options.clock, &lease->tick);
}

void lease_close(struct lease *lease)
{
    mem_free(lease->places);
    lease->places = NULL;
    lease->place_count = 0;
    lease->place_capacity = 0;
}
