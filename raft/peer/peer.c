/* SPDX-License-Identifier: Apache-2.0 */
/* The link: who dials us, and what the core asks for. Whom we dial: remote.c.
 *
 * Happy path: each node dials each other one. Frames to a node go on the connection of
 * ours that its hello came on; frames from it come on a connection of its.
 *
 * Failure modes: who says no hello is cut after LIMIT_HANDSHAKE_MS, and when more than
 * LIMIT_HANDSHAKES say none, the oldest goes first: a peer that means it needs only one
 * round trip. Who says an unacceptable one is cut with a log line. A node's death is
 * told at once by whichever connection ends first, as `refused` by remote.c alone. */
#include "raft/peer.h"

#include <assert.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/peer/address.h"
#include "raft/peer/internal.h"
#include "raft/peer/wire.h"

#define LISTEN_BACKLOG 128
#define INBOUND_MAX    (4 * LIMIT_MEMBERS) /* that have introduced themselves */
#define INBOUND_NODE   4 /* of one node, which may know us by several addresses */

static struct peer *peer_of(struct link *link)
{
    return (struct peer *)(void *)link;
}

/* --- whom we accept ----------------------------------------------------------------
 */

void peer_log_refusal(struct peer *peer, const char *place, const char *reason)
{
    if (!peer->stopping && /* the clock may be gone by now */
        refusals_note(&peer->refusals, place, reason, clock_now_ms(peer->clock))) {
        log_warn("peer %s: refused: %s", place, reason);
    }
}

/* Two clusters, or a cluster and a blank node? */
static bool peer_stranger(const struct peer *peer, uint64_t cluster_id)
{
    return cluster_id != 0 && peer->cluster_id != 0 && cluster_id != peer->cluster_id;
}

static void peer_refuse_stranger(struct peer *peer, struct connection *connection,
                                 uint64_t cluster_id)
{
    connection_refuse(connection,
                      "it belongs to cluster %" PRIu64 ", this node to %" PRIu64,
                      cluster_id, peer->cluster_id);
}

bool peer_accepts(struct peer *peer, struct connection *connection,
                  const struct hello *hello)
{
    if (peer->events == NULL) {
        connection_close(connection, "this node is not ready");
    } else if (hello->node_id == peer->node_id) {
        connection_refuse(connection,
                          "it has this node's own id: the address is this node's own, "
                          "or a copy of its folder runs there");
    } else if (peer_stranger(peer, hello->cluster_id)) {
        peer_refuse_stranger(peer, connection, hello->cluster_id);
    } else {
        return true;
    }
    return false;
}

/* --- connections of theirs ---------------------------------------------------------
 */

static bool inbound_open(const struct connection *connection)
{
    return connection->phase == CONNECTION_OPEN;
}

/* The connections of one node: those of its earlier starts are remains, and of many the
 * oldest goes. The list has the newest first. */
static void inbound_tidy(struct peer *peer, const struct connection *newest)
{
    size_t count = 0;
    for (struct connection *at = peer->inbound; at != NULL; at = at->next) {
        if (at == newest || !inbound_open(at) || at->node_id != newest->node_id) {
            continue;
        }
        if (at->start_counter < newest->start_counter) {
            connection_close(at, "it was started anew");
        } else if (++count >= INBOUND_NODE) {
            connection_close(at, "it has too many connections");
        }
    }
}

static void inbound_hello(struct connection *connection, const struct hello *hello)
{
    struct peer *peer = connection->owner;
    if (!peer_accepts(peer, connection, hello)) {
        return;
    }
    inbound_tidy(peer, connection);
    size_t count = 0;
    for (const struct connection *at = peer->inbound; at != NULL; at = at->next) {
        count += inbound_open(at);
    }
    if (count > INBOUND_MAX) {
        connection_refuse(connection, "this node has too many connections");
        return;
    }
    connection->accepted = true;
    struct remote *next = NULL;
    for (struct remote *at = peer->remotes; at != NULL; at = next) {
        next = at->next;
        remote_heard(at, hello);
    }
    peer->events->hello(peer->owner, hello);
}

static void inbound_frame(struct connection *connection, const uint8_t *body,
                          size_t len)
{
    struct peer *peer = connection->owner;
    if (peer->events != NULL) {
        peer->events->frame(peer->owner, connection->node_id, body, len);
    }
}

/* Is there another way to or from that node, whose end will be told, or is its death
 * told already? */
static bool peer_knows_better(const struct peer *peer, uint64_t node_id)
{
    for (const struct remote *at = peer->remotes; at != NULL; at = at->next) {
        if (at->node_id == node_id && (at->phase == REMOTE_UP || at->dead)) {
            return true;
        }
    }
    for (const struct connection *at = peer->inbound; at != NULL; at = at->next) {
        if (at->node_id == node_id && at->accepted) {
            return true;
        }
    }
    return false;
}

static void peer_dial_node(struct peer *peer, uint64_t node_id)
{
    struct remote *next = NULL;
    for (struct remote *at = peer->remotes; at != NULL; at = next) {
        next = at->next;
        if (at->node_id == node_id) {
            remote_dial(at);
        }
    }
}

