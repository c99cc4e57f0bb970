/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "http/http.h"

void http_answer_init(struct http_answer *answer)
{
    *answer = (struct http_answer){.outcome = HTTP_NOT_SENT};
    buf_init(&answer->head);
    buf_init(&answer->body);
}

void http_answer_close(struct http_answer *answer)
{
    buf_close(&answer->head);
    buf_close(&answer->body);
}

const char *http_answer_header(const struct http_answer *answer, const char *name)
{
    const char *at = (const char *)answer->head.data;
    const char *end = at != NULL ? at + answer->head.len : NULL;
    while (at != end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}
