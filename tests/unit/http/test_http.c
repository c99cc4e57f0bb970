/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against a listener on the same loop, that says one thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "http/http.h"

#define CONNECTIONS_MAX 64
#define BODY_MAX        1000

struct bench {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_tcp_t connections[CONNECTIONS_MAX];
    size_t connection_count;
    size_t requests; /* whole heads that came */
    struct buf received;
    const char *says; /* NULL: nothing, ever */
    bool closes;      /* after it has said it */
    uv_timer_t drip;
    int drips; /* bytes that come one by one after what it says */
    struct http_client *client;
    struct http_request request;
    char *url;
    bool closed;
};

/* What came back of one call. */
struct ending {
    struct bench *bench;
    bool inside; /* http_start() is running */
    int count;
    enum http_outcome outcome;
    int status;
    enum err_code code;
    char text[256]; /* body */
    char header[64];
    struct http_call *other; /* cancelled from inside done */
    bool close;              /* the client, from inside done */
};

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    static char memory[4096];
    (void)handle;
    (void)size;
    *out = uv_buf_init(memory, sizeof memory);
}

static void say(struct bench *bench, uv_stream_t *stream)
{
    uv_buf_t out = uv_buf_init(mem_strdup(bench->says != NULL ? bench->says : ""),
                               bench->says != NULL ? (unsigned)strlen(bench->says) : 0);
    if (out.len > 0) {
        assert_int_equal(uv_try_write(stream, &out, 1), (int)out.len);
    }
    mem_free(out.base);
    if (bench->closes) {
        uv_close((uv_handle_t *)stream, NULL);
    }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *in)
{
    struct bench *bench = stream->data;
    if (count < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    buf_put(&bench->received, in->base, (size_t)count);
    if (memmem(in->base, (size_t)count, "\r\n\r\n", 4) != NULL) {
        bench->requests++;
        say(bench, stream);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct bench *bench = listener->data;
    assert_int_equal(status, 0);
    assert_true(bench->connection_count < CONNECTIONS_MAX);
    uv_tcp_t *connection = &bench->connections[bench->connection_count++];
    uv_tcp_init(&bench->loop, connection);
    connection->data = bench;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)connection), 0);
    uv_read_start((uv_stream_t *)connection, on_alloc, on_read);
}

static int set_up(void **state)
{
    struct bench *bench = mem_zalloc(sizeof *bench);
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int len = sizeof at;
    uv_loop_init(&bench->loop);
    uv_tcp_init(&bench->loop, &bench->listener);
    bench->listener.data = bench;
    uv_tcp_bind(&bench->listener, (const struct sockaddr *)&at, 0);
    uv_listen((uv_stream_t *)&bench->listener, 8, on_connection);
    uv_tcp_getsockname(&bench->listener, (struct sockaddr *)&at, &len);
    bench->url = mem_printf("http://127.0.0.1:%d/a/../b", ntohs(at.sin_port));
    bench->client = http_client_new(&bench->loop);
    bench->request = (struct http_request){
        .method = "GET", .url = bench->url, .answer_max = BODY_MAX};
    bench->says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:  b \r\n\r\nhi";
    *state = bench;
    return 0;
}

static void on_closed(void *arg)
{
    struct bench *bench = arg;
    bench->closed = true;
    uv_stop(&bench->loop);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    if (bench->client != NULL) {
        http_client_close(bench->client, on_closed, bench);
    }
    while (!bench->closed) {
        uv_run(&bench->loop, UV_RUN_DEFAULT); /* until an end stops it */
    }
    uv_walk(&bench->loop, close_handle, NULL);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    int rv = uv_loop_close(&bench->loop);
    buf_close(&bench->received);
    mem_free(bench->url);
    mem_free(bench);
    return rv;
}

static void on_done(void *arg, struct http_answer *answer)
{
    struct ending *ending = arg;
    const char *header = http_answer_header(answer, "x-a");
    assert_false(ending->inside);
    ending->count++;
    uv_stop(&ending->bench->loop);
    ending->outcome = answer->outcome;
    ending->status = answer->status;
    ending->code = answer->err.code;
    snprintf(ending->text, sizeof ending->text, "%.*s", (int)answer->body.len,
             answer->body.len > 0 ? (const char *)answer->body.data : "");
    snprintf(ending->header, sizeof ending->header, "%s", header != NULL ? header : "");
    if (ending->other != NULL) {
        http_cancel(ending->other);
    }
    if (ending->close) {
        http_client_close(ending->bench->client, on_closed, ending->bench);
        ending->bench->client = NULL;
    }
}

