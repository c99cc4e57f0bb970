/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "text/cron.h"
#include "text/duration.h"
#include "text/name.h"
#include "text/quote.h"
#include "text/regexp.h"
#include "text/rfc3339.h"
#include "text/utf8.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void durations_are_read_as_go_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        const char *printed;
    } good[] = {
        {"0", 0, "0s"},
        {"-0", 0, "0s"},
        {"5s", 5000000000, "5s"},
        {"1m", 60000000000, "1m0s"},
        {"1.5s", 1500000000, "1.5s"},
        {"1h15m30.918s", 4530918000000, "1h15m30.918s"},
        {".5m", 30000000000, "30s"},
        {"5.s", 5000000000, "5s"},
        {"+2h", 7200000000000, "2h0m0s"},
        {"-1.5h", -5400000000000, "-1h30m0s"},
        {"100ns", 100, "100ns"},
        {"1\xc2\xb5s", 1000, "1\xc2\xb5s"},
        {"1\xce\xbcs", 1000, "1\xc2\xb5s"},
        {"1.1us", 1100, "1.1\xc2\xb5s"},
        {"2500us", 2500000, "2.5ms"},
        {"0.100000000000000000000000s", 100000000, "100ms"},
        {"9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s"},
        {"-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ns;
        char text[DURATION_TEXT_SIZE];
        assert_int_equal(duration_parse(good[i].text, strlen(good[i].text), &ns, NULL),
                         0);
        assert_true(ns == good[i].ns);
        assert_string_equal(duration_format(ns, text), good[i].printed);
        assert_int_equal(duration_parse(text, strlen(text), &ns, NULL), 0);
        assert_true(ns == good[i].ns);
    }
}

static void wrong_durations_are_refused_in_the_words_of_go(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } bad[] = {
        {"", "time: invalid duration \"\""},
        {"x", "time: invalid duration \"x\""},
        {"-", "time: invalid duration \"-\""},
        {".", "time: invalid duration \".\""},
        {".s", "time: invalid duration \".s\""},
        {"5", "time: missing unit in duration \"5\""},
        {"1m5", "time: missing unit in duration \"1m5\""},
        {"5y", "time: unknown unit \"y\" in duration \"5y\""},
        {"5 s", "time: unknown unit \" s\" in duration \"5 s\""},
        {"1\"\\s", "time: unknown unit \"\\\"\\\\s\" in duration \"1\\\"\\\\s\""},
        {"3\xc3\xa9", "time: unknown unit \"\\xc3\\xa9\" in duration \"3\\xc3\\xa9\""},
        {"9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""},
        {"18446744073709551617ns", "time: invalid duration \"18446744073709551617ns\""},
        {"3000000h", "time: invalid duration \"3000000h\""},
        {"99999999999999999999s", "time: invalid duration \"99999999999999999999s\""},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ns;
        struct err err;
        int rc = duration_parse(bad[i].text, strlen(bad[i].text), &ns, &err);
        assert_int_equal(rc, ERR_INVALID);
        assert_string_equal(err.text, bad[i].error);
    }
}

static void cron_lines_of_every_kind_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "* * * * *",        "*/10 * * * * * *",  "0 0 * * MON-fri",
        "@hourly",          " @daily ",          "0 0 L * *",
        "0 0 LW,15W * *",   "0 0 * * 5L",        "0 0 * * mon#2",
        "0 0 * * sunday#5", "1,2,5-9/2 * * * *", "0 0 1 jan ? 2030",
        "* * * * * 1970",   "0 0 0 1 1 * 2099",  "1,,2 * * * *",
        "5-1 * * * *",      "* * * * * * * x",   "00 09 01 september 07",
        "\t0\n0 * * *",     "@yearly and more",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(cron_check(good[i], strlen(good[i]), NULL), 0);
    }
}

