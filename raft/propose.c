/* SPDX-License-Identifier: Apache-2.0 */
/* A proposal waits in the queue until the end of the turn in which it came; what waits
 * then goes as one batch. While PROPOSE_INFLIGHT batches are under way the queue grows,
 * and the next batch is larger: under load the disk sets the size of a batch.
 *
 *   CLOSED ──leads──▶ HOLDING ──own term's first entry applied──▶ OPEN
 *    ▲  │                │  ▲───────── gives the lead away ─────────┤
 *    │  │                │ and it is known who has it              │
 *    │  │                ▼                                         │
 *    │  └─ hands on ▶ RELAYING                                     │
 *    └──────────────────┴────────────── leads no more ─────────────┘
 *
 * Relaying, what waits goes to the leader one by one at the end of the turn, and counts
 * as waiting until its outcome. Whatever certainly never happened, because who was
 * asked does not lead any more or cannot be reached, is parked for a moment and then
 * waits again, for three seconds in all: so the writes of a node that hands on outlive
 * a lead that is given away, or taken over.
 *
 * No command goes into the log above the cluster's feature level. A level_set goes to
 * the head of the queue, and what comes behind it may be of its level at once: whoever
 * has an entry in its log has those before it. What is held is judged when the door
 * opens, as the level may rise until then.
 *
 * Failure modes: leadership lost → the queue is answered ERR_NOT_LEADER (nothing
 * happened), unless it was given away: then it is handed on; batches under way wait
 * until their index is applied, by this leader's entry or another's, or a lower one by
 * an entry of a newer term. A caller with a deadline answers its client before that. */
#include "raft/propose.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/plant.h"

#define PROPOSE_INFLIGHT 8
#define PROPOSE_PAUSE_MS 10 /* who leads is known by then, or again later */
/* Below LIMIT_WRITE_DEADLINE_MS: "never" is certain. */
#define PROPOSE_PATIENCE_MS 3000

struct proposal {
    struct proposal *next;
    struct propose *propose;
    propose_cb done;
    void *owner;
    uint32_t level;  /* it first exists in */
    uint32_t raises; /* a level_set: to this level; else 0 */
    size_t len;
    bool here;         /* never handed on */
    uint64_t until_ms; /* parked again and again */
    uint8_t data[];    /* the command, encoded */
};

struct proposal_list {
    struct proposal *first;
    struct proposal **last;
    size_t count;
};

/* Known by (index, term): DESIGN 7. */
struct batch {
    struct batch *next;
    bool current; /* of this leadership: counts as in flight */
    bool raises;  /* the level */
    uint64_t index;
    uint64_t term;
    struct proposal_list proposals;
};

struct propose {
    struct clock *clock;
    const struct fsm *fsm;
    struct engine *engine;
    enum propose_state state;
    struct propose_relay relay;
    bool stopped;
    uint32_t level; /* propose_level(); 0: not open yet in this leadership */
    struct proposal_list queue;
    struct proposal_list parked; /* goes into the queue again when the timer fires */
    struct clock_timer again;
    /* Submitted, in that order. Batches of an earlier leadership may still wait while
     * this one's newest entries go to the same places: indexes are neither sorted nor
     * unique. */
    struct batch *batches;
    struct batch **last_batch;
    size_t inflight; /* batches of this leadership */
    size_t waiting;  /* proposals in queue and batches, parked, and handed on */
    size_t waiting_bytes;
    uint64_t clock_base_ms; /* replicated clock when the state became OPEN */
    uint64_t clock_base_at; /* monotonic, at that moment */
    struct buf scratch;
    struct clock_task flush;
};

static void list_init(struct proposal_list *list)
{
    *list = (struct proposal_list){0};
    list->last = &list->first;
}

static void list_push(struct proposal_list *list, struct proposal *proposal)
{
    proposal->next = NULL;
    *list->last = proposal;
    list->last = &proposal->next;
    list->count++;
}

static void list_push_first(struct proposal_list *list, struct proposal *proposal)
{
    proposal->next = list->first;
    list->first = proposal;
    if (proposal->next == NULL) {
        list->last = &proposal->next;
    }
    list->count++;
}

