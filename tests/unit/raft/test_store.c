/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "unit/raft/store_bench.h"

static void what_was_reported_is_found_again(void **state)
{
    (void)state;
    struct bench bench;
    bench_init(&bench, 1, 8192);
    for (size_t i = 0; i < 400; i++) {
        bench_step(&bench);
    }
    bench_settle(&bench);
    assert_false(bench.failed);
    bench_close_store(&bench);
    struct err err;
    sim_disk_power_on(bench.sim, SIM_LOSE);
    assert_int_equal(bench_check(&bench, bench.sim, bench.time, true, "reopen", &err),
                     0);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_reported_is_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
