/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/id.h"

static void an_error_has_a_code_and_a_sentence(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_NOT_FOUND, "no task '%s'", "web"),
                     ERR_NOT_FOUND);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "no task 'web'");
    assert_int_equal(err_prefix(&err, "%s", "n1.json"), ERR_NOT_FOUND);
    assert_string_equal(err.text, "n1.json: no task 'web'");
    assert_int_equal(err_set(NULL, ERR_BUSY, "nobody reads this"), ERR_BUSY);
}

static void a_long_sentence_is_cut_not_overrun(void **state)
{
    (void)state;
    struct err err = {0};
    char text[2 * ERR_TEXT_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

static void every_code_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int a = ERR_KEY_REUSED; a <= 0; a++) {
        assert_string_not_equal(err_code_name((enum err_code)a), "unknown");
        for (int b = a + 1; b <= 0; b++) {
            assert_string_not_equal(err_code_name((enum err_code)a),
                                    err_code_name((enum err_code)b));
        }
    }
}

static void ids_are_what_they_say(void **state)
{
    (void)state;
    char text[ID_UUID_SIZE];
    for (int i = 0; i < 100; i++) {
        uint64_t id = id_random_63();
        assert_true(id > 0 && id <= INT64_MAX);
        id_random_uuid(text);
        assert_int_equal(strlen(text), 36);
        assert_int_equal(strspn(text, "0123456789abcdef-"), 36);
        assert_true(text[8] == '-' && text[13] == '-' && text[18] == '-' &&
                    text[23] == '-');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_a_code_and_a_sentence),
        cmocka_unit_test(a_long_sentence_is_cut_not_overrun),
        cmocka_unit_test(every_code_has_a_word_of_its_own),
        cmocka_unit_test(ids_are_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
