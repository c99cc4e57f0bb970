/* SPDX-License-Identifier: Apache-2.0 */
/* A connection is an entry of a matrix: from who dialled to who was dialled. Its number
 * (`epoch`) changes when it breaks: a delivery of an older number is void. */
#include "lib/sim_link.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define DIAL_MIN_US    20000
#define DIAL_MAX_US    120000
#define LATENCY_MIN_US 200
#define LATENCY_MAX_US 2000

struct sim_port {
    struct link link; /* first */
    struct sim_net *net;
    size_t slot;
    bool attached; /* its process lives */
    bool paused;
    bool stopping;
    char address[LIMIT_ADDRESS_BYTES];
    const struct link_events *events;
    void *owner;
    bool introduced;
    struct hello hello;
    char name[LIMIT_NAME_BYTES + 1];
    char peer_address[LIMIT_ADDRESS_BYTES];
    char api_address[LIMIT_ADDRESS_BYTES];
    char version[64];
    char peers[SIM_NET_MAX][LIMIT_ADDRESS_BYTES];
    size_t peer_count;
    struct sim_event dial;
    struct sim_event stop;
    void (*stopped)(void *owner);
    void *stopped_owner;
    uint32_t life; /* grows with each attach */
};

struct sim_wire { /* from who dialled to who was dialled */
    bool up;
    uint32_t epoch;
    uint64_t last_us; /* delivery of the newest frame: order */
    bool was_up;      /* and its loss is not explained yet */
    uint64_t peer_id; /* who was at the other end */
};

enum sim_parcel_kind { PARCEL_FRAME, PARCEL_HELLO, PARCEL_DOWN, PARCEL_REFUSED };

struct sim_parcel {
    struct sim_event event;
    struct sim_parcel *next;
    struct sim_parcel **slot;
    struct sim_net *net;
    enum sim_parcel_kind kind;
    size_t from; /* who dialled, for FRAME; who introduces itself, for HELLO */
    size_t to;
    uint32_t epoch;   /* of the wire, for FRAME */
    uint32_t to_life; /* of the receiver */
    uint64_t id;      /* of the sender */
    struct bytes *frame;
};

struct sim_net {
    struct sim_time *time;
    struct sim_random random;
    uint32_t loss;
    uint32_t slow;
    uint64_t slow_us;
    bool cut[SIM_NET_MAX][SIM_NET_MAX];
    struct sim_wire wires[SIM_NET_MAX][SIM_NET_MAX];
    struct sim_port *ports[SIM_NET_MAX];
    struct sim_parcel *parcels;
};

/* --- parcels
 * ------------------------------------------------------------------------------ */

static void parcel_free(struct sim_parcel *parcel)
{
    *parcel->slot = parcel->next;
    if (parcel->next != NULL) {
        parcel->next->slot = parcel->slot;
    }
    bytes_unref(parcel->frame);
    mem_free(parcel);
}

/* Does `to` still keep an eye on us, in the life it had when this was sent? */
static bool parcel_arrives(const struct sim_parcel *parcel)
{
    const struct sim_port *to = parcel->net->ports[parcel->to];
    return to->attached && !to->stopping && to->events != NULL &&
           to->life == parcel->to_life;
}

static void parcel_deliver(struct sim_event *event)
{
    struct sim_parcel *parcel = event->owner;
    struct sim_net *net = parcel->net;
    struct sim_port *to = net->ports[parcel->to];
    if (to->paused && to->attached) { /* it waits in the receiver's kernel */
        sim_time_queue(net->time, event, sim_time_now_us(net->time) + 1000);
        return;
    }
    if (!parcel_arrives(parcel)) {
        parcel_free(parcel);
        return;
    }
    struct sim_wire *wire = &net->wires[parcel->from][parcel->to];
    switch (parcel->kind) {
    case PARCEL_FRAME:
        if (wire->epoch == parcel->epoch && wire->up) {
            to->events->frame(to->owner, parcel->id, parcel->frame->data,
                              parcel->frame->len);
        }
        break;
    case PARCEL_HELLO:
        if (net->ports[parcel->from]->attached &&
            net->ports[parcel->from]->introduced) {
            to->events->hello(to->owner, &net->ports[parcel->from]->hello);
        }
        break;
    case PARCEL_DOWN:
        to->events->down(to->owner, parcel->id, false);
        break;
    case PARCEL_REFUSED:
        to->events->down(to->owner, parcel->id, true);
        break;
    }
    parcel_free(parcel);
}

