/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes, anchor, upkeep, closing.
 *
 * A segment's life:  made (temporary name) ─▶ published ─▶ anchored: in the list, ahead
 *                    ─▶ active ─▶ full of frames ─▶ forgotten by the anchor ─▶ removed
 * No room to make one: the store is full and tries again each second; it writes on in
 * what it has and, at the end of that, waits. */
#include "raft/store/store.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/store/internal.h"

#define STORE_RETRY_MS 1000

/* --- lanes -------------------------------------------------------------------------
 */

static void store_close_on(struct store *store);

void store_lane_init(struct store *store, struct store_lane *lane)
{
    lane->store = store;
    lane->job.owner = lane;
}

void store_job_begun(struct store *store)
{
    store->jobs++;
}

bool store_job_ended(struct store *store)
{
    assert(store->jobs > 0);
    store->jobs--;
    if (store->closing) {
        store_close_on(store);
        return false;
    }
    return !store->dead;
}

void store_lane_start(struct store_lane *lane, void (*work)(struct disk_job *job),
                      void (*done)(struct disk_job *job))
{
    assert(!lane->busy);
    lane->busy = true;
    lane->result = 0;
    lane->job.work = work;
    lane->job.done = done;
    store_job_begun(lane->store);
    disk_submit(lane->store->disk, &lane->job);
}

bool store_lane_ended(struct store_lane *lane)
{
    lane->busy = false;
    struct store *store = lane->store;
    int result = lane->result;
    if (!store_job_ended(store)) {
        return false; /* the lane may be gone with the store */
    }
    if (result != 0) {
        store_fail(store, &lane->err);
        return false;
    }
    return true;
}

void store_fail(struct store *store, const struct err *err)
{
    if (store->dead || store->closing) {
        return;
    }
    store->dead = true;
    clock_timer_stop(store->clock, &store->retry);
    struct err copy = *err; /* the owner may close the store from inside */
    store->failed(store->owner, &copy);
}

/* --- the anchor --------------------------------------------------------------------
 */

/* A vote's callback and its owner, until it is anchored. */
struct store_vote {
    void (*done)(void *owner);
    void *owner;
};

static void store_voted(struct store *store, void *ctx)
{
    (void)store;
    struct store_vote vote = *(struct store_vote *)ctx;
    mem_free(ctx);
    vote.done(vote.owner);
}

static void store_free_waits(struct store_wait *wait)
{
    while (wait != NULL) {
        struct store_wait *next = wait->next;
        if (wait->fire == store_voted) {
            mem_free(wait->ctx);
        }
        mem_free(wait);
        wait = next;
    }
}

static void anchor_done(struct disk_job *job);

static void anchor_work(struct disk_job *job)
{
    struct anchor_lane *anchors = job->owner;
    struct store *store = anchors->lane.store;
    for (size_t i = 0; i < 2 && anchors->lane.result == 0; i++) {
        anchors->lane.result =
            files_write_anchor(store->disk, anchors->file[i], &store->ids,
                               &anchors->value, &anchors->lane.err);
    }
}

static void anchor_start(struct store *store)
{
    struct anchor_lane *anchors = &store->anchors;
    if (anchors->lane.busy || !store->anchor_dirty || store->dead || store->closing) {
        return;
    }
    store->anchor_dirty = false;
    store->anchor.sequence++;
    store->anchor.frame = store->frame;
    anchors->value = store->anchor;
    anchors->waits = store->waits;
    store->waits = NULL;
    store_lane_start(&anchors->lane, anchor_work, anchor_done);
}

static void anchor_done(struct disk_job *job)
{
    struct anchor_lane *anchors = job->owner;
    struct store *store = anchors->lane.store;
    if (!store_lane_ended(&anchors->lane)) {
        return;
    }
    struct store_wait *waits = anchors->waits;
    anchors->waits = NULL; /* ours: what is fired may begin the next write */
    while (waits != NULL && !store->closing && !store->dead) {
        struct store_wait *wait = waits;
        waits = wait->next;
        wait->fire(store, wait->ctx);
        mem_free(wait);
    }
    store_free_waits(waits);
    anchor_start(store);
}

void store_anchor_write(struct store *store,
                        void (*fire)(struct store *store, void *ctx), void *ctx)
{
    struct store_wait **end = &store->waits;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    struct store_wait *wait = mem_zalloc(sizeof *wait);
    *wait = (struct store_wait){.fire = fire, .ctx = ctx};
    *end = wait;
    store->anchor_dirty = true;
    anchor_start(store);
}

void store_set_vote(struct store *store, uint64_t term, uint64_t vote,
                    void (*done)(void *owner), void *owner)
{
    assert(term >= store->anchor.term);
    store->anchor.term = term;
    store->anchor.vote = vote;
    struct store_vote *ctx = mem_zalloc(sizeof *ctx);
    *ctx = (struct store_vote){done, owner};
    store_anchor_write(store, store_voted, ctx);
}

