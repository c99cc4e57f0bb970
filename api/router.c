/* SPDX-License-Identifier: Apache-2.0 */
#include "api/router.h"

#include <stdio.h>
#include <string.h>

#include "api/access.h"
#include "api/error.h"
#include "api/fresh.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/server_internal.h"

static const struct route routes[] = {
#define X(METHOD, path, ACCESS, LEADER, handler)                                       \
    {METHOD_##METHOD, path, ACCESS_##ACCESS, LEADER_##LEADER, handler},
#include "api/routes.def"
#undef X
};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static const char *method_name(enum method method)
{
    switch (method) {
    case METHOD_GET:
        return "GET";
    case METHOD_POST:
        return "POST";
    case METHOD_PUT:
        return "PUT";
    case METHOD_PATCH:
        return "PATCH";
    case METHOD_DELETE:
        return "DELETE";
    }
    return "";
}

/* Does the pattern "/status/tasks/:name" fit these segments? *name: what `:name` is. */
static bool route_fits(const char *pattern, const char *const *segments, size_t count,
                       const char **name)
{
    size_t at = 0;
    *name = "";
    while (*pattern == '/') {
        const char *start = ++pattern;
        pattern += strcspn(pattern, "/");
        size_t len = (size_t)(pattern - start);
        if (at == count || segments[at][0] == '\0') {
            return false;
        }
        if (*start == ':') {
            *name = segments[at];
        } else if (strlen(segments[at]) != len ||
                   memcmp(segments[at], start, len) != 0) {
            return false;
        }
        at++;
    }
    return at == count;
}

/* Allow: every method of the path; HEAD beside GET, OPTIONS always. */
static void allow_of(const char *const *segments, size_t count, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const char *name = NULL;
        if (count <= CALL_SEGMENT_MAX &&
            route_fits(routes[i].path, segments, count, &name)) {
            len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "",
                                    routes[i].method == METHOD_GET
                                        ? "GET, HEAD"
                                        : method_name(routes[i].method));
        }
    }
    if (len > 0) {
        snprintf(out + len, size - len, ", OPTIONS");
    }
}

static bool method_is(const struct call *call, const char *name)
{
    h2o_iovec_t method = call->req->method;
    return h2o_memis(method.base, method.len, name, strlen(name));
}

static const struct route *router_find(struct call *call)
{
    const char *wanted = call->head ? "GET" : NULL;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const char *method = method_name(routes[i].method);
        const char *name = NULL;
        if ((wanted != NULL ? strcmp(wanted, method) == 0 : method_is(call, method)) &&
            call->segment_count <= CALL_SEGMENT_MAX &&
            route_fits(routes[i].path, call->segments, call->segment_count, &name)) {
            call->name = name;
            return &routes[i];
        }
    }
    return NULL;
}

/* --- what this build does not keep
 * ------------------------------------------------------------- */

/* Promises of spec/muster.md 4: whoever asks for one must not be answered as if it had
 * been kept. Writes of tasks keep these (api/terms.h); a read takes no Idempotency-Key,
 * and needs none. */
static const struct {
    const char *header;
    const char *shown;
} write_promises[] = {
    {"if-match", "If-Match on a change of something that is no task"},
    {"if-none-match", "If-None-Match on a change of something that is no task"},
    {"idempotency-key", "Idempotency-Key on a change of something that is no task"},
};

static bool write_promises_kept(struct call *call)
{
    bool tasks =
        call->route->access == ACCESS_WRITE || call->route->handler == task_run;
    for (size_t i = 0; !tasks && i < sizeof write_promises / sizeof *write_promises;
         i++) {
        if (call_header(call, write_promises[i].header).len > 0) {
            error_unsupported(call, write_promises[i].shown);
            return false;
        }
    }
    return true;
}

static bool promises_kept(struct call *call)
{
    return call->route->access == ACCESS_PUBLIC || call->route->method == METHOD_GET ||
           write_promises_kept(call);
}

/* --- dispatch
 * ---------------------------------------------------------------------------------- */

/* What operates the cluster is done by its leader alone; a write may be handed on. */
static bool leader_is_here(const struct call *call)
{
    struct node_status status;
    if (call->route->access != ACCESS_OPERATE) {
        return call_writable(call);
    }
    node_status(call->api->node, &status);
    return status.role == NODE_LEADER;
}

/* A body of unknown length is no body to h2o: what was meant to be one would be read as
 * the next request. False: answered. */
static bool body_sized(struct call *call)
{
    enum method method = call->route->method;
    if (call->sized || method == METHOD_GET || method == METHOD_DELETE ||
        call->route->access == ACCESS_RUN) { /* these need no body */
        return true;
    }
    call->req->http1_is_persistent = 0;
    reply_error(call, 411, "length_required",
                "a %s needs a Content-Length, or Transfer-Encoding: chunked",
                method_name(method));
    return false;
}

static void router_run(struct call *call, const struct route *route)
{
    call->route = route;
    if (!access_allowed(call, route->access) || !promises_kept(call)) {
        return;
    }
    if (route->access != ACCESS_PUBLIC && route->handler != cluster_get &&
        !call_served(call)) {
        return;
    }
    if (route->leader == LEADER_FIRST && !leader_is_here(call)) {
        error_not_leader(call);
        return;
    }
    if (!body_sized(call)) {
        return;
    }
    if (route->method == METHOD_GET && route->access != ACCESS_PUBLIC) {
        if (page_judge(call)) {
            fresh_run(call);
        }
    } else {
        route->handler(call);
    }
}

void router_dispatch(struct call *call)
{
    const struct route *route = router_find(call);
    if (route != NULL) {
        router_run(call, route);
        return;
    }
    char allow[96];
    allow_of(call->segments, call->segment_count, allow, sizeof allow);
    if (allow[0] != '\0') {
        reply_header(call, REPLY_ALLOW, allow);
    }
    if (method_is(call, "OPTIONS")) {
        reply_empty(call, 200);
    } else if (allow[0] == '\0') {
        h2o_iovec_t path = call->req->input.path;
        reply_error(call, 404, "no_such_path", "there is no '%.*s' here",
                    (int)(path.len < 256 ? path.len : 256), path.base);
    } else {
        h2o_iovec_t method = call->req->method;
        reply_error(
            call, 405, "method_not_allowed",
            "'%.*s' is not supported here. This path supports the method(s): %s",
            (int)(method.len < 32 ? method.len : 32), method.base, allow);
    }
}
