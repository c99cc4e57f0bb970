/* SPDX-License-Identifier: Apache-2.0 */
/* Raft itself: libraft's I/O-free engine, driven. The only file that calls raft_step():
 * an event in, its update carried out in the one right order.
 *
 * Owns the log in memory and the order of what goes to disk and to the peers: nothing
 * is sent before the term and the vote it speaks of are durable. Knows nothing of what
 * the entries say. */
#ifndef RAFT_ENGINE_H
#define RAFT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "raft/clock.h"
#include "raft/entry_log.h"
#include "raft/membership.h"
#include "raft/store/store.h"

struct engine;

enum engine_role { ENGINE_FOLLOWER, ENGINE_CANDIDATE, ENGINE_LEADER };

/* On the loop, from inside an engine call or a timer; they may ask the engine, and
 * submit to it only from a turn of their own. */
struct engine_hooks {
    /* frame is borrowed; false: it was dropped, and more would be now */
    bool (*send)(void *owner, uint64_t to, struct bytes *frame);
    void (*committed)(
        void *owner); /* engine_commit() rose: there is something to apply */
    void (*changed)(void *owner); /* role, term or known leader changed */
    void (*failed)(void *owner, const struct err *err); /* the node cannot go on */
    /* Peer `to` needs entries that are not in the log any more: send it a snapshot.
     * Asked again and again until it answers that it has one. */
    void (*snapshot_wanted)(void *owner, uint64_t to);
};

struct engine_options {
    uint64_t id;
    const char *address; /* peer address; copied */
    struct clock *clock;
    struct store *store; /* open; outlives the engine */
    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    struct engine_hooks hooks;
    void *owner;
};

/* Start from what store_open() found; takes the log and the snapshot's configuration
 * out of `found`. A sole voter first makes a new term durable, so it leads a little
 * later. */
struct engine *engine_new(const struct engine_options *options,
                          struct store_found *found);

/* No hook is called after this. The store may still finish writes of the engine: free
 * it when the store is closed. */
void engine_stop(struct engine *engine);
void engine_free(struct engine *engine);

/* A frame of node `from` whose kind belongs to raft/message.c. ERR_CORRUPT: it was
 * dropped, for the reason given. */
int engine_receive(struct engine *engine, uint64_t from, const uint8_t *data,
                   size_t len, struct err *err);

/* Append one entry as leader; takes a reference of its own to `payload`. The entry is
 * known by (*index, *term). ERR_NOT_LEADER; ERR_CONFLICT: a membership change while
 * another is under way or before engine_settled(). Nothing happened then. */
int engine_submit(struct engine *engine, enum entry_type type, struct bytes *payload,
                  uint64_t *index, uint64_t *term, struct err *err);

/* Start an election now instead of when the timer fires: by pre-vote, so a wrong call
 * is harmless. Ignored by a leader and by who is no voter. */
void engine_elect_now(struct engine *engine);

/* Stand for no election from now on, nor take the lead that is given; or do so again.
 * It goes on to vote and to acknowledge, and to lead if it leads. */
void engine_abstain(struct engine *engine, bool abstains);

/* As leader: tell the others at once how far the log is committed, not with the next
 * beat only. */
void engine_beat(struct engine *engine);

/* As leader: the members from now on, which differ from those of before in one: one
 * more standby, one fewer, or a standby that votes. ERR_NOT_LEADER; ERR_CONFLICT: see
 * engine_changing(). Nothing happened then. */
int engine_change(struct engine *engine, const struct membership *members,
                  struct err *err);
/* Not the time for a change or a transfer: this leader is not settled, or one of either
 * is under way. */
bool engine_changing(const struct engine *engine);

/* As leader: have voter `to` stand for election now, once it has the whole log. While
 * engine_transferring() nothing is taken; it ends with leadership lost, or after an
 * election timeout with nothing changed. ERR_NOT_LEADER, ERR_CONFLICT, ERR_INVALID. */
int engine_transfer(struct engine *engine, uint64_t to, struct err *err);
bool engine_transferring(const struct engine *engine);

/* Tell the engine how far the entries are applied; never goes back. */
void engine_applied(struct engine *engine, uint64_t index);

/* --- snapshots (rule 7) --- */

/* What a snapshot of the state at `applied` has to say beside it. False: not now (it is
 * installing one, `applied` is not durable or not known as committed here, or the last
 * one is as new). On success meta->configuration is a reference for the caller. */
bool engine_snapshot_meta(const struct engine *engine, uint64_t applied,
                          struct snapshot_meta *meta);
/* It is durable: forget the log up to `trailing` entries before it. */
void engine_snapshot_taken(struct engine *engine, const struct snapshot_meta *meta,
                           uint64_t trailing);

/* The whole snapshot of leader `from` is received, sealed and durable under its
 * temporary name, in the leader's `term`. True: it replaces log and state: the caller
 * has the store install it and load it, then calls engine_installed(). Until then the
 * engine takes no entries. False: it is of no use here. */
bool engine_install(struct engine *engine, uint64_t from, uint64_t term,
                    const struct snapshot_meta *meta);
void engine_installed(struct engine *engine);
bool engine_installing(const struct engine *engine);

/* --- questions --- */
enum engine_role engine_role(const struct engine *engine);
/* A candidate beyond the pre-vote: its votes are asked for and not all there. */
bool engine_voting(const struct engine *engine);
uint64_t engine_term(const struct engine *engine);
uint64_t engine_leader(const struct engine *engine); /* 0 = not known */
uint64_t engine_commit(const struct engine *engine);
uint64_t engine_last(const struct engine *engine);
uint64_t engine_snapshot_index(const struct engine *engine); /* 0 = none */
uint64_t engine_applied_index(const struct engine *engine);
const struct entry *engine_entry(const struct engine *engine, uint64_t index);
/* Leader, and an entry of its own term is applied: what it knows is all there is. */
bool engine_settled(const struct engine *engine);
void engine_membership(const struct engine *engine, struct membership *out);
/* Index of the entry that says so, committed or not; 0: none. */
uint64_t engine_configuration_index(const struct engine *engine);
/* Of a member, while leading; 0 if not known. */
uint64_t engine_match(const struct engine *engine, uint64_t id);
/* Likewise: milliseconds since it answered in this term, UINT64_MAX: not yet; and did
 * it say that its disk is full? */
uint64_t engine_heard_age_ms(const struct engine *engine, uint64_t id);
bool engine_peer_full(const struct engine *engine, uint64_t id);
uint64_t engine_leading_ms(const struct engine *engine); /* for how long; 0: not */
/* Milliseconds since the leader last had a majority's word, as far as this node knows;
 * UINT64_MAX: never. */
uint64_t engine_contact_age_ms(const struct engine *engine);
/* Moment a leader was last heard, or this node started; now, on a leader. */
uint64_t engine_leader_heard_ms(const struct engine *engine);
/* The commit index the leader last told of. */
uint64_t engine_leader_commit(const struct engine *engine);

#endif
