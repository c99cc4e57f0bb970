/* SPDX-License-Identifier: Apache-2.0 */
/* What a program said last, kept while it says more, and as a text that may be shown.
 */
#ifndef EXEC_WORDS_H
#define EXEC_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define WORDS_BYTES 4096
#define WORDS_LINES 10

struct words {
    char ring[WORDS_BYTES];
    uint64_t total; /* bytes that were said in all; the newest are in the ring */
};

void words_clear(struct words *words);
void words_put(struct words *words, const void *data, size_t len);

/* All that was said, if the ring still has it. */
bool words_whole(const struct words *words);

/* The last lines that are not empty, at most WORDS_LINES and `most` bytes, oldest
 * first, appended. Valid UTF-8: what is not becomes U+FFFD; control characters and the
 * escape sequences of terminals are left out. */
void words_last(const struct words *words, size_t most, struct buf *out);

/* All of the ring, in the same way, empty lines included. */
void words_all(const struct words *words, size_t most, struct buf *out);

#endif
