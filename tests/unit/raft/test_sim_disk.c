/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk must be as bad as we say it is: what rests on it proves nothing
 * otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/sim_disk.h"

struct bench {
    struct sim_time *time;
    struct sim_disk *sim;
    struct disk *disk;
    struct err err;
};

static int bench_set_up(void **state)
{
    static struct bench bench;
    bench = (struct bench){.time = sim_time_new()};
    bench.sim = sim_disk_new(bench.time, 1, "/sim");
    bench.disk = sim_disk_base(bench.sim);
    *state = &bench;
    return 0;
}

static int bench_tear_down(void **state)
{
    struct bench *bench = *state;
    sim_disk_free(bench->sim);
    sim_time_free(bench->time);
    return 0;
}

static struct disk_file *bench_open(struct bench *bench, const char *name,
                                    enum disk_open_mode mode)
{
    struct disk_file *file = NULL;
    assert_int_equal(disk_open(bench->disk, name, mode, &file, &bench->err), 0);
    return file;
}

static void unsynced_bytes_and_names_are_lost(void **state)
{
    struct bench *bench = *state;
    struct disk_file *file = bench_open(bench, "a", DISK_CREATE);
    assert_int_equal(disk_write(bench->disk, file, 0, "one", 3, &bench->err), 0);
    assert_int_equal(disk_sync(bench->disk, file, &bench->err), 0);
    assert_int_equal(disk_sync_folder(bench->disk, &bench->err), 0);
    assert_int_equal(disk_write(bench->disk, file, 0, "two", 3, &bench->err), 0);
    assert_int_equal(disk_rename(bench->disk, "a", "b", &bench->err), 0);
    disk_close(bench->disk, file);

    sim_disk_power_off(bench->sim);
    assert_int_equal(disk_open(bench->disk, "b", DISK_READ, &file, &bench->err),
                     ERR_IO);
    sim_disk_power_on(bench->sim, SIM_LOSE);
    size_t len = 0;
    assert_null(sim_disk_content(bench->sim, "b", &len));
    const uint8_t *content = sim_disk_content(bench->sim, "a", &len);
    assert_int_equal(len, 3);
    assert_memory_equal(content, "one", 3);
}

static void what_a_process_wrote_outlives_its_kill(void **state)
{
    struct bench *bench = *state;
    struct disk_file *file = bench_open(bench, "a", DISK_CREATE);
    assert_int_equal(disk_write(bench->disk, file, 0, "one", 3, &bench->err), 0);
    sim_disk_kill(bench->sim);
    assert_int_equal(disk_sync(bench->disk, file, &bench->err), ERR_IO); /* stale */
    disk_close(bench->disk, file);
    size_t len = 0;
    assert_non_null(sim_disk_content(bench->sim, "a", &len));
    assert_int_equal(len, 3);
}

static void a_tear_takes_whole_sectors_old_or_new(void **state)
{
    struct bench *bench = *state;
    uint8_t old[4 * SIM_SECTOR];
    uint8_t new[4 * SIM_SECTOR];
    memset(old, 'o', sizeof old);
    memset(new, 'n', sizeof new);
    struct disk_file *file = bench_open(bench, "a", DISK_CREATE);
    assert_int_equal(disk_write(bench->disk, file, 0, old, sizeof old, &bench->err), 0);
    assert_int_equal(disk_sync(bench->disk, file, &bench->err), 0);
    assert_int_equal(disk_sync_folder(bench->disk, &bench->err), 0);
    assert_int_equal(disk_write(bench->disk, file, 0, new, sizeof new, &bench->err), 0);
    disk_close(bench->disk, file);

    unsigned seen = 0; /* a bit for each of the 16 outcomes */
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim_disk *clone = sim_disk_clone(bench->sim, bench->time, seed);
        sim_disk_power_on(clone, SIM_TEAR);
        size_t len = 0;
        const uint8_t *content = sim_disk_content(clone, "a", &len);
        assert_int_equal(len, sizeof old);
        unsigned outcome = 0;
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *sector = content + i * SIM_SECTOR;
            bool is_new = sector[0] == 'n';
            assert_memory_equal(sector, is_new ? new : old, SIM_SECTOR);
            outcome |= (unsigned)is_new << i;
        }
        seen |= 1u << outcome;
        sim_disk_free(clone);
    }
    assert_int_equal(seen, 0xffff);
}

