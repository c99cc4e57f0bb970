/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "access/token.h"

/* printf %s abc | sha256sum */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void a_line_is_a_name_its_classes_and_a_digest(void **state)
{
    (void)state;
    struct token token;
    struct err err;
    assert_int_equal(token_parse(&token, "ci-1 write,operate sha256:" ABC, &err), 0);
    assert_string_equal(token.name, "ci-1");
    assert_int_equal(token.classes, TOKEN_WRITE | TOKEN_OPERATE);
    assert_int_equal(token.digest[0], 0xba);
    assert_int_equal(token.digest[31], 0xad);
}

static void a_wrong_line_is_told_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *said;
    } wrong[] = {
        {"", "a line of three"},
        {"ci", "a line of three"},
        {"ci write", "a line of three"},
        {" write sha256:" ABC, "name must be"},
        {"c/i write sha256:" ABC, "name must be"},
        {"ci all sha256:" ABC, "'all' is none of write, run and operate"},
        {"ci write, sha256:" ABC, "'' is none of"},
        {"ci  sha256:" ABC, "a line of three"},
        {"ci write " ABC, "sha256: and 64 hex digits"},
        {"ci write sha256:" ABC "0", "sha256: and 64 hex digits"},
        {"ci write "
         "sha256:xa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "sha256: and 64 hex digits"},
        {"ci write sha256:" ABC " more", "sha256: and 64 hex digits"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct token token;
        struct err err;
        assert_int_equal(token_parse(&token, wrong[i].line, &err), ERR_INVALID);
        if (strstr(err.text, wrong[i].said) == NULL) {
            fail_msg("%s: %s", wrong[i].line, err.text);
        }
    }
    char line[TOKEN_NAME_BYTES + 100];
    snprintf(line, sizeof line, "%0*d write sha256:" ABC, TOKEN_NAME_BYTES, 1);
    struct token token;
    struct err err;
    assert_int_equal(token_parse(&token, line, &err), 0);
    snprintf(line, sizeof line, "%0*d write sha256:" ABC, TOKEN_NAME_BYTES + 1, 1);
    assert_int_equal(token_parse(&token, line, &err), ERR_INVALID);
}

static void a_new_token_is_let_in_by_its_line_and_no_other_is(void **state)
{
    (void)state;
    struct token tokens[2];
    char secrets[2][TOKEN_SECRET_SIZE];
    char line[TOKEN_LINE_SIZE];
    struct err err;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            token_new(i == 0 ? "a" : "b", "operate,write", secrets[i], line, &err), 0);
        assert_int_equal(token_parse(&tokens[i], line, &err), 0);
        assert_int_equal(tokens[i].classes, TOKEN_WRITE | TOKEN_OPERATE);
        assert_null(strstr(line, secrets[i]));
    }
    assert_ptr_equal(token_find(tokens, 2, secrets[0], 64), &tokens[0]);
    assert_ptr_equal(token_find(tokens, 2, secrets[1], 64), &tokens[1]);
    assert_null(token_find(tokens, 2, secrets[1], 63));
    assert_null(token_find(tokens, 1, secrets[1], 64));
    assert_null(token_find(tokens, 2, "", 0));
    secrets[0][63] ^= 1;
    assert_null(token_find(tokens, 2, secrets[0], 64));
    assert_int_equal(token_new("a b", "write", secrets[0], line, &err), ERR_INVALID);
    assert_int_equal(token_new("a", "", secrets[0], line, &err), ERR_INVALID);
}

static void the_longest_name_and_all_classes_fit_a_line(void **state)
{
    (void)state;
    char name[TOKEN_NAME_BYTES + 1];
    char secret[TOKEN_SECRET_SIZE];
    char line[TOKEN_LINE_SIZE];
    struct token token;
    struct err err;
    memset(name, 'n', TOKEN_NAME_BYTES);
    name[TOKEN_NAME_BYTES] = '\0';
    assert_int_equal(token_new(name, "write,run,operate", secret, line, &err), 0);
    assert_int_equal(token_parse(&token, line, &err), 0);
    assert_string_equal(token.name, name);
}

static void expect_secret(const char *header, const char *wanted)
{
    char secret[TOKEN_SECRET_MAX + 1];
    size_t len = 0;
    bool found = token_secret(header, strlen(header), secret, &len);
    assert_int_equal(found, wanted != NULL);
    if (wanted != NULL) {
        assert_int_equal(len, strlen(wanted));
        assert_string_equal(secret, wanted);
    }
}

static void bearer_and_basic_show_the_same_secret(void **state)
{
    (void)state;
    expect_secret("Bearer abc", "abc");
    expect_secret("bEARER abc", "abc");
    expect_secret("Basic bmFtZTphYmM=", "abc"); /* name:abc */
    expect_secret("Basic OmFiYw==", "abc");     /* :abc */
    expect_secret("basic bjpwOj8/fg==", "p:?\?~");
    expect_secret("Bearer", NULL);
    expect_secret("Bearer ", NULL);
    expect_secret("Bearerabc", NULL);
    expect_secret("Digest abc", NULL);
    expect_secret("Basic bmFtZTo=", NULL);    /* no password */
    expect_secret("Basic bmFtZQ==", NULL);    /* no colon */
    expect_secret("Basic bmFtZTphYmM", NULL); /* cut short */
    expect_secret("Basic ====", NULL);
    expect_secret("Basic b*Ft", NULL);
    expect_secret("", NULL);
}

static void a_secret_has_a_bound(void **state)
{
    (void)state;
    char header[4 * TOKEN_SECRET_MAX];
    char secret[TOKEN_SECRET_MAX + 1];
    size_t len = 0;
    memset(header, 'a', sizeof header);
    memcpy(header, "Bearer ", 7);
    assert_true(token_secret(header, 7 + TOKEN_SECRET_MAX, secret, &len));
    assert_int_equal(len, TOKEN_SECRET_MAX);
    assert_false(token_secret(header, 8 + TOKEN_SECRET_MAX, secret, &len));
    memcpy(header, "Basic ", 6);
    assert_false(token_secret(header, sizeof header, secret, &len));
    memcpy(header + 6, "OmFh", 4); /* ":aa", and on */
    assert_false(
        token_secret(header, 6 + 4 * ((TOKEN_SECRET_MAX + 2) / 3) + 4, secret, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_name_its_classes_and_a_digest),
        cmocka_unit_test(a_wrong_line_is_told_what_would_be_right),
        cmocka_unit_test(a_new_token_is_let_in_by_its_line_and_no_other_is),
        cmocka_unit_test(the_longest_name_and_all_classes_fit_a_line),
        cmocka_unit_test(bearer_and_basic_show_the_same_secret),
        cmocka_unit_test(a_secret_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
