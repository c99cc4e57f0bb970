/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exec/ladder.h"

static void each_step_comes_at_its_moment(void **state)
{
    (void)state;
    struct ladder ladder = {0};
    assert_false(ladder_begun(&ladder));
    assert_int_equal(ladder_step(&ladder, 5000), 0);
    assert_true(ladder_next_ms(&ladder) == UINT64_MAX);

    ladder_begin(&ladder, 1000, 1000);
    assert_int_equal(ladder_step(&ladder, 999), 0);
    assert_int_equal(ladder_step(&ladder, 1000), SIGINT);
    assert_int_equal(ladder_step(&ladder, 1499), 0);
    assert_true(ladder_next_ms(&ladder) == 1500);
    assert_int_equal(ladder_step(&ladder, 1500), SIGTERM);
    assert_int_equal(ladder_step(&ladder, 1899), 0);
    assert_int_equal(ladder_step(&ladder, 1900), SIGKILL);
    assert_int_equal(ladder_step(&ladder, 1901), 0);
    assert_int_equal(ladder_step(&ladder, 1900 + LADDER_AGAIN_MS), SIGKILL);
}

static void who_wakes_late_skips_what_is_over(void **state)
{
    (void)state;
    struct ladder ladder = {0};
    ladder_begin(&ladder, 1000, 1000);
    assert_int_equal(ladder_step(&ladder, 1000), SIGINT);
    assert_int_equal(ladder_step(&ladder, 7000), SIGKILL);

    struct ladder half = {0};
    ladder_begin(&half, 1000, 1000);
    assert_int_equal(ladder_step(&half, 1700), SIGTERM);

    struct ladder asleep = {0};
    ladder_begin(&asleep, 1000, 1000);
    assert_int_equal(ladder_step(&asleep, 60000), SIGKILL);
}

static void without_grace_it_kills_at_once(void **state)
{
    (void)state;
    struct ladder ladder = {0};
    ladder_begin(&ladder, 1000, 0);
    assert_int_equal(ladder_step(&ladder, 1000), SIGKILL);
}

static void one_that_has_begun_stays_as_it_is(void **state)
{
    (void)state;
    struct ladder ladder = {0};
    ladder_begin(&ladder, 1000, 1000);
    assert_int_equal(ladder_step(&ladder, 1000), SIGINT);
    ladder_begin(&ladder, 9000, 9000);
    assert_true(ladder_next_ms(&ladder) == 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_comes_at_its_moment),
        cmocka_unit_test(who_wakes_late_skips_what_is_over),
        cmocka_unit_test(without_grace_it_kills_at_once),
        cmocka_unit_test(one_that_has_begun_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
