/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "lib/sim_wires.h"

#define SIM_LATE_US 2000000 /* frames of a broken connection, at the most */

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

size_t sim_network_host(struct sim_network *network, const char *address)
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

uint64_t sim_network_latency(struct sim_network *network)
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

void sim_network_tell(struct sim_network *network, enum sim_frame_fate fate,
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

struct hello sim_hello_copy(const struct hello *hello)
{
    struct hello copy = *hello;
    copy.name = mem_strdup(hello->name);
    copy.peer_address = mem_strdup(hello->peer_address);
    copy.api_address = mem_strdup(hello->api_address);
    copy.version = mem_strdup(hello->version);
    return copy;
}

void sim_hello_free(struct hello *hello)
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
void sim_pipe_put(struct sim_pipe *pipe, struct sim_item *item, uint64_t delay_us)
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

void sim_pipe_clear(struct sim_pipe *pipe)
{
    while (pipe->first != NULL) {
        sim_pipe_lose(pipe, sim_pipe_pop(pipe));
    }
    pipe->held = false;
    sim_pipe_arm(pipe);
}

void sim_pipe_hello(struct sim_pipe *pipe, const struct hello *hello)
{
    struct sim_item *item = mem_zalloc(sizeof *item);
    item->kind = SIM_ITEM_HELLO;
    item->hello = sim_hello_copy(hello);
    sim_pipe_put(pipe, item, sim_network_latency(pipe->connection->network));
}

/* --- connections
 * ----------------------------------------------------------------------------- */

static void sim_pipe_fired(struct sim_event *event);

struct sim_connection *sim_connection_new(struct sim_remote *remote,
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
void sim_connection_leave(struct sim_connection *connection, unsigned end,
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

static void sim_echo_free(struct sim_echo *echo)
{
    struct sim_echo **at = &echo->network->echoes;
    while (*at != echo) {
        at = &(*at)->next;
    }
    *at = echo->next;
    sim_time_cancel(echo->network->time, &echo->event);
    bytes_unref(echo->frame);
    mem_free(echo);
}

/* One of the past was beyond any cut long ago. */
static bool sim_echo_arrives(const struct sim_echo *echo, const struct sim_link *link)
{
    if (echo->process == 0) {
        return link->has_self && link->self.node_id == echo->to_id;
    }
    return link->process == echo->process && !echo->network->cut[echo->from][echo->to];
}

static void sim_echo_fired(struct sim_event *event)
{
    struct sim_echo *echo = event->owner;
    struct sim_network *network = echo->network;
    struct sim_link *link = network->hosts[echo->to].link;
    if (link != NULL && link->events != NULL && !link->paused &&
        sim_echo_arrives(echo, link)) {
        sim_network_tell(network, SIM_FRAME_DELIVERED, echo->from, echo->to,
                         echo->frame);
        link->events->frame(link->owner, echo->node_id, echo->frame->data,
                            echo->frame->len);
    }
    sim_echo_free(echo);
}

void sim_echo_queue(struct sim_echo *echo, uint64_t delay_us)
{
    struct sim_network *network = echo->network;
    echo->next = network->echoes;
    network->echoes = echo;
    echo->event = (struct sim_event){.fire = sim_echo_fired, .owner = echo};
    sim_time_queue(network->time, &echo->event,
                   sim_time_now_us(network->time) + delay_us);
}

static void sim_pipe_repeat(const struct sim_pipe *pipe, struct bytes *frame)
{
    struct sim_connection *connection = pipe->connection;
    struct sim_network *network = connection->network;
    if (network->repeat_permille == 0 ||
        sim_random_below(&network->random, 1000) >= network->repeat_permille) {
        return;
    }
    struct sim_echo *echo = mem_zalloc(sizeof *echo);
    echo->network = network;
    echo->from = connection->host[pipe->from];
    echo->to = connection->host[1 - pipe->from];
    echo->process = connection->end[1 - pipe->from]->process;
    echo->node_id = connection->node_id[pipe->from];
    echo->frame = bytes_ref(frame);
    sim_echo_queue(echo,
                   sim_random_below(&network->random, network->repeat_late_us + 1));
}

void sim_network_repeat(struct sim_network *network, uint32_t permille,
                        uint64_t late_us)
{
    network->repeat_permille = permille;
    network->repeat_late_us = late_us;
}

static void sim_pipe_deliver(struct sim_pipe *pipe, struct sim_item *item)
{
    struct sim_connection *connection = pipe->connection;
    unsigned end = 1 - pipe->from;
    struct sim_link *link = connection->end[end];
    switch (item->kind) {
    case SIM_ITEM_HELLO:
        sim_link_hello(connection, end, &item->hello);
        sim_past_connected(connection->network, connection->host[pipe->from],
                           connection->host[end]);
        break;
    case SIM_ITEM_FRAME:
        sim_network_tell(connection->network, SIM_FRAME_DELIVERED,
                         connection->host[pipe->from], connection->host[end],
                         item->frame);
        sim_pipe_repeat(pipe, item->frame);
        sim_past_delivered(connection->network, connection->host[end]);
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
void sim_network_kick(struct sim_network *network)
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
    while (network->echoes != NULL) {
        sim_echo_free(network->echoes);
    }
    sim_past_free(network->past);
    for (size_t i = 0; i < network->host_count; i++) {
        mem_free(network->hosts[i].address);
    }
    mem_free(network);
}
