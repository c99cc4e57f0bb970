/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/events/stream on virtual time. Clients speak HTTP/1.0: no chunks in between. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/command.h"
#include "registry/registry.h"
#include "unit/api/api_bench.h"

#define LINES "Accept: application/x-ndjson\r\n"

/* --- what happens ---------------------------------------------------------------- */

static void apply(struct bench *bench, const struct command *commands, uint32_t count)
{
    struct batch_header header = {.wall_ms = 1000, .clock_ms = 1};
    struct buf batch;
    size_t applied = 0;
    buf_init(&batch);
    batch_begin(&batch, &header);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(command_encode(&batch, &commands[i], 1, NULL), 0);
    }
    batch_set_count(&batch, count);
    assert_int_equal(
        fsm_apply(bench->node.fsm, batch.data, batch.len, NULL, 0, &applied, NULL), 0);
    buf_close(&batch);
}

static void set(struct bench *bench, const char *name, uint64_t value)
{
    struct command command = {
        .type = COMMAND_SETTING_SET,
        .request_id = text_of("r"),
        .actor = text_of(""),
        .setting_set = {text_of(name), value},
    };
    apply(bench, &command, 1);
}

/* So many events, in batches. */
static void happen(struct bench *bench, uint32_t count)
{
    static struct command commands[1000];
    static uint64_t value;
    while (count > 0) {
        uint32_t some = count < 1000 ? count : 1000;
        for (uint32_t i = 0; i < some; i++) {
            commands[i] = (struct command){
                .type = COMMAND_SETTING_SET,
                .request_id = text_of("0123456789"),
                .actor = text_of(""),
                .setting_set = {text_of("ready_lag"), 2000 + value++ % 2},
            };
        }
        apply(bench, commands, some);
        count -= some;
    }
}

static uint64_t last_of(struct bench *bench)
{
    return registry_sequence(fsm_registry(bench->node.fsm));
}

/* --- clients --------------------------------------------------------------------- */

static void ask(struct bench *bench, struct client *client, const char *query,
                const char *headers)
{
    client_open(bench, client);
    char *text =
        mem_printf("GET /v1/events/stream%s HTTP/1.0\r\n%s\r\n", query, headers);
    client_send(client, text);
    mem_free(text);
}

static size_t find(const struct client *client, const char *text)
{
    const char *data = (const char *)client->in.data;
    const char *at =
        client->in.len > 0 ? memmem(data, client->in.len, text, strlen(text)) : NULL;
    return at != NULL ? (size_t)(at - data) + 1 : 0;
}

/* Read until `text` has come: what came, up to and with it, is the caller's; `end` of
 * the connection if `text` is NULL. */
