/* SPDX-License-Identifier: Apache-2.0 */
/* Immutable bytes that several owners share. References are counted on the loop thread
 * only; a pool job may read the data while somebody on the loop holds a reference. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint32_t refs;
    size_t len;
    uint8_t data[];
};

/* A new value with one reference; `data` may be NULL to fill it in before sharing. */
struct bytes *bytes_new(const void *data, size_t len);
struct bytes *bytes_ref(struct bytes *bytes);
void bytes_unref(struct bytes *bytes); /* NULL is fine */

#endif
