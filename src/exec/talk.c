/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/talk.h"

#include <string.h>

#include "exec/files.h"

void talk_put_head(struct buf *buf, enum talk_kind kind, uint32_t len)
{
    buf_put_u8(buf, (uint8_t)kind);
    buf_put_u32(buf, len);
}

void talk_put_feed(struct buf *buf, uint64_t deadline_ms)
{
    talk_put_head(buf, TALK_FEED, sizeof deadline_ms);
    buf_put_u64(buf, deadline_ms);
}

void talk_put_state(struct buf *buf, const struct talk_state *state)
{
    talk_put_head(buf, TALK_STATE, 1 + 8 + 8);
    buf_put_u8(buf, (uint8_t)state->phase);
    buf_put_u64(buf, state->deadline_ms);
    buf_put_u64(buf, state->started_ms);
}

void talk_put_result(struct buf *buf, bool on_disk, const struct driver_result *result)
{
    size_t at = buf->len;
    talk_put_head(buf, TALK_RESULT, 0);
    buf_put_u8(buf, on_disk);
    files_put_result(buf, result);
    buf_set_u32(buf, at + 1, (uint32_t)(buf->len - at - TALK_HEAD_BYTES));
}

int talk_frame(const struct buf *received, uint8_t *kind, struct cursor *payload)
{
    if (received->len < TALK_HEAD_BYTES) {
        return 0;
    }
    uint32_t len = get_u32(received->data + 1);
    if (len > TALK_MAX_BYTES) {
        return -1;
    }
    if (received->len < TALK_HEAD_BYTES + len) {
        return 0;
    }
    *kind = received->data[0];
    cursor_init(payload, received->data + TALK_HEAD_BYTES, len);
    return (int)(TALK_HEAD_BYTES + len);
}

bool talk_get_state(struct cursor *payload, struct talk_state *state)
{
    uint8_t phase = cursor_u8(payload);
    if (phase < TALK_WAITING || phase > TALK_GONE) {
        cursor_fail(payload);
        phase = TALK_WAITING;
    }
    state->phase = (enum talk_phase)phase;
    state->deadline_ms = cursor_u64(payload);
    state->started_ms = cursor_u64(payload);
    return cursor_done(payload);
}

bool talk_get_result(struct cursor *payload, bool *on_disk,
                     struct driver_result *result)
{
    *on_disk = cursor_u8(payload) != 0;
    size_t len = cursor_left(payload);
    const uint8_t *bytes = cursor_bytes(payload, len);
    if (bytes == NULL) {
        return false;
    }
    struct buf data;
    buf_init(&data);
    buf_put(&data, bytes, len);
    bool whole = files_get_result(&data, result, NULL) == 0;
    buf_close(&data);
    return whole;
}

void talk_drop(struct buf *received, size_t len)
{
    memmove(received->data, received->data + len, received->len - len);
    received->len -= len;
}
