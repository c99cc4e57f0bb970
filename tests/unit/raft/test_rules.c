/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule of raft/rules.h, on and off: with it the node is right, without it this
 * test shows what is wrong. One engine on a simulated disk; its peers are played by
 * hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/rules.h"
#include "unit/raft/engine_bench.h"

/* Run a case with the rule and without it. */
static void with_and_without(enum rule rule, void (*test)(bool on))
{
    rules_switch_off(0);
    test(true);
    rules_switch_off((uint32_t)rule);
    test(false);
    rules_switch_off(0);
}

/* --- 1
 * -----------------------------------------------------------------------------------------
 */

static void older_result(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 4);
    bench_lead(&bench);
    uint64_t term = engine_term(bench.engine);
    /* what the engine of a follower answers to a stale append: success, at a garbage
     * index */
    bench_append_result(&bench, 2, term, term - 1, 0, engine_last(bench.engine));
    bench_run(&bench, 5);
    assert_int_equal(engine_commit(bench.engine),
                     on ? 1 : engine_last(bench.engine)); /* nobody else has them */
    bench_close(&bench);
}

static void a_result_of_an_older_request_proves_nothing(void **state)
{
    (void)state;
    with_and_without(RULE_ECHO_TERM, older_result);
}

static void an_answer_to_an_older_term_says_nothing_but_the_term(void **state)
{
    (void)state;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES_RESULT};
    message.append_entries_result.last_log_index = 77;
    rules_send(6, 5, &message);
    assert_int_equal(message.append_entries_result.last_log_index, 0);
    message.append_entries_result.last_log_index = 77;
    rules_send(6, 6, &message);
    assert_int_equal(message.append_entries_result.last_log_index, 77);
    rules_switch_off(RULE_ECHO_TERM);
    rules_send(6, 5, &message);
    assert_int_equal(message.append_entries_result.last_log_index, 77);
    rules_switch_off(0);
}

/* --- 1b
 * ----------------------------------------------------------------------------------------
 */

static void late_rejection(bool on)
{
    struct rules_view view = {
        .term = 5, .state = RAFT_LEADER, .last = 20, .match_known = true, .match = 10};
    struct message message = {.raft.type = RAFT_APPEND_ENTRIES_RESULT,
                              .request_term = 5};
    struct raft_append_entries_result *result = &message.raft.append_entries_result;
    *result = (struct raft_append_entries_result){.term = 5, .rejected = 8};
    assert_int_equal(rules_receive(&view, &message), on ? RULES_DROP : RULES_FEED);
    *result = (struct raft_append_entries_result){
        .term = 5, .rejected = 15, .last_log_index = 3};
    assert_int_equal(rules_receive(&view, &message), RULES_FEED);
    assert_int_equal(result->last_log_index,
                     on ? 10 : 3); /* never below what matched */
}

static void a_rejection_below_what_matched_is_late(void **state)
{
    (void)state;
    with_and_without(RULE_LATE_REJECTION, late_rejection);
}

/* --- 2
 * -----------------------------------------------------------------------------------------
 */

static void change_behind_another(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    struct entry entries[] = {batch_entry(2), batch_entry(2), change_entry(2, 3, 1)};
    bench_append(&bench, 2, 2, 1, 1, 1, entries, 3); /* entry 4 is the membership */
    bench_run(&bench, 5);
    struct entry other = batch_entry(3);
    bench_append(&bench, 3, 3, 3, 2, 1, &other, 1); /* and a new leader overwrites it */
    bench_run(&bench, 5);
    struct membership members;
    engine_membership(bench.engine, &members);
    assert_int_equal(members.count,
                     on ? 3 : 4); /* 4: it goes on with one that is gone */
    bench_close(&bench);
}

static void a_membership_behind_another_entry_is_taken_back_with_it(void **state)
{
    (void)state;
    with_and_without(RULE_CHANGE_FIRST, change_behind_another);
}

/* --- 3
 * -----------------------------------------------------------------------------------------
 */

static void change_committed(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    struct entry change = change_entry(2, 3, 1);
    bench_append(&bench, 2, 2, 1, 1, 1, &change, 1);
    bench_run(&bench, 5);
    bench_append(&bench, 2, 2, 2, 2, 2, NULL, 0); /* committed */
    assert_int_equal(bench.engine->raft.configuration_uncommitted_index, on ? 0 : 2);
    bench_close(&bench);
}