static uint64_t net_latency(struct sim_net *net)
{
    uint64_t us = LATENCY_MIN_US +
                  sim_random_below(&net->random, LATENCY_MAX_US - LATENCY_MIN_US);
    if (sim_random_below(&net->random, 1000) < net->slow) {
        us += sim_random_below(&net->random, net->slow_us + 1);
    }
    return us;
}

static struct sim_parcel *net_post(struct sim_net *net, enum sim_parcel_kind kind,
                                   size_t from, size_t to, uint64_t id, uint64_t due_us)
{
    struct sim_parcel *parcel = mem_zalloc(sizeof *parcel);
    parcel->event = (struct sim_event){.fire = parcel_deliver, .owner = parcel};
    parcel->net = net;
    parcel->kind = kind;
    parcel->from = from;
    parcel->to = to;
    parcel->epoch = net->wires[from][to].epoch;
    parcel->to_life = net->ports[to]->life;
    parcel->id = id;
    parcel->next = net->parcels;
    parcel->slot = &net->parcels;
    if (parcel->next != NULL) {
        parcel->next->slot = &parcel->next;
    }
    net->parcels = parcel;
    sim_time_queue(net->time, &parcel->event, due_us);
    return parcel;
}

/* --- connections
 * ----------------------------------------------------------------------------- */

static void net_wire_break(struct sim_net *net, size_t from, size_t to, bool tell)
{
    struct sim_wire *wire = &net->wires[from][to];
    if (!wire->up) {
        return;
    }
    wire->up = false;
    wire->epoch++;
    struct sim_port *dialler = net->ports[from];
    if (tell && dialler->attached) {
        /* at once: a link tells of the end before it tells of a new beginning */
        net_post(net, PARCEL_DOWN, to, from, wire->peer_id, sim_time_now_us(net->time));
    }
}

static void net_introduce(struct sim_net *net, size_t from, size_t to)
{
    net_post(net, PARCEL_HELLO, from, to, 0,
             sim_time_now_us(net->time) + net_latency(net));
}

/* Two of different clusters do not stay connected. */
static bool net_strangers(const struct sim_port *a, const struct sim_port *b)
{
    return a->hello.cluster_id != 0 && b->hello.cluster_id != 0 &&
           a->hello.cluster_id != b->hello.cluster_id;
}

static void port_dial_one(struct sim_port *port, size_t to)
{
    struct sim_net *net = port->net;
    struct sim_port *other = net->ports[to];
    struct sim_wire *wire = &net->wires[port->slot][to];
    if (wire->up || net->cut[port->slot][to] || net->cut[to][port->slot]) {
        return;
    }
    if (!other->attached) {
        if (wire->was_up) {
            wire->was_up = false;
            net_post(net, PARCEL_REFUSED, to, port->slot, wire->peer_id,
                     sim_time_now_us(net->time));
        }
        return;
    }
    if (other->paused || !other->introduced || net_strangers(port, other)) {
        return;
    }
    wire->up = true;
    wire->was_up = true;
    wire->epoch++;
    wire->peer_id = other->hello.node_id;
    net_introduce(net, port->slot, to);
    net_introduce(net, to, port->slot);
}

