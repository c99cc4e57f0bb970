/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exec/tries.h"
#include "exec/words.h"
#include "text/utf8.h"

static struct words words;

static void say(const char *text)
{
    words_put(&words, text, strlen(text));
}

static void expect_last(const char *wanted, size_t most)
{
    struct buf out;
    buf_init(&out);
    words_last(&words, most, &out);
    buf_put_u8(&out, 0);
    assert_string_equal((const char *)out.data, wanted);
    buf_close(&out);
}

static void the_last_lines_without_empty_ones(void **state)
{
    (void)state;
    words_clear(&words);
    expect_last("", 100);
    say("one\n\n  \ntwo\n\n");
    expect_last("one\ntwo", 100);
    expect_last("two", 3);
    for (int i = 0; i < 20; i++) {
        say("x\n");
    }
    expect_last("x\nx\nx\nx\nx\nx\nx\nx\nx\nx", 100);
}

static void it_keeps_the_newest(void **state)
{
    (void)state;
    words_clear(&words);
    char line[101];
    memset(line, 'a', 100);
    line[100] = '\0';
    for (int i = 0; i < 200; i++) {
        say(line);
    }
    assert_false(words_whole(&words));
    say("\nthe end");
    expect_last("the end", 7);

    static char big[3 * WORDS_BYTES + 1];
    memset(big, 'b', sizeof big - 1);
    memcpy(big + sizeof big - 6, "\nlast", 5);
    words_put(&words, big, sizeof big - 1);
    expect_last("last", 4);
}

static void what_terminals_and_attackers_send_is_left_out(void **state)
{
    (void)state;
    words_clear(&words);
    say("\033[31mred\033[0m \033]0;title\a\x01\x7f"
        "a\tb\rc\n");
    expect_last("red a\tbc", 100);
    words_clear(&words);
    say("bad \xff\xc3 good \xc3\xa4\xc2\x9b");
    expect_last("bad \xef\xbf\xbd\xef\xbf\xbd good \xc3\xa4", 100);
    words_clear(&words);
    say("cut off \033[");
    expect_last("cut off ", 100);
}

static void a_character_is_never_cut(void **state)
{
    (void)state;
    words_clear(&words);
    for (int i = 0; i < 3000; i++) {
        say("\xe2\x82\xac"); /* € */
    }
    struct buf out;
    buf_init(&out);
    for (size_t most = 0; most < 50; most++) {
        buf_clear(&out);
        words_last(&words, most, &out);
        assert_true(out.len <= most && out.len + 3 > most);
        assert_true(utf8_valid((const char *)out.data, out.len));
    }
    buf_close(&out);
}

static void describe(struct tries_ending ending, const char *said, const char *wanted)
{
    char text[DRIVER_TEXT_SIZE];
    words_clear(&words);
    say(said);
    tries_describe(&ending, &words, text);
    assert_string_equal(text, wanted);
}

static void how_it_ended_in_words(void **state)
{
    (void)state;
    describe((struct tries_ending){.exit_code = 1}, "", "exit code 1");
    describe((struct tries_ending){.exit_code = 3}, "no such thing\n",
             "exit code 3: no such thing");
    describe((struct tries_ending){.exit_code = 3}, "\n\n", "exit code 3");
    describe((struct tries_ending){.signal = SIGSEGV}, "here\nthere",
             "ended by signal 11 (SIGSEGV): here\nthere");
    describe((struct tries_ending){.signal = SIGKILL, .out_of_memory = true}, "big",
             "ended by signal 9 (SIGKILL), its memory limit was reached: big");
    describe((struct tries_ending){.never_began = true, .why = "not there"}, "",
             "not there");
}

static void a_long_word_is_cut_to_fit(void **state)
{
    (void)state;
    char text[DRIVER_TEXT_SIZE];
    words_clear(&words);
    for (int i = 0; i < 2000; i++) {
        say("\xe2\x82\xac");
    }
    tries_describe(&(struct tries_ending){.exit_code = 1}, &words, text);
    assert_true(strlen(text) > DRIVER_TEXT_SIZE - 8);
    assert_true(utf8_valid(text, strlen(text)));
    assert_memory_equal(text, "exit code 1: \xe2", 14);
}

static void the_first_try_is_dropped_from_the_text(void **state)
{
    (void)state;
    struct tries tries = {.allowed = 3};
    tries_failed(&tries, "E0");
    assert_string_equal(tries.text, "E0");
    tries_failed(&tries, "E1");
    assert_string_equal(tries.text, "retry attempt #1 failed 'E1'");
    tries_failed(&tries, "E2");
    assert_string_equal(tries.text,
                        "retry attempt #2 failed 'E2': retry attempt #1 failed 'E1'");
}

static void what_is_not_tried_again(void **state)
{
    (void)state;
    struct tries tries = {.allowed = 3, .made = 1};
    assert_true(tries_again(&tries, &(struct tries_ending){.exit_code = 1}));
    assert_true(tries_again(&tries, &(struct tries_ending){.signal = SIGKILL}));
    assert_false(tries_again(&tries, &(struct tries_ending){.exit_code = 126}));
    assert_false(tries_again(&tries, &(struct tries_ending){.exit_code = 127}));
    assert_false(tries_again(&tries, &(struct tries_ending){.never_began = true}));
    tries.made = 3;
    assert_false(tries_again(&tries, &(struct tries_ending){.exit_code = 1}));
}

static void it_waits_longer_each_time(void **state)
{
    (void)state;
    struct tries tries = {.allowed = 3, .made = 1};
    assert_int_equal(tries_wait_ms(&tries, 0), 1000);
    assert_int_equal(tries_wait_ms(&tries, 500), 1500);
    assert_int_equal(tries_wait_ms(&tries, 501), 1000);
    tries.made = 2;
    assert_int_equal(tries_wait_ms(&tries, 0), 2000);
    assert_int_equal(tries_wait_ms(&tries, 1000), 3000);
    tries.made = 200;
    assert_int_equal(tries_wait_ms(&tries, 0), 64000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_lines_without_empty_ones),
        cmocka_unit_test(it_keeps_the_newest),
        cmocka_unit_test(what_terminals_and_attackers_send_is_left_out),
        cmocka_unit_test(a_character_is_never_cut),
        cmocka_unit_test(how_it_ended_in_words),
        cmocka_unit_test(a_long_word_is_cut_to_fit),
        cmocka_unit_test(the_first_try_is_dropped_from_the_text),
        cmocka_unit_test(what_is_not_tried_again),
        cmocka_unit_test(it_waits_longer_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
