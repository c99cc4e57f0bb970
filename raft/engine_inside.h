/* SPDX-License-Identifier: Apache-2.0 */
/* What engine.c and engine_intake.c share: the engine as it is, and the one step. */
#ifndef RAFT_ENGINE_INSIDE_H
#define RAFT_ENGINE_INSIDE_H

#include <raft.h>

#include "raft/contact.h"
#include "raft/engine.h"
#include "raft/outbox.h"

/* What results say of this node's disk in libraft's field `capacity`. */
enum engine_room { ENGINE_ROOM_NONE = 1, ENGINE_ROOM_SOME = 2 };

enum engine_phase {
    ENGINE_RENEWING, /* the engine is closed; a sole voter's new term goes to disk */
    ENGINE_RUNNING,
    ENGINE_STOPPED,
};

/* What goes into one step. */
struct engine_input {
    struct raft_event event;
    const struct entry
        *source; /* where the event's entries are, from source_first on */
    uint64_t source_first;
    uint64_t request_term; /* of the append that is being answered; 0 = our own term */
    const struct raft_configuration *restore; /* rule 10: replaced for this step */
    bool took_entries;                        /* out: they are in our log now */
};

struct engine {
    struct raft raft;
    bool raft_open;
    struct engine_options options;
    char *address;
    enum engine_phase phase;
    enum engine_role role;
    uint64_t leader;

    struct entry_log log;
    struct snapshot_meta snapshot; /* index 0 = none */
    bool installing;               /* a leader's; `snapshot` is that one already */
    struct raft_snapshot_metadata incoming; /* as the engine wants it back */
    uint64_t commit;                        /* never goes back */
    uint64_t applied;
    uint64_t configuration_fed; /* memberships up to here are told (rule 3) */
    uint64_t stored;            /* reported durable */
    struct outbox outbox; /* term and vote are its: they stand as they go to disk */

    struct clock_timer timer;
    uint64_t tick_due_ms; /* leader (rule 8) */
    bool abstains;        /* engine_abstain() */

    struct contact contact;
};

uint64_t engine_now(const struct engine *engine);

/* The term of the entry at `index`, in the log or the last of the snapshot; 0: not
 * known. */
uint64_t engine_term_at(const struct engine *engine, uint64_t index);

/* Feed one event and carry out what the engine answers. Returns libraft's code, which a
 * caller may be told of a SUBMIT; with every other event an error ends the node. */
int engine_step(struct engine *engine, struct engine_input *input);

/* --- engine_snapshot.c */
struct raft_snapshot_metadata engine_metadata(const struct snapshot_meta *meta);
void engine_take_snapshot(struct engine *engine, const struct raft_update *update);

/* Is this node the only voter of its newest membership? */
bool engine_sole_voter(const struct engine *engine);

#endif
