/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that clients ask for, before a node that does as it is told: what is proposed,
 * and what becomes of the answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "unit/api/api_bench.h"

#define SELF 1
#define TASK                                                                           \
    "{\"task\":{\"name\":\"a\",\"module\":\"./m\",\"condition\":{\"schedule\":"        \
    "{\"cron\":\"* * * * * * *\"}}}}"
#define DISABLED                                                                       \
    "{\"task\":{\"name\":\"a\",\"module\":\"./"                                        \
    "m\",\"enabled\":false,\"condition\":{}}}"
#define OTHER "{\"task\":{\"name\":\"a\",\"module\":\"./other\",\"condition\":{}}}"
#define MERGE "{\"description\":\"new\"}"
#define ON    "{\"enabled\":true}"
#define OFF   "{\"enabled\":false}"

static int setup(void **state)
{
    int rv = bench_setup(state);
    struct bench *bench = *state;
    struct command level = {.type = COMMAND_LEVEL_SET, .level_set = {COMMAND_LEVEL}};
    struct command member = {
        .type = COMMAND_MEMBER_SET,
        .member_set = {SELF, COMMAND_LEVEL, text_of("n1"), text_of("a"), text_of("p"),
                       text_of("v")},
    };
    bench_apply_other(bench, &level);
    bench_apply_other(bench, &member);
    bench->node.place = SELF;
    return rv;
}

/* A client in the middle of a request. */
struct talk {
    struct bench *bench;
    struct client client;
};

static void ask_keyed(struct bench *bench, struct talk *talk, const char *line,
                      const char *body, const char *headers)
{
    char *text = mem_printf("%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            "application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
                            line, strlen(body), headers, body);
    talk->bench = bench;
    client_open(bench, &talk->client);
    client_send(&talk->client, text);
    mem_free(text);
}

static void ask(struct bench *bench, struct talk *talk, const char *line,
                const char *body)
{
    ask_keyed(bench, talk, line, body, "");
}

/* The next proposal of the talk is applied. */
static void decide(struct talk *talk)
{
    bench_wait(talk->bench, bench_proposed);
    bench_decide(talk->bench, 0);
}

