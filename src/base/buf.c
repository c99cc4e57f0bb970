/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

size_t put_decimal(char *at, uint64_t value)
{
    char digits[DECIMAL_MAX];
    size_t start = DECIMAL_MAX;
    do {
        digits[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(at, digits + start, DECIMAL_MAX - start);
    return DECIMAL_MAX - start;
}

void buf_init(struct buf *buf)
{
    *buf = (struct buf){0};
}

void buf_close(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

void buf_grow(struct buf *buf, size_t more)
{
    size_t wanted = buf->len + more;
    assert(wanted >= buf->len);
    size_t capacity = buf->capacity > 0 ? buf->capacity : 64;
    while (capacity < wanted) {
        capacity *= 2;
    }
    buf->data = mem_realloc(buf->data, capacity);
    buf->capacity = capacity;
}

void buf_put_zeros(struct buf *buf, size_t len)
{
    if (len == 0) {
        return;
    }
    buf_reserve(buf, len);
    memset(buf->data + buf->len, 0, len);
    buf->len += len;
}

void buf_put_u16(struct buf *buf, uint16_t value)
{
    uint8_t bytes[2];
    put_u16(bytes, value);
    buf_put(buf, bytes, sizeof bytes);
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, value);
    buf_put(buf, bytes, sizeof bytes);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    uint8_t bytes[8];
    put_u64(bytes, value);
    buf_put(buf, bytes, sizeof bytes);
}

void buf_put_blob(struct buf *buf, const void *data, size_t len)
{
    assert(len <= UINT32_MAX);
    buf_put_u32(buf, (uint32_t)len);
    buf_put(buf, data, len);
}

void buf_put_text(struct buf *buf, const char *text)
{
    buf_put_blob(buf, text, strlen(text));
}

/* Into the room there is; what does not fit is known by then, and written again. */
void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    size_t room = buf->capacity - buf->len;
    va_start(args, format);
    int len =
        vsnprintf(room > 0 ? (char *)buf->data + buf->len : NULL, room, format, args);
    va_end(args);
    assert(len >= 0);
    if ((size_t)len >= room) {
        buf_reserve(buf, (size_t)len + 1);
        va_start(args, format);
        vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
        va_end(args);
    }
    buf->len += (size_t)len;
}

void buf_put_decimal(struct buf *buf, uint64_t value)
{
    buf_reserve(buf, DECIMAL_MAX);
    buf->len += put_decimal((char *)buf->data + buf->len, value);
}

void buf_set_u32(struct buf *buf, size_t offset, uint32_t value)
{
    assert(offset + 4 <= buf->len);
    put_u32(buf->data + offset, value);
}

void cursor_init(struct cursor *cursor, const void *data, size_t len)
{
    static const uint8_t nothing[1] = {0};
    *cursor = (struct cursor){.data = data != NULL ? data : nothing, .len = len};
}

bool cursor_ok(const struct cursor *cursor)
{
    return !cursor->failed;
}

bool cursor_done(const struct cursor *cursor)
{
    return !cursor->failed && cursor->at == cursor->len;
}

size_t cursor_left(const struct cursor *cursor)
{
    return cursor->failed ? 0 : cursor->len - cursor->at;
}

void cursor_fail(struct cursor *cursor)
{
    cursor->failed = true;
}

uint8_t cursor_u8(struct cursor *cursor)
{
    const uint8_t *bytes = cursor_bytes(cursor, 1);
    return bytes != NULL ? bytes[0] : 0;
}

uint16_t cursor_u16(struct cursor *cursor)
{
    const uint8_t *bytes = cursor_bytes(cursor, 2);
    return bytes != NULL ? get_u16(bytes) : 0;
}

uint32_t cursor_u32(struct cursor *cursor)
{
    const uint8_t *bytes = cursor_bytes(cursor, 4);
    return bytes != NULL ? get_u32(bytes) : 0;
}

uint64_t cursor_u64(struct cursor *cursor)
{
    const uint8_t *bytes = cursor_bytes(cursor, 8);
    return bytes != NULL ? get_u64(bytes) : 0;
}

const uint8_t *cursor_blob(struct cursor *cursor, size_t max, size_t *len)
{
    *len = cursor_u32(cursor);
    if (*len > max) {
        cursor_fail(cursor);
    }
    const uint8_t *bytes = cursor_bytes(cursor, *len);
    if (bytes == NULL) {
        *len = 0;
    }
    return bytes;
}
