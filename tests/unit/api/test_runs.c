/* SPDX-License-Identifier: Apache-2.0 */
/* Runs and statuses as they are shown, before a node that does as it is told; its runs
 * are put into the log by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "unit/api/api_bench.h"

#define WARNED                                                                         \
    ",\"warning\":\"this version does not watch 'services': the task runs when it is " \
    "asked to\""
#define NODE 77u

/* --- the log, by hand ------------------------------------------------------------- */

static void apply(struct bench *bench, struct command command)
{
    struct batch_header header = {
        .wall_ms = 1700000000000, .clock_ms = 1000, .count = 1};
    struct result result;
    struct buf batch;
    size_t count = 0;
    command.request_id = text_of("");
    command.actor = text_of("");
    buf_init(&batch);
    batch_begin(&batch, &header);
    assert_int_equal(command_encode(&batch, &command, COMMAND_LEVEL, NULL), 0);
    assert_int_equal(
        fsm_apply(bench->node.fsm, batch.data, batch.len, &result, 1, &count, NULL), 0);
    assert_int_equal(result.code, 0);
    buf_close(&batch);
}

static void create(struct bench *bench, const char *name)
{
    apply(bench,
          (struct command){
              .type = COMMAND_TASK_CREATE,
              .task_create = {text_of(name),
                              text_of("{\"condition\":{\"services\":{\"names\":["
                                      "\"web\"]}},\"module\":\"../modules/test_task\","
                                      "\"providers\":[\"null\"]}"),
                              1, true},
          });
}

static uint64_t place(struct bench *bench, const char *name)
{
    apply(bench, (struct command){
                     .type = COMMAND_RUN_START,
                     .run_start = {text_of(name), 0, NODE, RUN_CAUSE_CLIENT, RUN_APPLY,
                                   4000, 5000, 3},
                 });
    return registry_sequence(fsm_registry(bench->node.fsm));
}

static void start(struct bench *bench, uint64_t run)
{
    apply(bench, (struct command){
                     .type = COMMAND_RUN_STARTED,
                     .run_started = {run, NODE, 1700000001000},
                 });
}

static void end(struct bench *bench, uint64_t run, enum run_outcome outcome)
{
    bool good = outcome == RUN_SUCCESS;
    apply(bench, (struct command){
                     .type = COMMAND_RUN_END,
                     .run_end = {run, NODE, (uint32_t)outcome, good ? 0 : 3, 0, false,
                                 1700000001000, 1700000002500,
                                 text_of(good ? "" : "it <broke>: exit code 3")},
                 });
}

static uint64_t run_once(struct bench *bench, const char *name,
                         enum run_outcome outcome)
{
    uint64_t run = place(bench, name);
    end(bench, run, outcome);
    return run;
}

static int setup(void **state)
{
    bench_setup(state);
    struct bench *bench = *state;
    apply(bench, (struct command){.type = COMMAND_LEVEL_SET, .level_set = {3}});
    apply(bench, (struct command){
                     .type = COMMAND_MEMBER_SET,
                     .member_set = {NODE, 3, text_of("n1"), text_of(""), text_of(""),
                                    text_of("")},
                 });
    create(bench, "a");
    create(bench, "b");
    return 0;
}

/* --- asking ----------------------------------------------------------------------- */

static char *get(struct bench *bench, const char *path, int status)
{
    struct answer answer;
    char *line = mem_printf("GET %s", path);
    bench_exchange(bench, line, NULL, 0, &answer);
    mem_free(line);
    if (answer.status != status) {
        fail_msg("%s: %d %s", path, answer.status, (const char *)answer.body.data);
    }
    return (char *)answer.body.data; /* taken over */
}

static void says(struct bench *bench, const char *path, int status, const char *said)
{
    char *body = get(bench, path, status);
    if (strstr(body, said) == NULL) {
        fail_msg("%s: %s\n  and not: %s", path, body, said);
    }
    mem_free(body);
}

/* The numbers of the runs that a list shows, "4 6 "; *token: where it goes on, or "".
 */
