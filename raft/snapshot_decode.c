/* SPDX-License-Identifier: Apache-2.0 */
/* Records, in pieces of any size, to a new registry. Nothing of them is believed: a
 * record that commands cannot have led to is damage. */
#include "raft/snapshot.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "raft/command.h"
#include "raft/snapshot_inside.h"

struct snapshot_decoder {
    struct registry *registry;
    struct buf rest; /* a record that is not whole yet */
    uint64_t offset; /* of `rest` in the whole */
    uint64_t count;
    enum record_kind last; /* records never go back */
    uint64_t order;        /* of the last one within its kind: they only grow */
    uint64_t next;         /* what the head says the numbering ends at */
    uint32_t level;        /* what the head says is the cluster's feature level */
    enum err_code code;    /* what a record that is wrong is answered with */
    bool ended;
};

struct snapshot_decoder *snapshot_decoder_new(void)
{
    struct snapshot_decoder *decoder = mem_zalloc(sizeof *decoder);
    decoder->registry = registry_new();
    decoder->code = ERR_CORRUPT;
    buf_init(&decoder->rest);
    return decoder;
}

void snapshot_decoder_free(struct snapshot_decoder *decoder)
{
    if (decoder != NULL) {
        registry_free(decoder->registry);
        buf_close(&decoder->rest);
        mem_free(decoder);
    }
}

/* A text, copied and terminated; the caller frees it. */
static char *take_text(struct cursor *cursor)
{
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, SNAPSHOT_RECORD_MAX, &len);
    if (data == NULL || memchr(data, '\0', len) != NULL) {
        cursor_fail(cursor);
        return mem_strdup("");
    }
    return mem_strndup((const char *)data, len);
}

/* Whole, but from a newer build. */
static const char *unsupported(struct snapshot_decoder *decoder, const char *what)
{
    decoder->code = ERR_UNSUPPORTED;
    return what;
}

static const char *decode_head(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    uint32_t format = cursor_u32(cursor);
    uint64_t clock_ms = cursor_u64(cursor);
    uint64_t first = cursor_u64(cursor);
    decoder->next = cursor_u64(cursor);
    if (format < SNAPSHOT_FORMAT_1 || format > SNAPSHOT_FORMAT_3) {
        return unsupported(decoder, "a format that this muster does not know: upgrade "
                                    "it");
    }
    decoder->level = format != SNAPSHOT_FORMAT_1 ? cursor_u32(cursor) : 1;
    if (cursor_ok(cursor) && decoder->level > COMMAND_LEVEL) {
        return unsupported(decoder,
                           "a feature level that this muster does not know: upgrade "
                           "it");
    }
    if (!cursor_done(cursor) || first == 0 || first > decoder->next ||
        format != snapshot_format_of(decoder->level) || decoder->level == 0) {
        return "a damaged head";
    }
    registry_restore_level(decoder->registry, decoder->level);
    registry_restore_clock(decoder->registry, clock_ms);
    registry_restore_events(decoder->registry, first);
    return NULL;
}

static const char *decode_setting(struct snapshot_decoder *decoder,
                                  struct cursor *cursor)
{
    char *name = take_text(cursor);
    uint64_t value = cursor_u64(cursor);
    enum setting setting = setting_find(name, strlen(name));
    mem_free(name);
    if (!cursor_done(cursor)) {
        return "a damaged setting";
    }
    if (setting == SETTING_COUNT || setting_level(setting) > decoder->level) {
        return unsupported(decoder, "a setting that this build does not know");
    }
    if ((uint64_t)setting < decoder->order || value < setting_min(setting) ||
        value > setting_max(setting) || value == setting_default(setting)) {
        return "a setting out of order or bounds";
    }
    decoder->order = (uint64_t)setting + 1;
    registry_restore_setting(decoder->registry, setting, value);
    return NULL;
}

