/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that come with a change of the whole text: PUT and merge patches. */
#include <string.h>

#include "base/mem.h"
#include "unit/api/talk.h"

/* --- PUT and merge patches -----------------------------------------------------------
 */

static void put_run_now_stores_and_runs(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now", OTHER);
    talk_expect_next(bench, COMMAND_RUN_PUT);
    talk_decide(&talk);
    assert_true(talk_is_silent(&talk));
    assert_non_null(strstr(talk_task(bench)->text, "./other"));
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect_head(&talk, 200, "\"module\":\"./other\"", "ETag: ");
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    talk_decide(&talk);
    talk_end(bench, RUN_FAILED, false, "no");
    talk_expect_head(&talk, 500, "error tf-apply for 'a': no", "Location: /v1/runs/");
    assert_non_null(strstr(talk_task(bench)->text, "./m"));
}

static void put_run_now_of_no_task_is_a_trial(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    talk_decide(&talk);
    assert_null(talk_task(bench));
    talk_end(bench, RUN_FAILED, false, "no");
    talk_expect(&talk, 500, "error tf-apply for 'a': no");
    assert_null(talk_task(bench));
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now", TASK);
    talk_decide(&talk);
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect_head(&talk, 201, "\"module\":\"./m\"", "ETag: ");
}

static void put_run_now_of_what_is_disabled_runs_nothing(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    bench->node.place = 0; /* and asks nobody to */
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now", DISABLED);
    talk_decide(&talk);
    talk_expect(&talk, 201, "\"enabled\":false");
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 0);
    talk_ask_keyed(bench, &talk, "PUT /v1/tasks/a?run=now", DISABLED,
                   "Idempotency-Key: k1\r\n");
    talk_decide(&talk);
    talk_expect(&talk, 200, "\"enabled\":false");
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 1);
    talk_ask_keyed(bench, &talk, "PUT /v1/tasks/a?run=now", DISABLED,
                   "Idempotency-Key: k1\r\n");
    talk_decide(&talk);
    talk_expect_head(&talk, 200, "\"enabled\":false", "Idempotency-Replayed: true");
    assert_int_equal(registry_run_count(node_registry(&bench->node)), 1);
    /* it stays disabled where nothing is said of it */
    bench->node.place = SELF;
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now", OTHER);
    talk_decide(&talk);
    talk_expect(&talk, 200, "\"enabled\":false");
}

/* The run carries the text that is not stored. */
static void put_run_inspect_plans_what_would_be(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    talk_create(bench, TASK);
    uint64_t revision = talk_task(bench)->revision;
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=inspect", OTHER);
    talk_decide(&talk);
    const struct run *run = registry_live_run(node_registry(&bench->node), "a", 1);
    assert_int_equal(run->purpose, RUN_INSPECT);
    assert_non_null(strstr(run->draft, "./other"));
    talk_end(bench, RUN_SUCCESS, true, "");
    talk_expect(&talk, 200, "\"module\":\"./other\"");
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=inspect", OTHER);
    talk_decide(&talk);
    talk_end(bench, RUN_FAILED, false, "bad");
    talk_expect(&talk, 400, "error tf-plan for 'a': bad");
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=inspect", DISABLED);
    talk_decide(&talk);
    talk_expect(&talk, 200, "inspection was skipped.\"},\"task\":{");
    assert_int_equal(talk_task(bench)->revision, revision);
}

static void put_with_a_run_heeds_conditions_and_live_runs(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    static const char *const lines[] = {"PUT /v1/tasks/a?run=now",
                                        "PUT /v1/tasks/a?run=inspect"};
    for (size_t i = 0; i < 2; i++) {
        talk_ask_keyed(bench, &talk, lines[i], OTHER, "If-Match: *\r\n");
        talk_decide(&talk);
        talk_expect(&talk, 412, "does not exist");
    }
    talk_create(bench, TASK);
    uint64_t revision = talk_task(bench)->revision;
    for (size_t i = 0; i < 2; i++) {
        talk_ask_keyed(bench, &talk, lines[i], OTHER, "If-Match: \"999\"\r\n");
        talk_decide(&talk);
        talk_expect(&talk, 412, "which If-Match does not name");
        talk_ask_keyed(bench, &talk, lines[i], OTHER, "If-None-Match: *\r\n");
        talk_decide(&talk);
        talk_expect(&talk, 412, "task 'a' exists");
    }
    talk_place(bench);
    for (size_t i = 0; i < 2; i++) {
        talk_ask(bench, &talk, lines[i], OTHER);
        talk_decide(&talk);
        talk_expect(&talk, 409, "task 'a' has a live run: ");
    }
    assert_int_equal(talk_task(bench)->revision, revision);
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=never", OTHER);
    talk_expect(&talk, 400, "is not one of the allowed values");
    talk_ask(bench, &talk, "PUT /v1/tasks/a?run=now&wait=x", OTHER);
    talk_expect(&talk, 400, "'wait'");
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
    talk_create(bench, TASK);
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=inspect", MERGE);
    talk_decide(&talk);
    talk_end(bench, RUN_SUCCESS, true, "");
    talk_expect(&talk, 200, "\"description\":\"new\"");
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=inspect", MERGE);
    talk_decide(&talk);
    talk_end(bench, RUN_FAILED, false, "bad");
    talk_expect(&talk, 500, "Error updating task 'a'. Unable to inspect task: bad");
    assert_null(strstr(talk_task(bench)->text, "new"));
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=now", MERGE);
    talk_decide(&talk);
    talk_end(bench, RUN_SUCCESS, false, "");
    talk_expect_head(&talk, 200, "\"description\":\"new\"", "ETag: ");
    ask_merge(bench, &talk, "PATCH /v1/tasks/b?run=now", MERGE);
    talk_decide(&talk);
    talk_expect(&talk, 404, "does not exist");
    talk_place(bench);
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=now", MERGE);
    talk_decide(&talk);
    talk_expect(&talk, 409, "has a live run: ");
}

/* Another change comes in between: it is merged into what is there then. */
static void a_merge_patch_with_a_run_is_computed_anew(void **state)
{
    struct bench *bench = *state;
    struct talk talk;
    struct command disable = {.type = COMMAND_TASK_ENABLE,
                              .task_enable = {text_of("a"), false}};
    talk_create(bench, TASK);
    ask_merge(bench, &talk, "PATCH /v1/tasks/a?run=now", MERGE);
    bench_wait(bench, bench_proposed);
    bench_apply_other(bench, &disable);
    talk_decide(&talk);
    talk_decide(&talk);
    talk_expect(&talk, 200, "\"enabled\":false");
    assert_non_null(strstr(talk_task(bench)->text, "new"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, talk_setup, bench_teardown)
        TEST(put_run_now_stores_and_runs),
        TEST(put_run_now_of_no_task_is_a_trial),
        TEST(put_run_now_of_what_is_disabled_runs_nothing),
        TEST(put_run_inspect_plans_what_would_be),
        TEST(put_with_a_run_heeds_conditions_and_live_runs),
        TEST(a_merge_patch_with_a_run_is_merged_and_run),
        TEST(a_merge_patch_with_a_run_is_computed_anew),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
