/* SPDX-License-Identifier: Apache-2.0 */
/* Listener, connections, and the end of them.
 *
 *   SERVING ──api_stop()──▶ DRAINING ──nothing left, or drain over──▶ closed and freed
 *      └──api_leave()──▶ LEAVING ──api_stop()──┘
 *
 * Leaving, it serves on, but every answer ends its connection. A balancer that takes
 * the node out in the meantime (raft/retire.c) has no connection left that it would
 * send a request on just when it ends.
 *
 * h2o 2.2 has no graceful end for HTTP/1: when draining, an idle connection's reading
 * side is shut down, so that it ends at once, or if it is new a moment later; a busy
 * one, also with half a request, ends with its answer.
 *
 * Failure modes: a client that reads slowly or not at all holds its own connection and,
 * of a long answer, one frozen root; it is cut by the drain at the latest. */
#include "api/server.h"

#include <h2o.h>

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/await.h"
#include "api/call.h"
#include "api/muster/events.h"
#include "api/fresh.h"
#include "api/log_fetch.h"
#include "api/page.h"
#include "api/refusal.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/run_log.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "base/log.h"
#include "base/mem.h"

#define API_BACKLOG    512
#define API_WATCHED_MS 60000 /* balancers ask more often */
#define API_NEW_MS     500   /* a connection's first request comes within that */

struct connection {
    uv_tcp_t tcp; /* first: h2o closes it by its own pointer */
    struct api *api;
    h2o_socket_t *socket; /* NULL: not handed to h2o */
    struct connection *next;
    struct connection **slot;
    char peer[INET6_ADDRSTRLEN]; /* its address; an IPv4 one always as IPv4 */
};

struct api_handler {
    h2o_handler_t super;
    struct api *api;
};

/* --- requests
 * --------------------------------------------------------------------------- */

static int api_on_request(h2o_handler_t *super, h2o_req_t *req)
{
    struct api *api = ((struct api_handler *)(void *)super)->api;
    int status = 0;
    struct err err;
    struct call *call = call_new(api, req, &status, &err);
    if (status == 0 && req->entity.base != NULL && req->entity.len > LIMIT_BODY_BYTES) {
        err_set(&err, ERR_TOO_LARGE, "the body has %zu bytes; at most %d are read",
                req->entity.len, LIMIT_BODY_BYTES);
        status = 413;
    }
    if (status != 0) {
        req->http1_is_persistent = 0;
        reply_error(call, status, err_code_name(err.code), "%s", err.text);
    } else {
        router_dispatch(call);
    }
    return 0;
}

/* --- connections
 * ------------------------------------------------------------------------ */

static void connection_closed(uv_handle_t *handle)
{
    struct connection *connection = (struct connection *)(void *)handle;
    struct api *api = connection->api;
    *connection->slot = connection->next;
    if (connection->next != NULL) {
        connection->next->slot = connection->slot;
    }
    api->connection_count--;
    mem_free(connection);
    api_settle(api);
}

static struct connection *connection_new(struct api *api)
{
    struct connection *connection = mem_zalloc(sizeof *connection);
    uv_tcp_init(api->options.loop, &connection->tcp);
    connection->api = api;
    connection->next = api->connections;
    connection->slot = &api->connections;
    if (connection->next != NULL) {
        connection->next->slot = &connection->next;
    }
    api->connections = connection;
    api->connection_count++;
    return connection;
}

static bool connection_trusted(const struct connection *connection)
{
    for (size_t i = 0; i < connection->api->options.trusted_proxy_count; i++) {
        if (strcmp(connection->api->proxies[i], connection->peer) == 0) {
            return true;
        }
    }
    return false;
}

static void peer_name(const struct sockaddr_storage *peer, char *out, size_t size)
{
    const struct sockaddr_in *v4 = (const void *)peer;
    const struct sockaddr_in6 *v6 = (const void *)peer;
    out[0] = '\0';
    if (peer->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
    } else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out, (socklen_t)size);
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)size);
    }
}