/* --- upkeep ------------------------------------------------------------------------
 */

static int upkeep_remove(struct upkeep_lane *upkeep)
{
    struct disk *disk = upkeep->lane.store->disk;
    for (size_t i = 0; i < upkeep->name_count; i++) {
        int result = disk_remove(disk, upkeep->names[i], &upkeep->lane.err);
        if (result != 0 && result != ERR_NOT_FOUND) {
            return result;
        }
    }
    return disk_sync_folder(disk, &upkeep->lane.err);
}

static int upkeep_make(struct upkeep_lane *upkeep)
{
    struct store *store = upkeep->lane.store;
    int result = files_make_segment(store->disk, &store->ids, upkeep->number,
                                    upkeep->size, &upkeep->file, &upkeep->lane.err);
    upkeep->full = result == ERR_FULL;
    return upkeep->full ? 0 : result;
}

static void upkeep_work(struct disk_job *job)
{
    struct upkeep_lane *upkeep = job->owner;
    switch (upkeep->action) {
    case UPKEEP_REMOVE:
        upkeep->lane.result = upkeep_remove(upkeep);
        break;
    case UPKEEP_MAKE:
        upkeep->lane.result = upkeep_make(upkeep);
        break;
    case UPKEEP_MEASURE:
        upkeep->lane.result = disk_free_bytes(upkeep->lane.store->disk,
                                              &upkeep->free_bytes, &upkeep->lane.err);
        break;
    }
}

static void upkeep_forget_names(struct upkeep_lane *upkeep)
{
    for (size_t i = 0; i < upkeep->name_count; i++) {
        mem_free(upkeep->names[i]);
    }
    mem_free(upkeep->names);
    upkeep->names = NULL;
    upkeep->name_count = 0;
}

static void store_segment_anchored(struct store *store, void *ctx)
{
    (void)ctx;
    struct upkeep_lane *upkeep = &store->upkeep;
    segment_list_add(&store->segments, (struct segment){
                                           .number = upkeep->number,
                                           .size = upkeep->size,
                                           .used = FORMAT_SECTOR,
                                           .file = upkeep->file,
                                       });
    upkeep->file = NULL; /* the list's now */
    store->segment_anchoring = false;
    store->full_segment = false;
    store->wanted_bytes = 0;
    writer_start(store);
    store_upkeep(store);
}

static void upkeep_made(struct store *store)
{
    struct upkeep_lane *upkeep = &store->upkeep;
    if (upkeep->full) {
        if (!store->full_segment) {
            log_warn("%s: no room for another log segment", store->ids.path);
        }
        store->full_segment = true;
        clock_timer_start(store->clock, &store->retry,
                          clock_now_ms(store->clock) + STORE_RETRY_MS);
        return;
    }
    store->segment_anchoring = true;
    store->anchor.last_segment = upkeep->number;
    store_anchor_write(store, store_segment_anchored, NULL);
}

static void upkeep_done(struct disk_job *job)
{
    struct upkeep_lane *upkeep = job->owner;
    struct store *store = upkeep->lane.store;
    if (!store_lane_ended(&upkeep->lane)) {
        return;
    }
    switch (upkeep->action) {
    case UPKEEP_REMOVE:
        upkeep_forget_names(upkeep);
        break;
    case UPKEEP_MAKE:
        upkeep_made(store);
        break;
    case UPKEEP_MEASURE:
        if (upkeep->free_bytes >= store->full_snapshot) {
            store->full_snapshot = 0;
        } else {
            clock_timer_start(store->clock, &store->retry,
                              clock_now_ms(store->clock) + STORE_RETRY_MS);
        }
        return; /* not at once again */
    }
    store_upkeep(store);
}

/* Is there no segment ahead, or none that the waiting frame fits in? */
static bool store_needs_segment(const struct store *store)
{
    if (store->segment_anchoring) {
        return false;
    }
    for (size_t i = store->active + 1; i < store->segments.count; i++) {
        if (store->segments.item[i].size - FORMAT_SECTOR >= store->wanted_bytes) {
            return false;
        }
    }
    return true;
}

static void upkeep_begin(struct store *store, enum upkeep_action action)
{
    struct upkeep_lane *upkeep = &store->upkeep;
    upkeep->action = action;
    store_lane_start(&upkeep->lane, upkeep_work, upkeep_done);
}

/* `retrying`: the timer says that it is time to try what did not go for lack of room.
 */
