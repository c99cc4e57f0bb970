/* SPDX-License-Identifier: Apache-2.0 */
/* Each crash, each failure, each damage: what was reported is found again, or the store
 * is refused by file and offset because synced bytes are damaged. The default run takes
 * a sample; MUSTER_TEST_FULL=1 takes all of it. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "unit/raft/store_bench.h"

#define STEPS 300

/* --- crash after every operation ----------------------------------------------------
 */

struct crash {
    struct bench *bench;
    uint64_t seed;
    uint64_t points;
    bool light; /* only what was not synced is lost */
    struct sim_random random;
};

static const char *const loss_names[] = {"lost", "kept", "torn", "reordered", "killed"};

static void crash_check(struct crash *crash, struct sim_disk *clone,
                        struct sim_time *time, unsigned mode, bool go_on)
{
    char what[128];
    snprintf(what, sizeof what, "seed %" PRIu64 ", operation %" PRIu64 ", %s",
             crash->seed, sim_disk_operations(crash->bench->sim), loss_names[mode]);
    struct err err;
    if (bench_check(crash->bench, clone, time, go_on, what, &err) != 0) {
        fail_msg("%s: refused: %s", what, err.text);
    }
}

static void crash_lose(struct sim_disk *clone, unsigned mode)
{
    if (mode == 4) {
        sim_disk_kill(clone);
    } else {
        sim_disk_power_on(clone, (enum sim_disk_loss)mode);
    }
}

/* Either anchor alone holds what was reported. */
static void crash_with_one_anchor(struct crash *crash, unsigned mode)
{
    struct sim_time *time = sim_time_new();
    struct sim_disk *clone =
        sim_disk_clone(crash->bench->sim, time, sim_random_next(&crash->random));
    crash_lose(clone, mode);
    const char *name = crash->points % 2 == 0 ? "anchor-1" : "anchor-2";
    assert_true(sim_disk_flip(clone, name, sim_random_below(&crash->random, 512), 1));
    log_set_level(LOG_LEVEL_ERROR); /* it is told each time */
    crash_check(crash, clone, time, mode, false);
    log_set_level(LOG_LEVEL_INFO);
    sim_disk_free(clone);
    sim_time_free(time);
}

/* The power goes again while the store is being opened. */
static void crash_twice(struct crash *crash, unsigned mode)
{
    struct sim_time *time = sim_time_new();
    struct sim_disk *clone =
        sim_disk_clone(crash->bench->sim, time, sim_random_next(&crash->random));
    crash_lose(clone, mode);
    struct clock *clock = sim_clock_new(time, 1);
    struct store_options options = {
        .disk = sim_disk_base(clone),
        .clock = clock,
        .node_id = BENCH_NODE,
        .cluster_id = BENCH_CLUSTER,
        .segment_bytes = crash->bench->segment_bytes,
    };
    sim_disk_power_off_after(clone, 5 + sim_random_below(&crash->random, 60));
    struct store *store = NULL;
    struct store_found found;
    struct err err;
    int result = store_open(&store, &options, &found, &err);
    if (result == 0) { /* the power was to go later */
        entry_log_close(&found.log);
        bytes_unref(found.snapshot.configuration);
        struct bench closer = {.store = store, .time = time};
        bench_close_store(&closer);
    } else {
        assert_int_equal(result, ERR_IO);
    }
    sim_clock_free(clock);
    sim_disk_power_on(clone, (enum sim_disk_loss)sim_random_below(&crash->random, 4));
    crash_check(crash, clone, time, mode, false);
    sim_disk_free(clone);
    sim_time_free(time);
}

static void crash_point(void *ctx)
{
    struct crash *crash = ctx;
    crash->points++;
    for (unsigned mode = 0; mode < (crash->light ? 1 : 5); mode++) {
        struct sim_time *time = sim_time_new();
        struct sim_disk *clone =
            sim_disk_clone(crash->bench->sim, time, sim_random_next(&crash->random));
        crash_lose(clone, mode);
        crash_check(crash, clone, time, mode,
                    bench_full_run() || crash->points % 4 == 0);
        sim_disk_free(clone);
        sim_time_free(time);
    }
    if (crash->light) {
        return;
    }
    crash_with_one_anchor(crash, (unsigned)sim_random_below(&crash->random, 5));
    crash_twice(crash, (unsigned)sim_random_below(&crash->random, 5));
}

