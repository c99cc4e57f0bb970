/* SPDX-License-Identifier: Apache-2.0 */
/* What a survivor does when its leader's process is dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/vigil.h"
#include "unit/raft/engine_bench.h"

struct survivor {
    struct bench bench;
    struct vigil vigil;
};

/* Node 1 of three follows node 3 in term 4; then node 3 dies. */
static void survivor_open(struct survivor *survivor, uint64_t sync_ms)
{
    struct entry first = change_entry(1, 3, 0);
    bench_open(&survivor->bench, &first, 4, 4);
    bench_run(&survivor->bench, 10);
    bench_append(&survivor->bench, 3, 4, 5, 4, 5, NULL, 0);
    assert_int_equal(engine_leader(survivor->bench.engine), 3);
    sim_disk_latency(survivor->bench.disk, sync_ms * 1000, sync_ms * 1000);
    bench_run(&survivor->bench, 20);
    vigil_start(&survivor->vigil, survivor->bench.clock, survivor->bench.engine, 1,
                ELECTION_MS);
    bench_forget_sent(&survivor->bench);
    vigil_death(&survivor->vigil, 3);
}

static void survivor_close(struct survivor *survivor)
{
    vigil_stop(&survivor->vigil);
    bench_close(&survivor->bench);
}

static void pre_votes_are_asked_for_until_the_other_has_noticed_too(void **state)
{
    (void)state;
    struct survivor survivor;
    survivor_open(&survivor, 0);
    bench_run(&survivor.bench, 60);
    size_t asked = 0;
    for (size_t i = 0; i < survivor.bench.sent_count; i++) {
        asked += survivor.bench.sent[i].to == 2;
    }
    assert_in_range(asked, 4, 12);
    assert_int_equal(engine_term(survivor.bench.engine), 4);
    survivor_close(&survivor);
}

static void an_election_is_not_begun_anew_while_votes_are_on_their_way_to_disk(
    void **state)
{
    (void)state;
    struct survivor survivor;
    survivor_open(&survivor, 5); /* a vote is some six operations of the disk */
    bench_run(&survivor.bench, 3);
    bench_vote_result(&survivor.bench, 2, 5, true, true);
    for (size_t ms = 0; ms < 50; ms++) {
        bench_run(&survivor.bench, 1);
        assert_int_equal(engine_term(survivor.bench.engine), 5);
    }
    bench_vote_result(&survivor.bench, 2, 5, true, false);
    assert_int_equal(engine_role(survivor.bench.engine), ENGINE_LEADER);
    survivor_close(&survivor);
}

static void an_election_that_nobody_wins_is_begun_anew(void **state)
{
    (void)state;
    struct survivor survivor;
    survivor_open(&survivor, 0);
    bench_run(&survivor.bench, 3);
    bench_vote_result(&survivor.bench, 2, 5, true, true);
    bench_run(&survivor.bench, 3);
    bench_vote_result(&survivor.bench, 2, 5, false, false);
    assert_int_equal(engine_term(survivor.bench.engine), 5);
    bench_run(&survivor.bench, 200);
    bench_vote_result(&survivor.bench, 2, 6, true, true);
    bench_run(&survivor.bench, 3);
    assert_int_equal(engine_term(survivor.bench.engine), 6);
    survivor_close(&survivor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pre_votes_are_asked_for_until_the_other_has_noticed_too),
        cmocka_unit_test(
            an_election_is_not_begun_anew_while_votes_are_on_their_way_to_disk),
        cmocka_unit_test(an_election_that_nobody_wins_is_begun_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