static void lists(struct bench *bench, const char *path, const char *ids, char *token)
{
    static const char mark[] = "{\"id\":";
    static const char next[] = "\"next_token\":\"";
    char shown[64] = "";
    char *body = get(bench, path, 200);
    for (const char *at = body; (at = strstr(at, mark)) != NULL; at++) {
        const char *id = at + sizeof mark - 1;
        snprintf(shown + strlen(shown), sizeof shown - strlen(shown), "%.*s ",
                 (int)strspn(id, "0123456789"), id);
    }
    const char *more = strstr(body, next);
    if (strcmp(shown, ids) != 0) {
        fail_msg("%s: %s and not %s", path, shown, ids);
    }
    if (token != NULL) {
        snprintf(token, 41, "%s", more != NULL ? more + sizeof next - 1 : "");
    }
    mem_free(body);
}

/* --- runs ------------------------------------------------------------------------- */

static void a_run_is_shown_as_it_goes(void **state)
{
    struct bench *bench = *state;
    says(bench, "/v1/runs", 200, "\"runs\":[]}");
    uint64_t run = place(bench, "a");
    assert_int_equal(run, 4);
    says(bench, "/v1/runs/4", 200,
         "\"run\":{\"id\":4,\"task\":\"a\",\"state\":\"pending\",\"outcome\":null,"
         "\"purpose\":\"apply\",\"cause\":\"client\",\"stop\":null,\"node\":\"n1\","
         "\"node_id\":\"77\",\"placed\":\"2023-11-14T22:13:20.000Z\",\"started\":null,"
         "\"ended\":null,\"exit_code\":null,\"signal\":null,\"changes\":null,"
         "\"message\":\"\",\"lease_ms\":4000,\"grace_ms\":5000,\"tries\":3}}");
    start(bench, run);
    says(bench, "/v1/runs/4", 200, "\"started\":\"2023-11-14T22:13:21.000Z\"");
    apply(bench, (struct command){.type = COMMAND_RUN_STOP,
                                  .run_stop = {run, RUN_STOP_CANCEL}});
    says(bench, "/v1/runs/4", 200, "\"state\":\"stopping\",\"outcome\":null");
    says(bench, "/v1/runs/4", 200, "\"stop\":\"cancel\"");
    end(bench, run, RUN_CANCELLED);
    says(bench, "/runs/4", 200,
         "\"ended\":\"2023-11-14T22:13:22.500Z\",\"exit_code\":3,\"signal\":0,"
         "\"changes\":false,\"message\":\"it \\u003cbroke\\u003e: exit code 3\"");
    apply(bench,
          (struct command){.type = COMMAND_MEMBER_DELETE, .member_delete = {NODE}});
    says(bench, "/v1/runs/4", 200, "\"node\":null,\"node_id\":\"77\"");
}

static void what_is_no_run_is_not_found(void **state)
{
    struct bench *bench = *state;
    place(bench, "a");
    static const char *const paths[] = {
        "/v1/runs/0", "/v1/runs/+4", "/v1/runs/4x", "/v1/runs/18446744073709551620",
        "/v1/runs/x",
    };
    says(bench, "/v1/runs/5", 404, "there is no run 5, or it is not kept any more");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        says(bench, paths[i], 400, "the number of a run must be a number from 1 to");
    }
}

static void runs_are_listed_by_task_state_and_node(void **state)
{
    struct bench *bench = *state;
    run_once(bench, "a", RUN_SUCCESS); /* 4 */
    run_once(bench, "b", RUN_FAILED);  /* 6 */
    place(bench, "a");                 /* 8 */
    uint64_t last = place(bench, "b"); /* 9 */
    lists(bench, "/v1/runs", "4 6 8 9 ", NULL);
    lists(bench, "/v1/runs?task=a", "4 8 ", NULL);
    lists(bench, "/v1/runs?task=nobody", "", NULL);
    lists(bench, "/v1/runs?state=ended", "4 6 ", NULL);
    lists(bench, "/v1/runs?state=live", "8 9 ", NULL);
    start(bench, last);
    lists(bench, "/v1/runs?state=pending", "8 ", NULL);
    lists(bench, "/v1/runs?state=running&task=b", "9 ", NULL);
    lists(bench, "/v1/runs?node=n1&task=b", "6 9 ", NULL);
    lists(bench, "/v1/runs?node=77", "4 6 8 9 ", NULL);
    lists(bench, "/v1/runs?node=n2", "", NULL);
    says(bench, "/v1/runs?state=done", 400, "parameter 'state' must be pending, ");
    says(bench, "/v1/runs?task=a%20b", 400, "parameter 'task' must be the name");
    says(bench, "/v1/runs?task=a&task=b", 400, "task");
}

