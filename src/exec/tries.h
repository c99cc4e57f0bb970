/* SPDX-License-Identifier: Apache-2.0 */
/* How a try of a run ended, in words, and whether there is another one (spec/cts.md 3.2
 * and 5.2).
 *
 * A try that failed is repeated, 1 to 1.5 s and then 2 to 3 s later, unless
 *  - the program could not be executed, or says so (exit code 126 or 127): the next try
 *    would fail in the same way;
 *  - the run was stopped: by its deadline, its time limit, a cancel or a kill;
 *  - it was the last that is allowed. */
#ifndef EXEC_TRIES_H
#define EXEC_TRIES_H

#include <stdbool.h>
#include <stdint.h>

#include "exec/driver.h"
#include "exec/words.h"

struct tries {
    uint32_t allowed;
    uint32_t made;
    char text[DRIVER_TEXT_SIZE]; /* of those that failed */
};

/* What waitpid() said of a program. */
struct tries_ending {
    uint32_t exit_code;
    uint32_t signal;
    bool never_began; /* `why` says why it could not be executed */
    const char *why;
    bool out_of_memory; /* a process of it was killed for the limit of its cgroup */
};

void tries_ending_of(int wait_status, struct tries_ending *ending);

/* "exit code 3: last words", "ended by signal 9 (SIGKILL)", … */
void tries_describe(const struct tries_ending *ending, const struct words *words,
                    char text[DRIVER_TEXT_SIZE]);

/* One try has failed: takes it into the text. */
void tries_failed(struct tries *tries, const char *description);
/* Is there to be another, by what became of the last? */
bool tries_again(const struct tries *tries, const struct tries_ending *ending);
/* How long until then: 2^n s and up to half more, n the retries so far. */
uint64_t tries_wait_ms(const struct tries *tries, uint64_t chance);

/* Cut at a character's end so that it fits, terminated. */
void tries_copy_text(char text[DRIVER_TEXT_SIZE], const char *from, size_t len);

#endif
