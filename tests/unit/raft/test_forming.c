/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "raft/forming_wire.h"
#include "raft/heap.h"
#include "unit/raft/forming_bench.h"

static bool full_run(void)
{
    const char *value = getenv("MUSTER_TEST_FULL");
    return value != NULL && strcmp(value, "1") == 0;
}

static bool short_run(void)
{
    return getenv("MUSTER_TEST_SHORT") != NULL;
}

static void assert_settles(struct bench_world *world)
{
    if (!bench_world_settle(world, 60000)) {
        bench_world_print(world);
        fail_msg("they do not form");
    }
}

static void start_all(struct bench_world *world)
{
    for (size_t i = 0; i < world->machine_count; i++) {
        machine_start(&world->machines[i]);
    }
}

static void assert_trouble(struct machine *machine, const char *part)
{
    if (strstr(machine_trouble(machine), part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, machine_trouble(machine));
    }
}

/* --- without faults ------------------------------------------------------------------
 */

static void one_node_alone_forms_at_once(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(1, 1);
    start_all(world);
    bench_world_run(world, 100);
    assert_int_equal(bench_world_members(world), 1);
    bench_world_free(world);
}

static void three_and_five_form_within_a_second(void **state)
{
    (void)state;
    for (size_t count = 3; count <= 5; count += 2) {
        struct bench_world *world = bench_world_new(count, count);
        start_all(world);
        bench_world_run(world, 1000);
        assert_int_equal(bench_world_members(world), count);
        assert_int_equal(world->cluster_count, 1);
        assert_int_equal(world->clusters[0].members.count, count);
        bench_world_free(world);
    }
}

static void nobody_forms_before_all_are_there(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(3, 2);
    machine_start(&world->machines[0]);
    machine_start(&world->machines[2]);
    bench_world_run(world, 10000);
    assert_int_equal(bench_world_members(world), 0);
    assert_trouble(&world->machines[0], "waiting for 1 of 3: 10.0.0.2:8658");
    machine_start(&world->machines[1]);
    assert_settles(world);
    assert_int_equal(bench_world_members(world), 3);
    bench_world_free(world);
}

static void an_empty_node_beside_a_cluster_stays_blank(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(3, 3);
    start_all(world);
    assert_settles(world);
    machine_crash(&world->machines[1], SIM_LOSE);
    bench_world_run(world, 100);
    machine_wipe(&world->machines[1]);
    machine_start(&world->machines[1]);
    bench_world_run(world, 10000);
    assert_int_equal(bench_world_members(world), 2);
    assert_trouble(&world->machines[1], "exists; this node is not a member");
    bench_world_free(world);
}

/* --- company that does not fit -------------------------------------------------------
 */

static void another_expectation_is_named_by_everybody_who_sees_it(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(3, 4);
    world->machines[2].expect = 2;
    world->machines[2].peer_count = 1; /* 10.0.0.1 only */
    start_all(world);
    bench_world_run(world, 10000);
    assert_int_equal(bench_world_members(world), 0);
    assert_trouble(&world->machines[0], "n1 (10.0.0.1:8658) expects 3 nodes, "
                                        "n3 (10.0.0.3:8658) expects 2");
    assert_trouble(&world->machines[2], "expects 3");
    bench_world_free(world);
}

static void two_equal_names_are_named(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(3, 5);
    memcpy(world->machines[2].name, "n2", 3);
    start_all(world);
    bench_world_run(world, 10000);
    assert_int_equal(bench_world_members(world), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_trouble(&world->machines[i], "two nodes are named n2: ");
        assert_trouble(&world->machines[i], "10.0.0.2:8658");
        assert_trouble(&world->machines[i], "10.0.0.3:8658");
    }
    bench_world_free(world);
}

