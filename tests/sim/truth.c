/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/truth.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "raft/command.h"
#include "raft/fsm.h"
#include "sim/model.h"

#define MODEL_EVERY 256 /* entries: all of the state is compared */

struct truth_entry {
    uint64_t term;
    enum entry_type type;
    size_t len;
    uint64_t hash[2];
    struct digest state; /* of the registry right after it */
};

enum op_state { OP_PENDING, OP_DONE, OP_NEVER, OP_UNKNOWN };

struct op {
    enum op_state state;
    uint64_t applied_at;  /* index; 0 = nobody applied it */
    struct result result; /* of our replica */
    bool changed;
    struct result told; /* to the client */
    uint64_t told_index;
};

struct term_leader {
    bool known;
    size_t slot;
    uint32_t life;
};

/* A run that was placed and has not ended, by what events said of it. */
struct placed {
    uint64_t run;
    char task[64];
};

struct truth {
    const struct sim_time *time;
    struct fsm *replica;
    struct model *model;         /* what it should be */
    struct truth_entry *entries; /* entries[i] is index i + 1 */
    uint64_t last;
    size_t capacity;
    struct op *ops;
    uint64_t op_count;
    size_t op_capacity;
    uint64_t *fresh; /* ops decided since the last check */
    size_t fresh_count;
    size_t fresh_capacity;
    struct term_leader *leaders; /* by term */
    size_t leader_capacity;
    struct placed *placed;
    size_t placed_count;
    size_t placed_capacity;
    uint64_t event_seen; /* up to this one: */
    uint64_t fence;      /* the highest number that a run was given */
    bool gap;            /* events went before they were seen: runs are lost sight of */
    uint64_t elections;
    uint64_t cluster_id;
    struct truth_totals totals;
    struct result results[LIMIT_BATCH_COMMANDS];
    char complaint[512];
};

struct truth *truth_new(const struct sim_time *time)
{
    struct truth *truth = mem_zalloc(sizeof *truth);
    truth->time = time;
    truth->replica = fsm_new();
    truth->model = model_new();
    return truth;
}

void truth_free(struct truth *truth)
{
    fsm_free(truth->replica);
    model_free(truth->model);
    mem_free(truth->entries);
    mem_free(truth->ops);
    mem_free(truth->fresh);
    mem_free(truth->leaders);
    mem_free(truth->placed);
    mem_free(truth);
}

__attribute__((format(printf, 2, 3))) static const char *truth_complain(
    struct truth *truth, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(truth->complaint, sizeof truth->complaint, format, args);
    va_end(args);
    return truth->complaint;
}

/* Make room for one more element behind `count`. */
static void *truth_room(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    size_t before = *capacity;
    while (*capacity <= count) {
        *capacity = *capacity > 0 ? *capacity * 2 : 256;
    }
    uint8_t *grown = mem_realloc(array, *capacity * size);
    memset(grown + before * size, 0, (*capacity - before) * size);
    return grown;
}

/* --- the log
 * ----------------------------------------------------------------------- */

/* "op17" → 17; UINT64_MAX for commands of the nodes themselves. */
static uint64_t op_of(const struct truth *truth, struct text request_id)
{
    char text[24] = "";
    if (request_id.len < 3 || request_id.len >= sizeof text ||
        memcmp(request_id.data, "op", 2) != 0) {
        return UINT64_MAX;
    }
    memcpy(text, request_id.data + 2, request_id.len - 2);
    uint64_t op = strtoull(text, NULL, 10);
    return op < truth->op_count ? op : UINT64_MAX;
}

static const char *truth_note_op(struct truth *truth, uint64_t number, uint64_t index,
                                 const struct result *result, bool changed)
{
    struct op *op = &truth->ops[number];
    if (op->applied_at != 0) {
        return truth_complain(
            truth, "op%" PRIu64 " is applied twice: at %" PRIu64 " and at %" PRIu64,
            number, op->applied_at, index);
    }
    op->applied_at = index;
    op->result = *result;
    op->changed = changed;
    if (op->state == OP_NEVER) {
        return truth_complain(
            truth, "op%" PRIu64 " was said never to happen and is applied at %" PRIu64,
            number, index);
    }
    return NULL;
}

/* The replicated clock is the time that leaders led, one after the other: however their
 * wall clocks jump it is not ahead of the world's, but for what one drifts. */
