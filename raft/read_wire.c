/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/read_wire.h"

#include <assert.h>

#include "base/buf.h"

struct bytes *read_encode(const struct read_message *message)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, (uint8_t)message->kind);
    if (message->kind == FRAME_READ_ASK || message->kind == FRAME_READ_TERM) {
        buf_put_u64(&out, message->term);
        buf_put_u64(&out, message->round);
        if (message->kind == FRAME_READ_TERM) {
            buf_put_u64(&out, message->own_term);
        }
    } else {
        assert(message->kind == FRAME_READ_WANT || message->kind == FRAME_READ_INDEX);
        buf_put_u64(&out, message->session);
        buf_put_u64(&out, message->serial);
        if (message->kind == FRAME_READ_INDEX) {
            buf_put_u8(&out, (uint8_t)message->word);
            buf_put_u64(&out, message->index);
        }
    }
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    return frame;
}

static void read_get_answer(struct cursor *cursor, struct read_message *out)
{
    uint8_t word = cursor_u8(cursor);
    out->index = cursor_u64(cursor);
    if (word > READ_WORD_BUSY || (word != READ_WORD_INDEX && out->index != 0)) {
        cursor_fail(cursor);
        return;
    }
    out->word = (enum read_word)word;
}

int read_decode(struct read_message *out, const uint8_t *data, size_t len,
                struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    uint8_t kind = cursor_u8(&cursor);
    *out = (struct read_message){.kind = (enum frame_kind)kind};
    if (kind == FRAME_READ_ASK || kind == FRAME_READ_TERM) {
        out->term = cursor_u64(&cursor);
        out->round = cursor_u64(&cursor);
        if (kind == FRAME_READ_TERM) {
            out->own_term = cursor_u64(&cursor);
        }
    } else if (kind == FRAME_READ_WANT || kind == FRAME_READ_INDEX) {
        out->session = cursor_u64(&cursor);
        out->serial = cursor_u64(&cursor);
        if (kind == FRAME_READ_INDEX) {
            read_get_answer(&cursor, out);
        }
    } else {
        cursor_fail(&cursor);
    }
    if (!cursor_done(&cursor)) {
        return err_set(err, ERR_CORRUPT, "a frame of kind %u that is damaged", kind);
    }
    return 0;
}
