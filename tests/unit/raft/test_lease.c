/* SPDX-License-Identifier: Apache-2.0 */
/* Leases, one step at a time: as who asks, as the leader who answers. The majority's
 * word is given, or not, by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/sim_clock.h"
#include "raft/lease.h"

#define SELF      1
#define OTHER     2
#define SESSION   900
#define ELECTION  1000
#define HEARTBEAT 100
#define LEASE     3000
#define SENT_MAX  256

struct sent {
    uint64_t to;
    struct lease_message message;
};

struct bench {
    struct sim_time *time;
    struct clock *clock;
    struct lease lease;
    struct lease_sight sight;
    enum lease_word judged;
    struct read_waiter *waiters[4]; /* for a majority's word */
    size_t waiter_count;
    int confirm; /* what the read index says to a question */
    struct sent sent[SENT_MAX];
    size_t sent_count;
    size_t renewals;
    bool woken;
};

/* --- what it stands on -------------------------------------------------------------
 */

static void bench_sight(void *owner, struct lease_sight *sight)
{
    *sight = ((struct bench *)owner)->sight;
}

static enum lease_word bench_judge(void *owner, uint64_t id)
{
    (void)id;
    return ((struct bench *)owner)->judged;
}

static int bench_confirm(void *owner, struct read_waiter *waiter)
{
    struct bench *bench = owner;
    if (bench->confirm == 0) {
        assert_true(bench->waiter_count < 4);
        bench->waiters[bench->waiter_count++] = waiter;
    }
    return bench->confirm;
}

static void bench_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct bench *bench = owner;
    assert_true(bench->sent_count < SENT_MAX);
    struct sent *sent = &bench->sent[bench->sent_count++];
    sent->to = to;
    assert_int_equal(lease_decode(&sent->message, frame->data, frame->len, NULL), 0);
}

static void bench_wake(void *owner)
{
    ((struct bench *)owner)->woken = true;
}

static void bench_renewed(void *owner, const struct lease_view *lease)
{
    struct bench *bench = owner;
    assert_int_equal(lease->until_ms, bench->lease.view.until_ms);
    bench->renewals++;
}

static void bench_turn(struct bench *bench)
{
    while (bench->woken) {
        bench->woken = false;
        lease_look(&bench->lease);
    }
}

static void bench_look(struct bench *bench)
{
    bench->woken = true;
    bench_turn(bench);
}

static void bench_run(struct bench *bench, uint64_t ms)
{
    for (; ms > 0; ms--) {
        sim_time_run_until(bench->time, sim_time_now_us(bench->time) + 1000);
        bench_turn(bench);
    }
}

/* It follows node 2. */
static void bench_open(struct bench *bench)
{
    static const struct lease_hooks hooks = {bench_sight, bench_judge, bench_confirm,
                                             bench_send,  bench_wake,  bench_renewed};
    *bench = (struct bench){.time = sim_time_new()};
    bench->clock = sim_clock_new(bench->time, 1);
    struct lease_options options = {
        .clock = bench->clock,
        .id = SELF,
        .session = SESSION,
        .election_timeout_ms = ELECTION,
        .heartbeat_ms = HEARTBEAT,
        .hooks = &hooks,
        .owner = bench,
    };
    bench->sight = (struct lease_sight){
        .fit = true, .term = 5, .leader = OTHER, .commit = 40, .lease_ms = LEASE};
    lease_init(&bench->lease, &options);
}

static void bench_lead(struct bench *bench)
{
    bench->sight.leads = true;
    bench->sight.settled = true;
    bench->sight.leader = SELF;
}

static void bench_close(struct bench *bench)
{
    lease_stop(&bench->lease);
    lease_close(&bench->lease);
    sim_clock_free(bench->clock);
    sim_time_free(bench->time);
}

