/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the command line: which node next, what an answer means, tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/lines.h"
#include "cli/nodes.h"
#include "cli/table.h"
#include "cli/verdict.h"

/* --- nodes --------------------------------------------------------------------- */

static void a_list_of_addresses_comes_apart(void **state)
{
    (void)state;
    struct nodes nodes;
    struct err err;
    assert_int_equal(
        nodes_parse(&nodes, " n1:8558, http://n2:1/ ,HTTP://[::1]:2,n1:8558", &err), 0);
    assert_int_equal(nodes.count, 3); /* one was there twice */
    assert_string_equal(nodes.items[0].address, "n1:8558");
    assert_string_equal(nodes.items[1].address, "n2:1");
    assert_string_equal(nodes.items[2].address, "[::1]:2");
}

static void an_address_that_is_none_is_named(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "",
        ",",
        "n1",
        "n1:",
        "n1:0",
        "n1:x",
        "n1:65536",
        ":1",
        "n1:1,",
        "https://n1:1",
        "ftp://n:1",
        "http://n1",
        "http://",
        "n1:1/path",
        "http://n1:1//",
        "u@n1:1",
        "n1:1?x",
        "a b:1",
        "::1:1",
        "[::1]",
        "[n1]:1",
        "http://n1:1#",
        "n%31:1",
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct nodes nodes;
        struct err err;
        assert_int_equal(nodes_parse(&nodes, lists[i], &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "must be HOST:PORT"));
    }
}

static void too_many_addresses_are_refused(void **state)
{
    (void)state;
    struct nodes nodes;
    struct err err;
    struct buf list;
    buf_init(&list);
    for (int i = 0; i <= NODES_MAX; i++) {
        buf_printf(&list, "%sn%d:1", i > 0 ? "," : "", i);
    }
    buf_put_u8(&list, 0);
    assert_int_equal(nodes_parse(&nodes, (const char *)list.data, &err), ERR_INVALID);
    assert_string_equal(err.text, "more than 32 addresses are given");
    buf_close(&list);
}

static void nodes_are_asked_in_order_then_ever_less_often(void **state)
{
    (void)state;
    struct nodes nodes;
    assert_int_equal(nodes_parse(&nodes, "a:1,b:1", NULL), 0);
    uint64_t now = 1000;
    for (size_t node = 0; node < 2; node++) {
        assert_int_equal(nodes_next(&nodes, now), node);
        nodes_failed(&nodes, node, now, 0, "no");
    }
    uint64_t pause = 0;
    for (int round = 0; round < 10; round++) {
        size_t node = nodes_next(&nodes, now);
        assert_true(nodes.items[node].due_ms >= now);
        now = nodes.items[node].due_ms;
        nodes_failed(&nodes, node, now, 0, "no");
        assert_true(nodes.items[node].due_ms - now >= pause);
        pause = round % 2 == 1 ? nodes.items[node].due_ms - now : pause;
    }
    nodes_failed(&nodes, 0, now, 0, "no");
    assert_int_equal(nodes.items[0].due_ms, now + 1000);
    nodes_failed(&nodes, 0, now, 7000, "no");
    assert_int_equal(nodes.items[0].due_ms, now + 7000);
}

static void the_leader_is_asked_next_unless_it_failed_just_now(void **state)
{
    (void)state;
    struct nodes nodes;
    assert_int_equal(nodes_parse(&nodes, "a:1,b:1", NULL), 0);
    nodes_failed(&nodes, 0, 1000, 0, "follows");
    assert_true(nodes_leader(&nodes, "c:1"));
    assert_int_equal(nodes.count, 3);
    assert_int_equal(nodes_next(&nodes, 1000), 2);
    nodes_failed(&nodes, 2, 1000, 0, "dead");
    assert_int_equal(nodes_next(&nodes, 1000), 1);
    nodes_failed(&nodes, 1, 1000, 0, "follows");
    assert_true(nodes_leader(&nodes, "c:1")); /* still named, and not due yet */
    assert_true(nodes.items[nodes_next(&nodes, 1000)].due_ms > 1000);
    nodes_answered(&nodes, 1);
    assert_int_equal(nodes_next(&nodes, 1000), 1);

    struct buf reasons;
    buf_init(&reasons);
    nodes_put_reasons(&nodes, &reasons);
    buf_put_u8(&reasons, 0);
    assert_string_equal((const char *)reasons.data, "a:1: follows; c:1: dead");
    buf_close(&reasons);
}

static void leaders_that_are_made_up_do_not_fill_the_list(void **state)
{
    (void)state;
    struct nodes nodes;
    assert_int_equal(nodes_parse(&nodes, "a:1", NULL), 0);
    assert_false(nodes_leader(&nodes, ""));
    assert_false(nodes_leader(&nodes, "x"));
    assert_false(nodes_leader(&nodes, "x:1@y:2"));
    int taken = 0;
    for (int i = 0; i < 1000; i++) {
        char *address = mem_printf("x%d:1", i);
        taken += nodes_leader(&nodes, address) ? 1 : 0;
        mem_free(address);
    }
    assert_int_equal(taken, NODES_MAX - 1);
    assert_true(nodes_leader(&nodes, "A:1")); /* a name has no case */
}

