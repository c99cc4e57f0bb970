/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that clients ask for by POST and PATCH, before a node that does as it is told:
 * what is proposed, and what becomes of the answer. test_run_replace.c has PUT and
 * merge patches. */
#include <string.h>

#include "base/limits.h"
#include "unit/api/talk.h"

/* --- POST /tasks/:name/run -----------------------------------------------------------
 */

static void a_run_is_answered_when_it_is_placed(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    char head[64];
    talk_create(bench, TASK);
    talk_ask(bench, &talk, "POST /v1/tasks/a/run", "");
    talk_decide(&talk);
    snprintf(head, sizeof head, "Location: /v1/runs/%llu\r\n",
             (unsigned long long)talk_live(bench));
    talk_expect_head(&talk, 202, "\"state\":\"pending\"", head);
}

static void with_wait_it_is_answered_when_it_has_ended(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    talk_ask(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "{}");
    talk_decide(&talk);
    assert_true(talk_is_silent(&talk));
    talk_end(bench, RUN_FAILED, false, "exit 1");
    talk_expect(&talk, 200, "\"outcome\":\"failed\"");
}

static void past_wait_it_is_told_as_it_stands(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    talk_ask(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "");
    talk_decide(&talk);
    assert_true(talk_is_silent(&talk));
    bench_advance(bench, 5000);
    talk_expect(&talk, 202, "\"state\":\"pending\"");
}

static void a_live_run_is_a_conflict(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    talk_place(bench);
    talk_ask(bench, &talk, "POST /v1/tasks/a/run", "");
    talk_decide(&talk);
    talk_expect(&talk, 409, "task 'a' has a live run: ");
}

static void what_is_disabled_or_not_there_is_said_by_apply(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks/a/run", "");
    talk_decide(&talk);
    talk_expect(&talk, 404, "does not exist");
    talk_create(bench, DISABLED);
    talk_ask(bench, &talk, "POST /v1/tasks/a/run", "");
    talk_decide(&talk);
    talk_expect(&talk, 409, "task 'a' is disabled");
    assert_int_equal(talk_live(bench), 0);
}

/* Looked up as disabled, enabled by the time it is decided: it is looked up anew. */
static void a_change_in_between_is_looked_up_anew(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command enable = {.type = COMMAND_TASK_ENABLE,
                             .task_enable = {text_of("a"), true}};
    talk_create(bench, DISABLED);
    talk_ask(bench, &talk, "POST /v1/tasks/a/run", "");
    bench_wait(bench, bench_proposed);
    bench_apply_other(bench, &enable);
    talk_decide(&talk);
    talk_decide(&talk);
    talk_expect(&talk, 202, "\"state\":\"pending\"");
}

static void nobody_who_can_is_a_conflict_with_the_reason(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    bench->node.place = 0;
    talk_ask(bench, &talk, "POST /v1/tasks/a/run", "");
    talk_expect(&talk, 409, "nobody can carry it out: n1 drains");
}

static void a_key_repeated_is_that_same_run(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    for (int i = 0; i < 2; i++) {
        talk_ask_keyed(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "",
                       "Idempotency-Key: k1\r\n");
        talk_decide(&talk);
        if (i == 0) {
            assert_true(talk_is_silent(&talk));
            talk_end(bench, RUN_SUCCESS, false, "");
        }
        talk_expect_head(&talk, 200, "\"outcome\":\"success\"",
                         i == 0 ? "" : "Idempotency-Replayed: true");
    }
    /* also when it could not be placed now */
    bench->node.place = 0;
    talk_ask_keyed(bench, &talk, "POST /v1/tasks/a/run?wait=5s", "",
                   "Idempotency-Key: k1\r\n");
    talk_decide(&talk);
    talk_expect(&talk, 200, "\"outcome\":\"success\"");
}

