/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the expression with a stack of open groups. Of what stands before the
 * place it is at, it keeps two things: whether there is something to repeat, and how
 * many copies of it counted repetitions would make (Go allows 1000 in all). */
#include "text/regexp.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text/utf8.h"

#define GROUPS_MAX  1000
#define REPEATS_MAX 1000
#define TEXT_MAX    (64 * 1024)

struct group {
    uint16_t copies; /* the most that something in it so far makes */
};

struct reader {
    const char *text;
    size_t len;
    size_t at;
    struct err *err;
    bool operand;     /* there is something that can be repeated */
    uint16_t copies;  /* of the operand */
    bool repeated;    /* the last thing read was a repetition … */
    size_t repeat_at; /* … which began here */
    bool no_posix;    /* nothing from here on ends a [:class:] */
    size_t depth;
    struct group groups[GROUPS_MAX + 1]; /* [0]: outside all */
};

static const char *const class_names[] = {
#define X(name) #name,
#include "text/regexp_classes.def"
#undef X
};

static const char *const posix_names[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                          "digit", "graph", "lower", "print", "punct",
                                          "space", "upper", "word",  "xdigit"};

static int refuse(struct reader *reader, const char *what, size_t from, size_t to)
{
    return err_set(reader->err, ERR_INVALID, "error parsing regexp: %s: `%.*s`", what,
                   (int)(to - from), reader->text + from);
}

static bool has(const struct reader *reader, size_t at, char byte)
{
    return at < reader->len && reader->text[at] == byte;
}

/* Where `byte` is next, or the length of the text. */
static size_t find(const struct reader *reader, size_t from, char byte)
{
    size_t at = from;
    while (at < reader->len && reader->text[at] != byte) {
        at++;
    }
    return at;
}

static size_t rune_end(const struct reader *reader, size_t at)
{
    uint32_t rune;
    return at + utf8_decode(reader->text + at, reader->len - at, &rune);
}

static bool is_octal(char byte)
{
    return byte >= '0' && byte <= '7';
}

static bool is_word(char byte)
{
    return (uint32_t)(byte | 0x20) - 'a' < 26 || (byte >= '0' && byte <= '9') ||
           byte == '_';
}

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    int letter = (byte | 0x20) - 'a';
    return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

static void put_operand(struct reader *reader)
{
    reader->operand = true;
    reader->copies = 1;
}

/* A number in hex digits within braces; `*at` is behind the opening one. Where it
 * fails,
 * `*at` is behind what is shown. */
static bool read_hex_braces(const struct reader *reader, size_t *at, uint32_t *rune)
{
    *rune = 0;
    for (size_t digits = 0; *at < reader->len; digits++) {
        char byte = reader->text[*at];
        int value = hex_value(byte);
        *at = rune_end(reader, *at);
        if (value < 0) {
            return byte == '}' && digits > 0;
        }
        *rune = *rune * 16 + (uint32_t)value;
        if (*rune > 0x10ffff) {
            return false;
        }
    }
    return false;
}

/* What follows \x: {hex digits}, or two of them. As above. */
static bool read_hex(const struct reader *reader, size_t *at, uint32_t *rune)
{
    if (has(reader, *at, '{')) {
        ++*at;
        return read_hex_braces(reader, at, rune);
    }
    *rune = 0;
    bool good = true;
    for (int i = 0; i < 2; i++) {
        int value = *at < reader->len ? hex_value(reader->text[*at]) : -1;
        good = good && value >= 0;
        *rune = *rune * 16 + (uint32_t)(value & 0xf);
        *at = *at < reader->len ? rune_end(reader, *at) : *at;
    }
    return good;
}

/* One escaped character at reader->at, which is a backslash; steps over it. */
static int read_escape(struct reader *reader, uint32_t *rune)
{
    size_t from = reader->at;
    size_t at = from + 1;
    if (at >= reader->len) {
        return refuse(reader, "trailing backslash at end of expression", at, at);
    }
    char first = reader->text[at];
    size_t next = rune_end(reader, at);
    bool good = false;
    *rune = (unsigned char)first;
    if (first == '0' ||
        (is_octal(first) && next < reader->len && is_octal(reader->text[next]))) {
        good = true;
        *rune = (uint32_t)(first - '0');
        for (int i = 0; i < 2 && next < reader->len && is_octal(reader->text[next]);
             i++) {
            *rune = *rune * 8 + (uint32_t)(reader->text[next++] - '0');
        }
    } else if (first == 'x') {
        good = read_hex(reader, &next, rune);
    } else if (memchr("aftnrv", first, 6) != NULL) {
        static const char codes[] = {'\a', '\f', '\t', '\n', '\r', '\v'};
        *rune = (unsigned char)codes[strchr("aftnrv", first) - "aftnrv"];
        good = true;
    } else {
        good = (unsigned char)first < 0x80 && (!is_word(first) || first == '_');
    }
    if (!good) {
        return refuse(reader, "invalid escape sequence", from, next);
    }
    reader->at = next;
    return 0;
}

