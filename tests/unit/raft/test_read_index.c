/* SPDX-License-Identifier: Apache-2.0 */
/* The read index, one step at a time: as a leader, a voter, another node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/raft/read_bench.h"

/* --- the leader --------------------------------------------------------------------
 */

static void a_majority_that_says_yes_confirms(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    reader_begin(&reader, &bench);
    assert_int_equal(bench.sent_count, 2); /* one small frame to each other voter */
    assert_int_equal(reader.done, 0);
    bench_term(&bench, 3, 1, 5);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

static void a_sole_voter_answers_at_once(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench.members.count = 1;
    reader_begin(&reader, &bench);
    assert_int_equal(bench.sent_count, 0);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

/* The leader's commit index may lie behind what was acknowledged before its term. */
static void nothing_is_confirmed_before_an_entry_of_its_own_term_is_applied(
    void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench.view.settled = false;
    bench.view.commit = 38;
    bench.view.applied = 38;
    reader_begin(&reader, &bench);
    bench_term(&bench, 2, 1, 5);
    bench_run(&bench, ELECTION / 2);
    assert_int_equal(reader.done, 0);
    assert_int_equal(bench.sent_count, 0);
    bench.view.settled = true;
    bench.view.commit = 40;
    bench.view.applied = 39;
    bench_look(&bench);
    bench_term(&bench, 2, 1, 5);
    assert_int_equal(reader.done, 0); /* what is confirmed is not applied yet */
    bench.view.applied = 40;
    bench_look(&bench);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

static void a_leader_that_never_proves_its_term_gives_up(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench.view.settled = false;
    reader_begin(&reader, &bench);
    bench_run(&bench, ELECTION - 1);
    assert_int_equal(reader.done, 0);
    bench_run(&bench, HEARTBEAT + 1);
    assert_done(&reader, ERR_UNAVAILABLE);
    bench_close(&bench);
}

static void who_comes_late_joins_the_next_round(void **state)
{
    (void)state;
    struct bench bench;
    struct reader first;
    struct reader late[2];
    bench_open(&bench);
    reader_begin(&first, &bench);
    bench.view.commit = 41; /* acknowledged meanwhile */
    bench.view.applied = 40;
    reader_begin(&late[0], &bench);
    reader_begin(&late[1], &bench);
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 2), 1);
    bench_term(&bench, 2, 1, 5);
    assert_done(&first, ERR_NONE); /* it may be shown index 40 */
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 2), 2); /* one round for both */
    bench.view.applied = 41;
    bench_term(&bench, 3, 1, 5); /* an answer to the first round proves nothing now */
    assert_int_equal(late[0].done, 0);
    bench_term(&bench, 3, 2, 5);
    assert_done(&late[0], ERR_NONE);
    assert_done(&late[1], ERR_NONE);
    bench_close(&bench);
}

static void who_asks_in_one_turn_shares_one_round(void **state)
{
    (void)state;
    struct bench bench;
    struct reader readers[3] = {{.done = 0}};
    bench_open(&bench);
    for (size_t i = 0; i < 3; i++) {
        reader_ask(&readers[i], &bench);
    }
    bench_turn(&bench);
    assert_int_equal(bench.sent_count, 2);
    bench_term(&bench, 2, 1, 5);
    for (size_t i = 0; i < 3; i++) {
        assert_done(&readers[i], ERR_NONE);
    }
    bench_close(&bench);
}

static void a_membership_appended_in_a_round_voids_it(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    reader_begin(&reader, &bench);
    bench.view.configuration = 41;
    bench_member(&bench, 4, true);
    bench_member(&bench, 5, true);
    bench_term(&bench, 2, 1, 5);
    assert_int_equal(reader.done, 0);
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 5), 1);
    bench_term(&bench, 2, 2, 5); /* two of five */
    assert_int_equal(reader.done, 0);
    bench_term(&bench, 5, 2, 5);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

static void a_standby_is_neither_asked_nor_counted(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench_member(&bench, 4, false);
    reader_begin(&reader, &bench);
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 4), 0);
    bench_term(&bench, 4, 1, 5);
    assert_int_equal(reader.done, 0);
    bench_close(&bench);
}

