/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/words.h"

#include <string.h>

#include "text/utf8.h"

void words_clear(struct words *words)
{
    words->total = 0;
}

void words_put(struct words *words, const void *data, size_t len)
{
    const char *at = data;
    if (len > WORDS_BYTES) { /* the rest would be overwritten at once */
        at += len - WORDS_BYTES;
        words->total += len - WORDS_BYTES;
        len = WORDS_BYTES;
    }
    while (len > 0) {
        size_t slot = words->total % WORDS_BYTES;
        size_t some = WORDS_BYTES - slot < len ? WORDS_BYTES - slot : len;
        memcpy(words->ring + slot, at, some);
        words->total += some;
        at += some;
        len -= some;
    }
}

bool words_whole(const struct words *words)
{
    return words->total <= WORDS_BYTES;
}

/* In the order in which it was said, without what a cut left of a character. */
static size_t unroll(const struct words *words, char text[WORDS_BYTES])
{
    if (words_whole(words)) {
        memcpy(text, words->ring, (size_t)words->total);
        return (size_t)words->total;
    }
    size_t slot = words->total % WORDS_BYTES;
    memcpy(text, words->ring + slot, WORDS_BYTES - slot);
    memcpy(text + WORDS_BYTES - slot, words->ring, slot);
    size_t cut = 0;
    while (cut < 3 && ((unsigned char)text[cut] & 0xc0) == 0x80) {
        cut++;
    }
    memmove(text, text + cut, WORDS_BYTES - cut);
    return WORDS_BYTES - cut;
}

/* Of what begins with ESC: "ESC [ parameters letter", "ESC ] text BEL", "ESC letter".
 */
static size_t escape_len(const char *text, size_t len)
{
    size_t at = 1;
    if (at < len && text[at] == '[') {
        at++;
        while (at < len && (text[at] < '@' || text[at] > '~')) {
            at++;
        }
    } else if (at < len && text[at] == ']') {
        while (at < len && text[at] != '\a' && text[at] != '\033') {
            at++;
        }
    }
    return at < len ? at + 1 : len;
}

/* Keeps line feeds and tabs of what is below U+0020, nothing of U+007F to U+009F. */
static void put_clean(const char *text, size_t len, struct buf *out)
{
    for (size_t at = 0; at < len;) {
        if (text[at] == '\033') {
            at += escape_len(text + at, len - at);
            continue;
        }
        uint32_t rune = 0;
        at += utf8_decode(text + at, len - at, &rune);
        if ((rune >= 0x20 && rune < 0x7f) || rune > 0x9f || rune == '\n' ||
            rune == '\t') {
            char bytes[4] = "";
            buf_put(out, bytes, utf8_encode(rune, bytes));
        }
    }
}

/* The end of `text`, at most `most` bytes of it, from a character's beginning on. */
static size_t skip_to_last(const char *text, size_t len, size_t most)
{
    size_t at = len > most ? len - most : 0;
    while (at < len && at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) {
        at++;
    }
    return at;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != ' ' && text[i] != '\t') {
            return false;
        }
    }
    return true;
}

/* Its end, as far as it may be that long. */
static void put_last(struct buf *out, const struct buf *text, size_t most)
{
    if (text->len > 0) { /* else it has no memory to point into */
        size_t from = skip_to_last((const char *)text->data, text->len, most);
        buf_put(out, text->data + from, text->len - from);
    }
}

void words_last(const struct words *words, size_t most, struct buf *out)
{
    char text[WORDS_BYTES];
    size_t len = unroll(words, text);
    struct buf clean;
    buf_init(&clean);
    put_clean(text, len, &clean);

    const char *said = (const char *)clean.data;
    struct {
        size_t at, len;
    } lines[WORDS_LINES];
    size_t count = 0;
    size_t end = clean.len;
    while (count < WORDS_LINES && end > 0) {
        const char *feed = memrchr(said, '\n', end);
        size_t at = feed != NULL ? (size_t)(feed - said) + 1 : 0;
        if (!is_blank(said + at, end - at)) {
            lines[count].at = at;
            lines[count++].len = end - at;
        }
        end = at > 0 ? at - 1 : 0;
    }
    struct buf joined;
    buf_init(&joined);
    while (count > 0) {
        count--;
        buf_put(&joined, said + lines[count].at, lines[count].len);
        if (count > 0) {
            buf_put_u8(&joined, '\n');
        }
    }
    put_last(out, &joined, most);
    buf_close(&joined);
    buf_close(&clean);
}

void words_all(const struct words *words, size_t most, struct buf *out)
{
    char text[WORDS_BYTES];
    size_t len = unroll(words, text);
    struct buf clean;
    buf_init(&clean);
    put_clean(text, len, &clean);
    put_last(out, &clean, most);
    buf_close(&clean);
}
