/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exec/files.h"
#include "exec/talk.h"
#include "lib/golden.h"

static const struct files_order order = {
    .run = 12,
    .mark = 0x0123456789abcdef,
    .task = "web",
    .program = "/m/apply",
    .module = "/m",
    .work = "/w/web",
    .cgroup = "",
    .inspect = true,
    .deadline_ms = 100,
    .grace_ms = 5000,
    .tries = 3,
    .time_limit_ms = 60000,
    .uid = 1,
    .gid = 2,
    .limits = {.memory_bytes = 3,
               .cpu_percent = 4,
               .cpu_seconds = 5,
               .files_count = 6,
               .processes_count = 7},
    .log_bytes = 8,
    .containment = EXEC_CONTAIN_WALK,
};

static const struct driver_result result = {
    .outcome = DRIVER_FAILED,
    .exit_code = 3,
    .signal = 0,
    .changes = true,
    .started_ms = 1000,
    .ended_ms = 2000,
    .text = "exit code 3: no",
};

static void put_all(struct buf bufs[4])
{
    for (int i = 0; i < 4; i++) {
        buf_init(&bufs[i]);
    }
    files_put_claim(
        &bufs[0],
        &(struct files_claim){
            .boot = "a-boot", .pid_namespace = 9, .node = 10, .run = 12, .mark = 11});
    files_put_order(&bufs[1], &order);
    files_put_record(&bufs[2],
                     &(struct files_record){.pid = 13,
                                            .start_ticks = 14,
                                            .guard = 15,
                                            .guard_ticks = 16,
                                            .containment = EXEC_CONTAIN_CGROUP,
                                            .cgroup = "/cg"});
    files_put_result(&bufs[3], &result);
}

static int get(int which, const struct buf *buf)
{
    struct files_claim claim;
    struct files_order got_order;
    struct files_record record;
    struct driver_result got_result;
    int failed = 0;
    switch (which) {
    case 0:
        failed = files_get_claim(buf, &claim, NULL);
        assert_true(failed != 0 || (strcmp(claim.boot, "a-boot") == 0 &&
                                    claim.run == 12 && claim.mark == 11));
        return failed;
    case 1:
        failed = files_get_order(buf, &got_order, NULL);
        if (failed == 0) {
            assert_string_equal(got_order.work, order.work);
            assert_int_equal(got_order.limits.processes_count, 7);
            assert_int_equal(got_order.containment, order.containment);
            files_order_close(&got_order);
        }
        return failed;
    case 2:
        failed = files_get_record(buf, &record, NULL);
        assert_true(failed != 0 ||
                    (record.pid == 13 && strcmp(record.cgroup, "/cg") == 0));
        return failed;
    default:
        memset(&got_result, 0xff, sizeof got_result); /* all of it is filled in */
        failed = files_get_result(buf, &got_result, NULL);
        assert_true(failed != 0 ||
                    (got_result.outcome == DRIVER_FAILED && !got_result.unable &&
                     strcmp(got_result.text, result.text) == 0));
        return failed;
    }
}

static void what_was_put_comes_back_and_nothing_shorter(void **state)
{
    (void)state;
    struct buf bufs[4];
    put_all(bufs);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(get(i, &bufs[i]), 0);
        for (size_t len = 0; len < bufs[i].len; len++) {
            struct buf part = {.data = bufs[i].data, .len = len};
            assert_int_equal(get(i, &part), ERR_CORRUPT);
        }
        bufs[i].data[7]++; /* another version */
        assert_int_equal(get(i, &bufs[i]), ERR_CORRUPT);
        buf_close(&bufs[i]);
    }
}

static void the_bytes_are_what_they_were(void **state)
{
    (void)state;
    struct buf bufs[4];
    put_all(bufs);
    struct buf all;
    buf_init(&all);
    for (int i = 0; i < 4; i++) {
        buf_put(&all, bufs[i].data, bufs[i].len);
        buf_close(&bufs[i]);
    }
    talk_put_feed(&all, 77);
    talk_put_state(&all, &(struct talk_state){.phase = TALK_RUNNING,
                                              .deadline_ms = 78,
                                              .started_ms = 79});
    talk_put_result(&all, true, &result);
    golden_check("run_files.hex", all.data, all.len);
    buf_close(&all);
}

