/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/rules.h"

#include <string.h>

static uint32_t rules_off;

bool rule_on(enum rule rule)
{
    return (rules_off & (uint32_t)rule) == 0;
}

void rules_switch_off(uint32_t rules)
{
    rules_off = rules;
}

/* Forget the first `count` entries of an append. */
static void message_skip(struct message *message, size_t count)
{
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bytes_unref(message->entries[i].data);
    }
    message->entry_count -= count;
    memmove(message->entries, message->entries + count,
            message->entry_count * sizeof *message->entries);
    message->raft.append_entries.n_entries = (unsigned)message->entry_count;
}

/* Rule 5. A late append may begin below the commit index. The engine then takes entries
 * for new, appends them at wrong indexes, or moves its commit index back. What is
 * committed here is the same there: skip it. */
static enum rules_verdict receive_append(const struct rules_view *view,
                                         struct message *message)
{
    struct raft_append_entries *append = &message->raft.append_entries;
    if (append->term < view->term) {
        return RULES_FEED; /* the engine answers with the newer term */
    }
    if (append->term == view->term && view->state == RAFT_LEADER) {
        return RULES_DROP; /* nobody else leads this term: a forged or broken frame */
    }
    if (view->installing && rule_on(RULE_INSTALLING)) { /* the leader lives: no more */
        message_skip(message, message->entry_count);
        append->prev_log_index = view->snapshot_index;
        append->prev_log_term = view->snapshot_term;
        append->leader_commit = 0;
        return RULES_FEED;
    }
    if (rule_on(RULE_TRIM) && append->prev_log_index < view->commit) {
        uint64_t below = view->commit - append->prev_log_index;
        size_t skip =
            below < message->entry_count ? (size_t)below : message->entry_count;
        message_skip(message, skip);
        append->prev_log_index = view->commit;
        append->prev_log_term = view->commit_term;
    }
    if (append->prev_log_index == view->commit &&
        append->prev_log_term != view->commit_term) {
        return RULES_DROP; /* no leader contradicts what is committed */
    }
    return RULES_FEED;
}

static enum rules_verdict receive_append_result(const struct rules_view *view,
                                                struct message *message)
{
    struct raft_append_entries_result *result = &message->raft.append_entries_result;
    if (result->term > view->term) {
        return RULES_FEED;
    }
    if (rule_on(RULE_ECHO_TERM) && message->request_term != view->term) {
        return RULES_DROP;
    }
    if (view->state != RAFT_LEADER) {
        return RULES_FEED;
    }
    if (!view->match_known) {
        return RULES_DROP;
    }
    if (result->rejected == 0) {
        return result->last_log_index > view->last ? RULES_DROP : RULES_FEED;
    }
    if (rule_on(RULE_LATE_REJECTION)) {
        if (result->rejected <= view->match) {
            return RULES_DROP;
        }
        if (result->last_log_index < view->match) {
            result->last_log_index = view->match;
        }
    }
    return RULES_FEED;
}

/* Rule 10. A follower whose leader went silent helps to elect another one before its
 * own timer fires. And a node that is no voter in its own newest configuration,
 * committed or not, votes: else a majority of the old one may never come together. */
static enum rules_verdict receive_vote(const struct rules_view *view,
                                       struct message *message)
{
    struct raft_request_vote *vote = &message->raft.request_vote;
    if (view->state != RAFT_FOLLOWER) {
        return RULES_FEED;
    }
    if (rule_on(RULE_SILENCE) && view->silence_ms >= view->election_timeout_ms) {
        vote->disrupt_leader = true;
    }
    return !view->voter && rule_on(RULE_OUTSIDER_VOTES) ? RULES_FEED_AS_ONE
                                                        : RULES_FEED;
}

/* Rule 18. Before it looks whether it is a candidate the engine reads how far its
 * candidacy went: of a follower or leader that memory holds something else, a pointer,
 * and decides by it whether a late refusal raises the own term. */
static enum rules_verdict receive_vote_result(const struct rules_view *view)
{
    return view->state == RAFT_CANDIDATE || !rule_on(RULE_CANDIDATE) ? RULES_FEED
                                                                     : RULES_DROP;
}

enum rules_verdict rules_receive(const struct rules_view *view, struct message *message)
{
    switch (message->raft.type) {
    case RAFT_APPEND_ENTRIES:
        return receive_append(view, message);
    case RAFT_APPEND_ENTRIES_RESULT:
        return receive_append_result(view, message);
    case RAFT_REQUEST_VOTE:
        return receive_vote(view, message);
    case RAFT_REQUEST_VOTE_RESULT:
        return receive_vote_result(view);
    case RAFT_TIMEOUT_NOW:
        return view->sole_voter && rule_on(RULE_SOLE_VOTER) ? RULES_DROP : RULES_FEED;
    case RAFT_INSTALL_SNAPSHOT:
        return RULES_DROP; /* message_decode() makes none */
    }
    return RULES_DROP;
}

size_t rules_part(const struct entry *entries, size_t count, bool first)
{
    if (!rule_on(RULE_CHANGE_FIRST)) {
        return count;
    }
    if (first && count > 0 && entries[0].type == ENTRY_CONFIGURATION) {
        return 0;
    }
    for (size_t i = 1; i < count; i++) {
        if (entries[i].type == ENTRY_CONFIGURATION) {
            return i;
        }
    }
    return count;
}

/* Rule 9. The engine answers a refused pre-vote with the candidate's term; a candidate
 * with the better log and the lower term would never learn of the higher one. */
static void send_vote_result(uint64_t term, struct raft_request_vote_result *result)
{
    if (rule_on(RULE_PRE_VOTE_TERM) && result->pre_vote && !result->vote_granted &&
        result->term < term) {
        result->term = term;
    }
}

/* Rule 1, the sender's half. Of an answer to an older term only the term is set by the
 * engine: the rest is whatever its stack held. */
static void send_append_result(uint64_t term, uint64_t request_term,
                               struct raft_append_entries_result *result)
{
    if (rule_on(RULE_ECHO_TERM) && request_term < term) {
        result->last_log_index = 0;
    }
}

void rules_send(uint64_t term, uint64_t request_term, struct raft_message *message)
{
    if (message->type == RAFT_REQUEST_VOTE_RESULT) {
        send_vote_result(term, &message->request_vote_result);
    } else if (message->type == RAFT_APPEND_ENTRIES_RESULT) {
        send_append_result(term, request_term, &message->append_entries_result);
    }
}