/* Snapshots of all there is, while a frame goes to the next segment. */
static void crash_snapshots(struct bench *bench)
{
    bench_append(bench, 1 + (size_t)sim_random_below(&bench->random, 20));
    bench_settle(bench);
    bench_commit_all(bench);
    bench_take(bench);
    bench_run(bench, 1 + sim_random_below(&bench->random, 4));
    bench_append(bench, 1 + (size_t)sim_random_below(&bench->random, 20));
}

static void crash_run(uint64_t seed, uint64_t segment_bytes, bool snapshots)
{
    struct bench bench;
    bench_init(&bench, seed, segment_bytes);
    struct crash crash = {.bench = &bench, .seed = seed, .light = snapshots};
    sim_random_init(&crash.random, seed);
    sim_disk_watch(bench.sim, crash_point, &crash);
    for (size_t i = 0; i < STEPS; i++) {
        if (snapshots) {
            crash_snapshots(&bench);
        } else {
            bench_step(&bench);
        }
    }
    bench_settle(&bench);
    sim_disk_watch(bench.sim, NULL, NULL);
    assert_false(bench.failed);
    assert_true(crash.points > STEPS);
    bench_close(&bench);
}

static void a_crash_after_any_operation_loses_nothing_reported(void **state)
{
    (void)state;
    uint64_t seeds = bench_full_run() ? 60 : 2;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        crash_run(seed, seed % 2 == 0 ? 4096 : 16384, false);
    }
}

static void a_crash_between_a_snapshot_and_the_next_segment_loses_nothing(void **state)
{
    (void)state;
    uint64_t seeds = bench_full_run() ? 20 : 2;
    for (uint64_t seed = 71; seed < 71 + seeds; seed++) {
        crash_run(seed, 4096, true);
    }
}

/* --- every operation fails -----------------------------------------------------------
 */

static uint64_t failing_run(uint64_t seed, uint64_t skip, uint64_t times)
{
    struct bench bench;
    bench_init(&bench, seed, 6144);
    uint64_t before = sim_disk_operations(bench.sim);
    sim_disk_fail(bench.sim, skip, times);
    for (size_t i = 0; i < STEPS && !bench.failed; i++) {
        bench_step(&bench);
    }
    bench_settle(&bench);
    uint64_t operations = sim_disk_operations(bench.sim) - before;
    char what[128];
    snprintf(what, sizeof what,
             "seed %" PRIu64 ", failure of operation %" PRIu64 " (%" PRIu64 " times)",
             seed, skip, times);
    if (bench.failed) {
        assert_true(sim_disk_failed(bench.sim));
        assert_non_null(strstr(bench.failure.text, "/node"));
    } else if (sim_disk_failed(bench.sim)) {
        fail_msg("%s: nobody was told", what);
    }
    bench_close_store(&bench);
    sim_disk_fail(bench.sim, 0, 0);

    /* the process comes again on the same page cache, then without it */
    struct sim_time *time = sim_time_new();
    struct sim_disk *clone = sim_disk_clone(bench.sim, time, seed);
    struct err err;
    sim_disk_kill(clone);
    if (bench_check(&bench, clone, time, true, what, &err) != 0) {
        fail_msg("%s: refused: %s", what, err.text);
    }
    sim_disk_free(clone);
    clone = sim_disk_clone(bench.sim, time, seed);
    sim_disk_power_on(clone, SIM_LOSE);
    if (bench_check(&bench, clone, time, true, what, &err) != 0) {
        fail_msg("%s: refused after loss of power: %s", what, err.text);
    }
    sim_disk_free(clone);
    sim_time_free(time);
    bench_close(&bench);
    return operations;
}

static void a_failed_operation_stops_the_store_and_nothing_is_lost(void **state)
{
    (void)state;
    uint64_t seeds = bench_full_run() ? 8 : 1;
    uint64_t stride = bench_full_run() ? 1 : 7;
    for (uint64_t seed = 11; seed < 11 + seeds; seed++) {
        uint64_t operations = failing_run(seed, 0, 0);
        for (uint64_t skip = 0; skip < operations; skip += stride) {
            failing_run(seed, skip, 1 + skip % 3);
        }
    }
}

/* --- damage --------------------------------------------------------------------------
 */

struct refusals {
    uint64_t refused;
    uint64_t recovered;
};

