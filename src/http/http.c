/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on a libuv loop: curl says which descriptors and what time
 * it waits for, the loop says when they are there.
 *
 *   http_start ─▶ UNDER WAY ──curl is done with it──▶ done(answer), freed
 *                     ├──silent for too long────────▶ done, likewise
 *                     └──http_cancel, client closes──▶ reaped in the next turn: done
 *
 * Failure modes. Whatever curl reports becomes an outcome in call_outcome(): as long as
 * no byte of the request was written it is HTTP_NOT_SENT, else HTTP_LOST; that a
 * request was written only in part is HTTP_LOST too, since who reads it may act on a
 * part. Resolving runs in a thread of curl's; it is left to itself when the call ends
 * before it (CURLOPT_QUICK_EXIT): waiting for it would hold the loop for as long as DNS
 * does. */
#include "http/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "base/limits.h"
#include "base/mem.h"

#define HEAD_MAX_BYTES (4 * LIMIT_HEAD_BYTES)

struct http_client {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;  /* curl's */
    uv_timer_t reaper; /* ends cancelled calls from the loop */
    uv_timer_t watch;  /* for calls that are silent; at the next that may be */
    struct http_call *calls;
    size_t handles; /* of the loop, not closed yet */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

struct http_call {
    struct http_client *client;
    struct http_call *next;
    struct http_call **slot;
    CURL *curl;
    struct curl_slist *headers;
    struct http_answer answer;
    bool cancelled;
    bool head_ended; /* curl takes a head that is cut off for a whole one */
    size_t answer_max;
    uint64_t idle_ms;  /* 0: it may be silent for ever */
    uint64_t moved_ms; /* the last byte, in or out, on the loop's clock */
    curl_off_t sent;   /* bytes of its body, when that was last looked at */
    bool suspected;    /* of being silent: what has come is read before it ends */
    int (*on_body)(void *arg, const void *data, size_t len, struct err *err);
    void *body_arg;
    http_done_cb done;
    void *done_arg;
    char curl_text[CURL_ERROR_SIZE];
};

struct http_socket {
    uv_poll_t poll;
    struct http_client *client;
    curl_socket_t fd;
};

/* --- what comes back ----------------------------------------------------------- */

static int call_status(const struct http_call *call)
{
    long status = 0;
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static void call_moved(struct http_call *call)
{
    call->moved_ms = uv_now(call->client->loop);
    call->suspected = false;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    struct buf *head = &call->answer.head;
    size_t len = size * count;
    call_moved(call);
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        buf_clear(head); /* what came before belonged to a 1xx */
        call->head_ended = false;
        return len;
    }
    if (head->len + len > HEAD_MAX_BYTES) {
        err_set(&call->answer.err, ERR_TOO_LARGE,
                "the headers of the answer have more than %d bytes", HEAD_MAX_BYTES);
        return 0;
    }
    if (data[0] == '\r' || data[0] == '\n') {
        call->head_ended = true;
    }
    const char *colon = memchr(data, ':', len);
    if (colon == NULL || memchr(data, '\0', len) != NULL) {
        return len;
    }
    const char *value = colon + 1;
    const char *end = data + len;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && strchr(" \t\r\n", end[-1]) != NULL) {
        end--;
    }
    buf_put(head, data, (size_t)(colon - data));
    buf_put_u8(head, 0);
    buf_put(head, value, (size_t)(end - value));
    buf_put_u8(head, 0);
    return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    size_t len = size * count;
    call_moved(call);
    if (call->on_body != NULL && call_status(call) / 100 == 2) {
        int rv = call->on_body(call->body_arg, data, len, &call->answer.err);
        return rv == 0 ? len : 0;
    }
    if (len > call->answer_max - call->answer.body.len) {
        err_set(&call->answer.err, ERR_TOO_LARGE,
                "the answer has more than %zu bytes, the most that is taken",
                call->answer_max);
        return 0;
    }
    buf_put(&call->answer.body, data, len);
    return len;
}

