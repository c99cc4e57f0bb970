/* SPDX-License-Identifier: Apache-2.0 */
#include "text/duration.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define TEXT_SHOWN_MAX 128 /* bytes of a wrong text that its error shows */

struct unit {
    const char *name;
    uint64_t ns;
};

static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5, the micro sign */
    {"\xce\xbcs", 1000}, /* U+03BC, the Greek letter */
    {"ms", 1000 * 1000},
    {"s", UINT64_C(1000000000)},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
};

#define MAGNITUDE_MAX (UINT64_C(1) << 63)

/* As Go's time package quotes: all that is not printable ASCII as \xNN. */
static void put_quoted(struct buf *out, const char *text, size_t len)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < len && i < TEXT_SHOWN_MAX; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte >= 0x80) {
            buf_printf(out, "\\x%02x", byte);
        } else if (byte == '"' || byte == '\\') {
            buf_printf(out, "\\%c", byte);
        } else {
            buf_put_u8(out, byte);
        }
    }
    buf_put_u8(out, '"');
}

static int refuse(const char *what, const char *text, size_t len, struct err *err)
{
    struct buf quoted;
    buf_init(&quoted);
    put_quoted(&quoted, text, len);
    int rc = err_set(err, ERR_INVALID, "time: %s %.*s", what, (int)quoted.len,
                     (const char *)quoted.data);
    buf_close(&quoted);
    return rc;
}

static int refuse_unit(const char *unit, size_t unit_len, const char *text, size_t len,
                       struct err *err)
{
    struct buf what;
    buf_init(&what);
    buf_printf(&what, "unknown unit ");
    put_quoted(&what, unit, unit_len);
    buf_printf(&what, " in duration");
    buf_put_u8(&what, '\0');
    int rc = refuse((const char *)what.data, text, len, err);
    buf_close(&what);
    return rc;
}

static const struct unit *find_unit(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* "12.5" of "12.5h": whole part, fraction, and what the fraction is out of. */
struct number {
    uint64_t whole;
    uint64_t fraction;
    double scale;
};

/* Read a number at `*at`; false if there is no digit or the whole part is too big. */
static bool read_number(const char *text, size_t len, size_t *at, struct number *number)
{
    *number = (struct number){.scale = 1};
    bool any = false;
    size_t i = *at;
    for (; i < len && is_digit(text[i]); i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (number->whole > (MAGNITUDE_MAX - digit) / 10) {
            return false;
        }
        number->whole = number->whole * 10 + digit;
        any = true;
    }
    if (i < len && text[i] == '.') {
        bool exact = true; /* more digits than fit change nothing */
        for (i++; i < len && is_digit(text[i]); i++) {
            uint64_t digit = (uint64_t)(text[i] - '0');
            exact = exact && number->fraction <= (MAGNITUDE_MAX - 1 - digit) / 10;
            if (exact) {
                number->fraction = number->fraction * 10 + digit;
                number->scale *= 10;
            }
            any = true;
        }
    }
    *at = i;
    return any;
}

/* number × unit in nanoseconds, or false if it is more than 2^63. */
static bool scale_number(const struct number *number, uint64_t unit_ns, uint64_t *ns)
{
    if (number->whole > MAGNITUDE_MAX / unit_ns) {
        return false;
    }
    *ns = number->whole * unit_ns;
    if (number->fraction > 0) {
        *ns += (uint64_t)((double)number->fraction * ((double)unit_ns / number->scale));
    }
    return *ns <= MAGNITUDE_MAX;
}

int duration_parse(const char *text, size_t len, int64_t *duration_ns, struct err *err)
{
    size_t at = len > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    bool negative = at == 1 && text[0] == '-';
    *duration_ns = 0;
    if (len - at == 1 && text[at] == '0') {
        return 0;
    }
    if (at == len) {
        return refuse("invalid duration", text, len, err);
    }
    uint64_t sum = 0;
    while (at < len) {
        struct number number;
        if (!read_number(text, len, &at, &number)) {
            return refuse("invalid duration", text, len, err);
        }
        size_t unit_at = at;
        while (at < len && text[at] != '.' && !is_digit(text[at])) {
            at++;
        }
        if (at == unit_at) {
            return refuse("missing unit in duration", text, len, err);
        }
        const struct unit *unit = find_unit(text + unit_at, at - unit_at);
        if (unit == NULL) {
            return refuse_unit(text + unit_at, at - unit_at, text, len, err);
        }
        uint64_t ns;
        if (!scale_number(&number, unit->ns, &ns) || ns > MAGNITUDE_MAX - sum) {
            return refuse("invalid duration", text, len, err);
        }
        sum += ns;
    }
    if (sum == MAGNITUDE_MAX && !negative) {
        return refuse("invalid duration", text, len, err);
    }
    *duration_ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return 0;
}

/* `value` in `unit_ns`, with as much of a fraction as there is. */
static size_t put_parts(char *text, uint64_t value_ns, uint64_t unit_ns)
{
    size_t len = put_decimal(text, value_ns / unit_ns);
    uint64_t rest = value_ns % unit_ns;
    if (rest > 0) {
        text[len++] = '.';
        for (uint64_t place = unit_ns / 10; place > 0 && rest > 0; place /= 10) {
            text[len++] = (char)('0' + rest / place);
            rest %= place;
        }
    }
    return len;
}

char *duration_format(int64_t duration_ns, char text[DURATION_TEXT_SIZE])
{
    uint64_t ns = duration_ns < 0 ? 0 - (uint64_t)duration_ns : (uint64_t)duration_ns;
    size_t at = 0;
    if (duration_ns < 0) {
        text[at++] = '-';
    }
    const char *unit = "s";
    if (ns == 0) {
        text[at++] = '0';
    } else if (ns < 1000) {
        at += put_parts(text + at, ns, 1);
        unit = "ns";
    } else if (ns < 1000 * 1000) {
        at += put_parts(text + at, ns, 1000);
        unit = "\xc2\xb5s";
    } else if (ns < 1000 * 1000 * 1000) {
        at += put_parts(text + at, ns, 1000 * 1000);
        unit = "ms";
    } else {
        uint64_t minutes = ns / UINT64_C(60000000000);
        if (minutes >= 60) {
            at += put_decimal(text + at, minutes / 60);
            text[at++] = 'h';
        }
        if (minutes > 0) {
            at += put_decimal(text + at, minutes % 60);
            text[at++] = 'm';
        }
        at += put_parts(text + at, ns % UINT64_C(60000000000), 1000 * 1000 * 1000);
    }
    memcpy(text + at, unit, strlen(unit) + 1);
    return text;
}
