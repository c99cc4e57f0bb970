/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot on its way: how long either side bears with the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "raft/frame.h"
#include "raft/transfer.h"
#include "unit/raft/engine_bench.h"

#define PIECES 10
#define SIZE   (PIECES * TRANSFER_PIECE_BYTES - 1000) /* the last one is not full */

enum { GO_ON, ALL_THERE, REFUSED };

/* Node 1 with a transfer; its peers are played by hand. */
struct place {
    struct bench bench;
    struct transfer *transfer;
    struct bytes *membership;
    uint64_t id; /* of the transfer last heard of */
    size_t begun;
    size_t pieces;
    size_t answers;
    uint64_t offset; /* of the last piece */
    uint64_t next;   /* wanted by the last answer */
    uint8_t word;
    bool installed;
    int result; /* of taking the snapshot */
};

static bool place_send(void *owner, uint64_t to, struct bytes *frame)
{
    struct place *place = owner;
    assert_int_equal(to, 2);
    struct cursor cursor;
    cursor_init(&cursor, frame->data, frame->len);
    uint8_t kind = cursor_u8(&cursor);
    place->id = cursor_u64(&cursor);
    if (kind == FRAME_SNAPSHOT) {
        place->begun++;
    } else if (kind == FRAME_SNAPSHOT_CHUNK) {
        place->pieces++;
        place->offset = cursor_u64(&cursor);
    } else {
        assert_int_equal(kind, FRAME_SNAPSHOT_ACK);
        place->answers++;
        place->next = cursor_u64(&cursor);
        place->word = cursor_u8(&cursor);
    }
    return true;
}

static void place_installed(void *owner)
{
    ((struct place *)owner)->installed = true;
}

static int place_produce(void *owner, struct snapshot_sink *sink)
{
    (void)owner;
    uint8_t *content = mem_zalloc(SIZE);
    int result = snapshot_sink_put(sink, content, SIZE);
    mem_free(content);
    return result;
}

static void place_taken(void *owner, int result)
{
    ((struct place *)owner)->result = result;
}

static void place_open(struct place *place)
{
    *place = (struct place){.result = 1};
    struct entry first = change_entry(1, 3, 0);
    place->membership = bytes_ref(first.data);
    bench_open(&place->bench, &first, 1, 4);
    static const struct transfer_hooks hooks = {place_send, place_installed};
    place->transfer = transfer_new(place->bench.clock, place->bench.store,
                                   place->bench.engine, &hooks, place);
}

/* Node 1 leads and has a snapshot that node 2 needs. */
static void place_lead(struct place *place)
{
    place_open(place);
    bench_lead(&place->bench);
    bench_commit_all(&place->bench);
    struct snapshot_meta meta = {2, 1, 1, place->membership};
    store_take_snapshot(place->bench.store, &meta, 100, place_produce, place_taken,
                        place);
    while (place->result == 1) {
        assert_true(sim_time_run_next(place->bench.time));
    }
    assert_int_equal(place->result, 0);
    transfer_wanted(place->transfer, 2);
    assert_int_equal(place->begun, 1);
}

/* Node 1 follows node 2, which leads with a newer log. */
static void place_follow(struct place *place)
{
    place_open(place);
    bench_append(&place->bench, 2, 2, 5, 1, 5, NULL, 0);
    assert_int_equal(engine_leader(place->bench.engine), 2);
}

/* Let time pass; leader and follower hear enough of each other to stay what they are.
 */
static void place_run(struct place *place, uint64_t ms)
{
    struct bench *bench = &place->bench;
    while (ms > 0) {
        uint64_t step_ms = ms < 200 ? ms : 200;
        bench_run(bench, step_ms);
        ms -= step_ms;
        uint64_t term = engine_term(bench->engine);
        if (engine_role(bench->engine) == ENGINE_LEADER) {
            bench_append_result(bench, 2, term, term, 0, engine_last(bench->engine));
        } else if (!engine_installing(bench->engine)) {
            bench_append(bench, 2, term, 5, 1, 5, NULL, 0);
        }
        bench_forget_sent(bench);
    }
}

