/* SPDX-License-Identifier: Apache-2.0 */
/* Who else is there: the API of each other voter is asked, where the state says it is;
 * where nothing answers as a node of this cluster, or of another, its peer address is
 * tried, for an API moves more easily than that. Whoever listens there counts as
 * running: to be wrong in that way costs a command, in the other way a second cluster
 * beside the first. */
#include <inttypes.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/mem.h"
#include "cli/answer.h"
#include "cli/recover.h"
#include "http/http.h"

#define ASK_CONNECT_MS 1500
#define ASK_MS         3000
#define ASK_BYTES      (256u * 1024)

enum presence { PRESENCE_NONE, PRESENCE_RUNS, PRESENCE_ELSEWHERE };

struct presence_of {
    enum presence presence;
    bool leader_known;
    char text[160];
};

/* What a node said of itself. */
static void judge_answer(const json_t *root, uint64_t cluster_id,
                         struct presence_of *out)
{
    char id[24];
    const json_t *node = json_object_get(root, "node");
    snprintf(id, sizeof id, "%" PRIu64, cluster_id);
    bool ours = strcmp(answer_text(root, "cluster_id"), id) == 0 &&
                strcmp(answer_text(node, "role"), "removed") != 0;
    if (!ours) {
        out->presence = PRESENCE_ELSEWHERE;
        snprintf(out->text, sizeof out->text, "runs, and is no member of this cluster");
        return;
    }
    out->presence = PRESENCE_RUNS;
    out->leader_known = json_is_object(json_object_get(root, "leader"));
    snprintf(out->text, sizeof out->text,
             "runs: %s of term %" JSON_INTEGER_FORMAT
             ", entries known as committed %" JSON_INTEGER_FORMAT "%s",
             answer_text(node, "role"), answer_number(node, "term"),
             answer_number(node, "commit"),
             out->leader_known ? ", knows a leader" : "");
}

static void ask_api(const struct recover_member *member, uint64_t cluster_id,
                    struct presence_of *out)
{
    struct http_answer answer;
    char *url = mem_printf("http://%s/v1/cluster", member->address);
    struct http_request request = {
        .method = "GET",
        .url = url,
        .connect_timeout_ms = ASK_CONNECT_MS,
        .timeout_ms = ASK_MS,
        .answer_max = ASK_BYTES,
    };
    http_answer_init(&answer);
    http_wait(&request, &answer);
    json_t *root =
        answer.outcome == HTTP_ANSWERED && answer.status == 200
            ? json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL)
            : NULL;
    if (root != NULL) {
        judge_answer(root, cluster_id, out);
    } else {
        snprintf(out->text, sizeof out->text, "does not answer: %.100s",
                 answer.outcome == HTTP_ANSWERED ? "it is not a muster"
                                                 : answer.err.text);
    }
    json_decref(root);
    http_answer_close(&answer);
    mem_free(url);
}

/* Does a connection come about in time? */
static bool connects(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    (void)connect(fd, to->ai_addr, to->ai_addrlen);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;
    bool connected = poll(&wait, 1, ASK_CONNECT_MS) == 1 &&
                     getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
                     error == 0;
    close(fd);
    return connected;
}

static bool listens(const char *address)
{
    char host[LIMIT_ADDRESS_BYTES];
    const char *port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (!address_split(address, host, &port) ||
        getaddrinfo(host, port, &hints, &found) != 0) {
        return false;
    }
    bool listening = false;
    for (const struct addrinfo *at = found; at != NULL && !listening;
         at = at->ai_next) {
        listening = connects(at);
    }
    freeaddrinfo(found);
    return listening;
}

static void ask_one(const struct recover_member *member, uint64_t cluster_id,
                    struct presence_of *out)
{
    *out = (struct presence_of){.presence = PRESENCE_NONE};
    snprintf(out->text, sizeof out->text, "its API's address is not known");
    if (member->address[0] != '\0') {
        ask_api(member, cluster_id, out);
    }
    if (out->presence == PRESENCE_NONE && listens(member->peer_address)) {
        out->presence = PRESENCE_RUNS;
        snprintf(out->text, sizeof out->text, "somebody listens at its peer address");
    }
}

int recover_ask(const struct recover_copy *copy, struct err *err)
{
    size_t voters = 0;
    size_t running = 0;
    const char *knows = NULL;
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct recover_member *member = &copy->members[i];
        struct presence_of found;
        voters += member->voter;
        if (!member->voter || member->id == copy->node_id) {
            continue;
        }
        const char *name =
            member->name[0] != '\0' ? member->name : member->peer_address;
        ask_one(member, copy->cluster_id, &found);
        printf("voter %s (%s, peers %s): %s\n", name,
               member->address[0] != '\0' ? member->address : "-", member->peer_address,
               found.text);
        running += found.presence == PRESENCE_RUNS;
        knows = found.leader_known && knows == NULL ? name : knows;
    }
    if (2 * running > voters) {
        return err_set(
            err, ERR_CONFLICT,
            "%zu of %zu voters of this cluster run: it is alive, or will be. "
            "Start this node, or empty its folder and let it join",
            running, voters);
    }
    if (knows != NULL) {
        return err_set(
            err, ERR_CONFLICT,
            "%.128s knows a leader: a majority of this cluster runs, where it "
            "cannot be reached from here",
            knows);
    }
    return 0;
}
