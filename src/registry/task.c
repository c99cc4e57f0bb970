/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/task.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/plant.h"

static const char task_enabled_text[] = "\"enabled\":true,";
static const char task_disabled_text[] = "\"enabled\":false,";

bool task_draft_sound(const struct task_draft *draft)
{
    return draft->name_len >= 1 && draft->name_len <= TASK_NAME_BYTES_MAX &&
           memchr(draft->name, '\0', draft->name_len) == NULL &&
           draft->text_len <= TASK_TEXT_BYTES_MAX && draft->enabled_at >= 1 &&
           draft->enabled_at < draft->text_len;
}

bool task_text_equal(const struct task *task, const struct task_draft *draft)
{
    return task->text_len == draft->text_len && task->enabled_at == draft->enabled_at &&
           memcmp(task->text, draft->text, draft->text_len) == 0;
}

struct task *task_new(const struct task_draft *draft, uint64_t created,
                      uint64_t revision)
{
    assert(task_draft_sound(draft));
    struct task *task =
        mem_alloc(sizeof *task + draft->name_len + 1 + draft->text_len + 1);
    char *name = (char *)(task + 1);
    char *text = name + draft->name_len + 1;
    memcpy(name, draft->name, draft->name_len);
    name[draft->name_len] = '\0';
    memcpy(text, draft->text, draft->text_len);
    text[draft->text_len] = '\0';
    *task = (struct task){
        .refs = 1,
        .enabled = draft->enabled,
        .created = created,
        .revision = revision,
        .name_len = (uint32_t)draft->name_len,
        .text_len = (uint32_t)draft->text_len,
        .enabled_at = draft->enabled_at,
        .name = name,
        .text = text,
    };
    return task;
}

struct task_draft task_draft_of(const struct task *task)
{
    return (struct task_draft){
        .name = task->name,
        .name_len = task->name_len,
        .text = task->text,
        .text_len = task->text_len,
        .enabled_at = task->enabled_at,
        .enabled = task->enabled,
    };
}

struct task *task_ref(struct task *task)
{
    assert(task->refs > 0 && task->refs < UINT32_MAX);
    task->refs++;
    return task;
}

void task_unref(struct task *task)
{
    if (task != NULL && --task->refs == 0) {
        mem_free(task);
    }
}

size_t task_json_len(const struct task *task)
{
    return task->text_len + (task->enabled ? sizeof task_enabled_text - 1
                                           : sizeof task_disabled_text - 1);
}

size_t task_write(const struct task *task, char *out)
{
    const char *flag = task->enabled ? task_enabled_text : task_disabled_text;
    size_t flag_len = task_json_len(task) - task->text_len;
    memcpy(out, task->text, task->enabled_at);
    memcpy(out + task->enabled_at, flag, flag_len);
    memcpy(out + task->enabled_at + flag_len, task->text + task->enabled_at,
           task->text_len - task->enabled_at);
    return task->text_len + flag_len;
}

int task_match_check(const struct task_match *match, const struct task *task)
{
    bool holds = false;
    switch (match->condition) {
    case TASK_CONDITION_NONE:
        holds = true;
        break;
    case TASK_CONDITION_REVISION:
        holds = task != NULL &&
                (task->revision == match->revision || PLANTED(IGNORE_VERSION));
        break;
    case TASK_CONDITION_PRESENT:
        holds = task != NULL;
        break;
    case TASK_CONDITION_ABSENT:
        holds = task == NULL;
        break;
    default: /* a number from a command */
        return ERR_INVALID;
    }
    return holds ? 0 : ERR_PRECONDITION;
}
