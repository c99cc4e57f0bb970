/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jsonpiece.h"

#include <stdint.h>
#include <string.h>

#include "text/utf8.h"

/* What must be escaped: 0 = nothing, 'u' = \u00xx, else the letter after the backslash.
 * Bytes from 0x80 on are 1: to be looked at. */
static const uint8_t escapes[256] = {
    [0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't',      ['\n'] = 'n',      [11] = 'u',
    ['\f'] = 'f',    ['\r'] = 'r', [14 ... 31] = 'u', ['"'] = '"',       ['\\'] = '\\',
    ['<'] = 'u',     ['>'] = 'u',  ['&'] = 'u',       [128 ... 255] = 1,
};

/* Write what is special at `text`; returns how many bytes of it are done. */
static size_t put_special(struct buf *out, const char *text, size_t len)
{
    unsigned char byte = (unsigned char)text[0];
    uint8_t escape = escapes[byte];
    if (escape == 'u') {
        buf_printf(out, "\\u%04x", byte);
        return 1;
    }
    if (escape != 1) {
        char pair[2] = {'\\', (char)escape};
        buf_put(out, pair, sizeof pair);
        return 1;
    }
    uint32_t rune;
    size_t size = utf8_decode(text, len, &rune);
    if (size == 1 || rune == 0x2028 || rune == 0x2029) {
        buf_printf(out, "\\u%04x", (unsigned)rune);
    } else {
        buf_put(out, text, size);
    }
    return size;
}

void jsonpiece_put_string(struct buf *out, const char *text, size_t len)
{
    buf_reserve(out, len + 2);
    buf_put_u8(out, '"');
    size_t done = 0;
    size_t at = 0;
    while (at < len) {
        if (escapes[(unsigned char)text[at]] == 0) {
            at++;
            continue;
        }
        buf_put(out, text + done, at - done);
        at += put_special(out, text + at, len - at);
        done = at;
    }
    buf_put(out, text + done, at - done);
    buf_put_u8(out, '"');
}

/* The end of the string that begins at `at`; `len` if it has none. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++) {
        if (text[at] == '\\') {
            at++;
        }
    }
    return at < len ? at + 1 : len;
}

/* The end of the value that begins at `at`: a comma or brace of the level around it. */
static size_t skip_value(const char *text, size_t len, size_t at)
{
    size_t depth = 0;
    while (at < len) {
        char byte = text[at];
        if (byte == '"') {
            at = skip_string(text, len, at);
            continue;
        }
        if (byte == '{' || byte == '[') {
            depth++;
        } else if (depth == 0 && (byte == '}' || byte == ']' || byte == ',')) {
            break;
        } else if (byte == '}' || byte == ']') {
            depth--;
        }
        at++;
    }
    return at;
}

const char *jsonpiece_member(const char *object, size_t object_len, const char *key,
                             size_t *len)
{
    size_t key_len = strlen(key);
    *len = 0;
    if (object_len == 0 || object[0] != '{') {
        return NULL;
    }
    size_t at = 1;
    while (at < object_len && object[at] == '"') {
        size_t value = skip_string(object, object_len, at) + 1; /* behind the colon */
        if (value >= object_len) {
            break;
        }
        size_t end = skip_value(object, object_len, value);
        if (value - at == key_len + 3 && memcmp(object + at + 1, key, key_len) == 0) {
            *len = end - value;
            return object + value;
        }
        at = end + 1;
    }
    return NULL;
}

const char *jsonpiece_item(const char *array, size_t array_len, size_t *at, size_t *len)
{
    size_t start = *at + 1; /* behind the bracket, or the comma */
    if (array_len < 2 || array[0] != '[' || start >= array_len || array[*at] == ']') {
        return NULL;
    }
    *at = skip_value(array, array_len, start);
    *len = *at - start;
    return *len > 0 ? array + start : NULL;
}
