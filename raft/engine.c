/* SPDX-License-Identifier: Apache-2.0 */
/* One event goes into libraft's engine, and what it answers is carried out in this
 * order:
 *
 *   1. term, vote   to disk; until they are durable raft/outbox.c holds what follows
 *   2. entries      into the log in memory, and to the store
 *   3. messages     encoded at once (the engine's array dies with its next step), sent
 *   4. commit       each membership up to it told to the engine at once, then applied
 * by the owner in its own turn
 *
 *   START ──sole voter: a new term first──▶ RUNNING ──sole voter's timer──▶ RENEWING
 *                                              ▲──────── new term durable ─────┘
 *
 * Failure modes: an engine error ends the node (hooks.failed). A lost frame is legal at
 * any time. A disk that is slow holds the gate, never the loop. */
#include "raft/engine.h"

#include <raft.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/engine_inside.h"
#include "raft/heap.h"
#include "raft/message.h"
#include "raft/rules.h"

#define ENGINE_INFLIGHT_ENTRIES 256            /* a peer; rule 16 */
#define ENGINE_FRAME_BYTES      (1024u * 1024) /* and no more than one entry beyond */

static_assert((int)ENTRY_COMMAND == (int)RAFT_COMMAND, "entry types are libraft's");
static_assert((int)ENTRY_BARRIER == (int)RAFT_BARRIER, "entry types are libraft's");
static_assert((int)ENTRY_CONFIGURATION == (int)RAFT_CHANGE,
              "entry types are libraft's");

static void engine_arm(struct engine *engine);
static void engine_boot(struct engine *engine);
static void engine_timeout(struct engine *engine);

uint64_t engine_now(const struct engine *engine)
{
    return clock_now_ms(engine->options.clock);
}

static void engine_fail(struct engine *engine, const char *what, int code)
{
    struct err err;
    err_set(&err, ERR_INTERNAL, "raft engine: %s: %s (%s)", what, raft_strerror(code),
            engine->raft.errmsg);
    engine->phase = ENGINE_STOPPED;
    clock_timer_stop(engine->options.clock, &engine->timer);
    engine->options.hooks.failed(engine->options.owner, &err);
}

/* --- one step: carry an update out
 * ------------------------------------------------------ */

static void engine_take_entries(struct engine *engine, const struct raft_update *update,
                                const struct engine_input *input)
{
    uint64_t first = update->entries.index;
    if (first <= entry_log_last(&engine->log)) {
        assert(first > engine->commit);
        entry_log_truncate(&engine->log, first);
        if (engine->stored >= first) {
            engine->stored = first - 1;
        }
    }
    assert(first == entry_log_last(&engine->log) + 1);

    for (unsigned i = 0; i < update->entries.n; i++) {
        const struct raft_entry *raft = &update->entries.batch[i];
        struct entry entry = {.term = raft->term, .type = (enum entry_type)raft->type};
        if (input->source != NULL) {
            entry.data = bytes_ref(input->source[first + i - input->source_first].data);
        } else {
            entry.data = bytes_new(raft->buf.base, raft->buf.len);
        }
        entry_log_append(&engine->log, &entry);
    }
    if (input->source == NULL) { /* the engine's own barrier */
        assert(update->entries.n == 1 && update->entries.batch[0].type == RAFT_BARRIER);
        raft_free(update->entries.batch[0].batch);
    }
    outbox_append(&engine->outbox, first, engine->commit);
    if (input->event.type == RAFT_SUBMIT &&
        update->entries.batch[0].type == RAFT_CHANGE && rule_on(RULE_CHANGE_ALONE)) {
        outbox_barrier(&engine->outbox);
    }
}

static uint32_t engine_contact_age_capped(const struct engine *engine)
{
    uint64_t age = engine_contact_age_ms(engine);
    return age < MESSAGE_CONTACT_UNKNOWN ? (uint32_t)age : MESSAGE_CONTACT_UNKNOWN;
}

/* An append goes in parts, each complete by itself: 256 entries may be more than a
 * frame can hold. It ends with the first part that is dropped, for nothing behind a gap
 * is taken: a peer that is away or slow must not cost the copying of all it lacks, with
 * every beat. */
