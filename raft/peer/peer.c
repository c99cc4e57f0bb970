/* SPDX-License-Identifier: Apache-2.0 */
/* A remote is an address we want to be connected to; its life:
 *
 *   IDLE ──due──▶ RESOLVING ──▶ DIALLING ──their hello──▶ UP
 *     ▲               └─────────────┴── error, deadline ──┐ │ closed
 *     └─────────────── back-off, from 20 to 500 ms ◀──────┴─┘
 *
 * A connection that was up and closes is dialled again at once: a refusal then says
 * that the process is dead. A node that dials us is dialled back at once too.
 *
 * Failure modes: all are a reason in words and another attempt. */
#include "raft/peer.h"

#include <assert.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/peer/connection.h"
#include "raft/peer/wire.h"

#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 500
#define REFUSAL_LOG_MS 5000
#define LISTEN_BACKLOG 64
#define INBOUND_MAX    (4 * LIMIT_MEMBERS + LIMIT_HANDSHAKES)

enum remote_phase { REMOTE_IDLE, REMOTE_RESOLVING, REMOTE_DIALLING, REMOTE_UP };

struct remote {
    struct peer *peer;
    struct remote *next;
    enum remote_phase phase;
    bool removed; /* not wanted any more: freed when nothing is under way */
    char address[LIMIT_ADDRESS_BYTES];
    uint64_t node_id; /* 0 = never introduced itself */
    bool was_up;      /* and its loss has not been explained yet */
    uint32_t backoff_ms;
    unsigned choice;     /* of the addresses a name resolves to */
    uint64_t attempt_ms; /* when this attempt began */
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
    struct bytes *hello; /* our own, encoded */
    uint64_t cluster_id;
    uint64_t node_id;
    struct remote *remotes;
    struct connection *inbound;
    size_t inbound_count;
    size_t open_count; /* connections and resolutions under way */
    uint64_t refusal_logged_ms;
    bool stopping;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

static void remote_dial(struct remote *remote);
static void peer_settle(struct peer *peer);

/* --- remotes
 * --------------------------------------------------------------------------------- */

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

static void remote_wait(struct remote *remote, const char *reason)
{
    struct peer *peer = remote->peer;
    remote->phase = REMOTE_IDLE;
    snprintf(remote->reason, sizeof remote->reason, "%s", reason);
    if (remote->removed || peer->stopping) {
        remote_free(remote);
        peer_settle(peer);
        return;
    }
    uint32_t wait = remote->backoff_ms;
    uint64_t jitter = clock_random_below(peer->clock, wait / 4 + 1);
    clock_timer_start(peer->clock, &remote->timer,
                      clock_now_ms(peer->clock) + wait + jitter);
    remote->backoff_ms = wait * 2 < BACKOFF_MAX_MS ? wait * 2 : BACKOFF_MAX_MS;
}

static void remote_lost(struct remote *remote, bool refused)
{
    const struct peer *peer = remote->peer;
    if (remote->node_id != 0 && peer->events != NULL && !remote->removed) {
        peer->events->down(peer->owner, remote->node_id, refused);
    }
}

static void remote_timer(struct clock_timer *timer)
{
    remote_dial(timer->owner);
}

/* --- connections of ours
 * -------------------------------------------------------------------------- */

static bool peer_accepts(struct peer *peer, struct connection *connection,
                         const struct hello *hello);

static bool outbound_hello(struct connection *connection, const struct hello *hello)
{
    struct remote *remote = connection->owner;
    struct peer *peer = remote->peer;
    if (!peer_accepts(peer, connection, hello)) {
        return false;
    }
    remote->phase = REMOTE_UP;
    remote->node_id = hello->node_id;
    remote->was_up = true;
    remote->backoff_ms = BACKOFF_MIN_MS;
    remote->reason[0] = '\0';
    peer->events->hello(peer->owner, hello);
    return true;
}

/* Frames come on the connections of who sends them. */
static void outbound_frame(struct connection *connection, const uint8_t *body,
                           size_t len)
{
    (void)body;
    (void)len;
    connection_close(connection, "it sent a frame where only its hello belongs");
}

static void outbound_closed(struct connection *connection)
{
    struct remote *remote = connection->owner;
    struct peer *peer = remote->peer;
    bool was_open = remote->phase == REMOTE_UP;
    bool refused = strcmp(connection->reason, "refused") == 0;
    bool told = remote->was_up && refused;
    remote->connection = NULL;
    peer->open_count--;
    if (was_open && !remote->removed && !peer->stopping) {
        remote->phase = REMOTE_IDLE;
        remote_dial(remote); /* at once: refused now means dead */
        remote_lost(remote, false);
        return;
    }
    if (told) {
        remote->was_up = false;
    }
    char reason[sizeof connection->reason];
    memcpy(reason, connection->reason, sizeof reason);
    if (told && !peer->stopping) {
        remote_lost(remote, true);
    }
    remote_wait(remote, reason);
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
        connection_close(connection,
                         status == UV_ECONNREFUSED ? "refused" : uv_strerror(status));
        return;
    }
    connection_begin(connection, remote->peer->hello);
}