static void a_committed_membership_is_told_to_the_engine_at_once(void **state)
{
    (void)state;
    with_and_without(RULE_CONFIGURATION_NOW, change_committed);
}

/* --- 4
 * -----------------------------------------------------------------------------------------
 */

static void change_before_settled(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_lead(&bench);
    struct entry change = change_entry(engine_term(bench.engine), 3, 1);
    uint64_t index = 0;
    uint64_t term = 0;
    int code = engine_submit(bench.engine, ENTRY_CONFIGURATION, change.data, &index,
                             &term, NULL);
    assert_int_equal(code,
                     on ? ERR_CONFLICT : 0); /* its own term has committed nothing */
    bytes_unref(change.data);
    bench_close(&bench);
}

static void a_leader_changes_the_membership_only_when_it_is_settled(void **state)
{
    (void)state;
    with_and_without(RULE_CHANGE_ALONE, change_before_settled);
}

/* Five entries, the third of them a membership with a standby. */
static void open_after_change(struct bench *bench, uint64_t commit, uint64_t covered,
                              uint64_t membership)
{
    struct bench_found log = {
        .entries = {change_entry(1, 3, 0), batch_entry(1), change_entry(1, 3, 1),
                    batch_entry(1), batch_entry(1)},
        .count = 5,
        .commit = commit,
        .covered = covered,
        .membership = membership,
    };
    bench_restart(bench, &log);
}

/* It leads, and has one more standby in. */
static void assert_can_change(struct bench *bench)
{
    struct membership next = members_of(3, 2);
    bench_lead(bench);
    assert_true(engine_changing(bench->engine)); /* not settled */
    bench_commit_all(bench);
    engine_applied(bench->engine, engine_commit(bench->engine));
    assert_true(engine_settled(bench->engine));
    assert_false(engine_changing(bench->engine));
    assert_int_equal(engine_change(bench->engine, &next, NULL), 0);
    assert_true(engine_changing(bench->engine));
    bench_run(bench, 5);
    bench_commit_all(bench);
    engine_applied(bench->engine, engine_commit(bench->engine));
    assert_false(engine_changing(bench->engine));
    engine_membership(bench->engine, &next);
    assert_int_equal(next.count, 5);
}

/* A start must not take it for uncommitted: no change would be possible after it. */
static void a_membership_that_the_snapshot_covers_is_committed_after_a_restart(
    void **state)
{
    (void)state;
    static const struct {
        uint64_t covered;
        uint64_t membership;
    } rows[] = {{0, 0}, {1, 1}, {2, 1}, {3, 3}, {4, 3}, {5, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench bench;
        open_after_change(&bench, 0, rows[i].covered, rows[i].membership);
        assert_can_change(&bench);
        bench_close(&bench);
    }
}

/* The store knows of more committed entries than libraft does after a start: a snapshot
 * of them took the membership among them out of its sight. */
static void what_libraft_does_not_know_as_committed_is_not_in_a_snapshot(void **state)
{
    (void)state;
    struct bench bench;
    struct snapshot_meta meta;
    open_after_change(&bench, 5, 0, 0);
    bench_run(&bench, 5);
    assert_int_equal(engine_commit(bench.engine), 5);
    engine_applied(bench.engine, 5);
    assert_false(engine_snapshot_meta(bench.engine, 5, &meta));
    bench_lead(&bench);
    bench_commit_all(&bench);
    engine_applied(bench.engine, engine_commit(bench.engine));
    assert_true(engine_snapshot_meta(bench.engine, 5, &meta));
    assert_int_equal(meta.configuration_index, 3);
    engine_snapshot_taken(bench.engine, &meta, 1);
    bytes_unref(meta.configuration);
    assert_false(engine_changing(bench.engine));
    bench_close(&bench);
}

static void change_is_synced(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_lead(&bench);
    bench_commit_all(&bench);
    engine_applied(bench.engine, engine_commit(bench.engine));
    bench_forget_sent(&bench);
    struct entry change = change_entry(engine_term(bench.engine), 3, 1);
    uint64_t index = 0;
    uint64_t term = 0;
    assert_int_equal(engine_submit(bench.engine, ENTRY_CONFIGURATION, change.data,
                                   &index, &term, NULL),
                     0);
    assert_int_equal(bench.sent_count == 0, on); /* not a word before it is durable */
    bench_run(&bench, 5);
    assert_true(bench.sent_count > 0);
    assert_int_equal(engine_submit(bench.engine, ENTRY_CONFIGURATION, change.data,
                                   &index, &term, NULL),
                     ERR_CONFLICT); /* one at a time */
    bytes_unref(change.data);
    bench_close(&bench);
}

static void a_membership_is_durable_here_before_it_is_sent(void **state)
{
    (void)state;
    with_and_without(RULE_CHANGE_ALONE, change_is_synced);
}

/* --- 5
 * -----------------------------------------------------------------------------------------
 */

static void below_commit(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 2, 5); /* 1..6 */
    bench_append(&bench, 2, 2, 6, 2, 5, NULL, 0);
    assert_int_equal(raft_commit_index(&bench.engine->raft), 5);
    bench_append(&bench, 2, 2, 3, 2, 6, NULL, 0); /* a late heartbeat */
    assert_int_equal(raft_commit_index(&bench.engine->raft), on ? 5 : 3);
    assert_int_equal(engine_commit(bench.engine), 5);
    bench_close(&bench);
}

