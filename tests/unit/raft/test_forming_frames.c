/* SPDX-License-Identifier: Apache-2.0 */
/* One forming node and two peers that are played by hand: what it says, when, and what
 * it does not believe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "raft/forming.h"
#include "raft/forming_wire.h"
#include "raft/heap.h"

#define SENT_MAX 256
#define LOW_ID   1                     /* offers, if it is there */
#define HIGH_ID  ((uint64_t)INT64_MAX) /* never does */

struct sent {
    uint64_t to;
    struct forming_message message;
};

struct stage {
    struct link link; /* first */
    struct sim_time *time;
    struct sim_disk *sim;
    struct clock *clock;
    struct identity identity;
    struct forming *forming;
    struct hello self; /* its last introduction; numbers only */
    uint64_t at[2];    /* who is at 10.0.0.2 and 10.0.0.3; 0 = nobody */
    uint64_t serial;
    size_t sent_count;
    struct sent *sent;
    bool formed;
    bool gone;
};

static const char *const peers[] = {"10.0.0.2:8658", "10.0.0.3:8658"};

static void link_set_self(struct link *link, const struct hello *self)
{
    ((struct stage *)(void *)link)->self = *self;
}

static bool link_send(struct link *link, uint64_t to, struct bytes *frame)
{
    struct stage *stage = (struct stage *)(void *)link;
    assert_true(stage->sent_count < SENT_MAX);
    struct sent *sent = &stage->sent[stage->sent_count++];
    sent->to = to;
    assert_true(forming_decode(&sent->message, frame->data, frame->len));
    return true;
}

static void link_status(struct link *link, const char *address, struct link_status *out)
{
    const struct stage *stage = (struct stage *)(void *)link;
    uint64_t id = stage->at[strcmp(address, peers[0]) == 0 ? 0 : 1];
    *out = (struct link_status){.connected = id != 0, .node_id = id};
}

static const struct link_ops link_ops = {
    .set_self = link_set_self,
    .send = link_send,
    .status = link_status,
};

static int stage_store_create(const struct store_options *options, uint64_t term,
                              const struct entry *first, struct err *err)
{
    (void)options;
    (void)term;
    (void)first;
    (void)err;
    return 0;
}

static void stage_formed(void *owner, const struct charter *charter)
{
    (void)charter;
    ((struct stage *)owner)->formed = true;
}

static void stage_failed(void *owner, const struct err *err)
{
    (void)owner;
    fail_msg("%s", err->text);
}

static void stage_stopped(void *owner)
{
    ((struct stage *)owner)->gone = true;
}

static void stage_run(struct stage *stage, uint64_t ms)
{
    sim_time_run_until(stage->time, sim_time_now_us(stage->time) + ms * 1000);
}

static void stage_begin(struct stage *stage)
{
    struct forming_options options = {
        .disk = sim_disk_base(stage->sim),
        .clock = stage->clock,
        .link = &stage->link,
        .identity = &stage->identity,
        .peer_address = "10.0.0.1:8658",
        .api_address = "",
        .version = "1",
        .expect = 3,
        .peers = peers,
        .peer_count = 2,
        .store_create = stage_store_create,
        .owner = stage,
        .formed = stage_formed,
        .failed = stage_failed,
    };
    stage->forming = forming_start(&options);
}

static struct stage *stage_new(void)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    stage->sent = calloc(SENT_MAX, sizeof(*stage->sent));
    stage->link.ops = &link_ops;
    stage->time = sim_time_new();
    stage->sim = sim_disk_new(stage->time, 1, "/node");
    stage->clock = sim_clock_new(stage->time, 1);
    assert_int_equal(identity_open(&stage->identity, sim_disk_base(stage->sim),
                                   stage->clock, "n1", NULL),
                     0);
    stage_begin(stage);
    return stage;
}

static void stage_free(struct stage *stage)
{
    forming_stop(stage->forming, stage_stopped, stage);
    stage_run(stage, 1000);
    assert_true(stage->gone);
    sim_clock_free(stage->clock);
    sim_disk_free(stage->sim);
    sim_time_free(stage->time);
    free(stage->sent);
    free(stage);
}