static void a_list_of_runs_comes_a_page_at_a_time(void **state)
{
    struct bench *bench = *state;
    char token[41];
    char path[128];
    for (int i = 0; i < 3; i++) { /* 4 6, 8 10, 12 14 */
        run_once(bench, "a", RUN_SUCCESS);
        run_once(bench, "b", RUN_SUCCESS);
    }
    lists(bench, "/v1/runs?per_page=4", "4 6 8 10 ", token);
    assert_int_equal(strlen(token), 40);
    place(bench, "a"); /* the pages show what was there at the first */
    snprintf(path, sizeof path, "/v1/runs?next_token=%s", token);
    lists(bench, path, "12 14 ", token);
    assert_string_equal(token, "");
    lists(bench, "/v1/runs?per_page=2&task=b", "6 10 ", token);
    snprintf(path, sizeof path, "/v1/runs?task=b&next_token=%s", token);
    lists(bench, path, "14 ", token);
    assert_string_equal(token, "");
    lists(bench, "/v1/runs?per_page=2&task=b", "6 10 ", token);
    snprintf(path, sizeof path, "/v1/runs?task=a&next_token=%s", token);
    says(bench, path, 400, "belongs to another listing");
    lists(bench, "/v1/runs?prefix=b", "6 10 14 ", NULL);
}

static void a_run_is_waited_for(void **state)
{
    struct bench *bench = *state;
    struct client one;
    struct client all;
    struct answer answer;
    uint64_t run = place(bench, "a"); /* 4 */
    uint64_t other = place(bench, "b");
    client_open(bench, &one);
    client_open(bench, &all);
    client_ask(&one, "GET /v1/runs/4?index=5&wait=30s", NULL);
    client_ask(&all, "GET /v1/runs?state=ended&index=5&wait=30s", NULL);
    bench_exchange(bench, "GET /v1/health", NULL, 0,
                   &answer); /* so long they are read */
    buf_close(&answer.body);
    start(bench, other); /* which only the list shows */
    bench_advance(bench, 1);
    client_answer(bench, &all, &answer);
    assert_int_equal(answer.status, 200);
    buf_close(&answer.body);
    start(bench, run);
    bench_advance(bench, 1);
    client_answer(bench, &one, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr((const char *)answer.body.data, "\"state\":\"running\""));
    assert_non_null(strstr(answer.head, "X-Muster-Index: 7"));
    buf_close(&answer.body);
    client_close(&one);
    client_close(&all);
}

/* --- statuses --------------------------------------------------------------------- */

static void statuses_are_those_of_the_runs(void **state)
{
    struct bench *bench = *state;
    create(bench, "c");
    create(bench, "d");
    run_once(bench, "a", RUN_SUCCESS);
    run_once(bench, "b", RUN_FAILED);
    run_once(bench, "c", RUN_FAILED);
    run_once(bench, "c", RUN_LOST);
    says(bench, "/v1/status", 200,
         "{\"task_summary\":{\"status\":{\"successful\":1,\"errored\":1,\"critical\":1,"
         "\"unknown\":1},\"enabled\":{\"true\":4,\"false\":0}}}");
    says(
        bench, "/v1/status/tasks/a", 200,
        "{\"a\":{\"task_name\":\"a\",\"status\":\"successful\",\"enabled\":true,"
        "\"events_url\":\"/v1/status/tasks/a?include=events\",\"providers\":[\"null\"],"
        "\"services\":[\"web\"]" WARNED "}}");
    says(bench, "/v1/status/tasks/d", 200,
         "\"status\":\"unknown\",\"enabled\":true,\"events_url\":\"\"");
    says(bench, "/v1/status/tasks?status=critical", 200, "{\"c\":{\"task_name\":\"c\"");
    char *body = get(bench, "/v1/status/tasks?status=errored", 200);
    assert_non_null(strstr(body, "{\"b\":{"));
    assert_null(strstr(body, "\"c\":{"));
    mem_free(body);
    says(bench, "/v1/status/tasks/a?status=critical", 200, "{}");
    says(bench, "/v1/status/tasks/d?status=critical", 200, "\"unknown\"");
}

