/* SPDX-License-Identifier: Apache-2.0 */
/* Answered operations stand in `known` in the order of the sequences they were told; a
 * run of equal sequences is a group, and its members may come in any order. The next to
 * have its effect is one of the first group that has any left, or an unknown one.
 *
 * Reads and refusals that are true of the state as it is now come at once: nothing is
 * gained by letting them wait. Unknown operations that would change nothing never come:
 * it is as if they had not happened.
 *
 * A state that an unknown operation made has a revision nobody was told: it is open,
 * with a lower bound, until an answer says what it is.
 *
 * Whoever has a hint where unknown operations may have come (`place`) is believed
 * first, which makes the search as short as it can be: an order that is found is an
 * order, wherever the idea came from. Only if there is none that way is it searched
 * for.
 *
 * Unknown operations that come one after the other with nothing known between are few
 * in most histories and make the search long in all others, so their number is bounded,
 * by 1, 2, 4, 8 ... until the bound makes no difference or the steps are used up. */
#include "sim/linear.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "sim/linear_state.h"

#define RUN_MAX 8

struct known {
    const struct history_op *op;
    bool done;
    uint64_t first_answer; /* of this one and all behind it */
};

struct pending {
    const struct history_op *op;
    bool done;
};

/* One step that was taken, and what else could have been. */
struct frame {
    struct state before;
    size_t first; /* place in `known` of the first that was not done */
    size_t run;   /* unknown operations in a row before it */
    size_t choice;
    size_t chosen; /* place in `known`, or behind them in `pending` */
    uint64_t set;  /* hash of those that were done */
};

struct search {
    struct known *known;
    size_t known_count;
    struct pending *pending;
    size_t pending_count;
    struct frame *frames;
    size_t depth;
    struct state state;
    size_t first;
    size_t run;
    bool guided; /* by the hints, and nowhere else */
    size_t run_max;
    bool bounded; /* run_max made a difference */
    uint64_t set;
    uint64_t steps; /* left */
    uint64_t *dead; /* hashes of (set, state) from which there is no way; 0: empty */
    size_t dead_count;
    size_t dead_capacity;
};

/* --- the search
 * ---------------------------------------------------------------------- */

static uint64_t op_hash(size_t place)
{
    return hash_mix(place + 0x9e3779b97f4a7c15u);
}

static uint64_t search_hash(const struct search *search)
{
    const struct state *state = &search->state;
    uint64_t words[] = {
        search->set,         state->task.there,
        state->task.enabled, state->task.revision,
        state->task.content, state->task.revision == 0 ? state->least : 0,
        state->low,          search->run};
    uint64_t hash = hash_bytes(words, sizeof words, 1);
    return hash != 0 ? hash : 1;
}

static bool search_is_dead(const struct search *search, uint64_t hash)
{
    size_t at = search->dead_capacity > 0 ? hash % search->dead_capacity : 0;
    while (search->dead_capacity > 0 && search->dead[at] != 0) {
        if (search->dead[at] == hash) {
            return true;
        }
        at = (at + 1) % search->dead_capacity;
    }
    return false;
}

static void search_bury(struct search *search, uint64_t hash)
{
    if (search->dead_count * 2 >= search->dead_capacity) {
        size_t count = search->dead_capacity;
        uint64_t *old = search->dead;
        search->dead_capacity = count > 0 ? count * 2 : 64;
        search->dead = mem_array(search->dead_capacity, sizeof *search->dead);
        search->dead_count = 0;
        for (size_t i = 0; i < count; i++) {
            if (old[i] != 0) {
                search_bury(search, old[i]);
            }
        }
        mem_free(old);
    }
    size_t at = hash % search->dead_capacity;
    while (search->dead[at] != 0) {
        at = (at + 1) % search->dead_capacity;
    }
    search->dead[at] = hash;
    search->dead_count++;
}

/* Past the last of the first group that has any left. */
static size_t search_group_end(const struct search *search)
{
    size_t end = search->first;
    while (end < search->known_count && search->known[end].op->sequence ==
                                            search->known[search->first].op->sequence) {
        end++;
    }
    return end;
}

/* Must none of those that are left come before `op`? */
static bool search_may(const struct search *search, const struct history_op *op,
                       size_t group_end)
{
    for (size_t i = search->first; i < group_end; i++) {
        const struct known *other = &search->known[i];
        if (!other->done && other->op != op && other->op->answered < op->asked) {
            return false;
        }
    }
    return group_end == search->known_count ||
           search->known[group_end].first_answer >= op->asked;
}

