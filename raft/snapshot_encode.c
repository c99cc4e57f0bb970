/* SPDX-License-Identifier: Apache-2.0 */
/* A frozen registry to records, one after the other. */
#include "raft/snapshot.h"

#include <isa-l.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/snapshot_inside.h"

#define SNAPSHOT_PIECE (64 * 1024)

uint32_t snapshot_crc(const uint8_t *data, size_t len)
{
    union {
        const uint8_t *in;
        unsigned char *out; /* isa-l reads through a pointer that is not const */
    } bytes = {.in = data};
    return crc32_iscsi(bytes.out, (int)len, 0);
}

struct snapshot_encoder {
    const struct registry *frozen;
    uint32_t level; /* of the cluster */
    size_t step;    /* of encoder_steps */
    size_t setting;
    struct map_cursor members;
    struct map_cursor tasks;
    struct map_cursor runs;
    struct map_cursor due;
    struct map_cursor fires;
    uint64_t event; /* the last one */
    uint64_t key;   /* the next one */
    bool zone;      /* was written, or has not to be */
    bool runs_from; /* likewise */
    uint64_t count; /* of records so far */
};

struct snapshot_encoder *snapshot_encoder_new(const struct registry *frozen)
{
    struct snapshot_encoder *encoder = mem_zalloc(sizeof *encoder);
    encoder->frozen = frozen;
    encoder->level = registry_level(frozen);
    encoder->event = registry_events(frozen)->first - 1;
    encoder->key = registry_keys(frozen)->first;
    registry_member_seek(frozen, &encoder->members);
    registry_task_seek(frozen, 0, &encoder->tasks);
    registry_run_seek(frozen, 0, &encoder->runs);
    registry_due_task_seek(frozen, &encoder->due);
    registry_fire_task_seek(frozen, &encoder->fires);
    encoder->zone = strcmp(registry_zone(frozen), REGISTRY_ZONE_DEFAULT) == 0;
    encoder->runs_from = registry_runs_from_ms(frozen) == 0;
    return encoder;
}

void snapshot_encoder_free(struct snapshot_encoder *encoder)
{
    mem_free(encoder);
}

/* Where the record begins. */
static size_t record_begin(struct buf *out, enum record_kind kind)
{
    size_t start = out->len;
    buf_put_u8(out, (uint8_t)kind);
    buf_put_u32(out, 0);
    return start;
}

static void record_end(struct buf *out, size_t start)
{
    buf_set_u32(out, start + 1, (uint32_t)(out->len - start - SNAPSHOT_HEAD_BYTES));
    buf_put_u32(out, snapshot_crc(out->data + start, out->len - start));
}

uint32_t snapshot_format_of(uint32_t level)
{
    return level > 2   ? SNAPSHOT_FORMAT_3
           : level > 1 ? SNAPSHOT_FORMAT_2
                       : SNAPSHOT_FORMAT_1;
}

/* Each appends the next record of its kind; false: there is none any more. */

static bool encode_head(struct snapshot_encoder *encoder, struct buf *out)
{
    if (encoder->count > 0) {
        return false;
    }
    const struct event_log *events = registry_events(encoder->frozen);
    size_t start = record_begin(out, RECORD_HEAD);
    buf_put_u32(out, snapshot_format_of(encoder->level));
    buf_put_u64(out, registry_clock_ms(encoder->frozen));
    buf_put_u64(out, events->first);
    buf_put_u64(out, events->next);
    if (encoder->level > 1) {
        buf_put_u32(out, encoder->level);
    }
    record_end(out, start);
    return true;
}

/* One at its default is not written: a build that knows more settings, or fewer, writes
 * the same bytes. */
static bool encode_setting(struct snapshot_encoder *encoder, struct buf *out)
{
    while (encoder->setting < SETTING_COUNT) {
        enum setting setting = (enum setting)encoder->setting++;
        uint64_t value = registry_setting(encoder->frozen, setting);
        if (value != setting_default(setting) && !PLANTED(LEAVE_SETTINGS_OUT)) {
            size_t start = record_begin(out, RECORD_SETTING);
            buf_put_text(out, setting_name(setting));
            buf_put_u64(out, value);
            record_end(out, start);
            return true;
        }
    }
    return false;
}

