/* SPDX-License-Identifier: Apache-2.0 */
/* Small questions between nodes: a guest of one node asks the same guest of another
 * (a piece of a run's log), and knows what the bytes mean; raft/ does not.
 *
 * A question changes nothing, so it may be lost, and is then asked again by whoever
 * wants to know. It is asked once here, and has one answer or none in time. */
#ifndef RAFT_REQUEST_H
#define RAFT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct node;

/* What is asked about; part of the format (raft/README.md, "Small questions"). */
enum request_kind {
    REQUEST_RUN_LOG = 1,
};
#define REQUEST_KINDS 2

#define REQUEST_BYTES_MAX        4096
#define REQUEST_ANSWER_BYTES_MAX (1024 * 1024)
#define REQUEST_DEADLINE_MS      5000

/* `err->code` 0: `data` is the answer, borrowed for the call. ERR_UNAVAILABLE: that
 * node is not to be reached, does not answer in time, or has nobody who knows. What
 * else it refused with is its guest's. */
typedef void (*request_cb)(void *owner, const struct err *err, const uint8_t *data,
                           size_t len);

/* Ask node `peer`, another one. 0: `done` is called exactly once, later, at the node's
 * stop at the latest. ERR_UNAVAILABLE: it is not connected; `done` is not called. */
int node_ask(struct node *node, uint64_t peer, enum request_kind kind,
             const void *question, size_t len, request_cb done, void *owner,
             struct err *err);

/* Who asks; a value, kept until the answer. */
struct request_asker {
    uint64_t node;
    uint64_t session;
    uint64_t number;
};

/* Who answers one kind of questions: later or at once, with node_answer(); or never. */
struct request_handler {
    void (*asked)(void *owner, const struct request_asker *asker, const uint8_t *data,
                  size_t len);
    void *owner;
};

/* From now on; NULL: nobody. Borrowed. */
void node_answers(struct node *node, enum request_kind kind,
                  const struct request_handler *handler);

/* `code` 0 with the answer, or a refusal with its text. Dropped if who asked is not
 * there any more. */
void node_answer(struct node *node, const struct request_asker *asker,
                 enum err_code code, const void *data, size_t len);

#endif