static bool is_silent(struct talk *talk)
{
    char byte;
    for (int i = 0; i < 5; i++) {
        bench_advance(talk->bench, 1);
        bench_turn(talk->bench);
    }
    return recv(talk->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

static void expect_head(struct talk *talk, int status, const char *said,
                        const char *head)
{
    struct answer answer;
    client_answer(talk->bench, &talk->client, &answer);
    if (answer.status != status ||
        strstr((const char *)answer.body.data, said) == NULL ||
        strstr(answer.head, head) == NULL) {
        print_error("%s%s\n", answer.head, (const char *)answer.body.data);
    }
    assert_int_equal(answer.status, status);
    assert_non_null(strstr((const char *)answer.body.data, said));
    assert_non_null(strstr(answer.head, head));
    buf_close(&answer.body);
    client_close(&talk->client);
}

static void expect(struct talk *talk, int status, const char *said)
{
    expect_head(talk, status, said, "");
}

static void create(struct bench *bench, const char *body)
{
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks", body);
    decide(&talk);
    expect(&talk, 201, "\"name\":\"a\"");
}

static uint64_t live(struct bench *bench)
{
    const struct run *run = registry_live_run(node_registry(&bench->node), "a", 1);
    return run != NULL ? run->id : 0;
}

static const struct task *task(struct bench *bench)
{
    return registry_task(node_registry(&bench->node), "a", 1);
}

/* Its node reports the end. */
static uint64_t end(struct bench *bench, enum run_outcome outcome, bool changes,
                    const char *text)
{
    uint64_t id = live(bench);
    struct command command = {
        .type = COMMAND_RUN_END,
        .run_end = {.run = id,
                    .node = SELF,
                    .outcome = outcome,
                    .exit_code = outcome == RUN_SUCCESS ? 0 : 1,
                    .changes = changes,
                    .started_ms = 5,
                    .ended_ms = 9,
                    .text = text_of(text)},
    };
    assert_int_not_equal(id, 0);
    assert_int_equal(bench_apply_other(bench, &command).code, 0);
    bench_advance(bench, 1);
    return id;
}

/* Another client's run. */
static uint64_t place(struct bench *bench)
{
    struct command command = {
        .type = COMMAND_RUN_START,
        .run_start = {text_of("a"), 0, SELF, RUN_CAUSE_SCHEDULE, RUN_APPLY, 4000, 5000,
                      1},
    };
    assert_int_equal(bench_apply_other(bench, &command).code, 0);
    return live(bench);
}

static void expect_next(struct bench *bench, enum command_type type)
{
    struct command command;
    const struct buf *batch = &bench->node.waiting[0].batch;
    struct cursor cursor;
    struct batch_header header;
    bench_wait(bench, bench_proposed);
    cursor_init(&cursor, batch->data, batch->len);
    assert_int_equal(batch_open(&cursor, &header, NULL), 0);
    assert_int_equal(batch_next(&cursor, &command, NULL), 0);
    assert_int_equal(command.type, type);
}

/* --- POST /tasks/:name/run -----------------------------------------------------------
 */

static void a_run_is_answered_when_it_is_placed(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    char head[64];
    create(bench, TASK);
    ask(bench, &talk, "POST /v1/tasks/a/run", "");
    decide(&talk);
    snprintf(head, sizeof head, "Location: /v1/runs/%llu\r\n",
             (unsigned long long)live(bench));
    expect_head(&talk, 202, "\"state\":\"pending\"", head);
}

static void with_wait_it_is_answered_when_it_has_ended(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    ask(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "{}");
    decide(&talk);
    assert_true(is_silent(&talk));
    end(bench, RUN_FAILED, false, "exit 1");
    expect(&talk, 200, "\"outcome\":\"failed\"");
}

static void past_wait_it_is_told_as_it_stands(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    ask(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "");
    decide(&talk);
    assert_true(is_silent(&talk));
    bench_advance(bench, 5000);
    expect(&talk, 202, "\"state\":\"pending\"");
}

static void a_live_run_is_a_conflict(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    place(bench);
    ask(bench, &talk, "POST /v1/tasks/a/run", "");
    decide(&talk);
    expect(&talk, 409, "task 'a' has a live run: ");
}

static void what_is_disabled_or_not_there_is_said_by_apply(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks/a/run", "");
    decide(&talk);
    expect(&talk, 404, "does not exist");
    create(bench, DISABLED);
    ask(bench, &talk, "POST /v1/tasks/a/run", "");
    decide(&talk);
    expect(&talk, 409, "task 'a' is disabled");
    assert_int_equal(live(bench), 0);
}

/* Looked up as disabled, enabled by the time it is decided: it is looked up anew. */
static void a_change_in_between_is_looked_up_anew(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command enable = {.type = COMMAND_TASK_ENABLE,
                             .task_enable = {text_of("a"), true}};
    create(bench, DISABLED);
    ask(bench, &talk, "POST /v1/tasks/a/run", "");
    bench_wait(bench, bench_proposed);
    bench_apply_other(bench, &enable);
    decide(&talk);
    decide(&talk);
    expect(&talk, 202, "\"state\":\"pending\"");
}

static void nobody_who_can_is_a_conflict_with_the_reason(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    bench->node.place = 0;
    ask(bench, &talk, "POST /v1/tasks/a/run", "");
    expect(&talk, 409, "nobody can carry it out: n1 drains");
}

static void a_key_repeated_is_that_same_run(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    for (int i = 0; i < 2; i++) {
        ask_keyed(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "",
                  "Idempotency-Key: k1\r\n");
        decide(&talk);
        if (i == 0) {
            assert_true(is_silent(&talk));
            end(bench, RUN_SUCCESS, false, "");
        }
        expect_head(&talk, 200, "\"outcome\":\"success\"",
                    i == 0 ? "" : "Idempotency-Replayed: true");
    }
    /* also when it could not be placed now */
    bench->node.place = 0;
    ask_keyed(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "",
              "Idempotency-Key: k1\r\n");
    decide(&talk);
    expect(&talk, 200, "\"outcome\":\"success\"");
}

static void a_wrong_request_is_refused_by_its_form(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks/a/run", "{\"x\":1}");
    expect(&talk, 400, "no body");
    ask(bench, &talk, "POST /v1/tasks/a/run?wait=11m", "");
    expect(&talk, 400, "'wait'");
    ask_keyed(bench, &talk, "POST /v1/tasks/a/run", "", "If-Match: \"1\"\r\n");
    expect(&talk, 400, "If-Match");
}

/* --- cancel --------------------------------------------------------------------------
 */

static void a_run_is_cancelled_once(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    char line[64];
    create(bench, TASK);
    snprintf(line, sizeof line, "POST /v1/runs/%llu/cancel",
             (unsigned long long)place(bench));
    for (int i = 0; i < 2; i++) {
        ask(bench, &talk, line, "");
        decide(&talk);
        expect(&talk, 202, "\"state\":\"stopping\"");
    }
    end(bench, RUN_CANCELLED, false, "cancelled");
    ask(bench, &talk, line, "");
    decide(&talk);
    expect(&talk, 409, "has ended: cancelled");
    ask(bench, &talk, "POST /v1/runs/999/cancel", "");
    decide(&talk);
    expect(&talk, 404, "there is no run 999");
    ask(bench, &talk, "POST /v1/runs/x/cancel", "");
    expect(&talk, 400, "the number of a run must be a number");
}

/* --- PATCH ---------------------------------------------------------------------------
 */

static void run_now_enables_runs_and_answers_at_the_end(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, DISABLED);
    ask(bench, &talk, "PATCH /v1/tasks/a?run=NOW", ON);
    expect_next(bench, COMMAND_RUN_ENABLE);
    decide(&talk);
    assert_true(is_silent(&talk));
    assert_true(task(bench)->enabled);
    end(bench, RUN_SUCCESS, false, "");
    expect_head(&talk, 200, "{}", "ETag: ");
}

static void a_failed_run_now_is_500_with_what_was_said_and_stays_enabled(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, DISABLED);
    ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    decide(&talk);
    end(bench, RUN_FAILED, false, "no such host (exit code 3)");
    expect_head(&talk, 500, "error tf-apply for 'a': no such host (exit code 3)",
                "Location: /v1/runs/");
    assert_true(task(bench)->enabled);
}