static void engine_send_append(struct engine *engine,
                               const struct raft_message *message)
{
    struct raft_message part = *message;
    struct raft_append_entries *append = &part.append_entries;
    unsigned left = append->n_entries;
    do {
        size_t bytes = 0;
        unsigned count = 0;
        while (count < left && bytes < ENGINE_FRAME_BYTES) {
            count++;
            bytes +=
                entry_log_get(&engine->log, append->prev_log_index + count)->data->len;
        }
        append->n_entries = count;
        struct bytes *frame =
            message_encode(&part, 0, engine_contact_age_capped(engine), &engine->log);
        bool sent = outbox_send(&engine->outbox, part.server_id, frame);
        bytes_unref(frame);
        left = sent ? left - count : 0;
        if (left > 0) {
            append->prev_log_index += count;
            append->prev_log_term =
                entry_log_get(&engine->log, append->prev_log_index)->term;
        }
    } while (left > 0);
}

static void engine_send_messages(struct engine *engine,
                                 const struct raft_update *update,
                                 uint64_t request_term)
{
    uint64_t term = request_term != 0 ? request_term : engine->outbox.term;
    for (unsigned i = 0; i < update->messages.n; i++) {
        struct raft_message message = update->messages.batch[i];
        if (message.type == RAFT_APPEND_ENTRIES) {
            engine_send_append(engine, &message);
            continue;
        }
        if (message.type == RAFT_INSTALL_SNAPSHOT) { /* its content means nothing */
            engine->options.hooks.snapshot_wanted(engine->options.owner,
                                                  message.server_id);
            continue;
        }
        rules_send(engine->outbox.term, term, &message);
        struct bytes *frame = message_encode(&message, term, 0, &engine->log);
        (void)outbox_send(&engine->outbox, message.server_id, frame);
        bytes_unref(frame);
    }
}

/* Rule 3: each membership up to the commit index, once, in order, before anything else.
 */
static void engine_feed_configurations(struct engine *engine)
{
    while (engine->phase == ENGINE_RUNNING && !engine->installing &&
           engine->configuration_fed < raft_commit_index(&engine->raft)) {
        uint64_t index = engine->configuration_fed + 1;
        const struct entry *entry = entry_log_get(&engine->log, index);
        engine->configuration_fed = index;
        if (entry == NULL || entry->type != ENTRY_CONFIGURATION ||
            !rule_on(RULE_CONFIGURATION_NOW)) {
            continue;
        }
        struct engine_input input = {.event.type = RAFT_CONFIGURATION};
        struct raft_buffer buf = {entry->data->data, entry->data->len};
        input.event.configuration.index = index;
        int code = raft_configuration_decode(&buf, &input.event.configuration.conf);
        if (code != 0) {
            engine_fail(engine, "a committed membership cannot be decoded", code);
            return;
        }
        engine_step(engine, &input);
    }
}

static enum engine_role engine_role_of(const struct engine *engine)
{
    switch ((enum raft_state)engine->raft.state) {
    case RAFT_LEADER:
        return ENGINE_LEADER;
    case RAFT_CANDIDATE:
        return ENGINE_CANDIDATE;
    case RAFT_FOLLOWER:
    case RAFT_UNAVAILABLE:
        return ENGINE_FOLLOWER;
    }
    return ENGINE_FOLLOWER;
}

/* Role and leader as they are now; true if either changed. */
static bool engine_look(struct engine *engine, bool *became_leader)
{
    enum engine_role role = engine_role_of(engine);
    raft_id leader = 0;
    const char *address = NULL;
    raft_leader(&engine->raft, &leader, &address);
    bool changed = role != engine->role || leader != engine->leader;
    *became_leader = role == ENGINE_LEADER && engine->role != ENGINE_LEADER;
    if (engine->role == ENGINE_LEADER && role != ENGINE_LEADER) {
        contact_leads_no_more(&engine->contact, engine_now(engine),
                              engine_contact_age_ms(engine));
    }
    engine->role = role;
    engine->leader = leader;
    if (*became_leader) {
        engine->tick_due_ms = engine_now(engine) + engine->options.heartbeat_ms;
        contact_lead(&engine->contact, engine_now(engine));
    }
    return changed;
}

/* Rule 13: a leader proves its term with an entry of its own. */
static void engine_submit_barrier(struct engine *engine)
{
    struct bytes *nothing = bytes_new(NULL, 0);
    uint64_t index = 0;
    uint64_t term = 0;
    (void)engine_submit(engine, ENTRY_BARRIER, nothing, &index, &term, NULL);
    bytes_unref(nothing);
}

