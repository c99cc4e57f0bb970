/* SPDX-License-Identifier: Apache-2.0 */
/* Histories made by hand: those that one task can have had, and those that it cannot.
 * Moments are the first two numbers of each operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "lib/sim_clock.h"
#include "registry/task.h"
#include "sim/linear.h"

#define STEPS     100000
#define LIE_STEPS 4000

#define CHECK(...)                                                                     \
    check((const struct history_op[]){__VA_ARGS__},                                    \
          sizeof(const struct history_op[]){__VA_ARGS__} / sizeof(struct history_op))

static enum linear_verdict check(const struct history_op *ops, size_t count)
{
    return linear_check(ops, count, STEPS);
}

/* --- what is asked */

static struct history_op write_op(enum history_kind kind, uint64_t asked,
                                  uint64_t answered, uint64_t content)
{
    return (struct history_op){
        .kind = kind,
        .state = HISTORY_KNOWN,
        .number = content,
        .asked = asked,
        .answered = answered,
        .content = content,
        .enabled = true,
    };
}

static struct history_op create(uint64_t asked, uint64_t answered, uint64_t content)
{
    return write_op(HISTORY_CREATE, asked, answered, content);
}

static struct history_op put(uint64_t asked, uint64_t answered, uint64_t content)
{
    return write_op(HISTORY_PUT, asked, answered, content);
}

static struct history_op merge(uint64_t asked, uint64_t answered, uint64_t content,
                               uint64_t base)
{
    struct history_op op = write_op(HISTORY_MERGE, asked, answered, content);
    op.base = base;
    return op;
}

static struct history_op enable(uint64_t asked, uint64_t answered, bool enabled)
{
    struct history_op op = write_op(HISTORY_ENABLE, asked, answered, 0);
    op.enabled = enabled;
    return op;
}

static struct history_op delete (uint64_t asked, uint64_t answered)
{
    return write_op(HISTORY_DELETE, asked, answered, 0);
}

static struct history_op if_match(struct history_op op, uint64_t revision)
{
    op.condition = TASK_CONDITION_REVISION;
    op.expected = revision;
    return op;
}

static struct history_op if_absent(struct history_op op)
{
    op.condition = TASK_CONDITION_ABSENT;
    return op;
}

/* --- what is told */

static struct history_op told(struct history_op op, int code, uint64_t sequence,
                              uint64_t revision)
{
    op.code = code;
    op.sequence = sequence;
    op.shown.there = revision > 0;
    op.shown.revision = revision;
    return op;
}

/* It made this sequence. */
static struct history_op made(struct history_op op, uint64_t sequence)
{
    return told(op, 0, sequence, op.kind == HISTORY_DELETE ? 0 : sequence);
}

static struct history_op created(struct history_op op, uint64_t sequence)
{
    op = made(op, sequence);
    op.created = true;
    return op;
}

static struct history_op unknown(struct history_op op)
{
    op.state = HISTORY_UNKNOWN;
    op.answered = UINT64_MAX;
    return op;
}

static struct history_op read_of(uint64_t asked, uint64_t answered, uint64_t sequence,
                                 uint64_t revision, uint64_t content)
{
    struct history_op op = write_op(HISTORY_READ, asked, answered, 0);
    op = told(op, 0, sequence, revision);
    op.shown.content = content;
    op.shown.enabled = revision > 0;
    return op;
}

static struct history_op disabled(struct history_op read)
{
    read.shown.enabled = false;
    return read;
}

/* --- accepted, refused */

static void a_life_is_accepted(void **state)
{
    (void)state;
    struct history_op same = told(put(13, 14, 3), 0, 30, 17);
    assert_int_equal(
        CHECK(read_of(1, 2, 3, 0, 0), told(delete (3, 4), ERR_NOT_FOUND, 4, 0),
              created(create(5, 6, 1), 9), read_of(7, 8, 9, 9, 1),
              told(create(9, 10, 2), ERR_EXISTS, 12, 9),
              made(if_match(put(11, 12, 3), 9), 17), same,
              told(if_match(put(15, 16, 4), 9), ERR_PRECONDITION, 31, 17),
              told(merge(17, 18, 5, 9), ERR_CONFLICT, 31, 17),
              made(merge(19, 20, 6, 17), 32), made(enable(21, 22, false), 40),
              disabled(read_of(23, 24, 41, 40, 6)), made(delete (25, 26), 50),
              read_of(27, 28, 50, 0, 0), created(create(29, 30, 7), 60),
              read_of(31, 32, 60, 60, 7)),
        LINEAR_YES);
    assert_int_equal(check(NULL, 0), LINEAR_YES);
}

