/* SPDX-License-Identifier: Apache-2.0 */
/* A saved snapshot becomes the first member of a new cluster: the whole of it, or a
 * folder that no node starts from, wherever it is cut off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "lib/workload.h"
#include "raft/compaction.h"
#include "raft/fsm.h"
#include "raft/identity.h"
#include "raft/membership.h"
#include "raft/restore.h"
#include "raft/snapshot.h"

#define NODE_ID    0x1111
#define CLUSTER_ID 0x2222

/* --- a saved snapshot ---------------------------------------------------------------
 */

static struct buf saved;
static struct fsm *origin;

static int collect(void *ctx, const void *data, size_t len)
{
    buf_put(ctx, data, len);
    return 0;
}

/* Tasks that wait for their runs to be deleted. */
static size_t deleting(const struct registry *registry)
{
    struct map_cursor at;
    const struct task *task = NULL;
    size_t count = 0;
    registry_task_seek(registry, 0, &at);
    while ((task = registry_task_next(&at)) != NULL) {
        count += task->deleting;
    }
    return count;
}

/* Whatever a state can hold is in it. */
static int save(void **state)
{
    (void)state;
    struct workload workload;
    struct buf batch;
    buf_init(&batch);
    buf_init(&saved);
    origin = fsm_new();
    workload_init(&workload, 5);
    workload.registry = fsm_registry(origin);
    for (size_t i = 0; i < 100 || deleting(fsm_registry(origin)) == 0; i++) {
        size_t count = 0;
        buf_clear(&batch);
        workload_batch(&workload, &batch);
        assert_int_equal(
            fsm_apply(origin, batch.data, batch.len, NULL, 0, &count, NULL), 0);
    }
    buf_close(&batch);
    assert_true(registry_member_count(fsm_registry(origin)) > 0);
    assert_true(registry_task_count(fsm_registry(origin)) > 3);
    return snapshot_encode(fsm_registry(origin), collect, &saved);
}

static int forget(void **state)
{
    (void)state;
    fsm_free(origin);
    buf_close(&saved);
    return map_reap(SIZE_MAX) == 0 ? 0 : -1;
}

static struct restore *restored(struct restore_summary *summary)
{
    struct restore *restore = restore_new();
    assert_int_equal(restore_feed(restore, saved.data, saved.len, NULL), 0);
    assert_int_equal(restore_finish(restore, summary, NULL), 0);
    return restore;
}

/* --- a folder ------------------------------------------------------------------------
 */

struct bench {
    struct sim_time *time;
    struct sim_disk *sim;
    struct clock *clock;
    bool closed;
};

static void bench_init(struct bench *bench, uint64_t seed)
{
    *bench = (struct bench){.time = sim_time_new()};
    bench->sim = sim_disk_new(bench->time, seed, "/node");
    bench->clock = sim_clock_new(bench->time, seed);
}

static void bench_close(struct bench *bench)
{
    sim_clock_free(bench->clock);
    sim_disk_free(bench->sim);
    sim_time_free(bench->time);
}

static int bench_write(struct bench *bench, struct err *err)
{
    struct restore_summary summary;
    struct restore *restore = restored(&summary);
    struct restore_target target = {
        .disk = sim_disk_base(bench->sim),
        .node_id = NODE_ID,
        .cluster_id = CLUSTER_ID,
        .wall_ms = 1700000000000,
        .name = "n1",
        .peer_address = "10.0.0.1:8658",
        .api_address = "",
        .segment_bytes = 4096,
    };
    int result = restore_write(restore, &target, err);
    if (result == 0) {
        assert_int_equal(restore_epoch(restore), summary.next + REGISTRY_EPOCH);
    }
    restore_free(restore);
    return result;
}

static void bench_store_failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("%s", err->text);
}

static void bench_store_closed(void *owner)
{
    ((struct bench *)owner)->closed = true;
}

