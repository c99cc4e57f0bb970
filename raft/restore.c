/* SPDX-License-Identifier: Apache-2.0 */
/*   EMPTY ──mark──▶ MARKED ──snapshot, segment, anchors, cluster id──▶ WHOLE
 *                   │    ▲
 *                   └────┘ cut off anywhere: done again from the beginning
 *
 * As in forming: the decision first, then the store, then the cluster id, each synced
 * before the next. A node refuses to start from a marked folder; one that was not
 * marked yet is as empty as it was. The store is that of a node alone that has
 * installed a snapshot of index 2, term 1: the membership, and the state. (Not of index
 * 1: libraft would take it for an entry 1 that is in the log, and who joins would get
 * neither.) */
#include "raft/restore.h"

#include <assert.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "raft/charter.h"
#include "raft/fsm.h"
#include "raft/identity.h"
#include "raft/snapshot.h"
#include "raft/store/store.h"

#define RESTORE_MEMBERSHIP 1 /* indexes */
#define RESTORE_INDEX      2
#define RESTORE_TERM       1

struct restore {
    struct snapshot_decoder *decoder; /* NULL: finished, or damaged */
    struct fsm *fsm;
    uint64_t bytes;
    bool whole;
};

struct restore *restore_new(void)
{
    struct restore *restore = mem_zalloc(sizeof *restore);
    restore->decoder = snapshot_decoder_new();
    restore->fsm = fsm_new();
    return restore;
}

void restore_free(struct restore *restore)
{
    snapshot_decoder_free(restore->decoder);
    fsm_free(restore->fsm);
    mem_free(restore);
}

int restore_feed(struct restore *restore, const void *data, size_t len, struct err *err)
{
    assert(restore->decoder != NULL);
    restore->bytes += len;
    return snapshot_decoder_feed(restore->decoder, data, len, err);
}

static uint64_t restore_deleting(const struct registry *registry)
{
    struct map_cursor cursor;
    const struct run *run = NULL;
    uint64_t count = 0;
    registry_live_seek(registry, &cursor);
    while ((run = registry_live_next(&cursor)) != NULL) {
        const struct task *task = registry_task(registry, run->task, strlen(run->task));
        count += task != NULL && task->deleting;
    }
    return count;
}

static void restore_complete(struct restore *restore, struct restore_summary *out)
{
    restore->whole = true;
    const struct registry *registry = fsm_registry(restore->fsm);
    const struct event_log *events = registry_events(registry);
    *out = (struct restore_summary){
        .bytes = restore->bytes,
        .tasks = registry_task_count(registry),
        .enabled = registry_task_enabled_count(registry),
        .members = registry_member_count(registry),
        .live = registry_live_count(registry),
        .deleting = restore_deleting(registry),
        .events = events->next - events->first,
        .first = events->first,
        .next = events->next,
        .digest = registry_digest(registry),
    };
}

int restore_finish(struct restore *restore, struct restore_summary *out,
                   struct err *err)
{
    assert(restore->decoder != NULL);
    struct snapshot_decoder *decoder = restore->decoder;
    restore->decoder = NULL; /* freed by what takes it */
    int rv = fsm_restore_decoded(restore->fsm, decoder, err);
    if (rv != 0) {
        return rv;
    }
    restore_complete(restore, out);
    return 0;
}

struct restore *restore_of(struct fsm *fsm, struct restore_summary *out)
{
    struct restore *restore = mem_zalloc(sizeof *restore);
    restore->fsm = fsm;
    restore_complete(restore, out);
    return restore;
}

const struct registry *restore_registry(const struct restore *restore)
{
    return fsm_registry(restore->fsm);
}

uint64_t restore_epoch(const struct restore *restore)
{
    return registry_events(fsm_registry(restore->fsm))->first;
}

uint64_t restore_calm_ms(const struct restore *restore)
{
    const struct registry *registry = fsm_registry(restore->fsm);
    uint64_t from_ms = registry_runs_from_ms(registry);
    uint64_t clock_ms = registry_clock_ms(registry);
    return from_ms > clock_ms ? from_ms - clock_ms : 0;
}

static int restore_put(void *ctx, const void *data, size_t len)
{
    return snapshot_sink_put(ctx, data, len);
}

static int restore_produce(void *owner, struct snapshot_sink *sink)
{
    const struct restore *restore = owner;
    return snapshot_encode(fsm_registry(restore->fsm), restore_put, sink);
}

/* This node is all the members there are. */
static struct bytes *restore_membership(const struct restore_target *target)
{
    struct charter charter = {.cluster_id = target->cluster_id, .count = 1};
    struct charter_row *row = &charter.rows[0];
    row->id = target->node_id;
    snprintf(row->name, sizeof row->name, "%s", target->name);
    snprintf(row->peer_address, sizeof row->peer_address, "%s", target->peer_address);
    snprintf(row->api_address, sizeof row->api_address, "%s", target->api_address);
    return charter_valid(&charter) ? charter_membership(&charter) : NULL;
}

static int restore_store(struct restore *restore, const struct restore_target *target,
                         struct bytes *membership, struct err *err)
{
    struct store_options options = {
        .disk = target->disk,
        .node_id = target->node_id,
        .cluster_id = target->cluster_id,
        .segment_bytes = target->segment_bytes,
    };
    struct snapshot_meta meta = {
        .index = RESTORE_INDEX,
        .term = RESTORE_TERM,
        .configuration_index = RESTORE_MEMBERSHIP,
        .configuration = membership,
    };
    return store_create_after(&options, &meta, restore_produce, restore, err);
}

int restore_write(struct restore *restore, const struct restore_target *target,
                  struct err *err)
{
    assert(restore->whole);
    struct change change = {
        .wall_ms = target->wall_ms,
        .request_id = "",
        .actor = "muster",
    };
    struct identity identity = {.node_id = target->node_id, .start_counter = 1};
    snprintf(identity.name, sizeof identity.name, "%s", target->name);
    struct bytes *membership = restore_membership(target);
    if (membership == NULL) {
        return err_set(err, ERR_INVALID,
                       "no node can have the name '%.64s' or the peer address '%.64s'",
                       target->name, target->peer_address);
    }
    int rv = fsm_recover(restore->fsm, &change, err);
    if (rv == 0) {
        rv = identity_begin_restore(&identity, target->disk, err);
    }
    if (rv == 0) {
        rv = restore_store(restore, target, membership, err);
    }
    if (rv == 0) {
        identity.restoring = false;
        identity.cluster_id = target->cluster_id;
        rv = identity_save(&identity, target->disk, err);
    }
    bytes_unref(membership);
    return rv;
}
