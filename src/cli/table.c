/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

#define GAP 2

void table_init(struct table *table, size_t columns, const char *heads)
{
    table->columns = columns;
    buf_init(&table->cells);
    while (heads != NULL && *heads != '\0') {
        size_t len = strcspn(heads, "|");
        buf_put(&table->cells, heads, len);
        buf_put_u8(&table->cells, 0);
        heads += len + (heads[len] != '\0' ? 1 : 0);
    }
}

void table_close(struct table *table)
{
    buf_close(&table->cells);
}

void table_put(struct table *table, const char *text)
{
    text = text != NULL && text[0] != '\0' ? text : "-";
    buf_put(&table->cells, text, strlen(text) + 1);
}

void table_putf(struct table *table, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    table_put(table, len >= 0 ? text : NULL);
    free(text);
}

/* C0, DEL, C1, what is not UTF-8, and what turns the direction of the text around. */
static bool printable(uint32_t rune, size_t len)
{
    return rune >= 0x20 && (rune < 0x7f || rune > 0x9f) &&
           !(rune == UTF8_REPLACEMENT && len == 1) &&
           !(rune >= 0x2028 && rune <= 0x202e) && !(rune >= 0x2066 && rune <= 0x2069);
}

size_t table_put_safe(struct buf *out, const char *text)
{
    size_t width = 0;
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t rune = 0;
        size_t len = utf8_decode(text, left, &rune);
        if (printable(rune, len)) {
            buf_put(out, text, len);
            width++;
        } else {
            for (size_t i = 0; i < len; i++) {
                buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text[i]);
            }
            width += 4 * len;
        }
        text += len;
        left -= len;
    }
    return width;
}

/* Without `out` learns the widths, with it prints. */
static void table_walk(const struct table *table, size_t *widths, FILE *out)
{
    const char *at = (const char *)table->cells.data;
    const char *end = at != NULL ? at + table->cells.len : NULL;
    size_t column = 0;
    size_t blanks = 0; /* before the next cell that is not empty */
    struct buf safe;
    buf_init(&safe);
    while (at != end) {
        buf_clear(&safe);
        size_t width = table_put_safe(&safe, at);
        if (out == NULL) {
            widths[column] = width > widths[column] ? width : widths[column];
        } else {
            if (width > 0) {
                fprintf(out, "%*s", (int)blanks, "");
                fwrite(safe.data, 1, safe.len, out);
                blanks = 0;
            }
            blanks += widths[column] - width + GAP;
        }
        at += strlen(at) + 1;
        column = column + 1 < table->columns ? column + 1 : 0;
        if (column == 0 && out != NULL) {
            fputc('\n', out);
            blanks = 0;
        }
    }
    buf_close(&safe);
}

void table_print(const struct table *table, FILE *out)
{
    size_t *widths = mem_array(table->columns, sizeof *widths);
    table_walk(table, widths, NULL);
    table_walk(table, widths, out);
    mem_free(widths);
}