static void wrong_cron_lines_are_refused_with_their_field(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } bad[] = {
        {"", "missing field(s)"},
        {"* * * *", "missing field(s)"},
        {"@reboot", "missing field(s)"},
        {"60 * * * *", "syntax error in minute field: '60'"},
        {"* 24 * * *", "syntax error in hour field: '24'"},
        {"* * 0 * *", "syntax error in day-of-month field: '0'"},
        {"* * * 13 *", "syntax error in month field: '13'"},
        {"* * * * 8", "syntax error in day-of-week field: '8'"},
        {"* * * * L", "syntax error in day-of-week field: 'L'"},
        {"* * * * 5#6", "syntax error in day-of-week field: '5#6'"},
        {"* * 0W * *", "syntax error in day-of-month field: '0W'"},
        {"L * * * *", "syntax error in minute field: 'L'"},
        {"* * * * * 1969", "syntax error in year field: '1969'"},
        {"61 * * * * * *", "syntax error in second field: '61'"},
        {"*/0 * * * *", "invalid interval */0"},
        {"*/60 * * * *", "invalid interval */60"},
        {"* * * * MON/7", "invalid interval mon/7"},
        {"5/ * * * *", "syntax error in minute field: '5/'"},
        {"1-x/3 * * * *", "syntax error in minute field: '1-x/3'"},
        {", * * * *", "minute field: missing directive"},
        {"x,*/0 * * * *", "invalid interval */0"},
        {"*/99999999999999999999 * * * *", "invalid interval */99999999999999999999"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err;
        int rc = cron_check(bad[i].text, strlen(bad[i].text), &err);
        assert_int_equal(rc, ERR_INVALID);
        assert_string_equal(err.text, bad[i].error);
    }
}

static void regular_expressions_of_go_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "web.*",
        "^(api|web)-\\d+$",
        "(?i)abc",
        "a*?b+?c??",
        "[^a-z\\d]",
        "[]a]",
        "[[:alpha:]_]",
        "\\pL\\PN",
        "\\p{Greek}\\p{^Lu}",
        "(?P<n>a)",
        "(?<n>a)",
        "(?s-i:a.b)",
        "a{2,5}?",
        "a{,2}",
        "a{",
        "\\Q*+(\\E*",
        "\\x{10ffff}\\x41",
        "\\07\\123",
        "\\A\\bfoo\\B\\z",
        "()*",
        "a|",
        "(a{10}){100}",
        "(a|b{0})*",
        "[a\\-z]",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(regexp_check(good[i], strlen(good[i]), NULL), 0);
    }
}

static void wrong_expressions_are_refused_in_the_words_of_go(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error; /* behind "error parsing regexp: " */
    } bad[] = {
        {"(abc", "missing closing ): `(abc`"},
        {"abc)", "unexpected ): `abc)`"},
        {"x[abc", "missing closing ]: `[abc`"},
        {"[z-a]", "invalid character class range: `z-a`"},
        {"[[:foo:]]", "invalid character class range: `[:foo:]`"},
        {"\\p{Nowhere}", "invalid character class range: `\\p{Nowhere}`"},
        {"*a", "missing argument to repetition operator: `*`"},
        {"(|+)", "missing argument to repetition operator: `+`"},
        {"a**", "invalid nested repetition operator: `**`"},
        {"a{1,2}*", "invalid nested repetition operator: `{1,2}*`"},
        {"a{1001}", "invalid repeat count: `{1001}`"},
        {"a{5,2}", "invalid repeat count: `{5,2}`"},
        {"((a{100}){10}){2}", "invalid repeat count: `{2}`"},
        {"a\\", "trailing backslash at end of expression: ``"},
        {"\\1", "invalid escape sequence: `\\1`"},
        {"\\y", "invalid escape sequence: `\\y`"},
        {"\\x{110000}", "invalid escape sequence: `\\x{110000`"},
        {"(?=a)", "invalid or unsupported Perl syntax: `(?=`"},
        {"(?", "invalid or unsupported Perl syntax: `(?`"},
        {"(?P<a b>c)", "invalid named capture: `(?P<a b>`"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err;
        int rc = regexp_check(bad[i].text, strlen(bad[i].text), &err);
        assert_int_equal(rc, ERR_INVALID);
        assert_memory_equal(err.text, "error parsing regexp: ", 22);
        assert_string_equal(err.text + 22, bad[i].error);
    }
}