static void port_dial(struct sim_event *event)
{
    struct sim_port *port = event->owner;
    struct sim_net *net = port->net;
    if (!port->attached || port->stopping) {
        return;
    }
    for (size_t i = 0; port->introduced && !port->paused && i < port->peer_count; i++) {
        for (size_t to = 0; to < SIM_NET_MAX; to++) {
            if (to != port->slot && net->ports[to] != NULL &&
                strcmp(net->ports[to]->address, port->peers[i]) == 0) {
                port_dial_one(port, to);
            }
        }
    }
    sim_time_queue(net->time, event,
                   sim_time_now_us(net->time) + DIAL_MIN_US +
                       sim_random_below(&net->random, DIAL_MAX_US - DIAL_MIN_US));
}

/* --- struct link
 * ------------------------------------------------------------------------------- */

static struct sim_port *port_of(struct link *link)
{
    return (struct sim_port *)(void *)link;
}

static void port_start(struct link *link, const struct link_events *events, void *owner)
{
    struct sim_port *port = port_of(link);
    port->events = events;
    port->owner = owner;
}

static void port_set_self(struct link *link, const struct hello *self)
{
    struct sim_port *port = port_of(link);
    bool first = !port->introduced;
    snprintf(port->name, sizeof port->name, "%s", self->name);
    snprintf(port->peer_address, sizeof port->peer_address, "%s", self->peer_address);
    snprintf(port->api_address, sizeof port->api_address, "%s", self->api_address);
    snprintf(port->version, sizeof port->version, "%s", self->version);
    port->hello = *self;
    port->hello.name = port->name;
    port->hello.peer_address = port->peer_address;
    port->hello.api_address = port->api_address;
    port->hello.version = port->version;
    port->introduced = true;
    for (size_t to = 0; !first && to < SIM_NET_MAX; to++) {
        if (port->net->wires[port->slot][to].up ||
            port->net->wires[to][port->slot].up) {
            net_introduce(port->net, port->slot, to);
        }
    }
}

static void port_set_peers(struct link *link, const char *const *addresses,
                           size_t count)
{
    struct sim_port *port = port_of(link);
    assert(count <= SIM_NET_MAX);
    port->peer_count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(port->peers[i], sizeof port->peers[i], "%s", addresses[i]);
    }
}

static bool port_send(struct link *link, uint64_t to, struct bytes *frame)
{
    struct sim_port *port = port_of(link);
    struct sim_net *net = port->net;
    if (!port->attached || port->stopping) {
        return false;
    }
    for (size_t slot = 0; slot < SIM_NET_MAX; slot++) {
        struct sim_wire *wire = &net->wires[port->slot][slot];
        if (!wire->up || wire->peer_id != to) {
            continue;
        }
        if (net->cut[port->slot][slot] ||
            sim_random_below(&net->random, 1000) < net->loss) {
            return true; /* lost on the way */
        }
        uint64_t due = sim_time_now_us(net->time) + net_latency(net);
        wire->last_us = due > wire->last_us ? due : wire->last_us;
        struct sim_parcel *parcel = net_post(net, PARCEL_FRAME, port->slot, slot,
                                             port->hello.node_id, wire->last_us);
        parcel->frame = bytes_ref(frame);
        return true;
    }
    return false;
}

static size_t port_queued_bytes(struct link *link, uint64_t to)
{
    (void)link;
    (void)to;
    return 0;
}

static void port_status(struct link *link, const char *address, struct link_status *out)
{
    const struct sim_port *port = port_of(link);
    const struct sim_net *net = port->net;
    *out = (struct link_status){.reason = "unreachable"};
    for (size_t to = 0; to < SIM_NET_MAX; to++) {
        const struct sim_wire *wire = &net->wires[port->slot][to];
        if (to == port->slot || net->ports[to] == NULL ||
            strcmp(net->ports[to]->address, address) != 0) {
            continue;
        }
        out->node_id = wire->peer_id;
        if (wire->up) {
            out->connected = true;
            out->reason[0] = '\0';
        } else if (!net->ports[to]->attached) {
            snprintf(out->reason, sizeof out->reason, "refused");
        }
    }
}