/* --- silence ------------------------------------------------------------------- *
 * Not CURLOPT_LOW_SPEED_TIME, which counts bytes a second: a stream with a heartbeat of
 * three bytes each 15 s is slower than the least that it can be told. */

/* When this call has been silent for too long, if nothing comes. */
static uint64_t call_silent_at(struct http_call *call)
{
    curl_off_t sent = 0;
    curl_easy_getinfo(call->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent != call->sent) {
        call->sent = sent;
        call_moved(call);
    }
    return call->moved_ms + call->idle_ms;
}

static void on_watch(uv_timer_t *timer);

static void client_watch(struct http_client *client)
{
    uint64_t now = uv_now(client->loop);
    uint64_t next = UINT64_MAX;
    for (struct http_call *call = client->calls; call != NULL; call = call->next) {
        if (call->idle_ms > 0) {
            uint64_t at = call->suspected ? now + 1 : call_silent_at(call);
            next = at < next ? at : next;
        }
    }
    if (next == UINT64_MAX) {
        uv_timer_stop(&client->watch);
    } else {
        uv_timer_start(&client->watch, on_watch, next > now ? next - now : 0, 0);
    }
}

/* --- the end of a call --------------------------------------------------------- */

static void call_explain(struct http_call *call, CURLcode code)
{
    struct err *err = &call->answer.err;
    long number = 0;
    curl_easy_getinfo(call->curl, CURLINFO_OS_ERRNO, &number);
    bool sent = call->answer.outcome == HTTP_LOST;
    if (code == CURLE_COULDNT_RESOLVE_HOST) {
        err_set(err, ERR_UNAVAILABLE, "there is no host of that name");
    } else if (code == CURLE_COULDNT_CONNECT) {
        err_set(err, ERR_UNAVAILABLE, "cannot connect: %s",
                number != 0 ? strerror((int)number) : "nobody answers");
    } else if (code == CURLE_OPERATION_TIMEDOUT && !sent) {
        err_set(err, ERR_TIMEOUT, "cannot connect: nobody answers in time");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        err_set(err, ERR_TIMEOUT, "the answer did not come in time");
    } else if (code == CURLE_GOT_NOTHING) {
        err_set(err, ERR_IO, "the connection was closed without an answer");
    } else if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
               code == CURLE_OK) {
        err_set(err, ERR_IO, "the connection was lost before the answer was whole");
    } else {
        err_set(err, ERR_IO, "%s",
                call->curl_text[0] != '\0' ? call->curl_text
                                           : curl_easy_strerror(code));
    }
}

static void call_outcome(struct http_call *call, CURLcode code)
{
    struct http_answer *answer = &call->answer;
    long sent = 0;
    curl_easy_getinfo(call->curl, CURLINFO_REQUEST_SIZE, &sent);
    answer->status = call_status(call);
    if (call->cancelled) {
        answer->outcome = HTTP_CANCELLED;
        err_set(&answer->err, ERR_CANCELLED, "it was given up");
        return;
    }
    if (code == CURLE_OK && answer->status != 0 && call->head_ended) {
        answer->outcome = HTTP_ANSWERED;
        return;
    }
    answer->outcome = sent > 0 ? HTTP_LOST : HTTP_NOT_SENT;
    if (answer->err.code == ERR_NONE) { /* else a callback has said why */
        call_explain(call, code);
    }
}

static void call_end(struct http_call *call, CURLcode code)
{
    call_outcome(call, code);
    curl_multi_remove_handle(call->client->multi, call->curl);
    curl_easy_cleanup(call->curl);
    curl_slist_free_all(call->headers);
    *call->slot = call->next;
    if (call->next != NULL) {
        call->next->slot = call->slot;
    }
    client_watch(call->client); /* no timer outlives what it is for */
    call->done(call->done_arg, &call->answer);
    http_answer_close(&call->answer);
    mem_free(call);
}