/* --- verdicts ------------------------------------------------------------------ */

static enum verdict judge(int status, const char *header, bool write)
{
    struct http_answer answer;
    http_answer_init(&answer);
    answer.outcome = HTTP_ANSWERED;
    answer.status = status;
    if (header != NULL) {
        buf_put(&answer.head, header, strlen(header) + 1);
        buf_put(&answer.head, "true", 5);
    }
    enum verdict verdict = verdict_of(&answer, write);
    http_answer_close(&answer);
    return verdict;
}

static void only_what_certainly_did_not_happen_is_tried_elsewhere(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *header;
        enum verdict read;
        enum verdict write;
    } rows[] = {
        {200, NULL, VERDICT_DONE, VERDICT_DONE},
        {202, NULL, VERDICT_DONE, VERDICT_DONE},
        {301, NULL, VERDICT_REFUSED, VERDICT_REFUSED},
        {400, NULL, VERDICT_REFUSED, VERDICT_REFUSED},
        {400, "x-muster-not-leader", VERDICT_ELSEWHERE, VERDICT_ELSEWHERE},
        {404, "X-Muster-Not-Leader", VERDICT_NOT_FOUND, VERDICT_NOT_FOUND},
        {409, NULL, VERDICT_REFUSED, VERDICT_REFUSED},
        {409, "Retry-After", VERDICT_REFUSED, VERDICT_LATER},
        {429, NULL, VERDICT_LATER, VERDICT_LATER},
        {500, NULL, VERDICT_REFUSED, VERDICT_REFUSED},
        {502, NULL, VERDICT_LATER, VERDICT_UNKNOWN},
        {503, NULL, VERDICT_LATER, VERDICT_UNKNOWN},
        {503, "Retry-After", VERDICT_LATER, VERDICT_LATER},
        {504, NULL, VERDICT_LATER, VERDICT_UNKNOWN},
        {507, NULL, VERDICT_REFUSED, VERDICT_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(judge(rows[i].status, rows[i].header, false), rows[i].read);
        assert_int_equal(judge(rows[i].status, rows[i].header, true), rows[i].write);
    }
}

static void a_write_that_left_and_was_not_answered_is_unknown(void **state)
{
    (void)state;
    struct http_answer answer;
    http_answer_init(&answer);
    assert_int_equal(verdict_of(&answer, true), VERDICT_LATER); /* not sent */
    answer.outcome = HTTP_LOST;
    assert_int_equal(verdict_of(&answer, true), VERDICT_UNKNOWN);
    assert_int_equal(verdict_of(&answer, false), VERDICT_LATER);
    answer.status = 200; /* its head came, its end did not */
    assert_int_equal(verdict_of(&answer, true), VERDICT_UNKNOWN);
    answer.outcome = HTTP_CANCELLED;
    assert_int_equal(verdict_of(&answer, true), VERDICT_UNKNOWN);
    http_answer_close(&answer);
}

static void the_reason_is_the_servers_or_the_status(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *reason;
    } rows[] = {
        {"{\"error\":{\"message\":\"because\"},\"request_id\":\"x\"}", "because"},
        {"{\"error\":{\"message\":\"\"}}", "it answered 409 without saying why"},
        {"{\"error\":{\"message\":7}}", "it answered 409 without saying why"},
        {"{\"error\":\"x\"}", "it answered 409 without saying why"},
        {"[1]", "it answered 409 without saying why"},
        {"<html>", "it answered 409 without saying why"},
        {"", "it answered 409 without saying why"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_answer answer;
        struct buf reason;
        http_answer_init(&answer);
        buf_init(&reason);
        answer.outcome = HTTP_ANSWERED;
        answer.status = 409;
        buf_put(&answer.body, rows[i].body, strlen(rows[i].body));
        verdict_put_reason(&reason, &answer);
        buf_put_u8(&reason, 0);
        assert_string_equal((const char *)reason.data, rows[i].reason);
        buf_close(&reason);
        http_answer_close(&answer);
    }
}

/* --- tables and paths ---------------------------------------------------------- */

static void print_is(const struct table *table, const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    table_print(table, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, 3, "NAME|N|WHAT");
    table_put(&table, "\xc3\xa9t\xc3\xa9");
    table_putf(&table, "%d", 12345);
    table_put(&table, NULL);
    table_put(&table, "longer");
    table_put(&table, "");
    table_put(&table, "x");
    print_is(&table, "NAME    N      WHAT\n"
                     "\xc3\xa9t\xc3\xa9     12345  -\n"
                     "longer  -      x\n");
    table_close(&table);
    table_init(&table, 2, NULL);
    print_is(&table, "");
    table_close(&table);
}

