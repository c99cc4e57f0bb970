/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/raft/engine_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/heap.h"
#include "raft/rules.h"

static bool bench_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct bench *bench = owner;
    if (bench->sent_count < FRAMES_MAX) {
        bench->sent[bench->sent_count].to = to;
        bench->sent[bench->sent_count].at_ms = clock_now_ms(bench->clock);
        bench->sent[bench->sent_count].frame = bytes_ref(frame);
        bench->sent_count++;
    }
    return true;
}

static void bench_nothing(void *owner)
{
    (void)owner;
}

static void bench_wanted(void *owner, uint64_t to)
{
    (void)owner;
    fail_msg("node %llu wants a snapshot", (unsigned long long)to);
}

static void bench_failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("%s", err->text);
}

void bench_forget_sent(struct bench *bench)
{
    for (size_t i = 0; i < bench->sent_count; i++) {
        bytes_unref(bench->sent[i].frame);
    }
    bench->sent_count = 0;
}

/* The last message of a type that was sent, decoded; false: none. */
bool bench_last_sent(struct bench *bench, enum raft_message_type type,
                     struct message *out)
{
    for (size_t i = bench->sent_count; i > 0; i--) {
        struct bytes *frame = bench->sent[i - 1].frame;
        assert_int_equal(message_decode(out, 1, frame->data, frame->len, NULL), 0);
        if (out->raft.type == type) {
            return true;
        }
        message_close(out);
    }
    return false;
}

void bench_run(struct bench *bench, uint64_t ms)
{
    sim_time_run_until(bench->time, sim_time_now_us(bench->time) + ms * 1000);
}

struct membership members_of(size_t voters, size_t standbys)
{
    struct membership members = {.count = voters + standbys};
    for (size_t i = 0; i < members.count; i++) {
        members.rows[i].id = i + 1;
        members.rows[i].voter = i < voters;
        snprintf(members.rows[i].address, sizeof members.rows[i].address, "n%zu:1",
                 i + 1);
    }
    return members;
}

struct entry change_entry(uint64_t term, size_t voters, size_t standbys)
{
    struct membership members = members_of(voters, standbys);
    return (struct entry){term, ENTRY_CONFIGURATION, membership_encode(&members)};
}

struct entry batch_entry(uint64_t term)
{
    return (struct entry){term, ENTRY_COMMAND, bytes_new("x", 1)};
}

/* A store that holds one entry, and what a start finds there. */
static void bench_store(struct bench *bench, const struct entry *first,
                        struct store_found *found)
{
    *bench = (struct bench){.time = sim_time_new()};
    heap_install();
    bench->disk = sim_disk_new(bench->time, 7, "disk");
    sim_disk_latency(bench->disk, 100, 200);
    bench->clock = sim_clock_new(bench->time, 5);
    struct store_options options = {
        .disk = sim_disk_base(bench->disk),
        .clock = bench->clock,
        .node_id = 1,
        .cluster_id = 9,
        .segment_bytes = 65536,
        .owner = bench,
        .failed = bench_failed,
    };
    assert_int_equal(store_create(&options, 1, first, NULL), 0);
    bytes_unref(first->data);
    assert_int_equal(store_open(&bench->store, &options, found, NULL), 0);
}

/* The entries after the first go to the store, and the engine starts. */
static void bench_engine(struct bench *bench, struct store_found *found)
{
    uint64_t count = entry_log_last(&found->log) - 1;
    if (count > 0) {
        struct entry *entries = mem_array(count, sizeof *entries);
        for (uint64_t i = 0; i < count; i++) {
            entries[i] = *entry_log_get(&found->log, 2 + i);
        }
        store_append(bench->store, 2, entries, count, 1, NULL, NULL);
        mem_free(entries);
    }
    struct engine_options engine_options = {
        .id = 1,
        .address = "n1:1",
        .clock = bench->clock,
        .store = bench->store,
        .election_timeout_ms = ELECTION_MS,
        .heartbeat_ms = HEARTBEAT_MS,
        .hooks = {bench_send, bench_nothing, bench_nothing, bench_failed, bench_wanted},
        .owner = bench,
    };
    bench->engine = engine_new(&engine_options, found);
}

void bench_open(struct bench *bench, const struct entry *first, uint64_t term,
                uint64_t count)
{
    struct store_found found;
    bench_store(bench, first, &found);
    for (uint64_t i = 0; i < count; i++) {
        struct entry entry = batch_entry(term);
        entry_log_append(&found.log, &entry);
    }
    found.term = term;
    bench_engine(bench, &found);
}