static struct proposal *list_pop(struct proposal_list *list)
{
    struct proposal *proposal = list->first;
    if (proposal != NULL) {
        list->first = proposal->next;
        list->count--;
        if (list->first == NULL) {
            list->last = &list->first;
        }
    }
    return proposal;
}

/* The last word on a proposal: its slot is free before the owner hears of it, who may
 * submit again at once. */
static void proposal_decide(struct propose *propose, struct proposal *proposal,
                            const struct outcome *outcome)
{
    propose->waiting--;
    propose->waiting_bytes -= proposal->len;
    proposal->done(proposal->owner, outcome);
    mem_free(proposal);
}

static void list_decide(struct propose *propose, struct proposal_list *list, int code)
{
    struct outcome outcome = {.code = code};
    struct proposal *proposal = NULL;
    while ((proposal = list_pop(list)) != NULL) {
        proposal_decide(propose, proposal, &outcome);
    }
}

/* --- building and submitting --------------------------------------------------------
 */

uint64_t propose_clock_ms(const struct propose *propose)
{
    if (propose->state != PROPOSE_OPEN) { /* it stands: nobody leads, or not yet */
        return registry_clock_ms(fsm_registry(propose->fsm));
    }
    return PLANTED_OR(WALL_CLOCK_EXPIRES, clock_wall_ms(propose->clock),
                      propose->clock_base_ms + clock_now_ms(propose->clock) -
                          propose->clock_base_at);
}

/* What goes into the log is decoded once before: an entry that cannot be decoded would
 * stop every node. */
static void batch_check(const struct buf *buf)
{
    struct cursor cursor;
    struct batch_header header;
    struct command command;
    struct err err;
    cursor_init(&cursor, buf->data, buf->len);
    int rv = batch_open(&cursor, &header, &err);
    for (uint32_t i = 0; rv == 0 && i < header.count; i++) {
        rv = batch_next(&cursor, &command, &err);
    }
    assert(rv == 0 && batch_end(&cursor, &err) == 0);
}

/* Move what fits from the queue into a new batch; its bytes are in propose->scratch. */
static struct batch *batch_build(struct propose *propose)
{
    struct batch_header header = {
        .wall_ms = clock_wall_ms(propose->clock),
        .clock_ms = propose_clock_ms(propose),
    };
    uint64_t chance[2] = {clock_random(propose->clock), clock_random(propose->clock)};
    memcpy(header.chance, chance, sizeof header.chance);
    struct batch *batch = mem_zalloc(sizeof *batch);
    list_init(&batch->proposals);
    buf_clear(&propose->scratch);
    batch_begin(&propose->scratch, &header);
    while (propose->queue.first != NULL &&
           batch->proposals.count < LIMIT_BATCH_COMMANDS &&
           (batch->proposals.count == 0 ||
            propose->scratch.len + propose->queue.first->len <= LIMIT_BATCH_BYTES)) {
        struct proposal *proposal = list_pop(&propose->queue);
        buf_put(&propose->scratch, proposal->data, proposal->len);
        list_push(&batch->proposals, proposal);
        batch->raises |= proposal->raises > 0;
    }
    batch_set_count(&propose->scratch, (uint32_t)batch->proposals.count);
    batch_check(&propose->scratch);
    return batch;
}

/* The queue as it is now: what a decided owner submits again waits for the next turn.
 */
static void propose_refuse_queue(struct propose *propose)
{
    struct proposal_list queue = propose->queue;
    if (queue.first == NULL) {
        return;
    }
    list_init(&propose->queue);
    list_decide(propose, &queue, ERR_NOT_LEADER);
}

/* It never happened, nor does what relied on the level it would have raised. */
static void batch_refused(struct propose *propose, struct batch *batch)
{
    bool raised = batch->raises;
    list_decide(propose, &batch->proposals, ERR_NOT_LEADER);
    mem_free(batch);
    if (raised) {
        propose->level = registry_level(fsm_registry(propose->fsm));
        propose_refuse_queue(propose);
    }
}

