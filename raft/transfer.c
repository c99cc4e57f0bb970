/* SPDX-License-Identifier: Apache-2.0 */
/* sender:
 *
 *   IDLE ──wanted──▶ ASKING ──answer──▶ READING ──read──▶ SENT ──answer──▶ READING ...
 *     ▲                 └─────────────────┴─────────────────┘
 *     └── all there, refused, gone, silence, its time is over, leadership lost
 *
 * receiver:
 *
 *   IDLE ──begin──▶ WAITING ──piece──▶ WRITING ──written──▶ WAITING ...
 *     ▲                │                  └──all there──▶ SEALING ──▶ INSTALLING
 *     │                └── silence, its time is over ──┐    │            │
 *     └────────────────────────────────────────────────┴────┴── of no use, installed
 *
 * Two clocks end either side. Silence: no next piece, or no answer to one, for
 * TRANSFER_SILENCE_MS. And the whole: silence alone would let who sends or answers a
 * piece just in time hold the other, and the snapshot's file, for hours. The last
 * answer comes when all is synced and read again, which takes as long as there is much:
 * no silence ends that, only a second time as long as the first.
 *
 * Failure modes: a peer that goes ends the sending at once, a lost frame or a leader
 * that goes: a deadline ends either side. The engine asks again (engine.c says how
 * soon). A full disk ends the receipt. Leadership lost ends the sending. */
#include "raft/transfer.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/frame.h"
#include "raft/membership.h"

enum sender_state { SENDER_IDLE, SENDER_ASKING, SENDER_READING, SENDER_SENT };
enum receiver_state {
    RECEIVER_IDLE,
    RECEIVER_WAITING,
    RECEIVER_WRITING,
    RECEIVER_SEALING,
    RECEIVER_INSTALLING,
};
enum ack_word { ACK_MORE = 0, ACK_DONE = 1, ACK_REFUSED = 2 };

struct sender {
    struct transfer *transfer;
    enum sender_state state;
    bool given_up; /* while the pool reads: its answer is not wanted any more */
    uint64_t to;
    uint64_t id;
    uint64_t term;
    struct store_pin *pin;
    uint64_t total;
    uint64_t offset; /* of the piece under way */
    uint64_t due_ms; /* for all but the last answer */
    uint8_t *piece;
    struct clock_timer deadline;
};

struct receiver {
    enum receiver_state state;
    bool stale; /* the store's next answer is to something that was given up */
    uint64_t from;
    uint64_t id;
    uint64_t term;
    uint64_t total;
    uint64_t at;
    uint64_t due_ms; /* for all but the sealing */
    size_t piece_len;
    struct snapshot_meta meta;
    struct clock_timer deadline;
};

struct transfer {
    struct clock *clock;
    struct store *store;
    struct engine *engine;
    struct transfer_hooks hooks;
    void *owner;
    bool stopped;
    struct sender senders[LIMIT_MEMBERS];
    struct receiver receiver;
};

static void transfer_send(struct transfer *transfer, uint64_t to, struct buf *out)
{
    struct bytes *frame = bytes_new(out->data, out->len);
    buf_close(out);
    transfer->hooks.send(transfer->owner, to, frame);
    bytes_unref(frame);
}

uint64_t transfer_whole_ms(uint64_t content_bytes)
{
    uint64_t pieces = content_bytes / TRANSFER_PIECE_BYTES +
                      (content_bytes % TRANSFER_PIECE_BYTES != 0);
    if (pieces > (UINT32_MAX - TRANSFER_SILENCE_MS) / TRANSFER_PIECE_MS) {
        return UINT32_MAX; /* `content_bytes` is a peer's word; seven weeks */
    }
    return TRANSFER_SILENCE_MS + pieces * TRANSFER_PIECE_MS;
}

/* Until the next piece, or the answer to one. */
static void deadline_piece(struct transfer *transfer, struct clock_timer *timer,
                           uint64_t due_ms)
{
    uint64_t silence_ms = clock_now_ms(transfer->clock) + TRANSFER_SILENCE_MS;
    clock_timer_start(transfer->clock, timer,
                      silence_ms < due_ms ? silence_ms : due_ms);
}

/* Until the receiver has sealed it. */
static void deadline_seal(struct transfer *transfer, struct clock_timer *timer,
                          uint64_t due_ms, uint64_t content_bytes)
{
    clock_timer_start(transfer->clock, timer,
                      due_ms + transfer_whole_ms(content_bytes));
}

/* --- sending --------------------------------------------------------------------- */

static void sender_end(struct sender *sender)
{
    clock_timer_stop(sender->transfer->clock, &sender->deadline);
    if (sender->state ==
        SENDER_READING) { /* the buffer is the store's until it answers */
        sender->given_up = true;
        return;
    }
    if (sender->pin != NULL) {
        store_snapshot_unpin(sender->pin);
        sender->pin = NULL;
    }
    mem_free(sender->piece);
    sender->piece = NULL;
    sender->state = SENDER_IDLE;
    sender->given_up = false;
}

