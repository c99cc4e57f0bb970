/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_run.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/plant.h"
#include "registry/registry_inside.h"
#include "registry/run_event.h"
#include "text/utf8.h"

#define RUN_DROPS_A_COMMAND 16

/* --- questions ----------------------------------------------------------------------
 */

const struct run *registry_run(const struct registry *registry, uint64_t id)
{
    return run_table_find(&registry->runs, id);
}

const struct run *registry_live_run(const struct registry *registry, const char *task,
                                    size_t task_len)
{
    return run_table_live(&registry->runs, task, task_len);
}

size_t registry_run_count(const struct registry *registry)
{
    return map_count(&registry->runs.runs);
}

size_t registry_live_count(const struct registry *registry)
{
    return map_count(&registry->runs.live);
}

uint64_t registry_runs_from_ms(const struct registry *registry)
{
    return registry->runs_from_ms;
}

void registry_run_seek(const struct registry *registry, uint64_t id,
                       struct map_cursor *cursor)
{
    run_table_seek(&registry->runs, id, cursor);
}

const struct run *registry_run_next(struct map_cursor *cursor)
{
    return run_table_next(cursor);
}

void registry_live_seek(const struct registry *registry, struct map_cursor *cursor)
{
    run_table_live_seek(&registry->runs, cursor);
}

const struct run *registry_live_next(struct map_cursor *cursor)
{
    return run_table_next(cursor);
}

void registry_task_run_seek(const struct registry *registry, const char *task,
                            size_t task_len, struct map_cursor *cursor)
{
    run_table_task_seek(&registry->runs, task, task_len, cursor);
}

const struct run *registry_task_run_next(struct map_cursor *cursor, const char *task,
                                         size_t task_len)
{
    return run_table_task_next(cursor, task, task_len);
}

void registry_task_event_seek(const struct registry *registry, const struct task *task,
                              struct map_cursor *cursor)
{
    run_table_task_seek(&registry->runs, task->name, task->name_len, cursor);
}

/* The runs of this incarnation come first: its first one was placed after the last run
 * of the task of that name before it, or is the trial that made it. */
const struct run *registry_task_event_next(struct map_cursor *cursor,
                                           const struct task *task)
{
    const struct run *run = run_table_task_next(cursor, task->name, task->name_len);
    while (run != NULL && run->task_created == task->created &&
           (run->state != RUN_ENDED || !run_is_event(run))) {
        run = run_table_task_next(cursor, task->name, task->name_len);
    }
    return run != NULL && run->task_created == task->created ? run : NULL;
}

enum task_status registry_task_status(const struct registry *registry,
                                      const struct task *task)
{
    struct map_cursor cursor;
    if (map_count(&registry->runs.ended) == 0) {
        return TASK_STATUS_UNKNOWN;
    }
    registry_task_event_seek(registry, task, &cursor);
    const struct run *run = registry_task_event_next(&cursor, task);
    if (run == NULL || run->outcome == RUN_SUCCESS) {
        return run == NULL ? TASK_STATUS_UNKNOWN : TASK_STATUS_SUCCESSFUL;
    }
    do {
        run = registry_task_event_next(&cursor, task);
    } while (run != NULL && run->outcome == RUN_SUCCESS);
    return run == NULL ? TASK_STATUS_ERRORED : TASK_STATUS_CRITICAL;
}

size_t registry_status_count(const struct registry *registry, enum task_status status)
{
    if (status != TASK_STATUS_UNKNOWN) {
        return registry->status_counts[status];
    }
    return registry_task_count(registry) -
           registry->status_counts[TASK_STATUS_SUCCESSFUL] -
           registry->status_counts[TASK_STATUS_ERRORED] -
           registry->status_counts[TASK_STATUS_CRITICAL];
}

void registry_count_status(struct registry *registry, const struct task *task,
                           bool counts)
{
    enum task_status status = registry_task_status(registry, task);
    if (status != TASK_STATUS_UNKNOWN) {
        registry->status_counts[status] += counts ? 1 : SIZE_MAX;
    }
}

/* --- moments ------------------------------------------------------------------------
 */

