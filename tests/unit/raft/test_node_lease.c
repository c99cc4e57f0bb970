/* SPDX-License-Identifier: Apache-2.0 */
/* Leases in whole nodes, and what a node reports wherever it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "raft/node_inside.h"
#include "unit/raft/cluster_bench.h"

#define LEASE_MS 4000 /* as long as nothing else is set */

static struct bench_node *lead(struct cluster_bench *bench)
{
    bench_open(bench);
    bench_start_all(bench);
    assert_true(bench_run_until(bench, bench_has_leader, 20000));
    bench_run(bench, 1000);
    return bench_leader(bench);
}

static struct bench_node *other(struct bench_node *node, size_t skip)
{
    struct bench_node *at = node->bench->nodes;
    for (;; at++) {
        if (at != node && skip-- == 0) {
            return at;
        }
    }
}

static uint64_t id_of(const struct bench_node *node)
{
    return node->node->identity.node_id;
}

static bool has_lease(const struct bench_node *node)
{
    struct lease_view lease;
    node_lease(node->node, &lease);
    return clock_boot_ms(node->clock) < lease.until_ms;
}

static bool all_have_leases(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (bench->nodes[i].node != NULL && !has_lease(&bench->nodes[i])) {
            return false;
        }
    }
    return true;
}

static void want_all(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        node_lease_want(bench->nodes[i].node, true);
    }
}

static void cut(struct bench_node *node, bool cut)
{
    struct cluster_bench *bench = node->bench;
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *peer = &bench->nodes[i];
        if (peer != node) {
            sim_network_cut(bench->network, node->address, peer->address, cut);
            sim_network_cut(bench->network, peer->address, node->address, cut);
        }
    }
}

static void every_node_has_a_lease_while_it_wants_one(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench);
    struct bench_node *follower = other(leader, 0);
    struct lease_view lease;
    assert_false(has_lease(follower));
    want_all(&bench);
    assert_true(bench_run_until(&bench, all_have_leases, 500));
    node_lease(follower->node, &lease);
    assert_int_equal(lease.lease_ms, LEASE_MS);
    assert_int_equal(lease.index, engine_commit(leader->node->engine));
    for (size_t i = 0; i < 60; i++) {
        bench_run(&bench, 500);
        assert_true(all_have_leases(&bench));
        assert_true(node_silence_ms(leader->node, id_of(follower)) <
                    LEASE_MS / 3 + BENCH_HEARTBEAT_MS);
        assert_int_equal(node_silence_ms(follower->node, id_of(leader)), 0);
    }
    node_lease_want(follower->node, false);
    bench_run(&bench, LEASE_MS + 1);
    assert_false(has_lease(follower));
    bench_close(&bench);
}

static void who_is_cut_off_loses_it_and_is_silent(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench);
    struct bench_node *follower = other(leader, 0);
    uint64_t id = id_of(follower);
    want_all(&bench);
    assert_true(bench_run_until(&bench, all_have_leases, 500));
    cut(follower, true);
    bench_run(&bench, LEASE_MS + 1);
    assert_false(has_lease(follower));
    assert_true(has_lease(leader));
    assert_in_range(node_silence_ms(leader->node, id), 2 * LEASE_MS / 3, 2 * LEASE_MS);
    node_lease_hold(leader->node, id);
    cut(follower, false);
    bench_run(&bench, 5000);
    assert_false(has_lease(follower)); /* until it is decided that its runs are lost */
    node_lease_release(leader->node, id);
    assert_true(bench_run_until(&bench, all_have_leases, 2000));
    bench_close(&bench);
}

static void a_leader_that_is_cut_off_grants_nothing_not_even_to_itself(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench);
    want_all(&bench);
    assert_true(bench_run_until(&bench, all_have_leases, 500));
    cut(leader, true);
    bench_run(&bench, LEASE_MS + 1);
    assert_false(has_lease(leader));
    assert_true(has_lease(other(leader, 0)));
    struct bench_node *next = bench_leader(&bench);
    assert_true(next != NULL && next != leader);
    /* it has led for less than that */
    assert_true(node_silence_ms(next->node, id_of(leader)) < LEASE_MS);
    assert_true(node_silence_ms(next->node, id_of(leader)) > 0);
    bench_close(&bench);
}

static void a_machine_that_slept_has_none(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *follower = other(lead(&bench), 0);
    want_all(&bench);
    assert_true(bench_run_until(&bench, all_have_leases, 500));
    sim_clock_suspend(follower->clock, 60000);
    assert_false(has_lease(follower));
    assert_true(bench_run_until(&bench, all_have_leases, LEASE_MS / 2));
    bench_close(&bench);
}

static void a_new_start_has_none(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench);
    struct bench_node *follower = other(leader, 0);
    want_all(&bench);
    assert_true(bench_run_until(&bench, all_have_leases, 500));
    bench_kill(follower);
    bench_start(follower);
    assert_false(has_lease(follower));
    node_lease_want(follower->node, true);
    assert_true(bench_run_until(&bench, all_have_leases, 2000));
    bench_close(&bench);
}