static void a_late_append_does_not_move_the_commit_index_back(void **state)
{
    (void)state;
    with_and_without(RULE_TRIM, below_commit);
}

/* --- 6
 * -----------------------------------------------------------------------------------------
 */

static void append_while_installing(bool on)
{
    struct rules_view view = {.term = 5,
                              .state = RAFT_FOLLOWER,
                              .commit = 3,
                              .installing = true,
                              .snapshot_index = 40,
                              .snapshot_term = 4};
    struct message message = {.raft.type = RAFT_APPEND_ENTRIES, .entry_count = 1};
    message.entries = mem_array(1, sizeof *message.entries);
    message.entries[0] = batch_entry(5);
    message.raft.append_entries = (struct raft_append_entries){.term = 5,
                                                               .prev_log_index = 60,
                                                               .prev_log_term = 5,
                                                               .leader_commit = 60,
                                                               .n_entries = 1};
    assert_int_equal(rules_receive(&view, &message), RULES_FEED);
    const struct raft_append_entries *append = &message.raft.append_entries;
    assert_int_equal(append->n_entries,
                     on ? 0 : 1); /* there is no log to put it into */
    assert_int_equal(append->prev_log_index, on ? 40 : 60);
    assert_int_equal(append->leader_commit, on ? 0 : 60);
    message_close(&message);
}

static void who_installs_a_snapshot_takes_an_append_as_a_heartbeat(void **state)
{
    (void)state;
    with_and_without(RULE_INSTALLING, append_while_installing);
}

static void truncated_write(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_run(&bench, 5);
    struct entry three[] = {batch_entry(1), batch_entry(1), batch_entry(1)};
    bench_append(&bench, 2, 1, 1, 1, 1, three, 3); /* 2..4, on their way to disk */
    struct entry other = batch_entry(2);
    bench_append(&bench, 3, 2, 1, 1, 1, &other,
                 1); /* overwritten before they were there */
    assert_int_equal(engine_last(bench.engine), 2);
    sim_disk_latency(bench.disk, 100, 200);
    uint64_t most = 0;
    for (int i = 0; i < 100; i++) {
        sim_time_run_next(bench.time);
        most = bench.engine->stored > most ? bench.engine->stored : most;
    }
    assert_int_equal(most,
                     on ? 2 : 4); /* 4: durable, says a write of what is not there */
    bench_close(&bench);
}

static void a_write_that_was_overwritten_reports_only_what_is_left(void **state)
{
    (void)state;
    with_and_without(RULE_CAP_WRITES, truncated_write);
}

/* --- 8
 * -----------------------------------------------------------------------------------------
 */

