/* SPDX-License-Identifier: Apache-2.0 */
/* The loops and the leadership they live by.
 *
 *            leads                       settled: an entry of its own term is applied
 *  FOLLOWING ─────▶ SETTLING ──────────────────────▶ LEADING   the loops run
 *      ▲               │  ▲                             │ │
 *      └── leads no more ─│─────────────────────────────┘ │
 *                         └── a newer term of its own ────┘
 *
 * Happy path: the node tells that it leads; SETTLING looks each tick whether it is
 * settled. LEADING has one timer, for the moment the first loop wants; events make
 * those loops look that live by them, once a turn whatever came in it.
 *
 * Failure modes: a leadership that was lost and won again within one turn shows by its
 * term, and the loops start anew. A proposal is an errand of its own on the heap: when
 * the loops stop it is cut off from them, and freed when door 1 decides it. */
#include "control/control.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/loop.h"

#define CONTROL_TICK_MS 20   /* until it is settled */
#define CONTROL_LEVEL   3    /* the feature level that knows runs */
#define CONTROL_LOW_MS  1000 /* until it is looked again whether the level is there */

enum control_phase { CONTROL_FOLLOWING, CONTROL_SETTLING, CONTROL_LEADING };

#define PHASE(phase) (1u << (phase))

static const unsigned phase_moves[] = {
    [CONTROL_FOLLOWING] = PHASE(CONTROL_SETTLING),
    [CONTROL_SETTLING] = PHASE(CONTROL_LEADING) | PHASE(CONTROL_FOLLOWING),
    [CONTROL_LEADING] = PHASE(CONTROL_SETTLING) | PHASE(CONTROL_FOLLOWING),
};

static const struct control_loop *const loops[] = {
    &control_lost,
    &control_drain,
    &control_schedule,
    &control_placement,
};

#define LOOP_COUNT (sizeof loops / sizeof loops[0])

/* A proposal without an outcome yet. */
struct control_errand {
    struct control *control; /* NULL: nobody wants to know any more */
    control_done done;
    void *state;
    uint64_t tag;
    struct control_errand *next;
    struct control_errand **at; /* the link that points to it */
};

struct control {
    struct clock *clock;
    struct node *node;
    enum control_phase phase;
    uint64_t term; /* of the leadership it settles for, or leads in */
    void *states[LOOP_COUNT];
    uint64_t due_ms[LOOP_COUNT];
    struct clock_timer timer;
    struct clock_task turn;
    struct fsm_watch events;
    struct node_watch leadership;
    struct control_errand *errands;
};

/* --- for the loops --------------------------------------------------------------- */

struct clock *control_clock(const struct control *control)
{
    return control->clock;
}

struct node *control_node(const struct control *control)
{
    return control->node;
}

const struct registry *control_registry(const struct control *control)
{
    return node_registry(control->node);
}

uint64_t control_clock_ms(const struct control *control)
{
    return propose_clock_ms(node_propose(control->node));
}

static void errand_unlink(struct control_errand *errand)
{
    *errand->at = errand->next;
    if (errand->next != NULL) {
        errand->next->at = errand->at;
    }
}

static void errand_decided(void *owner, const struct outcome *outcome)
{
    struct control_errand *errand = owner;
    if (errand->control != NULL) {
        errand_unlink(errand);
        errand->done(errand->state, errand->tag, outcome);
    }
    mem_free(errand);
}

int control_propose(struct control *control, const struct command *command,
                    control_done done, void *state, uint64_t tag)
{
    struct control_errand *errand = mem_zalloc(sizeof *errand);
    *errand = (struct control_errand){
        .control = control, .done = done, .state = state, .tag = tag};
    struct err err;
    int rv = propose_submit_here(node_propose(control->node), command, errand_decided,
                                 errand, &err);
    if (rv != 0) {
        mem_free(errand);
        return rv;
    }
    errand->next = control->errands;
    errand->at = &control->errands;
    if (errand->next != NULL) {
        errand->next->at = &errand->next;
    }
    control->errands = errand;
    return 0;
}

/* --- one leadership -------------------------------------------------------------- */

static void control_forget_errands(struct control *control)
{
    while (control->errands != NULL) {
        struct control_errand *errand = control->errands;
        errand_unlink(errand);
        errand->control = NULL;
    }
}

static void control_start_loops(struct control *control)
{
    log_debug("control: the loops of term %llu start",
              (unsigned long long)control->term);
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        control->states[i] = loops[i]->start(control);
        control->due_ms[i] = 0;
    }
}

static void control_stop_loops(struct control *control)
{
    log_debug("control: the loops of term %llu stop",
              (unsigned long long)control->term);
    control_forget_errands(control);
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        loops[i]->stop(control->states[i]);
        control->states[i] = NULL;
    }
}

