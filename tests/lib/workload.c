/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/workload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "registry/task.h"

void workload_init(struct workload *workload, uint64_t seed)
{
    *workload = (struct workload){0};
    sim_random_init(&workload->random, seed);
}

static void workload_member(struct workload *workload, struct command *command)
{
    uint64_t id = 1 + sim_random_below(&workload->random, 5);
    snprintf(workload->name, sizeof workload->name, "n%" PRIu64, id);
    snprintf(workload->text, sizeof workload->text, "10.0.0.%" PRIu64 ":8558",
             sim_random_below(&workload->random, 3));
    if (sim_random_chance(&workload->random, 30)) {
        command->type = COMMAND_MEMBER_DELETE;
        command->member_delete.id = id;
        return;
    }
    if (sim_random_chance(&workload->random, 20)) {
        command->type = COMMAND_MEMBER_DRAIN;
        command->member_drain.id = id;
        command->member_drain.draining = sim_random_chance(&workload->random, 50);
        return;
    }
    command->type = COMMAND_MEMBER_SET;
    command->member_set.id = id;
    command->member_set.level = 1;
    command->member_set.name = text_of(workload->name);
    command->member_set.address = text_of(workload->text);
    command->member_set.peer_address = text_of("");
    command->member_set.version = text_of("0.1.0");
}

static void workload_settings(struct workload *workload, struct command *command,
                              const struct setting_value values[2])
{
    struct buf blob;
    buf_init(&blob);
    settings_values_put(&blob, values, 2);
    assert(blob.len <= sizeof workload->text);
    memcpy(workload->text, blob.data, blob.len);
    command->type = COMMAND_SETTINGS_SET;
    command->settings_set.values = (struct text){workload->text, blob.len};
    buf_close(&blob);
}

static void workload_setting(struct workload *workload, struct command *command)
{
    static const struct {
        const char *name;
        uint64_t least;
    } settings[] = {
        {"events_max_count", 0},   {"events_max_bytes", 65500},
        {"task_events", 0},        {"ready_lag", 900},
        {"keys_max_age_ms", 1000}, {"keys_max_count", 90},
        {"runs_max_count", 90},    {"nothing", 0},
    };
    uint64_t which = sim_random_below(&workload->random, 10);
    if (which >= 8) {
        command->type = COMMAND_LEVEL_SET;
        command->level_set.level = (uint32_t)sim_random_below(&workload->random, 4);
        return;
    }
    uint64_t value = settings[which].least + sim_random_below(&workload->random, 300);
    const char *name = settings[which].name;
    if (which < 7 && sim_random_chance(&workload->random, 50)) {
        uint64_t other =
            sim_random_below(&workload->random, 6); /* the same, at times */
        workload_settings(workload, command,
                          (const struct setting_value[]){
                              {setting_find(name, strlen(name)), value},
                              {(enum setting)other, settings[other].least + 100},
                          });
        return;
    }
    command->type = COMMAND_SETTING_SET;
    command->setting_set.name = text_of(name);
    command->setting_set.value = value;
}

/* Of few modules, so that some replacements change nothing. */
static void workload_text(struct workload *workload)
{
    snprintf(workload->text, sizeof workload->text,
             "{\"condition\":{},\"module\":\"%" PRIu64 "\"}",
             sim_random_below(&workload->random, 20));
}

/* A condition that holds now and then: revisions are as small as the log is short. */
static struct task_match workload_match(struct workload *workload)
{
    return (struct task_match){
        .condition = (uint32_t)sim_random_below(&workload->random, 5), /* 4: none */
        .revision = sim_random_below(&workload->random, 200),
    };
}

static void workload_replace(struct workload *workload, struct command *command)
{
    struct task_match match = workload_match(workload);
    workload_text(workload);
    if (sim_random_chance(&workload->random, 25)) {
        command->type = COMMAND_TASK_MERGE;
        command->task_merge.name = text_of(workload->name);
        command->task_merge.text = text_of(workload->text);
        command->task_merge.enabled_at = 16;
        command->task_merge.enabled = sim_random_chance(&workload->random, 50);
        command->task_merge.base = sim_random_below(&workload->random, 200);
        command->task_merge.condition = match.condition;
        command->task_merge.revision = match.revision;
        return;
    }
    command->type = COMMAND_TASK_PUT;
    command->task_put.name = text_of(workload->name);
    command->task_put.text = text_of(workload->text);
    command->task_put.enabled_at = 16;
    command->task_put.enabled = sim_random_chance(&workload->random, 50);
    command->task_put.keep_enabled = sim_random_chance(&workload->random, 50);
    command->task_put.condition = match.condition;
    command->task_put.revision = match.revision;
}

/* A task of few, so that runs of it follow each other. */
static struct text workload_run_task(struct workload *workload)
{
    snprintf(workload->name, sizeof workload->name, "task%" PRIu64,
             sim_random_below(&workload->random, WORKLOAD_NAMES / 4));
    return text_of(workload->name);
}

