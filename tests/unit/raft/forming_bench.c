/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/raft/forming_bench.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/store/store.h"

/* --- what must hold ------------------------------------------------------------------
 */

static struct bench_cluster *bench_cluster(struct bench_world *world, uint64_t id)
{
    for (size_t i = 0; i < world->cluster_count; i++) {
        if (world->clusters[i].id == id) {
            return &world->clusters[i];
        }
    }
    return NULL;
}

static void bench_must(struct bench_world *world, bool truth, const char *what)
{
    if (!truth) {
        bench_world_print(world);
        fail_msg("seed %" PRIu64 ": %s", world->seed, what);
    }
}

static void bench_one_cluster(struct bench_world *world)
{
    uint64_t id = 0;
    for (size_t i = 0; i < world->machine_count; i++) {
        uint64_t own = world->machines[i].cluster_id;
        if (own != 0 && !world->may_strand) {
            bench_must(world, id == 0 || id == own, "two clusters");
            id = own;
        }
    }
    size_t ruling = 0; /* that could elect a leader */
    for (size_t i = 0; i < world->cluster_count; i++) {
        const struct bench_cluster *cluster = &world->clusters[i];
        ruling += cluster->founded > cluster->members.count / 2;
    }
    bench_must(world, ruling <= 1 || !world->may_strand, "two clusters that rule");
}

/* The machine's disk belongs to the cluster now. */
static void machine_founded(struct machine *machine, uint64_t id)
{
    struct bench_cluster *cluster = bench_cluster(machine->world, id);
    assert_non_null(cluster); /* store_create() was called for it */
    if (machine->cluster_id == 0) {
        machine->cluster_id = id;
        cluster->founded++;
    }
    assert_true(machine->cluster_id == id);
    bench_one_cluster(machine->world);
}

static struct bench_world *creating; /* store_create() has no owner of ours */

static int bench_store_create(const struct store_options *options, uint64_t term,
                              const struct entry *first, struct err *err)
{
    assert_int_equal(term, 1);
    assert_int_equal(first->type, ENTRY_CONFIGURATION);
    assert_true(first->term == 1);
    struct bench_cluster *cluster = bench_cluster(creating, options->cluster_id);
    if (cluster == NULL) {
        assert_true(creating->cluster_count < BENCH_CLUSTERS);
        cluster = &creating->clusters[creating->cluster_count++];
        cluster->id = options->cluster_id;
        cluster->entry = bytes_new(first->data->data, first->data->len);
        assert_int_equal(membership_decode(&cluster->members, first->data->data,
                                           first->data->len, NULL),
                         0);
    }
    assert_int_equal(cluster->entry->len, first->data->len);
    assert_memory_equal(cluster->entry->data, first->data->data, first->data->len);
    return store_create(options, term, first, err);
}

static void bench_store_failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("%s", err->text);
}

static void bench_store_closed(void *owner)
{
    *(bool *)owner = true;
}

/* The store of a member opens, and holds the one entry. */
static void machine_check_store(struct machine *machine)
{
    struct clock *clock = sim_clock_new(machine->world->time, 1);
    struct store_options options = {
        .disk = sim_disk_base(machine->disk),
        .clock = clock,
        .node_id = machine->identity.node_id,
        .cluster_id = machine->cluster_id,
        .segment_bytes = 4096,
        .failed = bench_store_failed,
    };
    struct store *store = NULL;
    struct store_found found;
    struct err err = {0};
    if (store_open(&store, &options, &found, &err) != 0) {
        fail_msg("%s", err.text);
    }
    const struct bench_cluster *cluster =
        bench_cluster(machine->world, machine->cluster_id);
    assert_true(entry_log_first(&found.log) == 1 && entry_log_last(&found.log) == 1);
    const struct entry *entry = entry_log_get(&found.log, 1);
    assert_true(entry->term == 1 && entry->type == ENTRY_CONFIGURATION);
    assert_int_equal(entry->data->len, cluster->entry->len);
    assert_memory_equal(entry->data->data, cluster->entry->data, entry->data->len);
    entry_log_close(&found.log);
    bool closed = false;
    store_close(store, bench_store_closed, &closed);
    while (!closed) {
        assert_true(sim_time_run_next(machine->world->time));
    }
    sim_clock_free(clock);
}

