/* SPDX-License-Identifier: Apache-2.0 */
/* Which node to ask next, and when: the nodes that the command line names, and the
 * leaders that they name in their answers. Pure: time comes as an argument.
 *
 * Each node has a moment before which it is not asked again; it moves away from now
 * with each failure, and the node whose moment is first is next. So a first round goes
 * through the list in order, and a cluster without a leader is asked ever less often.
 */
#ifndef CLI_NODES_H
#define CLI_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#define NODES_MAX        32 /* named and learned */
#define NODES_REASON_MAX 192

struct nodes_one {
    char address[LIMIT_ADDRESS_BYTES]; /* "host:port" */
    uint64_t due_ms;
    uint64_t pause_ms; /* after the next failure */
    char reason[NODES_REASON_MAX];
};

struct nodes {
    struct nodes_one items[NODES_MAX];
    size_t count;
    size_t preferred; /* asked first if it is due; NODES_MAX: none */
};

/* Read "host:port,http://host:port, …". ERR_INVALID with the part that is wrong. */
int nodes_parse(struct nodes *nodes, const char *list, struct err *err);

/* The node to ask next; it is due at `items[…].due_ms`, which may be in the future. */
size_t nodes_next(const struct nodes *nodes, uint64_t now_ms);

/* It did not do what was asked, for that reason, and is to be left alone for its pause
 * or `retry_after_ms`, whichever is longer. */
void nodes_failed(struct nodes *nodes, size_t node, uint64_t now_ms,
                  uint64_t retry_after_ms, const char *reason);

/* A node said that the leader is at `address` ("host:port"; from outside): that one is
 * preferred from now on. False if it is no address, or there is no room for it. */
bool nodes_leader(struct nodes *nodes, const char *address);

/* Its answer was of use: ask it first from now on. */
void nodes_answered(struct nodes *nodes, size_t node);

/* "n1:1: why; n2:2: why" of all that have failed. */
void nodes_put_reasons(const struct nodes *nodes, struct buf *out);

#endif