/* A change with a run of it. */
static void workload_place_changed(struct workload *workload, struct command *command)
{
    struct sim_random *random = &workload->random;
    struct text name = workload_run_task(workload);
    struct task_match match = workload_match(workload);
    bool any = sim_random_chance(random, 60);
    uint32_t condition = any ? TASK_CONDITION_NONE : match.condition;
    uint64_t node = sim_random_below(random, 6);
    uint32_t lease_ms = sim_random_chance(random, 95) ? 4000 : 0;
    if (sim_random_chance(random, 40)) {
        command->type = COMMAND_RUN_ENABLE;
        command->run_enable =
            (__typeof__(command->run_enable)){name,      sim_random_chance(random, 50),
                                              condition, match.revision,
                                              node,      lease_ms,
                                              5000};
        return;
    }
    workload_text(workload);
    command->type = COMMAND_RUN_PUT;
    command->run_put = (__typeof__(command->run_put)){
        .name = name,
        .text = text_of(workload->text),
        .enabled_at = 16,
        .enabled = sim_random_chance(random, 60),
        .keep_enabled = sim_random_chance(random, 40),
        .base = sim_random_chance(random, 80) ? 0 : sim_random_below(random, 200),
        .condition = condition,
        .revision = match.revision,
        .node = node,
        .purpose = (uint32_t)sim_random_below(random, 4),
        .lease_ms = lease_ms,
        .grace_ms = 5000,
    };
}

static void workload_place(struct workload *workload, struct command *command)
{
    struct sim_random *random = &workload->random;
    uint32_t cause = (uint32_t)sim_random_below(random, 6);
    uint32_t lease_ms = sim_random_chance(random, 95) ? 4000 : 0;
    uint64_t node = 1 + sim_random_below(random, 5);
    if (sim_random_chance(random, 30)) {
        workload_place_changed(workload, command);
        return;
    }
    if (sim_random_chance(random, 70)) {
        command->type = COMMAND_RUN_START;
        command->run_start = (__typeof__(command->run_start)){
            .task = workload_run_task(workload),
            .revision = sim_random_chance(random, 90) ? 0 : 7,
            .node = node,
            .cause = cause,
            .purpose = (uint32_t)sim_random_below(random, 4),
            .lease_ms = lease_ms,
            .grace_ms = 5000,
            .tries = 3,
        };
        return;
    }
    workload_text(workload);
    command->type = COMMAND_RUN_TRIAL;
    command->run_trial = (__typeof__(command->run_trial)){
        .name = text_of(workload->name),
        .text = text_of(workload->text),
        .enabled_at = 16,
        .enabled = sim_random_chance(random, 50),
        .node = node,
        .purpose = 2 + (uint32_t)sim_random_below(random, 3),
        .lease_ms = lease_ms,
        .grace_ms = 5000,
    };
}

/* A live run, if one is known; most of the time its own node. */
static uint64_t workload_run(struct workload *workload, uint64_t *node)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    uint64_t id = sim_random_below(&workload->random, 300);
    *node = 1 + sim_random_below(&workload->random, 5);
    if (workload->registry != NULL && sim_random_chance(&workload->random, 80)) {
        uint64_t skip = sim_random_below(&workload->random,
                                         1 + registry_live_count(workload->registry));
        registry_live_seek(workload->registry, &cursor);
        do {
            run = registry_live_next(&cursor);
        } while (run != NULL && skip-- > 0);
    }
    if (run != NULL && sim_random_chance(&workload->random, 90)) {
        *node = run->node;
    }
    return run != NULL ? run->id : id;
}

static void workload_report(struct workload *workload, struct command *command)
{
    struct sim_random *random = &workload->random;
    uint64_t node = 0;
    uint64_t run = workload_run(workload, &node);
    uint64_t dice = sim_random_below(random, 100);
    snprintf(workload->text, sizeof workload->text, "because \xff of \"%" PRIu64 "\"",
             sim_random_below(random, 50));
    if (dice < 25) {
        command->type = COMMAND_RUN_STARTED;
        command->run_started =
            (__typeof__(command->run_started)){run, node, workload->clock_ms};
    } else if (dice < 45) {
        command->type = COMMAND_RUN_STOP;
        command->run_stop =
            (__typeof__(command->run_stop)){run, (uint32_t)sim_random_below(random, 5)};
    } else if (dice < 60) {
        command->type = COMMAND_RUN_LOST;
        command->run_lost =
            (__typeof__(command->run_lost)){run, node, text_of(workload->text)};
    } else {
        command->type = COMMAND_RUN_END;
        command->run_end = (__typeof__(command->run_end)){
            .run = run,
            .node = node,
            .outcome = (uint32_t)sim_random_below(random, 7),
            .exit_code = (uint32_t)sim_random_below(random, 3),
            .changes = sim_random_chance(random, 50),
            .started_ms = sim_random_chance(random, 50) ? workload->clock_ms : 0,
            .ended_ms = workload->clock_ms,
            .text = text_of(workload->text),
        };
    }
}

