/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file as a sequence of (path, value): what every format comes down to.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum source_kind { SOURCE_TEXT, SOURCE_FLAG, SOURCE_NUMBER, SOURCE_LIST, SOURCE_OTHER };

struct source_value {
    enum source_kind kind;
    const char *text;   /* of TEXT; of the others, as it is shown to people */
    int64_t number;     /* of FLAG (0, 1) and NUMBER */
    const char **items; /* of LIST: strings */
    size_t count;
};

typedef int (*source_value_cb)(void *ctx, const char *path,
                               const struct source_value *value, struct err *err);

/* Read a JSON file; `block` tells which paths are objects to go into. Stops at the
 * first error of `value`. ERR_INVALID with line and column for text that is no JSON. */
int source_read_json(const char *file, bool (*block)(const char *path),
                     source_value_cb value, void *ctx, struct err *err);

#endif