/* --- dialling
 * ---------------------------------------------------------------------------------------
 */

static void remote_connect(struct remote *remote, const struct addrinfo *found)
{
    struct peer *peer = remote->peer;
    unsigned count = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        count++;
    }
    assert(count > 0);
    const struct addrinfo *chosen = found;
    for (unsigned skip = remote->choice++ % count; skip > 0; skip--) {
        chosen = chosen->ai_next;
    }
    struct connection *connection =
        connection_new(peer->loop, peer->clock, &outbound_events, remote, true);
    snprintf(connection->address, sizeof connection->address, "%s", remote->address);
    remote->connection = connection;
    remote->phase = REMOTE_DIALLING;
    peer->open_count++;
    int rv = uv_tcp_connect(&connection->connect, &connection->tcp, chosen->ai_addr,
                            outbound_connected);
    if (rv != 0) {
        connection_close(connection, uv_strerror(rv));
    }
}

static void remote_resolved(uv_getaddrinfo_t *request, int status,
                            struct addrinfo *found)
{
    struct remote *remote = request->data;
    remote->peer->open_count--;
    if (status != 0 || remote->removed || remote->peer->stopping) {
        char reason[96];
        snprintf(reason, sizeof reason, "name does not resolve: %s",
                 status != 0 ? uv_strerror(status) : "given up");
        uv_freeaddrinfo(found);
        remote_wait(remote, reason);
        return;
    }
    remote_connect(remote, found);
    uv_freeaddrinfo(found);
}

/* "host:port" or "[v6]:port" apart; false if it is neither. */
static bool address_split(const char *address, char host[LIMIT_ADDRESS_BYTES],
                          const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    if (len == 0 || len >= LIMIT_ADDRESS_BYTES) {
        return false;
    }
    bool bracketed = address[0] == '[' && address[len - 1] == ']';
    memcpy(host, address + bracketed, len - 2 * bracketed);
    host[len - 2 * bracketed] = '\0';
    *port = colon + 1;
    return true;
}

static void remote_dial(struct remote *remote)
{
    struct peer *peer = remote->peer;
    if (remote->phase != REMOTE_IDLE || peer->stopping || peer->hello == NULL) {
        return;
    }
    clock_timer_stop(peer->clock, &remote->timer);
    char host[LIMIT_ADDRESS_BYTES];
    const char *port = NULL;
    remote->attempt_ms = clock_now_ms(peer->clock);
    if (!address_split(remote->address, host, &port)) {
        remote_wait(remote, "is no host:port");
        return;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    remote->resolve.data = remote;
    remote->phase = REMOTE_RESOLVING;
    /* a literal address needs no thread of the pool, which may be busy syncing */
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) == 0) {
        remote_connect(remote, found);
        freeaddrinfo(found);
        return;
    }
    hints.ai_flags = 0;
    peer->open_count++;
    int rv = uv_getaddrinfo(peer->loop, &remote->resolve, remote_resolved, host, port,
                            &hints);
    if (rv != 0) {
        peer->open_count--;
        remote_wait(remote, uv_strerror(rv));
    }
}

