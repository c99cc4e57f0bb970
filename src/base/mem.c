/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *mem_checked(void *memory, size_t size)
{
    if (memory == NULL) {
        fprintf(stderr, "muster: out of memory (%zu bytes wanted)\n", size);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t size)
{
    return mem_checked(malloc(size > 0 ? size : 1), size);
}

void *mem_zalloc(size_t size)
{
    return mem_checked(calloc(1, size > 0 ? size : 1), size);
}

void *mem_array(size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        return mem_checked(NULL, count);
    }
    return mem_zalloc(total);
}

void *mem_realloc(void *memory, size_t size)
{
    return mem_checked(realloc(memory, size > 0 ? size : 1), size);
}

void *mem_dup(const void *data, size_t len)
{
    void *copy = mem_alloc(len);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    va_end(args);
    return mem_checked(len < 0 ? NULL : text, 0);
}

void mem_free(void *memory)
{
    free(memory);
}
