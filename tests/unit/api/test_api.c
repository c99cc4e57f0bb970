/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "unit/api/api_bench.h"

#define A "{\"task\":{\"name\":\"a\",\"module\":\"./m\",\"condition\":{}}}"

static void assert_said(const struct answer *answer, const char *text)
{
    if (strstr((const char *)answer->body.data, text) == NULL) {
        fail_msg("'%s' is not in %s", text, (const char *)answer->body.data);
    }
}

static bool has_header(const struct answer *answer, const char *line)
{
    return strstr(answer->head, line) != NULL;
}

static void expect(struct bench *bench, const char *line, const char *body, int status)
{
    struct answer answer;
    bench_exchange(bench, line, body, 0, &answer);
    if (answer.status != status) {
        fail_msg("%s: %d instead of %d: %s", line, answer.status, status,
                 (const char *)answer.body.data);
    }
    buf_close(&answer.body);
}

/* --- codes become HTTP
 * ----------------------------------------------------------------------- */

struct mapped {
    int code;
    int status;
    const char *header; /* NULL: none is asked for */
    const char *said;
};

static void what_door_1_refuses_has_its_status(void **state)
{
    static const struct mapped rows[] = {
        {ERR_NOT_LEADER, 400, "X-Muster-Not-Leader: true",
         "redirect requests to leader"},
        {ERR_BUSY, 503, "Retry-After: 1", "\"code\":\"busy\""},
        {ERR_UNAVAILABLE, 503, "Retry-After: 1", "\"code\":\"unavailable\""},
        {ERR_FULL, 507, NULL, "\"code\":\"disk_full\""},
        {ERR_TOO_LARGE, 413, NULL, "\"code\":\"too_large\""},
        {ERR_INTERNAL, 500, NULL, "\"code\":\"internal\""},
    };
    struct bench *bench = *state;
    log_set_level(LOG_LEVEL_ERROR + 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer answer;
        bench->node.refusal = rows[i].code;
        bench_exchange(bench, "POST /v1/tasks", A, 0, &answer);
        assert_int_equal(answer.status, rows[i].status);
        assert_said(&answer, rows[i].said);
        assert_said(&answer, "\"request_id\":\"");
        assert_true(rows[i].header == NULL || has_header(&answer, rows[i].header));
        assert_int_equal(has_header(&answer, "Retry-After"), rows[i].status == 503);
        buf_close(&answer.body);
    }
}

static void what_became_of_a_proposal_has_its_status(void **state)
{
    static const struct mapped rows[] = {
        {ERR_NOT_LEADER, 400, "X-Muster-Not-Leader: true",
         "redirect requests to leader"},
        {ERR_OUTCOME_UNKNOWN, 504, NULL, "\"code\":\"outcome_unknown\""},
        {0, 201, "ETag: \"1\"", "\"task\":{"},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer answer;
        bench_exchange(bench, "POST /v1/tasks", A, rows[i].code, &answer);
        assert_int_equal(answer.status, rows[i].status);
        assert_said(&answer, rows[i].said);
        assert_true(rows[i].header == NULL || has_header(&answer, rows[i].header));
        buf_close(&answer.body);
    }
}

static void what_apply_refuses_is_told_in_the_words_of_cts(void **state)
{
    struct bench *bench = *state;
    struct answer answer;
    expect(bench, "POST /v1/tasks", A, 201);
    bench_exchange(bench, "POST /v1/tasks", A, 0, &answer);
    assert_int_equal(answer.status, 400);
    assert_said(&answer, "{\"message\":\"task with name a already exists\"}");
    assert_true(has_header(&answer, "X-Muster-Index: 1\r\n"));
    buf_close(&answer.body);
    expect(bench, "DELETE /v1/tasks/a", NULL, 202);
    bench_exchange(bench, "DELETE /v1/tasks/a", NULL, 0, &answer);
    assert_int_equal(answer.status, 404);
    assert_said(&answer,
                "{\"message\":\"a task with name 'a' does not exist or has not "
                "been initialized yet\"}");
    buf_close(&answer.body);
    expect(bench, "PATCH /v1/tasks/a", "{\"enabled\":true}", 404);
}

/* --- followers
 * ------------------------------------------------------------------------------- */

