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
    unsigned max;        /* of a value */
    unsigned high;       /* where * ends */
    unsigned step_max;   /* of what follows a slash */
    unsigned word_count; /* without the long ones */
    const char *const *words;
};

static const char *const months[] = {
    "jan",     "feb",      "mar",      "apr",  "may",  "jun",     "jul",
    "aug",     "sep",      "oct",      "nov",  "dec",  "january", "february",
    "march",   "april",    "may",      "june", "july", "august",  "september",
    "october", "november", "december", NULL};
static const char *const days[] = {
    "sun",    "mon",     "tue",       "wed",      "thu",    "fri",      "sat", "sunday",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", NULL};
static const char *const no_words[] = {NULL};

static const struct field fields[] = {
    [FIELD_SECOND] = {"second", 0, 59, 59, 59, 0, no_words},
    [FIELD_MINUTE] = {"minute", 0, 59, 59, 59, 0, no_words},
    [FIELD_HOUR] = {"hour", 0, 23, 23, 23, 0, no_words},
    [FIELD_DAY_OF_MONTH] = {"day-of-month", 1, 31, 31, 31, 0, no_words},
    [FIELD_MONTH] = {"month", 1, 12, 12, 12, 12, months},
    [FIELD_DAY_OF_WEEK] = {"day-of-week", 0, 7, 6, 6, 7, days},
    [FIELD_YEAR] = {"year", CRON_YEAR_MIN, CRON_YEAR_MAX, CRON_YEAR_MAX, 2099, 0,
                    no_words},
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
static bool read_number(const struct field *field, struct slice slice, unsigned *out)
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
    *out = value;
    return value >= field->min && value <= field->max;
}

/* Of the words the short ones come first, then the long ones in the same order. */
static bool read_value(const struct field *field, struct slice slice, unsigned *out)
{
    for (unsigned i = 0; field->words[i] != NULL; i++) {
        if (is_text(slice, field->words[i])) {
            *out = field->min + i % field->word_count;
            return true;
        }
    }
    return read_number(field, slice, out);
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
static bool read_step(const struct field *field, struct slice step, unsigned *out)
{
    static const struct field numbers = {.min = 1, .max = 59, .words = no_words};
    const struct field *known = step.len > 2 ? &fields[FIELD_YEAR] : &numbers;
    return read_number(known, step, out) && *out <= field->step_max;
}

/* --- what an entry of a field says -------------------------------------------------
 */

enum entry_kind {
    ENTRY_ALL,
    ENTRY_SPAN,    /* first, first + step .. last */
    ENTRY_LAST,    /* L: the last day, or the last weekday `first` of the month */
    ENTRY_WORKDAY, /* the workday nearest to day `first` */
    ENTRY_LAST_WORKDAY,
    ENTRY_NTH, /* the `last`th weekday `first` of the month */
};

struct entry {
    enum entry_kind kind;
    unsigned first;
    unsigned last;
    unsigned step;
};

static bool read_special(enum field_kind kind, struct slice text, struct entry *out)
{
    const struct field *field = &fields[kind];
    char last = text.len > 0 ? (char)(text.at[text.len - 1] | 0x20) : '\0';
    struct slice head = {text.at, text.len > 0 ? text.len - 1 : 0};
    struct slice week;
    *out = (struct entry){.kind = ENTRY_LAST};
    if (kind == FIELD_DAY_OF_MONTH) {
        if (is_text(text, "l")) {
            return true;
        }
        out->kind = is_text(text, "lw") ? ENTRY_LAST_WORKDAY : ENTRY_WORKDAY;
        return out->kind == ENTRY_LAST_WORKDAY ||
               (last == 'w' && read_value(field, head, &out->first));
    }
    if (kind == FIELD_DAY_OF_WEEK && cut(&text, '#', &week)) {
        out->kind = ENTRY_NTH;
        out->last = week.len == 1 ? (unsigned)(week.at[0] - '0') : 0;
        return read_value(field, text, &out->first) && out->last >= 1 && out->last <= 5;
    }
    return kind == FIELD_DAY_OF_WEEK && last == 'l' &&
           read_value(field, head, &out->first);
}

/* Sunday is the first day of a week and, at the end of a range, its last one: 5-7,
 * fri-sun; as the first of a range it is the first, however it is written: 7-1. */
static void settle_weekdays(struct entry *entry)
{
    if (entry->last == 0 && entry->first >= 1 && entry->first <= 6) {
        entry->last = 7;
    } else if (entry->first == 7 && entry->last < 7) {
        entry->first = 0;
    }
}

/* `5`, `5-20`; false: it is neither. */
static bool read_span(enum field_kind kind, struct slice text, struct entry *out)
{
    const struct field *field = &fields[kind];
    struct slice last;
    *out = (struct entry){.kind = ENTRY_SPAN, .step = 1};
    if (!cut(&text, '-', &last)) {
        bool good = read_value(field, text, &out->first);
        out->last = out->first;
        return good;
    }
    bool good =
        read_value(field, text, &out->first) && read_value(field, last, &out->last);
    if (kind == FIELD_DAY_OF_WEEK) {
        settle_weekdays(out);
    }
    return good;
}

enum verdict { VERDICT_GOOD, VERDICT_SYNTAX, VERDICT_INTERVAL };

static enum verdict judge(enum field_kind kind, struct slice text, struct entry *out)
{
    const struct field *field = &fields[kind];
    struct slice base = text;
    struct slice step;
    if (!cut(&base, '/', &step)) {
        if (is_text(text, "*") || is_text(text, "?")) {
            *out = (struct entry){ENTRY_ALL, field->min, field->high, 1};
            return VERDICT_GOOD;
        }
        bool good = read_span(kind, text, out) || read_special(kind, text, out);
        return good ? VERDICT_GOOD : VERDICT_SYNTAX;
    }
    struct slice range = base;
    struct slice rest;
    bool ranged = cut(&range, '-', &rest);
    bool all = is_text(base, "*");
    if (!is_digits(step) || !(all || read_span(kind, base, out))) {
        return VERDICT_SYNTAX;
    }
    if (all) {
        *out = (struct entry){ENTRY_SPAN, field->min, field->high, 1};
    } else if (!ranged) { /* from there to the end of the field; 7 is Sunday, 0 */
        out->first = kind == FIELD_DAY_OF_WEEK ? out->first % 7 : out->first;
        out->last = field->high;
    }
    return read_step(field, step, &out->step) ? VERDICT_GOOD : VERDICT_INTERVAL;
}

/* --- into the line's sets -----------------------------------------------------------
 */

static void add_span(enum field_kind kind, const struct entry *entry, struct cron *cron)
{
    for (unsigned value = entry->first; value <= entry->last; value += entry->step) {
        switch (kind) {
        case FIELD_SECOND:
            cron->seconds |= (uint64_t)1 << value;
            break;
        case FIELD_MINUTE:
            cron->minutes |= (uint64_t)1 << value;
            break;
        case FIELD_HOUR:
            cron->hours |= (uint32_t)1 << value;
            break;
        case FIELD_DAY_OF_MONTH:
            cron->days |= (uint32_t)1 << value;
            break;
        case FIELD_MONTH:
            cron->months |= (uint32_t)1 << value;
            break;
        case FIELD_DAY_OF_WEEK:
            cron->weekdays |= (uint32_t)1 << value % 7;
            break;
        case FIELD_YEAR:
            cron->years[(value - CRON_YEAR_MIN) / 64] |=
                (uint64_t)1 << (value - CRON_YEAR_MIN) % 64;
            break;
        }
    }
}

static void add_entry(enum field_kind kind, const struct entry *entry,
                      struct cron *cron)
{
    uint32_t bit = (uint32_t)1 << (kind == FIELD_DAY_OF_WEEK ? entry->first % 7
                                                             : entry->first % 32);
    switch (entry->kind) {
    case ENTRY_ALL:
        cron->every_day |= kind == FIELD_DAY_OF_MONTH;
        cron->every_weekday |= kind == FIELD_DAY_OF_WEEK;
        cron->every_year |= kind == FIELD_YEAR;
        add_span(kind, entry, cron);
        break;
    case ENTRY_SPAN:
        add_span(kind, entry, cron);
        break;
    case ENTRY_LAST:
        if (kind == FIELD_DAY_OF_WEEK) {
            cron->last_weekdays |= bit;
        } else {
            cron->last_day = true;
        }
        break;
    case ENTRY_WORKDAY:
        cron->workdays |= bit;
        break;
    case ENTRY_LAST_WORKDAY:
        cron->last_workday = true;
        break;
    case ENTRY_NTH:
        cron->nth_weekdays[entry->last - 1] |= bit;
        break;
    }
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
static int read_field(enum field_kind kind, struct slice text, struct cron *cron,
                      struct err *err)
{
    struct slice bad = {0};
    bool any = false;
    bool all = false;
    bool days_field = kind == FIELD_DAY_OF_MONTH || kind == FIELD_DAY_OF_WEEK;
    for (bool more = true; more;) {
        struct slice part = text;
        more = cut(&part, ',', &text);
        if (part.len == 0) {
            continue;
        }
        any = true;
        struct entry entry;
        enum verdict verdict = judge(kind, part, &entry);
        if (verdict == VERDICT_INTERVAL) {
            return refuse_interval(part, err);
        }
        if (verdict == VERDICT_SYNTAX) {
            bad = bad.at == NULL && !all ? part : bad;
            continue;
        }
        all = all || (!days_field && entry.kind == ENTRY_ALL);
        add_entry(kind, &entry, cron);
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

/* Cut `CRON_TZ=Name ` or `TZ=Name ` off the front. */
static int read_zone_name(const char **text, size_t *len, struct cron *cron,
                          struct err *err)
{
    static const char *const prefixes[] = {"CRON_TZ=", "TZ="};
    struct slice parts[FIELDS_MAX];
    if (split(*text, *len, parts) == 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t prefix_len = strlen(prefixes[i]);
        if (parts[0].len < prefix_len ||
            memcmp(parts[0].at, prefixes[i], prefix_len) != 0) {
            continue;
        }
        struct slice name = {parts[0].at + prefix_len, parts[0].len - prefix_len};
        if (!zone_name_sound(name.at, name.len)) {
            return err_set(err, ERR_INVALID, "not a name of a time zone: '%.*s'",
                           shown(name), name.at);
        }
        memcpy(cron->zone, name.at, name.len);
        size_t past = (size_t)(name.at + name.len - *text);
        *text += past;
        *len -= past;
        return 0;
    }
    return 0;
}

/* What a line of five or six fields leaves out. */
static void read_defaults(size_t count, struct cron *cron)
{
    if (count < FIELDS_MAX) {
        cron->seconds = 1;
    }
    if (count == FIELDS_MIN) {
        cron->every_year = true;
    }
}

int cron_parse(const char *text, size_t len, struct cron *out, struct err *err)
{
    *out = (struct cron){0};
    if (len > LINE_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "line has more than %d bytes", LINE_MAX_BYTES);
    }
    int rc = read_zone_name(&text, &len, out, err);
    if (rc != 0) {
        return rc;
    }
    struct buf line;
    buf_init(&line);
    expand_macros(&line, text, len);
    struct slice parts[FIELDS_MAX];
    size_t count = split((const char *)line.data, line.len, parts);
    if (count < FIELDS_MIN) {
        rc = err_set(err, ERR_INVALID, "missing field(s)");
    }
    read_defaults(count, out);
    size_t first = count == FIELDS_MAX ? FIELD_SECOND : FIELD_MINUTE;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = read_field((enum field_kind)(first + i), parts[i], out, err);
    }
    buf_close(&line);
    return rc;
}

int cron_check(const char *text, size_t len, struct err *err)
{
    struct cron cron;
    return cron_parse(text, len, &cron, err);
}
