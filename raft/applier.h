/* SPDX-License-Identifier: Apache-2.0 */
/* Applies what the engine has committed, in order, each entry once, a few milliseconds
 * a turn, and lets door 1 decide who waited for it. */
#ifndef RAFT_APPLIER_H
#define RAFT_APPLIER_H

#include <stdint.h>

#include "raft/clock.h"
#include "raft/digest_watch.h"
#include "raft/engine.h"
#include "raft/fsm.h"
#include "raft/propose.h"

struct applier {
    struct clock *clock;
    struct engine *engine;
    struct fsm *fsm;
    struct propose *propose;
    uint64_t applied; /* Raft index */
    struct result *results;
    struct digest_watch *digests; /* notes the state at some indexes; may be NULL */
    struct clock_timer more;
    void *owner;
    void (*progressed)(void *owner); /* something was applied in this turn */
    void (*failed)(void *owner, const struct err *err); /* an entry cannot be decoded */
};

/* Fills the fields it owns; the caller has set clock, fsm, propose, the callbacks and
 * owner, and sets `engine` when there is one. */
void applier_init(struct applier *applier);
void applier_close(struct applier *applier);

/* Apply what is committed now, or as much as one turn allows. */
void applier_run(struct applier *applier);

#endif