/* --- connections of theirs
 * ----------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void peer_log_refusal(
    struct peer *peer, const struct connection *connection, const char *format, ...)
{
    uint64_t now = clock_now_ms(peer->clock);
    if (peer->refusal_logged_ms != 0 &&
        now - peer->refusal_logged_ms < REFUSAL_LOG_MS) {
        return;
    }
    peer->refusal_logged_ms = now;
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_warn("peer %s: refused: %s", connection->address, text);
}

static bool peer_accepts(struct peer *peer, struct connection *connection,
                         const struct hello *hello)
{
    if (peer->events == NULL) {
        return false;
    }
    if (hello->cluster_id != 0 && peer->cluster_id != 0 &&
        hello->cluster_id != peer->cluster_id) {
        peer_log_refusal(peer, connection,
                         "it belongs to cluster %" PRIu64 ", this node to %" PRIu64,
                         hello->cluster_id, peer->cluster_id);
        connection_close(connection, "belongs to another cluster");
        return false;
    }
    if (hello->node_id == peer->node_id) {
        peer_log_refusal(
            peer, connection,
            "it has this node's own id: its folder is a copy, or the address "
            "is this node's own");
        connection_close(connection, "has this node's own id");
        return false;
    }
    return true;
}

static bool inbound_hello(struct connection *connection, const struct hello *hello)
{
    struct peer *peer = connection->owner;
    if (!peer_accepts(peer, connection, hello)) {
        return false;
    }
    for (struct remote *at = peer->remotes; at != NULL; at = at->next) {
        if (strcmp(at->address, hello->peer_address) == 0 && at->phase == REMOTE_IDLE) {
            remote_dial(at);
        }
    }
    peer->events->hello(peer->owner, hello);
    return true;
}

static void inbound_frame(struct connection *connection, const uint8_t *body,
                          size_t len)
{
    struct peer *peer = connection->owner;
    if (peer->events != NULL) {
        peer->events->frame(peer->owner, connection->node_id, body, len);
    }
}

static bool peer_connected_to(const struct peer *peer, uint64_t node_id)
{
    for (const struct remote *at = peer->remotes; at != NULL; at = at->next) {
        if (at->phase == REMOTE_UP && at->node_id == node_id) {
            return true;
        }
    }
    return false;
}

static void inbound_closed(struct connection *connection)
{
    struct peer *peer = connection->owner;
    struct connection **at = &peer->inbound;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    peer->inbound_count--;
    peer->open_count--;
    if (connection->node_id != 0 && peer->events != NULL &&
        !peer_connected_to(peer, connection->node_id)) {
        peer->events->down(peer->owner, connection->node_id, false);
    }
    peer_settle(peer);
}

static const struct connection_events inbound_events = {
    .hello = inbound_hello,
    .frame = inbound_frame,
    .closed = inbound_closed,
};

static void inbound_name(struct connection *connection)
{
    struct sockaddr_storage from;
    int len = sizeof from;
    char host[64] = "?";
    char port[8] = "?";
    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&from, &len) == 0) {
        getnameinfo((struct sockaddr *)&from, (socklen_t)len, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    }
    snprintf(connection->address, sizeof connection->address, "%s:%s", host, port);
}

static size_t peer_handshakes(const struct peer *peer)
{
    size_t count = 0;
    for (const struct connection *at = peer->inbound; at != NULL; at = at->next) {
        count += at->phase == CONNECTION_NEW || at->phase == CONNECTION_GREETED;
    }
    return count;
}

static void peer_on_connection(uv_stream_t *listener, int status)
{
    struct peer *peer = listener->data;
    if (status != 0) {
        log_warn("peer: cannot accept a connection: %s", uv_strerror(status));
        return;
    }
    struct connection *connection =
        connection_new(peer->loop, peer->clock, &inbound_events, peer, false);
    connection->next = peer->inbound;
    peer->inbound = connection;
    peer->inbound_count++;
    peer->open_count++;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0) {
        connection_close(connection, "cannot be accepted");
        return;
    }
    inbound_name(connection);
    if (peer->hello == NULL || peer->inbound_count > INBOUND_MAX ||
        peer_handshakes(peer) > LIMIT_HANDSHAKES) {
        connection_close(connection, "too many handshakes at once");
        return;
    }
    connection_begin(connection, peer->hello);
}

/* --- the link
 * ----------------------------------------------------------------------------------------------
 */