const struct task *registry_task_of(const struct registry *registry, uint64_t created)
{
    struct map_cursor cursor;
    registry_task_seek(registry, created, &cursor);
    const struct task *task = registry_task_next(&cursor);
    return task != NULL && task->created == created ? task : NULL;
}

const struct moment *registry_task_due_mark(const struct registry *registry,
                                            const struct task *task)
{
    return moment_table_find(&registry->due, task->created);
}

uint64_t registry_task_next_fire(const struct registry *registry,
                                 const struct task *task)
{
    const struct moment *fire = moment_table_find(&registry->fires, task->created);
    return fire != NULL ? fire->at_ms : 0;
}

const struct moment *registry_task_fire_row(const struct registry *registry,
                                            const struct task *task)
{
    return moment_table_find(&registry->fires, task->created);
}

void registry_due_seek(const struct registry *registry, struct map_cursor *cursor)
{
    moment_table_seek(&registry->due, cursor);
}

void registry_due_seek_behind(const struct registry *registry,
                              const struct moment *last, struct map_cursor *cursor)
{
    moment_table_seek_behind(&registry->due, last, cursor);
}

void registry_fire_seek(const struct registry *registry, struct map_cursor *cursor)
{
    moment_table_seek(&registry->fires, cursor);
}

const struct moment *registry_due_next(struct map_cursor *cursor)
{
    return moment_table_next(cursor);
}

const struct moment *registry_fire_next(struct map_cursor *cursor)
{
    return moment_table_next(cursor);
}

void registry_due_task_seek(const struct registry *registry, struct map_cursor *cursor)
{
    moment_table_task_seek(&registry->due, cursor);
}

void registry_fire_task_seek(const struct registry *registry, struct map_cursor *cursor)
{
    moment_table_task_seek(&registry->fires, cursor);
}

size_t registry_due_count(const struct registry *registry)
{
    return moment_table_count(&registry->due);
}

uint64_t registry_moment_changes(const struct registry *registry)
{
    return registry->moment_changes;
}

void registry_drop_due(struct registry *registry, const struct task *task)
{
    if (moment_table_count(&registry->due) > 0) {
        moment_table_delete(&registry->due, task->created);
        registry->moment_changes++;
    }
}

void registry_drop_fire(struct registry *registry, const struct task *task)
{
    if (moment_table_count(&registry->fires) > 0) {
        moment_table_delete(&registry->fires, task->created);
        registry->moment_changes++;
    }
}

/* What came first bounds how far what comes later can put the run off. */
static void registry_mark_due(struct registry *registry, const struct task *task,
                              const struct moment *wanted)
{
    struct moment mark = *wanted;
    const struct moment *old = moment_table_find(&registry->due, task->created);
    mark.task = task->created;
    if (old != NULL) {
        mark.until_ms = old->until_ms;
        mark.at_ms = mark.at_ms < mark.until_ms ? mark.at_ms : mark.until_ms;
    } else if (mark.until_ms < mark.at_ms) {
        mark.until_ms = mark.at_ms;
    }
    moment_table_put(&registry->due, &mark);
    registry->moment_changes++;
}

static bool cause_exists(uint32_t cause)
{
    return cause >= RUN_CAUSE_CLIENT && cause <= RUN_CAUSE_FAILOVER;
}

/* 0, and the task; or what a command about the moments of one is refused with. */
static int registry_moment_task(const struct registry *registry, const char *name,
                                size_t name_len, uint64_t created,
                                const struct task **task)
{
    *task = registry_task(registry, name, name_len);
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    if (*task == NULL) {
        return ERR_NOT_FOUND;
    }
    if (created != 0 && created != (*task)->created) {
        return ERR_PRECONDITION;
    }
    return (*task)->deleting ? ERR_CONFLICT : 0;
}

int registry_task_due(struct registry *registry, const struct due_order *order)
{
    const struct task *task = NULL;
    int refused = registry_moment_task(registry, order->task, order->task_len,
                                       order->created, &task);
    if (refused == 0 && !cause_exists(order->cause)) {
        refused = ERR_INVALID;
    }
    if (refused == 0 && !task->enabled) {
        refused = ERR_CONFLICT;
    }
    if (refused == 0) {
        struct moment wanted = {
            .at_ms = order->at_ms,
            .until_ms = order->until_ms,
            .cause = order->cause,
        };
        registry_mark_due(registry, task, &wanted);
    }
    return refused;
}

