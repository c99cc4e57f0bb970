/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/charter.h"
#include "raft/identity.h"
#include "raft/store/store.h"
#include "unit/raft/cluster_bench.h"

#define SEGMENT_BYTES (1024u * 1024)

/* --- founding ----------------------------------------------------------------------
 */

static void bench_found_one(struct bench_node *node, struct identity *identity,
                            const struct charter *charter)
{
    struct bytes *membership = charter_membership(charter);
    struct store_options options = {
        .disk = sim_disk_base(node->disk),
        .node_id = identity->node_id,
        .cluster_id = charter->cluster_id,
        .segment_bytes = SEGMENT_BYTES,
    };
    struct entry entry = {.term = 1, .type = ENTRY_CONFIGURATION, .data = membership};
    assert_int_equal(store_create(&options, 1, &entry, NULL), 0);
    bytes_unref(membership);
    identity->cluster_id = charter->cluster_id;
    assert_int_equal(identity_save(identity, options.disk, NULL), 0);
    sim_disk_kill(node->disk);
}

static void bench_found(struct cluster_bench *bench)
{
    struct identity identities[BENCH_NODES];
    struct charter charter = {.cluster_id = 77};
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *node = &bench->nodes[i];
        struct clock *clock = sim_clock_new(bench->time, ++bench->seed);
        assert_int_equal(identity_open(&identities[i], sim_disk_base(node->disk), clock,
                                       node->name, NULL),
                         0);
        sim_clock_free(clock);
        struct charter_row row = {.id = identities[i].node_id};
        snprintf(row.name, sizeof row.name, "%s", node->name);
        snprintf(row.peer_address, sizeof row.peer_address, "%s", node->address);
        size_t at = charter.count++;
        for (; at > 0 && charter.rows[at - 1].id > row.id; at--) {
            charter.rows[at] = charter.rows[at - 1];
        }
        charter.rows[at] = row;
    }
    for (size_t i = 0; i < BENCH_NODES; i++) {
        bench_found_one(&bench->nodes[i], &identities[i], &charter);
    }
}

static void bench_frame(void *ctx, enum sim_frame_fate fate, const char *from,
                        const char *to, const struct bytes *frame)
{
    struct cluster_bench *bench = ctx;
    (void)from;
    (void)to;
    if (fate == SIM_FRAME_SENT) {
        bench->wire_bytes += frame->len;
        if (frame->len > bench->wire_largest) {
            bench->wire_largest = frame->len;
        }
    }
}

void bench_open(struct cluster_bench *bench)
{
    *bench = (struct cluster_bench){.time = sim_time_new()};
    bench->network = sim_network_new(bench->time, 11);
    struct sim_wire wire = {.latency_min_us = 300, .latency_max_us = 800};
    sim_network_set_wire(bench->network, &wire);
    struct sim_network_watch watch = {bench_frame, bench};
    sim_network_observe(bench->network, &watch);
    log_set_level(LOG_LEVEL_ERROR);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *node = &bench->nodes[i];
        node->bench = bench;
        snprintf(node->name, sizeof node->name, "n%zu", i + 1);
        snprintf(node->address, sizeof node->address, "n%zu:1", i + 1);
        node->disk = sim_disk_new(bench->time, ++bench->seed, node->name);
        sim_disk_latency(node->disk, 200, 600);
    }
    bench_found(bench);
}

/* --- links: what is offered to them is counted -------------------------------------
 */

static struct link_ops bench_ops;
static const struct link_ops *bench_real_ops;
static uint64_t offered;

static bool bench_link_send(struct link *link, uint64_t to, struct bytes *frame)
{
    offered += frame->len;
    return bench_real_ops->send(link, to, frame);
}

static struct link *bench_link_new(struct bench_node *node)
{
    struct link *link = sim_link_new(node->bench->network, node->clock, node->address);
    bench_real_ops = link->ops;
    bench_ops = *link->ops;
    bench_ops.send = bench_link_send;
    link->ops = &bench_ops;
    return link;
}

uint64_t bench_offered(void)
{
    return offered;
}

/* --- lives -------------------------------------------------------------------------
 */

static void bench_failed(void *owner, const struct err *err)
{
    struct bench_node *node = owner;
    if (!node->may_fail) {
        fail_msg("%s cannot go on: %s", node->name, err->text);
    }
    snprintf(node->failure, sizeof node->failure, "%s", err->text);
}

