/* SPDX-License-Identifier: Apache-2.0 */
/* What a message must satisfy before it enters libraft's engine and after it leaves it.
 *
 * The engine is sound only behind these rules: each closes a hole that was measured in
 * libraft 0.22 (raft/README.md, "Why the rules"). Pure: a view of the node and a
 * message in, a verdict and a corrected message out. What is not about messages (rules
 * 3, 4, 6, 8, 11, 13) stands in raft/engine.c under the same names. */
#ifndef RAFT_RULES_H
#define RAFT_RULES_H

#include <raft.h>

#include <stdbool.h>
#include <stdint.h>

#include "raft/message.h"

/* Bits, so that a test can switch one off and show what then breaks. */
enum rule {
    RULE_ECHO_TERM = 1 << 0,      /* 1: a result of an older request proves nothing */
    RULE_LATE_REJECTION = 1 << 1, /* 1b: a rejection below what matched is late */
    RULE_CHANGE_FIRST = 1 << 2,   /* 2: a configuration is the first entry it sees */
    RULE_CONFIGURATION_NOW = 1 << 3, /* 3: a committed one is told at once */
    RULE_CHANGE_ALONE = 1 << 4,  /* 4: and submitted alone, synced before it is sent */
    RULE_TRIM = 1 << 5,          /* 5: what is committed is not appended again */
    RULE_CAP_WRITES = 1 << 6,    /* 6: a truncated write reports only what is left */
    RULE_LEADER_TICK = 1 << 7,   /* 8: a leader beats every heartbeat */
    RULE_PRE_VOTE_TERM = 1 << 8, /* 9: a refused pre-vote tells the higher term */
    RULE_SILENCE = 1 << 9,       /* 10: a silent leader does not stop a vote */
    RULE_OUTSIDER_VOTES = 1 << 10, /* 10: who is no voter in its own log votes too */
    RULE_SOLE_VOTER = 1 << 11,     /* 11: a sole voter leads only in a new term */
    RULE_BARRIER = 1 << 12,        /* 13: a new leader proves its term */
    RULE_CANDIDATE = 1 << 13,      /* 18: only a candidate hears of votes for it */
    RULE_INSTALLING = 1 << 14,     /* 5, 7: who installs a snapshot takes no entries */
};

bool rule_on(enum rule rule);
void rules_switch_off(uint32_t rules); /* for tests; 0 = all on again */

/* The node as the rules see it. */
struct rules_view {
    uint64_t term;
    enum raft_state state;
    uint64_t commit;      /* never goes back */
    uint64_t commit_term; /* of the entry at `commit` */
    uint64_t last;        /* of the own log */
    bool installing;      /* a snapshot; it is this one: */
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    bool voter; /* in the own newest configuration */
    bool sole_voter;
    uint64_t silence_ms; /* since a leader of the own term or a newer one was heard */
    uint64_t election_timeout_ms;
    bool match_known; /* leader: the sender is a member */
    uint64_t match;   /* its match index */
};

enum rules_verdict {
    RULES_FEED,        /* to the engine */
    RULES_FEED_AS_ONE, /* likewise, the engine taking itself for the only voter */
    RULES_DROP,
};

/* Before: may shorten and correct `message` (an append loses the entries that are
 * committed here already). */
enum rules_verdict rules_receive(const struct rules_view *view,
                                 struct message *message);

/* How many of the `count` entries from `entries` on may enter the engine in one step:
 * up to the next configuration, which comes first or not at all (rule 2). 0: an empty
 * append has to come first. `first`: nothing of this append was fed yet. */
size_t rules_part(const struct entry *entries, size_t count, bool first);

/* After: correct a message the engine wants to send. `request_term`: of the request
 * that it answers, if it is a result. */
void rules_send(uint64_t term, uint64_t request_term, struct raft_message *message);

#endif
