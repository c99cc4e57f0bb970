/* SPDX-License-Identifier: Apache-2.0 */
/* Reads that wait, on virtual time, before a node that does as it is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/limits.h"
#include "unit/api/api_bench.h"

#define A                                                                              \
    "{\"task\":{\"name\":\"a\",\"module\":\"m\",\"condition\":{\"schedule\":"          \
    "{\"cron\":\"* * * * * * *\"}}}}"
#define B                                                                              \
    "{\"task\":{\"name\":\"b\",\"module\":\"m\",\"condition\":{\"schedule\":"          \
    "{\"cron\":\"* * * * * * *\"}}}}"

static void write_task(struct bench *bench, const char *body)
{
    struct answer answer;
    bench_exchange(bench, "POST /v1/tasks", body, 0, &answer);
    assert_int_equal(answer.status, 201);
    buf_close(&answer.body);
}

static void expect_answer(struct bench *bench, struct client *client, int status,
                          const char *said)
{
    struct answer answer;
    client_answer(bench, client, &answer);
    assert_int_equal(answer.status, status);
    assert_non_null(strstr((const char *)answer.body.data, said));
    buf_close(&answer.body);
}

static bool is_silent(struct bench *bench, const struct client *client)
{
    char byte;
    bench_turn(bench);
    return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static bool is_asked(struct bench *bench)
{
    return bench->node.read != NULL;
}

/* The node's word on the one that waits. */
static void confirm(struct bench *bench, enum err_code code)
{
    struct err result;
    struct read_waiter *read = bench->node.read;
    bench->node.read = NULL;
    err_set(&result, code, "%s", code != ERR_NONE ? "no majority" : "");
    read->done(read, &result);
}

static void begin(struct bench *bench, struct client *client, const char *line)
{
    struct client other;
    client_open(bench, client);
    client_ask(client, line, NULL);
    client_open(bench, &other);
    client_ask(&other, "GET /v1/health", NULL); /* so long, and it was read for sure */
    expect_answer(bench, &other, 200, "{");
    client_close(&other);
}

/* --- ?consistent -------------------------------------------------------------------
 */

static void a_consistent_read_shows_the_state_as_it_is_when_it_is_confirmed(
    void **state)
{
    struct bench *bench = *state;
    struct client client;
    begin(bench, &client, "GET /v1/tasks/a?consistent");
    bench_wait(bench, is_asked);
    write_task(bench, A);
    assert_true(is_silent(bench, &client));
    confirm(bench, ERR_NONE);
    expect_answer(bench, &client, 200, "\"name\":\"a\"");
    client_close(&client);
}

static void a_leader_lost_for_a_moment_is_asked_for_again(void **state)
{
    struct bench *bench = *state;
    struct client client;
    begin(bench, &client, "GET /v1/tasks?consistent");
    for (size_t i = 0; i < 3; i++) {
        bench_wait(bench, is_asked);
        confirm(bench, i % 2 == 0 ? ERR_NOT_LEADER : ERR_UNAVAILABLE);
        assert_true(is_silent(bench, &client));
        assert_false(is_asked(bench)); /* not at once */
        bench_advance(bench, 20);
    }
    bench_wait(bench, is_asked);
    confirm(bench, ERR_NONE);
    expect_answer(bench, &client, 200, "\"tasks\":[]");
    client_close(&client);
}

static void without_a_majority_it_is_503_at_the_deadline(void **state)
{
    struct bench *bench = *state;
    struct client client;
    begin(bench, &client, "GET /v1/tasks?consistent");
    bench_wait(bench, is_asked);
    confirm(bench, ERR_UNAVAILABLE);
    bench_advance(bench, 20);
    bench_wait(bench, is_asked);
    bench_advance(bench, LIMIT_READ_DEADLINE_MS - 21);
    assert_true(is_silent(bench, &client));
    bench_advance(bench, 1);
    expect_answer(bench, &client, 503,
                  "a consistent read is not possible now: no majority");
    client_ask(&client, "GET /v1/health", NULL); /* its request is gone for sure */
    expect_answer(bench, &client, 200, "{");
    confirm(bench, ERR_NONE); /* too late: it goes nowhere */
    client_close(&client);
}

static void a_node_that_refuses_to_ask_is_503_at_the_deadline(void **state)
{
    struct bench *bench = *state;
    struct client client;
    bench->node.refusal = ERR_UNAVAILABLE;
    begin(bench, &client, "GET /v1/tasks?consistent");
    while (is_silent(bench, &client)) {
        bench_advance(bench, 20);
    }
    expect_answer(bench, &client, 503, "refused");
    client_close(&client);
    bench->node.refusal = 0;
}

