/* SPDX-License-Identifier: Apache-2.0 */
/* A connection has two ends (0 dialled, 1 accepted) and a pipe from each; what is in a
 * pipe arrives in order. An end that closes puts a CLOSE into its pipe and is empty
 * from then on; a connection is freed when both ends and both pipes are empty.
 *
 *   remote:  IDLE ──timer──▶ DIALLING ──their hello──▶ UP ──closed──▶ IDLE, dial at
 * once ▲                 └── refused, no answer ──┐ └─────────── back-off 20 .. 500 ms
 * ◀───────┘
 */
#include "lib/sim_network.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define SIM_HOSTS       16
#define SIM_BACKOFF_MIN 20
#define SIM_BACKOFF_MAX 500
#define SIM_DIAL_MS     1000    /* without an answer */
#define SIM_SILENCE_US  5000000 /* at the most, until a dead machine is noticed */
#define SIM_LATE_US     2000000 /* frames of a broken connection, at the most */

enum sim_item_kind { SIM_ITEM_HELLO, SIM_ITEM_FRAME, SIM_ITEM_CLOSE };

struct sim_item {
    struct sim_item *next;
    enum sim_item_kind kind;
    uint64_t due_us;
    struct bytes *frame; /* FRAME */
    struct hello hello;  /* HELLO; its strings are owned */
};

struct sim_connection;

struct sim_pipe {
    struct sim_connection *connection;
    unsigned from; /* the end that sends */
    struct sim_item *first;
    struct sim_item **last;
    uint64_t last_due_us;
    size_t bytes; /* of the frames in it */
    bool held;    /* its first item waits for a cut to heal or a process to go on */
    struct sim_event event;
};

struct sim_connection {
    struct sim_network *network;
    struct sim_connection *next;
    struct sim_remote *remote; /* at end 0 */
    struct sim_link *end[2];   /* NULL: closed */
    size_t host[2];
    uint64_t node_id[2]; /* who introduced itself at that end; 0 = nobody yet */
    struct sim_pipe pipe[2];
};

enum sim_remote_phase { SIM_REMOTE_IDLE, SIM_REMOTE_DIALLING, SIM_REMOTE_UP };

struct sim_remote {
    struct sim_link *link;
    struct sim_remote *next;
    char address[LIMIT_ADDRESS_BYTES];
    size_t host;
    enum sim_remote_phase phase;
    uint64_t node_id;
    bool was_up; /* and its loss has not been explained yet */
    bool refused;
    uint32_t backoff_ms;
    uint64_t attempt_ms;
    struct clock_timer timer;
    struct sim_event attempt;
    struct sim_connection *connection;
    char reason[128];
};

