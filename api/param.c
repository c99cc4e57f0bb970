/* SPDX-License-Identifier: Apache-2.0 */
#include "api/param.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "api/reply.h"

bool param_text(struct call *call, const char *name, const char **value)
{
    size_t count = call_query(call, name, value, 1);
    if (count == 0) {
        *value = NULL;
    }
    if (count > 1) {
        reply_error(call, 400, NULL, "parameter '%s' is given %zu times", name, count);
    }
    return count <= 1;
}

bool param_read_number(struct call *call, const char *what, const char *text,
                       uint64_t min, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    const char *at = text;
    while (isdigit((unsigned char)*at) && value <= (UINT64_MAX - 9) / 10) {
        value = value * 10 + (uint64_t)(*at++ - '0');
    }
    if (at == text || *at != '\0' || value < min || value > max) {
        reply_error(call, 400, NULL,
                    "%s must be a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
                    what, min, max, text);
        return false;
    }
    *number = value;
    return true;
}

bool param_number(struct call *call, const char *name, uint64_t min, uint64_t max,
                  uint64_t *number)
{
    const char *text = NULL;
    char what[64];
    if (!param_text(call, name, &text)) {
        return false;
    }
    snprintf(what, sizeof what, "parameter '%s'", name);
    return text == NULL || param_read_number(call, what, text, min, max, number);
}
