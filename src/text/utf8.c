/* SPDX-License-Identifier: Apache-2.0 */
#include "text/utf8.h"

static bool is_tail(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t utf8_decode(const char *text, size_t len, uint32_t *rune)
{
    *rune = UTF8_REPLACEMENT;
    if (len == 0) {
        return 0;
    }
    unsigned char first = (unsigned char)text[0];
    if (first < 0x80) {
        *rune = first;
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) { /* a tail, overlong, past U+10FFFF */
        return 1;
    }
    size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len < size) {
        return 1;
    }
    uint32_t value = first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if (!is_tail(text[i])) {
            return 1;
        }
        value = value << 6 | ((unsigned char)text[i] & 0x3fu);
    }
    bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    if (overlong || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff) {
        return 1;
    }
    *rune = value;
    return size;
}

bool utf8_valid(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if ((unsigned char)text[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t rune;
        size_t size = utf8_decode(text + at, len - at, &rune);
        if (size == 1) {
            return false;
        }
        at += size;
    }
    return true;
}

size_t utf8_encode(uint32_t rune, char bytes[4])
{
    if (rune < 0x80) {
        bytes[0] = (char)rune;
        return 1;
    }
    size_t size = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    static const uint32_t head[] = {0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (rune & 0x3f));
        rune >>= 6;
    }
    bytes[0] = (char)(head[size - 2] | rune);
    return size;
}
