/* SPDX-License-Identifier: Apache-2.0 */
/* What answers to one question prove, as a table; and the frames, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/read_round.h"
#include "raft/read_wire.h"

#define TERM   7
#define NUMBER 3

struct heard {
    uint64_t from;
    uint64_t number;
    uint64_t asked_term;
    uint64_t term;
};

/* clang-format off */
#define YES(from)   {from, NUMBER, TERM, TERM}
#define OLDER(from) {from, NUMBER, TERM, TERM - 1}
#define NEWER(from) {from, NUMBER, TERM, TERM + 1}

/* Voters "123", standbys "s" of ids 4 and up; the leader is 1 unless it says otherwise. */
static const struct row {
    const char *what;
    const char *voters;
    const char *standbys;
    uint64_t self;
    struct heard heard[6];
    enum read_verdict verdict;
} rows[] = {
    {"a sole voter says yes to itself", "1", "", 1, {{0}}, READ_PROVED},
    {"a leader of three alone", "123", "", 1, {{0}}, READ_OPEN},
    {"one other of three", "123", "", 1, {YES(2)}, READ_PROVED},
    {"one other of five", "12345", "", 1, {YES(2)}, READ_OPEN},
    {"two others of five", "12345", "", 1, {YES(2), YES(5)}, READ_PROVED},
    {"the same one twice", "12345", "", 1, {YES(2), YES(2)}, READ_OPEN},
    {"half of four", "1234", "", 1, {YES(2)}, READ_OPEN},
    {"two voters: both", "12", "", 1, {YES(2)}, READ_PROVED},
    {"a standby does not count", "123", "45", 1, {YES(4), YES(5)}, READ_OPEN},
    {"a stranger does not count", "123", "", 1, {YES(9)}, READ_OPEN},
    {"a leader without a vote does not count itself", "23", "1", 1, {YES(2)}, READ_OPEN},
    {"a leader without a vote, proved by the others", "23", "1", 1, {YES(2), YES(3)}, READ_PROVED},
    {"an older term is no yes", "123", "", 1, {OLDER(2)}, READ_OPEN},
    {"an older term and then ours", "123", "", 1, {OLDER(2), YES(2)}, READ_PROVED},
    {"a newer term", "123", "", 1, {NEWER(2)}, READ_NEWER},
    {"a standby's newer term means nothing", "123", "4", 1, {NEWER(4)}, READ_OPEN},
    {"a newer term and a majority all the same", "123", "", 1, {NEWER(2), YES(3)}, READ_PROVED},
    {"an answer to an earlier round", "123", "", 1, {{2, NUMBER - 1, TERM, TERM}}, READ_OPEN},
    {"an answer to a round of another term", "123", "", 1, {{2, NUMBER, TERM - 1, TERM}}, READ_OPEN},
    {"a newer term of an earlier round", "123", "", 1, {{2, NUMBER - 1, TERM, TERM + 1}}, READ_OPEN},
};
/* clang-format on */

static void add_members(struct membership *members, const char *ids, bool voter)
{
    for (; *ids != '\0'; ids++) {
        struct membership_row *row = &members->rows[members->count++];
        row->id = (uint64_t)(*ids - '0');
        row->voter = voter;
    }
}

static void a_round_is_proved_by_a_majority_of_its_voters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct membership members = {.count = 0};
        struct read_round round = {.number = NUMBER, .term = TERM};
        add_members(&members, row->standbys, false);
        add_members(&members, row->voters, true);
        read_round_begin(&round, &members, row->self);
        for (const struct heard *heard = row->heard; heard->from != 0; heard++) {
            read_round_hear(&round, heard->from, heard->number, heard->asked_term,
                            heard->term);
        }
        if (read_round_verdict(&round) != row->verdict) {
            fail_msg("%s", row->what);
        }
    }
}

static void a_round_without_voters_is_never_proved(void **state)
{
    (void)state;
    struct membership members = {.count = 0};
    struct read_round round = {.number = NUMBER, .term = TERM};
    read_round_begin(&round, &members, 1);
    assert_int_equal(read_round_verdict(&round), READ_OPEN);
}

