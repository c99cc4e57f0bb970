/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes being written (struct buf) and bytes being read (struct cursor).
 *
 * Numbers are little-endian. The cursor's error is sticky: read ten fields, check
 * cursor_ok() once; what is read past an error is zero, empty, NULL.
 *
 * What every field of every message passes through stands here, to be inlined. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

void buf_init(struct buf *buf);              /* empty, allocates nothing */
void buf_close(struct buf *buf);             /* frees; empty again */
void buf_clear(struct buf *buf);             /* length 0, memory kept */
void buf_grow(struct buf *buf, size_t more); /* buf_reserve() that must allocate */

/* Room for `more` bytes behind the length. */
static inline void buf_reserve(struct buf *buf, size_t more)
{
    if (more > buf->capacity - buf->len) {
        buf_grow(buf, more);
    }
}

static inline void buf_put(struct buf *buf, const void *data, size_t len)
{
    if (len > 0) {
        buf_reserve(buf, len);
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
}

void buf_put_zeros(struct buf *buf, size_t len);
static inline void buf_put_u8(struct buf *buf, uint8_t value)
{
    buf_put(buf, &value, 1);
}

/* The bytes of a string literal, as they are. */
#define buf_put_literal(buf, literal) buf_put(buf, literal, sizeof literal - 1)

void buf_put_u16(struct buf *buf, uint16_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
/* u32 length, then the bytes; `data` may be NULL when `len` is 0. */
void buf_put_blob(struct buf *buf, const void *data, size_t len);
void buf_put_text(struct buf *buf, const char *text);     /* as a blob, no terminator */
void buf_printf(struct buf *buf, const char *format, ...) /* text, no terminator */
    __attribute__((format(printf, 2, 3)));
void buf_put_decimal(struct buf *buf, uint64_t value); /* "120" */
/* Overwrite a u32 written earlier at `offset` (a length known only later). */
void buf_set_u32(struct buf *buf, size_t offset, uint32_t value);

struct cursor {
    const uint8_t *data;
    size_t len;
    size_t at;
    bool failed;
};

void cursor_init(struct cursor *cursor, const void *data, size_t len);
bool cursor_ok(const struct cursor *cursor);   /* nothing failed so far */
bool cursor_done(const struct cursor *cursor); /* ok and all bytes read */
size_t cursor_left(const struct cursor *cursor);
void cursor_fail(struct cursor *cursor); /* the reader found nonsense */
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_u16(struct cursor *cursor);
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);

/* `len` bytes, borrowed from the input; NULL on failure. */
static inline const uint8_t *cursor_bytes(struct cursor *cursor, size_t len)
{
    if (cursor->failed || len > cursor->len - cursor->at) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *bytes = cursor->data + cursor->at;
    cursor->at += len;
    return bytes;
}

/* A blob of at most `max` bytes, borrowed; its length in `*len`. NULL on failure; never
 * NULL on success, also when the blob is empty. */
const uint8_t *cursor_blob(struct cursor *cursor, size_t max, size_t *len);

/* The same numbers in fixed places: one load or store each on a little-endian machine.
 */
static inline void put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, (uint16_t)value);
    put_u16(at + 2, (uint16_t)(value >> 16));
}

static inline void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)value);
    put_u32(at + 4, (uint32_t)(value >> 32));
}

static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *at)
{
    return get_u16(at) | (uint32_t)get_u16(at + 2) << 16;
}

static inline uint64_t get_u64(const uint8_t *at)
{
    return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

/* `value` in decimal, not terminated: its length, at most DECIMAL_MAX. */
#define DECIMAL_MAX 20
size_t put_decimal(char *at, uint64_t value);

#endif