static void search_mark(struct search *search, size_t chosen, bool done)
{
    if (chosen < search->known_count) {
        search->known[chosen].done = done;
    } else {
        search->pending[chosen - search->known_count].done = done;
    }
}

static void search_take(struct search *search, size_t chosen, size_t choice,
                        const struct state *after)
{
    bool unknown = chosen >= search->known_count;
    search->frames[search->depth++] = (struct frame){
        .before = search->state,
        .first = search->first,
        .run = search->run,
        .choice = choice,
        .chosen = chosen,
        .set = search->set,
    };
    search_mark(search, chosen, true);
    search->state = *after;
    search->set ^= op_hash(chosen);
    search->run = unknown ? search->run + 1 : 0;
    while (search->first < search->known_count && search->known[search->first].done) {
        search->first++;
    }
}

#define CHOICE_FORCED SIZE_MAX

/* Take the last step back; returns the choice that it was. */
static size_t search_back(struct search *search)
{
    const struct frame *frame = &search->frames[--search->depth];
    search_mark(search, frame->chosen, false);
    search->state = frame->before;
    search->first = frame->first;
    search->run = frame->run;
    search->set = frame->set;
    return frame->choice;
}

/* Whoever only looks, and sees what is there; if one of the group changed it, then
 * after that one. */
static bool search_force(struct search *search, size_t group_end)
{
    bool early = false;
    for (size_t i = search->first; i < group_end; i++) {
        early |= !search->known[i].done && op_changed(search->known[i].op);
    }
    if (early && search->state.low < search->known[search->first].op->sequence) {
        return false;
    }
    for (size_t i = search->first; i < group_end; i++) {
        const struct history_op *op = search->known[i].op;
        struct state after = search->state;
        if (search->known[i].done || (op->kind != HISTORY_READ && op->code == 0) ||
            (after.task.there && after.task.revision == 0) ||
            !search_may(search, op, group_end) || !state_known(&after, op)) {
            continue;
        }
        search_take(search, i, CHOICE_FORCED, &after);
        return true;
    }
    return false;
}

/* Is there an unknown one before this place that would do just the same? */
static bool search_has_twin(const struct search *search, size_t place)
{
    const struct history_op *op = search->pending[place].op;
    bool plain = (op->kind == HISTORY_ENABLE || op->kind == HISTORY_DELETE) &&
                 op->condition == TASK_CONDITION_NONE;
    for (size_t i = 0; plain && i < place; i++) {
        const struct history_op *other = search->pending[i].op;
        if (!search->pending[i].done && other->kind == op->kind &&
            other->condition == op->condition && other->enabled == op->enabled) {
            return true;
        }
    }
    return false;
}

/* What the next read wants to see; unknown ones that write it are tried first. */
static uint64_t search_wanted(const struct search *search)
{
    for (size_t i = search->first; i < search->known_count && i < search->first + 8;
         i++) {
        const struct history_op *op = search->known[i].op;
        if (op->kind == HISTORY_READ && op->shown.there && !search->known[i].done) {
            return op->shown.content;
        }
    }
    return UINT64_MAX;
}

/* Had one with its key an effect already? */
static bool search_is_replay(const struct search *search, const struct history_op *op)
{
    for (size_t i = 0; op->key > 0 && i < search->pending_count; i++) {
        if (search->pending[i].done && search->pending[i].op->key == op->key) {
            return true;
        }
    }
    for (size_t i = 0; op->key > 0 && i < search->known_count; i++) {
        const struct history_op *other = search->known[i].op;
        if (search->known[i].done && other->key == op->key && other != op &&
            other->code != ERR_CONFLICT) {
            return true;
        }
    }
    return false;
}

/* Choices: the members of the group, the unknown operations that write what is wanted,
 * the other ones. */
static bool search_try(struct search *search, size_t choice, size_t group_end,
                       uint64_t wanted)
{
    size_t group = group_end - search->first;
    struct state after = search->state;
    if (choice < group) {
        struct known *known = &search->known[search->first + choice];
        if (known->done || search_is_replay(search, known->op) ||
            !search_may(search, known->op, group_end) ||
            !state_known(&after, known->op)) {
            return false;
        }
        search_take(search, search->first + choice, choice, &after);
        return true;
    }
    size_t place = (choice - group) % search->pending_count;
    bool second = choice - group >= search->pending_count;
    struct pending *pending = &search->pending[place];
    bool writes = pending->op->kind != HISTORY_ENABLE &&
                  pending->op->kind != HISTORY_DELETE && pending->op->content == wanted;
    if (pending->done || writes == second || search_is_replay(search, pending->op) ||
        search_has_twin(search, place) || !search_may(search, pending->op, group_end) ||
        !state_unknown(&after, pending->op)) {
        return false;
    }
    if (search->run >= search->run_max) {
        search->bounded = true;
        return false;
    }
    search_take(search, search->known_count + place, choice, &after);
    return true;
}

