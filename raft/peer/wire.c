/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/peer/wire.h"

#include <assert.h>
#include <isa-l.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "raft/frame.h"

#define WIRE_MAGIC 0x72657473756dull /* "muster" */
#define WIRE_TEXTS 4

/* isa-l reads through a pointer that is not const, and takes an int. */
static uint32_t wire_crc(const uint8_t *data, size_t len)
{
    union {
        const uint8_t *in;
        unsigned char *out;
    } bytes = {.in = data};
    return ~crc32_iscsi(bytes.out, (int)len, UINT32_MAX);
}

void wire_head(const uint8_t *body, size_t len, uint8_t head[WIRE_HEAD_BYTES])
{
    assert(len > 0 && len <= LIMIT_FRAME_BYTES);
    put_u32(head, (uint32_t)len);
    put_u32(head + 4, wire_crc(body, len));
}

int wire_frame(const uint8_t *data, size_t len, size_t max, const uint8_t **body,
               size_t *body_len, struct err *err)
{
    if (len < WIRE_HEAD_BYTES) {
        return 0;
    }
    uint32_t wanted = get_u32(data);
    if (wanted == 0 || wanted > max) {
        return err_set(err, ERR_CORRUPT,
                       "it sent a frame of %u bytes where 1 to %zu are possible",
                       wanted, max);
    }
    if (len - WIRE_HEAD_BYTES < wanted) {
        return 0;
    }
    if (wire_crc(data + WIRE_HEAD_BYTES, wanted) != get_u32(data + 4)) {
        return err_set(err, ERR_CORRUPT, "it sent a frame of %u bytes that is damaged",
                       wanted);
    }
    *body = data + WIRE_HEAD_BYTES;
    *body_len = wanted;
    return 1;
}

/* They go into log lines and JSON of whoever hears of the node. */
static bool wire_printable(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static void wire_put_text(struct buf *out, const char *text, size_t max)
{
    size_t len = strlen(text);
    assert(len <= max && wire_printable((const uint8_t *)text, len));
    buf_put_blob(out, text, len);
}

struct bytes *wire_hello_encode(const struct hello *hello)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, FRAME_HELLO);
    buf_put_u64(&out, WIRE_MAGIC);
    buf_put_u32(&out, hello->protocol);
    buf_put_u64(&out, hello->cluster_id);
    buf_put_u64(&out, hello->node_id);
    buf_put_u64(&out, hello->start_counter);
    buf_put_u64(&out, hello->session);
    buf_put_u64(&out, hello->last_index);
    buf_put_u64(&out, hello->pledge);
    buf_put_u32(&out, hello->expect);
    buf_put_u32(&out, hello->level);
    wire_put_text(&out, hello->name, LIMIT_NAME_BYTES);
    wire_put_text(&out, hello->peer_address, LIMIT_ADDRESS_BYTES - 1);
    wire_put_text(&out, hello->api_address, LIMIT_ADDRESS_BYTES - 1);
    wire_put_text(&out, hello->version, WIRE_VERSION_MAX);
    struct bytes *body = bytes_new(out.data, out.len);
    buf_close(&out);
    return body;
}

/* One text, copied behind the others and terminated. */
static const char *wire_text(struct cursor *cursor, size_t max, char **at)
{
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, max, &len);
    char *text = *at;
    if (data == NULL) {
        len = 0;
    } else if (!wire_printable(data, len)) {
        cursor_fail(cursor);
        len = 0;
    } else {
        memcpy(text, data, len);
    }
    text[len] = '\0';
    *at = text + len + 1;
    return text;
}

int wire_hello_decode(struct hello *out, char **strings, const uint8_t *body,
                      size_t len, struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, body, len);
    *out = (struct hello){0};
    *strings = mem_zalloc(len + WIRE_TEXTS);
    char *at = *strings;
    uint8_t kind = cursor_u8(&cursor);
    uint64_t magic = cursor_u64(&cursor);
    out->protocol = cursor_u32(&cursor);
    if (!cursor_ok(&cursor) || kind != FRAME_HELLO || magic != WIRE_MAGIC) {
        return err_set(err, ERR_CORRUPT,
                       "it did not begin with the hello of a muster node");
    }
    if (out->protocol != LINK_PROTOCOL) {
        return 0;
    }
    out->cluster_id = cursor_u64(&cursor);
    out->node_id = cursor_u64(&cursor);
    out->start_counter = cursor_u64(&cursor);
    out->session = cursor_u64(&cursor);
    out->last_index = cursor_u64(&cursor);
    out->pledge = cursor_u64(&cursor);
    out->expect = cursor_u32(&cursor);
    out->level = cursor_u32(&cursor);
    out->name = wire_text(&cursor, LIMIT_NAME_BYTES, &at);
    out->peer_address = wire_text(&cursor, LIMIT_ADDRESS_BYTES - 1, &at);
    out->api_address = wire_text(&cursor, LIMIT_ADDRESS_BYTES - 1, &at);
    out->version = wire_text(&cursor, WIRE_VERSION_MAX, &at);
    if (!cursor_done(&cursor) || out->node_id == 0) {
        return err_set(err, ERR_CORRUPT, "it sent a hello that is damaged");
    }
    return 0;
}
