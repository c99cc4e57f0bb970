/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/tries.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"

#define TRIES_WAIT_MS   1000
#define TRIES_WAITS_MAX 6 /* 64 s and no more */

void tries_ending_of(int wait_status, struct tries_ending *ending)
{
    *ending = (struct tries_ending){0};
    if (WIFSIGNALED(wait_status)) {
        ending->signal = (uint32_t)WTERMSIG(wait_status);
    } else {
        ending->exit_code = (uint32_t)WEXITSTATUS(wait_status);
    }
}

void tries_copy_text(char text[DRIVER_TEXT_SIZE], const char *from, size_t len)
{
    if (len >= DRIVER_TEXT_SIZE) {
        len = DRIVER_TEXT_SIZE - 1;
        while (len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    memcpy(text, from, len);
    text[len] = '\0';
}

void tries_describe(const struct tries_ending *ending, const struct words *words,
                    char text[DRIVER_TEXT_SIZE])
{
    struct buf out;
    buf_init(&out);
    if (ending->never_began) {
        buf_printf(&out, "%s", ending->why);
    } else if (ending->signal != 0) {
        const char *name = sigabbrev_np((int)ending->signal);
        buf_printf(&out, "ended by signal %u (SIG%s)", ending->signal,
                   name != NULL ? name : "?");
    } else {
        buf_printf(&out, "exit code %u", ending->exit_code);
    }
    if (ending->out_of_memory) {
        buf_put_literal(&out, ", its memory limit was reached");
    }
    if (words->total > 0 && !ending->never_began) {
        buf_put_literal(&out, ": ");
        size_t before = out.len;
        words_last(words, DRIVER_TEXT_SIZE - 1 - out.len, &out);
        if (out.len == before) { /* nothing but empty lines */
            out.len -= 2;
        }
    }
    tries_copy_text(text, (const char *)out.data, out.len);
    buf_close(&out);
}

void tries_failed(struct tries *tries, const char *description)
{
    tries->made++;
    if (tries->made == 1) { /* spec/cts.md 3.2: the first one's text is dropped … */
        tries_copy_text(tries->text, description, strlen(description));
        return; /* … unless no other follows */
    }
    char *all = tries->made == 2
                    ? mem_printf("retry attempt #1 failed '%s'", description)
                    : mem_printf("retry attempt #%u failed '%s': %s", tries->made - 1,
                                 description, tries->text);
    tries_copy_text(tries->text, all, strlen(all));
    mem_free(all);
}

bool tries_again(const struct tries *tries, const struct tries_ending *ending)
{
    return !ending->never_began && ending->exit_code != 126 &&
           ending->exit_code != 127 && tries->made < tries->allowed;
}

uint64_t tries_wait_ms(const struct tries *tries, uint64_t chance)
{
    uint32_t retries = tries->made > 0 ? tries->made - 1 : 0;
    uint64_t wait = (uint64_t)TRIES_WAIT_MS
                    << (retries < TRIES_WAITS_MAX ? retries : TRIES_WAITS_MAX);
    return wait + chance % (wait / 2 + 1);
}