static void groups_nested_without_end_are_refused(void **state)
{
    (void)state;
    char text[5000];
    memset(text, '(', sizeof text);
    struct err err;
    assert_int_equal(regexp_check(text, sizeof text, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "expression nests too deeply"));
    assert_int_equal(regexp_check("\xff", 1, &err), ERR_INVALID);
    char *big = mem_zalloc(64 * 1024 + 2);
    memset(big, 'a', 64 * 1024 + 1);
    assert_int_equal(regexp_check(big, 64 * 1024, &err), 0);
    assert_int_equal(regexp_check(big, 64 * 1024 + 1, &err), ERR_INVALID);
    assert_int_equal(cron_check(big, 4097, &err), ERR_INVALID);
    mem_free(big);
}

static void names_are_identifiers_in_every_script(void **state)
{
    (void)state;
    static const char *const good[] = {"a",
                                       "_",
                                       "task-a",
                                       "Z9_",
                                       "_1",
                                       "\xc3\xa9t\xc3\xa9",        /* été */
                                       "\xe6\x97\xa5\xe6\x9c\xac", /* 日本 */
                                       "a\xcc\x81" /* a and a combining accent */};
    static const char *const bad[] = {"",
                                      "1x",
                                      "-a",
                                      "a b",
                                      "a.b",
                                      "a/b",
                                      "a\n",
                                      "\xff",
                                      "a\xc3",
                                      "\314\201a",
                                      "\xe2\x82\xac",
                                      "\xf0\x9f\x98\x80",
                                      "a\xef\xbf\xbd"};
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(name_is_identifier(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(name_is_identifier(bad[i], strlen(bad[i])));
    }
    assert_false(name_is_identifier("a\0b", 3));
}

static void utf8_is_decoded_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80",
                                      "\xff"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint32_t rune;
        assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &rune), 1);
        assert_int_equal(rune, UTF8_REPLACEMENT);
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    }
    for (uint32_t rune = 0; rune <= 0x10ffff; rune++) {
        if (rune == 0xd800) {
            rune = 0xe000;
        }
        char bytes[4];
        uint32_t back;
        size_t size = utf8_encode(rune, bytes);
        assert_int_equal(utf8_decode(bytes, size, &back), size);
        assert_int_equal(back, rune);
    }
}

static void text_is_quoted_as_go_quotes(void **state)
{
    (void)state;
    static const char text[] = "a\"\\\n\x01\x7f\xff\xc3\xa9\xe2\x80\xa8";
    char *quoted = quote_text(text, sizeof text - 1);
    assert_string_equal(quoted, "\"a\\\"\\\\\\n\\x01\\x7f\\xff\xc3\xa9\\u2028\"");
    mem_free(quoted);
    char *big = mem_zalloc(100000);
    memset(big, 'x', 99999);
    quoted = quote_text(big, 99999);
    assert_true(strlen(quoted) < 200);
    mem_free(quoted);
    mem_free(big);
}

static void moments_are_rfc3339(void **state)
{
    (void)state;
    char text[RFC3339_TEXT_SIZE];
    assert_string_equal(rfc3339_format_ms(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(rfc3339_format_ms(1767225600007, text),
                        "2026-01-01T00:00:00.007Z");
    assert_string_equal(rfc3339_format_ms(951782399999, text),
                        "2000-02-28T23:59:59.999Z");
    assert_string_equal(rfc3339_format_ms(UINT64_MAX, text),
                        "9999-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_as_go_reads_them),
        cmocka_unit_test(wrong_durations_are_refused_in_the_words_of_go),
        cmocka_unit_test(cron_lines_of_every_kind_are_taken),
        cmocka_unit_test(wrong_cron_lines_are_refused_with_their_field),
        cmocka_unit_test(regular_expressions_of_go_are_taken),
        cmocka_unit_test(wrong_expressions_are_refused_in_the_words_of_go),
        cmocka_unit_test(groups_nested_without_end_are_refused),
        cmocka_unit_test(names_are_identifiers_in_every_script),
        cmocka_unit_test(utf8_is_decoded_strictly),
        cmocka_unit_test(text_is_quoted_as_go_quotes),
        cmocka_unit_test(moments_are_rfc3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
