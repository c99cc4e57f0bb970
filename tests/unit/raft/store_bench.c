/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/raft/store_bench.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

bool bench_full_run(void)
{
    const char *value = getenv("MUSTER_TEST_FULL");
    return value != NULL && strcmp(value, "1") == 0;
}

/* --- content -----------------------------------------------------------------------
 */

/* Short, empty, over several sectors, and runs of zeros: a sector of a frame may hold
 * nothing but zeros of a payload. */
struct bytes *bench_payload(uint64_t id)
{
    uint64_t hash = hash_mix(id);
    size_t len = hash % 7 == 0 ? hash / 7 % 3000 : hash / 7 % 150;
    struct bytes *data = bytes_new(NULL, len);
    for (size_t i = 0; i < len; i++) {
        uint64_t value = hash % 5 == 0 ? 0 : hash_mix(id + i / 8) >> (i % 8);
        data->data[i] = (uint8_t)value;
    }
    if (len >= 8) {
        put_u64(data->data, id);
    }
    return data;
}

static size_t snapshot_len(uint64_t index, uint64_t term)
{
    uint64_t hash = hash_mix(index * 31 + term);
    return hash % 4 == 0 ? hash / 4 % 150000 : hash / 4 % 3000;
}

static uint8_t snapshot_byte(uint64_t index, uint64_t term, size_t at)
{
    return (uint8_t)(hash_mix(index ^ (term << 32) ^ (at / 8)) >> (at % 8 * 8));
}

static struct bytes *snapshot_content(uint64_t index, uint64_t term)
{
    struct bytes *data = bytes_new(NULL, snapshot_len(index, term));
    for (size_t i = 0; i < data->len; i++) {
        data->data[i] = snapshot_byte(index, term, i);
    }
    return data;
}

static struct bytes *snapshot_configuration(uint64_t index)
{
    char text[700];
    size_t len = index % 600;
    memset(text, 'c', sizeof text);
    return bytes_new(text, len);
}

static struct snapshot_meta snapshot_meta_of(struct bench_snapshot snapshot)
{
    return (struct snapshot_meta){
        .index = snapshot.index,
        .term = snapshot.term,
        .configuration_index = snapshot.index / 2 + 1,
        .configuration = snapshot_configuration(snapshot.index),
    };
}

/* --- the model ---------------------------------------------------------------------
 */

static const struct bench_log *bench_log_now(const struct bench *bench)
{
    return &bench->logs[bench->log_count - 1];
}

static uint64_t bench_log_last(const struct bench_log *log)
{
    return log->base + log->count - 1;
}

/* A copy of the newest log with entries at and after `first` dropped and room for more;
 * it becomes the newest. */
static struct bench_log *bench_log_push(struct bench *bench, uint64_t first,
                                        size_t more)
{
    const struct bench_log old = *bench_log_now(bench);
    size_t kept = first > old.base ? (size_t)(first - old.base) : 0;
    assert(kept <= old.count);
    struct bench_log log = {.base = first > old.base ? old.base : first, .count = kept};
    log.id = mem_array(kept + more, sizeof(uint64_t));
    log.term = mem_array(kept + more, sizeof(uint64_t));
    if (kept > 0) {
        memcpy(log.id, old.id, kept * sizeof(uint64_t));
        memcpy(log.term, old.term, kept * sizeof(uint64_t));
    }
    bench->logs =
        mem_realloc(bench->logs, (bench->log_count + 1) * sizeof *bench->logs);
    bench->logs[bench->log_count++] = log;
    return &bench->logs[bench->log_count - 1];
}

static void bench_log_reset(struct bench *bench, uint64_t first)
{
    bench->logs =
        mem_realloc(bench->logs, (bench->log_count + 1) * sizeof *bench->logs);
    bench->logs[bench->log_count++] = (struct bench_log){.base = first};
}

/* An operation on its way. */
struct bench_op {
    struct bench_op *next; /* all there ever were: a crash leaves some unanswered */
    struct bench *bench;
    size_t number;
    uint64_t write_no;
};

static struct bench_op *bench_op_new(struct bench *bench)
{
    struct bench_op *op = mem_zalloc(sizeof *op);
    op->next = bench->ops;
    bench->ops = op;
    op->bench = bench;
    op->number = bench->log_count - 1;
    return op;
}

static void bench_reported(struct bench *bench, size_t number)
{
    assert_int_equal(number, bench->reported + 1); /* in order, each one */
    bench->reported = number;
}

