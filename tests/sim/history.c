/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "registry/task.h"
#include "sim/linear.h"

#define STEPS_MAX    40000 /* of the search, for one task */
#define REDUCE_STEPS 4000
#define TOLD_MAX     40 /* lines in the transcript */

struct history {
    const struct sim_time *time;
    struct history_op *ops;
    size_t count;
    size_t capacity;
    uint64_t moment;
    struct history_task *seen; /* by task */
    size_t seen_capacity;
    char complaint[400];
};

struct history *history_new(const struct sim_time *time)
{
    struct history *history = mem_zalloc(sizeof *history);
    history->time = time;
    return history;
}

void history_free(struct history *history)
{
    mem_free(history->ops);
    mem_free(history->seen);
    mem_free(history);
}

size_t history_ask(struct history *history, const struct history_op *op)
{
    if (history->count == history->capacity) {
        history->capacity = history->capacity > 0 ? history->capacity * 2 : 1024;
        history->ops =
            mem_realloc(history->ops, history->capacity * sizeof *history->ops);
    }
    struct history_op *asked = &history->ops[history->count];
    *asked = *op;
    asked->state = HISTORY_OPEN;
    asked->asked = ++history->moment;
    asked->answered = UINT64_MAX;
    asked->asked_us = sim_time_now_us(history->time);
    return history->count++;
}

size_t history_ask_stale(struct history *history, const struct history_op *op)
{
    size_t at = history_ask(history, op);
    history->ops[at].asked = 0;
    return at;
}

void history_forget_last(struct history *history)
{
    history->count--;
}

static void history_see(struct history *history, uint64_t task,
                        const struct history_task *shown)
{
    if (task >= history->seen_capacity) {
        size_t before = history->seen_capacity;
        history->seen_capacity = (size_t)(task + 1) * 2;
        history->seen =
            mem_realloc(history->seen, history->seen_capacity * sizeof *history->seen);
        memset(&history->seen[before], 0,
               (history->seen_capacity - before) * sizeof *history->seen);
    }
    if (shown->revision >= history->seen[task].revision) {
        history->seen[task] = *shown;
    }
}

struct history_task history_seen(const struct history *history, uint64_t task)
{
    return task < history->seen_capacity ? history->seen[task]
                                         : (struct history_task){0};
}

void history_decided(struct history *history, size_t at, const struct outcome *outcome)
{
    struct history_op *op = &history->ops[at];
    const struct result *result = &outcome->result;
    if (outcome->code == 0 && (result->replayed || result->code == ERR_KEY_REUSED ||
                               result->code == ERR_LEVEL)) {
        op->state = HISTORY_NEVER; /* it did nothing itself */
        return;
    }
    if (outcome->code != 0) {
        bool unknown = outcome->code == ERR_OUTCOME_UNKNOWN;
        op->state = unknown ? HISTORY_UNKNOWN : HISTORY_NEVER;
        return;
    }
    op->state = HISTORY_KNOWN;
    op->answered = ++history->moment;
    op->code = result->code;
    op->created = result->created;
    op->sequence = result->sequence;
    op->shown = (struct history_task){
        .there = result->revision > 0,
        .revision = result->revision,
    };
    history_see(history, op->task, &op->shown);
}

void history_shows(struct history *history, size_t at, uint64_t sequence,
                   const struct history_task *shown)
{
    struct history_op *op = &history->ops[at];
    op->state = HISTORY_KNOWN;
    op->answered = ++history->moment;
    op->sequence = sequence;
    op->shown = *shown;
    history_see(history, op->task, shown);
}

/* --- judging
 * ------------------------------------------------------------------------ */

static void describe_asked(const struct history_op *op, char *out, size_t size)
{
    static const char *const words[] = {"read",  "create", "put",
                                        "merge", "enable", "delete"};
    char condition[48] = "";
    if (op->condition == TASK_CONDITION_REVISION) {
        snprintf(condition, sizeof condition, " if %" PRIu64, op->expected);
    } else if (op->condition != TASK_CONDITION_NONE) {
        snprintf(condition, sizeof condition, " if %s",
                 op->condition == TASK_CONDITION_PRESENT ? "present" : "absent");
    }
    if (op->kind == HISTORY_READ) {
        snprintf(out, size, "read");
    } else if (op->kind == HISTORY_DELETE) {
        snprintf(out, size, "op%" PRIu64 " delete%s", op->number, condition);
    } else if (op->kind == HISTORY_ENABLE) {
        snprintf(out, size, "op%" PRIu64 " %s%s", op->number,
                 op->enabled ? "enable" : "disable", condition);
    } else if (op->kind == HISTORY_MERGE) {
        snprintf(out, size, "op%" PRIu64 " merge into %" PRIu64 "%s content %" PRIu64,
                 op->number, op->base, condition, op->content);
    } else {
        snprintf(out, size, "op%" PRIu64 " %s%s content %" PRIu64 "%s", op->number,
                 words[op->kind], condition, op->content,
                 op->keep_enabled ? ""
                 : op->enabled    ? " enabled"
                                  : " disabled");
    }
}

