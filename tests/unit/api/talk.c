/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/api/talk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

int talk_setup(void **state)
{
    int rv = bench_setup(state);
    struct bench *bench = *state;
    struct command level = {.type = COMMAND_LEVEL_SET, .level_set = {COMMAND_LEVEL}};
    struct command member = {
        .type = COMMAND_MEMBER_SET,
        .member_set = {SELF, COMMAND_LEVEL, text_of("n1"), text_of("a"), text_of("p"),
                       text_of("v")},
    };
    bench_apply_other(bench, &level);
    bench_apply_other(bench, &member);
    bench->node.place = SELF;
    return rv;
}

void talk_ask_keyed(struct bench *bench, struct talk *talk, const char *line,
                    const char *body, const char *headers)
{
    char *text = mem_printf("%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            "application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
                            line, strlen(body), headers, body);
    talk->bench = bench;
    client_open(bench, &talk->client);
    client_send(&talk->client, text);
    mem_free(text);
}

void talk_ask(struct bench *bench, struct talk *talk, const char *line,
              const char *body)
{
    talk_ask_keyed(bench, talk, line, body, "");
}

/* The next proposal of the talk is applied. */
void talk_decide(struct talk *talk)
{
    bench_wait(talk->bench, bench_proposed);
    bench_decide(talk->bench, 0);
}

bool talk_is_silent(struct talk *talk)
{
    char byte;
    for (int i = 0; i < 5; i++) {
        bench_advance(talk->bench, 1);
        bench_turn(talk->bench);
    }
    return recv(talk->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

void talk_expect_head(struct talk *talk, int status, const char *said, const char *head)
{
    struct answer answer;
    client_answer(talk->bench, &talk->client, &answer);
    if (answer.status != status ||
        strstr((const char *)answer.body.data, said) == NULL ||
        strstr(answer.head, head) == NULL) {
        print_error("%s%s\n", answer.head, (const char *)answer.body.data);
    }
    assert_int_equal(answer.status, status);
    assert_non_null(strstr((const char *)answer.body.data, said));
    assert_non_null(strstr(answer.head, head));
    buf_close(&answer.body);
    client_close(&talk->client);
}

void talk_expect(struct talk *talk, int status, const char *said)
{
    talk_expect_head(talk, status, said, "");
}

void talk_create(struct bench *bench, const char *body)
{
    struct talk talk;
    talk_ask(bench, &talk, "POST /v1/tasks", body);
    talk_decide(&talk);
    talk_expect(&talk, 201, "\"name\":\"a\"");
}

uint64_t talk_live(struct bench *bench)
{
    const struct run *run = registry_live_run(node_registry(&bench->node), "a", 1);
    return run != NULL ? run->id : 0;
}

const struct task *talk_task(struct bench *bench)
{
    return registry_task(node_registry(&bench->node), "a", 1);
}

/* Its node reports the end. */
uint64_t talk_end(struct bench *bench, enum run_outcome outcome, bool changes,
                  const char *text)
{
    uint64_t id = talk_live(bench);
    struct command command = {
        .type = COMMAND_RUN_END,
        .run_end = {.run = id,
                    .node = SELF,
                    .outcome = outcome,
                    .exit_code = outcome == RUN_SUCCESS ? 0 : 1,
                    .changes = changes,
                    .started_ms = 5,
                    .ended_ms = 9,
                    .text = text_of(text)},
    };
    assert_int_not_equal(id, 0);
    assert_int_equal(bench_apply_other(bench, &command).code, 0);
    bench_advance(bench, 1);
    return id;
}

/* Another client's run. */
uint64_t talk_place(struct bench *bench)
{
    struct command command = {
        .type = COMMAND_RUN_START,
        .run_start = {text_of("a"), 0, SELF, RUN_CAUSE_SCHEDULE, RUN_APPLY, 4000, 5000,
                      1},
    };
    assert_int_equal(bench_apply_other(bench, &command).code, 0);
    return talk_live(bench);
}

void talk_expect_next(struct bench *bench, enum command_type type)
{
    struct command command;
    const struct buf *batch = &bench->node.waiting[0].batch;
    struct cursor cursor;
    struct batch_header header;
    bench_wait(bench, bench_proposed);
    cursor_init(&cursor, batch->data, batch->len);
    assert_int_equal(batch_open(&cursor, &header, NULL), 0);
    assert_int_equal(batch_next(&cursor, &command, NULL), 0);
    assert_int_equal(command.type, type);
}
