/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verdict.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_MAX_S 3600

static enum verdict verdict_of_error(const struct http_answer *answer, bool write)
{
    const char *not_leader = http_answer_header(answer, "X-Muster-Not-Leader");
    switch (answer->status) {
    case 400:
        return not_leader != NULL && strcasecmp(not_leader, "true") == 0
                   ? VERDICT_ELSEWHERE
                   : VERDICT_REFUSED;
    case 404:
        return VERDICT_NOT_FOUND;
    case 409: /* the same write is under way */
        return write && http_answer_header(answer, "Retry-After") != NULL
                   ? VERDICT_LATER
                   : VERDICT_REFUSED;
    case 429:
        return VERDICT_LATER;
    case 503:
        return !write || http_answer_header(answer, "Retry-After") != NULL
                   ? VERDICT_LATER
                   : VERDICT_UNKNOWN;
    case 502:
    case 504:
        return write ? VERDICT_UNKNOWN : VERDICT_LATER;
    default:
        return VERDICT_REFUSED;
    }
}

enum verdict verdict_of(const struct http_answer *answer, bool write)
{
    switch (answer->outcome) {
    case HTTP_NOT_SENT:
        return VERDICT_LATER;
    case HTTP_LOST:
    case HTTP_CANCELLED:
        return write ? VERDICT_UNKNOWN : VERDICT_LATER;
    case HTTP_ANSWERED:
        break;
    }
    return answer->status / 100 == 2 ? VERDICT_DONE : verdict_of_error(answer, write);
}

bool verdict_takes_no_key(const struct http_answer *answer)
{
    static const char level[] = "\"feature_level\"";
    static const char header[] = "Idempotency-Key";
    const struct buf *body = &answer->body;
    return answer->outcome == HTTP_ANSWERED && answer->status == 501 && body->len > 0 &&
           (memmem(body->data, body->len, level, sizeof level - 1) != NULL ||
            memmem(body->data, body->len, header, sizeof header - 1) != NULL);
}

uint64_t verdict_retry_after_ms(const struct http_answer *answer)
{
    const char *text = http_answer_header(answer, "Retry-After");
    unsigned long seconds = text != NULL ? strtoul(text, NULL, 10) : 0;
    return (uint64_t)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
}

void verdict_put_reason(struct buf *out, const struct http_answer *answer)
{
    if (answer->outcome != HTTP_ANSWERED) {
        buf_printf(out, "%s", answer->err.text);
        return;
    }
    json_t *root = json_loadb((const char *)answer->body.data, answer->body.len,
                              JSON_DISABLE_EOF_CHECK, NULL);
    const char *message =
        json_string_value(json_object_get(json_object_get(root, "error"), "message"));
    if (message != NULL && message[0] != '\0') {
        buf_printf(out, "%s", message);
    } else {
        buf_printf(out, "it answered %d without saying why", answer->status);
    }
    json_decref(root);
}