static void leadership_lost_is_told_at_once(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    reader_begin(&reader, &bench);
    bench_follow(&bench);
    bench_look(&bench);
    assert_done(&reader, ERR_NOT_LEADER);
    bench_close(&bench);
}

/* Lost and won again between two looks: answers to the old term's question prove
 * nothing of the new one. */
static void a_term_of_its_own_that_is_newer_ends_the_round(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    reader_begin(&reader, &bench);
    bench.view.term = 7;
    bench_term(&bench, 2, 1, 5);
    assert_done(&reader, ERR_NOT_LEADER);
    bench_close(&bench);
}

static void a_voter_with_a_newer_term_ends_the_round(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    reader_begin(&reader, &bench);
    bench_term(&bench, 2, 1, 6);
    assert_done(&reader, ERR_NOT_LEADER);
    bench_close(&bench);
}

static void no_majority_in_an_election_timeout_is_an_error(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    struct reader late;
    bench_open(&bench);
    reader_begin(&reader, &bench);
    reader_begin(&late, &bench);
    bench_run(&bench, ELECTION - 1);
    assert_int_equal(reader.done, 0);
    bench_run(&bench, HEARTBEAT + 1);
    assert_done(&reader, ERR_UNAVAILABLE);
    assert_int_equal(late.done, 0); /* its round has just begun */
    bench_run(&bench, ELECTION + HEARTBEAT);
    assert_done(&late, ERR_UNAVAILABLE);
    assert_false(clock_timer_active(&bench.reads.tick)); /* nobody waits: no beat */
    bench_close(&bench);
}

static void a_lost_question_is_asked_again(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench_member(&bench, 4, true);
    bench_member(&bench, 5, true);
    reader_begin(&reader, &bench);
    bench_term(&bench, 3, 1, 5);
    bench_run(&bench, 2 * HEARTBEAT);
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 2), 3);
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 3), 1); /* it has said yes */
    bench_term(&bench, 2, 1, 5);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

static void answers_that_come_twice_or_out_of_order_change_nothing(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench_member(&bench, 4, true);
    bench_member(&bench, 5, true);
    bench_term(&bench, 2, 1, 5); /* before anything was asked */
    reader_begin(&reader, &bench);
    bench_term(&bench, 2, 1, 4); /* it had not heard of this leader yet, overtaken */
    bench_term(&bench, 3, 1, 5);
    bench_term(&bench, 3, 1, 5);
    assert_int_equal(reader.done, 0);
    bench_term(&bench, 2, 1, 5);
    assert_done(&reader, ERR_NONE);
    bench_term(&bench, 4, 1, 5);
    bench_term(&bench, 4, 1, 9);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

static void who_asks_again_from_inside_an_answer_waits_for_a_new_round(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader = {.again = true};
    bench_open(&bench);
    reader_ask(&reader, &bench);
    bench_turn(&bench);
    bench_term(&bench, 2, 1, 5);
    assert_int_equal(reader.done, 1);
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 2), 2);
    bench_term(&bench, 2, 2, 5);
    assert_int_equal(reader.done, 2);
    bench_close(&bench);
}

static void only_so_many_may_wait(void **state)
{
    (void)state;
    struct bench bench;
    static struct reader readers[LIMIT_READS];
    struct reader more = {.waiter = {.done = reader_done}};
    bench_open(&bench);
    for (size_t i = 0; i < LIMIT_READS; i++) {
        reader_ask(&readers[i], &bench);
    }
    assert_int_equal(read_index_ask(&bench.reads, &more.waiter, NULL), ERR_BUSY);
    bench_turn(&bench);
    bench_term(&bench, 2, 1, 5);
    assert_done(&readers[LIMIT_READS - 1], ERR_NONE);
    reader_begin(&more, &bench);
    bench_close(&bench);
    assert_done(&more, ERR_UNAVAILABLE);
}

static void who_waits_is_answered_when_the_node_stops(void **state)
{
    (void)state;
    struct bench bench;
    struct reader asked;
    struct reader next;
    bench_open(&bench);
    reader_begin(&asked, &bench);
    reader_begin(&next, &bench);
    read_index_stop(&bench.reads);
    assert_done(&asked, ERR_UNAVAILABLE);
    assert_done(&next, ERR_UNAVAILABLE);
    assert_int_equal(read_index_ask(&bench.reads, &next.waiter, NULL), ERR_UNAVAILABLE);
    bench_close(&bench);
}

