/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/keeper_wire.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

struct bytes *keeper_encode(const struct keeper_message *message)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, (uint8_t)message->kind);
    if (message->kind == FRAME_WELCOME) {
        buf_put_u64(&out, message->session);
        buf_put_u64(&out, message->cluster_id);
        buf_put_u64(&out, message->term);
    } else if (message->kind == FRAME_WAIT) {
        buf_put_text(&out, message->leader);
        buf_put_text(&out, message->text);
    } else if (message->kind == FRAME_REMOVED) {
        buf_put_u64(&out, message->term);
    } else if (message->kind == FRAME_NO_MEMBER) {
        buf_put_u64(&out, message->session);
        buf_put_u64(&out, message->term);
    } else if (message->kind == FRAME_STALE || message->kind == FRAME_OUTDATED) {
        buf_put_u64(&out, message->session);
        buf_put_text(&out, message->text);
    } else {
        assert(message->kind == FRAME_ACKED && message->acked_count <= LIMIT_MEMBERS);
        buf_put_u32(&out, (uint32_t)message->acked_count);
        for (size_t i = 0; i < message->acked_count; i++) {
            buf_put_u64(&out, message->acked[i].id);
            buf_put_u64(&out, message->acked[i].counter);
            buf_put_u64(&out, message->acked[i].index);
        }
    }
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    return frame;
}

/* It goes into log lines and JSON: printable ASCII. */
static void keeper_text(struct cursor *cursor, char *out, size_t size)
{
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, size - 1, &len);
    for (size_t i = 0; data != NULL && i < len; i++) {
        if (data[i] < 0x20 || data[i] > 0x7e) {
            cursor_fail(cursor);
            data = NULL;
        }
    }
    if (data != NULL) {
        memcpy(out, data, len);
        out[len] = '\0';
    }
}

static void keeper_get_acked(struct cursor *cursor, struct keeper_message *out)
{
    out->acked_count = cursor_u32(cursor);
    if (out->acked_count > LIMIT_MEMBERS) {
        out->acked_count = 0;
        cursor_fail(cursor);
    }
    for (size_t i = 0; i < out->acked_count; i++) {
        out->acked[i].id = cursor_u64(cursor);
        out->acked[i].counter = cursor_u64(cursor);
        out->acked[i].index = cursor_u64(cursor);
    }
}

int keeper_decode(struct keeper_message *out, const uint8_t *data, size_t len,
                  struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    uint8_t kind = cursor_u8(&cursor);
    *out = (struct keeper_message){.kind = (enum frame_kind)kind};
    if (kind == FRAME_WELCOME) {
        out->session = cursor_u64(&cursor);
        out->cluster_id = cursor_u64(&cursor);
        out->term = cursor_u64(&cursor);
        if (out->cluster_id == 0 || out->cluster_id > INT64_MAX || out->term == 0) {
            cursor_fail(&cursor);
        }
    } else if (kind == FRAME_WAIT) {
        keeper_text(&cursor, out->leader, sizeof out->leader);
        keeper_text(&cursor, out->text, sizeof out->text);
    } else if (kind == FRAME_REMOVED) {
        out->term = cursor_u64(&cursor);
    } else if (kind == FRAME_NO_MEMBER) {
        out->session = cursor_u64(&cursor);
        out->term = cursor_u64(&cursor);
    } else if (kind == FRAME_STALE || kind == FRAME_OUTDATED) {
        out->session = cursor_u64(&cursor);
        keeper_text(&cursor, out->text, sizeof out->text);
    } else if (kind == FRAME_ACKED) {
        keeper_get_acked(&cursor, out);
    } else {
        cursor_fail(&cursor);
    }
    if (!cursor_done(&cursor)) {
        return err_set(err, ERR_CORRUPT, "a frame of kind %u that is damaged", kind);
    }
    return 0;
}
