/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/api/api_bench.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/map.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/command.h"

#define BENCH_PATIENCE_MS 20000 /* for what must come; real time */

/* --- the doors
 * -------------------------------------------------------------------------------- */

const char *node_role_name(enum node_role role)
{
    return role == NODE_LEADER ? "leader" : "follower";
}

const struct registry *node_registry(const struct node *node)
{
    return fsm_registry(node->fsm);
}

struct fsm *node_fsm(struct node *node)
{
    return node->fsm;
}

struct propose *node_propose(struct node *node)
{
    return (struct propose *)(void *)node;
}

void node_status(struct node *node, struct node_status *out)
{
    *out = node->status;
}

void node_on_leadership(struct node *node, struct node_watch *watch)
{
    node->lead = watch;
}

void node_off_leadership(struct node *node, struct node_watch *watch)
{
    assert(node->lead == watch);
    node->lead = NULL;
}

const char *node_unfit(const struct node *node)
{
    return node->unfit != NULL ? node->unfit : "";
}

size_t node_members(struct node *node, struct node_member *out, size_t capacity)
{
    assert(capacity >= 2);
    out[0] = (struct node_member){.id = 1,
                                  .name = "n1",
                                  .address = "10.0.0.1:8558",
                                  .peer_address = "10.0.0.1:8560",
                                  .voter = true,
                                  .leader = node->status.role == NODE_LEADER,
                                  .self = true,
                                  .version = "1",
                                  .level = COMMAND_LEVEL,
                                  .reachable = true};
    out[1] = (struct node_member){.id = 2,
                                  .name = "n2",
                                  .address = "",
                                  .peer_address = "10.0.0.2:8560",
                                  .version = "",
                                  .voter = true,
                                  .reason = "refused"};
    return 2;
}

/* A change of the cluster waits until bench_changed(). */
static int bench_change(struct node *node, const char *verb, const char *name,
                        node_change_cb done, void *owner, struct err *err)
{
    if (node->refusal != 0) {
        return err_set(err, (enum err_code)node->refusal, "refused: %s",
                       err_code_name((enum err_code)node->refusal));
    }
    snprintf(node->asked, sizeof node->asked, "%s %s", verb, name);
    node->change_done = done;
    node->change_owner = owner;
    return 0;
}

int node_transfer(struct node *node, const char *to, node_change_cb done, void *owner,
                  struct err *err)
{
    return bench_change(node, "transfer", to, done, owner, err);
}

int node_add_member(struct node *node, const char *name, node_change_cb done,
                    void *owner, struct err *err)
{
    return bench_change(node, "add", name, done, owner, err);
}

int node_remove_member(struct node *node, const char *name, node_change_cb done,
                       void *owner, struct err *err)
{
    return bench_change(node, "remove", name, done, owner, err);
}

int node_drain_member(struct node *node, const char *name, node_change_cb done,
                      void *owner, struct err *err)
{
    return bench_change(node, "drain", name, done, owner, err);
}

int node_undrain_member(struct node *node, const char *name, node_change_cb done,
                        void *owner, struct err *err)
{
    return bench_change(node, "undrain", name, done, owner, err);
}

void node_explain_level(struct node *node, uint32_t needed, struct err *out)
{
    err_set(out, ERR_LEVEL, "this needs feature level %u%s", needed,
            node->first_level ? "; the cluster is at 1 because n2 runs 0.9" : "");
}

int node_read_index(struct node *node, struct read_waiter *read, struct err *err)
{
    if (node->refusal != 0) {
        return err_set(err, (enum err_code)node->refusal, "refused");
    }
    assert(node->read == NULL);
    node->read = read;
    node->reads++;
    return 0;
}

int node_room(struct node *node, enum command_type type, struct err *err)
{
    bool full = node->status.disk_full || node->status.majority_full;
    if (!full || node->status.role != NODE_LEADER || type == COMMAND_TASK_DELETE) {
        return 0;
    }
    return err_set(err, ERR_FULL, "the disks are full");
}

bool propose_takes(const struct propose *propose)
{
    const struct node *node = (const struct node *)(const void *)propose;
    return node->status.role == NODE_LEADER || node->hands_on;
}

