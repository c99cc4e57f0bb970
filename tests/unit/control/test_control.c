/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's loops: due tasks are placed, runs of silent nodes are lost after their
 * wait and not before, and drains end what has not ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "control/control.h"
#include "control/place.h"
#include "lib/fake_node.h"
#include "lib/sim_clock.h"

#define TASK_NAMED(name) "{\"condition\":{},\"module\":\"./m\",\"name\":\"" name "\"}"
#define TASK             "{\"condition\":{},\"module\":\"./m\",\"name\":\"web\"}"
#define N1               FAKE_SELF
#define N2               (FAKE_SELF + 1)
#define N3               (FAKE_SELF + 2)
#define WAIT_MS          (4000 + 5000 + 90 + 1000) /* (lease + grace)(1 + rho) + 1 s */
#define TICK_MS          100

static struct sim_time *time_;
static struct clock *clock_;
static struct node *node;
static struct control *control;

static void pass(uint64_t ms)
{
    sim_time_run_until(time_, sim_time_now_us(time_) + ms * 1000);
}

/* Nodes that are not heard of grow silent with the time. */
static void pass_in_silence(uint64_t id, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        node->peers[id - FAKE_SELF].silence_ms++;
        pass(1);
    }
}

static int begin(void **state)
{
    (void)state;
    time_ = sim_time_new();
    clock_ = sim_clock_new(time_, 7);
    node = fake_node_new(clock_);
    fake_node_task(node, "web", TASK);
    control = control_new(clock_, node);
    pass(1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (control != NULL) {
        control_free(control);
    }
    control = NULL;
    fake_node_free(node);
    sim_clock_free(clock_);
    sim_time_free(time_);
    map_reap(SIZE_MAX);
    return 0;
}

static void make_due(const char *name, uint64_t in_ms)
{
    uint64_t at_ms = clock_now_ms(clock_) + in_ms;
    struct command due = {
        .type = COMMAND_TASK_DUE,
        .task_due = {.task = text_of(name),
                     .cause = RUN_CAUSE_CHANGE,
                     .at_clock_ms = at_ms,
                     .until_clock_ms = at_ms},
    };
    assert_int_equal(fake_node_apply(node, &due).code, 0);
}

static const struct run *live(const char *name)
{
    return registry_live_run(node_registry(node), name, strlen(name));
}

static void end_run(const struct run *run)
{
    struct command over = {
        .type = COMMAND_RUN_END,
        .run_end = {.run = run->id,
                    .node = run->node,
                    .outcome = RUN_SUCCESS,
                    .text = text_of("")},
    };
    assert_int_equal(fake_node_apply(node, &over).code, 0);
}

static void drain(uint64_t id, bool draining)
{
    struct command command = {.type = COMMAND_MEMBER_DRAIN,
                              .member_drain = {id, draining}};
    assert_int_equal(fake_node_apply(node, &command).code, 0);
}

/* --- placement ---------------------------------------------------------------------
 */

static void test_due_is_placed(void **state)
{
    (void)state;
    make_due("web", 0);
    pass(2);
    const struct run *run = live("web");
    assert_non_null(run);
    assert_int_equal(run->node, N1);
    assert_int_equal(run->cause, RUN_CAUSE_CHANGE);
    assert_int_equal(run->purpose, RUN_APPLY);
    assert_int_equal(run->lease_ms, 4000);
    assert_int_equal(run->grace_ms, 5000);
    assert_int_equal(run->tries, 3);
    assert_int_equal(registry_due_count(node_registry(node)), 0);
}

static void test_not_before_its_time(void **state)
{
    (void)state;
    make_due("web", 5000);
    pass(4800);
    assert_null(live("web"));
    pass(2 * TICK_MS + 1);
    assert_non_null(live("web"));
}

/* All that is due starts at once, spread over the nodes. */
static void test_many_are_spread(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < 6; i++) {
        fake_node_task(node, names[i], TASK);
        make_due(names[i], 0);
    }
    pass(2);
    unsigned runs[FAKE_NODES] = {0};
    for (size_t i = 0; i < 6; i++) {
        assert_non_null(live(names[i]));
        runs[live(names[i])->node - FAKE_SELF]++;
    }
    for (size_t i = 0; i < FAKE_NODES; i++) {
        assert_int_equal(runs[i], 2);
    }
}

