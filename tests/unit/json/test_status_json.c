/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "json/event_json.h"
#include "json/status_json.h"
#include "json/task_json.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void filters_are_read_as_cts_reads_them(void **state)
{
    (void)state;
    const char *const critical[] = {"CriTical"};
    const char *const events[] = {"events"};
    struct status_filter filter;
    assert_int_equal(status_json_filter(&(struct status_param){critical, 1},
                                        &(struct status_param){events, 1}, &filter,
                                        NULL),
                     0);
    assert_true(filter.by_status && filter.status == TASK_STATUS_CRITICAL);
    assert_true(filter.include_events);
    assert_int_equal(status_json_filter(&(struct status_param){NULL, 0},
                                        &(struct status_param){NULL, 0}, &filter, NULL),
                     0);
    assert_false(filter.by_status || filter.include_events);
}

#define STATUS_TEXT                                                                    \
    "unsupported status parameter value. only supporting status values successful, "   \
    "errored, critical, and unknown but got "
#define INCLUDE_TEXT                                                                   \
    "unsupported ?include parameter value. only supporting 'include=events' but got "  \
    "'include="

static void wrong_filters_are_refused_in_the_words_of_cts(void **state)
{
    (void)state;
    static const struct {
        const char *status[2];
        size_t status_count;
        const char *include[2];
        size_t include_count;
        const char *error;
    } list[] = {
        {{"BAD"}, 1, {NULL}, 0, STATUS_TEXT "bad"},
        {{""}, 1, {NULL}, 0, STATUS_TEXT ""},
        {{"a", "b"},
         2,
         {NULL},
         0,
         "cannot support more than one status query parameter, got status values: [a "
         "b]"},
        {{NULL}, 0, {"Events"}, 1, INCLUDE_TEXT "Events'"},
        {{NULL}, 0, {""}, 1, INCLUDE_TEXT "'"},
        {{NULL},
         0,
         {"events", "events"},
         2,
         "cannot support more than one include parameter, got include values: [events "
         "events]"},
        {{"x"}, 1, {"y"}, 1, STATUS_TEXT "x"},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        struct status_filter filter;
        struct err err;
        struct status_param status = {list[i].status, list[i].status_count};
        struct status_param include = {list[i].include, list[i].include_count};
        assert_int_equal(status_json_filter(&status, &include, &filter, &err),
                         ERR_INVALID);
        assert_string_equal(err.text, list[i].error);
    }
}

static struct task *task_of(const char *body)
{
    struct task_json json;
    assert_int_equal(
        task_json_create(body, strlen(body), &task_defaults_standard, &json, NULL), 0);
    struct task *task = task_new(&json.draft, 1, 1);
    task_json_close(&json);
    return task;
}

static void one_status_is_shown_whatever_the_filter(void **state)
{
    (void)state;
    struct task *task = task_of(
        "{\"task\":{\"name\":\"a\",\"module\":\"m\",\"enabled\":false,\"providers\":["
        "\"p.x\",\"names\"],\"condition\":{\"services\":{\"regexp\":\"names\","
        "\"cts_user_defined_meta\":{\"names\":\"[\"}}}}}");
    const struct status_filter critical = {.by_status = true,
                                           .status = TASK_STATUS_CRITICAL};
    struct registry *registry = registry_new();
    assert_false(status_json_matches(registry, task, &critical));
    struct buf out;
    buf_init(&out);
    status_json_put_one(&out, registry, task, &critical);
    buf_put_u8(&out, '\0');
    assert_string_equal(
        (char *)out.data,
        "{\"a\":{\"task_name\":\"a\",\"status\":\"unknown\",\"enabled\":"
        "false,\"events_url\":\"\",\"providers\":[\"p.x\",\"names\"],"
        "\"services\":[],\"warning\":\"this version does not watch 'services': the "
        "task "
        "runs when it is asked to\"}}");
    buf_close(&out);
    registry_free(registry);
    task_unref(task);
}

static void the_map_shows_what_matches(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    struct buf out;
    buf_init(&out);
    const struct status_filter critical = {.by_status = true,
                                           .status = TASK_STATUS_CRITICAL};
    const struct status_filter unknown = {.by_status = true,
                                          .status = TASK_STATUS_UNKNOWN};
    static const char *const names[] = {"b", "a"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char *body = mem_printf(
            "{\"task\":{\"name\":\"%s\",\"module\":\"m\",\"condition\":{}}}", names[i]);
        struct task_json json;
        assert_int_equal(
            task_json_create(body, strlen(body), &task_defaults_standard, &json, NULL),
            0);
        const struct change change = {.wall_ms = 1, .request_id = "", .actor = ""};
        assert_int_equal(registry_task_create(registry, &change, &json.draft), 0);
        task_json_close(&json);
        mem_free(body);
    }
    status_json_put_all(&out, registry, &critical);
    assert_int_equal(out.len, 2);
    assert_memory_equal(out.data, "{}", 2);
    buf_clear(&out);
    status_json_put_all(&out, registry, &unknown);
    buf_put_u8(&out, '\0');
    const char *first = strstr((char *)out.data, "{\"b\":{\"task_name\":\"b\"");
    const char *second = strstr((char *)out.data, "},\"a\":{\"task_name\":\"a\"");
    assert_true(first != NULL && second != NULL && first < second);
    buf_close(&out);
    registry_free(registry);
}

static void an_event_is_one_object(void **state)
{
    (void)state;
    struct event event = {
        .type = EVENT_TASK_CREATED,
        .seq = UINT64_MAX,
        .wall_ms = 1767225600000,
        .task = "web",
        .actor = "a<b",
        .request_id = "r-1",
        .data = "{\"x\":1}",
    };
    struct buf out;
    buf_init(&out);
    event_json_put(&out, &event);
    event.task = "";
    event.data = "{}";
    event.type = EVENT_MEMBER_LEFT;
    event_json_put(&out, &event);
    buf_put_u8(&out, '\0');
    assert_string_equal(
        (char *)out.data,
        "{\"index\":18446744073709551615,\"time\":\"2026-01-01T00:00:00.000Z\","
        "\"type\":"
        "\"task.created\",\"task\":\"web\",\"actor\":\"a\\u003cb\",\"request_id\":\"r-"
        "1\","
        "\"data\":{\"x\":1}}"
        "{\"index\":18446744073709551615,\"time\":\"2026-01-01T00:00:00.000Z\","
        "\"type\":"
        "\"member.left\",\"actor\":\"a\\u003cb\",\"request_id\":\"r-1\",\"data\":{}}");
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_read_as_cts_reads_them),
        cmocka_unit_test(wrong_filters_are_refused_in_the_words_of_cts),
        cmocka_unit_test(one_status_is_shown_whatever_the_filter),
        cmocka_unit_test(the_map_shows_what_matches),
        cmocka_unit_test(an_event_is_one_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