int registry_task_fire(struct registry *registry, const struct fire_order *order)
{
    const struct task *task = NULL;
    int refused = registry_moment_task(registry, order->task, order->task_len,
                                       order->created, &task);
    if (refused == 0 && registry_task_next_fire(registry, task) != order->expected_ms) {
        refused = ERR_PRECONDITION;
    }
    if (refused != 0) {
        return refused;
    }
    if (order->next_ms != 0) {
        struct moment fire = {
            .task = task->created,
            .at_ms = order->next_ms,
            .until_ms = order->wall_ms,
        };
        moment_table_put(&registry->fires, &fire);
    } else {
        moment_table_delete(&registry->fires, task->created);
    }
    registry->moment_changes++;
    bool follows = registry_setting(registry, SETTING_CATCH_UP) != 0;
    if (order->due && task->enabled &&
        (follows || registry_live_run(registry, task->name, task->name_len) == NULL)) {
        struct moment wanted = {
            .at_ms = registry->clock_ms,
            .cause = RUN_CAUSE_SCHEDULE,
        };
        registry_mark_due(registry, task, &wanted);
    }
    return 0;
}

/* --- runs ---------------------------------------------------------------------------
 */

/* Put a run into the table and count what that makes of its task. */
static void registry_put_run(struct registry *registry, struct run *run)
{
    const struct task *task = registry_task(registry, run->task, strlen(run->task));
    if (task != NULL) {
        registry_count_status(registry, task, false);
    }
    run_table_put(&registry->runs, run);
    if (task != NULL) {
        registry_count_status(registry, task, true);
    }
}

static void registry_drop_run(struct registry *registry, const struct run *run)
{
    const struct task *task = registry_task(registry, run->task, strlen(run->task));
    if (task != NULL) {
        registry_count_status(registry, task, false);
    }
    run_table_delete(&registry->runs, run);
    if (task != NULL) {
        registry_count_status(registry, task, true);
    }
}

static void registry_trim_runs(struct registry *registry, const char *task)
{
    const uint64_t *settings = registry->settings.value;
    for (int i = 0; i < RUN_DROPS_A_COMMAND; i++) {
        const struct run *run =
            run_table_surplus(&registry->runs, task, settings[SETTING_TASK_EVENTS],
                              settings[SETTING_RUNS_MAX_COUNT]);
        if (run == NULL) {
            return;
        }
        registry_drop_run(registry, run);
    }
}

/* Write the event of a run that is about to be put; its revision is that event. */
static void registry_run_event(struct registry *registry, const struct change *change,
                               enum event_type type, const struct run *run)
{
    struct buf data;
    buf_init(&data);
    if (type == EVENT_RUN_ENDED) {
        run_event_put_end(&data, run);
    } else {
        run_event_put_open(&data, run);
    }
    buf_put_u8(&data, '\0');
    assert(run->revision == registry_next(registry));
    registry_event(registry, change, type, run->task, (const char *)data.data);
    buf_close(&data);
}

/* The next state of a run: its move, its event. `next` is a copy of it with all else
 * that changes. */
static void registry_move_run(struct registry *registry, const struct change *change,
                              struct run *next, enum run_state to)
{
    assert(run_may_move(next->state, to));
    static const enum event_type types[] = {
        [RUN_RUNNING] = EVENT_RUN_STARTED,
        [RUN_STOPPING] = EVENT_RUN_STOPPING,
        [RUN_ENDED] = EVENT_RUN_ENDED,
    };
    next->state = to;
    next->revision = registry_next(registry);
    struct run *run = run_new(next);
    registry_run_event(registry, change, types[to], run);
    registry_put_run(registry, run);
}

bool run_order_sound(const struct run_order *order)
{
    return cause_exists(order->cause) && order->node != 0 && order->lease_ms != 0 &&
           order->tries != 0;
}

