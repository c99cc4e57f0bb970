/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/buf.h"
#include "runlog/folder.h"
#include "runlog/reader.h"
#include "runlog/writer.h"

#define MOST 1024 /* head 512, tail 8 of 64 */

struct bench {
    uv_loop_t loop;
    char path[32];
    int fd;
    struct runlog_writer writer;
    struct runlog_reader *reader;
    struct buf got; /* data as it is, '#' for each byte that is missing */
    uint64_t next;
    size_t most;
    bool follow;
    int pieces;
    bool end;
    bool ended;
    enum err_code failed;
};

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){.most = 100};
    uv_loop_init(&bench->loop);
    strcpy(bench->path, "/tmp/muster-log.XXXXXX");
    assert_non_null(mkdtemp(bench->path));
    bench->fd = open(bench->path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(runlog_writer_open(&bench->writer, dup(bench->fd), MOST, NULL), 0);
}

static void bench_close(struct bench *bench)
{
    if (bench->reader != NULL) {
        runlog_reader_close(bench->reader, NULL, NULL);
    }
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    if (bench->writer.folder_fd >= 0) {
        runlog_writer_close(&bench->writer);
    }
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", bench->path);
    assert_int_equal(system(command), 0);
    close(bench->fd);
    buf_close(&bench->got);
}

static char byte_at(uint64_t offset)
{
    return (char)('a' + offset % 23);
}

static void put(struct bench *bench, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char byte = byte_at(bench->writer.offset);
        runlog_writer_put(&bench->writer, &byte, 1);
    }
}

static void took(void *owner, const struct runlog_piece *piece);

static void ask(struct bench *bench)
{
    runlog_reader_next(bench->reader, bench->most, bench->follow, took, bench);
}

static void took(void *owner, const struct runlog_piece *piece)
{
    struct bench *bench = owner;
    bench->pieces++;
    switch (piece->kind) {
    case RUNLOG_DATA:
        assert_true(piece->len > 0 && piece->len <= bench->most);
        assert_int_equal(piece->offset, bench->next);
        for (uint64_t i = 0; i < piece->len; i++) {
            assert_int_equal(((const char *)piece->data)[i], byte_at(bench->next + i));
        }
        buf_put(&bench->got, piece->data, (size_t)piece->len);
        break;
    case RUNLOG_MISSING:
        assert_int_equal(piece->offset, bench->next);
        for (uint64_t i = 0; i < piece->len; i++) {
            buf_put_u8(&bench->got, '#');
        }
        break;
    case RUNLOG_END:
        bench->end = true;
        bench->ended = piece->ended;
        bench->next = piece->offset;
        return;
    case RUNLOG_FAILED:
        bench->end = true;
        bench->failed = piece->err.code;
        return;
    }
    bench->next += piece->len;
    ask(bench);
}

static void read_from(struct bench *bench, uint64_t offset, bool follow)
{
    if (bench->reader != NULL) {
        runlog_reader_close(bench->reader, NULL, NULL);
    }
    bench->reader = runlog_reader_new(&bench->loop, bench->path, offset);
    bench->next = offset;
    bench->follow = follow;
    bench->end = false;
    bench->pieces = 0;
    buf_clear(&bench->got);
    ask(bench);
}

static void run_to_end(struct bench *bench)
{
    while (!bench->end) {
        uv_run(&bench->loop, UV_RUN_ONCE);
    }
}

static void a_range_is_read_to_the_end_so_far(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    put(&bench, 300);
    read_from(&bench, 0, false);
    run_to_end(&bench);
    assert_true(bench.got.len == 300 && bench.next == 300 && !bench.ended);
    read_from(&bench, 250, false);
    run_to_end(&bench);
    assert_true(bench.got.len == 50);
    runlog_writer_end(&bench.writer);
    read_from(&bench, 300, false);
    run_to_end(&bench);
    assert_true(bench.got.len == 0 && bench.ended && bench.next == 300);
    read_from(&bench, 1000, true); /* behind the end: where that is */
    run_to_end(&bench);
    assert_true(bench.ended && bench.next == 300);
    bench_close(&bench);
}

static void what_is_missing_is_told_and_offsets_stay(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    put(&bench, 4000);
    runlog_writer_end(&bench.writer);
    read_from(&bench, 0, false);
    run_to_end(&bench);
    assert_int_equal(bench.got.len, 4000);
    const char *got = (const char *)bench.got.data;
    const char *gap = memchr(got, '#', 4000);
    assert_int_equal(gap - got, 512);
    for (uint64_t at = 0; at < 4000; at++) {
        assert_true(got[at] == byte_at(at) || (got[at] == '#' && at < 3600));
    }
    read_from(&bench, 700, false); /* begins in what is missing */
    run_to_end(&bench);
    assert_true(bench.got.data[0] == '#' && bench.got.len == 3300);
    read_from(&bench, 3990, false);
    run_to_end(&bench);
    assert_true(bench.got.len == 10);
    bench_close(&bench);
}

static void one_that_follows_waits_for_more_and_for_the_end(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    put(&bench, 10);
    read_from(&bench, 0, true);
    for (size_t round = 1; round < 30; round++) {
        while (bench.got.len < round * 10) {
            uv_run(&bench.loop, UV_RUN_ONCE);
        }
        put(&bench, 10); /* while it waits, or is just about to */
    }
    assert_false(bench.end);
    runlog_writer_end(&bench.writer);
    run_to_end(&bench);
    assert_true(bench.ended && bench.got.len == 300);
    bench_close(&bench);
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    char path[64];
    struct runlog_piece piece;
    char data[8];
    snprintf(path, sizeof path, "%s/none", bench.path);
    runlog_read(path, 0, data, sizeof data, &piece);
    assert_int_equal(piece.kind, RUNLOG_FAILED);
    assert_int_equal(piece.err.code, ERR_NOT_FOUND);
    runlog_read(bench.path, 0, data, sizeof data, &piece);
    assert_true(piece.kind == RUNLOG_END && piece.offset == 0 && !piece.ended);
    bench_close(&bench);
}

static void one_can_be_closed_while_it_waits(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    read_from(&bench, 0, true);
    bench_close(&bench); /* in the middle of a look */
    bench_open(&bench);
    put(&bench, 5);
    read_from(&bench, 0, true);
    while (bench.got.len < 5) {
        uv_run(&bench.loop, UV_RUN_ONCE);
    }
    for (int i = 0; i < 10; i++) {
        uv_run(&bench.loop, UV_RUN_NOWAIT);
    }
    bench_close(&bench);
    assert_false(bench.end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_read_to_the_end_so_far),
        cmocka_unit_test(what_is_missing_is_told_and_offsets_stay),
        cmocka_unit_test(one_that_follows_waits_for_more_and_for_the_end),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(one_can_be_closed_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