static void assert_same_tasks(const struct registry *a, const struct registry *b)
{
    struct map_cursor at;
    const struct task *task = NULL;
    size_t gone = deleting(b); /* with their runs */
    assert_true(gone > 0 && registry_live_count(b) > gone);
    assert_int_equal(registry_task_count(a), registry_task_count(b) - gone);
    assert_int_equal(registry_live_count(a), 0);
    registry_task_seek(a, 0, &at);
    while ((task = registry_task_next(&at)) != NULL) {
        const struct task *other = registry_task(b, task->name, task->name_len);
        assert_non_null(other);
        assert_true(
            task->created == other->created && task->revision == other->revision &&
            task->enabled == other->enabled && task->enabled_at == other->enabled_at &&
            task->text_len == other->text_len);
        assert_memory_equal(task->text, other->text, task->text_len);
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        assert_true(registry_setting(a, (enum setting)i) ==
                    registry_setting(b, (enum setting)i));
    }
    assert_true(registry_clock_ms(a) == registry_clock_ms(b));
}

static void assert_new_epoch(const struct registry *registry)
{
    const struct registry *before = fsm_registry(origin);
    assert_same_tasks(registry, before);
    assert_int_equal(registry_member_count(registry), 0);
    const struct event_log *events = registry_events(registry);
    uint64_t last = registry_sequence(before);
    assert_int_equal(events->first, last + 1 + REGISTRY_EPOCH);
    assert_true(events->next > events->first + registry_live_count(before));
    const struct event *event = event_log_after(events, last);
    assert_int_equal(event->type, EVENT_CLUSTER_RECOVERED);
    assert_int_equal(event->wall_ms, 1700000000000);
    char *data = mem_printf("{\"after\":%llu}", (unsigned long long)last);
    assert_string_equal(event->data, data);
    mem_free(data);
}

/* Open it as a node does. */
static void assert_whole(struct bench *bench, const struct identity *identity)
{
    assert_int_equal(identity->node_id, NODE_ID);
    assert_int_equal(identity->cluster_id, CLUSTER_ID);
    assert_true(identity->start_counter >= 2); /* the restore was the first */
    struct store_options options = {
        .disk = sim_disk_base(bench->sim),
        .clock = bench->clock,
        .node_id = NODE_ID,
        .cluster_id = CLUSTER_ID,
        .segment_bytes = 4096,
        .owner = bench,
        .failed = bench_store_failed,
    };
    struct store *store = NULL;
    struct store_found found;
    struct err err;
    if (store_open(&store, &options, &found, &err) != 0) {
        fail_msg("%s", err.text);
    }
    assert_true(found.term == 1 && found.vote == 0 && found.commit == 2);
    assert_true(found.has_snapshot && found.snapshot.index == 2);
    assert_true(entry_log_first(&found.log) == 3 && entry_log_last(&found.log) == 2);
    struct membership members;
    assert_int_equal(membership_decode(&members, found.snapshot.configuration->data,
                                       found.snapshot.configuration->len, NULL),
                     0);
    assert_true(members.count == 1 && members.rows[0].voter &&
                members.rows[0].id == NODE_ID);
    assert_string_equal(members.rows[0].address, "10.0.0.1:8658");
    struct fsm *fsm = fsm_new();
    assert_int_equal(compaction_load(store, fsm, &err), 0);
    assert_new_epoch(fsm_registry(fsm));
    fsm_free(fsm);
    entry_log_close(&found.log);
    bytes_unref(found.snapshot.configuration);
    store_close(store, bench_store_closed, bench);
    while (!bench->closed) {
        assert_true(sim_time_run_next(bench->time));
    }
    bench->closed = false;
}

enum verdict { BLANK, CUT_OFF, WHOLE };

/* What a node finds that starts from the folder now; anything else fails the test. */
static enum verdict bench_judge(struct bench *bench)
{
    struct identity identity;
    struct err err = {.code = ERR_NONE};
    struct disk *disk = sim_disk_base(bench->sim);
    int code = identity_open(&identity, disk, bench->clock, "n1", &err);
    if (code == ERR_CONFLICT) {
        assert_string_equal(err.text, "/node: a restore into this folder was cut off: "
                                      "run `muster snapshot restore` again");
        return CUT_OFF;
    }
    if (code != 0) {
        fail_msg("%s", err.text);
    }
    if (identity.cluster_id == 0) {
        assert_true(identity.start_counter == 1 && sim_disk_count(bench->sim) == 1);
        sim_disk_delete(bench->sim, "identity"); /* as if nobody had looked */
        return BLANK;
    }
    assert_whole(bench, &identity);
    return WHOLE;
}

