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
#include "json/jsonvalue.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void parse_fails(const char *text, size_t len, enum jsontext_reader reader,
                        int code, const char *error)
{
    struct err err;
    const struct jsonvalue *value;
    assert_int_equal(jsontext_parse(text, len, reader, &value, &err), code);
    assert_null(value);
    if (error != NULL) {
        assert_string_equal(err.text, error);
    }
}

static void bad_syntax_is_named_in_the_words_of_go(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } bad[] = {
        {"x", "invalid character 'x' looking for beginning of value"},
        {"[1,]", "invalid character ']' looking for beginning of value"},
        {"{,}", "invalid character ',' looking for beginning of object key string"},
        {"{\"a\":1,}",
         "invalid character '}' looking for beginning of object key string"},
        {"{'a':1}",
         "invalid character '\\'' looking for beginning of object key string"},
        {"{\"a\" 1}", "invalid character '1' after object key"},
        {"{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"},
        {"[1 2]", "invalid character '2' after array element"},
        {"{\"a\":1]", "invalid character ']' after object key:value pair"},
        {"\"a\nb\"", "invalid character '\\n' in string literal"},
        {"\"\\x\"", "invalid character 'x' in string escape code"},
        {"\"\\u12x4\"", "invalid character 'x' in \\u hexadecimal character escape"},
        {"-x", "invalid character 'x' in numeric literal"},
        {"1.x", "invalid character 'x' after decimal point in numeric literal"},
        {"1ex", "invalid character 'x' in exponent of numeric literal"},
        {"trux", "invalid character 'x' in literal true (expecting 'e')"},
        {"nuLl", "invalid character 'L' in literal null (expecting 'l')"},
        {"1 2", "invalid character '2' after top-level value"},
        {"012", "invalid character '1' after top-level value"},
        {"{}\x01", "invalid character '\\x01' after top-level value"},
        {"\xc3\xa9", "invalid character '\xc3\x83' looking for beginning of value"},
        {"\xef\xbb\xbf{}",
         "invalid character '\xc3\xaf' looking for beginning of value"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        parse_fails(bad[i].text, strlen(bad[i].text), JSONTEXT_WHOLE, ERR_INVALID,
                    bad[i].error);
        parse_fails(bad[i].text, strlen(bad[i].text), JSONTEXT_STREAM, ERR_INVALID,
                    bad[i].error);
    }
}

static void a_text_that_ends_early_is_named_as_its_reader_does(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1.5e3,true,\"\\u00e9x\",{}]}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        parse_fails(text, len, JSONTEXT_WHOLE, ERR_INVALID,
                    "unexpected end of JSON input");
        parse_fails(text, len, JSONTEXT_STREAM, ERR_INVALID,
                    len == 0 ? "EOF" : "unexpected EOF");
    }
    parse_fails(" \n ", 3, JSONTEXT_STREAM, ERR_INVALID, "EOF");
    parse_fails("\"", 1, JSONTEXT_STREAM, ERR_INVALID, "unexpected EOF");
    const struct jsonvalue *value;
    assert_int_equal(
        jsontext_parse(text, sizeof text - 1, JSONTEXT_WHOLE, &value, NULL), 0);
    jsonvalue_free(value);
}

static void what_a_replica_could_not_keep_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\"\\u0000\"",
        "{\"a\\u0000b\":1}",
        "\"\xff\"",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "\"\xc0\x80\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800\\u0041\"",
        "{\"\\udfff\":1}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
        "[{\"b\":{\"c\":1,\"c\":2}}]",
        "1e999",
        "-1e999",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        parse_fails(bad[i], strlen(bad[i]), JSONTEXT_WHOLE, ERR_INVALID, NULL);
    }
    parse_fails("\"\\ud800x\"", 9, JSONTEXT_WHOLE, ERR_INVALID,
                "invalid surrogate pair in string");
    parse_fails("\"\\ud800\\u0041\"", 14, JSONTEXT_WHOLE, ERR_INVALID,
                "invalid surrogate pair in string");
    parse_fails("\"\\u0000\"", 8, JSONTEXT_WHOLE, ERR_INVALID,
                "invalid NUL character in string");
    parse_fails("\"\xff\"", 3, JSONTEXT_WHOLE, ERR_INVALID, "invalid UTF-8 in string");
    parse_fails("\"a\0b\"", 5, JSONTEXT_WHOLE, ERR_INVALID,
                "invalid character '\\x00' in string literal");
    parse_fails("{}\0", 3, JSONTEXT_WHOLE, ERR_INVALID,
                "invalid character '\\x00' after top-level value");
}

static void what_go_takes_is_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0.0e-0",
        "123456789012345678901234567890",
        "1e-999",
        "\"\\ud83d\\ude00\"",
        "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"",
        " [ ] ",
        "{\"a\":{\"a\":1}}",
        "\"\x7f\xf0\x9f\x98\x80\"",
        "\"\\uFFFF\"",
        "{\"\":0}",
        "null",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        const struct jsonvalue *value;
        assert_int_equal(
            jsontext_parse(good[i], strlen(good[i]), JSONTEXT_WHOLE, &value, NULL), 0);
        assert_non_null(value);
        jsonvalue_free(value);
    }
}