/* What an update says, carried out. Recursive through engine_feed_configurations(): all
 * that is read of `update` is read before. */
static void engine_carry_out(struct engine *engine, struct engine_input *input,
                             const struct raft_update *update)
{
    unsigned flags = update->flags;
    uint64_t term = raft_current_term(&engine->raft);
    bool changed = term != engine->outbox.term;
    if (changed || raft_voted_for(&engine->raft) != engine->outbox.vote) {
        assert((flags & (RAFT_UPDATE_CURRENT_TERM)) ||
               (flags & (RAFT_UPDATE_VOTED_FOR)));
        outbox_vote(&engine->outbox, term, raft_voted_for(&engine->raft));
    }
    bool became_leader = false;
    changed = engine_look(engine, &became_leader) || changed;
    input->took_entries = (flags & (RAFT_UPDATE_ENTRIES)) != 0;
    if (input->took_entries) {
        engine_take_entries(engine, update, input);
    }
    if (flags & (RAFT_UPDATE_SNAPSHOT)) {
        engine_take_snapshot(engine, update);
    }
    assert(entry_log_last(&engine->log) == raft_last_index(&engine->raft));
    if (flags & (RAFT_UPDATE_MESSAGES)) {
        engine_send_messages(engine, update, input->request_term);
    }
    uint64_t commit = raft_commit_index(&engine->raft);
    if (PLANTED(ACKNOWLEDGE_ALONE) && engine->role == ENGINE_LEADER &&
        engine->stored > commit) {
        commit = engine->stored;
    }
    bool committed =
        commit > engine->commit && !(engine->installing && rule_on(RULE_INSTALLING));
    if (committed) {
        engine->commit = commit;
    }
    engine_feed_configurations(engine);
    if (engine->phase != ENGINE_RUNNING) {
        return;
    }
    if (became_leader && !input->took_entries && rule_on(RULE_BARRIER)) {
        engine_submit_barrier(engine);
    }
    if (committed) {
        engine->options.hooks.committed(engine->options.owner);
    }
    if (changed) {
        engine->options.hooks.changed(engine->options.owner);
    }
}

int engine_step(struct engine *engine, struct engine_input *input)
{
    assert(engine->phase == ENGINE_RUNNING);
    struct raft_update update = {0};
    input->event.time = engine_now(engine);
    input->event.capacity =
        store_full(engine->options.store) ? ENGINE_ROOM_NONE : ENGINE_ROOM_SOME;
    int code = raft_step(&engine->raft, &input->event, &update);
    if (input->restore != NULL) {
        engine->raft.configuration = *input->restore;
    }
    if (code != 0) {
        if (input->event.type != RAFT_SUBMIT && input->event.type != RAFT_TRANSFER) {
            engine_fail(engine, "step failed", code);
        }
        return code;
    }
    engine_carry_out(engine, input, &update);
    if (engine->phase == ENGINE_RUNNING) {
        engine_arm(engine);
    }
    return 0;
}

/* --- timers
 * ----------------------------------------------------------------------------- */

static void engine_close_raft(struct engine *engine)
{
    if (engine->raft_open) {
        raft_close(&engine->raft, NULL); /* synchronous; the callback is never called */
        engine->raft_open = false;
    }
}

/* Rule 11: libraft lets a sole voter lead again in the term it had, so that two entries
 * may share (index, term). The engine starts anew in a term of its own. */
static void engine_renew(struct engine *engine)
{
    engine_close_raft(engine);
    engine->phase = ENGINE_RENEWING;
    clock_timer_stop(engine->options.clock, &engine->timer);
    outbox_vote(&engine->outbox, engine->outbox.term + 1, engine->options.id);
}

static void engine_timeout(struct engine *engine)
{
    struct engine_input input = {.event.type = RAFT_TIMEOUT};
    engine_step(engine, &input);
}

