/* SPDX-License-Identifier: Apache-2.0 */
/* What a node and a supervisor say to each other over the socket of a run's folder;
 * both are of one machine, and may be of two releases. src/exec/README.md has it byte
 * by byte: kind u8, length u32, payload. A kind that is not known is skipped. */
#ifndef EXEC_TALK_H
#define EXEC_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "exec/driver.h"

#define TALK_HEAD_BYTES 5
#define TALK_MAX_BYTES  8192 /* of a payload */

enum talk_kind {
    TALK_FEED = 1,    /* node: u64 deadline; answered with a state */
    TALK_STOP = 2,    /* node: the ladder */
    TALK_BYE = 3,     /* node: the result is known; end even if it is not on disk */
    TALK_STATE = 11,  /* supervisor: on each change, and to each feed */
    TALK_RESULT = 12, /* supervisor: u8 on disk?, then what `result` holds */
};

enum talk_phase {
    TALK_WAITING = 1,  /* for the first or the next try */
    TALK_RUNNING = 2,  /* processes are there */
    TALK_STOPPING = 3, /* the ladder has begun */
    TALK_GONE = 4,     /* no process is left */
};

struct talk_state {
    enum talk_phase phase;
    uint64_t deadline_ms;
    uint64_t started_ms; /* wall; 0: no program has begun */
};

void talk_put_head(struct buf *buf, enum talk_kind kind, uint32_t len);
void talk_put_feed(struct buf *buf, uint64_t deadline_ms);
void talk_put_state(struct buf *buf, const struct talk_state *state);
void talk_put_result(struct buf *buf, bool on_disk, const struct driver_result *result);

/* One whole frame at the beginning of what was received: its length, head included; 0:
 * more must come; negative: nonsense. `payload` is borrowed. */
int talk_frame(const struct buf *received, uint8_t *kind, struct cursor *payload);
bool talk_get_state(struct cursor *payload, struct talk_state *state);
bool talk_get_result(struct cursor *payload, bool *on_disk,
                     struct driver_result *result);
void talk_drop(struct buf *received, size_t len);

#endif
