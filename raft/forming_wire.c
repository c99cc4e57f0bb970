/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/forming_wire.h"

#include "base/buf.h"

static bool forming_carries_charter(enum frame_kind kind)
{
    return kind == FRAME_OFFER || kind == FRAME_PLEDGE;
}

struct bytes *forming_encode(const struct forming_message *message)
{
    struct buf buf;
    buf_init(&buf);
    buf_put_u8(&buf, (uint8_t)message->kind);
    buf_put_u64(&buf, message->start_counter);
    buf_put_u64(&buf, message->serial);
    if (forming_carries_charter(message->kind)) {
        charter_put(&buf, &message->charter);
    } else {
        buf_put_u64(&buf, message->cluster_id);
        buf_put_u64(&buf, message->token);
    }
    struct bytes *frame = bytes_new(buf.data, buf.len);
    buf_close(&buf);
    return frame;
}

bool forming_decode(struct forming_message *out, const uint8_t *data, size_t len)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    uint8_t kind = cursor_u8(&cursor);
    if (kind < FRAME_OFFER || kind > FRAME_VOW) {
        return false;
    }
    out->kind = (enum frame_kind)kind;
    out->start_counter = cursor_u64(&cursor);
    out->serial = cursor_u64(&cursor);
    if (forming_carries_charter(out->kind)) {
        charter_get(&cursor, &out->charter);
        out->cluster_id = out->charter.cluster_id;
        out->token = 0;
    } else {
        out->cluster_id = cursor_u64(&cursor);
        out->token = cursor_u64(&cursor);
    }
    return cursor_done(&cursor);
}
