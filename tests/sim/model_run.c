/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of the naive registry. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "sim/model_inside.h"

#define RUNS_GO_AT_ONCE 16
#define ID_TEXT         "00000000-0000-0000-0000-000000000000"
#define CONFIG          "{\"providers\":[],\"services\":[],\"module\":\"%s\"}"

enum { PENDING = 1, RUNNING = 2, STOPPING = 3, ENDED = 4 };
enum { SUCCESS = 1, CANCELLED = 4, LOST = 5 };
enum { APPLY = 1, INSPECT = 2, TRIAL = 3, TRIAL_INSPECT = 4 };
enum { NONE = 0, CANCEL = 1, DRAIN = 2, DELETE = 3 };
enum { SCHEDULE = 2, FAILOVER = 4 };

static const char *const causes[] = {"", "client", "schedule", "change", "failover"};
static const char *const purposes[] = {"", "apply", "inspect", "trial",
                                       "trial_inspect"};
static const char *const stops[] = {"", "cancel", "drain", "delete"};
static const char *const outcomes[] = {"",          "success",   "failed",
                                       "timed_out", "cancelled", "lost"};

struct model_run *model_live(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->run_count; i++) {
        struct model_run *run = &model->runs[i];
        if (run->state != ENDED && strcmp(run->name, name) == 0) {
            return run;
        }
    }
    return NULL;
}

static struct model_run *model_run(const struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->run_count; i++) {
        if (model->runs[i].id == id) {
            return &model->runs[i];
        }
    }
    return NULL;
}

static struct model_run *live_of(const struct model *model, struct text name)
{
    char *copy = model_copy(name);
    struct model_run *run = model_live(model, copy);
    mem_free(copy);
    return run;
}

const struct model_run *model_run_of(const struct model *model,
                                     const struct command *command)
{
    switch ((int)command->type) {
    case COMMAND_RUN_START:
        return live_of(model, command->run_start.task);
    case COMMAND_RUN_TRIAL:
        return live_of(model, command->run_trial.name);
    case COMMAND_RUN_PUT:
        return live_of(model, command->run_put.name);
    case COMMAND_RUN_ENABLE:
        return live_of(model, command->run_enable.task);
    case COMMAND_RUN_STARTED:
        return model_run(model, command->run_started.run);
    case COMMAND_RUN_STOP:
        return model_run(model, command->run_stop.run);
    case COMMAND_RUN_END:
        return model_run(model, command->run_end.run);
    case COMMAND_RUN_LOST:
        return model_run(model, command->run_lost.run);
    default:
        return NULL;
    }
}

/* Is it, or will its end be, one of CTS's events? */
static bool is_event(const struct model_run *run)
{
    return run->purpose == APPLY || (run->purpose == TRIAL && run->task_created > 0);
}

/* --- events -------------------------------------------------------------------------
 */

static void tell(struct model *model, const char *type, struct model_run *run)
{
    run->revision = model_next(model);
    char *data =
        mem_printf("{\"run\":%" PRIu64 ",\"node\":\"%" PRIu64 "\",\"purpose\":\"%s\","
                   "\"cause\":\"%s\"%s%s%s}",
                   run->id, run->node, purposes[run->purpose], causes[run->cause],
                   run->stop != NONE ? ",\"stop\":\"" : "", stops[run->stop],
                   run->stop != NONE ? "\"" : "");
    model_event(model, type, run->name, data);
    mem_free(data);
}

static void time_text(uint64_t wall_ms, char out[32])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char whole[24];
    gmtime_r(&seconds, &parts);
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out, 32, "%s.%03uZ", whole, (unsigned)(wall_ms % 1000));
}

static char *config_of(const struct model_run *run)
{
    return mem_printf(CONFIG, run->module);
}

