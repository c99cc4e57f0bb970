/* SPDX-License-Identifier: Apache-2.0 */
/* Who was removed learns of it, whatever its term; who was not, never. Three nodes, and
 * at a fourth address somebody who says what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/command.h"
#include "raft/keeper_wire.h"
#include "raft/link.h"
#include "unit/raft/cluster_bench.h"

#define STRANGER "x:1"

/* What the stranger hears, and of whom. */
struct stranger {
    struct clock *clock;
    struct link *link;
    size_t removed; /* frames */
    size_t sure;
    uint64_t session; /* of the last sure one */
    uint64_t sessions[BENCH_NODES];
    uint64_t ids[BENCH_NODES];
    size_t known;
};

static void stranger_hello(void *owner, const struct hello *hello)
{
    struct stranger *stranger = owner;
    for (size_t i = 0; i < stranger->known; i++) {
        if (stranger->ids[i] == hello->node_id) {
            return;
        }
    }
    stranger->ids[stranger->known] = hello->node_id;
    stranger->sessions[stranger->known++] = hello->session;
}

static void stranger_frame(void *owner, uint64_t from, const uint8_t *data, size_t len)
{
    struct stranger *stranger = owner;
    struct keeper_message message;
    (void)from;
    if (data[0] == FRAME_REMOVED) {
        stranger->removed++;
    } else if (data[0] == FRAME_NO_MEMBER) {
        assert_int_equal(keeper_decode(&message, data, len, NULL), 0);
        stranger->session = message.session;
        stranger->sure++;
    }
}

static void stranger_down(void *owner, uint64_t node_id, bool refused)
{
    (void)owner;
    (void)node_id;
    (void)refused;
}

/* It says that it belongs to the bench's cluster, and is in no membership. */
static void stranger_come(struct stranger *stranger, struct cluster_bench *bench)
{
    static const struct link_events events = {stranger_hello, stranger_frame,
                                              stranger_down};
    const char *peers[BENCH_NODES];
    struct node_status status;
    node_status(bench->nodes[0].node, &status);
    struct hello hello = {
        .protocol = LINK_PROTOCOL,
        .cluster_id = status.cluster_id,
        .node_id = 4711,
        .start_counter = 1,
        .session = 99,
        .level = COMMAND_LEVEL,
        .name = "x",
        .peer_address = STRANGER,
        .api_address = "",
        .version = "1",
    };
    for (size_t i = 0; i < BENCH_NODES; i++) {
        peers[i] = bench->nodes[i].address;
    }
    *stranger = (struct stranger){.clock = sim_clock_new(bench->time, 5)};
    stranger->link = sim_link_new(bench->network, stranger->clock, STRANGER);
    stranger->link->ops->start(stranger->link, &events, stranger);
    stranger->link->ops->set_self(stranger->link, &hello);
    stranger->link->ops->set_peers(stranger->link, peers, BENCH_NODES);
}

static void stranger_go(struct stranger *stranger)
{
    sim_link_die(stranger->link, SIM_KILLED);
    sim_link_free(stranger->link);
    sim_clock_free(stranger->clock);
}

static void stranger_say(struct stranger *stranger, uint64_t to,
                         const struct keeper_message *message)
{
    struct bytes *frame = keeper_encode(message);
    assert_true(stranger->link->ops->send(stranger->link, to, frame));
    bytes_unref(frame);
}

static struct bench_node *bench_lead(struct cluster_bench *bench)
{
    bench_open(bench);
    bench_start_all(bench);
    assert_true(bench_run_until(bench, bench_has_leader, 20000));
    bench_run(bench, 1000);
    return bench_leader(bench);
}

static enum node_role role_of(const struct bench_node *node)
{
    struct node_status status;
    node_status(node->node, &status);
    return status.role;
}

static void a_leader_that_is_confirmed_tells_an_outsider_for_sure(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct stranger stranger;
    (void)bench_lead(&bench);
    stranger_come(&stranger, &bench);
    bench_run(&bench, 1000);
    assert_true(stranger.removed >= 1);
    assert_int_equal(stranger.sure, 1);
    assert_int_equal(stranger.session, 99);
    bench_run(&bench, 2000);
    assert_in_range(stranger.sure, 2,
                    4); /* it may have been lost; but not with each tick */
    stranger_go(&stranger);
    bench_close(&bench);
}

/* The others may have elected a newer leader that let it in. */
static void a_leader_that_is_cut_off_tells_nobody_for_sure(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct stranger stranger;
    struct bench_node *leader = bench_lead(&bench);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *other = &bench.nodes[i];
        if (other != leader) {
            sim_network_cut(bench.network, leader->address, other->address, true);
            sim_network_cut(bench.network, other->address, leader->address, true);
            sim_network_cut(bench.network, STRANGER, other->address, true);
            sim_network_cut(bench.network, other->address, STRANGER, true);
        }
    }
    stranger_come(&stranger, &bench);
    bench_run(&bench, BENCH_ELECTION_MS - 100);
    assert_true(stranger.removed >= 1); /* it still takes itself for the leader */
    bench_run(&bench, 5 * BENCH_ELECTION_MS);
    assert_int_equal(stranger.sure, 0);
    stranger_go(&stranger);
    bench_close(&bench);
}

static void who_is_told_for_sure_leaves_whatever_its_term(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct stranger stranger;
    struct bench_node *leader = bench_lead(&bench);
    stranger_come(&stranger, &bench);
    bench_run(&bench, 500);
    assert_int_equal(stranger.known, BENCH_NODES);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *node = &bench.nodes[i];
        struct node_status status;
        node_status(node->node, &status);
        size_t at = 0;
        while (stranger.ids[at] != status.id) {
            at++;
        }
        struct keeper_message message = {.kind = FRAME_REMOVED, .term = 0};
        stranger_say(&stranger, status.id, &message); /* of an older leader */
        message.kind = FRAME_NO_MEMBER;
        message.session = stranger.sessions[at] + 1; /* for another start of it */
        stranger_say(&stranger, status.id, &message);
        bench_run(&bench, 100);
        assert_int_not_equal(role_of(node), NODE_REMOVED);
        if (node != leader) {
            message.session--;
            stranger_say(&stranger, status.id, &message);
            bench_run(&bench, 100);
            assert_int_equal(role_of(node), NODE_REMOVED);
        }
    }
    stranger_go(&stranger);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_that_is_confirmed_tells_an_outsider_for_sure),
        cmocka_unit_test(a_leader_that_is_cut_off_tells_nobody_for_sure),
        cmocka_unit_test(who_is_told_for_sure_leaves_whatever_its_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
