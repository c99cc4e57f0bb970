/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for runs of a task named "a", before a node that does as it is told, in a
 * line each. The node leads, is member SELF, and runs are placed on it. */
#ifndef UNIT_API_TALK_H
#define UNIT_API_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/api/api_bench.h"

#define SELF 1
#define TASK                                                                           \
    "{\"task\":{\"name\":\"a\",\"module\":\"./m\",\"condition\":{\"schedule\":"        \
    "{\"cron\":\"* * * * * * *\"}}}}"
#define DISABLED                                                                       \
    "{\"task\":{\"name\":\"a\",\"module\":\"./"                                        \
    "m\",\"enabled\":false,\"condition\":{}}}"
#define OTHER "{\"task\":{\"name\":\"a\",\"module\":\"./other\",\"condition\":{}}}"
#define MERGE "{\"description\":\"new\"}"
#define ON    "{\"enabled\":true}"
#define OFF   "{\"enabled\":false}"

/* A client in the middle of a request. */
struct talk {
    struct bench *bench;
    struct client client;
};

/* For cmocka; bench_teardown() ends it. */
int talk_setup(void **state);
/* A request line, a body, whole header lines. */
void talk_ask_keyed(struct bench *bench, struct talk *talk, const char *line,
                    const char *body, const char *headers);
void talk_ask(struct bench *bench, struct talk *talk, const char *line,
              const char *body);
/* The next proposal of the talk is applied. */
void talk_decide(struct talk *talk);
/* There is no answer yet. */
bool talk_is_silent(struct talk *talk);
/* The answer has that status, that in its body, and that in its head; it is the last.
 */
void talk_expect_head(struct talk *talk, int status, const char *said,
                      const char *head);
void talk_expect(struct talk *talk, int status, const char *said);
/* A task of that body is there. */
void talk_create(struct bench *bench, const char *body);
/* The live run's number, or 0. */
uint64_t talk_live(struct bench *bench);
const struct task *talk_task(struct bench *bench);
/* The live run's node reports its end; its number. */
uint64_t talk_end(struct bench *bench, enum run_outcome outcome, bool changes,
                  const char *text);
/* Another client's run; its number. */
uint64_t talk_place(struct bench *bench);
/* The next proposal is of that type. */
void talk_expect_next(struct bench *bench, enum command_type type);

#endif
