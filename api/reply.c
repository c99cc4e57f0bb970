/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/server_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/jsontext.h"

#define REPLY_TURN_BYTES (64 * 1024)

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

void reply_header(struct call *call, const char *name, const char *value)
{
    h2o_iovec_t copy = h2o_strdup(&call->req->pool, value, SIZE_MAX);
    h2o_iovec_t lower = h2o_strdup(&call->req->pool, name, SIZE_MAX);
    h2o_strtolower(lower.base, lower.len);
    h2o_add_header_by_str(&call->req->pool, &call->req->res.headers, lower.base,
                          lower.len, 1, name, copy.base, copy.len);
}

void reply_index(struct call *call, uint64_t sequence)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, sequence);
    reply_header(call, "X-Muster-Index", text);
}

void reply_etag(struct call *call, uint64_t revision)
{
    char text[24];
    snprintf(text, sizeof text, "\"%" PRIu64 "\"", revision);
    reply_header(call, "ETag", text);
}

static bool reply_has(const struct call *call, const char *lower_name)
{
    return h2o_find_header_by_str(&call->req->res.headers, lower_name,
                                  strlen(lower_name), -1) >= 0;
}

static bool call_reads(const struct call *call)
{
    h2o_iovec_t method = call->req->method;
    return h2o_memis(method.base, method.len, H2O_STRLIT("GET")) ||
           h2o_memis(method.base, method.len, H2O_STRLIT("HEAD")) ||
           h2o_memis(method.base, method.len, H2O_STRLIT("OPTIONS"));
}

/* How fresh a read is; and that any page may read. */
static void reply_read_headers(struct call *call)
{
    struct node_status status;
    node_status(call->api->node, &status);
    reply_header(call, "X-Muster-Known-Leader", status.leader_known ? "true" : "false");
    if (status.last_contact_ms != UINT64_MAX) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, status.last_contact_ms);
        reply_header(call, "X-Muster-Last-Contact", text);
    }
    reply_header(call, "Access-Control-Allow-Origin", "*");
    reply_header(call, "Access-Control-Allow-Headers", "Content-Type");
    reply_header(call, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
}

static void reply_log(const struct call *call, int status, size_t bytes)
{
    const h2o_req_t *req = call->req;
    enum log_level level =
        status >= 500 && status != 501 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    bool health = call->segment_count > 0 && strcmp(call->segments[0], "health") == 0;
    if (level < log_get_level() || health) {
        return;
    }
    log_write(level,
              "request: id=%s method=%.*s uri=%.*s status=%d bytes=%zu ms=%" PRIu64,
              call->request_id, (int)req->method.len, req->method.base,
              (int)(req->input.path.len < 256 ? req->input.path.len : 256),
              req->input.path.base, status, bytes,
              clock_now_ms(call->api->options.clock) - call->started_ms);
}

/* Everything but the body. */
static void reply_begin(struct call *call, int status, size_t bytes, bool json)
{
    h2o_req_t *req = call->req;
    req->res.status = status;
    req->res.reason = status_reason(status);
    if (json) {
        reply_header(call, "Content-Type", "application/json");
    }
    reply_header(call, "X-Request-Id", call->request_id);
    if (!reply_has(call, "x-muster-index")) {
        reply_index(call, registry_sequence(node_registry(call->api->node)));
    }
    if (call_reads(call)) {
        reply_read_headers(call);
    }
    reply_log(call, status, bytes);
}

void reply_empty(struct call *call, int status)
{
    static h2o_generator_t nothing;
    reply_begin(call, status, 0, false);
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
    reply_begin(call, status, body->len, true);
    req->res.content_length = body->len;
    h2o_iovec_t copy = h2o_strdup(&req->pool, (const char *)body->data, body->len);
    buf_close(body);
    h2o_start_response(req, &nothing);
    h2o_send(req, &copy, call->head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

void reply_error(struct call *call, int status, const char *code, const char *format,
                 ...)
{
    struct buf body;
    buf_init(&body);
    va_list args;
    va_start(args, format);
    char *message = NULL;
    int len = vasprintf(&message, format, args);
    va_end(args);
    buf_printf(&body, "{\"error\":{\"message\":");
    jsontext_put_string(&body, len >= 0 ? message : "", len >= 0 ? (size_t)len : 0);
    buf_printf(&body, "},\"request_id\":");
    jsontext_put_text(&body, call->request_id);
    if (code != NULL) {
        buf_printf(&body, ",\"code\":");
        jsontext_put_text(&body, code);
    }
    buf_printf(&body, "}");
    mem_free(len >= 0 ? message : NULL);
    reply_json(call, status, &body);
}

/* --- long answers
 * ------------------------------------------------------------------------------ */

struct reply_generator {
    h2o_generator_t super;
    struct reply_stream stream;
    struct buf out;
    bool first;
};

/* The request has ended, by an answer or a client that went. */
static void reply_stream_dispose(void *memory)
{
    struct reply_generator *generator = memory;
    registry_thaw(generator->stream.frozen);
    buf_close(&generator->out);
    buf_close(&generator->stream.head);
}

/* Fill one turn; true at the end. */
static bool reply_fill(struct reply_generator *generator)
{
    struct buf *out = &generator->out;
    while (out->len < REPLY_TURN_BYTES) {
        size_t before = out->len;
        if (!generator->first) {
            buf_put_u8(out, ',');
        }
        if (!generator->stream.next(&generator->stream, out)) {
            out->len = before;
            buf_printf(out, "%s\n", generator->stream.tail);
            return true;
        }
        generator->first = false;
    }
    return false;
}

static void reply_proceed(h2o_generator_t *super, h2o_req_t *req)
{
    struct reply_generator *generator = (struct reply_generator *)(void *)super;
    buf_clear(&generator->out);
    bool end = reply_fill(generator);
    h2o_iovec_t piece = h2o_iovec_init((char *)generator->out.data, generator->out.len);
    h2o_send(req, &piece, 1, end ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

void reply_stream(struct call *call, int status, struct reply_stream *stream)
{
    h2o_req_t *req = call->req;
    struct reply_generator *generator =
        h2o_mem_alloc_shared(&req->pool, sizeof *generator, reply_stream_dispose);
    *generator = (struct reply_generator){
        .super = {.proceed = reply_proceed},
        .stream = *stream,
        .first = true,
    };
    buf_init(&generator->out);
    buf_put(&generator->out, generator->stream.head.data, generator->stream.head.len);
    bool end = reply_fill(generator);
    reply_begin(call, status, generator->out.len, true);
    if (end) {
        req->res.content_length = generator->out.len;
    }
    h2o_start_response(req, &generator->super);
    h2o_iovec_t piece = h2o_iovec_init((char *)generator->out.data, generator->out.len);
    if (call->head) {
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    } else {
        h2o_send(req, &piece, 1,
                 end ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
    }
}