void registry_place_run(struct registry *registry, const struct change *change,
                        const struct run_order *order, struct run *run)
{
    uint64_t next = registry_next(registry);
    run->id = PLANTED_OR(FENCE_AGAIN, next - run->task_created, next);
    run->revision = next;
    run->node = order->node;
    run->state = RUN_PENDING;
    run->cause = (enum run_cause)order->cause;
    run->purpose = (enum run_purpose)order->purpose;
    run->lease_ms = order->lease_ms;
    run->grace_ms = order->grace_ms;
    run->tries = order->tries;
    run->placed_ms = change->wall_ms;
    run->text = "";
    struct run *placed = run_new(run);
    registry_run_event(registry, change, EVENT_RUN_PLACED, placed);
    registry_put_run(registry, placed);
}

uint64_t registry_place_task(struct registry *registry, const struct change *change,
                             const struct run_order *order, const struct task *task)
{
    struct buf config;
    buf_init(&config);
    run_event_put_config(&config, task->text, task->text_len);
    buf_put_u8(&config, '\0');
    struct run run = {
        .task_created = task->created,
        .task = task->name,
        .config = (const char *)config.data,
        .draft = "",
    };
    registry_place_run(registry, change, order, &run);
    if (order->purpose == RUN_APPLY) {
        registry_drop_due(registry, task);
    }
    buf_close(&config);
    return run.id;
}

void registry_place_draft(struct registry *registry, const struct change *change,
                          const struct run_order *order, const struct task_draft *draft,
                          uint64_t task_created)
{
    struct buf texts;
    buf_init(&texts);
    buf_put(&texts, draft->name, draft->name_len);
    buf_put_u8(&texts, '\0');
    run_event_put_config(&texts, draft->text, draft->text_len);
    buf_put_u8(&texts, '\0');
    struct run run = {
        .task_created = task_created,
        .enabled = draft->enabled,
        .enabled_at = draft->enabled_at,
        .draft_len = (uint32_t)draft->text_len,
        .task = (const char *)texts.data,
        .config = (const char *)texts.data + draft->name_len + 1,
        .draft = draft->text,
    };
    registry_place_run(registry, change, order, &run);
    buf_close(&texts);
}

static int registry_judge_start(const struct registry *registry,
                                const struct run_order *order, const struct task *task)
{
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    if (!run_order_sound(order) ||
        (order->purpose != RUN_APPLY && order->purpose != RUN_INSPECT)) {
        return ERR_INVALID;
    }
    if (task == NULL) {
        return ERR_NOT_FOUND;
    }
    if (order->revision != 0 && order->revision != task->revision) {
        return ERR_PRECONDITION;
    }
    if (task->deleting ||
        (registry_live_run(registry, task->name, task->name_len) != NULL &&
         !PLANTED(SECOND_RUN))) {
        return ERR_CONFLICT;
    }
    return registry_member(registry, order->node) == NULL ? ERR_PRECONDITION : 0;
}

int registry_run_start(struct registry *registry, const struct change *change,
                       const struct run_order *order)
{
    const struct task *task = registry_task(registry, order->task, order->task_len);
    int refused = registry_judge_start(registry, order, task);
    if (refused != 0) {
        return refused;
    }
    registry_place_task(registry, change, order, task);
    return 0;
}

static int registry_judge_trial(const struct registry *registry,
                                const struct run_order *order,
                                const struct task_draft *draft)
{
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    if (!task_draft_sound(draft) || !run_order_sound(order) ||
        (order->purpose != RUN_TRIAL && order->purpose != RUN_TRIAL_INSPECT)) {
        return ERR_INVALID;
    }
    if (registry_task(registry, draft->name, draft->name_len) != NULL ||
        registry_live_run(registry, draft->name, draft->name_len) != NULL) {
        return ERR_EXISTS;
    }
    return registry_member(registry, order->node) == NULL ? ERR_PRECONDITION : 0;
}

int registry_run_trial(struct registry *registry, const struct change *change,
                       const struct task_draft *draft, const struct run_order *order)
{
    int refused = registry_judge_trial(registry, order, draft);
    if (refused != 0) {
        return refused;
    }
    registry_place_draft(registry, change, order, draft, 0);
    return 0;
}

