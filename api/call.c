/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/error.h"
#include "api/fresh.h"
#include "api/key.h"
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
    struct call *call = ((struct call_anchor *)memory)->call;
    clock_timer_stop(call->api->options.clock, &call->timer);
    key_end(call);
    if (call->fresh != NULL) {
        fresh_forget(call);
    }
    if (call->hold != NULL) {
        call->hold->forget(call);
    }
    *call->slot = call->next;
    if (call->next != NULL) {
        call->next->slot = call->slot;
    }
    call->api = NULL;
    call->req = NULL;
    call_unref(call);
}

struct call *call_ref(struct call *call)
{
    call->refs++;
    return call;
}

void call_unref(struct call *call)
{
    assert(call->refs > 0);
    if (--call->refs > 0) {
        return;
    }
    mem_free(call->target);
    mem_free(call);
}

bool call_open(const struct call *call)
{
    return call->req != NULL && !call->answered;
}

static struct call *call_begin(struct api *api, h2o_req_t *req)
{
    struct call *call = mem_zalloc(sizeof *call);
    call->refs = 1;
    call->api = api;
    call->req = req;
    call->name = "";
    call->actor = "";
    call->started_ms = clock_now_ms(api->options.clock);
    call->head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    call->next = api->calls;
    call->slot = &api->calls;
    if (call->next != NULL) {
        call->next->slot = &call->next;
    }
    api->calls = call;
    struct call_anchor *anchor =
        h2o_mem_alloc_shared(&req->pool, sizeof *anchor, call_request_ended);
    anchor->call = call;
    return call;
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

void call_request_id(const h2o_req_t *req, char id[LIMIT_REQUEST_ID_BYTES + 1])
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("x-request-id"), -1);
    h2o_iovec_t given =
        at >= 0 ? req->headers.entries[at].value : h2o_iovec_init("", 0);
    if (request_id_valid(given)) {
        memcpy(id, given.base, given.len);
        id[given.len] = '\0';
    } else {
        id_random_uuid(id);
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

struct head {
    size_t len;
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
    unsigned folded; /* lines that go on from the one before */
};

static bool line_is(const char *line, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    return len > name_len && line[name_len] == ':' &&
           strncasecmp(line, name, name_len) == 0;
}

/* The request's head as it came: h2o keeps it at the start of its input until the
 * answer is sent, and has dropped from its own list what is counted here. It ends with
 * the first empty line, as h2o's parser has it: a bare line feed ends a line too, and
 * one empty line may come before the request line. */
static struct head call_scan_head(const h2o_req_t *req)
{
    h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    struct head head = {0};
    bool begun = false;
    while (head.len < input->size) {
        const char *line = input->bytes + head.len;
        const char *stop = memchr(line, '\n', input->size - head.len);
        size_t len = stop != NULL ? (size_t)(stop - line) : input->size - head.len;
        head.len += len + (stop != NULL);
        bool empty = len == 0 || (len == 1 && line[0] == '\r');
        if (empty && begun) {
            break;
        }
        head.hosts += line_is(line, len, "host");
        head.lengths += line_is(line, len, "content-length");
        head.encodings += line_is(line, len, "transfer-encoding");
        head.folded += len > 0 && (line[0] == ' ' || line[0] == '\t');
        begun = begun || !empty;
    }
    return head;
}

/* What h2o's parser lets through and a proxy may read differently. */
static int call_check_head(struct call *call, struct err *err)
{
    const h2o_req_t *req = call->req;
    struct head head = call_scan_head(req);
    call->sized = head.lengths + head.encodings > 0;
    if (head.len > LIMIT_HEAD_BYTES) {
        err_set(err, ERR_TOO_LARGE,
                "request line and headers have %zu bytes; at most %d are read",
                head.len, LIMIT_HEAD_BYTES);
        return 431;
    }
    if (head.lengths > 1 || head.encodings > 1 ||
        (head.lengths > 0 && head.encodings > 0)) {
        err_set(err, ERR_INVALID,
                "the body's length is given more than once: one Content-Length or one "
                "Transfer-Encoding is allowed");
        return 400;
    }
    if (head.folded > 0) {
        err_set(err, ERR_INVALID, "a header goes on in a second line: one line each");
        return 400;
    }
    if (head.hosts > 1 || (head.hosts == 0 && req->version >= 0x101)) {
        err_set(err, ERR_INVALID, "exactly one Host header is required, got %u",
                head.hosts);
        return 400;
    }
    return 0;
}

/* "http://host/path" as a proxy may send it: only its path counts here, and its host
 * must be the one that Host names. */
static h2o_iovec_t call_origin_form(const h2o_req_t *req)
{
    h2o_iovec_t path = req->input.path;
    static const char scheme[] = "http://";
    size_t skip = sizeof scheme - 1;
    if (path.len < skip || strncasecmp(path.base, scheme, skip) != 0) {
        return path;
    }
    size_t host_len = req->input.authority.len;
    if (path.len <= skip + host_len || path.base[skip + host_len] != '/' ||
        strncasecmp(path.base + skip, req->input.authority.base, host_len) != 0) {
        return path;
    }
    skip += host_len;
    return h2o_iovec_init(path.base + skip, path.len - skip);
}

static bool call_split(struct call *call)
{
    h2o_iovec_t path = call_origin_form(call->req);
    call->target = mem_strndup(path.base, path.len);
    if (path.len == 1 && path.base[0] == '*') {
        return true; /* OPTIONS *: no path at all */
    }
    char *end = call->target + path.len;
    char *mark = memchr(call->target, '?', path.len);
    return memchr(call->target, '\0', path.len) == NULL &&
           call_split_path(call, call->target, mark != NULL ? mark : end) &&
           (mark == NULL || call_split_query(call, mark + 1, end));
}

struct call *call_new(struct api *api, h2o_req_t *req, int *status, struct err *err)
{
    struct call *call = call_begin(api, req);
    call_request_id(req, call->request_id);
    *status = call_check_head(call, err);
    if (!call_split(call) && *status == 0) {
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

/* The client is told so now; the outcome, when it comes, goes nowhere. */
static void call_give_up(struct call *call, const char *why)
{
    struct err err;
    key_end(call); /* who repeats it waits for the same outcome, at the same place */
    err_set(&err, ERR_OUTCOME_UNKNOWN, "%s: the change may still happen", why);
    error_reply(call, &err);
}

static void call_too_late(struct clock_timer *timer)
{
    call_give_up(timer->owner, "no majority confirmed it in time");
}

void call_give_up_all(struct api *api)
{
    for (struct call *call = api->calls; call != NULL; call = call->next) {
        if (call->pending && call_open(call)) {
            call->req->http1_is_persistent = 0;
            call_give_up(call, "this node stops");
        } else if (call->fresh != NULL) {
            fresh_give_up(call, "this node stops");
        } else if (call->hold != NULL && call_open(call)) {
            call->hold->give_up(call, "this node stops");
        }
    }
}

void call_wait(struct call *call)
{
    call_ref(call);
    call->pending = true;
    call->timer = (struct clock_timer){.fire = call_too_late, .owner = call};
    clock_timer_start(call->api->options.clock, &call->timer,
                      clock_now_ms(call->api->options.clock) + LIMIT_WRITE_DEADLINE_MS);
}

/* The api may be gone by now if the call is not open any more. */
bool call_waited(struct call *call)
{
    call->pending = false;
    if (!call_open(call)) {
        return false;
    }
    clock_timer_stop(call->api->options.clock, &call->timer);
    key_end(call);
    return true;
}

static void call_refuse_level(struct call *call)
{
    struct err err;
    node_explain_level(call->api->node, call->level, &err);
    error_reply(call, &err);
}

/* By the door of the leader that it was handed on to: answered as there. */
static void call_refused(struct call *call, const struct outcome *outcome)
{
    struct err err;
    err_set(&err, (enum err_code)outcome->code, "%s",
            outcome->why != NULL ? outcome->why : "the leader refused it");
    error_reply(call, &err);
}

static void call_outcome(void *owner, const struct outcome *outcome)
{
    struct call *call = owner;
    if (call_waited(call)) {
        bool unfit = node_unfit(call->api->node)[0] != '\0';
        if (outcome->code == 0 && unfit) {
            call_give_up(call, node_unfit(call->api->node)); /* not so elsewhere */
        } else if (outcome->code == 0) {
            if (outcome->result.replayed) {
                reply_header(call, REPLY_REPLAYED, "true");
            }
            call->decided(call, &outcome->result);
        } else if (outcome->code == ERR_NOT_LEADER) {
            error_not_leader(call);
        } else if (outcome->code == ERR_LEVEL) {
            call_refuse_level(call);
        } else if (outcome->code == ERR_OUTCOME_UNKNOWN) {
            call_give_up(call, "this node lost sight of it");
        } else {
            call_refused(call, outcome);
        }
    }
    call_unref(call);
}

bool call_served(struct call *call)
{
    const char *unfit = node_unfit(call->api->node);
    if (unfit[0] != '\0') {
        reply_error(call, 503, "differs", "%s", unfit);
    }
    return unfit[0] == '\0';
}

bool call_writable(const struct call *call)
{
    return propose_takes(node_propose(call->api->node));
}

void call_propose(struct call *call, struct command *command, call_outcome_cb decided)
{
    struct err err;
    if (node_room(call->api->node, command->type, &err) != 0) {
        error_reply(call, &err);
        return;
    }
    if (!key_begin(call, command)) {
        return;
    }
    command->request_id = text_of(call->request_id);
    command->actor = text_of(call->actor);
    call->decided = decided;
    call->level = command_needs(command);
    int rv = call->api->drained
                 ? err_set(&err, ERR_UNAVAILABLE, "this node is stopping")
                 : propose_submit(node_propose(call->api->node), command, call_outcome,
                                  call, &err);
    if (rv == 0) {
        call_wait(call);
        return;
    }
    key_end(call);
    if (rv == ERR_LEVEL) {
        call_refuse_level(call);
    } else {
        error_reply(call, &err);
    }
}