static void batch_submit(struct propose *propose)
{
    struct batch *batch = batch_build(propose);
    struct bytes *payload = bytes_new(propose->scratch.data, propose->scratch.len);
    int rv = engine_submit(propose->engine, ENTRY_COMMAND, payload, &batch->index,
                           &batch->term, NULL);
    bytes_unref(payload);
    if (rv != 0) {
        batch_refused(propose, batch);
        return;
    }
    *propose->last_batch = batch;
    propose->last_batch = &batch->next;
    batch->current = true;
    propose->inflight++;
}

/* It never happened, for certain: it waits again, if it has not done so for too long.
 */
static void propose_park(struct propose *propose, struct proposal *proposal)
{
    static const struct outcome never = {.code = ERR_NOT_LEADER};
    uint64_t now = clock_now_ms(propose->clock);
    if (proposal->here || propose->state == PROPOSE_CLOSED ||
        now >= proposal->until_ms) {
        proposal_decide(propose, proposal, &never);
        return;
    }
    list_push(&propose->parked, proposal);
    if (!clock_timer_active(&propose->again)) {
        clock_timer_start(propose->clock, &propose->again, now + PROPOSE_PAUSE_MS);
    }
}

static void relay_decided(void *owner, const struct outcome *outcome)
{
    struct proposal *proposal = owner;
    if (outcome->code == ERR_NOT_LEADER) {
        propose_park(proposal->propose, proposal);
    } else {
        proposal_decide(proposal->propose, proposal, outcome);
    }
}

static void propose_relay_queue(struct propose *propose)
{
    struct proposal *proposal = NULL;
    while ((proposal = list_pop(&propose->queue)) != NULL) {
        if (proposal->here ||
            propose->relay.hand(propose->relay.owner, proposal->data, proposal->len,
                                relay_decided, proposal) != 0) {
            propose_park(propose, proposal);
        }
    }
}

static void propose_flush(struct clock_task *task)
{
    struct propose *propose = task->owner;
    if (propose->state == PROPOSE_RELAYING) {
        propose_relay_queue(propose);
        return;
    }
    while (propose->state == PROPOSE_OPEN && propose->queue.first != NULL &&
           propose->inflight < PROPOSE_INFLIGHT) {
        batch_submit(propose);
    }
}

/* --- door 1 --------------------------------------------------------------------------
 */

/* Held commands are judged when the door opens. */
static int propose_check_level(const struct propose *propose,
                               const struct command *command, struct err *err)
{
    uint32_t needed = command_needs(command);
    uint32_t level =
        propose->state == PROPOSE_OPEN ? propose->level : fsm_known_level(propose->fsm);
    return needed <= level
               ? 0
               : err_set(err, ERR_LEVEL,
                         "this needs feature level %u; the cluster is at %u", needed,
                         registry_level(fsm_registry(propose->fsm)));
}

static void propose_queue(struct propose *propose, struct proposal *proposal)
{
    if (proposal->raises == 0) {
        list_push(&propose->queue, proposal);
    } else {
        list_push_first(&propose->queue, proposal);
        if (propose->state == PROPOSE_OPEN && proposal->raises > propose->level) {
            propose->level = proposal->raises;
        }
    }
    propose->waiting++;
    propose->waiting_bytes += proposal->len;
    clock_defer(propose->clock, &propose->flush);
}

static int propose_check(const struct propose *propose, bool here, struct err *err)
{
    if (propose->stopped) {
        return err_set(err, ERR_UNAVAILABLE, "this node is stopping");
    }
    if (propose->state == PROPOSE_CLOSED ||
        (here && propose->state == PROPOSE_RELAYING)) {
        return err_set(err, ERR_NOT_LEADER, "this node does not lead");
    }
    if (propose->waiting >= LIMIT_PROPOSALS ||
        propose->waiting_bytes >= LIMIT_PROPOSAL_BYTES) {
        return err_set(err, ERR_BUSY, "%zu writes (%zu bytes) wait already",
                       propose->waiting, propose->waiting_bytes);
    }
    return 0;
}

