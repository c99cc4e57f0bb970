/* SPDX-License-Identifier: Apache-2.0 */
/* A call that waits for the end of a run (spec/cts.md 1.7, 1.8: run=now answers when
 * the run has ended).
 *
 * It waits at the node that it came to, whoever leads: each node applies the log, and
 * sees run.ended in it. */
#ifndef API_RUN_WAIT_H
#define API_RUN_WAIT_H

#include <stdint.h>

#include "api/call.h"
#include "registry/run.h"

/* `run` is borrowed until the registry changes. */
typedef void (*run_wait_cb)(struct call *call, const struct run *run);

/* Go on with `ended` when the run has, at once if it has already; with `late` if it has
 * not `wait_ms` after the call came, NULL: 504 that names it. Whatever else ends the
 * wait (the run is not kept any more, the node stops) is answered here, with 504 too.
 */
void run_wait_start(struct call *call, uint64_t id, uint64_t wait_ms, run_wait_cb ended,
                    run_wait_cb late);

/* ?wait of a call that may wait for a run, from 0 to LIMIT_WAIT_MS; that is also what
 * *wait_ms becomes if it is not given. False: answered. */
bool run_wait_param(struct call *call, uint64_t *wait_ms);

/* Location: of a run. */
void run_wait_put_location(struct call *call, uint64_t id);

/* Has the client closed its side? What waits reads nothing and would not notice. */
bool call_gone(const struct call *call);

#endif