/* Open a damaged clone: exactly what was reported, or refused by file and offset. */
static void damage_check(const struct bench *bench, struct sim_disk *clone,
                         struct sim_time *time, const char *name, const char *what,
                         struct refusals *refusals)
{
    struct err err;
    if (bench_check(bench, clone, time, false, what, &err) == 0) {
        refusals->recovered++;
        return;
    }
    refusals->refused++;
    if (err.code != ERR_CORRUPT || strstr(err.text, ": offset ") == NULL ||
        (name != NULL && strstr(err.text, name) == NULL)) {
        fail_msg("%s: refused with: %s", what, err.text);
    }
}

/* A store with everything in it: a snapshot, several segments, a replaced tail. */
static void damage_bench(struct bench *bench, uint64_t seed)
{
    bench_init(bench, seed, 6144);
    for (size_t i = 0; i < STEPS || bench->snapshot.index == 0; i++) {
        bench_step(bench);
    }
    bench_settle(bench);
    bench_append(bench, 3);
    bench_settle(bench);
    bench_append(bench, 3);
    bench_settle(bench);
    bench_close_store(bench);
    assert_false(bench->failed);
    sim_disk_power_on(bench->sim, SIM_LOSE);
    /* opened once more, so that nothing is left over and the anchors know every frame
     */
    struct err err;
    assert_int_equal(bench_check(bench, bench->sim, bench->time, false, "before", &err),
                     0);
}

static void damage_flips(const struct bench *bench, const char *name, uint64_t stride,
                         struct refusals *refusals)
{
    size_t len = 0;
    const uint8_t *content = sim_disk_content(bench->sim, name, &len);
    assert_non_null(content);
    for (uint64_t at = 0; at < len; at += stride) {
        /* all of what is written, a sample of what is zero */
        if (content[at] == 0 && at % (stride * 13) != 0) {
            continue;
        }
        struct sim_time *time = sim_time_new();
        struct sim_disk *clone = sim_disk_clone(bench->sim, time, at);
        assert_true(sim_disk_flip(clone, name, at, (uint8_t)(1u << at % 8)));
        char what[128];
        snprintf(what, sizeof what, "flip of %s at %" PRIu64, name, at);
        damage_check(bench, clone, time, name, what, refusals);
        sim_disk_free(clone);
        sim_time_free(time);
    }
}

static void a_flipped_bit_is_found_or_does_no_harm(void **state)
{
    (void)state;
    struct bench bench;
    damage_bench(&bench, 21);
    log_set_level(LOG_LEVEL_ERROR); /* a damaged anchor copy is told each time */
    for (size_t i = 0; i < sim_disk_count(bench.sim); i++) {
        const char *name = sim_disk_name(bench.sim, i);
        struct refusals refusals = {0};
        damage_flips(&bench, name, bench_full_run() ? 1 : 11, &refusals);
        if (strncmp(name, "anchor-", 7) == 0) {
            assert_int_equal(refusals.refused, 0); /* the other copy is good */
        } else {
            assert_int_equal(refusals.recovered, 0);
        }
    }
    log_set_level(LOG_LEVEL_INFO);
    bench_close(&bench);
}

/* A sector that was synced and is zero again, as after a write that the disk lost:
 * never taken for a torn frame. */
static void a_zeroed_sector_is_not_taken_for_a_torn_one(void **state)
{
    (void)state;
    struct bench bench;
    damage_bench(&bench, 25);
    for (size_t i = 0; i < sim_disk_count(bench.sim); i++) {
        const char *name = sim_disk_name(bench.sim, i);
        size_t len = 0;
        const uint8_t *content = sim_disk_content(bench.sim, name, &len);
        for (size_t at = 0; strncmp(name, "log-", 4) == 0 && at < len; at += 512) {
            uint8_t *copy = mem_dup(content, len);
            memset(copy + at, 0, 512);
            bool written = memcmp(copy, content, len) != 0;
            struct sim_time *time = sim_time_new();
            struct sim_disk *clone = sim_disk_clone(bench.sim, time, at);
            sim_disk_put(clone, name, copy, len);
            char what[128];
            snprintf(what, sizeof what, "%s with a zero sector at %zu", name, at);
            struct refusals refusals = {0};
            damage_check(&bench, clone, time, NULL, what, &refusals);
            assert_int_equal(refusals.refused, written);
            sim_disk_free(clone);
            sim_time_free(time);
            mem_free(copy);
        }
    }
    bench_close(&bench);
}

/* The anchors were written long before: only that a frame follows tells that the one
 * with a zero sector was synced. */
