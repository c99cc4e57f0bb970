/* SPDX-License-Identifier: Apache-2.0 */
/* Who is known, and which folders are old copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/acquaintance.h"

#define NODE 7

static struct hello hello_of(uint64_t id, uint64_t counter, uint64_t session,
                             uint64_t last)
{
    return (struct hello){.protocol = LINK_PROTOCOL,
                          .cluster_id = 9,
                          .node_id = id,
                          .start_counter = counter,
                          .session = session,
                          .last_index = last,
                          .level = 1,
                          .name = "n7",
                          .peer_address = "10.0.0.7:8658",
                          .api_address = "10.0.0.7:8558",
                          .version = "0.1.0"};
}

/* --- old copies, as stories ----------------------------------------------------------
 */

enum act { ACT_END, ACT_HELLO, ACT_ACKED };

struct line {
    enum act act;
    uint64_t counter;
    uint64_t session;  /* HELLO */
    uint64_t index;    /* of the folder; ACKED: durable */
    const char *said;  /* HELLO: part of why it is refused, NULL: it is not */
    uint64_t sessions; /* HELLO: of the row after it */
};

static void check_line(struct acquaintances *all, const struct line *line, size_t story,
                       size_t at)
{
    struct err why = {.code = ERR_NONE};
    struct hello hello = hello_of(NODE, line->counter, line->session, line->index);
    if (line->act == ACT_ACKED) {
        acquaintances_acked(all, NODE, line->counter, line->index);
        return;
    }
    int rv = acquaintances_hello(all, &hello, 100, &why);
    const struct acquaintance *row = acquaintances_find(all, NODE);
    assert_non_null(row);
    bool told = line->said == NULL || strstr(why.text, line->said) != NULL;
    if (rv != (line->said != NULL ? ERR_CONFLICT : 0) || !told ||
        row->stale != (line->said != NULL) || row->session != line->sessions) {
        fail_msg("story %zu, line %zu: %d (%s), stale %d, session %lu", story, at, rv,
                 rv != 0 ? why.text : "", row->stale, (unsigned long)row->session);
    }
}

#define HELLO(counter, session, last)                                                  \
    {                                                                                  \
        ACT_HELLO, counter, session, last, NULL, session                               \
    }
#define REFUSED(counter, session, last, said, sessions)                                \
    {                                                                                  \
        ACT_HELLO, counter, session, last, said, sessions                              \
    }
#define ACKED(counter, index)                                                          \
    {                                                                                  \
        ACT_ACKED, counter, 0, index, NULL, 0                                          \
    }

static void a_folder_that_says_less_than_it_said_is_an_old_copy(void **state)
{
    (void)state;
    static const struct line stories[][8] = {
        /* it starts again and again, and says its hello on each connection */
        {HELLO(1, 11, 0), HELLO(1, 11, 0), ACKED(1, 50), HELLO(1, 11, 0),
         HELLO(2, 12, 50), HELLO(5, 15, 80)},
        /* put back from a backup: it counts less, or as much */
        {HELLO(5, 15, 0), REFUSED(4, 24, 0, "started 5 times", 15)},
        {HELLO(5, 15, 0), REFUSED(5, 25, 0, "its folder counts 5", 15),
         REFUSED(5, 25, 0, "started 5 times", 15)},
        /* it counts more, but lacks what it acknowledged */
        {HELLO(5, 15, 0), ACKED(5, 50), REFUSED(6, 26, 49, "ends at 49", 26),
         REFUSED(6, 26, 49, "old copy", 26), REFUSED(7, 27, 49, "up to 50", 27),
         HELLO(8, 28, 50)},
        {HELLO(5, 15, 0), ACKED(5, 50), HELLO(6, 16, 50), HELLO(6, 16, 50)},
        /* what it acknowledged in this very start it did not have when it began */
        {HELLO(5, 15, 10), ACKED(6, 50), HELLO(6, 16, 10), HELLO(6, 16, 10)},
        {HELLO(5, 15, 10), ACKED(6, 50), HELLO(6, 16, 10),
         REFUSED(7, 17, 10, "ends at 10", 17)},
        /* what was acknowledged last is kept, not what was said last */
        {HELLO(5, 15, 0), ACKED(5, 50), ACKED(5, 20), ACKED(4, 30),
         REFUSED(6, 16, 30, "up to 50", 16)},
        {HELLO(6, 16, 0), ACKED(6, 50), ACKED(5, 40), HELLO(7, 17, 50)},
        /* late, of a start that is gone: the newest one says its hello again */
        {HELLO(5, 15, 0), HELLO(6, 16, 0), REFUSED(5, 15, 0, "started 6 times", 16),
         HELLO(6, 16, 0), HELLO(7, 17, 0)},
        /* a late one does not absolve a copy, and a copy not the one before it */
        {HELLO(5, 15, 0), ACKED(5, 50), REFUSED(6, 26, 0, "ends at 0", 26),
         REFUSED(5, 15, 0, "counts 5", 26), REFUSED(6, 26, 0, "old copy", 26)},
    };
    for (size_t story = 0; story < sizeof stories / sizeof stories[0]; story++) {
        struct acquaintances all;
        acquaintances_init(&all);
        for (size_t at = 0; at < 8 && stories[story][at].act != ACT_END; at++) {
            check_line(&all, &stories[story][at], story, at);
        }
        acquaintances_close(&all);
    }
}

