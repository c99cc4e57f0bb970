/* SPDX-License-Identifier: Apache-2.0 */
/* Runs whose node is silent are declared lost, once their program must be dead
 * (DESIGN 9, rule 5; tests/model/fence.pml).
 *
 *   live run ──silence of its node, and time it is known here, ≥ its wait──▶ hold the
 *   node: no grants ──run_lost proposed──▶ decided ──▶ release the node
 *
 * The wait is (lease + grace)(1 + ρ) + 1 s with lease and grace as the run records
 * them. Silence counts from the last grant this leader answered, or from its own
 * election: any grant of before was confirmed before the votes, so it has run out by
 * then. That the run has also been known here for so long makes nothing safer; it gives
 * a node that had nothing to do, and so asked for no lease, the time to ask for one.
 *
 * While `lost` is proposed the node gets no grant: a lease given after the question
 * whether it is silent, and before the answer is committed, would let it start what is
 * lost. Who leads anew knows of no holds and needs none: it counts from its own
 * election, and what was proposed before is decided when it is settled.
 *
 * Runs of a node that is no member any more end likewise, after the same wait. That the
 * task of an apply that was lost is due again is apply's business. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "control/loop.h"

#define LOST_TICK_MS 100
#define LOST_BATCH   256 /* runs that one look declares lost */
#define LOST_NODES   32  /* nodes with such proposals at once */

/* A live run, and since when this leader has known it. */
struct lost_run {
    uint64_t run;
    uint64_t since_ms;
};

/* A node that is held: it has proposals that are not decided. */
struct lost_node {
    uint64_t id;
    size_t waiting;
};

struct lost {
    struct control *control;
    struct lost_run *runs; /* by number */
    size_t run_count;
    struct lost_node nodes[LOST_NODES];
    size_t node_count;
};

static void *lost_start(struct control *control)
{
    struct lost *lost = mem_zalloc(sizeof *lost);
    lost->control = control;
    return lost;
}

/* No release: what is proposed may still be committed, and then must find its node
 * without a grant. A new leadership, here or elsewhere, begins without holds. */
static void lost_stop(void *state)
{
    struct lost *lost = state;
    mem_free(lost->runs);
    mem_free(lost);
}

/* --- nodes that are held --------------------------------------------------------- */

static struct lost_node *lost_node(struct lost *lost, uint64_t id)
{
    for (size_t i = 0; i < lost->node_count; i++) {
        if (lost->nodes[i].id == id) {
            return &lost->nodes[i];
        }
    }
    return NULL;
}

static void lost_release(struct lost *lost, struct lost_node *node)
{
    node_lease_release(control_node(lost->control), node->id);
    *node = lost->nodes[--lost->node_count];
}

static void lost_decided(void *state, uint64_t tag, const struct outcome *outcome)
{
    struct lost *lost = state;
    struct lost_node *node = lost_node(lost, tag);
    if (outcome->code == ERR_OUTCOME_UNKNOWN) {
        return; /* it may still be committed: the node stays held */
    }
    if (--node->waiting == 0) {
        lost_release(lost, node);
    }
}

/* --- which runs, and when -------------------------------------------------------- */

static int lost_run_order(const void *a, const void *b)
{
    const struct lost_run *left = a;
    const struct lost_run *right = b;
    return (left->run > right->run) - (left->run < right->run);
}

static uint64_t lost_since(const struct lost *lost, uint64_t run, uint64_t now_ms)
{
    struct lost_run wanted = {.run = run};
    const struct lost_run *found = lost->run_count > 0
                                       ? bsearch(&wanted, lost->runs, lost->run_count,
                                                 sizeof *lost->runs, lost_run_order)
                                       : NULL;
    return found != NULL ? found->since_ms : now_ms;
}

/* Take note of the runs that are live now. */
static void lost_note(struct lost *lost, const struct registry *registry,
                      uint64_t now_ms)
{
    size_t count = registry_live_count(registry);
    struct lost_run *runs = mem_array(count + 1, sizeof *runs);
    size_t noted = 0;
    struct map_cursor cursor;
    registry_live_seek(registry, &cursor);
    const struct run *run = NULL;
    while ((run = registry_live_next(&cursor)) != NULL && noted < count) {
        runs[noted++] = (struct lost_run){run->id, lost_since(lost, run->id, now_ms)};
    }
    qsort(runs, noted, sizeof *runs, lost_run_order);
    mem_free(lost->runs);
    lost->runs = runs;
    lost->run_count = noted;
}