static const char *decode_member(struct snapshot_decoder *decoder,
                                 struct cursor *cursor)
{
    struct member_draft draft = {
        .id = cursor_u64(cursor),
        .level = cursor_u32(cursor),
    };
    uint64_t revision = cursor_u64(cursor);
    char *texts[4];
    for (size_t i = 0; i < 4; i++) {
        texts[i] = take_text(cursor);
    }
    draft.name = texts[0];
    draft.address = texts[1];
    draft.peer_address = texts[2];
    draft.version = texts[3];
    uint8_t draining = decoder->level > 1 ? cursor_u8(cursor) : 0;
    struct member_duty duty = {.draining = draining == 1,
                               .drivers = MEMBER_DRIVERS_DEFAULT};
    if (decoder->level >= REGISTRY_RUN_LEVEL) {
        duty.drain_ms = cursor_u64(cursor);
        duty.drivers = cursor_u32(cursor);
    }
    bool sound = cursor_done(cursor) && draining <= 1 && draft.id > decoder->order &&
                 (duty.draining || duty.drain_ms == 0) &&
                 duty.drain_ms <= registry_clock_ms(decoder->registry) &&
                 (duty.drivers & ~MEMBER_DRIVERS_KNOWN) == 0 &&
                 member_draft_sound(&draft) && revision > 0 && revision < decoder->next;
    if (sound) {
        decoder->order = draft.id;
        registry_restore_member(decoder->registry, &draft, &duty, revision);
    }
    for (size_t i = 0; i < 4; i++) {
        mem_free(texts[i]);
    }
    return sound ? NULL : "a damaged member, or out of order";
}

static const char *decode_task(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    uint64_t created = cursor_u64(cursor);
    uint64_t revision = cursor_u64(cursor);
    uint8_t enabled = cursor_u8(cursor);
    struct task_draft draft = {
        .enabled = enabled == 1,
        .enabled_at = cursor_u32(cursor),
    };
    draft.name =
        (const char *)cursor_blob(cursor, SNAPSHOT_RECORD_MAX, &draft.name_len);
    draft.text =
        (const char *)cursor_blob(cursor, SNAPSHOT_RECORD_MAX, &draft.text_len);
    uint8_t deleting = decoder->level >= REGISTRY_RUN_LEVEL ? cursor_u8(cursor) : 0;
    if (!cursor_done(cursor) || enabled > 1 || deleting > 1 ||
        created <= decoder->order || revision < created || revision >= decoder->next ||
        !task_draft_sound(&draft) ||
        registry_task(decoder->registry, draft.name, draft.name_len) != NULL) {
        return "a damaged task, or out of order";
    }
    decoder->order = created;
    registry_restore_task(decoder->registry, &draft, created, revision, deleting == 1);
    return NULL;
}

static const char *decode_event(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    struct event event = {
        .type = (enum event_type)cursor_u16(cursor),
        .wall_ms = cursor_u64(cursor),
    };
    char *texts[4];
    for (size_t i = 0; i < 4; i++) {
        texts[i] = take_text(cursor);
    }
    event.task = texts[0];
    event.actor = texts[1];
    event.request_id = texts[2];
    event.data = texts[3];
    const char *wrong = NULL;
    if (!cursor_done(cursor) ||
        registry_events(decoder->registry)->next >= decoder->next) {
        wrong = "a damaged event, or one too many";
    } else if (event_type_name(event.type) == NULL) {
        wrong = unsupported(decoder, "an event that this build does not know");
    } else {
        registry_restore_event(decoder->registry, &event);
    }
    for (size_t i = 0; i < 4; i++) {
        mem_free(texts[i]);
    }
    return wrong;
}

/* Could apply have kept it? What cannot be an outcome of a task's command is none. A
 * task that was created without a run, by who asked for one, has no run to tell. */
static bool key_outcome_sound(const struct key_outcome *outcome, uint64_t next,
                              uint32_t level)
{
    bool told = outcome->revision > 0 || level >= REGISTRY_RUN_LEVEL;
    bool possible = outcome->code == 0 || outcome->code == ERR_INVALID ||
                    outcome->code == ERR_EXISTS || outcome->code == ERR_NOT_FOUND ||
                    outcome->code == ERR_PRECONDITION;
    return possible && outcome->revision < next &&
           (!outcome->created || (outcome->code == 0 && told));
}

static const char *decode_key(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    uint64_t at_ms = cursor_u64(cursor);
    struct key_name name = {0};
    name.scope =
        (const char *)cursor_blob(cursor, KEY_SCOPE_BYTES_MAX, &name.scope_len);
    name.key = (const char *)cursor_blob(cursor, KEY_TEXT_BYTES_MAX, &name.key_len);
    const uint8_t *fingerprint = cursor_bytes(cursor, KEY_FINGERPRINT_BYTES);
    struct key_outcome outcome = {.code = -(int)cursor_u8(cursor)};
    outcome.revision = cursor_u64(cursor);
    uint8_t created = cursor_u8(cursor);
    outcome.created = created == 1;
    if (!cursor_done(cursor) || fingerprint == NULL || created > 1 ||
        decoder->level < COMMAND_KEY_LEVEL || at_ms < decoder->order ||
        at_ms > registry_clock_ms(decoder->registry) || !key_name_sound(&name) ||
        !key_outcome_sound(&outcome, decoder->next,
                           registry_level(decoder->registry))) {
        return "a damaged key, or out of order";
    }
    decoder->order = at_ms;
    memcpy(outcome.fingerprint, fingerprint, KEY_FINGERPRINT_BYTES);
    registry_restore_key(decoder->registry, &name, at_ms, &outcome);
    return NULL;
}