struct sim_link {
    struct link link; /* first */
    struct sim_network *network;
    struct clock *clock;
    size_t host;
    const struct link_events *events; /* NULL: not started, or gone */
    void *owner;
    struct hello self;
    bool has_self;
    bool paused;
    bool gone;
    struct sim_remote *remotes;
    struct sim_event stop_event;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

struct sim_host {
    char *address;
    struct sim_link *link; /* NULL: nobody listens */
    bool dark;             /* without power: it does not even refuse */
};

struct sim_network {
    struct sim_time *time;
    struct sim_random random;
    struct sim_wire wire;
    struct sim_host hosts[SIM_HOSTS];
    size_t host_count;
    bool cut[SIM_HOSTS][SIM_HOSTS];
    struct sim_connection *connections; /* in the order they were made */
    struct sim_connection **last_connection;
    struct sim_network_watch watch;
};

static void sim_remote_dial(struct sim_remote *remote);
static void sim_remote_fired(struct clock_timer *timer);

static struct sim_link *sim_link_of(struct link *link)
{
    return (struct sim_link *)(void *)link;
}

/* --- the network
 * ----------------------------------------------------------------------------- */

struct sim_network *sim_network_new(struct sim_time *time, uint64_t seed)
{
    struct sim_network *network = mem_zalloc(sizeof *network);
    network->time = time;
    sim_random_init(&network->random, seed);
    network->wire = (struct sim_wire){.latency_min_us = 50, .latency_max_us = 500};
    network->last_connection = &network->connections;
    return network;
}

void sim_network_set_wire(struct sim_network *network, const struct sim_wire *wire)
{
    assert(wire->latency_min_us <= wire->latency_max_us);
    network->wire = *wire;
}

void sim_network_observe(struct sim_network *network,
                         const struct sim_network_watch *watch)
{
    network->watch = *watch;
}

static size_t sim_network_host(struct sim_network *network, const char *address)
{
    for (size_t i = 0; i < network->host_count; i++) {
        if (strcmp(network->hosts[i].address, address) == 0) {
            return i;
        }
    }
    assert(network->host_count < SIM_HOSTS);
    network->hosts[network->host_count].address = mem_strdup(address);
    return network->host_count++;
}

static uint64_t sim_network_latency(struct sim_network *network)
{
    const struct sim_wire *wire = &network->wire;
    uint64_t spread = wire->latency_max_us - wire->latency_min_us + 1;
    uint64_t latency =
        wire->latency_min_us + sim_random_below(&network->random, spread);
    if (sim_random_below(&network->random, 1000) < wire->stall_permille) {
        latency += sim_random_below(&network->random, wire->stall_us + 1);
    }
    return latency;
}

static void sim_network_tell(struct sim_network *network, enum sim_frame_fate fate,
                             size_t from, size_t to, const struct bytes *frame)
{
    if (network->watch.frame != NULL) {
        network->watch.frame(network->watch.ctx, fate, network->hosts[from].address,
                             network->hosts[to].address, frame);
    }
}

/* --- pipes
 * -----------------------------------------------------------------------------------
 */

static struct hello sim_hello_copy(const struct hello *hello)
{
    struct hello copy = *hello;
    copy.name = mem_strdup(hello->name);
    copy.peer_address = mem_strdup(hello->peer_address);
    copy.api_address = mem_strdup(hello->api_address);
    copy.version = mem_strdup(hello->version);
    return copy;
}

static void sim_hello_free(struct hello *hello)
{
    mem_free((void *)(uintptr_t)hello->name);
    mem_free((void *)(uintptr_t)hello->peer_address);
    mem_free((void *)(uintptr_t)hello->api_address);
    mem_free((void *)(uintptr_t)hello->version);
    *hello = (struct hello){0};
}

static void sim_item_free(struct sim_item *item)
{
    bytes_unref(item->frame);
    if (item->kind == SIM_ITEM_HELLO) {
        sim_hello_free(&item->hello);
    }
    mem_free(item);
}

static void sim_pipe_arm(struct sim_pipe *pipe)
{
    struct sim_time *time = pipe->connection->network->time;
    if (pipe->first != NULL && !pipe->held) {
        sim_time_queue(time, &pipe->event, pipe->first->due_us);
    } else {
        sim_time_cancel(time, &pipe->event);
    }
}

/* In order: nothing is due before what was put in earlier. */
static void sim_pipe_put(struct sim_pipe *pipe, struct sim_item *item,
                         uint64_t delay_us)
{
    uint64_t due = sim_time_now_us(pipe->connection->network->time) + delay_us;
    item->due_us = due > pipe->last_due_us ? due : pipe->last_due_us;
    pipe->last_due_us = item->due_us;
    item->next = NULL;
    *pipe->last = item;
    pipe->last = &item->next;
    if (pipe->first == item) {
        sim_pipe_arm(pipe);
    }
}

static struct sim_item *sim_pipe_pop(struct sim_pipe *pipe)
{
    struct sim_item *item = pipe->first;
    pipe->first = item->next;
    if (pipe->first == NULL) {
        pipe->last = &pipe->first;
    }
    if (item->kind == SIM_ITEM_FRAME) {
        pipe->bytes -= item->frame->len;
    }
    return item;
}

static void sim_pipe_lose(struct sim_pipe *pipe, struct sim_item *item)
{
    struct sim_connection *connection = pipe->connection;
    if (item->kind == SIM_ITEM_FRAME) {
        sim_network_tell(connection->network, SIM_FRAME_LOST,
                         connection->host[pipe->from], connection->host[1 - pipe->from],
                         item->frame);
    }
    sim_item_free(item);
}

static void sim_pipe_clear(struct sim_pipe *pipe)
{
    while (pipe->first != NULL) {
        sim_pipe_lose(pipe, sim_pipe_pop(pipe));
    }
    pipe->held = false;
    sim_pipe_arm(pipe);
}

static void sim_pipe_hello(struct sim_pipe *pipe, const struct hello *hello)
{
    struct sim_item *item = mem_zalloc(sizeof *item);
    item->kind = SIM_ITEM_HELLO;
    item->hello = sim_hello_copy(hello);
    sim_pipe_put(pipe, item, sim_network_latency(pipe->connection->network));
}

/* --- connections
 * ----------------------------------------------------------------------------- */

static void sim_pipe_fired(struct sim_event *event);

static struct sim_connection *sim_connection_new(struct sim_remote *remote,
                                                 struct sim_link *acceptor)
{
    struct sim_connection *connection = mem_zalloc(sizeof *connection);
    struct sim_network *network = remote->link->network;
    connection->network = network;
    connection->remote = remote;
    connection->end[0] = remote->link;
    connection->end[1] = acceptor;
    for (unsigned i = 0; i < 2; i++) {
        struct sim_pipe *pipe = &connection->pipe[i];
        connection->host[i] = connection->end[i]->host;
        pipe->connection = connection;
        pipe->from = i;
        pipe->last = &pipe->first;
        pipe->event = (struct sim_event){.fire = sim_pipe_fired, .owner = pipe};
    }
    *network->last_connection = connection;
    network->last_connection = &connection->next;
    return connection;
}

static void sim_connection_settle(struct sim_connection *connection)
{
    struct sim_network *network = connection->network;
    if (connection->end[0] != NULL || connection->end[1] != NULL ||
        connection->pipe[0].first != NULL || connection->pipe[1].first != NULL) {
        return;
    }
    struct sim_connection **at = &network->connections;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    if (network->last_connection == &connection->next) {
        network->last_connection = at;
    }
    mem_free(connection);
}

/* An end goes; the other one hears of it after `delay_us` and after what was sent. */
static void sim_connection_leave(struct sim_connection *connection, unsigned end,
                                 uint64_t delay_us)
{
    struct sim_item *item = mem_zalloc(sizeof *item);
    item->kind = SIM_ITEM_CLOSE;
    connection->end[end] = NULL;
    if (end == 0) {
        connection->remote->connection = NULL;
        connection->remote = NULL;
    }
    sim_pipe_put(&connection->pipe[end], item, delay_us);
}

/* --- remotes
 * --------------------------------------------------------------------------------- */

static void sim_remote_wait(struct sim_remote *remote, const char *reason)
{
    struct sim_link *link = remote->link;
    remote->phase = SIM_REMOTE_IDLE;
    snprintf(remote->reason, sizeof remote->reason, "%s", reason);
    uint32_t wait = remote->backoff_ms;
    clock_timer_start(link->clock, &remote->timer, clock_now_ms(link->clock) + wait);
    remote->backoff_ms = wait * 2 < SIM_BACKOFF_MAX ? wait * 2 : SIM_BACKOFF_MAX;
}

/* The connection of a remote is gone (its end is left already). */
static void sim_remote_lost(struct sim_remote *remote, const char *reason)
{
    struct sim_link *link = remote->link;
    bool was_up = remote->phase == SIM_REMOTE_UP;
    clock_timer_stop(link->clock, &remote->timer);
    if (!was_up) {
        sim_remote_wait(remote, reason);
        return;
    }
    remote->phase = SIM_REMOTE_IDLE;
    snprintf(remote->reason, sizeof remote->reason, "%s", reason);
    sim_remote_dial(remote); /* at once: refused now means dead */
    link->events->down(link->owner, remote->node_id, false);
}

static void sim_remote_refused(struct sim_remote *remote)
{
    struct sim_link *link = remote->link;
    bool told = remote->was_up;
    clock_timer_stop(link->clock, &remote->timer);
    remote->was_up = false;
    sim_remote_wait(remote, "refused");
    if (told) {
        link->events->down(link->owner, remote->node_id, true);
    }
}

/* Our dialling arrives there, or the refusal here. */
static void sim_remote_attempted(struct sim_event *event)
{
    struct sim_remote *remote = event->owner;
    struct sim_link *link = remote->link;
    struct sim_network *network = link->network;
    struct sim_host *host = &network->hosts[remote->host];
    if (network->cut[link->host][remote->host] ||
        network->cut[remote->host][link->host] || host->dark) {
        return; /* no answer: the timer ends it */
    }
    if (remote->refused && !link->paused) {
        sim_remote_refused(remote);
        return;
    }
    if (host->link == NULL || host->link->events == NULL || !host->link->has_self) {
        remote->refused = true;
        sim_time_queue(network->time, &remote->attempt,
                       sim_time_now_us(network->time) + sim_network_latency(network) +
                           (link->paused ? 1000 : 0));
        return;
    }
    struct sim_connection *connection = sim_connection_new(remote, host->link);
    remote->connection = connection;
    sim_pipe_hello(&connection->pipe[0], &link->self);
    sim_pipe_hello(&connection->pipe[1], &host->link->self);
}

static void sim_remote_dial(struct sim_remote *remote)
{
    struct sim_link *link = remote->link;
    struct sim_network *network = link->network;
    if (remote->phase != SIM_REMOTE_IDLE || !link->has_self) {
        return;
    }
    remote->phase = SIM_REMOTE_DIALLING;
    remote->refused = false;
    remote->attempt_ms = clock_now_ms(link->clock);
    clock_timer_start(link->clock, &remote->timer, remote->attempt_ms + SIM_DIAL_MS);
    sim_time_queue(network->time, &remote->attempt,
                   sim_time_now_us(network->time) + sim_network_latency(network));
}

static void sim_remote_fired(struct clock_timer *timer)
{
    struct sim_remote *remote = timer->owner;
    if (remote->phase == SIM_REMOTE_IDLE) {
        sim_remote_dial(remote);
        return;
    }
    assert(remote->phase == SIM_REMOTE_DIALLING);
    sim_time_cancel(remote->link->network->time, &remote->attempt);
    if (remote->connection != NULL) {
        sim_connection_leave(remote->connection, 0, 0);
    }
    sim_remote_wait(remote, "timed out");
}

static void sim_remote_free(struct sim_remote *remote)
{
    struct sim_link *link = remote->link;
    clock_timer_stop(link->clock, &remote->timer);
    sim_time_cancel(link->network->time, &remote->attempt);
    if (remote->connection != NULL) {
        sim_connection_leave(remote->connection, 0, sim_network_latency(link->network));
    }
    mem_free(remote);
}

/* --- what arrives
 * ---------------------------------------------------------------------------- */

static const char *sim_link_objection(const struct sim_link *link,
                                      const struct hello *hello)
{
    if (hello->cluster_id != 0 && link->self.cluster_id != 0 &&
        hello->cluster_id != link->self.cluster_id) {
        return "belongs to another cluster";
    }
    return hello->node_id == link->self.node_id ? "has this node's own id" : NULL;
}

static void sim_connection_lost(struct sim_connection *connection, unsigned end,
                                const char *reason);

static void sim_link_hello(struct sim_connection *connection, unsigned end,
                           const struct hello *hello)
{
    struct sim_link *link = connection->end[end];
    const char *objection = sim_link_objection(link, hello);
    if (objection != NULL) {
        sim_connection_lost(connection, end, objection);
        return;
    }
    connection->node_id[1 - end] = hello->node_id;
    if (end == 0) {
        struct sim_remote *remote = connection->remote;
        clock_timer_stop(link->clock, &remote->timer);
        remote->phase = SIM_REMOTE_UP;
        remote->node_id = hello->node_id;
        remote->was_up = true;
        remote->backoff_ms = SIM_BACKOFF_MIN;
        remote->reason[0] = '\0';
    } else {
        for (struct sim_remote *at = link->remotes; at != NULL; at = at->next) {
            if (strcmp(at->address, hello->peer_address) == 0) {
                sim_remote_dial(at);
            }
        }
    }
    link->events->hello(link->owner, hello);
}

static bool sim_link_connected_to(const struct sim_link *link, uint64_t node_id)
{
    for (const struct sim_remote *at = link->remotes; at != NULL; at = at->next) {
        if (at->phase == SIM_REMOTE_UP && at->node_id == node_id) {
            return true;
        }
    }
    return false;
}

/* The process at `end` finds its connection closed, or closes it for `reason`. */
static void sim_connection_lost(struct sim_connection *connection, unsigned end,
                                const char *reason)
{
    struct sim_link *link = connection->end[end];
    struct sim_remote *remote = connection->remote;
    uint64_t other = connection->node_id[1 - end];
    sim_connection_leave(connection, end, sim_network_latency(connection->network));
    if (end == 0) {
        sim_remote_lost(remote, reason);
    } else if (other != 0 && !sim_link_connected_to(link, other)) {
        link->events->down(link->owner, other, false);
    }
}

/* Something arrived where no process holds the connection any more. If the machine is
 * up it says so at once: who waits to notice a silent death notices it now. */
static void sim_pipe_reset(struct sim_pipe *pipe)
{
    struct sim_connection *connection = pipe->connection;
    struct sim_pipe *back = &connection->pipe[1 - pipe->from];
    const struct sim_host *host =
        &connection->network->hosts[connection->host[back->from]];
    if (!host->dark && back->first != NULL && back->first->kind == SIM_ITEM_CLOSE) {
        uint64_t now = sim_time_now_us(connection->network->time);
        uint64_t due = now + sim_network_latency(connection->network);
        if (back->first->due_us > due) {
            back->first->due_us = due;
            sim_pipe_arm(back);
        }
    }
}

static void sim_pipe_deliver(struct sim_pipe *pipe, struct sim_item *item)
{
    struct sim_connection *connection = pipe->connection;
    unsigned end = 1 - pipe->from;
    struct sim_link *link = connection->end[end];
    switch (item->kind) {
    case SIM_ITEM_HELLO:
        sim_link_hello(connection, end, &item->hello);
        break;
    case SIM_ITEM_FRAME:
        sim_network_tell(connection->network, SIM_FRAME_DELIVERED,
                         connection->host[pipe->from], connection->host[end],
                         item->frame);
        link->events->frame(link->owner, connection->node_id[pipe->from],
                            item->frame->data, item->frame->len);
        break;
    case SIM_ITEM_CLOSE:
        sim_connection_lost(connection, end, "closed by the other side");
        break;
    }
    sim_item_free(item);
}

static void sim_pipe_fired(struct sim_event *event)
{
    struct sim_pipe *pipe = event->owner;
    struct sim_connection *connection = pipe->connection;
    struct sim_network *network = connection->network;
    struct sim_link *receiver = connection->end[1 - pipe->from];
    bool cut =
        network->cut[connection->host[pipe->from]][connection->host[1 - pipe->from]];
    if ((cut || (receiver != NULL && receiver->paused)) &&
        (pipe->first->kind != SIM_ITEM_FRAME || !cut ||
         sim_random_chance(&network->random, 50))) {
        pipe->held = true;
        return;
    }
    struct sim_item *item = sim_pipe_pop(pipe);
    if (receiver == NULL || cut) {
        if (receiver == NULL && item->kind != SIM_ITEM_CLOSE) {
            sim_pipe_reset(pipe);
        }
        sim_pipe_lose(pipe, item);
    } else {
        sim_pipe_deliver(pipe, item);
    }
    sim_pipe_arm(pipe);
    sim_connection_settle(connection);
}

/* A cut healed or a process goes on: what was held is looked at again. */
static void sim_network_kick(struct sim_network *network)
{
    for (struct sim_connection *at = network->connections; at != NULL; at = at->next) {
        for (unsigned i = 0; i < 2; i++) {
            if (at->pipe[i].held) {
                at->pipe[i].held = false;
                sim_pipe_arm(&at->pipe[i]);
            }
        }
    }
}

void sim_network_cut(struct sim_network *network, const char *from, const char *to,
                     bool cut)
{
    network->cut[sim_network_host(network, from)][sim_network_host(network, to)] = cut;
    sim_network_kick(network);
}

void sim_network_heal(struct sim_network *network)
{
    memset(network->cut, 0, sizeof network->cut);
    sim_network_kick(network);
}

/* What is under way on a connection that breaks is lost, or comes in time, or late. */
static void sim_connection_disturb(struct sim_connection *connection)
{
    struct sim_network *network = connection->network;
    struct sim_pipe *pipe = &connection->pipe[0];
    uint64_t fate = sim_random_below(&network->random, 3);
    if (fate == 0) {
        sim_pipe_clear(pipe);
    } else if (fate == 1 && pipe->first != NULL) {
        uint64_t late_us = sim_random_below(&network->random, SIM_LATE_US);
        for (struct sim_item *item = pipe->first; item != NULL; item = item->next) {
            item->due_us += late_us;
        }
        pipe->last_due_us += late_us;
        sim_pipe_arm(pipe);
    }
}

void sim_network_break(struct sim_network *network, const char *a, const char *b)
{
    size_t hosts[2] = {sim_network_host(network, a), sim_network_host(network, b)};
    struct sim_connection *next = NULL;
    for (struct sim_connection *at = network->connections; at != NULL; at = next) {
        next = at->next;
        bool between = (at->host[0] == hosts[0] && at->host[1] == hosts[1]) ||
                       (at->host[0] == hosts[1] && at->host[1] == hosts[0]);
        if (between && at->end[0] != NULL && !at->end[0]->paused) {
            sim_connection_disturb(at);
            sim_connection_lost(at, 0, "reset");
        }
    }
}

/* --- the link as a node sees it
 * -------------------------------------------------------------- */

static void sim_link_start(struct link *base, const struct link_events *events,
                           void *owner)
{
    struct sim_link *link = sim_link_of(base);
    link->events = events;
    link->owner = owner;
}

static void sim_link_set_self(struct link *base, const struct hello *self)
{
    struct sim_link *link = sim_link_of(base);
    struct hello copy = sim_hello_copy(self);
    if (link->has_self) {
        sim_hello_free(&link->self);
    }
    link->self = copy;
    link->has_self = true;
    struct sim_network *network = link->network;
    for (struct sim_connection *at = network->connections; at != NULL; at = at->next) {
        for (unsigned end = 0; end < 2; end++) {
            if (at->end[end] == link) {
                sim_pipe_hello(&at->pipe[end], &link->self);
            }
        }
    }
    for (struct sim_remote *at = link->remotes; at != NULL; at = at->next) {
        sim_remote_dial(at);
    }
}

static struct sim_remote *sim_link_find(const struct sim_link *link,
                                        const char *address)
{
    struct sim_remote *at = link->remotes;
    while (at != NULL && strcmp(at->address, address) != 0) {
        at = at->next;
    }
    return at;
}

static void sim_link_add(struct sim_link *link, const char *address)
{
    struct sim_remote *remote = mem_zalloc(sizeof *remote);
    remote->link = link;
    remote->host = sim_network_host(link->network, address);
    remote->backoff_ms = SIM_BACKOFF_MIN;
    remote->timer = (struct clock_timer){.fire = sim_remote_fired, .owner = remote};
    remote->attempt = (struct sim_event){.fire = sim_remote_attempted, .owner = remote};
    snprintf(remote->address, sizeof remote->address, "%s", address);
    snprintf(remote->reason, sizeof remote->reason, "not tried yet");
    struct sim_remote **at = &link->remotes;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = remote;
    clock_timer_start(link->clock, &remote->timer, clock_now_ms(link->clock));
}

static void sim_link_set_peers(struct link *base, const char *const *addresses,
                               size_t count)
{
    struct sim_link *link = sim_link_of(base);
    struct sim_remote **at = &link->remotes;
    while (*at != NULL) {
        bool wanted = false;
        for (size_t i = 0; i < count; i++) {
            wanted = wanted || strcmp(addresses[i], (*at)->address) == 0;
        }
        if (wanted) {
            at = &(*at)->next;
        } else {
            struct sim_remote *remote = *at;
            *at = remote->next;
            sim_remote_free(remote);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (sim_link_find(link, addresses[i]) == NULL) {
            sim_link_add(link, addresses[i]);
        }
    }
}

static struct sim_pipe *sim_link_pipe(const struct sim_link *link, uint64_t to)
{
    for (const struct sim_remote *at = link->remotes; at != NULL; at = at->next) {
        if (at->phase == SIM_REMOTE_UP && at->node_id == to) {
            return &at->connection->pipe[0];
        }
    }
    return NULL;
}

static bool sim_link_send(struct link *base, uint64_t to, struct bytes *frame)
{
    struct sim_link *link = sim_link_of(base);
    struct sim_network *network = link->network;
    struct sim_pipe *pipe = link->gone ? NULL : sim_link_pipe(link, to);
    if (pipe == NULL || pipe->bytes + frame->len > LIMIT_PEER_QUEUE_BYTES) {
        return false;
    }
    struct sim_connection *connection = pipe->connection;
    bool lost = sim_random_below(&network->random, 1000) < network->wire.loss_permille;
    sim_network_tell(network, lost ? SIM_FRAME_LOST : SIM_FRAME_SENT,
                     connection->host[0], connection->host[1], frame);
    if (lost) {
        return true;
    }
    struct sim_item *item = mem_zalloc(sizeof *item);
    item->kind = SIM_ITEM_FRAME;
    item->frame = bytes_ref(frame);
    pipe->bytes += frame->len;
    sim_pipe_put(pipe, item, sim_network_latency(network));
    return true;
}

static size_t sim_link_queued_bytes(struct link *base, uint64_t to)
{
    const struct sim_pipe *pipe = sim_link_pipe(sim_link_of(base), to);
    return pipe != NULL ? pipe->bytes : 0;
}

static void sim_link_status(struct link *base, const char *address,
                            struct link_status *out)
{
    const struct sim_remote *remote = sim_link_find(sim_link_of(base), address);
    *out = (struct link_status){0};
    if (remote == NULL) {
        snprintf(out->reason, sizeof out->reason, "is not a peer of this node");
        return;
    }
    out->connected = remote->phase == SIM_REMOTE_UP;
    out->node_id = remote->node_id;
    if (!out->connected) {
        snprintf(out->reason, sizeof out->reason, "%s", remote->reason);
    }
}

/* Leave every connection; the process will not be called any more. */
static void sim_link_leave(struct sim_link *link, enum sim_death death)
{
    struct sim_network *network = link->network;
    if (link->gone) {
        return;
    }
    link->gone = true;
    link->events = NULL;
    network->hosts[link->host].link = NULL;
    network->hosts[link->host].dark = death == SIM_POWER_OFF;
    for (struct sim_connection *at = network->connections; at != NULL; at = at->next) {
        for (unsigned end = 0; end < 2; end++) {
            if (at->end[end] != link) {
                continue;
            }
            uint64_t delay = sim_network_latency(network);
            if (death == SIM_POWER_OFF) {
                delay += sim_random_below(&network->random, SIM_SILENCE_US);
                if (sim_random_chance(&network->random, 50)) {
                    sim_pipe_clear(&at->pipe[end]);
                }
            }
            sim_connection_leave(at, end, delay);
        }
    }
    while (link->remotes != NULL) {
        struct sim_remote *remote = link->remotes;
        link->remotes = remote->next;
        sim_remote_free(remote);
    }
}

static void sim_link_stopped(struct sim_event *event)
{
    struct sim_link *link = event->owner;
    link->stopped(link->stopped_owner);
}

static void sim_link_stop(struct link *base, void (*stopped)(void *owner), void *owner)
{
    struct sim_link *link = sim_link_of(base);
    sim_link_leave(link, SIM_KILLED);
    link->stopped = stopped;
    link->stopped_owner = owner;
    sim_time_queue(link->network->time, &link->stop_event,
                   sim_time_now_us(link->network->time));
}

static const struct link_ops sim_link_ops = {
    .start = sim_link_start,
    .set_self = sim_link_set_self,
    .set_peers = sim_link_set_peers,
    .send = sim_link_send,
    .queued_bytes = sim_link_queued_bytes,
    .status = sim_link_status,
    .stop = sim_link_stop,
};

struct link *sim_link_new(struct sim_network *network, struct clock *clock,
                          const char *address)
{
    struct sim_link *link = mem_zalloc(sizeof *link);
    link->link.ops = &sim_link_ops;
    link->network = network;
    link->clock = clock;
    link->host = sim_network_host(network, address);
    link->stop_event = (struct sim_event){.fire = sim_link_stopped, .owner = link};
    assert(network->hosts[link->host].link == NULL);
    network->hosts[link->host].link = link;
    network->hosts[link->host].dark = false;
    return &link->link;
}

void sim_link_pause(struct link *base, bool paused)
{
    struct sim_link *link = sim_link_of(base);
    link->paused = paused;
    sim_network_kick(link->network);
}

void sim_link_die(struct link *base, enum sim_death death)
{
    struct sim_link *link = sim_link_of(base);
    link->paused = false;
    sim_link_leave(link, death);
}

void sim_link_free(struct link *base)
{
    struct sim_link *link = sim_link_of(base);
    assert(link->gone && link->stop_event.slot == 0);
    if (link->has_self) {
        sim_hello_free(&link->self);
    }
    mem_free(link);
}

void sim_network_free(struct sim_network *network)
{
    struct sim_connection *next = NULL;
    for (struct sim_connection *at = network->connections; at != NULL; at = next) {
        next = at->next;
        assert(at->end[0] == NULL && at->end[1] == NULL);
        sim_pipe_clear(&at->pipe[0]);
        sim_pipe_clear(&at->pipe[1]);
        mem_free(at);
    }
    for (size_t i = 0; i < network->host_count; i++) {
        mem_free(network->hosts[i].address);
    }
    mem_free(network);
}