int propose_submit(struct propose *propose, const struct command *command,
                   propose_cb done, void *owner, struct err *err)
{
    struct node *node = (struct node *)(void *)propose;
    if (node->refusal != 0) {
        return err_set(err, (enum err_code)node->refusal, "refused: %s",
                       err_code_name((enum err_code)node->refusal));
    }
    if (node->first_level && command_needs(command) > 1) {
        return err_set(err, ERR_LEVEL, "a level too low");
    }
    assert(node->waiting_count < sizeof node->waiting / sizeof node->waiting[0]);
    struct buf *batch = &node->waiting[node->waiting_count].batch;
    struct batch_header header = {.wall_ms = 1, .clock_ms = 1};
    buf_init(batch);
    batch_begin(batch, &header);
    int rv = command_encode(batch, command, COMMAND_LEVEL, err);
    if (rv != 0) {
        buf_close(batch);
        return rv;
    }
    batch_set_count(batch, 1);
    node->waiting[node->waiting_count].done = done;
    node->waiting[node->waiting_count].owner = owner;
    node->waiting_count++;
    return 0;
}

bool bench_proposed(struct bench *bench)
{
    return bench->node.waiting_count > 0;
}

static struct outcome bench_apply(struct bench *bench, size_t at)
{
    struct outcome outcome = {0};
    struct buf *batch = &bench->node.waiting[at].batch;
    size_t count = 0;
    int rv = fsm_apply(bench->node.fsm, batch->data, batch->len, &outcome.result, 1,
                       &count, NULL);
    assert(rv == 0 && count == 1);
    return outcome;
}

struct result bench_apply_other(struct bench *bench, const struct command *command)
{
    struct command whole = *command;
    struct batch_header header = {.wall_ms = 2, .clock_ms = 2, .count = 1};
    struct result result = {0};
    struct buf batch;
    size_t count = 0;
    whole.request_id = text_of("");
    whole.actor = text_of("");
    buf_init(&batch);
    batch_begin(&batch, &header);
    int rv = command_encode(&batch, &whole, COMMAND_LEVEL, NULL);
    assert(rv == 0);
    rv = fsm_apply(bench->node.fsm, batch.data, batch.len, &result, 1, &count, NULL);
    assert(rv == 0 && count == 1);
    buf_close(&batch);
    return result;
}

void bench_decide(struct bench *bench, int code)
{
    struct node *node = &bench->node;
    assert(node->waiting_count > 0);
    struct outcome outcome = {.code = code};
    if (code == 0) {
        outcome = bench_apply(bench, 0);
    }
    propose_cb done = node->waiting[0].done;
    void *owner = node->waiting[0].owner;
    buf_close(&node->waiting[0].batch);
    node->waiting_count--;
    memmove(&node->waiting[0], &node->waiting[1],
            node->waiting_count * sizeof node->waiting[0]);
    done(owner, &outcome);
}

void bench_decide_all(struct bench *bench)
{
    struct node *node = &bench->node;
    struct outcome outcomes[16];
    for (size_t i = 0; i < node->waiting_count; i++) {
        outcomes[i] = bench_apply(bench, i);
    }
    for (size_t i = 0; i < node->waiting_count; i++) {
        buf_close(&node->waiting[i].batch);
        node->waiting[i].done(node->waiting[i].owner, &outcomes[i]);
    }
    node->waiting_count = 0;
}

int node_ask(struct node *node, uint64_t peer, enum request_kind kind,
             const void *question, size_t len, request_cb done, void *owner,
             struct err *err)
{
    (void)peer;
    assert(kind == REQUEST_RUN_LOG && node->told == NULL);
    if (node->unlinked) {
        return err_set(err, ERR_UNAVAILABLE, "there is no link to it");
    }
    buf_clear(&node->asked_peer);
    buf_put(&node->asked_peer, question, len);
    node->told = done;
    node->told_owner = owner;
    return 0;
}

void node_answers(struct node *node, enum request_kind kind,
                  const struct request_handler *handler)
{
    assert(kind == REQUEST_RUN_LOG);
    node->handler = handler;
}

void node_answer(struct node *node, const struct request_asker *asker,
                 enum err_code code, const void *data, size_t len)
{
    (void)asker;
    buf_clear(&node->answered);
    buf_put_u32(&node->answered, (uint32_t)-code);
    buf_put(&node->answered, data, len);
}

static int bench_place(void *owner, uint64_t *node_id, struct err *err)
{
    const struct node *node = owner;
    if (node->place == 0) {
        return err_set(err, ERR_CONFLICT, "nobody can carry it out: n1 drains");
    }
    *node_id = node->place;
    return 0;
}

