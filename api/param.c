/* SPDX-License-Identifier: Apache-2.0 */
#include "api/param.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/reply.h"
#include "text/duration.h"

#define MS_NS 1000000

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

bool param_flag(struct call *call, const char *name, bool *flag)
{
    const char *text = NULL;
    if (!param_text(call, name, &text)) {
        return false;
    }
    *flag = text != NULL && (text[0] == '\0' || strcmp(text, "true") == 0);
    if (text == NULL || *flag || strcmp(text, "false") == 0) {
        return true;
    }
    reply_error(call, 400, NULL,
                "parameter '%s' has no value, or is 'true' or 'false', not '%s'", name,
                text);
    return false;
}

bool param_duration(struct call *call, const char *name, uint64_t max_ms, uint64_t *ms)
{
    const char *text = NULL;
    int64_t ns = 0;
    if (!param_text(call, name, &text)) {
        return false;
    }
    if (text == NULL) {
        return true;
    }
    int rv = duration_parse(text, strlen(text), &ns, NULL);
    if (rv != 0 || ns < 0 || (uint64_t)ns > max_ms * MS_NS) {
        char most[DURATION_TEXT_SIZE];
        duration_format((int64_t)(max_ms * MS_NS), most);
        reply_error(call, 400, NULL,
                    "parameter '%s' must be a duration such as 500ms or 1m30s, from 0s "
                    "to %s, not '%s'",
                    name, most, text);
        return false;
    }
    *ms = ((uint64_t)ns + MS_NS - 1) / MS_NS;
    return true;
}