/* 1:{2,3} 2:{3,4} 3:{4,1} 4:{1,2}: whoever offers, somebody sees other nodes. */
static void nodes_that_point_in_a_ring_never_form(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct bench_world *world = bench_world_new(4, seed);
        for (size_t i = 0; i < 4; i++) {
            struct machine *machine = &world->machines[i];
            machine->expect = 3;
            machine->peer_count = 2;
            machine->peers[0] = world->machines[(i + 1) % 4].address;
            machine->peers[1] = world->machines[(i + 2) % 4].address;
        }
        start_all(world);
        bench_world_run(world, 10000);
        assert_int_equal(bench_world_members(world), 0);
        for (size_t i = 0; i < 4; i++) {
            assert_true(strlen(machine_trouble(&world->machines[i])) > 0);
        }
        bench_world_free(world);
    }
}

/* {1,2,3} are one group; 4 and 5 believe that 3 is theirs. */
static void two_groups_that_share_a_node_make_one_cluster_of_three(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct bench_world *world = bench_world_new(5, seed);
        static const size_t peers[5][2] = {{1, 2}, {0, 2}, {0, 1}, {4, 2}, {3, 2}};
        for (size_t i = 0; i < 5; i++) {
            struct machine *machine = &world->machines[i];
            machine->expect = 3;
            machine->peer_count = 2;
            machine->peers[0] = world->machines[peers[i][0]].address;
            machine->peers[1] = world->machines[peers[i][1]].address;
        }
        for (size_t i = 0; i < 5; i++) {
            size_t at = (i + seed) % 5;
            machine_start(&world->machines[at]);
            bench_world_run(world, sim_random_below(&world->random, 300));
        }
        assert_settles(world);
        assert_int_equal(bench_world_members(world), 3);
        assert_true(world->machines[0].cluster_id != 0);
        assert_trouble(&world->machines[3], "exists; this node is not a member");
        bench_world_free(world);
    }
}

/* Everybody pledged, then one comes back with another address: the old charter would
 * found a cluster whose members do not find each other. */
