/* SPDX-License-Identifier: Apache-2.0 */
/* Jansson reads the same texts beside it: it is another's reading of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/limits.h"
#include "json/jsontext.h"
#include "json/jsonvalue.h"

static const struct jsonvalue *parse(const char *text, size_t len)
{
    const struct jsonvalue *value = NULL;
    struct err err = {0};
    assert_int_equal(jsontext_parse(text, len, JSONTEXT_WHOLE, &value, &err), 0);
    return value;
}

static void same(const struct jsonvalue *ours, json_t *theirs)
{
    size_t i = 0;
    switch (ours->type) {
    case JSONVALUE_NULL:
        assert_true(json_is_null(theirs));
        break;
    case JSONVALUE_FALSE:
        assert_true(json_is_false(theirs));
        break;
    case JSONVALUE_TRUE:
        assert_true(json_is_true(theirs));
        break;
    case JSONVALUE_NUMBER:
        assert_true(json_is_number(theirs));
        assert_true(memcmp(&ours->number, &(double){json_number_value(theirs)},
                           sizeof ours->number) == 0);
        break;
    case JSONVALUE_STRING:
        assert_int_equal(ours->count, json_string_length(theirs));
        assert_string_equal(ours->text, json_string_value(theirs));
        break;
    case JSONVALUE_ARRAY:
        assert_int_equal(jsonvalue_count(ours), json_array_size(theirs));
        for (const struct jsonvalue *at = jsonvalue_first(ours); at; at = at->next) {
            same(at, json_array_get(theirs, i++));
        }
        break;
    case JSONVALUE_OBJECT:
        assert_int_equal(jsonvalue_count(ours), json_object_size(theirs));
        for (const struct jsonvalue *at = jsonvalue_first(ours); at; at = at->next) {
            assert_int_equal(at->key_len, strlen(at->key));
            assert_ptr_equal(jsonvalue_get(ours, at->key), at);
            same(at, json_object_get(theirs, at->key));
        }
        break;
    }
}

static void it_reads_what_another_reader_reads(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        " true ",
        "[false,null,[[]],{}]",
        "-0",
        "[0,-1,1.5,1e3,1E+3,1e-3,12345678901234567890,0.1,1e-999]",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00e9\\u20ac\\uFFFF\\ud83d\\uDE00x\"",
        "\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"",
        "{\"a\":{\"b\":[1,\"x\",{\"c\":null}]},\"\":\"\",\"\\u0061b\":true}",
        "\t{ \"a\" : [ 1 , 2 ] ,\r\n \"b\" : \"c\" } ",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct jsonvalue *ours = parse(texts[i], strlen(texts[i]));
        json_t *theirs =
            json_loads(texts[i], JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
        assert_non_null(theirs);
        same(ours, theirs);
        jsonvalue_free(ours);
        json_decref(theirs);
    }
}

/* {"k0":0,"k1":1,…}, then `last`. */
static struct buf object_of(size_t members, const char *last)
{
    struct buf text;
    buf_init(&text);
    buf_put_u8(&text, '{');
    for (size_t i = 0; i < members; i++) {
        buf_printf(&text, "\"k%zu\":%zu,", i, i);
    }
    buf_printf(&text, "%s}", last);
    return text;
}

static void a_key_twice_is_found_among_few_and_among_many(void **state)
{
    (void)state;
    static const size_t members[] = {1, 2, 14, 15, 16, 17, LIMIT_JSON_VALUES / 2 - 2};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct buf good = object_of(members[i], "\"k\":1");
        const struct jsonvalue *value = parse((const char *)good.data, good.len);
        assert_int_equal(jsonvalue_count(value), members[i] + 1);
        jsonvalue_free(value);
        buf_close(&good);

        struct buf bad = object_of(members[i], "\"\\u006b0\":1");
        struct err err;
        assert_int_equal(
            jsontext_parse(bad.data, bad.len, JSONTEXT_WHOLE, &value, &err),
            ERR_INVALID);
        assert_null(value);
        assert_string_equal(err.text, "duplicate object key \"k0\"");
        buf_close(&bad);
    }
}

static void what_is_not_there_is_nothing(void **state)
{
    (void)state;
    const struct jsonvalue *value = parse("{\"a\":\"b\"}", 9);
    assert_null(jsonvalue_get(value, "b"));
    assert_null(jsonvalue_get(value, "aa"));
    assert_null(jsonvalue_get(value, ""));
    assert_null(jsonvalue_get(jsonvalue_get(value, "a"), "a"));
    assert_null(jsonvalue_first(jsonvalue_get(value, "a")));
    assert_int_equal(jsonvalue_count(jsonvalue_get(value, "a")), 0);
    jsonvalue_free(value);
    assert_null(jsonvalue_get(NULL, "a"));
    assert_null(jsonvalue_first(NULL));
    assert_int_equal(jsonvalue_count(NULL), 0);
    assert_false(jsonvalue_is(NULL, JSONVALUE_NULL));
    assert_false(jsonvalue_is_bool(NULL));
    jsonvalue_free(NULL);
}

static void a_number_past_a_double_is_refused(void **state)
{
    (void)state;
    struct err err;
    const struct jsonvalue *value;
    assert_int_equal(jsontext_parse("[1e999]", 7, JSONTEXT_WHOLE, &value, &err),
                     ERR_INVALID);
    assert_string_equal(err.text, "number 1e999 is out of range");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_what_another_reader_reads),
        cmocka_unit_test(a_key_twice_is_found_among_few_and_among_many),
        cmocka_unit_test(what_is_not_there_is_nothing),
        cmocka_unit_test(a_number_past_a_double_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