static char *read_to(struct bench *bench, struct client *client, const char *text)
{
    size_t at = 0;
    bool ended = false;
    for (int idle = 0; idle < 20000 && !ended && (at == 0 || text == NULL);) {
        static char piece[65536];
        at = text != NULL ? find(client, text) : 0;
        if (at != 0) {
            break;
        }
        ssize_t len = recv(client->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (len > 0) {
            buf_put(&client->in, piece, (size_t)len);
        } else if (len == 0 || errno != EAGAIN) {
            ended = true;
        } else {
            bench_turn(bench);
            uv_sleep(idle++ > 100);
        }
    }
    if (at == 0 && (text != NULL || !ended)) {
        fail_msg("%s did not come: %.*s", text != NULL ? text : "the end",
                 (int)client->in.len, (const char *)client->in.data);
    }
    size_t len = text != NULL ? at - 1 + strlen(text) : client->in.len;
    char *said = mem_strndup(len > 0 ? (const char *)client->in.data : "", len);
    client->in.len -= len;
    memmove(client->in.data, client->in.data + len, client->in.len);
    return said;
}

static void expect_next(struct bench *bench, struct client *client, const char *text)
{
    char *said = read_to(bench, client, text);
    mem_free(said);
}

/* Nothing more comes by itself. */
static void expect_silence(struct bench *bench, struct client *client)
{
    char byte;
    for (int i = 0; i < 50; i++) {
        bench_turn(bench);
        uv_sleep(i % 10 == 0);
    }
    assert_int_equal(client->in.len, 0);
    assert_int_equal(recv(client->fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* Every number from `from` to `to` once and in order, one a line. */
static void expect_numbers(const char *lines, uint64_t from, uint64_t to)
{
    uint64_t next = from;
    for (const char *at = lines; (at = strstr(at, "{\"index\":")) != NULL; at++) {
        assert_int_equal(strtoull(at + strlen("{\"index\":"), NULL, 10), next);
        next++;
    }
    assert_int_equal(next, to + 1);
}

/* --- what comes ------------------------------------------------------------------ */

static void what_was_and_what_comes_is_one_row(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 1000);
    ask(bench, &client, "?after=0", LINES);
    for (int i = 0; i < 100; i++) { /* while it catches up */
        bench_turn(bench);
        happen(bench, 7);
    }
    char *said = read_to(bench, &client, "{\"index\":1700,");
    happen(bench, 1);
    char *rest = read_to(bench, &client, "{\"index\":1701,");
    char *all = mem_printf("%s%s", said, rest);
    assert_non_null(strstr(said, "Content-Type: application/x-ndjson\r\n"));
    expect_numbers(all, 1, 1701);
    mem_free(said);
    mem_free(rest);
    mem_free(all);
    client_close(&client);
}

static void an_event_has_an_id_a_type_and_the_object_of_the_list(void **state)
{
    struct bench *bench = *state;
    struct client client;
    ask(bench, &client, "", "");
    expect_next(bench, &client, "\r\n\r\n: \n\n"); /* from now on: the head alone */
    set(bench, "task_events", 7);
    char *said = read_to(bench, &client, "\n\n");
    assert_string_equal(
        said, "id: 1\nevent: setting.changed\ndata: "
              "{\"index\":1,\"time\":\"1970-01-01T00:00:01.000Z\","
              "\"type\":\"setting.changed\",\"actor\":\"\",\"request_id\":\"r\","
              "\"data\":{\"name\":\"task_events\",\"value\":7}}\n\n");
    expect_silence(bench, &client);
    mem_free(said);
    client_close(&client);
}

static void a_browser_that_comes_back_says_where_it_was(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 10);
    ask(bench, &client, "?after=2", "Last-Event-ID: 8\r\n");
    char *said = read_to(bench, &client, "\"index\":10,");
    expect_numbers(said, 9, 10);
    mem_free(said);
    client_close(&client);
}

static void a_filter_lets_only_its_own_through(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 3000);
    ask(bench, &client, "?after=0&type=task.created", LINES);
    expect_next(bench, &client, "\r\n\r\n{}\n");
    happen(bench, 10);
    expect_silence(bench, &client);
    bench_advance(bench, LIMIT_STREAM_BEAT_MS);
    expect_next(bench, &client, "{}\n");
    bench_stop(bench, 1000); /* where it goes on: behind all that it looked at */
    char *said = read_to(bench, &client, NULL);
    assert_string_equal(said, "{\"type\":\"bye\",\"after\":3010}\n");
    mem_free(said);
    client_close(&client);
}

static void one_that_is_ahead_of_this_node_waits(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 5);
    ask(bench, &client, "?after=8", LINES);
    expect_next(bench, &client, "{}\n");
    happen(bench, 5);
    char *said = read_to(bench, &client, "{\"index\":10,");
    expect_numbers(said, 9, 10);
    mem_free(said);
    client_close(&client);
}

static void silence_is_broken_by_heartbeats(void **state)
{
    struct bench *bench = *state;
    struct client client;
    ask(bench, &client, "", "");
    expect_next(bench, &client, ": \n\n");
    for (int i = 0; i < 40; i++) { /* ten minutes */
        expect_silence(bench, &client);
        bench_advance(bench, LIMIT_STREAM_BEAT_MS - 1);
        expect_silence(bench, &client);
        bench_advance(bench, 1);
        expect_next(bench, &client, ": \n\n");
    }
    happen(bench, 1);
    expect_next(bench, &client, "}}\n\n");
    bench_advance(bench, LIMIT_STREAM_BEAT_MS - 1);
    expect_silence(bench, &client); /* an event is a sign of life too */
    client_close(&client);
}

/* --- markers --------------------------------------------------------------------- */

static void what_is_not_kept_any_more_is_a_gap(void **state)
{
    struct bench *bench = *state;
    struct client client;
    set(bench, "events_max_count", 100);
    happen(bench, 299);
    ask(bench, &client, "?after=7", LINES);
    expect_next(bench, &client, "\r\n\r\n");
    char *said = read_to(bench, &client, "{\"index\":300,");
    assert_memory_equal(said, "{\"type\":\"gap\",\"after\":7,\"first\":201}\n", 37);
    expect_numbers(said, 201, 300);
    mem_free(said);
    client_close(&client);
    ask(bench, &client, "?after=200", LINES); /* the last one that needs none */
    said = read_to(bench, &client, "{\"index\":300,");
    assert_null(strstr(said, "gap"));
    expect_numbers(said, 201, 300);
    mem_free(said);
    client_close(&client);
}