static void a_client_that_went_harms_nothing(void **state)
{
    struct bench *bench = *state;
    struct client client;
    begin(bench, &client, "GET /v1/tasks?consistent");
    bench_wait(bench, is_asked);
    client_reset(&client);
    bench_advance(bench, LIMIT_READ_DEADLINE_MS); /* its 503 finds nobody */
    bench_turn(bench);
    confirm(bench, ERR_NONE);
    begin(bench, &client, "GET /v1/tasks?consistent");
    bench_wait(bench, is_asked);
    confirm(bench, ERR_NOT_LEADER);
    client_reset(&client); /* while it pauses */
    bench_advance(bench, LIMIT_READ_DEADLINE_MS);
    bench_turn(bench);
}

static bool is_stopped(struct bench *bench)
{
    return bench->stopped;
}

static void what_is_not_confirmed_when_the_api_stops_is_503(void **state)
{
    struct bench *bench = *state;
    struct client client;
    begin(bench, &client, "GET /v1/tasks?consistent");
    bench_wait(bench, is_asked);
    bench_stop(bench, 100);
    assert_true(is_silent(bench, &client));
    bench_advance(bench, 100);
    expect_answer(bench, &client, 503, "this node stops");
    bench_wait(bench, is_stopped);
    confirm(bench, ERR_UNAVAILABLE); /* the node stops after the api */
    client_close(&client);
}

/* --- the age of the last contact ---------------------------------------------------
 */

static void an_answer_that_would_be_too_old_is_503(void **state)
{
    struct bench *bench = *state;
    static const struct {
        uint64_t contact_ms;
        const char *line;
        int status;
        const char *said;
    } rows[] = {
        {1000, "GET /v1/tasks?max_stale=1s", 200, "tasks"},
        {1001, "GET /v1/tasks?max_stale=1s", 503, "1001 ms ago"},
        {1001, "GET /v1/tasks?max_stale=1000001us", 200, "tasks"},
        {0, "GET /v1/tasks?max_stale=0s", 200, "tasks"},
        {UINT64_MAX, "GET /v1/tasks?max_stale=1h", 503, "no leader yet"},
        {UINT64_MAX, "GET /v1/tasks?max_stale=1h&index=99", 503, "no leader yet"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client client;
        bench->node.status.last_contact_ms = rows[i].contact_ms;
        begin(bench, &client, rows[i].line);
        expect_answer(bench, &client, rows[i].status, rows[i].said);
        client_close(&client);
    }
}

/* It is a promise about the answer, not about the request. */
static void the_end_of_a_long_poll_may_be_too_old(void **state)
{
    struct bench *bench = *state;
    struct client client;
    bench->node.status.last_contact_ms = 10;
    begin(bench, &client, "GET /v1/tasks?index=9&wait=1s&max_stale=500ms");
    assert_true(is_silent(bench, &client));
    bench->node.status.last_contact_ms = 1010;
    bench_advance(bench, 1063);
    expect_answer(bench, &client, 503, "1010 ms ago");
    client_close(&client);
}

static void what_is_confirmed_is_not_too_old(void **state)
{
    struct bench *bench = *state;
    struct client client;
    bench->node.status.last_contact_ms = 80;
    begin(bench, &client, "GET /v1/tasks?consistent&max_stale=10ms");
    bench_wait(bench, is_asked);
    confirm(bench, ERR_NONE);
    expect_answer(bench, &client, 200, "tasks");
    client_close(&client);
}

/* --- long polls --------------------------------------------------------------------
 */

static void a_long_poll_ends_within_a_sixteenth_after_its_time(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < 8; i++) {
        struct client client;
        begin(bench, &client, "GET /v1/tasks?index=0&wait=16s");
        assert_true(is_silent(bench, &client));
        bench_advance(bench, 15999);
        assert_true(is_silent(bench, &client));
        bench_advance(bench, 1001);
        expect_answer(bench, &client, 200, "\"tasks\":[]");
        client_close(&client);
    }
}

static void a_long_poll_waits_five_minutes_if_it_does_not_say(void **state)
{
    struct bench *bench = *state;
    struct client client;
    begin(bench, &client, "GET /v1/tasks?index=0");
    assert_true(is_silent(bench, &client));
    bench_advance(bench, LIMIT_WAIT_DEFAULT_MS - 1);
    assert_true(is_silent(bench, &client));
    bench_advance(bench, LIMIT_WAIT_DEFAULT_MS / 16 + 2);
    expect_answer(bench, &client, 200, "\"tasks\":[]");
    client_close(&client);
}

/* The client saw index 2 at another node; this one is behind and applies up to there:
 * that is nothing new to it. */
