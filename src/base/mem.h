/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that cannot fail: running out ends the process.
 *
 * Client-chosen sizes are bounded at the door; behind it a replica that half-applies
 * has diverged, one that dies is repaired by its peers. Freed with mem_free() or
 * free(). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);              /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed; aborts on overflow */
void *mem_realloc(void *memory, size_t size);
void *mem_dup(const void *data, size_t len);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len); /* always terminated */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *memory); /* NULL is fine */

#endif