static void engine_timer_fired(struct clock_timer *timer)
{
    struct engine *engine = timer->owner;
    uint64_t now = engine_now(engine);
    if (engine->role == ENGINE_LEADER) { /* rule 8 */
        engine->tick_due_ms = now + engine->options.heartbeat_ms;
        if (rule_on(RULE_LEADER_TICK)) {
            raft_set_heartbeat_timeout(&engine->raft, 0);
        }
        engine_timeout(engine);
        if (engine->phase == ENGINE_RUNNING) {
            raft_set_heartbeat_timeout(&engine->raft, engine->options.heartbeat_ms);
        }
        return;
    }
    if (engine->abstains) { /* all that a follower's or a candidate's timer is for */
        clock_timer_start(engine->options.clock, &engine->timer,
                          now + engine->options.election_timeout_ms);
        return;
    }
    bool due = raft_timeout(&engine->raft) <= now;
    if (due && engine->role == ENGINE_FOLLOWER && engine_sole_voter(engine) &&
        rule_on(RULE_SOLE_VOTER)) {
        if (outbox_idle(&engine->outbox)) {
            engine_renew(engine);
        } else {
            clock_timer_start(engine->options.clock, &engine->timer, now + 5);
        }
        return;
    }
    engine_timeout(engine);
    if (engine->phase == ENGINE_RUNNING && raft_timeout(&engine->raft) <= now) {
        /* nothing to do for the engine: it is no voter */
        clock_timer_start(engine->options.clock, &engine->timer,
                          now + engine->options.heartbeat_ms);
    }
}

static void engine_arm(struct engine *engine)
{
    uint64_t due = engine->role == ENGINE_LEADER ? engine->tick_due_ms
                                                 : raft_timeout(&engine->raft);
    clock_timer_start(engine->options.clock, &engine->timer, due);
}

/* --- what the store reports
 * ------------------------------------------------------------- */

static void engine_stored(void *owner, uint64_t last)
{
    struct engine *engine = owner;
    if (last <= engine->stored && rule_on(RULE_CAP_WRITES)) {
        return; /* all of it was truncated meanwhile */
    }
    engine->stored = last;
    if (engine->phase == ENGINE_RUNNING) {
        struct engine_input input = {.event.type = RAFT_PERSISTED_ENTRIES};
        input.event.persisted_entries.index = last;
        engine_step(engine, &input);
    }
}

static void engine_voted(void *owner)
{
    struct engine *engine = owner;
    if (engine->phase == ENGINE_RENEWING) {
        engine_boot(engine);
    }
}

static bool engine_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct engine *engine = owner;
    return engine->options.hooks.send(engine->options.owner, to, frame);
}

/* --- what the node asks for
 * ----------------------------------------------------------------- */

int engine_submit(struct engine *engine, enum entry_type type, struct bytes *payload,
                  uint64_t *index, uint64_t *term, struct err *err)
{
    if (engine->phase != ENGINE_RUNNING || engine->role != ENGINE_LEADER) {
        return err_set(err, ERR_NOT_LEADER, "this node does not lead");
    }
    bool change = type == ENTRY_CONFIGURATION;
    if (change && rule_on(RULE_CHANGE_ALONE) && engine_changing(engine)) {
        return err_set(err, ERR_CONFLICT, "a change of the membership is under way");
    }
    static char token;
    *index = entry_log_last(&engine->log) + 1;
    *term = engine->outbox.term;
    struct entry entry = {.term = *term, .type = type, .data = payload};
    struct raft_entry raft = {
        .term = *term,
        .type = (enum raft_entry_type)type,
        .buf = {payload->data, payload->len},
        .batch = &token,
    };
    struct engine_input input = {
        .event = {.type = RAFT_SUBMIT, .submit = {.entries = &raft, .n = 1}},
        .source = &entry,
        .source_first = *index,
    };
    switch (engine_step(engine, &input)) {
    case 0:
        return 0;
    case RAFT_CANTCHANGE:
        return err_set(err, ERR_CONFLICT, "a change of the membership is under way");
    default: /* libraft's numbers, not ours: it does not lead, or gives the lead away */
        return err_set(err, ERR_NOT_LEADER, "this node does not lead any more");
    }
}

void engine_elect_now(struct engine *engine)
{
    if (engine->phase != ENGINE_RUNNING || engine->role == ENGINE_LEADER ||
        engine->abstains || raft_role(&engine->raft) != RAFT_VOTER ||
        engine_sole_voter(engine)) {
        return;
    }
    raft_set_election_timeout(&engine->raft, 1);
    engine_timeout(engine);
    if (engine->phase == ENGINE_RUNNING) {
        raft_set_election_timeout(&engine->raft, engine->options.election_timeout_ms);
        engine_arm(engine);
    }
}

void engine_abstain(struct engine *engine, bool abstains)
{
    engine->abstains = abstains;
}