static struct http_call *start(struct bench *bench, struct ending *ending)
{
    ending->bench = bench;
    ending->inside = true;
    struct http_call *call =
        http_start(bench->client, &bench->request, on_done, ending);
    ending->inside = false;
    return call;
}

static void finish(struct bench *bench, const struct ending *ending)
{
    while (ending->count == 0) {
        uv_run(&bench->loop, UV_RUN_DEFAULT); /* until an end stops it */
    }
    assert_int_equal(ending->count, 1);
}

static void run(struct bench *bench, struct ending *ending)
{
    *ending = (struct ending){0};
    start(bench, ending);
    finish(bench, ending);
}

static void an_answer_has_status_headers_and_body(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.status, 200);
    assert_string_equal(ending.text, "hi");
    assert_string_equal(ending.header, "b");
    assert_memory_equal(bench->received.data, "GET /a/../b HTTP/1.1\r\n", 22);
}

static void what_a_1xx_said_is_forgotten(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    bench->says = "HTTP/1.1 103 Early\r\nX-A: early\r\n\r\n"
                  "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.status, 404);
    assert_string_equal(ending.header, "");
}

static void a_body_goes_out_on_a_connection_of_its_own(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    run(bench, &ending);
    run(bench, &ending);
    assert_int_equal(bench->connection_count, 1); /* a GET may share one */
    bench->request.method = "PATCH";
    bench->request.body = "{}";
    bench->request.body_len = 2;
    run(bench, &ending);
    assert_int_equal(ending.status, 200);
    bench->request.method = "DELETE";
    bench->request.body = NULL;
    run(bench, &ending);
    assert_int_equal(bench->connection_count, 3);
    buf_put_u8(&bench->received, 0);
    const char *received = (const char *)bench->received.data;
    assert_non_null(strstr(received, "PATCH /a/../b HTTP/1.1\r\n"));
    assert_non_null(strstr(received, "Content-Length: 2\r\n"));
    assert_null(strstr(received, "Expect:"));
    const char *last = strstr(received, "DELETE ");
    assert_non_null(last);
    assert_null(strstr(last, "Content-Length"));
}

static void what_never_left_did_not_happen(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    static const char *const nowhere[] = {"http://127.0.0.1:1/", "http://x.invalid:1/",
                                          "https://127.0.0.1:1/", "nonsense://x", ""};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        bench->request.url = nowhere[i];
        run(bench, &ending);
        assert_int_equal(ending.outcome, HTTP_NOT_SENT);
        assert_int_not_equal(ending.code, ERR_NONE);
    }
    assert_int_equal(bench->requests, 0);
}

static void what_left_and_was_not_answered_whole_is_lost(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    static const char *const says[] = {
        NULL,
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "nonsense\r\n\r\n",
        "SSH-2.0-x\r\n",
    };
    bench->closes = true;
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        bench->says = says[i];
        run(bench, &ending);
        assert_int_equal(ending.outcome, HTTP_LOST);
        assert_int_not_equal(ending.code, ERR_NONE);
    }
}

static void silence_ends_at_the_timeout(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    bench->says = NULL;
    bench->request.timeout_ms = 50;
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_int_equal(ending.code, ERR_TIMEOUT);
    bench->request.timeout_ms = 0;
    bench->request.idle_timeout_ms = 30;
    bench->says = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi";
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_int_equal(ending.code, ERR_TIMEOUT);
}

static void on_drip(uv_timer_t *timer)
{
    struct bench *bench = timer->data;
    uv_buf_t out = uv_buf_init((char *)(uintptr_t) "x", 1);
    if (bench->requests > 0) {
        uv_stream_t *stream =
            (uv_stream_t *)&bench->connections[bench->connection_count - 1];
        assert_int_equal(uv_try_write(stream, &out, 1), 1);
        bench->drips--;
    }
    if (bench->drips > 0) {
        uv_timer_start(timer, on_drip, 40, 0);
    }
}

/* Each byte sets out anew: the whole takes several times as long as it may be silent.
 */
static void an_answer_that_trickles_is_not_silent(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    bench->says = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
    bench->request.idle_timeout_ms = 200;
    bench->drips = 12;
    uv_timer_init(&bench->loop, &bench->drip);
    bench->drip.data = bench;
    uv_timer_start(&bench->drip, on_drip, 0, 0);
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(ending.text, "xxxxxxxxxxxx");
}

