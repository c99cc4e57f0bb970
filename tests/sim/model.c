/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/model.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/model_inside.h"

#define EVENT_HEAD_BYTES  64
#define EVENTS_GO_AT_ONCE 1024
#define KEYS_GO_AT_ONCE   16

struct model *model_new(void)
{
    static const struct model_setting settings[] = {
        {"events_max_count", 1, 100000, 100, 10000000},
        {"events_max_bytes", 1, 67108864, 65536, 1073741824},
        {"task_events", 1, 5, 1, 100},
        {"ready_lag", 1, 1000, 0, 1000000},
        {"voters", 1, 0, 0, 15},
        {"keys_max_count", 2, 100000, 100, 1000000},
        {"keys_max_age_ms", 2, 86400000, 1000, 2592000000},
        {"runs_max_count", 3, 100000, 100, 1000000},
        {"run_lease_ms", 3, 4000, 1000, 60000},
        {"run_grace_ms", 3, 5000, 500, 600000},
        {"run_tries", 3, 3, 1, 10},
        {"run_time_limit_ms", 3, 0, 0, 2592000000},
        {"drain_deadline_ms", 3, 600000, 0, 86400000},
        {"schedule_jitter_ms", 3, 0, 0, 3600000},
        {"catch_up", 3, 0, 0, 1},
    };
    struct model *model = mem_zalloc(sizeof *model);
    memcpy(model->settings, settings, sizeof settings);
    model->setting_count = sizeof settings / sizeof settings[0];
    model->level = 1;
    snprintf(model->zone, sizeof model->zone, "UTC");
    return model;
}

static void texts_free(char *texts[4])
{
    for (size_t i = 0; i < 4; i++) {
        mem_free(texts[i]);
    }
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < model->task_count; i++) {
        mem_free(model->tasks[i].text);
    }
    for (size_t i = 0; i < model->member_count; i++) {
        texts_free(model->members[i].texts);
    }
    for (size_t i = 0; i < model->event_count; i++) {
        texts_free(model->events[i].texts);
    }
    for (size_t i = 0; i < model->key_count; i++) {
        mem_free(model->keys[i].key);
        mem_free(model->keys[i].scope);
    }
    for (size_t i = 0; i < model->run_count; i++) {
        mem_free(model->runs[i].text);
        mem_free(model->runs[i].draft);
    }
    mem_free(model->runs);
    mem_free(model->tasks);
    mem_free(model->events);
    mem_free(model->keys);
    mem_free(model);
}

const char *model_complain(struct model *model, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(model->complaint, sizeof model->complaint, format, args);
    va_end(args);
    return model->complaint;
}

char *model_copy(struct text text)
{
    return mem_strndup(text.data, text.len);
}

void *model_room(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count == *capacity) {
        *capacity = *capacity > 0 ? *capacity * 2 : 64;
        array = mem_realloc(array, *capacity * size);
    }
    return array;
}

/* --- events
 * ------------------------------------------------------------------------ */

uint64_t model_setting(const struct model *model, const char *name)
{
    size_t i = 0;
    while (i < model->setting_count && strcmp(model->settings[i].name, name) != 0) {
        i++;
    }
    assert(i < model->setting_count);
    return model->settings[i].value;
}

uint64_t model_next(const struct model *model)
{
    return model->event_count + 1;
}

void model_event(struct model *model, const char *type, const char *task,
                 const char *data)
{
    model->events = model_room(model->events, &model->event_capacity,
                               model->event_count, sizeof *model->events);
    struct model_event *event = &model->events[model->event_count++];
    *event = (struct model_event){
        .type = type,
        .wall_ms = model->wall_ms,
        .texts = {mem_strdup(task), model_copy(model->command->actor),
                  model_copy(model->command->request_id), mem_strdup(data)},
        .bytes = EVENT_HEAD_BYTES,
    };
    for (size_t i = 0; i < 4; i++) {
        event->bytes += strlen(event->texts[i]) + 1;
    }
    model->event_bytes += event->bytes;
    uint64_t count_max = model_setting(model, "events_max_count");
    uint64_t bytes_max = model_setting(model, "events_max_bytes");
    for (size_t gone = 0;
         gone < EVENTS_GO_AT_ONCE && model->event_first + 1 < model->event_count &&
         (model->event_count - model->event_first > count_max ||
          model->event_bytes > bytes_max);
         gone++) {
        model->event_bytes -= model->events[model->event_first++].bytes;
    }
}