static void control_move(struct control *control, enum control_phase to)
{
    assert(phase_moves[control->phase] & PHASE(to));
    if (control->phase == CONTROL_LEADING) {
        control_stop_loops(control);
    }
    control->phase = to;
    if (to == CONTROL_LEADING) {
        control_start_loops(control);
    }
}

/* Where it should stand, by what the node says. */
static void control_follow(struct control *control, const struct node_status *status)
{
    bool leads = status->role == NODE_LEADER;
    if (control->phase != CONTROL_FOLLOWING && !leads) {
        control_move(control, CONTROL_FOLLOWING);
    }
    if (control->phase == CONTROL_LEADING && status->term != control->term) {
        control_move(control, CONTROL_SETTLING);
    }
    if (control->phase == CONTROL_FOLLOWING && leads) {
        control_move(control, CONTROL_SETTLING);
    }
    control->term = status->term;
    if (control->phase == CONTROL_SETTLING && node_settled(control->node)) {
        control_move(control, CONTROL_LEADING);
    }
}

static void control_look_all(struct control *control, uint64_t now_ms)
{
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        if (control->due_ms[i] <= now_ms) {
            control->due_ms[i] = UINT64_MAX; /* what the look itself wakes counts */
            uint64_t due_ms = loops[i]->look(control->states[i], now_ms);
            if (due_ms < control->due_ms[i]) {
                control->due_ms[i] = due_ms;
            }
        }
    }
}

static bool control_knows_runs(const struct control *control)
{
    return registry_level(control_registry(control)) >= CONTROL_LEVEL;
}

static uint64_t control_next_ms(const struct control *control, uint64_t now_ms)
{
    if (control->phase == CONTROL_FOLLOWING) {
        return UINT64_MAX;
    }
    if (control->phase == CONTROL_SETTLING) {
        return now_ms + CONTROL_TICK_MS;
    }
    if (!control_knows_runs(control)) {
        return now_ms + CONTROL_LOW_MS;
    }
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        next_ms = control->due_ms[i] < next_ms ? control->due_ms[i] : next_ms;
    }
    return next_ms;
}

static void control_turn(struct control *control)
{
    struct node_status status;
    node_status(control->node, &status);
    control_follow(control, &status);
    uint64_t now_ms = clock_now_ms(control->clock);
    if (control->phase == CONTROL_LEADING && control_knows_runs(control)) {
        control_look_all(control, now_ms);
    }
    uint64_t next_ms = control_next_ms(control, now_ms);
    clock_timer_stop(control->clock, &control->timer);
    if (next_ms != UINT64_MAX) {
        clock_timer_start(control->clock, &control->timer,
                          next_ms > now_ms ? next_ms : now_ms + 1);
    }
}

static void control_task(struct clock_task *task)
{
    control_turn(task->owner);
}

static void control_timer(struct clock_timer *timer)
{
    control_turn(timer->owner);
}

void control_wake(struct control *control)
{
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        control->due_ms[i] = 0;
    }
    clock_defer(control->clock, &control->turn);
}

static void control_changed(struct fsm_watch *watch, uint64_t from, uint64_t to)
{
    (void)from;
    (void)to;
    struct control *control = watch->owner;
    if (control->phase == CONTROL_FOLLOWING) {
        return;
    }
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        if (loops[i]->on_change) {
            control->due_ms[i] = 0;
        }
    }
    clock_defer(control->clock, &control->turn);
}

static void control_led(struct node_watch *watch, const struct node_status *status)
{
    (void)status;
    struct control *control = watch->owner;
    clock_defer(control->clock, &control->turn);
}

/* --- life ------------------------------------------------------------------------ */

struct control *control_new(struct clock *clock, struct node *node)
{
    struct control *control = mem_zalloc(sizeof *control);
    control->clock = clock;
    control->node = node;
    control->timer = (struct clock_timer){.fire = control_timer, .owner = control};
    control->turn = (struct clock_task){.run = control_task, .owner = control};
    control->events = (struct fsm_watch){
        .changed = control_changed, .owner = control, .moments = true};
    control->leadership = (struct node_watch){.changed = control_led, .owner = control};
    fsm_watch(node_fsm(node), &control->events);
    node_on_leadership(node, &control->leadership);
    clock_defer(clock, &control->turn);
    return control;
}

void control_free(struct control *control)
{
    if (control->phase != CONTROL_FOLLOWING) {
        control_move(control, CONTROL_FOLLOWING);
    }
    clock_timer_stop(control->clock, &control->timer);
    clock_defer_cancel(control->clock, &control->turn);
    fsm_unwatch(node_fsm(control->node), &control->events);
    node_off_leadership(control->node, &control->leadership);
    mem_free(control);
}