/* --- life
 * ------------------------------------------------------------------------------------
 */

void bench_open(struct bench *bench)
{
    static const char *const hosts[] = {"muster.example"};
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    memset(bench, 0, sizeof *bench);
    uv_loop_init(&bench->loop);
    bench->time = sim_time_new();
    bench->clock = sim_clock_new(bench->time, 1);
    bench->node.fsm = fsm_new();
    buf_init(&bench->node.asked_peer);
    buf_init(&bench->node.answered);
    bench->node.status = (struct node_status){
        .role = NODE_LEADER,
        .id = 1,
        .name = "n1",
        .leader_known = true,
        .leader_id = 1,
        .leader_name = "n1",
        .leader_address = "10.0.0.1:8558",
        .trouble = "",
    };
    snprintf(bench->runs, sizeof bench->runs, "/tmp/bench-XXXXXX");
    const char *folder = mkdtemp(bench->runs);
    assert(folder != NULL);
    struct api_options options = {
        .runs = folder,
        .loop = &bench->loop,
        .clock = bench->clock,
        .listen = "127.0.0.1:0",
        .version = "1.2.3",
        .cluster_name = "bench",
        .task_defaults = task_defaults_standard,
        .hosts = hosts,
        .host_count = 1,
        .max_connections_address = LIMIT_CONNECTIONS,
        .place = bench_place,
        .place_owner = &bench->node,
    };
    struct err err;
    int rv = api_start(&bench->api, &options, &err);
    assert(rv == 0);
    rv = api_serve(bench->api, &bench->node, &err);
    assert(rv == 0);
}

static void bench_on_stopped(void *owner)
{
    ((struct bench *)owner)->stopped = true;
}

void bench_stop(struct bench *bench, uint64_t drain_ms)
{
    api_stop(bench->api, drain_ms, bench_on_stopped, bench);
    bench->api = NULL;
}

static bool bench_has_stopped(struct bench *bench)
{
    return bench->stopped;
}

void bench_close(struct bench *bench)
{
    if (bench->api != NULL) {
        bench_stop(bench, 0);
    }
    bench_advance(bench, 1);
    bench_wait(bench, bench_has_stopped);
    while (bench->node.waiting_count > 0) { /* the node stops after the api */
        bench_decide(bench, ERR_OUTCOME_UNKNOWN);
    }
    if (bench->node.told != NULL) {
        struct err err = {.code = ERR_UNAVAILABLE};
        bench->node.told(bench->node.told_owner, &err, NULL, 0);
    }
    buf_close(&bench->node.asked_peer);
    buf_close(&bench->node.answered);
    if (bench->node.read != NULL) {
        struct err err = {.code = ERR_UNAVAILABLE};
        bench->node.read->done(bench->node.read, &err);
    }
    char *remove = mem_printf("rm -rf %s", bench->runs);
    int removed = system(remove);
    assert(removed == 0);
    mem_free(remove);
    fsm_free(bench->node.fsm);
    map_reap(SIZE_MAX);
    sim_clock_free(bench->clock);
    sim_time_free(bench->time);
    int rv = uv_loop_close(&bench->loop);
    assert(rv == 0);
}

void bench_led(struct bench *bench, uint64_t leader_id)
{
    bench->node.status.leader_known = leader_id != 0;
    bench->node.status.leader_id = leader_id;
    bench->node.lead->changed(bench->node.lead, &bench->node.status);
}

void bench_turn(struct bench *bench)
{
    uv_run(&bench->loop, UV_RUN_NOWAIT);
}

void bench_advance(struct bench *bench, uint64_t ms)
{
    sim_time_run_until(bench->time, sim_time_now_us(bench->time) + ms * 1000);
}

