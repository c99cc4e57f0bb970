/* SPDX-License-Identifier: Apache-2.0 */
/* A remote is an address we want to be connected to; its life:
 *
 *   IDLE ──due──▶ RESOLVING ──▶ DIALLING ──their hello──▶ UP
 *     ▲               └─────────────┴── error, deadline ──┐ │ closed
 *     └────────────── back-off, from 20 to 500 ms ◀───────┴─┘
 *
 * A connection that was up for a while and closes is dialled again at once, where the
 * node was and without asking for its name: a refusal from there then says that the
 * process is dead. One that closes soon after its hello waits: two nodes that disagree
 * about each other must not spin.
 *
 * A node that dials us is dialled back at once. If our attempt is under way without an
 * answer, its packets were lost, and it begins anew; if it fails, the next one does not
 * wait.
 *
 * Failure modes: all are a reason in words and another attempt. */
#include <assert.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/peer/internal.h"

#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 500
#define STEADY_MS      500 /* up for so long: its loss begins the back-off anew */
#define UNANSWERED_MS  200
#define KNOWN_TRIES    3

static void remote_move(struct remote *remote, enum remote_phase to)
{
    static const bool allowed[4][4] = {
        [REMOTE_IDLE] = {[REMOTE_RESOLVING] = true, [REMOTE_DIALLING] = true},
        [REMOTE_RESOLVING] = {[REMOTE_IDLE] = true, [REMOTE_DIALLING] = true},
        [REMOTE_DIALLING] = {[REMOTE_IDLE] = true, [REMOTE_UP] = true},
        [REMOTE_UP] = {[REMOTE_IDLE] = true},
    };
    assert(allowed[remote->phase][to]);
    remote->phase = to;
}

static void remote_free(struct remote *remote)
{
    struct remote **at = &remote->peer->remotes;
    while (*at != remote) {
        at = &(*at)->next;
    }
    *at = remote->next;
    clock_timer_stop(remote->peer->clock, &remote->timer);
    mem_free(remote);
}

/* An attempt has ended: try again, later or at once. The remote may be gone then. */
static void remote_retry(struct remote *remote, const char *reason, bool at_once)
{
    struct peer *peer = remote->peer;
    remote_move(remote, REMOTE_IDLE);
    snprintf(remote->reason, sizeof remote->reason, "%s", reason);
    if (remote->removed || peer->stopping) {
        remote_free(remote);
        peer_settle(peer);
        return;
    }
    if (at_once) {
        remote->backoff_ms = BACKOFF_MIN_MS;
        remote_dial(remote);
        return;
    }
    uint32_t wait = remote->backoff_ms;
    uint64_t jitter = clock_random_below(peer->clock, wait / 4 + 1);
    clock_timer_start(peer->clock, &remote->timer,
                      clock_now_ms(peer->clock) + wait + jitter);
    remote->backoff_ms = wait * 2 < BACKOFF_MAX_MS ? wait * 2 : BACKOFF_MAX_MS;
}

/* --- the connection ----------------------------------------------------------------
 */

static bool remote_same_place(const struct remote *remote)
{
    return memcmp(&remote->trial, &remote->known, sizeof remote->known) == 0;
}

static void outbound_hello(struct connection *connection, const struct hello *hello)
{
    struct remote *remote = connection->owner;
    struct peer *peer = remote->peer;
    if (!peer_accepts(peer, connection, hello)) {
        return;
    }
    if (remote->phase == REMOTE_DIALLING) {
        remote_move(remote, REMOTE_UP);
        remote->up_ms = clock_now_ms(peer->clock);
        remote->again = false;
        remote->known = remote->trial;
        remote->known_tries = KNOWN_TRIES;
        remote->unexplained = false;
        remote->dead = false;
        remote->reason[0] = '\0';
        if (!remote->flaps) {
            log_info("peer %s: connected to %s, node %" PRIu64, remote->address,
                     hello->name, hello->node_id);
        }
    }
    remote->node_id = hello->node_id;
    remote->start_counter = hello->start_counter;
    peer->events->hello(peer->owner, hello);
}

/* Frames come on the connections of who sends them. */
static void outbound_frame(struct connection *connection, const uint8_t *body,
                           size_t len)
{
    (void)body;
    (void)len;
    connection_refuse(connection, "it sent a frame where only its hello belongs");
}