static void bench_frame(struct bench *bench, uint64_t from,
                        const struct lease_message *message)
{
    struct bytes *frame = lease_encode(message);
    assert_int_equal(lease_frame(&bench->lease, from, frame->data, frame->len, NULL),
                     0);
    bytes_unref(frame);
    bench_turn(bench);
}

static void bench_grant(struct bench *bench, uint64_t from, uint64_t serial,
                        enum lease_word word, uint64_t index)
{
    struct lease_message message = {.kind = FRAME_LEASE_GRANT,
                                    .session = SESSION,
                                    .serial = serial,
                                    .word = word,
                                    .index = index};
    bench_frame(bench, from, &message);
}

static void bench_ask(struct bench *bench, uint64_t from, uint64_t session,
                      uint64_t serial)
{
    struct lease_message message = {.kind = FRAME_LEASE_ASK,
                                    .session = session,
                                    .serial = serial,
                                    .lease_ms = LEASE};
    bench_frame(bench, from, &message);
}

/* The oldest question is confirmed, or not. */
static void bench_confirmed(struct bench *bench, enum err_code code)
{
    struct err result = {.code = code};
    assert_true(bench->waiter_count > 0);
    struct read_waiter *waiter = bench->waiters[0];
    bench->waiter_count--;
    memmove(bench->waiters, bench->waiters + 1,
            bench->waiter_count * sizeof bench->waiters[0]);
    waiter->done(waiter, &result);
    bench_turn(bench);
}

static const struct lease_message *bench_last(const struct bench *bench)
{
    assert_true(bench->sent_count > 0);
    return &bench->sent[bench->sent_count - 1].message;
}

static uint64_t bench_boot(const struct bench *bench)
{
    return clock_boot_ms(bench->clock);
}

/* --- who asks ----------------------------------------------------------------------
 */

static void nobody_asks_for_what_nobody_wants(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_look(&bench);
    bench_run(&bench, 2 * LEASE);
    assert_int_equal(bench.sent_count, 0);
    bench_close(&bench);
}

static void a_lease_counts_from_the_question(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    uint64_t asked = bench_boot(&bench);
    assert_int_equal(bench_last(&bench)->kind, FRAME_LEASE_ASK);
    assert_int_equal(bench_last(&bench)->serial, 1);
    assert_int_equal(bench_last(&bench)->lease_ms, LEASE);
    bench_run(&bench, 50);
    assert_int_equal(bench.lease.view.until_ms, 0);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 44);
    assert_int_equal(bench.lease.view.until_ms, asked + LEASE);
    assert_int_equal(bench.lease.view.index, 44);
    assert_int_equal(bench.lease.view.lease_ms, LEASE);
    assert_int_equal(bench.renewals, 1);
    bench_close(&bench);
}

static void it_is_renewed_each_third(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    for (uint64_t serial = 1; serial <= 4; serial++) {
        bench_grant(&bench, OTHER, serial, LEASE_WORD_GRANTED, 40);
        assert_int_equal(bench.sent_count, serial);
        bench_run(&bench, LEASE / 3 - 1);
        assert_int_equal(bench.sent_count, serial);
        bench_run(&bench, 1);
        assert_int_equal(bench.sent_count, serial + 1);
    }
    bench_close(&bench);
}

static void another_length_counts_from_the_next_question(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 40);
    uint64_t until = bench.lease.view.until_ms;
    bench.sight.lease_ms = LEASE / 10;
    bench_run(&bench, LEASE / 10);
    bench_look(&bench); /* the setting was applied */
    assert_int_equal(bench.sent_count, 2);
    uint64_t asked = bench_boot(&bench);
    assert_int_equal(bench.lease.view.until_ms, until);
    bench_grant(&bench, OTHER, 2, LEASE_WORD_GRANTED, 40);
    assert_int_equal(bench.lease.view.until_ms, asked + LEASE / 10);
    assert_int_equal(bench.lease.view.lease_ms, LEASE / 10);
    bench_close(&bench);
}

