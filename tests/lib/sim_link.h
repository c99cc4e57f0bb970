/* SPDX-License-Identifier: Apache-2.0 */
/* A network in memory: links of nodes that lose, delay and cut, from one seed.
 *
 * As with TCP, each node dials the others; a connection carries frames in order; a lost
 * connection takes what was under way with it. A dead node refuses at once, a cut one
 * is silent. Nothing is delivered but through the world's time. */
#ifndef LIB_SIM_LINK_H
#define LIB_SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "raft/link.h"

#define SIM_NET_MAX 8

struct sim_net;

struct sim_net *sim_net_new(struct sim_time *time, uint64_t seed);
void sim_net_free(struct sim_net *net); /* every link is stopped or cut off */

/* Faults from now on: parts of a thousand of frames that are lost, or delayed by up to
 * `slow_us` more than the ordinary latency of 0.2 to 2 ms. */
void sim_net_faults(struct sim_net *net, uint32_t loss, uint32_t slow,
                    uint64_t slow_us);
/* Frames from `a` to `b` are lost, connections between them do not come about. */
void sim_net_cut(struct sim_net *net, size_t a, size_t b, bool cut);
void sim_net_heal(struct sim_net *net); /* no cuts, no faults */
/* The connections between them break; both notice. */
void sim_net_break(struct sim_net *net, size_t a, size_t b);

/* The link of the node in `slot`, reached at `address`. Owned by the net. */
struct link *sim_net_attach(struct sim_net *net, size_t slot, const char *address);
/* The node's process is dead: its connections close, dialling it is refused. */
void sim_net_kill(struct sim_net *net, size_t slot);
/* Frames to it wait (SIGSTOP); the others see silence. */
void sim_net_pause(struct sim_net *net, size_t slot, bool paused);

#endif