static const char *truth_check_clock(struct truth *truth, uint64_t index,
                                     const struct batch_header *header)
{
    uint64_t now_ms = sim_time_now_us(truth->time) / 1000;
    if (header->clock_ms > now_ms + now_ms / 50 + 50) {
        return truth_complain(truth,
                              "entry %" PRIu64 ": the replicated clock is at %" PRIu64
                              " ms, the world at %" PRIu64,
                              index, header->clock_ms, now_ms);
    }
    return NULL;
}

static const char *truth_note_batch(struct truth *truth, uint64_t index,
                                    const struct entry *entry)
{
    struct cursor cursor;
    struct batch_header header;
    struct err err;
    size_t count = 0;
    uint64_t before = registry_sequence(fsm_registry(truth->replica));
    if (fsm_apply(truth->replica, entry->data->data, entry->data->len, truth->results,
                  LIMIT_BATCH_COMMANDS, &count, &err) != 0) {
        return truth_complain(truth, "entry %" PRIu64 " cannot be applied: %s", index,
                              err.text);
    }
    cursor_init(&cursor, entry->data->data, entry->data->len);
    (void)batch_open(&cursor, &header, NULL);
    const char *wrong = truth_check_clock(truth, index, &header);
    model_tick(truth->model, &header);
    for (uint32_t i = 0; wrong == NULL && i < header.count; i++) {
        struct command command;
        (void)batch_next(&cursor, &command, NULL);
        wrong = model_apply(truth->model, &command, &truth->results[i]);
        uint64_t op = op_of(truth, command.request_id);
        if (wrong == NULL && op != UINT64_MAX) {
            const struct result *result = &truth->results[i];
            wrong = truth_note_op(truth, op, index, result, result->sequence != before);
        }
        before = truth->results[i].sequence;
    }
    return wrong;
}

static struct placed *truth_placed(struct truth *truth, const char *task)
{
    for (size_t i = 0; i < truth->placed_count; i++) {
        if (strcmp(truth->placed[i].task, task) == 0) {
            return &truth->placed[i];
        }
    }
    return NULL;
}

static const char *truth_run_placed(struct truth *truth, uint64_t run, const char *task)
{
    const struct placed *other = truth_placed(truth, task);
    if (other != NULL) {
        return truth_complain(truth, "two live runs of %s: %" PRIu64 " and %" PRIu64,
                              task, other->run, run);
    }
    if (run <= truth->fence) {
        return truth_complain(truth, "run %" PRIu64 " comes after run %" PRIu64, run,
                              truth->fence);
    }
    truth->placed = truth_room(truth->placed, &truth->placed_capacity,
                               truth->placed_count, sizeof *truth->placed);
    struct placed *placed = &truth->placed[truth->placed_count++];
    placed->run = run;
    snprintf(placed->task, sizeof placed->task, "%s", task);
    truth->fence = run;
    return NULL;
}

static const char *truth_run_ended(struct truth *truth, uint64_t run, const char *task)
{
    struct placed *placed = truth_placed(truth, task);
    if (placed == NULL || placed->run != run) {
        return truth_complain(
            truth, "run %" PRIu64 " of %s ends, and is not live, or has ended before",
            run, task);
    }
    *placed = truth->placed[--truth->placed_count];
    return NULL;
}

/* Of each name one run is live, of each run there is one end, and numbers only grow: by
 * the events alone, whatever the registry says. */
static const char *truth_check_runs(struct truth *truth)
{
    const struct registry *registry = fsm_registry(truth->replica);
    const struct event *event = NULL;
    const char *wrong = NULL;
    while (wrong == NULL && !truth->gap &&
           (event = event_log_after(registry_events(registry), truth->event_seen)) !=
               NULL) {
        const char *at = strstr(event->data, "\"run\":");
        uint64_t run = at != NULL ? strtoull(at + 6, NULL, 10) : 0;
        truth->gap = event->seq != truth->event_seen + 1;
        truth->event_seen = event->seq;
        if (event->type == EVENT_RUN_PLACED && !truth->gap) {
            wrong = truth_run_placed(truth, run, event->task);
        } else if (event->type == EVENT_RUN_ENDED && !truth->gap) {
            wrong = truth_run_ended(truth, run, event->task);
        }
    }
    if (wrong == NULL && !truth->gap &&
        registry_live_count(registry) != truth->placed_count) {
        wrong = truth_complain(truth, "%zu runs are live, by the events %zu",
                               registry_live_count(registry), truth->placed_count);
    }
    return wrong;
}