static void a_wrong_request_is_refused_by_its_form(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks/a/run", "{\"x\":1}");
    talk_expect(&talk, 400, "no body");
    talk_ask(bench, &talk, "POST /v1/tasks/a/run?wait=11m", "");
    talk_expect(&talk, 400, "'wait'");
    talk_ask_keyed(bench, &talk, "POST /v1/tasks/a/run", "", "If-Match: \"1\"\r\n");
    talk_expect(&talk, 400, "If-Match");
}

/* --- cancel --------------------------------------------------------------------------
 */

static void a_run_is_cancelled_once(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    char line[64];
    talk_create(bench, TASK);
    snprintf(line, sizeof line, "POST /v1/runs/%llu/cancel",
             (unsigned long long)talk_place(bench));
    for (int i = 0; i < 2; i++) {
        talk_ask(bench, &talk, line, "");
        talk_decide(&talk);
        talk_expect(&talk, 202, "\"state\":\"stopping\"");
    }
    talk_end(bench, RUN_CANCELLED, false, "cancelled");
    talk_ask(bench, &talk, line, "");
    talk_decide(&talk);
    talk_expect(&talk, 409, "has ended: cancelled");
    talk_ask(bench, &talk, "POST /v1/runs/999/cancel", "");
    talk_decide(&talk);
    talk_expect(&talk, 404, "there is no run 999");
    talk_ask(bench, &talk, "POST /v1/runs/x/cancel", "");
    talk_expect(&talk, 400, "the number of a run must be a number");
}

/* --- PATCH ---------------------------------------------------------------------------
 */

static void run_now_enables_runs_and_answers_at_the_end(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, DISABLED);
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=NOW", ON);
    talk_expect_next(bench, COMMAND_RUN_ENABLE);
    talk_decide(&talk);
    assert_true(talk_is_silent(&talk));
    assert_true(talk_task(bench)->enabled);
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect_head(&talk, 200, "{}", "ETag: ");
}

static void a_failed_run_now_is_500_with_what_was_said_and_stays_enabled(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, DISABLED);
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    talk_decide(&talk);
    talk_end(bench, RUN_FAILED, false, "no such host (exit code 3)");
    talk_expect_head(&talk, 500, "error tf-apply for 'a': no such host (exit code 3)",
                     "Location: /v1/runs/");
    assert_true(talk_task(bench)->enabled);
}

/* As CTS has it (spec/cts.md 1.8): it succeeds at once, also where nobody could run it.
 */
static void disabling_with_run_now_runs_nothing_and_is_an_event(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    bench->node.place = 0;
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=now", OFF);
    talk_expect_next(bench, COMMAND_RUN_ENABLE);
    talk_decide(&talk);
    talk_expect(&talk, 200, "{}");
    assert_false(talk_task(bench)->enabled);
    assert_int_equal(talk_live(bench), 0);
    assert_int_equal(
        registry_task_status(node_registry(&bench->node), talk_task(bench)),
        TASK_STATUS_SUCCESSFUL);
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 1);
}

/* An inspection whose node leaves just then enables nothing. */
static void a_node_that_leaves_meanwhile_is_503_and_changes_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command leave = {.type = COMMAND_MEMBER_DELETE, .member_delete = {SELF}};
    talk_create(bench, DISABLED);
    bench_apply_other(bench, &leave);
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", ON);
    talk_decide(&talk);
    talk_expect_head(&talk, 503, "has just left", "Retry-After: ");
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    talk_decide(&talk);
    talk_expect_head(&talk, 503, "has just left", "Retry-After: ");
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    talk_decide(&talk);
    talk_expect_head(&talk, 503, "has just left", "Retry-After: ");
    assert_false(talk_task(bench)->enabled);
}