/* One that is silent; NULL: none is. This process may have been stopped meanwhile, and
 * the answer may be there: so one that is found the first time is only suspected. */
static struct http_call *client_silent(struct http_client *client)
{
    uint64_t now = uv_now(client->loop);
    for (struct http_call *call = client->calls; call != NULL; call = call->next) {
        if (call->idle_ms > 0 && call_silent_at(call) <= now) {
            if (call->suspected) {
                return call;
            }
            call->suspected = true;
        }
    }
    return NULL;
}

static void on_watch(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    struct http_call *call = client_silent(client);
    if (call != NULL) {
        call_end(call, CURLE_OPERATION_TIMEDOUT);
    }
    if (!client->closing) {
        client_watch(client);
    }
}

/* --- curl and the loop --------------------------------------------------------- */

static void client_collect(struct http_client *client)
{
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            struct http_call *call = NULL;
            CURLcode code = message->data.result;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
            call_end(call, code);
        }
    }
}

static void on_timer(uv_timer_t *timer);

/* The loop's clock stands still while it works: without a look at it a timer fires as
 * early as that work took. */
static void client_set_timer(struct http_client *client, long timeout_ms)
{
    uv_update_time(client->loop);
    uv_timer_start(&client->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    int running = 0;
    long timeout_ms = -1;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    /* For curl, which has finer time, it may have been early; it does not ask again. */
    curl_multi_timeout(client->multi, &timeout_ms);
    if (timeout_ms >= 0 && !uv_is_active((uv_handle_t *)timer)) {
        client_set_timer(client, timeout_ms > 0 ? timeout_ms : 1);
    }
    client_collect(client);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_client *client = arg;
    (void)multi;
    if (client->closing && client->calls == NULL) {
        return 0;
    }
    if (timeout_ms < 0) {
        uv_timer_stop(&client->timer);
    } else {
        client_set_timer(client, timeout_ms);
    }
    return 0;
}

static void client_handle_closed(struct http_client *client)
{
    if (--client->handles == 0 && client->closing) {
        void (*closed)(void *arg) = client->closed;
        void *arg = client->closed_arg;
        mem_free(client);
        if (closed != NULL) {
            closed(arg);
        }
    }
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct http_socket *socket = handle->data;
    struct http_client *client = socket->client;
    mem_free(socket);
    client_handle_closed(client);
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
    struct http_socket *socket = poll->data;
    struct http_client *client = socket->client;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    int running = 0;
    curl_multi_socket_action(client->multi, socket->fd, flags, &running);
    client_collect(client);
}

static struct http_socket *socket_new(struct http_client *client, curl_socket_t fd)
{
    struct http_socket *socket = mem_zalloc(sizeof *socket);
    if (uv_poll_init(client->loop, &socket->poll, fd) != 0) {
        mem_free(socket);
        return NULL;
    }
    socket->poll.data = socket;
    socket->client = client;
    socket->fd = fd;
    client->handles++;
    curl_multi_assign(client->multi, fd, socket);
    return socket;
}

static int on_curl_socket(CURL *curl, curl_socket_t fd, int what, void *arg,
                          void *socket_arg)
{
    struct http_client *client = arg;
    struct http_socket *socket = socket_arg;
    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) {
            curl_multi_assign(client->multi, fd, NULL);
            uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
        }
        return 0;
    }
    if (socket == NULL && (socket = socket_new(client, fd)) == NULL) {
        return -1; /* curl then ends what is under way */
    }
    int events = 0;
    events |= (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
    return uv_poll_start(&socket->poll, events, on_socket_ready) == 0 ? 0 : -1;
}

/* --- the client ---------------------------------------------------------------- */

