/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "json/task_json.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void whatever_means_true_or_false_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool enabled;
    } list[] = {
        {"{\"enabled\":true}", true},     {"{\"enabled\":false}", false},
        {"{\"Enabled\":true}", true},     {" {\"ENABLED\" : true} \n", true},
        {"{\"enabled\":\"true\"}", true}, {"{\"enabled\":\"T\"}", true},
        {"{\"enabled\":\"0\"}", false},   {"{\"enabled\":\"\"}", false},
        {"{\"enabled\":1}", true},        {"{\"enabled\":0}", false},
        {"{\"enabled\":-0.0}", false},    {"{\"enabled\":0.5}", true},
        {"{\"\\u0065nabled\":2}", true},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        bool enabled = !list[i].enabled;
        assert_int_equal(
            task_json_patch(list[i].body, strlen(list[i].body), &enabled, NULL), 0);
        assert_int_equal(enabled, list[i].enabled);
    }
}

#define MISSING                                                                        \
    "/v1/tasks/:task_name currently only supports the 'enabled' field. Missing "       \
    "'enabled' "                                                                       \
    "from the request body"
#define KEYS   "request body's JSON contains unsupported keys: "
#define INTO   " into Go value of type map[string]interface {}"
#define DECODE "1 error(s) decoding:\n\n* "

static void other_bodies_are_refused_in_the_words_of_cts(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *error;
    } list[] = {
        {"", "unexpected end of JSON input"},
        {"  ", "unexpected end of JSON input"},
        {"{\"enabled\":true", "unexpected end of JSON input"},
        {"x", "invalid character 'x' looking for beginning of value"},
        {"{\"enabled\":true}}", "invalid character '}' after top-level value"},
        {"{}", MISSING},
        {"null", MISSING},
        {"{\"enabled\":null}", MISSING},
        {"{\"name\":\"x\"}", KEYS "name"},
        {"{\"b\":1,\"enabled\":true,\"a\":null}", KEYS "a, b"},
        {"{\"enabled\":null,\"z\":1}", KEYS "z"},
        {"{\"enabled\":true,\"Enabled\":false}", KEYS "Enabled"},
        {"{\"ENABLED\":true,\"Enabled\":false}", KEYS "Enabled"},
        {"[]", "json: cannot unmarshal array" INTO},
        {"\"enabled\"", "json: cannot unmarshal string" INTO},
        {"1", "json: cannot unmarshal number" INTO},
        {"true", "json: cannot unmarshal bool" INTO},
        {"{\"enabled\":\"maybe\"}",
         DECODE "cannot parse 'enabled' as bool: strconv.ParseBool: parsing \"maybe\": "
                "invalid "
                "syntax"},
        {"{\"enabled\":[],\"a\":1}", DECODE
         "'enabled' expected type 'bool', got unconvertible type '[]interface {}'"},
        {"{\"enabled\":{}}", DECODE "'enabled' expected type 'bool', got unconvertible "
                                    "type 'map[string]interface {}'"},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        bool enabled;
        struct err err;
        assert_int_equal(
            task_json_patch(list[i].body, strlen(list[i].body), &enabled, &err),
            ERR_INVALID);
        assert_string_equal(err.text, list[i].error);
    }
}

static void thousands_of_keys_are_refused_in_one_message(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body);
    for (int i = 0; i < 4000; i++) {
        buf_printf(&body, "%s\"k%d\":1", i > 0 ? "," : "{", i);
    }
    buf_put_u8(&body, '}');
    bool enabled;
    struct err err;
    assert_int_equal(task_json_patch(body.data, body.len, &enabled, &err), ERR_INVALID);
    assert_memory_equal(err.text, KEYS "k0, k1, k10, ", strlen(KEYS "k0, k1, k10, "));
    buf_close(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_means_true_or_false_is_taken),
        cmocka_unit_test(other_bodies_are_refused_in_the_words_of_cts),
        cmocka_unit_test(thousands_of_keys_are_refused_in_one_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
