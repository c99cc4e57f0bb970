/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/fingerprint.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

void fingerprint_of(const void *what, size_t what_len, const void *body, size_t len,
                    uint8_t fingerprint[KEY_FINGERPRINT_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    uint8_t head[8];
    put_u64(head, what_len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, head, sizeof head) != 1 ||
        EVP_DigestUpdate(ctx, what, what_len) != 1 ||
        EVP_DigestUpdate(ctx, body, len) != 1 ||
        EVP_DigestFinal_ex(ctx, digest, NULL) != 1) {
        abort(); /* of memory, as in base/mem.c: SHA-256 itself is always there */
    }
    EVP_MD_CTX_free(ctx);
    memcpy(fingerprint, digest, KEY_FINGERPRINT_BYTES);
}