static void a_pledge_with_an_old_address_falls(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(3, 16);
    start_all(world);
    size_t pledged = 0;
    while (pledged < 2) {
        bench_world_run(world, 1);
        pledged = 0;
        for (size_t i = 0; i < 3; i++) {
            pledged += world->machines[i].identity.pledged;
        }
        assert_int_equal(bench_world_members(world), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        machine_crash(&world->machines[i], SIM_LOSE);
    }
    bench_world_run(world, 1000);
    assert_int_equal(bench_world_members(world), 0);
    for (size_t i = 0; i < 3; i++) { /* else that one must found on the old charter */
        assert_false(world->machines[i].identity.decided);
    }
    snprintf(world->machines[2].address, sizeof(world->machines[2].address),
             "10.0.0.9:8658"); /* the others' peers point to this text */
    assert_settles(world);
    assert_int_equal(bench_world_members(world), 3);
    const struct bench_cluster *cluster = &world->clusters[world->cluster_count - 1];
    const struct membership_row *row =
        membership_find(&cluster->members, world->machines[2].identity.node_id);
    assert_string_equal(row->address, "10.0.0.9:8658");
    bench_world_free(world);
}

/* --- crashes -------------------------------------------------------------------------
 */

enum after { AFTER_RESTART, AFTER_WIPE, AFTER_SWAP, AFTER_COUNT };

/* One machine loses its power at its `k`-th disk operation and comes back `delay_ms`
 * later. False: it formed with fewer operations. */
static bool crash_at(uint64_t k, size_t victim, enum sim_disk_loss loss,
                     enum after after, uint64_t delay_ms)
{
    struct bench_world *world = bench_world_new(3, k * 3 + victim + 7);
    struct machine *machine = &world->machines[victim];
    machine->loss = loss;
    sim_disk_power_off_after(machine->disk, k);
    start_all(world);
    bench_world_run(world, delay_ms);
    bool crashed = machine_down(machine);
    if (crashed && after == AFTER_WIPE) {
        machine_wipe(machine);
    } else if (crashed && after == AFTER_SWAP) {
        machine_swap(machine);
    }
    assert_settles(world);
    assert_true(bench_world_members(world) >= 2);
    if (after == AFTER_RESTART) {
        assert_int_equal(bench_world_members(world), 3);
        assert_int_equal(world->cluster_count, 1);
    }
    /* What is on the disks stands up to a start. */
    for (size_t i = 0; i < 3; i++) {
        machine_crash(&world->machines[i], SIM_LOSE);
    }
    bench_world_run(world, 1000);
    assert_settles(world);
    bench_world_free(world);
    return crashed;
}

static void a_crash_at_any_disk_operation_is_survived(void **state)
{
    (void)state;
    static const enum sim_disk_loss losses[] = {SIM_LOSE, SIM_KEEP, SIM_TEAR,
                                                SIM_REORDER};
    size_t most = 0;
    for (size_t victim = 0; victim < 3; victim++) {
        for (uint64_t k = 0;; k++) {
            bool crashed = false;
            for (size_t loss = 0; loss < 4; loss++) {
                for (int after = 0; after < AFTER_COUNT; after++) {
                    uint64_t delay = 1000 + 1500 * (k % 3);
                    crashed |=
                        crash_at(k, victim, losses[loss], (enum after)after, delay);
                }
            }
            if (!crashed) {
                most = k > most ? k : most;
                break;
            }
        }
    }
    assert_true(most > 20); /* it was a tour of all of it */
}

/* In order of id: the first offers. */
static void machines_by_id(struct bench_world *world, struct machine *sorted[3])
{
    for (size_t i = 0; i < 3; i++) {
        size_t at = i;
        struct machine *machine = &world->machines[i];
        for (; at > 0 && sorted[at - 1]->identity.node_id > machine->identity.node_id;
             at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = machine;
    }
}

/* a has every pledge in hand and a slow disk; b misses the pledge of c, which is wiped.
 * If b let go of its pledge just because c's successor is none of its members, a would
 * found a cluster alone. */
static void no_pledge_falls_while_somebody_founds_on_it(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(3, 8);
    start_all(world);
    struct machine *by_id[3];
    machines_by_id(world, by_id);
    struct machine *a = by_id[0];
    struct machine *b = by_id[1];
    struct machine *c = by_id[2];
    while (!a->identity.pledged) {
        bench_world_run(world, 1);
    }
    sim_disk_pause(a->disk, true);
    machine_cut(c, b, true);
    while (!c->identity.pledged) {
        bench_world_run(world, 1);
    }
    sim_disk_pause(c->disk, true); /* before it founds */
    bench_world_run(world, 1000);
    assert_true(a->identity.pledged && b->identity.pledged);
    assert_int_equal(bench_world_members(world), 0);
    machine_crash(c, SIM_LOSE);
    sim_disk_pause(c->disk, false);
    bench_world_run(world, 100);
    machine_wipe(c);
    bench_world_heal(world);
    machine_start(c);
    bench_world_run(world, 5000);
    assert_true(b->identity.pledged);
    assert_trouble(b, "giving up cluster");
    assert_trouble(b, a->address);
    sim_disk_pause(a->disk, false);
    assert_settles(world);
    assert_true(a->cluster_id != 0 && a->cluster_id == b->cluster_id);
    assert_trouble(c, "exists; this node is not a member");
    bench_world_free(world);
}

/* The same, but nobody founds: it falls, and those that are there form. */
static void a_pledge_to_a_wiped_node_falls(void **state)
{
    (void)state;
    struct bench_world *world = bench_world_new(3, 9);
    start_all(world);
    struct machine *by_id[3];
    machines_by_id(world, by_id);
    while (!by_id[0]->identity.pledged) {
        bench_world_run(world, 1);
    }
    sim_disk_pause(by_id[2]->disk, true);
    bench_world_run(world, 1000);
    assert_true(by_id[1]->identity.pledged && !by_id[2]->identity.pledged);
    machine_crash(by_id[2], SIM_LOSE);
    sim_disk_pause(by_id[2]->disk, false);
    bench_world_run(world, 100);
    machine_wipe(by_id[2]);
    assert_settles(world);
    assert_int_equal(bench_world_members(world), 3);
    bench_world_free(world);
}

/* --- chaos ---------------------------------------------------------------------------
 */

static void chaos_one(struct bench_world *world, size_t *wipes, size_t *swaps)
{
    struct sim_random *random = &world->random;
    struct machine *machine =
        &world->machines[sim_random_below(random, world->machine_count)];
    size_t other = sim_random_below(random, world->machine_count);
    enum sim_disk_loss loss = (enum sim_disk_loss)sim_random_below(random, 4);
    switch (sim_random_below(random, 14)) {
    case 0:
    case 1:
        machine->loss = loss;
        sim_disk_power_off_after(machine->disk, sim_random_below(random, 14));
        break;
    case 2:
        machine_crash(machine, loss);
        break;
    case 3:
        if (machine_down(machine) && *wipes > 0) {
            --*wipes;
            machine_wipe(machine);
        }
        break;
    case 4:
        machine_cut(machine, &world->machines[other], sim_random_chance(random, 60));
        break;
    case 5:
        if (machine->slot != other) {
            machine_break(machine, &world->machines[other]);
        }
        break;
    case 6:
        bench_world_heal(world);
        break;
    case 7:
        bench_world_faults(world, (uint32_t)sim_random_below(random, 300),
                           (uint32_t)sim_random_below(random, 300), 400000);
        break;
    case 8:
        if (machine_down(&world->machines[0]) && *swaps > 0) { /* one of a minority */
            --*swaps;
            machine_swap(&world->machines[0]);
        }
        break;
    case 9:
        sim_disk_pause(machine->disk, machine->running);
        break;
    default:
        machine_start(machine);
        break;
    }
}

static void chaos(uint64_t seed)
{
    static const size_t counts[] = {3, 3, 3, 3, 3, 5, 1, 2};
    struct bench_world *world = bench_world_new(counts[seed % 8], seed);
    struct sim_random *random = &world->random;
    size_t wipes = seed % 3;
    size_t swaps = seed % 11 == 0 && world->machine_count > 1 ? 3 : 0;
    if (sim_random_chance(random, 50)) {
        start_all(world);
    }
    for (size_t i = 0; i < world->machine_count; i++) {
        sim_disk_latency(world->machines[i].disk, 10,
                         10 + sim_random_below(random, 30000));
    }
    size_t steps = 5 + sim_random_below(random, 40);
    for (size_t i = 0; i < steps; i++) {
        chaos_one(world, &wipes, &swaps);
        uint64_t most = sim_random_chance(random, 80) ? 40 : 600;
        bench_world_run(world, sim_random_below(random, most));
    }
    if (!bench_world_settle(world, 60000) && !world->may_strand) {
        bench_world_print(world);
        fail_msg("seed %llu: they do not form", (unsigned long long)seed);
    }
    for (size_t i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        assert_true(machine->cluster_id != 0 || strlen(machine_trouble(machine)) > 0);
        if (machine->cluster_id != 0) { /* and again from its disk */
            machine_crash(machine, SIM_REORDER);
        }
    }
    bench_world_run(world, 1000);
    start_all(world);
    bench_world_run(world, 100);
    bench_world_free(world);
}

static void whatever_happens_they_form_one_cluster(void **state)
{
    (void)state;
    const char *first = getenv("MUSTER_TEST_SEED");
    if (first != NULL) {
        chaos(strtoull(first, NULL, 10));
        return;
    }
    uint64_t seeds = full_run() ? 20000 : short_run() ? 300 : 2000;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        chaos(seed);
    }
}

/* --- frames --------------------------------------------------------------------------
 */

static struct forming_message a_message(enum frame_kind kind)
{
    struct forming_message message = {
        .kind = kind, .start_counter = 3, .serial = 9, .cluster_id = 77, .token = 5};
    message.charter = (struct charter){
        .cluster_id = 77,
        .count = 2,
        .rows =
            {
                {.id = 1, .name = "a", .peer_address = "a:1", .api_address = ""},
                {.id = 2, .name = "b", .peer_address = "b:1", .api_address = "b:2"},
            },
    };
    return message;
}

static void frames_are_read_back_and_cut_ones_refused(void **state)
{
    (void)state;
    for (int kind = FRAME_OFFER; kind <= FRAME_VOW; kind++) {
        struct forming_message in = a_message((enum frame_kind)kind);
        struct forming_message out;
        struct bytes *frame = forming_encode(&in);
        assert_true(forming_decode(&out, frame->data, frame->len));
        assert_int_equal(out.kind, kind);
        assert_true(out.start_counter == 3 && out.serial == 9 && out.cluster_id == 77);
        if (kind <= FRAME_PLEDGE) {
            assert_true(charter_same_members(&in.charter, &out.charter));
        } else {
            assert_true(out.token == 5);
        }
        for (size_t len = 0; len < frame->len; len++) {
            uint8_t *cut = malloc(len + 1); /* a read past the end is seen */
            memcpy(cut, frame->data, len);
            cut = realloc(cut, len > 0 ? len : 1);
            assert_false(forming_decode(&out, cut, len));
            free(cut);
        }
        bytes_unref(frame);
    }
}

static void the_bytes_of_a_vow_and_an_offer_are_frozen(void **state)
{
    (void)state;
    struct forming_message message = a_message(FRAME_VOW);
    struct bytes *frame = forming_encode(&message);
    assert_int_equal(frame->len, 33);
    assert_memory_equal(frame->data,
                        "\x23\x03\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0"
                        "\x4d\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0",
                        33);
    bytes_unref(frame);
    message = a_message(FRAME_OFFER);
    message.charter.count = 1;
    frame = forming_encode(&message);
    assert_int_equal(frame->len, 17 + 12 + 8 + 5 + 7 + 4);
    assert_memory_equal(frame->data,
                        "\x20\x03\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0"
                        "\x4d\0\0\0\0\0\0\0\x01\0\0\0"
                        "\x01\0\0\0\0\0\0\0\x01\0\0\0a\x03\0\0\0a:1\0\0\0\0",
                        frame->len);
    bytes_unref(frame);
}

static void a_charter_that_cannot_be_a_cluster_is_refused(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 10; wrong++) {
        struct forming_message in = a_message(FRAME_OFFER);
        struct charter_row *row = &in.charter.rows[1];
        switch (wrong) {
        case 0:
            row->id = 1;
            break;
        case 1:
            row->id = UINT64_MAX;
            break;
        case 2:
            memcpy(row->name, "a", 2);
            break;
        case 3:
            memcpy(row->peer_address, "a:1", 4);
            break;
        case 4:
            row->peer_address[0] = '\0';
            break;
        case 5:
            row->name[0] = '\n';
            break;
        case 6:
            in.charter.cluster_id = 0;
            break;
        case 7:
            in.charter.count = 0;
            break;
        case 8:
            row->api_address[0] = ' ';
            break;
        default:
            row->name[0] = '\0';
            break;
        }
        struct bytes *frame = forming_encode(&in);
        struct forming_message out;
        assert_false(forming_decode(&out, frame->data, frame->len));
        bytes_unref(frame);
    }
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    heap_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_read_back_and_cut_ones_refused),
        cmocka_unit_test(the_bytes_of_a_vow_and_an_offer_are_frozen),
        cmocka_unit_test(a_charter_that_cannot_be_a_cluster_is_refused),
        cmocka_unit_test(one_node_alone_forms_at_once),
        cmocka_unit_test(three_and_five_form_within_a_second),
        cmocka_unit_test(nobody_forms_before_all_are_there),
        cmocka_unit_test(an_empty_node_beside_a_cluster_stays_blank),
        cmocka_unit_test(another_expectation_is_named_by_everybody_who_sees_it),
        cmocka_unit_test(two_equal_names_are_named),
        cmocka_unit_test(nodes_that_point_in_a_ring_never_form),
        cmocka_unit_test(two_groups_that_share_a_node_make_one_cluster_of_three),
        cmocka_unit_test(a_pledge_with_an_old_address_falls),
        cmocka_unit_test(a_crash_at_any_disk_operation_is_survived),
        cmocka_unit_test(no_pledge_falls_while_somebody_founds_on_it),
        cmocka_unit_test(a_pledge_to_a_wiped_node_falls),
        cmocka_unit_test(whatever_happens_they_form_one_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
