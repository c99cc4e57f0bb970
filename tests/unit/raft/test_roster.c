/* SPDX-License-Identifier: Apache-2.0 */
/* What the membership does next, as tables. Members and blanks are written
 *
 *   1V*n1@a          member 1, voter, this node, named n1, at address a
 *   4s+n4@d/92       member 4, standby, heard, durable up to 92 (all, if not said)
 *   4n1@d  4n1@d!    blank node 4; ! it forms another cluster
 *
 * and for *: + heard just now, ~ connected but without an answer, ? silent for almost
 * long enough to be replaced, - long enough, . never heard while this node leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "raft/roster.h"

#define LAST        100
#define ELECTION_MS 1000
#define REPLACE_MS  10000
#define LEADING_MS  60000

#define TOKEN_BYTES 8

/* A view and the memory of its strings. */
struct scene {
    struct roster_view view;
    char names[2 * LIMIT_MEMBERS][TOKEN_BYTES];
    char addresses[2 * LIMIT_MEMBERS][TOKEN_BYTES];
};

/* The rest of a token, name@address; ? is a name that was never heard. */
static void scene_text(struct scene *scene, size_t slot, const char *text)
{
    char *name = scene->names[slot];
    assert_int_equal(sscanf(text, "%7[^@]@%7[^/! ]", name, scene->addresses[slot]), 2);
    if (strcmp(name, "?") == 0) {
        name[0] = '\0';
    }
}

static void member_state(struct roster_member *member, char state)
{
    member->self = state == '*';
    member->linked = state == '+' || state == '~';
    member->heard_ms = 2 * ELECTION_MS;
    if (state == '*') {
        member->heard_ms = 0;
    } else if (state == '~') {
        member->heard_ms = 2 * ELECTION_MS + 1;
    } else if (state == '?') {
        member->heard_ms = REPLACE_MS - 1;
    } else if (state == '-') {
        member->heard_ms = REPLACE_MS;
    } else if (state == '.') {
        member->heard_ms = UINT64_MAX;
    } else {
        assert_int_equal(state, '+');
    }
}

static void scene_member(struct scene *scene, const char *token)
{
    size_t slot = scene->view.member_count;
    struct roster_member *member = &scene->view.members[scene->view.member_count++];
    char role = 0;
    char state = 0;
    int used = 0;
    unsigned long id = 0;
    assert_int_equal(sscanf(token, "%lu%c%c%n", &id, &role, &state, &used), 3);
    scene_text(scene, slot, token + used);
    *member = (struct roster_member){.id = id,
                                     .voter = role == 'V',
                                     .name = scene->names[slot],
                                     .address = scene->addresses[slot],
                                     .match = LAST};
    member_state(member, state);
    unsigned long match = 0;
    if (sscanf(token, "%*[^/ ]/%lu", &match) == 1) {
        member->match = match;
    }
}

static void scene_blank(struct scene *scene, const char *token)
{
    size_t slot = LIMIT_MEMBERS + scene->view.blank_count;
    struct roster_blank *blank = &scene->view.blanks[scene->view.blank_count++];
    int used = 0;
    unsigned long id = 0;
    assert_int_equal(sscanf(token, "%lu%n", &id, &used), 1);
    scene_text(scene, slot, token + used);
    *blank = (struct roster_blank){.id = id,
                                   .name = scene->names[slot],
                                   .address = scene->addresses[slot],
                                   .pledged = token[strcspn(token, " !")] == '!'};
}

static void scene_open(struct scene *scene, const char *members, const char *blanks,
                       struct roster_wish wish)
{
    *scene = (struct scene){.view = {.wish = wish,
                                     .voters_wanted = 3,
                                     .last = LAST,
                                     .leading_ms = LEADING_MS,
                                     .election_timeout_ms = ELECTION_MS,
                                     .replace_after_ms = REPLACE_MS}};
    for (const char *at = members; *at != '\0'; at += strspn(at, " ")) {
        scene_member(scene, at);
        at += strcspn(at, " ");
    }
    for (const char *at = blanks; *at != '\0'; at += strspn(at, " ")) {
        scene_blank(scene, at);
        at += strcspn(at, " ");
    }
}