/* Appends of our own, which libraft knows nothing of. Its own beats go with a look at
 * who has answered since the last one, and whoever was asked a moment ago and has not
 * yet it takes for dead: what is written then waits for the next beat (rule 8). Who has
 * not been sent the entry at the commit index could only reject it: he gets none. */
void engine_beat(struct engine *engine)
{
    struct membership members;
    uint64_t commit = engine->commit;
    if (engine->phase != ENGINE_RUNNING || engine->role != ENGINE_LEADER) {
        return;
    }
    engine_membership(engine, &members);
    for (size_t i = 0; i < members.count; i++) {
        uint64_t id = members.rows[i].id;
        if (id != engine->options.id &&
            engine_match(engine, id) + ENGINE_INFLIGHT_ENTRIES >= commit) {
            struct raft_message message = {.type = RAFT_APPEND_ENTRIES,
                                           .server_id = id};
            message.append_entries.term = engine->outbox.term;
            message.append_entries.prev_log_index = commit;
            message.append_entries.prev_log_term = engine_term_at(engine, commit);
            message.append_entries.leader_commit = commit;
            engine_send_append(engine, &message);
        }
    }
}

void engine_applied(struct engine *engine, uint64_t index)
{
    assert(index >= engine->applied && index <= engine->commit);
    engine->applied = index;
}

/* --- start and stop
 * ----------------------------------------------------------------------- */

static struct raft_entry *engine_start_entries(const struct engine *engine,
                                               size_t count)
{
    static char token; /* "a batch": the engine keeps the pointer and never looks */
    struct raft_entry *entries = mem_array(count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = entry_log_get(&engine->log, engine->log.first + i);
        entries[i].term = entry->term;
        entries[i].type = (enum raft_entry_type)entry->type;
        entries[i].batch = &token;
        if (entry->type == ENTRY_CONFIGURATION) {
            entries[i].buf = (struct raft_buffer){entry->data->data, entry->data->len};
        }
    }
    return entries;
}

/* Feed START with what is durable: term and vote are, the log is. */
static void engine_boot(struct engine *engine)
{
    memset(&engine->raft, 0, sizeof engine->raft);
    int code =
        raft_init(&engine->raft, NULL, NULL, engine->options.id, engine->address);
    if (code != 0) {
        engine_fail(engine, "cannot start", code);
        return;
    }
    engine->raft_open = true;
    struct raft *raft = &engine->raft;
    raft->tracer = NULL; /* the default one formats every message */
    raft_seed(raft, (unsigned)clock_random(engine->options.clock));
    raft_set_pre_vote(raft, true);
    raft_set_election_timeout(raft, engine->options.election_timeout_ms);
    raft_set_heartbeat_timeout(raft, engine->options.heartbeat_ms);
    raft_set_max_inflight_entries(raft, ENGINE_INFLIGHT_ENTRIES);
    /* A peer that is sent a snapshot refuses what comes behind a newer one, and libraft
     * takes no such refusal for a word about the snapshot: this alone makes it ask
     * again for one that was lost. What is on its way is not disturbed by it. */
    raft_set_install_snapshot_timeout(raft, engine->options.election_timeout_ms);
    raft_set_max_catch_up_round_duration(raft,
                                         10 * engine->options.election_timeout_ms);
    engine->phase = ENGINE_RUNNING;
    engine->role = ENGINE_FOLLOWER;
    contact_init(&engine->contact, engine_now(engine));

    size_t count = engine->log.count;
    struct raft_entry *entries = engine_start_entries(engine, count);
    struct engine_input input = {.event.type = RAFT_START};
    struct raft_snapshot_metadata metadata;
    if (engine->snapshot.index > 0) {
        metadata = engine_metadata(&engine->snapshot);
        input.event.start.metadata = &metadata;
    }
    input.event.start.term = engine->outbox.term;
    input.event.start.voted_for = engine->outbox.vote;
    input.event.start.start_index = entry_log_first(&engine->log);
    input.event.start.entries = entries;
    input.event.start.n_entries = (unsigned)count;
    engine->configuration_fed = engine->snapshot.index;
    engine_step(engine, &input);
    mem_free(entries);
}

