/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/command.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"

#define COMMAND_TEXT_MAX (64 * 1024)
#define COMMAND_ENVELOPE 40 /* of a command with a key: its number on the wire */
#define BATCH_FORMAT     1
#define BATCH_COUNT_AT                                                                 \
    (1 + 8 + 8 + 16) /* the count follows the header's other fields */

struct text text_of(const char *terminated)
{
    return (struct text){terminated, strlen(terminated)};
}

/* --- one command: fields by row
 * ------------------------------------------------------- */

static void put_text(struct buf *out, struct text text)
{
    buf_put_blob(out, text.data, text.len);
}

static struct text get_blob(struct cursor *cursor)
{
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, LIMIT_BATCH_BYTES, &len);
    return (struct text){data != NULL ? (const char *)data : "", len};
}

static struct text get_text(struct cursor *cursor)
{
    struct text text = get_blob(cursor);
    if (text.len > COMMAND_TEXT_MAX || memchr(text.data, '\0', text.len) != NULL) {
        cursor_fail(cursor);
    }
    return text;
}

static bool get_flag(struct cursor *cursor)
{
    uint8_t value = cursor_u8(cursor);
    if (value > 1) {
        cursor_fail(cursor);
    }
    return value == 1;
}

static void command_encode_fields(struct buf *out, const struct command *command)
{
    switch (command->type) {
#define TEXT(field) put_text(out, it->field);
#define BLOB(field) put_text(out, it->field);
#define U64(field)  buf_put_u64(out, it->field);
#define U32(field)  buf_put_u32(out, it->field);
#define FLAG(field) buf_put_u8(out, it->field ? 1 : 0);
#define X(SYMBOL, number, level, name, fields)                                         \
    case COMMAND_##SYMBOL: {                                                           \
        const __typeof__(command->name) *it = &command->name;                          \
        fields break;                                                                  \
    }
#include "raft/commands.def"
#undef X
#undef TEXT
#undef BLOB
#undef U64
#undef U32
#undef FLAG
    }
}

/* False if no row has that number. */
static bool command_decode_fields(struct cursor *cursor, struct command *command,
                                  uint16_t number)
{
    switch (number) {
#define TEXT(field) it->field = get_text(cursor);
#define BLOB(field) it->field = get_blob(cursor);
#define U64(field)  it->field = cursor_u64(cursor);
#define U32(field)  it->field = cursor_u32(cursor);
#define FLAG(field) it->field = get_flag(cursor);
#define X(SYMBOL, number, level, name, fields)                                         \
    case number: {                                                                     \
        __typeof__(command->name) *it = &command->name;                                \
        command->type = COMMAND_##SYMBOL;                                              \
        fields break;                                                                  \
    }
#include "raft/commands.def"
#undef X
#undef TEXT
#undef BLOB
#undef U64
#undef U32
#undef FLAG
    default: /* a number from outside */
        return false;
    }
    return true;
}

uint32_t command_level(enum command_type type)
{
    switch (type) {
#define X(SYMBOL, number, level, name, fields)                                         \
    case COMMAND_##SYMBOL:                                                             \
        return level;
#include "raft/commands.def"
#undef X
    }
    return UINT32_MAX;
}

uint32_t command_needs(const struct command *command)
{
    uint32_t level = command_level(command->type);
    return command->key.len > 0 && level < COMMAND_KEY_LEVEL ? COMMAND_KEY_LEVEL
                                                             : level;
}

const char *command_name(enum command_type type)
{
    switch (type) {
#define X(SYMBOL, number, level, name, fields)                                         \
    case COMMAND_##SYMBOL:                                                             \
        return #name;
#include "raft/commands.def"
#undef X
    }
    return "unknown";
}

/* --- settings ----------------------------------------------------------------------
 */

void settings_values_put(struct buf *out, const struct setting_value *values,
                         size_t count)
{
    buf_put_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_put_text(out, setting_name(values[i].setting));
        buf_put_u64(out, values[i].value);
    }
}

int settings_values_get(struct text blob,
                        struct setting_value values[SETTING_VALUES_MAX], size_t *count)
{
    struct cursor cursor;
    cursor_init(&cursor, blob.data, blob.len);
    *count = cursor_u16(&cursor);
    if (*count > SETTING_VALUES_MAX) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < *count; i++) {
        struct text name = get_text(&cursor);
        values[i] = (struct setting_value){
            .setting = setting_find(name.data, name.len),
            .value = cursor_u64(&cursor),
        };
    }
    return cursor_done(&cursor) ? 0 : ERR_INVALID;
}