/* May it stay? Too many in all, or from one address: it is closed without a word. */
static bool connection_admitted(struct connection *connection)
{
    const struct api *api = connection->api;
    struct sockaddr_storage peer;
    int len = sizeof peer;
    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&peer, &len) != 0) {
        return false;
    }
    peer_name(&peer, connection->peer, sizeof connection->peer);
    size_t same = 0;
    for (const struct connection *other = api->connections; other != NULL;
         other = other->next) {
        same += strcmp(other->peer, connection->peer) == 0;
    }
    return api->connection_count <= api->options.max_connections &&
           (same <= api->options.max_connections_address ||
            connection_trusted(connection));
}

/* `rv` as the accepting of it said. */
static void connection_begin(struct connection *connection, int rv)
{
    struct api *api = connection->api;
    if (rv != 0 || !connection_admitted(connection)) {
        uv_close((uv_handle_t *)&connection->tcp, connection_closed);
        return;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    connection->socket =
        h2o_uv_socket_create((uv_stream_t *)&connection->tcp, connection_closed);
    h2o_accept(&api->accept, connection->socket);
}

static void api_on_connection(uv_stream_t *listener, int status)
{
    struct api *api = listener->data;
    if (status != 0) {
        log_warn("api: cannot accept a connection: %s", uv_strerror(status));
        return;
    }
    struct connection *connection = connection_new(api);
    connection_begin(connection, uv_accept(listener, (uv_stream_t *)&connection->tcp));
}

/* Those that the kernel holds ready: with the listener they would be reset, and a
 * request may have been sent on them. */
static void api_accept_rest(struct api *api)
{
    uv_os_fd_t listener = -1;
    int fd = -1;
    if (uv_fileno((uv_handle_t *)&api->listener, &listener) != 0) {
        return;
    }
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = connection_new(api);
        int rv = uv_tcp_open(&connection->tcp, fd);
        if (rv != 0) {
            close(fd);
        }
        connection_begin(connection, rv);
    }
}

static void connection_shutdown(struct connection *connection, int how)
{
    uv_os_fd_t fd = -1;
    if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0) {
        shutdown(fd, how);
    }
}

/* Nothing of a request has come: h2o keeps its bytes until it is answered. */
static bool connection_idle(const struct connection *connection)
{
    return connection->socket == NULL || connection->socket->input == NULL ||
           connection->socket->input->size == 0;
}

/* Idle, and its first request may be on its way. */
static bool connection_new_here(const struct connection *connection)
{
    return connection_idle(connection) && connection->socket != NULL &&
           connection->socket->bytes_written == 0;
}

static void api_end_idle(struct api *api, bool also_new)
{
    for (struct connection *at = api->connections; at != NULL; at = at->next) {
        if (connection_idle(at) && (also_new || !connection_new_here(at))) {
            connection_shutdown(at, SHUT_RD);
        }
    }
}

static void api_new_over(struct clock_timer *timer)
{
    api_end_idle(timer->owner, true);
}

/* --- start
 * ------------------------------------------------------------------------------- */

/* "host:port" or "[v6]:port" → the first address it resolves to. */
static int listen_resolve(const char *listen, struct sockaddr_storage *out,
                          struct err *err)
{
    const char *colon = strrchr(listen, ':');
    size_t host_len = colon != NULL ? (size_t)(colon - listen) : 0;
    if (host_len == 0) {
        return err_set(err, ERR_INVALID,
                       "'%s' is not an address to listen on: it must be host:port",
                       listen);
    }
    bool bracketed = listen[0] == '[' && listen[host_len - 1] == ']';
    char *host = bracketed ? mem_strndup(listen + 1, host_len - 2)
                           : mem_strndup(listen, host_len);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rv = getaddrinfo(host, colon + 1, &hints, &found);
    mem_free(host);
    if (rv != 0) {
        return err_set(err, ERR_INVALID, "'%s' is not an address to listen on: %s",
                       listen, gai_strerror(rv));
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

static bool address_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    }
    const struct sockaddr_in6 *v6 = (const void *)address;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) != 0;
}