static void operations_of_one_kind_fail(void **state)
{
    struct bench *bench = *state;
    struct disk_file *file = NULL;
    sim_disk_fail_kind(bench->sim, "rename", 1);
    file = bench_open(bench, "a", DISK_CREATE);
    disk_close(bench->disk, file);
    assert_false(sim_disk_failed(bench->sim));
    assert_int_equal(disk_rename(bench->disk, "a", "b", &bench->err), ERR_IO);
    assert_true(sim_disk_failed(bench->sim));
    assert_int_equal(disk_rename(bench->disk, "a", "b", &bench->err), 0);
    sim_disk_fail_kind(bench->sim, "open", 2);
    assert_int_equal(disk_open(bench->disk, "b", DISK_READ, &file, &bench->err),
                     ERR_IO);
    sim_disk_fail(bench->sim, 0, 0);
    assert_int_equal(disk_open(bench->disk, "b", DISK_READ, &file, &bench->err), 0);
    disk_close(bench->disk, file);
}

static void a_failed_sync_forgets_that_it_failed(void **state)
{
    struct bench *bench = *state;
    struct disk_file *file = bench_open(bench, "a", DISK_CREATE);
    assert_int_equal(disk_sync(bench->disk, file, &bench->err), 0);
    assert_int_equal(disk_sync_folder(bench->disk, &bench->err), 0);
    uint8_t data[64 * SIM_SECTOR];
    memset(data, 'x', sizeof data);
    assert_int_equal(disk_write(bench->disk, file, 0, data, sizeof data, &bench->err),
                     0);
    sim_disk_fail(bench->sim, 0, 1);
    assert_int_equal(disk_sync(bench->disk, file, &bench->err), ERR_IO);
    assert_int_equal(disk_sync(bench->disk, file, &bench->err),
                     0); /* and did nothing */
    disk_close(bench->disk, file);
    size_t len = 0;
    assert_memory_equal(sim_disk_content(bench->sim, "a", &len), data, sizeof data);
    sim_disk_power_on(bench->sim, SIM_LOSE);
    assert_memory_not_equal(sim_disk_content(bench->sim, "a", &len), data, len);
}

static void the_power_goes_after_the_operation_asked_for(void **state)
{
    struct bench *bench = *state;
    sim_disk_power_off_after(bench->sim, 2);
    struct disk_file *file = bench_open(bench, "a", DISK_CREATE);
    assert_int_equal(disk_write(bench->disk, file, 0, "x", 1, &bench->err), 0);
    assert_int_equal(disk_sync(bench->disk, file, &bench->err), ERR_IO);
    disk_close(bench->disk, file);
    assert_false(sim_disk_powered(bench->sim));
    assert_int_equal(sim_disk_operations(bench->sim), 2);
}

static void a_full_disk_still_takes_what_it_has_room_for(void **state)
{
    struct bench *bench = *state;
    struct disk_file *file = bench_open(bench, "a", DISK_CREATE);
    sim_disk_limit(bench->sim, 4);
    assert_int_equal(disk_write(bench->disk, file, 0, "12345678", 8, &bench->err),
                     ERR_FULL);
    assert_int_equal(sim_disk_used(bench->sim), 4);
    assert_int_equal(disk_write(bench->disk, file, 0, "abcd", 4, &bench->err), 0);
    disk_close(bench->disk, file);
    assert_int_equal(disk_open(bench->disk, "b", DISK_CREATE, &file, &bench->err),
                     ERR_FULL);
}

static void job_worked(struct disk_job *job)
{
    (*(int *)job->owner) += 1;
}

static void job_done(struct disk_job *job)
{
    (*(int *)job->owner) += 10;
}

static void jobs_run_in_virtual_time_and_wait_while_paused(void **state)
{
    struct bench *bench = *state;
    int count = 0;
    struct disk_job job = {.work = job_worked, .done = job_done, .owner = &count};
    sim_disk_latency(bench->sim, 1000, 1000);
    disk_submit(bench->disk, &job);
    assert_int_equal(count, 0);
    sim_time_run_until(bench->time, 1000);
    assert_int_equal(count, 1);
    sim_disk_pause(bench->sim, true);
    sim_time_run_until(bench->time, 5000);
    assert_int_equal(count, 1);
    sim_disk_pause(bench->sim, false);
    sim_time_run_until(bench->time, 6000);
    assert_int_equal(count, 11);
    assert_true(sim_disk_idle(bench->sim));
}

int main(void)
{
#define bench_test(name)                                                               \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        bench_test(unsynced_bytes_and_names_are_lost),
        bench_test(what_a_process_wrote_outlives_its_kill),
        bench_test(a_tear_takes_whole_sectors_old_or_new),
        bench_test(operations_of_one_kind_fail),
        bench_test(a_failed_sync_forgets_that_it_failed),
        bench_test(the_power_goes_after_the_operation_asked_for),
        bench_test(a_full_disk_still_takes_what_it_has_room_for),
        bench_test(jobs_run_in_virtual_time_and_wait_while_paused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