/* Has nobody who is left written this? */
static bool search_unwritten(const struct search *search, uint64_t content)
{
    for (size_t i = search->first; i < search->known_count; i++) {
        const struct history_op *op = search->known[i].op;
        if (!search->known[i].done && op->kind != HISTORY_READ && op->code == 0 &&
            op->content == content) {
            return false;
        }
    }
    for (size_t i = 0; i < search->pending_count; i++) {
        if (!search->pending[i].done && search->pending[i].op->content == content) {
            return false;
        }
    }
    return true;
}

/* Does one of the group need what is gone for good: a revision of the past, or a
 * content that nobody will write again? No unknown operation helps then. */
static bool search_is_hopeless(const struct search *search, size_t group_end)
{
    const struct state *state = &search->state;
    for (size_t i = search->first; i < group_end; i++) {
        const struct history_op *op = search->known[i].op;
        struct state copy = *state;
        uint64_t needs = op_needs(op);
        if (search->known[i].done) {
            continue;
        }
        if (needs > 0 && needs <= state->low && !state_is_revision(&copy, needs)) {
            return true;
        }
        if (op->kind == HISTORY_READ && op->shown.there &&
            (!state->task.there || op->shown.content != state->task.content) &&
            search_unwritten(search, op->shown.content)) {
            return true;
        }
    }
    return search->known[search->first].op->sequence < state->low;
}

/* The unknown one that comes next, by the hints; SIZE_MAX: none before the group. */
static size_t search_hint(const struct search *search)
{
    uint64_t limit = search->known[search->first].op->sequence;
    size_t next = SIZE_MAX;
    for (size_t i = 0; i < search->pending_count; i++) {
        const struct pending *pending = &search->pending[i];
        if (!pending->done && pending->op->place > 0 && pending->op->place <= limit) {
            limit = pending->op->place - 1;
            next = i;
        }
    }
    return next;
}

/* As the hints say, or not at all. */
static bool search_follow(struct search *search, size_t group_end)
{
    size_t next = search->pending_count > 0 ? search_hint(search) : SIZE_MAX;
    if (next == SIZE_MAX) {
        return false;
    }
    struct state after = search->state;
    const struct history_op *op = search->pending[next].op;
    if (op->place <= after.low || search_is_replay(search, op) ||
        !search_may(search, op, group_end) || !state_unknown(&after, op)) {
        return false;
    }
    after.low = op->place;
    after.task.revision = after.task.there ? op->place : 0;
    search_take(search, search->known_count + next, CHOICE_FORCED, &after);
    return true;
}

/* One step on from choice `from`; false: there is none. */
static bool search_step(struct search *search, size_t from)
{
    size_t group_end = search_group_end(search);
    if (from == 0 && search->guided && search_follow(search, group_end)) {
        return true;
    }
    if (from == 0 && search_force(search, group_end)) {
        return true;
    }
    size_t group = group_end - search->first;
    size_t choice = from;
    for (; choice < group; choice++) {
        if (search_try(search, choice, group_end, 0)) {
            return true;
        }
    }
    if (search->guided || search->pending_count == 0 ||
        search_is_hopeless(search, group_end)) {
        return false;
    }
    uint64_t wanted = search_wanted(search);
    for (; choice < group + 2 * search->pending_count; choice++) {
        if (search_try(search, choice, group_end, wanted)) {
            return true;
        }
    }
    return false;
}

static enum linear_verdict search_run(struct search *search)
{
    size_t from = 0;
    while (search->first < search->known_count) {
        if (search->steps == 0) {
            return LINEAR_GAVE_UP;
        }
        search->steps--;
        bool dead = from == 0 && search_is_dead(search, search_hash(search));
        if (!dead && search_step(search, from)) {
            from = 0;
            continue;
        }
        if (!dead) {
            search_bury(search, search_hash(search));
        }
        do { /* a forced step has no other */
            if (search->depth == 0) {
                return LINEAR_NO;
            }
            from = search_back(search);
        } while (from == CHOICE_FORCED);
        from++;
    }
    return LINEAR_YES;
}