/* A taken port shows here: uv_tcp_bind() keeps that error for the next call. */
static int api_note_address(struct api *api)
{
    struct sockaddr_storage bound = {0};
    int len = sizeof bound;
    int rv = uv_tcp_getsockname(&api->listener, (struct sockaddr *)&bound, &len);
    if (rv != 0) {
        return rv;
    }
    char host[INET6_ADDRSTRLEN];
    char port[8];
    getnameinfo((struct sockaddr *)&bound, (socklen_t)len, host, sizeof host, port,
                sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(api->address, sizeof api->address,
             bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return 0;
}

static int api_bind(struct api *api, struct err *err)
{
    struct sockaddr_storage address;
    int rv = listen_resolve(api->options.listen, &address, err);
    if (rv != 0) {
        return rv;
    }
    api->loopback = address_loopback(&address);
    uv_tcp_init(api->options.loop, &api->listener);
    api->listener.data = api;
    api->listener_open = true;
    rv = uv_tcp_bind(&api->listener, (const struct sockaddr *)&address, 0);
    if (rv == 0) {
        rv = api_note_address(api);
    }
    if (rv != 0) {
        return err_set(err, ERR_IO, "cannot listen on %s: %s", api->options.listen,
                       uv_strerror(rv));
    }
    return 0;
}

int api_serve(struct api *api, struct node *node, struct err *err)
{
    api->node = node;
    await_open(api);
    int rv = uv_listen((uv_stream_t *)&api->listener, API_BACKLOG, api_on_connection);
    if (rv != 0) {
        return err_set(err, ERR_IO, "cannot listen on %s: %s", api->address,
                       uv_strerror(rv));
    }
    event_streams_start(api);
    log_fetch_serve(api);
    return 0;
}

static void api_configure(struct api *api)
{
    h2o_config_init(&api->config);
    api->config.server_name = h2o_iovec_init(H2O_STRLIT("muster"));
    api->config.max_request_entity_size =
        LIMIT_BODY_BYTES + 1; /* of chunks, below it */
    api->config.http1.req_timeout = LIMIT_REQUEST_MS;
    api->config.http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host = h2o_config_register_host(
        &api->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct api_handler *handler =
        (struct api_handler *)(void *)h2o_create_handler(path, sizeof *handler);
    handler->super.on_req = api_on_request;
    handler->api = api;
    refusal_register(api, host);
    h2o_context_init(&api->context, api->options.loop, &api->config);
    api->accept.ctx = &api->context;
    api->accept.hosts = api->config.hosts;
    uv_idle_init(api->options.loop, &api->last);
    api->last.data = api;
    stream_open(api);
}

static char **copy_list(const char *const *list, size_t count)
{
    char **copy = mem_array(count, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = mem_strdup(list[i]);
    }
    return copy;
}

static void api_drain_over(struct clock_timer *timer)
{
    struct api *api = timer->owner;
    if (api->connection_count > 0) {
        log_warn("api: %zu connections are cut: they did not end in time",
                 api->connection_count);
    }
    api->drained = true;
    call_give_up_all(api);
    for (struct connection *at = api->connections; at != NULL; at = at->next) {
        connection_shutdown(at, SHUT_RDWR);
    }
}

int api_start(struct api **out, const struct api_options *options, struct err *err)
{
    struct api *api = mem_zalloc(sizeof *api);
    api->options = *options;
    api->version = mem_strdup(options->version);
    api->cluster_name = mem_strdup(options->cluster_name);
    api->runs = options->runs != NULL ? mem_strdup(options->runs) : NULL;
    api->hosts = copy_list(options->hosts, options->host_count);
    api->proxies = copy_list(options->trusted_proxies, options->trusted_proxy_count);
    api->modules = copy_list(options->modules, options->module_count);
    api->tokens = mem_array(options->token_count, sizeof *api->tokens);
    if (options->token_count > 0) {
        memcpy(api->tokens, options->tokens,
               options->token_count * sizeof *api->tokens);
    }
    api->last_work = &api->work;
    page_open(api);
    api->drain = (struct clock_timer){.fire = api_drain_over, .owner = api};
    api->new_over = (struct clock_timer){.fire = api_new_over, .owner = api};
    if (api->options.max_connections == 0) {
        api->options.max_connections = LIMIT_CONNECTIONS;
    }
    if (api->options.max_connections_address == 0) {
        api->options.max_connections_address = LIMIT_CONNECTIONS_ADDRESS;
    }
    api_configure(api);
    int rv = api_bind(api, err);
    if (rv != 0) {
        api_stop(api, 0, NULL, NULL);
        return rv;
    }
    *out = api;
    return 0;
}

const char *api_address(const struct api *api)
{
    return api->address;
}

/* --- stop
 * -------------------------------------------------------------------------------- */

static void api_freed(uv_handle_t *handle)
{
    struct api *api = handle->data;
    void (*stopped)(void *owner) = api->stopped;
    void *owner = api->stopped_owner;
    for (size_t i = 0; i < api->options.host_count; i++) {
        mem_free(api->hosts[i]);
    }
    for (size_t i = 0; i < api->options.trusted_proxy_count; i++) {
        mem_free(api->proxies[i]);
    }
    for (size_t i = 0; i < api->options.module_count; i++) {
        mem_free(api->modules[i]);
    }
    mem_free(api->tokens);
    mem_free(api->modules);
    mem_free(api->hosts);
    mem_free(api->proxies);
    mem_free(api->version);
    mem_free(api->cluster_name);
    mem_free(api->runs);
    mem_free(api);
    if (stopped != NULL) {
        stopped(owner);
    }
}

/* libuv calls closing callbacks in the reverse order of closing: `last` is closed
 * first, so what else stands in the same memory is gone when it is freed. */
void api_settle(struct api *api)
{
    if (!api->stopping || api->listener_open || api->connection_count > 0 ||
        api->lingering_count > 0 || api->work != NULL || api->disposed) {
        return;
    }
    api->disposed = true;
    clock_timer_stop(api->options.clock, &api->drain);
    clock_timer_stop(api->options.clock, &api->new_over);
    uv_close((uv_handle_t *)&api->last, api_freed);
    stream_close(api);
    await_close(api);
    h2o_context_dispose(&api->context);
    h2o_config_dispose(&api->config);
}

static void api_listener_closed(uv_handle_t *handle)
{
    struct api *api = handle->data;
    api->listener_open = false;
    api_settle(api);
}

void api_leave(struct api *api)
{
    api->leaving = true;
}

bool api_watched(const struct api *api)
{
    return api->health_asked_ms != 0 &&
           clock_now_ms(api->options.clock) - api->health_asked_ms < API_WATCHED_MS;
}

static void api_end_connections(struct api *api)
{
    api_end_idle(api, false);
    for (struct call *call = api->calls; call != NULL; call = call->next) {
        call->req->http1_is_persistent = 0; /* also where an answer has begun */
    }
}

void api_stop(struct api *api, uint64_t drain_ms, void (*stopped)(void *owner),
              void *owner)
{
    assert(!api->stopping);
    api->leaving = true;
    api->stopping = true;
    api->stopped = stopped;
    api->stopped_owner = owner;
    if (api->awaits != NULL) { /* it listens */
        api_accept_rest(api);
        log_fetch_stop(api);
    }
    api_end_connections(api);
    refusal_stop(api);
    event_streams_stop(api);
    run_logs_stop(api);
    fresh_stop(api);
    page_stop(api);
    if (api->connections != NULL) {
        uint64_t now = clock_now_ms(api->options.clock);
        clock_timer_start(api->options.clock, &api->drain, now + drain_ms);
        clock_timer_start(api->options.clock, &api->new_over, now + API_NEW_MS);
    }
    if (api->listener_open) {
        uv_close((uv_handle_t *)&api->listener, api_listener_closed);
    } else {
        api_settle(api);
    }
}
