/* SPDX-License-Identifier: Apache-2.0 */
#include "access/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/id.h"

#define DIGEST_PREFIX    "sha256:"
#define TOKEN_HEADER_MAX (2 * TOKEN_SECRET_MAX) /* of "name:secret" in base64 */
#define NAME_LETTERS     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const struct {
    unsigned class;
    const char *word;
} classes_known[] = {
    {TOKEN_WRITE, "write"},
    {TOKEN_RUN, "run"},
    {TOKEN_OPERATE, "operate"},
};

#define CLASS_COUNT (sizeof classes_known / sizeof classes_known[0])

static unsigned class_of(const char *word, size_t len)
{
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if (strlen(classes_known[i].word) == len &&
            memcmp(classes_known[i].word, word, len) == 0) {
            return classes_known[i].class;
        }
    }
    return 0;
}

int token_classes_parse(const char *text, size_t len, unsigned *classes,
                        struct err *err)
{
    unsigned found = 0;
    const char *end = text + len;
    for (const char *at = text; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t word_len = (size_t)((comma != NULL ? comma : end) - at);
        unsigned class = class_of(at, word_len);
        if (class == 0) {
            return err_set(err, ERR_INVALID,
                           "'%.*s' is none of write, run and operate, nor a list of "
                           "them such as write,run",
                           (int)(word_len < 64 ? word_len : 64), at);
        }
        found |= class;
        at += word_len + 1;
    }
    *classes = found;
    return 0;
}

char *token_classes_format(unsigned classes, char text[TOKEN_CLASSES_SIZE])
{
    size_t len = 0;
    snprintf(text, TOKEN_CLASSES_SIZE, "nothing");
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if ((classes & classes_known[i].class) != 0) {
            len += (size_t)snprintf(text + len, TOKEN_CLASSES_SIZE - len, "%s%s",
                                    len > 0 ? "," : "", classes_known[i].word);
        }
    }
    return text;
}

