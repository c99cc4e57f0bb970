/* SPDX-License-Identifier: Apache-2.0 */
/* Who is to carry out a run: a table of clusters and of what is chosen in each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/place.h"

#define CAN(member, runs)                                                              \
    {                                                                                  \
        .id = 1, .name = (member), .level = 3, .carries = true, .reachable = true,     \
        .answers = true, .live = (runs)                                                \
    }
#define NONE SIZE_MAX

struct row {
    const char *what;
    struct place_candidate candidates[5];
    size_t count;
    size_t chosen;    /* NONE: nobody */
    const char *text; /* of the refusal */
};

static const struct row rows[] = {
    {"one alone", {CAN("n1", 7)}, 1, 0, NULL},
    {"the fewest live runs", {CAN("n1", 2), CAN("n2", 1), CAN("n3", 2)}, 3, 1, NULL},
    {"then the name, whatever the order",
     {CAN("n3", 1), CAN("n2", 1), CAN("n4", 1)},
     3,
     1,
     NULL},
    {"not who drains",
     {CAN("n1", 1),
      {.name = "n2",
       .level = 3,
       .carries = true,
       .reachable = true,
       .answers = true,
       .draining = true}},
     2,
     0,
     NULL},
    {"not who cannot be reached",
     {{.name = "n1", .level = 3, .carries = true}, CAN("n2", 9)},
     2,
     1,
     NULL},
    {"not who hangs",
     {{.name = "n1", .level = 3, .carries = true, .reachable = true}, CAN("n2", 9)},
     2,
     1,
     NULL},
    {"not who knows no runs",
     {{.name = "n1", .level = 2, .reachable = true, .answers = true}, CAN("n2", 9)},
     2,
     1,
     NULL},
    {"not who differs",
     {{.name = "n1",
       .level = 3,
       .carries = true,
       .reachable = true,
       .answers = true,
       .differs = true},
      CAN("n2", 9)},
     2,
     1,
     NULL},
    {"not who says that it carries out none",
     {{.name = "n1", .level = 3, .reachable = true, .answers = true}, CAN("n2", 9)},
     2,
     1,
     NULL},
    {"not who cannot write",
     {{.name = "n1",
       .level = 3,
       .carries = true,
       .reachable = true,
       .answers = true,
       .full = true},
      CAN("n2", 9)},
     2,
     1,
     NULL},
    {"nobody is there for it",
     {{.name = "n1", .level = 3, .reachable = true, .answers = true},
      {.name = "n2",
       .level = 3,
       .carries = true,
       .reachable = true,
       .answers = true,
       .full = true}},
     2,
     NONE,
     "no node can carry out a run: n1 carries out no runs (runs.enabled, or it cannot: "
     "see its log), n2 has a full disk"},
    {"nobody there",
     {{.name = ""}},
     0,
     NONE,
     "no node can carry out a run: no member is known yet"},
    {"nobody can, and why",
     {{.name = "n1", .level = 2, .reachable = true, .answers = true},
      {.name = "n2",
       .level = 3,
       .carries = true,
       .reachable = true,
       .answers = true,
       .draining = true},
      {.name = "n3", .level = 3, .carries = true},
      {.name = "n5", .level = 3, .carries = true, .reachable = true},
      {.name = "n4",
       .level = 3,
       .carries = true,
       .reachable = true,
       .answers = true,
       .differs = true}},
     5,
     NONE,
     "no node can carry out a run: n1 is of a version without runs, n2 is draining, "
     "n3 cannot be reached, n5 does not answer, n4 has another state than the "
     "majority"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        size_t chosen = NONE;
        struct err err = {0};
        int rv = place_choose(row->candidates, row->count, &chosen, &err);
        if (chosen != row->chosen || (rv == 0) != (row->chosen != NONE)) {
            fail_msg("%s: %zu was chosen (%s)", row->what, chosen, err.text);
        }
        if (row->text != NULL) {
            assert_int_equal(rv, row->count > 0 ? ERR_CONFLICT : ERR_UNAVAILABLE);
            assert_string_equal(err.text, row->text);
        }
    }
}

/* Sixteen members with the longest names there are: the text is cut, nothing more. */
static void test_long_names(void **state)
{
    (void)state;
    char name[1025];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct place_candidate candidates[16];
    for (size_t i = 0; i < 16; i++) {
        candidates[i] =
            (struct place_candidate){.name = name, .level = 3, .carries = true};
    }
    size_t chosen = NONE;
    struct err err;
    assert_int_equal(place_choose(candidates, 16, &chosen, &err), ERR_CONFLICT);
    assert_true(strlen(err.text) < ERR_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