/* As CTS has it (spec/cts.md 1.8): it succeeds at once, also where nobody could run it.
 */
static void disabling_with_run_now_runs_nothing_and_is_an_event(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    bench->node.place = 0;
    ask(bench, &talk, "PATCH /v1/tasks/a?run=now", OFF);
    expect_next(bench, COMMAND_RUN_ENABLE);
    decide(&talk);
    expect(&talk, 200, "{}");
    assert_false(task(bench)->enabled);
    assert_int_equal(live(bench), 0);
    assert_int_equal(registry_task_status(node_registry(&bench->node), task(bench)),
                     TASK_STATUS_SUCCESSFUL);
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 1);
}

/* An inspection whose node leaves just then enables nothing. */
static void a_node_that_leaves_meanwhile_is_503_and_changes_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command leave = {.type = COMMAND_MEMBER_DELETE, .member_delete = {SELF}};
    create(bench, DISABLED);
    bench_apply_other(bench, &leave);
    ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", ON);
    decide(&talk);
    expect_head(&talk, 503, "has just left", "Retry-After: ");
    ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    decide(&talk);
    expect_head(&talk, 503, "has just left", "Retry-After: ");
    ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    decide(&talk);
    expect_head(&talk, 503, "has just left", "Retry-After: ");
    assert_false(task(bench)->enabled);
}