/* 0, and the live run of that number. */
static int registry_live(const struct registry *registry, uint64_t id,
                         const struct run **run)
{
    *run = registry_run(registry, id);
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    if (*run == NULL) {
        return ERR_NOT_FOUND;
    }
    return (*run)->state == RUN_ENDED ? ERR_CONFLICT : 0;
}

int registry_run_started(struct registry *registry, const struct change *change,
                         uint64_t id, uint64_t node, uint64_t started_ms)
{
    const struct run *run = NULL;
    int refused = registry_live(registry, id, &run);
    if (refused != 0 || run->node != node) {
        return refused != 0 ? refused : ERR_CONFLICT;
    }
    struct run next = *run;
    next.started_ms = started_ms;
    if (run->state == RUN_PENDING) {
        registry_move_run(registry, change, &next, RUN_RUNNING);
    } else if (run->state == RUN_STOPPING && run->started_ms == 0) {
        registry_put_run(registry, run_new(&next));
    }
    return 0;
}

int registry_run_stop(struct registry *registry, const struct change *change,
                      uint64_t id, uint32_t stop)
{
    const struct run *run = NULL;
    int refused = registry_live(registry, id, &run);
    if (refused != 0 || run->state == RUN_STOPPING) {
        return refused;
    }
    if (stop < RUN_STOP_CANCEL || stop > RUN_STOP_DELETE) {
        return ERR_INVALID;
    }
    struct run next = *run;
    next.stop = (enum run_stop)stop;
    registry_move_run(registry, change, &next, RUN_STOPPING);
    return 0;
}

/* --- the end of a run ---------------------------------------------------------------
 */

/* What a program said last may be anything: its beginning, as UTF-8 without NULs. */
static void put_clean(struct buf *out, const char *text, size_t len)
{
    size_t start = out->len;
    while (len > 0) {
        uint32_t rune = 0;
        size_t size = utf8_decode(text, len, &rune);
        bool bad = rune == 0 || (size == 1 && rune == UTF8_REPLACEMENT);
        if (out->len - start + size > RUN_TEXT_BYTES_MAX) {
            break;
        }
        buf_put(out, bad ? "?" : text, size);
        text += size;
        len -= size;
    }
    buf_put_u8(out, '\0');
}

/* The task that a trial makes, and the run that says so. */
static void registry_add_tried(struct registry *registry, const struct change *change,
                               const struct run *trial)
{
    struct task_draft draft = {
        .name = trial->task,
        .name_len = strlen(trial->task),
        .text = trial->draft,
        .text_len = trial->draft_len,
        .enabled_at = trial->enabled_at,
        .enabled = trial->enabled,
    };
    registry_add_task(registry, change, &draft);
    registry_count_status(registry, registry_task(registry, draft.name, draft.name_len),
                          true);
}

/* Was it kept from doing what it was placed for, by no wish of anybody's? */
static bool run_interrupted(const struct run *run)
{
    bool lost = run->outcome == RUN_LOST &&
                (run->stop == RUN_STOP_NONE || run->stop == RUN_STOP_DRAIN);
    bool moved = run->outcome == RUN_CANCELLED && run->stop == RUN_STOP_DRAIN;
    return run->purpose == RUN_APPLY && (lost || moved);
}

/* An interrupted one that was that already is due not before its lease would have run
 * out, so that a node that loses whatever it is given does not spin. */
void registry_end_run(struct registry *registry, const struct change *change,
                      struct run *next)
{
    struct run *before = run_table_hold(&registry->runs, next->id);
    bool makes = next->purpose == RUN_TRIAL && next->outcome == RUN_SUCCESS;
    next->task_created = makes ? registry_next(registry) + 1 : next->task_created;
    next->draft = "";
    next->draft_len = 0;
    next->enabled = false;
    next->enabled_at = 0;
    registry_move_run(registry, change, next, RUN_ENDED);
    const struct task *task =
        registry_task(registry, before->task, strlen(before->task));
    if (makes) {
        registry_add_tried(registry, change, before);
    } else if (task != NULL && task->deleting) {
        registry_remove_task(registry, change, task);
    } else if (task != NULL && task->enabled && run_interrupted(next)) {
        bool twice = next->cause == RUN_CAUSE_FAILOVER;
        struct moment wanted = {
            .at_ms = registry->clock_ms + (twice ? next->lease_ms : 0),
            .cause = RUN_CAUSE_FAILOVER,
        };
        registry_mark_due(registry, task, &wanted);
    }
    registry_trim_runs(registry, before->task);
    run_unref(before);
}