/* Is this node the only voter of the newest membership in its log? */
static bool engine_sole_in_log(const struct engine *engine)
{
    struct membership members;
    const struct bytes *bytes = engine->snapshot.configuration;
    if (!membership_newest(&engine->log, &members) &&
        (bytes == NULL ||
         membership_decode(&members, bytes->data, bytes->len, NULL) != 0)) {
        return false;
    }
    const struct membership_row *self = membership_find(&members, engine->options.id);
    return self != NULL && self->voter && membership_voter_count(&members) == 1;
}

struct engine *engine_new(const struct engine_options *options,
                          struct store_found *found)
{
    heap_install();
    struct engine *engine = mem_zalloc(sizeof *engine);
    engine->options = *options;
    engine->address = mem_strdup(options->address);
    engine->options.address = engine->address;
    engine->timer.owner = engine;
    engine->timer.fire = engine_timer_fired;
    engine->log = found->log; /* taken over */
    found->log = (struct entry_log){.first = 1};
    if (found->has_snapshot) {
        engine->snapshot = found->snapshot; /* taken over */
        found->snapshot = (struct snapshot_meta){0};
        engine->applied = engine->snapshot.index; /* the caller has loaded it */
    }
    static const struct outbox_hooks hooks = {engine_send, engine_stored, engine_voted};
    outbox_init(&engine->outbox, options->store, &engine->log, found->term, found->vote,
                &hooks, engine);
    engine->stored = entry_log_last(&engine->log);
    engine->commit =
        found->commit > engine->snapshot.index ? found->commit : engine->snapshot.index;
    if (engine_sole_in_log(engine) && rule_on(RULE_SOLE_VOTER)) {
        engine->phase = ENGINE_RENEWING;
        outbox_vote(&engine->outbox, engine->outbox.term + 1, options->id);
    } else {
        engine_boot(engine);
    }
    return engine;
}

void engine_stop(struct engine *engine)
{
    clock_timer_stop(engine->options.clock, &engine->timer);
    outbox_stop(&engine->outbox);
    engine_close_raft(engine);
    engine->phase = ENGINE_STOPPED;
}

void engine_free(struct engine *engine)
{
    assert(engine->phase == ENGINE_STOPPED);
    entry_log_close(&engine->log);
    outbox_close(&engine->outbox);
    bytes_unref(engine->snapshot.configuration);
    if (engine->installing) {
        raft_configuration_close(&engine->incoming.configuration);
    }
    mem_free(engine->address);
    mem_free(engine);
}

/* --- questions
 * ---------------------------------------------------------------------------- */

enum engine_role engine_role(const struct engine *engine)
{
    return engine->role;
}

bool engine_voting(const struct engine *engine)
{
    return engine->role == ENGINE_CANDIDATE &&
           !engine->raft.candidate_state.in_pre_vote;
}

uint64_t engine_term(const struct engine *engine)
{
    return engine->outbox.term;
}

uint64_t engine_leader(const struct engine *engine)
{
    return engine->leader;
}

uint64_t engine_commit(const struct engine *engine)
{
    return engine->commit;
}

uint64_t engine_last(const struct engine *engine)
{
    return entry_log_last(&engine->log);
}

uint64_t engine_applied_index(const struct engine *engine)
{
    return engine->applied;
}

const struct entry *engine_entry(const struct engine *engine, uint64_t index)
{
    return entry_log_get(&engine->log, index);
}

bool engine_settled(const struct engine *engine)
{
    return engine->phase == ENGINE_RUNNING && engine->role == ENGINE_LEADER &&
           engine->applied > 0 &&
           engine_term_at(engine, engine->applied) == engine->outbox.term;
}

uint64_t engine_contact_age_ms(const struct engine *engine)
{
    if (engine->phase != ENGINE_RUNNING) {
        return UINT64_MAX;
    }
    uint64_t now = engine_now(engine);
    if (engine->role != ENGINE_LEADER) {
        return contact_leader_age_ms(&engine->contact, now);
    }
    struct membership members;
    engine_membership(engine, &members);
    return contact_majority_age_ms(&engine->contact, &members, engine->options.id, now);
}

uint64_t engine_leader_commit(const struct engine *engine)
{
    return engine->role == ENGINE_LEADER ? engine->commit
                                         : engine->contact.leader_commit;
}

uint64_t engine_leader_heard_ms(const struct engine *engine)
{
    return engine->role == ENGINE_LEADER ? engine_now(engine)
                                         : engine->contact.leader_heard_ms;
}
