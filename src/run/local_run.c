/* SPDX-License-Identifier: Apache-2.0 */
/*       placed here                        found at the start of the node
 *            │                            alive │            │ ended, or only claimed
 *            ▼   lease, index                   ▼            │
 *        WAITING ─────────────────────────▶ STARTING ──┐     │
 *            │   driver: start                  │ begun│     │
 *            │                                  ▼      │     │
 *            │                              RUNNING ───┤     │
 *            │          stopping in the registry│      │     │
 *            │                                  ▼      │     │
 *            │ stopped before it began      STOPPING ──┤     │
 *            │                                  │      │ all │
 *            │  not live here in the registry,  │      │ its processes are gone
 *            │  or no member any more: kill     ▼      ▼     ▼
 *            └──────────────────────▶       KILLING ─▶ ENDED ──▶ gone
 *                                                        │ the registry shows its end:
 *                                                        └ the driver forgets it
 *
 * A WAITING one that is not live here any more is gone at once: nothing of it began. */
#include "run/local_run.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define STATE(state) (1u << (state))

static const unsigned local_moves[] = {
    [LOCAL_WAITING] = STATE(LOCAL_STARTING) | STATE(LOCAL_ENDED),
    [LOCAL_STARTING] = STATE(LOCAL_RUNNING) | STATE(LOCAL_STOPPING) |
                       STATE(LOCAL_KILLING) | STATE(LOCAL_ENDED),
    [LOCAL_RUNNING] = STATE(LOCAL_STOPPING) | STATE(LOCAL_KILLING) | STATE(LOCAL_ENDED),
    [LOCAL_STOPPING] = STATE(LOCAL_KILLING) | STATE(LOCAL_ENDED),
    [LOCAL_KILLING] = STATE(LOCAL_ENDED),
    [LOCAL_ENDED] = 0,
};

const char *local_state_name(enum local_state state)
{
    static const char *const names[] = {
        [LOCAL_WAITING] = "waiting", [LOCAL_STARTING] = "starting",
        [LOCAL_RUNNING] = "running", [LOCAL_STOPPING] = "stopping",
        [LOCAL_KILLING] = "killing", [LOCAL_ENDED] = "ended",
    };
    return names[state];
}

void local_run_move(struct local_run *local, enum local_state to)
{
    assert(local_moves[local->state] & STATE(to));
    local->state = to;
}

bool local_run_alive(const struct local_run *local)
{
    return local->state != LOCAL_WAITING && local->state != LOCAL_ENDED;
}

void local_run_end(struct local_run *local, const struct driver_result *result)
{
    local_run_move(local, LOCAL_ENDED);
    local->result = mem_dup(result, sizeof *result);
}

/* --- the table ------------------------------------------------------------------- */

void local_runs_close(struct local_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        mem_free(runs->items[i]->result);
        mem_free(runs->items[i]);
    }
    mem_free(runs->items);
    *runs = (struct local_runs){0};
}

/* Place of the first whose number is not below `run`. */
static size_t local_runs_place(const struct local_runs *runs, uint64_t run)
{
    size_t low = 0;
    size_t high = runs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (runs->items[middle]->run < run) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct local_run *local_runs_find(const struct local_runs *runs, uint64_t run)
{
    size_t place = local_runs_place(runs, run);
    return place < runs->count && runs->items[place]->run == run ? runs->items[place]
                                                                 : NULL;
}

struct local_run *local_runs_add(struct local_runs *runs, uint64_t run,
                                 enum local_state state)
{
    if (runs->count == runs->capacity) {
        runs->capacity = runs->capacity > 0 ? 2 * runs->capacity : 16;
        runs->items = mem_realloc(runs->items, runs->capacity * sizeof *runs->items);
    }
    size_t place = local_runs_place(runs, run);
    assert(place == runs->count || runs->items[place]->run != run);
    memmove(runs->items + place + 1, runs->items + place,
            (runs->count - place) * sizeof *runs->items);
    struct local_run *local = mem_zalloc(sizeof *local);
    local->run = run;
    local->state = state;
    runs->items[place] = local;
    runs->count++;
    return local;
}

void local_runs_remove(struct local_runs *runs, uint64_t run)
{
    size_t place = local_runs_place(runs, run);
    assert(place < runs->count && runs->items[place]->run == run);
    mem_free(runs->items[place]->result);
    mem_free(runs->items[place]);
    runs->count--;
    memmove(runs->items + place, runs->items + place + 1,
            (runs->count - place) * sizeof *runs->items);
}
