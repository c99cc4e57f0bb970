/* SPDX-License-Identifier: Apache-2.0 */
/* Which refusals were logged of late, so that whoever dials in a loop cannot fill the
 * log: of one address the same words once a minute, other words once a second, and not
 * more than REFUSALS_MAX addresses in five seconds. */
#ifndef RAFT_PEER_REFUSALS_H
#define RAFT_PEER_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

#define REFUSALS_MAX 16

struct refusal {
    char address[LIMIT_ADDRESS_BYTES]; /* "" = free */
    char text[128];
    uint64_t at_ms;
};

struct refusals {
    struct refusal rows[REFUSALS_MAX];
};

/* Whether this one is to be logged now; noted if so. A zeroed struct is empty. */
bool refusals_note(struct refusals *refusals, const char *address, const char *text,
                   uint64_t now_ms);

#endif
