/* SPDX-License-Identifier: Apache-2.0 */
/* A node that leaves, and its stop: what balancers are told, what is still answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/api/api_bench.h"

#define A "{\"task\":{\"name\":\"a\",\"module\":\"./m\",\"condition\":{}}}"

static bool is_stopped(struct bench *bench)
{
    return bench->stopped;
}

static void expect(struct bench *bench, const char *line, const char *body, int status)
{
    struct answer answer;
    bench_exchange(bench, line, body, 0, &answer);
    assert_int_equal(answer.status, status);
    buf_close(&answer.body);
}

/* Half a request is one under way: it is finished, and its connection ends. */
static void half_a_request_is_finished_after_the_stop(void **state)
{
    struct bench *bench = *state;
    struct client half;
    struct client stuck;
    struct answer answer;
    client_open(bench, &half);
    client_open(bench, &stuck);
    expect(bench, "GET /v1/health", NULL, 200); /* both were accepted */
    client_send(&half, "GET /v1/version HTTP/1.1\r\nHost: loc");
    client_send(&stuck, "POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\n"
                        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
    expect(bench, "GET /v1/health", NULL, 200); /* the halves are there */
    bench_stop(bench, 5000);
    bench_turn(bench);
    client_send(&half, "alhost\r\n\r\n");
    client_answer(bench, &half, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "Connection: close"));
    buf_close(&answer.body);
    assert_false(bench->stopped);
    bench_advance(bench, 5000);
    client_answer(bench, &stuck, &answer);
    assert_int_equal(answer.status, 0);
    buf_close(&answer.body);
    bench_wait(bench, is_stopped);
    client_close(&half);
    client_close(&stuck);
}

/* It was connected before the stop, and its request comes after it. */
static void a_new_connection_has_a_moment_after_the_stop(void **state)
{
    struct bench *bench = *state;
    struct client accepted;
    struct client waiting;
    struct client silent;
    struct answer answer;
    client_open(bench, &accepted);
    expect(bench, "GET /v1/health", NULL, 200); /* it was accepted */
    client_open(bench, &waiting);               /* the kernel holds it */
    client_open(bench, &silent);
    bench_stop(bench, 5000);
    bench_turn(bench);
    client_ask(&accepted, "GET /v1/version", NULL);
    client_answer(bench, &accepted, &answer);
    assert_int_equal(answer.status, 200);
    buf_close(&answer.body);
    client_ask(&waiting, "GET /v1/version", NULL);
    client_answer(bench, &waiting, &answer);
    assert_int_equal(answer.status, 200);
    buf_close(&answer.body);
    assert_false(bench->stopped);
    bench_advance(bench, 500);
    client_answer(bench, &silent, &answer);
    assert_int_equal(answer.status, 0);
    buf_close(&answer.body);
    bench_wait(bench, is_stopped);
    client_close(&accepted);
    client_close(&waiting);
    client_close(&silent);
}

/* Before the stop: everything is answered, on connections that end then. */
static void a_node_that_leaves_serves_on_and_is_not_ready(void **state)
{
    struct bench *bench = *state;
    struct client kept;
    struct answer answer;
    client_open(bench, &kept);
    client_ask(&kept, "GET /v1/health/ready", NULL);
    client_answer(bench, &kept, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "Connection: keep-alive"));
    buf_close(&answer.body);
    api_leave(bench->api);
    client_ask(&kept, "POST /v1/tasks", A);
    bench_wait(bench, bench_proposed);
    bench_decide(bench, 0);
    client_answer(bench, &kept, &answer);
    assert_int_equal(answer.status, 201);
    assert_non_null(strstr(answer.head, "Connection: close"));
    buf_close(&answer.body);
    client_answer(bench, &kept, &answer);
    assert_int_equal(answer.status, 0);
    buf_close(&answer.body);
    client_close(&kept);
    bench_exchange(bench, "GET /v1/health/ready", NULL, 0, &answer);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr((char *)answer.body.data, "\"code\":\"stopping\""));
    buf_close(&answer.body);
    expect(bench, "GET /v1/health", NULL, 200);
    expect(bench, "GET /v1/tasks/a", NULL, 200);
}

/* A stop waits for balancers to notice; there is one if it asks. */
static void who_asks_for_health_watches_for_a_minute(void **state)
{
    struct bench *bench = *state;
    static const char *const asked[] = {"GET /v1/health/ready", "GET /v1/health/leader",
                                        "GET /v1/health/writes"};
    bench_advance(bench, 1000);
    expect(bench, "GET /v1/health", NULL, 200); /* anybody's, and CTS's */
    expect(bench, "GET /v1/tasks", NULL, 200);
    assert_false(api_watched(bench->api));
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct answer answer;
        bench_exchange(bench, asked[i], NULL, 0, &answer);
        buf_close(&answer.body);
        assert_true(api_watched(bench->api));
        bench_advance(bench, 59999);
        assert_true(api_watched(bench->api));
        bench_advance(bench, 1);
        assert_false(api_watched(bench->api));
    }
}

static void writes_go_to_who_leads_or_has_just_led(void **state)
{
    struct bench *bench = *state;
    bench->node.status.takes_writes = true;
    expect(bench, "GET /v1/health/writes", NULL, 200);
    bench->node.status.role = NODE_FOLLOWER;
    expect(bench, "GET /v1/health/writes", NULL, 200);
    expect(bench, "GET /v1/health/leader", NULL, 503);
    bench->node.status.takes_writes = false;
    expect(bench, "GET /v1/health/writes", NULL, 503);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(half_a_request_is_finished_after_the_stop),
        TEST(a_new_connection_has_a_moment_after_the_stop),
        TEST(a_node_that_leaves_serves_on_and_is_not_ready),
        TEST(who_asks_for_health_watches_for_a_minute),
        TEST(writes_go_to_who_leads_or_has_just_led),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
