/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's keeper of the membership, part of struct node: who comes in, who leaves,
 * who votes, and the rows that describe them. What node.c, keeper.c, keeper_talk.c and
 * node_change.c share. */
#ifndef RAFT_KEEPER_H
#define RAFT_KEEPER_H

#include "raft/keeper_wire.h"
#include "raft/node_inside.h"

/* The node became a member; or it stops: what an operator waits for is answered. */
void keeper_start(struct node *node);
void keeper_stop(struct node *node);

/* Do what is due; cheap when nothing is. */
void keeper_look(struct node *node);
/* keeper_look() is wanted: something was heard or decided, or is being waited for. */
bool keeper_due(const struct node *node);
/* Writes are to be held: a standby gets the end of the log. */
bool keeper_holds(const struct node *node);
/* Look again after so many milliseconds, in a turn of its own. */
void keeper_arm(struct node *node, uint64_t after_ms);

/* Answer what an operator asked for, if anything. */
void keeper_answer(struct node *node, enum err_code code, const char *text);

/* A leader that knows all there is. */
bool keeper_settled(const struct node *node);
/* What a member is called: by its own word, else by its row; "" if not known. */
const char *keeper_name(struct node *node, uint64_t id);
/* Does it belong to no cluster, and can it be reached and named? */
bool keeper_is_blank(const struct acquaintance *other);
/* What there is to see; `members` is the memory of the addresses. */
void keeper_see(struct node *node, struct membership *members,
                struct roster_view *view);
/* The voter best suited to lead next: heard, with room, with most of the log; 0: none.
 */
uint64_t keeper_successor(struct node *node);

/* --- keeper_level.c */
uint32_t keeper_level(const struct node *node); /* the cluster's feature level */
/* As a settled leader: raise it if every member is known to know more. */
void keeper_raise_level(struct node *node);
/* A member that knows less than the cluster's level: its word does not count. */
bool keeper_outdated(const struct node *node, const struct acquaintance *other);
/* For whoever knows `level`: why it is not listened to. */
void keeper_explain_outdated(const struct node *node, uint32_t level, char *out,
                             size_t size);

/* --- keeper_removed.c */
/* Does it say that it belongs to this cluster, and is none of `members`? */
bool keeper_is_outsider(const struct node *node, const struct membership *members,
                        const struct acquaintance *other);
/* As a settled leader with no change under way: tell outsiders that they were removed.
 */
void keeper_tell_removed(struct node *node, const struct membership *members);
/* FRAME_REMOVED, FRAME_NO_MEMBER: this node leaves if it is true. */
void keeper_called_removed(struct node *node, const struct keeper_message *message);

/* --- keeper_talk.c */
void keeper_send(struct node *node, uint64_t to, const struct keeper_message *message);
/* Tell who is let in, has to wait or was removed, and who acknowledged how much. */
void keeper_tell(struct node *node);
/* Dial the configured peers, the members, who leads, who wants to become a member, and
 * who was one. */
void keeper_dial(struct node *node);
/* False: the hello is from an old copy of a folder, and was told so. */
bool keeper_hello(struct node *node, const struct hello *hello);
/* A frame of the kinds FRAME_WELCOME…; ERR_CORRUPT: dropped, for the reason given. */
int keeper_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                 struct err *err);

#endif
