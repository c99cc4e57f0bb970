/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "json/jsontext.h"
#include "json/task_json.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

#define BODY   "request body has an error: "
#define SCHEMA BODY "doesn't match schema #/components/schemas/TaskRequest: "

/* A body whose task has what every task needs, and `more` of it. */
#define TASK(more)                                                                     \
    "{\"task\":{\"name\":\"x\",\"module\":\"m\",\"condition\":{}" more "}}"
#define CONDITION(condition)                                                           \
    "{\"task\":{\"name\":\"x\",\"module\":\"m\",\"condition\":{" condition "}}}"
#define NAMED(name) "{\"task\":{\"name\":" name ",\"module\":\"m\",\"condition\":{}}}"

struct refusal {
    const char *body;
    const char *error;
};

static void create_fails(const char *body, size_t len, int code, const char *error)
{
    struct task_json task;
    struct err err;
    assert_int_equal(task_json_create(body, len, &task_defaults_standard, &task, &err),
                     code);
    if (error != NULL) {
        assert_string_equal(err.text, error);
    }
    task_json_close(&task);
}

static void each_is_refused(const struct refusal *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        create_fails(list[i].body, strlen(list[i].body), ERR_INVALID, list[i].error);
    }
}

static void create_gives(const char *body, const struct task_defaults *defaults,
                         const char *text)
{
    struct task_json task;
    struct err err = {0};
    int rc = task_json_create(body, strlen(body), defaults, &task, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    char *got = mem_strndup(task.draft.text, task.draft.text_len);
    assert_string_equal(got, text);
    mem_free(got);
    task_json_close(&task);
}

static void bodies_that_are_no_json_are_refused(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"", BODY "value is required but missing"},
        {" ", BODY "failed to decode request body: EOF"},
        {"{", BODY "failed to decode request body: unexpected EOF"},
        {"{\"task\":{\"name\":\"a\",}}", BODY
         "failed to decode request body: invalid character '}' looking for beginning "
         "of object key string"},
        {"task",
         BODY "failed to decode request body: invalid character 'a' in literal true "
              "(expecting 'r')"},
    };
    each_is_refused(list, COUNT(list));
}

