/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/message.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "raft/frame.h"
#include "raft/membership.h"

#define MESSAGE_INDEX_MAX (UINT64_MAX >> 2) /* no sum of two indexes overflows */
#define ENTRY_HEAD_BYTES  13                /* term, type, length */

enum { FLAG_FIRST = 1, FLAG_PRE_VOTE = 2 }; /* first: disrupt_leader, or granted */

/* --- encoding ----------------------------------------------------------------------
 */

static void append_encode(struct buf *out, const struct raft_append_entries *append,
                          uint32_t contact_age_ms, const struct entry_log *log)
{
    buf_put_u8(out, FRAME_APPEND);
    buf_put_u8(out, append->version);
    buf_put_u64(out, append->term);
    buf_put_u64(out, append->prev_log_index);
    buf_put_u64(out, append->prev_log_term);
    buf_put_u64(out, append->leader_commit);
    buf_put_u32(out, contact_age_ms);
    buf_put_u32(out, append->n_entries);
    for (uint64_t i = 1; i <= append->n_entries; i++) {
        const struct entry *entry = entry_log_get(log, append->prev_log_index + i);
        assert(entry != NULL);
        buf_put_u64(out, entry->term);
        buf_put_u8(out, (uint8_t)entry->type);
        buf_put_blob(out, entry->data->data, entry->data->len);
    }
}

static void append_result_encode(struct buf *out,
                                 const struct raft_append_entries_result *result,
                                 uint64_t request_term)
{
    buf_put_u8(out, FRAME_APPEND_RESULT);
    buf_put_u8(out, result->version);
    buf_put_u64(out, result->term);
    buf_put_u64(out, result->rejected);
    buf_put_u64(out, result->last_log_index);
    buf_put_u16(out, result->features);
    buf_put_u16(out, result->capacity);
    buf_put_u64(out, request_term);
}

static void vote_encode(struct buf *out, const struct raft_request_vote *vote)
{
    buf_put_u8(out, FRAME_VOTE);
    buf_put_u8(out, vote->version);
    buf_put_u64(out, vote->term);
    buf_put_u64(out, vote->last_log_index);
    buf_put_u64(out, vote->last_log_term);
    buf_put_u8(out, (uint8_t)((vote->disrupt_leader ? FLAG_FIRST : 0) |
                              (vote->pre_vote ? FLAG_PRE_VOTE : 0)));
}

static void vote_result_encode(struct buf *out,
                               const struct raft_request_vote_result *result)
{
    buf_put_u8(out, FRAME_VOTE_RESULT);
    buf_put_u8(out, result->version);
    buf_put_u64(out, result->term);
    buf_put_u16(out, result->features);
    buf_put_u16(out, result->capacity);
    buf_put_u8(out, (uint8_t)((result->vote_granted ? FLAG_FIRST : 0) |
                              (result->pre_vote ? FLAG_PRE_VOTE : 0)));
}

static void timeout_now_encode(struct buf *out, const struct raft_timeout_now *now)
{
    buf_put_u8(out, FRAME_TIMEOUT_NOW);
    buf_put_u8(out, now->version);
    buf_put_u64(out, now->term);
    buf_put_u64(out, now->last_log_index);
    buf_put_u64(out, now->last_log_term);
}

struct bytes *message_encode(const struct raft_message *raft, uint64_t request_term,
                             uint32_t contact_age_ms, const struct entry_log *log)
{
    struct buf out;
    buf_init(&out);
    switch (raft->type) {
    case RAFT_APPEND_ENTRIES:
        append_encode(&out, &raft->append_entries, contact_age_ms, log);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        append_result_encode(&out, &raft->append_entries_result, request_term);
        break;
    case RAFT_REQUEST_VOTE:
        vote_encode(&out, &raft->request_vote);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        vote_result_encode(&out, &raft->request_vote_result);
        break;
    case RAFT_TIMEOUT_NOW:
        timeout_now_encode(&out, &raft->timeout_now);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        assert(raft->type != RAFT_INSTALL_SNAPSHOT); /* it goes in parts of our own */
        break;
    }
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    return frame;
}

/* --- decoding ----------------------------------------------------------------------
 */

static const char *entry_decode(struct cursor *cursor, struct entry *entry,
                                uint64_t term_min, uint64_t term_max)
{
    entry->term = cursor_u64(cursor);
    uint8_t type = cursor_u8(cursor);
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, LIMIT_ENTRY_BYTES, &len);
    if (data == NULL) {
        return "an entry is cut short or too large";
    }
    if (entry->term < term_min || entry->term > term_max) {
        return "entry terms fall or pass the sender's";
    }
    if (type < ENTRY_COMMAND || type > ENTRY_CONFIGURATION) {
        return "no such entry type";
    }
    entry->type = (enum entry_type)type;
    if (entry->type == ENTRY_CONFIGURATION) {
        struct membership membership;
        if (membership_decode(&membership, data, len, NULL) != 0) {
            return "a membership that cannot be decoded";
        }
    }
    entry->data = bytes_new(data, len);
    return NULL;
}

