/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "json/task_json.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

#define BUFFER   "{\"buffer_period\":{\"enabled\":true,\"max\":\"20s\",\"min\":\"5s\"},"
#define INPUT    "\"module_input\":{},\"name\":\"t\",\"providers\":[],"
#define BASE_END "\"variables\":{\"a\":\"1\",\"b\":\"2\"},\"version\":\"\"}"
#define SERVICES                                                                       \
    "\"condition\":{\"services\":{\"cts_user_defined_meta\":{},\"datacenter\":\"\","   \
    "\"filter\":"                                                                      \
    "\"\",\"names\":[\"web\"],\"namespace\":\"\",\"use_as_module_input\":true}},"
#define BASE                                                                           \
    BUFFER SERVICES                                                                    \
        "\"description\":\"d\",\"enabled\":true,\"module\":\"m\"," INPUT BASE_END

static int merge(const char *patch, struct task_json *out, struct err *err)
{
    struct buf base;
    buf_init(&base);
    buf_put(&base, BASE, strlen(BASE));
    int rc =
        task_json_merge(&base, patch, strlen(patch), &task_defaults_standard, out, err);
    buf_close(&base);
    return rc;
}

static void a_patch_changes_what_it_names_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *patch;
        const char *text; /* without enabled */
        bool enabled;
    } rows[] = {
        {"{}", BUFFER SERVICES "\"description\":\"d\",\"module\":\"m\"," INPUT BASE_END,
         true},
        {"{\"enabled\":false,\"description\":null}",
         BUFFER SERVICES "\"description\":\"\",\"module\":\"m\"," INPUT BASE_END,
         false},
        {"{\"module\":\"<x>\",\"variables\":{\"b\":null,\"c\":\"3\"}}",
         BUFFER SERVICES "\"description\":\"d\",\"module\":\"\\u003cx\\u003e\"," INPUT
                         "\"variables\":{\"a\":\"1\",\"c\":\"3\"},\"version\":\"\"}",
         true},
        {"{\"condition\":{\"services\":null,\"schedule\":{\"cron\":\"@daily\"}}}",
         "{\"buffer_period\":{\"enabled\":false,\"max\":\"0s\",\"min\":\"0s\"},"
         "\"condition\":{\"schedule\":{\"cron\":\"@daily\"}},\"description\":\"d\","
         "\"module\":\"m\"," INPUT BASE_END,
         true},
        {"{\"variables\":null,\"providers\":[\"p\"],\"enabled\":null}",
         BUFFER SERVICES "\"description\":\"d\",\"module\":\"m\",\"module_input\":{},"
                         "\"name\":\"t\",\"providers\":[\"p\"],\"variables\":{},"
                         "\"version\":\"\"}",
         true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct task_json json;
        struct err err = {.text = ""};
        int rc = merge(rows[i].patch, &json, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(rc, 0);
        assert_int_equal(json.draft.text_len, strlen(rows[i].text));
        assert_memory_equal(json.draft.text, rows[i].text, json.draft.text_len);
        assert_int_equal(json.draft.enabled, rows[i].enabled);
        assert_string_equal(json.name, "t");
        task_json_close(&json);
    }
}

static void what_it_makes_must_be_a_task(void **state)
{
    (void)state;
    static const struct {
        const char *patch;
        const char *error;
        bool form; /* wrong whatever the task */
    } rows[] = {
        {"", "unexpected end of JSON input", true},
        {"[]", "a merge patch of a task must be an object", true},
        {"null", "a merge patch of a task must be an object", true},
        {"{\"name\":\"t\"}",
         "a merge patch cannot change 'name': it is what the path names", true},
        {"{\"name\":null}",
         "a merge patch cannot change 'name': it is what the path names", true},
        {"{\"module\":1.5}", "Error at \"/module\": value must be a string", false},
        {"{\"module\":{\"a\":[null,{\"b\":null},true]}}",
         "Error at \"/module\": value must be a string", false},
        {"{\"module\":null}", "property \"module\" is missing", false},
        {"{\"foo\":1}", "property \"foo\" is unsupported", false},
        {"{\"module\":\"\"}", "module for the task is required", false},
        {"{\"condition\":{\"schedule\":{\"cron\":\"@daily\"}}}",
         "only one condition can be configured, got: services, schedule", false},
        {"{\"condition\":{\"services\":{\"regexp\":\"a\"}}}",
         "regexp and names fields cannot both be unconfigured", false},
        {"{\"providers\":[\"a\",\"a\"]}", "only one provider instance per task", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct task_json json;
        struct err err;
        assert_int_equal(merge(rows[i].patch, &json, &err), ERR_INVALID);
        if (strstr(err.text, rows[i].error) == NULL) {
            fail_msg("%s: %s", rows[i].patch, err.text);
        }
        assert_int_equal(json.name == NULL, rows[i].form);
        task_json_close(&json);
        int rc = task_json_merge(NULL, rows[i].patch, strlen(rows[i].patch),
                                 &task_defaults_standard, &json, &err);
        assert_int_equal(rc, rows[i].form ? ERR_INVALID : 0);
        assert_null(json.name);
        task_json_close(&json);
    }
}

static void many_members_and_a_task_that_grows_too_large(void **state)
{
    (void)state;
    struct buf patch;
    buf_init(&patch);
    buf_printf(&patch, "{\"variables\":{");
    for (int i = 0; i < 4000; i++) {
        buf_printf(&patch, "%s\"v%d\":\"%d\"", i > 0 ? "," : "", i, i);
    }
    buf_printf(&patch, "}}");
    buf_put_u8(&patch, 0);
    struct task_json json;
    struct err err;
    assert_int_equal(merge((const char *)patch.data, &json, &err), 0);
    task_json_close(&json);
    buf_clear(&patch);
    char *long_text = mem_zalloc(LIMIT_BODY_BYTES);
    memset(long_text, 'x', LIMIT_BODY_BYTES - 32);
    buf_printf(&patch, "{\"description\":\"%s\"}", long_text);
    buf_put_u8(&patch, 0);
    assert_int_equal(merge((const char *)patch.data, &json, &err), ERR_TOO_LARGE);
    task_json_close(&json);
    mem_free(long_text);
    buf_close(&patch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_changes_what_it_names_and_nothing_else),
        cmocka_unit_test(what_it_makes_must_be_a_task),
        cmocka_unit_test(many_members_and_a_task_that_grows_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