static void bench_written(void *owner, uint64_t write_no)
{
    struct bench_op *op = owner;
    assert_true(op->write_no == write_no);
    bench_reported(op->bench, op->number);
}

void bench_truncate(struct bench *bench, uint64_t first, size_t count)
{
    struct bench_log *log = bench_log_push(bench, first, count);
    struct entry *entries = mem_array(count, sizeof *entries);
    uint64_t term = bench->vote_wanted.term;
    for (size_t i = 0; i < count; i++) {
        uint64_t id = bench->next_id++;
        entries[i] =
            (struct entry){term, (enum entry_type)(1 + id % 3), bench_payload(id)};
        log->id[log->count] = id;
        log->term[log->count++] = term;
    }
    struct bench_op *op = bench_op_new(bench);
    op->write_no = store_append(bench->store, first, entries, count, bench->commit,
                                bench_written, op);
    for (size_t i = 0; i < count; i++) {
        bytes_unref(entries[i].data);
    }
    mem_free(entries);
}

void bench_append(struct bench *bench, size_t count)
{
    bench_truncate(bench, bench_log_last(bench_log_now(bench)) + 1, count);
}

static void bench_voted(void *owner)
{
    struct bench *bench = owner;
    bench->vote = bench->vote_wanted;
}

void bench_set_vote(struct bench *bench)
{
    if (memcmp(&bench->vote, &bench->vote_wanted, sizeof bench->vote) != 0) {
        return; /* one at a time */
    }
    bench->vote_wanted.term += sim_random_below(&bench->random, 2);
    bench->vote_wanted.vote = sim_random_next(&bench->random);
    store_set_vote(bench->store, bench->vote_wanted.term, bench->vote_wanted.vote,
                   bench_voted, bench);
}

static int bench_produce(void *owner, struct snapshot_sink *sink)
{
    const struct bench *bench = owner;
    const struct bench_snapshot *taking = &bench->taking;
    struct bytes *content = snapshot_content(taking->index, taking->term);
    int result = 0;
    for (size_t at = 0; at < content->len && result == 0; at += 777) {
        size_t part = content->len - at < 777 ? content->len - at : 777;
        result = snapshot_sink_put(sink, content->data + at, part);
    }
    bytes_unref(content);
    return result;
}

static void bench_taken(void *owner, int result)
{
    struct bench *bench = owner;
    if (result == 0) {
        bench->snapshot = bench->taking;
    } else if (result == ERR_FULL) {
        bench->full_count++;
    } else {
        assert_int_equal(result, ERR_CANCELLED);
    }
    bench->taking = (struct bench_snapshot){0};
}

void bench_commit_all(struct bench *bench)
{
    bench->commit = bench_log_last(bench_log_now(bench));
}

bool bench_take(struct bench *bench)
{
    const struct bench_log *log = &bench->logs[bench->reported];
    if (bench->reported + 1 < bench->log_count || /* commit may be ahead of this disk */
        bench->taking.index != 0 || bench->commit <= bench->snapshot.index ||
        bench->commit < log->base || bench->commit > bench_log_last(log)) {
        return false;
    }
    bench->taking = (struct bench_snapshot){
        .index = bench->commit, .term = log->term[bench->commit - log->base]};
    struct snapshot_meta meta = snapshot_meta_of(bench->taking);
    uint64_t trailing = sim_random_below(&bench->random, 30);
    store_take_snapshot(bench->store, &meta, trailing > 15 ? 0 : trailing,
                        bench_produce, bench_taken, bench);
    bytes_unref(meta.configuration);
    return true;
}

static void bench_installed(void *owner, int result)
{
    struct bench_op *op = owner;
    assert_int_equal(result, 0);
    bench_reported(op->bench, op->number);
    op->bench->snapshot = op->bench->receiving;
    op->bench->receiving = (struct bench_snapshot){0};
    op->bench->installing = false;
}

static void bench_install(struct bench *bench)
{
    if (bench->receiving.index <= bench->commit) { /* overtaken by appends */
        store_receive_abort(bench->store);
        bench->receiving = (struct bench_snapshot){0};
        bench->sealed = false;
        return;
    }
    bench_log_reset(bench, bench->receiving.index + 1);
    bench->commit = bench->receiving.index;
    bench->installing = true;
    bench->sealed = false;
    struct bench_op *op = bench_op_new(bench);
    store_receive_install(bench->store, bench_installed, op);
}

