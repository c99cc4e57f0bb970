/* SPDX-License-Identifier: Apache-2.0 */
/* A run → JSON, as GET /v1/runs answers:
 *
 * {"id":17,"task":"web","state":"ended","outcome":"failed","purpose":"apply",
 *  "cause":"schedule","stop":null,"node":"n1","node_id":"77","placed":"…","started":"…",
 *  "ended":"…","exit_code":1,"signal":0,"changes":false,"message":"…","lease_ms":4000,
 *  "grace_ms":5000,"tries":3}
 *
 * `outcome`, `ended`, `exit_code`, `signal` and `changes` are null until it has ended,
 * `started` until it has begun, `stop` unless it is, or was, told to stop; `node` is
 * null when no member has that id any more. */
#ifndef JSON_RUN_JSON_H
#define JSON_RUN_JSON_H

#include "base/buf.h"
#include "registry/registry.h"

/* `registry` tells the name of its node. */
void run_json_put(struct buf *out, const struct registry *registry,
                  const struct run *run);

#endif