/* --- a voter -----------------------------------------------------------------------
 */

static void a_voter_answers_with_its_term_and_the_number_of_the_round(void **state)
{
    (void)state;
    struct bench bench;
    struct read_message ask = {.kind = FRAME_READ_ASK, .term = 5, .round = 77};
    bench_open(&bench);
    bench_follow(&bench);
    bench.view.term = 6;
    bench_frame(&bench, 2, &ask);
    assert_int_equal(bench_sent(&bench, FRAME_READ_TERM, 2), 1);
    assert_int_equal(bench_last(&bench)->term, 5);
    assert_int_equal(bench_last(&bench)->round, 77);
    assert_int_equal(bench_last(&bench)->own_term, 6);
    bench_close(&bench);
}

/* --- another node ------------------------------------------------------------------
 */

static void a_follower_asks_its_leader_once_for_all_and_waits_until_it_is_applied(
    void **state)
{
    (void)state;
    struct bench bench;
    struct reader readers[2] = {{.done = 0}};
    bench_open(&bench);
    bench_follow(&bench);
    reader_ask(&readers[0], &bench);
    reader_ask(&readers[1], &bench);
    bench_turn(&bench);
    assert_int_equal(bench.sent_count, 1);
    assert_int_equal(bench_sent(&bench, FRAME_READ_WANT, 2), 1);
    bench_index(&bench, 2, 1, READ_WORD_INDEX, 45);
    assert_int_equal(readers[0].done, 0);
    bench.view.applied = 44;
    bench_look(&bench);
    assert_int_equal(readers[0].done, 0);
    bench.view.applied = 45;
    bench_look(&bench);
    assert_done(&readers[0], ERR_NONE);
    assert_done(&readers[1], ERR_NONE);
    bench_close(&bench);
}

static void who_comes_late_at_a_follower_joins_the_next_question(void **state)
{
    (void)state;
    struct bench bench;
    struct reader first;
    struct reader late;
    bench_open(&bench);
    bench_follow(&bench);
    reader_begin(&first, &bench);
    reader_begin(&late, &bench);
    bench_index(&bench, 2, 1, READ_WORD_INDEX, 40);
    assert_done(&first, ERR_NONE);
    assert_int_equal(late.done, 0);
    assert_int_equal(bench_last(&bench)->serial, 2);
    bench_index(&bench, 2, 1, READ_WORD_INDEX, 40); /* again: of the first */
    assert_int_equal(late.done, 0);
    bench_index(&bench, 2, 2, READ_WORD_INDEX, 40);
    assert_done(&late, ERR_NONE);
    bench_close(&bench);
}

static void answers_of_others_or_to_an_earlier_start_mean_nothing(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench_follow(&bench);
    reader_begin(&reader, &bench);
    bench_index(&bench, 3, 1, READ_WORD_INDEX, 40);
    struct read_message old = {
        .kind = FRAME_READ_INDEX, .session = SESSION - 1, .serial = 1, .index = 40};
    bench_frame(&bench, 2, &old);
    assert_int_equal(reader.done, 0);
    bench_close(&bench);
}