/* --- the table -----------------------------------------------------------------------
 */

static void what_a_node_says_of_itself_is_copied(void **state)
{
    (void)state;
    struct acquaintances all;
    struct hello hello = hello_of(NODE, 3, 33, 0);
    char name[] = "first";
    acquaintances_init(&all);
    assert_null(acquaintances_find(&all, NODE));
    hello.name = name;
    assert_int_equal(acquaintances_hello(&all, &hello, 100, NULL), 0);
    memset(name, 'x', sizeof name - 1);
    const struct acquaintance *row = acquaintances_find(&all, NODE);
    assert_string_equal(row->name, "first");
    assert_string_equal(row->peer_address, "10.0.0.7:8658");
    assert_string_equal(row->api_address, "10.0.0.7:8558");
    assert_string_equal(row->version, "0.1.0");
    assert_int_equal(row->cluster_id, 9);
    assert_int_equal(row->pledge, 0);
    assert_true(row->up && !row->refused && !row->stale);
    hello.name = "second";
    hello.pledge = 5;
    hello.level = 2;
    assert_int_equal(acquaintances_hello(&all, &hello, 200, NULL), 0);
    row = acquaintances_find(&all, NODE);
    assert_string_equal(row->name, "second");
    assert_int_equal(row->pledge, 5);
    assert_int_equal(row->level, 2);
    assert_int_equal(row->heard_ms, 200);
    acquaintances_close(&all);
}

/* Only the newest start is known by its words: a late hello changes none of them. */
static void a_late_hello_changes_nothing_that_the_newest_said(void **state)
{
    (void)state;
    struct acquaintances all;
    struct err why;
    struct hello late = hello_of(NODE, 3, 33, 0);
    struct hello newest = hello_of(NODE, 4, 44, 0);
    acquaintances_init(&all);
    late.name = "old";
    newest.name = "new";
    acquaintances_hello(&all, &newest, 100, &why);
    assert_int_equal(acquaintances_hello(&all, &late, 200, &why), ERR_CONFLICT);
    const struct acquaintance *row = acquaintances_find(&all, NODE);
    assert_string_equal(row->name, "new");
    assert_int_equal(row->start_counter, 4);
    assert_false(row->condemned);
    acquaintances_close(&all);
}

static void who_is_down_is_up_with_its_next_hello(void **state)
{
    (void)state;
    struct acquaintances all;
    struct hello hello = hello_of(NODE, 3, 33, 0);
    acquaintances_init(&all);
    acquaintances_down(&all, NODE, true); /* nobody */
    acquaintances_down(&all, 0, true);
    acquaintances_acked(&all, NODE, 3, 50);
    acquaintances_acked(&all, 0, 3, 50);
    acquaintances_hello(&all, &hello, 100, NULL);
    struct acquaintance *row = acquaintances_find(&all, NODE);
    assert_true(row->up);
    assert_int_equal(row->acked, 0); /* of somebody who was not known */
    acquaintances_acked(&all, NODE, 3, 50);
    acquaintances_down(&all, NODE, false);
    assert_false(row->up || row->refused);
    acquaintances_down(&all, NODE, true);
    assert_true(!row->up && row->refused);
    assert_int_equal(acquaintances_hello(&all, &hello, 200, NULL), 0);
    assert_true(row->up && !row->refused);
    assert_int_equal(row->acked, 50);
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        const struct acquaintance *free_row = &all.rows[i];
        assert_true(free_row == row ||
                    (!free_row->up && !free_row->refused && free_row->acked == 0));
    }
    acquaintances_close(&all);
}

static void who_was_heard_longest_ago_and_is_down_makes_room(void **state)
{
    (void)state;
    struct acquaintances all;
    acquaintances_init(&all);
    for (uint64_t id = 1; id <= ACQUAINTANCE_MAX; id++) {
        struct hello hello = hello_of(id, 1, id, 0);
        assert_int_equal(acquaintances_hello(&all, &hello, 1000 - id, NULL), 0);
        acquaintances_acked(&all, id, 1, 50);
    }
    struct hello more = hello_of(100, 1, 100, 0);
    assert_int_equal(acquaintances_hello(&all, &more, 2000, NULL), 0);
    assert_null(acquaintances_find(&all, 100));
    acquaintances_down(&all, 3, false);
    acquaintances_down(&all, 9, true); /* heard before 3 */
    acquaintances_down(&all, 6, false);
    assert_int_equal(acquaintances_hello(&all, &more, 2000, NULL), 0);
    assert_null(acquaintances_find(&all, 9));
    assert_non_null(acquaintances_find(&all, 3));
    assert_non_null(acquaintances_find(&all, ACQUAINTANCE_MAX));
    assert_true(acquaintances_find(&all, 100)->up);
    assert_int_equal(acquaintances_find(&all, 100)->acked, 0);
    acquaintances_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_that_says_less_than_it_said_is_an_old_copy),
        cmocka_unit_test(what_a_node_says_of_itself_is_copied),
        cmocka_unit_test(a_late_hello_changes_nothing_that_the_newest_said),
        cmocka_unit_test(who_is_down_is_up_with_its_next_hello),
        cmocka_unit_test(who_was_heard_longest_ago_and_is_down_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
