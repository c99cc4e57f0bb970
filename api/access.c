/* SPDX-License-Identifier: Apache-2.0 */
#include "api/access.h"

#include <string.h>
#include <strings.h>

#include "access/token.h"
#include "api/reply.h"
#include "api/server_internal.h"

/* --- where a request comes from -----------------------------------------------------
 */

/* The host of "host:port" or "[v6]:port". */
static h2o_iovec_t host_of(h2o_iovec_t authority)
{
    size_t len = authority.len;
    if (len > 0 && authority.base[0] == '[') {
        const char *close = memchr(authority.base, ']', len);
        return close != NULL ? h2o_iovec_init(authority.base,
                                              (size_t)(close - authority.base) + 1)
                             : authority;
    }
    const char *colon = memchr(authority.base, ':', len);
    return h2o_iovec_init(authority.base,
                          colon != NULL ? (size_t)(colon - authority.base) : len);
}

static bool host_is(h2o_iovec_t host, const char *name)
{
    return host.len == strlen(name) && strncasecmp(host.base, name, host.len) == 0;
}

/* 127.x.y.z; the text is not terminated. */
static bool host_is_loopback_number(h2o_iovec_t host)
{
    bool number = host.len > 4 && memcmp(host.base, "127.", 4) == 0;
    for (size_t i = 4; number && i < host.len; i++) {
        number = host.base[i] == '.' || (host.base[i] >= '0' && host.base[i] <= '9');
    }
    return number;
}

static bool host_allowed(const struct api *api, h2o_iovec_t host)
{
    if (host_is(host, "localhost") || host_is(host, "[::1]") ||
        host_is_loopback_number(host)) {
        return true;
    }
    for (size_t i = 0; i < api->options.host_count; i++) {
        if (host_is(host, api->hosts[i])) {
            return true;
        }
    }
    return false;
}

/* A page in a browser must not write through a node it can reach: its Origin is not
 * ours. */
static bool origin_allowed(struct call *call)
{
    h2o_iovec_t authority = call->req->input.authority;
    h2o_iovec_t origin = call_header(call, "origin");
    if (origin.len > 0) {
        const char *scheme = memmem(origin.base, origin.len, "://", 3);
        size_t skip = scheme != NULL ? (size_t)(scheme - origin.base) + 3 : origin.len;
        if (origin.len - skip != authority.len ||
            strncasecmp(origin.base + skip, authority.base, authority.len) != 0) {
            reply_error(call, 403, "origin",
                        "writes from other origins are refused: Origin is '%.*s', this "
                        "is '%.*s'",
                        (int)origin.len, origin.base, (int)authority.len,
                        authority.base);
            return false;
        }
    }
    return true;
}

/* A name that an attacker's resolver points at loopback is no name of ours. Who shows a
 * token is no such page. */
static bool host_checked(struct call *call)
{
    h2o_iovec_t authority = call->req->input.authority;
    if (call->api->loopback && !host_allowed(call->api, host_of(authority))) {
        reply_error(
            call, 403, "host",
            "writes on a loopback listener need a loopback name as Host, or one "
            "of listen.hosts: '%.*s' is neither",
            (int)authority.len, authority.base);
        return false;
    }
    return true;
}

/* --- who it is ---------------------------------------------------------------------
 */

static const struct token *token_of(struct call *call, bool *shown)
{
    const struct api *api = call->api;
    h2o_iovec_t authorization = call_header(call, "authorization");
    h2o_iovec_t key = call_header(call, "x-api-key");
    char secret[TOKEN_SECRET_MAX + 1];
    size_t len = 0;
    *shown = authorization.len > 0 || key.len > 0;
    if (authorization.len > 0) {
        if (!token_secret(authorization.base, authorization.len, secret, &len)) {
            return NULL;
        }
        key = h2o_iovec_init(secret, len);
    }
    return key.len > 0 && key.len <= TOKEN_SECRET_MAX
               ? token_find(api->tokens, api->options.token_count, key.base, key.len)
               : NULL;
}

static bool unauthorized(struct call *call, const char *why)
{
    reply_header(call, REPLY_AUTHENTICATE, "Bearer realm=\"muster\"");
    reply_error(call, 401, "unauthorized",
                "%s: send 'Authorization: Bearer TOKEN'; `muster token create` makes "
                "one, access.tokens lets it in",
                why);
    return false;
}

static unsigned class_of(enum access access)
{
    switch (access) {
    case ACCESS_WRITE:
        return TOKEN_WRITE;
    case ACCESS_RUN:
        return TOKEN_RUN;
    case ACCESS_OPERATE:
        return TOKEN_OPERATE;
    case ACCESS_PUBLIC:
    case ACCESS_READ:
        break;
    }
    return 0;
}

static bool token_allowed(struct call *call, enum access access)
{
    bool shown = false;
    const struct token *token = token_of(call, &shown);
    unsigned class = class_of(access);
    char needed[TOKEN_CLASSES_SIZE];
    char allowed[TOKEN_CLASSES_SIZE];
    if (token == NULL && shown) {
        return unauthorized(call, "no token of this node is the one that was sent");
    }
    if (token == NULL && class != 0) {
        return unauthorized(call, "this needs a token, and none was sent");
    }
    if (token != NULL && (class & ~token->classes) != 0) {
        reply_error(call, 403, "forbidden",
                    "this needs a token that allows %s; '%s' allows %s",
                    token_classes_format(class, needed), token->name,
                    token_classes_format(token->classes, allowed));
        return false;
    }
    call->actor = token != NULL ? token->name : "";
    return true;
}

bool access_allowed(struct call *call, enum access access)
{
    if (access == ACCESS_PUBLIC) {
        return true;
    }
    bool tokens = call->api->options.token_count > 0;
    if (class_of(access) != 0 &&
        (!origin_allowed(call) || (!tokens && !host_checked(call)))) {
        return false;
    }
    return !tokens || token_allowed(call, access);
}
