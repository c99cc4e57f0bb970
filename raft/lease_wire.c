/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/lease_wire.h"

#include <assert.h>

#include "base/buf.h"

const char *lease_word_name(enum lease_word word)
{
    switch (word) {
    case LEASE_WORD_GRANTED:
        return "granted";
    case LEASE_WORD_NOT_LEADER:
        return "the node that was asked does not lead";
    case LEASE_WORD_NO_MAJORITY:
        return "no majority confirms the leader";
    case LEASE_WORD_BUSY:
        return "the leader has too much to confirm";
    case LEASE_WORD_HELD:
        return "the runs of this node are being called lost";
    case LEASE_WORD_NO_MEMBER:
        return "this node is no member";
    case LEASE_WORD_DIFFERS:
        return "the state of this node differs from that of a majority";
    }
    return "unknown";
}

struct bytes *lease_encode(const struct lease_message *message)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, (uint8_t)message->kind);
    buf_put_u64(&out, message->session);
    buf_put_u64(&out, message->serial);
    if (message->kind == FRAME_LEASE_ASK) {
        buf_put_u32(&out, message->lease_ms);
    } else {
        assert(message->kind == FRAME_LEASE_GRANT);
        buf_put_u8(&out, (uint8_t)message->word);
        buf_put_u64(&out, message->index);
    }
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    return frame;
}

static void lease_get_grant(struct cursor *cursor, struct lease_message *out)
{
    uint8_t word = cursor_u8(cursor);
    out->index = cursor_u64(cursor);
    if (word > LEASE_WORD_DIFFERS || (word != LEASE_WORD_GRANTED && out->index != 0)) {
        cursor_fail(cursor);
        return;
    }
    out->word = (enum lease_word)word;
}

int lease_decode(struct lease_message *out, const uint8_t *data, size_t len,
                 struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    uint8_t kind = cursor_u8(&cursor);
    *out = (struct lease_message){.kind = (enum frame_kind)kind};
    out->session = cursor_u64(&cursor);
    out->serial = cursor_u64(&cursor);
    if (kind == FRAME_LEASE_ASK) {
        out->lease_ms = cursor_u32(&cursor);
        if (out->lease_ms == 0) {
            cursor_fail(&cursor);
        }
    } else if (kind == FRAME_LEASE_GRANT) {
        lease_get_grant(&cursor, out);
    } else {
        cursor_fail(&cursor);
    }
    if (!cursor_done(&cursor)) {
        return err_set(err, ERR_CORRUPT, "a frame of kind %u that is damaged", kind);
    }
    return 0;
}