/* A state whose events are `first` to `last`. */
static struct registry *state_of(uint64_t first, uint64_t last)
{
    struct registry *registry = registry_new();
    registry_restore_events(registry, first);
    for (uint64_t i = first; i <= last; i++) {
        struct event event = {
            .type = EVENT_CLUSTER_RECOVERED,
            .seq = i,
            .task = "",
            .actor = "",
            .request_id = "",
            .data = "{}",
        };
        registry_restore_event(registry, &event);
    }
    return registry;
}

static void numbers_that_leap_are_a_gap(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 5);
    ask(bench, &client, "?after=5", LINES);
    expect_next(bench, &client, "{}\n");
    fsm_restore(bench->node.fsm, state_of(4294967302, 4294967302));
    char *said = read_to(bench, &client, "{\"index\":4294967302,");
    assert_memory_equal(said, "{\"type\":\"gap\",\"after\":5,\"first\":4294967302}\n",
                        44);
    happen(bench, 1);
    expect_next(bench, &client, "{\"index\":4294967303,");
    mem_free(said);
    client_close(&client);
}

/* A node that was away gets a snapshot, whose log goes on where the stream was: many
 * events at once, through no fault of the client. */
static void an_installed_state_goes_on_without_a_hole_or_a_cut(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 5);
    ask(bench, &client, "?after=5", LINES);
    expect_next(bench, &client, "{}\n");
    uint64_t last = LIMIT_STREAM_EVENTS * 2;
    char *end = mem_printf("{\"index\":%" PRIu64 ",", last);
    fsm_restore(bench->node.fsm, state_of(3, last));
    char *said = read_to(bench, &client, end);
    expect_numbers(said, 6, last);
    mem_free(said);
    mem_free(end);
    client_close(&client);
}

static void who_does_not_read_is_cut_and_told_where(void **state)
{
    struct bench *bench = *state;
    struct client client;
    ask(bench, &client, "", LINES);
    expect_next(bench, &client, "{}\n");
    for (int i = 0; i < 60; i++) {
        happen(bench, 1000);
        bench_turn(bench);
    }
    char *said = read_to(bench, &client, NULL);
    const char *cut = strstr(said, "{\"type\":\"cut\",\"after\":");
    assert_non_null(cut);
    uint64_t after = strtoull(cut + 22, NULL, 10);
    assert_in_range(after, 1, last_of(bench) - LIMIT_STREAM_EVENTS);
    assert_string_equal(strchr(cut, '}'), "}\n");
    expect_numbers(said, 1, after);
    client_close(&client);
    mem_free(said);
}

static void who_falls_out_of_the_log_is_cut(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 50000);
    ask(bench, &client, "?after=0", LINES); /* never live */
    expect_next(bench, &client, "{\"index\":1,");
    set(bench, "events_max_count", 100);
    happen(bench, 100);
    char *said = read_to(bench, &client, NULL);
    assert_non_null(strstr(said, "{\"type\":\"cut\",\"after\":"));
    assert_null(strstr(said, "gap"));
    client_close(&client);
    mem_free(said);
}

static void who_takes_nothing_at_all_is_cut_off(void **state)
{
    struct bench *bench = *state;
    struct client client;
    ask(bench, &client, "", LINES);
    expect_next(bench, &client, "{}\n");
    for (int i = 0; i < 60; i++) {
        happen(bench, 1000);
        bench_turn(bench);
    }
    bench_advance(bench, LIMIT_ANSWER_MS);
    char *said = read_to(bench, &client, NULL);
    assert_null(strstr(said, "cut"));
    client_close(&client);
    mem_free(said);
}

static void a_stop_says_goodbye(void **state)
{
    struct bench *bench = *state;
    struct client lines;
    struct client events;
    happen(bench, 3);
    ask(bench, &lines, "?after=1", LINES);
    ask(bench, &events, "", "");
    expect_next(bench, &lines, "{\"index\":3,");
    expect_next(bench, &lines, "\n");
    expect_next(bench, &events, ": \n\n");
    bench_stop(bench, 1000);
    char *said = read_to(bench, &lines, NULL);
    assert_string_equal(said, "{\"type\":\"bye\",\"after\":3}\n");
    mem_free(said);
    said = read_to(bench, &events, NULL);
    assert_string_equal(said,
                        "id: 3\nevent: bye\ndata: {\"type\":\"bye\",\"after\":3}\n\n");
    mem_free(said);
    client_close(&lines);
    client_close(&events);
}