static void bodies_that_do_not_fit_the_schema_are_refused(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"[]", SCHEMA "value must be an object"},
        {"null", SCHEMA "Value is not nullable"},
        {"1", SCHEMA "value must be an object"},
        {"{}", SCHEMA "Error at \"/task\": property \"task\" is missing"},
        {"{\"foo\":1}", SCHEMA "property \"foo\" is unsupported"},
        {"{\"zoo\":1,\"task\":{}}",
         SCHEMA "Error at \"/task/name\": property \"name\" is missing"},
        {"{\"task\":null}", SCHEMA "Error at \"/task\": Value is not nullable"},
        {"{\"task\":[]}", SCHEMA "Error at \"/task\": value must be an object"},
        {"{\"task\":{\"foo\":1}}",
         SCHEMA "Error at \"/task\": property \"foo\" is unsupported"},
        {"{\"task\":{\"a\":1,\"module\":1}}",
         SCHEMA "Error at \"/task\": property \"a\" is unsupported"},
        {"{\"task\":{\"zz\":1,\"fo\\\"o\":1,\"fz\":1}}",
         SCHEMA "Error at \"/task\": property \"fo\\\"o\" is unsupported"},
        {"{\"task\":{\"name\":\"x\"}}",
         SCHEMA "Error at \"/task/module\": property \"module\" is missing"},
        {"{\"task\":{\"name\":\"x\",\"module\":\"m\"}}",
         SCHEMA "Error at \"/task/condition\": property \"condition\" is missing"},
        {"{\"task\":{\"module\":1}}",
         SCHEMA "Error at \"/task/module\": value must be a string"},
        {"{\"task\":{\"module\":null}}",
         SCHEMA "Error at \"/task/module\": Value is not nullable"},
        {"{\"task\":{\"name\":{},\"module\":1}}",
         SCHEMA "Error at \"/task/module\": value must be a string"},
        {TASK(",\"enabled\":\"true\""),
         SCHEMA "Error at \"/task/enabled\": value must be a boolean"},
        {TASK(",\"enabled\":1"),
         SCHEMA "Error at \"/task/enabled\": value must be a boolean"},
        {TASK(",\"providers\":\"local\""),
         SCHEMA "Error at \"/task/providers\": value must be an array"},
        {TASK(",\"providers\":[\"a\",1]"),
         SCHEMA "Error at \"/task/providers/1\": value must be a string"},
        {TASK(",\"providers\":[null]"),
         SCHEMA "Error at \"/task/providers/0\": Value is not nullable"},
        {TASK(",\"variables\":{\"b\":1,\"a\":true}"),
         SCHEMA "Error at \"/task/variables/a\": value must be a string"},
        {TASK(",\"variables\":{\"b\":null}"),
         SCHEMA "Error at \"/task/variables/b\": Value is not nullable"},
        {TASK(",\"variables\":[]"),
         SCHEMA "Error at \"/task/variables\": value must be an object"},
        {TASK(",\"buffer_period\":{\"min\":5}"),
         SCHEMA "Error at \"/task/buffer_period/min\": value must be a string"},
        {TASK(",\"working_dir\":\"x\""),
         SCHEMA "Error at \"/task\": property \"working_dir\" is unsupported"},
        {TASK(",\"variable_files\":[]"),
         SCHEMA "Error at \"/task\": property \"variable_files\" is unsupported"},
        {TASK(",\"module_input\":{\"schedule\":{}}"), SCHEMA
         "Error at \"/task/module_input\": property \"schedule\" is unsupported"},
        {TASK(",\"module_input\":{\"consul_kv\":{}}"),
         SCHEMA "Error at \"/task/module_input/consul_kv/path\": property \"path\" is "
                "missing"},
        {TASK(",\"module_input\":{\"services\":{\"use_as_module_input\":true}}"),
         SCHEMA "Error at \"/task/module_input/services\": property "
                "\"use_as_module_input\" is unsupported"},
        {CONDITION("\"catalog_services\":{}"), SCHEMA
         "Error at \"/task/condition/catalog_services/regexp\": property \"regexp\" "
         "is missing"},
        {CONDITION("\"schedule\":{}"), SCHEMA
         "Error at \"/task/condition/schedule/cron\": property \"cron\" is missing"},
        {CONDITION("\"consul_kv\":{\"recurse\":true}"), SCHEMA
         "Error at \"/task/condition/consul_kv/path\": property \"path\" is missing"},
        {CONDITION("\"services\":{\"names\":[\"a\"],\"regex\":\"\"}"), SCHEMA
         "Error at \"/task/condition/services\": property \"regex\" is unsupported"},
        {CONDITION("\"services\":{\"cts_user_defined_meta\":{\"a\":1}}"), SCHEMA
         "Error at \"/task/condition/services/cts_user_defined_meta/a\": value must "
         "be a string"},
        {CONDITION("\"services\":null"),
         SCHEMA "Error at \"/task/condition/services\": Value is not nullable"},
    };
    each_is_refused(list, COUNT(list));
}

#define NAME_RULE                                                                      \
    "a task name must start with a letter or underscore and may contain only "         \
    "letters, "                                                                        \
    "digits, underscores, and dashes: "
#define ENTERPRISE(key)                                                                \
    "unsupported configuration '" key                                                  \
    "' for task \"x\". This option is available for "                                  \
    "Consul-Terraform-Sync Enterprise when using the Terraform Cloud driver"

static void tasks_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {NAMED("\"\""), "unique name for the task is required"},
        {NAMED("\"1x\""), NAME_RULE "\"1x\""},
        {NAMED("\"a b\""), NAME_RULE "\"a b\""},
        {NAMED("\"a/b\""), NAME_RULE "\"a/b\""},
        {NAMED("\"a\\nb\""), NAME_RULE "\"a\\nb\""},
        {"{\"task\":{\"name\":\"x\",\"module\":\"\",\"condition\":{}}}",
         "module for the task is required"},
        {TASK(",\"terraform_version\":\"1.0\""),
         ENTERPRISE("terraform_version") ", or configure the Terraform client version "
                                         "within the Terraform driver block"},
        {TASK(",\"terraform_cloud_workspace\":{}"),
         ENTERPRISE("terraform_cloud_workspace")},
        {TASK(",\"providers\":[\"a\",\"b\",\"a.x\"]"),
         "only one provider instance per task"},
        {TASK(",\"providers\":[\"a\",\"a\"]"), "only one provider instance per task"},
        {TASK(",\"buffer_period\":{\"min\":\"x\"}"),
         "error with task configuration: time: invalid duration \"x\""},
        {TASK(",\"buffer_period\":{\"max\":\"5\"}"),
         "error with task configuration: time: missing unit in duration \"5\""},
        {TASK(",\"buffer_period\":{\"min\":\"-5s\"}"),
         "buffer_period: cannot be negative"},
        {TASK(",\"buffer_period\":{\"enabled\":false,\"max\":\"-1ns\"}"),
         "buffer_period: cannot be negative"},
    };
    each_is_refused(list, COUNT(list));
}

