/* SPDX-License-Identifier: Apache-2.0 */
/* What a node is told at its start: files, defaults, and what must hold between them.
 *
 * The names are those of config/config.def, whatever the format of the file; of several
 * files a later one wins, value by value (a list is one value). */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/token.h"
#include "base/err.h"

#define CONFIG_FILES_MAX   64
#define CONFIG_MODULES_MAX 64

enum config_key {
#define X(kind, member, ...) CONFIG_KEY_##member,
#include "config/config.def"
#undef X
    CONFIG_KEYS, /* how many there are */
};

struct config_list {
    char **items; /* owned */
    size_t count;
};

/* A member a row of config.def, named after its path with '_' for '.'. */
struct config {
#define TEXT(member, ...)          char *member; /* owned, never NULL once loaded */
#define FLAG(member, ...)          bool member;
#define COUNT(member, ...)         uint64_t member;
#define DURATION(member, ...)      int64_t member; /* nanoseconds */
#define LIST(member, ...)          struct config_list member;
#define X(kind, member, path, ...) kind(member, path, __VA_ARGS__)
#include "config/config.def"
#undef X
#undef TEXT
#undef FLAG
#undef COUNT
#undef DURATION
#undef LIST
    struct config_list files;     /* loaded, in order */
    uint16_t origin[CONFIG_KEYS]; /* which of them, from 1, gave the value; 0: none */
};

void config_init(struct config *config); /* defaults */
void config_close(struct config *config);

/* Read one .json file over what is there. ERR_INVALID: file, key and what would be
 * right; ERR_NOT_FOUND, ERR_IO: the file. */
int config_load(struct config *config, const char *path, struct err *err);

/* Complete what depends on something else (names, ports) and judge the whole.
 * ERR_INVALID with the file that gave the value, the key and what would be right. */
int config_check(struct config *config, struct err *err);

/* The file that gave the value of "cluster.expect", or NULL. Borrowed. */
const char *config_origin(const struct config *config, const char *path);

/* Read access.tokens. ERR_INVALID with file, key and what would be right. */
int config_tokens(const struct config *config, struct token tokens[TOKENS_MAX],
                  size_t *count, struct err *err);

/* Who modules run as: runs.user, or 0 and 0 if it is not set. Asked at the start of a
 * node, for it is this process and this machine that must be able to. ERR_INVALID with
 * file, key and why not. */
int config_user(const struct config *config, uint32_t *uid, uint32_t *gid,
                struct err *err);

/* Give a text member another value; copies it. */
void config_replace(char **member, const char *value);

/* A line for every name: its default and its meaning. */
void config_describe(void (*line)(void *ctx, const char *text), void *ctx);

/* Does "host:port" name this machine's loopback, as a number or as localhost? */
bool config_loopback(const char *address);

#endif
