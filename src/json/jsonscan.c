/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that looks at one byte at a time, with a stack of open brackets: no
 * recursion, so depth costs a byte of an array. */
#include "json/jsonscan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "text/quote.h"
#include "text/utf8.h"

enum expect {
    EXPECT_VALUE,        /* a value */
    EXPECT_VALUE_OR_END, /* just after [ */
    EXPECT_KEY,          /* after a comma of an object */
    EXPECT_KEY_OR_END,   /* just after { */
    EXPECT_COLON,
    EXPECT_MORE, /* after a value */
};

struct scan {
    const char *text;
    size_t len;
    size_t at;
    enum jsontext_reader reader;
    enum expect expect;
    size_t values;
    size_t depth;
    char open[LIMIT_JSON_DEPTH]; /* { or [ */
    struct err *err;
};

static int refuse_end(struct scan *scan)
{
    bool stream = scan->reader == JSONTEXT_STREAM;
    bool nothing = scan->depth == 0 && scan->expect == EXPECT_VALUE && stream;
    for (size_t i = 0; nothing && i < scan->len; i++) {
        nothing = memchr(" \t\r\n", scan->text[i], 4) != NULL;
    }
    return err_set(scan->err, ERR_INVALID, "%s",
                   nothing  ? "EOF"
                   : stream ? "unexpected EOF"
                            : "unexpected end of JSON input");
}

/* "invalid character 'x' where". Go shows each byte as the code point of that number.
 */
static int refuse(struct scan *scan, const char *where)
{
    if (scan->at >= scan->len) {
        return refuse_end(scan);
    }
    unsigned char byte = (unsigned char)scan->text[scan->at];
    struct buf shown;
    buf_init(&shown);
    quote_put_rune(&shown, byte, '\'');
    int rc = err_set(scan->err, ERR_INVALID, "invalid character '%.*s' %s",
                     (int)shown.len, (const char *)shown.data, where);
    buf_close(&shown);
    return rc;
}

static bool at_end(const struct scan *scan)
{
    return scan->at >= scan->len;
}

static bool at_byte(const struct scan *scan, char byte)
{
    return !at_end(scan) && scan->text[scan->at] == byte;
}

static bool at_digit(const struct scan *scan)
{
    return !at_end(scan) && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9';
}

static void skip_digits(struct scan *scan)
{
    while (at_digit(scan)) {
        scan->at++;
    }
}

static int scan_literal(struct scan *scan, const char *word)
{
    for (size_t i = 0; word[i] != '\0'; i++, scan->at++) {
        if (!at_byte(scan, word[i])) {
            char where[48];
            snprintf(where, sizeof where, "in literal %s (expecting '%c')", word,
                     word[i]);
            return refuse(scan, where);
        }
    }
    return 0;
}

static int scan_number(struct scan *scan)
{
    if (at_byte(scan, '-')) {
        scan->at++;
        if (!at_digit(scan)) {
            return refuse(scan, "in numeric literal");
        }
    }
    if (at_byte(scan, '0')) {
        scan->at++;
    } else {
        skip_digits(scan);
    }
    if (at_byte(scan, '.')) {
        scan->at++;
        if (!at_digit(scan)) {
            return refuse(scan, "after decimal point in numeric literal");
        }
        skip_digits(scan);
    }
    if (at_byte(scan, 'e') || at_byte(scan, 'E')) {
        scan->at++;
        if (at_byte(scan, '+') || at_byte(scan, '-')) {
            scan->at++;
        }
        if (!at_digit(scan)) {
            return refuse(scan, "in exponent of numeric literal");
        }
        skip_digits(scan);
    }
    return 0;
}

/* The four digits of a \u escape; scan->at is on the first. */
static int scan_hex(struct scan *scan, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        char byte = at_end(scan) ? '\0' : scan->text[scan->at];
        uint32_t digit = (uint32_t)(byte - '0');
        uint32_t letter = (uint32_t)((byte | 0x20) - 'a');
        if (digit >= 10 && letter >= 6) {
            return refuse(scan, "in \\u hexadecimal character escape");
        }
        *unit = *unit * 16 + (digit < 10 ? digit : letter + 10);
    }
    return 0;
}

/* A \u escape, a pair of them if the first is half a character. scan->at is on the u.
 */
static int scan_unicode(struct scan *scan)
{
    uint32_t unit;
    scan->at++;
    int rc = scan_hex(scan, &unit);
    if (rc != 0) {
        return rc;
    }
    if (unit == 0) {
        return err_set(scan->err, ERR_INVALID, "invalid NUL character in string");
    }
    if (unit < 0xd800 || unit > 0xdfff) {
        return 0;
    }
    uint32_t low = 0;
    if (unit < 0xdc00 && at_byte(scan, '\\') && scan->at + 1 < scan->len &&
        scan->text[scan->at + 1] == 'u') {
        scan->at += 2;
        rc = scan_hex(scan, &low);
        if (rc != 0) {
            return rc;
        }
    }
    if (low < 0xdc00 || low > 0xdfff) {
        return err_set(scan->err, ERR_INVALID, "invalid surrogate pair in string");
    }
    return 0;
}

