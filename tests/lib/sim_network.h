/* SPDX-License-Identifier: Apache-2.0 */
/* Connections between simulated nodes, over virtual time.
 *
 * A network has hosts, known by address; a host has at most one link, its process. As
 * in life each node dials each of its peers and sends its frames on the connection that
 * it dialled; hellos go both ways. Within one connection order is kept; a connection
 * that was lost may deliver what it had carried late, after frames of the next one.
 *
 * A frame that meets a cut or a stopped process waits, as TCP would repeat it, or is
 * lost with its connection. TCP delivers nothing twice, and raft/peer sends nothing
 * again: a frame that was queued on a lost connection is gone. sim_network_repeat() is
 * harder than life, for the core is to bear it all the same. */
#ifndef LIB_SIM_NETWORK_H
#define LIB_SIM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "raft/link.h"

struct sim_network;

/* How frames travel, from now on. */
struct sim_wire {
    uint64_t latency_min_us;
    uint64_t latency_max_us;
    uint32_t loss_permille;  /* of the frames, silently */
    uint32_t stall_permille; /* of the frames: they, and what follows, come later ... */
    uint64_t stall_us;       /* ... by up to this */
};

struct sim_network *sim_network_new(struct sim_time *time, uint64_t seed);
void sim_network_free(struct sim_network *network); /* every link is freed before */
void sim_network_set_wire(struct sim_network *network, const struct sim_wire *wire);

/* `permille` of the frames that arrive do so again, up to `late_us` later, after frames
 * that were sent behind them, if the same process is still there. */
void sim_network_repeat(struct sim_network *network, uint32_t permille,
                        uint64_t late_us);

/* From now on the network remembers frames by their class (0: not this one): of each
 * class between two nodes the newest ones, and an even choice of all before them. What
 * it remembers can come again at any time, over no connection: after others, after a
 * reconnection, when the receiver has started again or installed a snapshot, in another
 * term; only to the node it was sent to. Nothing in life does that. Draws from `seed`
 * only. */
#define SIM_PAST_CLASSES 16
void sim_network_remember(struct sim_network *network, uint64_t seed,
                          unsigned (*class_of)(const struct bytes *frame));
/* One of the past comes up to `late_us` after `permille` of the frames that arrive, and
 * some when two nodes meet again. The network remembers. */
void sim_network_recall_often(struct sim_network *network, uint32_t permille,
                              uint64_t late_us);
/* All of that class comes again to the node at `address` now, one after the other. How
 * many these are. */
size_t sim_network_recall(struct sim_network *network, const char *address,
                          unsigned class);

/* Nothing passes from one address to the other, one way, while it is cut. */
void sim_network_cut(struct sim_network *network, const char *from, const char *to,
                     bool cut);
void sim_network_heal(struct sim_network *network); /* no cuts at all */
/* Connections between the two are lost; both processes live and dial again. */
void sim_network_break(struct sim_network *network, const char *a, const char *b);

enum sim_frame_fate {
    SIM_FRAME_SENT,
    SIM_FRAME_LOST, /* on the wire, with its connection, or its receiver is gone */
    SIM_FRAME_DELIVERED,
};
struct sim_network_watch {
    void (*frame)(void *ctx, enum sim_frame_fate fate, const char *from, const char *to,
                  const struct bytes *frame);
    void *ctx;
};
void sim_network_observe(struct sim_network *network,
                         const struct sim_network_watch *watch);

/* The process at `address`; nobody else's may be there. It listens from ops->start().
 */
struct link *sim_link_new(struct sim_network *network, struct clock *clock,
                          const char *address);
/* SIGSTOP: what arrives waits; connections stay. */
void sim_link_pause(struct link *link, bool paused);

enum sim_death {
    SIM_KILLED,    /* the kernel closes its connections; dialling is refused */
    SIM_POWER_OFF, /* nobody is told; dialling is not answered until it is back */
};
/* The process is gone: no event any more, what it sends is dropped. ops->stop() still
 * calls back, so that its owner can be taken apart in the ordinary way. */
void sim_link_die(struct link *link, enum sim_death death);
void sim_link_free(struct link *link); /* stopped or dead */

#endif