/* A change that is to settle for `min_ms`, and not longer than `max_ms` (spec/cts.md
 * 5.1). */
static void make_change(const char *name, uint64_t min_ms, uint64_t max_ms)
{
    uint64_t now_ms = clock_now_ms(clock_);
    struct command due = {
        .type = COMMAND_TASK_DUE,
        .task_due = {.task = text_of(name),
                     .cause = RUN_CAUSE_CHANGE,
                     .at_clock_ms = now_ms + min_ms,
                     .until_clock_ms = now_ms + max_ms},
    };
    assert_int_equal(fake_node_apply(node, &due).code, 0);
}

static void test_buffer_is_put_off_up_to_its_end(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) { /* at 0, 4, 8 and 12 s, each for 5 s, to 15 s */
        make_change("web", 5000, 15000);
        pass(4000);
        assert_int_equal(live("web") == NULL, i < 3 || clock_now_ms(clock_) < 15001);
    }
    pass(TICK_MS + 2);
    assert_non_null(live("web"));
    assert_int_equal(registry_due_count(node_registry(node)), 0);
}

/* The period is on the replicated clock: another leader ends it at the same moment. */
static void test_buffer_over_leaders(void **state)
{
    (void)state;
    make_change("web", 5000, 20000);
    pass(2000);
    fake_node_lead(node, false, 2);
    pass(100);
    fake_node_lead(node, true, 3);
    pass(2700);
    assert_null(live("web"));
    pass(200 + TICK_MS);
    assert_int_equal(live("web")->cause, RUN_CAUSE_CHANGE);
}

/* Changes during a run: its follow-up waits for the end of the period, and for the end
 * of the run. */
static void test_buffer_during_a_run(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    make_change("web", 5000, 20000);
    make_change("web", 5000, 20000);
    pass(1000);
    end_run(live("web"));
    pass(3000);
    assert_null(live("web")); /* the period is not over */
    pass(1000 + TICK_MS);
    uint64_t second = live("web")->id;
    assert_true(second > first);
    make_change("web", 5000, 20000);
    pass(60000);
    assert_int_equal(live("web")->id, second); /* it is, and the run goes on */
    end_run(live("web"));
    pass(2);
    assert_true(live("web")->id > second);
    end_run(live("web"));
    pass(60000);
    assert_null(live("web"));
}

/* What was disabled or deleted meanwhile does not run, nor what has its name later. */
static void test_buffer_of_what_is_disabled_or_deleted(void **state)
{
    (void)state;
    make_change("web", 5000, 20000);
    struct command enable = {.type = COMMAND_TASK_ENABLE,
                             .task_enable = {text_of("web"), false}};
    assert_int_equal(fake_node_apply(node, &enable).code, 0);
    pass(10000);
    enable.task_enable.enabled = true;
    assert_int_equal(fake_node_apply(node, &enable).code, 0);
    pass(60000);
    assert_null(live("web"));
    make_change("web", 5000, 20000);
    struct command delete = {.type = COMMAND_TASK_DELETE,
                             .task_delete = {text_of("web")}};
    assert_int_equal(fake_node_apply(node, &delete).code, 0);
    fake_node_task(node, "web", TASK);
    pass(60000);
    assert_null(live("web"));
    assert_int_equal(node->proposed, 0);
}

