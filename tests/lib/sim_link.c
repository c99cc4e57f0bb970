/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "lib/sim_wires.h"

#define SIM_BACKOFF_MAX 500
#define SIM_DIAL_MS     1000    /* without an answer */
#define SIM_SILENCE_US  5000000 /* at the most, until a dead machine is noticed */

static void sim_remote_fired(struct clock_timer *timer);

static struct sim_link *sim_link_of(struct link *link)
{
    return (struct sim_link *)(void *)link;
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
void sim_remote_lost(struct sim_remote *remote, const char *reason)
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

void sim_remote_dial(struct sim_remote *remote)
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
    sim_past_note(link, connection->host[1], to, frame);
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
    link->process = ++network->processes;
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