static void tell_end(struct model *model, struct model_run *run)
{
    char from[32];
    char to[32];
    char error[128] = "null";
    bool success = run->outcome == SUCCESS;
    time_text(run->started_ms > 0 ? run->started_ms : run->placed_ms, from);
    time_text(run->ended_ms, to);
    if (!success) {
        snprintf(error, sizeof error, "{\"message\":\"%s\"}",
                 run->text[0] != '\0' ? run->text : outcomes[run->outcome]);
    }
    run->revision = model_next(model);
    char *config = config_of(run);
    char *data =
        mem_printf("{\"id\":\"" ID_TEXT "\",\"success\":%s,\"start_time\":\"%s\","
                   "\"end_time\":\"%s\",\"task_name\":\"%s\",\"error\":%s,\"config\":%s"
                   ",\"run\":%" PRIu64 ",\"node\":\"%" PRIu64 "\",\"purpose\":\"%s\","
                   "\"outcome\":\"%s\",\"exit_code\":%u,\"signal\":%u,\"changes\":%s}",
                   success ? "true" : "false", from, to, run->name, error, config,
                   run->id, run->node, purposes[run->purpose], outcomes[run->outcome],
                   run->exit_code, run->signal, run->changes ? "true" : "false");
    model_event(model, "run.ended", run->name, data);
    mem_free(config);
    mem_free(data);
}

/* --- placing ------------------------------------------------------------------------
 */

/* In a text of the clients' it stands behind its only `"module":`. */
static void note_module(const struct model *model, struct model_run *run)
{
    const struct model_task *task = model_find(model, text_of(run->name));
    struct text text = {run->draft, run->draft_len};
    if (run->draft == NULL) {
        text = (struct text){task->text, task->text_len};
    }
    char *copy = model_copy(text);
    const char *at = strstr(copy, "\"module\":\"");
    if (at != NULL) {
        at += strlen("\"module\":\"");
        snprintf(run->module, sizeof run->module, "%.*s", (int)strcspn(at, "\""), at);
    }
    mem_free(copy);
}

int model_place(struct model *model, struct text name, const struct model_run *from)
{
    model->runs = model_room(model->runs, &model->run_capacity, model->run_count,
                             sizeof *model->runs);
    struct model_run *run = &model->runs[model->run_count++];
    *run = *from;
    memcpy(run->name, name.data, name.len);
    note_module(model, run);
    run->id = model_next(model);
    run->state = PENDING;
    run->placed_ms = model->wall_ms;
    run->text = mem_strdup("");
    tell(model, "run.placed", run);
    return 0;
}

static int do_start(struct model *model, const struct command *command)
{
    const __typeof__(command->run_start) *start = &command->run_start;
    struct model_task *task = model_find(model, start->task);
    if (start->cause < 1 || start->cause > 4 || start->node == 0 ||
        start->lease_ms == 0 || start->tries == 0 || start->purpose < APPLY ||
        start->purpose > INSPECT) {
        return ERR_INVALID;
    }
    if (task == NULL) {
        return ERR_NOT_FOUND;
    }
    if (start->revision != 0 && start->revision != task->revision) {
        return ERR_PRECONDITION;
    }
    if (task->deleting || model_live(model, task->name) != NULL) {
        return ERR_CONFLICT;
    }
    if (model_member(model, start->node) == NULL) {
        return ERR_PRECONDITION;
    }
    struct model_run run = {
        .task_created = task->created,
        .node = start->node,
        .cause = start->cause,
        .purpose = start->purpose,
        .lease_ms = start->lease_ms,
        .grace_ms = start->grace_ms,
        .tries = start->tries,
    };
    task->due = task->due && start->purpose != APPLY;
    return model_place(model, start->task, &run);
}

static int do_trial(struct model *model, const struct command *command)
{
    const __typeof__(command->run_trial) *trial = &command->run_trial;
    if (!model_draft_is_sound(trial->name, trial->text, trial->enabled_at) ||
        trial->node == 0 || trial->lease_ms == 0 || trial->purpose < TRIAL ||
        trial->purpose > TRIAL_INSPECT) {
        return ERR_INVALID;
    }
    if (model_find(model, trial->name) != NULL || live_of(model, trial->name) != NULL) {
        return ERR_EXISTS;
    }
    if (model_member(model, trial->node) == NULL) {
        return ERR_PRECONDITION;
    }
    struct model_run run = {
        .node = trial->node,
        .cause = 1,
        .purpose = trial->purpose,
        .lease_ms = trial->lease_ms,
        .grace_ms = trial->grace_ms,
        .tries = 1,
        .draft = model_copy(trial->text),
        .draft_len = trial->text.len,
        .enabled_at = trial->enabled_at,
        .enabled = trial->enabled,
    };
    return model_place(model, trial->name, &run);
}

/* --- under way, and the end ---------------------------------------------------------
 */