static void a_frame_that_another_one_follows_is_not_cut(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 28, 65536);
    for (size_t i = 0; i < 12; i++) {
        bench_append(&bench, 20);
        bench_settle(&bench);
    }
    bench_close_store(&bench);
    const char *name = "log-00000000000000000001";
    size_t len = 0;
    const uint8_t *content = sim_disk_content(bench.sim, name, &len);
    size_t final = 0; /* where the last frame begins */
    size_t sectors = 0;
    for (size_t at = 512; at < len && content[at + 8] != 0; at += 512) {
        final = content[at + 4] == 0 ? at : final;
        sectors++;
    }
    assert_true(sectors > 24);
    for (size_t at = 512; at < final; at += 512) {
        struct sim_time *time = sim_time_new();
        struct sim_disk *clone = sim_disk_clone(bench.sim, time, at);
        uint8_t *copy = mem_dup(content, len);
        memset(copy + at, 0, 512);
        sim_disk_put(clone, name, copy, len);
        struct refusals refusals = {0};
        damage_check(&bench, clone, time, name, "a zero sector", &refusals);
        assert_int_equal(refusals.refused, 1);
        sim_disk_free(clone);
        sim_time_free(time);
        mem_free(copy);
    }
    bench_close(&bench);
}

/* Put `name` as `from` has it into a clone of `to`: it must be refused. */
static void foreign_file_is_refused(const struct bench *to, const struct bench *from,
                                    const char *name)
{
    size_t len = 0;
    const uint8_t *content = sim_disk_content(from->sim, name, &len);
    assert_non_null(content);
    struct sim_time *time = sim_time_new();
    struct sim_disk *clone = sim_disk_clone(to->sim, time, 1);
    sim_disk_put(clone, name, content, len);
    if (strcmp(name, "anchor-1") == 0) {
        sim_disk_put(clone, "anchor-2", content, len);
    }
    struct refusals refusals = {0};
    damage_check(to, clone, time, NULL, name, &refusals);
    if (refusals.refused != 1) {
        fail_msg("%s of another history was accepted", name);
    }
    sim_disk_free(clone);
    sim_time_free(time);
}

/* Files that are whole, and ours, but of another history: an old copy put back. */
static void a_file_of_another_history_is_refused(void **state)
{
    (void)state;
    struct bench old;
    struct bench now;
    bench_init(&old, 26, 4096);
    bench_init(&now, 27, 4096);
    old.next_id = 100000;            /* other entries */
    for (size_t i = 0; i < 8; i++) { /* small ones, so that both fill their segments */
        bench_append(&old, 8);
        bench_append(&now, 8);
        bench_settle(&old);
        bench_settle(&now);
    }
    for (size_t i = 0; i < 3; i++) {
        bench_set_vote(&now); /* its anchors know more frames than the old ones */
        bench_settle(&now);
    }
    bench_append(&old, 3);
    bench_settle(&old);
    bench_close_store(&old);
    bench_close_store(&now);
    foreign_file_is_refused(&now, &old, "log-00000000000000000002");
    foreign_file_is_refused(&now, &old, "log-00000000000000000003");
    bench_close(&old);

    bench_init(&old, 27, 4096);
    bench_close_store(&old);
    foreign_file_is_refused(&now, &old, "anchor-1");
    bench_close(&old);
    bench_close(&now);
}

static void two_damaged_anchors_are_refused(void **state)
{
    (void)state;
    struct bench bench;
    damage_bench(&bench, 22);
    struct refusals refusals = {0};
    assert_true(sim_disk_flip(bench.sim, "anchor-1", 48, 1));
    assert_true(sim_disk_flip(bench.sim, "anchor-2", 500, 1));
    damage_check(&bench, bench.sim, bench.time, "anchor-1", "both anchors", &refusals);
    assert_int_equal(refusals.refused, 1);
    bench_close(&bench);
}

