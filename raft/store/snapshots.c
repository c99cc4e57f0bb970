/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots taken here, and reading them.
 *
 *   idle ─▶ writing ─▶ publishing ─▶ anchoring ─▶ idle
 *             └─▶ idle (full, or an install overtook it: the file is discarded)
 *
 * From publishing on a snapshot is completed; an install waits for it. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "raft/store/internal.h"

/* --- files that are read -----------------------------------------------------------
 */

struct snapshot_request {
    struct snapshot_request *next;
    uint64_t offset;
    void *data;
    size_t len;
    size_t got;
    int result;
    struct err err;
    store_read_cb done;
    void *owner;
};

struct store_pin {
    struct snapshot_file *file;
};

struct snapshot_file *snapshot_file_new(struct store *store,
                                        const struct snapshot_reader *reader,
                                        const struct snapshot_meta *meta)
{
    struct snapshot_file *file = mem_zalloc(sizeof *file);
    file->refs = 1;
    file->store = store;
    file->reader = *reader;
    file->meta = *meta;
    bytes_ref(file->meta.configuration);
    file->job.owner = file;
    return file;
}

struct snapshot_file *snapshot_file_seal(struct store *store,
                                         struct snapshot_sink *sink,
                                         const struct snapshot_meta *meta,
                                         const char *name)
{
    struct snapshot_reader reader = {
        .disk = store->disk,
        .file = sink->file,
        .path = store->ids.path,
        .index = meta->index,
        .base = format_snapshot_base(meta->configuration->len),
        .chunks = sink->chunks,
        .content_bytes = sink->content_bytes,
    };
    snprintf(reader.name, sizeof reader.name, "%s", name);
    sink->file = NULL; /* the reader's now */
    return snapshot_file_new(store, &reader, meta);
}

void snapshot_file_unref(struct snapshot_file *file)
{
    if (file == NULL || --file->refs > 0) {
        return;
    }
    disk_close(file->reader.disk, file->reader.file);
    bytes_unref(file->meta.configuration);
    mem_free(file);
}

struct store_pin *store_snapshot_pin(struct store *store, struct snapshot_meta *meta,
                                     uint64_t *content_bytes)
{
    if (store->snapshot == NULL) {
        return NULL;
    }
    struct store_pin *pin = mem_zalloc(sizeof *pin);
    pin->file = store->snapshot;
    pin->file->refs++;
    *meta = pin->file->meta;
    *content_bytes = pin->file->reader.content_bytes;
    return pin;
}

void store_snapshot_unpin(struct store_pin *pin)
{
    snapshot_file_unref(pin->file);
    mem_free(pin);
}

static void snapshot_read_work(struct disk_job *job)
{
    struct snapshot_file *file = job->owner;
    struct snapshot_request *request = file->requests;
    request->result =
        snapshot_reader_read(&file->reader, request->offset, request->data,
                             request->len, &request->got, &request->err);
}

static void snapshot_read_done(struct disk_job *job);

static void snapshot_read_start(struct snapshot_file *file)
{
    file->job.work = snapshot_read_work;
    file->job.done = snapshot_read_done;
    store_job_begun(file->store);
    disk_submit(file->reader.disk, &file->job);
}

/* Each request holds the file. */
static void snapshot_read_done(struct disk_job *job)
{
    struct snapshot_file *file = job->owner;
    struct snapshot_request request = *file->requests;
    mem_free(file->requests);
    file->requests = request.next;
    bool going_on = store_job_ended(file->store);
    if (going_on && file->requests != NULL) {
        snapshot_read_start(file);
    }
    while (!going_on && file->requests != NULL) {
        struct snapshot_request *dropped = file->requests;
        file->requests = dropped->next;
        mem_free(dropped);
        snapshot_file_unref(file);
    }
    if (going_on) {
        request.done(request.owner, request.result, request.got);
    }
    snapshot_file_unref(file);
}

void store_snapshot_read(struct store_pin *pin, uint64_t offset, void *data, size_t len,
                         store_read_cb done, void *owner)
{
    struct snapshot_file *file = pin->file;
    struct snapshot_request **end = &file->requests;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    struct snapshot_request *request = mem_zalloc(sizeof *request);
    *request = (struct snapshot_request){
        .offset = offset,
        .data = data,
        .len = len,
        .done = done,
        .owner = owner,
    };
    *end = request;
    file->refs++;
    if (file->requests == request) {
        snapshot_read_start(file);
    }
}

int store_snapshot_load(struct store *store,
                        int (*consume)(void *owner, const void *data, size_t len,
                                       struct err *err),
                        void *owner, struct err *err)
{
    if (store->snapshot == NULL) {
        return err_set(err, ERR_NOT_FOUND, "%s: no snapshot", store->ids.path);
    }
    const struct snapshot_reader *reader = &store->snapshot->reader;
    uint8_t *room = mem_alloc(FORMAT_CHUNK);
    uint64_t offset = 0;
    int result = 0;
    while (result == 0 && offset < reader->content_bytes) {
        size_t got = 0;
        result = snapshot_reader_read(reader, offset, room, FORMAT_CHUNK, &got, err);
        if (result == 0) {
            result = consume(owner, room, got, err);
            offset += got;
        }
    }
    mem_free(room);
    return result;
}

