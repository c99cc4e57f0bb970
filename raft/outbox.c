/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/outbox.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/rules.h"

void outbox_init(struct outbox *outbox, struct store *store, struct entry_log *log,
                 uint64_t term, uint64_t vote, const struct outbox_hooks *hooks,
                 void *owner)
{
    *outbox = (struct outbox){
        .store = store,
        .log = log,
        .hooks = *hooks,
        .owner = owner,
        .term = term,
        .vote = vote,
    };
}

/* --- frames -------------------------------------------------------------------------
 */

static bool outbox_gate_closed(const struct outbox *outbox)
{
    return !PLANTED(TELL_BEFORE_SYNC) && (outbox->vote_writing || outbox->barrier != 0);
}

/* A disk may hang for long: what waits for it is bounded like what waits for a peer. */
bool outbox_send(struct outbox *outbox, uint64_t to, struct bytes *frame)
{
    if (!outbox_gate_closed(outbox)) {
        return outbox->hooks.send(outbox->owner, to, frame);
    }
    if (outbox->held_bytes + frame->len > LIMIT_PEER_QUEUE_BYTES) {
        return false;
    }
    if (outbox->held_count == outbox->held_capacity) {
        outbox->held_capacity =
            outbox->held_capacity > 0 ? outbox->held_capacity * 2 : 8;
        outbox->held =
            mem_realloc(outbox->held, outbox->held_capacity * sizeof *outbox->held);
    }
    outbox->held[outbox->held_count++] = (struct outbox_held){to, bytes_ref(frame)};
    outbox->held_bytes += frame->len;
    return true;
}

static void outbox_release(struct outbox *outbox)
{
    if (outbox_gate_closed(outbox)) {
        return;
    }
    for (size_t i = 0; i < outbox->held_count; i++) {
        struct outbox_held *held = &outbox->held[i];
        outbox->hooks.send(outbox->owner, held->to, held->frame);
        bytes_unref(held->frame);
    }
    outbox->held_count = 0;
    outbox->held_bytes = 0;
}

/* --- entries ------------------------------------------------------------------------
 */

static struct outbox_write *outbox_write_at(const struct outbox *outbox,
                                            size_t position)
{
    return &outbox->writes[(outbox->write_head + position) &
                           (outbox->write_capacity - 1)];
}

static void outbox_write_push(struct outbox *outbox, struct outbox_write write)
{
    if (outbox->write_count == outbox->write_capacity) {
        size_t capacity = outbox->write_capacity > 0 ? outbox->write_capacity * 2 : 8;
        struct outbox_write *ring = mem_array(capacity, sizeof *ring);
        for (size_t i = 0; i < outbox->write_count; i++) {
            ring[i] = *outbox_write_at(outbox, i);
        }
        mem_free(outbox->writes);
        outbox->writes = ring;
        outbox->write_capacity = capacity;
        outbox->write_head = 0;
    }
    outbox->write_count++;
    *outbox_write_at(outbox, outbox->write_count - 1) = write;
}

static void outbox_written(void *owner, uint64_t number)
{
    struct outbox *outbox = owner;
    struct outbox_write write = *outbox_write_at(outbox, 0);
    assert(outbox->write_count > 0 && write.number == number);
    outbox->write_head = (outbox->write_head + 1) & (outbox->write_capacity - 1);
    outbox->write_count--;
    if (outbox->stopped) {
        return;
    }
    if (outbox->barrier == number) {
        outbox->barrier = 0;
        outbox_release(outbox);
    }
    outbox->hooks.stored(outbox->owner, write.last);
}

/* Give the store what it has not got yet, unless term and vote have to go first. */
static void outbox_hand_over(struct outbox *outbox)
{
    if (outbox->unhanded == 0 || outbox->vote_writing) {
        return;
    }
    uint64_t first = outbox->unhanded;
    uint64_t last = entry_log_last(outbox->log);
    size_t count = (size_t)(last - first + 1);
    struct entry *entries = mem_array(count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        entries[i] = *entry_log_get(outbox->log, first + i);
    }
    uint64_t number = store_append(outbox->store, first, entries, count, outbox->commit,
                                   outbox_written, outbox);
    mem_free(entries);
    outbox->unhanded = 0;
    outbox_write_push(outbox, (struct outbox_write){number, last});
}

/* Rule 6: what a truncation takes away is not reported by a write that came before. */
static void outbox_cap_writes(struct outbox *outbox, uint64_t last)
{
    for (size_t i = 0; rule_on(RULE_CAP_WRITES) && i < outbox->write_count; i++) {
        struct outbox_write *write = outbox_write_at(outbox, i);
        if (write->last > last) {
            write->last = last;
        }
    }
}

void outbox_append(struct outbox *outbox, uint64_t first, uint64_t commit)
{
    outbox_cap_writes(outbox, first - 1);
    if (outbox->unhanded == 0 || outbox->unhanded > first) {
        outbox->unhanded = first;
    }
    outbox->commit = commit;
    outbox_hand_over(outbox);
}

void outbox_cancel(struct outbox *outbox)
{
    outbox_cap_writes(outbox, 0);
    outbox->unhanded = 0;
}

/* --- term and vote ------------------------------------------------------------------
 */

static void outbox_vote_written(void *owner);

static void outbox_vote_write(struct outbox *outbox)
{
    outbox->vote_changed = false;
    outbox->vote_writing = true;
    store_set_vote(outbox->store, outbox->term, outbox->vote, outbox_vote_written,
                   outbox);
}

static void outbox_vote_written(void *owner)
{
    struct outbox *outbox = owner;
    outbox->vote_writing = false;
    if (outbox->stopped) {
        return;
    }
    if (outbox->vote_changed) {
        outbox_vote_write(outbox);
        return;
    }
    outbox_hand_over(outbox);
    outbox_release(outbox);
    outbox->hooks.voted(outbox->owner);
}

void outbox_vote(struct outbox *outbox, uint64_t term, uint64_t vote)
{
    assert(term >= outbox->term);
    outbox->term = term;
    outbox->vote = vote;
    if (outbox->vote_writing) {
        outbox->vote_changed = true;
    } else {
        outbox_vote_write(outbox);
    }
}

/* A vote that is being written may delay the hand-over: there is then no write to wait
 * for yet, and the gate is closed anyway. libraft refuses a change before it leads, and
 * no leader's vote is still on its way. */
void outbox_barrier(struct outbox *outbox)
{
    if (outbox->write_count > 0) {
        outbox->barrier = outbox_write_at(outbox, outbox->write_count - 1)->number;
    }
}

bool outbox_idle(const struct outbox *outbox)
{
    return outbox->write_count == 0 && outbox->unhanded == 0 && !outbox->vote_writing;
}

void outbox_stop(struct outbox *outbox)
{
    outbox->stopped = true;
    for (size_t i = 0; i < outbox->held_count; i++) {
        bytes_unref(outbox->held[i].frame);
    }
    outbox->held_count = 0;
}

void outbox_close(struct outbox *outbox)
{
    mem_free(outbox->writes);
    mem_free(outbox->held);
}