/* What the end of this connection says about the node is told last: the owner may
 * remove the remote from inside. */
static void outbound_closed(struct connection *connection)
{
    struct remote *remote = connection->owner;
    struct peer *peer = remote->peer;
    bool was_up = remote->phase == REMOTE_UP;
    bool died = remote->unexplained && connection->connect_code == UV_ECONNREFUSED &&
                remote_same_place(remote);
    bool steady = was_up && !peer->stopping &&
                  clock_now_ms(peer->clock) - remote->up_ms >= STEADY_MS;
    bool at_once = steady || remote->again;
    bool tell = (was_up || died) && !remote->removed && !peer->stopping;
    uint64_t node_id = remote->node_id;
    remote->connection = NULL;
    remote->again = false;
    peer->open_count--;
    if (died) {
        remote->unexplained = false;
        remote->known_tries = 0;
        remote->dead = true;
    }
    if (connection->refused) {
        peer_log_refusal(peer, remote->address, connection->reason);
    } else if (was_up && tell && (steady || !remote->flaps)) {
        log_info("peer %s: lost: %s", remote->address, connection->reason);
    }
    if (was_up) {
        remote->unexplained = true;
        remote->flaps = !steady;
    }
    remote_retry(remote, connection->reason, at_once);
    if (tell && peer->events != NULL) {
        peer->events->down(peer->owner, node_id, died);
    }
}

static const struct connection_events outbound_events = {
    .hello = outbound_hello,
    .frame = outbound_frame,
    .closed = outbound_closed,
};

static void outbound_connected(uv_connect_t *request, int status)
{
    struct connection *connection = request->data;
    struct remote *remote = connection->owner;
    if (connection->phase == CONNECTION_CLOSING) {
        return;
    }
    if (status != 0) {
        connection->connect_code = status;
        connection_close(connection,
                         status == UV_ECONNREFUSED ? "refused" : uv_strerror(status));
        return;
    }
    connection_begin(connection, remote->peer->hello);
}

/* --- dialling ----------------------------------------------------------------------
 */

static void remote_connect(struct remote *remote)
{
    struct peer *peer = remote->peer;
    struct connection *connection =
        connection_new(peer->loop, peer->clock, &outbound_events, remote);
    snprintf(connection->address, sizeof connection->address, "%s", remote->address);
    remote->connection = connection;
    remote_move(remote, REMOTE_DIALLING);
    peer->open_count++;
    int rv =
        uv_tcp_connect(&connection->connect, &connection->tcp,
                       (const struct sockaddr *)&remote->trial, outbound_connected);
    if (rv != 0) {
        connection->connect_code = rv;
        connection_close(connection, uv_strerror(rv));
    }
}

/* One of what was found, another one with each attempt. */
static void remote_choose(struct remote *remote, const struct addrinfo *found)
{
    unsigned count = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        count++;
    }
    assert(count > 0);
    for (unsigned skip = remote->choice++ % count; skip > 0; skip--) {
        found = found->ai_next;
    }
    memset(&remote->trial, 0, sizeof remote->trial);
    assert(found->ai_addrlen <= sizeof remote->trial);
    memcpy(&remote->trial, found->ai_addr, found->ai_addrlen);
}

static void remote_resolved(uv_getaddrinfo_t *request, int status,
                            struct addrinfo *found)
{
    struct remote *remote = request->data;
    remote->peer->open_count--;
    if (status != 0 || remote->removed || remote->peer->stopping) {
        char reason[sizeof remote->reason];
        snprintf(reason, sizeof reason, "name does not resolve: %s",
                 status != 0 ? uv_strerror(status) : "given up");
        uv_freeaddrinfo(found);
        remote_retry(remote, reason, false);
        return;
    }
    remote_choose(remote, found);
    uv_freeaddrinfo(found);
    remote_connect(remote);
}

/* A name is looked up in the pool; its threads also sync the log, and libuv leaves at
 * most half of them to look-ups. */