static bool encode_member(struct snapshot_encoder *encoder, struct buf *out)
{
    const struct member *member = registry_member_next(&encoder->members);
    if (member == NULL) {
        return false;
    }
    size_t start = record_begin(out, RECORD_MEMBER);
    buf_put_u64(out, member->id);
    buf_put_u32(out, member->level);
    buf_put_u64(out, member->revision);
    buf_put_text(out, member->name);
    buf_put_text(out, member->address);
    buf_put_text(out, member->peer_address);
    buf_put_text(out, member->version);
    if (encoder->level > 1) {
        buf_put_u8(out, member->duty.draining ? 1 : 0);
    }
    if (encoder->level >= REGISTRY_RUN_LEVEL) {
        buf_put_u64(out, member->duty.drain_ms);
        buf_put_u32(out, member->duty.drivers);
    }
    record_end(out, start);
    return true;
}

static bool encode_task(struct snapshot_encoder *encoder, struct buf *out)
{
    const struct task *task = registry_task_next(&encoder->tasks);
    if (task == NULL) {
        return false;
    }
    size_t start = record_begin(out, RECORD_TASK);
    buf_put_u64(out, task->created);
    buf_put_u64(out, task->revision);
    buf_put_u8(out, task->enabled ? 1 : 0);
    buf_put_u32(out, task->enabled_at);
    buf_put_blob(out, task->name, task->name_len);
    buf_put_blob(out, task->text, task->text_len);
    if (encoder->level >= REGISTRY_RUN_LEVEL) {
        buf_put_u8(out, task->deleting ? 1 : 0);
    }
    record_end(out, start);
    return true;
}

static bool encode_event(struct snapshot_encoder *encoder, struct buf *out)
{
    const struct event *event =
        event_log_after(registry_events(encoder->frozen), encoder->event);
    if (event == NULL) {
        return false;
    }
    size_t start = record_begin(out, RECORD_EVENT);
    buf_put_u16(out, (uint16_t)event->type);
    buf_put_u64(out, event->wall_ms);
    buf_put_text(out, event->task);
    buf_put_text(out, event->actor);
    buf_put_text(out, event->request_id);
    buf_put_text(out, event->data);
    record_end(out, start);
    encoder->event = event->seq;
    return true;
}

static bool encode_key(struct snapshot_encoder *encoder, struct buf *out)
{
    const struct key_table *keys = registry_keys(encoder->frozen);
    if (encoder->key == keys->next || PLANTED(LEAVE_KEYS_OUT)) {
        return false;
    }
    const struct key_entry *entry = key_table_at(keys, encoder->key++);
    const struct key_outcome *outcome = &entry->outcome;
    size_t start = record_begin(out, RECORD_KEY);
    buf_put_u64(out, entry->at_ms);
    buf_put_blob(out, entry->text, entry->scope_len);
    buf_put_blob(out, entry->text + entry->scope_len + 1,
                 (size_t)entry->len - entry->scope_len - 1);
    buf_put(out, outcome->fingerprint, sizeof outcome->fingerprint);
    buf_put_u8(out, (uint8_t)-outcome->code);
    buf_put_u64(out, outcome->revision);
    buf_put_u8(out, outcome->created ? 1 : 0);
    record_end(out, start);
    return true;
}

static bool encode_run(struct snapshot_encoder *encoder, struct buf *out)
{
    const struct run *run = registry_run_next(&encoder->runs);
    if (run == NULL || PLANTED(LEAVE_RUNS_OUT)) {
        return false;
    }
    size_t start = record_begin(out, RECORD_RUN);
    buf_put_u64(out, run->id);
    buf_put_u64(out, run->task_created);
    buf_put_u64(out, run->revision);
    buf_put_u64(out, run->node);
    buf_put_u8(out, (uint8_t)run->state);
    buf_put_u8(out, (uint8_t)run->outcome);
    buf_put_u8(out, (uint8_t)run->cause);
    buf_put_u8(out, (uint8_t)run->purpose);
    buf_put_u8(out, (uint8_t)run->stop);
    buf_put_u32(out, run->lease_ms);
    buf_put_u32(out, run->grace_ms);
    buf_put_u32(out, run->tries);
    buf_put_u64(out, run->placed_ms);
    buf_put_u64(out, run->started_ms);
    buf_put_u64(out, run->ended_ms);
    buf_put_u32(out, run->exit_code);
    buf_put_u32(out, run->signal);
    buf_put_u8(out, run->changes ? 1 : 0);
    buf_put_u8(out, run->enabled ? 1 : 0);
    buf_put_u32(out, run->enabled_at);
    buf_put_text(out, run->task);
    buf_put_text(out, run->text);
    buf_put_text(out, run->config);
    buf_put_blob(out, run->draft, run->draft_len);
    record_end(out, start);
    return true;
}