/* --- frames ------------------------------------------------------------------------
 */

#define N1 "\x05\x01\0\0\0\0\0\0"
#define N2 "\x28\x27\x26\x25\x24\x23\x22\xa1"
#define N3 "\x06\x01\0\0\0\0\0\0"

static const struct frozen {
    struct read_message message;
    const char *bytes;
    size_t len;
} frozen[] = {
#define FROZEN(bytes, ...)                                                             \
    {                                                                                  \
        {__VA_ARGS__}, bytes, sizeof(bytes) - 1                                        \
    }
    FROZEN("\x50" N1 N2, .kind = FRAME_READ_ASK, .term = 261,
           .round = 0xa122232425262728u),
    FROZEN("\x51" N1 N2 N3, .kind = FRAME_READ_TERM, .term = 261,
           .round = 0xa122232425262728u, .own_term = 262),
    FROZEN("\x52" N2 N1, .kind = FRAME_READ_WANT, .session = 0xa122232425262728u,
           .serial = 261),
    FROZEN("\x53" N2 N1 "\0" N3, .kind = FRAME_READ_INDEX,
           .session = 0xa122232425262728u, .serial = 261, .index = 262),
    FROZEN("\x53" N2 N1 "\x03\0\0\0\0\0\0\0\0", .kind = FRAME_READ_INDEX,
           .session = 0xa122232425262728u, .serial = 261, .word = READ_WORD_BUSY),
};

#define FROZEN_COUNT (sizeof frozen / sizeof *frozen)

/* From memory of just that size, for the sanitizer. */
static int decode(struct read_message *out, const void *data, size_t len)
{
    uint8_t *copy = mem_alloc(len > 0 ? len : 1);
    memcpy(copy, data, len);
    int rv = read_decode(out, copy, len, NULL);
    mem_free(copy);
    return rv;
}

static void frames_are_what_the_specification_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        struct read_message back;
        struct bytes *frame = read_encode(&frozen[i].message);
        assert_int_equal(frame->len, frozen[i].len);
        assert_memory_equal(frame->data, frozen[i].bytes, frozen[i].len);
        assert_int_equal(decode(&back, frame->data, frame->len), 0);
        assert_int_equal(back.kind, frozen[i].message.kind);
        assert_int_equal(back.term, frozen[i].message.term);
        assert_int_equal(back.round, frozen[i].message.round);
        assert_int_equal(back.own_term, frozen[i].message.own_term);
        assert_int_equal(back.session, frozen[i].message.session);
        assert_int_equal(back.serial, frozen[i].message.serial);
        assert_int_equal(back.word, frozen[i].message.word);
        assert_int_equal(back.index, frozen[i].message.index);
        bytes_unref(frame);
    }
}

static void frames_that_are_cut_or_too_long_are_refused(void **state)
{
    (void)state;
    struct read_message back;
    for (size_t i = 0; i < FROZEN_COUNT; i++) {
        char longer[64] = {0};
        memcpy(longer, frozen[i].bytes, frozen[i].len);
        for (size_t len = 0; len < frozen[i].len; len++) {
            assert_int_equal(decode(&back, frozen[i].bytes, len), ERR_CORRUPT);
        }
        assert_int_equal(decode(&back, longer, frozen[i].len + 1), ERR_CORRUPT);
    }
}

static void frames_of_no_kind_or_word_are_refused(void **state)
{
    (void)state;
    struct read_message back;
    assert_int_equal(decode(&back, "\x54" N1 N2, 17), ERR_CORRUPT);
    assert_int_equal(decode(&back, "\x53" N2 N1 "\x04\0\0\0\0\0\0\0\0", 26),
                     ERR_CORRUPT);
    assert_int_equal(decode(&back, "\x53" N2 N1 "\x01" N3, 26), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_is_proved_by_a_majority_of_its_voters),
        cmocka_unit_test(a_round_without_voters_is_never_proved),
        cmocka_unit_test(frames_are_what_the_specification_says),
        cmocka_unit_test(frames_that_are_cut_or_too_long_are_refused),
        cmocka_unit_test(frames_of_no_kind_or_word_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