static int live_run(const struct model *model, uint64_t id, struct model_run **run)
{
    *run = model_run(model, id);
    if (*run == NULL) {
        return ERR_NOT_FOUND;
    }
    return (*run)->state == ENDED ? ERR_CONFLICT : 0;
}

static int do_started(struct model *model, const struct command *command)
{
    struct model_run *run = NULL;
    int refused = live_run(model, command->run_started.run, &run);
    if (refused != 0 || run->node != command->run_started.node) {
        return refused != 0 ? refused : ERR_CONFLICT;
    }
    if (run->state == PENDING) {
        run->started_ms = command->run_started.started_ms;
        run->state = RUNNING;
        tell(model, "run.started", run);
    } else if (run->state == STOPPING && run->started_ms == 0) {
        run->started_ms = command->run_started.started_ms;
    }
    return 0;
}

static int do_stop(struct model *model, const struct command *command)
{
    struct model_run *run = NULL;
    int refused = live_run(model, command->run_stop.run, &run);
    if (refused != 0 || run->state == STOPPING) {
        return refused;
    }
    if (command->run_stop.stop < CANCEL || command->run_stop.stop > DELETE) {
        return ERR_INVALID;
    }
    run->stop = command->run_stop.stop;
    run->state = STOPPING;
    tell(model, "run.stopping", run);
    return 0;
}

static void forget(struct model *model, size_t at)
{
    struct model_run *run = &model->runs[at];
    mem_free(run->text);
    mem_free(run->draft);
    memmove(run, run + 1, (model->run_count - at - 1) * sizeof *run);
    model->run_count--;
}

/* Where the next run stands that is one too many; run_count: none is. */
static size_t surplus(const struct model *model, const char *name)
{
    uint64_t counts[2] = {0, 0};
    size_t ended = 0;
    size_t oldest = model->run_count;
    for (size_t i = model->run_count; i > 0; i--) {
        const struct model_run *run = &model->runs[i - 1];
        if (run->state != ENDED) {
            continue;
        }
        if (strcmp(run->name, name) == 0 &&
            ++counts[is_event(run)] > model_setting(model, "task_events")) {
            return i - 1;
        }
        ended++;
        if (oldest == model->run_count ||
            run->revision < model->runs[oldest].revision) {
            oldest = i - 1;
        }
    }
    return ended > model_setting(model, "runs_max_count") ? oldest : model->run_count;
}

static void trim(struct model *model, const char *name)
{
    for (size_t i = 0; i < RUNS_GO_AT_ONCE; i++) {
        size_t at = surplus(model, name);
        if (at == model->run_count) {
            return;
        }
        forget(model, at);
    }
}

static void mark(struct model_task *task, uint64_t at_ms, uint64_t until_ms,
                 uint32_t cause)
{
    if (!task->due) {
        task->due_until_ms = until_ms > at_ms ? until_ms : at_ms;
        task->due_at_ms = at_ms;
    } else {
        task->due_at_ms = at_ms < task->due_until_ms ? at_ms : task->due_until_ms;
    }
    task->due_cause = cause;
    task->due = true;
}

/* What its task becomes when `run` has ended. */
static void follow(struct model *model, const struct model_run *run)
{
    struct model_task *task = model_find(model, text_of(run->name));
    bool lost = run->outcome == LOST && (run->stop == NONE || run->stop == DRAIN);
    bool moved = run->outcome == CANCELLED && run->stop == DRAIN;
    if (task != NULL && task->deleting) {
        model_remove(model, task);
    } else if (task != NULL && task->enabled && run->purpose == APPLY &&
               (lost || moved)) {
        uint64_t wait_ms = run->cause == FAILOVER ? run->lease_ms : 0;
        mark(task, model->clock_ms + wait_ms, 0, FAILOVER);
    }
}

int model_finish(struct model *model, uint64_t id, uint64_t node,
                 const struct model_run *end, struct text text)
{
    struct model_run *run = NULL;
    int refused = live_run(model, id, &run);
    if (refused != 0 || run->node != node) {
        return refused != 0 ? refused : ERR_CONFLICT;
    }
    if (end->outcome < SUCCESS || end->outcome > LOST) {
        return ERR_INVALID;
    }
    run->state = ENDED;
    run->outcome = end->outcome;
    run->exit_code = end->exit_code;
    run->signal = end->signal;
    run->changes = end->changes;
    run->started_ms = end->started_ms > 0 ? end->started_ms : run->started_ms;
    run->ended_ms = end->ended_ms;
    mem_free(run->text);
    run->text = model_copy(text);
    tell_end(model, run);
    if (run->purpose == TRIAL && run->outcome == SUCCESS) {
        run->task_created = model_next(model);
        model_create(model, text_of(run->name),
                     (struct text){run->draft, run->draft_len}, run->enabled_at,
                     run->enabled);
    } else {
        follow(model, run);
    }
    mem_free(run->draft);
    run->draft = NULL;
    run->draft_len = 0;
    run->enabled_at = 0;
    run->enabled = false;
    char name[NAME_MAX_BYTES];
    memcpy(name, run->name, sizeof name);
    trim(model, name);
    return 0;
}