#define SERVICES_BLOCK "error validating `condition \"services\"` block: "
#define BOTH(kind)                                                                     \
    "task's condition block and module_input block both monitor \"" kind               \
    "\" variable type. condition and module_input variable type must be unique"

static void conditions_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {CONDITION("\"services\":{}"),
         SERVICES_BLOCK "either the regexp or names field must be configured"},
        {CONDITION("\"services\":{\"names\":[]}"),
         SERVICES_BLOCK "either the regexp or names field must be configured"},
        {CONDITION("\"services\":{\"names\":[\"a\",\"\"]}"), SERVICES_BLOCK
         "names field includes empty string(s). services names cannot be empty"},
        {CONDITION("\"services\":{\"regexp\":\"(a\"}"), SERVICES_BLOCK
         "unable to compile services regexp: error parsing regexp: missing "
         "closing ): `(a`"},
        {CONDITION("\"catalog_services\":{\"regexp\":\"*\"}"),
         "unable to compile catalog-services 'regexp': error parsing regexp: missing "
         "argument to repetition operator: `*`"},
        {CONDITION("\"consul_kv\":{\"path\":\"\"}"),
         "path is required for consul-kv condition"},
        {CONDITION("\"schedule\":{\"cron\":\"\"}"),
         "cron config is required for schedule condition"},
        {CONDITION("\"schedule\":{\"cron\":\"* *\"}"),
         "unable to parse schedule condition's cron config \"* *\": missing field(s). "
         "for "
         "more information on writing cron expressions, see "
         "https://github.com/hashicorp/cronexpr"},
        {CONDITION(
             "\"services\":{\"names\":[\"a\"]},\"schedule\":{\"cron\":\"@daily\"}"),
         "only one condition can be configured, got: services, schedule"},
        {CONDITION(
             "\"schedule\":{\"cron\":\"\"},\"catalog_services\":{\"regexp\":\"\"},"
             "\"services\":{},\"consul_kv\":{\"path\":\"\"}"),
         "only one condition can be configured, got: services, consul_kv, "
         "catalog_services, schedule"},
        {"{\"task\":{\"name\":\"x\",\"module\":\"m\",\"condition\":{\"services\":{"
         "\"names\":["
         "\"a\"]}},\"module_input\":{\"services\":{\"names\":[\"b\"]}}}}",
         BOTH("services")},
        {"{\"task\":{\"name\":\"x\",\"module\":\"m\",\"condition\":{\"consul_kv\":{"
         "\"path\":"
         "\"a\"}},\"module_input\":{\"consul_kv\":{\"path\":\"b\"}}}}",
         BOTH("consul_kv")},
        {TASK(",\"module_input\":{\"services\":{}}"),
         "error validating `module_input \"services\"` block: either the regexp or "
         "names "
         "field must be configured"},
        {TASK(",\"module_input\":{\"consul_kv\":{\"path\":\"\"}}"),
         "path is required for consul-kv module_input"},
    };
    each_is_refused(list, COUNT(list));
}

#define HEAD(buffer, condition)                                                        \
    "{\"buffer_period\":{" buffer "},\"condition\":{" condition                        \
    "},\"description\":\"\","
#define TAIL                                                                           \
    "\"module\":\"m\",\"module_input\":{},\"name\":\"x\",\"providers\":[],"            \
    "\"variables\":{},\"version\":\"\"}"
#define BUFFER(max, min) "\"enabled\":true,\"max\":\"" max "\",\"min\":\"" min "\""
#define BUFFER_OFF       "\"enabled\":false,\"max\":\"0s\",\"min\":\"0s\""