static void only_the_answer_to_the_newest_question_counts(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    bench.sight.leader = 3;
    bench_look(&bench); /* asks anew */
    assert_int_equal(bench.lease.serial, 2);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 40);
    bench_grant(&bench, OTHER, 2, LEASE_WORD_GRANTED, 40);
    bench_grant(&bench, 3, 1, LEASE_WORD_GRANTED, 40);
    struct lease_message stale = {.kind = FRAME_LEASE_GRANT,
                                  .session = SESSION + 1,
                                  .serial = 2,
                                  .word = LEASE_WORD_GRANTED,
                                  .index = 40};
    bench_frame(&bench, 3, &stale);
    assert_int_equal(bench.lease.view.until_ms, 0);
    bench_grant(&bench, 3, 2, LEASE_WORD_GRANTED, 40);
    assert_true(bench.lease.view.until_ms > 0);
    uint64_t until = bench.lease.view.until_ms;
    bench_run(&bench, 10);
    bench_grant(&bench, 3, 2, LEASE_WORD_GRANTED, 41); /* it came twice */
    assert_int_equal(bench.lease.view.until_ms, until);
    assert_int_equal(bench.lease.view.index, 40);
    bench_close(&bench);
}

/* The same question: the lease goes on counting from when it was asked first. */
static void a_question_without_an_answer_is_repeated(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    uint64_t asked = bench_boot(&bench);
    bench_run(&bench, 3 * HEARTBEAT + HEARTBEAT / 2);
    assert_int_equal(bench.sent_count, 4);
    assert_int_equal(bench_last(&bench)->serial, 1);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 40);
    assert_int_equal(bench.lease.view.until_ms, asked + LEASE);
    bench_close(&bench);
}

static void after_half_the_lease_it_is_another_question(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    bench_run(&bench, LEASE / 2 + 2 * HEARTBEAT + 10);
    assert_int_equal(bench.lease.serial, 2);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 40);
    assert_int_equal(bench.lease.view.until_ms, 0);
    bench_close(&bench);
}

static void after_a_no_it_asks_soon(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_HELD, 0);
    assert_int_equal(bench.lease.view.until_ms, 0);
    assert_int_equal(bench.renewals, 0);
    bench_run(&bench, HEARTBEAT - 1);
    assert_int_equal(bench.sent_count, 1);
    bench_run(&bench, 1);
    assert_int_equal(bench.sent_count, 2);
    assert_int_equal(bench_last(&bench)->serial, 2);
    bench_close(&bench);
}

static void another_leader_is_asked_at_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 40);
    uint64_t until = bench.lease.view.until_ms;
    bench.sight.leader = 0;
    bench_look(&bench);
    bench_run(&bench, LEASE);
    assert_int_equal(bench.sent_count, 1); /* nobody to ask */
    assert_int_equal(bench.lease.view.until_ms, until);
    bench.sight.leader = 3;
    bench_look(&bench);
    assert_int_equal(bench.sent_count, 2);
    assert_int_equal(bench.sent[1].to, 3);
    bench_close(&bench);
}

static void a_wrong_state_ends_it(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 40);
    bench.sight.fit = false;
    bench_look(&bench);
    assert_int_equal(bench.lease.view.until_ms, 0);
    bench_run(&bench, LEASE);
    assert_int_equal(bench.sent_count, 1);
    bench.sight.fit = true;
    bench_look(&bench);
    bench_run(&bench, HEARTBEAT);
    assert_int_equal(bench.sent_count, 2);
    bench_close(&bench);
}

static void a_stopped_one_takes_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    lease_stop(&bench.lease);
    bench_grant(&bench, OTHER, 1, LEASE_WORD_GRANTED, 40);
    assert_int_equal(bench.lease.view.until_ms, 0);
    bench_close(&bench);
}

/* --- the leader --------------------------------------------------------------------
 */

