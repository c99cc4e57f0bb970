/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "raft/identity.h"

struct bench {
    struct sim_time *time;
    struct sim_disk *sim;
    struct disk *disk;
    struct clock *clock;
};

static void bench_init(struct bench *bench, uint64_t seed)
{
    bench->time = sim_time_new();
    bench->sim = sim_disk_new(bench->time, seed, "/node");
    bench->disk = sim_disk_base(bench->sim);
    bench->clock = sim_clock_new(bench->time, seed);
}

static void bench_close(struct bench *bench)
{
    sim_clock_free(bench->clock);
    sim_disk_free(bench->sim);
    sim_time_free(bench->time);
}

/* A new file, written and synced. */
static void bench_put(struct bench *bench, const char *name)
{
    struct disk_file *file = NULL;
    assert_int_equal(disk_open(bench->disk, name, DISK_CREATE, &file, NULL), 0);
    assert_int_equal(disk_write(bench->disk, file, 0, "half", 4, NULL), 0);
    assert_int_equal(disk_sync(bench->disk, file, NULL), 0);
    disk_close(bench->disk, file);
    assert_int_equal(disk_sync_folder(bench->disk, NULL), 0);
}

static int bench_open(struct bench *bench, struct identity *out, struct err *err)
{
    return identity_open(out, bench->disk, bench->clock, "n1", err);
}

static void assert_opens(struct bench *bench, struct identity *out)
{
    struct err err = {0};
    if (bench_open(bench, out, &err) != 0) {
        fail_msg("%s", err.text);
    }
}

/* Refused with this code, and nothing on the disk changes. */
static void assert_refused(struct bench *bench, int code, const char *part)
{
    struct identity identity;
    struct err err = {0};
    size_t count = sim_disk_count(bench->sim);
    assert_int_equal(bench_open(bench, &identity, &err), code);
    if (strstr(err.text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, err.text);
    }
    assert_non_null(strstr(err.text, "/node"));
    assert_int_equal(sim_disk_count(bench->sim), count);
}

static void make_pledged(struct identity *identity)
{
    identity->pledged = true;
    identity->pledge = (struct charter){
        .cluster_id = 99,
        .count = 2,
        .rows =
            {
                {.id = identity->node_id,
                 .name = "n1",
                 .peer_address = "10.0.0.1:8658",
                 .api_address = "10.0.0.1:8558"},
                {.id = INT64_MAX, .name = "n2", .peer_address = "10.0.0.2:8658"},
            },
    };
}

static void an_empty_folder_gets_a_new_identity(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct bench bench;
        struct identity identity;
        bench_init(&bench, seed);
        assert_opens(&bench, &identity);
        assert_true(identity.node_id > 0 && identity.node_id <= INT64_MAX);
        assert_true(identity.node_id != before);
        before = identity.node_id;
        assert_true(identity.cluster_id == 0 && identity.start_counter == 1);
        assert_string_equal(identity.name, "n1");
        assert_false(identity.pledged || identity.decided);
        bench_close(&bench);
    }
}

static void the_id_stays_and_starts_are_counted(void **state)
{
    (void)state;
    struct bench bench;
    struct identity first;
    bench_init(&bench, 1);
    assert_opens(&bench, &first);
    for (uint64_t start = 2; start < 10; start++) {
        struct identity again;
        sim_disk_power_off(bench.sim); /* what was counted is durable */
        sim_disk_power_on(bench.sim, SIM_LOSE);
        assert_opens(&bench, &again);
        assert_true(again.node_id == first.node_id);
        assert_true(again.start_counter == start);
    }
    bench_close(&bench);
}

static void pledge_decision_and_cluster_are_kept(void **state)
{
    (void)state;
    struct bench bench;
    struct identity identity;
    struct identity back;
    bench_init(&bench, 1);
    assert_opens(&bench, &identity);
    make_pledged(&identity);
    assert_int_equal(identity_save(&identity, bench.disk, NULL), 0);
    assert_opens(&bench, &back);
    assert_true(back.pledged && !back.decided && back.pledge.cluster_id == 99);
    assert_true(charter_same_members(&back.pledge, &identity.pledge));
    assert_true(identity_offers(&back));
    back.decided = true;
    assert_int_equal(identity_save(&back, bench.disk, NULL), 0);
    assert_opens(&bench, &back);
    assert_true(back.decided);
    back.pledged = false;
    back.decided = false;
    back.cluster_id = 99;
    assert_int_equal(identity_save(&back, bench.disk, NULL), 0);
    assert_opens(&bench, &back);
    assert_true(back.cluster_id == 99 && !back.pledged);
    bench_close(&bench);
}

