/* SPDX-License-Identifier: Apache-2.0 */
/* One read index whose node has the role, term, commit index and members that the test
 * says. The other nodes are what it sends and is told. */
#ifndef TEST_READ_BENCH_H
#define TEST_READ_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "raft/read_index.h"

#define SELF      1
#define SESSION   900
#define ELECTION  1000
#define HEARTBEAT 100
#define SENT_MAX  64

struct sent {
    uint64_t to;
    struct read_message message;
};

struct bench {
    struct sim_time *time;
    struct clock *clock;
    struct read_index reads;
    struct read_view view;
    struct membership members;
    struct sent sent[SENT_MAX];
    size_t sent_count;
    bool woken;
};

struct reader {
    struct read_waiter waiter;
    struct bench *bench;
    size_t done;
    enum err_code code;
    bool again; /* ask again from inside `done`, once */
};

void bench_member(struct bench *bench, uint64_t id, bool voter);
/* The settled leader of three, in term 5: commit index 40, applied up to there. */
void bench_open(struct bench *bench);
/* It follows node 2. */
void bench_follow(struct bench *bench);
void bench_close(struct bench *bench);
/* The node's turn, if it was asked for one. */
void bench_turn(struct bench *bench);
/* One more that it was not asked for. */
void bench_look(struct bench *bench);
/* So much time passes. */
void bench_run(struct bench *bench, uint64_t ms);
/* Another node's frame arrives. */
void bench_frame(struct bench *bench, uint64_t from,
                 const struct read_message *message);
/* A voter says its term; the leader says a word; another node asks for an index. */
void bench_term(struct bench *bench, uint64_t from, uint64_t round, uint64_t term);
void bench_index(struct bench *bench, uint64_t from, uint64_t serial,
                 enum read_word word, uint64_t index);
void bench_want(struct bench *bench, uint64_t from, uint64_t session, uint64_t serial);
/* How many such frames went to that node; the last of all. */
size_t bench_sent(const struct bench *bench, enum frame_kind kind, uint64_t to);
const struct read_message *bench_last(const struct bench *bench);
void reader_done(struct read_waiter *waiter, const struct err *result);
/* A read that begins; the second one takes the turn as well. */
void reader_ask(struct reader *reader, struct bench *bench);
void reader_begin(struct reader *reader, struct bench *bench);
/* It was answered once, so. */
void assert_done(const struct reader *reader, enum err_code code);

#endif
