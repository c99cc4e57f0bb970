/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reply.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/server_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/jsontext.h"

static const char *status_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 411:
        return "Length Required";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Payload Too Large";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Entity";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 507:
        return "Insufficient Storage";
    default: /* a number, not an enum */
        return "Status";
    }
}

struct header {
    const char *shown;
    const char *lower;
    size_t len;
};

/* clang-format off */
#define HEADER(shown, lower) {shown, lower, sizeof lower - 1}
static const struct header headers[] = {
    [REPLY_ALLOW] = HEADER("Allow", "allow"),
    [REPLY_AUTHENTICATE] = HEADER("WWW-Authenticate", "www-authenticate"),
    [REPLY_ETAG] = HEADER("ETag", "etag"),
    [REPLY_LEADER] = HEADER("X-Muster-Leader", "x-muster-leader"),
    [REPLY_LEADER_ADDRESS] =
        HEADER("X-Muster-Leader-Address", "x-muster-leader-address"),
    [REPLY_LOCATION] = HEADER("Location", "location"),
    [REPLY_LOG_ENDED] = HEADER("X-Muster-Log-Ended", "x-muster-log-ended"),
    [REPLY_LOG_FROM] = HEADER("X-Muster-Log-From", "x-muster-log-from"),
    [REPLY_LOG_NEXT] = HEADER("X-Muster-Log-Next", "x-muster-log-next"),
    [REPLY_NOT_LEADER] = HEADER("X-Muster-Not-Leader", "x-muster-not-leader"),
    [REPLY_REPLAYED] = HEADER("Idempotency-Replayed", "idempotency-replayed"),
    [REPLY_RETRY_AFTER] = HEADER("Retry-After", "retry-after"),
    [REPLY_WARNING] = HEADER("X-Muster-Warning", "x-muster-warning"),
};

/* What answers have of themselves. */
static const struct header index_header = HEADER("X-Muster-Index", "x-muster-index");
static const struct header id_header = HEADER("X-Request-Id", "x-request-id");
static const struct header known_header =
    HEADER("X-Muster-Known-Leader", "x-muster-known-leader");
static const struct header contact_header =
    HEADER("X-Muster-Last-Contact", "x-muster-last-contact");
static const struct header cors_headers[] = {
    HEADER("Access-Control-Allow-Origin", "access-control-allow-origin"),
    HEADER("Access-Control-Allow-Headers", "access-control-allow-headers"),
    HEADER("Access-Control-Allow-Methods", "access-control-allow-methods"),
};
static const char *const cors_values[] = {"*", "Content-Type", "GET, HEAD, OPTIONS"};
/* clang-format on */

#define HEADERS_MOST 16 /* that an answer has, to allocate them once */

/* `value` is not copied. */
static void put_header(h2o_req_t *req, const struct header *header, const char *value,
                       size_t len)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, header->lower, header->len, 0,
                          header->shown, value, len);
}

static void put_number(h2o_req_t *req, const struct header *header, uint64_t number)
{
    char *text = h2o_mem_alloc_pool(&req->pool, DECIMAL_MAX);
    put_header(req, header, text, put_decimal(text, number));
}

void reply_header(struct call *call, enum reply_name name, const char *value)
{
    h2o_iovec_t copy = h2o_strdup(&call->req->pool, value, SIZE_MAX);
    put_header(call->req, &headers[name], copy.base, copy.len);
}

void reply_etag(struct call *call, uint64_t revision)
{
    char *text = h2o_mem_alloc_pool(&call->req->pool, DECIMAL_MAX + 2);
    size_t len = 0;
    text[len++] = '"';
    len += put_decimal(text + len, revision);
    text[len++] = '"';
    put_header(call->req, &headers[REPLY_ETAG], text, len);
}

static bool request_reads(const h2o_req_t *req)
{
    h2o_iovec_t method = req->input.method;
    return h2o_memis(method.base, method.len, H2O_STRLIT("GET")) ||
           h2o_memis(method.base, method.len, H2O_STRLIT("HEAD")) ||
           h2o_memis(method.base, method.len, H2O_STRLIT("OPTIONS"));
}

/* How fresh a read is; and that any page may read. */
static void put_read_headers(struct api *api, h2o_req_t *req)
{
    struct node_status status;
    node_status(api->node, &status);
    const char *known = status.leader_known ? "true" : "false";
    put_header(req, &known_header, known, strlen(known));
    if (status.last_contact_ms != UINT64_MAX) {
        put_number(req, &contact_header, status.last_contact_ms);
    }
    for (size_t i = 0; i < sizeof cors_headers / sizeof cors_headers[0]; i++) {
        put_header(req, &cors_headers[i], cors_values[i], strlen(cors_values[i]));
    }
}

/* `sequence` 0: the registry's. `id` lives as long as the request. */
static void put_headers(struct api *api, h2o_req_t *req, const char *id,
                        uint64_t sequence)
{
    put_header(req, &id_header, id, strlen(id));
    put_number(req, &index_header,
               sequence != 0 ? sequence : registry_sequence(node_registry(api->node)));
    if (request_reads(req)) {
        put_read_headers(api, req);
    }
}

/* A bug of ours is an error; what a client waits for in vain is a warning. */
static enum log_level status_level(const struct call *call, int status)
{
    if (status == 500) {
        return call->run_failed ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;
    }
    return status > 501 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
}