/* --- a machine -----------------------------------------------------------------------
 */

static void machine_on_hello(void *owner, const struct hello *hello)
{
    struct machine *machine = owner;
    if (machine->forming != NULL && !machine->ending && machine->cluster_id == 0) {
        forming_hello(machine->forming, hello);
    }
}

static void machine_on_frame(void *owner, uint64_t from, const uint8_t *data,
                             size_t len)
{
    struct machine *machine = owner;
    if (machine->forming != NULL && !machine->ending && machine->cluster_id == 0) {
        forming_frame(machine->forming, from, data, len);
    }
}

static void machine_on_down(void *owner, uint64_t node_id, bool refused)
{
    struct machine *machine = owner;
    if (machine->forming != NULL && !machine->ending && machine->cluster_id == 0) {
        forming_down(machine->forming, node_id, refused);
    }
}

static const struct link_events machine_events = {
    .hello = machine_on_hello,
    .frame = machine_on_frame,
    .down = machine_on_down,
};

static void machine_forming_gone(void *owner)
{
    struct machine *machine = owner;
    machine->forming = NULL;
}

static void machine_formed(void *owner, const struct charter *charter)
{
    struct machine *machine = owner;
    assert_false(machine->ending);
    assert_true(machine->identity.cluster_id == charter->cluster_id);
    assert_false(machine->identity.pledged);
    assert_non_null(charter_find(charter, machine->identity.node_id));
    struct bench_cluster *cluster = bench_cluster(machine->world, charter->cluster_id);
    assert_non_null(cluster);
    for (uint32_t i = 0; i < charter->count; i++) {
        const struct membership_row *row =
            membership_find(&cluster->members, charter->rows[i].id);
        assert_non_null(row);
        assert_true(row->voter);
        assert_string_equal(row->address, charter->rows[i].peer_address);
    }
    machine_founded(machine, charter->cluster_id);
    assert_string_equal(forming_trouble(machine->forming), "");
    forming_stop(machine->forming, machine_forming_gone, machine);
}

static void machine_failed(void *owner, const struct err *err)
{
    struct machine *machine = owner;
    assert_int_equal(err->code, ERR_IO);
    assert_false(sim_disk_powered(machine->disk));
    machine->crash_wanted = true;
}

static void machine_introduce(struct machine *machine)
{
    struct hello self = {
        .protocol = LINK_PROTOCOL,
        .cluster_id = machine->identity.cluster_id,
        .node_id = machine->identity.node_id,
        .start_counter = machine->identity.start_counter,
        .expect = machine->expect,
        .name = machine->name,
        .peer_address = machine->address,
        .api_address = "",
        .version = "1",
    };
    machine->link->ops->set_self(machine->link, &self);
}

static void machine_begin(struct machine *machine)
{
    machine->link = sim_link_new(machine->world->net, machine->clock, machine->address);
    machine->link->ops->start(machine->link, &machine_events, machine);
    machine->link->ops->set_peers(machine->link, machine->peers, machine->peer_count);
    machine->running = true;
    if (machine->identity.cluster_id != 0) {
        machine_founded(machine, machine->identity.cluster_id);
        machine_introduce(machine);
        machine_check_store(machine);
        return;
    }
    assert_true(machine->cluster_id == 0); /* no cluster is ever forgotten */
    struct forming_options options = {
        .disk = sim_disk_base(machine->disk),
        .clock = machine->clock,
        .link = machine->link,
        .identity = &machine->identity,
        .peer_address = machine->address,
        .api_address = "",
        .version = "1",
        .expect = machine->expect,
        .peers = machine->peers,
        .peer_count = machine->peer_count,
        .segment_bytes = 4096,
        .store_create = bench_store_create,
        .owner = machine,
        .formed = machine_formed,
        .failed = machine_failed,
    };
    machine->forming = forming_start(&options);
}

