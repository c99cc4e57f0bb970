/* SPDX-License-Identifier: Apache-2.0 */
/* Lists a page at a time, on virtual time, before a node that does as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "unit/api/api_bench.h"

#define TOKEN_BYTES 40

static void create(struct bench *bench, const char *name)
{
    struct answer answer;
    char *body = mem_printf("{\"task\":{\"name\":\"%s\",\"module\":\"m\",\"condition\":"
                            "{\"schedule\":{\"cron\":\"* * * * * * *\"}}}}",
                            name);
    bench_exchange(bench, "POST /v1/tasks", body, 0, &answer);
    assert_int_equal(answer.status, 201);
    buf_close(&answer.body);
    mem_free(body);
}

static void change(struct bench *bench, const char *line, const char *body, int status)
{
    struct answer answer;
    bench_exchange(bench, line, body, 0, &answer);
    assert_int_equal(answer.status, status);
    buf_close(&answer.body);
}

/* Ask for `path`; what came, terminated. */
static char *get(struct bench *bench, const char *path, int status)
{
    struct answer answer;
    char *line = mem_printf("GET %s", path);
    bench_exchange(bench, line, NULL, 0, &answer);
    mem_free(line);
    if (answer.status != status) {
        fail_msg("%s: %d %s", path, answer.status, (const char *)answer.body.data);
    }
    return (char *)answer.body.data; /* taken over */
}

static void refuses(struct bench *bench, const char *path, int status, const char *said)
{
    char *body = get(bench, path, status);
    if (strstr(body, said) == NULL) {
        fail_msg("%s: %s", path, body);
    }
    mem_free(body);
}

/* One page: the names it shows, "abc", and the token of the next, "" at the end. */
static void page(struct bench *bench, const char *path, const char *names,
                 char token[TOKEN_BYTES + 1])
{
    static const char mark[] = "\"name\":\"";
    static const char token_mark[] = "\"next_token\":\"";
    char shown[32] = "";
    char *body = get(bench, path, 200);
    for (const char *at = body; (at = strstr(at, mark)) != NULL; at++) {
        snprintf(shown + strlen(shown), 2, "%s", at + sizeof mark - 1);
    }
    assert_string_equal(shown, names);
    const char *at = strstr(body, token_mark);
    token[0] = '\0';
    if (at != NULL) {
        memcpy(token, at + sizeof token_mark - 1, TOKEN_BYTES);
        token[TOKEN_BYTES] = '\0';
        assert_string_equal(at + sizeof token_mark - 1 + TOKEN_BYTES, "\"}\n");
    }
    mem_free(body);
}

static void next_page(struct bench *bench, const char *path, const char *names,
                      char token[TOKEN_BYTES + 1])
{
    char *whole = mem_printf("%s%cnext_token=%s", path,
                             strchr(path, '?') != NULL ? '&' : '?', token);
    page(bench, whole, names, token);
    mem_free(whole);
}

static void all_pages_show_the_state_of_the_first(void **state)
{
    struct bench *bench = *state;
    char token[TOKEN_BYTES + 1];
    struct answer answer;
    for (const char *name = "a\0b\0c\0d\0e\0"; *name != '\0'; name += 2) {
        create(bench, name);
    }
    page(bench, "/v1/tasks?per_page=2", "ab", token);
    change(bench, "DELETE /v1/tasks/c", NULL, 202);
    change(bench, "PATCH /v1/tasks/d", "{\"enabled\":false}", 200);
    create(bench, "f");
    char *line = mem_printf("GET /v1/tasks?next_token=%s", token);
    bench_exchange(bench, line, NULL, 0, &answer);
    assert_non_null(strcasestr(answer.head, "X-Muster-Index: 5\r\n"));
    buf_close(&answer.body);
    mem_free(line);
    next_page(bench, "/v1/tasks", "cd", token);
    next_page(bench, "/v1/tasks", "e", token);
    assert_string_equal(token, "");
    page(bench, "/v1/tasks?per_page=1000", "abdef", token);
    assert_string_equal(token, "");
    page(bench, "/v1/tasks?per_page=5", "abdef", token); /* full, and the last */
    assert_string_equal(token, "");
}