static void bench_received(void *owner, int result)
{
    struct bench *bench = owner;
    if (result == ERR_FULL) {
        bench->full_count++;
    } else if (result == 0 && bench->receiving.index != 0) {
        bench->sealed = true;
    }
    if (result == ERR_FULL && bench->receiving.index != 0) {
        store_receive_abort(bench->store);
        bench->receiving = (struct bench_snapshot){0};
    }
}

void bench_receive(struct bench *bench)
{
    if (bench->receiving.index != 0) {
        if (bench->sealed) {
            bench_install(bench);
        } else if (!bench->installing && sim_random_chance(&bench->random, 10)) {
            store_receive_abort(bench->store);
            bench->receiving = (struct bench_snapshot){0};
        }
        return;
    }
    /* it may well end before the log does: then the log's end is of another history */
    bench->receiving = (struct bench_snapshot){
        .index = bench->commit + 5 + sim_random_below(&bench->random, 30),
        .term = bench->vote_wanted.term,
    };
    struct snapshot_meta meta = snapshot_meta_of(bench->receiving);
    store_receive_begin(bench->store, &meta);
    bytes_unref(meta.configuration);
    struct bytes *content =
        snapshot_content(bench->receiving.index, bench->receiving.term);
    size_t half = content->len / 2;
    store_receive_put(bench->store, content->data, half, NULL, NULL);
    store_receive_put(bench->store, content->data + half, content->len - half, NULL,
                      NULL);
    store_receive_seal(bench->store, bench_received, bench);
    bytes_unref(content);
}

/* --- running -----------------------------------------------------------------------
 */

static void bench_failed(void *owner, const struct err *err)
{
    struct bench *bench = owner;
    assert_false(bench->failed);
    bench->failed = true;
    bench->failure = *err;
}

static struct store_options bench_options(const struct bench *bench,
                                          struct sim_disk *sim, struct clock *clock,
                                          void *owner)
{
    return (struct store_options){
        .disk = sim_disk_base(sim),
        .clock = clock,
        .node_id = BENCH_NODE,
        .cluster_id = BENCH_CLUSTER,
        .segment_bytes = bench->segment_bytes,
        .owner = owner,
        .failed = bench_failed,
    };
}

void bench_init(struct bench *bench, uint64_t seed, uint64_t segment_bytes)
{
    *bench = (struct bench){.time = sim_time_new(), .segment_bytes = segment_bytes};
    sim_random_init(&bench->random, seed);
    bench->sim = sim_disk_new(bench->time, seed, "/node");
    bench->clock = sim_clock_new(bench->time, seed);
    bench->vote = bench->vote_wanted = (struct bench_vote){.term = 1};
    bench->next_id = 1;
    bench->logs = mem_zalloc(sizeof *bench->logs);
    bench->logs[0] = (struct bench_log){.base = 1, .count = 1};
    bench->logs[0].id = mem_array(1, sizeof(uint64_t));
    bench->logs[0].term = mem_array(1, sizeof(uint64_t));
    bench->logs[0].id[0] = bench->next_id++;
    bench->logs[0].term[0] = 1;
    bench->log_count = 1;

    struct store_options options =
        bench_options(bench, bench->sim, bench->clock, bench);
    struct err err;
    struct entry first = {1, (enum entry_type)(1 + 1 % 3), bench_payload(1)};
    assert_int_equal(store_create(&options, 1, &first, &err), 0);
    bytes_unref(first.data);
    struct store_found found;
    assert_int_equal(store_open(&bench->store, &options, &found, &err), 0);
    assert_int_equal(found.log.count, 1);
    assert_false(found.has_snapshot);
    entry_log_close(&found.log);
}

static void bench_store_closed(void *owner)
{
    struct bench *bench = owner;
    bench->closed = true;
    bench->store = NULL;
}

void bench_close_store(struct bench *bench)
{
    if (bench->store == NULL) {
        return;
    }
    store_close(bench->store, bench_store_closed, bench);
    while (!bench->closed) {
        assert_true(sim_time_run_next(bench->time));
    }
}

void bench_close(struct bench *bench)
{
    bench_close_store(bench);
    for (size_t i = 0; i < bench->log_count; i++) {
        mem_free(bench->logs[i].id);
        mem_free(bench->logs[i].term);
    }
    mem_free(bench->logs);
    while (bench->ops != NULL) {
        struct bench_op *op = bench->ops;
        bench->ops = op->next;
        mem_free(op);
    }
    sim_disk_free(bench->sim);
    sim_clock_free(bench->clock);
    sim_time_free(bench->time);
}

