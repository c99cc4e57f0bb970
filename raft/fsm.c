/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/fsm.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/command.h"
#include "raft/snapshot.h"

struct fsm {
    struct registry *registry;
    uint32_t known_level;
    struct fsm_watch *watches;
    struct buf texts; /* of the command that is applied, terminated */
};

/* --- one function a command: five lines that call the registry
 * -------------------------- */

/* A text of a command as the registry wants it: terminated. */
static char *terminated(struct text text)
{
    return mem_strndup(text.data, text.len);
}

static struct task_draft draft_of(struct text name, struct text text,
                                  uint32_t enabled_at, bool enabled)
{
    return (struct task_draft){
        .name = name.data,
        .name_len = name.len,
        .text = text.data,
        .text_len = text.len,
        .enabled_at = enabled_at,
        .enabled = enabled,
    };
}

static int apply_task_create(struct registry *registry, const struct change *change,
                             const struct command *command)
{
    const __typeof__(command->task_create) *create = &command->task_create;
    struct task_draft draft =
        draft_of(create->name, create->text, create->enabled_at, create->enabled);
    return registry_task_create(registry, change, &draft);
}

static int apply_task_enable(struct registry *registry, const struct change *change,
                             const struct command *command)
{
    struct text name = command->task_enable.name;
    return registry_task_enable(registry, change, name.data, name.len,
                                command->task_enable.enabled);
}

static int apply_task_delete(struct registry *registry, const struct change *change,
                             const struct command *command)
{
    struct text name = command->task_delete.name;
    return registry_task_delete(registry, change, name.data, name.len);
}

static int apply_task_put(struct registry *registry, const struct change *change,
                          const struct command *command)
{
    const __typeof__(command->task_put) *put = &command->task_put;
    struct task_match match = {put->condition, put->revision};
    struct task_draft draft =
        draft_of(put->name, put->text, put->enabled_at, put->enabled);
    return registry_task_put(registry, change, &draft, put->keep_enabled, &match);
}

static int apply_task_merge(struct registry *registry, const struct change *change,
                            const struct command *command)
{
    const __typeof__(command->task_merge) *merge = &command->task_merge;
    struct task_match match = {merge->condition, merge->revision};
    struct task_draft draft =
        draft_of(merge->name, merge->text, merge->enabled_at, merge->enabled);
    return registry_task_merge(registry, change, &draft, merge->base, &match);
}

static int apply_task_enable_if(struct registry *registry, const struct change *change,
                                const struct command *command)
{
    const __typeof__(command->task_enable_if) *enable = &command->task_enable_if;
    struct task_match match = {enable->condition, enable->revision};
    return registry_task_enable_if(registry, change, enable->name.data,
                                   enable->name.len, enable->enabled, &match);
}

static int apply_task_delete_if(struct registry *registry, const struct change *change,
                                const struct command *command)
{
    struct text name = command->task_delete_if.name;
    struct task_match match = {command->task_delete_if.condition,
                               command->task_delete_if.revision};
    return registry_task_delete_if(registry, change, name.data, name.len, &match);
}

static int apply_member_set(struct registry *registry, const struct change *change,
                            const struct command *command)
{
    char *name = terminated(command->member_set.name);
    char *address = terminated(command->member_set.address);
    char *peer_address = terminated(command->member_set.peer_address);
    char *version = terminated(command->member_set.version);
    struct member_draft draft = {
        .id = command->member_set.id,
        .level = command->member_set.level,
        .name = name,
        .address = address,
        .peer_address = peer_address,
        .version = version,
    };
    int code = registry_member_set(registry, change, &draft);
    mem_free(name);
    mem_free(address);
    mem_free(peer_address);
    mem_free(version);
    return code;
}

static int apply_member_delete(struct registry *registry, const struct change *change,
                               const struct command *command)
{
    return registry_member_delete(registry, change, command->member_delete.id);
}

static int apply_member_drain(struct registry *registry, const struct change *change,
                              const struct command *command)
{
    return registry_member_drain(registry, change, command->member_drain.id,
                                 command->member_drain.draining);
}

