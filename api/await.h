/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for a change of the state, filed under what they wait for: a change costs
 * what it wakes, not what waits.
 *
 * Bounded in number; who is woken goes on in turns of AWAIT_TURN, so that a change that
 * wakes a thousand does not hold up the loop; a client that has gone is found within
 * AWAIT_LOOK_MS, for h2o reads nothing from it meanwhile. */
#ifndef API_AWAIT_H
#define API_AWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/registry.h"

struct api;

#define AWAIT_TURN    64
#define AWAIT_LOOK_MS 1000

/* What can change, as an endpoint shows it. */
enum noun {
    NOUN_NONE,
    NOUN_SEQUENCE, /* not a change: that the sequence is at least `index` */
    NOUN_EVENTS,
    NOUN_TASKS,
    NOUN_TASK, /* `name` */
    NOUN_STATUS,
    NOUN_TASK_STATUS, /* `name` */
    NOUN_MEMBERS,
    NOUN_SETTINGS,
    NOUN_RUNS,
    NOUN_RUN, /* `name`: its number */
};
#define NOUN_COUNT (NOUN_RUN + 1)

/* Embedded in its owner, who sets the first part. */
struct await {
    enum noun noun;
    const char *name; /* "" if the noun has none; outlives the wait */
    uint64_t index;
    int fd; /* of the client's connection */
    /* Once, later, in a turn of its own: what it waited for is there, the client has
     * gone, or the api stops. It does not wait any more. */
    void (*woken)(struct await *await);
    void *owner;
    /* await.c's: */
    struct api *api;
    struct await *next;
    struct await **slot; /* NULL: it does not wait */
    bool ready;
};

/* Did the noun change after `index`? True as well when that cannot be told any more, or
 * not without looking at very many events: the answer is then the state as it is. */
bool await_changed(const struct registry *registry, enum noun noun, const char *name,
                   uint64_t index);

/* ERR_BUSY: LIMIT_LONG_POLLS wait; `woken` is not called then. */
int await_start(struct api *api, struct await *await, struct err *err);
void await_cancel(struct await *await); /* `woken` is not called any more */

/* One for an api that serves a node. */
void await_open(struct api *api);
/* Everybody is woken, and the node is not asked any more: it may end before the api. */
void await_stop(struct api *api);
void await_close(struct api *api); /* nobody waits any more */

#endif