static void place_frame(struct place *place, struct buf *frame)
{
    assert_int_equal(transfer_frame(place->transfer, 2, frame->data, frame->len, NULL),
                     0);
    buf_close(frame);
}

/* Node 2 answers. */
static void place_answer(struct place *place, uint64_t next, uint8_t word)
{
    struct buf frame;
    buf_init(&frame);
    buf_put_u8(&frame, FRAME_SNAPSHOT_ACK);
    buf_put_u64(&frame, place->id);
    buf_put_u64(&frame, next);
    buf_put_u8(&frame, word);
    place_frame(place, &frame);
}

static void place_close(struct place *place)
{
    if (transfer_sending(place->transfer)) {
        place_answer(place, 0, REFUSED); /* the file is closed while there is a disk */
    }
    transfer_stop(place->transfer);
    bytes_unref(place->membership);
    bench_close(&place->bench);
    transfer_free(place->transfer);
}

/* Node 2 announces a snapshot. */
static void place_begin(struct place *place)
{
    struct buf frame;
    buf_init(&frame);
    buf_put_u8(&frame, FRAME_SNAPSHOT);
    buf_put_u64(&frame, 77);
    buf_put_u64(&frame, 2);
    buf_put_u64(&frame, 50);
    buf_put_u64(&frame, 2);
    buf_put_u64(&frame, 1);
    buf_put_u64(&frame, SIZE);
    buf_put_blob(&frame, place->membership->data, place->membership->len);
    place_frame(place, &frame);
    assert_int_equal(place->answers, 1);
    assert_int_equal(place->word, GO_ON);
}

/* Node 2 sends what is wanted next. */
static void place_piece(struct place *place)
{
    uint64_t left = SIZE - place->next;
    size_t len = left < TRANSFER_PIECE_BYTES ? (size_t)left : TRANSFER_PIECE_BYTES;
    uint8_t *data = mem_zalloc(len);
    struct buf frame;
    buf_init(&frame);
    buf_put_u8(&frame, FRAME_SNAPSHOT_CHUNK);
    buf_put_u64(&frame, 77);
    buf_put_u64(&frame, place->next);
    buf_put_blob(&frame, data, len);
    mem_free(data);
    place_frame(place, &frame);
}

static uint64_t piece_end(const struct place *place)
{
    uint64_t end = place->offset + TRANSFER_PIECE_BYTES;
    return end < SIZE ? end : SIZE;
}

/* --- who sends ------------------------------------------------------------------- */

static void a_peer_that_answers_gets_all_of_it(void **state)
{
    (void)state;
    struct place place;
    place_lead(&place);
    place_answer(&place, 0, GO_ON);
    place_run(&place, 100);
    for (size_t i = 1; i < PIECES; i++) {
        assert_int_equal(place.pieces, i);
        place_answer(&place, piece_end(&place), GO_ON);
        place_run(&place, 1900);
    }
    assert_int_equal(place.pieces, PIECES);
    assert_true(transfer_sending(place.transfer));
    place_answer(&place, SIZE, ALL_THERE);
    assert_false(transfer_sending(place.transfer));
    place_close(&place);
}

static void a_peer_that_answers_nothing_is_given_up(void **state)
{
    (void)state;
    for (size_t answers = 0; answers < 2; answers++) {
        struct place place;
        place_lead(&place);
        if (answers > 0) {
            place_answer(&place, 0, GO_ON);
        }
        place_run(&place, TRANSFER_SILENCE_MS - 100);
        assert_true(transfer_sending(place.transfer));
        place_run(&place, 200);
        assert_false(transfer_sending(place.transfer));
        transfer_wanted(place.transfer, 2); /* as the engine asks, sooner or later */
        assert_int_equal(place.begun, 2);
        place_close(&place);
    }
}