static void every_kind_of_condition_is_completed(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *text;
    } list[] = {
        {TASK(""), HEAD(BUFFER("20s", "5s"), "") TAIL},
        {CONDITION("\"services\":{\"names\":[\"web\",\"api\"]}"),
         HEAD(BUFFER("20s", "5s"), "\"services\":{\"cts_user_defined_meta\":{},"
                                   "\"datacenter\":\"\",\"filter\":"
                                   "\"\",\"names\":[\"api\",\"web\"],\"namespace\":"
                                   "\"\",\"use_as_module_input\":"
                                   "true}") TAIL},
        {CONDITION("\"services\":{\"regexp\":\"\",\"names\":[],\"filter\":\"a<b\","
                   "\"cts_user_defined_meta\":{\"z\":null,\"a\":\"1\"},"
                   "\"use_as_module_input\":false}"),
         HEAD(BUFFER("20s", "5s"),
              "\"services\":{\"cts_user_defined_meta\":{\"a\":\"1\",\"z\":\"\"},"
              "\"datacenter\":\"\",\"filter\":\"a\\u003cb\",\"namespace\":\"\","
              "\"regexp\":"
              "\"\",\"use_as_module_input\":false}") TAIL},
        {CONDITION("\"services\":{\"regexp\":\"(\",\"names\":[\"a\"]}"), /* names win */
         HEAD(BUFFER("20s", "5s"),
              "\"services\":{\"cts_user_defined_meta\":{},\"datacenter\":\"\","
              "\"filter\":"
              "\"\",\"names\":[\"a\"],\"namespace\":\"\",\"use_as_module_input\":true}")
             TAIL},
        {CONDITION(
             "\"catalog_services\":{\"regexp\":\"\",\"node_meta\":{\"k\":\"v\"}}"),
         HEAD(BUFFER("20s", "5s"),
              "\"catalog_services\":{\"datacenter\":\"\",\"namespace\":\"\",\"node_"
              "meta\":{"
              "\"k\":\"v\"},\"regexp\":\"\",\"use_as_module_input\":true}") TAIL},
        {CONDITION("\"consul_kv\":{\"path\":\"p\",\"namespace\":\"n\",\"recurse\":null,"
                   "\"use_as_module_input\":null}"),
         HEAD(BUFFER("20s", "5s"),
              "\"consul_kv\":{\"datacenter\":\"\",\"namespace\":\"n\",\"path\":\"p\","
              "\"recurse\":false,\"use_as_module_input\":true}") TAIL},
        {CONDITION("\"schedule\":{\"cron\":\"*/10 * * * * * *\"}"),
         HEAD(BUFFER_OFF, "\"schedule\":{\"cron\":\"*/10 * * * * * *\"}") TAIL},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        create_gives(list[i].body, &task_defaults_standard, list[i].text);
    }
}

static void a_module_input_is_completed(void **state)
{
    (void)state;
    create_gives(
        TASK(",\"module_input\":{\"services\":{\"regexp\":\"^a\"},\"consul_kv\":{"
             "\"path\":"
             "\"p\",\"recurse\":true}}"),
        &task_defaults_standard,
        HEAD(
            BUFFER("20s", "5s"),
            "") "\"module\":\"m\",\"module_input\":{\"consul_kv\":{\"datacenter\":\"\","
                "\"namespace\":\"\",\"path\":\"p\",\"recurse\":true},\"services\":{"
                "\"cts_user_defined_meta\":{},\"datacenter\":\"\",\"filter\":\"\","
                "\"namespace\":"
                "\"\",\"regexp\":\"^a\"}},\"name\":\"x\",\"providers\":[],"
                "\"variables\":{},"
                "\"version\":\"\"}");
}

static void the_buffer_period_is_given_or_inherited(void **state)
{
    (void)state;
    static const struct task_defaults off = {.buffer_enabled = false};
    static const struct task_defaults slow = {true, INT64_C(60000000000),
                                              INT64_C(90000000000)};
    static const struct {
        const char *given;
        const struct task_defaults *defaults;
        const char *text;
    } list[] = {
        {"", &slow, BUFFER("1m30s", "1m0s")},
        {"\"enabled\":true", &slow, BUFFER("1m30s", "1m0s")},
        {"\"min\":\"2m\"", &slow, BUFFER("2m0s", "2m0s")},
        {"\"max\":\"30s\"", &slow, BUFFER("1m0s", "1m0s")},
        {"\"min\":\"1500ms\",\"max\":\"1h\"", &slow, BUFFER("1h0m0s", "1.5s")},
        {"\"min\":\"10s\",\"max\":\"5s\"", &slow, BUFFER("10s", "10s")},
        {"\"enabled\":false,\"min\":\"10s\"", &slow, BUFFER_OFF},
        {"", &off, BUFFER_OFF},
        {"\"enabled\":true,\"min\":\"3s\"", &off, BUFFER("3s", "3s")},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        char *body = mem_printf(TASK(",\"buffer_period\":{%s}"), list[i].given);
        char *text = mem_printf(HEAD("%s", "") TAIL, list[i].text);
        create_gives(body, list[i].defaults, text);
        mem_free(body);
        mem_free(text);
    }
}

