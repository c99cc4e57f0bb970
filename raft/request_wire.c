/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/request_wire.h"

#include <assert.h>

#include "base/buf.h"
#include "raft/request.h"

struct bytes *request_encode(const struct request_message *message)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, (uint8_t)message->kind);
    buf_put_u64(&out, message->session);
    buf_put_u64(&out, message->number);
    if (message->kind == FRAME_REQUEST) {
        buf_put_u16(&out, message->about);
    } else {
        assert(message->kind == FRAME_ANSWER);
        buf_put_u32(&out, (uint32_t)-message->code);
    }
    buf_put_blob(&out, message->data, message->len);
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    return frame;
}

int request_decode(struct request_message *out, const uint8_t *data, size_t len,
                   struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    uint8_t kind = cursor_u8(&cursor);
    *out = (struct request_message){.kind = (enum frame_kind)kind};
    out->session = cursor_u64(&cursor);
    out->number = cursor_u64(&cursor);
    if (kind == FRAME_REQUEST) {
        out->about = cursor_u16(&cursor);
        out->data = cursor_blob(&cursor, REQUEST_BYTES_MAX, &out->len);
    } else if (kind == FRAME_ANSWER) {
        uint32_t code = cursor_u32(&cursor);
        out->code = code <= -(int)ERR_KEY_REUSED ? -(int)code : 0;
        out->data = cursor_blob(&cursor, REQUEST_ANSWER_BYTES_MAX, &out->len);
        if (code > -(int)ERR_KEY_REUSED) {
            cursor_fail(&cursor);
        }
    } else {
        cursor_fail(&cursor);
    }
    if (!cursor_done(&cursor) || out->number == 0) {
        return err_set(err, ERR_CORRUPT, "a frame of kind %u that is damaged", kind);
    }
    return 0;
}
