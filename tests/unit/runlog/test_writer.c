/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "runlog/folder.h"
#include "runlog/writer.h"

#define MOST 1024 /* head 512, tail 8 of 64 */

struct folder {
    char path[32];
    int fd;
};

static void folder_open(struct folder *folder)
{
    strcpy(folder->path, "/tmp/muster-log.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY);
}

static void folder_close(struct folder *folder)
{
    struct runlog_listing listing;
    char name[RUNLOG_NAME_SIZE];
    assert_int_equal(runlog_list(folder->fd, &listing, NULL), 0);
    for (size_t i = 0; i < listing.count; i++) {
        runlog_segment_name(listing.segments[i].start, name);
        assert_int_equal(unlinkat(folder->fd, name, 0), 0);
    }
    if (listing.ended) {
        runlog_end_name(listing.end, name);
        assert_int_equal(unlinkat(folder->fd, name, 0), 0);
    }
    runlog_listing_close(&listing);
    close(folder->fd);
    assert_int_equal(rmdir(folder->path), 0);
}

static void writer_open(struct folder *folder, struct runlog_writer *writer)
{
    assert_int_equal(runlog_writer_open(writer, dup(folder->fd), MOST, NULL), 0);
}

/* The byte at an offset, so that what is there can be told from what should be. */
static char byte_at(uint64_t offset)
{
    return (char)('a' + offset % 23);
}

static void put(struct runlog_writer *writer, size_t len)
{
    char bytes[5000];
    assert_true(len <= sizeof bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = byte_at(writer->offset + i);
    }
    runlog_writer_put(writer, bytes, len);
}

/* Every segment has the bytes of its offsets; returns how many there are in all. */
static uint64_t check(struct folder *folder, struct runlog_listing *listing)
{
    uint64_t sum = 0;
    assert_int_equal(runlog_list(folder->fd, listing, NULL), 0);
    for (size_t i = 0; i < listing->count; i++) {
        const struct runlog_segment *segment = &listing->segments[i];
        char name[RUNLOG_NAME_SIZE];
        char bytes[5000];
        runlog_segment_name(segment->start, name);
        int fd = openat(folder->fd, name, O_RDONLY);
        assert_int_equal(read(fd, bytes, sizeof bytes), (ssize_t)segment->len);
        close(fd);
        for (uint64_t at = 0; at < segment->len; at++) {
            assert_int_equal(bytes[at], byte_at(segment->start + at));
        }
        sum += segment->len;
    }
    return sum;
}

static void a_short_log_is_one_file(void **state)
{
    (void)state;
    struct folder folder;
    struct runlog_writer writer;
    struct runlog_listing listing;
    folder_open(&folder);
    writer_open(&folder, &writer);
    put(&writer, 100);
    put(&writer, 412);
    runlog_writer_end(&writer);
    assert_int_equal(check(&folder, &listing), 512);
    assert_int_equal(listing.count, 1);
    assert_true(listing.ended && listing.end == 512);
    runlog_listing_close(&listing);
    folder_close(&folder);
}

static void an_endless_log_keeps_head_and_tail(void **state)
{
    (void)state;
    struct folder folder;
    struct runlog_writer writer;
    struct runlog_listing listing;
    folder_open(&folder);
    writer_open(&folder, &writer);
    for (size_t i = 0; i < 300; i++) {
        put(&writer, i % 37);
        assert_true(check(&folder, &listing) <= MOST);
        assert_true(listing.end == writer.offset);
        runlog_listing_close(&listing);
    }
    put(&writer, 5000);
    uint64_t end = writer.offset;
    runlog_writer_end(&writer);
    uint64_t sum = check(&folder, &listing);
    assert_true(sum > MOST - 64 && sum <= MOST);
    assert_true(listing.segments[0].start == 0 && listing.segments[0].len == 512);
    assert_true(listing.ended && listing.end == end);
    for (size_t i = 2; i < listing.count; i++) {
        assert_true(listing.segments[i].start ==
                    listing.segments[i - 1].start + listing.segments[i - 1].len);
    }
    runlog_listing_close(&listing);
    folder_close(&folder);
}

static void one_that_is_opened_again_goes_on(void **state)
{
    (void)state;
    struct folder folder;
    struct runlog_writer writer;
    struct runlog_listing listing;
    folder_open(&folder);
    for (size_t i = 0; i < 40; i++) {
        writer_open(&folder, &writer);
        put(&writer, 50);
        runlog_writer_close(&writer);
    }
    uint64_t sum = check(&folder, &listing);
    assert_true(sum <= MOST && listing.end == 2000 && !listing.ended);
    runlog_listing_close(&listing);
    runlog_end(folder.fd);
    runlog_end(folder.fd);
    assert_int_equal(runlog_list(folder.fd, &listing, NULL), 0);
    assert_true(listing.ended && listing.end == 2000);
    runlog_listing_close(&listing);
    folder_close(&folder);
}

/* As a full disk would: no file of this process may grow. */
static void disk_full(bool full)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = full ? 0 : limit.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_cannot_be_written_is_missing(void **state)
{
    (void)state;
    struct folder folder;
    struct runlog_writer writer;
    struct runlog_listing listing;
    folder_open(&folder);
    writer_open(&folder, &writer);
    put(&writer, 100);
    disk_full(true);
    put(&writer, 30);
    put(&writer, 20);
    disk_full(false);
    assert_true(writer.missing == 50 && writer.offset == 150);
    put(&writer, 20);
    runlog_writer_end(&writer);
    assert_int_equal(check(&folder, &listing), 120);
    assert_int_equal(listing.count, 2);
    assert_true(listing.segments[1].start == 150 && listing.end == 170);
    runlog_listing_close(&listing);
    folder_close(&folder);
}

static void a_full_disk_pushes_nothing_out(void **state)
{
    (void)state;
    struct folder folder;
    struct runlog_writer writer;
    struct runlog_listing listing;
    folder_open(&folder);
    writer_open(&folder, &writer);
    put(&writer, 2000);
    uint64_t before = check(&folder, &listing);
    runlog_listing_close(&listing);
    disk_full(true);
    for (int i = 0; i < 50; i++) {
        put(&writer, 10);
    }
    /* It may have let one go, to make the room that it did not get. */
    assert_true(check(&folder, &listing) >= before - 64);
    runlog_listing_close(&listing);
    runlog_writer_end(&writer); /* an empty file can still be made */
    disk_full(false);
    assert_int_equal(runlog_list(folder.fd, &listing, NULL), 0);
    assert_true(listing.ended && listing.end == 2500);
    runlog_listing_close(&listing);
    folder_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_log_is_one_file),
        cmocka_unit_test(an_endless_log_keeps_head_and_tail),
        cmocka_unit_test(one_that_is_opened_again_goes_on),
        cmocka_unit_test(what_cannot_be_written_is_missing),
        cmocka_unit_test(a_full_disk_pushes_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