static void another_name_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    struct identity identity;
    struct err err;
    bench_init(&bench, 1);
    assert_opens(&bench, &identity);
    assert_int_equal(identity_open(&identity, bench.disk, bench.clock, "n2", &err),
                     ERR_CONFLICT);
    assert_non_null(strstr(err.text, "\"n1\""));
    assert_non_null(strstr(err.text, "\"n2\""));
    assert_int_equal(identity_open(&identity, bench.disk, bench.clock, "", &err),
                     ERR_INVALID);
    char name[LIMIT_NAME_BYTES + 2];
    memset(name, 'x', sizeof(name));
    name[LIMIT_NAME_BYTES + 1] = '\0';
    assert_int_equal(identity_open(&identity, bench.disk, bench.clock, name, &err),
                     ERR_INVALID);
    bench_close(&bench);
}

static void a_folder_with_a_log_but_no_identity_gets_none(void **state)
{
    (void)state;
    struct bench bench;
    struct identity identity;
    bench_init(&bench, 1);
    assert_opens(&bench, &identity);
    bench_put(&bench, "log-00000000000000000001");
    assert_true(sim_disk_delete(bench.sim, "identity"));
    assert_refused(&bench, ERR_CORRUPT, "log-00000000000000000001");
    bench_put(&bench, "identity.new");
    assert_refused(&bench, ERR_CORRUPT, "log-00000000000000000001");
    bench_close(&bench);
}

static void a_leftover_of_a_save_means_nothing(void **state)
{
    (void)state;
    struct bench bench;
    struct identity identity;
    bench_init(&bench, 1);
    bench_put(&bench, "identity.new");
    assert_opens(&bench, &identity);
    uint64_t id = identity.node_id;
    bench_put(&bench, "identity.new");
    assert_opens(&bench, &identity);
    assert_true(identity.node_id == id && identity.start_counter == 2);
    assert_int_equal(sim_disk_count(bench.sim), 1);
    bench_close(&bench);
}

static void every_changed_bit_and_every_cut_is_named(void **state)
{
    (void)state;
    struct bench bench;
    struct identity identity;
    bench_init(&bench, 1);
    assert_opens(&bench, &identity);
    make_pledged(&identity);
    assert_int_equal(identity_save(&identity, bench.disk, NULL), 0);
    size_t len = 0;
    assert_non_null(sim_disk_content(bench.sim, "identity", &len));
    for (size_t bit = 0; bit < len * 8; bit++) {
        uint8_t mask = (uint8_t)(1u << (bit % 8));
        assert_true(sim_disk_flip(bench.sim, "identity", bit / 8, mask));
        assert_refused(&bench, ERR_CORRUPT, "/node/identity is damaged at byte ");
        assert_true(sim_disk_flip(bench.sim, "identity", bit / 8, mask));
    }
    uint8_t copy[512];
    assert_true(len < sizeof(copy));
    memcpy(copy, sim_disk_content(bench.sim, "identity", &len), len);
    for (size_t cut = 0; cut < len; cut++) {
        assert_true(sim_disk_put(bench.sim, "identity", copy, cut));
        assert_refused(&bench, ERR_CORRUPT, "/node/identity is damaged at byte ");
    }
    copy[len] = 0;
    assert_true(sim_disk_put(bench.sim, "identity", copy, len + 1));
    assert_refused(&bench, ERR_CORRUPT, "/node/identity is damaged at byte 12");
    assert_true(sim_disk_put(bench.sim, "identity", copy, len));
    assert_opens(&bench, &identity);
    bench_close(&bench);
}

/* Whole and checksummed, as golden bytes; then what says nothing sensible, with the
 * checksum that fits. */
static void the_bytes_are_frozen(void **state)
{
    (void)state;
    static const uint8_t golden[] = "MUSTERID\x01\0\0\0\x1f\0\0\0"
                                    "\x02\x01\0\0\0\0\0\0\x07\0\0\0\0\0\0\0"
                                    "\x03\0\0\0\0\0\0\0\x02\0\0\0n1\0"
                                    "\x25\xe4\x77\x6e";
    size_t len = sizeof(golden) - 1;
    struct bench bench;
    bench_init(&bench, 1);
    struct identity identity = {
        .node_id = 258, .cluster_id = 7, .start_counter = 3, .name = "n1"};
    assert_int_equal(identity_save(&identity, bench.disk, NULL), 0);
    size_t found_len = 0;
    const uint8_t *found = sim_disk_content(bench.sim, "identity", &found_len);
    assert_int_equal(found_len, len);
    assert_memory_equal(found, golden, len);
    bench_close(&bench);
}

static void what_no_node_writes_is_refused(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 8; wrong++) {
        struct bench bench;
        struct identity identity;
        bench_init(&bench, 1);
        assert_opens(&bench, &identity);
        make_pledged(&identity);
        switch (wrong) {
        case 0:
            identity.cluster_id = 5; /* beside a pledge */
            break;
        case 1:
            identity.pledged = false;
            identity.decided = true;
            break;
        case 2:
            identity.node_id++; /* no member of its own pledge */
            break;
        case 3:
            identity.start_counter = 0;
            break;
        case 4:
            identity.node_id = UINT64_MAX;
            identity.pledged = false;
            break;
        case 5:
            identity.pledge.rows[1].id = identity.node_id;
            break;
        case 6:
            memcpy(identity.pledge.rows[0].name, "n7", 3);
            break;
        default:
            identity.pledge.count = 0;
            break;
        }
        assert_int_equal(identity_save(&identity, bench.disk, NULL), 0);
        assert_refused(&bench, ERR_CORRUPT, "the content makes no sense");
        bench_close(&bench);
    }
}