static int scan_escape(struct scan *scan)
{
    scan->at++;
    if (at_byte(scan, 'u')) {
        return scan_unicode(scan);
    }
    if (at_end(scan) || strchr("\"\\/bfnrt", scan->text[scan->at]) == NULL ||
        scan->text[scan->at] == '\0') {
        return refuse(scan, "in string escape code");
    }
    scan->at++;
    return 0;
}

/* Behind what a string holds mostly: ASCII that stands for itself. */
static size_t skip_plain(const char *text, size_t len, size_t at)
{
    while (at < len) {
        unsigned char byte = (unsigned char)text[at];
        if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') {
            break;
        }
        at++;
    }
    return at;
}

static int scan_string(struct scan *scan)
{
    scan->at++;
    for (;;) {
        scan->at = skip_plain(scan->text, scan->len, scan->at);
        unsigned char byte = at_end(scan) ? 0 : (unsigned char)scan->text[scan->at];
        if (byte == '"') {
            break;
        }
        if (byte < 0x20) {
            return refuse(scan, "in string literal");
        }
        if (byte == '\\') {
            int rc = scan_escape(scan);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        uint32_t rune;
        size_t size = utf8_decode(scan->text + scan->at, scan->len - scan->at, &rune);
        if (size == 1) {
            return err_set(scan->err, ERR_INVALID, "invalid UTF-8 in string");
        }
        scan->at += size;
    }
    scan->at++;
    return 0;
}

static int open_bracket(struct scan *scan, char bracket)
{
    if (scan->depth == LIMIT_JSON_DEPTH) {
        return err_set(scan->err, ERR_INVALID, "exceeded max depth");
    }
    scan->open[scan->depth++] = bracket;
    scan->at++;
    scan->expect = bracket == '{' ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return 0;
}

static void close_bracket(struct scan *scan)
{
    scan->depth--;
    scan->at++;
    scan->expect = EXPECT_MORE;
}

static int scan_value(struct scan *scan)
{
    char byte = scan->text[scan->at];
    int rc;
    if (byte == ']' && scan->expect == EXPECT_VALUE_OR_END) {
        close_bracket(scan);
        return 0;
    }
    scan->values++;
    if (byte == '{' || byte == '[') {
        return open_bracket(scan, byte);
    }
    if (byte == '"') {
        rc = scan_string(scan);
    } else if (byte == '-' || at_digit(scan)) {
        rc = scan_number(scan);
    } else if (byte == 't') {
        rc = scan_literal(scan, "true");
    } else if (byte == 'f') {
        rc = scan_literal(scan, "false");
    } else if (byte == 'n') {
        rc = scan_literal(scan, "null");
    } else {
        return refuse(scan, "looking for beginning of value");
    }
    scan->expect = EXPECT_MORE;
    return rc;
}

static int scan_key(struct scan *scan)
{
    if (at_byte(scan, '}') && scan->expect == EXPECT_KEY_OR_END) {
        close_bracket(scan);
        return 0;
    }
    if (!at_byte(scan, '"')) {
        return refuse(scan, "looking for beginning of object key string");
    }
    scan->values++;
    scan->expect = EXPECT_COLON;
    return scan_string(scan);
}

static int scan_colon(struct scan *scan)
{
    if (!at_byte(scan, ':')) {
        return refuse(scan, "after object key");
    }
    scan->at++;
    scan->expect = EXPECT_VALUE;
    return 0;
}

static int scan_more(struct scan *scan)
{
    if (scan->depth == 0) {
        return refuse(scan, "after top-level value");
    }
    bool object = scan->open[scan->depth - 1] == '{';
    if (at_byte(scan, ',')) {
        scan->at++;
        scan->expect = object ? EXPECT_KEY : EXPECT_VALUE;
        return 0;
    }
    if (at_byte(scan, object ? '}' : ']')) {
        close_bracket(scan);
        return 0;
    }
    return refuse(scan, object ? "after object key:value pair" : "after array element");
}

static int scan_next(struct scan *scan)
{
    switch (scan->expect) {
    case EXPECT_VALUE:
    case EXPECT_VALUE_OR_END:
        return scan_value(scan);
    case EXPECT_KEY:
    case EXPECT_KEY_OR_END:
        return scan_key(scan);
    case EXPECT_COLON:
        return scan_colon(scan);
    case EXPECT_MORE:
        break;
    }
    return scan_more(scan);
}

int jsonscan_check(const char *text, size_t len, enum jsontext_reader reader,
                   size_t *values, struct err *err)
{
    struct scan scan = {.text = text, .len = len, .reader = reader, .err = err};
    if (len > LIMIT_BODY_BYTES) {
        return err_set(err, ERR_TOO_LARGE, "JSON text has %zu bytes, at most %d", len,
                       LIMIT_BODY_BYTES);
    }
    for (;;) {
        while (at_byte(&scan, ' ') || at_byte(&scan, '\t') || at_byte(&scan, '\r') ||
               at_byte(&scan, '\n')) {
            scan.at++;
        }
        if (at_end(&scan)) {
            break;
        }
        int rc = scan_next(&scan);
        if (rc != 0) {
            return rc;
        }
        if (scan.values > LIMIT_JSON_VALUES) {
            return err_set(err, ERR_TOO_LARGE, "JSON text has more than %d values",
                           LIMIT_JSON_VALUES);
        }
    }
    *values = scan.values;
    return scan.depth == 0 && scan.expect == EXPECT_MORE ? 0 : refuse_end(&scan);
}