void bench_run(struct bench *bench, uint64_t events)
{
    while (events-- > 0 && !bench->failed && sim_time_run_next(bench->time)) {
    }
}

static bool bench_busy(const struct bench *bench)
{
    return bench->reported + 1 < bench->log_count || bench->taking.index != 0 ||
           bench->vote.vote != bench->vote_wanted.vote || !sim_disk_idle(bench->sim);
}

void bench_settle(struct bench *bench)
{
    while (bench_busy(bench) && !bench->failed) {
        assert_true(sim_time_run_next(bench->time));
    }
}

void bench_step(struct bench *bench)
{
    if (bench->failed) {
        return;
    }
    bool ahead = sim_random_chance(&bench->random, 20); /* the others have it */
    if (ahead || (bench->reported + 1 == bench->log_count && !bench->installing)) {
        uint64_t last = bench_log_last(bench_log_now(bench));
        if (last > bench->commit) {
            bench->commit += sim_random_below(&bench->random, last - bench->commit + 1);
        }
    }
    uint64_t last = bench_log_last(bench_log_now(bench));
    uint64_t dice = sim_random_below(&bench->random, 100);
    if (dice < 60) {
        bench_append(bench, 1 + (size_t)sim_random_below(&bench->random, 4));
    } else if (dice < 75 && last > bench->commit) {
        uint64_t back = sim_random_below(&bench->random, last - bench->commit);
        bench_truncate(bench, last - back, (size_t)sim_random_below(&bench->random, 3));
    } else if (dice < 83) {
        bench_set_vote(bench);
    } else if (dice < 91) {
        bench_take(bench);
    } else if (dice < 96) {
        bench_receive(bench);
    }
    bench_run(bench, sim_random_below(&bench->random, 6));
}

/* --- comparing ---------------------------------------------------------------------
 */

/* Is the found log that of the model? Both may have forgotten a beginning. */
static bool bench_same_log(const struct bench_log *log, const struct entry_log *found)
{
    if (entry_log_last(found) != bench_log_last(log) ||
        entry_log_first(found) < log->base) {
        return false;
    }
    for (uint64_t i = entry_log_first(found); i <= entry_log_last(found); i++) {
        const struct entry *entry = entry_log_get(found, i);
        uint64_t id = log->id[i - log->base];
        struct bytes *wanted = bench_payload(id);
        bool same = entry->term == log->term[i - log->base] &&
                    entry->type == (enum entry_type)(1 + id % 3) &&
                    entry->data->len == wanted->len &&
                    memcmp(entry->data->data, wanted->data, wanted->len) == 0;
        bytes_unref(wanted);
        if (!same) {
            return false;
        }
    }
    return true;
}

static void bench_check_log(const struct bench *bench, const struct store_found *found,
                            const char *what)
{
    for (size_t i = bench->log_count; i-- > bench->reported;) {
        if (bench_same_log(&bench->logs[i], &found->log)) {
            return;
        }
    }
    fail_msg("%s: found log [%" PRIu64 ", %" PRIu64 "], none of those handed over in "
             "[%zu, %zu] (%" PRIu64 " .. %" PRIu64 ")",
             what, entry_log_first(&found->log), entry_log_last(&found->log),
             bench->reported, bench->log_count - 1,
             bench_log_last(&bench->logs[bench->reported]),
             bench_log_last(bench_log_now(bench)));
}

struct bench_content {
    struct bench_snapshot snapshot;
    size_t at;
};

static int bench_consume(void *owner, const void *data, size_t len, struct err *err)
{
    (void)err;
    struct bench_content *content = owner;
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes[i],
                         snapshot_byte(content->snapshot.index, content->snapshot.term,
                                       content->at + i));
    }
    content->at += len;
    return 0;
}