/* --- the envelope of a key ---------------------------------------------------------
 */

static void put_envelope(struct buf *out, const struct command *command)
{
    put_text(out, command->key);
    put_text(out, command->scope);
    buf_put(out, command->fingerprint, sizeof command->fingerprint);
    buf_put_u16(out, (uint16_t)command->type);
}

/* The number of the command inside; 0: the envelope is damaged. */
static uint16_t get_envelope(struct cursor *cursor, struct command *command)
{
    command->key = get_text(cursor);
    command->scope = get_text(cursor);
    const uint8_t *fingerprint = cursor_bytes(cursor, KEY_FINGERPRINT_BYTES);
    uint16_t number = cursor_u16(cursor);
    struct key_name name = key_name_of(command);
    if (fingerprint == NULL || !key_name_sound(&name) || number == COMMAND_ENVELOPE) {
        cursor_fail(cursor);
        return 0;
    }
    memcpy(command->fingerprint, fingerprint, KEY_FINGERPRINT_BYTES);
    return number;
}

struct key_name key_name_of(const struct command *command)
{
    return (struct key_name){
        .scope = command->scope.data,
        .scope_len = command->scope.len,
        .key = command->key.data,
        .key_len = command->key.len,
    };
}

struct text command_task(const struct command *command)
{
    switch (command->type) {
    case COMMAND_TASK_CREATE:
        return command->task_create.name;
    case COMMAND_TASK_ENABLE:
        return command->task_enable.name;
    case COMMAND_TASK_DELETE:
        return command->task_delete.name;
    case COMMAND_TASK_PUT:
        return command->task_put.name;
    case COMMAND_TASK_MERGE:
        return command->task_merge.name;
    case COMMAND_TASK_ENABLE_IF:
        return command->task_enable_if.name;
    case COMMAND_TASK_DELETE_IF:
        return command->task_delete_if.name;
    case COMMAND_RUN_START:
        return command->run_start.task;
    case COMMAND_RUN_TRIAL:
        return command->run_trial.name;
    case COMMAND_RUN_PUT:
        return command->run_put.name;
    case COMMAND_RUN_ENABLE:
        return command->run_enable.task;
    case COMMAND_TASK_DUE:
        return command->task_due.task;
    case COMMAND_TASK_FIRE:
        return command->task_fire.task;
    case COMMAND_RUN_STARTED:
    case COMMAND_RUN_STOP:
    case COMMAND_RUN_END:
    case COMMAND_RUN_LOST:
    case COMMAND_MEMBER_SET:
    case COMMAND_MEMBER_DELETE:
    case COMMAND_MEMBER_DRAIN:
    case COMMAND_MEMBER_DRIVERS:
    case COMMAND_SETTING_SET:
    case COMMAND_SETTINGS_SET:
    case COMMAND_ZONE_SET:
    case COMMAND_LEVEL_SET:
        break;
    }
    return (struct text){NULL, 0};
}

uint64_t command_run(const struct command *command)
{
    return command->type == COMMAND_RUN_STARTED ? command->run_started.run
           : command->type == COMMAND_RUN_STOP  ? command->run_stop.run
           : command->type == COMMAND_RUN_END   ? command->run_end.run
           : command->type == COMMAND_RUN_LOST  ? command->run_lost.run
                                                : 0;
}

bool command_places(const struct command *command)
{
    return command->type == COMMAND_RUN_START || command->type == COMMAND_RUN_TRIAL ||
           command->type == COMMAND_RUN_PUT || command->type == COMMAND_RUN_ENABLE;
}

bool command_takes_key(const struct command *command)
{
    return command_task(command).data != NULL && command->type != COMMAND_TASK_DUE &&
           command->type != COMMAND_TASK_FIRE;
}

/* An entry that cannot be decoded stops every node: what is not readable is not
 * written.
 */
static bool command_decodes(const uint8_t *data, size_t len)
{
    struct cursor cursor;
    struct command command;
    cursor_init(&cursor, data, len);
    return batch_next(&cursor, &command, NULL) == 0 && cursor_done(&cursor);
}