static int propose_enqueue(struct propose *propose, const struct command *command,
                           const struct proposal *kind, struct err *err)
{
    int rv = propose_check(propose, kind->here, err);
    if (rv != 0) {
        return rv;
    }
    buf_clear(&propose->scratch);
    rv = propose_check_level(propose, command, err);
    if (rv == 0) {
        rv = command_encode(&propose->scratch, command, COMMAND_LEVEL, err);
    }
    if (rv != 0) {
        return rv;
    }
    struct proposal *proposal = mem_alloc(sizeof *proposal + propose->scratch.len);
    *proposal = *kind;
    proposal->propose = propose;
    proposal->until_ms = clock_now_ms(propose->clock) + PROPOSE_PATIENCE_MS;
    proposal->level = command_needs(command);
    proposal->raises =
        command->type == COMMAND_LEVEL_SET ? command->level_set.level : 0;
    proposal->len = propose->scratch.len;
    memcpy(proposal->data, propose->scratch.data, proposal->len);
    propose_queue(propose, proposal);
    return 0;
}

uint32_t propose_level(const struct propose *propose)
{
    return propose->level;
}

int propose_submit(struct propose *propose, const struct command *command,
                   propose_cb done, void *owner, struct err *err)
{
    struct proposal kind = {.done = done, .owner = owner};
    return propose_enqueue(propose, command, &kind, err);
}

int propose_submit_here(struct propose *propose, const struct command *command,
                        propose_cb done, void *owner, struct err *err)
{
    struct proposal kind = {.done = done, .owner = owner, .here = true};
    return propose_enqueue(propose, command, &kind, err);
}

bool propose_takes(const struct propose *propose)
{
    return propose->state != PROPOSE_CLOSED && !propose->stopped;
}

size_t propose_waiting(const struct propose *propose)
{
    return propose->waiting;
}

/* --- what the node tells
 * --------------------------------------------------------------- */

/* The level is that of the state, which is all there is, or one raised since. What was
 * held and is above it never happens. */
static void propose_judge_queue(struct propose *propose)
{
    struct proposal_list held = propose->queue;
    struct proposal_list refused;
    struct proposal *proposal = NULL;
    uint32_t level = registry_level(fsm_registry(propose->fsm));
    propose->level = level > propose->level ? level : propose->level;
    list_init(&propose->queue);
    list_init(&refused);
    while ((proposal = list_pop(&held)) != NULL) {
        if (proposal->raises > propose->level) {
            propose->level = proposal->raises;
        }
        bool fits = proposal->level <= propose->level;
        list_push(fits ? &propose->queue : &refused, proposal);
    }
    list_decide(propose, &refused, ERR_LEVEL);
}

/* What is parked waits as if it had just come. */
static void propose_unpark(struct propose *propose)
{
    struct proposal *proposal = NULL;
    clock_timer_stop(propose->clock, &propose->again);
    while ((proposal = list_pop(&propose->parked)) != NULL) {
        list_push(&propose->queue, proposal);
    }
}

static void propose_again(struct clock_timer *timer)
{
    struct propose *propose = timer->owner;
    propose_unpark(propose);
    if (propose->state == PROPOSE_OPEN) {
        propose_judge_queue(propose);
    }
    clock_defer(propose->clock, &propose->flush);
}

struct propose *propose_new(struct clock *clock, const struct fsm *fsm)
{
    struct propose *propose = mem_zalloc(sizeof *propose);
    propose->clock = clock;
    propose->fsm = fsm;
    list_init(&propose->queue);
    list_init(&propose->parked);
    propose->again = (struct clock_timer){.fire = propose_again, .owner = propose};
    propose->last_batch = &propose->batches;
    buf_init(&propose->scratch);
    propose->flush.owner = propose;
    propose->flush.run = propose_flush;
    return propose;
}

void propose_free(struct propose *propose)
{
    assert(propose->waiting == 0);
    clock_defer_cancel(propose->clock, &propose->flush);
    buf_close(&propose->scratch);
    mem_free(propose);
}

/* What a leader proposes by itself holds for its own term only. */
static void propose_refuse_here(struct propose *propose)
{
    struct proposal_list held = propose->queue;
    struct proposal_list refused;
    struct proposal *proposal = NULL;
    if (held.first == NULL) {
        return;
    }
    list_init(&propose->queue);
    list_init(&refused);
    while ((proposal = list_pop(&held)) != NULL) {
        list_push(proposal->here ? &refused : &propose->queue, proposal);
    }
    list_decide(propose, &refused, ERR_NOT_LEADER);
}

