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
        {"events_max_count", 0}, {"events_max_bytes", 65500}, {"task_events", 0},
        {"ready_lag", 900},      {"keys_max_age_ms", 1000},   {"keys_max_count", 90},
        {"nothing", 0},
    };
    uint64_t which = sim_random_below(&workload->random, 10);
    if (which >= 7) {
        command->type = COMMAND_LEVEL_SET;
        command->level_set.level = (uint32_t)sim_random_below(&workload->random, 3);
        return;
    }
    uint64_t value = settings[which].least + sim_random_below(&workload->random, 300);
    const char *name = settings[which].name;
    if (which < 6 && sim_random_chance(&workload->random, 50)) {
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
    if (dice < 30) {
        workload_replace(workload, command);
    } else if (dice < 40) {
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
    if (!sim_random_chance(&workload->random, 40) ||
        command_task(command).data == NULL) {
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
    for (uint32_t i = 0; i < count; i++) {
        struct command command;
        workload_command(workload, &command);
        workload_key(workload, &command);
        int rv = command_encode(out, &command, COMMAND_LEVEL, NULL);
        assert(rv == 0);
    }
    return count;
}
