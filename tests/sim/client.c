/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: write to whoever says it leads, or hands writes on, go where a 400 sends
 * them, ask for versions that they have seen, and remember what they were told. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "sim/inside.h"

#define BURST_MAX   12
#define CALM_AFTER  5000
#define CALM_GAP_US 100000
#define HOPS_MAX    3
#define MERGES_MAX  3 /* of a merge that came too late */
#define REPEATS_MAX 8

/* A write, from the moment it is made up until nobody wants it any more. */
struct draft {
    struct world *world;
    struct draft *next; /* of those that wait to be repeated */
    struct sim_event repeat;
    struct history_op asked;
    bool of_a_task;  /* it has a history; else it is about a setting */
    uint32_t times;  /* it was submitted, or somebody looked for whom to ask */
    uint32_t merges; /* ... as a merge that came too late */
    bool known;      /* one with its key was answered: */
    struct result first;
    char name[32];
    char request_id[32];
    char key[32]; /* "": it has none, and is not repeated */
    char *text;   /* ours */
    size_t text_len;
    struct command command;
    size_t place; /* in the history, as it was submitted last */
};

static uint64_t client_below(struct world *world, uint64_t limit)
{
    return sim_random_below(&world->client_random, limit);
}

static bool client_chance(struct world *world, uint32_t percent)
{
    return sim_random_chance(&world->client_random, percent);
}

/* --- texts
 * ------------------------------------------------------------------------- */

/* {"by":N,"f":"xxx"}: N is the number of the content, another one for each that is made
 * up. */
static void draft_text(struct world *world, struct draft *draft,
                       const struct task *base)
{
    size_t filler = client_below(world, 40);
    if (client_chance(world, world->big_percent)) {
        filler = client_below(world, client_chance(world, 5) ? 1500000 : 30000);
        filler = filler < world->big_left ? filler : 0;
        world->big_left -= filler;
    }
    const char *rest = base != NULL ? memchr(base->text, ',', base->text_len) : NULL;
    size_t rest_len = rest != NULL ? (size_t)(base->text + base->text_len - rest) : 0;
    draft->text = mem_alloc(filler + rest_len + 64);
    size_t len =
        (size_t)snprintf(draft->text, 64, "{\"by\":%" PRIu64, draft->asked.content);
    if (rest != NULL) {
        memcpy(draft->text + len, rest, rest_len);
        draft->text_len = len + rest_len;
        return;
    }
    memcpy(draft->text + len, ",\"f\":\"", 6);
    memset(draft->text + len + 6, 'x', filler);
    memcpy(draft->text + len + 6 + filler, "\"}", 2);
    draft->text_len = len + filler + 8;
}

struct history_task client_view(const struct registry *registry, uint64_t number)
{
    char name[32];
    snprintf(name, sizeof name, "t%" PRIu64, number);
    const struct task *task = registry_task(registry, name, strlen(name));
    if (task == NULL) {
        return (struct history_task){0};
    }
    return (struct history_task){
        .there = true,
        .enabled = task->enabled,
        .revision = task->revision,
        .content = strtoull(task->text + sizeof "{\"by\":" - 1, NULL, 10),
    };
}

/* --- one function a kind of write
 * -------------------------------------------------- */

static struct text draft_name(const struct draft *draft)
{
    return text_of(draft->name);
}

static struct text draft_content(const struct draft *draft)
{
    return (struct text){draft->text, draft->text_len};
}

static void draft_create(struct world *world, struct draft *draft)
{
    draft_text(world, draft, NULL);
    draft->asked.condition = TASK_CONDITION_NONE;
    draft->command.type = COMMAND_TASK_CREATE;
    draft->command.task_create.name = draft_name(draft);
    draft->command.task_create.text = draft_content(draft);
    draft->command.task_create.enabled_at = 1;
    draft->command.task_create.enabled = draft->asked.enabled;
}