static int do_end(struct model *model, const struct command *command)
{
    const __typeof__(command->run_end) *end = &command->run_end;
    struct model_run run = {
        .outcome = end->outcome,
        .exit_code = end->exit_code,
        .signal = end->signal,
        .changes = end->changes,
        .started_ms = end->started_ms,
        .ended_ms = end->ended_ms,
    };
    return model_finish(model, end->run, end->node, &run, end->text);
}

static int do_lost(struct model *model, const struct command *command)
{
    struct model_run run = {.outcome = LOST, .ended_ms = model->wall_ms};
    return model_finish(model, command->run_lost.run, command->run_lost.node, &run,
                        command->run_lost.text);
}

/* --- moments ------------------------------------------------------------------------
 */

static int moment_task(const struct model *model, struct text name, uint64_t created,
                       struct model_task **task)
{
    *task = model_find(model, name);
    if (*task == NULL) {
        return ERR_NOT_FOUND;
    }
    if (created != 0 && created != (*task)->created) {
        return ERR_PRECONDITION;
    }
    return (*task)->deleting ? ERR_CONFLICT : 0;
}

static int do_due(struct model *model, const struct command *command)
{
    const __typeof__(command->task_due) *due = &command->task_due;
    struct model_task *task = NULL;
    int refused = moment_task(model, due->task, due->created, &task);
    if (refused != 0) {
        return refused;
    }
    if (due->cause < 1 || due->cause > 4) {
        return ERR_INVALID;
    }
    if (!task->enabled) {
        return ERR_CONFLICT;
    }
    mark(task, due->at_clock_ms, due->until_clock_ms, due->cause);
    return 0;
}

static int do_fire(struct model *model, const struct command *command)
{
    const __typeof__(command->task_fire) *fire = &command->task_fire;
    struct model_task *task = NULL;
    int refused = moment_task(model, fire->task, fire->created, &task);
    if (refused != 0) {
        return refused;
    }
    if (task->fire_ms != fire->expected_ms) {
        return ERR_PRECONDITION;
    }
    task->fire_ms = fire->next_ms;
    bool follows = model_setting(model, "catch_up") != 0;
    if (fire->due && task->enabled &&
        (follows || model_live(model, task->name) == NULL)) {
        mark(task, model->clock_ms, 0, SCHEDULE);
    }
    return 0;
}

/* Of the few zones that the clients name, all of which are sound. */
static int do_zone(struct model *model, const struct command *command)
{
    char *zone = model_copy(command->zone_set.zone);
    if (strcmp(zone, model->zone) != 0) {
        char *data =
            mem_printf("{\"name\":\"schedule_zone\",\"from\":\"%s\",\"value\":\"%s\"}",
                       model->zone, zone);
        model_event(model, "setting.changed", "", data);
        mem_free(data);
        snprintf(model->zone, sizeof model->zone, "%s", zone);
        for (size_t i = 0; i < model->task_count; i++) {
            model->tasks[i].fire_ms = 0;
        }
    }
    mem_free(zone);
    return 0;
}

int model_run_apply(struct model *model, const struct command *command)
{
    if (model->level < 3) {
        return ERR_LEVEL;
    }
    switch ((int)command->type) {
    case COMMAND_RUN_START:
        return do_start(model, command);
    case COMMAND_RUN_TRIAL:
        return do_trial(model, command);
    case COMMAND_RUN_PUT:
        return model_run_put(model, command);
    case COMMAND_RUN_ENABLE:
        return model_run_enable(model, command);
    case COMMAND_RUN_STARTED:
        return do_started(model, command);
    case COMMAND_RUN_STOP:
        return do_stop(model, command);
    case COMMAND_RUN_END:
        return do_end(model, command);
    case COMMAND_RUN_LOST:
        return do_lost(model, command);
    case COMMAND_TASK_DUE:
        return do_due(model, command);
    case COMMAND_TASK_FIRE:
        return do_fire(model, command);
    case COMMAND_ZONE_SET:
        return do_zone(model, command);
    default:
        return ERR_INTERNAL;
    }
}

