/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdu

/* The code point that `text` begins with, in `*rune`, and its length in bytes. What is
 * not UTF-8 (overlong forms and surrogates included) gives UTF8_REPLACEMENT and 1, an
 * empty text 0. A U+FFFD that is really there has length 3. */
size_t utf8_decode(const char *text, size_t len, uint32_t *rune);
bool utf8_valid(const char *text, size_t len);

/* The 1 to 4 bytes of a code point (not a surrogate, at most U+10FFFF). */
size_t utf8_encode(uint32_t rune, char bytes[4]);

#endif