static void a_stop_does_not_wait_for_who_does_not_read(void **state)
{
    struct bench *bench = *state;
    struct client client;
    ask(bench, &client, "", LINES);
    expect_next(bench, &client, "{}\n");
    for (int i = 0; i < 60; i++) {
        happen(bench, 1000);
        bench_turn(bench);
    }
    bench_stop(bench, 1000);
    while (!bench->stopped) {
        bench_advance(bench, 100);
        bench_turn(bench);
    }
    client_close(&client);
}

/* --- limits ---------------------------------------------------------------------- */

static int status_of(struct bench *bench, const char *line, const char *said)
{
    struct answer answer;
    bench_exchange(bench, line, NULL, 0, &answer);
    if (said != NULL && strstr((const char *)answer.body.data, said) == NULL) {
        fail_msg("%s: %s", line, (const char *)answer.body.data);
    }
    buf_close(&answer.body);
    return answer.status;
}

static void there_are_only_so_many(void **state)
{
    struct bench *bench = *state;
    static struct client clients[LIMIT_STREAMS];
    for (size_t i = 0; i < LIMIT_STREAMS; i++) {
        ask(bench, &clients[i], "", LINES);
        expect_next(bench, &clients[i], "{}\n");
    }
    assert_int_equal(status_of(bench, "GET /v1/events/stream", "the most it serves"),
                     503);
    assert_int_equal(status_of(bench, "GET /v1/events", NULL), 200);
    client_close(&clients[7]); /* it is found, though nothing was written to it */
    ask(bench, &clients[7], "", LINES);
    expect_next(bench, &clients[7], "{}\n");
    assert_int_equal(status_of(bench, "GET /v1/events/stream", NULL), 503);
    happen(bench, 1);
    for (size_t i = 0; i < LIMIT_STREAMS; i++) {
        expect_next(bench, &clients[i], "{\"index\":1,");
        client_close(&clients[i]);
    }
}

static void wrong_questions_are_told_what_is_right(void **state)
{
    struct bench *bench = *state;
    struct client client;
    assert_int_equal(status_of(bench, "GET /v1/events/stream?after=x",
                               "'after' must be a number from 0 to"),
                     400);
    assert_int_equal(status_of(bench, "GET /v1/events/stream?type=task.made",
                               "there is no event type 'task.made'"),
                     400);
    assert_int_equal(status_of(bench, "GET /v1/events/stream?task=", "name of a task"),
                     400);
    assert_int_equal(
        status_of(bench, "GET /v1/events/stream?task=a&task=b", "given 2 times"), 400);
    ask(bench, &client, "?after=1", "Last-Event-ID: latest\r\n");
    expect_next(bench, &client, "header 'Last-Event-ID' must be a number");
    client_close(&client);
    assert_int_equal(status_of(bench, "POST /v1/events/stream", NULL), 405);
}

static void head_has_no_body_and_holds_nothing(void **state)
{
    struct bench *bench = *state;
    struct client client;
    happen(bench, 3);
    for (int i = 0; i < LIMIT_STREAMS + 1; i++) {
        client_open(bench, &client);
        client_send(&client, "HEAD /v1/events/stream?after=0 HTTP/1.0\r\n\r\n");
        char *said = read_to(bench, &client, NULL);
        assert_non_null(strstr(said, "200 OK"));
        assert_non_null(strstr(said, "Content-Type: text/event-stream\r\n"));
        assert_non_null(strstr(said, "Access-Control-Allow-Origin: *\r\n"));
        assert_memory_equal(said + strlen(said) - 4, "\r\n\r\n", 4);
        mem_free(said);
        client_close(&client);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_and_what_comes_is_one_row),
        TEST(an_event_has_an_id_a_type_and_the_object_of_the_list),
        TEST(a_browser_that_comes_back_says_where_it_was),
        TEST(a_filter_lets_only_its_own_through),
        TEST(one_that_is_ahead_of_this_node_waits),
        TEST(silence_is_broken_by_heartbeats),
        TEST(what_is_not_kept_any_more_is_a_gap),
        TEST(numbers_that_leap_are_a_gap),
        TEST(an_installed_state_goes_on_without_a_hole_or_a_cut),
        TEST(who_does_not_read_is_cut_and_told_where),
        TEST(who_falls_out_of_the_log_is_cut),
        TEST(who_takes_nothing_at_all_is_cut_off),
        TEST(a_stop_says_goodbye),
        TEST(a_stop_does_not_wait_for_who_does_not_read),
        TEST(there_are_only_so_many),
        TEST(wrong_questions_are_told_what_is_right),
        TEST(head_has_no_body_and_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
