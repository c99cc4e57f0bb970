/* SPDX-License-Identifier: Apache-2.0 */
/* What other nodes said of themselves in their hellos, and whether they can be reached.
 */
#ifndef RAFT_ACQUAINTANCE_H
#define RAFT_ACQUAINTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "raft/link.h"

#define ACQUAINTANCE_MAX                                                               \
    (2 * LIMIT_MEMBERS) /* members, and who wants to become one                        \
                         */

struct acquaintance {
    uint64_t id; /* 0 = free */
    uint64_t cluster_id;
    uint64_t start_counter;
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

/* Note a hello; copies it. Who was heard longest ago and is down makes room. NULL if
 * there is none to make room. */
struct acquaintance *acquaintances_hello(struct acquaintances *all,
                                         const struct hello *hello, uint64_t now_ms);
void acquaintances_down(struct acquaintances *all, uint64_t id, bool refused);

struct acquaintance *acquaintances_find(struct acquaintances *all,
                                        uint64_t id); /* or NULL */

#endif