int command_encode(struct buf *out, const struct command *command, uint32_t level,
                   struct err *err)
{
    if (command_needs(command) > level) {
        return err_set(err, ERR_UNSUPPORTED,
                       "command %s needs feature level %u, the cluster has %u",
                       command_name(command->type), command_needs(command), level);
    }
    bool keyed = command->key.len > 0;
    size_t start = out->len;
    buf_put_u32(out, 0); /* length of what follows */
    buf_put_u16(out, keyed ? COMMAND_ENVELOPE : (uint16_t)command->type);
    put_text(out, command->request_id);
    put_text(out, command->actor);
    if (keyed) {
        put_envelope(out, command);
    }
    command_encode_fields(out, command);
    size_t len = out->len - start - 4;
    if (len > LIMIT_BATCH_BYTES) {
        out->len = start;
        return err_set(err, ERR_TOO_LARGE, "a change of %zu bytes; at most %u fit", len,
                       LIMIT_BATCH_BYTES);
    }
    buf_set_u32(out, start, (uint32_t)len);
    if (!command_decodes(out->data + start, len + 4)) {
        out->len = start;
        return err_set(err, ERR_INVALID,
                       "a text of %s has a NUL or more than %d bytes%s",
                       command_name(command->type), COMMAND_TEXT_MAX,
                       keyed ? ", or its key is none" : "");
    }
    return 0;
}

/* --- batches
 * -------------------------------------------------------------------------- */

void batch_begin(struct buf *out, const struct batch_header *header)
{
    buf_put_u8(out, BATCH_FORMAT);
    buf_put_u64(out, header->wall_ms);
    buf_put_u64(out, header->clock_ms);
    buf_put(out, header->chance, sizeof header->chance);
    buf_put_u32(out, header->count);
}

void batch_set_count(struct buf *out, uint32_t count)
{
    buf_set_u32(out, BATCH_COUNT_AT, count);
}

int batch_open(struct cursor *cursor, struct batch_header *header, struct err *err)
{
    *header = (struct batch_header){0};
    uint8_t format = cursor_u8(cursor);
    header->wall_ms = cursor_u64(cursor);
    header->clock_ms = cursor_u64(cursor);
    const uint8_t *chance = cursor_bytes(cursor, sizeof header->chance);
    header->count = cursor_u32(cursor);
    if (chance == NULL || !cursor_ok(cursor)) {
        return err_set(err, ERR_CORRUPT, "batch: cut short at byte %zu", cursor->at);
    }
    if (format != BATCH_FORMAT) {
        return err_set(err, ERR_UNSUPPORTED, "batch: format %u; this build knows %u",
                       format, BATCH_FORMAT);
    }
    if (header->count == 0 || header->count > LIMIT_BATCH_COMMANDS) {
        return err_set(err, ERR_CORRUPT, "batch: %u commands; 1 to %u are possible",
                       header->count, LIMIT_BATCH_COMMANDS);
    }
    memcpy(header->chance, chance, sizeof header->chance);
    return 0;
}

int batch_next(struct cursor *cursor, struct command *command, struct err *err)
{
    size_t at = cursor->at;
    size_t len = 0;
    const uint8_t *data = cursor_blob(cursor, LIMIT_BATCH_BYTES, &len);
    if (data == NULL) {
        return err_set(err, ERR_CORRUPT, "batch: command at byte %zu cut short", at);
    }
    struct cursor inner;
    cursor_init(&inner, data, len);
    *command = (struct command){0};
    uint16_t number = cursor_u16(&inner);
    command->request_id = get_text(&inner);
    command->actor = get_text(&inner);
    bool keyed = number == COMMAND_ENVELOPE;
    if (keyed) {
        number = get_envelope(&inner, command);
    }
    if (cursor_ok(&inner) && !command_decode_fields(&inner, command, number)) {
        return err_set(err, ERR_UNSUPPORTED,
                       "batch: command %u at byte %zu is not known to this build",
                       number, at);
    }
    if (keyed && !command_takes_key(command)) {
        cursor_fail(&inner); /* no other command takes a key */
    }
    if (!cursor_done(&inner)) {
        return err_set(err, ERR_CORRUPT, "batch: command %u at byte %zu is damaged",
                       number, at);
    }
    return 0;
}

int batch_end(const struct cursor *cursor, struct err *err)
{
    if (!cursor_done(cursor)) {
        return err_set(err, ERR_CORRUPT, "batch: %zu bytes after the last command",
                       cursor_left(cursor));
    }
    return 0;
}
