/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots that come from a leader.
 *
 * A receipt does its steps one after the other: create, put ..., seal. Installed, it is
 * an operation in the writer's queue: publish, reset frame, anchor. Aborted, it ends
 * with the step that runs; its file is discarded. No room is remembered by the sink:
 * each step after it answers ERR_FULL. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "raft/store/internal.h"

enum receipt_step_kind { RECEIPT_OPEN, RECEIPT_PUT, RECEIPT_SEAL };

struct receipt_step {
    struct receipt_step *next;
    enum receipt_step_kind kind;
    struct bytes *data; /* put */
    store_snapshot_cb done;
    void *owner;
};

static struct receipt_step *receipt_pop(struct store_receipt *receipt)
{
    struct receipt_step *step = receipt->steps;
    receipt->steps = step->next;
    return step;
}

static void receipt_free_step(struct receipt_step *step)
{
    bytes_unref(step->data);
    mem_free(step);
}

void receipt_free(struct store_receipt *receipt)
{
    if (receipt == NULL) {
        return;
    }
    while (receipt->steps != NULL) {
        receipt_free_step(receipt_pop(receipt));
    }
    disk_close(receipt->sink->disk, receipt->sink->file);
    mem_free(receipt->sink);
    bytes_unref(receipt->meta.configuration);
    snapshot_file_unref(receipt->made);
    mem_free(receipt);
}

/* Close and remove what an aborted receipt leaves. */
static void receipt_discard(struct store_receipt *receipt)
{
    if (receipt->sink->file != NULL) {
        store_trash(receipt->lane.store, receipt->sink->name);
        store_upkeep(receipt->lane.store);
    }
    receipt_free(receipt);
}

/* --- steps -------------------------------------------------------------------------
 */

/* Sealed and synced: does all of it come back? */
static int receipt_seal(struct store_receipt *receipt)
{
    struct store *store = receipt->lane.store;
    struct snapshot_sink *sink = receipt->sink;
    if (snapshot_sink_seal(sink) != 0) {
        return sink->result;
    }
    struct snapshot_reader reader;
    struct snapshot_meta meta;
    sink->result = snapshot_reader_open(&reader, store->disk, &store->ids, sink->name,
                                        &meta, &sink->err);
    if (sink->result == 0) {
        disk_close(store->disk, reader.file);
        bytes_unref(meta.configuration); /* was never shared */
    }
    return sink->result;
}

static void receipt_work(struct disk_job *job)
{
    struct store_receipt *receipt = job->owner;
    struct store *store = receipt->lane.store;
    struct snapshot_sink *sink = receipt->sink;
    struct receipt_step *step = receipt->steps;
    switch (step->kind) {
    case RECEIPT_OPEN:
        snapshot_sink_open(sink, store->disk, &store->ids, receipt->name,
                           &receipt->meta);
        break;
    case RECEIPT_PUT:
        snapshot_sink_put(sink, step->data->data, step->data->len);
        break;
    case RECEIPT_SEAL:
        receipt_seal(receipt);
        break;
    }
    if (sink->result != 0 && sink->result != ERR_FULL) {
        receipt->lane.result = sink->result;
        receipt->lane.err = sink->err;
    }
}

static void receipt_done(struct disk_job *job);

static void receipt_step_start(struct store_receipt *receipt)
{
    store_lane_start(&receipt->lane, receipt_work, receipt_done);
}

static void receipt_answer(struct receipt_step *step, int result)
{
    store_snapshot_cb done = step->done;
    void *owner = step->owner;
    receipt_free_step(step);
    if (done != NULL) {
        done(owner, result);
    }
}

static void receipt_cancel_all(struct store_receipt *receipt)
{
    struct store *store = receipt->lane.store;
    while (receipt->steps != NULL && !store->closing && !store->dead) {
        receipt_answer(receipt_pop(receipt), ERR_CANCELLED);
    }
    receipt_discard(receipt);
}

