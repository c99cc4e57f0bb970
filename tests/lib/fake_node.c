/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_node.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* --- the registry behind them ---------------------------------------------------- */

/* `bytes` are those of `count` commands; the result of the first. */
static struct result fake_apply_bytes(struct node *node, const struct buf *bytes,
                                      uint32_t count)
{
    struct batch_header header = {
        .wall_ms = clock_wall_ms(node->clock),
        .clock_ms = clock_now_ms(node->clock),
        .count = count,
    };
    struct result result;
    struct buf batch;
    size_t applied = 0;
    buf_init(&batch);
    batch_begin(&batch, &header);
    buf_put(&batch, bytes->data, bytes->len);
    int rv = fsm_apply(node->fsm, batch.data, batch.len, &result, 1, &applied, NULL);
    assert(rv == 0 && applied == count);
    buf_close(&batch);
    node->status.applied++;
    return result;
}

static void fake_encode(struct buf *bytes, const struct command *command)
{
    struct command whole = *command;
    whole.request_id = text_of("");
    whole.actor = text_of("");
    int rv = command_encode(bytes, &whole, COMMAND_LEVEL, NULL);
    assert(rv == 0);
}

void fake_node_batch(struct node *node, const struct command *commands, uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes);
    for (uint32_t i = 0; i < count; i++) {
        fake_encode(&bytes, &commands[i]);
    }
    fake_apply_bytes(node, &bytes, count);
    buf_close(&bytes);
}

struct result fake_node_apply(struct node *node, const struct command *command)
{
    struct buf bytes;
    buf_init(&bytes);
    fake_encode(&bytes, command);
    struct result result = fake_apply_bytes(node, &bytes, 1);
    buf_close(&bytes);
    return result;
}

uint64_t fake_node_task(struct node *node, const char *name, const char *text)
{
    struct command create = {
        .type = COMMAND_TASK_CREATE,
        .task_create = {text_of(name), text_of(text), 1, true},
    };
    struct result result = fake_node_apply(node, &create);
    assert(result.code == 0);
    return result.revision;
}

uint64_t fake_node_place(struct node *node, const char *task, uint64_t on)
{
    struct command place = {
        .type = COMMAND_RUN_START,
        .run_start = {.task = text_of(task),
                      .node = on,
                      .cause = RUN_CAUSE_CLIENT,
                      .purpose = RUN_APPLY,
                      .lease_ms = 4000,
                      .grace_ms = 5000,
                      .tries = 2},
    };
    struct result result = fake_node_apply(node, &place);
    assert(result.code == 0 && result.run > 0);
    return result.run;
}

const struct run *fake_node_run(struct node *node, uint64_t run)
{
    return registry_run(fsm_registry(node->fsm), run);
}

/* --- door 1 ---------------------------------------------------------------------- */

/* There is one propose a node, and nothing in it that tests ask for. */
struct propose *node_propose(struct node *node)
{
    return (struct propose *)(void *)node;
}

static int fake_propose(struct node *node, const struct command *command,
                        propose_cb done, void *owner, struct err *err)
{
    node->proposed++;
    if (node->fate == FAKE_REFUSED) {
        return err_set(err, ERR_NOT_LEADER, "nobody leads");
    }
    struct fake_proposal *proposal = mem_zalloc(sizeof *proposal);
    buf_init(&proposal->bytes);
    int rv = command_encode(&proposal->bytes, command, COMMAND_LEVEL, err);
    assert(rv == 0);
    proposal->done = done;
    proposal->owner = owner;
    proposal->fate = node->fate;
    struct fake_proposal **last = &node->proposals;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = proposal;
    clock_defer(node->clock, &node->turn);
    return 0;
}

int propose_submit_here(struct propose *propose, const struct command *command,
                        propose_cb done, void *owner, struct err *err)
{
    return fake_propose((struct node *)(void *)propose, command, done, owner, err);
}

int node_report(struct node *node, const struct command *command, propose_cb done,
                void *owner, struct err *err)
{
    return fake_propose(node, command, done, owner, err);
}

uint64_t propose_clock_ms(const struct propose *propose)
{
    return clock_now_ms(((const struct node *)(const void *)propose)->clock);
}

static void fake_decide(struct node *node, struct fake_proposal *proposal)
{
    struct outcome outcome = {.code = ERR_NOT_LEADER};
    if (proposal->fate == FAKE_APPLIED || proposal->fate == FAKE_UNKNOWN_APPLIED) {
        outcome.result = fake_apply_bytes(node, &proposal->bytes, 1);
        outcome.code = 0;
    }
    if (proposal->fate == FAKE_UNKNOWN || proposal->fate == FAKE_UNKNOWN_APPLIED) {
        outcome = (struct outcome){.code = ERR_OUTCOME_UNKNOWN};
    }
    proposal->done(proposal->owner, &outcome);
    buf_close(&proposal->bytes);
    mem_free(proposal);
}

static void fake_turn(struct clock_task *task)
{
    struct node *node = task->owner;
    struct fake_proposal **at = &node->proposals;
    while (*at != NULL) {
        struct fake_proposal *proposal = *at;
        if (proposal->fate == FAKE_PENDING) {
            at = &proposal->next;
            continue;
        }
        *at = proposal->next;
        fake_decide(node, proposal);
        at = &node->proposals;
    }
}