/* --- setting out
 * --------------------------------------------------------------------- */

static int known_compare(const void *a, const void *b)
{
    const struct history_op *one = ((const struct known *)a)->op;
    const struct history_op *two = ((const struct known *)b)->op;
    if (one->sequence != two->sequence) {
        return one->sequence < two->sequence ? -1 : 1;
    }
    return one->asked != two->asked ? (one->asked < two->asked ? -1 : 1)
                                    : (one > two) - (one < two);
}

static int pending_compare(const void *a, const void *b)
{
    const struct history_op *one = ((const struct pending *)a)->op;
    const struct history_op *two = ((const struct pending *)b)->op;
    return one->asked != two->asked ? (one->asked < two->asked ? -1 : 1)
                                    : (one > two) - (one < two);
}

static void search_init(struct search *search, const struct history_op *ops,
                        size_t count)
{
    *search = (struct search){0};
    search->known = mem_array(count + 1, sizeof *search->known);
    search->pending = mem_array(count + 1, sizeof *search->pending);
    search->frames = mem_array(count + 1, sizeof *search->frames);
    for (size_t i = 0; i < count; i++) {
        if (ops[i].state == HISTORY_KNOWN) {
            search->known[search->known_count++].op = &ops[i];
        } else if (ops[i].state != HISTORY_NEVER && ops[i].kind != HISTORY_READ) {
            search->pending[search->pending_count++].op = &ops[i];
        }
    }
    qsort(search->known, search->known_count, sizeof *search->known, known_compare);
    qsort(search->pending, search->pending_count, sizeof *search->pending,
          pending_compare);
    uint64_t first = UINT64_MAX;
    for (size_t i = search->known_count; i-- > 0;) {
        uint64_t answered = search->known[i].op->answered;
        first = answered < first ? answered : first;
        search->known[i].first_answer = first;
    }
}

static void search_close(struct search *search)
{
    mem_free(search->known);
    mem_free(search->pending);
    mem_free(search->frames);
    mem_free(search->dead);
}

/* Was one answered before another one was asked that comes before it? Then there is no
 * need to search. */
static bool search_is_against_time(const struct search *search)
{
    for (size_t i = 0, end = 0; i < search->known_count; i++) {
        while (end < search->known_count &&
               search->known[end].op->sequence <= search->known[i].op->sequence) {
            end++;
        }
        if (end < search->known_count &&
            search->known[end].first_answer < search->known[i].op->asked) {
            return true;
        }
    }
    return false;
}

/* Does an answer show a change that is newer than it, or a content that nobody wrote?
 */
static bool search_is_absurd(const struct search *search)
{
    for (size_t i = 0; i < search->known_count; i++) {
        const struct history_op *op = search->known[i].op;
        if (op->shown.revision > op->sequence ||
            (op->kind == HISTORY_READ && op->shown.there &&
             search_unwritten(search, op->shown.content))) {
            return true;
        }
    }
    return false;
}

/* Once, with at most that many steps. */
static enum linear_verdict search_once(struct search *search, uint64_t steps)
{
    mem_free(search->dead); /* the dead may live under another bound */
    search->dead = NULL;
    search->dead_count = search->dead_capacity = 0;
    while (search->depth > 0) {
        search_back(search);
    }
    search->bounded = false;
    search->steps = steps;
    return search_run(search);
}

/* In any order. A bound that takes too many steps leaves the rest to the next one. */
static enum linear_verdict search_freely(struct search *search, uint64_t steps)
{
    search->guided = false;
    for (search->run_max = 1;; search->run_max *= 2) {
        enum linear_verdict verdict = search_once(search, steps / 4);
        if (verdict == LINEAR_YES || (verdict == LINEAR_NO && !search->bounded)) {
            return verdict;
        }
        if (search->run_max > search->pending_count || search->run_max >= RUN_MAX) {
            return LINEAR_GAVE_UP;
        }
    }
}

enum linear_verdict linear_check(const struct history_op *ops, size_t count,
                                 uint64_t steps)
{
    struct search search;
    enum linear_verdict verdict = LINEAR_NO;
    search_init(&search, ops, count);
    if (!search_is_against_time(&search) && !search_is_absurd(&search)) {
        search.guided = true;
        verdict = search_once(&search, count * 4 + 16);
        if (verdict != LINEAR_YES) {
            verdict = search_freely(&search, steps);
        }
    }
    search_close(&search);
    return verdict;
}