static void a_lost_update_is_refused(void **state)
{
    (void)state;
    struct history_op first = made(if_match(put(3, 6, 2), 1), 2);
    struct history_op second = made(if_match(put(4, 5, 3), 1), 3);
    assert_int_equal(CHECK(created(create(1, 2, 1), 1), first, second), LINEAR_NO);
    second = told(if_match(put(4, 5, 3), 1), ERR_PRECONDITION, 3, 2);
    assert_int_equal(CHECK(created(create(1, 2, 1), 1), first, second), LINEAR_YES);
    second = made(merge(4, 5, 3, 1), 3);
    assert_int_equal(CHECK(created(create(1, 2, 1), 1), first, second), LINEAR_NO);
}

static void a_stale_read_is_refused_unless_it_may_be_stale(void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 1);
    struct history_op second = made(put(3, 6, 2), 2);
    assert_int_equal(CHECK(first, second, read_of(7, 8, 1, 1, 1)), LINEAR_NO);
    assert_int_equal(CHECK(first, second, read_of(5, 8, 1, 1, 1)), LINEAR_YES);
    assert_int_equal(CHECK(first, second, read_of(0, 8, 1, 1, 1)), LINEAR_YES);
    /* behind another read that saw more; though at a sequence as high as you like */
    struct history_op early = read_of(3, 4, 2, 2, 2);
    assert_int_equal(CHECK(first, second, early, read_of(5, 8, 1, 1, 1)), LINEAR_NO);
    assert_int_equal(CHECK(first, second, read_of(7, 8, 9, 1, 1)), LINEAR_NO);
}

static void nobody_sees_what_is_yet_to_come(void **state)
{
    (void)state;
    assert_int_equal(CHECK(created(create(5, 6, 1), 1), read_of(0, 4, 1, 1, 1)),
                     LINEAR_NO);
    assert_int_equal(CHECK(unknown(create(5, 0, 1)), read_of(0, 4, 1, 1, 1)),
                     LINEAR_NO);
    assert_int_equal(CHECK(read_of(1, 2, 1, 1, 1)), LINEAR_NO);
}

static void a_write_has_its_effect_once(void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 1);
    struct history_op second = made(put(3, 4, 2), 2);
    struct history_op third = made(put(5, 6, 3), 3);
    assert_int_equal(CHECK(first, second, third, read_of(7, 8, 4, 4, 2)), LINEAR_NO);
    second = unknown(put(3, 0, 2)); /* nor if its outcome is unknown */
    assert_int_equal(
        CHECK(first, second, read_of(4, 5, 2, 2, 2), third, read_of(7, 8, 4, 4, 2)),
        LINEAR_NO);
    assert_int_equal(
        CHECK(first, second, read_of(4, 5, 2, 2, 2), third, read_of(7, 8, 4, 3, 3)),
        LINEAR_YES);
    /* a write of unknown outcome that was repeated, and took effect both times */
    assert_int_equal(CHECK(first, unknown(delete (3, 0)), created(create(4, 5, 2), 3),
                           made(delete (6, 7), 4), created(create(8, 9, 3), 5),
                           read_of(10, 11, 6, 0, 0)),
                     LINEAR_NO);
}