/* --- what is in it
 * ---------------------------------------------------------------------
 */

static void a_summary_says_what_is_in_it(void **state)
{
    (void)state;
    struct restore_summary summary;
    struct restore *restore = restored(&summary);
    const struct registry *registry = fsm_registry(origin);
    assert_int_equal(summary.bytes, saved.len);
    assert_int_equal(summary.tasks, registry_task_count(registry));
    assert_int_equal(summary.enabled, registry_task_enabled_count(registry));
    assert_int_equal(summary.members, registry_member_count(registry));
    assert_int_equal(summary.next, registry_sequence(registry) + 1);
    assert_int_equal(summary.events, summary.next - summary.first);
    assert_true(digest_equal(summary.digest, registry_digest(registry)));
    restore_free(restore);
}

static void a_file_that_ends_early_or_not_at_all_is_refused(void **state)
{
    (void)state;
    struct restore_summary summary;
    struct err err;
    for (size_t len = 0; len < saved.len; len++) {
        struct restore *restore = restore_new();
        assert_int_equal(restore_feed(restore, saved.data, len, &err), 0);
        assert_int_equal(restore_finish(restore, &summary, &err), ERR_CORRUPT);
        char *words = mem_printf("ends at byte %zu without an end", len);
        assert_non_null(strstr(err.text, words));
        mem_free(words);
        restore_free(restore);
    }
    struct restore *restore = restore_new();
    assert_int_equal(restore_feed(restore, saved.data, saved.len, &err), 0);
    assert_int_equal(restore_feed(restore, "\0", 1, &err), 0); /* of a next record? */
    assert_int_equal(restore_finish(restore, &summary, &err), ERR_CORRUPT);
    restore_free(restore);
}

static void a_byte_that_was_changed_is_told_with_its_record(void **state)
{
    (void)state;
    struct err err;
    for (size_t at = 0; at < saved.len;) {
        size_t len = 5 + get_u32(saved.data + at + 1) + 4;
        size_t places[] = {0, 5, len - 1};
        for (size_t i = 0; i < 3; i++) {
            saved.data[at + places[i]] ^= 0x40;
            struct restore *restore = restore_new();
            assert_int_equal(restore_feed(restore, saved.data, saved.len, &err),
                             ERR_CORRUPT);
            char *words = mem_printf("at byte %zu", at);
            assert_string_equal(err.text + strlen(err.text) - strlen(words), words);
            mem_free(words);
            restore_free(restore);
            saved.data[at + places[i]] ^= 0x40;
        }
        at += len;
    }
}

/* --- writing it
 * ------------------------------------------------------------------------
 */

static void a_node_starts_from_it_with_every_task_and_a_new_epoch(void **state)
{
    (void)state;
    struct bench bench;
    struct err err;
    bench_init(&bench, 1);
    assert_int_equal(bench_write(&bench, &err), 0);
    sim_disk_power_off(bench.sim); /* all of it is synced */
    sim_disk_power_on(bench.sim, SIM_LOSE);
    assert_int_equal(bench_judge(&bench), WHOLE);
    bench_close(&bench);
}

static void a_folder_that_is_somebodys_stays_as_it_is(void **state)
{
    (void)state;
    struct bench bench;
    struct err err;
    bench_init(&bench, 1);
    sim_disk_put(bench.sim, "notes", "x", 1);
    assert_int_equal(bench_write(&bench, &err), ERR_EXISTS);
    assert_string_equal(err.text, "the folder /node is not empty: notes is in it");
    sim_disk_delete(bench.sim, "notes");
    struct identity identity; /* a blank node's */
    assert_int_equal(
        identity_open(&identity, sim_disk_base(bench.sim), bench.clock, "n1", NULL), 0);
    assert_int_equal(bench_write(&bench, &err), ERR_EXISTS);
    assert_string_equal(err.text, "the folder /node belongs to node \"n1\" already");
    sim_disk_wipe(bench.sim);
    assert_int_equal(bench_write(&bench, &err), 0);
    assert_int_equal(bench_write(&bench, &err), ERR_EXISTS); /* the restored one's */
    assert_int_equal(bench_judge(&bench), WHOLE);
    sim_disk_flip(bench.sim, "identity", 20, 1);
    assert_int_equal(bench_write(&bench, &err), ERR_CORRUPT);
    bench_close(&bench);
}