/* One follow-up, when what runs has ended. */
static void test_follow_up_waits(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    make_due("web", 0);
    make_due("web", 0);
    pass(1000);
    assert_int_equal(live("web")->id, first);
    end_run(live("web"));
    pass(2);
    assert_non_null(live("web"));
    assert_true(live("web")->id > first);
    end_run(live("web"));
    pass(1000);
    assert_null(live("web"));
}

static void test_nobody_can(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAKE_NODES; i++) {
        node->peers[i].row.reachable = false;
    }
    make_due("web", 0);
    pass(1000);
    assert_null(live("web"));
    node->peers[2].row.reachable = true;
    pass(2 * TICK_MS + 2);
    assert_int_equal(live("web")->node, N3);
}

static void test_not_on_who_drains(void **state)
{
    (void)state;
    drain(N1, true);
    make_due("web", 0);
    pass(2);
    assert_int_equal(live("web")->node, N2);
}

static void set_drivers(uint64_t id, uint32_t drivers)
{
    struct command command = {.type = COMMAND_MEMBER_DRIVERS,
                              .member_drivers = {id, drivers}};
    assert_int_equal(fake_node_apply(node, &command).code, 0);
}

/* Neither its failovers nor its queue lose what is due for want of a driver. */
static void test_not_on_who_carries_none_out(void **state)
{
    (void)state;
    for (uint64_t id = N1; id <= N3; id++) {
        set_drivers(id, 0);
    }
    make_due("web", 0);
    pass(1000);
    assert_null(live("web"));
    struct err err;
    struct place_now now = {.node = node};
    uint64_t chosen = 0;
    assert_int_equal(control_place_now(&now, &chosen, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.text, "n3 carries out no runs (runs.enabled, or it"));
    fake_node_lead(node, false, 2);
    pass(1);
    fake_node_lead(node, true, 3);
    pass(1000);
    set_drivers(N2, MEMBER_DRIVER_EXEC);
    pass(TICK_MS + 2);
    assert_int_equal(live("web")->node, N2);
}

/* However many tasks are due that cannot start, one that can is not kept waiting. */
static void test_many_that_cannot_start(void **state)
{
    (void)state;
    enum { TASKS = 5000 };
    char name[16];
    for (int i = 0; i < TASKS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        fake_node_task(node, name, TASK);
        fake_node_place(node, name, N3);
        make_due(name, 0);
    }
    pass(1);
    make_due("web", 0);
    pass(10);
    assert_non_null(live("web"));
    assert_int_equal(node->proposed, 1);
}

/* The run of one that the walk has passed ends before the walk does. */
static void test_passed_before_its_run_ended(void **state)
{
    (void)state;
    enum { TASKS = 5000 };
    char name[16];
    uint64_t first = fake_node_place(node, "web", N2);
    make_due("web", 0);
    for (int i = 0; i < TASKS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        fake_node_task(node, name, TASK);
        fake_node_place(node, name, N3);
        make_due(name, 0);
    }
    pass(1000);
    fake_node_task(node, "other", TASK); /* an event: a walk begins */
    sim_time_run_until(time_, sim_time_now_us(time_) + 500);
    end_run(fake_node_run(node, first));
    pass(10);
    assert_non_null(live("web"));
    assert_int_equal(node->proposed, 1);
}

/* Likewise while the walk stands at one that nobody can carry out, and that one goes.
 */
static void test_passed_while_nobody_could(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    fake_node_task(node, "other", TASK);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        node->peers[i].row.reachable = false;
    }
    make_due("web", 0);
    make_due("other", 0);
    pass(1000);
    end_run(fake_node_run(node, first));
    pass(1000);
    struct command enable = {.type = COMMAND_TASK_ENABLE,
                             .task_enable = {text_of("other"), false}};
    assert_int_equal(fake_node_apply(node, &enable).code, 0);
    pass(1000);
    node->peers[2].row.reachable = true;
    pass(2 * TICK_MS + 2);
    assert_int_equal(live("web")->node, N3);
}

