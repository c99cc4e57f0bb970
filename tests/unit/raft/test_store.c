/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/golden.h"
#include "raft/store/format.h"
#include "raft/store/scan.h"
#include "raft/store/snapshot_file.h"
#include "unit/raft/store_bench.h"

static void what_was_reported_is_found_again(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 1, 8192);
    for (size_t i = 0; i < 400; i++) {
        bench_step(&bench);
    }
    bench_settle(&bench);
    assert_false(bench.failed);
    bench_close_store(&bench);
    struct err err;
    sim_disk_power_on(bench.sim, SIM_LOSE);
    assert_int_equal(bench_check(&bench, bench.sim, bench.time, true, "reopen", &err),
                     0);
    bench_close(&bench);
}

static void what_waits_goes_together_in_one_frame(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 2, 65536);
    bench_settle(&bench);
    uint64_t before = sim_disk_operations(bench.sim);
    for (size_t i = 0; i < 20; i++) {
        bench_append(&bench, 1);
    }
    bench_settle(&bench);
    /* the first goes at once, the nineteen others wait for it: two writes, two syncs */
    assert_int_equal(sim_disk_operations(bench.sim) - before, 4);
    bench_close(&bench);
}

static void a_frame_larger_than_a_segment_gets_one_of_its_size(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 3, 4096);
    for (size_t i = 0; i < 5; i++) {
        bench_append(&bench, 60); /* of some 75 bytes each, and now and then 3000 */
        bench_append(&bench, 1);
    }
    bench_settle(&bench);
    bench_close_store(&bench);
    struct err err;
    assert_int_equal(bench_check(&bench, bench.sim, bench.time, true, "large", &err),
                     0);
    bench_close(&bench);
}

static void another_nodes_files_are_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 4, 4096);
    bench_close_store(&bench);
    struct clock *clock = sim_clock_new(bench.time, 1);
    struct store_options options = {
        .disk = sim_disk_base(bench.sim),
        .clock = clock,
        .node_id = BENCH_NODE + 1,
        .cluster_id = BENCH_CLUSTER,
    };
    struct store *store = NULL;
    struct store_found found;
    struct err err;
    assert_int_equal(store_open(&store, &options, &found, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "/node/anchor-1: offset 16: belongs to node"));
    options.node_id = BENCH_NODE;
    options.cluster_id++;
    assert_int_equal(store_open(&store, &options, &found, &err), ERR_CORRUPT);
    sim_clock_free(clock);

    sim_disk_put(bench.sim, "log-7", "x", 1);
    assert_int_equal(bench_check(&bench, bench.sim, bench.time, false, "", &err),
                     ERR_CORRUPT);
    assert_non_null(strstr(err.text, "/node/log-7: offset 0: "));
    sim_disk_delete(bench.sim, "log-7");
    sim_disk_put(bench.sim, "identity", "x", 1); /* is somebody else's affair */
    assert_int_equal(bench_check(&bench, bench.sim, bench.time, false, "", &err), 0);
    bench_close(&bench);
}

/* --- creation ----------------------------------------------------------------------
 */

struct birth {
    struct sim_time *time;
    struct sim_disk *sim;
    struct clock *clock;
    struct store_options options;
    struct entry first;
};

static void birth_init(struct birth *birth, uint64_t seed)
{
    birth->time = sim_time_new();
    birth->sim = sim_disk_new(birth->time, seed, "/node");
    birth->clock = sim_clock_new(birth->time, seed);
    birth->options = (struct store_options){
        .disk = sim_disk_base(birth->sim),
        .clock = birth->clock,
        .node_id = 5,
        .cluster_id = 6,
        .segment_bytes = 4096,
    };
    birth->first = (struct entry){1, ENTRY_CONFIGURATION, bytes_new("members", 7)};
}

static void birth_close(struct birth *birth)
{
    bytes_unref(birth->first.data);
    sim_disk_free(birth->sim);
    sim_clock_free(birth->clock);
    sim_time_free(birth->time);
}

static void birth_open(struct birth *birth, bool has_entry)
{
    struct store *store = NULL;
    struct store_found found;
    struct err err;
    assert_int_equal(store_open(&store, &birth->options, &found, &err), 0);
    assert_int_equal(found.term, 3);
    assert_int_equal(found.vote, 0);
    assert_int_equal(found.log.first, 1);
    assert_int_equal(found.log.count, has_entry);
    if (has_entry) {
        const struct entry *entry = entry_log_get(&found.log, 1);
        assert_int_equal(entry->type, ENTRY_CONFIGURATION);
        assert_memory_equal(entry->data->data, "members", 7);
    }
    entry_log_close(&found.log);
    struct bench closer = {.store = store, .time = birth->time};
    bench_close_store(&closer);
}

