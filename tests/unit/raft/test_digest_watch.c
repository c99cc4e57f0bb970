/* SPDX-License-Identifier: Apache-2.0 */
/* Whose state differs: what each of a few nodes says decides, one step at a time; then
 * three whole nodes, one of which applies something that nobody else has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "raft/digest_watch.h"
#include "raft/frame.h"
#include "unit/raft/cluster_bench.h"

/* --- the comparison ----------------------------------------------------------------
 */

#define SELF 1

static struct membership members_of(size_t voters, size_t standbys)
{
    struct membership members = {.count = voters + standbys};
    for (size_t i = 0; i < members.count; i++) {
        members.rows[i].id = i + 1;
        members.rows[i].voter = i < voters;
    }
    return members;
}

static struct digest digest_of(char letter)
{
    return (struct digest){(uint64_t)letter, 7};
}

/* Each word is what a node has noted, from the oldest on: "a10" is digest a at 10. */
static void say(struct digest_watch *watch, const char *words)
{
    while (*words != '\0') {
        char letter = *words++;
        uint64_t index = 0;
        while (*words >= '0' && *words <= '9') {
            index = 10 * index + (uint64_t)(*words++ - '0');
        }
        digest_watch_note(watch, index, digest_of(letter));
        words += *words == ' ';
    }
}

static void hear(struct digest_watch *watch, uint64_t id,
                 const struct membership *members, const char *words)
{
    struct digest_watch other;
    digest_watch_init(&other, id, 10);
    say(&other, words);
    struct bytes *frame = digest_watch_encode(&other);
    assert_int_equal(
        digest_watch_hear(watch, id, members, frame->data, frame->len, NULL), 0);
    bytes_unref(frame);
}

struct row {
    size_t voters;
    size_t standbys;
    const char *words[6]; /* of node 1, which judges, 2, ... ; "": has said nothing */
    enum digest_verdict verdict;
    uint64_t index;
    const char *different; /* "3": node 3 */
};

static const struct row rows[] = {
    {3, 0, {"", "", ""}, DIGEST_ALONE, 0, ""},
    {3, 0, {"a10", "", ""}, DIGEST_ALONE, 0, ""},
    {1, 0, {"a10"}, DIGEST_SAME, 10, ""},
    {3, 0, {"a10", "a10", ""}, DIGEST_SAME, 10, ""},
    {3, 0, {"a10", "a10", "a10"}, DIGEST_SAME, 10, ""},
    {3, 0, {"a10", "a10", "b10"}, DIGEST_SAME, 10, "3"},
    {3, 0, {"b10", "a10", "a10"}, DIGEST_DIFFERENT, 10, ""},
    /* two of three: who of them is wrong? */
    {3, 0, {"a10", "b10", ""}, DIGEST_OPEN, 10, ""},
    {3, 0, {"a10", "b10", "c10"}, DIGEST_OPEN, 10, ""},
    {2, 0, {"a10", "b10"}, DIGEST_OPEN, 10, ""},
    /* only the same index is compared; the newest that says something counts */
    {3, 0, {"a10", "b20", "b20"}, DIGEST_ALONE, 0, ""},
    {3, 0, {"a10 b20", "a10", "a10"}, DIGEST_SAME, 10, ""},
    {3, 0, {"a10 b20", "a10 b20", "a10"}, DIGEST_SAME, 20, ""},
    {3, 0, {"a10 c20", "a10 b20", "a10 b20"}, DIGEST_DIFFERENT, 20, ""},
    {3, 0, {"c10 b20", "a10 b20", "a10 b20"}, DIGEST_SAME, 20, ""},
    {3, 0, {"a10 b20", "x10 b20", "x10"}, DIGEST_SAME, 20, ""},
    {3, 0, {"a10 b20 c30 d40 e50", "x10", "x10"}, DIGEST_ALONE, 0, ""},
    /* standbys are judged and do not judge */
    {3, 1, {"a10", "a10", "", "b10"}, DIGEST_SAME, 10, "4"},
    {2, 2, {"a10", "", "b10", "b10"}, DIGEST_OPEN, 10, ""},
    {3, 2, {"a10", "a10", "", "b10", "b10"}, DIGEST_SAME, 10, "45"},
    {5, 0, {"a10", "a10", "b10", "b10", ""}, DIGEST_OPEN, 10, ""},
    {5, 0, {"a10", "a10", "b10", "b10", "b10"}, DIGEST_DIFFERENT, 10, ""},
    {5, 0, {"a10", "a10", "b10", "a10", "c10"}, DIGEST_SAME, 10, "35"},
    {5, 0, {"a10", "a10", "", "", ""}, DIGEST_ALONE, 0, ""},
};

