/* SPDX-License-Identifier: Apache-2.0 */
/* What runs have printed, over HTTP: from this node's own folder, as it is written. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "runlog/writer.h"
#include "unit/api/api_bench.h"

#define SELF  1
#define OTHER 2

static void member(struct bench *bench, uint64_t id, const char *name)
{
    struct command command = {
        .type = COMMAND_MEMBER_SET,
        .member_set = {id, COMMAND_LEVEL, text_of(name), text_of("a"), text_of("p"),
                       text_of("v")},
    };
    bench_apply_other(bench, &command);
}

static uint64_t place(struct bench *bench, uint64_t node)
{
    struct command command = {
        .type = COMMAND_RUN_START,
        .run_start = {text_of("a"), 0, node, RUN_CAUSE_SCHEDULE, RUN_APPLY, 4000, 5000,
                      1},
    };
    struct result result = bench_apply_other(bench, &command);
    assert_int_equal(result.code, 0);
    return result.run;
}

static void end(struct bench *bench, uint64_t run, uint64_t node)
{
    struct command command = {
        .type = COMMAND_RUN_END,
        .run_end = {.run = run,
                    .node = node,
                    .outcome = RUN_SUCCESS,
                    .ended_ms = 9,
                    .text = text_of("")},
    };
    assert_int_equal(bench_apply_other(bench, &command).code, 0);
}

static int setup(void **state)
{
    int rv = bench_setup(state);
    struct bench *bench = *state;
    struct command level = {.type = COMMAND_LEVEL_SET, .level_set = {COMMAND_LEVEL}};
    struct command task = {.type = COMMAND_TASK_CREATE,
                           .task_create = {text_of("a"), text_of("{}"), 1, true}};
    bench_apply_other(bench, &level);
    member(bench, SELF, "n1");
    member(bench, OTHER, "n2");
    assert_int_equal(bench_apply_other(bench, &task).code, 0);
    return rv;
}

static int make_folder(struct bench *bench, uint64_t run)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%llu", bench->runs, (unsigned long long)run);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%llu/log", bench->runs, (unsigned long long)run);
    mkdir(path, 0700);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void log_open(struct bench *bench, struct runlog_writer *writer, uint64_t run)
{
    assert_int_equal(runlog_writer_open(writer, make_folder(bench, run), 1 << 20, NULL),
                     0);
}

static void put(struct runlog_writer *writer, const char *text)
{
    runlog_writer_put(writer, text, strlen(text));
}

static void finish(struct runlog_writer *writer)
{
    runlog_writer_end(writer);
    runlog_writer_close(writer);
}

static void ask(struct bench *bench, struct client *client, const char *format,
                uint64_t run)
{
    char line[128];
    snprintf(line, sizeof line, "GET /v1/runs/%llu/log%s", (unsigned long long)run,
             format);
    client_open(bench, client);
    client_ask(client, line, NULL);
}

/* All of a chunked or sized answer, as text; the head too. */
static char *whole(struct bench *bench, struct client *client)
{
    struct buf all;
    buf_init(&all);
    for (;;) {
        char piece[65536];
        ssize_t len = recv(client->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (len > 0) {
            buf_put(&all, piece, (size_t)len);
        }
        buf_put_u8(&all, 0);
        all.len--;
        const char *text = (const char *)all.data;
        const char *body = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (body != NULL && length != NULL && length < body &&
            strlen(body + 4) >= strtoul(length + 16, NULL, 10)) {
            break;
        }
        if (body != NULL && strstr(body, "\r\n0\r\n\r\n") != NULL) {
            break;
        }
        assert_false(len == 0);
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    client_close(client);
    return (char *)all.data;
}

static void expect(struct bench *bench, struct client *client, const char *const *said)
{
    char *text = whole(bench, client);
    for (size_t i = 0; said[i] != NULL; i++) {
        if (strstr(text, said[i]) == NULL) {
            print_error("no '%s' in: %.600s\n", said[i], text);
        }
        assert_non_null(strstr(text, said[i]));
    }
    mem_free(text);
}
#define EXPECT(client, ...)                                                            \
    expect(bench, client, (const char *const[]){__VA_ARGS__, NULL})

static void what_was_printed_is_answered_as_it_is(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct client client;
    uint64_t run = place(bench, SELF);
    log_open(bench, &writer, run);
    put(&writer, "one\ntwo\n");
    ask(bench, &client, "", run);
    EXPECT(&client, "HTTP/1.1 200", "text/plain", "X-Muster-Log-From: 0\r\n",
           "X-Muster-Log-Next: 8\r\n", "X-Muster-Log-Ended: false\r\n", "one\ntwo\n");
    finish(&writer);
    ask(bench, &client, "?after=4", run);
    EXPECT(&client, "X-Muster-Log-From: 4\r\n", "X-Muster-Log-Next: 8\r\n",
           "X-Muster-Log-Ended: true\r\n", "\r\n\r\ntwo\n");
    ask(bench, &client, "?after=8", run);
    EXPECT(&client, "X-Muster-Log-Next: 8\r\n", "Content-Length: 0\r\n");
}

static void a_long_one_comes_whole(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct client client;
    uint64_t run = place(bench, SELF);
    log_open(bench, &writer, run);
    for (int i = 0; i < 30000; i++) {
        put(&writer, "0123456789");
    }
    finish(&writer);
    ask(bench, &client, "", run);
    EXPECT(&client, "X-Muster-Log-Next: 300000\r\n", "56789\r\n0\r\n\r\n");
}

static void one_that_is_followed_goes_on_until_it_ends(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct client client;
    uint64_t run = place(bench, SELF);
    ask(bench, &client, "?follow", run); /* it has not begun */
    for (int i = 0; i < 100; i++) {
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    log_open(bench, &writer, run);
    put(&writer, "one\n");
    for (int i = 0; i < 100; i++) {
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    put(&writer, "two\n");
    finish(&writer);
    EXPECT(&client, "HTTP/1.1 200", "one\n", "two\n");
}

/* The supervisor died without a word: there is no end in the folder. */
static void the_end_of_its_run_ends_it_too(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct client client;
    uint64_t run = place(bench, SELF);
    log_open(bench, &writer, run);
    put(&writer, "one\n");
    runlog_writer_close(&writer);
    ask(bench, &client, "?follow", run);
    for (int i = 0; i < 100; i++) {
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    end(bench, run, SELF);
    EXPECT(&client, "one\n", "\r\n0\r\n");
}

static void what_is_missing_is_said(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct client client;
    uint64_t run = place(bench, SELF);
    assert_int_equal(
        runlog_writer_open(&writer, make_folder(bench, run), RUNLOG_MIN_BYTES, NULL),
        0);
    for (int i = 0; i < 2000; i++) {
        put(&writer, "0123456789");
    }
    finish(&writer);
    ask(bench, &client, "", run);
    EXPECT(&client, "X-Muster-Log-Next: 20000\r\n", " bytes are missing here]\n");
}

static void a_log_that_is_not_kept_is_gone(void **state)
{
    struct bench *bench = *state;
    struct client client;
    uint64_t run = place(bench, SELF);
    ask(bench, &client, "", run); /* it may still begin */
    EXPECT(&client, "HTTP/1.1 200", "Content-Length: 0\r\n");
    end(bench, run, SELF);
    ask(bench, &client, "", run);
    EXPECT(&client, "HTTP/1.1 410", "is not kept any more");
    ask(bench, &client, "", 999);
    EXPECT(&client, "HTTP/1.1 404", "there is no run 999");
    ask(bench, &client, "?after=x", run);
    EXPECT(&client, "HTTP/1.1 400", "'after'");
}

static void a_client_that_went_is_found(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct client client;
    uint64_t run = place(bench, SELF);
    log_open(bench, &writer, run);
    put(&writer, "one\n");
    ask(bench, &client, "?follow", run);
    for (int i = 0; i < 50; i++) {
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    client_reset(&client);
    for (int i = 0; i < 50; i++) {
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    finish(&writer);
}

static void a_node_that_stops_ends_what_is_followed(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct client client;
    char byte;
    uint64_t run = place(bench, SELF);
    log_open(bench, &writer, run);
    put(&writer, "one\n");
    ask(bench, &client, "?follow", run);
    while (recv(client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    bench_stop(bench, 3600000); /* virtual time flies while files are read */
    EXPECT(&client, "HTTP/1.1 200", "one\n");
    finish(&writer);
}

/* --- logs of other nodes -------------------------------------------------------------
 */

static bool asked_peer(struct bench *bench)
{
    return bench->node.told != NULL;
}

/* The answer of the node that was asked: `text` from `from` on, of a log that ends at
 * `end`; NULL: it refuses. */
static void tell(struct bench *bench, uint64_t from, uint64_t log_end, bool ended,
                 const char *text)
{
    struct err err = {.code = ERR_NONE};
    struct buf answer;
    request_cb told = bench->node.told;
    buf_init(&answer);
    if (text == NULL) {
        err_set(&err, ERR_NOT_FOUND, "the log of run 5 is not kept any more");
    } else {
        buf_put_u64(&answer, from);
        buf_put_u64(&answer, log_end);
        buf_put_u8(&answer, ended ? 1 : 0);
        buf_put_blob(&answer, text, strlen(text));
    }
    bench->node.told = NULL;
    told(bench->node.told_owner, &err, answer.data, answer.len);
    buf_close(&answer);
    bench_turn(bench);
}

static uint64_t asked_after(struct bench *bench)
{
    struct cursor cursor;
    while (!asked_peer(bench)) {
        bench_advance(bench, 10);
        bench_turn(bench);
    }
    cursor_init(&cursor, bench->node.asked_peer.data, bench->node.asked_peer.len);
    (void)cursor_u64(&cursor);
    uint64_t after = cursor_u64(&cursor);
    assert_true(cursor_done(&cursor));
    return after;
}

static void a_log_of_another_node_is_asked_for_piece_by_piece(void **state)
{
    struct bench *bench = *state;
    struct client client;
    uint64_t run = place(bench, OTHER);
    ask(bench, &client, "?follow&after=2", run);
    assert_int_equal(asked_after(bench), 2);
    tell(bench, 2, 8, false, "e\ntw");
    assert_int_equal(asked_after(bench), 6);
    tell(bench, 6, 8, false, "o\n");
    assert_int_equal(asked_after(bench), 8);
    tell(bench, 8, 8, false, "");
    assert_int_equal(asked_after(bench), 8);
    tell(bench, 20, 24, true, "end\n");
    EXPECT(&client, "HTTP/1.1 200", "X-Muster-Log-From: 2\r\n", "e\ntw", "o\n",
           "[muster: 12 bytes are missing here]\nend\n");
}

static void a_node_that_is_lost_on_the_way_is_told_of(void **state)
{
    struct bench *bench = *state;
    struct client client;
    uint64_t run = place(bench, OTHER);
    ask(bench, &client, "?follow", run);
    assert_int_equal(asked_after(bench), 0);
    bench->node.unlinked = true;
    tell(bench, 0, 4, false, "one\n");
    EXPECT(&client, "HTTP/1.1 200", "one\n",
           "[muster: node 'n2', which has the log of run ", "there is no link to it]");
}

static void an_owner_that_is_gone_is_410_with_the_reason(void **state)
{
    struct bench *bench = *state;
    struct client client;
    struct command removed = {.type = COMMAND_MEMBER_DELETE, .member_delete = {OTHER}};
    uint64_t run = place(bench, OTHER);
    bench->node.unlinked = true;
    ask(bench, &client, "", run);
    EXPECT(&client, "HTTP/1.1 410", "node 'n2', which has the log of run ",
           "there is no link to it");
    bench->node.unlinked = false;
    end(bench, run, OTHER);
    ask(bench, &client, "", run);
    asked_after(bench);
    tell(bench, 0, 0, false, NULL);
    EXPECT(&client, "HTTP/1.1 410", "is not kept any more");
    bench_apply_other(bench, &removed);
    ask(bench, &client, "", run);
    EXPECT(&client, "HTTP/1.1 410", "is no member any more");
}

static void what_a_peer_says_is_not_trusted(void **state)
{
    struct bench *bench = *state;
    struct client client;
    uint64_t run = place(bench, OTHER);
    ask(bench, &client, "?after=9", run);
    asked_after(bench);
    tell(bench, 3, 8, false, "x");
    EXPECT(&client, "HTTP/1.1 410", "the answer is damaged");
}

static bool answered(struct bench *bench)
{
    return bench->node.answered.len > 0;
}

static void peers_are_answered(void **state)
{
    struct bench *bench = *state;
    struct runlog_writer writer;
    struct buf question;
    struct request_asker asker = {OTHER, 1, 1};
    const struct request_handler *handler = bench->node.handler;
    uint64_t run = place(bench, SELF);
    log_open(bench, &writer, run);
    put(&writer, "one\ntwo\n");
    finish(&writer);
    buf_init(&question);
    buf_put_u64(&question, run);
    buf_put_u64(&question, 4);
    handler->asked(handler->owner, &asker, question.data, question.len);
    bench_wait(bench, answered);
    struct cursor cursor;
    size_t len = 0;
    cursor_init(&cursor, bench->node.answered.data, bench->node.answered.len);
    assert_int_equal(cursor_u32(&cursor), 0);
    assert_int_equal(cursor_u64(&cursor), 4);
    assert_int_equal(cursor_u64(&cursor), 8);
    assert_int_equal(cursor_u8(&cursor), 1);
    assert_memory_equal(cursor_blob(&cursor, 100, &len), "two\n", 4);
    assert_true(cursor_done(&cursor));
    buf_clear(&question);
    buf_put_u64(&question, 999);
    buf_put_u64(&question, 0);
    buf_clear(&bench->node.answered);
    handler->asked(handler->owner, &asker, question.data, question.len);
    bench_wait(bench, answered);
    cursor_init(&cursor, bench->node.answered.data, bench->node.answered.len);
    assert_int_equal(cursor_u32(&cursor), -ERR_NOT_FOUND);
    buf_clear(&bench->node.answered);
    handler->asked(handler->owner, &asker, question.data, 3);
    assert_true(answered(bench)); /* refused at once */
    buf_close(&question);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)
        TEST(what_was_printed_is_answered_as_it_is),
        TEST(a_long_one_comes_whole),
        TEST(one_that_is_followed_goes_on_until_it_ends),
        TEST(the_end_of_its_run_ends_it_too),
        TEST(what_is_missing_is_said),
        TEST(a_log_that_is_not_kept_is_gone),
        TEST(a_client_that_went_is_found),
        TEST(a_node_that_stops_ends_what_is_followed),
        TEST(a_log_of_another_node_is_asked_for_piece_by_piece),
        TEST(a_node_that_is_lost_on_the_way_is_told_of),
        TEST(an_owner_that_is_gone_is_410_with_the_reason),
        TEST(what_a_peer_says_is_not_trusted),
        TEST(peers_are_answered),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
