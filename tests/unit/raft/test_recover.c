/* SPDX-License-Identifier: Apache-2.0 */
/* What a stopped node's folder holds becomes the first member of a new cluster: all of
 * it, and the folder stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "raft/identity.h"
#include "raft/membership.h"
#include "raft/recover.h"
#include "raft/store/store.h"
#include "unit/raft/cluster_bench.h"

#define CLUSTER_ID 0x2222

static struct recover_skipped last_skipped;
static size_t skipped_count;

static void note_skipped(void *owner, const struct recover_skipped *skipped)
{
    (void)owner;
    last_skipped = *skipped;
    skipped_count++;
}

static int read_folder(struct sim_disk *disk, const uint64_t *skip, size_t skip_count,
                       struct recover_copy *copy, struct restore **out,
                       struct restore_summary *summary, struct err *err)
{
    struct recover_order order = {
        .skip = skip, .skip_count = skip_count, .skipped = note_skipped};
    skipped_count = 0;
    return recover_read(sim_disk_base(disk), &order, copy, out, summary, err);
}

static int write_folder(struct restore *restore, struct sim_disk *disk,
                        uint64_t node_id, struct err *err)
{
    struct restore_target target = {
        .disk = sim_disk_base(disk),
        .node_id = node_id,
        .cluster_id = CLUSTER_ID,
        .wall_ms = 1700000000000,
        .name = "n1",
        .peer_address = "n1:1",
        .api_address = "",
        .segment_bytes = 4096,
    };
    return restore_write(restore, &target, err);
}

/* --- whole nodes -------------------------------------------------------------------
 */

/* Every byte of a folder, in one number. */
struct sum {
    struct disk *disk;
    uint64_t value;
};

static void sum_file(void *ctx, const char *name)
{
    struct sum *sum = ctx;
    struct disk_file *file = NULL;
    uint64_t size = 0;
    assert_int_equal(disk_open(sum->disk, name, DISK_READ, &file, NULL), 0);
    assert_int_equal(disk_size(sum->disk, file, &size, NULL), 0);
    uint8_t *data = mem_alloc(size + 1);
    assert_int_equal(disk_read(sum->disk, file, 0, data, size, NULL), 0);
    for (const char *at = name; *at != '\0'; at++) {
        sum->value = 31 * sum->value + (uint8_t)*at;
    }
    for (uint64_t i = 0; i < size; i++) {
        sum->value = 31 * sum->value + data[i];
    }
    mem_free(data);
    disk_close(sum->disk, file);
}

static uint64_t sum_of(struct sim_disk *disk)
{
    struct sum sum = {.disk = sim_disk_base(disk)};
    assert_int_equal(disk_list(sum.disk, sum_file, &sum, NULL), 0);
    return sum.value;
}

static void what_a_killed_node_had_is_all_there(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct recover_copy copy;
    struct restore_summary summary;
    struct restore *restore = NULL;
    struct err err = {.text = ""};
    bench_open(&bench);
    bench_start_all(&bench);
    assert_true(bench_run_until(&bench, bench_has_leader, 20000));
    bench_run(&bench, 1000);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(bench_write(bench_leader(&bench), 100), 0);
        bench_run(&bench, 10);
    }
    bench_run(&bench, 500);
    assert_true(bench_is_level(&bench));
    struct bench_node *node = bench_leader(&bench);
    struct digest digest = registry_digest(node_registry(node->node));
    uint64_t last = engine_last(node_engine(node->node));
    uint64_t term = engine_term(node_engine(node->node));
    uint64_t next = registry_events(node_registry(node->node))->next;
    for (size_t i = 0; i < BENCH_NODES; i++) {
        bench_kill(&bench.nodes[i]);
        sim_disk_power_on(bench.nodes[i].disk, SIM_LOSE);
    }
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct sim_disk *disk = bench.nodes[i].disk;
        uint64_t before = sum_of(disk);
        assert_int_equal(read_folder(disk, NULL, 0, &copy, &restore, &summary, &err),
                         0);
        assert_true(digest_equal(summary.digest, digest));
        assert_int_equal(summary.next, next);
        assert_string_equal(copy.name, bench.nodes[i].name);
        assert_true(copy.last == last && copy.last_term == term && copy.term == term);
        assert_true(copy.commit <= last && copy.snapshot_index == 0);
        assert_int_equal(copy.member_count, BENCH_NODES);
        for (size_t k = 0; k < BENCH_NODES; k++) {
            assert_true(copy.members[k].voter && copy.members[k].name[0] == 'n');
            assert_string_equal(copy.members[k].peer_address + 2, ":1");
        }
        assert_true(sum_of(disk) == before);
        restore_free(restore);
    }
    bench_close(&bench);
}