static void an_active_task_is_not_patched(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"PATCH /v1/tasks/a",
                                        "PATCH /v1/tasks/a?run=now",
                                        "PATCH /v1/tasks/a?run=inspect"};
    create(bench, TASK);
    place(bench);
    for (size_t i = 0; i < 3; i++) {
        ask(bench, &talk, lines[i], OFF);
        decide(&talk);
        expect(&talk, 500, "task 'a' is active and cannot be updated at this time");
    }
    /* what this node took for live has ended when apply is asked */
    ask(bench, &talk, "PATCH /v1/tasks/a", OFF);
    bench_wait(bench, bench_proposed);
    end(bench, RUN_SUCCESS, false, "");
    decide(&talk);
    decide(&talk);
    expect(&talk, 200, "{}");
    assert_false(task(bench)->enabled);
}

static void an_inspection_stores_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, DISABLED);
    ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", ON);
    expect_next(bench, COMMAND_RUN_START);
    decide(&talk);
    assert_false(task(bench)->enabled);
    end(bench, RUN_SUCCESS, true, "");
    expect(&talk, 200, "{\"inspect\":{\"changes_present\":true,\"plan\":");
    ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", OFF);
    decide(&talk);
    expect(&talk, 200, "{\"inspect\":{\"changes_present\":false,\"plan\":\"\"}}");
    ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", ON);
    decide(&talk);
    end(bench, RUN_FAILED, false, "bad plan");
    expect(&talk, 500, "Error updating task 'a'. Unable to inspect task: bad plan");
    assert_false(task(bench)->enabled);
    ask(bench, &talk, "PATCH /v1/tasks/b?run=inspect", OFF);
    decide(&talk);
    expect(&talk, 404, "does not exist");
}

static void if_match_counts_for_runs_too(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"PATCH /v1/tasks/a?run=now",
                                        "PATCH /v1/tasks/a?run=inspect"};
    create(bench, TASK);
    for (size_t i = 0; i < 2; i++) {
        ask_keyed(bench, &talk, lines[i], ON, "If-Match: \"999\"\r\n");
        decide(&talk);
        expect(&talk, 412, "which If-Match does not name");
    }
    ask_keyed(bench, &talk, "PATCH /v1/tasks/b?run=inspect", ON, "If-Match: *\r\n");
    decide(&talk);
    expect(&talk, 412, "does not exist");
    assert_int_equal(live(bench), 0);
}

static void a_repeated_run_now_enables_nothing_again(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command disable = {.type = COMMAND_TASK_ENABLE,
                              .task_enable = {text_of("a"), false}};
    create(bench, DISABLED);
    ask_keyed(bench, &talk, "PATCH /v1/tasks/a?run=now", ON, "Idempotency-Key: k1\r\n");
    decide(&talk);
    end(bench, RUN_SUCCESS, false, "");
    expect(&talk, 200, "{}");
    bench_apply_other(bench, &disable);
    ask_keyed(bench, &talk, "PATCH /v1/tasks/a?run=now", ON, "Idempotency-Key: k1\r\n");
    decide(&talk);
    expect_head(&talk, 200, "{}", "Idempotency-Replayed: true");
    assert_false(task(bench)->enabled);
}

/* --- POST ----------------------------------------------------------------------------
 */

static void a_trial_that_succeeds_creates_the_task(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    expect_next(bench, COMMAND_RUN_TRIAL);
    decide(&talk);
    assert_true(is_silent(&talk));
    assert_null(task(bench));
    end(bench, RUN_SUCCESS, false, "");
    expect_head(&talk, 201, "\"name\":\"a\"", "ETag: ");
    assert_non_null(task(bench));
}

static void a_trial_that_fails_stores_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    decide(&talk);
    end(bench, RUN_FAILED, false, "no");
    expect(&talk, 500, "error tf-apply for 'a': no");
    assert_null(task(bench));
}

