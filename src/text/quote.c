/* SPDX-License-Identifier: Apache-2.0 */
#include "text/quote.h"

#include <stdbool.h>
#include <stdio.h>

#include "text/utf8.h"

#define QUOTE_MAX 128 /* bytes of the text that are shown */

/* What Go would print as it is; of the characters nobody has assigned it takes some
 * that Go escapes. */
static bool is_printable(uint32_t rune)
{
    if (rune < 0xa1) {
        return rune >= 0x20 && rune < 0x7f;
    }
    bool space = rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200f) ||
                 (rune >= 0x2028 && rune <= 0x202f) ||
                 (rune >= 0x205f && rune <= 0x206f) || rune == 0x3000;
    bool format = rune == 0xad || rune == 0x61c || rune == 0x180e || rune == 0xfeff ||
                  (rune >= 0xfff0 && rune <= 0xfffb) || rune >= 0xe0000;
    bool private = rune >= 0xd800 && rune <= 0xf8ff;
    return !space && !format && !private && (rune & 0xfffe) != 0xfffe;
}

void quote_put_rune(struct buf *out, uint32_t rune, char quote)
{
    static const char named[] = "abtnvfr"; /* of 0x07 to 0x0d */
    if (rune == (unsigned char)quote || rune == '\\') {
        buf_printf(out, "\\%c", (int)rune);
    } else if (is_printable(rune)) {
        char bytes[4];
        size_t size = utf8_encode(rune, bytes);
        buf_put(out, bytes, size);
    } else if (rune >= 0x07 && rune <= 0x0d) {
        buf_printf(out, "\\%c", named[rune - 0x07]);
    } else if (rune < 0x20 || rune == 0x7f) {
        buf_printf(out, "\\x%02x", (unsigned)rune);
    } else if (rune < 0x10000) {
        buf_printf(out, "\\u%04x", (unsigned)rune);
    } else {
        buf_printf(out, "\\U%08x", (unsigned)rune);
    }
}

void quote_put(struct buf *out, const char *text, size_t len)
{
    buf_put_u8(out, '"');
    size_t at = 0;
    while (at < len && at < QUOTE_MAX) {
        uint32_t rune;
        size_t size = utf8_decode(text + at, len - at, &rune);
        if (size == 1 && rune == UTF8_REPLACEMENT) {
            buf_printf(out, "\\x%02x", (unsigned char)text[at]);
        } else {
            quote_put_rune(out, rune, '"');
        }
        at += size;
    }
    buf_put_u8(out, '"');
    if (at < len) {
        buf_printf(out, "…");
    }
}

char *quote_text(const char *text, size_t len)
{
    struct buf out;
    buf_init(&out);
    quote_put(&out, text, len);
    buf_put_u8(&out, '\0');
    return (char *)out.data; /* ownership leaves: buf's memory is mem_*'s */
}