static void step_text(const struct roster_step *step, char *out, size_t size)
{
    static const char *const words[] = {"nothing", "add", "remove", "promote"};
    if (step->action == ROSTER_NOTHING) {
        snprintf(out, size, "nothing");
    } else {
        snprintf(out, size, "%s %lu%s%s", words[step->action], (unsigned long)step->id,
                 step->action == ROSTER_ADD ? " " : "",
                 step->action == ROSTER_ADD ? step->address : "");
    }
}

struct row {
    const char *members;
    const char *blanks;
    const char *next;
    const char *why; /* part of what is said of the first blank, or of the wish; "" */
    struct roster_wish wish;
};

static void check_row(const struct row *row, size_t at)
{
    struct scene scene;
    struct err why = {.code = ERR_NONE};
    char next[64];
    scene_open(&scene, row->members, row->blanks, row->wish);
    struct roster_step step = roster_next(&scene.view, &why);
    step_text(&step, next, sizeof next);
    if (row->wish.kind == ROSTER_WISH_NOTHING && scene.view.blank_count > 0) {
        roster_judge(&scene.view, &scene.view.blanks[0], &why);
    }
    const char *said = why.code == ERR_NONE ? "" : why.text;
    bool as_said = row->why[0] != '\0' ? strstr(said, row->why) != NULL : !said[0];
    if (strcmp(next, row->next) != 0 || !as_said) {
        fail_msg("row %zu, %s | %s: %s (%s), not %s (%s)", at, row->members,
                 row->blanks, next, said, row->next, row->why);
    }
}

#define CHECK_ROWS(rows)                                                               \
    for (size_t at = 0; at < sizeof(rows) / sizeof(rows)[0]; at++) {                   \
        check_row(&(rows)[at], at);                                                    \
    }

#define THREE "1V*n1@a 2V+n2@b 3V+n3@c"
#define SIX   THREE " 4s+n4@d 5s+n5@e 6s+n6@f"

/* --- who comes in --------------------------------------------------------------------
 */

static void a_blank_node_comes_in_as_a_standby_or_is_told_why_not(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1V*n1@a", "2n2@b", "add 2 b", "", {0}},
        {THREE, "4n4@d", "add 4 d", "", {0}},
        {THREE, "4n4@d!", "nothing", "pledge", {0}},
        {THREE, "4n4@b", "nothing", "address b is held by member n2", {0}},
        {"1V*n1@a 2V+n2@b 3V-n3@c", "4n4@c", "nothing", "held by member n3", {0}},
        {THREE, "4n2@d", "nothing", "name n2 is held by member 2 at b", {0}},
        {THREE, "4n1@a", "nothing", "name n1 is held by member 1 at a", {0}},
        {"1V*n1@a 2V+n2@b 3V?n3@c", "4n3@c", "nothing", "heard 9999 ms ago", {0}},
        {"1V*n1@a 2V+n2@b 3V~n3@c", "4n3@c", "nothing", "name n3 is held", {0}},
        /* who is being let in is not let in again */
        {"1V*n1@a 2s+n2@b/0", "2n2@b", "nothing", "", {0}},
        {"1V*n1@a 2s?n2@b/0", "2n2@b", "nothing", "", {0}},
        /* the first one that may */
        {THREE, "4n2@d 5n5@b 6n6@f! 7n7@g 8n8@h", "add 7 g", "name n2", {0}},
        /* not while a change cannot be decided */
        {"1V*n1@a 2V?n2@b 3V-n3@c", "4n4@d", "nothing", "", {0}},
        {"1V*n1@a 2V?n2@b", "4n4@d", "nothing", "", {0}},
    };
    CHECK_ROWS(rows);
}