static void a_trial_inspection_shows_plan_and_task(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks?run=inspect", TASK);
    decide(&talk);
    end(bench, RUN_SUCCESS, true, "");
    expect(&talk, 200, "\"run\":{\"changes_present\":true,\"plan\":");
    assert_null(task(bench));
    ask(bench, &talk, "POST /v1/tasks?run=inspect", TASK);
    decide(&talk);
    end(bench, RUN_FAILED, false, "no");
    expect(&talk, 400, "error tf-plan for 'a': no");
    ask(bench, &talk, "POST /v1/tasks?run=inspect", DISABLED);
    decide(&talk);
    expect(&talk, 200,
           "\"run\":{\"changes_present\":false,\"plan\":\"Task is disabled, "
           "inspection was skipped.\"},\"task\":{");
    assert_null(task(bench));
}

static void a_task_created_disabled_does_not_run_now(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks?run=now", DISABLED);
    expect_next(bench, COMMAND_TASK_CREATE);
    decide(&talk);
    expect(&talk, 201, "\"enabled\":false");
}

static void a_name_that_is_taken_is_said_by_apply(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"POST /v1/tasks?run=now",
                                        "POST /v1/tasks?run=inspect"};
    create(bench, TASK);
    for (size_t i = 0; i < 2; i++) {
        ask(bench, &talk, lines[i], TASK);
        decide(&talk);
        expect(&talk, 400, "task with name a already exists");
        ask(bench, &talk, lines[i], DISABLED);
        decide(&talk);
        expect(&talk, 400, "task with name a already exists");
    }
}

static void a_second_trial_of_a_name_has_to_wait(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct talk other;
    ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    decide(&talk);
    ask(bench, &other, "POST /v1/tasks?run=now", TASK);
    decide(&other);
    expect(&other, 409, "task 'a' has a live run: ");
    end(bench, RUN_SUCCESS, false, "");
    expect(&talk, 201, "\"name\":\"a\"");
}

/* --- PUT and merge patches -----------------------------------------------------------
 */

static void put_run_now_stores_and_runs(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    ask(bench, &talk, "PUT /v1/tasks/a?run=now", OTHER);
    expect_next(bench, COMMAND_RUN_PUT);
    decide(&talk);
    assert_true(is_silent(&talk));
    assert_non_null(strstr(task(bench)->text, "./other"));
    end(bench, RUN_SUCCESS, false, "");
    expect_head(&talk, 200, "\"module\":\"./other\"", "ETag: ");
    ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    decide(&talk);
    end(bench, RUN_FAILED, false, "no");
    expect_head(&talk, 500, "error tf-apply for 'a': no", "Location: /v1/runs/");
    assert_non_null(strstr(task(bench)->text, "./m"));
}

static void put_run_now_of_no_task_is_a_trial(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    decide(&talk);
    assert_null(task(bench));
    end(bench, RUN_FAILED, false, "no");
    expect(&talk, 500, "error tf-apply for 'a': no");
    assert_null(task(bench));
    ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    decide(&talk);
    end(bench, RUN_SUCCESS, false, "");
    expect_head(&talk, 201, "\"module\":\"./m\"", "ETag: ");
}

static void put_run_now_of_what_is_disabled_runs_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    bench->node.place = 0; /* and asks nobody to */
    ask(bench, &talk, "PUT /v1/tasks/a?run=now", DISABLED);
    decide(&talk);
    expect(&talk, 201, "\"enabled\":false");
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 0);
    ask_keyed(bench, &talk, "PUT /v1/tasks/a?run=now", DISABLED,
              "Idempotency-Key: k1\r\n");
    decide(&talk);
    expect(&talk, 200, "\"enabled\":false");
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 1);
    ask_keyed(bench, &talk, "PUT /v1/tasks/a?run=now", DISABLED,
              "Idempotency-Key: k1\r\n");
    decide(&talk);
    expect_head(&talk, 200, "\"enabled\":false", "Idempotency-Replayed: true");
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 1);
    /* it stays disabled where nothing is said of it */
    bench->node.place = SELF;
    ask(bench, &talk, "PUT /v1/tasks/a?run=now", OTHER);
    decide(&talk);
    expect(&talk, 200, "\"enabled\":false");
}