static void inbound_closed(struct connection *connection)
{
    struct peer *peer = connection->owner;
    uint64_t node_id = connection->accepted ? connection->node_id : 0;
    struct connection **at = &peer->inbound;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    peer->open_count--;
    if (connection->refused) {
        peer_log_refusal(peer, connection->address, connection->reason);
    }
    if (node_id != 0 && peer->events != NULL) {
        peer_dial_node(peer, node_id);
        if (!peer_knows_better(peer, node_id)) {
            peer->events->down(peer->owner, node_id, false);
        }
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
    struct sockaddr_storage from = {0};
    int len = sizeof from;
    uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&from, &len);
    address_host((const struct sockaddr *)&from, connection->address);
}

static void inbound_make_room(struct peer *peer)
{
    size_t count = 0;
    struct connection *oldest = NULL;
    for (struct connection *at = peer->inbound; at != NULL; at = at->next) {
        if (at->phase == CONNECTION_GREETED) {
            count++;
            oldest = at;
        }
    }
    if (count >= LIMIT_HANDSHAKES) {
        connection_refuse(oldest, "it said no hello, and many others want to");
    }
}

static void peer_on_connection(uv_stream_t *listener, int status)
{
    struct peer *peer = listener->data;
    if (status != 0) {
        peer_log_refusal(peer, peer->address, uv_strerror(status));
        return;
    }
    struct connection *connection =
        connection_new(peer->loop, peer->clock, &inbound_events, peer);
    connection->next = peer->inbound;
    peer->inbound = connection;
    peer->open_count++;
    int rv = uv_accept(listener, (uv_stream_t *)&connection->tcp);
    if (rv != 0) {
        connection_close(connection, uv_strerror(rv));
        return;
    }
    inbound_name(connection);
    if (peer->hello == NULL || peer->events == NULL) {
        connection_close(connection, "this node is not ready");
        return;
    }
    inbound_make_room(peer);
    connection_begin(connection, peer->hello);
}

/* --- the link ----------------------------------------------------------------------
 */

/* It listens already: who connects before there is a hello of ours is closed, and dials
 * again. */
static void peer_start(struct link *link, const struct link_events *events, void *owner)
{
    struct peer *peer = peer_of(link);
    assert(!peer->stopping);
    peer->events = events;
    peer->owner = owner;
}

/* Who is a stranger now must not be heard any more, whatever it has said before. */
static void peer_tell(struct peer *peer, struct connection *connection)
{
    if (peer_stranger(peer, connection->cluster_id)) {
        peer_refuse_stranger(peer, connection, connection->cluster_id);
    } else {
        connection_send_hello(connection, peer->hello);
    }
}

static void peer_set_self(struct link *link, const struct hello *self)
{
    struct peer *peer = peer_of(link);
    if (peer->stopping) {
        return;
    }
    bytes_unref(peer->hello);
    peer->hello = wire_hello_encode(self);
    peer->cluster_id = self->cluster_id;
    peer->node_id = self->node_id;
    for (struct connection *at = peer->inbound; at != NULL; at = at->next) {
        peer_tell(peer, at);
    }
    for (struct remote *at = peer->remotes; at != NULL; at = at->next) {
        if (at->connection != NULL) {
            peer_tell(peer, at->connection);
        } else if (!clock_timer_active(&at->timer)) {
            remote_dial(at); /* it waited for a hello of ours */
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
            remote_remove(at);
        }
    }
    for (size_t i = 0; i < count && !peer->stopping; i++) {
        assert(strlen(addresses[i]) < LIMIT_ADDRESS_BYTES);
        if (peer_find(peer, addresses[i]) == NULL) {
            remote_add(peer, addresses[i]);
        }
    }
}

/* Of several to the same node one that is not closing. */
static struct connection *peer_connection(const struct peer *peer, uint64_t to)
{
    for (const struct remote *at = peer->remotes; at != NULL; at = at->next) {
        if (at->phase == REMOTE_UP && at->node_id == to &&
            at->connection->phase == CONNECTION_OPEN) {
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
    const struct remote *remote = peer_find(peer_of(link), address);
    *out = (struct link_status){0};
    if (remote == NULL) {
        snprintf(out->reason, sizeof out->reason, "is not a peer of this node");
    } else {
        remote_status(remote, out);
    }
}

void peer_settle(struct peer *peer)
{
    if (!peer->stopping || peer->listener_open || peer->open_count > 0 ||
        peer->stopped == NULL) {
        return;
    }
    assert(peer->inbound == NULL && peer->remotes == NULL);
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
    peer_set_peers(link, NULL, 0);
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

/* --- making one --------------------------------------------------------------------
 */

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
    struct sockaddr_storage bound = {0};
    int len = sizeof bound;
    uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&bound, &len);
    address_print((const struct sockaddr *)&bound, peer->address);
    return 0;
}

static void peer_release(void *owner)
{
    struct peer *peer = owner;
    bytes_unref(peer->hello);
    mem_free(peer);
}

static void peer_never_bound(uv_handle_t *handle)
{
    peer_release(handle->data);
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
        uv_close((uv_handle_t *)&peer->listener, peer_never_bound);
        return NULL;
    }
    return &peer->link;
}

/* One that was never stopped may have connections of others already. */
void peer_free(struct link *link)
{
    struct peer *peer = peer_of(link);
    if (!peer->stopping) {
        peer_stop(link, peer_release, peer);
        return;
    }
    assert(!peer->listener_open && peer->open_count == 0);
    peer_release(peer);
}

const char *peer_address(const struct link *link)
{
    const struct peer *peer = (const struct peer *)(const void *)link;
    return peer->address;
}
