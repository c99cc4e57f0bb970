/* SPDX-License-Identifier: Apache-2.0 */
/* Writes handed on: door 1 of a node that does not lead gives a write to the leader
 * over the peer link, and its owner the leader's outcome. What forward.c and node.c
 * share.
 *
 * One invariant: a write is on its way at most once. Door 1 hands it on again only when
 * it certainly never happened (raft/propose.c). */
#ifndef RAFT_FORWARD_H
#define RAFT_FORWARD_H

#include "raft/node_inside.h"

void forward_start(struct node *node);
/* Answer all that is on its way: ERR_OUTCOME_UNKNOWN. */
void forward_stop(struct node *node);

/* As `hand` of struct propose_relay; `owner` is the node. */
int forward_hand(void *owner, const uint8_t *command, size_t len, propose_cb done,
                 void *done_owner);

/* A frame of FRAME_WRITE or FRAME_WRITE_OUTCOME. ERR_CORRUPT: dropped. */
int forward_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                  struct err *err);
/* Node `id` is of this session now: what another one was given is lost. 0: no link to
 * it is left, which is the same. */
void forward_met(struct node *node, uint64_t id, uint64_t session);
/* More is applied: whose outcome waited for that is told. */
void forward_applied(struct node *node);

#endif