static void bench_check_snapshot(const struct bench *bench, struct store *store,
                                 const struct store_found *found, const char *what)
{
    struct bench_snapshot got = {0};
    if (found->has_snapshot) {
        got = (struct bench_snapshot){found->snapshot.index, found->snapshot.term};
    }
    bool reported = memcmp(&got, &bench->snapshot, sizeof got) == 0;
    bool taking = got.index != 0 && memcmp(&got, &bench->taking, sizeof got) == 0;
    bool receiving = bench->installing && got.index != 0 &&
                     memcmp(&got, &bench->receiving, sizeof got) == 0;
    if (!reported && !taking && !receiving) {
        fail_msg("%s: found snapshot %" PRIu64 ", reported is %" PRIu64, what,
                 got.index, bench->snapshot.index);
    }
    assert_true(entry_log_first(&found->log) <= got.index + 1);
    assert_true(entry_log_last(&found->log) >= got.index);
    if (!found->has_snapshot) {
        return;
    }
    struct bytes *configuration = snapshot_configuration(got.index);
    assert_int_equal(found->snapshot.configuration->len, configuration->len);
    assert_memory_equal(found->snapshot.configuration->data, configuration->data,
                        configuration->len);
    assert_true(found->snapshot.configuration_index == got.index / 2 + 1);
    bytes_unref(configuration);
    struct bench_content content = {.snapshot = got};
    struct err err;
    assert_int_equal(store_snapshot_load(store, bench_consume, &content, &err), 0);
    assert_int_equal(content.at, snapshot_len(got.index, got.term));
}

static void bench_check_found(const struct bench *bench, struct store *store,
                              const struct store_found *found, const char *what)
{
    bench_check_log(bench, found, what);
    bench_check_snapshot(bench, store, found, what);
    struct bench_vote vote = {found->term, found->vote};
    if (memcmp(&vote, &bench->vote, sizeof vote) != 0 &&
        memcmp(&vote, &bench->vote_wanted, sizeof vote) != 0) {
        fail_msg("%s: found term %" PRIu64 " vote %" PRIu64 ", reported is %" PRIu64
                 " vote %" PRIu64,
                 what, vote.term, vote.vote, bench->vote.term, bench->vote.vote);
    }
}

struct bench_second {
    bool closed;
    size_t written;
};

static void bench_second_closed(void *owner)
{
    ((struct bench_second *)owner)->closed = true;
}

static void bench_second_written(void *owner, uint64_t write_no)
{
    (void)write_no;
    ((struct bench_second *)owner)->written++;
}

static void bench_second_failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("the store failed after it was opened again: %s", err->text);
}

static void bench_found_close(struct store_found *found)
{
    entry_log_close(&found->log);
    bytes_unref(found->snapshot.configuration);
}

/* Append three entries, close, open, and find what was there and the three. */
static void bench_go_on(struct store **store, const struct store_options *options,
                        struct store_found *found, struct sim_disk *sim,
                        struct sim_time *time, const char *what)
{
    struct bench_second second = {.closed = false};
    struct bytes *data = bytes_new("more", 4);
    for (size_t i = 0; i < 3; i++) {
        struct entry entry = {found->term + 1, ENTRY_COMMAND, bytes_ref(data)};
        uint64_t index = entry_log_last(&found->log) + 1;
        store_append(*store, index, &entry, 1, index - 1, bench_second_written,
                     &second);
        entry_log_append(&found->log, &entry);
    }
    while (second.written < 3) {
        assert_true(sim_time_run_next(time));
    }
    store_close(*store, bench_second_closed, &second);
    while (!second.closed) {
        assert_true(sim_time_run_next(time));
    }
    sim_disk_power_on(sim, SIM_LOSE);
    struct store_found again;
    struct err err;
    if (store_open(store, options, &again, &err) != 0) {
        fail_msg("%s: after going on: %s", what, err.text);
    }
    assert_true(entry_log_last(&again.log) == entry_log_last(&found->log));
    for (uint64_t i = entry_log_first(&again.log); i <= entry_log_last(&again.log);
         i++) {
        const struct entry *a = entry_log_get(&again.log, i);
        const struct entry *b = entry_log_get(&found->log, i);
        assert_true(b != NULL && a->term == b->term && a->data->len == b->data->len);
        assert_memory_equal(a->data->data, b->data->data, a->data->len);
    }
    bench_found_close(&again);
    bytes_unref(data);
}

int bench_check(const struct bench *bench, struct sim_disk *sim, struct sim_time *time,
                bool go_on, const char *what, struct err *err)
{
    struct clock *clock = sim_clock_new(time, 1);
    struct store_options options = bench_options(bench, sim, clock, NULL);
    options.failed = bench_second_failed;
    struct store *store = NULL;
    struct store_found found;
    int result = store_open(&store, &options, &found, err);
    if (result == 0) {
        bench_check_found(bench, store, &found, what);
        if (go_on) {
            bench_go_on(&store, &options, &found, sim, time, what);
        }
        bench_found_close(&found);
        struct bench_second second = {.closed = false};
        store_close(store, bench_second_closed, &second);
        while (!second.closed) {
            assert_true(sim_time_run_next(time));
        }
    }
    sim_clock_free(clock);
    return result;
}