static void a_full_cluster_lets_in_only_who_takes_a_place(void **state)
{
    (void)state;
#define FULL(last_one)                                                                 \
    SIX " 7s+n7@g 8s+n8@h 9s+n9@i 10s+n10@j 11s+n11@k 12s+n12@l 13s+n13@m 14s+n14@n "  \
        "15s+n15@o " last_one
    static const struct row rows[] = {
        {FULL("16s+n16@p"), "17n17@q", "nothing", "16 members already", {0}},
        {FULL("16s-n16@p"), "17n17@q", "nothing", "16 members already", {0}},
        {FULL("16s-n16@p"), "17n16@p", "remove 16", "", {0}},
        /* its name's place, elsewhere: there is no room for both */
        {FULL("16s-n16@p"), "17n16@q", "remove 16", "", {0}},
        {FULL("16s+n16@p"), "17n16@q", "nothing", "name n16 is held", {0}},
    };
    CHECK_ROWS(rows);
}

/* --- a wiped node --------------------------------------------------------------------
 */

static void a_wiped_node_at_its_old_address_is_removed_added_promoted(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1V?n1@a 2V*n2@b 3V+n3@c", "4n1@a", "nothing", "name n1 is held", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c", "4n1@a", "remove 1", "", {0}},
        {"2V*n2@b 3V+n3@c", "4n1@a", "add 4 a", "", {0}},
        {"2V*n2@b 3V+n3@c 4s+n1@a/0", "4n1@a", "nothing", "", {0}},
        {"2V*n2@b 3V+n3@c 4s+n1@a/91", "", "nothing", "", {0}},
        {"2V*n2@b 3V+n3@c 4s+n1@a/92", "", "promote 4", "", {0}},
        {"2V*n2@b 3V+n3@c 4V+n1@a", "", "nothing", "", {0}},
        /* never heard while this one leads, and it has led for long */
        {"1V.n1@a 2V*n2@b 3V+n3@c", "4n1@a", "remove 1", "", {0}},
        /* nobody has heard its name: the address tells */
        {"1V-?@a 2V*n2@b 3V+n3@c", "4n1@a", "remove 1", "", {0}},
        {"1V+?@a 2V*n2@b 3V+n3@c", "4n1@a", "nothing", "held by member 1", {0}},
    };
    CHECK_ROWS(rows);
}

static void a_wiped_node_elsewhere_catches_up_before_the_dead_one_leaves(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1V-n1@a 2V*n2@b 3V+n3@c", "4n1@d", "add 4 d", "", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s+n1@d/91", "", "nothing", "", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s~n1@d", "", "nothing", "", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s+n1@d/92", "", "remove 1", "", {0}},
        {"2V*n2@b 3V+n3@c 4s+n1@d/92", "", "promote 4", "", {0}},
        /* back again: it stays, and the other one stays a standby */
        {"1V+n1@a 2V*n2@b 3V+n3@c 4s+n1@d", "", "nothing", "", {0}},
        {"1V?n1@a 2V*n2@b 3V+n3@c 4s+n1@d", "", "nothing", "", {0}},
        /* another name is not its business */
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s+n4@d", "", "nothing", "", {0}},
    };
    CHECK_ROWS(rows);
}

/* One that was never promoted left its row beside the one it was to replace. */
static void a_node_wiped_twice_is_known_by_all_rows_of_its_name(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s+n1@d", "5n1@e", "remove 1", "member 4", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s+n1@d/0", "5n1@e", "nothing", "member 4", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s?n1@d/0", "5n1@d", "nothing", "member 4", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s-n1@d/0", "5n1@d", "remove 4", "", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c", "5n1@d", "add 5 d", "", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s-n1@d/0", "5n1@e", "add 5 e", "", {0}},
        {"1V-n1@a 2V*n2@b 3V+n3@c 4s-n1@d 5s+n1@e", "", "remove 1", "", {0}},
        {"2V*n2@b 3V+n3@c 4s-n1@d 5s+n1@e", "", "remove 4", "", {0}},
        {"2V*n2@b 3V+n3@c 5s+n1@e", "", "promote 5", "", {0}},
    };
    CHECK_ROWS(rows);
}