static void what_could_drive_a_terminal_is_shown_as_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        {"plain \xe2\x82\xac", "plain \xe2\x82\xac"},
        {"a\x1b[2J\n\t\x7f", "a\\x1b[2J\\x0a\\x09\\x7f"},
        {"\xc2\x9b", "\\xc2\\x9b"},          /* C1: another escape */
        {"\xff\xc3", "\\xff\\xc3"},          /* no UTF-8 */
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* right to left */
        {"\xef\xbf\xbd", "\xef\xbf\xbd"},    /* U+FFFD that is really there */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        buf_init(&out);
        table_put_safe(&out, rows[i].text);
        buf_put_u8(&out, 0);
        assert_string_equal((const char *)out.data, rows[i].shown);
        buf_close(&out);
    }
}

static void a_name_stays_one_segment_of_a_path(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out);
    client_put_encoded(&out, "a/b?c#d%e f\xc3\xa9-_.~");
    buf_put_u8(&out, 0);
    assert_string_equal((const char *)out.data, "a%2Fb%3Fc%23d%25e%20f%C3%A9-_.~");
    buf_close(&out);
}

/* --- lines --------------------------------------------------------------------- */

/* Each line, with '|' behind it. */
static int note_line(void *arg, const char *line, size_t len, struct err *err)
{
    buf_put(arg, line, len);
    buf_put_u8(arg, '|');
    return len == 4 && memcmp(line, "stop", 4) == 0 ? err_set(err, ERR_FULL, "no more")
                                                    : 0;
}

static void lines_start(struct lines *lines, struct buf *seen)
{
    buf_init(seen);
    lines_init(lines);
    lines->max = 9;
    lines->on_line = note_line;
    lines->arg = seen;
}

static void a_line_is_whole_wherever_the_bytes_are_cut(void **state)
{
    (void)state;
    static const char text[] = "{}\n\n{\"a\":1}\r\nlast\nhalf";
    static const char expected[] = "{}|{\"a\":1}|last|";
    size_t len = sizeof text - 1;
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct lines lines;
            struct buf seen;
            struct err err = {0};
            lines_start(&lines, &seen);
            assert_int_equal(lines_feed(&lines, text, first, &err), 0);
            assert_int_equal(lines_feed(&lines, text + first, second - first, &err), 0);
            assert_int_equal(lines_feed(&lines, text + second, len - second, &err), 0);
            assert_int_equal(seen.len, sizeof expected - 1);
            assert_memory_equal(seen.data, expected, seen.len);
            lines_reset(&lines); /* another node goes on: what was cut off is none */
            assert_int_equal(lines_feed(&lines, "new\n", 4, &err), 0);
            assert_memory_equal(seen.data + sizeof expected - 1, "new|", 4);
            lines_close(&lines);
            buf_close(&seen);
        }
    }
}

static void a_line_has_a_most_and_may_be_the_last(void **state)
{
    (void)state;
    struct lines lines;
    struct buf seen;
    struct err err = {0};
    lines_start(&lines, &seen);
    assert_int_equal(lines_feed(&lines, "123456789\n12345678", 18, &err), 0);
    assert_int_equal(lines_feed(&lines, "9", 1, &err), 0);
    assert_int_equal(lines_feed(&lines, "0", 1, &err), ERR_TOO_LARGE);
    lines_reset(&lines);
    assert_int_equal(lines_feed(&lines, "1234567890\n", 11, &err), ERR_TOO_LARGE);
    lines_reset(&lines);
    assert_int_equal(lines_feed(&lines, "stop\nmore\n", 10, &err), ERR_FULL);
    assert_string_equal(err.text, "no more");
    assert_int_equal(seen.len, strlen("123456789|stop|"));
    lines_close(&lines);
    buf_close(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_addresses_comes_apart),
        cmocka_unit_test(an_address_that_is_none_is_named),
        cmocka_unit_test(too_many_addresses_are_refused),
        cmocka_unit_test(nodes_are_asked_in_order_then_ever_less_often),
        cmocka_unit_test(the_leader_is_asked_next_unless_it_failed_just_now),
        cmocka_unit_test(leaders_that_are_made_up_do_not_fill_the_list),
        cmocka_unit_test(only_what_certainly_did_not_happen_is_tried_elsewhere),
        cmocka_unit_test(a_write_that_left_and_was_not_answered_is_unknown),
        cmocka_unit_test(the_reason_is_the_servers_or_the_status),
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(what_could_drive_a_terminal_is_shown_as_numbers),
        cmocka_unit_test(a_name_stays_one_segment_of_a_path),
        cmocka_unit_test(a_line_is_whole_wherever_the_bytes_are_cut),
        cmocka_unit_test(a_line_has_a_most_and_may_be_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
