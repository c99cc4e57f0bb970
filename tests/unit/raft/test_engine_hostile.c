/* SPDX-License-Identifier: Apache-2.0 */
/* One engine among peers that say anything that can be said: well-formed messages with
 * terms and indexes around its own, of members and strangers, in any order, while its
 * disk is slow. Nothing may end it, and what it took for committed stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/rules.h"
#include "unit/raft/engine_bench.h"

#define ENTRIES_MAX 6
#define COMMIT_MAX  4096

struct hostile {
    struct bench bench;
    struct sim_random random;
    uint64_t manners; /* percent of what is said that is of the engine's own term */
    uint64_t leaders; /* percent of others' appends that are said at all */
    uint64_t commit;
    uint64_t committed_terms[COMMIT_MAX];
};

static uint64_t below(struct hostile *hostile, uint64_t limit)
{
    return sim_random_below(&hostile->random, limit);
}

/* A number near `about`, now and then one that is not. */
static uint64_t near(struct hostile *hostile, uint64_t about)
{
    if (below(hostile, 50) == 0) {
        return below(hostile, 2) == 0 ? below(hostile, 4)
                                      : about + below(hostile, 1000);
    }
    uint64_t down = below(hostile, 4);
    return (about > down ? about - down : 0) + below(hostile, 4);
}

static uint64_t term_said(struct hostile *hostile)
{
    uint64_t term = engine_term(hostile->bench.engine);
    return below(hostile, 100) < hostile->manners ? term : near(hostile, term);
}

static uint64_t from_whom(struct hostile *hostile)
{
    static const uint64_t ids[] = {2, 3, 4, 9};
    return ids[below(hostile, 10) < 8 ? below(hostile, 2) : below(hostile, 4)];
}

static void say_append(struct hostile *hostile)
{
    struct bench *bench = &hostile->bench;
    uint64_t term = term_said(hostile);
    uint64_t prev = below(hostile, 2) == 0
                        ? engine_last(bench->engine)
                        : near(hostile, engine_commit(bench->engine));
    const struct entry *known = engine_entry(bench->engine, prev);
    uint64_t prev_term = prev == 0 ? 0
                         : known != NULL && below(hostile, 4) > 0
                             ? known->term
                             : 1 + below(hostile, term + 1);
    if (term < prev_term || term == 0) { /* the decoder drops what cannot be at all */
        term = prev_term + 1;
    }
    struct entry entries[ENTRIES_MAX];
    unsigned count = (unsigned)below(hostile, ENTRIES_MAX + 1);
    uint64_t at = prev_term > 0 ? prev_term : 1;
    for (unsigned i = 0; i < count; i++) {
        at += at < term && below(hostile, 3) == 0;
        if (below(hostile, 5) == 0) {
            size_t voters = 1 + below(hostile, 3);
            entries[i] = change_entry(at, voters, below(hostile, 3));
        } else {
            entries[i] = batch_entry(at);
            entries[i].type = below(hostile, 4) == 0 ? ENTRY_BARRIER : ENTRY_COMMAND;
        }
    }
    bench_append(bench, from_whom(hostile), term, prev, prev_term,
                 near(hostile, below(hostile, 3) == 0 ? engine_last(bench->engine)
                                                      : engine_commit(bench->engine)),
                 entries, count);
}

static void say_result(struct hostile *hostile)
{
    struct bench *bench = &hostile->bench;
    uint64_t term = term_said(hostile);
    bench_append_result(
        bench, from_whom(hostile), term,
        below(hostile, 9) == 0 ? near(hostile, term) : term,
        below(hostile, 3) > 0 ? 0 : near(hostile, engine_last(bench->engine)),
        near(hostile, engine_last(bench->engine)));
}

static void say_vote(struct hostile *hostile)
{
    struct bench *bench = &hostile->bench;
    struct raft_message raft = {
        .type = RAFT_REQUEST_VOTE,
        .request_vote = {.version = (unsigned char)below(hostile, 3),
                         .term = term_said(hostile),
                         .last_log_index = near(hostile, engine_last(bench->engine)),
                         .last_log_term = near(hostile, engine_term(bench->engine)),
                         .disrupt_leader = below(hostile, 4) == 0,
                         .pre_vote = below(hostile, 2) == 0},
    };
    bench_receive(bench, from_whom(hostile), &raft, 0, NULL);
}