static void a_creation_cut_off_anywhere_is_done_again(void **state)
{
    (void)state;
    for (uint64_t cut = 0; cut < 26; cut++) {
        for (uint64_t seed = 0; seed < 24; seed++) {
            bool has_entry = seed % 2 == 0;
            struct birth birth;
            birth_init(&birth, seed);
            const struct entry *first = has_entry ? &birth.first : NULL;
            struct err err;
            sim_disk_power_off_after(birth.sim, cut);
            store_create(&birth.options, 3, first, &err);
            sim_disk_power_on(birth.sim, (enum sim_disk_loss)(seed / 2 % 4));
            if (store_create(&birth.options, 3, first, &err) != 0) {
                fail_msg("cut after %" PRIu64 ", seed %" PRIu64 ": %s", cut, seed,
                         err.text);
            }
            sim_disk_power_on(birth.sim, SIM_LOSE);
            birth_open(&birth, has_entry);
            birth_close(&birth);
        }
    }
}

static void a_store_that_holds_something_else_is_not_created_again(void **state)
{
    (void)state;
    struct birth birth;
    struct err err;
    birth_init(&birth, 1);
    assert_int_equal(store_create(&birth.options, 3, &birth.first, &err), 0);
    assert_int_equal(store_create(&birth.options, 4, &birth.first, &err), ERR_EXISTS);
    assert_int_equal(store_create(&birth.options, 3, NULL, &err), ERR_EXISTS);
    birth.options.node_id++;
    assert_int_equal(store_create(&birth.options, 3, &birth.first, &err), ERR_EXISTS);
    birth.options.node_id--;
    birth_open(&birth, true); /* makes segment 2 */
    assert_int_equal(store_create(&birth.options, 3, &birth.first, &err), ERR_EXISTS);
    birth_close(&birth);
}

static void a_disk_without_room_for_a_store_says_so(void **state)
{
    (void)state;
    struct birth birth;
    struct err err;
    birth_init(&birth, 1);
    sim_disk_limit(birth.sim, 2000);
    assert_int_equal(store_create(&birth.options, 3, &birth.first, &err), ERR_FULL);
    sim_disk_limit(birth.sim, UINT64_MAX);
    assert_int_equal(store_create(&birth.options, 3, &birth.first, &err), 0);
    birth_open(&birth, true);
    birth_close(&birth);
}

/* --- reading snapshots ---------------------------------------------------------------
 */

struct reading {
    int result;
    size_t len;
    bool done;
};

static void reading_done(void *owner, int result, size_t len)
{
    *(struct reading *)owner = (struct reading){result, len, true};
}

static void read_all(struct bench *bench, struct store_pin *pin, uint64_t content_bytes,
                     uint8_t *out)
{
    uint64_t at = 0;
    for (size_t round = 0; at < content_bytes; round++) {
        struct reading reading = {.done = false};
        store_snapshot_read(pin, at, out + at, 1 + round * 7919 % 100000, reading_done,
                            &reading);
        while (!reading.done) {
            assert_true(sim_time_run_next(bench->time));
        }
        assert_int_equal(reading.result, 0);
        assert_true(reading.len > 0);
        at += reading.len;
    }
    assert_true(at == content_bytes);
}

static void a_pinned_snapshot_is_readable_after_it_was_replaced(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 7, 4096);
    struct snapshot_meta meta;
    uint64_t content_bytes = 0;
    assert_null(store_snapshot_pin(bench.store, &meta, &content_bytes));
    while (content_bytes < 100000) { /* over several chunks */
        bench_append(&bench, 1);
        bench_settle(&bench);
        bench.commit++;
        assert_true(bench_take(&bench));
        bench_settle(&bench);
        struct store_pin *pin = store_snapshot_pin(bench.store, &meta, &content_bytes);
        store_snapshot_unpin(pin);
    }
    struct store_pin *pin = store_snapshot_pin(bench.store, &meta, &content_bytes);
    uint64_t index = meta.index;
    uint8_t *before = mem_alloc((size_t)content_bytes + 100000);
    uint8_t *after = mem_alloc((size_t)content_bytes + 100000);
    read_all(&bench, pin, content_bytes, before);
    bench_append(&bench, 1);
    bench_settle(&bench);
    bench.commit++;
    assert_true(bench_take(&bench));
    bench_settle(&bench);
    read_all(&bench, pin, content_bytes, after);
    assert_memory_equal(before, after, (size_t)content_bytes);
    struct reading reading = {.len = 9};
    store_snapshot_read(pin, content_bytes, after, 10, reading_done, &reading);
    while (!reading.done) {
        assert_true(sim_time_run_next(bench.time));
    }
    assert_int_equal(reading.len, 0);
    store_snapshot_unpin(pin);
    pin = store_snapshot_pin(bench.store, &meta, &content_bytes);
    assert_true(meta.index > index);
    store_snapshot_read(pin, 0, after, 10, reading_done, &reading);
    store_snapshot_unpin(pin); /* a read under way keeps the file */
    bench_close(&bench);       /* and is dropped with the store */
    mem_free(before);
    mem_free(after);
}