static void draft_put(struct world *world, struct draft *draft, const struct task *task)
{
    draft->asked.keep_enabled = client_chance(world, 50);
    if (task != NULL && client_chance(world, 15)) { /* as it is: nothing changes */
        draft->asked.content = client_view(world->drawing, draft->asked.task).content;
        draft->text = mem_strndup(task->text, task->text_len);
        draft->text_len = task->text_len;
    } else {
        draft_text(world, draft, NULL);
    }
    draft->command.type = COMMAND_TASK_PUT;
    draft->command.task_put.name = draft_name(draft);
    draft->command.task_put.text = draft_content(draft);
    draft->command.task_put.enabled_at = 1;
    draft->command.task_put.enabled = draft->asked.enabled;
    draft->command.task_put.keep_enabled = draft->asked.keep_enabled;
    draft->command.task_put.condition = draft->asked.condition;
    draft->command.task_put.revision = draft->asked.expected;
}

/* As api/ does it: of the task that this node has now, to replace just that one. */
static void draft_merge(struct world *world, struct draft *draft,
                        const struct task *task)
{
    draft->asked.base = task->revision;
    draft->asked.enabled =
        client_chance(world, 50) ? task->enabled : draft->asked.enabled;
    draft_text(world, draft, client_chance(world, 70) ? task : NULL);
    draft->command.type = COMMAND_TASK_MERGE;
    draft->command.task_merge.name = draft_name(draft);
    draft->command.task_merge.text = draft_content(draft);
    draft->command.task_merge.enabled_at = 1;
    draft->command.task_merge.enabled = draft->asked.enabled;
    draft->command.task_merge.base = draft->asked.base;
    draft->command.task_merge.condition = draft->asked.condition;
    draft->command.task_merge.revision = draft->asked.expected;
}

static void draft_enable(struct draft *draft)
{
    if (draft->asked.condition == TASK_CONDITION_NONE) {
        draft->command.type = COMMAND_TASK_ENABLE;
        draft->command.task_enable.name = draft_name(draft);
        draft->command.task_enable.enabled = draft->asked.enabled;
        return;
    }
    draft->command.type = COMMAND_TASK_ENABLE_IF;
    draft->command.task_enable_if.name = draft_name(draft);
    draft->command.task_enable_if.enabled = draft->asked.enabled;
    draft->command.task_enable_if.condition = draft->asked.condition;
    draft->command.task_enable_if.revision = draft->asked.expected;
}

static void draft_delete(struct draft *draft)
{
    if (draft->asked.condition == TASK_CONDITION_NONE) {
        draft->command.type = COMMAND_TASK_DELETE;
        draft->command.task_delete.name = draft_name(draft);
        return;
    }
    draft->command.type = COMMAND_TASK_DELETE_IF;
    draft->command.task_delete_if.name = draft_name(draft);
    draft->command.task_delete_if.condition = draft->asked.condition;
    draft->command.task_delete_if.revision = draft->asked.expected;
}

static void draft_setting(struct world *world, struct draft *draft)
{
    draft->of_a_task = false;
    draft->command.type = COMMAND_SETTING_SET;
    draft->command.setting_set.name = text_of("events_max_count");
    draft->command.setting_set.value = client_below(world, 400);
}

/* If-Match with what was seen last, by anybody; with what was never so; and so on. */
static void draft_condition(struct world *world, struct history_op *asked)
{
    uint64_t dice = client_below(world, 100);
    if (dice < 45) {
        return;
    }
    asked->condition = dice < 88   ? TASK_CONDITION_REVISION
                       : dice < 94 ? TASK_CONDITION_PRESENT
                                   : TASK_CONDITION_ABSENT;
    asked->expected = 0;
    if (asked->condition == TASK_CONDITION_REVISION) {
        uint64_t seen = history_seen(world->history, asked->task).revision;
        asked->expected = dice < 80 ? seen : 1 + client_below(world, seen + 3);
    }
}

/* Most worlds have few names, so that writes meet; in the others each has its own, and
 * a few come back to an earlier one. */