static bool sender_leads(const struct sender *sender)
{
    const struct engine *engine = sender->transfer->engine;
    return engine_role(engine) == ENGINE_LEADER && engine_term(engine) == sender->term;
}

static void sender_late(struct clock_timer *timer)
{
    struct sender *sender = timer->owner;
    log_warn("snapshot for node %llu: given up at byte %llu of %llu, no answer in time",
             (unsigned long long)sender->to, (unsigned long long)sender->offset,
             (unsigned long long)sender->total);
    sender_end(sender);
}

void transfer_wanted(struct transfer *transfer, uint64_t to)
{
    struct sender *free_one = NULL;
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        struct sender *sender = &transfer->senders[i];
        if (sender->state != SENDER_IDLE && sender->to == to) {
            return;
        }
        if (sender->state == SENDER_IDLE) {
            free_one = sender;
        }
    }
    struct snapshot_meta meta;
    if (free_one == NULL || transfer->stopped) {
        return;
    }
    free_one->pin = store_snapshot_pin(transfer->store, &meta, &free_one->total);
    if (free_one->pin == NULL) {
        return;
    }
    free_one->state = SENDER_ASKING;
    free_one->to = to;
    free_one->id = clock_random(transfer->clock);
    free_one->term = engine_term(transfer->engine);
    free_one->offset = 0;
    free_one->piece = mem_alloc(TRANSFER_PIECE_BYTES);
    free_one->due_ms =
        clock_now_ms(transfer->clock) + transfer_whole_ms(free_one->total);
    deadline_piece(transfer, &free_one->deadline, free_one->due_ms);
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, FRAME_SNAPSHOT);
    buf_put_u64(&out, free_one->id);
    buf_put_u64(&out, free_one->term);
    buf_put_u64(&out, meta.index);
    buf_put_u64(&out, PLANTED_OR(SNAPSHOT_TERM, free_one->term, meta.term));
    buf_put_u64(&out, meta.configuration_index);
    buf_put_u64(&out, free_one->total);
    buf_put_blob(&out, meta.configuration->data, meta.configuration->len);
    log_info("snapshot of index %llu (%llu bytes) goes to node %llu",
             (unsigned long long)meta.index, (unsigned long long)free_one->total,
             (unsigned long long)to);
    transfer_send(transfer, to, &out);
}

void transfer_lost(struct transfer *transfer, uint64_t to)
{
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        struct sender *sender = &transfer->senders[i];
        if (sender->state != SENDER_IDLE && sender->to == to && !sender->given_up) {
            log_info("snapshot for node %llu: given up at byte %llu of %llu, it is "
                     "gone or was",
                     (unsigned long long)to, (unsigned long long)sender->offset,
                     (unsigned long long)sender->total);
            sender_end(sender);
        }
    }
}

bool transfer_sending(const struct transfer *transfer)
{
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        if (transfer->senders[i].state != SENDER_IDLE) {
            return true;
        }
    }
    return false;
}

static void sender_read(void *owner, int result, size_t len)
{
    struct sender *sender = owner;
    sender->state = SENDER_SENT;
    if (sender->given_up || result != 0 || len == 0 || !sender_leads(sender)) {
        if (result != 0) {
            log_error("the newest snapshot cannot be read for node %llu",
                      (unsigned long long)sender->to);
        }
        sender_end(sender);
        return;
    }
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, FRAME_SNAPSHOT_CHUNK);
    buf_put_u64(&out, sender->id);
    buf_put_u64(&out, sender->offset);
    buf_put_blob(&out, sender->piece, len);
    transfer_send(sender->transfer, sender->to, &out);
}

/* An answer of the receiver: everything before `next` is there. */
static void sender_acked(struct sender *sender, uint64_t next, uint8_t word)
{
    if (sender->state == SENDER_READING) {
        return; /* a repeated answer */
    }
    if (word != ACK_MORE || next >= sender->total || !sender_leads(sender)) {
        sender_end(sender);
        return;
    }
    uint64_t left = sender->total - next;
    size_t len = left < TRANSFER_PIECE_BYTES ? (size_t)left : TRANSFER_PIECE_BYTES;
    sender->offset = next;
    sender->state = SENDER_READING;
    if (len == left) {
        deadline_seal(sender->transfer, &sender->deadline, sender->due_ms,
                      sender->total);
    } else {
        deadline_piece(sender->transfer, &sender->deadline, sender->due_ms);
    }
    store_snapshot_read(sender->pin, next, sender->piece, len, sender_read, sender);
}

/* --- receiving ------------------------------------------------------------------- */

