/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say to each other: the first byte of every frame. Each range belongs to
 * one file; numbers are forever (raft/README.md). */
#ifndef RAFT_FRAME_H
#define RAFT_FRAME_H

enum frame_kind {
    /* raft/peer/: never seen above the link */
    FRAME_HELLO = 0,
    FRAME_PING = 64,

    /* raft/message.c: what the engine sends */
    FRAME_APPEND = 1,
    FRAME_APPEND_RESULT = 2,
    FRAME_VOTE = 3,
    FRAME_VOTE_RESULT = 4,
    FRAME_TIMEOUT_NOW = 5,

    /* raft/transfer.c: a snapshot for a peer that fell behind the log */
    FRAME_SNAPSHOT = 16,
    FRAME_SNAPSHOT_CHUNK = 17,
    FRAME_SNAPSHOT_ACK = 18,

    /* raft/forming.c */
    FRAME_OFFER = 32,
    FRAME_PLEDGE = 33,
    FRAME_WITHDRAW = 34,
    FRAME_VOW = 35,

    /* raft/keeper.c: members, and who wants to become one */
    FRAME_WELCOME = 48,
    FRAME_WAIT = 49,
    FRAME_REMOVED = 50,
    FRAME_STALE = 51,
    FRAME_ACKED = 52,
    FRAME_OUTDATED = 53,
    FRAME_NO_MEMBER = 54,

    /* raft/read_wire.c: the confirmed read index */
    FRAME_READ_ASK = 80,
    FRAME_READ_TERM = 81,
    FRAME_READ_WANT = 82,
    FRAME_READ_INDEX = 83,
    FRAME_READ_END = 87, /* the last number that is kept for it */

    /* raft/forward.c: a write handed on to the leader (64 is the ping) */
    FRAME_WRITE = 88,
    FRAME_WRITE_OUTCOME = 89,

    /* raft/digest_watch.c: what state a node has at which index */
    FRAME_DIGEST = 96,
    FRAME_DIGEST_END = 99, /* the last number that is kept for it */

    /* raft/lease_wire.c: leases */
    FRAME_LEASE_ASK = 100,
    FRAME_LEASE_GRANT = 101,
    FRAME_LEASE_END = 103, /* the last number that is kept for it */

    /* raft/request_wire.c: small questions */
    FRAME_REQUEST = 104,
    FRAME_ANSWER = 105,
    FRAME_REQUEST_END = 107, /* the last number that is kept for it */
};

#endif
