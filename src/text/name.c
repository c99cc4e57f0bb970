/* SPDX-License-Identifier: Apache-2.0 */
#include "text/name.h"

#include <stdint.h>

#include "text/utf8.h"

struct range {
    uint32_t first;
    uint32_t last;
};

#define X(first, last) {first, last},
static const struct range letters[] = {
#include "text/letters.def"
};
static const struct range marks[] = {
#include "text/marks.def"
};
#undef X

static bool in_ranges(const struct range *ranges, size_t count, uint32_t rune)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rune > ranges[middle].last) {
            low = middle + 1;
        } else if (rune < ranges[middle].first) {
            high = middle;
        } else {
            return true;
        }
    }
    return false;
}

static bool may_begin(uint32_t rune)
{
    if (rune < 0x80) {
        return (rune | 0x20) - 'a' < 26 || rune == '_';
    }
    return in_ranges(letters, sizeof letters / sizeof letters[0], rune);
}

static bool may_follow(uint32_t rune)
{
    if (rune < 0x80) {
        return may_begin(rune) || rune - '0' < 10 || rune == '-';
    }
    return may_begin(rune) || in_ranges(marks, sizeof marks / sizeof marks[0], rune);
}

bool name_is_identifier(const char *text, size_t len)
{
    uint32_t rune;
    size_t at = utf8_decode(text, len, &rune);
    if (at == 0 || !may_begin(rune)) {
        return false;
    }
    while (at < len) {
        at += utf8_decode(text + at, len - at, &rune);
        if (!may_follow(rune)) { /* U+FFFD, too */
            return false;
        }
    }
    return true;
}
