/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and the batches that carry them ⇄ bytes (format: raft/README.md).
 *
 * A Raft entry of type ENTRY_COMMAND is one batch: a header with the proposer's times
 * and chance, then commands. Decoding accepts exactly what encoding writes and nothing
 * else; a decoded command borrows from the bytes it was decoded from. */
#ifndef RAFT_COMMAND_H
#define RAFT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/key_table.h"
#include "registry/settings.h"

#define COMMAND_LEVEL     3 /* the highest feature level this build knows */
#define COMMAND_KEY_LEVEL 2 /* from which on a command may have a key */

enum command_type {
#define X(SYMBOL, number, level, name, fields) COMMAND_##SYMBOL = (number),
#include "raft/commands.def"
#undef X
};

struct text {
    const char *data; /* not terminated; never NULL */
    size_t len;
};

/* A tagged union: the struct of each command has its row's fields. */
struct command {
    enum command_type type;
    struct text request_id;
    struct text actor;
    /* Only of a command that takes one: its idempotency key, else of length 0, and then
     * the two after it mean nothing. */
    struct text key;
    struct text scope;                          /* whose key it is: the caller */
    uint8_t fingerprint[KEY_FINGERPRINT_BYTES]; /* raft/fingerprint.h */
    union {
#define TEXT(field) struct text field;
#define BLOB(field) struct text field;
#define U64(field)  uint64_t field;
#define U32(field)  uint32_t field;
#define FLAG(field) bool field;
#define X(SYMBOL, number, level, name, fields)                                         \
    struct {                                                                           \
        fields                                                                         \
    } name;
#include "raft/commands.def"
#undef X
#undef TEXT
#undef BLOB
#undef U64
#undef U32
#undef FLAG
    };
};

struct batch_header {
    uint64_t wall_ms;   /* leader's wall clock: shown to people */
    uint64_t clock_ms;  /* the replicated clock: only it expires anything */
    uint8_t chance[16]; /* random bytes from which apply derives ids */
    uint32_t count;     /* commands that follow */
};

struct text text_of(const char *terminated);

const char *command_name(enum command_type type); /* "task_create" */
uint32_t command_level(enum command_type type);   /* it first exists in */
/* The feature level that the command needs, with its key if it has one. */
uint32_t command_needs(const struct command *command);

/* The name of the task that a command is about; its data is NULL if it is about none.
 */
struct text command_task(const struct command *command);
/* The number of the run that a command is about, by itself; 0: it is about none, or its
 * run has no number before it is applied. */
uint64_t command_run(const struct command *command);
/* Does it place a run? */
bool command_places(const struct command *command);
/* May it have an idempotency key? What a client asks of a task, or of a run of one. */
bool command_takes_key(const struct command *command);
/* The key of a command that has one; borrows from it. */
struct key_name key_name_of(const struct command *command);

/* The values of a settings_set ⇄ its blob; at most SETTING_VALUES_MAX. Of a blob that
 * is something else, ERR_INVALID: it is apply that refuses it. A name that is not known
 * becomes SETTING_COUNT. */
void settings_values_put(struct buf *out, const struct setting_value *values,
                         size_t count);
int settings_values_get(struct text blob,
                        struct setting_value values[SETTING_VALUES_MAX], size_t *count);

/* Append one command. ERR_TOO_LARGE over LIMIT_BATCH_BYTES, ERR_UNSUPPORTED above
 * `level`, ERR_INVALID if no decoder would take it (a TEXT over 64 KiB or with a NUL, a
 * key that is none or on a command that takes none); the buffer is then unchanged. */
int command_encode(struct buf *out, const struct command *command, uint32_t level,
                   struct err *err);

/* Append a batch header; its count is set afterwards with batch_set_count(). */
void batch_begin(struct buf *out, const struct batch_header *header);
void batch_set_count(struct buf *out, uint32_t count);

/* Read a batch: the header, then `count` times batch_next(). ERR_CORRUPT with offset
 * and reason; batch_end() is ERR_CORRUPT if bytes are left over. */
int batch_open(struct cursor *cursor, struct batch_header *header, struct err *err);
int batch_next(struct cursor *cursor, struct command *command, struct err *err);
int batch_end(const struct cursor *cursor, struct err *err);

#endif