/* --- tasks
 * ------------------------------------------------------------------------- */

struct model_task *model_find(const struct model *model, struct text name)
{
    char key[NAME_MAX_BYTES] = "";
    if (name.len >= sizeof key) {
        return NULL;
    }
    memcpy(key, name.data, name.len);
    for (size_t i = 0; i < model->task_count; i++) {
        const char *other = model->tasks[i].name;
        if (memcmp(other, key, 8) == 0 && memcmp(other, key, sizeof key) == 0) {
            return &model->tasks[i];
        }
    }
    return NULL;
}

bool model_draft_is_sound(struct text name, struct text text, uint32_t enabled_at)
{
    return name.len > 0 && name.len <= 1024 && text.len <= 2 * 1024 * 1024 &&
           enabled_at >= 1 && enabled_at < text.len;
}

static int model_holds(const struct model_task *task, uint32_t condition,
                       uint64_t revision)
{
    switch (condition) {
    case 0: /* none */
        return 0;
    case 1: /* this revision */
        return task != NULL && task->revision == revision ? 0 : ERR_PRECONDITION;
    case 2: /* it exists */
        return task != NULL ? 0 : ERR_PRECONDITION;
    case 3: /* it does not */
        return task == NULL ? 0 : ERR_PRECONDITION;
    default:
        return ERR_INVALID;
    }
}

int model_create(struct model *model, struct text name, struct text text,
                 uint32_t enabled_at, bool enabled)
{
    model->tasks = model_room(model->tasks, &model->task_capacity, model->task_count,
                              sizeof *model->tasks);
    struct model_task *task = &model->tasks[model->task_count++];
    *task = (struct model_task){
        .text = model_copy(text),
        .text_len = text.len,
        .enabled_at = enabled_at,
        .enabled = enabled,
        .created = model_next(model),
        .revision = model_next(model),
    };
    memcpy(task->name, name.data, name.len);
    model_event(model, "task.created", task->name,
                enabled ? "{\"enabled\":true}" : "{\"enabled\":false}");
    return 0;
}

static int model_enable(struct model *model, struct model_task *task, bool enabled)
{
    if (task == NULL || task->deleting) {
        return task == NULL ? ERR_NOT_FOUND : ERR_CONFLICT;
    }
    if (task->enabled != enabled) {
        task->enabled = enabled;
        task->due = task->due && enabled;
        task->revision = model_next(model);
        model_event(model, enabled ? "task.enabled" : "task.disabled", task->name,
                    "{}");
    }
    return 0;
}

void model_remove(struct model *model, struct model_task *task)
{
    model_event(model, "task.deleted", task->name, "{}");
    mem_free(task->text);
    size_t at = (size_t)(task - model->tasks);
    memmove(task, task + 1, (model->task_count - at - 1) * sizeof *task);
    model->task_count--;
}

static int model_delete(struct model *model, struct model_task *task)
{
    if (task == NULL) {
        return ERR_NOT_FOUND;
    }
    if (model_live(model, task->name) == NULL) {
        model_remove(model, task);
    } else if (!task->deleting) {
        task->deleting = true;
        task->due = false;
        task->fire_ms = 0;
        task->revision = model_next(model);
        model_event(model, "task.deleting", task->name, "{}");
    }
    return 0;
}

/* Where in {"by":N,"f":"xxx"} the second member begins. */
static size_t text_middle(const char *text, size_t len)
{
    const char *comma = memchr(text, ',', len);
    return comma != NULL ? (size_t)(comma - text) : len;
}