/* --- the scanner, by hand ------------------------------------------------------------
 */

struct scan_case {
    const char *what;
    struct disk_frame frames[3]; /* up to the first with number 0 */
    int result;
    uint64_t first; /* of the log found */
    uint64_t last;
};

/* Segment 2 of a log whose segment 1 is gone: its first frame is taken as it comes.
 * Each frame has `count` barriers; `previous` 0 = the chain of the one before. */
static const struct scan_case scan_cases[] = {
    {"appends continue",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8, .kind = DISK_FRAME_APPEND, .first = 53, .count = 1, .known = 52}},
     0,
     50,
     53},
    {"a replacement voids what is there, also all of it",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8, .kind = DISK_FRAME_REPLACE, .first = 48, .count = 1}},
     0,
     48,
     48},
    {"a reset voids all",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8,
       .kind = DISK_FRAME_RESET,
       .first = 61,
       .snapshot_index = 60,
       .snapshot_term = 1},
      {.number = 9, .kind = DISK_FRAME_APPEND, .first = 61, .count = 2, .known = 60}},
     0,
     61,
     62},
    {"a gap between entries",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8, .kind = DISK_FRAME_APPEND, .first = 54, .count = 1}},
     ERR_CORRUPT,
     0,
     0},
    {"a gap between frames",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 9, .kind = DISK_FRAME_APPEND, .first = 53, .count = 1}},
     ERR_CORRUPT,
     0,
     0},
    {"a frame of another history",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8,
       .kind = DISK_FRAME_APPEND,
       .first = 53,
       .count = 1,
       .previous = 0x1234}},
     ERR_CORRUPT,
     0,
     0},
    {"a replacement of what was committed",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8, .kind = DISK_FRAME_APPEND, .first = 53, .count = 1, .known = 52},
      {.number = 9, .kind = DISK_FRAME_REPLACE, .first = 52, .count = 1}},
     ERR_CORRUPT,
     0,
     0},
    {"a replacement of nothing",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8, .kind = DISK_FRAME_REPLACE, .first = 53, .count = 1}},
     ERR_CORRUPT,
     0,
     0},
    {"knowledge of what was not written",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3},
      {.number = 8, .kind = DISK_FRAME_APPEND, .first = 53, .count = 1, .known = 53}},
     ERR_CORRUPT,
     0,
     0},
    {"knowledge of what was not written, in the first frame",
     {{.number = 7, .kind = DISK_FRAME_APPEND, .first = 50, .count = 3, .known = 50}},
     ERR_CORRUPT,
     0,
     0},
    {"a reset that names another index",
     {{.number = 7,
       .kind = DISK_FRAME_RESET,
       .first = 61,
       .snapshot_index = 59,
       .snapshot_term = 1}},
     ERR_CORRUPT,
     0,
     0},
};

static void scan_one(const struct scan_case *scan_case)
{
    struct buf buf;
    buf_init(&buf);
    buf_put_zeros(&buf, FORMAT_SECTOR); /* the header is the caller's */
    struct bytes *empty = bytes_new(NULL, 0);
    const struct entry entry = {1, ENTRY_BARRIER, empty};
    const struct entry entries[3] = {entry, entry, entry};
    uint32_t chain = 0;
    for (size_t i = 0; i < 3 && scan_case->frames[i].number > 0; i++) {
        struct disk_frame frame = scan_case->frames[i];
        frame.previous = frame.previous == 0 ? chain : frame.previous;
        format_put_frame(&buf, &frame, entries, 2, buf.len);
        chain = frame.chain;
    }
    buf_put_zeros(&buf, 4 * FORMAT_SECTOR);
    struct entry_log log;
    entry_log_init(&log, 1);
    struct segment_list segments = {.count = 0};
    struct scan scan = {.path = "/node", .log = &log, .segments = &segments};
    struct err err;
    int result = scan_segment(&scan, 2, buf.data, buf.len, &err);
    if (result != scan_case->result) {
        fail_msg("%s: %d %s", scan_case->what, result, result != 0 ? err.text : "");
    }
    if (result == 0) {
        assert_true(entry_log_first(&log) == scan_case->first);
        assert_true(entry_log_last(&log) == scan_case->last);
    }
    entry_log_close(&log);
    segment_list_close(&segments);
    bytes_unref(empty);
    buf_close(&buf);
}