static void leader_tick(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_lead(&bench);
    bench_commit_all(&bench);
    for (int i = 0; i < 3; i++) { /* node 2 is well, node 3 is dead */
        bench_run(&bench, HEARTBEAT_MS);
        bench_commit_all(&bench);
    }
    /* an entry between two beats: libraft alone takes its last send for a beat */
    bench_run(&bench, HEARTBEAT_MS / 2);
    struct bytes *payload = bytes_new("x", 1);
    uint64_t index = 0;
    uint64_t term = 0;
    assert_int_equal(
        engine_submit(bench.engine, ENTRY_COMMAND, payload, &index, &term, NULL), 0);
    bytes_unref(payload);
    bench_forget_sent(&bench);
    bench_run(&bench, HEARTBEAT_MS - 5); /* the next tick of the leader is in here */
    size_t to_two = 0;
    for (size_t i = 0; i < bench.sent_count; i++) {
        to_two += bench.sent[i].to == 2;
    }
    assert_int_equal(to_two > 0, on);
    bench_close(&bench);
}

static void a_leader_beats_every_heartbeat_whatever_it_sent_between(void **state)
{
    (void)state;
    with_and_without(RULE_LEADER_TICK, leader_tick);
}

/* libraft took a peer that had no time to answer for dead, and kept from it what was
 * written then until the next beat. */
static void a_beat_out_of_turn_takes_nobody_for_dead(void **state)
{
    (void)state;
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_lead(&bench);
    for (int i = 0; i < 3; i++) { /* node 2 is well, node 3 is dead */
        bench_commit_all(&bench);
        bench_run(&bench, HEARTBEAT_MS);
    }
    bench_forget_sent(&bench); /* it has just been sent a beat */
    engine_beat(bench.engine);
    struct message beat;
    assert_true(bench_last_sent(&bench, RAFT_APPEND_ENTRIES, &beat));
    assert_int_equal(beat.raft.append_entries.leader_commit,
                     engine_commit(bench.engine));
    message_close(&beat);
    bench_forget_sent(&bench);
    struct bytes *payload = bytes_new("x", 1);
    uint64_t index = 0;
    uint64_t term = 0;
    assert_int_equal(
        engine_submit(bench.engine, ENTRY_COMMAND, payload, &index, &term, NULL), 0);
    bytes_unref(payload);
    size_t to_two = 0;
    for (size_t i = 0; i < bench.sent_count; i++) {
        to_two += bench.sent[i].to == 2;
    }
    assert_int_equal(to_two, 1); /* at once */
    bench_close(&bench);
}

/* --- 9
 * -----------------------------------------------------------------------------------------
 */

static void refused_pre_vote(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 5, 2);
    bench_run(&bench, 5);
    bench_vote(&bench, 2, 3, 1, 1, true); /* a lower term, a worse log */
    struct message result;
    assert_true(bench_last_sent(&bench, RAFT_REQUEST_VOTE_RESULT, &result));
    assert_false(result.raft.request_vote_result.vote_granted);
    assert_int_equal(result.raft.request_vote_result.term, on ? 5 : 3);
    message_close(&result);
    bench_close(&bench);
}

static void a_refused_pre_vote_tells_the_higher_term(void **state)
{
    (void)state;
    with_and_without(RULE_PRE_VOTE_TERM, refused_pre_vote);
}

/* --- 10
 * ----------------------------------------------------------------------------------------
 */

static void silent_leader(bool on)
{
    struct rules_view view = {.term = 5,
                              .state = RAFT_FOLLOWER,
                              .voter = true,
                              .silence_ms = 999,
                              .election_timeout_ms = 1000};
    struct message message = {.raft.type = RAFT_REQUEST_VOTE};
    assert_int_equal(rules_receive(&view, &message), RULES_FEED);
    assert_false(message.raft.request_vote.disrupt_leader); /* it may live */
    view.silence_ms = 1000;
    assert_int_equal(rules_receive(&view, &message), RULES_FEED);
    assert_int_equal(message.raft.request_vote.disrupt_leader, on);
}

static void a_silent_leader_does_not_stop_a_vote(void **state)
{
    (void)state;
    with_and_without(RULE_SILENCE, silent_leader);
}