static void workload_moment(struct workload *workload, struct command *command)
{
    struct sim_random *random = &workload->random;
    struct text task = workload_run_task(workload);
    uint64_t at_ms = workload->clock_ms + sim_random_below(random, 1000);
    uint64_t created =
        sim_random_chance(random, 90) ? 0 : sim_random_below(random, 100);
    if (sim_random_chance(random, 60)) {
        command->type = COMMAND_TASK_DUE;
        command->task_due = (__typeof__(command->task_due)){
            task, created, (uint32_t)sim_random_below(random, 6), at_ms,
            sim_random_chance(random, 80) ? at_ms + 500 : 0};
        return;
    }
    if (sim_random_chance(random, 10)) {
        static const char *const zones[] = {"UTC", "Europe/Berlin", "Asia/Tokyo",
                                            "../x"};
        command->type = COMMAND_ZONE_SET;
        command->zone_set.zone = text_of(zones[sim_random_below(random, 4)]);
        return;
    }
    command->type = COMMAND_TASK_FIRE; /* of few times, so that some are expected */
    command->task_fire = (__typeof__(command->task_fire)){
        task, created, sim_random_below(random, 3) * 1000,
        sim_random_below(random, 3) * 1000, sim_random_chance(random, 60)};
}

static void workload_conditional(struct workload *workload, struct command *command)
{
    struct task_match match = workload_match(workload);
    if (sim_random_chance(&workload->random, 50)) {
        command->type = COMMAND_TASK_ENABLE_IF;
        command->task_enable_if.name = text_of(workload->name);
        command->task_enable_if.enabled = sim_random_chance(&workload->random, 50);
        command->task_enable_if.condition = match.condition;
        command->task_enable_if.revision = match.revision;
        return;
    }
    command->type = COMMAND_TASK_DELETE_IF;
    command->task_delete_if.name = text_of(workload->name);
    command->task_delete_if.condition = match.condition;
    command->task_delete_if.revision = match.revision;
}

void workload_command(struct workload *workload, struct command *command)
{
    struct sim_random *random = &workload->random;
    *command = (struct command){.actor = text_of("")};
    snprintf(workload->request_id, sizeof workload->request_id, "r%" PRIu64,
             sim_random_below(random, 1000));
    snprintf(workload->name, sizeof workload->name, "task%" PRIu64,
             sim_random_below(random, WORKLOAD_NAMES));
    command->request_id = text_of(workload->request_id);
    uint64_t dice = sim_random_below(random, 100);
    if (dice < 20) {
        workload_replace(workload, command);
    } else if (dice < 30) {
        workload_place(workload, command);
    } else if (dice < 38) {
        workload_report(workload, command);
    } else if (dice < 42) {
        workload_moment(workload, command);
    } else if (dice < 50) {
        workload_text(workload);
        command->type = COMMAND_TASK_CREATE;
        command->task_create.name = text_of(workload->name);
        command->task_create.text = text_of(workload->text);
        command->task_create.enabled_at = 16;
        command->task_create.enabled = sim_random_chance(random, 50);
    } else if (dice < 70) {
        command->type = COMMAND_TASK_ENABLE;
        command->task_enable.name = text_of(workload->name);
        command->task_enable.enabled = sim_random_chance(random, 50);
    } else if (dice < 80) {
        command->type = COMMAND_TASK_DELETE;
        command->task_delete.name = text_of(workload->name);
    } else if (dice < 90) {
        workload_conditional(workload, command);
    } else if (dice < 95) {
        workload_member(workload, command);
    } else {
        workload_setting(workload, command);
    }
}

/* Of few keys, so that they come again, now and then with another request. */
static void workload_key(struct workload *workload, struct command *command)
{
    if (!sim_random_chance(&workload->random, 40) || !command_takes_key(command)) {
        return;
    }
    snprintf(workload->key, sizeof workload->key, "key%" PRIu64,
             sim_random_below(&workload->random, 80));
    command->key = text_of(workload->key);
    command->scope = text_of(sim_random_chance(&workload->random, 20) ? "bob" : "");
    command->fingerprint[0] = sim_random_chance(&workload->random, 20);
}

uint32_t workload_batch(struct workload *workload, struct buf *out)
{
    uint32_t count = 1 + (uint32_t)sim_random_below(&workload->random, 3);
    workload->clock_ms += sim_random_below(&workload->random, 50);
    struct batch_header header = {
        .wall_ms = 1700000000000 + workload->clock_ms,
        .clock_ms = workload->clock_ms,
        .count = count,
    };
    batch_begin(out, &header);
    bool raise = !workload->raised && sim_random_chance(&workload->random, 75);
    workload->raised = true;
    for (uint32_t i = 0; i < count; i++) {
        struct command command;
        workload_command(workload, &command);
        if (raise && i == 0) {
            command.type = COMMAND_LEVEL_SET;
            command.level_set.level = COMMAND_LEVEL;
        }
        workload_key(workload, &command);
        int rv = command_encode(out, &command, COMMAND_LEVEL, NULL);
        assert(rv == 0);
    }
    return count;
}