static struct peer *peer_of(struct link *link)
{
    return (struct peer *)(void *)link;
}

/* It listens already: who connects before there is a hello of ours is closed, and dials
 * again. */
static void peer_start(struct link *link, const struct link_events *events, void *owner)
{
    struct peer *peer = peer_of(link);
    peer->events = events;
    peer->owner = owner;
}

static void peer_set_self(struct link *link, const struct hello *self)
{
    struct peer *peer = peer_of(link);
    bytes_unref(peer->hello);
    peer->hello = wire_hello_encode(self);
    peer->cluster_id = self->cluster_id;
    peer->node_id = self->node_id;
    for (struct connection *at = peer->inbound; at != NULL; at = at->next) {
        connection_send(at, peer->hello);
    }
    for (struct remote *at = peer->remotes; at != NULL; at = at->next) {
        if (at->connection != NULL) {
            connection_send(at->connection, peer->hello);
        } else {
            remote_dial(at);
        }
    }
}

static struct remote *peer_find(const struct peer *peer, const char *address)
{
    struct remote *at = peer->remotes;
    while (at != NULL && (at->removed || strcmp(at->address, address) != 0)) {
        at = at->next;
    }
    return at;
}

static void peer_add(struct peer *peer, const char *address)
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

static void peer_remove(struct remote *remote)
{
    remote->removed = true;
    if (remote->connection != NULL) {
        connection_close(remote->connection, "not a peer any more");
    } else if (remote->phase == REMOTE_IDLE) {
        remote_free(remote);
    }
}

static void peer_set_peers(struct link *link, const char *const *addresses,
                           size_t count)
{
    struct peer *peer = peer_of(link);
    struct remote *next = NULL;
    for (struct remote *at = peer->remotes; at != NULL; at = next) {
        next = at->next;
        bool wanted = false;
        for (size_t i = 0; i < count; i++) {
            wanted = wanted || strcmp(addresses[i], at->address) == 0;
        }
        if (!wanted && !at->removed) {
            peer_remove(at);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (peer_find(peer, addresses[i]) == NULL) {
            peer_add(peer, addresses[i]);
        }
    }
}

static struct connection *peer_connection(const struct peer *peer, uint64_t to)
{
    for (const struct remote *at = peer->remotes; at != NULL; at = at->next) {
        if (at->phase == REMOTE_UP && at->node_id == to) {
            return at->connection;
        }
    }
    return NULL;
}

static bool peer_send(struct link *link, uint64_t to, struct bytes *frame)
{
    struct connection *connection = peer_connection(peer_of(link), to);
    return connection != NULL && connection_send(connection, frame);
}

static size_t peer_queued_bytes(struct link *link, uint64_t to)
{
    const struct connection *connection = peer_connection(peer_of(link), to);
    return connection != NULL ? connection->queued_bytes : 0;
}

static void peer_status(struct link *link, const char *address, struct link_status *out)
{
    const struct peer *peer = peer_of(link);
    const struct remote *remote = peer_find(peer, address);
    *out = (struct link_status){0};
    if (remote == NULL) {
        snprintf(out->reason, sizeof out->reason, "is not a peer of this node");
        return;
    }
    out->connected = remote->phase == REMOTE_UP;
    out->node_id = remote->node_id;
    if (!out->connected && remote->phase == REMOTE_DIALLING &&
        clock_now_ms(peer->clock) - remote->attempt_ms >= 100) {
        snprintf(out->reason, sizeof out->reason, "no answer for %.1f s",
                 (double)(clock_now_ms(peer->clock) - remote->attempt_ms) / 1000.0);
    } else if (!out->connected) {
        snprintf(out->reason, sizeof out->reason, "%s", remote->reason);
    }
}

static void peer_settle(struct peer *peer)
{
    if (!peer->stopping || peer->listener_open || peer->open_count > 0 ||
        peer->stopped == NULL) {
        return;
    }
    void (*stopped)(void *owner) = peer->stopped;
    peer->stopped = NULL;
    stopped(peer->stopped_owner);
}

static void peer_listener_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    peer->listener_open = false;
    peer_settle(peer);
}