/* Each answer came in time, and a snapshot of a gigabyte was held for ten hours. */
static void a_peer_that_trickles_has_as_long_as_the_size_allows(void **state)
{
    (void)state;
    struct place place;
    place_lead(&place);
    uint64_t left_ms = transfer_whole_ms(SIZE);
    assert_int_equal(left_ms, TRANSFER_SILENCE_MS + PIECES * TRANSFER_PIECE_MS);
    place_answer(&place, 0, GO_ON);
    while (left_ms > 9000) {
        place_run(&place, 9000);
        left_ms -= 9000;
        assert_true(transfer_sending(place.transfer));
        place_answer(&place, piece_end(&place), GO_ON);
    }
    place_run(&place, left_ms + 100);
    assert_false(transfer_sending(place.transfer));
    assert_in_range(place.pieces, 3, PIECES - 1);
    place_close(&place);
}

static void a_peer_that_wants_the_same_again_and_again_has_no_longer(void **state)
{
    (void)state;
    struct place place;
    place_lead(&place);
    uint64_t wants[] = {0, SIZE - 1}; /* the last byte has time to be sealed */
    for (uint64_t ms = 0; ms < 2 * transfer_whole_ms(SIZE); ms += 1000) {
        place_answer(&place, wants[ms > TRANSFER_SILENCE_MS], GO_ON);
        place_run(&place, 1000);
    }
    place_run(&place, 100);
    assert_false(transfer_sending(place.transfer));
    place_close(&place);
}

/* A large one is synced and read again by who got it: that takes more than a piece. */
static void the_last_answer_has_as_long_again(void **state)
{
    (void)state;
    for (int answers = 0; answers < 2; answers++) {
        struct place place;
        place_lead(&place);
        place_answer(&place, 0, GO_ON);
        place_run(&place, 100);
        for (size_t i = 1; i < PIECES; i++) {
            place_answer(&place, piece_end(&place), GO_ON);
            place_run(&place, 100);
        }
        assert_int_equal(piece_end(&place), SIZE);
        place_run(&place, 2 * transfer_whole_ms(SIZE) - PIECES * 100 - 100);
        assert_true(transfer_sending(place.transfer));
        if (answers) {
            place_answer(&place, SIZE, ALL_THERE);
        } else {
            place_run(&place, 200);
        }
        assert_false(transfer_sending(place.transfer));
        place_close(&place);
    }
}

static void a_refusal_ends_it_at_once(void **state)
{
    (void)state;
    struct place place;
    place_lead(&place);
    place_answer(&place, 0, REFUSED);
    assert_false(transfer_sending(place.transfer));
    place_close(&place);
}

/* A node that died before it had sealed what it got was not sent anything for as long
 * as the sealing may take. */
static void a_peer_that_is_lost_is_given_up_at_once(void **state)
{
    (void)state;
    for (size_t pieces = 0; pieces <= PIECES; pieces++) {
        struct place place;
        place_lead(&place);
        for (size_t i = 0; i < pieces; i++) {
            place_answer(&place, i == 0 ? 0 : piece_end(&place), GO_ON);
            place_run(&place, 100);
        }
        transfer_lost(place.transfer, 3);
        assert_true(transfer_sending(place.transfer));
        transfer_lost(place.transfer, 2);
        assert_false(transfer_sending(place.transfer));
        transfer_wanted(place.transfer, 2);
        assert_int_equal(place.begun, 2);
        place_close(&place);
    }
}

/* While a piece is read for it the buffer belongs to the store. */
static void a_peer_that_is_lost_during_a_read_is_given_up_after_it(void **state)
{
    (void)state;
    struct place place;
    place_lead(&place);
    place_answer(&place, 0, GO_ON);
    transfer_lost(place.transfer, 2);
    assert_true(transfer_sending(place.transfer));
    place_run(&place, 100);
    assert_false(transfer_sending(place.transfer));
    assert_int_equal(place.pieces, 0);
    place_close(&place);
}