/* The run carries the text that is not stored. */
static void put_run_inspect_plans_what_would_be(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    uint64_t revision = task(bench)->revision;
    ask(bench, &talk, "PUT /v1/tasks/a?run=inspect", OTHER);
    decide(&talk);
    const struct run *run = registry_live_run(node_registry(&bench->node), "a", 1);
    assert_int_equal(run->purpose, RUN_INSPECT);
    assert_non_null(strstr(run->draft, "./other"));
    end(bench, RUN_SUCCESS, true, "");
    expect(&talk, 200, "\"module\":\"./other\"");
    ask(bench, &talk, "PUT /v1/tasks/a?run=inspect", OTHER);
    decide(&talk);
    end(bench, RUN_FAILED, false, "bad");
    expect(&talk, 400, "error tf-plan for 'a': bad");
    ask(bench, &talk, "PUT /v1/tasks/a?run=inspect", DISABLED);
    decide(&talk);
    expect(&talk, 200, "inspection was skipped.\"},\"task\":{");
    assert_int_equal(task(bench)->revision, revision);
}

static void put_with_a_run_heeds_conditions_and_live_runs(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"PUT /v1/tasks/a?run=now",
                                        "PUT /v1/tasks/a?run=inspect"};
    for (size_t i = 0; i < 2; i++) {
        ask_keyed(bench, &talk, lines[i], OTHER, "If-Match: *\r\n");
        decide(&talk);
        expect(&talk, 412, "does not exist");
    }
    create(bench, TASK);
    uint64_t revision = task(bench)->revision;
    for (size_t i = 0; i < 2; i++) {
        ask_keyed(bench, &talk, lines[i], OTHER, "If-Match: \"999\"\r\n");
        decide(&talk);
        expect(&talk, 412, "which If-Match does not name");
        ask_keyed(bench, &talk, lines[i], OTHER, "If-None-Match: *\r\n");
        decide(&talk);
        expect(&talk, 412, "task 'a' exists");
    }
    place(bench);
    for (size_t i = 0; i < 2; i++) {
        ask(bench, &talk, lines[i], OTHER);
        decide(&talk);
        expect(&talk, 409, "task 'a' has a live run: ");
    }
    assert_int_equal(task(bench)->revision, revision);
    ask(bench, &talk, "PUT /v1/tasks/a?run=never", OTHER);
    expect(&talk, 400, "is not one of the allowed values");
    ask(bench, &talk, "PUT /v1/tasks/a?run=now&wait=x", OTHER);
    expect(&talk, 400, "'wait'");
}

static void ask_merge(struct bench *bench, struct talk *talk, const char *line,
                      const char *body)
{
    char *text = mem_printf("%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            "application/merge-patch+json\r\nContent-Length: "
                            "%zu\r\n\r\n%s",
                            line, strlen(body), body);
    talk->bench = bench;
    client_open(bench, &talk->client);
    client_send(&talk->client, text);
    mem_free(text);
}

static void a_merge_patch_with_a_run_is_merged_and_run(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=inspect", MERGE);
    decide(&talk);
    end(bench, RUN_SUCCESS, true, "");
    expect(&talk, 200, "\"description\":\"new\"");
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=inspect", MERGE);
    decide(&talk);
    end(bench, RUN_FAILED, false, "bad");
    expect(&talk, 500, "Error updating task 'a'. Unable to inspect task: bad");
    assert_null(strstr(task(bench)->text, "new"));
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=now", MERGE);
    decide(&talk);
    end(bench, RUN_SUCCESS, false, "");
    expect_head(&talk, 200, "\"description\":\"new\"", "ETag: ");
    ask_merge(bench, &talk, "PATCH /v1/tasks/b?run=now", MERGE);
    decide(&talk);
    expect(&talk, 404, "does not exist");
    place(bench);
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=now", MERGE);
    decide(&talk);
    expect(&talk, 409, "has a live run: ");
}