static void store_upkeep_now(struct store *store, bool retrying)
{
    struct upkeep_lane *upkeep = &store->upkeep;
    if (upkeep->lane.busy || store->dead || store->closing) {
        return;
    }
    if (store->trash_count > 0) {
        upkeep->names = store->trash;
        upkeep->name_count = store->trash_count;
        store->trash = NULL; /* the lane's now */
        store->trash_count = 0;
        upkeep_begin(store, UPKEEP_REMOVE);
    } else if (store_needs_segment(store) &&
               (retrying || !clock_timer_active(&store->retry))) {
        uint64_t wanted = store->wanted_bytes + FORMAT_SECTOR;
        upkeep->number = store->anchor.last_segment + 1;
        upkeep->size = wanted > store->segment_bytes ? wanted : store->segment_bytes;
        upkeep_begin(store, UPKEEP_MAKE);
    } else if (store->full_snapshot > 0 && retrying) {
        upkeep_begin(store, UPKEEP_MEASURE);
    } else if (store->full_snapshot > 0 && !clock_timer_active(&store->retry)) {
        clock_timer_start(store->clock, &store->retry,
                          clock_now_ms(store->clock) + STORE_RETRY_MS);
    }
}

void store_upkeep(struct store *store)
{
    store_upkeep_now(store, false);
}

static void store_retry(struct clock_timer *timer)
{
    store_upkeep_now(timer->owner, true);
}

void store_trash(struct store *store, const char *name)
{
    store->trash =
        mem_realloc(store->trash, (store->trash_count + 1) * sizeof *store->trash);
    store->trash[store->trash_count++] = mem_strdup(name);
}

bool store_full(const struct store *store)
{
    return store->full_segment || store->full_snapshot > 0;
}

uint64_t store_bytes(const struct store *store)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i <= store->active; i++) {
        bytes += store->segments.item[i].used - FORMAT_SECTOR;
    }
    return bytes;
}

/* --- a snapshot becomes the current one --------------------------------------------
 */

size_t store_droppable(const struct store *store, uint64_t upto)
{
    size_t count = 0;
    while (count < store->active && store->segments.item[count].last <= upto &&
           store->segments.item[count].number < store->frame_segment) {
        count++;
    }
    return count;
}

void store_adopt_begin(struct store *store, const struct snapshot_file *file,
                       size_t drop)
{
    store->anchor.snapshot_index = file->meta.index;
    store->anchor.snapshot_term = file->meta.term;
    store->anchor.first_segment = store->segments.item[drop].number;
}

void store_adopt_end(struct store *store, struct snapshot_file *file, size_t drop)
{
    if (store->snapshot != NULL) {
        store_trash(store, store->snapshot->reader.name);
        snapshot_file_unref(store->snapshot);
    }
    store->snapshot = file;
    for (size_t i = 0; i < drop; i++) {
        char name[FORMAT_NAME_MAX];
        format_segment_name(name, store->segments.item[i].number);
        store_trash(store, name);
        disk_close(store->disk, store->segments.item[i].file);
    }
    segment_list_drop(&store->segments, drop);
    store->active -= drop;
    store_upkeep(store);
}

/* --- birth and end -----------------------------------------------------------------
 */

struct store *store_new(const struct store_options *options)
{
    struct store *store = mem_zalloc(sizeof *store);
    store->disk = options->disk;
    store->clock = options->clock;
    store->ids = (struct format_ids){
        .node_id = options->node_id,
        .cluster_id = options->cluster_id,
        .path = options->disk->path,
    };
    store->segment_bytes = files_segment_bytes(options->segment_bytes);
    store->owner = options->owner;
    store->failed = options->failed;
    store->queue_end = &store->queue;
    store->retry = (struct clock_timer){.fire = store_retry, .owner = store};
    store_lane_init(store, &store->anchors.lane);
    store_lane_init(store, &store->writer.lane);
    store_lane_init(store, &store->upkeep.lane);
    store_lane_init(store, &store->take.lane);
    buf_init(&store->writer.buf);
    return store;
}

void store_free(struct store *store)
{
    assert(store->jobs == 0);
    clock_timer_stop(store->clock, &store->retry);
    writer_free(store);
    snapshots_free(store);
    store_free_waits(store->waits);
    store_free_waits(store->anchors.waits);
    upkeep_forget_names(&store->upkeep);
    disk_close(store->disk, store->upkeep.file);
    for (size_t i = 0; i < store->trash_count; i++) {
        mem_free(store->trash[i]);
    }
    mem_free(store->trash);
    for (size_t i = 0; i < store->segments.count; i++) {
        disk_close(store->disk, store->segments.item[i].file);
    }
    segment_list_close(&store->segments);
    disk_close(store->disk, store->anchors.file[0]);
    disk_close(store->disk, store->anchors.file[1]);
    mem_free(store);
}

static void store_close_on(struct store *store)
{
    if (store->jobs > 0 || store->close_task.queued) {
        return;
    }
    void (*closed)(void *owner) = store->closed;
    void *owner = store->closed_owner;
    store_free(store);
    closed(owner);
}

static void store_close_later(struct clock_task *task)
{
    store_close_on(task->owner);
}

void store_close(struct store *store, void (*closed)(void *owner), void *owner)
{
    assert(!store->closing);
    store->closing = true;
    store->closed = closed;
    store->closed_owner = owner;
    clock_timer_stop(store->clock, &store->retry);
    store->close_task = (struct clock_task){.run = store_close_later, .owner = store};
    clock_defer(store->clock, &store->close_task);
}