/* Peer 0 is n2, peer 1 is n3; they answer at their addresses from now on. */
static void stage_hello(struct stage *stage, size_t peer, uint64_t id, uint64_t start,
                        uint64_t cluster_id, uint64_t pledge)
{
    struct hello hello = {
        .protocol = LINK_PROTOCOL,
        .cluster_id = cluster_id,
        .node_id = id,
        .start_counter = start,
        .pledge = pledge,
        .expect = 3,
        .name = peer == 0 ? "n2" : "n3",
        .peer_address = peers[peer],
        .api_address = "",
        .version = "1",
    };
    stage->at[peer] = id;
    forming_hello(stage->forming, &hello);
}

static struct charter stage_charter(const struct stage *stage, uint64_t cluster_id,
                                    uint64_t n2, uint64_t n3)
{
    struct charter charter = {.cluster_id = cluster_id, .count = 3};
    struct charter_row rows[3] = {
        {.id = stage->identity.node_id, .name = "n1", .peer_address = "10.0.0.1:8658"},
        {.id = n2, .name = "n2", .peer_address = "10.0.0.2:8658"},
        {.id = n3, .name = "n3", .peer_address = "10.0.0.3:8658"},
    };
    for (size_t i = 0; i < 3; i++) {
        size_t at = i;
        for (; at > 0 && charter.rows[at - 1].id > rows[i].id; at--) {
            charter.rows[at] = charter.rows[at - 1];
        }
        charter.rows[at] = rows[i];
    }
    return charter;
}

static void stage_frame(struct stage *stage, uint64_t from,
                        struct forming_message *message)
{
    struct bytes *frame = forming_encode(message);
    forming_frame(stage->forming, from, frame->data, frame->len);
    bytes_unref(frame);
}

static void stage_charter_frame(struct stage *stage, uint64_t from,
                                enum frame_kind kind, const struct charter *charter)
{
    struct forming_message message = {.kind = kind,
                                      .start_counter = 1,
                                      .serial = ++stage->serial,
                                      .charter = *charter};
    stage_frame(stage, from, &message);
}

static void stage_question(struct stage *stage, uint64_t from, enum frame_kind kind,
                           uint64_t cluster_id, uint64_t token)
{
    struct forming_message message = {.kind = kind,
                                      .start_counter = 1,
                                      .serial = ++stage->serial,
                                      .cluster_id = cluster_id,
                                      .token = token};
    stage_frame(stage, from, &message);
}

/* The last frame of `kind` to `to`; NULL: none since stage_forget(). */
static const struct forming_message *stage_sent(const struct stage *stage, uint64_t to,
                                                enum frame_kind kind)
{
    for (size_t i = stage->sent_count; i > 0; i--) {
        const struct sent *sent = &stage->sent[i - 1];
        if (sent->to == to && sent->message.kind == kind) {
            return &sent->message;
        }
    }
    return NULL;
}

static void stage_forget(struct stage *stage)
{
    stage->sent_count = 0;
}

/* n1 is pledged to cluster 70 of {LOW_ID, n1, HIGH_ID}, which LOW_ID offered. */
static struct charter stage_pledge(struct stage *stage)
{
    struct charter charter = stage_charter(stage, 70, LOW_ID, HIGH_ID);
    stage_hello(stage, 0, LOW_ID, 1, 0, 70);
    stage_hello(stage, 1, HIGH_ID, 1, 0, 0);
    stage_charter_frame(stage, LOW_ID, FRAME_OFFER, &charter);
    stage_run(stage, 100);
    assert_true(stage->identity.pledged);
    return charter;
}

