/* SPDX-License-Identifier: Apache-2.0 */
/* Random identities, from the kernel's generator. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stddef.h>
#include <stdint.h>

#define ID_UUID_SIZE 37 /* 36 characters and the terminator */

/* `len` random bytes, at most 256. */
void id_random(void *out, size_t len);

/* Not 0 and below 2^63, so that every JSON reader and signed column can hold it. */
uint64_t id_random_63(void);

/* 16 random bytes as 8-4-4-4-12 lower-case hex, without RFC 4122 version bits, as CTS
 * writes request ids (spec/cts.md 1.1). */
void id_random_uuid(char text[ID_UUID_SIZE]);
void id_format_uuid(const uint8_t bytes[16], char text[ID_UUID_SIZE]);

#endif
