/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/applier.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "raft/rules.h"

#define APPLIER_TURN_MS 5

static void applier_more(struct clock_timer *timer)
{
    applier_run(timer->owner);
}

void applier_init(struct applier *applier)
{
    applier->applied = 0;
    applier->results = mem_array(LIMIT_BATCH_COMMANDS, sizeof *applier->results);
    applier->more = (struct clock_timer){.fire = applier_more, .owner = applier};
}

void applier_close(struct applier *applier)
{
    clock_timer_stop(applier->clock, &applier->more);
    mem_free(applier->results);
    applier->results = NULL;
}

static int applier_one(struct applier *applier, uint64_t index, struct err *err)
{
    const struct entry *entry = engine_entry(applier->engine, index);
    assert(entry != NULL);
    size_t count = 0;
    if (entry->type == ENTRY_COMMAND) {
        int rv = fsm_apply(applier->fsm, entry->data->data, entry->data->len,
                           applier->results, LIMIT_BATCH_COMMANDS, &count, err);
        if (rv != 0) {
            err_prefix(err, "entry %llu of term %llu", (unsigned long long)index,
                       (unsigned long long)entry->term);
            return rv;
        }
    }
    uint64_t term = entry->term;
    applier->applied = index;
    engine_applied(applier->engine, index);
    if (applier->digests != NULL && digest_watch_wants(applier->digests, index)) {
        digest_watch_note(applier->digests, index,
                          registry_digest(fsm_registry(applier->fsm)));
    }
    propose_applied(applier->propose, index, term, applier->results, count);
    return 0;
}

void applier_run(struct applier *applier)
{
    if (applier->engine == NULL ||
        (engine_installing(applier->engine) && rule_on(RULE_INSTALLING))) {
        return; /* while a snapshot replaces the log, what was committed is not in it */
    }
    uint64_t before = applier->applied;
    uint64_t end_ms = clock_now_ms(applier->clock) + APPLIER_TURN_MS;
    while (applier->applied < engine_commit(applier->engine)) {
        if (clock_now_ms(applier->clock) >= end_ms) {
            clock_timer_start(applier->clock, &applier->more, end_ms);
            break;
        }
        struct err err;
        if (applier_one(applier, applier->applied + 1, &err) != 0) {
            applier->failed(applier->owner, &err);
            return;
        }
    }
    if (applier->applied > before) {
        applier->progressed(applier->owner);
    }
}