static void frames_must_fit_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scan_cases / sizeof scan_cases[0]; i++) {
        scan_one(&scan_cases[i]);
    }
}

/* --- frozen bytes -------------------------------------------------------------------
 */

static void golden_frame(const char *name, enum frame_kind_on_disk kind,
                         const struct entry *entries, size_t count)
{
    struct buf out;
    buf_init(&out);
    struct disk_frame frame = {
        .number = 42,
        .previous = 0x12345678,
        .kind = kind,
        .first = 7,
        .known = 5,
        .count = count,
        .snapshot_index = kind == DISK_FRAME_RESET ? 6 : 0,
        .snapshot_term = kind == DISK_FRAME_RESET ? 2 : 0,
    };
    format_put_frame(&out, &frame, entries, 3, 1024);
    golden_check(name, out.data, out.len);
    buf_close(&out);
}

static void golden_snapshot(const struct format_ids *ids)
{
    struct sim_time *time = sim_time_new();
    struct sim_disk *sim = sim_disk_new(time, 1, "/node");
    struct snapshot_meta meta = {
        .index = 9,
        .term = 2,
        .configuration_index = 1,
        .configuration = bytes_new("members", 7),
    };
    struct snapshot_sink *sink = mem_zalloc(sizeof *sink);
    assert_int_equal(
        snapshot_sink_open(sink, sim_disk_base(sim), ids, "snapshot", &meta), 0);
    assert_int_equal(snapshot_sink_put(sink, "the state", 9), 0);
    assert_int_equal(snapshot_sink_seal(sink), 0);
    disk_close(sim_disk_base(sim), sink->file);
    size_t len = 0;
    const uint8_t *content = sim_disk_content(sim, "snapshot", &len);
    golden_check("store_snapshot.hex", content, len);
    mem_free(sink);
    bytes_unref(meta.configuration);
    sim_disk_free(sim);
    sim_time_free(time);
}

static void the_bytes_of_every_structure_are_frozen(void **state)
{
    (void)state;
    const struct format_ids ids = {0x0102030405060708, 0x1112131415161718, "/node"};
    uint8_t sector[FORMAT_SECTOR];
    struct anchor anchor = {
        .sequence = 1,
        .term = 2,
        .vote = 3,
        .first_segment = 4,
        .last_segment = 5,
        .frame = 6,
        .snapshot_index = 7,
        .snapshot_term = 8,
    };
    format_put_anchor(sector, &ids, &anchor);
    golden_check("store_anchor.hex", sector, sizeof sector);
    format_put_segment(sector, &ids, 9, 4096);
    golden_check("store_segment.hex", sector, sizeof sector);

    struct bytes *data = bytes_new(NULL, 600);
    memset(data->data, 'd', 600);
    struct bytes *empty = bytes_new(NULL, 0);
    const struct entry entries[] = {
        {2, ENTRY_COMMAND, data},
        {3, ENTRY_BARRIER, empty},
        {3, ENTRY_CONFIGURATION, data},
    };
    golden_frame("store_append.hex", DISK_FRAME_APPEND, entries, 3);
    golden_frame("store_truncate.hex", DISK_FRAME_REPLACE, NULL, 0);
    golden_frame("store_reset.hex", DISK_FRAME_RESET, NULL, 0);
    golden_snapshot(&ids);
    bytes_unref(data);
    bytes_unref(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_reported_is_found_again),
        cmocka_unit_test(what_waits_goes_together_in_one_frame),
        cmocka_unit_test(a_frame_larger_than_a_segment_gets_one_of_its_size),
        cmocka_unit_test(another_nodes_files_are_refused),
        cmocka_unit_test(a_creation_cut_off_anywhere_is_done_again),
        cmocka_unit_test(a_store_that_holds_something_else_is_not_created_again),
        cmocka_unit_test(a_disk_without_room_for_a_store_says_so),
        cmocka_unit_test(a_pinned_snapshot_is_readable_after_it_was_replaced),
        cmocka_unit_test(frames_must_fit_together),
        cmocka_unit_test(the_bytes_of_every_structure_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