static bool encode_due(struct snapshot_encoder *encoder, struct buf *out)
{
    const struct moment *mark = registry_due_next(&encoder->due);
    if (mark == NULL) {
        return false;
    }
    size_t start = record_begin(out, RECORD_DUE);
    buf_put_u64(out, mark->task);
    buf_put_u64(out, mark->at_ms);
    buf_put_u64(out, mark->until_ms);
    buf_put_u8(out, (uint8_t)mark->cause);
    record_end(out, start);
    return true;
}

static bool encode_fire(struct snapshot_encoder *encoder, struct buf *out)
{
    const struct moment *fire = registry_fire_next(&encoder->fires);
    if (fire == NULL) {
        return false;
    }
    size_t start = record_begin(out, RECORD_FIRE);
    buf_put_u64(out, fire->task);
    buf_put_u64(out, fire->at_ms);
    buf_put_u64(out, fire->until_ms);
    record_end(out, start);
    return true;
}

static bool encode_zone(struct snapshot_encoder *encoder, struct buf *out)
{
    if (encoder->zone) {
        return false;
    }
    size_t start = record_begin(out, RECORD_ZONE);
    buf_put_text(out, registry_zone(encoder->frozen));
    record_end(out, start);
    encoder->zone = true;
    return true;
}

static bool encode_runs_from(struct snapshot_encoder *encoder, struct buf *out)
{
    if (encoder->runs_from) {
        return false;
    }
    size_t start = record_begin(out, RECORD_RUNS_FROM);
    buf_put_u64(out, registry_runs_from_ms(encoder->frozen));
    record_end(out, start);
    encoder->runs_from = true;
    return true;
}

static bool encode_end(struct snapshot_encoder *encoder, struct buf *out)
{
    size_t start = record_begin(out, RECORD_END);
    buf_put_u64(out, encoder->count);
    record_end(out, start);
    encoder->step++; /* there is one */
    return true;
}

static bool (*const encoder_steps[])(struct snapshot_encoder *encoder,
                                     struct buf *out) = {
    encode_head,  encode_setting, encode_member,    encode_task,
    encode_event, encode_key,     encode_run,       encode_due,
    encode_fire,  encode_zone,    encode_runs_from, encode_end,
};

bool snapshot_encoder_next(struct snapshot_encoder *encoder, struct buf *out)
{
    while (encoder->step < sizeof encoder_steps / sizeof *encoder_steps) {
        if (encoder_steps[encoder->step](encoder, out)) {
            encoder->count++;
            return true;
        }
        encoder->step++;
    }
    return false;
}

int snapshot_encode(const struct registry *frozen,
                    int (*put)(void *ctx, const void *data, size_t len), void *ctx)
{
    struct snapshot_encoder *encoder = snapshot_encoder_new(frozen);
    struct buf out;
    buf_init(&out);
    int failed = 0;
    for (bool more = true; failed == 0 && (more || out.len > 0);) {
        while (more && out.len < SNAPSHOT_PIECE) {
            more = snapshot_encoder_next(encoder, &out);
        }
        size_t at = 0;
        while (failed == 0 &&
               (out.len - at >= SNAPSHOT_PIECE || (!more && at < out.len))) {
            size_t left = out.len - at;
            size_t len = left < SNAPSHOT_PIECE ? left : SNAPSHOT_PIECE;
            failed = put(ctx, out.data + at, len);
            at += len;
        }
        memmove(out.data, out.data + at, out.len - at);
        out.len -= at;
    }
    buf_close(&out);
    snapshot_encoder_free(encoder);
    return failed;
}