static int model_replace(struct model *model, struct model_task *task, struct text text,
                         uint32_t enabled_at, bool enabled)
{
    size_t was = text_middle(task->text, task->text_len);
    size_t is = text_middle(text.data, text.len);
    bool by = was != is || memcmp(task->text, text.data, is) != 0;
    bool f = task->text_len - was != text.len - is ||
             memcmp(task->text + was, text.data + is, text.len - is) != 0;
    bool flag = task->enabled != enabled;
    if (task->deleting) {
        return ERR_CONFLICT;
    }
    if (!by && !f && !flag) {
        return 0;
    }
    char data[64];
    snprintf(data, sizeof data, "{\"changed\":[%s%s%s%s%s]}", by ? "\"by\"" : "",
             by && (flag || f) ? "," : "", flag ? "\"enabled\"" : "",
             flag && f ? "," : "", f ? "\"f\"" : "");
    mem_free(task->text);
    task->text = model_copy(text);
    task->text_len = text.len;
    task->enabled_at = enabled_at;
    task->enabled = enabled;
    task->due = task->due && enabled;
    task->fire_ms = by || f ? 0 : task->fire_ms;
    task->revision = model_next(model);
    model_event(model, "task.updated", task->name, data);
    return 0;
}

/* --- one function a command
 * -------------------------------------------------------- */

/* By a task, or by a trial of one. */
static bool is_taken(const struct model *model, struct text name)
{
    char *copy = model_copy(name);
    bool taken = model_find(model, name) != NULL || model_live(model, copy) != NULL;
    mem_free(copy);
    return taken;
}

static int do_task_create(struct model *model, const struct command *command)
{
    const __typeof__(command->task_create) *create = &command->task_create;
    if (!model_draft_is_sound(create->name, create->text, create->enabled_at)) {
        return ERR_INVALID;
    }
    return is_taken(model, create->name)
               ? ERR_EXISTS
               : model_create(model, create->name, create->text, create->enabled_at,
                              create->enabled);
}

static int do_task_enable(struct model *model, const struct command *command)
{
    return model_enable(model, model_find(model, command->task_enable.name),
                        command->task_enable.enabled);
}

static int do_task_delete(struct model *model, const struct command *command)
{
    return model_delete(model, model_find(model, command->task_delete.name));
}

static int do_task_put(struct model *model, const struct command *command)
{
    const __typeof__(command->task_put) *put = &command->task_put;
    struct model_task *task = model_find(model, put->name);
    if (!model_draft_is_sound(put->name, put->text, put->enabled_at)) {
        return ERR_INVALID;
    }
    int refused = model_holds(task, put->condition, put->revision);
    if (refused != 0) {
        return refused;
    }
    if (task == NULL && is_taken(model, put->name)) {
        return ERR_EXISTS;
    }
    if (task == NULL) {
        return model_create(model, put->name, put->text, put->enabled_at, put->enabled);
    }
    return model_replace(model, task, put->text, put->enabled_at,
                         put->keep_enabled ? task->enabled : put->enabled);
}

static int do_task_merge(struct model *model, const struct command *command)
{
    const __typeof__(command->task_merge) *merge = &command->task_merge;
    struct model_task *task = model_find(model, merge->name);
    if (!model_draft_is_sound(merge->name, merge->text, merge->enabled_at)) {
        return ERR_INVALID;
    }
    int refused = model_holds(task, merge->condition, merge->revision);
    if (refused != 0) {
        return refused;
    }
    if (task == NULL) {
        return ERR_NOT_FOUND;
    }
    return task->revision != merge->base
               ? ERR_CONFLICT
               : model_replace(model, task, merge->text, merge->enabled_at,
                               merge->enabled);
}

static int do_task_enable_if(struct model *model, const struct command *command)
{
    const __typeof__(command->task_enable_if) *enable = &command->task_enable_if;
    struct model_task *task = model_find(model, enable->name);
    int refused = model_holds(task, enable->condition, enable->revision);
    return refused != 0 ? refused : model_enable(model, task, enable->enabled);
}

static int do_task_delete_if(struct model *model, const struct command *command)
{
    struct model_task *task = model_find(model, command->task_delete_if.name);
    int refused = model_holds(task, command->task_delete_if.condition,
                              command->task_delete_if.revision);
    return refused != 0 ? refused : model_delete(model, task);
}