static void an_active_task_is_not_patched(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"PATCH /v1/tasks/a",
                                        "PATCH /v1/tasks/a?run=now",
                                        "PATCH /v1/tasks/a?run=inspect"};
    talk_create(bench, TASK);
    talk_place(bench);
    for (size_t i = 0; i < 3; i++) {
        talk_ask(bench, &talk, lines[i], OFF);
        talk_decide(&talk);
        talk_expect(&talk, 500,
                    "task 'a' is active and cannot be updated at this time");
    }
    /* what this node took for live has ended when apply is asked */
    talk_ask(bench, &talk, "PATCH /v1/tasks/a", OFF);
    bench_wait(bench, bench_proposed);
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_decide(&talk);
    talk_decide(&talk);
    talk_expect(&talk, 200, "{}");
    assert_false(talk_task(bench)->enabled);
}

static void an_inspection_stores_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, DISABLED);
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", ON);
    talk_expect_next(bench, COMMAND_RUN_START);
    talk_decide(&talk);
    assert_false(talk_task(bench)->enabled);
    talk_end(bench, RUN_SUCCESS, true, "");
    talk_expect(&talk, 200, "{\"inspect\":{\"changes_present\":true,\"plan\":");
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", OFF);
    talk_decide(&talk);
    talk_expect(&talk, 200, "{\"inspect\":{\"changes_present\":false,\"plan\":\"\"}}");
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=inspect", ON);
    talk_decide(&talk);
    talk_end(bench, RUN_FAILED, false, "bad plan");
    talk_expect(&talk, 500,
                "Error updating task 'a'. Unable to inspect task: bad plan");
    assert_false(talk_task(bench)->enabled);
    talk_ask(bench, &talk, "PATCH /v1/tasks/b?run=inspect", OFF);
    talk_decide(&talk);
    talk_expect(&talk, 404, "does not exist");
}

static void if_match_counts_for_runs_too(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"PATCH /v1/tasks/a?run=now",
                                        "PATCH /v1/tasks/a?run=inspect"};
    talk_create(bench, TASK);
    for (size_t i = 0; i < 2; i++) {
        talk_ask_keyed(bench, &talk, lines[i], ON, "If-Match: \"999\"\r\n");
        talk_decide(&talk);
        talk_expect(&talk, 412, "which If-Match does not name");
    }
    talk_ask_keyed(bench, &talk, "PATCH /v1/tasks/b?run=inspect", ON,
                   "If-Match: *\r\n");
    talk_decide(&talk);
    talk_expect(&talk, 412, "does not exist");
    assert_int_equal(talk_live(bench), 0);
}

static void a_repeated_run_now_enables_nothing_again(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command disable = {.type = COMMAND_TASK_ENABLE,
                              .task_enable = {text_of("a"), false}};
    talk_create(bench, DISABLED);
    talk_ask_keyed(bench, &talk, "PATCH /v1/tasks/a?run=now", ON,
                   "Idempotency-Key: k1\r\n");
    talk_decide(&talk);
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect(&talk, 200, "{}");
    bench_apply_other(bench, &disable);
    talk_ask_keyed(bench, &talk, "PATCH /v1/tasks/a?run=now", ON,
                   "Idempotency-Key: k1\r\n");
    talk_decide(&talk);
    talk_expect_head(&talk, 200, "{}", "Idempotency-Replayed: true");
    assert_false(talk_task(bench)->enabled);
}

/* --- POST ----------------------------------------------------------------------------
 */

static void a_trial_that_succeeds_creates_the_task(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    talk_expect_next(bench, COMMAND_RUN_TRIAL);
    talk_decide(&talk);
    assert_true(talk_is_silent(&talk));
    assert_null(talk_task(bench));
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect_head(&talk, 201, "\"name\":\"a\"", "ETag: ");
    assert_non_null(talk_task(bench));
}

static void a_trial_that_fails_stores_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    talk_decide(&talk);
    talk_end(bench, RUN_FAILED, false, "no");
    talk_expect(&talk, 500, "error tf-apply for 'a': no");
    assert_null(talk_task(bench));
}

