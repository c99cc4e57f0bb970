/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "json/task_json.h"
#include "json/task_view.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The task that is created with these members beside its name. */
static struct task *task_with(const char *members)
{
    char body[1024];
    snprintf(body, sizeof body, "{\"name\":\"t\",\"module\":\"./m \\\"<1>\\\"\",%s}",
             members);
    struct task_json json;
    assert_int_equal(
        task_json_create_bare(body, strlen(body), &task_defaults_standard, &json, NULL),
        0);
    struct task *task = task_new(&json.draft, 1, 1);
    task_json_close(&json);
    return task;
}

static void a_schedule_and_a_module_are_found_in_the_text(void **state)
{
    (void)state;
    struct task *task = task_with(
        "\"condition\":{\"schedule\":{\"cron\":\"CRON_TZ=UTC 0\\t3 * * *\"}}");
    char *cron = task_view_cron(task->text, task->text_len);
    char *module = task_view_module(task->text, task->text_len);
    assert_string_equal(cron, "CRON_TZ=UTC 0\t3 * * *");
    assert_string_equal(module, "./m \"<1>\"");
    mem_free(cron);
    mem_free(module);
    task_unref(task);
    task = task_with("\"condition\":{\"services\":{\"names\":[\"schedule\"]}}");
    assert_null(task_view_cron(task->text, task->text_len));
    task_unref(task);
    task =
        task_with("\"condition\":{},\"description\":\"\\\"cron\\\":\\\"@daily\\\"\"");
    assert_null(task_view_cron(task->text, task->text_len));
    task_unref(task);
    assert_null(task_view_cron("{}", 2));
    assert_null(task_view_module("", 0));
    assert_null(task_view_module("{\"module\":1}", 12));
}

static void a_change_makes_a_task_due_by_its_buffer_period(void **state)
{
    (void)state;
    static const struct {
        const char *buffer;
        uint64_t min_ms;
        uint64_t max_ms;
    } rows[] = {
        /* the defaults here: on, 5 s, 20 s */
        {"{}", 5000, 20000},
        {"{\"enabled\":true,\"min\":\"1m\",\"max\":\"2m\"}", 60000, 120000},
        {"{\"enabled\":true,\"min\":\"30s\"}", 30000, 30000},
        {"{\"enabled\":true,\"min\":\"0s\",\"max\":\"0s\"}", 0, 0},
        {"{\"enabled\":true,\"min\":\"1.5ms\",\"max\":\"1ns\"}", 2, 2},
        {"{\"enabled\":false,\"min\":\"30s\"}", DUE_SETTLE_MS, DUE_SETTLE_MS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char members[256];
        snprintf(members, sizeof members,
                 "\"condition\":{\"services\":{\"names\":[\"a\"]}},"
                 "\"buffer_period\":%s",
                 rows[i].buffer);
        struct task *task = task_with(members);
        struct due_times due = due_times(task, 1000000);
        assert_int_equal(due.at_ms, 1000000 + rows[i].min_ms);
        assert_int_equal(due.until_ms, 1000000 + rows[i].max_ms);
        task_unref(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_and_a_module_are_found_in_the_text),
        cmocka_unit_test(a_change_makes_a_task_due_by_its_buffer_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