static enum history_kind draft_subject(struct world *world, struct history_op *asked)
{
    static const enum history_kind kinds[] = {
        HISTORY_CREATE, HISTORY_PUT, HISTORY_MERGE, HISTORY_ENABLE, HISTORY_DELETE};
    static const uint32_t few_weights[] = {24, 20, 14, 26, 16};
    static const uint32_t own_weights[] = {80, 4, 4, 6, 6};
    bool few = world->name_count > 0;
    const uint32_t *weights = few ? few_weights : own_weights;
    uint64_t dice = client_below(world, 100);
    size_t kind = 0;
    while (dice >= weights[kind]) {
        dice -= weights[kind++];
    }
    asked->task = asked->number;
    if (few || kind > 0 || client_chance(world, 5)) {
        asked->task = client_below(world, few ? world->name_count : asked->number + 1);
    }
    return kinds[kind];
}

static void draft_kind(struct world *world, struct draft *draft, enum history_kind kind)
{
    const struct task *task =
        registry_task(world->drawing, draft->name, strlen(draft->name));
    if (kind == HISTORY_MERGE && task == NULL) {
        kind = HISTORY_CREATE; /* it would be a 404 at the door */
    }
    draft->asked.kind = kind;
    switch (kind) {
    case HISTORY_CREATE:
        draft_create(world, draft);
        break;
    case HISTORY_PUT:
        draft_put(world, draft, task);
        break;
    case HISTORY_MERGE:
        draft_merge(world, draft, task);
        break;
    case HISTORY_ENABLE:
        draft_enable(draft);
        break;
    case HISTORY_DELETE:
        draft_delete(draft);
        break;
    case HISTORY_READ:
        break;
    }
}

/* --- whom to ask
 * ------------------------------------------------------------------- */

static bool client_reaches(const struct sim_node *member)
{
    return member->state == SIM_NODE_UP && !member->paused;
}

static bool client_asks(struct world *world, const struct sim_node *member)
{
    if (!client_reaches(member)) {
        return false;
    }
    return sim_node_leads(member) ||
           (propose_takes(node_propose(member->node)) && world_chance(world, 50));
}

/* Where the 400s of one node after the other lead to; NULL: nowhere. */
static struct sim_node *client_follow(struct world *world, struct sim_node *member)
{
    for (size_t hops = 0; hops <= HOPS_MAX; hops++) {
        struct sim_node *next = NULL;
        struct node_status status;
        if (!client_reaches(member)) {
            return NULL;
        }
        if (propose_takes(node_propose(member->node))) {
            return member;
        }
        node_status(member->node, &status);
        for (size_t i = 0; i < world->count; i++) {
            bool named = strcmp(world->members[i].name, status.leader_name) == 0;
            next = named ? &world->members[i] : next;
        }
        transcript_note(world->transcript, "%s: 400, see %s", member->name,
                        next != NULL ? next->name : "-");
        if (next == NULL || next == member) {
            return NULL;
        }
        member = next;
    }
    return NULL;
}

/* --- keys
 * -------------------------------------------------------------------------- */

static void draft_fingerprint(struct draft *draft, bool other)
{
    uint64_t words[2] = {draft->asked.key, other};
    memcpy(draft->command.fingerprint, words, sizeof words);
}

static void draft_key(struct world *world, const struct sim_node *member,
                      struct draft *draft)
{
    bool level = registry_level(node_registry(member->node)) >= COMMAND_KEY_LEVEL;
    if (!level || !client_chance(world, 15)) {
        return;
    }
    draft->asked.key = draft->asked.content;
    snprintf(draft->key, sizeof draft->key, "k%" PRIu64, draft->asked.key);
    draft->command.key = text_of(draft->key);
    draft->command.scope = text_of("");
    draft_fingerprint(draft, false);
}

static void draft_free(struct draft *draft)
{
    mem_free(draft->text);
    mem_free(draft);
}

static void draft_unlink(struct draft *draft)
{
    struct draft **at = &draft->world->repeats;
    while (*at != draft) {
        at = &(*at)->next;
    }
    *at = draft->next;
}

/* It may have happened, or not, or it is only asked again: with its key that is safe.
 */
static void draft_done(struct draft *draft, bool answered)
{
    struct world *world = draft->world;
    bool again = !world->leaving && draft->key[0] != '\0' &&
                 draft->times < REPEATS_MAX && (!answered || client_chance(world, 15));
    if (!again) {
        draft_free(draft);
        return;
    }
    draft->next = world->repeats;
    world->repeats = draft;
    world_queue(world, &draft->repeat, 1 + client_below(world, 400000));
}