/* Old or new, never neither, never another id; and from the return of identity_open()
 * on the count is durable. */
static void a_crash_at_any_operation_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        for (uint64_t k = 0; k < 12; k++) {
            struct bench bench;
            struct identity identity;
            struct identity back;
            bench_init(&bench, seed);
            sim_disk_power_off_after(bench.sim, k);
            uint64_t id = 0;
            if (bench_open(&bench, &identity, NULL) == 0) {
                id = identity.node_id;
            }
            sim_disk_power_on(bench.sim, (enum sim_disk_loss)(seed % 4));
            assert_opens(&bench, &identity);
            assert_true(id == 0 || (identity.node_id == id));
            id = identity.node_id;
            uint64_t counter = identity.start_counter;

            sim_disk_power_off_after(bench.sim, k);
            make_pledged(&identity);
            int saved = identity_save(&identity, bench.disk, NULL);
            sim_disk_power_on(bench.sim, (enum sim_disk_loss)(seed % 4));
            assert_opens(&bench, &back);
            assert_true(back.node_id == id && back.start_counter == counter + 1);
            assert_true(back.pledged || saved != 0);
            bench_close(&bench);
        }
    }
}

/* The first power loss left half a new file under its temporary name. That name was
 * removed, the next file written under it, synced and renamed; and the second loss kept
 * the rename and forgot the removal: the half file was the identity. */
static void two_crashes_in_a_row_leave_one_of_the_three(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct bench bench;
        struct identity identity;
        struct identity back;
        struct err err = {0};
        bench_init(&bench, seed);
        assert_opens(&bench, &identity);
        uint64_t starts = identity.start_counter;
        for (uint64_t crash = 0; crash < 2; crash++) {
            uint64_t operations = crash == 0 ? 1 + seed % 5 : 1 + seed / 5 % 7;
            sim_disk_power_off_after(bench.sim, operations);
            identity.start_counter = starts + 1 + crash;
            (void)identity_save(&identity, bench.disk, NULL);
            sim_disk_power_off(bench.sim);
            sim_disk_power_on(bench.sim, SIM_REORDER);
        }
        assert_int_equal(bench_open(&bench, &back, &err), 0);
        assert_in_range(back.start_counter, starts + 1, starts + 3);
        bench_close(&bench);
    }
}

static void an_error_of_the_disk_is_passed_on(void **state)
{
    (void)state;
    for (uint64_t k = 0;; k++) {
        struct bench bench;
        struct identity identity;
        struct err err = {0};
        bench_init(&bench, k + 1);
        assert_opens(&bench, &identity);
        sim_disk_fail(bench.sim, k, 1);
        int code = bench_open(&bench, &identity, &err);
        bool failed = sim_disk_failed(bench.sim);
        assert_int_equal(code, failed ? ERR_IO : 0);
        bench_close(&bench);
        if (!failed) {
            assert_true(k >= 9);
            break;
        }
    }
}

static void the_mark_of_a_restore_stands_alone_and_stops_the_start(void **state)
{
    (void)state;
    struct bench bench;
    struct identity identity;
    bench_init(&bench, 1);
    assert_opens(&bench, &identity);
    identity.restoring = true;
    assert_int_equal(identity_save(&identity, bench.disk, NULL), 0);
    assert_refused(&bench, ERR_CONFLICT, "a restore into this folder was cut off");
    identity.cluster_id = 99;
    assert_int_equal(identity_save(&identity, bench.disk, NULL), 0);
    assert_refused(&bench, ERR_CORRUPT, "the content makes no sense");
    identity.cluster_id = 0;
    make_pledged(&identity);
    assert_int_equal(identity_save(&identity, bench.disk, NULL), 0);
    assert_refused(&bench, ERR_CORRUPT, "the content makes no sense");
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_folder_gets_a_new_identity),
        cmocka_unit_test(the_id_stays_and_starts_are_counted),
        cmocka_unit_test(pledge_decision_and_cluster_are_kept),
        cmocka_unit_test(another_name_is_refused),
        cmocka_unit_test(a_folder_with_a_log_but_no_identity_gets_none),
        cmocka_unit_test(a_leftover_of_a_save_means_nothing),
        cmocka_unit_test(every_changed_bit_and_every_cut_is_named),
        cmocka_unit_test(the_bytes_are_frozen),
        cmocka_unit_test(what_no_node_writes_is_refused),
        cmocka_unit_test(a_crash_at_any_operation_leaves_the_old_or_the_new),
        cmocka_unit_test(two_crashes_in_a_row_leave_one_of_the_three),
        cmocka_unit_test(an_error_of_the_disk_is_passed_on),
        cmocka_unit_test(the_mark_of_a_restore_stands_alone_and_stops_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
