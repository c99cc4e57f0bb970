/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Requests up to 256 bytes are never cut short by the kernel once it has entropy. */
void id_random(void *out, size_t len)
{
    ssize_t got = 0;
    do {
        got = getrandom(out, len, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)len) {
        fprintf(stderr, "muster: the kernel gives no random bytes\n");
        abort();
    }
}

uint64_t id_random_63(void)
{
    uint64_t id = 0;
    while (id == 0) {
        id_random(&id, sizeof id);
        id &= INT64_MAX;
    }
    return id;
}

void id_format_uuid(const uint8_t bytes[16], char text[ID_UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *out = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

/* Random bytes are drawn 16 ids at a time: a request id on every answer would otherwise
 * cost a system call each. */
void id_random_uuid(char text[ID_UUID_SIZE])
{
    static __thread uint8_t pool[256];
    static __thread size_t used = sizeof pool;
    if (used == sizeof pool) {
        id_random(pool, sizeof pool);
        used = 0;
    }
    id_format_uuid(pool + used, text);
    used += 16;
}