struct http_client *http_client_new(struct uv_loop_s *loop)
{
    static bool ready; /* on one thread, before there are others of curl's */
    if (!ready) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        ready = true;
    }
    struct http_client *client = mem_zalloc(sizeof *client);
    client->loop = loop;
    client->multi = curl_multi_init();
    assert(client->multi != NULL);
    uv_timer_init(loop, &client->timer);
    uv_timer_init(loop, &client->reaper);
    uv_timer_init(loop, &client->watch);
    client->timer.data = client;
    client->reaper.data = client;
    client->watch.data = client;
    client->handles = 3;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    return client;
}

static void on_timer_closed(uv_handle_t *handle)
{
    client_handle_closed(handle->data);
}

static struct http_call *client_cancelled(const struct http_client *client)
{
    struct http_call *call = client->calls;
    while (call != NULL && !call->cancelled) {
        call = call->next;
    }
    return call;
}

static void on_reaper(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    struct http_call *call = NULL;
    while ((call = client_cancelled(client)) != NULL) {
        call_end(call, CURLE_ABORTED_BY_CALLBACK);
    }
    if (client->closing && client->calls == NULL &&
        !uv_is_closing((uv_handle_t *)&client->timer)) {
        curl_multi_cleanup(client->multi); /* closes kept connections */
        uv_close((uv_handle_t *)&client->timer, on_timer_closed);
        uv_close((uv_handle_t *)&client->reaper, on_timer_closed);
        uv_close((uv_handle_t *)&client->watch, on_timer_closed);
    }
}

void http_client_close(struct http_client *client, void (*closed)(void *arg), void *arg)
{
    assert(!client->closing);
    client->closing = true;
    client->closed = closed;
    client->closed_arg = arg;
    for (struct http_call *call = client->calls; call != NULL; call = call->next) {
        call->cancelled = true;
    }
    uv_timer_start(&client->reaper, on_reaper, 0, 0);
}

/* --- a call -------------------------------------------------------------------- */

static void call_set_body(struct http_call *call, const struct http_request *request)
{
    CURL *curl = call->curl;
    bool get = strcmp(request->method, "GET") == 0;
    bool head = strcmp(request->method, "HEAD") == 0;
    if (request->body != NULL || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)request->body_len);
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS,
                         request->body != NULL ? request->body : "");
    }
    curl_easy_setopt(curl, CURLOPT_NOBODY, head ? 1L : 0L);
    if (!get && !head) {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    }
    if ((!get && !head) || request->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    }
}

static void call_set(struct http_call *call, const struct http_request *request)
{
    CURL *curl = call->curl;
    curl_easy_setopt(curl, CURLOPT_PRIVATE, call);
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->curl_text);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    if (request->connect_timeout_ms > 0) {
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                         (long)request->connect_timeout_ms);
    }
    call->headers = curl_slist_append(NULL, "Expect:");
    for (const char *const *header = request->headers;
         header != NULL && *header != NULL; header++) {
        call->headers = curl_slist_append(call->headers, *header);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers);
    call_set_body(call, request);
}

struct http_call *http_start(struct http_client *client,
                             const struct http_request *request, http_done_cb done,
                             void *arg)
{
    assert(!client->closing);
    struct http_call *call = mem_zalloc(sizeof *call);
    call->client = client;
    call->answer_max = request->answer_max;
    call->idle_ms = request->idle_timeout_ms;
    call->on_body = request->on_body;
    call->body_arg = request->arg;
    call->done = done;
    call->done_arg = arg;
    http_answer_init(&call->answer);
    call->next = client->calls;
    call->slot = &client->calls;
    if (client->calls != NULL) {
        client->calls->slot = &call->next;
    }
    client->calls = call;
    call->curl = curl_easy_init();
    assert(call->curl != NULL);
    call_set(call, request);
    CURLMcode rv = curl_multi_add_handle(client->multi, call->curl);
    assert(rv == CURLM_OK);
    (void)rv;
    uv_update_time(client->loop);
    call_moved(call);
    client_watch(client);
    return call;
}

void http_cancel(struct http_call *call)
{
    call->cancelled = true;
    uv_timer_start(&call->client->reaper, on_reaper, 0, 0);
}
