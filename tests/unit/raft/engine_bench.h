/* SPDX-License-Identifier: Apache-2.0 */
/* One engine, node 1, on a simulated disk and clock; its peers are played by hand. */
#ifndef ENGINE_BENCH_H
#define ENGINE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "raft/engine_inside.h"
#include "raft/message.h"

#define ELECTION_MS  1000
#define HEARTBEAT_MS 100
#define FRAMES_MAX   256

struct bench {
    struct sim_time *time;
    struct sim_disk *disk;
    struct clock *clock;
    struct store *store;
    struct engine *engine;
    bool closed;
    struct {
        uint64_t to;
        uint64_t at_ms;
        struct bytes *frame;
    } sent[FRAMES_MAX];
    size_t sent_count;
};

/* A store with entry 1 (the membership), then `count` entries of `term`, and the engine
 * on it. Takes the reference of `first`. */
void bench_open(struct bench *bench, const struct entry *first, uint64_t term,
                uint64_t count);
/* Likewise with these entries, references taken over, as after a restart: the store
 * says that they were committed up to `commit`, and a snapshot of the first `covered`
 * (0: none) was taken while the log still has them. It names entry `membership`. */
struct bench_found {
    struct entry entries[8];
    size_t count;
    uint64_t commit;
    uint64_t covered;
    uint64_t membership;
};
void bench_restart(struct bench *bench, const struct bench_found *log);
void bench_close(struct bench *bench);
void bench_run(struct bench *bench, uint64_t ms);

struct membership members_of(size_t voters, size_t standbys);
struct entry change_entry(uint64_t term, size_t voters, size_t standbys);
struct entry batch_entry(uint64_t term);

/* The last message of a type that was sent, decoded; false: none. */
bool bench_last_sent(struct bench *bench, enum raft_message_type type,
                     struct message *out);
void bench_forget_sent(struct bench *bench);

/* A frame of a peer, as it would come over the wire. */
void bench_receive(struct bench *bench, uint64_t from, const struct raft_message *raft,
                   uint64_t request_term, struct entry_log *log);

/* An append of `leader`; the entries follow prev. Their references are given away. */
void bench_append(struct bench *bench, uint64_t leader, uint64_t term, uint64_t prev,
                  uint64_t prev_term, uint64_t commit, const struct entry *entries,
                  unsigned count);
void bench_append_result(struct bench *bench, uint64_t from, uint64_t term,
                         uint64_t request_term, uint64_t rejected, uint64_t last);
void bench_vote(struct bench *bench, uint64_t from, uint64_t term, uint64_t last,
                uint64_t last_term, bool pre_vote);
void bench_vote_result(struct bench *bench, uint64_t from, uint64_t term, bool granted,
                       bool pre_vote);

/* Make it leader of three by the vote of node 2. */
void bench_lead(struct bench *bench);
/* Node 2 has everything: it is committed. */
void bench_commit_all(struct bench *bench);

#endif
