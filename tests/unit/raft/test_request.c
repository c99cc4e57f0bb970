/* SPDX-License-Identifier: Apache-2.0 */
/* Small questions from node to node, in whole nodes: one answer, or none in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/request.h"
#include "unit/raft/cluster_bench.h"

/* Who asks, and what he was told. */
struct asked {
    size_t told;
    int code;
    char text[256];
    uint64_t at_ms;
    struct cluster_bench *bench;
};

static void told(void *owner, const struct err *err, const uint8_t *data, size_t len)
{
    struct asked *asked = owner;
    asked->told++;
    asked->code = (int)err->code;
    asked->at_ms = bench_now_ms(asked->bench);
    snprintf(asked->text, sizeof asked->text, "%.*s", (int)(data != NULL ? len : 0),
             data != NULL ? (const char *)data : "");
    if (err->code != ERR_NONE) {
        snprintf(asked->text, sizeof asked->text, "%.200s", err->text);
    }
}

/* Who answers: at once, or when he is told to. */
struct oracle {
    struct bench_node *at;
    struct request_handler handler;
    bool silent;
    size_t questions;
    struct request_asker last;
};

static void oracle_asked(void *owner, const struct request_asker *asker,
                         const uint8_t *data, size_t len)
{
    struct oracle *oracle = owner;
    char answer[64];
    oracle->questions++;
    oracle->last = *asker;
    int said =
        snprintf(answer, sizeof answer, "you said %.*s", (int)len, (const char *)data);
    if (len == 3 && memcmp(data, "bad", 3) == 0) {
        node_answer(oracle->at->node, asker, ERR_NOT_FOUND, "no such thing", 13);
    } else if (!oracle->silent) {
        node_answer(oracle->at->node, asker, ERR_NONE, answer, (size_t)said);
    }
}

static struct cluster_bench bench;
static struct oracle oracle;
static struct asked asked;

static uint64_t id_of(const struct bench_node *node)
{
    struct node_status status;
    node_status(node->node, &status);
    return status.id;
}

static int ask(const char *question)
{
    struct err err;
    asked = (struct asked){.bench = &bench};
    return node_ask(bench.nodes[0].node, id_of(&bench.nodes[1]), REQUEST_RUN_LOG,
                    question, strlen(question), told, &asked, &err);
}

static int setup(void **state)
{
    (void)state;
    bench_open(&bench);
    bench_start_all(&bench);
    assert_true(bench_run_until(&bench, bench_has_leader, 20000));
    bench_run(&bench, 1000);
    oracle = (struct oracle){.at = &bench.nodes[1], .handler = {oracle_asked, &oracle}};
    node_answers(bench.nodes[1].node, REQUEST_RUN_LOG, &oracle.handler);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_close(&bench);
    return 0;
}

static void a_question_has_its_answer(void **state)
{
    (void)state;
    assert_int_equal(ask("hello"), 0);
    assert_int_equal(asked.told, 0); /* later */
    bench_run(&bench, 500);
    assert_int_equal(asked.told, 1);
    assert_int_equal(asked.code, 0);
    assert_string_equal(asked.text, "you said hello");
    assert_int_equal(ask("bad"), 0);
    bench_run(&bench, 500);
    assert_int_equal(asked.code, ERR_NOT_FOUND);
    assert_string_equal(asked.text, "no such thing");
}

static void where_nobody_knows_that_is_said(void **state)
{
    (void)state;
    node_answers(bench.nodes[1].node, REQUEST_RUN_LOG, NULL);
    assert_int_equal(ask("hello"), 0);
    bench_run(&bench, 500);
    assert_int_equal(asked.told, 1);
    assert_int_equal(asked.code, ERR_UNAVAILABLE);
}

static void no_answer_in_time_is_none(void **state)
{
    (void)state;
    oracle.silent = true;
    uint64_t since_ms = bench_now_ms(&bench);
    assert_int_equal(ask("hello"), 0);
    bench_run(&bench, REQUEST_DEADLINE_MS + 100);
    assert_int_equal(asked.told, 1);
    assert_int_equal(asked.code, ERR_UNAVAILABLE);
    assert_int_equal(asked.at_ms, since_ms + REQUEST_DEADLINE_MS);
    node_answer(oracle.at->node, &oracle.last, ERR_NONE, "late", 4);
    bench_run(&bench, 500);
    assert_int_equal(asked.told, 1);
}

static void a_node_that_is_lost_answers_no_more(void **state)
{
    (void)state;
    oracle.silent = true;
    assert_int_equal(ask("hello"), 0);
    bench_run(&bench, 500);
    bench_kill(&bench.nodes[1]);
    bench_run(&bench, 500);
    assert_int_equal(asked.told, 1);
    assert_int_equal(asked.code, ERR_UNAVAILABLE);
}

static void who_stops_is_told(void **state)
{
    (void)state;
    oracle.silent = true;
    assert_int_equal(ask("hello"), 0);
    bench_close(&bench); /* and stops all */
    assert_int_equal(asked.told, 1);
    assert_int_equal(asked.code, ERR_UNAVAILABLE);
    bench_open(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_question_has_its_answer), TEST(where_nobody_knows_that_is_said),
        TEST(no_answer_in_time_is_none), TEST(a_node_that_is_lost_answers_no_more),
        TEST(who_stops_is_told),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