static void a_grant_waits_for_a_majority_and_tells_the_commit_index_of_then(
    void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_lead(&bench);
    bench_ask(&bench, OTHER, 700, 8);
    assert_int_equal(bench.sent_count, 0);
    bench.sight.commit = 43; /* what was called lost meanwhile, say */
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(bench.sent_count, 1);
    assert_int_equal(bench.sent[0].to, OTHER);
    assert_int_equal(bench_last(&bench)->kind, FRAME_LEASE_GRANT);
    assert_int_equal(bench_last(&bench)->session, 700);
    assert_int_equal(bench_last(&bench)->serial, 8);
    assert_int_equal(bench_last(&bench)->word, LEASE_WORD_GRANTED);
    assert_int_equal(bench_last(&bench)->index, 43);
    bench_close(&bench);
}

static void a_leader_asks_itself_the_same_way(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_lead(&bench);
    lease_want(&bench.lease, true);
    bench_turn(&bench);
    uint64_t asked = bench_boot(&bench);
    bench_run(&bench, 30);
    assert_int_equal(bench.lease.view.until_ms, 0);
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(bench.lease.view.until_ms, asked + LEASE);
    assert_int_equal(bench.renewals, 1);
    assert_int_equal(bench.sent_count, 0);
    assert_int_equal(lease_silence_ms(&bench.lease, SELF), 0);
    bench_close(&bench);
}

static void a_later_question_gets_a_majority_of_its_own(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_lead(&bench);
    bench_ask(&bench, OTHER, 700, 8);
    bench_ask(&bench, OTHER, 700, 8); /* repeated */
    bench_ask(&bench, OTHER, 700, 10);
    bench_ask(&bench, OTHER, 700, 9); /* late */
    assert_int_equal(bench.waiter_count, 1);
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(bench.sent_count, 0); /* nobody waits for the answer to 8 */
    assert_int_equal(bench.waiter_count, 1);
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(bench.sent_count, 1);
    assert_int_equal(bench_last(&bench)->serial, 10);
    bench_close(&bench);
}

static void assert_refused(struct bench *bench, enum lease_word word)
{
    assert_true(bench->sent_count > 0);
    assert_int_equal(bench_last(bench)->kind, FRAME_LEASE_GRANT);
    assert_int_equal(bench_last(bench)->word, word);
    assert_int_equal(bench_last(bench)->index, 0);
    bench->sent_count = 0;
}

static void who_does_not_lead_grants_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_ask(&bench, 3, 700, 1);
    assert_refused(&bench, LEASE_WORD_NOT_LEADER);
    bench_lead(&bench);
    bench_ask(&bench, 3, 700, 2);
    bench.sight.term++; /* it lost the lead meanwhile, and has it again */
    bench_confirmed(&bench, ERR_NONE);
    assert_refused(&bench, LEASE_WORD_NOT_LEADER);
    bench_ask(&bench, 3, 700, 3);
    bench.sight.settled = false;
    bench_confirmed(&bench, ERR_NONE);
    assert_refused(&bench, LEASE_WORD_NOT_LEADER);
    bench.sight.settled = true;
    bench_ask(&bench, 3, 700, 4);
    bench_confirmed(&bench, ERR_UNAVAILABLE);
    assert_refused(&bench, LEASE_WORD_NO_MAJORITY);
    bench_ask(&bench, 3, 700, 5);
    bench_confirmed(&bench, ERR_NOT_LEADER);
    assert_refused(&bench, LEASE_WORD_NOT_LEADER);
    bench.confirm = ERR_UNAVAILABLE;
    bench_ask(&bench, 3, 700, 6);
    assert_refused(&bench, LEASE_WORD_BUSY);
    bench.sight.fit = false;
    bench_ask(&bench, 3, 700, 7);
    assert_refused(&bench, LEASE_WORD_NOT_LEADER);
    bench_close(&bench);
}

