/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of runs whose end is known: kept for their logs, within bytes, age and
 * count; the oldest go first. */
#ifndef EXEC_KEEP_H
#define EXEC_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/exec.h"
#include "exec/place.h"

struct keep;

struct keep *keep_new(struct uv_loop_s *loop, const struct place *place,
                      const struct exec_keep *limits);
/* What place_scan() found; takes the array. */
void keep_load(struct keep *keep, struct place_kept *kept, size_t count);
/* Its end is known now. */
void keep_add(struct keep *keep, uint64_t run);
/* Let go what has become too old. */
void keep_trim(struct keep *keep);
/* Frees it, when nothing is under way any more; then `closed` runs. */
void keep_close(struct keep *keep, void (*closed)(void *ctx), void *ctx);

#endif