static void say_vote_result(struct hostile *hostile)
{
    bool pre_vote = below(hostile, 2) == 0;
    bench_vote_result(&hostile->bench, from_whom(hostile),
                      term_said(hostile) + pre_vote, below(hostile, 4) > 0, pre_vote);
}

static void say_timeout_now(struct hostile *hostile)
{
    struct bench *bench = &hostile->bench;
    uint64_t last = engine_last(bench->engine);
    const struct entry *entry = engine_entry(bench->engine, last);
    struct raft_message raft = {
        .type = RAFT_TIMEOUT_NOW,
        .timeout_now = {.version = 1,
                        .term = term_said(hostile),
                        .last_log_index = last,
                        .last_log_term = entry != NULL ? entry->term : 0},
    };
    bench_receive(bench, from_whom(hostile), &raft, 0, NULL);
}

static void submit(struct hostile *hostile)
{
    struct bench *bench = &hostile->bench;
    uint64_t index = 0;
    uint64_t term = 0;
    bool change = below(hostile, 4) == 0;
    struct entry entry =
        change ? change_entry(1, 3, 1 + below(hostile, 2)) : batch_entry(1);
    (void)engine_submit(bench->engine, entry.type, entry.data, &index, &term, NULL);
    bytes_unref(entry.data);
}

static void happen(struct hostile *hostile)
{
    struct bench *bench = &hostile->bench;
    switch (below(hostile, 9)) {
    case 0:
    case 1:
        if (below(hostile, 100) < hostile->leaders) {
            say_append(hostile);
        }
        break;
    case 2:
        say_result(hostile);
        break;
    case 3:
        say_vote(hostile);
        break;
    case 4:
        say_vote_result(hostile);
        break;
    case 5:
        say_timeout_now(hostile);
        break;
    case 6:
        submit(hostile);
        break;
    case 7:
        engine_elect_now(bench->engine);
        break;
    case 8:
        bench_run(bench,
                  below(hostile, 40) == 0 ? 2 * ELECTION_MS : below(hostile, 30));
        break;
    }
}

/* What was committed stays, and is there. */
static void look(struct hostile *hostile)
{
    const struct engine *engine = hostile->bench.engine;
    uint64_t commit = engine_commit(engine);
    assert_true(commit >= hostile->commit && commit <= engine_last(engine));
    for (; hostile->commit < commit && hostile->commit + 1 < COMMIT_MAX;) {
        hostile->commit++;
        hostile->committed_terms[hostile->commit] =
            engine_entry(engine, hostile->commit)->term;
    }
    for (uint64_t i = 1; i <= hostile->commit; i++) {
        assert_int_equal(engine_entry(engine, i)->term, hostile->committed_terms[i]);
    }
    engine_applied(hostile->bench.engine, commit);
}

static void one_life(uint64_t seed)
{
    struct hostile *hostile = mem_zalloc(sizeof *hostile);
    sim_random_init(&hostile->random, seed);
    hostile->manners = below(hostile, 101);
    hostile->leaders = below(hostile, 2) == 0 ? 100 : below(hostile, 20);
    struct entry first = change_entry(1, 1 + 2 * below(hostile, 2), below(hostile, 2));
    bench_open(&hostile->bench, &first, 1 + below(hostile, 3), below(hostile, 5));
    sim_disk_latency(hostile->bench.disk, 100, 100 + below(hostile, 20000));
    for (int i = 0; i < 300; i++) {
        happen(hostile);
        look(hostile);
        if (hostile->bench.sent_count > FRAMES_MAX / 2) {
            bench_forget_sent(&hostile->bench);
        }
    }
    bench_close(&hostile->bench);
    mem_free(hostile);
}

static void nothing_that_can_be_said_ends_the_engine(void **state)
{
    (void)state;
    uint64_t lives = getenv("MUSTER_TEST_FULL") != NULL ? 20000 : 300;
    for (uint64_t seed = 1; seed <= lives; seed++) {
        one_life(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_can_be_said_ends_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
