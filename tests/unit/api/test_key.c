/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key at the door: what a request with one becomes, and what is told of a
 * second one with the same key, whenever it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/golden.h"
#include "unit/api/api_bench.h"

#define A "{\"task\":{\"name\":\"a\",\"module\":\"./m\",\"condition\":{}}}"
#define B "{\"task\":{\"name\":\"a\",\"module\":\"./n\",\"condition\":{}}}"

static int setup(void **state)
{
    int rv = bench_setup(state);
    struct bench *bench = *state;
    struct command raise = {
        .type = COMMAND_LEVEL_SET,
        .request_id = text_of(""),
        .actor = text_of(""),
        .level_set = {2},
    };
    struct batch_header header = {.count = 1};
    struct buf batch;
    size_t count = 0;
    buf_init(&batch);
    batch_begin(&batch, &header);
    assert_int_equal(command_encode(&batch, &raise, COMMAND_LEVEL, NULL), 0);
    assert_int_equal(
        fsm_apply(bench->node.fsm, batch.data, batch.len, NULL, 0, &count, NULL), 0);
    buf_close(&batch);
    return rv;
}

static void ask_with(struct client *client, const char *line, const char *headers,
                     const char *body)
{
    char *text = mem_printf("%s HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r1\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                            "%s\r\n%s",
                            line, strlen(body), headers, body);
    client_send(client, text);
    mem_free(text);
}

#define KEY "Idempotency-Key: k-1\r\n"

static int asked_fd;

static bool proposed_or_answered(struct bench *bench)
{
    char byte;
    return bench_proposed(bench) ||
           recv(asked_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Ask with a key and more headers; true: it was replayed. */
static bool exchange(struct bench *bench, const char *line, const char *headers,
                     const char *body, int status)
{
    struct client client;
    struct answer answer;
    client_open(bench, &client);
    ask_with(&client, line, headers, body);
    asked_fd = client.fd;
    bench_wait(bench, proposed_or_answered);
    if (bench_proposed(bench)) {
        bench_decide(bench, 0);
    }
    client_answer(bench, &client, &answer);
    if (answer.status != status) {
        fail_msg("%s: %d instead of %d: %s", line, answer.status, status,
                 (const char *)answer.body.data);
    }
    bool replayed = strstr(answer.head, "Idempotency-Replayed: true\r\n") != NULL;
    buf_close(&answer.body);
    client_close(&client);
    return replayed;
}

/* Other nodes, and other builds, must make the same of a request. */
static void a_request_becomes_what_it_always_was(void **state)
{
    struct bench *bench = *state;
    struct client client;
    client_open(bench, &client);
    ask_with(&client, "PUT /v1/tasks/a?x=1&y", KEY "If-Match: \"7\"\r\n", A);
    bench_wait(bench, bench_proposed);
    golden_check("request_keyed.hex", bench->node.waiting[0].batch.data,
                 bench->node.waiting[0].batch.len);
    bench_decide(bench, 0);
    client_close(&client);
}

static void a_second_one_is_told_what_became_of_the_first(void **state)
{
    struct bench *bench = *state;
    assert_false(exchange(bench, "POST /v1/tasks", KEY, A, 201));
    assert_true(exchange(bench, "POST /v1/tasks", KEY, A, 201));
    assert_true(exchange(bench, "POST /tasks", KEY, A, 201)); /* the same path */
    assert_int_equal(registry_sequence(fsm_registry(bench->node.fsm)), 1);
    assert_false(exchange(bench, "POST /v1/tasks", "Idempotency-Key: k-2\r\n", A, 400));
    assert_true(exchange(bench, "POST /v1/tasks", "Idempotency-Key: k-2\r\n", A, 400));
}

static void another_request_with_its_key_is_refused(void **state)
{
    static const struct {
        const char *line;
        const char *headers;
        const char *body;
    } others[] = {
        {"PUT /v1/tasks/a", KEY, B},
        {"PUT /v1/tasks/a?x=1", KEY, A},
        {"PUT /v1/tasks/a", KEY "If-Match: *\r\n", A},
        {"PUT /v1/tasks/a", KEY "If-Match: \"1\"\r\n", A},
        {"POST /v1/tasks", KEY, A},
        {"PATCH /v1/tasks/a", KEY, "{\"enabled\":true}"},
        {"DELETE /v1/tasks/a", KEY, ""},
        {"DELETE /v1/tasks/b", KEY, ""},
    };
    struct bench *bench = *state;
    assert_false(exchange(bench, "PUT /v1/tasks/a", KEY, A, 201));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(
            exchange(bench, others[i].line, others[i].headers, others[i].body, 422));
    }
    assert_true(exchange(bench, "PUT /v1/tasks/a", KEY, A, 201));
    assert_int_equal(registry_sequence(fsm_registry(bench->node.fsm)), 1);
}

/* The two are told apart by the form of the body alone. */
static void a_merge_patch_is_another_request_than_a_patch(void **state)
{
    struct bench *bench = *state;
    const char *body = "{\"enabled\":true}";
    exchange(bench, "POST /v1/tasks", "", A, 201);
    assert_false(exchange(bench, "PATCH /v1/tasks/a", KEY, body, 200));
    struct client client;
    struct answer answer;
    client_open(bench, &client);
    client_send(&client, "PATCH /v1/tasks/a HTTP/1.1\r\nHost: localhost\r\n" KEY
                         "Content-Type: application/merge-patch+json\r\n"
                         "Content-Length: 16\r\n\r\n{\"enabled\":true}");
    bench_wait(bench, bench_proposed);
    bench_decide(bench, 0);
    client_answer(bench, &client, &answer);
    assert_int_equal(answer.status, 422);
    buf_close(&answer.body);
    client_close(&client);
}

static void one_that_comes_meanwhile_is_to_wait(void **state)
{
    struct bench *bench = *state;
    struct client first;
    struct client second;
    struct answer answer;
    client_open(bench, &first);
    client_open(bench, &second);
    ask_with(&first, "POST /v1/tasks", KEY, A);
    bench_wait(bench, bench_proposed);
    ask_with(&second, "POST /v1/tasks", KEY, A);
    client_answer(bench, &second, &answer);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(answer.head, "Retry-After: 1\r\n"));
    assert_non_null(strstr((const char *)answer.body.data, "key_under_way"));
    buf_close(&answer.body);
    assert_int_equal(bench->node.waiting_count, 1);
    bench_decide(bench, 0); /* its answer is not read yet */
    assert_true(exchange(bench, "POST /v1/tasks", KEY, A, 201));
    client_answer(bench, &first, &answer);
    assert_int_equal(answer.status, 201);
    buf_close(&answer.body);
    client_close(&first);
    client_close(&second);
}

