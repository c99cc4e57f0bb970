/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the naive registry share. */
#ifndef SIM_MODEL_INSIDE_H
#define SIM_MODEL_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/model.h"

#define NAME_MAX_BYTES 32
#define MEMBERS_MAX    64
#define SETTINGS_MAX   32

struct model_task {
    char name[NAME_MAX_BYTES]; /* the rest is zero */
    char *text;
    size_t text_len;
    uint32_t enabled_at;
    bool enabled;
    uint64_t created;
    uint64_t revision;
    bool deleting;
    bool due; /* and then the next three mean something */
    uint64_t due_at_ms;
    uint64_t due_until_ms;
    uint32_t due_cause;
    uint64_t fire_ms; /* 0: none */
};

struct model_run {
    uint64_t id;
    uint64_t task_created;
    uint64_t revision;
    uint64_t node;
    uint32_t state; /* these five as their numbers stand in commands */
    uint32_t outcome;
    uint32_t cause;
    uint32_t purpose;
    uint32_t stop;
    uint32_t lease_ms;
    uint32_t grace_ms;
    uint32_t tries;
    uint64_t placed_ms;
    uint64_t started_ms;
    uint64_t ended_ms;
    uint32_t exit_code;
    uint32_t signal;
    bool changes;
    char name[NAME_MAX_BYTES];
    char module[NAME_MAX_BYTES]; /* as its text has it */
    char *text;
    char *draft; /* NULL: none */
    size_t draft_len;
    uint32_t enabled_at;
    bool enabled;
};

struct model_member {
    uint64_t id;
    uint32_t level;
    bool draining;
    uint64_t drain_ms; /* since then, on the replicated clock; 0: that is not known */
    bool idle;         /* it carries out no runs */
    uint64_t revision;
    char *texts[4]; /* name, address, peer address, version */
};

struct model_event {
    const char *type;
    uint64_t wall_ms;
    char *texts[4]; /* task, actor, request id, data */
    size_t bytes;
};

/* What became of a command that had a key. */
struct model_key {
    char *key;
    size_t key_len;
    char *scope;
    uint8_t fingerprint[KEY_FINGERPRINT_BYTES];
    uint64_t at_ms;
    struct result result;
};

struct model_setting {
    const char *name;
    uint32_t level; /* there is none below it */
    uint64_t value;
    uint64_t min;
    uint64_t max;
};

struct model {
    struct model_task *tasks; /* in the order they were created */
    size_t task_count;
    size_t task_capacity;
    struct model_run *runs; /* that are kept, in the order of their numbers */
    size_t run_count;
    size_t run_capacity;
    struct model_member members[MEMBERS_MAX];
    size_t member_count;
    struct model_setting settings[SETTINGS_MAX];
    size_t setting_count;
    struct model_event *events; /* events[i] has the number i + 1 */
    size_t event_count;
    size_t event_capacity;
    size_t event_first;     /* place of the oldest that is kept */
    size_t event_bytes;     /* of those that are kept */
    size_t event_seen;      /* those before this place were compared */
    struct model_key *keys; /* in the order they came */
    size_t key_count;
    size_t key_capacity;
    size_t key_first; /* place of the oldest that is kept */
    char zone[64];
    uint64_t clock_ms;
    uint32_t level;
    const struct command *command; /* that is applied */
    uint64_t wall_ms;
    char complaint[512];
};

/* --- model.c --- */
__attribute__((format(printf, 2, 3))) const char *model_complain(struct model *model,
                                                                 const char *format,
                                                                 ...);
char *model_copy(struct text text);
/* Room in `array` for one element behind `count`. */
void *model_room(void *array, size_t *capacity, size_t count, size_t size);
uint64_t model_setting(const struct model *model, const char *name);
uint64_t model_next(const struct model *model);
void model_event(struct model *model, const char *type, const char *task,
                 const char *data);
struct model_task *model_find(const struct model *model, struct text name);
bool model_draft_is_sound(struct text name, struct text text, uint32_t enabled_at);
int model_create(struct model *model, struct text name, struct text text,
                 uint32_t enabled_at, bool enabled);
/* The command by its row, as if it were the one that is applied. */
int model_command(struct model *model, const struct command *command);
/* It goes at once. */
void model_remove(struct model *model, struct model_task *task);
struct model_member *model_member(struct model *model, uint64_t id);

/* --- model_setting.c --- */
int model_setting_set(struct model *model, const struct command *command);
int model_settings_set(struct model *model, const struct command *command);

/* --- model_run_put.c --- */
int model_run_put(struct model *model, const struct command *command);
int model_run_enable(struct model *model, const struct command *command);

/* --- model_run.c --- */
/* Place a run, of a name that has no live one; `from` says the rest of it. */
int model_place(struct model *model, struct text name, const struct model_run *from);
/* A run ends, by the word of that node. */
int model_finish(struct model *model, uint64_t id, uint64_t node,
                 const struct model_run *end, struct text text);
/* One of the commands of runs; another is no matter of its. */
int model_run_apply(struct model *model, const struct command *command);
/* The live run of that name; NULL. */
struct model_run *model_live(const struct model *model, const char *name);
/* The run that a command of runs is about, after it; NULL: none. */
const struct model_run *model_run_of(const struct model *model,
                                     const struct command *command);
/* Are runs, due marks, next fires and statuses as the model has them? */
const char *model_run_check(struct model *model, const struct registry *registry);

#endif