static void receipt_done(struct disk_job *job)
{
    struct store_receipt *receipt = job->owner;
    bool aborted = receipt->aborted;
    if (!store_lane_ended(&receipt->lane)) {
        if (aborted) {
            receipt_free(receipt); /* nobody else knows it any more */
        }
        return;
    }
    if (aborted) {
        receipt_cancel_all(receipt);
        return;
    }
    struct receipt_step *step = receipt_pop(receipt);
    int result = receipt->sink->result;
    if (step->kind == RECEIPT_SEAL && result == 0) {
        receipt->sealed = true;
    }
    if (receipt->steps != NULL) {
        receipt_step_start(receipt);
    }
    receipt_answer(step, result); /* may abort the receipt */
}

static void receipt_queue(struct store *store, enum receipt_step_kind kind,
                          struct bytes *data, store_snapshot_cb done, void *owner)
{
    struct store_receipt *receipt = store->receipt;
    assert(receipt != NULL && !receipt->sealed);
    struct receipt_step **end = &receipt->steps;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    struct receipt_step *step = mem_zalloc(sizeof *step);
    *step = (struct receipt_step){
        .kind = kind,
        .data = data,
        .done = done,
        .owner = owner,
    };
    *end = step;
    if (!receipt->lane.busy) {
        receipt_step_start(receipt);
    }
}

void store_receive_begin(struct store *store, const struct snapshot_meta *meta)
{
    assert(store->receipt == NULL && meta->index > 0 && meta->term > 0);
    struct store_receipt *receipt = mem_zalloc(sizeof *receipt);
    store_lane_init(store, &receipt->lane);
    receipt->meta = *meta;
    bytes_ref(receipt->meta.configuration);
    receipt->sink = mem_zalloc(sizeof *receipt->sink);
    receipt->sink->disk = store->disk;
    snprintf(receipt->name, sizeof receipt->name, "receive-%" PRIu64 ".tmp",
             ++store->temporary);
    store->receipt = receipt;
    receipt_queue(store, RECEIPT_OPEN, NULL, NULL, NULL);
}

void store_receive_put(struct store *store, const void *data, size_t len,
                       store_snapshot_cb done, void *owner)
{
    receipt_queue(store, RECEIPT_PUT, bytes_new(data, len), done, owner);
}

void store_receive_seal(struct store *store, store_snapshot_cb done, void *owner)
{
    receipt_queue(store, RECEIPT_SEAL, NULL, done, owner);
}

void store_receive_abort(struct store *store)
{
    struct store_receipt *receipt = store->receipt;
    if (receipt == NULL) {
        return;
    }
    store->receipt = NULL; /* the running step's now, if one runs */
    receipt->aborted = true;
    if (!receipt->lane.busy) {
        receipt_cancel_all(receipt);
    }
}

/* --- install -----------------------------------------------------------------------
 */

void store_receive_install(struct store *store, store_snapshot_cb done, void *owner)
{
    struct store_receipt *receipt = store->receipt;
    assert(receipt != NULL && receipt->sealed);
    store->receipt = NULL; /* the writer's now; another one may come */
    receipt->installed = done;
    receipt->owner = owner;
    format_snapshot_name(receipt->name, receipt->meta.index, receipt->meta.term);
    if (store->take.state == TAKE_WRITING) {
        store->take.cancelled = true;
    }
    store->installs++;
    writer_queue_install(store, receipt);
}

int receipt_publish(struct store_receipt *receipt, struct err *err)
{
    return files_publish(receipt->lane.store->disk, receipt->sink->name, receipt->name,
                         err);
}

static void receipt_anchored(struct store *store, void *ctx)
{
    struct store_receipt *receipt = ctx;
    struct snapshot_file *made = receipt->made;
    store_snapshot_cb done = receipt->installed;
    void *owner = receipt->owner;
    receipt->made = NULL; /* the store's now */
    store->installs--;
    store->full_snapshot = 0;
    store->installing = NULL;
    store_adopt_end(store, made, receipt->drop);
    receipt_free(receipt);
    done(owner, 0);
    if (!store->closing && !store->dead) {
        writer_release(store);
    }
}

void receipt_written(struct store_receipt *receipt)
{
    struct store *store = receipt->lane.store;
    store->installing = receipt;
    receipt->made =
        snapshot_file_seal(store, receipt->sink, &receipt->meta, receipt->name);
    receipt->drop = store_droppable(store, receipt->meta.index);
    store_adopt_begin(store, receipt->made, receipt->drop);
    store_anchor_write(store, receipt_anchored, receipt);
}