static const char *append_decode(struct message *out, struct cursor *cursor)
{
    struct raft_append_entries *append = &out->raft.append_entries;
    out->raft.type = RAFT_APPEND_ENTRIES;
    append->version = cursor_u8(cursor);
    append->term = cursor_u64(cursor);
    append->prev_log_index = cursor_u64(cursor);
    append->prev_log_term = cursor_u64(cursor);
    append->leader_commit = cursor_u64(cursor);
    out->contact_age_ms = cursor_u32(cursor);
    uint32_t count = cursor_u32(cursor);
    if (!cursor_ok(cursor) || count > cursor_left(cursor) / ENTRY_HEAD_BYTES) {
        return "fewer bytes than entries";
    }
    if (append->term == 0 || append->prev_log_index > MESSAGE_INDEX_MAX ||
        append->leader_commit > MESSAGE_INDEX_MAX ||
        (append->prev_log_index == 0) != (append->prev_log_term == 0)) {
        return "a term or an index that cannot be";
    }
    out->entries = count > 0 ? mem_array(count, sizeof *out->entries) : NULL;
    uint64_t term = append->prev_log_term > 0 ? append->prev_log_term : 1;
    for (uint32_t i = 0; i < count; i++) {
        struct entry *entry = &out->entries[i];
        const char *wrong = entry_decode(cursor, entry, term, append->term);
        if (wrong != NULL) {
            return wrong;
        }
        out->entry_count++;
        term = entry->term;
    }
    append->n_entries = count;
    return append->prev_log_term > append->term ? "an entry of a term to come" : NULL;
}

static void append_result_decode(struct message *out, struct cursor *cursor)
{
    struct raft_append_entries_result *result = &out->raft.append_entries_result;
    out->raft.type = RAFT_APPEND_ENTRIES_RESULT;
    result->version = cursor_u8(cursor);
    result->term = cursor_u64(cursor);
    result->rejected = cursor_u64(cursor);
    result->last_log_index = cursor_u64(cursor);
    result->features = cursor_u16(cursor);
    result->capacity = cursor_u16(cursor);
    out->request_term = cursor_u64(cursor);
    if (result->rejected > MESSAGE_INDEX_MAX ||
        result->last_log_index > MESSAGE_INDEX_MAX) {
        cursor_fail(cursor);
    }
}

static void vote_decode(struct message *out, uint64_t from, struct cursor *cursor)
{
    struct raft_request_vote *vote = &out->raft.request_vote;
    out->raft.type = RAFT_REQUEST_VOTE;
    vote->version = cursor_u8(cursor);
    vote->term = cursor_u64(cursor);
    vote->candidate_id = from;
    vote->last_log_index = cursor_u64(cursor);
    vote->last_log_term = cursor_u64(cursor);
    uint8_t flags = cursor_u8(cursor);
    vote->disrupt_leader = (flags & FLAG_FIRST) != 0;
    vote->pre_vote = (flags & FLAG_PRE_VOTE) != 0;
    if (flags > (FLAG_FIRST | FLAG_PRE_VOTE) ||
        vote->last_log_index > MESSAGE_INDEX_MAX) {
        cursor_fail(cursor);
    }
}

static void vote_result_decode(struct message *out, struct cursor *cursor)
{
    struct raft_request_vote_result *result = &out->raft.request_vote_result;
    out->raft.type = RAFT_REQUEST_VOTE_RESULT;
    result->version = cursor_u8(cursor);
    result->term = cursor_u64(cursor);
    result->features = cursor_u16(cursor);
    result->capacity = cursor_u16(cursor);
    uint8_t flags = cursor_u8(cursor);
    result->vote_granted = (flags & FLAG_FIRST) != 0;
    result->pre_vote = (flags & FLAG_PRE_VOTE) != 0;
    if (flags > (FLAG_FIRST | FLAG_PRE_VOTE)) {
        cursor_fail(cursor);
    }
}

static void timeout_now_decode(struct message *out, struct cursor *cursor)
{
    struct raft_timeout_now *now = &out->raft.timeout_now;
    out->raft.type = RAFT_TIMEOUT_NOW;
    now->version = cursor_u8(cursor);
    now->term = cursor_u64(cursor);
    now->last_log_index = cursor_u64(cursor);
    now->last_log_term = cursor_u64(cursor);
}

/* What is wrong, or NULL. */
static const char *message_decode_body(struct message *out, uint64_t from,
                                       struct cursor *cursor)
{
    switch (cursor_u8(cursor)) {
    case FRAME_APPEND:
        return append_decode(out, cursor);
    case FRAME_APPEND_RESULT:
        append_result_decode(out, cursor);
        return NULL;
    case FRAME_VOTE:
        vote_decode(out, from, cursor);
        return NULL;
    case FRAME_VOTE_RESULT:
        vote_result_decode(out, cursor);
        return NULL;
    case FRAME_TIMEOUT_NOW:
        timeout_now_decode(out, cursor);
        return NULL;
    default: /* a byte from outside, not an enum of ours */
        return "no such message";
    }
}

int message_decode(struct message *out, uint64_t from, const uint8_t *data, size_t len,
                   struct err *err)
{
    *out = (struct message){.raft.server_id = from, .raft.server_address = ""};
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    const char *wrong = message_decode_body(out, from, &cursor);
    if (wrong == NULL && !cursor_done(&cursor)) {
        wrong =
            cursor_ok(&cursor) ? "bytes after its end" : "cut short or out of range";
    }
    if (wrong != NULL) {
        message_close(out);
        return err_set(err, ERR_CORRUPT,
                       "message from node %llu: %s at byte %zu of %zu",
                       (unsigned long long)from, wrong, cursor.at, len);
    }
    return 0;
}

void message_close(struct message *message)
{
    for (size_t i = 0; i < message->entry_count; i++) {
        bytes_unref(message->entries[i].data);
    }
    mem_free(message->entries);
    *message = (struct message){0};
}