static void a_follower_names_what_it_knows_of_the_leader(void **state)
{
    struct bench *bench = *state;
    struct answer answer;
    bench->node.status.role = NODE_FOLLOWER;
    bench_exchange(bench, "DELETE /v1/tasks/a", NULL, ERR_NOT_LEADER, &answer);
    assert_int_equal(answer.status, 400);
    assert_said(&answer, "redirect requests to leader 'n1' at 10.0.0.1:8558");
    assert_said(&answer, ",\"leader\":{\"id\":\"n1\",\"address\":\"10.0.0.1:8558\","
                         "\"url\":\"http://10.0.0.1:8558\"}}\n");
    assert_true(has_header(&answer, "X-Muster-Leader: n1\r\n"));
    assert_true(has_header(&answer, "X-Muster-Leader-Address: 10.0.0.1:8558\r\n"));
    buf_close(&answer.body);

    bench->node.status.leader_address = "";
    bench_exchange(bench, "PATCH /v1/tasks/a", "rubbish", 0, &answer);
    assert_said(&answer, "\"redirect requests to leader 'n1'\"");
    assert_said(&answer, ",\"leader\":{\"id\":\"n1\"}}\n");
    assert_false(has_header(&answer, "X-Muster-Leader-Address"));
    buf_close(&answer.body);

    bench->node.status.leader_known = false;
    bench->node.status.leader_name = "";
    bench_exchange(bench, "POST /v1/tasks", A, 0, &answer);
    assert_said(&answer, "\"redirect requests to leader\"");
    assert_null(strstr((const char *)answer.body.data, ",\"leader\""));
    assert_true(has_header(&answer, "X-Muster-Not-Leader: true\r\n"));
    assert_false(has_header(&answer, "X-Muster-Leader:"));
    buf_close(&answer.body);
    assert_int_equal(bench->node.waiting_count, 0);
}

static void a_follower_judges_the_form_of_a_post_first_and_looks_nothing_up(
    void **state)
{
    struct bench *bench = *state;
    struct answer answer;
    expect(bench, "POST /v1/tasks", A, 201);
    bench->node.status.role = NODE_FOLLOWER;
    bench->node.refusal = ERR_NOT_LEADER;
    bench_exchange(bench, "POST /v1/tasks", "{\"task\":{}}", 0, &answer);
    assert_int_equal(answer.status, 400);
    assert_false(has_header(&answer, "X-Muster-Not-Leader"));
    buf_close(&answer.body);
    static const char *const lines[] = {"POST /v1/tasks", "POST /v1/tasks?run=now",
                                        "PATCH /v1/tasks/none?run=x",
                                        "DELETE /v1/tasks/none"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        bench_exchange(bench, lines[i], A, 0, &answer);
        assert_int_equal(answer.status, 400);
        assert_true(has_header(&answer, "X-Muster-Not-Leader: true\r\n"));
        buf_close(&answer.body);
    }
}

static void readiness_needs_a_leader_and_little_lag(void **state)
{
    struct bench *bench = *state;
    struct node_status *status = &bench->node.status;
    expect(bench, "GET /v1/health/ready", NULL, 200);
    status->lag = 1000;
    expect(bench, "GET /v1/health/ready", NULL, 200);
    status->lag = 1001;
    expect(bench, "GET /v1/health/ready", NULL, 503);
    status->lag = UINT64_MAX;
    expect(bench, "GET /v1/health/ready", NULL, 503);
    status->lag = 0;
    status->role = NODE_FOLLOWER;
    expect(bench, "GET /v1/health/leader", NULL, 503);
    expect(bench, "GET /v1/health/ready", NULL, 200);
    status->leader_known = false;
    expect(bench, "GET /v1/health/ready", NULL, 503);
    status->leader_known = true;
    status->role = NODE_FORMING;
    status->trouble = "waits for 10.0.0.2:8560";
    struct answer answer;
    bench_exchange(bench, "GET /v1/health/ready", NULL, 0, &answer);
    assert_int_equal(answer.status, 503);
    assert_said(&answer, "waits for 10.0.0.2:8560");
    buf_close(&answer.body);
    expect(bench, "GET /v1/health", NULL, 200);
}