/* --- who receives ---------------------------------------------------------------- */

static void a_leader_that_sends_is_heard_to_the_end(void **state)
{
    (void)state;
    struct place place;
    place_follow(&place);
    place_begin(&place);
    for (size_t i = 0; i < PIECES; i++) {
        place_run(&place, 1900);
        assert_int_equal(place.word, GO_ON);
        place_piece(&place);
    }
    while (!place.installed) {
        assert_true(sim_time_run_next(place.bench.time));
    }
    assert_int_equal(place.word, ALL_THERE);
    place_close(&place);
}

static void a_leader_that_trickles_is_given_up(void **state)
{
    (void)state;
    struct place place;
    place_follow(&place);
    place_begin(&place);
    uint64_t left_ms = transfer_whole_ms(SIZE);
    for (; left_ms > 9000; left_ms -= 9000) {
        place_run(&place, 9000);
        place_piece(&place);
    }
    place_run(&place, left_ms + 100);
    size_t before = place.answers;
    place_piece(&place); /* of nothing that is known */
    place_run(&place, 100);
    assert_int_equal(place.answers, before);
    place.answers = 0;
    place_begin(&place); /* and another one may come */
    place_close(&place);
}

/* It was cut off after ten seconds, and again the next time. */
static void the_sealing_may_take_longer_than_a_piece(void **state)
{
    (void)state;
    struct place place;
    place_follow(&place);
    place_begin(&place);
    for (size_t i = 0; i < PIECES; i++) {
        place_run(&place, 100);
        sim_disk_latency(place.bench.disk, 5000, 5000); /* and again when it is done */
        place_piece(&place);
    }
    place_run(&place, 12); /* the last one is written, but not sealed */
    sim_disk_pause(place.bench.disk, true);
    place_run(&place, 2 * TRANSFER_SILENCE_MS);
    assert_false(place.installed);
    sim_disk_pause(place.bench.disk, false);
    while (!place.installed) {
        assert_true(sim_time_run_next(place.bench.time));
    }
    assert_int_equal(place.word, ALL_THERE);
    place_close(&place);
}

/* --- the size -------------------------------------------------------------------- */

static void the_time_grows_with_the_size_and_overflows_nowhere(void **state)
{
    (void)state;
    uint64_t least = TRANSFER_SILENCE_MS + TRANSFER_PIECE_MS;
    assert_int_equal(transfer_whole_ms(1), least);
    assert_int_equal(transfer_whole_ms(TRANSFER_PIECE_BYTES), least);
    assert_int_equal(transfer_whole_ms(TRANSFER_PIECE_BYTES + 1),
                     least + TRANSFER_PIECE_MS);
    assert_int_equal(transfer_whole_ms(UINT64_MAX), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_answers_gets_all_of_it),
        cmocka_unit_test(a_peer_that_answers_nothing_is_given_up),
        cmocka_unit_test(a_peer_that_trickles_has_as_long_as_the_size_allows),
        cmocka_unit_test(a_peer_that_wants_the_same_again_and_again_has_no_longer),
        cmocka_unit_test(the_last_answer_has_as_long_again),
        cmocka_unit_test(a_refusal_ends_it_at_once),
        cmocka_unit_test(a_peer_that_is_lost_is_given_up_at_once),
        cmocka_unit_test(a_peer_that_is_lost_during_a_read_is_given_up_after_it),
        cmocka_unit_test(a_leader_that_sends_is_heard_to_the_end),
        cmocka_unit_test(a_leader_that_trickles_is_given_up),
        cmocka_unit_test(the_sealing_may_take_longer_than_a_piece),
        cmocka_unit_test(the_time_grows_with_the_size_and_overflows_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