void fake_node_decide(struct node *node, enum fake_fate fate)
{
    for (struct fake_proposal *it = node->proposals; it != NULL; it = it->next) {
        it->fate = fate;
    }
    clock_defer(node->clock, &node->turn);
}

/* --- door 2 ---------------------------------------------------------------------- */

const struct registry *node_registry(const struct node *node)
{
    return fsm_registry(node->fsm);
}

struct fsm *node_fsm(struct node *node)
{
    return node->fsm;
}

void node_status(struct node *node, struct node_status *out)
{
    *out = node->status;
}

bool node_settled(const struct node *node)
{
    return node->settled;
}

const char *node_unfit(const struct node *node)
{
    return node->unfit;
}

void node_on_leadership(struct node *node, struct node_watch *watch)
{
    watch->next = node->leadership;
    node->leadership = watch;
}

void node_off_leadership(struct node *node, struct node_watch *watch)
{
    for (struct node_watch **at = &node->leadership; *at != NULL; at = &(*at)->next) {
        if (*at == watch) {
            *at = watch->next;
            return;
        }
    }
}

void fake_node_lead(struct node *node, bool leads, uint64_t term)
{
    node->status.role = leads ? NODE_LEADER : NODE_FOLLOWER;
    node->status.term = term;
    node->settled = leads;
    for (struct node_watch *watch = node->leadership; watch != NULL;
         watch = watch->next) {
        watch->changed(watch, &node->status);
    }
}

void node_lease(const struct node *node, struct lease_view *out)
{
    *out = node->lease;
}

void node_lease_want(struct node *node, bool want)
{
    assert(node->wants != want);
    node->wants = want;
}

void node_lease_shorten(struct node *node, uint32_t most_ms)
{
    node->most_ms = most_ms;
}

void node_on_lease(struct node *node, struct lease_watch *watch)
{
    assert(node->leases == NULL);
    node->leases = watch;
}

void node_off_lease(struct node *node, struct lease_watch *watch)
{
    assert(node->leases == watch);
    node->leases = NULL;
}

void fake_node_renew(struct node *node, uint32_t lease_ms, uint64_t index)
{
    node->lease = (struct lease_view){
        .until_ms = clock_boot_ms(node->clock) + lease_ms,
        .index = index,
        .lease_ms = lease_ms,
    };
    if (node->leases != NULL) {
        node->leases->renewed(node->leases, &node->lease);
    }
}

static struct fake_peer *fake_peer(struct node *node, uint64_t id)
{
    assert(id >= FAKE_SELF && id < FAKE_SELF + FAKE_NODES);
    return &node->peers[id - FAKE_SELF];
}

uint64_t node_silence_ms(struct node *node, uint64_t id)
{
    return node->status.role == NODE_LEADER ? fake_peer(node, id)->silence_ms : 0;
}

void node_lease_hold(struct node *node, uint64_t id)
{
    struct fake_peer *peer = fake_peer(node, id);
    assert(!peer->held);
    peer->held = true;
    peer->holds++;
}

void node_lease_release(struct node *node, uint64_t id)
{
    struct fake_peer *peer = fake_peer(node, id);
    assert(peer->held);
    peer->held = false;
}

size_t node_members(struct node *node, struct node_member *out, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < FAKE_NODES && count < capacity; i++) {
        if (node->peers[i].member) {
            out[count] = node->peers[i].row;
            const struct member *row =
                registry_member(fsm_registry(node->fsm), out[count].id);
            out[count].draining = row != NULL && row->duty.draining;
            out[count].drivers = row != NULL ? row->duty.drivers : 0;
            count++;
        }
    }
    return count;
}

/* --- life ------------------------------------------------------------------------ */

struct node *fake_node_new(struct clock *clock)
{
    static const char *const names[FAKE_NODES] = {"n1", "n2", "n3"};
    struct node *node = mem_zalloc(sizeof *node);
    node->clock = clock;
    node->fsm = fsm_new();
    node->unfit = "";
    node->turn = (struct clock_task){.run = fake_turn, .owner = node};
    node->status = (struct node_status){
        .role = NODE_LEADER, .id = FAKE_SELF, .term = 1, .leader_id = FAKE_SELF};
    node->settled = true;
    struct command level = {.type = COMMAND_LEVEL_SET, .level_set = {COMMAND_LEVEL}};
    fake_node_apply(node, &level);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        struct command set = {
            .type = COMMAND_MEMBER_SET,
            .member_set = {FAKE_SELF + i, COMMAND_LEVEL, text_of(names[i]),
                           text_of("a"), text_of("p"), text_of("v")},
        };
        fake_node_apply(node, &set);
        node->peers[i].member = true;
        node->peers[i].row = (struct node_member){.id = FAKE_SELF + i,
                                                  .name = names[i],
                                                  .level = COMMAND_LEVEL,
                                                  .reachable = true,
                                                  .answers = true};
    }
    return node;
}

void fake_node_free(struct node *node)
{
    fake_node_decide(node, FAKE_NEVER);
    fake_turn(&node->turn);
    clock_defer_cancel(node->clock, &node->turn);
    fsm_free(node->fsm);
    mem_free(node);
}
