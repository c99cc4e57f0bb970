/* SPDX-License-Identifier: Apache-2.0 */
/* Whole lines out of bytes that come in pieces, cut anywhere. Pure. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct lines {
    struct buf part; /* of the line that has not ended yet */
    size_t max;      /* bytes of one */
    /* One line, without its end; never an empty one. Not 0 ends lines_feed(). */
    int (*on_line)(void *arg, const char *line, size_t len, struct err *err);
    void *arg;
};

/* The rest is the caller's to fill. */
void lines_init(struct lines *lines);
void lines_close(struct lines *lines);

/* Forget a line that did not end: what comes next begins a new one. */
void lines_reset(struct lines *lines);

/* Take the next piece; `on_line` runs for each line that ends in it. ERR_TOO_LARGE: one
 * has more than `max` bytes. */
int lines_feed(struct lines *lines, const void *data, size_t len, struct err *err);

#endif