/* What was decided by the first with a key holds for all that come after it. */
static void draft_check_key(struct draft *draft, const struct result *result)
{
    const struct result *first = &draft->first;
    if (draft->key[0] == '\0' || result->code == ERR_CONFLICT ||
        result->code == ERR_KEY_REUSED || result->code == ERR_LEVEL) {
        return;
    }
    if (!draft->known) {
        draft->known = true;
        draft->first = *result;
        return;
    }
    if (!result->replayed || result->code != first->code ||
        result->revision != first->revision || result->created != first->created) {
        world_doubt(draft->world,
                    "%s was answered %d with revision %" PRIu64
                    ", and is now answered %d with revision %" PRIu64 "%s",
                    draft->key, first->code, first->revision, result->code,
                    result->revision, result->replayed ? "" : ", not as a repeat");
    }
}

/* --- submitting
 * -------------------------------------------------------------------- */

static void draft_submit(struct draft *draft, struct sim_node *member);
static void draft_merge_again(struct draft *draft, struct sim_node *member);

/* What an answer promises beside its outcome. */
static void draft_check_answer(const struct draft *draft, const struct sim_node *member,
                               const struct outcome *outcome)
{
    uint64_t shown = registry_sequence(node_registry(member->node));
    if (shown < outcome->result.sequence) {
        world_doubt(draft->world,
                    "%s: op%" PRIu64 " is answered with sequence %" PRIu64
                    ", and the node shows %" PRIu64,
                    member->name, draft->asked.number, outcome->result.sequence, shown);
    }
}

static void draft_decided(void *owner, const struct outcome *outcome)
{
    struct draft *draft = owner;
    struct world *world = draft->world;
    struct sim_node *member = &world->members[draft->asked.slot];
    const char *word = outcome->code == 0                     ? "acknowledged"
                       : outcome->code == ERR_OUTCOME_UNKNOWN ? "unknown"
                                                              : "never happened";
    transcript_note(world->transcript, "%s: op%" PRIu64 " %s (%d%s)", member->name,
                    draft->asked.number, word, outcome->result.code,
                    outcome->code == 0 && outcome->result.replayed ? ", replayed" : "");
    const char *wrong = truth_decided(world->truth, draft->asked.number, outcome);
    if (wrong != NULL) {
        world_doubt(world, "%s", wrong);
    }
    if (draft->of_a_task) {
        history_decided(world->history, draft->place, outcome);
    }
    if (outcome->code == 0) {
        draft_check_answer(draft, member, outcome);
        draft_check_key(draft, &outcome->result);
        reader_told(world, outcome->result.sequence);
    }
    if (outcome->code == 0 && outcome->result.code == ERR_CONFLICT &&
        draft->merges < MERGES_MAX && client_reaches(member)) {
        draft_merge_again(draft, member);
        return;
    }
    draft_done(draft, outcome->code == 0);
}

/* Commands of a level that the cluster, or this node, is not at. */
static bool draft_is_too_new(const struct draft *draft, const struct sim_node *member)
{
    uint32_t level = command_needs(&draft->command);
    return level > registry_level(node_registry(member->node)) || level > member->level;
}

/* Each time it is another request, so that what becomes of it can be told apart. */
static void draft_number(struct draft *draft, struct sim_node *member)
{
    draft->asked.number = truth_submitted(draft->world->truth);
    draft->asked.slot = member->slot;
    snprintf(draft->request_id, sizeof draft->request_id, "op%" PRIu64,
             draft->asked.number);
    draft->command.request_id = text_of(draft->request_id);
}

static void draft_submit(struct draft *draft, struct sim_node *member)
{
    struct world *world = draft->world;
    struct err err = {.text = "submitted"};
    draft->times++;
    if (draft->of_a_task) {
        draft->place = history_ask(world->history, &draft->asked);
    }
    int rv = propose_submit(node_propose(member->node), &draft->command, draft_decided,
                            draft, &err);
    transcript_note(world->transcript, "%s: op%" PRIu64 " %s t%" PRIu64 " %s: %s",
                    member->name, draft->asked.number,
                    command_name(draft->command.type), draft->asked.task, draft->key,
                    err.text);
    if (rv == 0) {
        return;
    }
    bool level = rv == ERR_LEVEL && draft_is_too_new(draft, member);
    if (rv != ERR_NOT_LEADER && rv != ERR_BUSY && rv != ERR_FULL && !level) {
        world_break(world, "%s refuses a write: %s", member->name, err.text);
    }
    if (draft->of_a_task) {
        history_forget_last(world->history);
    }
    truth_forget_last(world->truth);
    draft_done(draft, false);
}