/* --- one folder, made by hand ------------------------------------------------------
 */

static struct bytes *batch_of(const char *name, bool damaged)
{
    struct buf batch;
    struct batch_header header = {.wall_ms = 5, .count = 2};
    struct command command = {
        .type = COMMAND_TASK_CREATE, .request_id = text_of(""), .actor = text_of("")};
    command.task_create.name = text_of(name);
    command.task_create.text = text_of("{\"a\":1}");
    command.task_create.enabled_at = 1;
    buf_init(&batch);
    batch_begin(&batch, &header);
    assert_int_equal(command_encode(&batch, &command, 1, NULL), 0);
    size_t second = batch.len;
    assert_int_equal(command_encode(&batch, &command, 1, NULL), 0);
    if (damaged) {
        batch.data[second + 4] = 0xee; /* its number: none that there is */
        batch.data[second + 5] = 0xee;
    }
    struct bytes *bytes = bytes_new(batch.data, batch.len);
    buf_close(&batch);
    return bytes;
}

struct folder {
    struct sim_time *time;
    struct clock *clock;
    struct sim_disk *disk;
    bool done;
};

static void folder_failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("%s", err->text);
}

static void folder_closed(void *owner)
{
    ((struct folder *)owner)->done = true;
}

static void folder_stored(void *owner, uint64_t write_no)
{
    (void)write_no;
    ((struct folder *)owner)->done = true;
}

static void folder_run(struct folder *folder)
{
    while (!folder->done) {
        assert_true(sim_time_run_next(folder->time));
    }
    folder->done = false;
}

static struct store_options folder_options(struct folder *folder, uint64_t node_id)
{
    return (struct store_options){
        .disk = sim_disk_base(folder->disk),
        .clock = folder->clock,
        .node_id = node_id,
        .cluster_id = CLUSTER_ID + 1,
        .segment_bytes = 4096,
        .owner = folder,
        .failed = folder_failed,
    };
}

/* Entries behind the membership: 2 makes a, 3 cannot be decoded, 4 makes c. */
static void folder_fill(struct folder *folder, uint64_t node_id)
{
    struct store_options options = folder_options(folder, node_id);
    struct store *store = NULL;
    struct store_found found;
    assert_int_equal(store_open(&store, &options, &found, NULL), 0);
    struct entry entries[] = {
        {.term = 1, .type = ENTRY_COMMAND, .data = batch_of("a", false)},
        {.term = 2, .type = ENTRY_COMMAND, .data = batch_of("b", true)},
        {.term = 2, .type = ENTRY_COMMAND, .data = batch_of("c", false)},
    };
    store_append(store, 2, entries, 3, 1, folder_stored, folder);
    folder_run(folder);
    for (size_t i = 0; i < 3; i++) {
        bytes_unref(entries[i].data);
    }
    entry_log_close(&found.log);
    store_close(store, folder_closed, folder);
    folder_run(folder);
}

static void folder_open(struct folder *folder)
{
    struct identity identity;
    *folder = (struct folder){.time = sim_time_new()};
    folder->clock = sim_clock_new(folder->time, 3);
    folder->disk = sim_disk_new(folder->time, 4, "/old");
    struct disk *disk = sim_disk_base(folder->disk);
    assert_int_equal(identity_open(&identity, disk, folder->clock, "n1", NULL), 0);
    struct membership members = {.count = 1, .rows = {{.id = identity.node_id}}};
    members.rows[0].voter = true;
    snprintf(members.rows[0].address, sizeof members.rows[0].address, "n1:1");
    struct entry entry = {
        .term = 1, .type = ENTRY_CONFIGURATION, .data = membership_encode(&members)};
    struct store_options options = folder_options(folder, identity.node_id);
    assert_int_equal(store_create(&options, 1, &entry, NULL), 0);
    bytes_unref(entry.data);
    identity.cluster_id = options.cluster_id;
    assert_int_equal(identity_save(&identity, disk, NULL), 0);
    folder_fill(folder, identity.node_id);
}

static void folder_close(struct folder *folder)
{
    sim_disk_free(folder->disk);
    sim_clock_free(folder->clock);
    sim_time_free(folder->time);
}

