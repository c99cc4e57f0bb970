/* SPDX-License-Identifier: Apache-2.0 */
#include "text/cron.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define FIELDS_MIN     5
#define FIELDS_MAX     7
#define SHOWN_MAX      128 /* bytes of a wrong entry that its error shows */
#define LINE_MAX_BYTES 4096

enum field_kind {
    FIELD_SECOND,
    FIELD_MINUTE,
    FIELD_HOUR,
    FIELD_DAY_OF_MONTH,
    FIELD_MONTH,
    FIELD_DAY_OF_WEEK,
    FIELD_YEAR,
};

struct field {
    const char *name;
    unsigned min;
    unsigned max;      /* of a value */
    unsigned step_max; /* of what follows a slash */
    const char *const *words;
};

static const char *const months[] = {
    "jan",  "feb",  "mar",    "apr",       "may",     "jun",      "jul",      "aug",
    "sep",  "oct",  "nov",    "dec",       "january", "february", "march",    "april",
    "june", "july", "august", "september", "october", "november", "december", NULL};
static const char *const days[] = {
    "sun",    "mon",     "tue",       "wed",      "thu",    "fri",      "sat", "sunday",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", NULL};
static const char *const no_words[] = {NULL};

static const struct field fields[] = {
    [FIELD_SECOND] = {"second", 0, 59, 59, no_words},
    [FIELD_MINUTE] = {"minute", 0, 59, 59, no_words},
    [FIELD_HOUR] = {"hour", 0, 23, 23, no_words},
    [FIELD_DAY_OF_MONTH] = {"day-of-month", 1, 31, 31, no_words},
    [FIELD_MONTH] = {"month", 1, 12, 12, months},
    [FIELD_DAY_OF_WEEK] = {"day-of-week", 0, 7, 6, days},
    [FIELD_YEAR] = {"year", 1970, 2099, 2099, no_words},
};

struct macro {
    const char *name;
    const char *fields;
};

static const struct macro macros[] = {
    {"@yearly", "0 0 0 1 1 * *"},  {"@annually", "0 0 0 1 1 * *"},
    {"@monthly", "0 0 0 1 * * *"}, {"@weekly", "0 0 0 * * 0 *"},
    {"@daily", "0 0 0 * * * *"},   {"@hourly", "0 0 * * * * *"},
};

/* A part of the line. */
struct slice {
    const char *at;
    size_t len;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_text(struct slice slice, const char *text)
{
    return strlen(text) == slice.len && strncasecmp(slice.at, text, slice.len) == 0;
}

/* A number of the width its field has: at most two digits, of a year four. */
static bool is_number(const struct field *field, struct slice slice)
{
    bool year = field->min > 99;
    if (slice.len == 0 || slice.len > (year ? 4 : 2) || (year && slice.len != 4)) {
        return false;
    }
    unsigned value = 0;
    for (size_t i = 0; i < slice.len; i++) {
        if (!is_digit(slice.at[i])) {
            return false;
        }
        value = value * 10 + (unsigned)(slice.at[i] - '0');
    }
    return value >= field->min && value <= field->max;
}

static bool is_value(const struct field *field, struct slice slice)
{
    for (const char *const *word = field->words; *word != NULL; word++) {
        if (is_text(slice, *word)) {
            return true;
        }
    }
    return is_number(field, slice);
}

/* Cut `slice` at the first `mark`: the part before stays, the part after is returned.
 * False, and nothing cut, if there is no mark. */
static bool cut(struct slice *slice, char mark, struct slice *after)
{
    const char *found = slice->len > 0 ? memchr(slice->at, mark, slice->len) : NULL;
    if (found == NULL) {
        return false;
    }
    size_t before = (size_t)(found - slice->at);
    *after = (struct slice){found + 1, slice->len - before - 1};
    slice->len = before;
    return true;
}

static bool is_range(const struct field *field, struct slice slice)
{
    struct slice last;
    return cut(&slice, '-', &last) && is_value(field, slice) && is_value(field, last);
}

static bool is_digits(struct slice slice)
{
    for (size_t i = 0; i < slice.len; i++) {
        if (!is_digit(slice.at[i])) {
            return false;
        }
    }
    return slice.len > 0;
}

/* The library behind CTS reads a step with the table it reads values with: it knows 0
 * to 59, in at most two digits, and the years. */
static bool is_step(const struct field *field, struct slice step)
{
    static const struct field numbers = {.min = 1, .max = 59, .words = no_words};
    const struct field *known = step.len > 2 ? &fields[FIELD_YEAR] : &numbers;
    unsigned value = 0;
    for (size_t i = 0; i < step.len && value <= field->step_max; i++) {
        value = value * 10 + (unsigned)(step.at[i] - '0');
    }
    return is_number(known, step) && value <= field->step_max;
}

static bool is_special(enum field_kind kind, struct slice entry)
{
    const struct field *field = &fields[kind];
    char last = entry.len > 0 ? (char)(entry.at[entry.len - 1] | 0x20) : '\0';
    struct slice head = {entry.at, entry.len > 0 ? entry.len - 1 : 0};
    if (kind == FIELD_DAY_OF_MONTH) {
        return is_text(entry, "l") || is_text(entry, "lw") ||
               (last == 'w' && is_value(field, head));
    }
    if (kind == FIELD_DAY_OF_WEEK) {
        struct slice week;
        if (cut(&entry, '#', &week)) {
            return is_value(field, entry) && week.len == 1 && week.at[0] >= '1' &&
                   week.at[0] <= '5';
        }
        return last == 'l' && is_value(field, head);
    }
    return false;
}

enum verdict { VERDICT_GOOD, VERDICT_SYNTAX, VERDICT_INTERVAL };

static enum verdict judge(enum field_kind kind, struct slice entry)
{
    const struct field *field = &fields[kind];
    struct slice base = entry;
    struct slice step;
    if (!cut(&base, '/', &step)) {
        bool good = is_text(entry, "*") || is_text(entry, "?") ||
                    is_value(field, entry) || is_range(field, entry) ||
                    is_special(kind, entry);
        return good ? VERDICT_GOOD : VERDICT_SYNTAX;
    }
    if (!is_digits(step) ||
        !(is_text(base, "*") || is_value(field, base) || is_range(field, base))) {
        return VERDICT_SYNTAX;
    }
    return is_step(field, step) ? VERDICT_GOOD : VERDICT_INTERVAL;
}

static int shown(struct slice slice)
{
    return (int)(slice.len < SHOWN_MAX ? slice.len : SHOWN_MAX);
}

static int refuse_interval(struct slice entry, struct err *err)
{
    char lower[SHOWN_MAX];
    for (int i = 0; i < shown(entry); i++) {
        char byte = entry.at[i];
        lower[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    return err_set(err, ERR_INVALID, "invalid interval %.*s", shown(entry), lower);
}

/* Wrong intervals are found while a field is split, wrong syntax only afterwards, so
 * the former are reported first, as the library that CTS uses does. */
static int check_field(enum field_kind kind, struct slice text, struct err *err)
{
    struct slice bad = {0};
    bool any = false;
    bool all = false;
    bool days_field = kind == FIELD_DAY_OF_MONTH || kind == FIELD_DAY_OF_WEEK;
    for (bool more = true; more;) {
        struct slice entry = text;
        more = cut(&entry, ',', &text);
        if (entry.len == 0) {
            continue;
        }
        any = true;
        enum verdict verdict = judge(kind, entry);
        if (verdict == VERDICT_INTERVAL) {
            return refuse_interval(entry, err);
        }
        if (verdict == VERDICT_SYNTAX && bad.at == NULL && !all) {
            bad = entry;
        }
        all = all || (!days_field && (is_text(entry, "*") || is_text(entry, "?")));
    }
    if (!any) {
        return err_set(err, ERR_INVALID, "%s field: missing directive",
                       fields[kind].name);
    }
    if (bad.at != NULL) {
        return err_set(err, ERR_INVALID, "syntax error in %s field: '%.*s'",
                       fields[kind].name, shown(bad), bad.at);
    }
    return 0;
}

static void expand_macros(struct buf *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t taken = 0;
        for (size_t i = 0; i < sizeof macros / sizeof macros[0] && taken == 0; i++) {
            size_t name_len = strlen(macros[i].name);
            if (name_len <= len - at &&
                memcmp(text + at, macros[i].name, name_len) == 0) {
                buf_put(out, macros[i].fields, strlen(macros[i].fields));
                taken = name_len;
            }
        }
        if (taken == 0) {
            buf_put_u8(out, (uint8_t)text[at]);
            taken = 1;
        }
        at += taken;
    }
}

/* Split at blanks; what follows the seventh field is ignored. Returns the count. */
static size_t split(const char *text, size_t len, struct slice parts[FIELDS_MAX])
{
    static const char blanks[] = " \t\n\f\r";
    size_t count = 0;
    size_t at = 0;
    while (count < FIELDS_MAX) {
        while (at < len && memchr(blanks, text[at], 5) != NULL) {
            at++;
        }
        if (at == len) {
            break;
        }
        size_t from = at;
        while (at < len && memchr(blanks, text[at], 5) == NULL) {
            at++;
        }
        parts[count++] = (struct slice){text + from, at - from};
    }
    return count;
}

int cron_check(const char *text, size_t len, struct err *err)
{
    if (len > LINE_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "line has more than %d bytes", LINE_MAX_BYTES);
    }
    struct buf line;
    buf_init(&line);
    expand_macros(&line, text, len);
    struct slice parts[FIELDS_MAX];
    size_t count = split((const char *)line.data, line.len, parts);
    int rc = 0;
    if (count < FIELDS_MIN) {
        rc = err_set(err, ERR_INVALID, "missing field(s)");
    }
    size_t first = count == FIELDS_MAX ? FIELD_SECOND : FIELD_MINUTE;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = check_field((enum field_kind)(first + i), parts[i], err);
    }
    buf_close(&line);
    return rc;
}