/* `run` is filled with borrowed numbers and the texts, which the caller frees. */
static void take_run(struct cursor *cursor, struct run *run, char *texts[3])
{
    run->id = cursor_u64(cursor);
    run->task_created = cursor_u64(cursor);
    run->revision = cursor_u64(cursor);
    run->node = cursor_u64(cursor);
    run->state = (enum run_state)cursor_u8(cursor);
    run->outcome = (enum run_outcome)cursor_u8(cursor);
    run->cause = (enum run_cause)cursor_u8(cursor);
    run->purpose = (enum run_purpose)cursor_u8(cursor);
    run->stop = (enum run_stop)cursor_u8(cursor);
    run->lease_ms = cursor_u32(cursor);
    run->grace_ms = cursor_u32(cursor);
    run->tries = cursor_u32(cursor);
    run->placed_ms = cursor_u64(cursor);
    run->started_ms = cursor_u64(cursor);
    run->ended_ms = cursor_u64(cursor);
    run->exit_code = cursor_u32(cursor);
    run->signal = cursor_u32(cursor);
    uint8_t changes = cursor_u8(cursor);
    uint8_t enabled = cursor_u8(cursor);
    run->changes = changes == 1;
    run->enabled = enabled == 1;
    run->enabled_at = cursor_u32(cursor);
    for (size_t i = 0; i < 3; i++) {
        texts[i] = take_text(cursor);
    }
    run->task = texts[0];
    run->text = texts[1];
    run->config = texts[2];
    size_t len = 0;
    const uint8_t *draft = cursor_blob(cursor, SNAPSHOT_RECORD_MAX, &len);
    run->draft = draft != NULL ? (const char *)draft : "";
    run->draft_len = (uint32_t)len;
    if (changes > 1 || enabled > 1) {
        cursor_fail(cursor);
    }
}

static const char *decode_run(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    struct run run = {0};
    char *texts[3];
    take_run(cursor, &run, texts);
    bool sound = cursor_done(cursor) && decoder->level >= REGISTRY_RUN_LEVEL &&
                 run.id > decoder->order && run_sound(&run) &&
                 run.revision < decoder->next && run.task_created < decoder->next &&
                 registry_restore_run(decoder->registry, &run);
    decoder->order = run.id;
    for (size_t i = 0; i < 3; i++) {
        mem_free(texts[i]);
    }
    return sound ? NULL : "a damaged run, or out of order";
}

static const char *decode_due(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    struct moment mark = {.task = cursor_u64(cursor)};
    mark.at_ms = cursor_u64(cursor);
    mark.until_ms = cursor_u64(cursor);
    mark.cause = cursor_u8(cursor);
    if (!cursor_done(cursor) || decoder->level < REGISTRY_RUN_LEVEL ||
        mark.task <= decoder->order || mark.cause < RUN_CAUSE_CLIENT ||
        mark.cause > RUN_CAUSE_FAILOVER || mark.at_ms > mark.until_ms ||
        !registry_restore_due(decoder->registry, &mark)) {
        return "a damaged due mark, or out of order";
    }
    decoder->order = mark.task;
    return NULL;
}

static const char *decode_fire(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    struct moment fire = {.task = cursor_u64(cursor)};
    fire.at_ms = cursor_u64(cursor);
    fire.until_ms = cursor_u64(cursor);
    if (!cursor_done(cursor) || decoder->level < REGISTRY_RUN_LEVEL ||
        fire.task <= decoder->order || fire.at_ms == 0 ||
        !registry_restore_fire(decoder->registry, &fire)) {
        return "a damaged next fire, or out of order";
    }
    decoder->order = fire.task;
    return NULL;
}

static const char *decode_zone(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    char *zone = take_text(cursor);
    bool sound = cursor_done(cursor) && decoder->level >= REGISTRY_RUN_LEVEL &&
                 decoder->order == 0 &&
                 registry_restore_zone(decoder->registry, zone, strlen(zone));
    mem_free(zone);
    decoder->order = 1; /* there is one at most */
    return sound ? NULL : "a damaged time zone, or a second one";
}

static const char *decode_runs_from(struct snapshot_decoder *decoder,
                                    struct cursor *cursor)
{
    uint64_t clock_ms = cursor_u64(cursor);
    if (!cursor_done(cursor) || decoder->level < REGISTRY_RUN_LEVEL || clock_ms == 0 ||
        decoder->order != 0) {
        return "a damaged time for runs to begin, or a second one";
    }
    decoder->order = 1; /* there is one at most */
    registry_restore_runs_from(decoder->registry, clock_ms);
    return NULL;
}