struct model_member *model_member(struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->member_count; i++) {
        if (model->members[i].id == id) {
            return &model->members[i];
        }
    }
    return NULL;
}

static void member_event(struct model *model, const char *type,
                         const struct model_member *member, const char *more)
{
    char *data = mem_printf("{\"id\":\"%" PRIu64 "\",\"name\":\"%s\"%s}", member->id,
                            member->texts[0], more);
    model_event(model, type, "", data);
    mem_free(data);
}

static int do_member_set(struct model *model, const struct command *command)
{
    const __typeof__(command->member_set) *set = &command->member_set;
    struct model_member *member = model_member(model, set->id);
    struct model_member after = {
        .id = set->id,
        .level = set->level,
        .draining = member != NULL && member->draining,
        .revision = model_next(model),
        .texts = {model_copy(set->name), model_copy(set->address),
                  model_copy(set->peer_address), model_copy(set->version)},
    };
    if (member == NULL) {
        assert(model->member_count < MEMBERS_MAX);
        model->members[model->member_count++] = after;
        member_event(model, "member.joined", &after, "");
        return 0;
    }
    bool same = member->level == after.level;
    for (size_t i = 0; i < 4; i++) {
        same = same && strcmp(member->texts[i], after.texts[i]) == 0;
    }
    if (same) {
        texts_free(after.texts);
        return 0;
    }
    texts_free(member->texts);
    *member = after;
    member_event(model, "member.updated", member, "");
    return 0;
}

static int do_member_delete(struct model *model, const struct command *command)
{
    struct model_member *member = model_member(model, command->member_delete.id);
    if (member == NULL) {
        return ERR_NOT_FOUND;
    }
    member_event(model, "member.left", member, "");
    texts_free(member->texts);
    *member = model->members[--model->member_count];
    return 0;
}

static int do_member_drivers(struct model *model, const struct command *command)
{
    struct model_member *member = model_member(model, command->member_drivers.id);
    bool idle = command->member_drivers.drivers == 0;
    int refused = model->level < 3 ? ERR_LEVEL : member == NULL ? ERR_NOT_FOUND : 0;
    if (refused == 0 && member->idle != idle) {
        member->idle = idle;
        member->revision = model_next(model);
        member_event(model, "member.updated", member,
                     idle ? ",\"drivers\":[]" : ",\"drivers\":[\"exec\"]");
    }
    return refused;
}

static int do_member_drain(struct model *model, const struct command *command)
{
    struct model_member *member = model_member(model, command->member_drain.id);
    if (model->level < 2) {
        return ERR_LEVEL;
    }
    if (member == NULL) {
        return ERR_NOT_FOUND;
    }
    if (member->draining != command->member_drain.draining) {
        member->draining = command->member_drain.draining;
        member->drain_ms = member->draining && model->level >= 3 ? model->clock_ms : 0;
        member->revision = model_next(model);
        member_event(model, "member.updated", member,
                     member->draining ? ",\"draining\":true" : ",\"draining\":false");
    }
    return 0;
}

static int do_level_set(struct model *model, const struct command *command)
{
    if (command->level_set.level > model->level) {
        model->level = command->level_set.level;
    }
    return 0;
}