static void outsider(bool on)
{
    struct bench bench;
    struct membership without_us = members_of(3, 0);
    without_us.rows[0].id = 7; /* this node is a standby of its newest membership */
    without_us.rows[without_us.count] = (struct membership_row){.id = 1};
    snprintf(without_us.rows[without_us.count].address, 8, "n9:1");
    without_us.count++;
    struct entry first = {1, ENTRY_CONFIGURATION, membership_encode(&without_us)};
    bench_open(&bench, &first, 1, 0);
    bench_run(&bench, 2 * ELECTION_MS);
    bench_vote(&bench, 2, 2, 9, 1, false);
    bench_run(&bench, 5);
    struct message result;
    bool answered = bench_last_sent(&bench, RAFT_REQUEST_VOTE_RESULT, &result);
    bool granted = answered && result.raft.request_vote_result.vote_granted;
    assert_int_equal(granted, on);
    if (answered) {
        message_close(&result);
    }
    struct membership members; /* it took itself for the only voter for one step only */
    engine_membership(bench.engine, &members);
    assert_int_equal(members.count, 4);
    bench_close(&bench);
}

static void who_is_no_voter_in_its_own_log_votes_too(void **state)
{
    (void)state;
    with_and_without(RULE_OUTSIDER_VOTES, outsider);
}

/* --- 11
 * ----------------------------------------------------------------------------------------
 */

static void sole_voter(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 1, 1);
    bench_open(&bench, &first, 4, 3); /* it led in term 4 before */
    bench_run(&bench, 3 * ELECTION_MS);
    assert_int_equal(engine_role(bench.engine), ENGINE_LEADER);
    assert_int_equal(engine_term(bench.engine), on ? 5 : 4); /* 4: the term it had */
    bench_close(&bench);
}

static void a_sole_voter_leads_only_in_a_new_term(void **state)
{
    (void)state;
    with_and_without(RULE_SOLE_VOTER, sole_voter);
}

static void a_sole_voter_is_not_told_to_take_over(void **state)
{
    (void)state;
    struct rules_view view = {.term = 5, .state = RAFT_FOLLOWER, .sole_voter = true};
    struct message message = {.raft.type = RAFT_TIMEOUT_NOW};
    assert_int_equal(rules_receive(&view, &message), RULES_DROP);
    view.sole_voter = false;
    assert_int_equal(rules_receive(&view, &message), RULES_FEED);
}

/* --- 13
 * ----------------------------------------------------------------------------------------
 */

static void new_leader(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_append(&bench, 2, 1, 1, 1, 1, NULL, 0); /* all of its log is committed */
    bench_run(&bench, 2 * ELECTION_MS);
    bench_lead(&bench);
    assert_int_equal(engine_last(bench.engine), on ? 2 : 1); /* 1: nothing of its own */
    bench_close(&bench);
}

static void a_new_leader_proves_its_term_with_an_entry_of_its_own(void **state)
{
    (void)state;
    with_and_without(RULE_BARRIER, new_leader);
}

/* --- 18
 * ----------------------------------------------------------------------------------------
 */

static void late_refusal(bool on)
{
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_run(&bench, 5);
    bench_vote_result(&bench, 3, 2, false, true); /* of a candidacy that is over */
    bench_run(&bench, 5);
    assert_int_equal(engine_term(bench.engine), on ? 1 : 2);
    bench_close(&bench);
}

static void a_late_refusal_of_a_vote_raises_no_term(void **state)
{
    (void)state;
    with_and_without(RULE_CANDIDATE, late_refusal);
}

/* --- always
 * -------------------------------------------------------------------------------------
 */

static void nothing_is_sent_before_the_vote_is_durable(void **state)
{
    (void)state;
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 0);
    bench_run(&bench, 2 * ELECTION_MS);
    bench_forget_sent(&bench);
    bench_vote(&bench, 2, 9, 5, 2, false);
    assert_int_equal(engine_term(bench.engine), 9);
    assert_int_equal(bench.sent_count, 0);
    bench_run(&bench, 5);
    struct message result;
    assert_true(bench_last_sent(&bench, RAFT_REQUEST_VOTE_RESULT, &result));
    assert_true(result.raft.request_vote_result.vote_granted);
    message_close(&result);
    bench_close(&bench);
}

