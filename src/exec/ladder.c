/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/ladder.h"

#include <signal.h>

void ladder_begin(struct ladder *ladder, uint64_t begun_ms, uint32_t grace_ms)
{
    if (!ladder_begun(ladder)) {
        *ladder = (struct ladder){
            .begun_ms = begun_ms > 0 ? begun_ms : 1,
            .grace_ms = grace_ms,
        };
    }
}

bool ladder_begun(const struct ladder *ladder)
{
    return ladder->begun_ms > 0;
}

static uint64_t term_ms(const struct ladder *ladder)
{
    return ladder->begun_ms + ladder->grace_ms / 2;
}

/* The rest is for those that die slowly, and for the word of it to be out in time. */
static uint64_t kill_ms(const struct ladder *ladder)
{
    return ladder->begun_ms + (uint64_t)ladder->grace_ms * 9 / 10;
}

int ladder_step(struct ladder *ladder, uint64_t now_ms)
{
    if (now_ms < ladder_next_ms(ladder)) {
        return 0;
    }
    int signal = SIGINT;
    if (now_ms >= kill_ms(ladder)) {
        signal = SIGKILL;
    } else if (now_ms >= term_ms(ladder)) {
        signal = SIGTERM;
    }
    ladder->sent = signal;
    ladder->sent_ms = now_ms;
    return signal;
}

uint64_t ladder_next_ms(const struct ladder *ladder)
{
    if (!ladder_begun(ladder)) {
        return UINT64_MAX;
    }
    switch (ladder->sent) {
    case 0:
        return ladder->begun_ms;
    case SIGINT:
        return term_ms(ladder);
    case SIGTERM:
        return kill_ms(ladder);
    default:
        return ladder->sent_ms + LADDER_AGAIN_MS;
    }
}
