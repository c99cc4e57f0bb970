/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes being written (struct buf) and bytes being read (struct cursor).
 *
 * Numbers are little-endian. The cursor's error is sticky: read ten fields, check
 * cursor_ok() once; what is read past an error is zero, empty, NULL. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

void buf_init(struct buf *buf);  /* empty, allocates nothing */
void buf_close(struct buf *buf); /* frees; empty again */
void buf_clear(struct buf *buf); /* length 0, memory kept */
void buf_reserve(struct buf *buf, size_t more);
void buf_put(struct buf *buf, const void *data, size_t len);
void buf_put_zeros(struct buf *buf, size_t len);
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_u16(struct buf *buf, uint16_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
/* u32 length, then the bytes; `data` may be NULL when `len` is 0. */
void buf_put_blob(struct buf *buf, const void *data, size_t len);
void buf_put_text(struct buf *buf, const char *text);     /* as a blob, no terminator */
void buf_printf(struct buf *buf, const char *format, ...) /* text, no terminator */
    __attribute__((format(printf, 2, 3)));
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
const uint8_t *cursor_bytes(struct cursor *cursor, size_t len);
/* A blob of at most `max` bytes, borrowed; its length in `*len`. NULL on failure; never
 * NULL on success, also when the blob is empty. */
const uint8_t *cursor_blob(struct cursor *cursor, size_t max, size_t *len);

/* The same numbers in fixed places. */
void put_u16(uint8_t *at, uint16_t value);
void put_u32(uint8_t *at, uint32_t value);
void put_u64(uint8_t *at, uint64_t value);
uint16_t get_u16(const uint8_t *at);
uint32_t get_u32(const uint8_t *at);
uint64_t get_u64(const uint8_t *at);

#endif
