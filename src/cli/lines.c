/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lines.h"

#include <string.h>

void lines_init(struct lines *lines)
{
    *lines = (struct lines){0};
    buf_init(&lines->part);
}

void lines_close(struct lines *lines)
{
    buf_close(&lines->part);
}

void lines_reset(struct lines *lines)
{
    buf_clear(&lines->part);
}

static int too_long(const struct lines *lines, struct err *err)
{
    return err_set(err, ERR_TOO_LARGE,
                   "a line of the answer has more than %zu bytes, the most that is "
                   "taken",
                   lines->max);
}

/* The line whose last piece this is. */
static int end_line(struct lines *lines, const char *piece, size_t len, struct err *err)
{
    if (lines->part.len + len > lines->max) {
        return too_long(lines, err);
    }
    buf_put(&lines->part, piece, len);
    const char *line = (const char *)lines->part.data;
    size_t line_len = lines->part.len;
    line_len -= line_len > 0 && line[line_len - 1] == '\r' ? 1 : 0;
    int rv = line_len > 0 ? lines->on_line(lines->arg, line, line_len, err) : 0;
    buf_clear(&lines->part);
    return rv;
}

int lines_feed(struct lines *lines, const void *data, size_t len, struct err *err)
{
    const char *at = data;
    while (len > 0) {
        const char *end = memchr(at, '\n', len);
        if (end == NULL) {
            break;
        }
        size_t piece = (size_t)(end - at);
        int rv = end_line(lines, at, piece, err);
        if (rv != 0) {
            return rv;
        }
        at = end + 1;
        len -= piece + 1;
    }
    if (lines->part.len + len > lines->max) {
        return too_long(lines, err);
    }
    buf_put(&lines->part, at, len);
    return 0;
}