/* Without work there are no looks: a mark's time and events are what wakes it. */
static void test_not_before_an_event(void **state)
{
    (void)state;
    uint64_t first = fake_node_place(node, "web", N2);
    make_due("web", 0);
    pass(3600000);
    assert_int_equal(live("web")->id, first);
    end_run(live("web"));
    pass(2);
    assert_true(live("web")->id > first);
}

/* Runs of the cluster that this state comes from may still be ending: what is due waits
 * as for a node that is silent, whoever leads meanwhile. */
static void test_after_a_recovery(void **state)
{
    (void)state;
    uint64_t old = fake_node_place(node, "web", N2);
    fake_node_task(node, "other", TASK);
    make_due("other", 0);
    struct change change = {.request_id = "", .actor = ""};
    struct err err;
    pass(1);
    end_run(live("other"));
    pass(5000);
    fake_node_lead(node, false, 2);
    pass(1);
    uint64_t clock_ms = registry_clock_ms(node_registry(node));
    assert_int_equal(fsm_recover(node->fsm, &change, &err), 0);
    assert_int_equal(registry_runs_from_ms(node_registry(node)), clock_ms + WAIT_MS);
    assert_int_equal(fake_node_run(node, old)->outcome, RUN_LOST);
    struct command set = {
        .type = COMMAND_MEMBER_SET,
        .member_set = {N1, COMMAND_LEVEL, text_of("n1"), text_of("a"), text_of("p"),
                       text_of("v")},
    };
    fake_node_apply(node, &set);
    fake_node_lead(node, true, 3);
    uint64_t waits_ms = clock_ms + WAIT_MS - clock_now_ms(clock_);
    make_due("other", 0);
    pass(waits_ms / 2);
    fake_node_lead(node, false, 4);
    pass(1);
    fake_node_lead(node, true, 5);
    pass(waits_ms - waits_ms / 2 - 3);
    assert_null(live("web"));
    assert_null(live("other"));
    struct place_now now = {.node = node};
    uint64_t chosen = 0;
    assert_int_equal(control_place_now(&now, &chosen, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.text, "runs begin in 1 s"));
    pass(TICK_MS + 4);
    assert_int_equal(live("web")->cause, RUN_CAUSE_FAILOVER); /* it was interrupted */
    assert_non_null(live("other"));
    assert_int_equal(control_place_now(&now, &chosen, &err), 0);
}

/* A full queue, a lead that is being lost: the mark is still there. */
static void test_placement_is_refused(void **state)
{
    (void)state;
    node->fate = FAKE_REFUSED;
    make_due("web", 0);
    pass(1000);
    assert_in_range(node->proposed, 1, 20);
    node->fate = FAKE_NEVER;
    pass(1000);
    assert_null(live("web"));
    node->fate = FAKE_APPLIED;
    pass(2 * TICK_MS);
    assert_non_null(live("web"));
}

/* While it is not known what becomes of it nothing is proposed again. */
static void test_placement_is_pending(void **state)
{
    (void)state;
    node->fate = FAKE_PENDING;
    make_due("web", 0);
    pass(1000);
    assert_int_equal(node->proposed, 1);
    node->fate = FAKE_APPLIED;
    fake_node_decide(node, FAKE_APPLIED);
    pass(TICK_MS);
    assert_non_null(live("web"));
    assert_int_equal(node->proposed, 1);
}

/* None of the runs they asked for is there yet when the next one asks. */
static void test_many_who_ask_at_once_are_spread(void **state)
{
    (void)state;
    struct place_now now = {.node = node};
    struct err err;
    unsigned counts[FAKE_NODES] = {0};
    fake_node_task(node, "busy", TASK_NAMED("busy"));
    fake_node_place(node, "busy", N2);
    for (int i = 0; i < 8; i++) {
        uint64_t id = 0;
        assert_int_equal(control_place_now(&now, &id, &err), 0);
        counts[id - FAKE_SELF]++;
    }
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 2);
    assert_int_equal(counts[2], 3);
    fake_node_place(node, "web", N1); /* an event: from now on the registry counts */
    uint64_t id = 0;
    assert_int_equal(control_place_now(&now, &id, &err), 0);
    assert_int_equal(id, N3);
}

