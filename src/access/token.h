/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: who may do what. A node is told their digests only; whoever reads its
 * configuration cannot use them.
 *
 * In a configuration a token is one line: "NAME CLASS,CLASS sha256:HEX". NAME is shown
 * as the actor of what was done with it; HEX is the SHA-256 of the secret. */
#ifndef ACCESS_TOKEN_H
#define ACCESS_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TOKEN_NAME_BYTES   64
#define TOKEN_DIGEST_BYTES 32
#define TOKEN_SECRET_SIZE  65   /* of a new one: 64 hex digits and the terminator */
#define TOKEN_SECRET_MAX   1024 /* what a client may send as one, in bytes */
#define TOKENS_MAX         64   /* of one node */

/* What a token allows, as bits; none implies another one. */
enum token_class {
    TOKEN_WRITE = 1,   /* create, change, delete tasks */
    TOKEN_RUN = 2,     /* have one run, cancel a run */
    TOKEN_OPERATE = 4, /* members, the lead, settings, snapshots */
};

struct token {
    char name[TOKEN_NAME_BYTES + 1];
    unsigned classes; /* of enum token_class */
    uint8_t digest[TOKEN_DIGEST_BYTES];
};

/* Read one line of a configuration. ERR_INVALID: what is wrong and what would be right.
 */
int token_parse(struct token *out, const char *line, struct err *err);

/* Read "write,run". ERR_INVALID. */
int token_classes_parse(const char *text, size_t len, unsigned *classes,
                        struct err *err);

/* "write,run" of these bits; "nothing" of none. */
#define TOKEN_CLASSES_SIZE 32
char *token_classes_format(unsigned classes, char text[TOKEN_CLASSES_SIZE]);

/* The token that this secret belongs to, or NULL; borrowed. Takes the same time
 * whichever it is and however close a wrong one comes. */
const struct token *token_find(const struct token *tokens, size_t count,
                               const char *secret, size_t len);

/* What an Authorization header shows: "Bearer SECRET", or "Basic" with it as the
 * password of whatever name. False: neither, or too long. `secret` is terminated. */
bool token_secret(const char *authorization, size_t len,
                  char secret[TOKEN_SECRET_MAX + 1], size_t *secret_len);

/* A new secret, from the kernel's generator, and the line of a configuration that lets
 * it in. ERR_INVALID: the name or the classes; `line` holds TOKEN_LINE_SIZE bytes. */
#define TOKEN_LINE_SIZE 256
int token_new(const char *name, const char *classes, char secret[TOKEN_SECRET_SIZE],
              char line[TOKEN_LINE_SIZE], struct err *err);

#endif