static void a_page_may_be_of_another_size_and_asked_for_again(void **state)
{
    struct bench *bench = *state;
    char first[TOKEN_BYTES + 1];
    char token[TOKEN_BYTES + 1];
    for (const char *name = "a\0b\0c\0d\0e\0"; *name != '\0'; name += 2) {
        create(bench, name);
    }
    page(bench, "/tasks?per_page=1", "a", first);
    for (int i = 0; i < 2; i++) {
        memcpy(token, first, sizeof token);
        next_page(bench, "/tasks?per_page=3", "bcd", token);
        next_page(bench, "/v1/tasks", "e", token); /* with /v1 or without */
    }
}

static void a_set_is_held_for_its_time_and_no_longer(void **state)
{
    struct bench *bench = *state;
    char token[TOKEN_BYTES + 1];
    for (const char *name = "a\0b\0c\0"; *name != '\0'; name += 2) {
        create(bench, name);
    }
    page(bench, "/v1/tasks?per_page=1", "a", token);
    bench_advance(bench, LIMIT_PAGE_MS - 1);
    next_page(bench, "/v1/tasks", "b", token); /* which gives it no more time */
    bench_advance(bench, 1);
    char *path = mem_printf("/v1/tasks?next_token=%s", token);
    refuses(bench, path, 410, "Begin again without next_token");
    mem_free(path);
}

static void of_too_many_sets_the_oldest_goes(void **state)
{
    struct bench *bench = *state;
    char tokens[LIMIT_PAGE_SETS + 1][TOKEN_BYTES + 1];
    create(bench, "a");
    create(bench, "b");
    for (int i = 0; i <= LIMIT_PAGE_SETS; i++) {
        bench_advance(bench, 10);
        page(bench, "/v1/tasks?per_page=1", "a", tokens[i]);
    }
    char *path = mem_printf("/v1/tasks?next_token=%s", tokens[0]);
    refuses(bench, path, 410, "held here any more");
    mem_free(path);
    for (int i = 1; i <= LIMIT_PAGE_SETS; i++) {
        next_page(bench, "/v1/tasks", "b", tokens[i]);
    }
}

static void a_prefix_chooses_by_name_with_pages_and_without(void **state)
{
    struct bench *bench = *state;
    char token[TOKEN_BYTES + 1];
    static const char *const names[] = {"a", "ba", "c", "bb", "b", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        create(bench, names[i]);
    }
    page(bench, "/v1/tasks?prefix=b", "bbb", token);
    page(bench, "/v1/tasks?prefix=ba&consistent=false&min_index=1", "b", token);
    page(bench, "/v1/tasks?prefix=bac", "", token);
    page(bench, "/v1/tasks?prefix=%C3%A9", "\xc3", token);
    page(bench, "/v1/tasks?prefix=b&per_page=2", "bb", token);
    next_page(bench, "/v1/tasks?prefix=b", "b", token);
    assert_string_equal(token, "");
    char *body = get(bench, "/v1/status/tasks?prefix=c&status=unknown", 200);
    assert_non_null(strstr(body, "{\"c\":{"));
    assert_null(strstr(body, "\"ba\""));
    mem_free(body);
}

/* The states of all tasks are members of one object, and so is the token. */
static void a_task_called_next_token_is_no_token(void **state)
{
    struct bench *bench = *state;
    create(bench, "a");
    create(bench, "next_token");
    create(bench, "b");
    char *body = get(bench, "/v1/status/tasks?per_page=1", 200);
    char *token = strstr(body, "\"next_token\":\"");
    assert_non_null(token);
    assert_null(strstr(body, "\"next_token\":{"));
    assert_non_null(strstr(body, "{\"a\":{"));
    char *path = mem_printf("/v1/status/tasks?next_token=%.*s", TOKEN_BYTES,
                            token + strlen("\"next_token\":\""));
    mem_free(body);
    body = get(bench, path, 200);
    assert_non_null(strstr(body, "{\"b\":{"));
    assert_non_null(strstr(body, "},\"next_token\":{"));
    assert_null(strstr(body, "\"next_token\":\""));
    mem_free(body);
    mem_free(path);
    body = get(bench, "/v1/status/tasks?per_page=1&prefix=next", 200);
    assert_non_null(strstr(body, "{\"next_token\":{"));
    assert_null(strstr(body, "\"next_token\":\""));
    mem_free(body);
}