static void peer_stop(struct link *link, void (*stopped)(void *owner), void *owner)
{
    struct peer *peer = peer_of(link);
    assert(!peer->stopping);
    peer->stopping = true;
    peer->events = NULL;
    peer->stopped = stopped;
    peer->stopped_owner = owner;
    uv_close((uv_handle_t *)&peer->listener, peer_listener_closed);
    for (struct connection *at = peer->inbound; at != NULL; at = at->next) {
        connection_close(at, "this node stops");
    }
    struct remote *next = NULL;
    for (struct remote *at = peer->remotes; at != NULL; at = next) {
        next = at->next;
        peer_remove(at);
    }
}

static const struct link_ops peer_ops = {
    .start = peer_start,
    .set_self = peer_set_self,
    .set_peers = peer_set_peers,
    .send = peer_send,
    .queued_bytes = peer_queued_bytes,
    .status = peer_status,
    .stop = peer_stop,
};

/* --- making one
 * ----------------------------------------------------------------------------------------------
 */

static void peer_note_address(struct peer *peer)
{
    struct sockaddr_storage bound;
    int len = sizeof bound;
    char host[64] = "";
    char port[8] = "";
    uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&bound, &len);
    getnameinfo((struct sockaddr *)&bound, (socklen_t)len, host, sizeof host, port,
                sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(peer->address, sizeof peer->address,
             bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int peer_bind(struct peer *peer, const char *listen, struct err *err)
{
    char host[LIMIT_ADDRESS_BYTES];
    const char *port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (!address_split(listen, host, &port)) {
        return err_set(err, ERR_INVALID, "'%s' must be host:port", listen);
    }
    int rv = getaddrinfo(host, port, &hints, &found);
    if (rv != 0) {
        return err_set(err, ERR_INVALID, "'%s': %s", listen, gai_strerror(rv));
    }
    rv = uv_tcp_bind(&peer->listener, found->ai_addr, 0);
    freeaddrinfo(found);
    if (rv == 0) { /* a port that is taken is told by listen(), not by bind() */
        rv = uv_listen((uv_stream_t *)&peer->listener, LISTEN_BACKLOG,
                       peer_on_connection);
    }
    if (rv != 0) {
        return err_set(err, ERR_IO, "cannot listen on %s: %s", listen, uv_strerror(rv));
    }
    return 0;
}

static void peer_never_started(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    mem_free(peer);
}

struct link *peer_new(struct uv_loop_s *loop, struct clock *clock,
                      const struct peer_options *options, struct err *err)
{
    struct peer *peer = mem_zalloc(sizeof *peer);
    peer->link.ops = &peer_ops;
    peer->loop = loop;
    peer->clock = clock;
    uv_tcp_init(loop, &peer->listener);
    peer->listener.data = peer;
    peer->listener_open = true;
    if (peer_bind(peer, options->listen, err) != 0) {
        uv_close((uv_handle_t *)&peer->listener, peer_never_started);
        return NULL;
    }
    peer_note_address(peer);
    return &peer->link;
}

void peer_free(struct link *link)
{
    struct peer *peer = peer_of(link);
    bytes_unref(peer->hello);
    peer->hello = NULL;
    if (peer->listener_open) {
        uv_close((uv_handle_t *)&peer->listener, peer_never_started);
        return;
    }
    assert(peer->stopping && peer->open_count == 0 && peer->remotes == NULL);
    mem_free(peer);
}

const char *peer_address(const struct link *link)
{
    const struct peer *peer = (const struct peer *)(const void *)link;
    return peer->address;
}