static void receiver_ack(struct transfer *transfer, uint64_t to, uint64_t id,
                         uint64_t next, enum ack_word word)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, FRAME_SNAPSHOT_ACK);
    buf_put_u64(&out, id);
    buf_put_u64(&out, next);
    buf_put_u8(&out, (uint8_t)word);
    transfer_send(transfer, to, &out);
}

/* Back to nothing; what the store still has to answer is stale. */
static void receiver_abort(struct transfer *transfer)
{
    struct receiver *receiver = &transfer->receiver;
    assert(receiver->state != RECEIVER_INSTALLING);
    if (receiver->state == RECEIVER_IDLE) {
        return;
    }
    receiver->stale =
        receiver->state == RECEIVER_WRITING || receiver->state == RECEIVER_SEALING;
    receiver->state = RECEIVER_IDLE;
    clock_timer_stop(transfer->clock, &receiver->deadline);
    bytes_unref(receiver->meta.configuration);
    receiver->meta.configuration = NULL;
    store_receive_abort(transfer->store);
}

static void receiver_late(struct clock_timer *timer)
{
    struct transfer *transfer = timer->owner;
    log_warn(
        "snapshot of node %llu: given up at byte %llu of %llu, it comes too slowly",
        (unsigned long long)transfer->receiver.from,
        (unsigned long long)transfer->receiver.at,
        (unsigned long long)transfer->receiver.total);
    receiver_abort(transfer);
}

static void receiver_installed(void *owner, int result)
{
    struct transfer *transfer = owner;
    struct receiver *receiver = &transfer->receiver;
    assert(result == 0); /* any failure has ended the node */
    (void)result;
    receiver->state = RECEIVER_IDLE;
    bytes_unref(receiver->meta.configuration);
    receiver->meta.configuration = NULL;
    transfer->hooks.installed(transfer->owner);
}

static void receiver_sealed(void *owner, int result)
{
    struct transfer *transfer = owner;
    struct receiver *receiver = &transfer->receiver;
    if (receiver->stale) {
        receiver->stale = false;
        return;
    }
    clock_timer_stop(transfer->clock, &receiver->deadline);
    if (result != 0) {
        receiver_ack(transfer, receiver->from, receiver->id, receiver->at, ACK_REFUSED);
        receiver->state = RECEIVER_WAITING;
        receiver_abort(transfer);
        return;
    }
    receiver_ack(transfer, receiver->from, receiver->id, receiver->at, ACK_DONE);
    receiver->state = RECEIVER_WAITING;
    if (!engine_install(transfer->engine, receiver->from, receiver->term,
                        &receiver->meta)) {
        receiver_abort(transfer);
        return;
    }
    receiver->state = RECEIVER_INSTALLING;
    store_receive_install(transfer->store, receiver_installed, transfer);
}

static void receiver_written(void *owner, int result)
{
    struct transfer *transfer = owner;
    struct receiver *receiver = &transfer->receiver;
    if (receiver->stale) {
        receiver->stale = false;
        return;
    }
    receiver->state = RECEIVER_WAITING;
    if (result != 0) {
        receiver_ack(transfer, receiver->from, receiver->id, receiver->at, ACK_REFUSED);
        receiver_abort(transfer);
        return;
    }
    receiver->at += receiver->piece_len;
    if (receiver->at == receiver->total) {
        receiver->state = RECEIVER_SEALING;
        deadline_seal(transfer, &receiver->deadline, receiver->due_ms, receiver->total);
        store_receive_seal(transfer->store, receiver_sealed, transfer);
        return;
    }
    receiver_ack(transfer, receiver->from, receiver->id, receiver->at, ACK_MORE);
}

static int receiver_begin(struct transfer *transfer, uint64_t from,
                          struct cursor *cursor, struct err *err)
{
    struct receiver *receiver = &transfer->receiver;
    uint64_t id = cursor_u64(cursor);
    uint64_t term = cursor_u64(cursor);
    struct snapshot_meta meta = {
        .index = cursor_u64(cursor),
        .term = cursor_u64(cursor),
        .configuration_index = cursor_u64(cursor),
    };
    uint64_t total = cursor_u64(cursor);
    size_t len = 0;
    const uint8_t *bytes = cursor_blob(cursor, LIMIT_ENTRY_BYTES, &len);
    struct membership members;
    if (!cursor_done(cursor) || membership_decode(&members, bytes, len, NULL) != 0 ||
        total == 0 || meta.index == 0 || meta.term == 0 || meta.term > term ||
        meta.configuration_index == 0 || meta.configuration_index > meta.index) {
        return err_set(err, ERR_CORRUPT, "node %llu announces a snapshot that is none",
                       (unsigned long long)from);
    }
    if (engine_installing(transfer->engine) || receiver->stale ||
        term != engine_term(transfer->engine) ||
        from != engine_leader(transfer->engine) ||
        engine_role(transfer->engine) == ENGINE_LEADER ||
        meta.index <= engine_commit(transfer->engine)) {
        receiver_ack(transfer, from, id, 0, ACK_REFUSED);
        return 0;
    }
    receiver_abort(transfer); /* what came before is of no use any more */
    if (receiver->stale) {
        receiver_ack(transfer, from, id, 0, ACK_REFUSED);
        return 0;
    }
    meta.configuration = bytes_new(bytes, len);
    receiver->state = RECEIVER_WAITING;
    receiver->from = from;
    receiver->id = id;
    receiver->term = term;
    receiver->total = total;
    receiver->at = 0;
    receiver->meta = meta;
    receiver->due_ms = clock_now_ms(transfer->clock) + transfer_whole_ms(total);
    store_receive_begin(transfer->store, &meta);
    deadline_piece(transfer, &receiver->deadline, receiver->due_ms);
    receiver_ack(transfer, from, id, 0, ACK_MORE);
    return 0;
}