static const char *decode_end(struct snapshot_decoder *decoder, struct cursor *cursor)
{
    uint64_t count = cursor_u64(cursor);
    if (!cursor_done(cursor) || count != decoder->count ||
        registry_events(decoder->registry)->next != decoder->next) {
        return "an end that does not fit what came before it";
    }
    decoder->ended = true;
    return NULL;
}

static const char *decode_record(struct snapshot_decoder *decoder, uint8_t kind,
                                 struct cursor *cursor)
{
    bool first = decoder->count == 0;
    if (decoder->ended || first != (kind == RECORD_HEAD) || kind < decoder->last) {
        return "a record out of order";
    }
    if (kind != decoder->last) {
        decoder->order = 0;
    }
    decoder->last = (enum record_kind)kind;
    switch (kind) {
    case RECORD_HEAD:
        return decode_head(decoder, cursor);
    case RECORD_SETTING:
        return decode_setting(decoder, cursor);
    case RECORD_MEMBER:
        return decode_member(decoder, cursor);
    case RECORD_TASK:
        return decode_task(decoder, cursor);
    case RECORD_EVENT:
        return decode_event(decoder, cursor);
    case RECORD_KEY:
        return decode_key(decoder, cursor);
    case RECORD_RUN:
        return decode_run(decoder, cursor);
    case RECORD_DUE:
        return decode_due(decoder, cursor);
    case RECORD_FIRE:
        return decode_fire(decoder, cursor);
    case RECORD_ZONE:
        return decode_zone(decoder, cursor);
    case RECORD_RUNS_FROM:
        return decode_runs_from(decoder, cursor);
    case RECORD_END:
        return decode_end(decoder, cursor);
    default: /* a byte from outside */
        return unsupported(decoder, "a record that this build does not know");
    }
}

/* One record from the start of what is there; 0: not whole yet. *used: its bytes. */
static int decoder_take(struct snapshot_decoder *decoder, const uint8_t *data,
                        size_t len, size_t *used, struct err *err)
{
    *used = 0;
    if (len < SNAPSHOT_HEAD_BYTES) {
        return 0;
    }
    uint32_t body = get_u32(data + 1);
    const char *wrong = NULL;
    if (body > SNAPSHOT_RECORD_MAX) {
        wrong = "a record that is too large";
    } else if (len < SNAPSHOT_HEAD_BYTES + (size_t)body + SNAPSHOT_CRC_BYTES) {
        return 0;
    } else if (snapshot_crc(data, SNAPSHOT_HEAD_BYTES + body) !=
               get_u32(data + SNAPSHOT_HEAD_BYTES + body)) {
        wrong = "a record whose bytes are damaged";
    } else {
        struct cursor cursor;
        cursor_init(&cursor, data + SNAPSHOT_HEAD_BYTES, body);
        wrong = decode_record(decoder, data[0], &cursor);
    }
    if (wrong != NULL) {
        return err_set(err, decoder->code, "snapshot: %s at byte %llu", wrong,
                       (unsigned long long)decoder->offset);
    }
    decoder->count++;
    *used = SNAPSHOT_HEAD_BYTES + (size_t)body + SNAPSHOT_CRC_BYTES;
    return 0;
}

int snapshot_decoder_feed(struct snapshot_decoder *decoder, const void *data,
                          size_t len, struct err *err)
{
    buf_put(&decoder->rest, data, len);
    size_t at = 0;
    size_t used = 1;
    while (used > 0 && at < decoder->rest.len) {
        int rv = decoder_take(decoder, decoder->rest.data + at, decoder->rest.len - at,
                              &used, err);
        if (rv != 0) {
            return rv;
        }
        at += used;
        decoder->offset += used;
    }
    if (at > 0) {
        decoder->rest.len -= at;
        memmove(decoder->rest.data, decoder->rest.data + at, decoder->rest.len);
    }
    return 0;
}

struct registry *snapshot_decoder_finish(struct snapshot_decoder *decoder,
                                         struct err *err)
{
    struct registry *registry = NULL;
    if (decoder->ended && decoder->rest.len == 0) {
        registry = decoder->registry;
        decoder->registry = NULL;
    } else {
        err_set(err, ERR_CORRUPT, "snapshot: it ends at byte %llu without an end",
                (unsigned long long)(decoder->offset + decoder->rest.len));
    }
    snapshot_decoder_free(decoder);
    return registry;
}