void bench_start(struct bench_node *node)
{
    struct cluster_bench *bench = node->bench;
    const char *peers[BENCH_NODES];
    size_t peer_count = 0;
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (&bench->nodes[i] != node) {
            peers[peer_count++] = bench->nodes[i].address;
        }
    }
    sim_disk_power_on(node->disk, SIM_STAYS);
    node->clock = sim_clock_new(bench->time, ++bench->seed);
    node->link = bench_link_new(node);
    struct node_options options = {
        .disk = sim_disk_base(node->disk),
        .clock = node->clock,
        .link = node->link,
        .name = node->name,
        .peer_address = node->address,
        .api_address = "",
        .version = "1",
        .expect = BENCH_NODES,
        .peers = peers,
        .peer_count = peer_count,
        .election_timeout_ms = BENCH_ELECTION_MS,
        .heartbeat_ms = BENCH_HEARTBEAT_MS,
        .level = node->level,
        .snapshot_bytes = UINT64_MAX, /* the log stays whole */
        .segment_bytes = SEGMENT_BYTES,
        .digest_every = BENCH_DIGEST_EVERY,
        .notice_ms = bench->notice_ms,
        .forward_writes = bench->forward_writes,
        .owner = node,
        .failed = bench_failed,
    };
    assert_int_equal(node_start(&node->node, &options, NULL), 0);
}

void bench_start_all(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        bench_start(&bench->nodes[i]);
    }
}

static void bench_gone(void *owner)
{
    ((struct bench_node *)owner)->node = NULL;
}

static void bench_take_apart(struct bench_node *node)
{
    node_stop(node->node, bench_gone, node);
    while (node->node != NULL && sim_time_run_next(node->bench->time)) {
    }
    assert_null(node->node);
    sim_link_free(node->link);
    sim_clock_free(node->clock);
}

void bench_kill(struct bench_node *node)
{
    sim_link_die(node->link, SIM_KILLED);
    sim_disk_kill(node->disk);
    sim_disk_power_off(node->disk); /* what its last moments write is seen by nobody */
    bench_take_apart(node);
}

void bench_close(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *node = &bench->nodes[i];
        if (node->node != NULL) {
            bench_take_apart(node);
        }
        sim_disk_free(node->disk);
    }
    sim_network_free(bench->network);
    sim_time_free(bench->time);
    log_set_level(LOG_LEVEL_INFO);
}

/* --- time --------------------------------------------------------------------------
 */

uint64_t bench_now_ms(const struct cluster_bench *bench)
{
    return sim_time_now_us(bench->time) / 1000;
}

void bench_run(struct cluster_bench *bench, uint64_t ms)
{
    sim_time_run_until(bench->time, sim_time_now_us(bench->time) + ms * 1000);
}

bool bench_run_until(struct cluster_bench *bench,
                     bool (*test)(struct cluster_bench *bench), uint64_t ms)
{
    uint64_t end_ms = bench_now_ms(bench) + ms;
    while (!test(bench)) {
        if (bench_now_ms(bench) >= end_ms || !sim_time_run_next(bench->time)) {
            return false;
        }
    }
    return true;
}

/* --- questions ---------------------------------------------------------------------
 */

struct bench_node *bench_leader(struct cluster_bench *bench)
{
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *node = &bench->nodes[i];
        if (node->node != NULL && engine_settled(node_engine(node->node))) {
            return node;
        }
    }
    return NULL;
}

bool bench_has_leader(struct cluster_bench *bench)
{
    return bench_leader(bench) != NULL;
}

uint64_t bench_applied(const struct bench_node *node)
{
    return node->node != NULL ? engine_applied_index(node_engine(node->node)) : 0;
}

bool bench_is_level(struct cluster_bench *bench)
{
    uint64_t most = 0;
    for (size_t i = 0; i < BENCH_NODES; i++) {
        const struct bench_node *node = &bench->nodes[i];
        if (node->node != NULL && engine_last(node_engine(node->node)) > most) {
            most = engine_last(node_engine(node->node));
        }
    }
    for (size_t i = 0; i < BENCH_NODES; i++) {
        const struct bench_node *node = &bench->nodes[i];
        if (node->node != NULL && bench_applied(node) < most) {
            return false;
        }
    }
    return true;
}

/* --- writes ------------------------------------------------------------------------
 */

static void bench_decided(void *owner, const struct outcome *outcome)
{
    struct cluster_bench *bench = owner;
    if (outcome->code == 0) {
        bench->decided[0]++;
    } else if (outcome->code == ERR_NOT_LEADER) {
        bench->decided[1]++;
    } else {
        bench->decided[2]++;
    }
}

int bench_write(struct bench_node *node, size_t bytes)
{
    char *text = mem_alloc(bytes + 8);
    memset(text, 'x', bytes + 8);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + bytes + 6, "\"}", 2);
    struct command command = {
        .type = COMMAND_TASK_CREATE, .request_id = text_of(""), .actor = text_of("")};
    command.task_create.name = text_of("t"); /* refused the second time: costs less */
    command.task_create.text = (struct text){text, bytes + 8};
    command.task_create.enabled_at = 1;
    int rv = propose_submit(node_propose(node->node), &command, bench_decided,
                            node->bench, NULL);
    mem_free(text);
    return rv;
}
