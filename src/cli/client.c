/* SPDX-License-Identifier: Apache-2.0 */
/* One request over several nodes:
 *
 *   choose a node ─▶ wait until it is due ─▶ send ─▶ verdict
 *        ▲                                          ├ done, refused, not found ─▶ end
 *        ├─── that node next ◀── leader named ──────┤
 *        ├─── any node, later ◀── nothing happened ─┤
 *        │                                          └ unknown ─▶ end, said so
 *        └ past the timeout ─▶ end, with what each node said
 *
 * A write with an idempotency key goes on where others end as unknown: whichever node
 * is asked with it again, it is done once. It ends as unknown when nobody has said
 * within the timeout what became of it.
 *
 * Failure modes: a frozen node takes a request and never answers. A read, or a write
 * with a key, then goes on to the next after SILENCE_MS; another write cannot, and ends
 * as unknown at the timeout. An endless answer tells by heartbeats that it is not
 * frozen. A cluster that is not upgraded whole refuses keys: then it goes without. */
#include "cli/client.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cli/verdict.h"

#define CONNECT_MS        2000
#define SILENCE_MS        2000
#define STREAM_SILENCE_MS 35000 /* two heartbeats, and some */
#define WRITE_LEAST_MS    2000  /* for its answer: a late try must not end as unknown */
#define HEADER_LEADER     "X-Muster-Leader-Address"
#define HEADERS_MAX       6

struct
try {
    struct client *client;
    const struct client_request *request;
    bool write;
    bool sink_failed; /* on_body refused: another node will not help */
    bool heard;       /* this node has said some of an endless answer */
    bool keyed;       /* a write that is sent with its key */
    /* A try with the key may have done it, or still will: where and why; NULL: none. */
    char *doubt;
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

/* "Name: value", each to mem_free(). */
static void try_headers(const struct try *try, char *headers[HEADERS_MAX + 1])
{
    const struct client_request *request = try->request;
    size_t count = 0;
    headers[count++] =
        mem_printf("Accept: %s", request->accept != NULL ? request->accept : "*/*");
    if (request->body != NULL) {
        headers[count++] =
            mem_printf("Content-Type: %s",
                       request->type != NULL ? request->type : "application/json");
    }
    if (try->client->token != NULL) {
        headers[count++] = mem_printf("Authorization: Bearer %s", try->client->token);
    }
    if (try->keyed) {
        headers[count++] = mem_printf("Idempotency-Key: %s", request->key);
    }
    if (request->if_match != NULL) {
        headers[count++] = mem_printf("If-Match: %s", request->if_match);
    }
    headers[count] = NULL;
}

static void try_send(struct try *try, const char *address, struct http_answer *answer)
{
    const struct client_request *request = try->request;
    char *headers[HEADERS_MAX + 1];
    uint64_t now = now_ms();
    uint64_t left = try->deadline_ms > now ? try->deadline_ms - now : 1;
    bool others = try->client->nodes.count > 1;
    char *url = mem_printf("http://%s%s", address, request->path);
    try_headers(try, headers);
    struct http_request sent = {
        .method = request->method != NULL ? request->method : "GET",
        .url = url,
        .body = request->body,
        .body_len = request->body_len,
        .headers = (const char *const *)headers,
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
        sent.idle_timeout_ms = try->keyed && others ? SILENCE_MS : 0;
    } else if (others) {
        sent.idle_timeout_ms = SILENCE_MS;
    }
    http_wait(&sent, answer);
    for (size_t i = 0; headers[i] != NULL; i++) {
        mem_free(headers[i]);
    }
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

/* `doubt`: where and why. */
static int end_unknown(const struct try *try, const char *doubt, struct err *err)
{
    err_set(err, ERR_OUTCOME_UNKNOWN,
            "the outcome is not known: it may have been done, or still will be: "
            "%.300s; look with `%s` before you repeat it",
            doubt, try->request->look);
    return CLI_EXIT_UNKNOWN;
}

/* Nobody has said in time what became of it. */
static int end_late(const struct try *try, struct err *err)
{
    return try->doubt != NULL ? end_unknown(try, try->doubt, err)
                              : end_unreachable(try, err);
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

/* With a key it may be repeated, whatever became of it. */
static int judge_unknown(struct try *try, size_t node, const char *reason,
                         struct err *err)
{
    struct nodes *nodes = &try->client->nodes;
    char *doubt = mem_printf("%s: %s", nodes->items[node].address, reason);
    if (try->keyed) {
        nodes_failed(nodes, node, now_ms(), 0, reason);
        mem_free(try->doubt);
        try->doubt = doubt;
        return -1;
    }
    int code = end_unknown(try, doubt, err);
    mem_free(doubt);
    return code;
}

static bool names_run(const struct try *try, const struct http_answer *answer,
                      int status)
{
    return try->request->names_run && answer->status == status &&
           http_answer_header(answer, "Location") != NULL;
}

/* Nothing happened by this try. What happened by an earlier one is known only if this
 * one came as far as to be decided: then the key was new, or it is told what was. */
static int judge_refused(struct try *try, const struct http_answer *answer,
                         const struct buf *reason, struct err *err)
{
    const char *match = try->request->if_match;
    bool decided = answer->status == 400 || answer->status == 404 ||
                   answer->status == 412 || names_run(try, answer, 500);
    if (try->doubt != NULL && !decided) {
        return end_unknown(try, try->doubt, err);
    }
    if (try->keyed && verdict_takes_no_key(answer)) {
        try->keyed = false; /* it is due at once, at the same node */
        return -1;
    }
    bool absent = answer->status == 404 ||
                  (answer->status == 412 && match != NULL && strcmp(match, "*") == 0);
    return absent ? end_with(CLI_EXIT_NOT_FOUND, ERR_NOT_FOUND, reason, err)
                  : end_with(CLI_EXIT_FAILED, ERR_CONFLICT, reason, err);
}

/* What the answer of one node means; -1: go on with another. */
static int try_judge(struct try *try, size_t node, const struct http_answer *answer,
                     struct buf *reason, struct err *err)
{
    struct nodes *nodes = &try->client->nodes;
    buf_clear(reason);
    enum verdict verdict =
        names_run(try, answer, 504) ? VERDICT_DONE : verdict_of(answer, try->write);
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
    case VERDICT_NOT_FOUND:
        code = judge_refused(try, answer, reason, err);
        break;
    case VERDICT_ELSEWHERE:
        judge_elsewhere(nodes, node, http_answer_header(answer, HEADER_LEADER));
        break;
    case VERDICT_LATER:
        nodes_failed(nodes, node, now_ms(), verdict_retry_after_ms(answer), text);
        break;
    case VERDICT_UNKNOWN:
        code = judge_unknown(try, node, text, err);
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
        .keyed = request->key != NULL,
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
            code = end_late(&try, err);
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
    mem_free(try.doubt);
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