static void a_follower_asks_the_leader_that_follows(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench_follow(&bench);
    reader_begin(&reader, &bench);
    bench_index(&bench, 2, 1, READ_WORD_NOT_LEADER, 0);
    assert_int_equal(reader.done, 0);
    bench.view.leader = 3;
    bench_look(&bench);
    assert_int_equal(bench_sent(&bench, FRAME_READ_WANT, 3), 1);
    bench_index(&bench, 2, 1, READ_WORD_INDEX,
                40); /* of the one that was asked before */
    assert_int_equal(reader.done, 0);
    bench_index(&bench, 3, 2, READ_WORD_INDEX, 40);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

static void a_follower_that_comes_to_lead_asks_the_voters(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    struct reader late;
    bench_open(&bench);
    bench_follow(&bench);
    reader_begin(&reader, &bench);
    reader_begin(&late, &bench);
    bench.view.leads = true;
    bench.view.settled = true;
    bench.view.leader = SELF;
    bench_look(&bench);
    bench_term(&bench, 3, 1, 5);
    assert_done(&reader, ERR_NONE);
    assert_done(&late, ERR_NONE);
    bench_close(&bench);
}

static void a_follower_asks_again_until_it_is_too_late(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench_follow(&bench);
    reader_begin(&reader, &bench);
    bench_run(&bench, 3 * HEARTBEAT);
    assert_int_equal(bench_sent(&bench, FRAME_READ_WANT, 2), 4);
    assert_int_equal(bench_last(&bench)->serial, 1);
    bench_run(&bench, 2 * ELECTION);
    assert_done(&reader, ERR_UNAVAILABLE);
    bench_close(&bench);
}

static void without_a_leader_who_asks_waits_for_one(void **state)
{
    (void)state;
    struct bench bench;
    struct reader early;
    struct reader reader;
    bench_open(&bench);
    bench_follow(&bench);
    bench.view.leader = 0;
    reader_begin(&early, &bench);
    bench_run(&bench, ELECTION / 2);
    reader_begin(&reader, &bench);
    bench_run(&bench, ELECTION / 2 + HEARTBEAT);
    assert_done(&early, ERR_UNAVAILABLE);
    assert_int_equal(reader.done, 0);
    bench.view.leader = 3;
    bench_look(&bench);
    bench_index(&bench, 3, 1, READ_WORD_INDEX, 40);
    assert_done(&reader, ERR_NONE);
    bench_close(&bench);
}

static void the_leaders_no_is_told(void **state)
{
    (void)state;
    static const enum read_word words[] = {READ_WORD_NO_MAJORITY, READ_WORD_BUSY};
    for (size_t i = 0; i < 2; i++) {
        struct bench bench;
        struct reader reader;
        bench_open(&bench);
        bench_follow(&bench);
        reader_begin(&reader, &bench);
        bench_index(&bench, 2, 1, words[i], 0);
        assert_done(&reader, ERR_UNAVAILABLE);
        bench_close(&bench);
    }
}

static void a_follower_that_does_not_catch_up_gives_up(void **state)
{
    (void)state;
    struct bench bench;
    struct reader reader;
    bench_open(&bench);
    bench_follow(&bench);
    reader_begin(&reader, &bench);
    bench_index(&bench, 2, 1, READ_WORD_INDEX, 41);
    bench_run(&bench, 2 * ELECTION + HEARTBEAT);
    assert_done(&reader, ERR_UNAVAILABLE);
    bench_close(&bench);
}

/* --- the leader, asked by others ---------------------------------------------------
 */

static void another_nodes_question_is_answered_with_the_index(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.view.applied = 39; /* here; the other waits for its own */
    bench_want(&bench, 3, 800, 4);
    assert_int_equal(bench_sent(&bench, FRAME_READ_INDEX, 3), 0);
    bench_want(&bench, 3, 800, 4); /* again: it joins nothing */
    bench_term(&bench, 2, 1, 5);
    assert_int_equal(bench_sent(&bench, FRAME_READ_INDEX, 3), 1);
    assert_int_equal(bench_last(&bench)->word, READ_WORD_INDEX);
    assert_int_equal(bench_last(&bench)->index, 40);
    assert_int_equal(bench_last(&bench)->session, 800);
    assert_int_equal(bench_last(&bench)->serial, 4);
    assert_int_equal(bench_sent(&bench, FRAME_READ_ASK, 2), 1);
    bench_close(&bench);
}

/* Its first question is in the round that is out: that proves nothing for the second.
 */
static void a_later_question_of_a_node_waits_for_the_next_round(void **state)
{
    (void)state;
    static const struct {
        uint64_t session;
        uint64_t serial;
    } later[] = {{800, 5}, {801, 1}};
    for (size_t i = 0; i < 2; i++) {
        struct bench bench;
        struct reader reader;
        bench_open(&bench);
        bench_want(&bench, 3, 800, 4);
        reader_begin(&reader, &bench);
        bench_want(&bench, 3, later[i].session, later[i].serial);
        bench_term(&bench, 2, 1, 5);
        assert_int_equal(bench_sent(&bench, FRAME_READ_INDEX, 3), 0);
        bench_term(&bench, 2, 2, 5);
        assert_int_equal(bench_sent(&bench, FRAME_READ_INDEX, 3), 1);
        assert_int_equal(bench_last(&bench)->serial, later[i].serial);
        assert_done(&reader, ERR_NONE);
        bench_close(&bench);
    }
}

static void an_overtaken_question_of_a_node_is_forgotten(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_want(&bench, 3, 800, 5);
    bench_want(&bench, 3, 800, 4);
    bench_term(&bench, 2, 1, 5);
    assert_int_equal(bench_sent(&bench, FRAME_READ_INDEX, 3), 1);
    assert_int_equal(bench_last(&bench)->serial, 5);
    bench_close(&bench);
}

static void who_does_not_lead_says_so(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_follow(&bench);
    bench_want(&bench, 3, 800, 4);
    assert_int_equal(bench_last(&bench)->word, READ_WORD_NOT_LEADER);
    bench_close(&bench);
}

static void others_are_told_when_the_lead_is_lost_or_no_majority_is_there(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_want(&bench, 3, 800, 4);
    bench_run(&bench, ELECTION + HEARTBEAT);
    assert_int_equal(bench_last(&bench)->word, READ_WORD_NO_MAJORITY);
    bench_want(&bench, 3, 800, 5);
    bench_follow(&bench);
    bench_look(&bench);
    assert_int_equal(bench_last(&bench)->word, READ_WORD_NOT_LEADER);
    bench_close(&bench);
}

static void more_nodes_than_a_cluster_has_are_turned_away(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    for (uint64_t id = 1; id <= LIMIT_MEMBERS; id++) {
        bench_want(&bench, 100 + id, 800, 1);
    }
    bench_want(&bench, 99, 800, 1);
    assert_int_equal(bench_last(&bench)->word, READ_WORD_BUSY);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_majority_that_says_yes_confirms),
        cmocka_unit_test(a_sole_voter_answers_at_once),
        cmocka_unit_test(
            nothing_is_confirmed_before_an_entry_of_its_own_term_is_applied),
        cmocka_unit_test(a_leader_that_never_proves_its_term_gives_up),
        cmocka_unit_test(who_comes_late_joins_the_next_round),
        cmocka_unit_test(who_asks_in_one_turn_shares_one_round),
        cmocka_unit_test(a_membership_appended_in_a_round_voids_it),
        cmocka_unit_test(a_standby_is_neither_asked_nor_counted),
        cmocka_unit_test(leadership_lost_is_told_at_once),
        cmocka_unit_test(a_term_of_its_own_that_is_newer_ends_the_round),
        cmocka_unit_test(a_voter_with_a_newer_term_ends_the_round),
        cmocka_unit_test(no_majority_in_an_election_timeout_is_an_error),
        cmocka_unit_test(a_lost_question_is_asked_again),
        cmocka_unit_test(answers_that_come_twice_or_out_of_order_change_nothing),
        cmocka_unit_test(who_asks_again_from_inside_an_answer_waits_for_a_new_round),
        cmocka_unit_test(only_so_many_may_wait),
        cmocka_unit_test(who_waits_is_answered_when_the_node_stops),
        cmocka_unit_test(a_voter_answers_with_its_term_and_the_number_of_the_round),
        cmocka_unit_test(
            a_follower_asks_its_leader_once_for_all_and_waits_until_it_is_applied),
        cmocka_unit_test(who_comes_late_at_a_follower_joins_the_next_question),
        cmocka_unit_test(answers_of_others_or_to_an_earlier_start_mean_nothing),
        cmocka_unit_test(a_follower_asks_the_leader_that_follows),
        cmocka_unit_test(a_follower_that_comes_to_lead_asks_the_voters),
        cmocka_unit_test(a_follower_asks_again_until_it_is_too_late),
        cmocka_unit_test(without_a_leader_who_asks_waits_for_one),
        cmocka_unit_test(the_leaders_no_is_told),
        cmocka_unit_test(a_follower_that_does_not_catch_up_gives_up),
        cmocka_unit_test(another_nodes_question_is_answered_with_the_index),
        cmocka_unit_test(a_later_question_of_a_node_waits_for_the_next_round),
        cmocka_unit_test(an_overtaken_question_of_a_node_is_forgotten),
        cmocka_unit_test(who_does_not_lead_says_so),
        cmocka_unit_test(others_are_told_when_the_lead_is_lost_or_no_majority_is_there),
        cmocka_unit_test(more_nodes_than_a_cluster_has_are_turned_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