static void what_was_seen_elsewhere_is_no_change_here(void **state)
{
    struct bench *bench = *state;
    struct client task;
    struct client all;
    begin(bench, &task, "GET /v1/tasks/a?index=2");
    begin(bench, &all, "GET /v1/tasks?index=2");
    assert_true(is_silent(bench, &task));
    write_task(bench, A);
    write_task(bench, B);
    bench_advance(bench, 1);
    assert_true(is_silent(bench, &task));
    assert_true(is_silent(bench, &all));
    struct answer answer;
    bench_exchange(bench, "PATCH /v1/tasks/a", "{\"enabled\":false}", 0, &answer);
    buf_close(&answer.body);
    bench_advance(bench, 1);
    expect_answer(bench, &task, 200, "\"enabled\":false");
    expect_answer(bench, &all, 200, "\"name\":\"b\"");
    client_close(&task);
    client_close(&all);
}

static void only_so_many_may_wait(void **state)
{
    struct bench *bench = *state;
    static struct client clients[LIMIT_LONG_POLLS];
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    for (size_t i = 0; i < LIMIT_LONG_POLLS; i++) {
        begin(bench, &clients[i],
              i % 2 == 0 ? "GET /v1/tasks?index=0" : "GET /v1/status/tasks/a?index=0");
    }
    struct client more;
    begin(bench, &more, "GET /v1/tasks?index=0");
    expect_answer(bench, &more, 503, "1024 requests wait for a change already");
    client_ask(&more, "GET /v1/tasks", NULL); /* what does not wait is answered */
    expect_answer(bench, &more, 200, "\"tasks\":[]");
    client_close(&more);
    write_task(bench, A);
    for (size_t i = 0; i < LIMIT_LONG_POLLS; i++) {
        struct answer answer;
        bench_advance(bench, 1);
        client_answer(bench, &clients[i], &answer);
        assert_int_equal(answer.status, 200);
        buf_close(&answer.body);
        client_close(&clients[i]);
    }
}

/* No event tells it, and it is shown all the same. */
static void who_waits_for_the_members_is_told_of_another_leader(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct client other;
    client_open(bench, &client);
    client_open(bench, &other);
    client_ask(&client, "GET /v1/cluster?index=0&wait=5m", NULL);
    client_ask(&other, "GET /v1/tasks?index=0&wait=5m", NULL);
    assert_true(is_silent(bench, &client) && is_silent(bench, &client));
    bench->node.status.term++;
    bench_led(bench, bench->node.status.leader_id); /* the same: a new term of it */
    bench_advance(bench, 1);
    assert_true(is_silent(bench, &client));
    bench_led(bench, 77);
    bench_advance(bench, 1);
    expect_answer(bench, &client, 200, "\"leader\":{");
    client_ask(&client, "GET /v1/status/cluster?index=0&wait=5m", NULL);
    assert_true(is_silent(bench, &client) && is_silent(bench, &other));
    bench_led(bench, 0);
    bench_advance(bench, 1);
    expect_answer(bench, &client, 200, "\"members\"");
    assert_true(is_silent(bench, &other));
    client_close(&client);
    client_close(&other);
}

static void what_is_wrong_is_said_before_anything_is_waited_for(void **state)
{
    struct bench *bench = *state;
    struct client client;
    static const char *const lines[] = {
        "GET /v1/events?index=0&wait=5m&limit=0",
        "GET /v1/events?index=0&wait=5m&type=x",
        "GET /v1/events?min_index=9&wait=5m&after=x",
        "GET /v1/events?consistent&task=",
        "GET /v1/status/tasks?index=0&wait=5m&status=x",
        "GET /v1/status/tasks/a?index=0&wait=5m&include=x",
        "GET /v1/tasks?index=0&wait=5m&per_page=0",
    };
    client_open(bench, &client);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        client_ask(&client, lines[i], NULL);
        expect_answer(bench, &client, 400, "error");
    }
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
        TEST(a_consistent_read_shows_the_state_as_it_is_when_it_is_confirmed),
        TEST(a_leader_lost_for_a_moment_is_asked_for_again),
        TEST(without_a_majority_it_is_503_at_the_deadline),
        TEST(a_node_that_refuses_to_ask_is_503_at_the_deadline),
        TEST(a_client_that_went_harms_nothing),
        TEST(what_is_not_confirmed_when_the_api_stops_is_503),
        TEST(an_answer_that_would_be_too_old_is_503),
        TEST(the_end_of_a_long_poll_may_be_too_old),
        TEST(what_is_confirmed_is_not_too_old),
        TEST(a_long_poll_ends_within_a_sixteenth_after_its_time),
        TEST(a_long_poll_waits_five_minutes_if_it_does_not_say),
        TEST(what_was_seen_elsewhere_is_no_change_here),
        TEST(only_so_many_may_wait),
        TEST(who_waits_for_the_members_is_told_of_another_leader),
        TEST(what_is_wrong_is_said_before_anything_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
