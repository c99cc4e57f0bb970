/* SPDX-License-Identifier: Apache-2.0 */
/* What a program is given of its task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "json/input_json.h"

static void assert_input(const char *text, const char *module, const char *input)
{
    struct input_json made;
    struct err err;
    assert_int_equal(input_json_make(&made, text, strlen(text), &err), 0);
    assert_string_equal(made.module, module);
    assert_string_equal((const char *)made.text.data, input);
    input_json_close(&made);
}

static void test_variables(void **state)
{
    (void)state;
    assert_input("{\"module\":\"./m\",\"name\":\"web\",\"variables\":{}}", "./m",
                 "{\"catalog_services\":{},\"consul_kv\":{},\"services\":[],"
                 "\"task\":\"web\",\"variables\":{}}");
    assert_input(
        "{\"module\":\"/srv/a "
        "\\\"b\\\"\",\"name\":\"w\",\"variables\":{\"a\":\"plain\","
        "\"b\":\"\\\"quoted\\\"\",\"c\":\"true\",\"d\":\"[1, 2]\",\"e\":\"{a=1}\","
        "\"f\":\"\"}}",
        "/srv/a \"b\"",
        "{\"catalog_services\":{},\"consul_kv\":{},\"services\":[],\"task\":\"w\","
        "\"variables\":{\"a\":\"plain\",\"b\":\"quoted\",\"c\":true,\"d\":[1, 2],"
        "\"e\":\"{a=1}\",\"f\":\"\"}}");
}

/* Not JSON as it has to be, so a string: too deep, a key twice, past a double. */
static void test_not_quite_json(void **state)
{
    (void)state;
    assert_input("{\"module\":\"m\",\"name\":\"w\",\"variables\":{"
                 "\"a\":\"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\","
                 "\"b\":\"{\\\"x\\\":1,\\\"x\\\":2}\",\"c\":\"1e999\"}}",
                 "m",
                 "{\"catalog_services\":{},\"consul_kv\":{},\"services\":[],"
                 "\"task\":\"w\",\"variables\":{"
                 "\"a\":\"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\","
                 "\"b\":\"{\\\"x\\\":1,\\\"x\\\":2}\",\"c\":\"1e999\"}}");
}

static void test_no_task(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[]", "{\"name\":\"a\"}", "{\"module\":1}",
                                        "{\"module\":\"m\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct input_json made;
        struct err err;
        assert_int_equal(input_json_make(&made, texts[i], strlen(texts[i]), &err),
                         ERR_INVALID);
        input_json_close(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_not_quite_json),
        cmocka_unit_test(test_no_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