static int receiver_piece(struct transfer *transfer, uint64_t from,
                          struct cursor *cursor, struct err *err)
{
    struct receiver *receiver = &transfer->receiver;
    uint64_t id = cursor_u64(cursor);
    uint64_t offset = cursor_u64(cursor);
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, TRANSFER_PIECE_BYTES, &len);
    if (!cursor_done(cursor) || len == 0) {
        return err_set(err, ERR_CORRUPT, "node %llu sends a piece that is none",
                       (unsigned long long)from);
    }
    if (receiver->state != RECEIVER_WAITING || receiver->from != from ||
        receiver->id != id || receiver->at != offset ||
        len > receiver->total - receiver->at) {
        return 0; /* of another transfer, or again */
    }
    receiver->state = RECEIVER_WRITING;
    receiver->piece_len = len;
    deadline_piece(transfer, &receiver->deadline, receiver->due_ms);
    store_receive_put(transfer->store, data, len, receiver_written, transfer);
    return 0;
}

/* --- both ------------------------------------------------------------------------ */

static int sender_frame(struct transfer *transfer, uint64_t from, struct cursor *cursor,
                        struct err *err)
{
    uint64_t id = cursor_u64(cursor);
    uint64_t next = cursor_u64(cursor);
    uint8_t word = cursor_u8(cursor);
    if (!cursor_done(cursor) || word > ACK_REFUSED) {
        return err_set(err, ERR_CORRUPT, "node %llu sends an answer that is none",
                       (unsigned long long)from);
    }
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        struct sender *sender = &transfer->senders[i];
        if (sender->state != SENDER_IDLE && !sender->given_up && sender->to == from &&
            sender->id == id) {
            sender_acked(sender, next, word);
        }
    }
    return 0;
}

int transfer_frame(struct transfer *transfer, uint64_t from, const uint8_t *data,
                   size_t len, struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    switch (cursor_u8(&cursor)) {
    case FRAME_SNAPSHOT:
        return receiver_begin(transfer, from, &cursor, err);
    case FRAME_SNAPSHOT_CHUNK:
        return receiver_piece(transfer, from, &cursor, err);
    case FRAME_SNAPSHOT_ACK:
        return sender_frame(transfer, from, &cursor, err);
    default: /* a byte from outside */
        return err_set(err, ERR_CORRUPT, "node %llu sends a frame of kind %u",
                       (unsigned long long)from, len > 0 ? data[0] : 0);
    }
}

struct transfer *transfer_new(struct clock *clock, struct store *store,
                              struct engine *engine, const struct transfer_hooks *hooks,
                              void *owner)
{
    struct transfer *transfer = mem_zalloc(sizeof *transfer);
    transfer->clock = clock;
    transfer->store = store;
    transfer->engine = engine;
    transfer->hooks = *hooks;
    transfer->owner = owner;
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        transfer->senders[i].transfer = transfer;
        transfer->senders[i].deadline =
            (struct clock_timer){.fire = sender_late, .owner = &transfer->senders[i]};
    }
    transfer->receiver.deadline =
        (struct clock_timer){.fire = receiver_late, .owner = transfer};
    return transfer;
}

void transfer_stop(struct transfer *transfer)
{
    transfer->stopped = true;
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        clock_timer_stop(transfer->clock, &transfer->senders[i].deadline);
    }
    clock_timer_stop(transfer->clock, &transfer->receiver.deadline);
}

void transfer_free(struct transfer *transfer)
{
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        struct sender *sender = &transfer->senders[i];
        if (sender->pin != NULL) {
            store_snapshot_unpin(sender->pin);
        }
        mem_free(sender->piece);
    }
    bytes_unref(transfer->receiver.meta.configuration);
    mem_free(transfer);
}
