/* SPDX-License-Identifier: Apache-2.0 */
/* Frozen bytes: what was written once must be written the same for ever. */
#ifndef LIB_GOLDEN_H
#define LIB_GOLDEN_H

#include <stddef.h>

/* Compare with tests/golden/`name` (hexadecimal, 32 bytes a line); fails the test at
 * the first byte that differs. With MUSTER_GOLDEN_WRITE=1 a file that is not there is
 * made. */
void golden_check(const char *name, const void *data, size_t len);

#endif