static void nobody_is_replaced_where_no_majority_would_be_left(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1V*n1@a 2V-n2@b 3V?n3@c", "4n2@b", "nothing", "", {0}},
        {"1V*n1@a 2V-n2@b 3V~n3@c", "4n2@b", "nothing", "", {0}},
        {"1V*n1@a 2V-n2@b 3V?n3@c 4s+n2@d", "", "nothing", "", {0}},
        {"1V*n1@a 2V-n2@b 3V-n3@c 4V+n4@d 5V+n5@e", "6n2@b", "remove 2", "", {0}},
        {"1V*n1@a 2V-n2@b 3V-n3@c 4V-n4@d 5V+n5@e", "6n2@b", "nothing", "", {0}},
        /* two voters become one only when somebody asks for it */
        {"1V*n1@a 2V-n2@b", "3n2@b", "nothing", "", {0}},
        {"1V*n1@a 2V-n2@b 3s+n2@c", "", "nothing", "", {0}},
        {"1V*n1@a 2V-n2@b", "3n2@b", "remove 2", "", {ROSTER_WISH_REMOVE, 2}},
        {"1V*n1@a 2s-n2@b", "3n2@b", "remove 2", "", {0}},
    };
    CHECK_ROWS(rows);
}

/* --- who votes -----------------------------------------------------------------------
 */

static void a_standby_votes_when_it_has_the_log_and_a_seat_is_free(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1V*n1@a 2s+n2@b/91", "", "nothing", "", {0}},
        {"1V*n1@a 2s+n2@b/92", "", "promote 2", "", {0}},
        {"1V*n1@a 2s~n2@b", "", "nothing", "", {0}},
        {"1V*n1@a 2s?n2@b", "", "nothing", "", {0}},
        {"1V*n1@a 2s+n2@b 3s+n3@c", "", "promote 2", "", {0}},
        {"1V*n1@a 2s+n2@b/0 3s+n3@c", "", "promote 3", "", {0}},
        {"1V*n1@a 2V+n2@b 3s+n3@c", "", "promote 3", "", {0}},
        {"1V*n1@a 2V~n2@b 3s+n3@c", "", "nothing", "", {0}},
        {SIX, "", "nothing", "", {0}},
        /* before anybody comes in: one change a step */
        {"1V*n1@a 2s+n2@b", "3n3@c", "promote 2", "", {0}},
        {"1V*n1@a 2s+n2@b/0", "3n3@c", "add 3 c", "", {0}},
        /* more voters than seats: nobody is demoted */
        {"1V*n1@a 2V+n2@b 3V+n3@c 4V+n4@d 5V+n5@e", "", "nothing", "", {0}},
        {"1V*n1@a 2V+n2@b 3V+n3@c 4V-n4@d 5V-n5@e", "", "nothing", "", {0}},
    };
    CHECK_ROWS(rows);
}

static void a_seat_that_somebody_asks_for_is_one_more(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SIX, "", "promote 5", "", {ROSTER_WISH_ADD, 5}},
        {THREE " 4s+n4@d/91", "", "nothing", "n4 still lacks 9", {ROSTER_WISH_ADD, 4}},
        {THREE " 4s+n4@d/92", "", "promote 4", "", {ROSTER_WISH_ADD, 4}},
        {THREE " 4s~n4@d", "", "nothing", "n4 is not heard", {ROSTER_WISH_ADD, 4}},
        {"1V*n1@a 2V+n2@b 3V?n3@c 4s+n4@d",
         "",
         "nothing",
         "only 2 of 3 voters are heard",
         {ROSTER_WISH_ADD, 4}},
        /* done, or gone */
        {THREE, "", "nothing", "", {ROSTER_WISH_ADD, 3}},
        {THREE, "", "nothing", "", {ROSTER_WISH_ADD, 9}},
        /* the rest goes on meanwhile */
        {THREE " 4s+n4@d/0", "5n5@e", "add 5 e", "lacks 100", {ROSTER_WISH_ADD, 4}},
    };
    CHECK_ROWS(rows);
}