int registry_run_end(struct registry *registry, const struct change *change,
                     const struct run_report *report)
{
    const struct run *run = NULL;
    int refused = registry_live(registry, report->run, &run);
    if (refused != 0 || (run->node != report->node && !PLANTED(END_BY_ANYBODY))) {
        return refused != 0 ? refused : ERR_CONFLICT;
    }
    if (report->outcome < RUN_SUCCESS || report->outcome > RUN_LOST) {
        return ERR_INVALID;
    }
    struct buf text;
    buf_init(&text);
    put_clean(&text, report->text, report->text_len);
    struct run next = *run;
    next.outcome = (enum run_outcome)report->outcome;
    next.exit_code = report->exit_code;
    next.signal = report->signal;
    next.changes = report->changes;
    next.started_ms = report->started_ms != 0 ? report->started_ms : run->started_ms;
    next.ended_ms = report->ended_ms;
    next.text = (const char *)text.data;
    registry_end_run(registry, change, &next);
    buf_close(&text);
    return 0;
}

int registry_run_lost(struct registry *registry, const struct change *change,
                      const struct run_report *report)
{
    struct run_report lost = {
        .run = report->run,
        .node = report->node,
        .outcome = RUN_LOST,
        .ended_ms = change->wall_ms,
        .text = report->text,
        .text_len = report->text_len,
    };
    return registry_run_end(registry, change, &lost);
}

uint64_t registry_runs_over_ms(const struct registry *registry)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    uint64_t most_ms =
        run_over_ms((uint32_t)registry_setting(registry, SETTING_RUN_LEASE),
                    (uint32_t)registry_setting(registry, SETTING_RUN_GRACE));
    registry_live_seek(registry, &cursor);
    while ((run = registry_live_next(&cursor)) != NULL) {
        uint64_t over_ms = run_over_ms(run->lease_ms, run->grace_ms);
        most_ms = over_ms > most_ms ? over_ms : most_ms;
    }
    return most_ms;
}

void registry_lose_runs(struct registry *registry, const struct change *change)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    while (registry_live_seek(registry, &cursor),
           (run = registry_live_next(&cursor)) != NULL) {
        struct run next = *run;
        next.outcome = RUN_LOST;
        next.ended_ms = change->wall_ms;
        next.text = "its node is not of this cluster";
        registry_end_run(registry, change, &next);
    }
}

/* --- for snapshots ------------------------------------------------------------------
 */

bool registry_restore_run(struct registry *registry, const struct run *run)
{
    size_t len = strlen(run->task);
    const struct task *task = registry_task(registry, run->task, len);
    bool fits = run_is_trial(run) ? task == NULL
                                  : task != NULL && task->created == run->task_created;
    if (registry_live_run(registry, run->task, len) != NULL ||
        (run->state == RUN_ENDED
             ? run_table_ended(&registry->runs, run->revision) != NULL
             : !fits)) {
        return false;
    }
    registry_put_run(registry, run_new(run));
    return true;
}

static bool restore_moment(struct registry *registry, struct moment_table *table,
                           const struct moment *moment)
{
    if (registry_task_of(registry, moment->task) == NULL ||
        moment_table_find(table, moment->task) != NULL) {
        return false;
    }
    moment_table_put(table, moment);
    registry->moment_changes++;
    return true;
}

bool registry_restore_due(struct registry *registry, const struct moment *moment)
{
    return restore_moment(registry, &registry->due, moment);
}

bool registry_restore_fire(struct registry *registry, const struct moment *moment)
{
    return restore_moment(registry, &registry->fires, moment);
}