static void depth_is_bounded_at_its_edge(void **state)
{
    (void)state;
    char text[2 * LIMIT_JSON_DEPTH + 2];
    memset(text, '[', LIMIT_JSON_DEPTH);
    memset(text + LIMIT_JSON_DEPTH, ']', LIMIT_JSON_DEPTH);
    const struct jsonvalue *value;
    assert_int_equal(
        jsontext_parse(text, 2 * LIMIT_JSON_DEPTH, JSONTEXT_WHOLE, &value, NULL), 0);
    jsonvalue_free(value);
    memset(text, '[', LIMIT_JSON_DEPTH + 1);
    parse_fails(text, LIMIT_JSON_DEPTH + 1, JSONTEXT_WHOLE, ERR_INVALID,
                "exceeded max depth");
    char *bomb = mem_alloc(LIMIT_BODY_BYTES);
    memset(bomb, '[', LIMIT_BODY_BYTES);
    parse_fails(bomb, LIMIT_BODY_BYTES, JSONTEXT_WHOLE, ERR_INVALID, NULL);
    for (size_t i = 0; i + 5 <= LIMIT_BODY_BYTES; i += 5) {
        memcpy(bomb + i, "{\"a\":", 5);
    }
    parse_fails(bomb, LIMIT_BODY_BYTES, JSONTEXT_WHOLE, ERR_INVALID, NULL);
    mem_free(bomb);
}

static void a_mebibyte_is_read_and_a_byte_more_is_not(void **state)
{
    (void)state;
    char *text = mem_alloc(LIMIT_BODY_BYTES + 1);
    memset(text, 'a', LIMIT_BODY_BYTES + 1);
    text[0] = '"';
    text[LIMIT_BODY_BYTES - 1] = '"';
    const struct jsonvalue *value;
    assert_int_equal(
        jsontext_parse(text, LIMIT_BODY_BYTES, JSONTEXT_WHOLE, &value, NULL), 0);
    assert_int_equal(value->count, LIMIT_BODY_BYTES - 2);
    jsonvalue_free(value);
    parse_fails(text, LIMIT_BODY_BYTES + 1, JSONTEXT_WHOLE, ERR_TOO_LARGE, NULL);
    mem_free(text);
}

/* `values` values in all: an array of ones. */
static char *array_of(size_t values)
{
    char *text = mem_zalloc(2 * values + 1);
    for (size_t i = 0; i + 1 < values; i++) {
        memcpy(text + 2 * i, i == 0 ? "[1" : ",1", 2);
    }
    text[2 * (values - 1)] = ']';
    return text;
}

static void the_number_of_values_is_bounded(void **state)
{
    (void)state;
    char *text = array_of(LIMIT_JSON_VALUES);
    const struct jsonvalue *value;
    assert_int_equal(jsontext_parse(text, strlen(text), JSONTEXT_WHOLE, &value, NULL),
                     0);
    assert_int_equal(jsonvalue_count(value), LIMIT_JSON_VALUES - 1);
    jsonvalue_free(value);
    mem_free(text);
    text = array_of(LIMIT_JSON_VALUES + 1);
    parse_fails(text, strlen(text), JSONTEXT_WHOLE, ERR_TOO_LARGE,
                "JSON text has more than 10000 values");
    mem_free(text);
}

static void put_gives(const char *text, size_t len, const char *expected)
{
    struct buf out;
    buf_init(&out);
    jsontext_put_string(&out, text, len);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    buf_close(&out);
}

static void strings_are_written_as_go_writes_them(void **state)
{
    (void)state;
    put_gives("", 0, "\"\"");
    put_gives("plain", 5, "\"plain\"");
    put_gives("<a>&b", 5, "\"\\u003ca\\u003e\\u0026b\"");
    put_gives("\"\\/", 3, "\"\\\"\\\\/\"");
    put_gives("\b\f\n\r\t\x01\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    put_gives("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9,
              "\"\\u2028\\u2029\xe2\x80\xaa\"");
    put_gives("\xc3\xa9\xff\xc3", 4, "\"\xc3\xa9\\ufffd\\ufffd\"");
    put_gives("a\0b", 3, "\"a\\u0000b\"");
}

static void members_are_found_in_a_compact_object(void **state)
{
    (void)state;
    static const char object[] = "{\"a\":\"}\\\",\\\\\",\"b\":{\"c\":[1,{\"d\":2}],"
                                 "\"e\":\"\"},\"f\":[],\"g\":true}";
    static const struct {
        const char *key;
        const char *value;
    } members[] = {
        {"a", "\"}\\\",\\\\\""},
        {"b", "{\"c\":[1,{\"d\":2}],\"e\":\"\"}"},
        {"f", "[]"},
        {"g", "true"},
        {"c", NULL},
        {"", NULL},
        {"h", NULL},
    };
    for (size_t i = 0; i < COUNT(members); i++) {
        size_t len;
        const char *value =
            jsontext_member(object, sizeof object - 1, members[i].key, &len);
        if (members[i].value == NULL) {
            assert_null(value);
            continue;
        }
        assert_int_equal(len, strlen(members[i].value));
        assert_memory_equal(value, members[i].value, len);
    }
    for (size_t len = 0; len < sizeof object - 1; len++) { /* never past the end */
        size_t member_len;
        char *cut = mem_dup(object, len);
        jsontext_member(cut, len, "nowhere", &member_len);
        mem_free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_syntax_is_named_in_the_words_of_go),
        cmocka_unit_test(a_text_that_ends_early_is_named_as_its_reader_does),
        cmocka_unit_test(what_a_replica_could_not_keep_is_refused),
        cmocka_unit_test(what_go_takes_is_taken),
        cmocka_unit_test(depth_is_bounded_at_its_edge),
        cmocka_unit_test(a_mebibyte_is_read_and_a_byte_more_is_not),
        cmocka_unit_test(the_number_of_values_is_bounded),
        cmocka_unit_test(strings_are_written_as_go_writes_them),
        cmocka_unit_test(members_are_found_in_a_compact_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
