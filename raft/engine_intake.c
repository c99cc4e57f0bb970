/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of peers on their way into the engine: judged by the rules, appends cut into
 * the parts that the engine can take. */
#include "raft/engine_inside.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/message.h"
#include "raft/rules.h"

static struct rules_view engine_view(const struct engine *engine, uint64_t from)
{
    raft_index match = 0;
    bool leads = engine->role == ENGINE_LEADER;
    bool known = leads && raft_match_index(&engine->raft, from, &match) == 0;
    struct membership members;
    engine_membership(engine, &members);
    const struct membership_row *self = membership_find(&members, engine->options.id);
    return (struct rules_view){
        .term = engine->outbox.term,
        .state = (enum raft_state)engine->raft.state,
        .commit = engine->commit,
        .commit_term = engine_term_at(engine, engine->commit),
        .installing = engine->installing,
        .snapshot_index = engine->snapshot.index,
        .snapshot_term = engine->snapshot.term,
        .last = entry_log_last(&engine->log),
        .voter = self != NULL && self->voter,
        .sole_voter = engine_sole_voter(engine),
        .silence_ms = engine_now(engine) - engine->contact.leader_heard_ms,
        .election_timeout_ms = engine->options.election_timeout_ms,
        .match_known = known,
        .match = match,
    };
}

/* Feed entries [start, start + count) of an append; false: stop, the rest cannot
 * follow. */
static bool engine_feed_part(struct engine *engine, struct message *message,
                             size_t start, size_t count)
{
    struct raft_message part = message->raft;
    struct raft_append_entries *append = &part.append_entries;
    if (start > 0) {
        append->prev_log_index += start;
        append->prev_log_term = message->entries[start - 1].term;
    }
    append->n_entries = (unsigned)count;
    struct raft_entry *entries = NULL;
    void *token = NULL; /* the engine frees it, unless it hands the entries out */
    if (count > 0) {
        token = raft_malloc(1);
        entries = mem_array(count, sizeof *entries);
        for (size_t i = 0; i < count; i++) {
            const struct entry *entry = &message->entries[start + i];
            entries[i].term = entry->term;
            entries[i].type = (enum raft_entry_type)entry->type;
            entries[i].buf = (struct raft_buffer){entry->data->data, entry->data->len};
            entries[i].batch = token;
        }
    }
    append->entries = entries;
    struct engine_input input = {
        .event = {.type = RAFT_RECEIVE, .receive.message = &part},
        .source = count > 0 ? &message->entries[start] : NULL,
        .source_first = append->prev_log_index + 1,
        .request_term = append->term,
    };
    uint64_t end = append->prev_log_index + count;
    uint64_t end_term =
        count > 0 ? message->entries[start + count - 1].term : append->prev_log_term;
    engine_step(engine, &input);
    if (input.took_entries) {
        raft_free(token);
    }
    mem_free(entries);
    if (engine->phase != ENGINE_RUNNING) {
        return false;
    }
    return end <= engine->snapshot.index || engine_term_at(engine, end) == end_term;
}

/* Rule 2: in parts, so that a membership is the first entry of the one it comes in. */
static void engine_feed_append(struct engine *engine, struct message *message)
{
    size_t start = 0;
    bool first = true;
    bool more = true;
    while (more && (first || start < message->entry_count)) {
        size_t left = message->entry_count - start;
        const struct entry *rest = left > 0 ? &message->entries[start] : NULL;
        size_t count = rules_part(rest, left, first);
        more = engine_feed_part(engine, message, start, count);
        start += count;
        first = false;
    }
}

/* Note who was heard, before the engine may change its mind about the term. */
static void engine_note_contact(struct engine *engine, const struct message *message)
{
    uint64_t now = engine_now(engine);
    const struct raft_message *raft = &message->raft;
    if (raft->type == RAFT_APPEND_ENTRIES &&
        raft->append_entries.term >= engine->outbox.term) {
        bool known = message->contact_age_ms != MESSAGE_CONTACT_UNKNOWN;
        contact_from_leader(&engine->contact, now,
                            known ? message->contact_age_ms : UINT64_MAX,
                            raft->append_entries.leader_commit);
    }
    if (raft->type == RAFT_APPEND_ENTRIES_RESULT && engine->role == ENGINE_LEADER &&
        message->request_term == engine->outbox.term) {
        contact_from_peer(&engine->contact, now, raft->server_id,
                          raft->append_entries_result.capacity == ENGINE_ROOM_NONE);
    }
}

/* Rule 10: for one step the engine takes itself for the only voter, so that it looks at
 * nothing but the candidate's log and its own vote. */
static void engine_feed_as_one(struct engine *engine, struct engine_input *input)
{
    struct raft_server self = {engine->options.id, engine->address, RAFT_VOTER};
    struct raft_configuration saved = engine->raft.configuration;
    engine->raft.configuration.servers = &self;
    engine->raft.configuration.n = 1;
    input->restore = &saved;
    engine_step(engine, input);
}

int engine_receive(struct engine *engine, uint64_t from, const uint8_t *data,
                   size_t len, struct err *err)
{
    struct message message;
    int rv = message_decode(&message, from, data, len, err);
    if (rv != 0) {
        return rv;
    }
    if (engine->phase != ENGINE_RUNNING ||
        (engine->abstains && message.raft.type == RAFT_TIMEOUT_NOW)) {
        message_close(&message);
        return 0;
    }
    struct rules_view view = engine_view(engine, from);
    engine_note_contact(engine, &message);
    enum rules_verdict verdict = rules_receive(&view, &message);
    struct engine_input input = {
        .event = {.type = RAFT_RECEIVE, .receive.message = &message.raft}};
    if (verdict == RULES_FEED_AS_ONE) {
        engine_feed_as_one(engine, &input);
    } else if (verdict == RULES_FEED && message.raft.type == RAFT_APPEND_ENTRIES) {
        engine_feed_append(engine, &message);
    } else if (verdict == RULES_FEED) {
        engine_step(engine, &input);
    }
    message_close(&message);
    return 0;
}
