/* SPDX-License-Identifier: Apache-2.0 */
#include "api/terms.h"

#include <string.h>

#include "api/reply.h"
#include "api/router.h"
#include "registry/key_table.h"

#define REVISION_DIGITS_MAX 19 /* no sequence has more */

/* The one value of a header, empty if it is not there; false: answered. */
static bool terms_header(struct call *call, const char *name, const char *shown,
                         h2o_iovec_t *value)
{
    const h2o_headers_t *headers = &call->req->headers;
    ssize_t at = h2o_find_header_by_str(headers, name, strlen(name), -1);
    *value = at >= 0 ? headers->entries[at].value : h2o_iovec_init("", 0);
    if (at >= 0 && value->len == 0) {
        reply_error(call, 400, NULL, "the header %s is empty", shown);
        return false;
    }
    if (at >= 0 && h2o_find_header_by_str(headers, name, strlen(name), at) >= 0) {
        reply_error(call, 400, NULL, "the header %s is given more than once", shown);
        return false;
    }
    return true;
}

static bool is_star(h2o_iovec_t value)
{
    return value.len == 1 && value.base[0] == '*';
}

/* The revision that an entity tag names, 0 for one that no task has; false: it is no
 * tag. */
static bool tag_revision(h2o_iovec_t tag, uint64_t *revision)
{
    bool weak = tag.len > 2 && memcmp(tag.base, "W/", 2) == 0;
    const char *at = tag.base + (weak ? 2 : 0);
    size_t len = tag.len - (weak ? 2 : 0);
    if (len < 2 || at[0] != '"' || at[len - 1] != '"' ||
        memchr(at + 1, '"', len - 2) != NULL) {
        return false;
    }
    bool number = !weak && len > 2 && len - 2 <= REVISION_DIGITS_MAX && at[1] != '0';
    *revision = 0;
    for (size_t i = 1; number && i < len - 1; i++) {
        number = at[i] >= '0' && at[i] <= '9';
        *revision = *revision * 10 + (uint64_t)(at[i] - '0');
    }
    *revision = number ? *revision : 0;
    return true;
}

static bool read_if_match(struct call *call, h2o_iovec_t value)
{
    if (call->route->method == METHOD_POST) {
        reply_error(call, 400, NULL,
                    "If-Match has no meaning on a POST, which only creates");
        return false;
    }
    if (is_star(value)) {
        call->match.condition = TASK_CONDITION_PRESENT;
        return true;
    }
    call->match.condition = TASK_CONDITION_REVISION;
    if (!tag_revision(value, &call->match.revision)) {
        reply_error(call, 400, NULL,
                    "If-Match must be * or one revision in quotes, as ETag has it");
        return false;
    }
    return true;
}

static bool read_if_none_match(struct call *call, h2o_iovec_t value)
{
    if (call->route->method != METHOD_PUT || !is_star(value)) {
        reply_error(call, 400, NULL,
                    "of writes only PUT takes If-None-Match, and only with *");
        return false;
    }
    call->match.condition = TASK_CONDITION_ABSENT;
    return true;
}

static bool read_key(struct call *call, h2o_iovec_t value)
{
    struct key_name name = {.key = value.base, .key_len = value.len};
    if (!key_name_sound(&name)) {
        reply_error(call, 400, NULL,
                    "Idempotency-Key must have 1 to %d visible ASCII characters, and "
                    "no spaces",
                    KEY_TEXT_BYTES_MAX);
        return false;
    }
    call->key.text = h2o_strdup(&call->req->pool, value.base, value.len).base;
    return true;
}

bool terms_read(struct call *call)
{
    h2o_iovec_t match;
    h2o_iovec_t none;
    h2o_iovec_t key;
    if (!terms_header(call, "if-match", "If-Match", &match) ||
        !terms_header(call, "if-none-match", "If-None-Match", &none) ||
        !terms_header(call, "idempotency-key", "Idempotency-Key", &key)) {
        return false;
    }
    if (match.len > 0 && none.len > 0) {
        reply_error(call, 400, NULL, "If-Match and If-None-Match exclude one another");
        return false;
    }
    return (match.len == 0 || read_if_match(call, match)) &&
           (none.len == 0 || read_if_none_match(call, none)) &&
           (key.len == 0 || read_key(call, key));
}