static void what_cannot_be_meant_is_said(void **state)
{
    struct bench *bench = *state;
    char token[TOKEN_BYTES + 1];
    static const struct {
        const char *query; /* behind the path and "?next_token=<one that is held>&" */
        const char *said;
    } rows[] = {
        {"prefix=a", "belongs to another listing"},
        {"consistent", "'consistent' does not go with 'next_token'"},
        {"index=1", "'index' does not go with"},
        {"min_index=1", "'min_index' does not go with"},
        {"max_stale=1s", "'max_stale' does not go with"},
        {"next_token=x", "next_token"},
        {"per_page=0", "per_page"},
    };
    create(bench, "a");
    create(bench, "b");
    page(bench, "/v1/tasks?per_page=1", "a", token);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *path = mem_printf("/v1/tasks?next_token=%s&%s", token, rows[i].query);
        refuses(bench, path, 400, rows[i].said);
        mem_free(path);
    }
    char *path = mem_printf("/v1/status/tasks?next_token=%s", token);
    refuses(bench, path, 400, "belongs to another listing");
    mem_free(path);
    refuses(bench, "/v1/tasks?per_page=1001", 400, "1000");
    refuses(bench, "/v1/tasks?per_page=x", 400, "per_page");
    refuses(bench, "/v1/tasks?per_page=", 400, "per_page");
    refuses(bench, "/v1/tasks?prefix=a&prefix=b", 400, "prefix");
    refuses(bench, "/v1/cluster?per_page=1", 400, "'per_page' does not go here");
    refuses(bench, "/v1/events?next_token=x", 400, "'next_token' does not go here");
    refuses(bench, "/v1/tasks/a?prefix=a", 400, "'prefix' does not go here");
}

/* Whatever digit is another one: no token. */
static void a_token_that_is_none_is_told_from_one_that_is_over(void **state)
{
    struct bench *bench = *state;
    char token[TOKEN_BYTES + 1];
    create(bench, "a");
    create(bench, "b");
    page(bench, "/v1/tasks?per_page=1", "a", token);
    for (size_t i = 0; i < TOKEN_BYTES; i++) {
        char kept = token[i];
        token[i] = kept == '7' ? '8' : '7';
        char *path = mem_printf("/v1/tasks?next_token=%s", token);
        refuses(bench, path, 400, "must be one that a page before has given");
        mem_free(path);
        token[i] = kept;
    }
    token[TOKEN_BYTES - 1] = '\0';
    char *path = mem_printf("/v1/tasks?next_token=%s", token);
    refuses(bench, path, 400, "must be one");
    refuses(bench, "/v1/tasks?next_token=", 400, "must be one");
    refuses(bench, "/v1/tasks?next_token=%00", 400, "");
    mem_free(path);
}

static void a_stop_lets_the_sets_go(void **state)
{
    struct bench *bench = *state;
    char token[TOKEN_BYTES + 1];
    struct client client;
    create(bench, "a");
    create(bench, "b");
    page(bench, "/v1/tasks?per_page=1", "a", token);
    client_open(bench, &client);
    bench_stop(bench, 1000); /* and the sanitizer that nothing is left */
    client_close(&client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_pages_show_the_state_of_the_first),
        TEST(a_page_may_be_of_another_size_and_asked_for_again),
        TEST(a_set_is_held_for_its_time_and_no_longer),
        TEST(of_too_many_sets_the_oldest_goes),
        TEST(a_prefix_chooses_by_name_with_pages_and_without),
        TEST(a_task_called_next_token_is_no_token),
        TEST(what_cannot_be_meant_is_said),
        TEST(a_token_that_is_none_is_told_from_one_that_is_over),
        TEST(a_stop_lets_the_sets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