static void who_is_no_member_or_differs_gets_none(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_lead(&bench);
    bench.judged = LEASE_WORD_NO_MEMBER;
    bench_ask(&bench, 3, 700, 1);
    assert_refused(&bench, LEASE_WORD_NO_MEMBER);
    bench.judged = LEASE_WORD_GRANTED;
    bench_ask(&bench, 3, 700, 2);
    bench.judged = LEASE_WORD_DIFFERS; /* found while the majority was asked */
    bench_confirmed(&bench, ERR_NONE);
    assert_refused(&bench, LEASE_WORD_DIFFERS);
    assert_int_equal(lease_silence_ms(&bench.lease, 3), 0);
    bench_close(&bench);
}

static void who_is_held_gets_none_even_if_it_asked_before(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_lead(&bench);
    bench_ask(&bench, OTHER, 700, 1);
    lease_hold(&bench.lease, OTHER);
    lease_hold(&bench.lease, OTHER); /* of another run */
    bench_confirmed(&bench, ERR_NONE);
    assert_refused(&bench, LEASE_WORD_HELD);
    lease_release(&bench.lease, OTHER);
    bench_ask(&bench, OTHER, 700, 2);
    assert_refused(&bench, LEASE_WORD_HELD);
    bench_ask(&bench, 3, 800, 1);
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(bench_last(&bench)->word, LEASE_WORD_GRANTED); /* another one */
    lease_release(&bench.lease, OTHER);
    bench_ask(&bench, OTHER, 700, 3);
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(bench_last(&bench)->word, LEASE_WORD_GRANTED);
    bench_close(&bench);
}

static void another_leadership_begins_with_nobody_held_and_a_silence_of_its_own(
    void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_lead(&bench);
    bench_look(&bench);
    bench_run(&bench, 500);
    lease_hold(&bench.lease, OTHER);
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 500);
    bench.sight.term++;
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 0);
    bench_ask(&bench, OTHER, 700, 1);
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(bench_last(&bench)->word, LEASE_WORD_GRANTED);
    bench_close(&bench);
}

static void silence_counts_from_the_answer_or_the_election(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 0); /* it does not lead */
    bench_lead(&bench);
    bench_look(&bench);
    bench_run(&bench, 300);
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 300);
    bench_ask(&bench, OTHER, 700, 1);
    bench_run(&bench, 100);
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 400);
    bench_confirmed(&bench, ERR_NONE);
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 0);
    bench_run(&bench, 70);
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 70);
    assert_int_equal(lease_silence_ms(&bench.lease, 3), 470);
    bench_ask(&bench, OTHER, 700, 2);
    bench_confirmed(&bench, ERR_UNAVAILABLE); /* a no is no grant */
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 70);
    for (uint64_t id = 100; id < 200; id++) { /* they come and go; none is forgotten */
        bench_ask(&bench, id, id, 1);
        bench_confirmed(&bench, ERR_NONE);
    }
    bench_run(&bench, 30);
    assert_int_equal(lease_silence_ms(&bench.lease, OTHER), 100);
    assert_int_equal(lease_silence_ms(&bench.lease, 100), 30);
    bench_close(&bench);
}

static void a_lease_is_over_after_what_clocks_may_drift(void **state)
{
    (void)state;
    assert_int_equal(lease_over_ms(4000, 5000), 9000 + 90 + 1000);
    assert_int_equal(lease_over_ms(1000, 1), 1001 + 11 + 1000); /* rounded up */
    assert_int_equal(lease_over_ms(UINT32_MAX, UINT32_MAX),
                     8589934590u + 85899346u + 1000);
}

/* --- bytes -------------------------------------------------------------------------
 */

