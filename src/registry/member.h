/* SPDX-License-Identifier: Apache-2.0 */
/* A member row: what the cluster knows of a node beside its place in the Raft
 * configuration (which alone says who is a member). Immutable and shared. */
#ifndef REGISTRY_MEMBER_H
#define REGISTRY_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Bits of member_duty's `drivers`; part of the format. */
#define MEMBER_DRIVER_EXEC     1u
#define MEMBER_DRIVERS_KNOWN   MEMBER_DRIVER_EXEC
#define MEMBER_DRIVERS_DEFAULT MEMBER_DRIVER_EXEC /* of one that says nothing */

/* What a member is there for; outlives the changes of its row. */
struct member_duty {
    bool draining;     /* it is to lead only if no other can, and gets no new runs */
    uint64_t drain_ms; /* since when, on the replicated clock. 0: it does not drain, or
                          that is not known: it began below feature level 3 */
    uint32_t drivers;  /* that it carries runs out with */
};

struct member {
    uint32_t refs;
    uint64_t id;    /* the node's Raft id */
    uint32_t level; /* highest feature level it knows */
    struct member_duty duty;
    uint64_t revision;   /* sequence of its last change */
    const char *name;    /* all strings inside this allocation */
    const char *address; /* its API as clients reach it, "10.0.0.1:8558"; may be "" */
    const char *peer_address;
    const char *version; /* of muster */
};

struct member_draft {
    uint64_t id;
    uint32_t level;
    const char *name;
    const char *address;
    const char *peer_address;
    const char *version;
};

#define MEMBER_TEXT_BYTES_MAX 1024 /* of each text; part of the format */

/* Can the registry keep it? An id that is not 0, texts that are not too long. */
bool member_draft_sound(const struct member_draft *draft);

/* Copies the texts; the draft is sound. One reference, the caller's. */
struct member *member_new(const struct member_draft *draft,
                          const struct member_duty *duty, uint64_t revision);
struct member *member_ref(struct member *member);
void member_unref(struct member *member);

#endif