void machine_cut(struct machine *from, struct machine *to, bool cut)
{
    sim_network_cut(from->world->net, from->address, to->address, cut);
}

void machine_break(struct machine *a, struct machine *b)
{
    sim_network_break(a->world->net, a->address, b->address);
}

void bench_world_faults(struct bench_world *world, uint32_t loss, uint32_t slow,
                        uint64_t slow_us)
{
    struct sim_wire wire = {
        .latency_min_us = 200,
        .latency_max_us = 2000,
        .loss_permille = loss,
        .stall_permille = slow,
        .stall_us = slow_us,
    };
    sim_network_set_wire(world->net, &wire);
}

void bench_world_heal(struct bench_world *world)
{
    sim_network_heal(world->net);
    bench_world_faults(world, 0, 0, 0);
}

bool machine_down(const struct machine *machine)
{
    return !machine->running && !machine->ending;
}

void machine_start(struct machine *machine)
{
    struct bench_world *world = machine->world;
    if (!machine_down(machine)) {
        return;
    }
    if (!sim_disk_powered(machine->disk)) {
        sim_disk_power_on(machine->disk, machine->loss);
    }
    machine->clock = sim_clock_new(world->time, sim_random_next(&world->random));
    struct err err = {0};
    int code = identity_open(&machine->identity, sim_disk_base(machine->disk),
                             machine->clock, machine->name, &err);
    if (code == 0) {
        machine_begin(machine);
        return;
    }
    if (sim_disk_powered(machine->disk)) {
        fail_msg("%s: %s", machine->name, err.text);
    }
    sim_clock_free(machine->clock); /* it crashed at once */
}

void machine_crash(struct machine *machine, enum sim_disk_loss loss)
{
    if (!machine->running) {
        return;
    }
    machine->running = false;
    machine->ending = true;
    machine->crash_wanted = false;
    machine->loss = loss;
    sim_link_die(machine->link, SIM_KILLED);
    sim_disk_power_off(machine->disk);
    sim_disk_pause(machine->disk, false); /* its jobs end, with errors */
    if (machine->forming != NULL && machine->cluster_id == 0) {
        forming_stop(machine->forming, machine_forming_gone, machine);
    }
}

void machine_wipe(struct machine *machine)
{
    assert_true(machine_down(machine));
    sim_disk_power_on(machine->disk, SIM_LOSE);
    sim_disk_wipe(machine->disk);
    struct bench_cluster *cluster = bench_cluster(machine->world, machine->cluster_id);
    if (cluster != NULL) {
        cluster->founded--;
    }
    machine->cluster_id = 0;
}

void machine_swap(struct machine *machine)
{
    assert_true(machine_down(machine));
    struct sim_disk *disk = machine->disk;
    uint64_t cluster_id = machine->cluster_id;
    if (!sim_disk_powered(disk)) {
        sim_disk_power_on(disk, machine->loss);
    }
    if (machine->spare == NULL) {
        machine->spare = sim_disk_new(
            machine->world->time, sim_random_next(&machine->world->random), "spare");
    }
    machine->disk = machine->spare;
    machine->cluster_id = machine->spare_cluster_id;
    machine->spare = disk;
    machine->spare_cluster_id = cluster_id;
    machine->world->may_strand = true;
}

const char *machine_trouble(struct machine *machine)
{
    return machine->forming != NULL && !machine->ending
               ? forming_trouble(machine->forming)
               : "";
}

/* --- the world -----------------------------------------------------------------------
 */

struct bench_world *bench_world_new(size_t machine_count, uint64_t seed)
{
    struct bench_world *world = mem_zalloc(sizeof(*world));
    world->seed = seed;
    world->time = sim_time_new();
    sim_random_init(&world->random, seed);
    world->net = sim_network_new(world->time, sim_random_next(&world->random));
    world->machine_count = machine_count;
    for (size_t i = 0; i < machine_count; i++) {
        struct machine *machine = &world->machines[i];
        machine->world = world;
        machine->slot = i;
        snprintf(machine->name, sizeof(machine->name), "n%zu", i + 1);
        snprintf(machine->address, sizeof(machine->address), "10.0.0.%zu:8658", i + 1);
        machine->disk =
            sim_disk_new(world->time, sim_random_next(&world->random), machine->name);
        machine->expect = (uint32_t)machine_count;
    }
    for (size_t i = 0; i < machine_count; i++) {
        struct machine *machine = &world->machines[i];
        for (size_t k = 0; k < machine_count; k++) {
            if (k != i) {
                machine->peers[machine->peer_count++] = world->machines[k].address;
            }
        }
    }
    creating = world;
    return world;
}

