/* SPDX-License-Identifier: Apache-2.0 */
/* DOOR 2: a node of the cluster: start and stop, who leads, who is a member.
 *
 * The node owns engine, store, fsm and door 1, and stands on a disk, a clock and a link
 * that it is given. It knows no HTTP, no run, no task. */
#ifndef RAFT_NODE_H
#define RAFT_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "raft/clock.h"
#include "raft/disk.h"
#include "raft/fsm.h"
#include "raft/lease.h"
#include "raft/link.h"
#include "raft/propose.h"
#include "raft/read_index.h"

struct node;

struct node_options {
    struct disk *disk;
    struct clock *clock;
    struct link *link;
    const char *name;
    const char *peer_address; /* as others reach it; "" for a cluster of one */
    const char *api_address;  /* as clients reach it; "" if not known */
    const char *version;
    uint32_t expect;          /* members the cluster forms with, 1, 3 or 5 */
    const char *const *peers; /* peer addresses of the others, expect - 1 of them */
    size_t peer_count;
    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    /* A member that is silent for so long is replaced by a new node of its name. */
    uint32_t replace_after_ms;
    /* Tests only: the highest feature level this node claims to know; 0 = what the
     * build knows. */
    uint32_t level;
    /* A write that comes while another node leads is handed on to it, not refused. */
    bool forward_writes;
    /* Tests only: how long a lease is; 0 = as the cluster is set. */
    uint32_t lease_ms;
    /* What those who send requests by health need to notice a change of it. */
    uint64_t notice_ms;
    uint64_t segment_bytes; /* 0 = default */
    /* Nodes compare their states at Raft indexes that are multiples of it; 0 = default.
     */
    uint64_t digest_every;
    /* A snapshot is taken when the log has so many bytes, and so many entries since the
     * last one; so many entries stay before it for peers a little behind.
     * snapshot_bytes 0: defaults for all three. */
    uint64_t snapshot_bytes;
    uint64_t snapshot_entries;
    uint64_t snapshot_trailing;
    void *owner;
    /* The node cannot go on (disk error, damaged entry, removed): end the process. */
    void (*failed)(void *owner, const struct err *err);
};

/* Load what the disk holds and join in. The strings are copied. Errors name the file.
 */
int node_start(struct node **out, const struct node_options *options, struct err *err);

/* Stop for good; `stopped` is called later and the node is gone. Waiting proposals are
 * answered ERR_OUTCOME_UNKNOWN or ERR_NOT_LEADER first. */
void node_stop(struct node *node, void (*stopped)(void *owner), void *owner);

/* This node is about to stop: the lead is given away, also if it comes back. With
 * `wait` the node then goes on serving until balancers have noticed (notice_ms): that
 * it is not ready, and of a leader before that, who leads now. `done` is called once,
 * later; node_retire_now(): soon. A leader that nobody relieves is done likewise, after
 * a while. Nothing is waited for if there are no other members. */
void node_retire(struct node *node, bool wait, void (*done)(void *owner), void *owner);
void node_retire_now(struct node *node);

const struct registry *node_registry(const struct node *node);
struct fsm *node_fsm(struct node *node); /* to subscribe to changes */
struct propose *node_propose(struct node *node);
/* For tests that look inside; NULL while forming. */
const struct engine *node_engine(const struct node *node);

enum node_role {
    NODE_FORMING, /* in no cluster yet */
    NODE_FOLLOWER,
    NODE_CANDIDATE,
    NODE_LEADER,
    NODE_REMOVED, /* from its cluster: it takes no part in anything any more */
};
const char *node_role_name(enum node_role role);

/* Strings are borrowed until the loop turns. */
struct node_status {
    enum node_role role;
    uint64_t id;
    uint64_t cluster_id; /* 0 while forming */
    const char *name;
    uint64_t term;
    uint64_t commit;  /* Raft index */
    uint64_t applied; /* Raft index */
    bool leader_known;
    uint64_t leader_id;
    const char *leader_name;    /* "" if not known */
    const char *leader_address; /* its API; "" if not known */
    /* Since the leader last had a majority's word (DESIGN, spec/muster.md 3);
     * UINT64_MAX: never. */
    uint64_t last_contact_ms;
    /* Entries the leader had committed at last contact that are not applied here;
     * UINT64_MAX: not known (no leader, or a new one before its own first entry). */
    uint64_t lag;
    uint32_t level;    /* feature level of the cluster, as it is applied here */
    bool handing_over; /* leader: it is giving the lead away */
    /* It leads, or has just given the lead away and hands on what comes: writes may be
     * sent here. */
    bool takes_writes;
    bool disk_full;
    /* Leader: fewer than a majority of the voters have room on their disks. */
    bool majority_full;
    const char *trouble; /* why there is no leader or no cluster; "" if all is well */
};
void node_status(struct node *node, struct node_status *out);

/* It leads, and an entry of its own term is applied here: what it knows is all there
 * is. */
bool node_settled(const struct node *node);

/* Why this node serves nothing: its state differs from that of a majority. "": it does
 * serve. Borrowed until the loop turns. */
const char *node_unfit(const struct node *node);
/* For tests: does it know of any two states that differ? */
bool node_sees_difference(const struct node *node);

/* Is there room on the disks for such a command? ERR_FULL: they are those of the leader
 * (this node) or of a majority, and only deletes are taken. */
int node_room(struct node *node, enum command_type type, struct err *err);