void propose_deposed(struct propose *propose)
{
    for (struct batch *batch = propose->batches; batch != NULL; batch = batch->next) {
        batch->current = false;
    }
    propose->inflight = 0;
    propose->level = 0;
    propose_refuse_here(propose);
}

void propose_set_relay(struct propose *propose, const struct propose_relay *relay)
{
    propose->relay = *relay;
}

void propose_set_state(struct propose *propose, enum propose_state state,
                       struct engine *engine)
{
    if (propose->stopped || state == propose->state) {
        return;
    }
    propose->state = state;
    propose->engine = engine;
    propose_unpark(propose);
    if (state == PROPOSE_OPEN) {
        propose->clock_base_ms = registry_clock_ms(fsm_registry(propose->fsm));
        propose->clock_base_at = clock_now_ms(propose->clock);
        clock_defer(propose->clock, &propose->flush);
        propose_judge_queue(propose);
    }
    if (state == PROPOSE_RELAYING) {
        clock_defer(propose->clock, &propose->flush);
    }
    if (state == PROPOSE_CLOSED) {
        propose_deposed(propose);
        propose_refuse_queue(propose);
    }
}

/* Take a batch off the list; `at` is the link that points to it. */
static struct batch *propose_unlink(struct propose *propose, struct batch **at)
{
    struct batch *batch = *at;
    *at = batch->next;
    if (*at == NULL) {
        propose->last_batch = at;
    }
    propose->inflight -= batch->current;
    return batch;
}

static void batch_decide(struct propose *propose, struct batch *batch, bool ours,
                         const struct result *results)
{
    struct proposal *proposal = NULL;
    for (size_t at = 0; (proposal = list_pop(&batch->proposals)) != NULL; at++) {
        struct outcome outcome = {.code = ERR_NOT_LEADER};
        if (ours) {
            bool first = at == 0 && batch->proposals.first != NULL;
            size_t told = PLANTED(CROSSED_ANSWERS) && first ? 1 : at;
            outcome = (struct outcome){.result = results[told], .index = batch->index};
        }
        proposal_decide(propose, proposal, &outcome);
    }
    mem_free(batch);
}

void propose_applied(struct propose *propose, uint64_t index, uint64_t term,
                     const struct result *results, size_t count)
{
    struct batch **at = &propose->batches;
    while (*at != NULL) {
        /* terms never fall along the log: behind an entry of a newer term there is none
         * of an older one, so what waits there waits in vain */
        bool in_vain = (*at)->index > index && (*at)->term < term;
        if ((*at)->index != index && !in_vain) {
            at = &(*at)->next;
            continue;
        }
        struct batch *batch = propose_unlink(propose, at);
        bool ours =
            batch->index == index && (batch->term == term || PLANTED(ANY_TERM_IS_OURS));
        if (PLANTED(FALSE_NEVER) && !batch->current) {
            ours = false;
        }
        assert(!ours || count == batch->proposals.count);
        batch_decide(propose, batch, ours, results);
    }
    if (propose->state == PROPOSE_OPEN && propose->queue.first != NULL) {
        clock_defer(propose->clock, &propose->flush);
    }
}

void propose_covered(struct propose *propose, uint64_t index)
{
    struct batch **at = &propose->batches;
    while (*at != NULL) {
        if ((*at)->index > index) {
            at = &(*at)->next;
            continue;
        }
        struct batch *batch = propose_unlink(propose, at);
        list_decide(propose, &batch->proposals,
                    PLANTED_OR(COVERED_NEVER, ERR_NOT_LEADER, ERR_OUTCOME_UNKNOWN));
        mem_free(batch);
    }
}

void propose_stop(struct propose *propose)
{
    propose->stopped = true;
    propose->state = PROPOSE_CLOSED;
    propose_unpark(propose);
    propose_refuse_queue(propose);
    while (propose->batches != NULL) {
        struct batch *batch = propose_unlink(propose, &propose->batches);
        list_decide(propose, &batch->proposals,
                    PLANTED_OR(STOPPED_NEVER, ERR_NOT_LEADER, ERR_OUTCOME_UNKNOWN));
        mem_free(batch);
    }
}
