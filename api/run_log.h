/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has printed, from wherever it is kept: this node, or the one that carries
 * the run out. */
#ifndef API_RUN_LOG_H
#define API_RUN_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "api/call.h"
#include "base/buf.h"
#include "registry/run.h"

#define RUN_LOG_PLAN_BYTES (1024 * 1024)

typedef void (*run_log_cb)(struct call *call, const struct buf *text);

/* Gather the log of an ended run, at most RUN_LOG_PLAN_BYTES of it, and say in it where
 * something is left out. If it cannot be had, a sentence in its place says why. The
 * call is held meanwhile. */
void run_log_gather(struct call *call, const struct run *run, run_log_cb done);

/* A line that says that so much is missing. */
void run_log_put_gap(struct buf *out, uint64_t bytes);

/* The api stops: what is followed ends (api/muster/run_log_get.c). */
void run_logs_stop(struct api *api);

#endif