static void a_version_check_is_right(void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 5);
    assert_int_equal(CHECK(first, made(if_match(put(3, 4, 2), 4), 6)), LINEAR_NO);
    assert_int_equal(CHECK(first, made(if_match(put(3, 4, 2), 5), 6)), LINEAR_YES);
    assert_int_equal(
        CHECK(first, told(if_match(put(3, 4, 2), 5), ERR_PRECONDITION, 6, 5)),
        LINEAR_NO);
    assert_int_equal(CHECK(first, made(if_match(enable(3, 4, false), 4), 6)),
                     LINEAR_NO);
    assert_int_equal(CHECK(first, made(if_match(delete (3, 4), 4), 6)), LINEAR_NO);
    assert_int_equal(CHECK(first, made(if_absent(put(3, 4, 2)), 6)), LINEAR_NO);
    assert_int_equal(
        CHECK(first, told(if_absent(put(3, 4, 2)), ERR_PRECONDITION, 5, 5)),
        LINEAR_YES);
    /* it was not checked against an unknown one that came in between */
    assert_int_equal(CHECK(first, unknown(put(3, 0, 2)), read_of(4, 5, 6, 6, 2),
                           made(if_match(put(6, 7, 3), 5), 7)),
                     LINEAR_NO);
}

static void an_unknown_write_comes_late_or_never_and_not_before_it_was_asked(
    void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 1);
    struct history_op late = unknown(put(3, 0, 2));
    struct history_op third = made(put(4, 5, 3), 2);
    assert_int_equal(
        CHECK(first, late, third, read_of(6, 7, 2, 2, 3), read_of(8, 9, 3, 3, 2)),
        LINEAR_YES);
    assert_int_equal(CHECK(first, late, third, read_of(8, 9, 3, 2, 3)), LINEAR_YES);
    assert_int_equal(CHECK(first, late, read_of(3, 4, 2, 2, 2), read_of(5, 6, 2, 1, 1)),
                     LINEAR_NO);
    late = unknown(put(8, 0, 2));
    assert_int_equal(CHECK(first, late, third, read_of(6, 7, 3, 3, 2)), LINEAR_NO);
    late.state = HISTORY_NEVER;
    assert_int_equal(CHECK(first, late, read_of(9, 10, 3, 3, 2)), LINEAR_NO);
}

static void a_task_that_was_deleted_and_created_again_is_another_one(void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 1);
    struct history_op gone = made(delete (3, 4), 2);
    struct history_op second = created(create(5, 6, 2), 3);
    assert_int_equal(CHECK(first, gone, second, made(if_match(put(7, 8, 3), 1), 4)),
                     LINEAR_NO);
    assert_int_equal(CHECK(first, gone, second, made(if_match(put(7, 8, 3), 3), 4)),
                     LINEAR_YES);
    assert_int_equal(CHECK(first, second), LINEAR_NO);
    assert_int_equal(CHECK(first, unknown(delete (3, 0)), created(create(5, 6, 2), 2)),
                     LINEAR_NO);
    assert_int_equal(CHECK(first, unknown(delete (3, 0)), second), LINEAR_YES);
    assert_int_equal(CHECK(first, made(put(5, 6, 2), 4)), LINEAR_YES);
    assert_int_equal(CHECK(first, gone, made(put(5, 6, 2), 4)), LINEAR_NO);
}

static void several_unknown_writes_explain_together_what_is_seen(void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 1);
    assert_int_equal(CHECK(first, unknown(delete (3, 0)), unknown(create(4, 0, 2)),
                           read_of(5, 6, 3, 3, 2)),
                     LINEAR_YES);
    assert_int_equal(CHECK(first, unknown(create(4, 0, 2)), read_of(5, 6, 3, 3, 2)),
                     LINEAR_NO);
    /* each merge was made of what the one before it wrote */
    assert_int_equal(CHECK(first, unknown(merge(3, 0, 4, 9)),
                           unknown(merge(4, 0, 3, 5)), unknown(merge(5, 0, 2, 1)),
                           read_of(6, 7, 12, 11, 4)),
                     LINEAR_YES);
    assert_int_equal(CHECK(first, unknown(merge(3, 0, 4, 9)),
                           unknown(merge(5, 0, 2, 1)), read_of(6, 7, 6, 6, 4)),
                     LINEAR_NO);
    assert_int_equal(CHECK(first, unknown(put(3, 0, 2)), unknown(enable(4, 0, false)),
                           disabled(read_of(5, 6, 3, 3, 2))),
                     LINEAR_YES);
    assert_int_equal(CHECK(first, unknown(put(3, 0, 2)), unknown(enable(4, 0, false)),
                           disabled(read_of(5, 6, 2, 2, 2))),
                     LINEAR_NO); /* two changes in one number */
}