/* Only for a planted bug: the end of its connections says nothing of a node's runs. */
static bool lost_is_cut_off(const struct lost *lost, uint64_t id)
{
    struct node_member rows[LIMIT_MEMBERS];
    size_t count = node_members(control_node(lost->control), rows, LIMIT_MEMBERS);
    for (size_t i = 0; i < count && i < LIMIT_MEMBERS; i++) {
        if (rows[i].id == id) {
            return !rows[i].reachable;
        }
    }
    return true;
}

static uint64_t lost_wait_ms(const struct run *run)
{
    uint32_t grace_ms = PLANTED_OR(LOST_IN_LEASE, 0, run->grace_ms);
    return PLANTED_OR(LOST_AT_ONCE, 0, lease_over_ms(run->lease_ms, grace_ms));
}

static bool lost_overdue(const struct lost *lost, const struct run *run,
                         uint64_t now_ms)
{
    uint64_t wait_ms = lost_wait_ms(run);
    if (PLANTED(LOST_ON_EOF)) {
        return lost_is_cut_off(lost, run->node);
    }
    return node_silence_ms(control_node(lost->control), run->node) >= wait_ms &&
           now_ms - lost_since(lost, run->id, now_ms) >= wait_ms;
}

/* --- what is proposed ------------------------------------------------------------ */

static void lost_say_why(const struct lost *lost, const struct run *run, char *out,
                         size_t size)
{
    const struct member *member =
        registry_member(control_registry(lost->control), run->node);
    uint64_t silence_ms = node_silence_ms(control_node(lost->control), run->node);
    if (member == NULL) {
        snprintf(out, size, "its node is no member of the cluster any more");
    } else {
        snprintf(out, size,
                 "its node %s has not been heard of for %" PRIu64 ".%" PRIu64 " s",
                 member->name, silence_ms / 1000, silence_ms % 1000 / 100);
    }
}

static void lost_propose(struct lost *lost, struct lost_node *node,
                         const struct run *run)
{
    char why[LIMIT_ADDRESS_BYTES + 128];
    lost_say_why(lost, run, why, sizeof why);
    struct command command = {
        .type = COMMAND_RUN_LOST,
        .request_id = text_of(""),
        .actor = text_of(""),
        .run_lost = {.run = run->id, .node = run->node, .text = text_of(why)},
    };
    if (control_propose(lost->control, &command, lost_decided, lost, node->id) == 0) {
        log_warn("run %" PRIu64 " of task %s is lost: %s", run->id, run->task, why);
        node->waiting++;
    }
}

/* The node is held before the first of its runs is proposed. NULL: not now. */
static struct lost_node *lost_hold(struct lost *lost, uint64_t id)
{
    if (lost->node_count == LOST_NODES) {
        return NULL;
    }
    if (!PLANTED(LOST_UNHELD)) {
        node_lease_hold(control_node(lost->control), id);
    }
    struct lost_node *node = &lost->nodes[lost->node_count++];
    *node = (struct lost_node){.id = id};
    return node;
}

static uint64_t lost_look(void *state, uint64_t now_ms)
{
    struct lost *lost = state;
    const struct registry *registry = control_registry(lost->control);
    size_t held_before = lost->node_count; /* these wait for what they have proposed */
    size_t proposed = 0;
    lost_note(lost, registry, now_ms);
    struct map_cursor cursor;
    registry_live_seek(registry, &cursor);
    const struct run *run = NULL;
    while (proposed < LOST_BATCH && (run = registry_live_next(&cursor)) != NULL) {
        struct lost_node *node = lost_node(lost, run->node);
        if ((node != NULL && node < lost->nodes + held_before) ||
            !lost_overdue(lost, run, now_ms)) {
            continue;
        }
        node = node != NULL ? node : lost_hold(lost, run->node);
        if (node != NULL) {
            lost_propose(lost, node, run);
            proposed++;
        }
    }
    for (size_t i = lost->node_count; i > held_before; i--) {
        if (lost->nodes[i - 1].waiting == 0) { /* door 1 took none */
            lost_release(lost, &lost->nodes[i - 1]);
        }
    }
    return now_ms + LOST_TICK_MS;
}

const struct control_loop control_lost = {
    .name = "lost",
    .start = lost_start,
    .stop = lost_stop,
    .look = lost_look,
};