static void a_trial_inspection_shows_plan_and_task(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks?run=inspect", TASK);
    talk_decide(&talk);
    talk_end(bench, RUN_SUCCESS, true, "");
    talk_expect(&talk, 200, "\"run\":{\"changes_present\":true,\"plan\":");
    assert_null(talk_task(bench));
    talk_ask(bench, &talk, "POST /v1/tasks?run=inspect", TASK);
    talk_decide(&talk);
    talk_end(bench, RUN_FAILED, false, "no");
    talk_expect(&talk, 400, "error tf-plan for 'a': no");
    talk_ask(bench, &talk, "POST /v1/tasks?run=inspect", DISABLED);
    talk_decide(&talk);
    talk_expect(&talk, 200,
                "\"run\":{\"changes_present\":false,\"plan\":\"Task is disabled, "
                "inspection was skipped.\"},\"task\":{");
    assert_null(talk_task(bench));
}

static void a_task_created_disabled_does_not_run_now(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks?run=now", DISABLED);
    talk_expect_next(bench, COMMAND_TASK_CREATE);
    talk_decide(&talk);
    talk_expect(&talk, 201, "\"enabled\":false");
}

static void a_name_that_is_taken_is_said_by_apply(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"POST /v1/tasks?run=now",
                                        "POST /v1/tasks?run=inspect"};
    talk_create(bench, TASK);
    for (size_t i = 0; i < 2; i++) {
        talk_ask(bench, &talk, lines[i], TASK);
        talk_decide(&talk);
        talk_expect(&talk, 400, "task with name a already exists");
        talk_ask(bench, &talk, lines[i], DISABLED);
        talk_decide(&talk);
        talk_expect(&talk, 400, "task with name a already exists");
    }
}

static void a_second_trial_of_a_name_has_to_wait(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct talk other;
    talk_ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    talk_decide(&talk);
    talk_ask(bench, &other, "POST /v1/tasks?run=now", TASK);
    talk_decide(&other);
    talk_expect(&other, 409, "task 'a' has a live run: ");
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect(&talk, 201, "\"name\":\"a\"");
}

/* --- waiting -------------------------------------------------------------------------
 */

static void a_node_that_does_not_lead_any_more_goes_on_waiting(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    talk_decide(&talk);
    bench->node.status.role = NODE_FOLLOWER;
    bench_led(bench, 2);
    assert_true(talk_is_silent(&talk));
    bench_led(bench, 0);
    assert_true(talk_is_silent(&talk));
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect(&talk, 201, "\"name\":\"a\"");
}

static void past_the_deadline_it_is_504_that_names_the_run(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    char head[64];
    talk_ask(bench, &talk, "POST /v1/tasks?run=now", TASK);
    talk_decide(&talk);
    snprintf(head, sizeof head, "Location: /v1/runs/%llu\r\n",
             (unsigned long long)talk_live(bench));
    bench_advance(bench, LIMIT_WAIT_MS - 1000);
    assert_true(talk_is_silent(&talk));
    bench_advance(bench, 1000);
    talk_expect_head(&talk, 504, "has not ended in time", head);
}

static void a_client_that_went_harms_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    talk_decide(&talk);
    client_reset(&talk.client);
    bench_advance(bench, 2000);
    for (int i = 0; i < 20; i++) {
        bench_turn(bench);
    }
    talk_end(bench, RUN_SUCCESS, false, "");
    bench_turn(bench);
}

static void a_node_that_stops_answers_504_at_once(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    talk_ask(bench, &talk, "PATCH /v1/tasks/a?run=now", ON);
    talk_decide(&talk);
    assert_true(talk_is_silent(&talk));
    bench_stop(bench, 5000);
    bench_advance(bench, 1);
    talk_expect(&talk, 504, "this node stops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, talk_setup, bench_teardown)
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
        TEST(a_node_that_does_not_lead_any_more_goes_on_waiting),
        TEST(past_the_deadline_it_is_504_that_names_the_run),
        TEST(a_client_that_went_harms_nothing),
        TEST(a_node_that_stops_answers_504_at_once),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