static void a_node_whose_state_differs_serves_nothing_and_says_so(void **state)
{
    struct bench *bench = *state;
    struct answer answer;
    static const char *const refused[] = {
        "GET /v1/tasks",         "GET /v1/status",       "GET /v1/events",
        "GET /v1/events/stream", "GET /v1/snapshot",     "GET /v1/tasks?min_index=0",
        "GET /v1/health",        "GET /v1/health/ready", "GET /v1/health/leader",
        "POST /v1/tasks",        "DELETE /v1/tasks/a",   "POST /v1/cluster/transfer",
    };
    bench->node.unfit = "the state differs";
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        bench_exchange(bench, refused[i], refused[i][0] == 'P' ? A : NULL, 0, &answer);
        assert_int_equal(answer.status, 503);
        assert_said(&answer, "the state differs");
        buf_close(&answer.body);
    }
    bench_exchange(bench, "GET /v1/cluster", NULL, 0, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr((const char *)answer.body.data, "\"unfit\":\"the state "));
    buf_close(&answer.body);
    expect(bench, "GET /v1/version", NULL, 200);
}

/* What it applied is not what the others have. */
static void the_outcome_of_a_state_that_differs_is_not_told(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct answer answer;
    client_open(bench, &client);
    client_ask(&client, "POST /v1/tasks", A);
    bench_wait(bench, bench_proposed);
    bench->node.unfit = "the state differs";
    bench_decide(bench, 0);
    client_answer(bench, &client, &answer);
    assert_int_equal(answer.status, 504);
    buf_close(&answer.body);
    client_close(&client);
}

static void a_read_says_how_fresh_it_is_if_that_is_known(void **state)
{
    struct bench *bench = *state;
    struct answer answer;
    bench->node.status.last_contact_ms = 1234;
    bench_exchange(bench, "GET /v1/status", NULL, 0, &answer);
    assert_true(has_header(&answer, "X-Muster-Last-Contact: 1234\r\n"));
    assert_true(has_header(&answer, "X-Muster-Known-Leader: true\r\n"));
    buf_close(&answer.body);
    bench->node.status.last_contact_ms = UINT64_MAX;
    bench->node.status.leader_known = false;
    bench_exchange(bench, "GET /v1/status", NULL, 0, &answer);
    assert_false(has_header(&answer, "X-Muster-Last-Contact"));
    assert_true(has_header(&answer, "X-Muster-Known-Leader: false\r\n"));
    buf_close(&answer.body);
}

static void members_are_shown_with_why_they_are_not_reached(void **state)
{
    struct answer answer;
    bench_exchange(*state, "GET /v1/cluster", NULL, 0, &answer);
    assert_int_equal(answer.status, 200);
    assert_said(&answer, "\"reachable\":false,\"reason\":\"refused\"");
    buf_close(&answer.body);
    bench_exchange(*state, "GET /v1/status/cluster", NULL, 0, &answer);
    assert_said(&answer, "\"members\":[{\"address\":\"10.0.0.1:8558\",\"healthy\":true,"
                         "\"id\":\"n1\",\"leader\":true,\"service_name\":\"muster\"},"
                         "{\"healthy\":false,\"id\":\"n2\",\"leader\":false,"
                         "\"service_name\":\"muster\"}]");
    buf_close(&answer.body);
}

static void a_full_disk_takes_deletes_only(void **state)
{
    struct bench *bench = *state;
    expect(bench, "POST /v1/tasks", A, 201);
    bench->node.status.disk_full = true;
    expect(bench, "PATCH /v1/tasks/a", "{\"enabled\":false}", 507);
    expect(bench, "POST /v1/tasks", A, 507);
    expect(bench, "GET /v1/tasks/a", NULL, 200);
    expect(bench, "DELETE /v1/tasks/a", NULL, 202);
}

/* --- outcomes that come late
 * ------------------------------------------------------------------ */

