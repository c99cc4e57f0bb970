/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of text in aligned columns, and text that a terminal may be shown. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

struct table {
    size_t columns;
    struct buf cells; /* terminated texts, row by row */
};

/* `heads`: a head for each column, apart by '|': "NAME|ENABLED"; NULL heads are not
 * shown: table_init(&table, 2, NULL). */
void table_init(struct table *table, size_t columns, const char *heads);
void table_close(struct table *table);
void table_put(struct table *table, const char *text); /* next cell; "-" for nothing */
void table_putf(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* All rows, two blanks between columns, none at the end of a line. What is not
 * printable stands as \xNN, so that no text from outside can drive a terminal. */
void table_print(const struct table *table, FILE *out);

/* Append `text`, what is not printable as \xNN. Returns how many columns it takes. */
size_t table_put_safe(struct buf *out, const char *text);

#endif