static const struct model_row {
    enum command_type type;
    int (*apply)(struct model *model, const struct command *command);
    size_t name_at; /* the name of the task it is about; 0: it is about none */
} model_rows[] = {
    {COMMAND_TASK_CREATE, do_task_create, offsetof(struct command, task_create.name)},
    {COMMAND_TASK_ENABLE, do_task_enable, offsetof(struct command, task_enable.name)},
    {COMMAND_TASK_DELETE, do_task_delete, offsetof(struct command, task_delete.name)},
    {COMMAND_TASK_PUT, do_task_put, offsetof(struct command, task_put.name)},
    {COMMAND_TASK_MERGE, do_task_merge, offsetof(struct command, task_merge.name)},
    {COMMAND_TASK_ENABLE_IF, do_task_enable_if,
     offsetof(struct command, task_enable_if.name)},
    {COMMAND_TASK_DELETE_IF, do_task_delete_if,
     offsetof(struct command, task_delete_if.name)},
    {COMMAND_MEMBER_SET, do_member_set, 0},
    {COMMAND_MEMBER_DELETE, do_member_delete, 0},
    {COMMAND_MEMBER_DRAIN, do_member_drain, 0},
    {COMMAND_MEMBER_DRIVERS, do_member_drivers, 0},
    {COMMAND_SETTING_SET, model_setting_set, 0},
    {COMMAND_SETTINGS_SET, model_settings_set, 0},
    {COMMAND_LEVEL_SET, do_level_set, 0},
    {COMMAND_RUN_START, model_run_apply, offsetof(struct command, run_start.task)},
    {COMMAND_RUN_TRIAL, model_run_apply, offsetof(struct command, run_trial.name)},
    {COMMAND_RUN_PUT, model_run_apply, offsetof(struct command, run_put.name)},
    {COMMAND_RUN_ENABLE, model_run_apply, offsetof(struct command, run_enable.task)},
    {COMMAND_RUN_STARTED, model_run_apply, 0},
    {COMMAND_RUN_STOP, model_run_apply, 0},
    {COMMAND_RUN_END, model_run_apply, 0},
    {COMMAND_RUN_LOST, model_run_apply, 0},
    {COMMAND_TASK_DUE, model_run_apply, offsetof(struct command, task_due.task)},
    {COMMAND_TASK_FIRE, model_run_apply, offsetof(struct command, task_fire.task)},
    {COMMAND_ZONE_SET, model_run_apply, 0},
};

static const struct model_row *model_row(enum command_type type)
{
    for (size_t i = 0; i < sizeof model_rows / sizeof model_rows[0]; i++) {
        if (model_rows[i].type == type) {
            return &model_rows[i];
        }
    }
    return NULL;
}

int model_command(struct model *model, const struct command *command)
{
    return model_row(command->type)->apply(model, command);
}

/* --- keys
 * ------------------------------------------------------------------------ */

static bool key_is_old(const struct model *model, const struct model_key *key)
{
    return model->clock_ms - key->at_ms >= model_setting(model, "keys_max_age_ms");
}

static void model_trim_keys(struct model *model)
{
    for (size_t gone = 0; gone < KEYS_GO_AT_ONCE && model->key_first < model->key_count;
         gone++) {
        if (model->key_count - model->key_first <=
                model_setting(model, "keys_max_count") &&
            !key_is_old(model, &model->keys[model->key_first])) {
            return;
        }
        model->key_first++;
    }
}

static bool text_is(struct text text, const char *other)
{
    return strlen(other) == text.len && memcmp(text.data, other, text.len) == 0;
}

static const struct model_key *model_key(const struct model *model,
                                         const struct command *command)
{
    for (size_t i = model->key_count; i > model->key_first; i--) {
        const struct model_key *key = &model->keys[i - 1];
        if (command->key.len == key->key_len && text_is(command->key, key->key) &&
            text_is(command->scope, key->scope)) {
            return key_is_old(model, key) ? NULL : key;
        }
    }
    return NULL;
}

static void model_keep(struct model *model, const struct command *command,
                       const struct result *result)
{
    model->keys = model_room(model->keys, &model->key_capacity, model->key_count,
                             sizeof *model->keys);
    struct model_key *key = &model->keys[model->key_count++];
    *key = (struct model_key){
        .key = model_copy(command->key),
        .key_len = command->key.len,
        .scope = model_copy(command->scope),
        .at_ms = model->clock_ms,
        .result = *result,
    };
    memcpy(key->fingerprint, command->fingerprint, sizeof key->fingerprint);
    model_trim_keys(model);
}

/* --- a command
 * ---------------------------------------------------------------------- */