static void an_outcome_after_the_504_goes_nowhere(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct answer answer;
    client_open(bench, &client);
    client_ask(&client, "POST /v1/tasks", A);
    bench_wait(bench, bench_proposed);
    bench_advance(bench, 9999);
    bench_turn(bench);
    char byte;
    assert_true(recv(client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
    bench_advance(bench, 1);
    bench_decide(bench, 0); /* its 504 is on its way, the request still there */
    client_answer(bench, &client, &answer);
    assert_int_equal(answer.status, 504);
    assert_said(&answer, "\"code\":\"outcome_unknown\"");
    buf_close(&answer.body);
    client_ask(&client, "GET /v1/tasks/a", NULL); /* it happened after all */
    client_answer(bench, &client, &answer);
    assert_int_equal(answer.status, 200);
    buf_close(&answer.body);
    client_close(&client);
}

static void an_outcome_long_after_the_504_goes_nowhere(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct answer answer;
    client_open(bench, &client);
    client_ask(&client, "POST /v1/tasks", A);
    bench_wait(bench, bench_proposed);
    bench_advance(bench, 10000);
    client_answer(bench, &client, &answer);
    assert_int_equal(answer.status, 504);
    buf_close(&answer.body);
    client_ask(&client, "GET /v1/health", NULL); /* the request is gone for sure */
    client_answer(bench, &client, &answer);
    buf_close(&answer.body);
    bench_decide(bench, ERR_NOT_LEADER);
    client_close(&client);
}

static void a_client_that_went_harms_no_outcome(void **state)
{
    struct bench *bench = *state;
    for (int code = 0; code >= ERR_NOT_LEADER; code += ERR_NOT_LEADER) {
        struct client client;
        client_open(bench, &client);
        client_ask(&client, "POST /v1/tasks", A);
        bench_wait(bench, bench_proposed);
        client_reset(&client);
        bench_turn(bench);
        bench_decide(bench, code);
        expect(bench, "GET /v1/health", NULL, 200);
    }
    expect(bench, "GET /v1/tasks/a", NULL, 200);
}

static void a_task_gone_in_its_own_batch_is_answered_without_it(void **state)
{
    struct bench *bench = *state;
    struct client clients[2];
    struct answer answer;
    client_open(bench, &clients[0]);
    client_ask(&clients[0], "POST /v1/tasks", A);
    bench_wait(bench, bench_proposed);
    client_open(bench, &clients[1]);
    client_ask(&clients[1], "DELETE /v1/tasks/a", NULL);
    while (bench->node.waiting_count < 2) {
        bench_turn(bench);
    }
    bench_decide_all(bench);
    client_answer(bench, &clients[0], &answer);
    assert_int_equal(answer.status, 201);
    assert_null(strstr((const char *)answer.body.data, "\"task\""));
    assert_true(has_header(&answer, "X-Muster-Index: 1\r\n"));
    buf_close(&answer.body);
    client_answer(bench, &clients[1], &answer);
    assert_int_equal(answer.status, 202);
    assert_true(has_header(&answer, "X-Muster-Index: 2\r\n"));
    buf_close(&answer.body);
    client_close(&clients[0]);
    client_close(&clients[1]);
}

/* --- stopping
 * --------------------------------------------------------------------------------- */

static bool is_stopped(struct bench *bench)
{
    return bench->stopped;
}

static void a_stop_waits_for_outcomes_and_ends_idle_connections(void **state)
{
    struct bench *bench = *state;
    struct client idle;
    struct client writer;
    struct answer answer;
    client_open(bench, &idle);
    client_ask(&idle, "GET /v1/health", NULL);
    client_answer(bench, &idle, &answer);
    buf_close(&answer.body);
    client_open(bench, &writer);
    client_ask(&writer, "POST /v1/tasks", A);
    bench_wait(bench, bench_proposed);
    bench_stop(bench, 5000);
    client_answer(bench, &idle, &answer);
    assert_int_equal(answer.status, 0);
    buf_close(&answer.body);
    assert_false(bench->stopped);
    bench_decide(bench, 0);
    client_answer(bench, &writer, &answer);
    assert_int_equal(answer.status, 201);
    buf_close(&answer.body);
    bench_wait(bench, is_stopped);
    client_close(&idle);
    client_close(&writer);
}

static void a_drain_that_is_over_gives_up_and_its_outcome_finds_no_api(void **state)
{
    struct bench *bench = *state;
    struct client writer;
    struct answer answer;
    client_open(bench, &writer);
    client_ask(&writer, "POST /v1/tasks", A);
    bench_wait(bench, bench_proposed);
    bench_stop(bench, 5000);
    bench_advance(bench, 4999);
    bench_turn(bench);
    assert_false(bench->stopped);
    bench_advance(bench, 1);
    client_answer(bench, &writer, &answer);
    assert_int_equal(answer.status, 504);
    assert_said(&answer, "this node stops");
    buf_close(&answer.body);
    bench_wait(bench, is_stopped);
    bench_decide(bench, 0);
    client_close(&writer);
}

/* A task body of more than the loop parses itself. */
static char *large_body(void)
{
    struct buf body;
    buf_init(&body);
    buf_printf(&body,
               "{\"task\":{\"name\":\"large\",\"module\":\"./m\",\"condition\":{},"
               "\"description\":\"");
    for (int i = 0; i < 100 * 1024; i++) {
        buf_put_u8(&body, 'x');
    }
    buf_printf(&body, "\"}}");
    buf_put_u8(&body, 0);
    return (char *)body.data;
}

static void a_large_body_is_parsed_and_answered(void **state)
{
    struct bench *bench = *state;
    char *body = large_body();
    expect(bench, "POST /v1/tasks", body, 201);
    expect(bench, "POST /v1/tasks", body, 400);
    body[strlen(body) - 1] = ' ';
    expect(bench, "POST /v1/tasks", body, 400);
    expect(bench, "PATCH /v1/tasks/large", body, 400);
    mem_free(body);
    expect(bench, "GET /v1/tasks/large", NULL, 200);
}

static void a_stop_waits_for_bodies_in_the_pool(void **state)
{
    struct bench *bench = *state;
    struct client clients[4];
    char *body = large_body();
    for (size_t i = 0; i < 4; i++) {
        client_open(bench, &clients[i]);
        client_ask(&clients[i], "POST /v1/tasks", body);
    }
    for (int i = 0; i < 3; i++) {
        bench_turn(bench); /* some of them are under way now, or none, or all */
    }
    bench_stop(bench, 0);
    bench_advance(bench, 0);
    for (size_t i = 0; i < 4; i++) {
        client_close(&clients[i]);
    }
    while (!bench->stopped) {
        bench_turn(bench);
        bench_advance(bench, 1);
    }
    mem_free(body);
}

/* --- clients that take nothing
 * ----------------------------------------------------------------- */

static void a_client_that_takes_no_answer_is_cut(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct answer answer;
    char *body = large_body();
    expect(bench, "POST /v1/tasks", body, 201);
    mem_free(body);
    client_open(bench, &client);
    for (int i = 0; i < 400; i++) { /* 40 MB: more than sockets hold */
        client_ask(&client, "GET /v1/tasks/large", NULL);
    }
    for (int i = 0; i < 1000; i++) {
        bench_turn(bench);
    }
    bench_advance(bench, 30000);
    size_t whole = 0;
    do {
        client_answer(bench, &client, &answer);
        whole += answer.status == 200;
        buf_close(&answer.body);
    } while (answer.status == 200);
    assert_in_range(whole, 1, 399);
    client_close(&client);
    expect(bench, "GET /v1/health", NULL, 200);
}

static void a_client_that_takes_its_time_is_not_cut(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct answer answer;
    char *body = large_body();
    expect(bench, "POST /v1/tasks", body, 201);
    mem_free(body);
    client_open(bench, &client);
    for (int i = 0; i < 400; i++) {
        client_ask(&client, "GET /v1/tasks/large", NULL);
    }
    for (int i = 0; i < 400; i++) {
        client_answer(bench, &client, &answer);
        assert_int_equal(answer.status, 200);
        assert_true(answer.body.len > 100 * 1024);
        buf_close(&answer.body);
        bench_turn(bench);
        bench_advance(bench, i % 50 == 0 ? 10000 : 0);
    }
    client_close(&client);
}

/* --- long answers
 * ------------------------------------------------------------------------------ */

#define READERS 20

/* READERS clients that ask for a list of 4 MB, one after the other. */
static void ask_for_lists(struct bench *bench, struct client *clients)
{
    char *body = large_body();
    char *name = strstr(body, "large");
    for (int i = 0; i < 40; i++) {
        name[0] = (char)(i < 26 ? 'a' + i : 'A' + i - 26);
        expect(bench, "POST /v1/tasks", body, 201);
    }
    mem_free(body);
    for (size_t i = 0; i < READERS; i++) {
        client_open(bench, &clients[i]);
        client_send(&clients[i], i % 2 == 0 ? "GET /v1/tasks" : "GET /v1/status/tasks");
        client_send(&clients[i], " HTTP/1.1\r\nHost: localhost\r\n"
                                 "Connection: close\r\n\r\n");
    }
}

static void many_long_answers_come_to_their_end_and_let_others_in(void **state)
{
    struct bench *bench = *state;
    struct client clients[READERS];
    size_t bytes[READERS] = {0};
    bool done[READERS] = {false};
    ask_for_lists(bench, clients);
    size_t ended = 0;
    while (ended < READERS) {
        expect(bench, "GET /v1/health", NULL, 200);
        bench_turn(bench);
        for (size_t i = 0; i < READERS; i++) {
            static char piece[1024 * 1024];
            ssize_t len = recv(clients[i].fd, piece, sizeof piece, MSG_DONTWAIT);
            bytes[i] += len > 0 ? (size_t)len : 0;
            if (len == 0 && !done[i]) {
                done[i] = true;
                ended++;
            }
        }
    }
    for (size_t i = 0; i < READERS; i++) {
        assert_true(bytes[i] > (i % 2 == 0 ? 4000000 : 4000));
        client_close(&clients[i]);
    }
}

static void a_stop_cuts_long_answers_wherever_they_are(void **state)
{
    struct bench *bench = *state;
    struct client clients[READERS];
    ask_for_lists(bench, clients);
    for (int i = 0; i < 3; i++) {
        bench_turn(bench); /* some are sent, some wait for their turn */
    }
    bench_stop(bench, 0);
    while (!bench->stopped) {
        bench_advance(bench, 1);
        bench_turn(bench);
    }
    for (size_t i = 0; i < READERS; i++) {
        client_close(&clients[i]);
    }
}

static void a_reader_that_goes_leaves_the_others_their_turn(void **state)
{
    struct bench *bench = *state;
    struct client clients[READERS];
    ask_for_lists(bench, clients);
    for (int i = 0; i < 3; i++) {
        bench_turn(bench);
    }
    for (size_t i = 0; i < READERS; i++) {
        client_reset(&clients[i]);
    }
    struct answer answer;
    bench_exchange(bench, "GET /v1/events?limit=1000", NULL, 0, &answer);
    assert_int_equal(answer.status, 200);
    buf_close(&answer.body);
}

/* A write that was handed on is refused in the leader's own way. */
static void what_the_leader_s_door_refuses_has_the_status_it_has_there(void **state)
{
    struct bench *bench = *state;
    static const struct {
        int code;
        int status;
    } rows[] = {{ERR_BUSY, 503}, {ERR_FULL, 507}, {ERR_NOT_LEADER, 400}, {0, 404}};
    bench->node.status.role = NODE_FOLLOWER;
    bench->node.hands_on = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer answer;
        bench_exchange(bench, "PATCH /v1/tasks/a", "{\"enabled\":true}", rows[i].code,
                       &answer);
        assert_int_equal(answer.status, rows[i].status);
        buf_close(&answer.body);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_door_1_refuses_has_its_status),
        TEST(what_became_of_a_proposal_has_its_status),
        TEST(what_apply_refuses_is_told_in_the_words_of_cts),
        TEST(a_follower_names_what_it_knows_of_the_leader),
        TEST(what_the_leader_s_door_refuses_has_the_status_it_has_there),
        TEST(a_follower_judges_the_form_of_a_post_first_and_looks_nothing_up),
        TEST(readiness_needs_a_leader_and_little_lag),
        TEST(a_node_whose_state_differs_serves_nothing_and_says_so),
        TEST(the_outcome_of_a_state_that_differs_is_not_told),
        TEST(a_read_says_how_fresh_it_is_if_that_is_known),
        TEST(members_are_shown_with_why_they_are_not_reached),
        TEST(a_full_disk_takes_deletes_only),
        TEST(an_outcome_after_the_504_goes_nowhere),
        TEST(an_outcome_long_after_the_504_goes_nowhere),
        TEST(a_client_that_went_harms_no_outcome),
        TEST(a_task_gone_in_its_own_batch_is_answered_without_it),
        TEST(a_stop_waits_for_outcomes_and_ends_idle_connections),
        TEST(a_drain_that_is_over_gives_up_and_its_outcome_finds_no_api),
        TEST(a_large_body_is_parsed_and_answered),
        TEST(a_stop_waits_for_bodies_in_the_pool),
        TEST(a_client_that_takes_no_answer_is_cut),
        TEST(a_client_that_takes_its_time_is_not_cut),
        TEST(many_long_answers_come_to_their_end_and_let_others_in),
        TEST(a_stop_cuts_long_answers_wherever_they_are),
        TEST(a_reader_that_goes_leaves_the_others_their_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
