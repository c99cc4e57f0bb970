/* SPDX-License-Identifier: Apache-2.0 */
/* The feature level of a cluster whose nodes know different ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/raft/cluster_bench.h"

static struct outcome last;
static size_t decided;

static void note(void *owner, const struct outcome *outcome)
{
    (void)owner;
    last = *outcome;
    decided++;
}

static bool is_decided(struct cluster_bench *bench)
{
    (void)bench;
    return decided > 0;
}

/* A command that there is from level 2 on. */
static int ask(struct bench_node *node, struct err *err)
{
    struct command command = {
        .type = COMMAND_MEMBER_DRAIN, .request_id = text_of(""), .actor = text_of("")};
    command.member_drain.id = 1; /* nobody's */
    decided = 0;
    return propose_submit(node_propose(node->node), &command, note, NULL, err);
}

/* One of level 1, with a key, which there is from level 2 on. */
static int ask_keyed(struct bench_node *node, struct err *err)
{
    struct command command = {
        .type = COMMAND_TASK_DELETE,
        .request_id = text_of(""),
        .actor = text_of(""),
        .key = text_of("k"),
        .scope = text_of(""),
        .task_delete = {text_of("nothing")},
    };
    decided = 0;
    return propose_submit(node_propose(node->node), &command, note, NULL, err);
}

static uint32_t level_of(const struct bench_node *node)
{
    return registry_level(node_registry(node->node));
}

/* One with runs, which there are from level 3 on. */
static int ask_run(struct bench_node *node, struct err *err)
{
    struct command command = {
        .type = COMMAND_RUN_STOP, .request_id = text_of(""), .actor = text_of("")};
    command.run_stop.run = 1; /* nothing's */
    command.run_stop.stop = RUN_STOP_CANCEL;
    decided = 0;
    return propose_submit(node_propose(node->node), &command, note, NULL, err);
}

static bool all_at_three(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (bench->nodes[i].node != NULL && level_of(&bench->nodes[i]) != 3) {
            return false;
        }
    }
    return true;
}

static bool all_at_two(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (bench->nodes[i].node != NULL && level_of(&bench->nodes[i]) != 2) {
            return false;
        }
    }
    return true;
}

/* Asked of a leader that does not know yet what was committed before. */
static bool asked_unsettled(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        const struct engine *engine = node_engine(bench->nodes[i].node);
        if (engine_role(engine) == ENGINE_LEADER && !engine_settled(engine)) {
            int rv = ask(&bench->nodes[i], NULL);
            if (rv == ERR_LEVEL) { /* it does not know the command itself */
                last.code = rv;
                decided = 1;
            }
            return rv == 0 || rv == ERR_LEVEL;
        }
    }
    return false;
}

static void start(struct cluster_bench *bench, uint32_t a, uint32_t b, uint32_t c)
{
    bench_open(bench);
    bench->nodes[0].level = a;
    bench->nodes[1].level = b;
    bench->nodes[2].level = c;
    bench_start_all(bench);
}

static struct bench_node *leader_of(struct cluster_bench *bench)
{
    assert_true(bench_run_until(bench, bench_has_leader, 20000));
    return bench_leader(bench);
}

static void restart(struct bench_node *node, uint32_t level)
{
    bench_kill(node);
    node->level = level;
    bench_start(node);
}

/* Nobody may see a new cluster that does not do what all of its nodes can. */
static void a_new_cluster_takes_the_newest_commands_from_its_first_moment(void **state)
{
    (void)state;
    struct cluster_bench bench;
    start(&bench, 0, 0, 0);
    struct bench_node *leader = leader_of(&bench);
    assert_int_equal(ask(leader, NULL), 0);
    assert_true(bench_run_until(&bench, is_decided, 5000));
    assert_int_equal(last.code, 0);
    assert_int_equal(last.result.code, ERR_NOT_FOUND);
    assert_int_equal(level_of(leader), COMMAND_LEVEL);
    bench_close(&bench);
}

static void what_is_held_before_the_leader_is_settled_is_taken_too(void **state)
{
    (void)state;
    struct cluster_bench bench;
    start(&bench, 0, 0, 0);
    assert_true(bench_run_until(&bench, asked_unsettled, 20000));
    assert_true(bench_run_until(&bench, is_decided, 5000));
    assert_int_equal(last.code, 0);
    assert_int_equal(last.result.code, ERR_NOT_FOUND);
    bench_close(&bench);
}