static void reply_log(const struct call *call, int status, size_t bytes)
{
    const h2o_req_t *req = call->req;
    enum log_level level = status_level(call, status);
    bool health = call->segment_count > 0 && strcmp(call->segments[0], "health") == 0;
    if (level < log_get_level() || health) {
        return;
    }
    log_write(
        level, "request: id=%s method=%.*s uri=%.*s status=%d bytes=%zu ms=%" PRIu64,
        call->request_id, (int)(req->method.len < 32 ? req->method.len : 32),
        req->method.base, (int)(req->input.path.len < 256 ? req->input.path.len : 256),
        req->input.path.base, status, bytes,
        clock_now_ms(call->api->options.clock) - call->started_ms);
}

/* Its own node's connection, and what it holds, is all a client can have for ever. */
static void reply_not_taken(struct clock_timer *timer)
{
    struct call *call = timer->owner;
    h2o_socket_t *socket = call->req->conn->callbacks->get_socket(call->req->conn);
    log_debug("request: id=%s: the client takes no answer; its connection is cut",
              call->request_id);
    shutdown(h2o_socket_get_fd(socket), SHUT_RDWR); /* the write under way fails */
}

void reply_wait_for_client(struct call *call)
{
    call->timer.fire = reply_not_taken;
    call->timer.owner = call;
    clock_timer_start(call->api->options.clock, &call->timer,
                      clock_now_ms(call->api->options.clock) + LIMIT_ANSWER_MS);
}

/* Of an answer that goes on: nothing on the way may keep it. */
static void put_live_type(h2o_req_t *req, const char *type, size_t len)
{
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                   "Content-Type", type, len);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL,
                   "Cache-Control", H2O_STRLIT("no-store"));
}

static void put_type(h2o_req_t *req, enum reply_type type)
{
    switch (type) {
    case REPLY_TYPE_NONE:
        return;
    case REPLY_TYPE_JSON:
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                       "Content-Type", H2O_STRLIT("application/json"));
        return;
    case REPLY_TYPE_BYTES:
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                       "Content-Type", H2O_STRLIT("application/octet-stream"));
        return;
    case REPLY_TYPE_EVENTS:
        put_live_type(req, H2O_STRLIT("text/event-stream"));
        return;
    case REPLY_TYPE_LINES:
        put_live_type(req, H2O_STRLIT("application/x-ndjson"));
        return;
    case REPLY_TYPE_TEXT:
        put_live_type(req, H2O_STRLIT("text/plain; charset=utf-8"));
        return;
    }
}

void reply_begin(struct call *call, int status, size_t bytes, enum reply_type type)
{
    h2o_req_t *req = call->req;
    assert(call_open(call));
    call->answered = true;
    if (call->api->leaving) {
        req->http1_is_persistent = 0;
    }
    req->res.status = status;
    req->res.reason = status_reason(status);
    h2o_vector_reserve(&req->pool, &req->res.headers, HEADERS_MOST);
    put_type(req, type);
    put_headers(call->api, req, call->request_id, call->sequence);
    reply_log(call, status, bytes);
    reply_wait_for_client(call);
}

void reply_empty(struct call *call, int status)
{
    static h2o_generator_t nothing;
    reply_begin(call, status, 0, REPLY_TYPE_NONE);
    if (status != 304) {
        call->req->res.content_length = 0;
    }
    h2o_start_response(call->req, &nothing);
    h2o_send(call->req, NULL, 0, H2O_SEND_STATE_FINAL);
}

void reply_json(struct call *call, int status, struct buf *body)
{
    static h2o_generator_t nothing;
    buf_put_u8(body, '\n');
    h2o_req_t *req = call->req;
    reply_begin(call, status, body->len, REPLY_TYPE_JSON);
    req->res.content_length = body->len;
    h2o_iovec_t copy = h2o_strdup(&req->pool, (const char *)body->data, body->len);
    buf_close(body);
    h2o_start_response(req, &nothing);
    h2o_send(req, &copy, call->head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

/* {"error":{"message":…},"request_id":…,"code":…}, `code` unless it is NULL. */
static void put_error(struct buf *body, const char *id, const char *code,
                      const char *format, va_list args)
{
    char *message = NULL;
    int len = vasprintf(&message, format, args);
    buf_printf(body, "{\"error\":{\"message\":");
    jsontext_put_string(body, len >= 0 ? message : "", len >= 0 ? (size_t)len : 0);
    buf_printf(body, "},\"request_id\":");
    jsontext_put_text(body, id);
    if (code != NULL) {
        buf_printf(body, ",\"code\":");
        jsontext_put_text(body, code);
    }
    buf_printf(body, "}");
    mem_free(len >= 0 ? message : NULL);
}

void reply_error(struct call *call, int status, const char *code, const char *format,
                 ...)
{
    struct buf body;
    va_list args;
    buf_init(&body);
    va_start(args, format);
    put_error(&body, call->request_id, code, format, args);
    va_end(args);
    reply_json(call, status, &body);
}

h2o_iovec_t reply_refusal(struct api *api, h2o_req_t *req, const char *format, ...)
{
    char *id = h2o_mem_alloc_pool(&req->pool, LIMIT_REQUEST_ID_BYTES + 1);
    struct buf body;
    va_list args;
    call_request_id(req, id);
    buf_init(&body);
    va_start(args, format);
    put_error(&body, id, NULL, format, args);
    va_end(args);
    buf_put_u8(&body, '\n');
    h2o_iovec_t copy = h2o_strdup(&req->pool, (const char *)body.data, body.len);
    buf_close(&body);
    req->res.headers = (h2o_headers_t){NULL, 0, 0};
    req->res.content_length = copy.len;
    req->res.reason = status_reason(req->res.status);
    put_type(req, REPLY_TYPE_JSON);
    put_headers(api, req, id, 0);
    log_debug("request: id=%s refused by its form: status=%d", id, req->res.status);
    return copy;
}
