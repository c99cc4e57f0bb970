/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: for how long this node may believe that no leader calls its runs lost; and as
 * a leader, to whom it has given one (DESIGN 8 and 9, tests/model/fence.pml).
 *
 * One invariant: a leader that has answered nobody's question for a time t (counted
 * from its election at the earliest) knows that every lease of that node, by whomever
 * granted, has run out if t is longer than the lease by what clocks may drift.
 *
 * Knows no engine: what it must know of this node is shown to it, so that it can be
 * tested one step at a time. */
#ifndef RAFT_LEASE_H
#define RAFT_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "raft/clock.h"
#include "raft/lease_wire.h"
#include "raft/read_index.h"

/* The lease this node has, all zero if none. It was asked for at until_ms - lease_ms;
 * who uses a shorter one counts from there. It may be over: compare with
 * clock_boot_ms(). */
struct lease_view {
    uint64_t until_ms; /* boot time: good before it */
    uint64_t index;    /* Raft: nothing may be begun under it before this is applied */
    uint32_t lease_ms;
};

/* Who wants to know of each renewal; embedded in its owner, who sets the first two. */
struct lease_watch {
    /* On the loop, in a turn of the node's. */
    void (*renewed)(struct lease_watch *watch, const struct lease_view *lease);
    void *owner;
    struct lease_watch *next;
};

/* This node, as it is now. */
struct lease_sight {
    bool leads;
    bool settled; /* leads, and an entry of its own term is applied */
    bool fit;     /* its state is not known to be wrong */
    uint64_t term;
    uint64_t leader; /* 0: not known */
    uint64_t commit;
    uint32_t lease_ms; /* how long the next one is to be; not 0 */
};

struct lease_hooks {
    void (*sight)(void *owner, struct lease_sight *sight);
    /* May this node have one? GRANTED, or why not. */
    enum lease_word (*judge)(void *owner, uint64_t id);
    /* As read_index_ask() does: 0, or why it cannot be asked now. */
    int (*confirm)(void *owner, struct read_waiter *waiter);
    void (*send)(void *owner, uint64_t to, struct bytes *frame); /* borrowed */
    void (*wake)(void *owner); /* lease_look() is to be called in this turn */
    void (*renewed)(void *owner, const struct lease_view *lease);
};

struct lease_options {
    struct clock *clock;
    uint64_t id;
    uint64_t session; /* random, of this start */
    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    const struct lease_hooks *hooks;
    void *owner;
};

enum lease_phase { LEASE_IDLE, LEASE_ASKING, LEASE_RESTING };

struct lease;

/* Leader: a node whose question waits for a majority's word; at most one each. */
struct lease_asker {
    struct lease *lease;
    struct read_waiter waiter;
    bool waiting;
    uint64_t from;
    uint64_t session;
    uint64_t serial;
    uint64_t term; /* this node led in it when the majority was asked */
    bool newer;    /* a later question came meanwhile: */
    uint64_t newer_session;
    uint64_t newer_serial;
};

/* Leader: what it did for a node in this leadership. */
struct lease_place {
    uint64_t id;
    uint64_t answered_ms; /* the last grant went out; monotonic, 0: none */
    uint32_t holds;
};

struct lease {
    struct lease_options options;
    bool wanted;
    bool stopped;
    /* what this node asks */
    enum lease_phase phase;
    uint64_t serial;     /* of the newest question */
    uint64_t asked_of;   /* whom; 0: nobody yet */
    uint64_t asked_ms;   /* when, monotonic */
    uint64_t sent_ms;    /* likewise, boot time: the lease counts from here */
    uint32_t asked_for;  /* its length */
    bool refused;        /* RESTING: the last question came to nothing */
    uint64_t refused_ms; /* monotonic */
    bool news;           /* `view` is new and nobody was told yet */
    struct lease_view view;
    struct clock_timer tick;
    /* what it answers */
    uint64_t term;     /* of the leadership that the rest belongs to; 0: none yet */
    uint64_t since_ms; /* it noticed that it leads; monotonic */
    struct lease_place *places;
    size_t place_count;
    size_t place_capacity;
    struct lease_asker askers[LIMIT_MEMBERS];
};

void lease_init(struct lease *lease, const struct lease_options *options);
/* It has none and gives none from now on. */
void lease_stop(struct lease *lease);
/* It is stopped, and nothing waits in the read index any more. */
void lease_close(struct lease *lease);

/* Ask for one, again and again, or no longer; what there is then runs out. */
void lease_want(struct lease *lease, bool wanted);

/* A frame of node `from`, of the kinds FRAME_LEASE_ASK…; ERR_CORRUPT: dropped. */
int lease_frame(struct lease *lease, uint64_t from, const uint8_t *data, size_t len,
                struct err *err);

/* Something may have changed: role, term, leader, fitness, the length of a lease, an
 * answer. To be called in a turn of the node's own: it calls `renewed`. */
void lease_look(struct lease *lease);

/* A node that has been silent for so long has no lease of this length, and what it had
 * so long to end after that is over; a margin of a second included for who has to see
 * to it. Clocks may differ by a hundredth. */
uint64_t lease_over_ms(uint32_t lease_ms, uint32_t grace_ms);

/* --- as a leader */
/* Since it last granted that node one, or since it leads if that is later; 0: it does
 * not lead. Monotonic. */
uint64_t lease_silence_ms(struct lease *lease, uint64_t id);
/* No grant to this node until it is released as often as it was held, or until another
 * leadership begins. Settled only: what an earlier leadership held for is decided then.
 */
void lease_hold(struct lease *lease, uint64_t id);
void lease_release(struct lease *lease, uint64_t id);

#endif
