/* SPDX-License-Identifier: Apache-2.0 */
/* Appends become frames: what is queued while one frame is being written goes together
 * in the next. A frame that fits in no segment there is waits for upkeep to make one.
 * An install goes alone: the file is published, then the reset frame is written, then
 * the anchor names the snapshot; nothing is written in between. */
#include <assert.h>

#include "base/mem.h"
#include "base/plant.h"
#include "raft/store/internal.h"

/* Entries of several appends go in one frame up to this size; larger ones go alone. */
#define WRITER_GROUP_BYTES (1024u * 1024)

static void writer_push(struct store *store, struct store_op *op)
{
    op->write_no = ++store->write_no;
    *store->queue_end = op;
    store->queue_end = &op->next;
}

uint64_t store_append(struct store *store, uint64_t first, const struct entry *entries,
                      size_t count, uint64_t commit, store_write_cb done, void *owner)
{
    assert(first > 0 && first <= store->last_queued + 1);
    assert(count > 0 || first <= store->last_queued);
    struct store_op *op = mem_zalloc(sizeof *op);
    *op = (struct store_op){
        .first = first,
        .entries = mem_array(count, sizeof *entries),
        .count = count,
        .commit = commit,
        .done = done,
        .owner = owner,
    };
    for (size_t i = 0; i < count; i++) {
        op->entries[i] = entries[i];
        bytes_ref(entries[i].data);
        op->content += FORMAT_ENTRY_HEAD + entries[i].data->len;
    }
    store->last_queued = first + count - 1;
    writer_push(store, op);
    uint64_t number = op->write_no;
    writer_start(store);
    return number;
}

void writer_queue_install(struct store *store, struct store_receipt *receipt)
{
    struct store_op *op = mem_zalloc(sizeof *op);
    *op = (struct store_op){.install = receipt, .first = receipt->meta.index + 1};
    store->last_queued = receipt->meta.index;
    writer_push(store, op);
    writer_start(store);
}

/* --- a group -----------------------------------------------------------------------
 */

static void writer_free_op(struct store_op *op)
{
    for (size_t i = 0; i < op->count; i++) {
        bytes_unref(op->entries[i].data);
    }
    mem_free(op->entries);
    receipt_free(op->install);
    mem_free(op);
}

/* The last operation of the group that begins the queue. */
static struct store_op *writer_group_end(const struct store *store)
{
    uint64_t limit =
        (store->segment_bytes - FORMAT_SECTOR) / FORMAT_SECTOR * FORMAT_PART -
        FORMAT_FRAME_HEAD;
    if (limit > WRITER_GROUP_BYTES) {
        limit = WRITER_GROUP_BYTES;
    }
    struct store_op *end = store->queue;
    uint64_t content = end->content;
    while (end->install == NULL && end->next != NULL && end->next->install == NULL &&
           content + end->next->content <= limit) {
        end = end->next;
        content += end->content;
    }
    return end;
}

/* What the group comes to: later operations void entries of earlier ones. */
static void writer_merge(struct store *store, const struct store_op *end)
{
    struct writer_lane *writer = &store->writer;
    size_t count = 0;
    for (const struct store_op *op = store->queue; op != end->next; op = op->next) {
        count += op->count;
    }
    writer->entries = mem_array(count, sizeof *writer->entries);
    uint64_t first = store->queue->first;
    size_t kept = 0;
    for (const struct store_op *op = store->queue; op != end->next; op = op->next) {
        if (op->first < first) {
            first = op->first;
        }
        kept = (size_t)(op->first - first);
        for (size_t i = 0; i < op->count; i++) {
            writer->entries[kept++] = op->entries[i];
        }
    }
    /* what is replaced is not synced yet in its new form, whatever the group's last
     * commit index says: the others may have committed it without this disk */
    uint64_t known = end->commit < first ? end->commit : first - 1;
    if (known > store->last) {
        known = store->last;
    }
    writer->frame = (struct disk_frame){
        .number = store->frame + 1,
        .previous = store->chain,
        .kind = first == store->last + 1 ? DISK_FRAME_APPEND : DISK_FRAME_REPLACE,
        .first = first,
        .known = known,
        .count = kept,
    };
    assert(first <= store->last + 1);
}

static void writer_reset(struct store *store, struct store_receipt *receipt)
{
    struct writer_lane *writer = &store->writer;
    uint64_t known =
        receipt->meta.index < store->last ? receipt->meta.index : store->last;
    writer->entries = NULL;
    writer->frame = (struct disk_frame){
        .number = store->frame + 1,
        .previous = store->chain,
        .kind = DISK_FRAME_RESET,
        .first = receipt->meta.index + 1,
        .known = known,
        .snapshot_index = receipt->meta.index,
        .snapshot_term = receipt->meta.term,
    };
}