/* --- who leaves ----------------------------------------------------------------------
 */

static void who_is_asked_to_leave_does_so_where_a_majority_is_left(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {THREE, "", "remove 2", "", {ROSTER_WISH_REMOVE, 2}},
        {SIX, "", "remove 6", "", {ROSTER_WISH_REMOVE, 6}},
        {"1V*n1@a 2V+n2@b", "", "remove 2", "", {ROSTER_WISH_REMOVE, 2}},
        {"1V*n1@a 2V+n2@b 3V-n3@c", "", "remove 3", "", {ROSTER_WISH_REMOVE, 3}},
        {"1V*n1@a 2V+n2@b 3V~n3@c", "", "remove 3", "", {ROSTER_WISH_REMOVE, 3}},
        {THREE, "", "nothing", "a leader is not removed", {ROSTER_WISH_REMOVE, 1}},
        {"1V*n1@a", "", "nothing", "a leader is not removed", {ROSTER_WISH_REMOVE, 1}},
        {"1s*n1@a/0 2V+n2@b", "", "nothing", "last voter", {ROSTER_WISH_REMOVE, 2}},
        {"1V*n1@a 2V+n2@b 3V-n3@c",
         "",
         "nothing",
         "without n2 only 1 of 2 voters would be there: no majority",
         {ROSTER_WISH_REMOVE, 2}},
        /* with a majority, but the next one that dies would take it along */
        {"1V*n1@a 2V+n2@b 3V+n3@c 4V-n4@d",
         "",
         "nothing",
         "only 2 of the 3 voters that would be left are heard",
         {ROSTER_WISH_REMOVE, 2}},
        {"1V*n1@a 2V+n2@b 3V+n3@c 4V-n4@d",
         "",
         "remove 4",
         "",
         {ROSTER_WISH_REMOVE, 4}},
        /* a standby's leaving costs nothing */
        {"1V*n1@a 2V+n2@b 3V-n3@c 4s+n4@d",
         "",
         "remove 4",
         "",
         {ROSTER_WISH_REMOVE, 4}},
        {"1V*n1@a 2V?n2@b 3s+n3@c",
         "",
         "nothing",
         "no majority",
         {ROSTER_WISH_REMOVE, 3}},
        {THREE, "", "nothing", "", {ROSTER_WISH_REMOVE, 9}},
        /* the rest goes on meanwhile */
        {THREE, "4n4@d", "add 4 d", "a leader is not", {ROSTER_WISH_REMOVE, 1}},
    };
    CHECK_ROWS(rows);
}

static void a_member_is_silent_without_link_and_without_answer(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        uint64_t silence_ms;
    } rows[] = {
        {"1V*n1@a", 0},          {"1V+n1@a", 0},
        {"1V~n1@a", 0},          {"1V?n1@a", REPLACE_MS - 1},
        {"1V-n1@a", REPLACE_MS}, {"1V.n1@a", LEADING_MS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;
        scene_open(&scene, rows[i].member, "", (struct roster_wish){0});
        assert_int_equal(roster_silence_ms(&scene.view, &scene.view.members[0]),
                         rows[i].silence_ms);
    }
}

/* --- any view ------------------------------------------------------------------------
 */

static const char *const walk_names[] = {"", "n1", "n2", "n3", "n4", "n5", "n6"};
static const char *const walk_addresses[] = {"a", "b", "c", "d", "e", "f", "g",
                                             "h", "i", "j", "k", "l", "m", "n",
                                             "o", "p", "q", "r", "s", "t"};
#define WALK_NAMES     (sizeof walk_names / sizeof walk_names[0])
#define WALK_ADDRESSES (sizeof walk_addresses / sizeof walk_addresses[0])

static uint64_t walk_seed;

static size_t walk_below(size_t limit)
{
    walk_seed = walk_seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(walk_seed >> 33) % limit;
}