struct node_member {
    uint64_t id;
    const char *name;    /* "" if the row is not there yet */
    const char *address; /* API */
    const char *peer_address;
    const char *version; /* "" if not known */
    uint32_t level;      /* highest feature level it knows; 0: not known */
    bool voter;
    bool leader;
    bool self;
    bool reachable;   /* self, or a link to it is up */
    bool answers;     /* leader only: self, or heard within an election timeout: a link
                         to a process that hangs stays up */
    bool draining;    /* it is to lead only if no other can, and gets no new runs */
    uint32_t drivers; /* MEMBER_DRIVER_...: that it carries runs out with; 0 none */
    bool differs;     /* its state is not that of a majority, as far as is known here */
    bool disk_full;   /* leader only: as it said with its last answer; self: now */
    uint64_t match;   /* leader only: highest index known to be durable there */
    char reason[128]; /* why it is not reachable */
};
/* Fills up to `capacity` rows in order of name; returns how many there are. */
size_t node_members(struct node *node, struct node_member *out, size_t capacity);

/* The state as it is applied here now, in the bytes of raft/README.md ("A snapshot"), a
 * record at a time. It holds a frozen view: what is applied later is not in it.
 * node_snapshot_next() appends a record, of 4 MiB at most; false: that was all. Close
 * it on the loop. */
struct node_snapshot;
struct node_snapshot *node_snapshot_open(const struct node *node);
uint64_t node_snapshot_sequence(const struct node_snapshot *snapshot);
bool node_snapshot_next(struct node_snapshot *snapshot, struct buf *out);
void node_snapshot_close(struct node_snapshot *snapshot);
/* --- changes of the cluster: asked of its leader, one at a time
 * -----------------------
 *
 * `done` is called once, later, on the loop, with code 0 or the reason. Each returns 0,
 * or an error and `done` is not called: ERR_NOT_LEADER, ERR_CONFLICT (another change is
 * under way), ERR_NOT_FOUND. */
typedef void (*node_change_cb)(void *owner, const struct err *result);

/* Give the lead to voter `to`; "" = whoever is best suited. Writes that come meanwhile
 * are held, not refused. ERR_CONFLICT as well if `to` leads already or
 * cannot lead. */
int node_transfer(struct node *node, const char *to, node_change_cb done, void *owner,
                  struct err *err);
/* Make the standby `name` a voter, and the cluster so much larger. */
int node_add_member(struct node *node, const char *name, node_change_cb done,
                    void *owner, struct err *err);
/* Remove member `name` (or the one with that id), and make the cluster so much smaller
 * if it was a voter. The leader itself gives the lead away first: ERR_NOT_LEADER then,
 * and the new leader is to be asked. */
int node_remove_member(struct node *node, const char *name, node_change_cb done,
                       void *owner, struct err *err);

/* Call `read->done` once this node may answer a linearizable read from its registry:
 * what is applied then holds all that was acknowledged before this call
 * (raft/read_index.h says how it ends otherwise). On any node. ERR_UNAVAILABLE: it is
 * in no cluster; ERR_BUSY: too many wait. `done` is not called then. */
int node_read_index(struct node *node, struct read_waiter *read, struct err *err);

/* --- leases (raft/lease.h)
 * ------------------------------------------------------------
 *
 * The lease this node has. None while it is in no cluster, was removed, or its state
 * differs from that of a majority. */
void node_lease(const struct node *node, struct lease_view *out);
/* It is asked for, and renewed each third of its length, while somebody wants it. */
void node_lease_want(struct node *node, bool want);
/* ... for no longer than this, and renewed by it; 0: as the cluster is set. What was
 * placed with a shorter lease than is set now would not outlive a third of that. */
void node_lease_shorten(struct node *node, uint32_t most_ms);
/* News of each renewal. */
void node_on_lease(struct node *node, struct lease_watch *watch);
void node_off_lease(struct node *node, struct lease_watch *watch);

/* As a leader. For how long has node `id`, a member or not, had no grant of this
 * leader's, counted from its election at the earliest? 0: it does not lead. Once that
 * is lease_over_ms() no run of it is alive, as long as it is held. */
uint64_t node_silence_ms(struct node *node, uint64_t id);
/* That a run of it is lost is proposed: no grants to it until that is decided, and it
 * is released as often as it was held. Settled only; ask for the silence and hold it in
 * the same turn. Another leadership begins without holds. */
void node_lease_hold(struct node *node, uint64_t id);
void node_lease_release(struct node *node, uint64_t id);

/* Propose a command wherever this node is: here if it leads, else handed on to the
 * leader, whether or not it hands on what clients ask (forward_writes). Returns and
 * ends as propose_submit() does; ERR_NOT_LEADER: nobody is known to lead, ask again
 * later. */
int node_report(struct node *node, const struct command *command, propose_cb done,
                void *owner, struct err *err);

/* Have member `name` drain, or no longer: a draining leader gives the lead away, and a
 * draining member is given it only if no other can lead. ERR_LEVEL as well. */
int node_drain_member(struct node *node, const char *name, node_change_cb done,
                      void *owner, struct err *err);
int node_undrain_member(struct node *node, const char *name, node_change_cb done,
                        void *owner, struct err *err);

/* Why a command of feature level `needed` is not taken yet, naming the member that
 * holds the cluster back: ERR_LEVEL. */
void node_explain_level(struct node *node, uint32_t needed, struct err *out);

/* Leadership news; called on the loop when role, term or leader changed. */
struct node_watch {
    void (*changed)(struct node_watch *watch, const struct node_status *status);
    void *owner;
    struct node_watch *next;
};
void node_on_leadership(struct node *node, struct node_watch *watch);
void node_off_leadership(struct node *node, struct node_watch *watch);

#endif