static void an_answer_is_bounded(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    bench->request.answer_max = 2;
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    bench->request.answer_max = 1;
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_int_equal(ending.code, ERR_TOO_LARGE);
    struct buf endless;
    buf_init(&endless);
    buf_printf(&endless, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1100; i++) {
        buf_printf(&endless, "X-%d: %064d\r\n", i, i);
    }
    buf_put_u8(&endless, 0);
    bench->says = (const char *)endless.data;
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_int_equal(ending.code, ERR_TOO_LARGE);
    buf_close(&endless);
}

static int take(void *arg, const void *data, size_t len, struct err *err)
{
    struct buf *taken = arg;
    if (taken->len + len > 3) {
        return err_set(err, ERR_FULL, "full");
    }
    buf_put(taken, data, len);
    return 0;
}

static void a_body_may_be_taken_piece_by_piece(void **state)
{
    struct bench *bench = *state;
    struct ending ending;
    struct buf taken;
    buf_init(&taken);
    bench->request.on_body = take;
    bench->request.arg = &taken;
    bench->request.answer_max = 100;
    run(bench, &ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(taken.len, 2);
    assert_string_equal(ending.text, "");
    run(bench, &ending); /* four bytes: it refuses */
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_int_equal(ending.code, ERR_FULL);
    bench->says = "HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nwhy";
    run(bench, &ending); /* what is no success is kept instead */
    assert_string_equal(ending.text, "why");
    assert_int_equal(taken.len, 2);
    buf_close(&taken);
}

static void a_cancelled_call_ends_once_and_later(void **state)
{
    struct bench *bench = *state;
    struct ending first = {0};
    struct ending second = {0};
    struct ending third = {0};
    bench->says = NULL;
    struct http_call *call = start(bench, &first);
    http_cancel(call);
    assert_int_equal(first.count, 0);
    finish(bench, &first);
    assert_int_equal(first.outcome, HTTP_CANCELLED);
    call = start(bench, &second);
    start(bench, &third);
    first = (struct ending){0};
    http_cancel(start(bench, &first));
    first.other = call; /* cancels another from inside its end */
    finish(bench, &first);
    finish(bench, &second);
    assert_int_equal(second.outcome, HTTP_CANCELLED);
    assert_int_equal(third.count, 0); /* it goes on, until the client closes */
    http_client_close(bench->client, on_closed, bench);
    bench->client = NULL;
    finish(bench, &third);
    assert_int_equal(third.outcome, HTTP_CANCELLED);
}

static void a_client_may_be_closed_from_inside_an_end(void **state)
{
    struct bench *bench = *state;
    struct ending last = {.close = true};
    struct ending other = {0};
    start(bench, &other);
    start(bench, &last);
    finish(bench, &last);
    assert_int_equal(last.outcome, HTTP_ANSWERED);
    finish(bench, &other);
}

static void many_calls_at_once_each_end_once(void **state)
{
    struct bench *bench = *state;
    struct ending endings[CONNECTIONS_MAX / 2];
    memset(endings, 0, sizeof endings);
    for (size_t i = 0; i < CONNECTIONS_MAX / 2; i++) {
        start(bench, &endings[i]);
    }
    for (size_t i = 0; i < CONNECTIONS_MAX / 2; i++) {
        finish(bench, &endings[i]);
        assert_int_equal(endings[i].outcome, HTTP_ANSWERED);
    }
}

static void waiting_needs_no_loop(void **state)
{
    (void)state;
    struct http_request request = {.method = "GET", .url = "http://127.0.0.1:1/"};
    struct http_answer answer;
    http_answer_init(&answer);
    http_wait(&request, &answer);
    assert_int_equal(answer.outcome, HTTP_NOT_SENT);
    assert_string_equal(answer.err.text, "cannot connect: Connection refused");
    http_answer_close(&answer);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(an_answer_has_status_headers_and_body),
        WITH_BENCH(what_a_1xx_said_is_forgotten),
        WITH_BENCH(a_body_goes_out_on_a_connection_of_its_own),
        WITH_BENCH(what_never_left_did_not_happen),
        WITH_BENCH(what_left_and_was_not_answered_whole_is_lost),
        WITH_BENCH(silence_ends_at_the_timeout),
        WITH_BENCH(an_answer_that_trickles_is_not_silent),
        WITH_BENCH(an_answer_is_bounded),
        WITH_BENCH(a_body_may_be_taken_piece_by_piece),
        WITH_BENCH(a_cancelled_call_ends_once_and_later),
        WITH_BENCH(a_client_may_be_closed_from_inside_an_end),
        WITH_BENCH(many_calls_at_once_each_end_once),
        cmocka_unit_test(waiting_needs_no_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
