/* SPDX-License-Identifier: Apache-2.0 */
/* A run stands in `runs` and `by_task` as long as it is kept, in `live` or in `ended`
 * by its state. Runs of one name never overlap, so the order of their numbers is that
 * of their ends. */
#include "registry/run_table.h"

#include <assert.h>
#include <string.h>

#include "registry/task.h"

#define KEY_BYTES      8
#define TASK_KEY_BYTES (TASK_NAME_BYTES_MAX + 1 + KEY_BYTES)

typedef void digest_fn(struct digest *digest, const struct digest_item *item);

static void *run_map_ref(void *value)
{
    return run_ref(value);
}

static void run_map_unref(void *value)
{
    run_unref(value);
}

static const struct map_type run_map = {run_map_ref, run_map_unref};

/* Big-endian, so that a map walks numbers in order. */
static void key_of(uint64_t number, uint8_t key[KEY_BYTES])
{
    for (int i = KEY_BYTES - 1; i >= 0; i--) {
        key[i] = (uint8_t)number;
        number >>= 8;
    }
}

/* Name, NUL (which no name has), number from the newest on. */
static size_t task_key_of(const char *task, size_t task_len, uint64_t id,
                          uint8_t key[TASK_KEY_BYTES])
{
    assert(task_len <= TASK_NAME_BYTES_MAX);
    memcpy(key, task, task_len);
    key[task_len] = '\0';
    key_of(~id, key + task_len + 1);
    return task_len + 1 + KEY_BYTES;
}

/* The four texts stand in a row in a run's allocation, terminators included. */
static void run_digest(struct run_table *table, digest_fn *apply, const struct run *run)
{
    uint64_t numbers[] = {
        run->id,        run->task_created,    run->revision,
        run->node,      (uint64_t)run->state, (uint64_t)run->outcome,
        run->cause,     run->purpose,         run->stop,
        run->lease_ms,  run->grace_ms,        run->tries,
        run->placed_ms, run->started_ms,      run->ended_ms,
        run->exit_code, run->signal,          run->changes,
        run->enabled,   run->enabled_at,
    };
    struct digest_item item = {
        .kind = DIGEST_RUN,
        .numbers = numbers,
        .number_count = sizeof numbers / sizeof numbers[0],
        .content = run->task,
        .len = (size_t)(run->draft + run->draft_len - run->task),
    };
    apply(&table->digest, &item);
}

void run_table_init(struct run_table *table)
{
    *table = (struct run_table){.digest = {0, 0}};
    map_init(&table->runs, &run_map);
    map_init(&table->live, &run_map);
    map_init(&table->by_task, &run_map);
    map_init(&table->ended, &run_map);
}

void run_table_close(struct run_table *table)
{
    map_close(&table->runs);
    map_close(&table->live);
    map_close(&table->by_task);
    map_close(&table->ended);
}

struct run_table run_table_ref(const struct run_table *table)
{
    return (struct run_table){
        .runs = map_ref(&table->runs),
        .live = map_ref(&table->live),
        .by_task = map_ref(&table->by_task),
        .ended = map_ref(&table->ended),
        .digest = table->digest,
    };
}

const struct run *run_table_find(const struct run_table *table, uint64_t id)
{
    uint8_t key[KEY_BYTES];
    key_of(id, key);
    return map_get(&table->runs, key, sizeof key);
}

const struct run *run_table_live(const struct run_table *table, const char *task,
                                 size_t task_len)
{
    return map_get(&table->live, task, task_len);
}

const struct run *run_table_ended(const struct run_table *table, uint64_t revision)
{
    uint8_t key[KEY_BYTES];
    key_of(revision, key);
    return map_get(&table->ended, key, sizeof key);
}

struct run *run_table_hold(const struct run_table *table, uint64_t id)
{
    uint8_t key[KEY_BYTES];
    key_of(id, key);
    return run_ref(map_get(&table->runs, key, sizeof key));
}

void run_table_put(struct run_table *table, struct run *run)
{
    uint8_t key[KEY_BYTES];
    uint8_t task_key[TASK_KEY_BYTES];
    size_t task_len = strlen(run->task);
    key_of(run->id, key);
    const struct run *old = map_get(&table->runs, key, sizeof key);
    if (old != NULL) {
        assert(old->state != RUN_ENDED);
        run_digest(table, digest_remove, old);
    }
    run_digest(table, digest_add, run);
    if (run->state == RUN_ENDED) {
        uint8_t ended_key[KEY_BYTES];
        key_of(run->revision, ended_key);
        map_delete(&table->live, run->task, task_len);
        map_put(&table->ended, ended_key, sizeof ended_key, run_ref(run));
    } else {
        map_put(&table->live, run->task, task_len, run_ref(run));
    }
    map_put(&table->by_task, task_key,
            task_key_of(run->task, task_len, run->id, task_key), run_ref(run));
    map_put(&table->runs, key, sizeof key, run);
}

void run_table_delete(struct run_table *table, const struct run *run)
{
    uint8_t key[KEY_BYTES];
    uint8_t ended_key[KEY_BYTES];
    uint8_t task_key[TASK_KEY_BYTES];
    assert(run->state == RUN_ENDED);
    run_digest(table, digest_remove, run);
    key_of(run->id, key);
    key_of(run->revision, ended_key);
    size_t task_key_len = task_key_of(run->task, strlen(run->task), run->id, task_key);
    map_delete(&table->ended, ended_key, sizeof ended_key);
    map_delete(&table->by_task, task_key, task_key_len);
    map_delete(&table->runs, key, sizeof key); /* last: it may be the last reference */
}

const struct run *run_table_surplus(const struct run_table *table, const char *task,
                                    uint64_t task_count, uint64_t max_count)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    size_t task_len = strlen(task);
    uint64_t counts[2] = {0, 0};
    run_table_task_seek(table, task, task_len, &cursor);
    while ((run = run_table_task_next(&cursor, task, task_len)) != NULL) {
        if (run->state == RUN_ENDED && ++counts[run_is_event(run)] > task_count) {
            return run;
        }
    }
    if (run_table_ended_count(table) <= max_count) {
        return NULL;
    }
    map_seek(&table->ended, NULL, 0, &cursor);
    return map_next(&cursor, NULL, NULL);
}

size_t run_table_ended_count(const struct run_table *table)
{
    return map_count(&table->ended);
}

/* --- walks --------------------------------------------------------------------------
 */

void run_table_seek(const struct run_table *table, uint64_t id,
                    struct map_cursor *cursor)
{
    uint8_t key[KEY_BYTES];
    key_of(id, key);
    map_seek(&table->runs, key, sizeof key, cursor);
}

void run_table_live_seek(const struct run_table *table, struct map_cursor *cursor)
{
    map_seek(&table->live, NULL, 0, cursor);
}

void run_table_task_seek(const struct run_table *table, const char *task,
                         size_t task_len, struct map_cursor *cursor)
{
    uint8_t key[TASK_KEY_BYTES];
    map_seek(&table->by_task, key, task_key_of(task, task_len, UINT64_MAX, key),
             cursor);
}

const struct run *run_table_next(struct map_cursor *cursor)
{
    return map_next(cursor, NULL, NULL);
}

const struct run *run_table_task_next(struct map_cursor *cursor, const char *task,
                                      size_t task_len)
{
    const struct run *run = map_next(cursor, NULL, NULL);
    bool ours = run != NULL && strncmp(run->task, task, task_len) == 0 &&
                run->task[task_len] == '\0';
    return ours ? run : NULL;
}