/* --- comparing ----------------------------------------------------------------------
 */

static bool config_is(const struct model_run *run, const char *shown)
{
    char *config = config_of(run);
    bool same = strcmp(shown, config) == 0;
    mem_free(config);
    return same;
}

static bool run_is(const struct model_run *run, const struct run *shown)
{
    return shown != NULL && shown->id == run->id &&
           shown->task_created == run->task_created &&
           shown->revision == run->revision && shown->node == run->node &&
           (uint32_t)shown->state == run->state &&
           (uint32_t)shown->outcome == run->outcome &&
           (uint32_t)shown->cause == run->cause &&
           (uint32_t)shown->purpose == run->purpose &&
           (uint32_t)shown->stop == run->stop && shown->lease_ms == run->lease_ms &&
           shown->grace_ms == run->grace_ms && shown->tries == run->tries &&
           shown->placed_ms == run->placed_ms && shown->started_ms == run->started_ms &&
           shown->ended_ms == run->ended_ms && shown->exit_code == run->exit_code &&
           shown->signal == run->signal && shown->changes == run->changes &&
           shown->enabled == run->enabled && shown->enabled_at == run->enabled_at &&
           strcmp(shown->task, run->name) == 0 && strcmp(shown->text, run->text) == 0 &&
           config_is(run, shown->config) && shown->draft_len == run->draft_len &&
           (run->draft == NULL ||
            memcmp(shown->draft, run->draft, run->draft_len) == 0);
}

/* successful, errored, critical, unknown: over the events of the task that are kept. */
static int status_of(const struct model *model, const struct model_task *task)
{
    bool any = false;
    bool newest_failed = false;
    size_t failed = 0;
    for (size_t i = 0; i < model->run_count; i++) {
        const struct model_run *run = &model->runs[i];
        if (run->task_created == task->created && run->state == ENDED &&
            is_event(run)) {
            any = true;
            newest_failed = run->outcome != SUCCESS;
            failed += newest_failed;
        }
    }
    return !any ? 3 : !newest_failed ? 0 : failed > 1 ? 2 : 1;
}

static bool moments_are(const struct registry *registry, const struct model_task *task)
{
    const struct task *shown = registry_task(registry, task->name, strlen(task->name));
    const struct moment *due =
        shown != NULL ? registry_task_due_mark(registry, shown) : NULL;
    if (shown == NULL || registry_task_next_fire(registry, shown) != task->fire_ms ||
        (due != NULL) != task->due) {
        return false;
    }
    return due == NULL ||
           (due->at_ms == task->due_at_ms && due->until_ms == task->due_until_ms &&
            due->cause == task->due_cause);
}

const char *model_run_check(struct model *model, const struct registry *registry)
{
    struct map_cursor cursor;
    size_t counts[4] = {0, 0, 0, 0};
    registry_run_seek(registry, 0, &cursor);
    for (size_t i = 0; i < model->run_count; i++) {
        if (!run_is(&model->runs[i], registry_run_next(&cursor))) {
            return model_complain(model, "run %" PRIu64 " is not as the model has it",
                                  model->runs[i].id);
        }
    }
    if (strcmp(registry_zone(registry), model->zone) != 0) {
        return model_complain(model, "the zone is %s, and not %s",
                              registry_zone(registry), model->zone);
    }
    if (registry_run_next(&cursor) != NULL) {
        return model_complain(model, "a run is kept that the model does not have");
    }
    for (size_t i = 0; i < model->task_count; i++) {
        const struct model_task *task = &model->tasks[i];
        counts[status_of(model, task)]++;
        if (!moments_are(registry, task)) {
            return model_complain(
                model, "when %s is due, or fires, is not as the model has it",
                task->name);
        }
    }
    for (int i = 0; i < 4; i++) {
        if (registry_status_count(registry, (enum task_status)i) != counts[i]) {
            return model_complain(
                model, "%zu tasks have status %d, not as the model counts",
                registry_status_count(registry, (enum task_status)i), i);
        }
    }
    return NULL;
}