/* Another change comes in between: it is merged into what is there then. */
static void a_merge_patch_with_a_run_is_computed_anew(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command disable = {.type = COMMAND_TASK_ENABLE,
                              .task_enable = {text_of("a"), false}};
    create(bench, TASK);
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=now", MERGE);
    bench_wait(bench, bench_proposed);
    bench_apply_other(bench, &disable);
    decide(&talk);
    decide(&talk);
    expect(&talk, 200, "\"enabled\":false");
    assert_non_null(strstr(task(bench)->text, "new"));
}

/* --- waiting -------------------------------------------------------------------------
 */

static void a_node_that_does_not_lead_any_more_goes_on_waiting(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    decide(&talk);
    bench->node.status.role = NODE_FOLLOWER;
    bench_led(bench, 2);
    assert_true(is_silent(&talk));
    bench_led(bench, 0);
    assert_true(is_silent(&talk));
    end(bench, RUN_SUCCESS, false, "");
    expect(&talk, 201, "\"name\":\"a\"");
}

static void past_the_deadline_it_is_504_that_names_the_run(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    char head[64];
    ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    decide(&talk);
    snprintf(head, sizeof head, "Location: /v1/runs/%llu\r\n",
             (unsigned long long)live(bench));
    bench_advance(bench, LIMIT_WAIT_MS - 1000);
    assert_true(is_silent(&talk));
    bench_advance(bench, 1000);
    expect_head(&talk, 504, "has not ended in time", head);
}

static void a_client_that_went_harms_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    decide(&talk);
    client_reset(&talk.client);
    bench_advance(bench, 2000);
    for (int i = 0; i < 20; i++) {
        bench_turn(bench);
    }
    end(bench, RUN_SUCCESS, false, "");
    bench_turn(bench);
}

static void a_node_that_stops_answers_504_at_once(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    create(bench, TASK);
    ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    decide(&talk);
    assert_true(is_silent(&talk));
    bench_stop(bench, 5000);
    bench_advance(bench, 1);
    expect(&talk, 504, "this node stops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)
        TEST(a_run_is_answered_when_it_is_placed),
        TEST(with_wait_it_is_answered_when_it_has_ended),
        TEST(past_wait_it_is_told_as_it_stands),
        TEST(a_live_run_is_a_conflict),
        TEST(what_is_disabled_or_not_there_is_said_by_apply),
        TEST(a_change_in_between_is_looked_up_anew),
        TEST(nobody_who_can_is_a_conflict_with_the_reason),
        TEST(a_key_repeated_is_that_same_run),
        TEST(a_wrong_request_is_refused_by_its_form),
        TEST(a_run_is_cancelled_once),
        TEST(run_now_enables_runs_and_answers_at_the_end),
        TEST(a_failed_run_now_is_500_with_what_was_said_and_stays_enabled),
        TEST(disabling_with_run_now_runs_nothing_and_is_an_event),
        TEST(a_node_that_leaves_meanwhile_is_503_and_changes_nothing),
        TEST(an_active_task_is_not_patched),
        TEST(an_inspection_stores_nothing),
        TEST(if_match_counts_for_runs_too),
        TEST(a_repeated_run_now_enables_nothing_again),
        TEST(a_trial_that_succeeds_creates_the_task),
        TEST(a_trial_that_fails_stores_nothing),
        TEST(a_trial_inspection_shows_plan_and_task),
        TEST(a_task_created_disabled_does_not_run_now),
        TEST(a_name_that_is_taken_is_said_by_apply),
        TEST(a_second_trial_of_a_name_has_to_wait),
        TEST(put_run_now_stores_and_runs),
        TEST(put_run_now_of_no_task_is_a_trial),
        TEST(put_run_now_of_what_is_disabled_runs_nothing),
        TEST(put_run_inspect_plans_what_would_be),
        TEST(put_with_a_run_heeds_conditions_and_live_runs),
        TEST(a_merge_patch_with_a_run_is_merged_and_run),
        TEST(a_merge_patch_with_a_run_is_computed_anew),
        TEST(a_node_that_does_not_lead_any_more_goes_on_waiting),
        TEST(past_the_deadline_it_is_504_that_names_the_run),
        TEST(a_client_that_went_harms_nothing),
        TEST(a_node_that_stops_answers_504_at_once),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
