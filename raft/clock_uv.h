/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of a living node: libuv's loop, the kernel's time and random numbers. */
#ifndef RAFT_CLOCK_UV_H
#define RAFT_CLOCK_UV_H

#include "raft/clock.h"

struct uv_loop_s; /* uv_loop_t, named so to keep <uv.h> out of the core */

struct clock *clock_uv_new(struct uv_loop_s *loop);

/* `closed` (NULL is fine) runs later on the loop, when nothing of the clock is left in
 * it. No timer and no deferred task may be pending. */
void clock_uv_close(struct clock *clock, void (*closed)(void *owner), void *owner);

#endif