/* What is told of a command that came to `code`. */
static struct result model_result(const struct model *model,
                                  const struct command *command, int code,
                                  uint64_t sequence_before)
{
    const struct model_row *row = model_row(command->type);
    const struct model_run *run = model_run_of(model, command);
    struct result result = {
        .code = code,
        .sequence = model->event_count,
        .run = run != NULL ? run->id : 0,
    };
    if (row->name_at > 0 || run != NULL) {
        struct text name = run != NULL ? text_of(run->name) : (struct text){"", 0};
        if (row->name_at > 0) {
            name = *(const struct text *)((const char *)command + row->name_at);
        }
        const struct model_task *task = model_find(model, name);
        result.revision = task != NULL ? task->revision : 0;
        result.created = task != NULL && model->event_count != sequence_before &&
                         task->created == model->event_count;
    }
    return result;
}

static struct result model_do(struct model *model, const struct command *command)
{
    uint64_t before = model->event_count;
    const struct model_key *known =
        command->key.len > 0 ? model_key(model, command) : NULL;
    bool looked_up =
        command->type == COMMAND_RUN_START || command->type == COMMAND_RUN_TRIAL;
    bool places = looked_up || command->type == COMMAND_RUN_PUT ||
                  command->type == COMMAND_RUN_ENABLE;
    if (command->key.len > 0 && model->level < (places ? 3 : 2)) {
        return model_result(model, command, ERR_LEVEL, before);
    }
    if (known != NULL && memcmp(known->fingerprint, command->fingerprint,
                                sizeof known->fingerprint) != 0) {
        return model_result(model, command, ERR_KEY_REUSED, before);
    }
    if (known != NULL) {
        struct result again = known->result;
        again.sequence = model->event_count;
        again.replayed = true;
        if (places) { /* the run is what is kept, the task is shown as it is */
            again.revision = model_result(model, command, 0, before).revision;
        }
        return again;
    }
    int code = model_row(command->type)->apply(model, command);
    struct result result = model_result(model, command, code, before);
    bool anew = code == ERR_BUSY || (code == ERR_PRECONDITION && looked_up);
    if (command->key.len > 0 && code != ERR_CONFLICT && !anew) {
        model_keep(model, command, &result);
    }
    return result;
}

void model_tick(struct model *model, const struct batch_header *header)
{
    model->wall_ms = header->wall_ms;
    if (header->clock_ms > model->clock_ms) {
        model->clock_ms = header->clock_ms;
    }
    model_trim_keys(model);
}

const char *model_apply(struct model *model, const struct command *command,
                        const struct result *says)
{
    if (model_row(command->type) == NULL) {
        return model_complain(model, "the model does not know the command %s",
                              command_name(command->type));
    }
    model->command = command;
    struct result is = model_do(model, command);
    if (is.code != says->code || is.sequence != says->sequence ||
        is.revision != says->revision || is.created != says->created ||
        is.replayed != says->replayed || is.run != says->run) {
        return model_complain(
            model,
            "%s comes to %d, sequence %" PRIu64 ", revision %" PRIu64 ", run %" PRIu64
            "%s%s; the model says %d, sequence %" PRIu64 ", revision %" PRIu64
            ", run %" PRIu64 "%s%s",
            command_name(command->type), says->code, says->sequence, says->revision,
            says->run, says->created ? ", created" : "",
            says->replayed ? ", replayed" : "", is.code, is.sequence, is.revision,
            is.run, is.created ? ", created" : "", is.replayed ? ", replayed" : "");
    }
    return NULL;
}

/* --- comparing
 * ---------------------------------------------------------------------- */

/* The id of a run's end is any that has the form of one. */
static bool event_data_is(const struct model_event *event, const char *shown)
{
    static const char head[] = "{\"id\":\"";
    const char *data = event->texts[3];
    size_t at = strcmp(event->type, "run.ended") == 0 ? sizeof head - 1 : 0;
    if (at > 0 && (strncmp(shown, head, at) != 0 ||
                   strspn(shown + at, "0123456789abcdef-") != 36)) {
        return false;
    }
    return strcmp(shown + (at > 0 ? at + 36 : 0), data + (at > 0 ? at + 36 : 0)) == 0;
}

