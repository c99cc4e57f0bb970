/* SPDX-License-Identifier: Apache-2.0 */
/* What other nodes said of themselves in their hellos, whether they can be reached, and
 * what is remembered of them: a folder that says less than that is an old copy. */
#ifndef RAFT_ACQUAINTANCE_H
#define RAFT_ACQUAINTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "raft/link.h"

#define ACQUAINTANCE_MAX                                                               \
    (2 * LIMIT_MEMBERS) /* members, and who wants to become one                        \
                         */

struct acquaintance {
    uint64_t id; /* 0 = free */
    uint64_t cluster_id;
    uint64_t start_counter; /* the highest one */
    uint64_t session;
    uint64_t pledge;
    uint64_t acked; /* committed entries up to here are durable there, it said ... */
    uint64_t acked_counter; /* ... in that start */
    uint64_t forwarded; /* of this session: the last write it handed on (forward.c) */
    bool stale;         /* what it says is less than what it said: do not listen */
    bool condemned;     /* ... whatever this start says later */
    uint32_t level;
    bool up;
    bool refused; /* its process is dead, as far as TCP can tell */
    uint64_t heard_ms;
    char *name;
    char *peer_address;
    char *api_address;
    char *version;
};

struct acquaintances {
    struct acquaintance rows[ACQUAINTANCE_MAX];
};

void acquaintances_init(struct acquaintances *all);
void acquaintances_close(struct acquaintances *all);

/* Start `counter` of node `id` holds every committed entry up to `index`; never goes
 * back. */
void acquaintances_acked(struct acquaintances *all, uint64_t id, uint64_t counter,
                         uint64_t index);

/* Note a hello; copies it. Who was heard longest ago and is down makes room; if there
 * is none, the hello is forgotten. ERR_CONFLICT: it is from an old copy of that node's
 * folder, `why` says so, and the row is `stale` until a better one comes. */
int acquaintances_hello(struct acquaintances *all, const struct hello *hello,
                        uint64_t now_ms, struct err *why);
void acquaintances_down(struct acquaintances *all, uint64_t id, bool refused);

struct acquaintance *acquaintances_find(struct acquaintances *all,
                                        uint64_t id); /* or NULL */

#endif