static void an_entry_that_cannot_be_applied_is_named_and_left_out(void **state)
{
    (void)state;
    struct folder folder;
    struct recover_copy copy;
    struct restore_summary summary;
    struct restore *restore = NULL;
    struct err err;
    folder_open(&folder);
    int rv = read_folder(folder.disk, NULL, 0, &copy, &restore, &summary, &err);
    assert_int_equal(rv, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "entry 3 of term 2"));
    assert_non_null(strstr(err.text, "2 commands of 5 ms: task_create ...;"));
    assert_null(restore);
    assert_true(copy.last == 4 && copy.last_term == 2); /* it is told all the same */
    static const struct {
        uint64_t skip[2];
        size_t count;
        const char *words;
    } wrong[] = {
        {{2}, 1, "entry 2 can be applied"},
        {{3, 4}, 2, "entry 4 can be applied"},
        {{1}, 1, "entry 1 can be applied"},
        {{3, 5}, 2, "there is no entry 5 to leave out: the log holds 1 to 4"},
        {{0}, 1, "there is no entry 0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rv = read_folder(folder.disk, wrong[i].skip, wrong[i].count, &copy, &restore,
                         &summary, &err);
        assert_int_equal(rv, ERR_INVALID);
        assert_non_null(strstr(err.text, wrong[i].words));
    }
    uint64_t skip = 3;
    assert_int_equal(
        read_folder(folder.disk, &skip, 1, &copy, &restore, &summary, &err), 0);
    assert_int_equal(skipped_count, 1);
    assert_true(last_skipped.index == 3 && last_skipped.term == 2);
    assert_int_equal(summary.tasks, 2); /* a and c */
    restore_free(restore);
    folder_close(&folder);
}

/* Cut off at each operation of its disk, the new folder is of no use or whole, and the
 * old one is as it was. A new one can be recovered again, from its snapshot. */
static void cut_off_anywhere_it_is_done_again_from_the_same_folder(void **state)
{
    (void)state;
    struct folder folder;
    struct recover_copy copy;
    struct restore_summary summary;
    struct restore *restore = NULL;
    struct err err;
    uint64_t skip = 3;
    bool over = false;
    folder_open(&folder);
    uint64_t before = sum_of(folder.disk);
    for (uint64_t k = 0; !over; k++) {
        struct sim_disk *disk = sim_disk_new(folder.time, k + 1, "/new");
        assert_int_equal(
            read_folder(folder.disk, &skip, 1, &copy, &restore, &summary, &err), 0);
        uint64_t next = summary.next;
        sim_disk_power_off_after(disk, k);
        over = write_folder(restore, disk, 0x1111, &err) == 0;
        restore_free(restore);
        sim_disk_power_off(disk);
        sim_disk_power_on(disk, k % 2 == 0 ? SIM_LOSE : SIM_KEEP);
        restore = NULL;
        int rv = read_folder(disk, NULL, 0, &copy, &restore, &summary, &err);
        assert_true(rv == 0 || (!over && rv == ERR_NOT_FOUND));
        if (rv == 0) {
            assert_true(copy.cluster_id == CLUSTER_ID && copy.snapshot_index == 2);
            assert_int_equal(summary.tasks, 2);
            assert_int_equal(summary.next, next + REGISTRY_EPOCH + 1);
            restore_free(restore);
            restore = NULL;
        }
        sim_disk_free(disk);
    }
    assert_true(sum_of(folder.disk) == before);
    folder_close(&folder);
}

static void a_folder_without_a_member_is_refused(void **state)
{
    (void)state;
    struct folder folder = {.time = sim_time_new()};
    struct recover_copy copy;
    struct restore_summary summary;
    struct restore *restore = NULL;
    struct identity identity;
    struct err err;
    folder.clock = sim_clock_new(folder.time, 3);
    folder.disk = sim_disk_new(folder.time, 4, "/old");
    assert_int_equal(read_folder(folder.disk, NULL, 0, &copy, &restore, &summary, &err),
                     ERR_NOT_FOUND);
    assert_int_equal(
        identity_open(&identity, sim_disk_base(folder.disk), folder.clock, "n1", NULL),
        0);
    assert_int_equal(read_folder(folder.disk, NULL, 0, &copy, &restore, &summary, &err),
                     ERR_NOT_FOUND);
    assert_string_equal(err.text, "/old: node \"n1\" has never belonged to a cluster");
    assert_int_equal(copy.cluster_id, 0);
    identity.cluster_id = 7; /* and its store is gone */
    assert_int_equal(identity_save(&identity, sim_disk_base(folder.disk), NULL), 0);
    assert_int_not_equal(
        read_folder(folder.disk, NULL, 0, &copy, &restore, &summary, &err), 0);
    folder_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_node_had_is_all_there),
        cmocka_unit_test(an_entry_that_cannot_be_applied_is_named_and_left_out),
        cmocka_unit_test(cut_off_anywhere_it_is_done_again_from_the_same_folder),
        cmocka_unit_test(a_folder_without_a_member_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