static void no_two_changes_have_one_number(void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 1);
    assert_int_equal(CHECK(first, made(put(3, 5, 2), 2), made(put(4, 6, 3), 2)),
                     LINEAR_NO);
    /* but one that changed nothing has that of the change before it */
    assert_int_equal(
        CHECK(first, made(enable(3, 5, false), 2), made(enable(4, 6, false), 2)),
        LINEAR_YES);
    assert_int_equal(
        CHECK(first, made(enable(3, 4, false), 2), made(enable(5, 6, true), 2)),
        LINEAR_NO);
}

static void numbers_that_run_against_the_time_are_refused(void **state)
{
    (void)state;
    struct history_op first = created(create(1, 2, 1), 1);
    assert_int_equal(CHECK(first, made(put(3, 4, 2), 9), made(put(5, 6, 3), 8)),
                     LINEAR_NO);
    assert_int_equal(CHECK(first, made(put(3, 5, 2), 9), made(put(4, 6, 3), 8)),
                     LINEAR_YES);
}

static void a_wrong_hint_misleads_nobody(void **state)
{
    (void)state;
    struct history_op late = unknown(put(3, 0, 2));
    for (uint64_t place = 0; place < 6; place++) {
        late.place = place;
        assert_int_equal(CHECK(created(create(1, 2, 1), 1), late, made(put(4, 5, 3), 2),
                               read_of(8, 9, 3, 3, 2)),
                         LINEAR_YES);
        assert_int_equal(
            CHECK(created(create(1, 2, 1), 1), late, read_of(8, 9, 3, 3, 4)),
            LINEAR_NO);
    }
}

static void what_is_wrong_is_reduced_to_who_contradicts_whom(void **state)
{
    (void)state;
    struct history_op ops[] = {
        created(create(1, 2, 1), 1),
        read_of(3, 4, 1, 1, 1),
        made(enable(5, 6, false), 2),
        made(put(7, 8, 2), 3),
        read_of(9, 10, 3, 3, 2),
        made(put(11, 12, 3), 4),
        unknown(put(13, 0, 4)),
        read_of(14, 15, 3, 3, 2),
        made(if_match(put(16, 17, 5), 4), 5),
        read_of(18, 19, 5, 5, 5),
    };
    size_t count = sizeof ops / sizeof ops[0];
    assert_int_equal(check(ops, count), LINEAR_NO);
    size_t kept = linear_reduce(ops, count, STEPS);
    assert_int_equal(kept, 3);
    assert_int_equal(ops[0].asked, 7); /* who wrote it */
    assert_int_equal(ops[1].asked, 11);
    assert_int_equal(ops[2].asked, 14);
    char line[400];
    history_describe(&ops[1], line, sizeof line);
    assert_string_equal(line,
                        "moments 11-12 (0.000 ms, n1): op3 put content 3 enabled: "
                        "ok at sequence 4, revision 4");
}

/* --- histories of a register that is honest, by seed */

#define RANDOM_OPS 60

struct honest {
    struct sim_random random;
    struct history_task task;
    uint64_t sequence;
    struct history_op ops[RANDOM_OPS];
};

static uint64_t below(struct honest *honest, uint64_t limit)
{
    return sim_random_below(&honest->random, limit);
}

static struct history_op honest_ask(struct honest *honest, size_t i)
{
    uint64_t moment = 100 * (i + 1);
    struct history_op op = write_op((enum history_kind)below(honest, 6),
                                    moment - below(honest, 500) % moment,
                                    moment + below(honest, 500), i + 1);
    op.enabled = below(honest, 2) == 0;
    op.keep_enabled = below(honest, 2) == 0;
    op.base = honest->task.revision - (below(honest, 4) == 0);
    if (op.kind != HISTORY_READ && op.kind != HISTORY_CREATE && below(honest, 2) == 0) {
        op.condition = (uint32_t)below(honest, 4);
        op.expected = honest->task.revision - (below(honest, 4) == 0);
    }
    return op;
}