static const struct roster_member *walk_find(const struct roster_view *view,
                                             uint64_t id)
{
    for (size_t i = 0; i < view->member_count; i++) {
        if (view->members[i].id == id) {
            return &view->members[i];
        }
    }
    return NULL;
}

/* Members at distinct addresses, this node a voter among them, and blanks at any. */
static void walk_view(struct roster_view *view)
{
    static const char states[] = "+++++~?-.";
    size_t most = walk_below(8) == 0 ? LIMIT_MEMBERS : 6;
    size_t shift = walk_below(WALK_ADDRESSES);
    *view = (struct roster_view){.member_count = 1 + walk_below(most),
                                 .blank_count = walk_below(4),
                                 .voters_wanted = 1 + walk_below(7),
                                 .last = LAST,
                                 .leading_ms = walk_below(2) * LEADING_MS,
                                 .election_timeout_ms = ELECTION_MS,
                                 .replace_after_ms = REPLACE_MS};
    size_t self = walk_below(view->member_count);
    for (size_t i = 0; i < view->member_count; i++) {
        struct roster_member *member = &view->members[i];
        *member = (struct roster_member){
            .id = i + 1,
            .voter = i == self || walk_below(3) != 0,
            .name = walk_names[walk_below(WALK_NAMES)],
            .address = walk_addresses[(shift + i) % WALK_ADDRESSES],
            .match = LAST - walk_below(2) * walk_below(20)};
        member_state(member, i == self ? '*' : states[walk_below(sizeof states - 1)]);
    }
    for (size_t i = 0; i < view->blank_count; i++) {
        view->blanks[i] = (struct roster_blank){
            .id = walk_below(10) == 0 ? 1 + i + 4 * walk_below(4) : 100 + i,
            .name = walk_names[1 + walk_below(WALK_NAMES - 1)],
            .address = walk_addresses[walk_below(WALK_ADDRESSES)],
            .pledged = walk_below(5) == 0};
    }
    view->wish = (struct roster_wish){(enum roster_wish_kind)walk_below(3),
                                      1 + walk_below(view->member_count + 1)};
}

/* As the leader does it; who comes in is heard and has the log at once. */
static void walk_apply(struct roster_view *view, const struct roster_step *step)
{
    size_t kept = 0;
    for (size_t i = 0; i < view->member_count; i++) {
        if (step->action != ROSTER_REMOVE || view->members[i].id != step->id) {
            view->members[kept] = view->members[i];
            view->members[kept].voter |=
                step->action == ROSTER_PROMOTE && view->members[i].id == step->id;
            kept++;
        }
    }
    view->member_count = kept;
    for (size_t i = 0; i < view->blank_count && step->action == ROSTER_ADD; i++) {
        if (view->blanks[i].id == step->id) {
            assert_true(view->member_count < LIMIT_MEMBERS);
            view->members[view->member_count++] =
                (struct roster_member){.id = step->id,
                                       .linked = true,
                                       .name = view->blanks[i].name,
                                       .address = step->address,
                                       .match = LAST};
            view->blanks[i] = view->blanks[--view->blank_count];
            break;
        }
    }
}

static bool walk_heard(const struct roster_member *member)
{
    return member->self || (member->linked && member->heard_ms <= 2 * ELECTION_MS);
}

static size_t walk_voters(const struct roster_view *view, bool heard_only)
{
    size_t count = 0;
    for (size_t i = 0; i < view->member_count; i++) {
        count +=
            view->members[i].voter && (!heard_only || walk_heard(&view->members[i]));
    }
    return count;
}

static void assert_sound(const struct roster_view *view)
{
    for (size_t i = 0; i < view->member_count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_true(view->members[i].id != view->members[k].id);
            assert_string_not_equal(view->members[i].address, view->members[k].address);
        }
    }
    assert_true(walk_voters(view, false) >= 1);
    assert_true(2 * walk_voters(view, true) > walk_voters(view, false));
}