static void who_differs_is_what_a_majority_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct membership members = members_of(row->voters, row->standbys);
        struct digest_watch watch;
        struct digest_finding finding;
        digest_watch_init(&watch, SELF, 10);
        say(&watch, row->words[0]);
        for (size_t k = 1; k < members.count; k++) {
            if (row->words[k][0] != '\0') {
                hear(&watch, k + 1, &members, row->words[k]);
            }
        }
        digest_watch_judge(&watch, &members, &finding);
        assert_int_equal(finding.verdict, row->verdict);
        assert_int_equal(finding.index, row->index);
        assert_int_equal(finding.different_count, strlen(row->different));
        for (size_t k = 0; k < finding.different_count; k++) {
            assert_int_equal(finding.different[k], row->different[k] - '0');
        }
    }
}

/* A standby that differs from all the voters is told so by them, too. */
static void a_standby_is_held_to_what_the_voters_have(void **state)
{
    (void)state;
    struct membership members = members_of(3, 1);
    struct digest_watch watch;
    struct digest_finding finding;
    digest_watch_init(&watch, 4, 10);
    say(&watch, "a10");
    hear(&watch, 1, &members, "b10");
    digest_watch_judge(&watch, &members, &finding);
    assert_int_equal(finding.verdict, DIGEST_OPEN);
    hear(&watch, 2, &members, "b10");
    digest_watch_judge(&watch, &members, &finding);
    assert_int_equal(finding.verdict, DIGEST_DIFFERENT);
    assert_true(digest_equal(finding.right, digest_of('b')));
    assert_true(digest_equal(finding.own, digest_of('a')));
}

static void what_an_earlier_start_or_no_member_said_counts_no_more(void **state)
{
    (void)state;
    struct membership members = members_of(3, 0);
    struct digest_watch watch;
    struct digest_finding finding;
    digest_watch_init(&watch, SELF, 10);
    say(&watch, "a10");
    hear(&watch, 2, &members, "b10");
    hear(&watch, 3, &members, "b10");
    digest_watch_drop(&watch, 3);
    digest_watch_judge(&watch, &members, &finding);
    assert_int_equal(finding.verdict, DIGEST_OPEN);
    assert_false(digest_watch_heard(&watch, 3));
    assert_true(digest_watch_heard(&watch, 2));
    members.rows[1].id = 9; /* node 2 was replaced */
    digest_watch_judge(&watch, &members, &finding);
    assert_int_equal(finding.verdict, DIGEST_ALONE);
    for (uint64_t id = 100; id < 100 + 2 * LIMIT_MEMBERS; id++) {
        hear(&watch, id, &members, "c10"); /* strangers make room for each other */
    }
    hear(&watch, 3, &members, "a10");
    digest_watch_judge(&watch, &members, &finding);
    assert_int_equal(finding.verdict, DIGEST_SAME);
    digest_watch_forget(&watch);
    digest_watch_judge(&watch, &members, &finding);
    assert_int_equal(finding.verdict, DIGEST_ALONE);
}

/* --- bytes -------------------------------------------------------------------------
 */

#define FROZEN                                                                         \
    "\x60\x02"                                                                         \
    "\xd0\x07\0\0\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01\x18\x17\x16\x15\x14\x13\x12" \
    "\x11"                                                                             \
    "\xe8\x03\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"