static void one_old_node_holds_all_back_and_is_named(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct err err;
    start(&bench, 2, 2, 1);
    assert_true(bench_run_until(&bench, asked_unsettled, 20000)); /* it might rise */
    assert_true(bench_run_until(&bench, is_decided, 5000));
    assert_int_equal(last.code, ERR_LEVEL);
    struct bench_node *leader = leader_of(&bench);
    bench_run(&bench, 5000);
    assert_int_equal(ask(leader, &err), ERR_LEVEL);
    assert_int_equal(ask_keyed(leader, &err), ERR_LEVEL);
    node_explain_level(leader->node, 2, &err);
    assert_string_equal(
        err.text, "this needs feature level 2; the cluster is at 1 because n3 runs 1");
    for (size_t i = 0; i < BENCH_NODES; i++) {
        assert_int_equal(level_of(&bench.nodes[i]), 1);
    }
    restart(&bench.nodes[2], 2);
    assert_true(bench_run_until(&bench, all_at_two, 20000));
    assert_int_equal(ask(leader_of(&bench), NULL), 0);
    assert_true(bench_run_until(&bench, is_decided, 5000));
    assert_int_equal(last.result.code, ERR_NOT_FOUND);
    assert_int_equal(ask_keyed(leader_of(&bench), NULL), 0);
    assert_true(bench_run_until(&bench, is_decided, 5000));
    assert_int_equal(last.result.code, ERR_NOT_FOUND);
    bench_close(&bench);
}

static void a_member_that_was_never_heard_holds_all_back(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct err err;
    bench_open(&bench);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        bench.nodes[i].level = 2;
    }
    bench_start(&bench.nodes[0]);
    bench_start(&bench.nodes[1]);
    struct bench_node *leader = leader_of(&bench);
    bench_run(&bench, 5000);
    assert_int_equal(ask(leader, NULL), ERR_LEVEL);
    node_explain_level(leader->node, 2, &err);
    assert_non_null(strstr(err.text, "because n3:1 has not been heard yet"));
    bench_start(&bench.nodes[2]);
    assert_true(bench_run_until(&bench, all_at_two, 20000));
    bench_close(&bench);
}

/* From the level before runs to theirs, node by node. */
static void runs_are_there_once_the_last_node_knows_them(void **state)
{
    (void)state;
    struct cluster_bench bench;
    start(&bench, 2, 2, 2);
    assert_true(bench_run_until(&bench, all_at_two, 20000));
    restart(&bench.nodes[0], 3);
    assert_true(bench_run_until(&bench, bench_has_leader, 20000));
    restart(&bench.nodes[1], 3);
    bench_run(&bench, 5000);
    assert_int_equal(ask_run(leader_of(&bench), NULL), ERR_LEVEL);
    assert_int_equal(ask(leader_of(&bench), NULL), 0); /* of the second */
    assert_true(bench_run_until(&bench, is_decided, 5000));
    assert_true(all_at_two(&bench));
    restart(&bench.nodes[2], 3);
    assert_true(bench_run_until(&bench, all_at_three, 20000));
    assert_int_equal(ask_run(leader_of(&bench), NULL), 0);
    assert_true(bench_run_until(&bench, is_decided, 5000));
    assert_int_equal(last.result.code, ERR_NOT_FOUND);
    bench_close(&bench);
}

static bool the_third_failed(struct cluster_bench *bench)
{
    return bench->nodes[2].failure[0] != '\0';
}

/* The raise is in its log. */
static void an_old_muster_does_not_apply_what_is_above_it(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *third = &bench.nodes[2];
    start(&bench, 2, 2, 2);
    leader_of(&bench);
    assert_true(bench_run_until(&bench, all_at_two, 20000));
    bench_run(&bench, 2000);
    third->may_fail = true;
    restart(third, 1);
    assert_true(bench_run_until(&bench, the_third_failed, 20000));
    assert_non_null(strstr(third->failure, "entry "));
    assert_non_null(
        strstr(third->failure,
               "the cluster is at feature level 2, this muster knows 1: upgrade it"));
    bench_close(&bench);
}

/* It knew more once, and the cluster rose by its row while it was away. */
static void an_old_muster_is_refused_at_the_door_by_name(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *third = &bench.nodes[2];
    start(&bench, 1, 1, 2);
    leader_of(&bench);
    bench_run(&bench, 3000); /* the rows */
    bench_kill(third);
    restart(&bench.nodes[0], 2);
    restart(&bench.nodes[1], 2);
    assert_true(bench_run_until(&bench, all_at_two, 30000));
    third->may_fail = true;
    third->level = 1;
    bench_start(third);
    assert_true(bench_run_until(&bench, the_third_failed, 20000));
    assert_non_null(strstr(third->failure, "refuses this node: the cluster is at "
                                           "feature level 2, this muster knows 1"));
    assert_int_equal(level_of(third), 1);
    third->failure[0] = '\0';
    restart(third, 2);
    assert_true(bench_run_until(&bench, all_at_two, 20000));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_cluster_takes_the_newest_commands_from_its_first_moment),
        cmocka_unit_test(what_is_held_before_the_leader_is_settled_is_taken_too),
        cmocka_unit_test(one_old_node_holds_all_back_and_is_named),
        cmocka_unit_test(a_member_that_was_never_heard_holds_all_back),
        cmocka_unit_test(runs_are_there_once_the_last_node_knows_them),
        cmocka_unit_test(an_old_muster_does_not_apply_what_is_above_it),
        cmocka_unit_test(an_old_muster_is_refused_at_the_door_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