/* One member differs, who may differ so; this node never does. */
static void assert_one_change(const struct roster_view *before,
                              const struct roster_view *after,
                              const struct roster_step *step)
{
    const struct roster_member *was = walk_find(before, step->id);
    size_t gone = 0;
    for (size_t i = 0; i < before->member_count; i++) {
        const struct roster_member *now = walk_find(after, before->members[i].id);
        gone += now == NULL;
        assert_false(now == NULL && before->members[i].self);
        assert_false(now != NULL && before->members[i].voter && !now->voter);
    }
    assert_int_equal(gone, step->action == ROSTER_REMOVE);
    assert_int_equal(after->member_count + gone,
                     before->member_count + (step->action == ROSTER_ADD));
    assert_int_equal(was == NULL, step->action == ROSTER_ADD);
    if (step->action == ROSTER_PROMOTE) {
        assert_true(!was->voter && was->match + ROSTER_CLOSE_ENTRIES >= LAST);
        assert_int_equal(walk_voters(after, true), walk_voters(after, false));
    }
}

/* What is done without being asked for. */
static void assert_due(const struct roster_view *before, const struct roster_step *step)
{
    const struct roster_member *was = walk_find(before, step->id);
    bool wished =
        before->wish.id == step->id &&
        before->wish.kind ==
            (step->action == ROSTER_REMOVE ? ROSTER_WISH_REMOVE : ROSTER_WISH_ADD);
    if (step->action == ROSTER_REMOVE && !wished) {
        assert_true(roster_silence_ms(before, was) >= REPLACE_MS);
        assert_false(was->voter && walk_voters(before, false) == 2);
    }
    if (step->action == ROSTER_PROMOTE && !wished) {
        assert_true(walk_voters(before, false) < before->voters_wanted);
    }
    for (size_t i = 0; step->action == ROSTER_ADD && i < before->blank_count; i++) {
        const struct roster_blank *blank = &before->blanks[i];
        for (size_t k = 0; blank->id == step->id && k < before->member_count; k++) {
            const struct roster_member *member = &before->members[k];
            assert_false(strcmp(blank->name, member->name) == 0 &&
                         roster_silence_ms(before, member) < REPLACE_MS);
            assert_false(blank->pledged);
        }
    }
}

/* Whatever it sees, what it does is safe; and left alone it comes to rest. */
static void whatever_is_seen_the_next_change_is_safe(void **state)
{
    (void)state;
    size_t done[4] = {0};
    walk_seed = 1;
    for (size_t i = 0; i < 20000; i++) {
        struct roster_view view;
        struct roster_step step;
        size_t steps = 0;
        walk_view(&view);
        while (step = roster_next(&view, NULL), step.action != ROSTER_NOTHING) {
            struct roster_view before = view;
            walk_apply(&view, &step);
            assert_one_change(&before, &view, &step);
            assert_due(&before, &step);
            assert_sound(&view);
            done[step.action]++;
            assert_in_range(++steps, 1, 3 * LIMIT_MEMBERS);
        }
    }
    assert_true(done[ROSTER_ADD] > 1000 && done[ROSTER_REMOVE] > 1000);
    assert_true(done[ROSTER_PROMOTE] > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blank_node_comes_in_as_a_standby_or_is_told_why_not),
        cmocka_unit_test(a_full_cluster_lets_in_only_who_takes_a_place),
        cmocka_unit_test(a_wiped_node_at_its_old_address_is_removed_added_promoted),
        cmocka_unit_test(a_wiped_node_elsewhere_catches_up_before_the_dead_one_leaves),
        cmocka_unit_test(a_node_wiped_twice_is_known_by_all_rows_of_its_name),
        cmocka_unit_test(nobody_is_replaced_where_no_majority_would_be_left),
        cmocka_unit_test(a_standby_votes_when_it_has_the_log_and_a_seat_is_free),
        cmocka_unit_test(a_seat_that_somebody_asks_for_is_one_more),
        cmocka_unit_test(who_is_asked_to_leave_does_so_where_a_majority_is_left),
        cmocka_unit_test(a_member_is_silent_without_link_and_without_answer),
        cmocka_unit_test(whatever_is_seen_the_next_change_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