static void frames_are_what_the_readme_says(void **state)
{
    (void)state;
    static const uint8_t ask[] = {100, 1, 0, 0, 0, 0, 0,    0,    0, 2, 0,
                                  0,   0, 0, 0, 0, 0, 0xa0, 0x0f, 0, 0};
    static const uint8_t grant[] = {101, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0,
                                    0,   0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0};
    struct lease_message message = {
        .kind = FRAME_LEASE_ASK, .session = 1, .serial = 2, .lease_ms = 4000};
    struct bytes *frame = lease_encode(&message);
    assert_int_equal(frame->len, sizeof ask);
    assert_memory_equal(frame->data, ask, sizeof ask);
    bytes_unref(frame);
    message = (struct lease_message){
        .kind = FRAME_LEASE_GRANT, .session = 1, .serial = 2, .index = 9};
    frame = lease_encode(&message);
    assert_int_equal(frame->len, sizeof grant);
    assert_memory_equal(frame->data, grant, sizeof grant);
    bytes_unref(frame);
}

static void damaged_frames_are_refused(void **state)
{
    (void)state;
    struct bench bench;
    struct err err;
    bench_open(&bench);
    for (int kind = FRAME_LEASE_ASK; kind <= FRAME_LEASE_GRANT; kind++) {
        struct lease_message message = {.kind = (enum frame_kind)kind, .lease_ms = 1};
        struct bytes *frame = lease_encode(&message);
        uint8_t longer[64] = {0};
        memcpy(longer, frame->data, frame->len);
        for (size_t len = 0; len <= frame->len + 1; len++) {
            int rv = lease_frame(&bench.lease, 3, longer, len, &err);
            assert_int_equal(rv, len == frame->len ? 0 : ERR_CORRUPT);
        }
        longer[17] = kind == FRAME_LEASE_ASK ? 0 : LEASE_WORD_DIFFERS + 1;
        assert_int_equal(lease_frame(&bench.lease, 3, longer, frame->len, &err),
                         ERR_CORRUPT);
        bytes_unref(frame);
    }
    struct lease_message refusal = {
        .kind = FRAME_LEASE_GRANT, .word = LEASE_WORD_HELD, .index = 1};
    struct bytes *frame = lease_encode(&refusal);
    assert_int_equal(lease_frame(&bench.lease, 3, frame->data, frame->len, &err),
                     ERR_CORRUPT); /* a no has no index */
    bytes_unref(frame);
    bench_close(&bench);
}

static void every_word_has_a_name(void **state)
{
    (void)state;
    for (int word = 0; word <= LEASE_WORD_DIFFERS; word++) {
        assert_string_not_equal(lease_word_name((enum lease_word)word), "unknown");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_asks_for_what_nobody_wants),
        cmocka_unit_test(a_lease_counts_from_the_question),
        cmocka_unit_test(it_is_renewed_each_third),
        cmocka_unit_test(another_length_counts_from_the_next_question),
        cmocka_unit_test(only_the_answer_to_the_newest_question_counts),
        cmocka_unit_test(a_question_without_an_answer_is_repeated),
        cmocka_unit_test(after_half_the_lease_it_is_another_question),
        cmocka_unit_test(after_a_no_it_asks_soon),
        cmocka_unit_test(another_leader_is_asked_at_once),
        cmocka_unit_test(a_wrong_state_ends_it),
        cmocka_unit_test(a_stopped_one_takes_nothing),
        cmocka_unit_test(
            a_grant_waits_for_a_majority_and_tells_the_commit_index_of_then),
        cmocka_unit_test(a_leader_asks_itself_the_same_way),
        cmocka_unit_test(a_later_question_gets_a_majority_of_its_own),
        cmocka_unit_test(who_does_not_lead_grants_nothing),
        cmocka_unit_test(who_is_no_member_or_differs_gets_none),
        cmocka_unit_test(who_is_held_gets_none_even_if_it_asked_before),
        cmocka_unit_test(
            another_leadership_begins_with_nobody_held_and_a_silence_of_its_own),
        cmocka_unit_test(silence_counts_from_the_answer_or_the_election),
        cmocka_unit_test(a_lease_is_over_after_what_clocks_may_drift),
        cmocka_unit_test(frames_are_what_the_readme_says),
        cmocka_unit_test(damaged_frames_are_refused),
        cmocka_unit_test(every_word_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
