/* SPDX-License-Identifier: Apache-2.0 */
/* How a run is stopped: SIGINT, at half of its grace SIGTERM, at nine tenths SIGKILL,
 * counted from the moment at which it was due, not from when somebody noticed. Whoever
 * wakes late takes the step that is due by then, and past the last one kills at once.
 */
#ifndef EXEC_LADDER_H
#define EXEC_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#define LADDER_AGAIN_MS 20 /* SIGKILL, until nothing is left */

struct ladder {
    uint64_t begun_ms; /* CLOCK_BOOTTIME; 0: not begun */
    uint32_t grace_ms;
    int sent; /* the last signal, or 0 */
    uint64_t sent_ms;
};

/* Begin; one that has begun stays as it is. */
void ladder_begin(struct ladder *ladder, uint64_t begun_ms, uint32_t grace_ms);
bool ladder_begun(const struct ladder *ladder);

/* The signal that is to be sent now and is then taken as sent; 0: none. */
int ladder_step(struct ladder *ladder, uint64_t now_ms);

/* When ladder_step() next has something to say; UINT64_MAX: it has not begun. */
uint64_t ladder_next_ms(const struct ladder *ladder);

#endif