static void its_frame_lies_as_it_was_frozen(void **state)
{
    (void)state;
    struct digest_watch watch;
    digest_watch_init(&watch, SELF, 0);
    assert_null(digest_watch_encode(&watch));
    assert_true(digest_watch_wants(&watch, 1000) && !digest_watch_wants(&watch, 1001));
    digest_watch_note(&watch, 1000, (struct digest){1, 2});
    digest_watch_note(&watch, 2000,
                      (struct digest){0x0102030405060708u, 0x1112131415161718u});
    struct bytes *frame = digest_watch_encode(&watch);
    assert_int_equal(frame->len, sizeof FROZEN - 1);
    assert_memory_equal(frame->data, FROZEN, frame->len);
    bytes_unref(frame);
}

static int hear_bytes(const void *data, size_t len)
{
    struct membership members = members_of(3, 0);
    struct digest_watch watch;
    digest_watch_init(&watch, SELF, 0);
    uint8_t *copy = mem_dup(data, len); /* of just that size, for the sanitizer */
    int rv = digest_watch_hear(&watch, 2, &members, copy, len, NULL);
    mem_free(copy);
    return rv;
}

static void frames_that_are_none_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[sizeof FROZEN];
    size_t whole = sizeof FROZEN - 1;
    memcpy(bytes, FROZEN, sizeof FROZEN);
    assert_int_equal(hear_bytes(bytes, whole), 0);
    assert_int_equal(hear_bytes(bytes, whole + 1), ERR_CORRUPT);
    for (size_t len = 0; len < whole; len++) {
        assert_int_equal(hear_bytes(bytes, len), ERR_CORRUPT);
    }
    static const uint8_t wrong[][2] = {
        {0, FRAME_DIGEST + 1}, /* the kind */
        {1, 0},                /* how many */
        {1, 3},
        {1, DIGEST_WATCH_POINTS + 1},
        {27, 0x08}, /* the second index is not lower than the first */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(bytes, FROZEN, sizeof FROZEN);
        bytes[wrong[i][0]] = wrong[i][1];
        assert_int_equal(hear_bytes(bytes, whole), ERR_CORRUPT);
    }
    memcpy(bytes, FROZEN, sizeof FROZEN);
    memset(bytes + 26, 0, 8); /* index 0 */
    assert_int_equal(hear_bytes(bytes, whole), ERR_CORRUPT);
}

/* --- whole nodes -------------------------------------------------------------------
 */

static struct bench_node *bench_lead(struct cluster_bench *bench)
{
    bench_open(bench);
    bench_start_all(bench);
    assert_true(bench_run_until(bench, bench_has_leader, 20000));
    bench_run(bench, 1000);
    return bench_leader(bench);
}

static struct bench_node *bench_other(struct bench_node *node)
{
    struct cluster_bench *bench = node->bench;
    return &bench->nodes[node == &bench->nodes[0] ? 1 : 0];
}

/* It applies a command that is in nobody's log. */
static void go_astray(struct bench_node *node)
{
    struct buf batch;
    struct batch_header header = {.count = 1};
    struct command command = {
        .type = COMMAND_SETTING_SET, .request_id = text_of(""), .actor = text_of("")};
    size_t count = 0;
    command.setting_set.name = text_of(setting_name(SETTING_READY_LAG));
    command.setting_set.value = 77;
    buf_init(&batch);
    batch_begin(&batch, &header);
    assert_int_equal(command_encode(&batch, &command, 1, NULL), 0);
    assert_int_equal(
        fsm_apply(node_fsm(node->node), batch.data, batch.len, NULL, 0, &count, NULL),
        0);
    buf_close(&batch);
}

static void write_entries(struct cluster_bench *bench, size_t entries)
{
    struct bench_node *leader = bench_leader(bench);
    uint64_t end = engine_last(node_engine(leader->node)) + entries;
    while (engine_last(node_engine(leader->node)) < end) {
        (void)bench_write(leader, 10);
        bench_run(bench, 5);
        if (bench_leader(bench) != leader) {
            return;
        }
    }
    bench_run(bench, 500);
}

static bool is_unfit(const struct bench_node *node)
{
    return node_unfit(node->node)[0] != '\0';
}

static struct bench_node *stray;

static bool another_leads(struct cluster_bench *bench)
{
    struct bench_node *leader = bench_leader(bench);
    return leader != NULL && leader != stray;
}