/* --- leadership --------------------------------------------------------------------
 */

static void test_only_a_settled_leader(void **state)
{
    (void)state;
    fake_node_lead(node, false, 2);
    pass(1);
    make_due("web", 0);
    pass(1000);
    assert_int_equal(node->proposed, 0);
    fake_node_lead(node, true, 3);
    node->settled = false;
    pass(1000);
    assert_int_equal(node->proposed, 0);
    node->settled = true;
    pass(100);
    assert_non_null(live("web"));
}

/* What a leadership had proposed is nobody's business in the next, nor after the end.
 */
static void test_outcomes_after_the_end(void **state)
{
    (void)state;
    node->fate = FAKE_PENDING;
    make_due("web", 0);
    pass(1);
    fake_node_lead(node, true, 2); /* lost and won again within a turn */
    pass(1);
    assert_int_equal(node->proposed, 2);
    control_free(control);
    control = NULL;
    fake_node_decide(node, FAKE_APPLIED);
    pass(1);
    assert_non_null(live("web"));
}

static void test_level_is_too_low(void **state)
{
    (void)state;
    struct node *low = fake_node_new(clock_);
    struct fsm *known = low->fsm;
    low->fsm = fsm_new(); /* of level 1 */
    control_free(control);
    control = control_new(clock_, low);
    pass(5000);
    assert_int_equal(low->proposed, 0);
    control_free(control);
    control = NULL;
    fsm_free(known);
    fake_node_free(low);
}

/* --- lost runs ---------------------------------------------------------------------
 */

static void test_lost_after_its_wait(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", N2);
    pass(1);
    pass_in_silence(N2, WAIT_MS - 1);
    assert_non_null(live("web"));
    assert_int_equal(node->peers[1].holds, 0);
    node->fate = FAKE_PENDING;
    pass_in_silence(N2, 2 * TICK_MS + 2);
    assert_true(node->peers[1].held); /* as long as it is not decided */
    assert_int_equal(node->proposed, 1);
    pass_in_silence(N2, 1000);
    assert_true(node->peers[1].held);
    assert_int_equal(node->proposed, 1);
    node->fate = FAKE_APPLIED;
    node->peers[1].row.reachable = false;
    fake_node_decide(node, FAKE_APPLIED);
    pass(1);
    const struct run *run = fake_node_run(node, id);
    assert_int_equal(run->outcome, RUN_LOST);
    assert_memory_equal(run->text, "its node n2 has not been heard of for 1", 39);
    assert_false(node->peers[1].held);
    pass(TICK_MS);
    assert_non_null(live("web")); /* its successor, elsewhere */
    assert_int_equal(live("web")->node, N1);
    assert_int_equal(live("web")->cause, RUN_CAUSE_FAILOVER);
}

/* A node that had nothing to do has had no grant for long: that alone loses nothing. */
static void test_idle_node_is_not_silent(void **state)
{
    (void)state;
    node->peers[1].silence_ms = 3600000;
    fake_node_place(node, "web", N2);
    pass(5000);
    assert_non_null(live("web"));
    node->peers[1].silence_ms = 10;
    pass(3600000);
    assert_non_null(live("web"));
    assert_int_equal(node->proposed, 0);
}

/* The wait begins anew with the leadership. */
static void test_new_leader_waits(void **state)
{
    (void)state;
    fake_node_place(node, "web", N2);
    pass_in_silence(N2, WAIT_MS - 1000);
    fake_node_lead(node, false, 2);
    pass_in_silence(N2, 5000);
    node->peers[1].silence_ms = 0;
    fake_node_lead(node, true, 3);
    pass_in_silence(N2, WAIT_MS - 1);
    assert_non_null(live("web"));
    pass_in_silence(N2, TICK_MS + 3);
    assert_int_equal(node->peers[1].holds, 1);
}