static void events_are_shown_newest_first_in_the_form_of_the_page(void **state)
{
    struct bench *bench = *state;
    uint64_t first = run_once(bench, "a", RUN_SUCCESS);
    uint64_t second = run_once(bench, "a", RUN_FAILED);
    char ids[2][ID_UUID_SIZE];
    const struct registry *registry = fsm_registry(bench->node.fsm);
    run_event_id(registry_run(registry, first), ids[0]);
    run_event_id(registry_run(registry, second), ids[1]);
    assert_string_not_equal(ids[0], ids[1]);
    char *wanted = mem_printf(
        "\"events_url\":\"/v1/status/tasks/a?include=events\",\"events\":["
        "{\"id\":\"%s\",\"success\":false,\"start_time\":\"2023-11-14T22:13:21.000Z\","
        "\"end_time\":\"2023-11-14T22:13:22.500Z\",\"task_name\":\"a\",\"error\":{"
        "\"message\":\"it \\u003cbroke\\u003e: exit code 3\"},\"config\":{"
        "\"providers\":[\"null\"],\"services\":[\"web\"],"
        "\"module\":\"../modules/test_task\"}},"
        "{\"id\":\"%s\",\"success\":true,\"start_time\":\"2023-11-14T22:13:21.000Z\","
        "\"end_time\":\"2023-11-14T22:13:22.500Z\",\"task_name\":\"a\",\"error\":null,"
        "\"config\":{\"providers\":[\"null\"],\"services\":[\"web\"],"
        "\"module\":\"../modules/test_task\"}}],\"providers\":[\"null\"],"
        "\"services\":[\"web\"]" WARNED "}}",
        ids[1], ids[0]);
    says(bench, "/v1/status/tasks/a?include=events", 200, wanted);
    mem_free(wanted);
    char *body = get(bench, "/v1/status/tasks/b?include=events", 200);
    assert_null(strstr(body, "\"events\":"));
    mem_free(body);
    body = get(bench, "/v1/status/tasks?include=events", 200);
    assert_non_null(strstr(body, ids[0]));
    mem_free(body);
}

/* What the task was when it ran; and what it is, before it has. */
static void lists_of_a_status_are_those_of_its_events(void **state)
{
    struct bench *bench = *state;
    run_once(bench, "a", RUN_SUCCESS);
    apply(bench,
          (struct command){
              .type = COMMAND_TASK_PUT,
              .task_put = {text_of("a"),
                           text_of("{\"condition\":{\"services\":{\"names\":[\"web\","
                                   "\"api\"]}},\"module\":\"m\",\"providers\":[]}"),
                           1, true, true, TASK_CONDITION_NONE, 0},
          });
    run_once(bench, "a", RUN_SUCCESS);
    says(bench, "/v1/status/tasks/a", 200,
         "\"providers\":[\"null\"],\"services\":[\"web\",\"api\"]");
}

static void a_task_that_is_being_deleted_says_so_in_its_status(void **state)
{
    struct bench *bench = *state;
    struct answer answer;
    uint64_t run = place(bench, "a");
    for (int i = 0; i < 2; i++) { /* a second one changes nothing */
        bench_exchange(bench, "DELETE /v1/tasks/a", NULL, 0, &answer);
        assert_int_equal(answer.status, 202);
        buf_close(&answer.body);
    }
    says(bench, "/v1/status/tasks/a", 200, ",\"deleting\":true" WARNED "}}");
    char *body = get(bench, "/v1/tasks/a", 200);
    assert_null(strstr(body, "deleting"));
    mem_free(body);
    bench_exchange(bench, "PATCH /v1/tasks/a", "{\"enabled\":false}", 0, &answer);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr((const char *)answer.body.data,
                           "task 'a' is being deleted, once its run has ended"));
    buf_close(&answer.body);
    bench_exchange(bench, "POST /v1/tasks",
                   "{\"task\":{\"name\":\"a\",\"module\":\"m\",\"condition\":{}}}", 0,
                   &answer);
    assert_int_equal(answer.status, 400);
    assert_non_null(
        strstr((const char *)answer.body.data, "task with name a already exists"));
    buf_close(&answer.body);
    end(bench, run, RUN_SUCCESS);
    says(bench, "/v1/tasks/a", 404, "does not exist");
    says(bench, "/v1/runs/4", 200, "\"outcome\":\"success\"");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_is_shown_as_it_goes),
        CASE(what_is_no_run_is_not_found),
        CASE(runs_are_listed_by_task_state_and_node),
        CASE(a_list_of_runs_comes_a_page_at_a_time),
        CASE(a_run_is_waited_for),
        CASE(statuses_are_those_of_the_runs),
        CASE(events_are_shown_newest_first_in_the_form_of_the_page),
        CASE(lists_of_a_status_are_those_of_its_events),
        CASE(a_task_that_is_being_deleted_says_so_in_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