/* A turn that waits a moment if there is nothing to do. */
static void bench_idle_turn(struct bench *bench, uint64_t since)
{
    bench_turn(bench);
    int fd = uv_backend_fd(&bench->loop);
    struct timeval moment = {.tv_usec = 1000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    select(fd + 1, &set, NULL, NULL, &moment);
    assert(uv_hrtime() / 1000000 - since < BENCH_PATIENCE_MS);
}

void bench_wait(struct bench *bench, bool (*condition)(struct bench *bench))
{
    uint64_t since = uv_hrtime() / 1000000;
    while (!condition(bench)) {
        bench_idle_turn(bench, since);
    }
}

/* --- clients
 * ---------------------------------------------------------------------------------- */

void client_open(struct bench *bench, struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *port = strrchr(api_address(bench->api), ':') + 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    buf_init(&client->in);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    int rv = connect(client->fd, (struct sockaddr *)&address, sizeof address);
    assert(rv == 0); /* the kernel accepts for the listener */
}

void client_close(struct client *client)
{
    close(client->fd);
    buf_close(&client->in);
}

void client_reset(struct client *client)
{
    struct linger abort_it = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
    client_close(client);
}

void client_send(struct client *client, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t sent = send(client->fd, text, len, MSG_NOSIGNAL);
        assert(sent > 0);
        text += sent;
        len -= (size_t)sent;
    }
}

void client_ask(struct client *client, const char *line, const char *body)
{
    size_t len = body != NULL ? strlen(body) : 0;
    char *text = body != NULL
                     ? mem_printf("%s HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Content-Length: %zu\r\n\r\n%s",
                                  line, len, body)
                     : mem_printf("%s HTTP/1.1\r\nHost: localhost\r\n\r\n", line);
    client_send(client, text);
    mem_free(text);
}

/* The bytes that the chunks of `in` behind its head take, and what they hold; 0: there
 * are not all. On a busy machine a list may not fit into one turn. */
static size_t client_chunks(const struct buf *in, size_t head_len, struct buf *body)
{
    size_t at = head_len;
    buf_clear(body);
    for (;;) {
        const char *line = (const char *)in->data + at;
        const char *end = memmem(line, in->len - at, "\r\n", 2);
        size_t len = end != NULL ? strtoul(line, NULL, 16) : 0;
        at += end != NULL ? (size_t)(end - line) + 2 : 0;
        if (end == NULL || in->len < at + len + 2) {
            return 0;
        }
        buf_put(body, in->data + at, len);
        at += len + 2;
        if (len == 0) {
            return at - head_len;
        }
    }
}

/* Is there a whole answer in `in`? */
static bool client_take(struct client *client, struct answer *answer)
{
    struct buf *in = &client->in;
    const char *end = in->len > 0 ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return false;
    }
    size_t head_len = (size_t)(end - (const char *)in->data) + 4;
    assert(head_len < sizeof answer->head);
    memcpy(answer->head, in->data, head_len);
    answer->head[head_len] = '\0';
    const char *length = strstr(answer->head, "Content-Length: ");
    size_t len = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    bool chunked = strcasestr(answer->head, "transfer-encoding: chunked") != NULL;
    if (chunked) {
        len = client_chunks(in, head_len, &answer->body);
    }
    if (in->len < head_len + len || (chunked && len == 0)) {
        return false;
    }
    answer->status = (int)strtol(answer->head + strlen("HTTP/1.1 "), NULL, 10);
    if (!chunked) {
        buf_put(&answer->body, in->data + head_len, len);
    }
    buf_put_u8(&answer->body, 0);
    answer->body.len--;
    in->len -= head_len + len;
    memmove(in->data, in->data + head_len + len, in->len);
    return true;
}

void client_answer(struct bench *bench, struct client *client, struct answer *answer)
{
    uint64_t since = uv_hrtime() / 1000000;
    memset(answer, 0, sizeof *answer);
    buf_init(&answer->body);
    while (!client_take(client, answer)) {
        char piece[65536];
        ssize_t len = recv(client->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (len > 0) {
            buf_put(&client->in, piece, (size_t)len);
        } else if (len == 0 || errno != EAGAIN) {
            return;
        } else {
            bench_idle_turn(bench, since);
        }
    }
}

void bench_exchange(struct bench *bench, const char *line, const char *body, int code,
                    struct answer *answer)
{
    struct client client;
    client_open(bench, &client);
    client_ask(&client, line, body);
    uint64_t since = uv_hrtime() / 1000000;
    char byte;
    while (!bench_proposed(bench) &&
           recv(client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        bench_idle_turn(bench, since);
    }
    if (bench_proposed(bench)) {
        bench_decide(bench, code);
    }
    client_answer(bench, &client, answer);
    client_close(&client);
}

int bench_setup(void **state)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    log_set_level(LOG_LEVEL_ERROR);
    bench_open(bench);
    *state = bench;
    return 0;
}

int bench_teardown(void **state)
{
    bench_close(*state);
    mem_free(*state);
    return 0;
}