static void the_lowest_id_offers_once_all_are_there_and_only_after_its_sync(
    void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    uint64_t n2 = HIGH_ID - 1;
    stage_hello(stage, 0, n2, 1, 0, 0);
    stage_run(stage, 2000);
    assert_int_equal(stage->sent_count, 0);
    sim_disk_pause(stage->sim, true);
    stage_hello(stage, 1, HIGH_ID, 1, 0, 0);
    stage_run(stage, 2000);
    assert_int_equal(stage->sent_count, 0); /* not durable yet: not a word */
    assert_true(stage->self.pledge == 0);
    sim_disk_pause(stage->sim, false);
    stage_run(stage, 100);
    const struct forming_message *offer = stage_sent(stage, n2, FRAME_OFFER);
    assert_non_null(offer);
    assert_non_null(stage_sent(stage, HIGH_ID, FRAME_OFFER));
    assert_true(stage->self.pledge == offer->charter.cluster_id);
    struct charter wanted = stage_charter(stage, 1, n2, HIGH_ID);
    assert_true(charter_same_members(&offer->charter, &wanted));
    stage_free(stage);
}

static void a_higher_id_pledges_to_what_the_lowest_offers(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    stage_hello(stage, 0, LOW_ID, 1, 0, 0);
    stage_hello(stage, 1, HIGH_ID, 1, 0, 0);
    stage_run(stage, 2000);
    assert_int_equal(stage->sent_count, 0);
    stage_pledge(stage);
    assert_true(stage->self.pledge == 70);
    const struct forming_message *pledge = stage_sent(stage, HIGH_ID, FRAME_PLEDGE);
    assert_non_null(pledge);
    assert_true(pledge->charter.cluster_id == 70);
    assert_null(stage_sent(stage, LOW_ID, FRAME_OFFER));
    stage_free(stage);
}

static void any_other_offer_is_answered_with_the_pledge_that_is_held(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    stage_pledge(stage);
    stage_forget(stage);
    struct charter other = stage_charter(stage, 71, LOW_ID, HIGH_ID);
    stage_charter_frame(stage, HIGH_ID, FRAME_OFFER, &other);
    const struct forming_message *answer = stage_sent(stage, HIGH_ID, FRAME_PLEDGE);
    assert_non_null(answer);
    assert_true(answer->charter.cluster_id == 70);
    stage_run(stage, 1000);
    assert_true(stage->identity.pledge.cluster_id == 70);
    stage_free(stage);
}

static void a_pledge_is_told_again_after_a_restart(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    stage_pledge(stage);
    forming_stop(stage->forming, stage_stopped, stage);
    stage_run(stage, 100);
    assert_true(stage->gone);
    sim_disk_power_off(stage->sim);
    sim_disk_power_on(stage->sim, SIM_LOSE);
    assert_int_equal(identity_open(&stage->identity, sim_disk_base(stage->sim),
                                   stage->clock, "n1", NULL),
                     0);
    stage_forget(stage);
    stage_begin(stage);
    assert_true(stage->self.pledge == 70 && stage->self.start_counter == 2);
    stage_hello(stage, 0, LOW_ID, 1, 0, 70);
    const struct forming_message *pledge = stage_sent(stage, LOW_ID, FRAME_PLEDGE);
    assert_non_null(pledge);
    assert_true(pledge->charter.cluster_id == 70 && pledge->start_counter == 2);
    stage_free(stage);
}

static void nobody_founds_with_a_pledge_missing(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct charter charter = stage_pledge(stage);
    stage_hello(stage, 1, HIGH_ID, 1, 0, 70); /* the hello alone is not the charter */
    stage_run(stage, 5000);
    assert_false(stage->formed);
    stage_charter_frame(stage, HIGH_ID, FRAME_PLEDGE, &charter);
    stage_run(stage, 1000);
    assert_true(stage->formed);
    assert_true(stage->self.cluster_id == 70 && stage->self.pledge == 0);
    stage_free(stage);
}

static void what_was_said_on_a_lost_connection_has_to_be_said_again(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct charter charter = stage_pledge(stage);
    stage->at[0] = 0;
    forming_down(stage->forming, LOW_ID, false);
    stage_hello(stage, 1, HIGH_ID, 1, 0, 70);
    stage_charter_frame(stage, HIGH_ID, FRAME_PLEDGE, &charter);
    stage->at[0] = LOW_ID;
    stage_run(stage, 5000);
    assert_false(stage->formed);
    stage_charter_frame(stage, LOW_ID, FRAME_OFFER, &charter);
    stage_run(stage, 1000);
    assert_true(stage->formed);
    stage_free(stage);
}