/* --- taking one --------------------------------------------------------------------
 */

static void take_move(struct take_lane *take, enum take_state to)
{
    static const bool allowed[4][4] = {
        [TAKE_IDLE] = {[TAKE_WRITING] = true},
        [TAKE_WRITING] = {[TAKE_PUBLISHING] = true, [TAKE_IDLE] = true},
        [TAKE_PUBLISHING] = {[TAKE_ANCHORING] = true},
        [TAKE_ANCHORING] = {[TAKE_IDLE] = true},
    };
    assert(allowed[take->state][to]);
    take->state = to;
}

/* Over, one way or the other. */
static void take_end(struct store *store, int result)
{
    struct take_lane *take = &store->take;
    take_move(take, TAKE_IDLE);
    bytes_unref(take->meta.configuration);
    take->meta.configuration = NULL;
    mem_free(take->sink);
    take->sink = NULL;
    store_snapshot_cb done = take->done;
    done(take->owner, result);
    if (!store->closing && !store->dead) {
        writer_start(store); /* an install may have waited */
        store_upkeep(store);
    }
}

static void take_anchored(struct store *store, void *ctx)
{
    (void)ctx;
    struct take_lane *take = &store->take;
    struct snapshot_file *made = take->made;
    take->made = NULL; /* the store's now */
    store->full_snapshot = 0;
    store_adopt_end(store, made, take->drop);
    take_end(store, 0);
}

static void take_publish_work(struct disk_job *job)
{
    struct take_lane *take = job->owner;
    take->lane.result = files_publish(take->lane.store->disk, take->sink->name,
                                      take->name, &take->lane.err);
}

static void take_published(struct disk_job *job)
{
    struct take_lane *take = job->owner;
    struct store *store = take->lane.store;
    if (!store_lane_ended(&take->lane)) {
        return;
    }
    take->made = snapshot_file_seal(store, take->sink, &take->meta, take->name);
    take->drop = store_droppable(store, take->upto);
    take_move(take, TAKE_ANCHORING);
    store_adopt_begin(store, take->made, take->drop);
    store_anchor_write(store, take_anchored, NULL);
}

static void take_work(struct disk_job *job)
{
    struct take_lane *take = job->owner;
    struct store *store = take->lane.store;
    struct snapshot_sink *sink = take->sink;
    if (take->skip) {
        return;
    }
    int result =
        snapshot_sink_open(sink, store->disk, &store->ids, take->name, &take->meta);
    if (result == 0) {
        result = take->produce(take->owner, sink);
    }
    if (result == 0) {
        result = snapshot_sink_seal(sink);
    }
    if (result != 0 && sink->result == 0) {
        sink->result = err_set(&sink->err, ERR_INTERNAL,
                               "the state for a snapshot could not be produced");
    }
    take->full = sink->result == ERR_FULL;
    if (take->full) {
        snapshot_sink_discard(sink);
    } else if (sink->result != 0) {
        take->lane.result = sink->result;
        take->lane.err = sink->err;
    }
}

static void take_written(struct disk_job *job)
{
    struct take_lane *take = job->owner;
    struct store *store = take->lane.store;
    struct snapshot_sink *sink = take->sink;
    if (!store_lane_ended(&take->lane)) {
        return;
    }
    if (take->full) {
        store->full_snapshot = sink->at + sink->used + FORMAT_CHUNK;
    }
    if (take->full || take->cancelled) {
        if (sink->file != NULL) {
            disk_close(store->disk, sink->file);
            store_trash(store, sink->name);
            sink->file = NULL;
        }
        take_end(store, take->cancelled ? ERR_CANCELLED : ERR_FULL);
        return;
    }
    format_snapshot_name(take->name, take->meta.index, take->meta.term);
    take_move(take, TAKE_PUBLISHING);
    store_lane_start(&take->lane, take_publish_work, take_published);
}

void store_take_snapshot(struct store *store, const struct snapshot_meta *meta,
                         uint64_t trailing,
                         int (*produce)(void *owner, struct snapshot_sink *sink),
                         store_snapshot_cb done, void *owner)
{
    struct take_lane *take = &store->take;
    assert(meta->index > 0 && meta->term > 0);
    take_move(take, TAKE_WRITING);
    take->meta = *meta;
    bytes_ref(take->meta.configuration);
    take->upto = meta->index > trailing ? meta->index - trailing : 0;
    take->produce = produce;
    take->done = done;
    take->owner = owner;
    take->full = false;
    take->skip = store->installs > 0 || (store->snapshot != NULL &&
                                         store->snapshot->meta.index >= meta->index);
    take->cancelled = take->skip;
    take->sink = mem_zalloc(sizeof *take->sink);
    snprintf(take->name, sizeof take->name, "take-%" PRIu64 ".tmp", ++store->temporary);
    store_lane_start(&take->lane, take_work, take_written);
}

void snapshots_free(struct store *store)
{
    struct take_lane *take = &store->take;
    if (take->sink != NULL) {
        disk_close(store->disk, take->sink->file);
        mem_free(take->sink);
    }
    bytes_unref(take->meta.configuration);
    snapshot_file_unref(take->made);
    receipt_free(store->receipt);
    receipt_free(store->installing);
    snapshot_file_unref(store->snapshot);
}
