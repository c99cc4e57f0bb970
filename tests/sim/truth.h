/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of a cluster: the one log that its nodes apply, a replica of our own
 * that applies it too, and what clients were told.
 *
 * One invariant: an entry of the log, once some node applied it, is that entry for ever
 * and for everybody. All else follows by looking things up in it. Every function that
 * checks returns NULL, or a sentence that says what is broken (valid until the next
 * call). */
#ifndef SIM_TRUTH_H
#define SIM_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_clock.h"
#include "raft/entry_log.h"
#include "raft/propose.h"

struct truth;

struct truth *truth_new(const struct sim_time *time);
void truth_free(struct truth *truth);

/* --- what nodes do --- */
/* A node applied `entry` at `index`. */
const char *truth_applied(struct truth *truth, uint64_t index,
                          const struct entry *entry);
/* A node that has applied up to `index` has this state. */
const char *truth_state(struct truth *truth, uint64_t index,
                        const struct registry *registry);
/* The life number `life` of node `slot` leads in `term`. */
const char *truth_leads(struct truth *truth, uint64_t term, size_t slot, uint32_t life);
/* Somebody belongs to the cluster `cluster_id`. */
const char *truth_cluster(struct truth *truth, uint64_t cluster_id);
uint64_t truth_last(const struct truth *truth); /* highest index anybody applied */
uint64_t truth_term(const struct truth *truth, uint64_t index); /* of that entry */
uint64_t truth_elections(const struct truth *truth);

/* --- what clients do --- */
/* A new write; its number stands in the command's request id, "op<number>". */
uint64_t truth_submitted(struct truth *truth);
void truth_forget_last(struct truth *truth); /* it was refused at the door */
/* Its outcome, the first and only one. To be checked when the nodes were looked at. */
const char *truth_decided(struct truth *truth, uint64_t op,
                          const struct outcome *outcome);
/* Check the outcomes since the last call against the log. */
const char *truth_check_outcomes(struct truth *truth);
/* At the end: is every write decided? */
const char *truth_all_decided(const struct truth *truth);
/* The sequence that a write made, if it is applied and changed anything; 0: none. */
uint64_t truth_place(const struct truth *truth, uint64_t op);
bool truth_acknowledged_since(const struct truth *truth, uint64_t op);
uint64_t truth_op_count(const struct truth *truth);

struct truth_totals {
    uint64_t acknowledged;
    uint64_t never;
    uint64_t unknown;
};
struct truth_totals truth_totals(const struct truth *truth);

#endif