void bench_restart(struct bench *bench, const struct bench_found *log)
{
    struct store_found found;
    bench_store(bench, &log->entries[0], &found);
    for (size_t i = 1; i < log->count; i++) {
        entry_log_append(&found.log, &log->entries[i]);
    }
    found.term = log->entries[log->count - 1].term;
    found.commit = log->commit;
    found.has_snapshot = log->covered > 0;
    if (found.has_snapshot) {
        const struct entry *membership = entry_log_get(&found.log, log->membership);
        found.snapshot = (struct snapshot_meta){
            .index = log->covered,
            .term = entry_log_get(&found.log, log->covered)->term,
            .configuration_index = log->membership,
            .configuration = bytes_ref(membership->data),
        };
    }
    bench_engine(bench, &found);
}

static void bench_store_closed(void *owner)
{
    ((struct bench *)owner)->closed = true;
}

void bench_close(struct bench *bench)
{
    rules_switch_off(0);
    engine_stop(bench->engine);
    store_close(bench->store, bench_store_closed, bench);
    while (!bench->closed && sim_time_run_next(bench->time)) {
    }
    engine_free(bench->engine);
    bench_forget_sent(bench);
    sim_clock_free(bench->clock);
    sim_disk_free(bench->disk);
    sim_time_free(bench->time);
}

/* A frame of a peer, as it would come over the wire. */
void bench_receive(struct bench *bench, uint64_t from, const struct raft_message *raft,
                   uint64_t request_term, struct entry_log *log)
{
    struct bytes *frame = message_encode(raft, request_term, 0, log);
    assert_int_equal(engine_receive(bench->engine, from, frame->data, frame->len, NULL),
                     0);
    bytes_unref(frame);
}

/* An append of `leader`; the entries follow prev. Their references are given away. */
void bench_append(struct bench *bench, uint64_t leader, uint64_t term, uint64_t prev,
                  uint64_t prev_term, uint64_t commit, const struct entry *entries,
                  unsigned count)
{
    struct entry_log log;
    entry_log_init(&log, prev + 1);
    for (unsigned i = 0; i < count; i++) {
        entry_log_append(&log, &entries[i]);
    }
    struct raft_message raft = {
        .type = RAFT_APPEND_ENTRIES,
        .append_entries = {.version = 1,
                           .term = term,
                           .prev_log_index = prev,
                           .prev_log_term = prev_term,
                           .leader_commit = commit,
                           .n_entries = count},
    };
    bench_receive(bench, leader, &raft, 0, &log);
    entry_log_close(&log);
}

void bench_vote_result(struct bench *bench, uint64_t from, uint64_t term, bool granted,
                       bool pre_vote)
{
    struct raft_message raft = {
        .type = RAFT_REQUEST_VOTE_RESULT,
        .request_vote_result = {.version = 2,
                                .term = term,
                                .vote_granted = granted,
                                .pre_vote = pre_vote},
    };
    bench_receive(bench, from, &raft, 0, NULL);
}

void bench_append_result(struct bench *bench, uint64_t from, uint64_t term,
                         uint64_t request_term, uint64_t rejected, uint64_t last)
{
    struct raft_message raft = {
        .type = RAFT_APPEND_ENTRIES_RESULT,
        .append_entries_result = {.version = 1,
                                  .term = term,
                                  .rejected = rejected,
                                  .last_log_index = last},
    };
    bench_receive(bench, from, &raft, request_term, NULL);
}

void bench_vote(struct bench *bench, uint64_t from, uint64_t term, uint64_t last,
                uint64_t last_term, bool pre_vote)
{
    struct raft_message raft = {
        .type = RAFT_REQUEST_VOTE,
        .request_vote = {.version = 2,
                         .term = term,
                         .candidate_id = from,
                         .last_log_index = last,
                         .last_log_term = last_term,
                         .pre_vote = pre_vote},
    };
    bench_receive(bench, from, &raft, 0, NULL);
}

/* Make it leader of three by the vote of node 2. */
void bench_lead(struct bench *bench)
{
    bench_run(bench, 5);
    engine_elect_now(bench->engine);
    uint64_t term = engine_term(bench->engine) + 1;
    bench_vote_result(bench, 2, term, true, true);
    bench_run(bench, 5);
    bench_vote_result(bench, 2, engine_term(bench->engine), true, false);
    bench_run(bench, 5);
    assert_int_equal(engine_role(bench->engine), ENGINE_LEADER);
}

/* Node 2 has everything: it is committed. */
void bench_commit_all(struct bench *bench)
{
    bench_append_result(bench, 2, engine_term(bench->engine),
                        engine_term(bench->engine), 0, engine_last(bench->engine));
    bench_run(bench, 5);
}
