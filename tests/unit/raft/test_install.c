/* SPDX-License-Identifier: Apache-2.0 */
/* A leader's snapshot becomes the state: piece by piece, wholly or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "raft/applier.h"
#include "raft/install.h"
#include "raft/snapshot.h"
#include "unit/raft/engine_bench.h"

#define TEXT_BYTES 20000
#define TASKS      60

/* --- a store that has a snapshot of 60 tasks ----------------------------------------
 */

struct place {
    struct sim_time *time;
    struct sim_disk *sim;
    struct clock *clock;
    struct store *store;
    struct registry *content;
    char name[64]; /* of the snapshot's file */
    struct fsm *fsm;
    struct fsm_watch watch;
    size_t told;
    struct install install;
    int result; /* 1: nothing yet */
    char text[ERR_TEXT_MAX];
    bool closed;
};

static void place_failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("%s", err->text);
}

static void place_changed(struct fsm_watch *watch, uint64_t from, uint64_t to)
{
    struct place *place = watch->owner;
    (void)from;
    (void)to;
    place->told++;
}

static void place_done(void *owner, const struct err *err)
{
    struct place *place = owner;
    assert_int_equal(place->result, 1);
    place->result = err != NULL ? (int)err->code : 0;
    snprintf(place->text, sizeof place->text, "%s", err != NULL ? err->text : "");
}

static void add_task(struct registry *registry, const char *name)
{
    char *text = mem_zalloc(TEXT_BYTES);
    memset(text, 't', TEXT_BYTES);
    struct change change = {.request_id = "", .actor = ""};
    struct task_draft draft = {name, strlen(name), text, TEXT_BYTES, 1, true};
    assert_int_equal(registry_task_create(registry, &change, &draft), 0);
    mem_free(text);
}

static int place_put(void *ctx, const void *data, size_t len)
{
    return snapshot_sink_put(ctx, data, len);
}

static int place_produce(void *owner, struct snapshot_sink *sink)
{
    struct place *place = owner;
    return snapshot_encode(place->content, place_put, sink);
}

static void place_taken(void *owner, int result)
{
    struct place *place = owner;
    place->result = result;
}

static void place_take(struct place *place, const struct bytes *configuration)
{
    struct snapshot_meta meta = {
        .index = 1,
        .term = 1,
        .configuration_index = 1,
        .configuration = bytes_new(configuration->data, configuration->len),
    };
    place->result = 1;
    store_take_snapshot(place->store, &meta, 0, place_produce, place_taken, place);
    while (place->result == 1) {
        assert_true(sim_time_run_next(place->time));
    }
    assert_int_equal(place->result, 0);
    bytes_unref(meta.configuration);
    for (size_t i = 0; i < sim_disk_count(place->sim); i++) {
        if (strncmp(sim_disk_name(place->sim, i), "snapshot-", 9) == 0) {
            snprintf(place->name, sizeof place->name, "%s",
                     sim_disk_name(place->sim, i));
        }
    }
}

static void place_open(struct place *place)
{
    *place = (struct place){.time = sim_time_new()};
    place->sim = sim_disk_new(place->time, 1, "/node");
    place->clock = sim_clock_new(place->time, 1);
    struct store_options options = {
        .disk = sim_disk_base(place->sim),
        .clock = place->clock,
        .node_id = 1,
        .cluster_id = 2,
        .segment_bytes = 65536,
        .owner = place,
        .failed = place_failed,
    };
    struct entry first = change_entry(1, 3, 0);
    assert_int_equal(store_create(&options, 1, &first, NULL), 0);
    struct store_found found;
    assert_int_equal(store_open(&place->store, &options, &found, NULL), 0);
    entry_log_close(&found.log);
    place->content = registry_new();
    for (int i = 0; i < TASKS; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", i);
        add_task(place->content, name);
    }
    place_take(place, first.data);
    bytes_unref(first.data);
    place->fsm = fsm_new();
    struct registry *before = registry_new();
    add_task(before, "old");
    fsm_restore(place->fsm, before);
    place->watch = (struct fsm_watch){.changed = place_changed, .owner = place};
    fsm_watch(place->fsm, &place->watch);
    place->result = 1;
    place->install = (struct install){
        .store = place->store,
        .fsm = place->fsm,
        .owner = place,
        .done = place_done,
    };
}