/* Longer leases and graces, as the run records them. */
static void test_waits_as_recorded(void **state)
{
    (void)state;
    struct command place = {
        .type = COMMAND_RUN_START,
        .run_start = {.task = text_of("web"),
                      .node = N2,
                      .cause = RUN_CAUSE_CLIENT,
                      .purpose = RUN_APPLY,
                      .lease_ms = 10001,
                      .grace_ms = 30000,
                      .tries = 1},
    };
    assert_int_equal(fake_node_apply(node, &place).code, 0);
    pass(1);
    pass_in_silence(N2, 40001 + 401 + 1000 - 1); /* the hundredth is rounded up */
    assert_int_equal(node->peers[1].holds, 0);
    pass_in_silence(N2, 2 * TICK_MS + 2);
    assert_int_equal(node->peers[1].holds, 1);
}

/* Door 1 took nothing: no hold stays behind. */
static void test_lost_is_refused(void **state)
{
    (void)state;
    fake_node_place(node, "web", N2);
    node->fate = FAKE_REFUSED;
    pass_in_silence(N2, WAIT_MS + 2 * TICK_MS);
    assert_true(node->peers[1].holds > 0);
    assert_false(node->peers[1].held);
    assert_non_null(live("web"));
    node->fate = FAKE_NEVER;
    pass_in_silence(N2, TICK_MS);
    node->fate = FAKE_APPLIED;
    pass_in_silence(N2, 2 * TICK_MS);
    assert_false(node->peers[1].held);
    assert_int_equal(live("web")->cause, RUN_CAUSE_FAILOVER);
}

/* It may still be committed: the node stays held until another leadership. */
static void test_lost_is_unknown(void **state)
{
    (void)state;
    fake_node_place(node, "web", N2);
    node->fate = FAKE_UNKNOWN;
    pass_in_silence(N2, WAIT_MS + 1000);
    assert_true(node->peers[1].held);
    assert_int_equal(node->peers[1].holds, 1);
}

/* Several runs of it: it is held until the last one is decided; others are not. */
static void test_all_runs_of_a_node(void **state)
{
    (void)state;
    fake_node_task(node, "a", TASK);
    fake_node_task(node, "b", TASK);
    uint64_t first = fake_node_place(node, "a", N2);
    uint64_t second = fake_node_place(node, "web", N2);
    uint64_t other = fake_node_place(node, "b", N3);
    pass_in_silence(N2, WAIT_MS + 2 * TICK_MS + 2);
    assert_int_equal(fake_node_run(node, first)->outcome, RUN_LOST);
    assert_int_equal(fake_node_run(node, second)->outcome, RUN_LOST);
    assert_int_equal(fake_node_run(node, other)->state, RUN_PENDING);
    assert_int_equal(node->peers[1].holds, 1);
    assert_false(node->peers[1].held);
}

static void test_removed_member(void **state)
{
    (void)state;
    uint64_t id = fake_node_place(node, "web", N3);
    struct command remove = {.type = COMMAND_MEMBER_DELETE, .member_delete = {N3}};
    assert_int_equal(fake_node_apply(node, &remove).code, 0);
    node->peers[2].member = false;
    pass(1);
    pass_in_silence(N3, WAIT_MS - 1);
    assert_int_equal(live("web")->id, id);
    pass_in_silence(N3, 2 * TICK_MS + 2);
    assert_string_equal(fake_node_run(node, id)->text,
                        "its node is no member of the cluster any more");
}

/* --- drains ------------------------------------------------------------------------
 */

