/* SPDX-License-Identifier: Apache-2.0 */
/* What peer.c (the link, who dials us) and remote.c (whom we dial) share. */
#ifndef RAFT_PEER_INTERNAL_H
#define RAFT_PEER_INTERNAL_H

#include <uv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "raft/clock.h"
#include "raft/link.h"
#include "raft/peer/connection.h"
#include "raft/peer/refusals.h"

enum remote_phase { REMOTE_IDLE, REMOTE_RESOLVING, REMOTE_DIALLING, REMOTE_UP };

/* An address we want to be connected to. */
struct remote {
    struct peer *peer;
    struct remote *next;
    enum remote_phase phase;
    bool removed; /* not wanted any more: freed when nothing is under way */
    char address[LIMIT_ADDRESS_BYTES];
    uint64_t node_id; /* 0 = never introduced itself */
    uint64_t start_counter;
    uint32_t backoff_ms;
    uint64_t attempt_ms; /* when this attempt began */
    uint64_t up_ms;
    bool again;                    /* dial anew as soon as this attempt has ended */
    unsigned choice;               /* of the addresses a name resolves to */
    struct sockaddr_storage trial; /* where this attempt goes */
    struct sockaddr_storage known; /* where the node was last */
    uint32_t known_tries;          /* attempts left that go there, unasked */
    bool unexplained; /* it was up there, is lost, and nothing refused yet */
    bool dead;        /* its process is, as was told */
    bool flaps;       /* it was up for a moment only: not worth a line each time */
    struct clock_timer timer;
    uv_getaddrinfo_t resolve;
    struct connection *connection;
    char reason[128];
};

struct peer {
    struct link link; /* first */
    uv_loop_t *loop;
    struct clock *clock;
    uv_tcp_t listener;
    bool listener_open;
    char address[LIMIT_ADDRESS_BYTES];
    const struct link_events *events; /* NULL: not started, or stopped */
    void *owner;
    struct bytes *hello; /* our own, encoded; NULL: not introduced yet */
    uint64_t cluster_id;
    uint64_t node_id;
    struct remote *remotes;
    struct connection *inbound; /* the newest first */
    size_t open_count;          /* connections and resolutions under way */
    struct refusals refusals;
    bool stopping;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

/* peer.c */

/* Judge a hello; refuses the connection if it is not acceptable. */
bool peer_accepts(struct peer *peer, struct connection *connection,
                  const struct hello *hello);
/* Say in the log that `place`, an address, was refused; not each time. */
void peer_log_refusal(struct peer *peer, const char *place, const char *reason);
/* When all has ended after a stop, say so; the peer may be gone then. */
void peer_settle(struct peer *peer);

/* remote.c */

/* Dials in the next turn. */
void remote_add(struct peer *peer, const char *address);
/* Close and forget; the memory goes when nothing is under way. */
void remote_remove(struct remote *remote);
/* Dial now, if it is idle. */
void remote_dial(struct remote *remote);
/* A node that may be this one introduced itself on a connection of its own. */
void remote_heard(struct remote *remote, const struct hello *hello);
void remote_status(const struct remote *remote, struct link_status *out);

#endif