/* Find room for `bytes`; false: there is none yet, upkeep is asked for it. */
static bool writer_place(struct store *store, uint64_t bytes)
{
    size_t at = store->active;
    while (at < store->segments.count &&
           store->segments.item[at].size - store->segments.item[at].used < bytes) {
        at++;
    }
    if (at == store->segments.count) {
        store->wanted_bytes = bytes;
        store_upkeep(store);
        return false;
    }
    for (size_t i = store->active; i < at; i++) {
        store->segments.item[i].last = store->last;
    }
    bool moved = at != store->active;
    store->active = at;
    struct writer_lane *writer = &store->writer;
    const struct segment *segment = &store->segments.item[at];
    writer->file = segment->file;
    writer->segment = segment->number;
    writer->offset = segment->used;
    if (moved) {
        store_upkeep(store); /* the next one ahead */
    }
    return true;
}

/* --- the job -----------------------------------------------------------------------
 */

static void writer_work(struct disk_job *job)
{
    struct writer_lane *writer = job->owner;
    struct disk *disk = writer->lane.store->disk;
    int result = 0;
    if (writer->install != NULL) {
        result = receipt_publish(writer->install, &writer->lane.err);
    }
    if (result == 0) {
        buf_clear(&writer->buf);
        format_put_frame(&writer->buf, &writer->frame, writer->entries, writer->segment,
                         writer->offset);
        result = disk_write(disk, writer->file, writer->offset, writer->buf.data,
                            writer->buf.len, &writer->lane.err);
    }
    if (result == 0) {
        result = PLANTED_OR(UNSYNCED_APPEND, 0,
                            disk_sync(disk, writer->file, &writer->lane.err));
    }
    writer->lane.result = PLANTED_OR(SWALLOW_ERROR, 0, result);
}

/* The store's view after the frame is synced. */
static void writer_account(struct store *store)
{
    struct writer_lane *writer = &store->writer;
    const struct disk_frame *frame = &writer->frame;
    store->segments.item[store->active].used = writer->offset + writer->buf.len;
    store->frame = frame->number;
    store->chain = frame->chain;
    store->frame_segment = writer->segment;
    store->last = frame->first + frame->count - 1;
    switch (frame->kind) {
    case DISK_FRAME_APPEND:
        break;
    case DISK_FRAME_REPLACE:
        segment_list_cut(&store->segments, frame->first);
        break;
    case DISK_FRAME_RESET:
        segment_list_cut(&store->segments, 1);
        break;
    }
}

static void writer_done(struct disk_job *job)
{
    struct writer_lane *writer = job->owner;
    struct store *store = writer->lane.store;
    if (!store_lane_ended(&writer->lane)) {
        return;
    }
    writer_account(store);
    mem_free(writer->entries);
    writer->entries = NULL;
    struct store_receipt *install = writer->install;
    writer->install = NULL;
    store->writer_held = true; /* what the callbacks append goes in one frame */
    while (writer->group != NULL) {
        struct store_op *op = writer->group;
        writer->group = op->next;
        store_write_cb done = op->done;
        void *owner = op->owner;
        uint64_t number = op->write_no;
        op->install = NULL; /* goes on below */
        writer_free_op(op);
        if (done != NULL && !store->closing && !store->dead) {
            done(owner, number);
        }
    }
    if (install != NULL) {
        receipt_written(install); /* releases the writer when it is anchored */
        return;
    }
    store->writer_held = false;
    writer_start(store);
}

void writer_release(struct store *store)
{
    store->writer_held = false;
    writer_start(store);
}

void writer_start(struct store *store)
{
    struct writer_lane *writer = &store->writer;
    if (writer->lane.busy || store->writer_held || store->queue == NULL ||
        store->dead || store->closing) {
        return;
    }
    struct store_receipt *install = store->queue->install;
    if (install != NULL && store->take.state > TAKE_WRITING) {
        return; /* a snapshot of ours is being published: it comes first */
    }
    struct store_op *end = writer_group_end(store);
    if (install != NULL) {
        writer_reset(store, install);
    } else {
        writer_merge(store, end);
    }
    uint64_t content = FORMAT_FRAME_HEAD;
    for (size_t i = 0; i < writer->frame.count; i++) {
        content += FORMAT_ENTRY_HEAD + writer->entries[i].data->len;
    }
    if (!writer_place(store, format_frame_bytes(content))) {
        mem_free(writer->entries);
        writer->entries = NULL;
        return;
    }
    writer->group = store->queue;
    writer->install = install;
    store->queue = end->next;
    if (store->queue == NULL) {
        store->queue_end = &store->queue;
    }
    end->next = NULL;
    store_lane_start(&writer->lane, writer_work, writer_done);
}

void writer_free(struct store *store)
{
    struct writer_lane *writer = &store->writer;
    struct store_op *lists[2] = {writer->group, store->queue};
    for (size_t i = 0; i < 2; i++) {
        while (lists[i] != NULL) {
            struct store_op *op = lists[i];
            lists[i] = op->next;
            writer_free_op(op);
        }
    }
    mem_free(writer->entries);
    buf_close(&writer->buf);
}