static bool two_proposed(struct bench *bench)
{
    return bench->node.waiting_count == 2;
}

/* Whatever has ended the first one: a second one is proposed, and apply decides. */
static void what_is_over_is_not_under_way(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct answer answer;
    client_open(bench, &client);
    ask_with(&client, "POST /v1/tasks", KEY, A);
    bench_wait(bench, bench_proposed);
    bench_advance(bench, 10000);
    client_answer(bench, &client, &answer);
    assert_int_equal(answer.status, 504); /* and it is still waiting */
    buf_close(&answer.body);
    ask_with(&client, "POST /v1/tasks", KEY, A);
    bench_wait(bench, two_proposed);
    bench_decide_all(bench);
    client_answer(bench, &client, &answer);
    assert_int_equal(answer.status, 201);
    assert_non_null(strstr(answer.head, "Idempotency-Replayed: true\r\n"));
    buf_close(&answer.body);
    client_close(&client);
    assert_int_equal(registry_sequence(fsm_registry(bench->node.fsm)), 1);
}

static void what_the_door_refuses_is_not_under_way(void **state)
{
    struct bench *bench = *state;
    bench->node.refusal = ERR_BUSY;
    exchange(bench, "POST /v1/tasks", KEY, A, 503);
    bench->node.refusal = 0;
    assert_false(exchange(bench, "POST /v1/tasks", KEY, A, 201));
}

static void a_large_body_is_the_same_request_again(void **state)
{
    struct bench *bench = *state;
    size_t len = 200 * 1024;
    char *filler = mem_zalloc(len + 1);
    memset(filler, 'x', len);
    char *body =
        mem_printf("{\"task\":{\"name\":\"a\",\"module\":\"./m\",\"condition\":{},"
                   "\"description\":\"%s\"}}",
                   filler);
    assert_false(exchange(bench, "PUT /v1/tasks/a", KEY, body, 201));
    assert_true(exchange(bench, "PUT /v1/tasks/a", KEY, body, 201));
    body[100] = 'y';
    assert_false(exchange(bench, "PUT /v1/tasks/a", KEY, body, 422));
    mem_free(body);
    mem_free(filler);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_becomes_what_it_always_was),
        TEST(a_second_one_is_told_what_became_of_the_first),
        TEST(another_request_with_its_key_is_refused),
        TEST(a_merge_patch_is_another_request_than_a_patch),
        TEST(one_that_comes_meanwhile_is_to_wait),
        TEST(what_is_over_is_not_under_way),
        TEST(what_the_door_refuses_is_not_under_way),
        TEST(a_large_body_is_the_same_request_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
