/* SPDX-License-Identifier: Apache-2.0 */
#include "control/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PLACE_LEVEL 3 /* the feature level from which on a node carries runs out */

/* NULL: it can. */
static const char *place_refusal(const struct place_candidate *candidate)
{
    if (candidate->level < PLACE_LEVEL) {
        return "is of a version without runs";
    }
    if (!candidate->carries) {
        return "carries out no runs (runs.enabled, or it cannot: see its log)";
    }
    if (candidate->draining) {
        return "is draining";
    }
    if (!candidate->reachable) {
        return "cannot be reached";
    }
    if (!candidate->answers) {
        return "does not answer";
    }
    if (candidate->differs) {
        return "has another state than the majority";
    }
    if (candidate->full) {
        return "has a full disk";
    }
    return NULL;
}

static bool place_better(const struct place_candidate *a,
                         const struct place_candidate *b)
{
    if (a->live != b->live) {
        return a->live < b->live;
    }
    return strcmp(a->name, b->name) < 0;
}

static int place_nobody(const struct place_candidate *candidates, size_t count,
                        struct err *err)
{
    char why[ERR_TEXT_MAX - 64] = "";
    size_t len = 0;
    if (count == 0) { /* the first entries of a cluster: it is soon another one */
        return err_set(err, ERR_UNAVAILABLE,
                       "no node can carry out a run: no member is known yet");
    }
    for (size_t i = 0; i < count && len < sizeof why; i++) {
        int written =
            snprintf(why + len, sizeof why - len, "%s%s %s", i > 0 ? ", " : "",
                     candidates[i].name, place_refusal(&candidates[i]));
        len += written > 0 ? (size_t)written : 0;
    }
    return err_set(err, ERR_CONFLICT, "no node can carry out a run: %s", why);
}

int place_time_judge(const struct registry *registry, uint64_t clock_ms,
                     struct err *err)
{
    uint64_t from_ms = registry_runs_from_ms(registry);
    if (clock_ms >= from_ms) {
        return 0;
    }
    return err_set(err, ERR_CONFLICT,
                   "runs begin in %" PRIu64 " s: the cluster was made of the state of "
                   "another one, whose runs may still be ending",
                   (from_ms - clock_ms + 999) / 1000);
}

int place_choose(const struct place_candidate *candidates, size_t count, size_t *chosen,
                 struct err *err)
{
    const struct place_candidate *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (place_refusal(&candidates[i]) == NULL &&
            (best == NULL || place_better(&candidates[i], best))) {
            best = &candidates[i];
        }
    }
    if (best == NULL) {
        return place_nobody(candidates, count, err);
    }
    *chosen = (size_t)(best - candidates);
    return 0;
}