static void how_far_a_refused_body_came_is_told(void **state)
{
    (void)state;
    struct task_json task;
    static const char no_schema[] = "{\"task\":{\"name\":\"x\"}}";
    assert_int_equal(task_json_create(no_schema, sizeof no_schema - 1,
                                      &task_defaults_standard, &task, NULL),
                     ERR_INVALID);
    assert_null(task.name);
    task_json_close(&task);
    static const char no_rule[] = CONDITION("\"services\":{}");
    assert_int_equal(task_json_create(no_rule, sizeof no_rule - 1,
                                      &task_defaults_standard, &task, NULL),
                     ERR_INVALID);
    assert_string_equal(task.name, "x");
    task_json_close(&task);
}

static void enabled_is_true_unless_given_and_never_in_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool given;
        bool enabled;
    } list[] = {
        {TASK(""), false, true},
        {TASK(",\"enabled\":true"), true, true},
        {TASK(",\"enabled\":false"), true, false},
        {TASK(",\"enabled\":null"), false, true},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        struct task_json json;
        assert_int_equal(task_json_create(list[i].body, strlen(list[i].body),
                                          &task_defaults_standard, &json, NULL),
                         0);
        assert_int_equal(json.enabled_given, list[i].given);
        assert_int_equal(json.draft.enabled, list[i].enabled);
        struct task *task = task_new(&json.draft, 1, 1);
        struct buf out;
        buf_init(&out);
        task_json_put(&out, task);
        buf_put_u8(&out, '\0');
        char *expected =
            mem_printf(HEAD(BUFFER("20s", "5s"), "") "\"enabled\":%s," TAIL,
                       list[i].enabled ? "true" : "false");
        assert_string_equal((char *)out.data, expected);
        mem_free(expected);
        buf_close(&out);
        task_unref(task);
        task_json_close(&json);
    }
}

static void the_canonical_text_gives_itself(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        TASK(""),
        TASK(",\"buffer_period\":{\"min\":\"1h1ms\",\"max\":\"2h0.000000001s\"}"),
        TASK(",\"buffer_period\":{\"enabled\":false}"),
        TASK(",\"description\":\"\\u0001\\\"\\\\</\\u2028\\ud83d\\ude00\""),
        TASK(",\"variables\":{\"b\":\"\\\"x\\\"\",\"a\":\"[1,2]\",\"\":\"\"}"),
        CONDITION("\"services\":{\"names\":[\"b\",\"a\",\"b\"],\"filter\":\"x & y\"}"),
        CONDITION("\"services\":{\"regexp\":\"a<b\"}"),
        CONDITION("\"schedule\":{\"cron\":\"@hourly\"}"),
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct task_json first;
        struct task_json second;
        struct err err;
        static const struct task_defaults other = {true, 1, 2};
        assert_int_equal(task_json_create(bodies[i], strlen(bodies[i]),
                                          &task_defaults_standard, &first, NULL),
                         0);
        assert_int_equal(task_json_create_bare(first.text.data, first.text.len, &other,
                                               &second, &err),
                         0);
        assert_int_equal(first.text.len, second.text.len);
        assert_memory_equal(first.text.data, second.text.data, first.text.len);
        assert_int_equal(first.draft.enabled_at, second.draft.enabled_at);
        task_json_close(&first);
        task_json_close(&second);
    }
}

static void a_configuration_must_choose_between_names_and_regexp(void **state)
{
    (void)state;
    static const char task[] =
        "{\"name\":\"x\",\"module\":\"m\",\"condition\":{\"services\":{"
        "\"names\":[\"a\"],\"regexp\":\"a\"}}}";
    struct task_json json;
    struct err err;
    assert_int_equal(task_json_create_bare(task, sizeof task - 1,
                                           &task_defaults_standard, &json, &err),
                     ERR_INVALID);
    assert_string_equal(
        err.text, SERVICES_BLOCK
        "regexp and names fields cannot both be unconfigured. If both are needed, "
        "consider "
        "including the list of names as part of the regex or creating separate tasks");
    task_json_close(&json);
}