static bool event_is(const struct model_event *event, uint64_t number,
                     const struct event *shown)
{
    return shown != NULL && shown->seq == number && shown->wall_ms == event->wall_ms &&
           strcmp(event_type_name(shown->type), event->type) == 0 &&
           strcmp(shown->task, event->texts[0]) == 0 &&
           strcmp(shown->actor, event->texts[1]) == 0 &&
           strcmp(shown->request_id, event->texts[2]) == 0 &&
           event_data_is(event, shown->data);
}

const char *model_check(struct model *model, const struct registry *registry)
{
    const struct event_log *log = registry_events(registry);
    if (registry_sequence(registry) != model->event_count ||
        log->first != model->event_first + 1 ||
        registry_level(registry) != model->level ||
        key_table_count(registry_keys(registry)) !=
            model->key_count - model->key_first ||
        registry_task_count(registry) != model->task_count ||
        registry_member_count(registry) != model->member_count) {
        return model_complain(
            model,
            "events %" PRIu64 " to %" PRIu64 ", level %u, %zu tasks, %zu members, "
            "%" PRIu64 " keys; the model has %zu to %zu, %u, %zu, %zu, %zu",
            log->first, registry_sequence(registry), registry_level(registry),
            registry_task_count(registry), registry_member_count(registry),
            key_table_count(registry_keys(registry)), model->event_first + 1,
            model->event_count, model->level, model->task_count, model->member_count,
            model->key_count - model->key_first);
    }
    size_t at = model->event_seen;
    at = at > model->event_first ? at : model->event_first;
    for (; at < model->event_count; at++) {
        const struct model_event *event = &model->events[at];
        if (!event_is(event, at + 1, event_log_after(log, at))) {
            return model_complain(
                model, "event %zu is not what the model has: %s of '%s', %s", at + 1,
                event->type, event->texts[0], event->texts[3]);
        }
    }
    model->event_seen = model->event_count;
    return NULL;
}

static bool task_is(const struct model_task *task, const struct task *shown)
{
    return shown != NULL && strcmp(shown->name, task->name) == 0 &&
           shown->deleting == task->deleting && shown->enabled == task->enabled &&
           shown->created == task->created && shown->revision == task->revision &&
           shown->enabled_at == task->enabled_at && shown->text_len == task->text_len &&
           memcmp(shown->text, task->text, task->text_len) == 0;
}

static bool member_is(const struct model_member *member, const struct member *shown)
{
    return shown != NULL && shown->level == member->level &&
           shown->duty.draining == member->draining &&
           (shown->duty.drivers == 0) == member->idle &&
           shown->duty.drain_ms == member->drain_ms &&
           shown->revision == member->revision &&
           strcmp(shown->name, member->texts[0]) == 0 &&
           strcmp(shown->address, member->texts[1]) == 0 &&
           strcmp(shown->peer_address, member->texts[2]) == 0 &&
           strcmp(shown->version, member->texts[3]) == 0;
}

const char *model_check_all(struct model *model, const struct registry *registry)
{
    const char *wrong = model_check(model, registry);
    struct map_cursor cursor;
    registry_task_seek(registry, 0, &cursor);
    for (size_t i = 0; wrong == NULL && i < model->task_count; i++) {
        const struct model_task *task = &model->tasks[i];
        const struct task *shown = registry_task_next(&cursor);
        if (!task_is(task, shown) ||
            shown != registry_task(registry, task->name, strlen(task->name))) {
            wrong =
                model_complain(model, "task %s is not as the model has it", task->name);
        }
    }
    for (size_t i = 0; wrong == NULL && i < model->member_count; i++) {
        const struct model_member *member = &model->members[i];
        if (!member_is(member, registry_member(registry, member->id))) {
            wrong = model_complain(model, "member %s is not as the model has it",
                                   member->texts[0]);
        }
    }
    for (size_t i = 0; wrong == NULL && i < model->setting_count; i++) {
        const struct model_setting *setting = &model->settings[i];
        enum setting which = setting_find(setting->name, strlen(setting->name));
        if (registry_setting(registry, which) != setting->value) {
            wrong = model_complain(model, "setting %s is not as the model has it",
                                   setting->name);
        }
    }
    return wrong != NULL ? wrong : model_run_check(model, registry);
}