static void a_missing_or_shortened_file_is_named(void **state)
{
    (void)state;
    struct bench bench;
    damage_bench(&bench, 23);
    log_set_level(LOG_LEVEL_ERROR);
    for (size_t i = 0; i < sim_disk_count(bench.sim); i++) {
        const char *name = sim_disk_name(bench.sim, i);
        bool is_anchor = strncmp(name, "anchor-", 7) == 0;
        size_t len = 0;
        sim_disk_content(bench.sim, name, &len);
        const size_t cuts[] = {0, 1, len / 2 / 512 * 512, len - 512, len - 1, SIZE_MAX};
        for (size_t k = 0; k < sizeof cuts / sizeof cuts[0]; k++) {
            struct sim_time *time = sim_time_new();
            struct sim_disk *clone = sim_disk_clone(bench.sim, time, k);
            if (cuts[k] == SIZE_MAX) {
                assert_true(sim_disk_delete(clone, name));
            } else {
                assert_true(sim_disk_cut(clone, name, cuts[k]));
            }
            char what[128];
            snprintf(what, sizeof what, "%s cut to %zu", name, cuts[k]);
            struct refusals refusals = {0};
            damage_check(&bench, clone, time, name, what, &refusals);
            assert_int_equal(refusals.refused, is_anchor ? 0 : 1);
            sim_disk_free(clone);
            sim_time_free(time);
        }
    }
    log_set_level(LOG_LEVEL_INFO);
    bench_close(&bench);
}

static void no_anchor_beside_a_log_is_refused_and_an_empty_folder_is_not_found(
    void **state)
{
    (void)state;
    struct bench bench;
    damage_bench(&bench, 24);
    sim_disk_delete(bench.sim, "anchor-1");
    sim_disk_delete(bench.sim, "anchor-2");
    struct err err;
    assert_int_equal(bench_check(&bench, bench.sim, bench.time, false, "", &err),
                     ERR_CORRUPT);
    assert_non_null(strstr(err.text, "anchor-1"));
    sim_disk_wipe(bench.sim);
    assert_int_equal(bench_check(&bench, bench.sim, bench.time, false, "", &err),
                     ERR_NOT_FOUND);
    bench_close(&bench);
}

/* --- a full disk ---------------------------------------------------------------------
 */

static void full_run(uint64_t seed, uint64_t room)
{
    struct bench bench;
    bench_init(&bench, seed, 6144);
    bench_settle(&bench);
    bool was_full = false;
    sim_disk_limit(bench.sim, sim_disk_used(bench.sim) + room);
    for (size_t i = 0; i < STEPS; i++) {
        bench_step(&bench);
        was_full = was_full || store_full(bench.store);
    }
    if (bench.failed) {
        fail_msg("seed %" PRIu64 ", room %" PRIu64 ": %s", seed, room,
                 bench.failure.text);
    }
    struct err err;
    struct sim_time *time = sim_time_new();
    struct sim_disk *clone = sim_disk_clone(bench.sim, time, seed);
    sim_disk_power_on(clone, SIM_TEAR);
    if (bench_check(&bench, clone, time, false, "full", &err) != 0) {
        fail_msg("full: refused: %s", err.text);
    }
    sim_disk_free(clone);
    sim_time_free(time);

    sim_disk_limit(bench.sim, UINT64_MAX);
    bench_settle(&bench); /* tries again by itself */
    uint64_t patience = 100000;
    while (store_full(bench.store) && patience-- > 0 && sim_time_run_next(bench.time)) {
    }
    assert_false(bench.failed);
    assert_false(store_full(bench.store));
    assert_true(was_full || bench.full_count > 0 || room > 20000);
    bench_close_store(&bench);
    sim_disk_power_on(bench.sim, SIM_LOSE);
    if (bench_check(&bench, bench.sim, bench.time, true, "no longer full", &err) != 0) {
        fail_msg("no longer full: refused: %s", err.text);
    }
    bench_close(&bench);
}

static void a_full_disk_is_said_and_outlived(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    uint64_t seeds = bench_full_run() ? 60 : 10;
    for (uint64_t seed = 31; seed < 31 + seeds; seed++) {
        full_run(seed, seed * 977 % 24000);
    }
    log_set_level(LOG_LEVEL_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_after_any_operation_loses_nothing_reported),
        cmocka_unit_test(a_crash_between_a_snapshot_and_the_next_segment_loses_nothing),
        cmocka_unit_test(a_failed_operation_stops_the_store_and_nothing_is_lost),
        cmocka_unit_test(a_flipped_bit_is_found_or_does_no_harm),
        cmocka_unit_test(a_zeroed_sector_is_not_taken_for_a_torn_one),
        cmocka_unit_test(a_frame_that_another_one_follows_is_not_cut),
        cmocka_unit_test(a_file_of_another_history_is_refused),
        cmocka_unit_test(two_damaged_anchors_are_refused),
        cmocka_unit_test(a_missing_or_shortened_file_is_named),
        cmocka_unit_test(
            no_anchor_beside_a_log_is_refused_and_an_empty_folder_is_not_found),
        cmocka_unit_test(a_full_disk_is_said_and_outlived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