static int apply_member_drivers(struct registry *registry, const struct change *change,
                                const struct command *command)
{
    return registry_member_drivers(registry, change, command->member_drivers.id,
                                   command->member_drivers.drivers);
}

static int apply_level_set(struct registry *registry, const struct change *change,
                           const struct command *command)
{
    (void)change; /* bookkeeping: no event */
    registry_level_set(registry, command->level_set.level);
    return 0;
}

static int apply_setting_set(struct registry *registry, const struct change *change,
                             const struct command *command)
{
    struct text name = command->setting_set.name;
    return registry_setting_set(registry, change, name.data, name.len,
                                command->setting_set.value);
}

static int apply_settings_set(struct registry *registry, const struct change *change,
                              const struct command *command)
{
    struct setting_value values[SETTING_VALUES_MAX];
    size_t count = 0;
    int rv = settings_values_get(command->settings_set.values, values, &count);
    return rv == 0 ? registry_settings_set(registry, change, values, count) : rv;
}

static int apply_run_start(struct registry *registry, const struct change *change,
                           const struct command *command)
{
    const __typeof__(command->run_start) *start = &command->run_start;
    struct run_order order = {
        .task = start->task.data,
        .task_len = start->task.len,
        .revision = start->revision,
        .node = start->node,
        .cause = start->cause,
        .purpose = start->purpose,
        .lease_ms = start->lease_ms,
        .grace_ms = start->grace_ms,
        .tries = start->tries,
    };
    return registry_run_start(registry, change, &order);
}

static int apply_run_trial(struct registry *registry, const struct change *change,
                           const struct command *command)
{
    const __typeof__(command->run_trial) *trial = &command->run_trial;
    struct task_draft draft =
        draft_of(trial->name, trial->text, trial->enabled_at, trial->enabled);
    struct run_order order = {
        .node = trial->node,
        .cause = RUN_CAUSE_CLIENT,
        .purpose = trial->purpose,
        .lease_ms = trial->lease_ms,
        .grace_ms = trial->grace_ms,
        .tries = 1,
    };
    return registry_run_trial(registry, change, &draft, &order);
}

static int apply_run_started(struct registry *registry, const struct change *change,
                             const struct command *command)
{
    const __typeof__(command->run_started) *started = &command->run_started;
    return registry_run_started(registry, change, started->run, started->node,
                                started->started_ms);
}

static int apply_run_stop(struct registry *registry, const struct change *change,
                          const struct command *command)
{
    return registry_run_stop(registry, change, command->run_stop.run,
                             command->run_stop.stop);
}

static int apply_run_end(struct registry *registry, const struct change *change,
                         const struct command *command)
{
    const __typeof__(command->run_end) *end = &command->run_end;
    struct run_report report = {
        .run = end->run,
        .node = end->node,
        .outcome = end->outcome,
        .exit_code = end->exit_code,
        .signal = end->signal,
        .changes = end->changes,
        .started_ms = end->started_ms,
        .ended_ms = end->ended_ms,
        .text = end->text.data,
        .text_len = end->text.len,
    };
    return registry_run_end(registry, change, &report);
}

static int apply_run_lost(struct registry *registry, const struct change *change,
                          const struct command *command)
{
    const __typeof__(command->run_lost) *lost = &command->run_lost;
    struct run_report report = {
        .run = lost->run,
        .node = lost->node,
        .text = lost->text.data,
        .text_len = lost->text.len,
    };
    return registry_run_lost(registry, change, &report);
}

static int apply_task_due(struct registry *registry, const struct change *change,
                          const struct command *command)
{
    (void)change; /* bookkeeping: no event */
    struct due_order order = {
        .task = command->task_due.task.data,
        .task_len = command->task_due.task.len,
        .created = command->task_due.created,
        .cause = command->task_due.cause,
        .at_ms = command->task_due.at_clock_ms,
        .until_ms = command->task_due.until_clock_ms,
    };
    return registry_task_due(registry, &order);
}

