/* SPDX-License-Identifier: Apache-2.0 */
/* The moves of a run:
 *
 *  run_start,        run_started             run_end, run_lost
 *  run_trial ──▶ PENDING ─────────▶ RUNNING ───────────────────▶ ENDED
 *                   │ │ run_stop       │ run_stop                 ▲ ▲
 *                   │ └──────────────┐ │                          │ │
 *                   │                ▼ ▼        run_end, run_lost │ │
 *                   │              STOPPING ──────────────────────┘ │
 *                   │ run_end (it could not begin), run_lost        │
 *                   └───────────────────────────────────────────────┘
 *
 * Happy path: placed on a node by an entry of the log; begun there under the node's
 * lease; ended by that node's report. A run is never placed twice and never begins
 * again: what is wanted after its end is a new run with a higher number.
 *
 * A node that is silent for longer than lease and grace has had its run stopped by its
 * supervisor; a leader then says run_lost. Whichever of run_end and run_lost stands
 * first in the log is the end; the other is refused. */
#include "registry/run.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "registry/task.h"

#define EVENT_ID_SEED UINT64_C(0x6d75737465722d65)

#define RUN_DRIFT_PART 100
#define RUN_MARGIN_MS  1000

static const bool run_moves[RUN_ENDED + 1][RUN_ENDED + 1] = {
    [RUN_PENDING] = {[RUN_RUNNING] = true, [RUN_STOPPING] = true, [RUN_ENDED] = true},
    [RUN_RUNNING] = {[RUN_STOPPING] = true, [RUN_ENDED] = true},
    [RUN_STOPPING] = {[RUN_ENDED] = true},
};

static const char *const state_names[] = {
    [RUN_PENDING] = "pending",
    [RUN_RUNNING] = "running",
    [RUN_STOPPING] = "stopping",
    [RUN_ENDED] = "ended",
};

static const char *const outcome_names[] = {
    [RUN_OPEN] = "",
    [RUN_SUCCESS] = "success",
    [RUN_FAILED] = "failed",
    [RUN_TIMED_OUT] = "timed_out",
    [RUN_CANCELLED] = "cancelled",
    [RUN_LOST] = "lost",
};

static const char *const cause_names[] = {
    [RUN_CAUSE_CLIENT] = "client",
    [RUN_CAUSE_SCHEDULE] = "schedule",
    [RUN_CAUSE_CHANGE] = "change",
    [RUN_CAUSE_FAILOVER] = "failover",
};

static const char *const purpose_names[] = {
    [RUN_APPLY] = "apply",
    [RUN_INSPECT] = "inspect",
    [RUN_TRIAL] = "trial",
    [RUN_TRIAL_INSPECT] = "trial_inspect",
};

static const char *const stop_names[] = {
    [RUN_STOP_NONE] = "",
    [RUN_STOP_CANCEL] = "cancel",
    [RUN_STOP_DRAIN] = "drain",
    [RUN_STOP_DELETE] = "delete",
};

const char *run_state_name(enum run_state state)
{
    return state_names[state];
}

const char *run_outcome_name(enum run_outcome outcome)
{
    return outcome_names[outcome];
}

const char *run_cause_name(enum run_cause cause)
{
    return cause_names[cause];
}

const char *run_purpose_name(enum run_purpose purpose)
{
    return purpose_names[purpose];
}

const char *run_stop_name(enum run_stop stop)
{
    return stop_names[stop];
}

enum run_state run_state_from(const char *name, size_t len)
{
    for (int state = RUN_PENDING; state <= RUN_ENDED; state++) {
        if (strlen(state_names[state]) == len &&
            memcmp(state_names[state], name, len) == 0) {
            return (enum run_state)state;
        }
    }
    return (enum run_state)0;
}

bool run_may_move(enum run_state from, enum run_state to)
{
    return run_moves[from][to];
}

uint64_t run_over_ms(uint32_t lease_ms, uint32_t grace_ms)
{
    uint64_t both_ms = (uint64_t)lease_ms + grace_ms;
    return both_ms + (both_ms + RUN_DRIFT_PART - 1) / RUN_DRIFT_PART + RUN_MARGIN_MS;
}

