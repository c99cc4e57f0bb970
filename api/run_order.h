/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that clients ask for: what POST /tasks/:name/run and ?run=now have in common.
 *
 * Where a run goes is chosen here; whether there may be one is decided in apply. What
 * this node would refuse by what it knows is put as a question first, which apply
 * answers and which changes nothing: this node may have been replaced as leader. */
#ifndef API_RUN_ORDER_H
#define API_RUN_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/call.h"
#include "registry/run.h"

#define RUN_ORDER_TRIES 5 /* of what others change meanwhile */

/* Propose a run of the call's task, of that revision (0: any). Answered if nobody can
 * carry it out (409). */
void run_order(struct call *call, uint64_t revision, enum run_purpose purpose,
               call_outcome_cb decided);

/* Propose a trial of a task that is not there. Likewise. */
void run_order_trial(struct call *call, const struct task_draft *draft,
                     enum run_purpose purpose, call_outcome_cb decided);

/* Propose a change of the call's task with a run of it (COMMAND_RUN_PUT, _ENABLE): all
 * but the node, the lease and the grace are set. Likewise; a change that certainly
 * disables the task needs nobody to carry it out. */
void run_order_change(struct call *call, struct command *command,
                      call_outcome_cb decided);
/* Answer 503: the member that was chosen has left since. */
void run_order_left(struct call *call);

/* Ask what stands: `decided` gets ERR_NOT_FOUND, there is no such task, or
 * ERR_PRECONDITION, and the revision and the live run of the task. */
void run_order_ask(struct call *call, call_outcome_cb decided);

/* A request with the call's key came before, as far as this node knows: then apply is
 * to say what became of it, and nothing else is to happen. */
bool run_order_known(const struct call *call);

/* The call's task as this node has it, or NULL. Borrowed. */
const struct task *run_order_task(const struct call *call);

/* Its token allows runs as well; false: answered. For what is a write and more. */
bool run_order_allowed(struct call *call);

#endif