static int apply_task_fire(struct registry *registry, const struct change *change,
                           const struct command *command)
{
    struct fire_order order = {
        .task = command->task_fire.task.data,
        .task_len = command->task_fire.task.len,
        .created = command->task_fire.created,
        .expected_ms = command->task_fire.expected_ms,
        .next_ms = command->task_fire.next_ms,
        .due = command->task_fire.due,
        .wall_ms = change->wall_ms,
    };
    return registry_task_fire(registry, &order);
}

static int apply_zone_set(struct registry *registry, const struct change *change,
                          const struct command *command)
{
    struct text zone = command->zone_set.zone;
    return registry_zone_set(registry, change, zone.data, zone.len);
}

static int apply_run_put(struct registry *registry, const struct change *change,
                         const struct command *command)
{
    const __typeof__(command->run_put) *put = &command->run_put;
    struct task_draft draft =
        draft_of(put->name, put->text, put->enabled_at, put->enabled);
    struct run_order order = {
        .node = put->node,
        .cause = RUN_CAUSE_CLIENT,
        .purpose = put->purpose,
        .lease_ms = put->lease_ms,
        .grace_ms = put->grace_ms,
        .tries = 1,
    };
    struct run_put wanted = {
        &draft, put->keep_enabled, put->base, {put->condition, put->revision}};
    return registry_run_put(registry, change, &wanted, &order);
}

static int apply_run_enable(struct registry *registry, const struct change *change,
                            const struct command *command)
{
    const __typeof__(command->run_enable) *enable = &command->run_enable;
    struct task_match match = {enable->condition, enable->revision};
    struct run_order order = {
        .task = enable->task.data,
        .task_len = enable->task.len,
        .node = enable->node,
        .cause = RUN_CAUSE_CLIENT,
        .purpose = RUN_APPLY,
        .lease_ms = enable->lease_ms,
        .grace_ms = enable->grace_ms,
        .tries = 1,
    };
    return registry_run_enable(registry, change, enable->enabled, &match, &order);
}

static int apply_command(struct registry *registry, const struct change *change,
                         const struct command *command)
{
    switch (command->type) {
#define X(SYMBOL, number, level, name, fields)                                         \
    case COMMAND_##SYMBOL:                                                             \
        return apply_##name(registry, change, command);
#include "raft/commands.def"
#undef X
    }
    return ERR_INTERNAL;
}

/* The run that a command is about: after it, for it may have placed one. */
static const struct run *fsm_run(const struct registry *registry,
                                 const struct command *command)
{
    uint64_t id = command_run(command);
    if (command_places(command)) {
        struct text name = command_task(command);
        return registry_live_run(registry, name.data, name.len);
    }
    return id != 0 ? registry_run(registry, id) : NULL;
}

static struct result fsm_result(const struct registry *registry,
                                const struct command *command, int code,
                                uint64_t sequence_before)
{
    struct text name = command_task(command);
    const struct run *run = fsm_run(registry, command);
    if (name.data == NULL && run != NULL) {
        name = text_of(run->task);
    }
    const struct task *task =
        name.len > 0 ? registry_task(registry, name.data, name.len) : NULL;
    uint64_t sequence = registry_sequence(registry);
    return (struct result){
        .code = code,
        .sequence = sequence,
        .revision = task != NULL ? task->revision : 0,
        .run = run != NULL ? run->id : 0,
        .created =
            task != NULL && task->created == sequence && sequence != sequence_before,
    };
}

/* --- commands with a key: each takes effect once
 * ---------------------------------------------------------------------------- */

/* The request came before: what became of it then, or that it was another one. */
static struct result fsm_known(const struct registry *registry,
                               const struct command *command,
                               const struct key_outcome *known)
{
    if (memcmp(known->fingerprint, command->fingerprint, KEY_FINGERPRINT_BYTES) != 0) {
        return fsm_result(registry, command, ERR_KEY_REUSED,
                          registry_sequence(registry));
    }
    struct result result =
        fsm_result(registry, command, known->code, registry_sequence(registry));
    if (command_places(command)) {
        result.run = known->revision;
    } else {
        result.revision = known->revision;
    }
    result.created = known->created;
    result.replayed = true;
    return result;
}

