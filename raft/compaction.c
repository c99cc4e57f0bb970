/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/compaction.h"

#include "base/log.h"
#include "raft/snapshot.h"

static int compaction_put(void *ctx, const void *data, size_t len)
{
    return snapshot_sink_put(ctx, data, len);
}

/* In the pool. */
static int compaction_produce(void *owner, struct snapshot_sink *sink)
{
    struct compaction *compaction = owner;
    return snapshot_encode(compaction->frozen, compaction_put, sink);
}

static void compaction_forget(struct compaction *compaction)
{
    registry_thaw(compaction->frozen);
    bytes_unref(compaction->meta.configuration);
    compaction->frozen = NULL;
    compaction->meta = (struct snapshot_meta){0};
    compaction->taking = false;
}

static void compaction_done(void *owner, int result)
{
    struct compaction *compaction = owner;
    if (result == 0) {
        log_debug("snapshot of index %llu is taken",
                  (unsigned long long)compaction->meta.index);
        engine_snapshot_taken(compaction->engine, &compaction->meta, compaction->kept);
    }
    compaction_forget(compaction); /* full or overtaken: the next look tries again */
}

/* How many entries before `index` stay. */
static uint64_t compaction_trailing(const struct compaction *compaction, uint64_t index)
{
    uint64_t count = 0;
    uint64_t bytes = 0;
    while (count < compaction->trailing && count < index) {
        const struct entry *entry = engine_entry(compaction->engine, index - count);
        if (entry == NULL || bytes + entry->data->len > compaction->trailing_bytes) {
            break;
        }
        bytes += entry->data->len;
        count++;
    }
    return count;
}

void compaction_look(struct compaction *compaction, uint64_t applied, bool held)
{
    uint64_t last = engine_snapshot_index(compaction->engine);
    if (compaction->taking || held || applied < last + compaction->min_entries ||
        store_bytes(compaction->store) < compaction->min_bytes ||
        store_full(compaction->store) ||
        !engine_snapshot_meta(compaction->engine, applied, &compaction->meta)) {
        return;
    }
    compaction->taking = true;
    compaction->frozen = registry_freeze(fsm_registry(compaction->fsm));
    compaction->kept = compaction_trailing(compaction, applied);
    store_take_snapshot(compaction->store, &compaction->meta, compaction->kept,
                        compaction_produce, compaction_done, compaction);
}

static int compaction_feed(void *owner, const void *data, size_t len, struct err *err)
{
    return snapshot_decoder_feed(owner, data, len, err);
}

int compaction_load(struct store *store, struct fsm *fsm, struct err *err)
{
    struct snapshot_decoder *decoder = snapshot_decoder_new();
    int rv = store_snapshot_load(store, compaction_feed, decoder, err);
    if (rv != 0) {
        snapshot_decoder_free(decoder);
        return rv;
    }
    return fsm_restore_decoded(fsm, decoder, err);
}

void compaction_close(struct compaction *compaction)
{
    if (compaction->taking) {
        compaction_forget(compaction);
    }
}