static void who_lets_go_and_what_comes_late_of_it_count_no_more(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct charter charter = stage_pledge(stage);
    uint64_t late = ++stage->serial; /* sent before the question, arrives after it */
    stage_question(stage, LOW_ID, FRAME_WITHDRAW, 70, 1234);
    const struct forming_message *vow = stage_sent(stage, LOW_ID, FRAME_VOW);
    assert_non_null(vow);
    assert_true(vow->token == 1234 && vow->cluster_id == 70);
    struct forming_message message = {
        .kind = FRAME_OFFER, .start_counter = 1, .serial = late, .charter = charter};
    stage_frame(stage, LOW_ID, &message);
    stage_charter_frame(stage, HIGH_ID, FRAME_PLEDGE, &charter);
    stage_run(stage, 5000);
    assert_false(stage->formed);
    assert_non_null(stage_sent(stage, LOW_ID, FRAME_WITHDRAW)); /* it lets go too */
    assert_non_null(stage_sent(stage, HIGH_ID, FRAME_WITHDRAW));
    stage_free(stage);
}

static void a_pledge_falls_with_the_last_vow_to_the_question_of_now(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    stage_pledge(stage);
    uint64_t other = HIGH_ID - 1; /* n3 was wiped */
    stage_hello(stage, 1, other, 1, 0, 0);
    const struct forming_message *question = stage_sent(stage, other, FRAME_WITHDRAW);
    assert_non_null(question);
    uint64_t token = question->token;
    stage_question(stage, other, FRAME_VOW, 70, token);
    stage_question(stage, LOW_ID, FRAME_VOW, 70, token + 2); /* of an earlier start */
    stage_question(stage, LOW_ID, FRAME_VOW, 71, token);
    stage_run(stage, 3000);
    assert_true(stage->identity.pledged);
    stage_question(stage, LOW_ID, FRAME_VOW, 70, token);
    stage_run(stage, 100);
    assert_false(stage->identity.pledged);
    assert_true(stage->self.pledge == 0);
    stage_free(stage);
}

static void who_founds_does_not_vow(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct charter charter = stage_pledge(stage);
    sim_disk_pause(stage->sim, true);
    stage_charter_frame(stage, HIGH_ID, FRAME_PLEDGE, &charter);
    stage_question(stage, LOW_ID, FRAME_WITHDRAW, 70, 1234);
    stage_run(stage, 1000);
    assert_null(stage_sent(stage, LOW_ID, FRAME_VOW));
    sim_disk_pause(stage->sim, false);
    stage_run(stage, 1000);
    assert_true(stage->formed);
    stage_free(stage);
}

static void who_is_about_to_pledge_does_not_vow(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct charter charter = stage_charter(stage, 70, LOW_ID, HIGH_ID);
    stage_hello(stage, 0, LOW_ID, 1, 0, 70);
    stage_hello(stage, 1, HIGH_ID, 1, 0, 0);
    sim_disk_pause(stage->sim, true);
    stage_charter_frame(stage, LOW_ID, FRAME_OFFER, &charter);
    stage_question(stage, LOW_ID, FRAME_WITHDRAW, 70, 1234);
    assert_null(stage_sent(stage, LOW_ID, FRAME_VOW));
    sim_disk_pause(stage->sim, false);
    stage_run(stage, 100);
    stage_question(stage, LOW_ID, FRAME_WITHDRAW, 70, 1234); /* it is asked again */
    assert_non_null(stage_sent(stage, LOW_ID, FRAME_VOW));
    stage_free(stage);
}