/* The run of a command that places one stands in the place of the revision. */
static void fsm_keep(struct registry *registry, const struct command *command,
                     const struct result *result)
{
    struct key_name name = key_name_of(command);
    struct key_outcome outcome = {
        .revision = command_places(command) ? result->run : result->revision,
        .code = result->code,
        .created = result->created,
    };
    memcpy(outcome.fingerprint, command->fingerprint, KEY_FINGERPRINT_BYTES);
    registry_key_add(registry, &name, &outcome);
}

/* A conflict is not kept: its proposer computes the change anew and comes again. So it
 * is with a run whose task, or node, is not what its proposer took it for. */
static bool fsm_keeps(const struct command *command, int code)
{
    bool looked_up =
        command->type == COMMAND_RUN_START || command->type == COMMAND_RUN_TRIAL;
    return code != ERR_CONFLICT && code != ERR_BUSY &&
           !(code == ERR_PRECONDITION && looked_up);
}

static struct result fsm_apply_keyed(struct registry *registry,
                                     const struct change *change,
                                     const struct command *command)
{
    uint64_t before = registry_sequence(registry);
    if (registry_level(registry) < command_needs(command)) { /* no snapshot tells it */
        return fsm_result(registry, command, ERR_LEVEL, before);
    }
    struct key_name name = key_name_of(command);
    const struct key_entry *known = registry_key(registry, &name);
    if (known != NULL) {
        return fsm_known(registry, command, &known->outcome);
    }
    int code = apply_command(registry, change, command);
    struct result result = fsm_result(registry, command, code, before);
    if (fsm_keeps(command, code) && (code == 0 || !PLANTED(KEYS_OF_SUCCESS))) {
        fsm_keep(registry, command, &result);
    }
    return result;
}

/* --- batches
 * ---------------------------------------------------------------------------- */

struct fsm *fsm_new(void)
{
    struct fsm *fsm = mem_zalloc(sizeof *fsm);
    fsm->registry = registry_new();
    fsm->known_level = COMMAND_LEVEL;
    buf_init(&fsm->texts);
    return fsm;
}

void fsm_free(struct fsm *fsm)
{
    registry_free(fsm->registry);
    buf_close(&fsm->texts);
    mem_free(fsm);
}

void fsm_know(struct fsm *fsm, uint32_t level)
{
    fsm->known_level = level;
}

uint32_t fsm_known_level(const struct fsm *fsm)
{
    return fsm->known_level;
}

const struct registry *fsm_registry(const struct fsm *fsm)
{
    return fsm->registry;
}

static void fsm_notify(struct fsm *fsm, uint64_t from, bool moments)
{
    uint64_t to = registry_sequence(fsm->registry);
    struct fsm_watch *next = NULL;
    for (struct fsm_watch *watch = from != to || moments ? fsm->watches : NULL;
         watch != NULL; watch = next) {
        next = watch->next;
        if (from != to || watch->moments) {
            watch->changed(watch, from, to);
        }
    }
}

static void fsm_apply_one(struct fsm *fsm, const struct batch_header *header,
                          const struct command *command, struct result *result)
{
    buf_clear(&fsm->texts);
    buf_put(&fsm->texts, command->request_id.data, command->request_id.len);
    buf_put_u8(&fsm->texts, '\0');
    buf_put(&fsm->texts, command->actor.data, command->actor.len);
    buf_put_u8(&fsm->texts, '\0');
    const char *texts = (const char *)fsm->texts.data;
    struct change change = {
        .wall_ms = PLANTED_OR(WALL_CLOCK_IN_APPLY, plant_clock(), header->wall_ms),
        .request_id = texts,
        .actor = texts + command->request_id.len + 1,
    };
    uint64_t before = registry_sequence(fsm->registry);
    if (command->key.len > 0) {
        struct result kept = fsm_apply_keyed(fsm->registry, &change, command);
        if (result != NULL) {
            *result = kept;
        }
        return;
    }
    int code = apply_command(fsm->registry, &change, command);
    if (result != NULL) {
        *result = fsm_result(fsm->registry, command, code, before);
    }
}

