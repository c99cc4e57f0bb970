/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/command.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"

#define COMMAND_TEXT_MAX (64 * 1024)
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
    if (command_level(command->type) > level) {
        return err_set(err, ERR_UNSUPPORTED,
                       "command %s needs feature level %u, the cluster has %u",
                       command_name(command->type), command_level(command->type),
                       level);
    }
    size_t start = out->len;
    buf_put_u32(out, 0); /* length of what follows */
    buf_put_u16(out, (uint16_t)command->type);
    put_text(out, command->request_id);
    put_text(out, command->actor);
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
        return err_set(err, ERR_INVALID, "a text of %s has a NUL or more than %d bytes",
                       command_name(command->type), COMMAND_TEXT_MAX);
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
    if (cursor_ok(&inner) && !command_decode_fields(&inner, command, number)) {
        return err_set(err, ERR_UNSUPPORTED,
                       "batch: command %u at byte %zu is not known to this build",
                       number, at);
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