static const char *truth_append(struct truth *truth, uint64_t index,
                                const struct truth_entry *seen,
                                const struct entry *entry)
{
    truth->entries = truth_room(truth->entries, &truth->capacity, (size_t)truth->last,
                                sizeof *truth->entries);
    if (truth->last > 0 && truth->entries[truth->last - 1].term > seen->term) {
        return truth_complain(truth, "terms fall at entry %" PRIu64, index);
    }
    const char *wrong =
        seen->type == ENTRY_COMMAND ? truth_note_batch(truth, index, entry) : NULL;
    wrong = wrong == NULL ? truth_check_runs(truth) : wrong;
    if (wrong == NULL) {
        const struct registry *registry = fsm_registry(truth->replica);
        wrong = index % MODEL_EVERY == 0 ? model_check_all(truth->model, registry)
                                         : model_check(truth->model, registry);
        wrong = wrong != NULL
                    ? truth_complain(truth, "entry %" PRIu64 ": %s", index, wrong)
                    : NULL;
    }
    truth->entries[truth->last] = *seen;
    truth->entries[truth->last].state = registry_digest(fsm_registry(truth->replica));
    truth->last = index;
    return wrong;
}

const char *truth_applied(struct truth *truth, uint64_t index,
                          const struct entry *entry)
{
    struct truth_entry seen = {
        .term = entry->term,
        .type = entry->type,
        .len = entry->data->len,
        .hash = {1, 2},
    };
    hash_bytes_twice(entry->data->data, entry->data->len, seen.hash);
    if (index > truth->last + 1) {
        return truth_complain(
            truth, "entry %" PRIu64 " is applied, and nobody applied %" PRIu64, index,
            truth->last + 1);
    }
    if (index == truth->last + 1) {
        return truth_append(truth, index, &seen, entry);
    }
    const struct truth_entry *known = &truth->entries[index - 1];
    if (known->term != seen.term || known->type != seen.type ||
        known->len != seen.len || known->hash[0] != seen.hash[0] ||
        known->hash[1] != seen.hash[1]) {
        return truth_complain(truth,
                              "another entry %" PRIu64 ": term %" PRIu64
                              " (%zu bytes), others applied term %" PRIu64
                              " (%zu bytes)",
                              index, seen.term, seen.len, known->term, known->len);
    }
    return NULL;
}

const char *truth_state(struct truth *truth, uint64_t index,
                        const struct registry *registry)
{
    assert(index > 0 && index <= truth->last);
    if (!digest_equal(truth->entries[index - 1].state, registry_digest(registry))) {
        return truth_complain(truth, "another state after entry %" PRIu64, index);
    }
    return NULL;
}

const char *truth_leads(struct truth *truth, uint64_t term, size_t slot, uint32_t life)
{
    if (term > 100000) {
        return truth_complain(truth, "term %" PRIu64 ": elections without end", term);
    }
    truth->leaders = truth_room(truth->leaders, &truth->leader_capacity, (size_t)term,
                                sizeof *truth->leaders);
    struct term_leader *leader = &truth->leaders[term];
    if (leader->known && (leader->slot != slot || leader->life != life)) {
        return truth_complain(
            truth, "two leaders of term %" PRIu64 ": n%zu (life %u) and n%zu (life %u)",
            term, leader->slot + 1, leader->life, slot + 1, life);
    }
    truth->elections += !leader->known;
    *leader = (struct term_leader){true, slot, life};
    return NULL;
}

const char *truth_cluster(struct truth *truth, uint64_t cluster_id)
{
    if (truth->cluster_id != 0 && truth->cluster_id != cluster_id) {
        return truth_complain(truth, "two clusters: %" PRIu64 " and %" PRIu64,
                              truth->cluster_id, cluster_id);
    }
    truth->cluster_id = cluster_id;
    return NULL;
}

uint64_t truth_last(const struct truth *truth)
{
    return truth->last;
}

uint64_t truth_term(const struct truth *truth, uint64_t index)
{
    assert(index > 0 && index <= truth->last);
    return truth->entries[index - 1].term;
}