/* A crashed machine is down when its forming is gone. */
static void bench_world_reap(struct bench_world *world)
{
    for (size_t i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        if (machine->running && machine->crash_wanted) {
            machine_crash(machine, machine->loss);
        }
        if (machine->ending && machine->forming == NULL) {
            machine->ending = false;
            sim_link_free(machine->link);
            sim_clock_free(machine->clock);
        }
    }
}

void bench_world_run(struct bench_world *world, uint64_t ms)
{
    uint64_t until = sim_time_now_us(world->time) + ms * 1000;
    while (sim_time_next_us(world->time) <= until) {
        sim_time_run_next(world->time);
        bench_world_reap(world);
    }
    sim_time_run_until(world->time, until);
    bench_world_reap(world);
}

void bench_world_free(struct bench_world *world)
{
    for (size_t i = 0; i < world->machine_count; i++) {
        machine_crash(&world->machines[i], SIM_LOSE);
    }
    bench_world_run(world, 10000);
    for (size_t i = 0; i < world->machine_count; i++) {
        assert_true(machine_down(&world->machines[i]));
        sim_disk_free(world->machines[i].disk);
        if (world->machines[i].spare != NULL) {
            sim_disk_free(world->machines[i].spare);
        }
    }
    sim_network_free(world->net);
    sim_time_free(world->time);
    for (size_t i = 0; i < world->cluster_count; i++) {
        bytes_unref(world->clusters[i].entry);
    }
    mem_free(world);
}

/* Is there a cluster among the machines that this blank one is not a member of? */
static bool machine_is_outsider(struct machine *machine)
{
    const struct bench_world *world = machine->world;
    bool exists = false;
    for (size_t i = 0; i < world->machine_count; i++) {
        uint64_t id = world->machines[i].cluster_id;
        for (size_t k = 0; id != 0 && k < world->cluster_count; k++) {
            const struct bench_cluster *cluster = &world->clusters[k];
            if (cluster->id == id &&
                membership_find(&cluster->members, machine->identity.node_id) != NULL) {
                return false;
            }
        }
        exists |= id != 0;
    }
    return exists && strstr(machine_trouble(machine),
                            "exists; this node is not a member") != NULL;
}

bool bench_world_settle(struct bench_world *world, uint64_t ms)
{
    bench_world_heal(world);
    for (uint64_t spent = 0; spent < ms; spent += 100) {
        bool settled = true;
        for (size_t i = 0; i < world->machine_count; i++) {
            struct machine *machine = &world->machines[i];
            sim_disk_power_off_after(machine->disk, UINT64_C(1) << 40);
            sim_disk_pause(machine->disk, false);
            machine_start(machine);
            settled &= machine->running &&
                       (machine->cluster_id != 0 || machine_is_outsider(machine));
        }
        if (settled) {
            return true;
        }
        bench_world_run(world, 100);
    }
    return false;
}

size_t bench_world_members(const struct bench_world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->machine_count; i++) {
        count += world->machines[i].cluster_id != 0;
    }
    return count;
}

void bench_world_print(struct bench_world *world)
{
    for (size_t i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        print_message(
            "%s %s id=%" PRIu64 " cluster=%" PRIu64 " pledge=%" PRIu64 "%s: %s\n",
            machine->name, machine->running ? "runs" : "down",
            machine->identity.node_id, machine->cluster_id,
            machine->identity.pledged ? machine->identity.pledge.cluster_id : 0,
            machine->identity.decided ? " decided" : "", machine_trouble(machine));
    }
}