static void names_have_at_most_128_bytes(void **state)
{
    (void)state;
    char name[LIMIT_NAME_BYTES + 2];
    memset(name, 'a', sizeof name);
    name[LIMIT_NAME_BYTES + 1] = '\0';
    char *body = mem_printf(NAMED("\"%s\""), name);
    create_fails(body, strlen(body), ERR_INVALID,
                 "a task name must have at most 128 bytes, this one has 129");
    mem_free(body);
    name[LIMIT_NAME_BYTES] = '\0';
    body = mem_printf(NAMED("\"%s\""), name);
    struct task_json task;
    assert_int_equal(
        task_json_create(body, strlen(body), &task_defaults_standard, &task, NULL), 0);
    assert_int_equal(task.draft.name_len, LIMIT_NAME_BYTES);
    task_json_close(&task);
    mem_free(body);
}

/* `count` bytes `fill` as the description. */
static char *body_with_description(size_t count, char fill)
{
    char *description = mem_zalloc(count + 1);
    memset(description, fill, count);
    char *body = mem_printf(TASK(",\"description\":\"%s\""), description);
    mem_free(description);
    return body;
}

static void a_body_may_be_large_but_not_its_text_larger(void **state)
{
    (void)state;
    char *body = body_with_description(LIMIT_BODY_BYTES - 1000, 'd');
    struct task_json task;
    assert_int_equal(
        task_json_create(body, strlen(body), &task_defaults_standard, &task, NULL), 0);
    task_json_close(&task);
    mem_free(body);
    body = body_with_description(LIMIT_BODY_BYTES / 4, '<'); /* six bytes each */
    create_fails(body, strlen(body), ERR_TOO_LARGE, NULL);
    mem_free(body);
    body = body_with_description(LIMIT_BODY_BYTES, 'd');
    create_fails(body, strlen(body), ERR_TOO_LARGE, NULL);
    mem_free(body);
}

static void thousands_of_keys_and_long_ones_do_no_harm(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body);
    buf_printf(&body, "{\"task\":{");
    for (int i = 0; i < 4000; i++) {
        buf_printf(&body, "%s\"k%d\":1", i > 0 ? "," : "", i);
    }
    buf_printf(&body, "}}");
    create_fails((const char *)body.data, body.len, ERR_INVALID,
                 SCHEMA "Error at \"/task\": property \"k0\" is unsupported");
    buf_clear(&body);
    buf_printf(&body, "{\"task\":{\"");
    while (body.len < LIMIT_BODY_BYTES - 100) {
        buf_printf(&body, "\xc3\xa9");
    }
    buf_printf(&body, "\":1}}");
    struct err err;
    struct task_json task;
    assert_int_equal(
        task_json_create(body.data, body.len, &task_defaults_standard, &task, &err),
        ERR_INVALID);
    assert_non_null(strstr(err.text, "is unsupported"));
    task_json_close(&task);
    buf_close(&body);
}

static void every_cut_of_a_body_is_refused_without_a_leak(void **state)
{
    (void)state;
    static const char body[] = TASK(
        ",\"module_input\":{\"services\":{\"names\":[\"a\"]}},\"providers\":[\"p\"],"
        "\"variables\":{\"a\":\"1\"},\"buffer_period\":{\"min\":\"5s\"}");
    for (size_t len = 0; len < sizeof body - 1; len++) {
        create_fails(body, len, ERR_INVALID, NULL);
    }
    for (size_t at = 0; at < sizeof body - 1; at++) {
        char changed[sizeof body];
        memcpy(changed, body, sizeof body);
        for (int byte = 0; byte < 256; byte += 3) {
            changed[at] = (char)byte;
            struct task_json task;
            task_json_create(changed, sizeof body - 1, &task_defaults_standard, &task,
                             NULL);
            task_json_close(&task);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_that_are_no_json_are_refused),
        cmocka_unit_test(bodies_that_do_not_fit_the_schema_are_refused),
        cmocka_unit_test(tasks_that_break_a_rule_are_refused),
        cmocka_unit_test(conditions_that_break_a_rule_are_refused),
        cmocka_unit_test(every_kind_of_condition_is_completed),
        cmocka_unit_test(a_module_input_is_completed),
        cmocka_unit_test(the_buffer_period_is_given_or_inherited),
        cmocka_unit_test(how_far_a_refused_body_came_is_told),
        cmocka_unit_test(enabled_is_true_unless_given_and_never_in_the_text),
        cmocka_unit_test(the_canonical_text_gives_itself),
        cmocka_unit_test(a_configuration_must_choose_between_names_and_regexp),
        cmocka_unit_test(names_have_at_most_128_bytes),
        cmocka_unit_test(a_body_may_be_large_but_not_its_text_larger),
        cmocka_unit_test(thousands_of_keys_and_long_ones_do_no_harm),
        cmocka_unit_test(every_cut_of_a_body_is_refused_without_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