uint64_t truth_elections(const struct truth *truth)
{
    return truth->elections;
}

/* --- clients
 * ----------------------------------------------------------------------- */

uint64_t truth_submitted(struct truth *truth)
{
    truth->ops = truth_room(truth->ops, &truth->op_capacity, (size_t)truth->op_count,
                            sizeof *truth->ops);
    truth->ops[truth->op_count] = (struct op){0};
    return truth->op_count++;
}

void truth_forget_last(struct truth *truth)
{
    truth->op_count--;
}

const char *truth_decided(struct truth *truth, uint64_t number,
                          const struct outcome *outcome)
{
    struct op *op = &truth->ops[number];
    if (op->state != OP_PENDING) {
        return truth_complain(truth, "op%" PRIu64 " is decided twice", number);
    }
    switch (outcome->code) {
    case 0:
        op->state = OP_DONE;
        op->told = outcome->result;
        op->told_index = outcome->index;
        truth->totals.acknowledged++;
        break;
    case ERR_NOT_LEADER:
    case ERR_BUSY: /* so the leader's door, to which it was handed on */
    case ERR_FULL:
    case ERR_UNAVAILABLE:
    case ERR_LEVEL:
        op->state = OP_NEVER;
        truth->totals.never++;
        break;
    case ERR_OUTCOME_UNKNOWN:
        op->state = OP_UNKNOWN;
        truth->totals.unknown++;
        break;
    default:
        return truth_complain(truth, "op%" PRIu64 ": outcome %d is none", number,
                              outcome->code);
    }
    truth->fresh = truth_room(truth->fresh, &truth->fresh_capacity, truth->fresh_count,
                              sizeof *truth->fresh);
    truth->fresh[truth->fresh_count++] = number;
    return NULL;
}

static const char *truth_check_outcome(struct truth *truth, uint64_t number)
{
    const struct op *op = &truth->ops[number];
    if (op->state == OP_NEVER && op->applied_at != 0) {
        return truth_complain(truth,
                              "op%" PRIu64 " is applied at %" PRIu64
                              " and is said never to have happened",
                              number, op->applied_at);
    }
    if (op->state != OP_DONE) {
        return NULL;
    }
    if (op->applied_at == 0) {
        return truth_complain(
            truth, "op%" PRIu64 " is acknowledged and nobody applied it", number);
    }
    if (op->applied_at != op->told_index) {
        return truth_complain(truth,
                              "op%" PRIu64 " is acknowledged as of entry %" PRIu64
                              " and applied at %" PRIu64,
                              number, op->told_index, op->applied_at);
    }
    if (op->told.code != op->result.code || op->told.sequence != op->result.sequence ||
        op->told.revision != op->result.revision || op->told.run != op->result.run ||
        op->told.created != op->result.created) {
        return truth_complain(truth,
                              "op%" PRIu64 ": told result %d, sequence %" PRIu64
                              "; it is %d, %" PRIu64,
                              number, op->told.code, op->told.sequence, op->result.code,
                              op->result.sequence);
    }
    return NULL;
}

const char *truth_check_outcomes(struct truth *truth)
{
    const char *wrong = NULL;
    for (size_t i = 0; wrong == NULL && i < truth->fresh_count; i++) {
        wrong = truth_check_outcome(truth, truth->fresh[i]);
    }
    truth->fresh_count = 0;
    return wrong;
}

const char *truth_all_decided(const struct truth *truth)
{
    for (uint64_t i = 0; i < truth->op_count; i++) {
        if (truth->ops[i].state == OP_PENDING) {
            return "a write is never decided";
        }
    }
    return NULL;
}

uint64_t truth_place(const struct truth *truth, uint64_t number)
{
    const struct op *op = &truth->ops[number];
    return op->changed ? op->result.sequence : 0;
}

bool truth_acknowledged_since(const struct truth *truth, uint64_t op)
{
    for (uint64_t i = op; i < truth->op_count; i++) {
        if (truth->ops[i].state == OP_DONE) {
            return true;
        }
    }
    return false;
}

uint64_t truth_op_count(const struct truth *truth)
{
    return truth->op_count;
}

struct truth_totals truth_totals(const struct truth *truth)
{
    return truth->totals;
}
