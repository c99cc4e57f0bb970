/* SPDX-License-Identifier: Apache-2.0 */
/* The real disk under the real loop, and the store on them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/mem.h"
#include "raft/clock_uv.h"
#include "raft/disk.h"
#include "raft/store/store.h"

struct bench {
    uv_loop_t loop;
    char parent[64];
    char path[80];
    struct disk *disk;
    struct clock *clock;
    struct err err;
    size_t written;
    bool closed;
    size_t taken;
};

static int bench_set_up(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    uv_loop_init(&bench.loop);
    snprintf(bench.parent, sizeof bench.parent, "/tmp/muster-disk-XXXXXX");
    assert_non_null(mkdtemp(bench.parent));
    snprintf(bench.path, sizeof bench.path, "%s/data", bench.parent);
    assert_int_equal(disk_uv_open(&bench.disk, &bench.loop, bench.path, &bench.err), 0);
    bench.clock = clock_uv_new(&bench.loop);
    *state = &bench;
    return 0;
}

static void bench_remove(void *ctx, const char *name)
{
    struct bench *bench = ctx;
    disk_remove(bench->disk, name, &bench->err);
}

static int bench_tear_down(void **state)
{
    struct bench *bench = *state;
    disk_list(bench->disk, bench_remove, bench, &bench->err);
    disk_remove(bench->disk, "LOCK", &bench->err);
    disk_uv_close(bench->disk);
    clock_uv_close(bench->clock, NULL, NULL);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    assert_int_equal(rmdir(bench->path), 0);
    assert_int_equal(rmdir(bench->parent), 0);
    return 0;
}

static void add_name(void *ctx, const char *name)
{
    char *names = ctx;
    strcat(names, name);
    strcat(names, " ");
}

static void files_are_what_the_interface_says(void **state)
{
    struct bench *bench = *state;
    struct disk *disk = bench->disk;
    struct err *err = &bench->err;
    struct disk_file *file = NULL;
    struct stat status;
    assert_int_equal(stat(bench->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);

    assert_int_equal(disk_open(disk, "a", DISK_READ, &file, err), ERR_NOT_FOUND);
    assert_non_null(strstr(err->text, bench->path));
    assert_int_equal(disk_open(disk, "a", DISK_CREATE, &file, err), 0);
    struct disk_file *second = NULL;
    assert_int_equal(disk_open(disk, "a", DISK_CREATE, &second, err), ERR_IO);
    assert_int_equal(disk_write(disk, file, 3, "hello", 5, err), 0);
    assert_int_equal(disk_sync(disk, file, err), 0);
    uint64_t size = 0;
    assert_int_equal(disk_size(disk, file, &size, err), 0);
    assert_int_equal(size, 8);
    char data[8];
    assert_int_equal(disk_read(disk, file, 0, data, 8, err), 0);
    assert_memory_equal(data, "\0\0\0hello", 8);
    assert_int_equal(disk_read(disk, file, 1, data, 8, err), ERR_CORRUPT);
    assert_non_null(strstr(err->text, "offset 8"));
    disk_close(disk, file);
    assert_int_equal(disk_open(disk, "a", DISK_READ, &file, err), 0);
    assert_int_equal(disk_write(disk, file, 0, "x", 1, err), ERR_IO);
    disk_close(disk, file);
    disk_close(disk, NULL);

    assert_int_equal(disk_open(disk, "B", DISK_CREATE, &file, err), 0);
    disk_close(disk, file);
    assert_int_equal(disk_rename(disk, "a", "c", err), 0);
    assert_int_equal(disk_rename(disk, "a", "c", err), ERR_NOT_FOUND);
    assert_int_equal(disk_sync_folder(disk, err), 0);
    assert_int_equal(disk_lock(disk, err), 0);
    char names[64] = "";
    assert_int_equal(disk_list(disk, add_name, names, err), 0);
    assert_string_equal(names, "B c ");
    assert_int_equal(disk_remove(disk, "B", err), 0);
    assert_int_equal(disk_remove(disk, "B", err), ERR_NOT_FOUND);
    assert_int_equal(disk_free_bytes(disk, &size, err), 0);
    assert_true(size > 0);

    char folder[96];
    snprintf(folder, sizeof folder, "%s/sub", bench->path);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(disk_list(disk, add_name, names, err), ERR_INVALID);
    assert_int_equal(rmdir(folder), 0);
}

static void a_folder_is_held_by_one_process(void **state)
{
    struct bench *bench = *state;
    struct disk *other = NULL;
    assert_int_equal(disk_lock(bench->disk, &bench->err), 0);
    assert_int_equal(disk_lock(bench->disk, &bench->err), 0); /* it is ours */
    assert_int_equal(disk_uv_open(&other, &bench->loop, bench->path, &bench->err), 0);
    assert_int_equal(disk_lock(other, &bench->err), ERR_CONFLICT);
    assert_non_null(strstr(bench->err.text, bench->path));
    disk_uv_close(bench->disk);
    bench->disk = other;
    assert_int_equal(disk_lock(other, &bench->err), 0);
}