static int name_parse(const char *name, size_t len, char out[TOKEN_NAME_BYTES + 1],
                      struct err *err)
{
    if (len == 0 || len > TOKEN_NAME_BYTES || strspn(name, NAME_LETTERS) < len) {
        return err_set(err, ERR_INVALID,
                       "a token's name must be 1 to %d letters, digits, '.', '_' or "
                       "'-', not '%.*s'",
                       TOKEN_NAME_BYTES, (int)(len < 64 ? len : 64), name);
    }
    memcpy(out, name, len);
    out[len] = '\0';
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int digest_parse(const char *text, uint8_t out[TOKEN_DIGEST_BYTES],
                        struct err *err)
{
    size_t skip = sizeof DIGEST_PREFIX - 1;
    bool sound = strncmp(text, DIGEST_PREFIX, skip) == 0 &&
                 strlen(text + skip) == 2 * TOKEN_DIGEST_BYTES;
    for (size_t i = 0; sound && i < TOKEN_DIGEST_BYTES; i++) {
        int high = hex_value(text[skip + 2 * i]);
        int low = hex_value(text[skip + 2 * i + 1]);
        sound = high >= 0 && low >= 0;
        out[i] = (uint8_t)(high * 16 + low);
    }
    if (!sound) {
        return err_set(err, ERR_INVALID,
                       "a token ends with its digest, " DIGEST_PREFIX
                       " and %d hex digits, as `muster token create` prints it",
                       2 * TOKEN_DIGEST_BYTES);
    }
    return 0;
}

int token_parse(struct token *out, const char *line, struct err *err)
{
    *out = (struct token){.classes = 0};
    size_t name_len = strcspn(line, " ");
    const char *classes = line + name_len + (line[name_len] == ' ');
    size_t classes_len = strcspn(classes, " ");
    const char *digest = classes + classes_len + (classes[classes_len] == ' ');
    if (classes_len == 0 || digest[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "a token is a line of three: its name, what it allows, and its "
                       "digest, such as 'deploy write,run sha256:…'");
    }
    int rv = name_parse(line, name_len, out->name, err);
    if (rv == 0) {
        rv = token_classes_parse(classes, classes_len, &out->classes, err);
    }
    if (rv == 0) {
        rv = digest_parse(digest, out->digest, err);
    }
    return rv;
}

static void token_digest(const void *secret, size_t len,
                         uint8_t digest[TOKEN_DIGEST_BYTES])
{
    unsigned size = TOKEN_DIGEST_BYTES;
    if (EVP_Digest(secret, len, digest, &size, EVP_sha256(), NULL) != 1) {
        abort(); /* no SHA-256, or no memory */
    }
}

const struct token *token_find(const struct token *tokens, size_t count,
                               const char *secret, size_t len)
{
    uint8_t digest[TOKEN_DIGEST_BYTES];
    const struct token *found = NULL;
    token_digest(secret, len, digest);
    for (size_t i = 0; i < count; i++) {
        if (CRYPTO_memcmp(digest, tokens[i].digest, sizeof digest) == 0) {
            found = &tokens[i];
        }
    }
    return found;
}

/* "Bearer SECRET" → SECRET; false: another scheme. */
static bool scheme_cut(const char *value, size_t len, const char *scheme,
                       const char **rest, size_t *rest_len)
{
    size_t skip = strlen(scheme) + 1;
    if (len <= skip || strncasecmp(value, scheme, skip - 1) != 0 ||
        value[skip - 1] != ' ') {
        return false;
    }
    *rest = value + skip;
    *rest_len = len - skip;
    return true;
}

/* "name:password" in base64; the password alone is the secret. */
static bool basic_secret(const char *text, size_t len,
                         char secret[TOKEN_SECRET_MAX + 1], size_t *secret_len)
{
    unsigned char pair[TOKEN_HEADER_MAX];
    int got = len % 4 == 0 && len <= sizeof pair
                  ? EVP_DecodeBlock(pair, (const unsigned char *)text, (int)len)
                  : -1;
    for (size_t i = len; got > 0 && i > 0 && text[i - 1] == '='; i--) {
        got--; /* counted, and not there */
    }
    const unsigned char *colon = got > 0 ? memchr(pair, ':', (size_t)got) : NULL;
    size_t password_len = colon != NULL ? (size_t)(pair + got - (colon + 1)) : 0;
    if (password_len == 0 || password_len > TOKEN_SECRET_MAX) {
        return false;
    }
    memcpy(secret, colon + 1, password_len);
    *secret_len = password_len;
    return true;
}

bool token_secret(const char *authorization, size_t len,
                  char secret[TOKEN_SECRET_MAX + 1], size_t *secret_len)
{
    const char *rest = NULL;
    size_t rest_len = 0;
    bool found = false;
    if (scheme_cut(authorization, len, "Bearer", &rest, &rest_len)) {
        found = rest_len <= TOKEN_SECRET_MAX;
        *secret_len = found ? rest_len : 0;
        memcpy(secret, rest, *secret_len);
    } else if (scheme_cut(authorization, len, "Basic", &rest, &rest_len)) {
        found = basic_secret(rest, rest_len, secret, secret_len);
    }
    secret[found ? *secret_len : 0] = '\0';
    return found;
}

static void put_hex(const uint8_t *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

int token_new(const char *name, const char *classes, char secret[TOKEN_SECRET_SIZE],
              char line[TOKEN_LINE_SIZE], struct err *err)
{
    struct token token = {.classes = 0};
    int rv = name_parse(name, strlen(name), token.name, err);
    if (rv == 0) {
        rv = token_classes_parse(classes, strlen(classes), &token.classes, err);
    }
    if (rv != 0) {
        return rv;
    }
    uint8_t random[(TOKEN_SECRET_SIZE - 1) / 2];
    id_random(random, sizeof random);
    put_hex(random, sizeof random, secret);
    token_digest(secret, TOKEN_SECRET_SIZE - 1, token.digest);
    char digest[2 * TOKEN_DIGEST_BYTES + 1];
    char allowed[TOKEN_CLASSES_SIZE];
    put_hex(token.digest, sizeof token.digest, digest);
    snprintf(line, TOKEN_LINE_SIZE, "%s %s " DIGEST_PREFIX "%s", token.name,
             token_classes_format(token.classes, allowed), digest);
    return 0;
}
