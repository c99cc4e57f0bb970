/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/raft/read_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void bench_view(void *owner, struct read_view *view)
{
    *view = ((struct bench *)owner)->view;
}

static void bench_members(void *owner, struct membership *members)
{
    *members = ((struct bench *)owner)->members;
}

static void bench_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct bench *bench = owner;
    assert_true(bench->sent_count < SENT_MAX);
    struct sent *sent = &bench->sent[bench->sent_count++];
    sent->to = to;
    assert_int_equal(read_decode(&sent->message, frame->data, frame->len, NULL), 0);
}

static void bench_wake(void *owner)
{
    ((struct bench *)owner)->woken = true;
}

void bench_member(struct bench *bench, uint64_t id, bool voter)
{
    struct membership_row *row = &bench->members.rows[bench->members.count++];
    *row = (struct membership_row){.id = id, .voter = voter};
}

void bench_open(struct bench *bench)
{
    static const struct read_hooks hooks = {bench_view, bench_members, bench_send,
                                            bench_wake};
    *bench = (struct bench){.time = sim_time_new()};
    bench->clock = sim_clock_new(bench->time, 1);
    struct read_options options = {
        .clock = bench->clock,
        .id = SELF,
        .session = SESSION,
        .election_timeout_ms = ELECTION,
        .heartbeat_ms = HEARTBEAT,
        .hooks = &hooks,
        .owner = bench,
    };
    bench->view = (struct read_view){
        .leads = true,
        .settled = true,
        .term = 5,
        .leader = SELF,
        .commit = 40,
        .applied = 40,
        .configuration = 1,
    };
    bench_member(bench, 1, true);
    bench_member(bench, 2, true);
    bench_member(bench, 3, true);
    read_index_init(&bench->reads, &options);
}

void bench_follow(struct bench *bench)
{
    bench->view.leads = false;
    bench->view.settled = false;
    bench->view.leader = 2;
}

void bench_close(struct bench *bench)
{
    read_index_stop(&bench->reads);
    sim_clock_free(bench->clock);
    sim_time_free(bench->time);
}

void bench_turn(struct bench *bench)
{
    while (bench->woken) {
        bench->woken = false;
        read_index_look(&bench->reads);
    }
}

void bench_look(struct bench *bench)
{
    bench->woken = true;
    bench_turn(bench);
}

void bench_run(struct bench *bench, uint64_t ms)
{
    for (; ms > 0; ms--) {
        sim_time_run_until(bench->time, sim_time_now_us(bench->time) + 1000);
        bench_turn(bench);
    }
}

void bench_frame(struct bench *bench, uint64_t from, const struct read_message *message)
{
    struct bytes *frame = read_encode(message);
    assert_int_equal(
        read_index_frame(&bench->reads, from, frame->data, frame->len, NULL), 0);
    bytes_unref(frame);
    bench_turn(bench);
}

void bench_term(struct bench *bench, uint64_t from, uint64_t round, uint64_t term)
{
    struct read_message message = {
        .kind = FRAME_READ_TERM, .term = 5, .round = round, .own_term = term};
    bench_frame(bench, from, &message);
}

void bench_index(struct bench *bench, uint64_t from, uint64_t serial,
                 enum read_word word, uint64_t index)
{
    struct read_message message = {.kind = FRAME_READ_INDEX,
                                   .session = SESSION,
                                   .serial = serial,
                                   .word = word,
                                   .index = index};
    bench_frame(bench, from, &message);
}

void bench_want(struct bench *bench, uint64_t from, uint64_t session, uint64_t serial)
{
    struct read_message message = {
        .kind = FRAME_READ_WANT, .session = session, .serial = serial};
    bench_frame(bench, from, &message);
}

size_t bench_sent(const struct bench *bench, enum frame_kind kind, uint64_t to)
{
    size_t count = 0;
    for (size_t i = 0; i < bench->sent_count; i++) {
        count += bench->sent[i].message.kind == kind && bench->sent[i].to == to;
    }
    return count;
}

const struct read_message *bench_last(const struct bench *bench)
{
    assert_true(bench->sent_count > 0);
    return &bench->sent[bench->sent_count - 1].message;
}

void reader_done(struct read_waiter *waiter, const struct err *result)
{
    struct reader *reader = waiter->owner;
    reader->done++;
    reader->code = result->code;
    if (reader->again) {
        reader->again = false;
        assert_int_equal(read_index_ask(&reader->bench->reads, waiter, NULL), 0);
    }
}

void reader_ask(struct reader *reader, struct bench *bench)
{
    *reader = (struct reader){.bench = bench, .again = reader->again};
    reader->waiter = (struct read_waiter){.done = reader_done, .owner = reader};
    assert_int_equal(read_index_ask(&bench->reads, &reader->waiter, NULL), 0);
    assert_int_equal(reader->done, 0);
}

void reader_begin(struct reader *reader, struct bench *bench)
{
    *reader = (struct reader){.done = 0};
    reader_ask(reader, bench);
    bench_turn(bench);
}

void assert_done(const struct reader *reader, enum err_code code)
{
    assert_int_equal(reader->done, 1);
    assert_int_equal(reader->code, code);
}
