/* SPDX-License-Identifier: Apache-2.0 */
/* What forming.c and forming_words.c share: the machine as it is. */
#ifndef RAFT_FORMING_INSIDE_H
#define RAFT_FORMING_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "raft/forming.h"
#include "raft/forming_view.h"

enum forming_state {
    FORMING_WAITING,
    FORMING_PLEDGING,
    FORMING_PLEDGED,
    FORMING_WITHDRAWING,
    FORMING_DROPPING,
    FORMING_FOUNDING,
    FORMING_JOINING,
    FORMING_FOUNDED,
    FORMING_FAILED,
};

struct forming {
    struct disk *disk;
    struct clock *clock;
    struct link *link;
    struct identity *identity;
    char *version;
    uint32_t level;
    uint64_t session;
    uint64_t segment_bytes;
    int (*store_create)(const struct store_options *options, uint64_t term,
                        const struct entry *first_entry, struct err *err);
    void *owner;
    void (*formed)(void *owner, const struct charter *charter);
    void (*failed)(void *owner, const struct err *err);

    enum forming_state state;
    struct forming_view view;
    uint64_t serial;        /* of our last frame */
    uint64_t token;         /* of our question, while WITHDRAWING */
    struct buf words;       /* forming_trouble() */
    char *refusal;          /* of a cluster that exists; NULL: none heard */
    char *leader;           /* of that cluster, beside the configured peers; or NULL */
    uint64_t introduced_ms; /* when it said its hello last */
    struct clock_timer tick;
    struct clock_task turn; /* the first step; the end */

    /* One save at a time; while it runs, these belong to the pool. */
    struct disk_job job;
    bool saving;
    struct identity next; /* what the identity becomes */
    struct bytes *first_payload;
    int save_code;
    struct err save_err;

    bool stopping;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

#endif
