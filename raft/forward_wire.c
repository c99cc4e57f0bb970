/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/forward_wire.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

/* An outcome travels whole: a field that struct result gains must go into
 * forward_put_result() and forward_get_result(), and into raft/README.md. */
_Static_assert(sizeof(struct result) == 40, "struct result has another shape");

#define RESULT_CREATED  1u
#define RESULT_REPLAYED 2u
#define RESULT_RUN      4u /* a number of a run follows: nobody below level 3 gets one */

static void forward_put_result(struct buf *out, const struct result *result)
{
    buf_put_u8(out, (uint8_t)-result->code);
    buf_put_u64(out, result->sequence);
    buf_put_u64(out, result->revision);
    buf_put_u8(out, (uint8_t)((result->created ? RESULT_CREATED : 0) |
                              (result->replayed ? RESULT_REPLAYED : 0) |
                              (result->run != 0 ? RESULT_RUN : 0)));
    if (result->run != 0) {
        buf_put_u64(out, result->run);
    }
}

/* 0, or the negative of what err.h has. */
static int forward_get_code(struct cursor *cursor)
{
    int code = cursor_u8(cursor);
    if (-code < (int)ERR_KEY_REUSED) { /* the last one */
        cursor_fail(cursor);
        return ERR_INTERNAL;
    }
    return -code;
}

static void forward_get_result(struct cursor *cursor, struct result *result)
{
    result->code = forward_get_code(cursor);
    result->sequence = cursor_u64(cursor);
    result->revision = cursor_u64(cursor);
    uint8_t flags = cursor_u8(cursor);
    result->created = (flags & RESULT_CREATED) != 0;
    result->replayed = (flags & RESULT_REPLAYED) != 0;
    result->run = (flags & RESULT_RUN) != 0 ? cursor_u64(cursor) : 0;
    if (flags > (RESULT_CREATED | RESULT_REPLAYED | RESULT_RUN) ||
        ((flags & RESULT_RUN) != 0) != (result->run != 0)) {
        cursor_fail(cursor);
    }
}

static void forward_put_text(struct buf *out, const char *text)
{
    size_t len = strnlen(text, ERR_TEXT_MAX - 1);
    buf_put_u32(out, (uint32_t)len);
    for (size_t i = 0; i < len; i++) {
        bool plain = text[i] >= 0x20 && text[i] <= 0x7e;
        buf_put_u8(out, plain ? (uint8_t)text[i] : '?');
    }
}

static void forward_get_text(struct cursor *cursor, char out[ERR_TEXT_MAX])
{
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, ERR_TEXT_MAX - 1, &len);
    for (size_t i = 0; data != NULL && i < len; i++) {
        if (data[i] < 0x20 || data[i] > 0x7e) {
            cursor_fail(cursor);
            return;
        }
    }
    if (data != NULL) {
        memcpy(out, data, len);
        out[len] = '\0';
    }
}

struct bytes *forward_encode(const struct forward_message *message)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, (uint8_t)message->kind);
    buf_put_u64(&out, message->session);
    buf_put_u64(&out, message->number);
    if (message->kind == FRAME_WRITE) {
        buf_put(&out, message->command, message->command_len);
    } else {
        const struct outcome *outcome = &message->outcome;
        assert(message->kind == FRAME_WRITE_OUTCOME);
        buf_put_u8(&out, (uint8_t)-outcome->code);
        if (outcome->code == 0) {
            buf_put_u64(&out, outcome->index);
            forward_put_result(&out, &outcome->result);
        } else {
            forward_put_text(&out, outcome->why != NULL ? outcome->why : "");
        }
    }
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    return frame;
}

static void forward_get_outcome(struct cursor *cursor, struct forward_message *out)
{
    out->outcome.code = forward_get_code(cursor);
    if (out->outcome.code == 0) {
        out->outcome.index = cursor_u64(cursor);
        forward_get_result(cursor, &out->outcome.result);
    } else {
        forward_get_text(cursor, out->text);
        out->outcome.why = out->text;
    }
}

int forward_decode(struct forward_message *out, const uint8_t *data, size_t len,
                   struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    *out = (struct forward_message){.kind = (enum frame_kind)cursor_u8(&cursor)};
    out->session = cursor_u64(&cursor);
    out->number = cursor_u64(&cursor);
    if (out->kind == FRAME_WRITE) {
        out->command_len = cursor_left(&cursor);
        out->command = cursor_bytes(&cursor, out->command_len);
    } else if (out->kind == FRAME_WRITE_OUTCOME) {
        forward_get_outcome(&cursor, out);
    } else {
        cursor_fail(&cursor);
    }
    if (!cursor_done(&cursor) || out->number == 0) {
        return err_set(err, ERR_CORRUPT, "a frame of kind %u is damaged at byte %zu",
                       (unsigned)out->kind, cursor.at);
    }
    return 0;
}