static const char *run_copy(char **at, const char *text, size_t len)
{
    char *copy = *at;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

struct run *run_new(const struct run *from)
{
    size_t task_len = strlen(from->task);
    size_t text_len = strlen(from->text);
    size_t config_len = strlen(from->config);
    struct run *run =
        mem_alloc(sizeof *run + task_len + text_len + config_len + from->draft_len + 4);
    char *at = (char *)(run + 1);
    *run = *from;
    run->refs = 1;
    run->task = run_copy(&at, from->task, task_len);
    run->text = run_copy(&at, from->text, text_len);
    run->config = run_copy(&at, from->config, config_len);
    run->draft = run_copy(&at, from->draft, from->draft_len);
    return run;
}

struct run *run_ref(struct run *run)
{
    assert(run->refs > 0 && run->refs < UINT32_MAX);
    run->refs++;
    return run;
}

void run_unref(struct run *run)
{
    if (run != NULL && --run->refs == 0) {
        mem_free(run);
    }
}

bool run_is_trial(const struct run *run)
{
    return run->purpose == RUN_TRIAL || run->purpose == RUN_TRIAL_INSPECT;
}

bool run_is_event(const struct run *run)
{
    return run->purpose == RUN_APPLY ||
           (run->purpose == RUN_TRIAL && run->task_created != 0);
}

static bool run_numbers_sound(const struct run *run)
{
    return run->state >= RUN_PENDING && run->state <= RUN_ENDED &&
           run->outcome <= RUN_LOST && run->cause >= RUN_CAUSE_CLIENT &&
           run->cause <= RUN_CAUSE_FAILOVER && run->purpose >= RUN_APPLY &&
           run->purpose <= RUN_TRIAL_INSPECT && run->stop <= RUN_STOP_DELETE;
}

/* Of an ended one nothing is left of its draft; of a live one it is what a task can be
 * made of. A trial has one, an inspection may. */
static bool run_draft_sound(const struct run *run)
{
    bool may = run_is_trial(run) || (run->purpose == RUN_INSPECT && run->draft_len > 0);
    if (!may || run->state == RUN_ENDED) {
        return run->draft_len == 0 && run->enabled_at == 0 && !run->enabled;
    }
    struct task_draft draft = {
        .name = run->task,
        .name_len = strlen(run->task),
        .text = run->draft,
        .text_len = run->draft_len,
        .enabled_at = run->enabled_at,
        .enabled = run->enabled,
    };
    return task_draft_sound(&draft);
}

bool run_sound(const struct run *run)
{
    if (!run_numbers_sound(run) || run->id == 0 || run->revision < run->id ||
        run->node == 0 || run->lease_ms == 0 || run->tries == 0) {
        return false;
    }
    size_t task_len = strlen(run->task);
    bool ended = run->state == RUN_ENDED;
    bool succeeded_trial = run->purpose == RUN_TRIAL && run->outcome == RUN_SUCCESS;
    return task_len >= 1 && task_len <= TASK_NAME_BYTES_MAX &&
           strlen(run->text) <= RUN_TEXT_BYTES_MAX &&
           strlen(run->config) <= RUN_CONFIG_BYTES_MAX && run_draft_sound(run) &&
           ended == (run->outcome != RUN_OPEN) &&
           (run->state != RUN_PENDING || run->started_ms == 0) &&
           (run->state != RUN_STOPPING || run->stop != RUN_STOP_NONE) &&
           (run_is_trial(run) ? (run->task_created != 0) == succeeded_trial
                              : run->task_created != 0);
}

/* Two runs of one cluster differ in their numbers, those of two clusters in their
 * nodes' random ids. */
void run_event_id(const struct run *run, char text[ID_UUID_SIZE])
{
    uint64_t hashes[2] = {
        hash_mix(hash_mix(EVENT_ID_SEED ^ run->id) + run->node),
        hash_mix(hash_mix(~EVENT_ID_SEED ^ run->id) + run->node),
    };
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(hashes[i / 8] >> i % 8 * 8);
    }
    id_format_uuid(bytes, text);
}