static int fsm_check_level(const struct fsm *fsm, uint32_t level, struct err *err)
{
    return level <= fsm->known_level
               ? 0
               : err_set(err, ERR_UNSUPPORTED,
                         "the cluster is at feature level %u, this muster knows %u: "
                         "upgrade it",
                         level, fsm->known_level);
}

static int fsm_check_command(const struct fsm *fsm, const struct command *command,
                             struct err *err)
{
    int rv = fsm_check_level(fsm, command_needs(command), err);
    return rv == 0 && command->type == COMMAND_LEVEL_SET
               ? fsm_check_level(fsm, command->level_set.level, err)
               : rv;
}

/* Everything is decoded before anything is applied: a damaged batch changes nothing. */
static int fsm_check(const struct fsm *fsm, const void *batch, size_t len,
                     struct batch_header *header, struct err *err)
{
    struct cursor cursor;
    struct command command;
    cursor_init(&cursor, batch, len);
    int rv = batch_open(&cursor, header, err);
    for (uint32_t i = 0; rv == 0 && i < header->count; i++) {
        rv = batch_next(&cursor, &command, err);
        rv = rv == 0 ? fsm_check_command(fsm, &command, err) : rv;
    }
    return rv == 0 ? batch_end(&cursor, err) : rv;
}

int fsm_apply(struct fsm *fsm, const void *batch, size_t len, struct result *results,
              size_t capacity, size_t *count, struct err *err)
{
    struct batch_header header;
    int rv = fsm_check(fsm, batch, len, &header, err);
    if (rv != 0) {
        return rv;
    }
    struct cursor cursor;
    struct command command;
    uint64_t from = registry_sequence(fsm->registry);
    uint64_t moments = registry_moment_changes(fsm->registry);
    cursor_init(&cursor, batch, len);
    (void)batch_open(&cursor, &header, NULL);
    registry_tick(fsm->registry, header.clock_ms);
    for (uint32_t i = 0; i < header.count; i++) {
        (void)batch_next(&cursor, &command, NULL);
        if (PLANTED_OR(HASH_ORDER, plant_odd_address(fsm), false) &&
            i + 1 == header.count) {
            continue; /* a walk by address that ends elsewhere on each node */
        }
        fsm_apply_one(fsm, &header, &command, i < capacity ? &results[i] : NULL);
    }
    *count = header.count;
    fsm_notify(fsm, from, registry_moment_changes(fsm->registry) != moments);
    return 0;
}

void fsm_restore(struct fsm *fsm, struct registry *registry)
{
    uint64_t from = registry_sequence(fsm->registry);
    registry_free(fsm->registry);
    fsm->registry = registry;
    fsm_notify(fsm, from, true);
}

int fsm_restore_decoded(struct fsm *fsm, struct snapshot_decoder *decoder,
                        struct err *err)
{
    struct registry *registry = snapshot_decoder_finish(decoder, err);
    if (registry == NULL) {
        return (int)err->code;
    }
    int rv = fsm_check_level(fsm, registry_level(registry), err);
    if (rv != 0) {
        registry_free(registry);
        return rv;
    }
    fsm_restore(fsm, registry);
    return 0;
}

int fsm_recover(struct fsm *fsm, const struct change *change, struct err *err)
{
    uint64_t from = registry_sequence(fsm->registry);
    if (registry_recover(fsm->registry, change) != 0) {
        return err_set(err, ERR_INVALID, "no event number comes after %llu",
                       (unsigned long long)from);
    }
    fsm_notify(fsm, from, true);
    return 0;
}

void fsm_watch(struct fsm *fsm, struct fsm_watch *watch)
{
    watch->next = fsm->watches;
    fsm->watches = watch;
}

void fsm_unwatch(struct fsm *fsm, struct fsm_watch *watch)
{
    for (struct fsm_watch **at = &fsm->watches; *at != NULL; at = &(*at)->next) {
        if (*at == watch) {
            *at = watch->next;
            return;
        }
    }
}