static void a_member_that_has_founded_is_followed_also_without_every_pledge(
    void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    stage_pledge(stage);
    stage_hello(stage, 1, HIGH_ID, 1, 71, 0); /* another cluster: never */
    stage_run(stage, 1000);
    assert_false(stage->formed);
    assert_non_null(strstr(forming_trouble(stage->forming), "cluster 71 exists"));
    stage_hello(stage, 0, LOW_ID, 1, 70, 0);
    stage_run(stage, 1000);
    assert_true(stage->formed);
    stage_free(stage);
}

static void strangers_and_nonsense_change_nothing(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct charter charter = stage_pledge(stage);
    stage_forget(stage);
    stage_charter_frame(stage, 4711, FRAME_OFFER, &charter); /* never introduced */
    stage_question(stage, 4711, FRAME_WITHDRAW, 70, 1);
    for (uint64_t id = 1000; id < 1200; id++) { /* they dial us, and are no peers */
        struct hello hello = {.protocol = LINK_PROTOCOL,
                              .node_id = id,
                              .start_counter = 1,
                              .expect = 3,
                              .name = "x",
                              .peer_address = "10.9.9.9:1",
                              .api_address = "",
                              .version = ""};
        forming_hello(stage->forming, &hello);
        stage_question(stage, id, FRAME_WITHDRAW, 70, 1);
        stage_charter_frame(stage, id, FRAME_PLEDGE, &charter);
    }
    struct sim_random random;
    sim_random_init(&random, 1);
    for (size_t i = 0; i < 20000; i++) {
        uint8_t data[64];
        size_t len = sim_random_below(&random, sizeof(data));
        for (size_t k = 0; k < len; k++) {
            data[k] = (uint8_t)sim_random_next(&random);
        }
        data[0] = (uint8_t)(FRAME_OFFER + i % 5);
        forming_frame(stage->forming, LOW_ID, data, len);
    }
    assert_null(stage_sent(stage, LOW_ID, FRAME_VOW));
    stage_run(stage, 100);
    assert_true(stage->identity.pledged && stage->identity.pledge.cluster_id == 70);
    stage_charter_frame(stage, LOW_ID, FRAME_OFFER, &charter);
    stage_charter_frame(stage, HIGH_ID, FRAME_PLEDGE, &charter);
    stage_run(stage, 1000);
    assert_true(stage->formed); /* those that matter were not pushed out */
    stage_free(stage);
}

static void an_introduction_of_an_earlier_start_is_not_believed(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct charter charter = stage_charter(stage, 70, LOW_ID, HIGH_ID);
    stage_hello(stage, 0, LOW_ID, 5, 0, 70);
    stage_hello(stage, 1, HIGH_ID, 1, 0, 0);
    stage_charter_frame(stage, LOW_ID, FRAME_OFFER, &charter); /* of start 1 */
    stage_run(stage, 1000);
    assert_false(stage->identity.pledged);
    stage_hello(stage, 0, LOW_ID, 4, 71, 0); /* late */
    assert_null(strstr(forming_trouble(stage->forming), "71"));
    stage_free(stage);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    heap_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_lowest_id_offers_once_all_are_there_and_only_after_its_sync),
        cmocka_unit_test(a_higher_id_pledges_to_what_the_lowest_offers),
        cmocka_unit_test(any_other_offer_is_answered_with_the_pledge_that_is_held),
        cmocka_unit_test(a_pledge_is_told_again_after_a_restart),
        cmocka_unit_test(nobody_founds_with_a_pledge_missing),
        cmocka_unit_test(what_was_said_on_a_lost_connection_has_to_be_said_again),
        cmocka_unit_test(who_lets_go_and_what_comes_late_of_it_count_no_more),
        cmocka_unit_test(a_pledge_falls_with_the_last_vow_to_the_question_of_now),
        cmocka_unit_test(who_founds_does_not_vow),
        cmocka_unit_test(who_is_about_to_pledge_does_not_vow),
        cmocka_unit_test(
            a_member_that_has_founded_is_followed_also_without_every_pledge),
        cmocka_unit_test(strangers_and_nonsense_change_nothing),
        cmocka_unit_test(an_introduction_of_an_earlier_start_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