static void equal_states_are_never_called_different(void **state)
{
    (void)state;
    struct cluster_bench bench;
    (void)bench_lead(&bench);
    write_entries(&bench, 4 * BENCH_DIGEST_EVERY);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        assert_false(node_sees_difference(bench.nodes[i].node));
    }
    bench_close(&bench);
}

static void a_follower_whose_state_differs_serves_nothing_and_votes_on(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    stray = bench_other(leader);
    go_astray(stray);
    write_entries(&bench, BENCH_DIGEST_EVERY);
    assert_true(is_unfit(stray));
    for (size_t i = 0; i < BENCH_NODES; i++) {
        struct bench_node *node = &bench.nodes[i];
        struct node_member members[BENCH_NODES];
        assert_int_equal(is_unfit(node), node == stray);
        assert_int_equal(node_members(node->node, members, BENCH_NODES), BENCH_NODES);
        for (size_t k = 0; k < BENCH_NODES; k++) {
            assert_int_equal(members[k].differs, k == (size_t)(stray - bench.nodes));
        }
    }
    /* the leader dies: the other one leads with its vote, and it never stands itself */
    bench_kill(leader);
    assert_true(bench_run_until(&bench, another_leads, 20000));
    size_t done = bench.decided[0];
    write_entries(&bench, 10);
    assert_true(bench.decided[0] >= done + 10);
    assert_true(is_unfit(stray));
    /* a restart is another chance: the log was right, and so is what it makes of it */
    bench_kill(stray);
    bench_start(stray);
    assert_true(bench_run_until(&bench, bench_is_level, 20000));
    write_entries(&bench, BENCH_DIGEST_EVERY);
    assert_false(is_unfit(stray));
    bench_close(&bench);
}

static void a_leader_whose_state_differs_gives_the_lead_away(void **state)
{
    (void)state;
    struct cluster_bench bench;
    stray = bench_lead(&bench);
    go_astray(stray);
    write_entries(&bench, BENCH_DIGEST_EVERY);
    assert_true(bench_run_until(&bench, another_leads, 5000));
    assert_true(is_unfit(stray));
    write_entries(&bench, BENCH_DIGEST_EVERY);
    assert_ptr_not_equal(bench_leader(&bench), stray);
    /* nor does it take the lead that it is given */
    struct err err;
    assert_int_equal(
        node_transfer(bench_leader(&bench)->node, stray->name, NULL, NULL, &err),
        ERR_CONFLICT);
    bench_run(&bench, 5 * BENCH_ELECTION_MS);
    assert_true(another_leads(&bench));
    bench_close(&bench);
}

/* Neither is right or wrong for sure. */
static void of_two_that_differ_nobody_stops(void **state)
{
    (void)state;
    struct cluster_bench bench;
    struct bench_node *leader = bench_lead(&bench);
    stray = bench_other(leader);
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (&bench.nodes[i] != leader && &bench.nodes[i] != stray) {
            bench_kill(&bench.nodes[i]);
        }
    }
    go_astray(stray);
    write_entries(&bench, 2 * BENCH_DIGEST_EVERY);
    assert_true(node_sees_difference(leader->node));
    assert_false(is_unfit(leader) || is_unfit(stray));
    for (size_t i = 0; i < BENCH_NODES; i++) {
        if (bench.nodes[i].node == NULL) {
            bench_start(&bench.nodes[i]); /* it knows who is right */
        }
    }
    bench_run(&bench, 2000);
    write_entries(&bench, BENCH_DIGEST_EVERY);
    assert_true(is_unfit(stray));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_differs_is_what_a_majority_says),
        cmocka_unit_test(a_standby_is_held_to_what_the_voters_have),
        cmocka_unit_test(what_an_earlier_start_or_no_member_said_counts_no_more),
        cmocka_unit_test(its_frame_lies_as_it_was_frozen),
        cmocka_unit_test(frames_that_are_none_are_refused),
        cmocka_unit_test(equal_states_are_never_called_different),
        cmocka_unit_test(a_follower_whose_state_differs_serves_nothing_and_votes_on),
        cmocka_unit_test(a_leader_whose_state_differs_gives_the_lead_away),
        cmocka_unit_test(of_two_that_differ_nobody_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
