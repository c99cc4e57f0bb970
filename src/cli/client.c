/* SPDX-License-Identifier: Apache-2.0 */
/* One request over several nodes:
 *
 *   choose a node ─▶ wait until it is due ─▶ send ─▶ verdict
 *        ▲                                             ├ done, refused, not found ─▶
 * end ├──── that node next ◀── leader named ────────┤ ├──── any node, later ◀── nothing
 * happened ───┤ │                                             └ unknown ─▶ end, said so
 *        └ past the timeout ─▶ end, with what each node said
 *
 * Failure modes: a frozen node takes a request and never answers. A read then goes on
 * to the next after READ_SILENCE_MS; a write cannot, and ends as unknown at the
 * timeout. An endless answer tells by heartbeats that it is not frozen. */
#include "cli/client.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cli/verdict.h"

#define CONNECT_MS        2000
#define READ_SILENCE_MS   2000
#define STREAM_SILENCE_MS 35000 /* two heartbeats, and some */
#define WRITE_LEAST_MS    2000  /* for its answer: a late try must not end as unknown */
#define HEADER_LEADER     "X-Muster-Leader-Address"

struct
try {
    struct client *client;
    const struct client_request *request;
    bool write;
    bool sink_failed; /* on_body refused: another node will not help */
    bool heard;       /* this node has said some of an endless answer */
    uint64_t deadline_ms;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_until(uint64_t moment_ms)
{
    struct timespec moment = {
        .tv_sec = (time_t)(moment_ms / 1000),
        .tv_nsec = (long)(moment_ms % 1000) * 1000000,
    };
    while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &moment, NULL) != 0) {
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int try_body(void *arg, const void *data, size_t len, struct err *err)
{
    struct try *try = arg;
    int rv = try->request->on_body(try->request->arg, data, len, err);
    try->sink_failed = rv != 0;
    try->heard = true;
    return rv;
}

static void try_send(struct try *try, const char *address, struct http_answer *answer)
{
    const struct client_request *request = try->request;
    const char *headers[4] = {NULL};
    size_t header_count = 0;
    uint64_t now = now_ms();
    uint64_t left = try->deadline_ms > now ? try->deadline_ms - now : 1;
    bool others = try->client->nodes.count > 1;
    char *url = mem_printf("http://%s%s", address, request->path);
    char *accept =
        mem_printf("Accept: %s", request->accept != NULL ? request->accept : "*/*");
    if (request->body != NULL) {
        headers[header_count++] = "Content-Type: application/json";
    }
    headers[header_count++] = accept;
    char *token = try->client->token != NULL
                      ? mem_printf("Authorization: Bearer %s", try->client->token)
                      : NULL;
    if (token != NULL) {
        headers[header_count++] = token;
    }
    struct http_request sent = {
        .method = request->method != NULL ? request->method : "GET",
        .url = url,
        .body = request->body,
        .body_len = request->body_len,
        .headers = headers,
        .connect_timeout_ms = least(CONNECT_MS, left),
        .timeout_ms = left,
        .answer_max = CLIENT_ANSWER_MAX,
        .on_body = request->on_body != NULL ? try_body : NULL,
        .arg = try,
    };
    if (request->on_body != NULL) {
        sent.timeout_ms = 0;
        sent.idle_timeout_ms =
            request->endless ? STREAM_SILENCE_MS : try->client->timeout_ms;
    } else if (try->write) {
        sent.timeout_ms = left > WRITE_LEAST_MS ? left : WRITE_LEAST_MS;
    } else if (others) {
        sent.idle_timeout_ms = READ_SILENCE_MS;
    }
    http_wait(&sent, answer);
    mem_free(token);
    mem_free(accept);
    mem_free(url);
}

/* The text of `reason` in `err`, for an end. */
static int end_with(int code, enum err_code kind, const struct buf *reason,
                    struct err *err)
{
    err_set(err, kind, "%.*s", (int)reason->len, (const char *)reason->data);
    return code;
}

static int end_unreachable(const struct try *try, struct err *err)
{
    struct buf reasons;
    buf_init(&reasons);
    nodes_put_reasons(&try->client->nodes, &reasons);
    err_set(err, ERR_UNAVAILABLE,
            "no node did it in time, and nothing %s: %.*s (--address or MUSTER_ADDRESS "
            "names the nodes, --timeout the time)",
            try->write ? "has changed" : "was answered", (int)least(reasons.len, 300),
            (const char *)reasons.data);
    buf_close(&reasons);
    return CLI_EXIT_UNREACHABLE;
}

static int end_unknown(const struct try *try, const char *address,
                       const struct buf *reason, struct err *err)
{
    err_set(err, ERR_OUTCOME_UNKNOWN,
            "the outcome is not known: it may have been done, or still will be: %s: "
            "%.*s; look with `%s` before you repeat it",
            address, (int)least(reason->len, 250), (const char *)reason->data,
            try->request->look);
    return CLI_EXIT_UNKNOWN;
}

/* It does not lead; who does may be in its answer, which comes from outside. */
static void judge_elsewhere(struct nodes *nodes, size_t node, const char *leader)
{
    char reason[NODES_REASON_MAX] = "knows no leader";
    if (leader != NULL) {
        bool usable = nodes_leader(nodes, leader);
        snprintf(
            reason, sizeof reason, "%s '%.100s'",
            usable ? "says that the leader is" : "names an unusable leader:", leader);
    }
    nodes_failed(nodes, node, now_ms(), 0, reason);
}

/* What the answer of one node means; -1: go on with another. */
static int try_judge(const struct try *try, size_t node,
                     const struct http_answer *answer, struct buf *reason,
                     struct err *err)
{
    struct nodes *nodes = &try->client->nodes;
    buf_clear(reason);
    enum verdict verdict = verdict_of(answer, try->write);
    if (verdict != VERDICT_DONE) {
        verdict_put_reason(reason, answer);
    }
    char *text =
        mem_strndup(reason->len > 0 ? (const char *)reason->data : "", reason->len);
    int code = -1;
    switch (verdict) {
    case VERDICT_DONE:
        nodes_answered(nodes, node);
        code = CLI_EXIT_OK;
        break;
    case VERDICT_REFUSED:
        code = end_with(CLI_EXIT_FAILED, ERR_CONFLICT, reason, err);
        break;
    case VERDICT_NOT_FOUND:
        code = end_with(CLI_EXIT_NOT_FOUND, ERR_NOT_FOUND, reason, err);
        break;
    case VERDICT_ELSEWHERE:
        judge_elsewhere(nodes, node, http_answer_header(answer, HEADER_LEADER));
        break;
    case VERDICT_LATER:
        nodes_failed(nodes, node, now_ms(), verdict_retry_after_ms(answer), text);
        break;
    case VERDICT_UNKNOWN:
        code = end_unknown(try, nodes->items[node].address, reason, err);
        break;
    }
    mem_free(text);
    return code;
}

/* An endless answer has come to an end: what it said counts, that it ended does not. */
static void try_go_on(struct try *try, size_t node, const struct http_answer *answer)
{
    bool ended = answer->outcome == HTTP_ANSWERED;
    struct nodes *nodes = &try->client->nodes;
    if (try->heard) {
        nodes_answered(nodes, node);
        try->deadline_ms = now_ms() + try->client->timeout_ms;
    }
    nodes_failed(nodes, node, now_ms(), 0,
                 ended ? "its answer ended" : answer->err.text);
}

/* One node; -1: go on with another. */
static int try_one(struct try *try, size_t node, struct http_answer *answer,
                   struct buf *reason, struct err *err)
{
    const struct client_request *request = try->request;
    if (request->begin != NULL && request->begin(request->arg, err) != 0) {
        return CLI_EXIT_FAILED;
    }
    try->heard = false;
    try_send(try, try->client->nodes.items[node].address, answer);
    if (try->sink_failed || (!try->write && answer->err.code == ERR_TOO_LARGE)) {
        *err = answer->err;
        return CLI_EXIT_FAILED;
    }
    if (request->endless && answer->status / 100 == 2) {
        try_go_on(try, node, answer);
        return -1;
    }
    return try_judge(try, node, answer, reason, err);
}

int client_ask(struct client *client, const struct client_request *request,
               struct http_answer *answer, struct err *err)
{
    struct try try = {
        .client = client,
        .request = request,
        .write = request->method != NULL && strcmp(request->method, "GET") != 0,
        .deadline_ms = now_ms() + client->timeout_ms,
    };
    struct buf reason;
    buf_init(&reason);
    int code = -1;
    while (code < 0) {
        uint64_t now = now_ms();
        size_t node = nodes_next(&client->nodes, now);
        uint64_t due = client->nodes.items[node].due_ms;
        if (now >= try.deadline_ms || due >= try.deadline_ms) {
            code = end_unreachable(&try, err);
            break;
        }
        if (due > now) {
            sleep_until(due);
        }
        http_answer_close(answer);
        http_answer_init(answer);
        code = try_one(&try, node, answer, &reason, err);
    }
    buf_close(&reason);
    return code;
}

void client_put_encoded(struct buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-_.~";
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr(plain, *at) != NULL) {
            buf_put_u8(out, (uint8_t)*at);
        } else {
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*at);
        }
    }
}