static void ignore_change(void *owner, const struct err *result)
{
    assert_int_equal(result->code, 0);
    *(bool *)owner = true;
}

static void who_was_removed_has_none(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench);
    struct bench_node *follower = other(leader, 0);
    uint64_t id = id_of(follower);
    bool done = false;
    want_all(&bench);
    assert_true(bench_run_until(&bench, all_have_leases, 500));
    assert_int_equal(
        node_remove_member(leader->node, follower->name, ignore_change, &done, NULL),
        0);
    bench_run(&bench, 3000);
    assert_true(done);
    assert_false(has_lease(follower)); /* it was told */
    uint64_t silence = node_silence_ms(leader->node, id);
    assert_true(silence > 1000 && silence < 3000 + LEASE_MS / 3 + BENCH_HEARTBEAT_MS);
    bench_close(&bench);
}

struct renewed {
    struct lease_watch watch;
    size_t count;
    uint64_t until_ms;
};

static void note_renewed(struct lease_watch *watch, const struct lease_view *lease)
{
    struct renewed *renewed = watch->owner;
    assert_true(lease->until_ms > renewed->until_ms);
    renewed->until_ms = lease->until_ms;
    renewed->count++;
}

static void renewals_are_news(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *follower = other(lead(&bench), 0);
    struct renewed renewed = {.watch = {.renewed = note_renewed, .owner = &renewed}};
    node_on_lease(follower->node, &renewed.watch);
    node_lease_want(follower->node, true);
    bench_run(&bench, LEASE_MS);
    assert_in_range(renewed.count, 3, 4);
    node_off_lease(follower->node, &renewed.watch);
    size_t count = renewed.count;
    bench_run(&bench, LEASE_MS);
    assert_int_equal(renewed.count, count);
    bench_close(&bench);
}

/* --- reports -----------------------------------------------------------------------
 */

struct report {
    bool decided;
    int code;
    uint64_t index;
};

static void report_decided(void *owner, const struct outcome *outcome)
{
    struct report *report = owner;
    assert_false(report->decided);
    *report = (struct report){
        .decided = true, .code = outcome->code, .index = outcome->index};
}

static int report(struct report *report, struct bench_node *at, const char *name)
{
    struct command command = {
        .type = COMMAND_TASK_CREATE,
        .request_id = text_of("r"),
        .actor = text_of(at->name),
    };
    command.task_create.name = text_of(name);
    command.task_create.text = text_of("{\"a\":\"b\"}");
    command.task_create.enabled_at = 1;
    *report = (struct report){.decided = false};
    return node_report(at->node, &command, report_decided, report, NULL);
}

static bool has_task(const struct bench_node *node, const char *name)
{
    return registry_task(node_registry(node->node), name, strlen(name)) != NULL;
}

static void a_report_is_made_wherever_the_node_is(void **state)
{
    (void)state;
    for (int forward = 0; forward < 2; forward++) {
        struct cluster_bench bench;
        struct report reports[BENCH_NODES];
        bench_open(&bench);
        bench.forward_writes = forward == 1;
        bench_start_all(&bench);
        assert_true(bench_run_until(&bench, bench_has_leader, 20000));
        bench_run(&bench, 1000);
        for (size_t i = 0; i < BENCH_NODES; i++) {
            assert_int_equal(report(&reports[i], &bench.nodes[i], bench.nodes[i].name),
                             0);
        }
        bench_run(&bench, 1000);
        for (size_t i = 0; i < BENCH_NODES; i++) {
            struct bench_node *node = &bench.nodes[i];
            assert_true(reports[i].decided);
            assert_int_equal(reports[i].code, 0);
            assert_true(bench_applied(node) >= reports[i].index);
            assert_true(has_task(node, node->name));
        }
        bench_close(&bench);
    }
}

static void without_a_leader_a_report_never_happens(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = lead(&bench);
    struct bench_node *follower = other(leader, 0);
    struct report asked;
    bench_kill(leader);
    bench_kill(other(leader, 1));
    bench_run(&bench, 3 * BENCH_ELECTION_MS);
    assert_int_equal(report(&asked, follower, "t"), ERR_NOT_LEADER);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_has_a_lease_while_it_wants_one),
        cmocka_unit_test(who_is_cut_off_loses_it_and_is_silent),
        cmocka_unit_test(a_leader_that_is_cut_off_grants_nothing_not_even_to_itself),
        cmocka_unit_test(a_machine_that_slept_has_none),
        cmocka_unit_test(a_new_start_has_none),
        cmocka_unit_test(who_was_removed_has_none),
        cmocka_unit_test(renewals_are_news),
        cmocka_unit_test(a_report_is_made_wherever_the_node_is),
        cmocka_unit_test(without_a_leader_a_report_never_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
