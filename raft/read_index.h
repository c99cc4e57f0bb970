/* SPDX-License-Identifier: Apache-2.0 */
/* The confirmed read index: how any node learns "everything acknowledged until now is
 * at or below index i", and when it has applied that. No disk, one small frame each
 * way.
 *
 * Knows no engine: what it must know of this node is shown to it, so that it can be
 * tested one step at a time. */
#ifndef RAFT_READ_INDEX_H
#define RAFT_READ_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "raft/clock.h"
#include "raft/membership.h"
#include "raft/read_round.h"
#include "raft/read_wire.h"

/* Who waits; embedded in its owner, who sets the first two. */
struct read_waiter {
    /* Once, later, from a turn of the node's. Code 0: what is applied here now holds
     * everything that was acknowledged, and everything that a confirmed read has shown,
     * before this was asked. ERR_NOT_LEADER: the leader that was asked is none any
     * more, ask again; ERR_UNAVAILABLE: no majority, no leader or not caught up in
     * time. */
    void (*done)(struct read_waiter *waiter, const struct err *result);
    void *owner;
    /* read_index.c's: */
    struct read_waiter *next;
    uint64_t index;    /* CONFIRMED: to be applied first */
    uint64_t limit_ms; /* waits so long for a leader to ask, or to be caught up */
    bool remote;       /* another node waits: it is told the index as such */
    bool counted;      /* among the LIMIT_READS */
};

struct read_queue {
    struct read_waiter *first;
    struct read_waiter **last;
};

/* Another node that waits for this leader's word: at most one question each. */
struct read_remote {
    struct read_waiter waiter;
    bool waiting;
    uint64_t from;
    uint64_t session;
    uint64_t serial;
};

/* This node, as it is now. */
struct read_view {
    bool leads;
    bool settled;    /* leads, and an entry of its own term is applied */
    uint64_t term;   /* never below one in which this node has voted */
    uint64_t leader; /* 0: not known */
    uint64_t commit; /* all that a settled leader, or one before it, committed */
    uint64_t applied;
    uint64_t configuration; /* index of the newest membership in the log */
};

struct read_hooks {
    void (*view)(void *owner, struct read_view *view);
    void (*members)(void *owner, struct membership *members);
    void (*send)(void *owner, uint64_t to, struct bytes *frame); /* borrowed */
    void (*wake)(void *owner); /* read_index_look() is to be called in this turn */
};

struct read_options {
    struct clock *clock;
    uint64_t id;
    uint64_t session; /* random, of this start */
    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    const struct read_hooks *hooks;
    void *owner;
};

enum read_phase { READ_IDLE, READ_ASKING, READ_WANTING };

struct read_index {
    struct read_options options;
    enum read_phase phase;
    uint64_t limit_ms;       /* of the question that is out */
    struct read_round round; /* ASKING */
    uint64_t rounds;
    uint64_t wanted_of; /* WANTING: the leader that was asked, 0: none yet */
    uint64_t serial;
    bool answered;
    enum read_word answer;
    uint64_t answer_index;
    struct read_queue asked;     /* the question that is out is for them */
    struct read_queue next;      /* came after it was asked, or nobody can be asked */
    struct read_queue confirmed; /* until their index is applied */
    size_t count;                /* that are counted, in all three */
    bool stopped;
    struct read_remote remotes[LIMIT_MEMBERS];
    struct clock_timer tick;
};

void read_index_init(struct read_index *reads, const struct read_options *options);
/* Who waits is answered ERR_UNAVAILABLE, here. */
void read_index_stop(struct read_index *reads);

/* `waiter` is the owner's again when its `done` is called. ERR_BUSY: LIMIT_READS wait;
 * ERR_UNAVAILABLE: stopped; `done` is not called then. */
int read_index_ask(struct read_index *reads, struct read_waiter *waiter,
                   struct err *err);

/* Likewise, never ERR_BUSY: for those who are few. */
int read_index_ask_always(struct read_index *reads, struct read_waiter *waiter,
                          struct err *err);

/* A frame of node `from`, of the kinds FRAME_READ_ASK…; ERR_CORRUPT: dropped. */
int read_index_frame(struct read_index *reads, uint64_t from, const uint8_t *data,
                     size_t len, struct err *err);

/* Something may have changed: role, term, membership, what is applied, an answer. To be
 * called in a turn of the node's own: it calls `done`. */
void read_index_look(struct read_index *reads);

#endif