static void set_drain_deadline(uint64_t deadline_ms)
{
    struct command set = {
        .type = COMMAND_SETTING_SET,
        .setting_set = {text_of("drain_deadline_ms"), deadline_ms},
    };
    assert_int_equal(fake_node_apply(node, &set).code, 0);
}

static void test_drain_deadline(void **state)
{
    (void)state;
    set_drain_deadline(20000);
    uint64_t id = fake_node_place(node, "web", N2);
    fake_node_task(node, "other", TASK);
    uint64_t other = fake_node_place(node, "other", N3);
    pass(60000);
    drain(N2, true);
    pass(19700);
    assert_int_equal(fake_node_run(node, id)->state, RUN_PENDING);
    pass(600);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
    assert_int_equal(fake_node_run(node, id)->stop, RUN_STOP_DRAIN);
    assert_int_equal(fake_node_run(node, other)->state, RUN_PENDING);
    unsigned before = node->proposed;
    pass(60000);
    assert_int_equal(node->proposed, before);
    struct command over = {
        .type = COMMAND_RUN_END,
        .run_end = {.run = id,
                    .node = N2,
                    .outcome = RUN_CANCELLED,
                    .text = text_of("")},
    };
    fake_node_apply(node, &over);
    pass(2 * TICK_MS + 2);
    assert_int_equal(live("web")->node, N1); /* moved */
}

/* However often another one leads meanwhile. */
static void test_drain_deadline_over_leaders(void **state)
{
    (void)state;
    set_drain_deadline(20000);
    uint64_t id = fake_node_place(node, "web", N2);
    drain(N2, true);
    for (uint64_t term = 2; term < 40; term += 2) {
        pass(900);
        fake_node_lead(node, false, term);
        pass(100);
        fake_node_lead(node, true, term + 1);
    }
    assert_int_equal(fake_node_run(node, id)->state, RUN_PENDING);
    pass(1500);
    assert_int_equal(fake_node_run(node, id)->stop, RUN_STOP_DRAIN);
}

/* A drain that was taken back counts from nothing the next time. */
static void test_drain_taken_back(void **state)
{
    (void)state;
    set_drain_deadline(20000);
    uint64_t id = fake_node_place(node, "web", N2);
    drain(N2, true);
    pass(15000);
    drain(N2, false);
    pass(1000);
    drain(N2, true);
    pass(15000);
    assert_int_equal(fake_node_run(node, id)->state, RUN_PENDING);
    pass(6000);
    assert_int_equal(fake_node_run(node, id)->state, RUN_STOPPING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_due_is_placed),
        TEST(test_not_before_its_time),
        TEST(test_many_who_ask_at_once_are_spread),
        TEST(test_many_are_spread),
        TEST(test_buffer_is_put_off_up_to_its_end),
        TEST(test_buffer_over_leaders),
        TEST(test_buffer_during_a_run),
        TEST(test_buffer_of_what_is_disabled_or_deleted),
        TEST(test_follow_up_waits),
        TEST(test_nobody_can),
        TEST(test_not_on_who_drains),
        TEST(test_not_on_who_carries_none_out),
        TEST(test_many_that_cannot_start),
        TEST(test_passed_before_its_run_ended),
        TEST(test_passed_while_nobody_could),
        TEST(test_not_before_an_event),
        TEST(test_after_a_recovery),
        TEST(test_placement_is_refused),
        TEST(test_placement_is_pending),
        TEST(test_only_a_settled_leader),
        TEST(test_outcomes_after_the_end),
        TEST(test_level_is_too_low),
        TEST(test_lost_after_its_wait),
        TEST(test_idle_node_is_not_silent),
        TEST(test_new_leader_waits),
        TEST(test_waits_as_recorded),
        TEST(test_lost_is_refused),
        TEST(test_lost_is_unknown),
        TEST(test_all_runs_of_a_node),
        TEST(test_removed_member),
        TEST(test_drain_deadline),
        TEST(test_drain_deadline_over_leaders),
        TEST(test_drain_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