/* Then, and again: what was cut off is done from the beginning, whoever left it. */
static void assert_done_again(struct bench *bench, enum verdict verdict)
{
    struct err err;
    int code = bench_write(bench, &err);
    if (verdict == WHOLE) {
        assert_int_equal(code, ERR_EXISTS);
    } else if (code != 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(bench_judge(bench), WHOLE);
}

static void cut_off_anywhere_it_is_nothing_or_marked_or_whole(void **state)
{
    (void)state;
    static const enum sim_disk_loss losses[] = {SIM_LOSE, SIM_KEEP, SIM_TEAR,
                                                SIM_REORDER, SIM_STAYS};
    size_t seen[3] = {0, 0, 0};
    bool over = false;
    for (uint64_t k = 0; !over; k++) {
        for (size_t loss = 0; loss < 5; loss++) {
            struct bench bench;
            struct err err;
            bench_init(&bench, k * 5 + loss + 1);
            sim_disk_power_off_after(bench.sim, k);
            over = bench_write(&bench, &err) == 0;
            sim_disk_power_off(bench.sim);
            sim_disk_power_on(bench.sim, losses[loss]);
            enum verdict verdict = bench_judge(&bench);
            assert_true(!over || verdict == WHOLE);
            seen[verdict]++;
            if (k % 3 == 0) { /* and the second try is cut off as well */
                sim_disk_power_off_after(bench.sim, k / 2);
                (void)bench_write(&bench, &err);
                sim_disk_power_off(bench.sim);
                sim_disk_power_on(bench.sim, losses[(loss + k) % 5]);
                verdict = bench_judge(&bench);
            }
            assert_done_again(&bench, verdict);
            bench_close(&bench);
        }
    }
    assert_true(seen[BLANK] > 5 && seen[CUT_OFF] > 50 && seen[WHOLE] > 5);
}

static void an_operation_that_fails_is_told_and_it_is_done_again(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t k = 0; failed; k++) {
        struct bench bench;
        struct err err = {.code = ERR_NONE};
        bench_init(&bench, k + 1);
        sim_disk_fail(bench.sim, k, 1);
        int code = bench_write(&bench, &err);
        failed = sim_disk_failed(bench.sim);
        assert_int_equal(code, failed ? ERR_IO : 0);
        sim_disk_kill(bench.sim);
        sim_disk_fail(bench.sim, 0, 0);
        assert_done_again(&bench, bench_judge(&bench));
        bench_close(&bench);
    }
}

static void a_full_disk_is_told_and_it_is_done_again(void **state)
{
    (void)state;
    int code = ERR_FULL;
    for (uint64_t room = 0; code != 0; room += 400) {
        struct bench bench;
        struct err err = {.code = ERR_NONE};
        bench_init(&bench, room + 1);
        sim_disk_limit(bench.sim, room);
        code = bench_write(&bench, &err);
        assert_true(code == 0 || code == ERR_FULL);
        sim_disk_kill(bench.sim);
        sim_disk_limit(bench.sim, UINT64_MAX);
        assert_done_again(&bench, bench_judge(&bench));
        bench_close(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_summary_says_what_is_in_it),
        cmocka_unit_test(a_file_that_ends_early_or_not_at_all_is_refused),
        cmocka_unit_test(a_byte_that_was_changed_is_told_with_its_record),
        cmocka_unit_test(a_node_starts_from_it_with_every_task_and_a_new_epoch),
        cmocka_unit_test(a_folder_that_is_somebodys_stays_as_it_is),
        cmocka_unit_test(cut_off_anywhere_it_is_nothing_or_marked_or_whole),
        cmocka_unit_test(an_operation_that_fails_is_told_and_it_is_done_again),
        cmocka_unit_test(a_full_disk_is_told_and_it_is_done_again),
    };
    return cmocka_run_group_tests(tests, save, forget);
}