static void a_leader_drops_appends_of_its_own_term(void **state)
{
    (void)state;
    struct rules_view view = {.term = 5, .state = RAFT_LEADER};
    struct message message = {.raft.type = RAFT_APPEND_ENTRIES};
    message.raft.append_entries.term = 5;
    assert_int_equal(rules_receive(&view, &message), RULES_DROP);
    message.raft.append_entries.term = 6;
    assert_int_equal(rules_receive(&view, &message), RULES_FEED);
}

/* libraft takes it for the end of the world. */
static void an_append_that_contradicts_what_is_committed_does_not_end_the_node(
    void **state)
{
    (void)state;
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 2, 5); /* 1..6 */
    bench_append(&bench, 2, 2, 6, 2, 5, NULL, 0);
    assert_int_equal(engine_commit(bench.engine), 5);
    bench_append(&bench, 3, 3, 5, 1, 5, NULL, 0); /* a forger's: 5 is of term 2 */
    assert_int_equal(engine_term(bench.engine), 2);
    struct entry other = batch_entry(3);
    bench_append(&bench, 3, 3, 5, 2, 5, &other, 1);
    assert_int_equal(engine_last(bench.engine), 6);
    assert_int_equal(engine_entry(bench.engine, 6)->term, 3);
    bench_close(&bench);
}

static void a_result_beyond_the_log_or_of_a_stranger_is_dropped(void **state)
{
    (void)state;
    struct rules_view view = {
        .term = 5, .state = RAFT_LEADER, .last = 20, .match_known = true};
    struct message message = {.raft.type = RAFT_APPEND_ENTRIES_RESULT,
                              .request_term = 5};
    message.raft.append_entries_result =
        (struct raft_append_entries_result){.term = 5, .last_log_index = 21};
    assert_int_equal(rules_receive(&view, &message), RULES_DROP);
    message.raft.append_entries_result.last_log_index = 20;
    assert_int_equal(rules_receive(&view, &message), RULES_FEED);
    view.match_known = false;
    assert_int_equal(rules_receive(&view, &message), RULES_DROP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_of_an_older_request_proves_nothing),
        cmocka_unit_test(an_answer_to_an_older_term_says_nothing_but_the_term),
        cmocka_unit_test(a_rejection_below_what_matched_is_late),
        cmocka_unit_test(a_membership_behind_another_entry_is_taken_back_with_it),
        cmocka_unit_test(a_committed_membership_is_told_to_the_engine_at_once),
        cmocka_unit_test(a_leader_changes_the_membership_only_when_it_is_settled),
        cmocka_unit_test(
            a_membership_that_the_snapshot_covers_is_committed_after_a_restart),
        cmocka_unit_test(what_libraft_does_not_know_as_committed_is_not_in_a_snapshot),
        cmocka_unit_test(a_membership_is_durable_here_before_it_is_sent),
        cmocka_unit_test(a_late_append_does_not_move_the_commit_index_back),
        cmocka_unit_test(who_installs_a_snapshot_takes_an_append_as_a_heartbeat),
        cmocka_unit_test(a_write_that_was_overwritten_reports_only_what_is_left),
        cmocka_unit_test(a_leader_beats_every_heartbeat_whatever_it_sent_between),
        cmocka_unit_test(a_beat_out_of_turn_takes_nobody_for_dead),
        cmocka_unit_test(a_refused_pre_vote_tells_the_higher_term),
        cmocka_unit_test(a_silent_leader_does_not_stop_a_vote),
        cmocka_unit_test(who_is_no_voter_in_its_own_log_votes_too),
        cmocka_unit_test(a_sole_voter_leads_only_in_a_new_term),
        cmocka_unit_test(a_sole_voter_is_not_told_to_take_over),
        cmocka_unit_test(a_new_leader_proves_its_term_with_an_entry_of_its_own),
        cmocka_unit_test(a_late_refusal_of_a_vote_raises_no_term),
        cmocka_unit_test(nothing_is_sent_before_the_vote_is_durable),
        cmocka_unit_test(a_leader_drops_appends_of_its_own_term),
        cmocka_unit_test(
            an_append_that_contradicts_what_is_committed_does_not_end_the_node),
        cmocka_unit_test(a_result_beyond_the_log_or_of_a_stranger_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