static int honest_refusal(const struct honest *honest, const struct history_op *op)
{
    const struct history_task *task = &honest->task;
    bool meets = op->condition == TASK_CONDITION_NONE ||
                 (op->condition == TASK_CONDITION_REVISION && task->there &&
                  task->revision == op->expected) ||
                 (op->condition == TASK_CONDITION_PRESENT && task->there) ||
                 (op->condition == TASK_CONDITION_ABSENT && !task->there);
    if (!meets) {
        return ERR_PRECONDITION;
    }
    if (op->kind == HISTORY_CREATE && task->there) {
        return ERR_EXISTS;
    }
    if (op->kind != HISTORY_CREATE && op->kind != HISTORY_PUT &&
        op->kind != HISTORY_READ && !task->there) {
        return ERR_NOT_FOUND;
    }
    return op->kind == HISTORY_MERGE && task->revision != op->base ? ERR_CONFLICT : 0;
}

static void honest_do(struct honest *honest, struct history_op *op)
{
    struct history_task before = honest->task;
    struct history_task *task = &honest->task;
    op->code = honest_refusal(honest, op);
    if (op->code == 0 && op->kind == HISTORY_DELETE) {
        *task = (struct history_task){0};
    } else if (op->code == 0 && op->kind != HISTORY_READ) {
        bool keeps = op->kind == HISTORY_PUT && op->keep_enabled && task->there;
        task->enabled = keeps ? task->enabled : op->enabled;
        task->content = op->kind == HISTORY_ENABLE ? task->content : op->content;
        task->there = true;
    }
    if (before.there != task->there || before.enabled != task->enabled ||
        before.content != task->content) {
        honest->sequence++;
        task->revision = task->there ? honest->sequence : 0;
    }
    op->created = !before.there && task->there;
    op->sequence = honest->sequence;
    op->shown = *task;
    honest->sequence += below(honest, 3) == 0 ? 2 : 0; /* other tasks */
}

static void honest_live(struct honest *honest, uint64_t seed)
{
    *honest = (struct honest){0};
    sim_random_init(&honest->random, seed);
    for (size_t i = 0; i < RANDOM_OPS; i++) {
        struct history_op op = honest_ask(honest, i);
        uint64_t dice = below(honest, 20);
        if (dice > 0) { /* else it is lost, and unknown */
            honest_do(honest, &op);
        }
        honest->ops[i] = dice < 3 ? unknown(op) : op;
    }
}

/* Some read of a task that is there is made to lie; false: there is none. */
static bool honest_lie(struct honest *honest)
{
    size_t first = below(honest, RANDOM_OPS);
    for (size_t i = 0; i < RANDOM_OPS; i++) {
        struct history_op *op = &honest->ops[(first + i) % RANDOM_OPS];
        if (op->kind == HISTORY_READ && op->state == HISTORY_KNOWN && op->shown.there) {
            op->shown.enabled ^= below(honest, 2) == 0;
            op->shown.revision--;
            return true;
        }
    }
    return false;
}

static void what_an_honest_register_tells_is_accepted_and_a_lie_is_not(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct honest honest;
        honest_live(&honest, seed);
        assert_int_equal(check(honest.ops, RANDOM_OPS), LINEAR_YES);
        if (honest_lie(&honest)) {
            assert_int_not_equal(linear_check(honest.ops, RANDOM_OPS, LIE_STEPS),
                                 LINEAR_YES);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_is_accepted),
        cmocka_unit_test(a_lost_update_is_refused),
        cmocka_unit_test(a_stale_read_is_refused_unless_it_may_be_stale),
        cmocka_unit_test(nobody_sees_what_is_yet_to_come),
        cmocka_unit_test(a_write_has_its_effect_once),
        cmocka_unit_test(a_version_check_is_right),
        cmocka_unit_test(
            an_unknown_write_comes_late_or_never_and_not_before_it_was_asked),
        cmocka_unit_test(a_task_that_was_deleted_and_created_again_is_another_one),
        cmocka_unit_test(several_unknown_writes_explain_together_what_is_seen),
        cmocka_unit_test(no_two_changes_have_one_number),
        cmocka_unit_test(numbers_that_run_against_the_time_are_refused),
        cmocka_unit_test(a_wrong_hint_misleads_nobody),
        cmocka_unit_test(what_is_wrong_is_reduced_to_who_contradicts_whom),
        cmocka_unit_test(what_an_honest_register_tells_is_accepted_and_a_lie_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
