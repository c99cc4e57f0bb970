/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/error.h"
#include "api/reply.h"
#include "api/server_internal.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/propose.h"

/* --- life
 * --------------------------------------------------------------------------------- */

/* In the request's pool: h2o disposes of it when the request ends, whatever ended it.
 */
struct call_anchor {
    struct call *call;
};

static void call_request_ended(void *memory)
{
    struct call_anchor *anchor = memory;
    anchor->call->req = NULL;
    call_unref(anchor->call);
}

void call_unref(struct call *call)
{
    assert(call->refs > 0);
    if (--call->refs > 0) {
        return;
    }
    struct api *api = call->api;
    clock_timer_stop(api->options.clock, &call->deadline);
    mem_free(call->target);
    mem_free(call);
    api->call_count--;
    api_settle(api);
}

/* --- reading the request
 * ------------------------------------------------------------------- */

static bool request_id_valid(h2o_iovec_t id)
{
    if (id.len == 0 || id.len > LIMIT_REQUEST_ID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.base[i];
        if (!isalnum(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

static void call_set_request_id(struct call *call)
{
    h2o_iovec_t id = call_header(call, "x-request-id");
    if (request_id_valid(id)) {
        memcpy(call->request_id, id.base, id.len);
        call->request_id[id.len] = '\0';
    } else {
        id_random_uuid(call->request_id);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Unescape [at, end) in place and terminate it; false for a broken escape or a NUL. */
static bool unescape(char *at, char *end, bool plus_is_space)
{
    char *out = at;
    while (at < end) {
        char c = *at++;
        if (c == '%') {
            int high = end - at >= 2 ? hex_digit(at[0]) : -1;
            int low = high >= 0 ? hex_digit(at[1]) : -1;
            if (low < 0 || high * 16 + low == 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            at += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        *out++ = c;
    }
    *out = '\0';
    return true;
}

/* "/v1/tasks/a%20b" → "tasks", "a b". A slash at the end makes an empty last segment.
 */
static bool call_split_path(struct call *call, char *at, char *end)
{
    bool first = true;
    while (at < end && *at == '/') {
        char *start = ++at;
        while (at < end && *at != '/') {
            at++;
        }
        if (first && at - start == 2 && memcmp(start, "v1", 2) == 0 && at < end) {
            first = false;
            continue; /* the same paths with and without it */
        }
        first = false;
        if (call->segment_count < CALL_SEGMENT_MAX) {
            call->segments[call->segment_count] = start;
        }
        call->segment_count++;
    }
    /* terminate from the back: each segment ends where a slash stood */
    char *stop = end;
    size_t count =
        call->segment_count < CALL_SEGMENT_MAX ? call->segment_count : CALL_SEGMENT_MAX;
    for (size_t i = count; i > 0; i--) {
        char *start = call->target + (call->segments[i - 1] - call->target);
        char *slash = memchr(start, '/', (size_t)(stop - start));
        if (!unescape(start, slash != NULL ? slash : stop, false)) {
            return false;
        }
        stop = start - 1;
    }
    return at == end;
}

static bool call_split_query(struct call *call, char *at, char *end)
{
    while (at < end) {
        char *next = memchr(at, '&', (size_t)(end - at));
        char *stop = next != NULL ? next : end;
        char *equals = memchr(at, '=', (size_t)(stop - at));
        if (stop > at) {
            if (call->param_count == CALL_QUERY_MAX) {
                return false;
            }
            struct call_param *param = &call->params[call->param_count++];
            param->name = at;
            param->value = equals != NULL ? equals + 1 : "";
            char *name_end = equals != NULL ? equals : stop;
            if ((equals != NULL && !unescape(equals + 1, stop, true)) ||
                !unescape(at, name_end, true)) {
                return false;
            }
        }
        at = stop + 1;
    }
    return true;
}

/* The request's head as it came: h2o keeps it at the start of its input until the
 * answer is sent, and has dropped from its own list what is asked for here. */
static h2o_iovec_t call_raw_head(const h2o_req_t *req)
{
    h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
    h2o_buffer_t *input = socket->input;
    const char *end = memmem(input->bytes, input->size, "\r\n\r\n", 4);
    size_t len = end != NULL ? (size_t)(end - input->bytes) + 4 : 0;
    return h2o_iovec_init(input->bytes, len);
}

static bool line_is(const char *line, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    return len > name_len && line[name_len] == ':' &&
           strncasecmp(line, name, name_len) == 0;
}

/* What h2o's parser lets through and a proxy may read differently. */
static int call_check_head(const h2o_req_t *req, struct err *err)
{
    h2o_iovec_t head = call_raw_head(req);
    if (head.len > LIMIT_HEAD_BYTES) {
        err_set(err, ERR_TOO_LARGE,
                "request line and headers have %zu bytes; at most %d are read",
                head.len, LIMIT_HEAD_BYTES);
        return 431;
    }
    unsigned hosts = 0;
    unsigned lengths = 0;
    unsigned encodings = 0;
    const char *at = head.base;
    const char *end = head.base + head.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop : end) - at);
        hosts += line_is(at, len, "host");
        lengths += line_is(at, len, "content-length");
        encodings += line_is(at, len, "transfer-encoding");
        at += len + 1;
    }
    if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0)) {
        err_set(err, ERR_INVALID,
                "the body's length is given more than once: one Content-Length or one "
                "Transfer-Encoding is allowed");
        return 400;
    }
    if (hosts > 1 || (hosts == 0 && req->version >= 0x101)) {
        err_set(err, ERR_INVALID, "exactly one Host header is required, got %u", hosts);
        return 400;
    }
    return 0;
}

struct call *call_new(struct api *api, h2o_req_t *req, int *status, struct err *err)
{
    struct call *call = mem_zalloc(sizeof *call);
    call->refs = 1;
    call->api = api;
    call->req = req;
    call->name = "";
    call->started_ms = clock_now_ms(api->options.clock);
    call->head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    struct call_anchor *anchor =
        h2o_mem_alloc_shared(&req->pool, sizeof *anchor, call_request_ended);
    anchor->call = call;
    api->call_count++;
    call_set_request_id(call);

    *status = call_check_head(req, err);
    call->target = mem_strndup(req->input.path.base, req->input.path.len);
    char *end = call->target + req->input.path.len;
    char *mark = memchr(call->target, '?', req->input.path.len);
    bool valid = memchr(call->target, '\0', req->input.path.len) == NULL &&
                 call_split_path(call, call->target, mark != NULL ? mark : end) &&
                 (mark == NULL || call_split_query(call, mark + 1, end));
    if (*status == 0 && !valid) {
        err_set(
            err, ERR_INVALID,
            "the request's path or query has a broken %%-escape, a NUL or more than "
            "%d parameters",
            CALL_QUERY_MAX);
        *status = 400;
    }
    return call;
}

size_t call_query(const struct call *call, const char *name, const char **values,
                  size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < call->param_count; i++) {
        if (strcmp(call->params[i].name, name) == 0) {
            if (count < capacity) {
                values[count] = call->params[i].value;
            }
            count++;
        }
    }
    return count;
}

h2o_iovec_t call_header(const struct call *call, const char *name)
{
    ssize_t at = h2o_find_header_by_str(&call->req->headers, name, strlen(name), -1);
    return at >= 0 ? call->req->headers.entries[at].value : h2o_iovec_init("", 0);
}

/* --- proposing
 * ------------------------------------------------------------------------------- */

static void call_done(struct call *call)
{
    call->pending = false;
    clock_timer_stop(call->api->options.clock, &call->deadline);
}

/* Too late: the client is told so now; the outcome, when it comes, goes nowhere. */
static void call_too_late(struct clock_timer *timer)
{
    struct call *call = timer->owner;
    struct err err;
    err_set(&err, ERR_OUTCOME_UNKNOWN,
            "no majority confirmed the change within %d ms: it may still happen",
            LIMIT_WRITE_DEADLINE_MS);
    error_reply(call, &err);
}

static void call_outcome(void *owner, const struct outcome *outcome)
{
    struct call *call = owner;
    call_done(call);
    if (call->req != NULL && outcome->code == 0) {
        call->decided(call, &outcome->result);
    } else if (call->req != NULL && outcome->code == ERR_NOT_LEADER) {
        error_not_leader(call);
    } else if (call->req != NULL) {
        struct err err;
        err_set(&err, (enum err_code)outcome->code,
                "this node lost sight of the change: it may have happened");
        error_reply(call, &err);
    }
    call_unref(call);
}

/* What room is left is for deletes: they are how it becomes more. */
static bool call_disk_full(struct call *call, const struct command *command)
{
    struct node_status status;
    node_status(call->api->node, &status);
    return status.disk_full && status.role == NODE_LEADER &&
           command->type != COMMAND_TASK_DELETE;
}

void call_propose(struct call *call, struct command *command, call_outcome_cb decided)
{
    struct err err;
    if (call_disk_full(call, command)) {
        err_set(&err, ERR_FULL, "the leader's disk is full: only deletes are taken");
        error_reply(call, &err);
        return;
    }
    command->request_id = text_of(call->request_id);
    command->actor = text_of("");
    call->decided = decided;
    int rv = propose_submit(node_propose(call->api->node), command, call_outcome, call,
                            &err);
    if (rv != 0) {
        error_reply(call, &err);
        return;
    }
    call->refs++;
    call->pending = true;
    call->deadline = (struct clock_timer){.fire = call_too_late, .owner = call};
    clock_timer_start(call->api->options.clock, &call->deadline,
                      call->started_ms + LIMIT_WRITE_DEADLINE_MS);
}