/* Of the task as it is now; with its key, if it has one. */
static void draft_merge_again(struct draft *draft, struct sim_node *member)
{
    struct world *world = draft->world;
    world->drawing = node_registry(member->node);
    const struct task *task =
        registry_task(world->drawing, draft->name, strlen(draft->name));
    if (task == NULL) {
        draft_free(draft);
        return;
    }
    draft->merges++;
    draft_number(draft, member);
    draft->asked.content = ++world->contents;
    mem_free(draft->text);
    draft_merge(world, draft, task);
    draft_submit(draft, member);
}

static void draft_repeat(struct sim_event *event)
{
    struct draft *draft = event->owner;
    struct world *world = draft->world;
    size_t slot = client_below(world, world->count);
    struct sim_node *member = client_follow(world, &world->members[slot]);
    draft_unlink(draft);
    if (member == NULL) {
        draft->times++;
        draft_done(draft, draft->known);
        return;
    }
    draft_fingerprint(draft, client_chance(world, 3));
    if (draft->asked.kind == HISTORY_MERGE) {
        draft_merge_again(draft, member);
        return;
    }
    draft_number(draft, member);
    draft_submit(draft, member);
}

static void draft_write(struct world *world, struct sim_node *member)
{
    struct draft *draft = mem_zalloc(sizeof *draft);
    draft->world = world;
    draft->repeat = (struct sim_event){.fire = draft_repeat, .owner = draft};
    draft->of_a_task = true;
    draft->command.actor = text_of("");
    draft_number(draft, member);
    draft->asked.content = ++world->contents;
    draft->asked.enabled = client_chance(world, 50);
    world->drawing = node_registry(member->node);
    if (client_chance(world, 2)) {
        draft_setting(world, draft);
    } else {
        enum history_kind kind = draft_subject(world, &draft->asked);
        draft_condition(world, &draft->asked);
        snprintf(draft->name, sizeof draft->name, "t%" PRIu64, draft->asked.task);
        draft_kind(world, draft, kind);
        draft_key(world, member, draft);
    }
    draft_submit(draft, member);
}

void client_close(struct world *world)
{
    world->leaving = true;
    while (world->repeats != NULL) {
        struct draft *draft = world->repeats;
        world->repeats = draft->next;
        sim_time_cancel(world->time, &draft->repeat);
        draft_free(draft);
    }
}

/* --- turns
 * -------------------------------------------------------------------------- */

static void client_burst(struct world *world, struct sim_node *member, uint64_t burst)
{
    for (uint64_t n = 0; n < burst; n++) {
        draft_write(world, member);
    }
}

static void client_turn(struct sim_event *event)
{
    struct world *world = event->owner;
    size_t first = client_below(world, world->count);
    uint64_t burst = client_chance(world, 60) ? 1 : 1 + client_below(world, BURST_MAX);
    if (client_chance(world, 20)) {
        struct sim_node *member = client_follow(world, &world->members[first]);
        client_burst(world, member, member != NULL ? burst : 0);
    } else {
        for (size_t i = 0; i < world->count; i++) {
            struct sim_node *member = &world->members[(first + i) % world->count];
            client_burst(world, member, client_asks(world, member) ? burst : 0);
        }
    }
    uint64_t gap = world->write_gap_us;
    if (truth_op_count(world->truth) > CALM_AFTER && gap < CALM_GAP_US) {
        gap = CALM_GAP_US; /* a long log costs much and shows little */
    }
    world_queue(world, event, 1 + client_below(world, 2 * gap));
}

void client_init(struct world *world)
{
    world->client = (struct sim_event){.fire = client_turn, .owner = world};
    world_queue(world, &world->client, world->write_gap_us);
}
