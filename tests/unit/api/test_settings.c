/* SPDX-License-Identifier: Apache-2.0 */
/* /settings before a node that does as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/api/api_bench.h"

static void says(struct bench *bench, const char *line, const char *body, int status,
                 const char *said)
{
    struct answer answer;
    bench_exchange(bench, line, body, 0, &answer);
    if (answer.status != status ||
        strstr((const char *)answer.body.data, said) == NULL) {
        fail_msg("%s %s: %d %s", line, body != NULL ? body : "", answer.status,
                 (const char *)answer.body.data);
    }
    buf_close(&answer.body);
}

static void each_setting_is_shown_with_what_it_may_be(void **state)
{
    struct bench *bench = *state;
    says(bench, "GET /v1/settings", NULL, 200,
         ",\"settings\":{\"events_max_count\":{\"value\":100000,\"default\":100000,"
         "\"min\":100,\"max\":10000000,\"unit\":\"events\",\"writable\":true},");
    says(bench, "GET /settings", NULL, 200,
         "\"voters\":{\"value\":0,\"default\":0,\"min\":0,\"max\":15,\"unit\":"
         "\"voters\","
         "\"writable\":false}}}"); /* the last one that there is at the first level */
}

static void what_is_put_is_shown(void **state)
{
    struct bench *bench = *state;
    says(bench, "PUT /v1/settings", "{\"ready_lag\":5,\"task_events\":1e1}", 200,
         "\"ready_lag\":{\"value\":5,");
    says(bench, "GET /v1/settings", NULL, 200, "\"task_events\":{\"value\":10,");
    says(bench, "GET /v1/events?type=setting.changed", NULL, 200,
         "\"data\":{\"name\":\"ready_lag\",\"from\":1000,\"value\":5}");
    assert_int_equal(registry_sequence(fsm_registry(bench->node.fsm)), 2);
    says(bench, "PUT /v1/settings", "{\"ready_lag\":5}", 200, "\"value\":5,");
    assert_int_equal(registry_sequence(fsm_registry(bench->node.fsm)), 2);
}

static void what_is_wrong_is_named_with_what_would_be_right(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *body;
        const char *said;
    } rows[] = {
        {"", "unexpected end of JSON input"},
        {"[]", "must be an object of settings"},
        {"{}", "must be an object of settings"},
        {"{\"a\":1}", "there is no setting 'a'; there are events_max_count, "},
        {"{\"ready_lag\":1,\"voters\":3}", "'voters' is not set here"},
        {"{\"task_events\":0}", "'task_events' must be a whole number from 1 to 100 ("},
        {"{\"task_events\":101}", "from 1 to 100 (events of a task)"},
        {"{\"task_events\":1.5}", "must be a whole number"},
        {"{\"task_events\":-1}", "must be a whole number"},
        {"{\"task_events\":\"5\"}", "must be a whole number"},
        {"{\"task_events\":null}", "must be a whole number"},
        {"{\"task_events\":5,\"task_events\":5}", "task_events"},
        {"{\"ready_lag\":1,\"task_events\":0}", "'task_events' must be"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        says(bench, "PUT /v1/settings", rows[i].body, 400, rows[i].said);
    }
    assert_int_equal(registry_sequence(fsm_registry(bench->node.fsm)), 0);
}

static void a_follower_judges_the_body_and_then_names_the_leader(void **state)
{
    struct bench *bench = *state;
    bench->node.status.role = NODE_FOLLOWER;
    says(bench, "PUT /v1/settings", "{\"ready_lag\":-1}", 400, "'ready_lag' must be");
    says(bench, "PUT /v1/settings", "{\"ready_lag\":1}", 400, "redirect requests to");
    bench->node.hands_on = true;
    says(bench, "PUT /v1/settings", "{\"ready_lag\":1}", 200, "\"value\":1,");
}

/* No repeating helps: the answer says which member is to be upgraded. */
static void a_cluster_below_their_level_says_who_keeps_it_there(void **state)
{
    struct bench *bench = *state;
    bench->node.first_level = true;
    says(bench, "PUT /v1/settings", "{\"ready_lag\":0.5}", 400, "'ready_lag' must be");
    says(bench, "PUT /v1/settings", "{\"ready_lag\":5}", 501,
         "needs feature level 2; the cluster is at 1 because n2 runs 0.9");
    says(bench, "PUT /v1/settings", "{\"ready_lag\":5}", 501,
         "\"code\":\"feature_level\"");
    assert_false(bench_proposed(bench));
    assert_int_equal(registry_sequence(fsm_registry(bench->node.fsm)), 0);
    bench->node.first_level = false;
    says(bench, "PUT /v1/settings", "{\"ready_lag\":5}", 200, "\"value\":5,");
}

/* A change of a task does not wake it, one of a setting does. */
static void a_long_poll_waits_for_a_setting(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct answer answer;
    client_open(bench, &client);
    client_ask(&client, "GET /v1/settings?index=0&wait=5m", NULL);
    bench_turn(bench);
    says(bench, "POST /v1/tasks",
         "{\"task\":{\"name\":\"a\",\"module\":\"m\",\"condition\":{\"schedule\":"
         "{\"cron\":\"* * * * * * *\"}}}}",
         201, "");
    says(bench, "PUT /v1/settings", "{\"ready_lag\":77}", 200, "");
    bench_advance(bench, 1); /* who is woken has a turn of its own */
    client_answer(bench, &client, &answer);
    assert_non_null(strstr((const char *)answer.body.data, "\"value\":77,"));
    buf_close(&answer.body);
    client_close(&client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_setting_is_shown_with_what_it_may_be),
        TEST(what_is_put_is_shown),
        TEST(what_is_wrong_is_named_with_what_would_be_right),
        TEST(a_follower_judges_the_body_and_then_names_the_leader),
        TEST(a_cluster_below_their_level_says_who_keeps_it_there),
        TEST(a_long_poll_waits_for_a_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