void history_describe(const struct history_op *op, char *out, size_t size)
{
    char asked[120];
    describe_asked(op, asked, sizeof asked);
    if (op->key > 0) {
        size_t end = strlen(asked);
        snprintf(asked + end, sizeof asked - end, " (k%" PRIu64 ")", op->key);
    }
    int len = snprintf(out, size, "moments %" PRIu64 "-", op->asked);
    out += len;
    size -= (size_t)len;
    if (op->state != HISTORY_KNOWN) {
        snprintf(out, size, "? (%.3f ms, n%zu): %s: %s", (double)op->asked_us / 1000.0,
                 op->slot + 1, asked,
                 op->state == HISTORY_NEVER ? "never happened" : "unknown");
    } else if (op->kind == HISTORY_READ) {
        snprintf(out, size,
                 "%" PRIu64 " (%.3f ms, n%zu): read at sequence %" PRIu64
                 ": %s, revision %" PRIu64 ", content %" PRIu64 "%s",
                 op->answered, (double)op->asked_us / 1000.0, op->slot + 1,
                 op->sequence, op->shown.there ? "there" : "absent", op->shown.revision,
                 op->shown.content, op->shown.enabled ? ", enabled" : "");
    } else {
        snprintf(out, size,
                 "%" PRIu64 " (%.3f ms, n%zu): %s: %s at sequence %" PRIu64
                 ", revision %" PRIu64 "%s",
                 op->answered, (double)op->asked_us / 1000.0, op->slot + 1, asked,
                 err_code_name((enum err_code)op->code), op->sequence,
                 op->shown.revision, op->created ? ", created" : "");
    }
}

static void history_tell(const struct history_op *ops, size_t count,
                         struct transcript *transcript)
{
    size_t first = count > TOLD_MAX ? count - TOLD_MAX : 0;
    if (first > 0) {
        transcript_note(transcript, "%zu older ones are left out", first);
    }
    for (size_t i = first; i < count; i++) {
        char line[360];
        history_describe(&ops[i], line, sizeof line);
        transcript_note(transcript, "t%" PRIu64 ": %s", ops[i].task, line);
    }
}

static const char *history_judge(struct history *history, struct history_op *ops,
                                 size_t count, struct transcript *transcript,
                                 struct history_totals *totals)
{
    totals->tasks++;
    totals->operations += count;
    switch (linear_check(ops, count, STEPS_MAX)) {
    case LINEAR_YES:
        return NULL;
    case LINEAR_GAVE_UP:
        totals->gave_up++;
        snprintf(history->complaint, sizeof history->complaint,
                 "the history of t%" PRIu64
                 " (%zu operations): the order of the log is "
                 "not one, and it takes too long to look for another",
                 ops[0].task, count);
        return history->complaint;
    case LINEAR_NO:
        break;
    }
    uint64_t task = ops[0].task;
    size_t kept = linear_reduce(ops, count, REDUCE_STEPS);
    history_tell(ops, kept, transcript);
    snprintf(history->complaint, sizeof history->complaint,
             "the history of t%" PRIu64 " (%zu operations) is not linearizable; %zu of "
             "them cannot all be true",
             task, count, kept);
    return history->complaint;
}

static int task_compare(const void *a, const void *b)
{
    const struct history_op *one = a;
    const struct history_op *two = b;
    return one->task != two->task
               ? (one->task < two->task ? -1 : 1)
               : (one->asked > two->asked) - (one->asked < two->asked);
}

const char *history_check(struct history *history, const struct history_hints *hints,
                          struct transcript *transcript, struct history_totals *totals)
{
    const char *wrong = NULL;
    for (size_t i = 0; i < history->count; i++) {
        struct history_op *op = &history->ops[i];
        if (op->kind != HISTORY_READ && op->state != HISTORY_KNOWN) {
            op->place = hints->place(hints->owner, op->number);
        }
    }
    *totals = (struct history_totals){0};
    qsort(history->ops, history->count, sizeof *history->ops, task_compare);
    for (size_t from = 0, to = 0; wrong == NULL && from < history->count; from = to) {
        while (to < history->count &&
               history->ops[to].task == history->ops[from].task) {
            to++;
        }
        wrong =
            history_judge(history, &history->ops[from], to - from, transcript, totals);
    }
    history->count = 0; /* each operation was judged */
    return wrong;
}