static void frames_come_one_after_the_other(void **state)
{
    (void)state;
    struct buf received;
    buf_init(&received);
    talk_put_state(&received,
                   &(struct talk_state){.phase = TALK_GONE, .deadline_ms = 5});
    talk_put_result(&received, false, &result);
    uint8_t kind = 0;
    struct cursor payload;
    struct talk_state got;
    int len = talk_frame(&received, &kind, &payload);
    assert_true(len > 0 && kind == TALK_STATE);
    assert_true(talk_get_state(&payload, &got) && got.phase == TALK_GONE);
    talk_drop(&received, (size_t)len);
    for (size_t cut = 0; cut < received.len; cut++) {
        struct buf part = {.data = received.data, .len = cut};
        assert_int_equal(talk_frame(&part, &kind, &payload), 0);
    }
    bool on_disk = true;
    struct driver_result same;
    assert_true(talk_frame(&received, &kind, &payload) == (int)received.len);
    assert_true(talk_get_result(&payload, &on_disk, &same) && !on_disk);
    assert_string_equal(same.text, result.text);
    put_u32(received.data + 1, TALK_MAX_BYTES + 1);
    assert_true(talk_frame(&received, &kind, &payload) < 0);
    buf_close(&received);
}

/* --- on disk -------------------------------------------------------------------- */

static int new_folder(char path[32])
{
    strcpy(path, "/tmp/muster-files.XXXXXX");
    assert_non_null(mkdtemp(path));
    return open(path, O_RDONLY | O_DIRECTORY);
}

static void remove_all(int folder_fd, const char *path)
{
    static const char *const names[] = {FILES_CLAIM, FILES_RECORD, FILES_RESULT,
                                        FILES_RESULT FILES_PART};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlinkat(folder_fd, names[i], 0);
    }
    close(folder_fd);
    assert_int_equal(rmdir(path), 0);
}

static void a_claim_and_a_record_are_made_once(void **state)
{
    (void)state;
    char path[32];
    int fd = new_folder(path);
    struct buf data;
    buf_init(&data);
    buf_put_u8(&data, 1);
    assert_int_equal(files_create(fd, FILES_CLAIM, &data, NULL), 0);
    assert_int_equal(files_create(fd, FILES_CLAIM, &data, NULL), ERR_EXISTS);
    assert_int_equal(files_link(fd, FILES_RECORD, &data, NULL), 0);
    assert_int_equal(files_link(fd, FILES_RECORD, &data, NULL), ERR_EXISTS);
    buf_close(&data);
    struct files_claim claim;
    struct files_record record;
    assert_int_equal(files_read_claim(fd, &claim, NULL), ERR_CORRUPT);
    assert_int_equal(files_read_record(fd, &record, NULL), ERR_CORRUPT);
    remove_all(fd, path);
}

static void a_result_is_there_or_not_and_fits_into_its_room(void **state)
{
    (void)state;
    char path[32];
    int fd = new_folder(path);
    struct driver_result got;
    assert_int_equal(files_read_result(fd, &got, NULL), ERR_NOT_FOUND);
    assert_int_equal(files_reserve_result(fd, NULL), 0);
    assert_int_equal(files_read_result(fd, &got, NULL), ERR_NOT_FOUND);
    assert_int_equal(files_write_result(fd, &result, NULL), 0);
    assert_int_equal(files_read_result(fd, &got, NULL), 0);
    assert_string_equal(got.text, result.text);
    assert_int_equal(faccessat(fd, FILES_RESULT FILES_PART, F_OK, 0), -1);
    remove_all(fd, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back_and_nothing_shorter),
        cmocka_unit_test(the_bytes_are_what_they_were),
        cmocka_unit_test(frames_come_one_after_the_other),
        cmocka_unit_test(a_claim_and_a_record_are_made_once),
        cmocka_unit_test(a_result_is_there_or_not_and_fits_into_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