static void place_closed(void *owner)
{
    ((struct place *)owner)->closed = true;
}

static void place_close(struct place *place)
{
    store_close(place->store, place_closed, place);
    while (!place->closed) {
        assert_true(sim_time_run_next(place->time));
    }
    install_close(&place->install);
    fsm_free(place->fsm);
    registry_free(place->content);
    sim_clock_free(place->clock);
    sim_disk_free(place->sim);
    sim_time_free(place->time);
    assert_int_equal(map_reap(SIZE_MAX), 0);
}

static void assert_old(const struct place *place)
{
    const struct registry *registry = fsm_registry(place->fsm);
    assert_int_equal(registry_task_count(registry), 1);
    assert_non_null(registry_task(registry, "old", 3));
    assert_int_equal(place->told, 0);
}

static void the_state_changes_at_the_last_piece_and_is_told_once(void **state)
{
    (void)state;
    struct place place;
    place_open(&place);
    install_start(&place.install);
    size_t turns = 0;
    for (; place.result == 1; turns++) {
        assert_old(&place);
        assert_true(sim_time_run_next(place.time));
    }
    assert_int_equal(place.result, 0);
    assert_true(turns > TASKS * TEXT_BYTES / 65536);
    assert_int_equal(place.told, 1);
    assert_true(digest_equal(registry_digest(fsm_registry(place.fsm)),
                             registry_digest(place.content)));
    place_close(&place);
}

static void what_is_under_way_is_dropped_with_the_store(void **state)
{
    (void)state;
    for (size_t turns = 0;; turns++) {
        struct place place;
        place_open(&place);
        install_start(&place.install);
        for (size_t i = 0; i < turns && place.result == 1; i++) {
            assert_true(sim_time_run_next(place.time));
        }
        bool over = place.result == 0;
        place_close(&place); /* AddressSanitizer looks for what is left */
        if (over) {
            break;
        }
    }
}

static void one_that_cannot_be_read_leaves_the_state_as_it_was(void **state)
{
    (void)state;
    for (uint64_t piece = 0; piece < 18; piece += 5) {
        struct place place;
        place_open(&place);
        assert_true(sim_disk_flip(place.sim, place.name, 2000 + piece * 65544, 4));
        install_start(&place.install);
        while (place.result == 1) {
            assert_old(&place);
            assert_true(sim_time_run_next(place.time));
        }
        assert_int_equal(place.result, ERR_CORRUPT);
        char where[64];
        snprintf(where, sizeof where, "cannot be read at byte %llu ",
                 (unsigned long long)piece * 65536);
        assert_non_null(strstr(place.text, where));
        assert_old(&place);
        place_close(&place);
    }
}

/* --- what was committed before -------------------------------------------------------
 */

static void applier_outcome(void *owner)
{
    (void)owner;
}

/* It was applied from a log that was not there any more: the end of the process. */
static void nothing_of_the_old_log_is_applied_while_a_snapshot_replaces_it(void **state)
{
    (void)state;
    struct bench bench;
    struct entry first = change_entry(1, 3, 0);
    bench_open(&bench, &first, 1, 4);
    bench_append(&bench, 2, 1, 5, 1, 5, NULL, 0);
    assert_int_equal(engine_commit(bench.engine), 5);
    struct applier applier = {
        .clock = bench.clock,
        .engine = bench.engine,
        .progressed = applier_outcome,
    };
    applier_init(&applier);
    applier.applied = 1; /* its turn was over */
    struct entry now = change_entry(1, 3, 0);
    struct snapshot_meta meta = {50, 1, 1, now.data};
    assert_true(engine_install(bench.engine, 2, 1, &meta));
    applier_run(&applier);
    assert_int_equal(applier.applied, 1);
    bytes_unref(now.data);
    applier_close(&applier);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_changes_at_the_last_piece_and_is_told_once),
        cmocka_unit_test(what_is_under_way_is_dropped_with_the_store),
        cmocka_unit_test(one_that_cannot_be_read_leaves_the_state_as_it_was),
        cmocka_unit_test(
            nothing_of_the_old_log_is_applied_while_a_snapshot_replaces_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