static void port_detach(struct sim_port *port, bool tell)
{
    for (size_t other = 0; other < SIM_NET_MAX; other++) {
        net_wire_break(port->net, port->slot, other, false);
        net_wire_break(port->net, other, port->slot, tell);
    }
    port->attached = false;
    sim_time_cancel(port->net->time, &port->dial);
}

static void port_stopped(struct sim_event *event)
{
    struct sim_port *port = event->owner;
    port->stopped(port->stopped_owner);
}

static void port_stop(struct link *link, void (*stopped)(void *owner), void *owner)
{
    struct sim_port *port = port_of(link);
    port->stopping = true;
    port->events = NULL;
    port->stopped = stopped;
    port->stopped_owner = owner;
    if (port->attached) {
        port_detach(port, true);
    }
    port->stop = (struct sim_event){.fire = port_stopped, .owner = port};
    sim_time_queue(port->net->time, &port->stop, sim_time_now_us(port->net->time));
}

static const struct link_ops port_ops = {
    .start = port_start,
    .set_self = port_set_self,
    .set_peers = port_set_peers,
    .send = port_send,
    .queued_bytes = port_queued_bytes,
    .status = port_status,
    .stop = port_stop,
};

/* --- the net
 * -------------------------------------------------------------------------------------
 */

struct sim_net *sim_net_new(struct sim_time *time, uint64_t seed)
{
    struct sim_net *net = mem_zalloc(sizeof *net);
    net->time = time;
    sim_random_init(&net->random, seed);
    return net;
}

void sim_net_free(struct sim_net *net)
{
    while (net->parcels != NULL) {
        sim_time_cancel(net->time, &net->parcels->event);
        parcel_free(net->parcels);
    }
    for (size_t i = 0; i < SIM_NET_MAX; i++) {
        if (net->ports[i] != NULL) {
            sim_time_cancel(net->time, &net->ports[i]->dial);
            mem_free(net->ports[i]);
        }
    }
    mem_free(net);
}

void sim_net_faults(struct sim_net *net, uint32_t loss, uint32_t slow, uint64_t slow_us)
{
    net->loss = loss;
    net->slow = slow;
    net->slow_us = slow_us;
}

void sim_net_cut(struct sim_net *net, size_t a, size_t b, bool cut)
{
    net->cut[a][b] = cut;
}

void sim_net_heal(struct sim_net *net)
{
    memset(net->cut, 0, sizeof net->cut);
    sim_net_faults(net, 0, 0, 0);
}

void sim_net_break(struct sim_net *net, size_t a, size_t b)
{
    net_wire_break(net, a, b, true);
    net_wire_break(net, b, a, true);
}

struct link *sim_net_attach(struct sim_net *net, size_t slot, const char *address)
{
    struct sim_port *port = net->ports[slot];
    uint32_t life = 1;
    if (port != NULL) {
        assert(!port->attached);
        life = port->life + 1;
    } else {
        port = mem_alloc(sizeof *port);
        net->ports[slot] = port;
    }
    *port = (struct sim_port){
        .link.ops = &port_ops,
        .net = net,
        .slot = slot,
        .attached = true,
        .life = life,
    };
    port->dial = (struct sim_event){.fire = port_dial, .owner = port};
    snprintf(port->address, sizeof port->address, "%s", address);
    sim_time_queue(net->time, &port->dial, sim_time_now_us(net->time) + 1000);
    return &port->link;
}

void sim_net_kill(struct sim_net *net, size_t slot)
{
    if (net->ports[slot]->attached) {
        port_detach(net->ports[slot], true);
    }
}

void sim_net_pause(struct sim_net *net, size_t slot, bool paused)
{
    net->ports[slot]->paused = paused;
}