static void a_full_disk_is_told_from_a_broken_one(void **state)
{
    struct bench *bench = *state;
    struct disk *full = NULL;
    if (disk_uv_open(&full, &bench->loop, "/dev", &bench->err) != 0) {
        return;
    }
    struct disk_file *file = NULL;
    if (disk_open(full, "full", DISK_WRITE, &file, &bench->err) == 0) {
        assert_int_equal(disk_write(full, file, 0, "x", 1, &bench->err), ERR_FULL);
        disk_close(full, file);
    }
    disk_uv_close(full);
}

/* --- the store on it -----------------------------------------------------------------
 */

static void written(void *owner, uint64_t write_no)
{
    struct bench *bench = owner;
    bench->written++;
    assert_true(write_no == bench->written);
}

static void closed(void *owner)
{
    ((struct bench *)owner)->closed = true;
}

static void failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("%s", err->text);
}

static void taken(void *owner, int result)
{
    assert_int_equal(result, 0);
    ((struct bench *)owner)->taken++;
}

static int produce(void *owner, struct snapshot_sink *sink)
{
    (void)owner;
    char data[1000];
    memset(data, 's', sizeof data);
    for (size_t i = 0; i < 200; i++) {
        int result = snapshot_sink_put(sink, data, sizeof data);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static struct store_options options_of(struct bench *bench)
{
    return (struct store_options){
        .disk = bench->disk,
        .clock = bench->clock,
        .node_id = 1,
        .cluster_id = 2,
        .segment_bytes = 65536,
        .owner = bench,
        .failed = failed,
    };
}

static void open_store(struct bench *bench, struct store **store,
                       struct store_found *found)
{
    struct store_options options = options_of(bench);
    int result = store_open(store, &options, found, &bench->err);
    if (result != 0) {
        fail_msg("%s", bench->err.text);
    }
}

static void close_store(struct bench *bench, struct store *store)
{
    bench->closed = false;
    store_close(store, closed, bench);
    assert_false(bench->closed);
    while (!bench->closed) {
        uv_run(&bench->loop, UV_RUN_ONCE);
    }
}

static void the_store_works_on_a_real_disk(void **state)
{
    struct bench *bench = *state;
    struct store_options options = options_of(bench);
    assert_int_equal(store_create(&options, 1, NULL, &bench->err), 0);
    struct store *store = NULL;
    struct store_found found;
    open_store(bench, &store, &found);
    struct bytes *data = bytes_new(NULL, 100);
    memset(data->data, 'e', 100);
    for (uint64_t i = 1; i <= 2000; i++) {
        struct entry entry = {1, ENTRY_COMMAND, bytes_ref(data)};
        store_append(store, i, &entry, 1, i - 1, written, bench);
        entry_log_append(&found.log, &entry);
        if (i % 50 == 0) {
            uv_run(&bench->loop, UV_RUN_NOWAIT);
        }
    }
    while (bench->written < 2000) {
        uv_run(&bench->loop, UV_RUN_ONCE);
    }
    struct snapshot_meta meta = {
        .index = 1900,
        .term = 1,
        .configuration_index = 1,
        .configuration = bytes_new("c", 1),
    };
    store_take_snapshot(store, &meta, 10, produce, taken, bench);
    while (bench->taken < 1) {
        uv_run(&bench->loop, UV_RUN_ONCE);
    }
    bytes_unref(meta.configuration);
    close_store(bench, store);

    struct store_found again;
    open_store(bench, &store, &again);
    assert_true(again.has_snapshot && again.snapshot.index == 1900);
    assert_int_equal(entry_log_last(&again.log), 2000);
    assert_true(entry_log_first(&again.log) > 1); /* whole segments were removed */
    for (uint64_t i = entry_log_first(&again.log); i <= 2000; i++) {
        const struct entry *entry = entry_log_get(&again.log, i);
        assert_true(entry->term == 1 && entry->data->len == 100);
        assert_memory_equal(entry->data->data, data->data, 100);
    }
    close_store(bench, store);
    entry_log_close(&again.log);
    entry_log_close(&found.log);
    bytes_unref(again.snapshot.configuration);
    bytes_unref(data);
}

int main(void)
{
#define bench_test(name)                                                               \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        bench_test(files_are_what_the_interface_says),
        bench_test(a_folder_is_held_by_one_process),
        bench_test(a_full_disk_is_told_from_a_broken_one),
        bench_test(the_store_works_on_a_real_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