static bool is_class_name(const char *name, size_t len)
{
    size_t low = 0;
    size_t high = sizeof class_names / sizeof class_names[0];
    while (low < high) { /* a long expression may ask for very many */
        size_t middle = low + (high - low) / 2;
        int order = strncmp(name, class_names[middle], len);
        if (order == 0 && class_names[middle][len] == '\0') {
            return true;
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

/* \pL, \p{Greek}, \PN, \p{^Lu} at reader->at. */
static int read_unicode_class(struct reader *reader)
{
    size_t from = reader->at;
    size_t name = from + 2;
    size_t end = name < reader->len ? rune_end(reader, name) : name;
    size_t next = end;
    if (has(reader, name, '{')) {
        name++;
        end = find(reader, name, '}');
        next = end < reader->len ? end + 1 : end;
        if (has(reader, name, '^')) {
            name++;
        }
    }
    bool closed = reader->text[from + 2 < reader->len ? from + 2 : from] != '{' ||
                  end < reader->len;
    if (!closed || name >= end || !is_class_name(reader->text + name, end - name)) {
        return refuse(reader, "invalid character class range", from, next);
    }
    reader->at = next;
    return 0;
}

/* Is there a class in an escape (\d, \pL) at reader->at? */
static bool at_escape_class(const struct reader *reader, const char *letters)
{
    return has(reader, reader->at, '\\') && reader->at + 1 < reader->len &&
           strchr(letters, reader->text[reader->at + 1]) != NULL;
}

/* [:alpha:] at reader->at; `*taken` says whether there was one. */
static int read_posix_class(struct reader *reader, bool *taken)
{
    *taken = false;
    size_t from = reader->at;
    if (!has(reader, from, '[') || !has(reader, from + 1, ':') ||
        from + 2 >= reader->len || reader->no_posix) {
        return 0;
    }
    size_t end = from + 2;
    while (end < reader->len && !(has(reader, end, ':') && has(reader, end + 1, ']'))) {
        end++;
    }
    if (end >= reader->len) {
        reader->no_posix = true; /* or looking for it at each [: is quadratic */
        return 0;
    }
    size_t name = from + 2 + (has(reader, from + 2, '^') ? 1 : 0);
    *taken = true;
    for (size_t i = 0; i < sizeof posix_names / sizeof posix_names[0]; i++) {
        if (name <= end && strlen(posix_names[i]) == end - name &&
            memcmp(posix_names[i], reader->text + name, end - name) == 0) {
            reader->at = end + 2;
            return 0;
        }
    }
    return refuse(reader, "invalid character class range", from, end + 2);
}

static int read_class_rune(struct reader *reader, size_t class_at, uint32_t *rune)
{
    if (reader->at >= reader->len) {
        return refuse(reader, "missing closing ]", class_at, reader->len);
    }
    if (has(reader, reader->at, '\\')) {
        return read_escape(reader, rune);
    }
    reader->at +=
        utf8_decode(reader->text + reader->at, reader->len - reader->at, rune);
    return 0;
}

static int read_class_range(struct reader *reader, size_t class_at)
{
    size_t from = reader->at;
    uint32_t low;
    int rc = read_class_rune(reader, class_at, &low);
    if (rc != 0) {
        return rc;
    }
    if (!has(reader, reader->at, '-') || reader->at + 1 >= reader->len ||
        has(reader, reader->at + 1, ']')) {
        return 0;
    }
    reader->at++;
    uint32_t high;
    rc = read_class_rune(reader, class_at, &high);
    if (rc == 0 && high < low) {
        rc = refuse(reader, "invalid character class range", from, reader->at);
    }
    return rc;
}

/* A [class] at reader->at. */
static int read_class(struct reader *reader)
{
    size_t class_at = reader->at++;
    if (has(reader, reader->at, '^')) {
        reader->at++;
    }
    int rc = 0;
    for (bool first = true; rc == 0 && (first || !has(reader, reader->at, ']'));
         first = false) {
        bool taken;
        rc = read_posix_class(reader, &taken);
        if (rc != 0 || taken) {
            continue;
        }
        if (at_escape_class(reader, "pP")) {
            rc = read_unicode_class(reader);
        } else if (at_escape_class(reader, "dDsSwW")) {
            reader->at += 2;
        } else {
            rc = read_class_range(reader, class_at);
        }
    }
    if (rc == 0) {
        reader->at++;
        put_operand(reader);
    }
    return rc;
}

static int open_group(struct reader *reader)
{
    if (reader->depth == GROUPS_MAX) {
        return refuse(reader, "expression nests too deeply", 0, reader->len);
    }
    reader->groups[++reader->depth] = (struct group){0};
    reader->operand = false;
    return 0;
}

/* (?P<name> or (?<name> at reader->at; `name` is where the name begins. */
static int read_named_group(struct reader *reader, size_t name)
{
    size_t end = find(reader, name, '>');
    bool good = end < reader->len && end > name;
    for (size_t i = name; good && i < end; i++) {
        good = is_word(reader->text[i]);
    }
    if (!good) {
        return refuse(reader, "invalid named capture", reader->at,
                      end < reader->len ? end + 1 : end);
    }
    reader->at = end + 1;
    return open_group(reader);
}

/* What begins with (? at reader->at: a name, or flags for a group or for the rest. */
static int read_flags(struct reader *reader)
{
    size_t from = reader->at;
    size_t at = from + 2;
    if (has(reader, at, 'P') && has(reader, at + 1, '<') && at + 2 < reader->len) {
        return read_named_group(reader, at + 2);
    }
    if (has(reader, at, '<') && at + 1 < reader->len) {
        return read_named_group(reader, at + 1);
    }
    bool minus = false;
    bool any = false; /* a flag since the minus */
    while (at < reader->len) {
        char byte = reader->text[at];
        at = rune_end(reader, at);
        if (memchr("imsU", byte, 4) != NULL) {
            any = true;
        } else if (byte == '-' && !minus) {
            minus = true;
            any = false;
        } else if ((byte == ':' || byte == ')') && (!minus || any)) {
            reader->at = at;
            return byte == ':' ? open_group(reader) : 0;
        } else {
            break;
        }
    }
    return refuse(reader, "invalid or unsupported Perl syntax", from, at);
}

/* The operand before is complete: it counts for its group. */
static void settle(struct reader *reader)
{
    struct group *group = &reader->groups[reader->depth];
    if (reader->operand && reader->copies > group->copies) {
        group->copies = reader->copies;
    }
}

static int close_group(struct reader *reader)
{
    if (reader->depth == 0) {
        return refuse(reader, "unexpected )", 0, reader->len);
    }
    settle(reader);
    uint16_t copies = reader->groups[reader->depth--].copies;
    put_operand(reader);
    if (copies > 1) {
        reader->copies = copies;
    }
    reader->at++;
    return 0;
}

struct repeat {
    bool counted;
    int32_t min;
    int32_t max; /* -1: no end */
    size_t end;  /* behind it, before a ? */
};

/* A number as in {2,3}: no leading zero; large ones are all the same. */
static bool read_count(const struct reader *reader, size_t *at, int32_t *count)
{
    size_t from = *at;
    *count = 0;
    while (*at < reader->len && reader->text[*at] >= '0' && reader->text[*at] <= '9') {
        if (*count <= REPEATS_MAX) {
            *count = *count * 10 + (reader->text[*at] - '0');
        }
        ++*at;
    }
    return *at > from && !(*at - from > 1 && reader->text[from] == '0');
}

/* False if what stands at reader->at is no repetition but a plain {. */
static bool read_repeat(const struct reader *reader, struct repeat *repeat)
{
    size_t at = reader->at;
    *repeat = (struct repeat){.max = -1, .end = at + 1};
    if (!has(reader, at, '{')) {
        return true;
    }
    at++;
    if (!read_count(reader, &at, &repeat->min)) {
        return false;
    }
    repeat->max = repeat->min;
    if (has(reader, at, ',')) {
        at++;
        repeat->max = -1;
        if (!has(reader, at, '}') && !read_count(reader, &at, &repeat->max)) {
            return false;
        }
    }
    repeat->counted = true;
    repeat->end = at + 1;
    return has(reader, at, '}');
}

static int apply_repeat(struct reader *reader, const struct repeat *repeat,
                        bool repeated, size_t repeat_at)
{
    size_t from = reader->at;
    if (repeat->counted && (repeat->min > REPEATS_MAX || repeat->max > REPEATS_MAX ||
                            (repeat->max >= 0 && repeat->min > repeat->max))) {
        return refuse(reader, "invalid repeat count", from, repeat->end);
    }
    size_t end = repeat->end + (has(reader, repeat->end, '?') ? 1 : 0);
    if (repeated) {
        return refuse(reader, "invalid nested repetition operator", repeat_at, end);
    }
    if (!reader->operand) {
        return refuse(reader, "missing argument to repetition operator", from, end);
    }
    if (repeat->counted) {
        int32_t count = repeat->max < 0 ? repeat->min : repeat->max;
        uint32_t copies = (uint32_t)reader->copies * (uint32_t)(count > 0 ? count : 1);
        if (count > 1 && copies > REPEATS_MAX) {
            return refuse(reader, "invalid repeat count", from, end);
        }
        reader->copies = repeat->max == 0 ? 1 : (uint16_t)copies;
    }
    reader->at = end;
    reader->repeated = true;
    reader->repeat_at = from;
    return 0;
}

/* \Q…\E: all of it stands for itself. */
static void read_quoted(struct reader *reader)
{
    size_t at = reader->at + 2;
    size_t from = at;
    while (at < reader->len && !(has(reader, at, '\\') && has(reader, at + 1, 'E'))) {
        at++;
    }
    if (at > from) {
        settle(reader);
        put_operand(reader);
    }
    reader->at = at < reader->len ? at + 2 : at;
}

static int read_backslash(struct reader *reader)
{
    if (at_escape_class(reader, "Q")) {
        read_quoted(reader);
        return 0;
    }
    settle(reader);
    if (at_escape_class(reader, "C")) {
        return refuse(reader, "invalid escape sequence", reader->at, reader->at + 2);
    }
    if (at_escape_class(reader, "pP")) {
        put_operand(reader);
        return read_unicode_class(reader);
    }
    put_operand(reader);
    if (at_escape_class(reader, "AbBzdDsSwW")) {
        reader->at += 2;
        return 0;
    }
    uint32_t rune;
    return read_escape(reader, &rune);
}

static int read_literal(struct reader *reader)
{
    settle(reader);
    put_operand(reader);
    reader->at = rune_end(reader, reader->at);
    return 0;
}

static int read_item(struct reader *reader)
{
    bool repeated = reader->repeated;
    size_t repeat_at = reader->repeat_at;
    reader->repeated = false;
    switch (reader->text[reader->at]) {
    case '(':
        if (has(reader, reader->at + 1, '?')) {
            settle(reader);
            return read_flags(reader);
        }
        settle(reader);
        reader->at++;
        return open_group(reader);
    case ')':
        return close_group(reader);
    case '|':
        settle(reader);
        reader->operand = false;
        reader->at++;
        return 0;
    case '[':
        settle(reader);
        return read_class(reader);
    case '\\':
        return read_backslash(reader);
    case '*':
    case '+':
    case '?':
    case '{': {
        struct repeat repeat;
        if (read_repeat(reader, &repeat)) {
            return apply_repeat(reader, &repeat, repeated, repeat_at);
        }
        return read_literal(reader);
    }
    default:
        return read_literal(reader);
    }
}

int regexp_check(const char *text, size_t len, struct err *err)
{
    struct reader reader = {.text = text, .len = len, .err = err};
    if (len > TEXT_MAX) {
        return err_set(err, ERR_INVALID, "error parsing regexp: expression too large");
    }
    if (!utf8_valid(text, len)) {
        return err_set(err, ERR_INVALID, "error parsing regexp: invalid UTF-8");
    }
    int rc = 0;
    while (rc == 0 && reader.at < len) {
        rc = read_item(&reader);
    }
    if (rc == 0 && reader.depth > 0) {
        rc = refuse(&reader, "missing closing )", 0, len);
    }
    return rc;
}