static void remote_resolve(struct remote *remote, const char *host, const char *port)
{
    struct peer *peer = remote->peer;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    remote->resolve.data = remote;
    remote_move(remote, REMOTE_RESOLVING);
    peer->open_count++;
    int rv = uv_getaddrinfo(peer->loop, &remote->resolve, remote_resolved, host, port,
                            &hints);
    if (rv != 0) {
        peer->open_count--;
        char reason[sizeof remote->reason];
        snprintf(reason, sizeof reason, "name does not resolve: %s", uv_strerror(rv));
        remote_retry(remote, reason, false);
    }
}

void remote_dial(struct remote *remote)
{
    struct peer *peer = remote->peer;
    if (remote->phase != REMOTE_IDLE || peer->stopping || peer->hello == NULL) {
        return;
    }
    clock_timer_stop(peer->clock, &remote->timer);
    remote->attempt_ms = clock_now_ms(peer->clock);
    if (remote->known_tries > 0) {
        remote->known_tries--;
        remote->trial = remote->known;
        remote_connect(remote);
        return;
    }
    char host[LIMIT_ADDRESS_BYTES];
    const char *port = NULL;
    if (!address_split(remote->address, host, &port)) {
        snprintf(remote->reason, sizeof remote->reason, "is no host:port");
        return; /* nor will it ever be */
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) == 0) {
        remote_choose(remote, found);
        freeaddrinfo(found);
        remote_connect(remote);
        return;
    }
    remote_resolve(remote, host, port);
}

/* --- from outside ------------------------------------------------------------------
 */

static void remote_timer(struct clock_timer *timer)
{
    remote_dial(timer->owner);
}

void remote_add(struct peer *peer, const char *address)
{
    struct remote *remote = mem_zalloc(sizeof *remote);
    remote->peer = peer;
    remote->backoff_ms = BACKOFF_MIN_MS;
    remote->timer = (struct clock_timer){.fire = remote_timer, .owner = remote};
    snprintf(remote->address, sizeof remote->address, "%s", address);
    snprintf(remote->reason, sizeof remote->reason, "not tried yet");
    remote->next = peer->remotes;
    peer->remotes = remote;
    clock_timer_start(peer->clock, &remote->timer, clock_now_ms(peer->clock));
}

void remote_remove(struct remote *remote)
{
    remote->removed = true;
    switch (remote->phase) {
    case REMOTE_IDLE:
        remote_free(remote);
        break;
    case REMOTE_RESOLVING:
        uv_cancel((uv_req_t *)&remote->resolve); /* if it has not begun yet */
        break;
    case REMOTE_DIALLING:
    case REMOTE_UP:
        connection_close(remote->connection, "not a peer any more");
        break;
    }
}

void remote_heard(struct remote *remote, const struct hello *hello)
{
    bool same_node = remote->node_id == hello->node_id;
    if (remote->removed ||
        (!same_node && strcmp(remote->address, hello->peer_address) != 0)) {
        return;
    }
    if (same_node) {
        remote->dead = false;
    }
    struct connection *connection = remote->connection;
    uint64_t age = clock_now_ms(remote->peer->clock) - remote->attempt_ms;
    switch (remote->phase) {
    case REMOTE_IDLE:
        remote_dial(remote);
        break;
    case REMOTE_RESOLVING:
        break;
    case REMOTE_DIALLING:
        remote->again = true; /* should this one fail */
        if (connection->phase == CONNECTION_NEW && age >= UNANSWERED_MS) {
            remote->known_tries = 0; /* it may have moved */
            connection_close(connection, "no answer");
        }
        break;
    case REMOTE_UP:
        if (same_node && hello->start_counter > remote->start_counter) {
            connection_close(connection, "it was started anew");
        }
        break;
    }
}

void remote_status(const struct remote *remote, struct link_status *out)
{
    uint64_t age = clock_now_ms(remote->peer->clock) - remote->attempt_ms;
    out->connected = remote->phase == REMOTE_UP;
    out->node_id = remote->node_id;
    if (out->connected) {
        return;
    }
    if (remote->phase == REMOTE_DIALLING && age >= UNANSWERED_MS) {
        snprintf(out->reason, sizeof out->reason, "no answer for %.1f s",
                 (double)age / 1000.0);
    } else {
        snprintf(out->reason, sizeof out->reason, "%s", remote->reason);
    }
}
