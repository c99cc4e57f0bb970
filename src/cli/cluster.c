/* SPDX-License-Identifier: Apache-2.0 */
/* `muster cluster …` (spec/muster.md 7). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/answer.h"
#include "cli/approve.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/table.h"

static const char look_members[] = "muster cluster status";

void cluster_put_lead(struct table *table, const json_t *cluster)
{
    const json_t *leader = json_object_get(cluster, "leader");
    table_put(table, "leader");
    if (json_is_object(leader)) {
        table_putf(table, "%s at %s", answer_text(leader, "id"),
                   answer_text(leader, "address"));
    } else {
        table_putf(table, "none: %s", answer_text(cluster, "reason"));
    }
}

static void show_members(const json_t *root)
{
    struct table table;
    table_init(&table, 7, "NAME|ROLE|LEADER|ADDRESS|PEER ADDRESS|APPLIED|STATE");
    const json_t *members = json_object_get(root, "members");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        bool reachable = json_is_true(json_object_get(member, "reachable"));
        table_put(&table, answer_text(member, "name"));
        table_put(&table, answer_text(member, "role"));
        table_put(&table, answer_yes(member, "leader"));
        table_put(&table, answer_text(member, "address"));
        table_put(&table, answer_text(member, "peer_address"));
        if (answer_number(member, "match") > 0) {
            table_putf(&table, "%" JSON_INTEGER_FORMAT, answer_number(member, "match"));
        } else {
            table_put(&table, NULL);
        }
        if (json_is_true(json_object_get(member, "differs"))) {
            table_put(&table, "its state differs");
        } else if (reachable && json_is_true(json_object_get(member, "draining"))) {
            table_put(&table, "reachable, drains");
        } else {
            table_put(&table, reachable ? "reachable" : answer_text(member, "reason"));
        }
    }
    table_print(&table, stdout);
    table_close(&table);
}

static void show_cluster(const json_t *root)
{
    const json_t *node = json_object_get(root, "node");
    struct table table;
    table_init(&table, 2, NULL);
    table_put(&table, "asked");
    table_putf(
        &table, "%s, %s, term %" JSON_INTEGER_FORMAT "%s", answer_text(node, "name"),
        answer_text(node, "role"), answer_number(node, "term"),
        json_is_true(json_object_get(node, "disk_full")) ? ", its disk is full" : "");
    if (answer_text(node, "unfit")[0] != '\0') {
        table_put(&table, "unfit");
        table_put(&table, answer_text(node, "unfit"));
    }
    cluster_put_lead(&table, root);
    table_print(&table, stdout);
    table_close(&table);
    putchar('\n');
    show_members(root);
}

int cli_cluster_status(struct client *client, const struct command_arguments *arguments,
                       struct err *err)
{
    return answer_show(client, "/v1/cluster", arguments->json, show_cluster, err);
}

/* {"KEY":"NAME"}, or {} without a name. */
static json_t *body_of(const char *key, const char *name, struct err *err)
{
    json_t *body = json_object();
    if (name != NULL && json_object_set_new(body, key, json_string(name)) != 0) {
        json_decref(body);
        err_set(err, ERR_INVALID, "the name is not UTF-8");
        return NULL;
    }
    return body;
}

static int post(struct client *client, const struct command_arguments *arguments,
                const char *path, const char *key, const char *said, struct err *err)
{
    json_t *root = body_of(key, arguments->values[0], err);
    if (root == NULL) {
        return CLI_EXIT_USAGE;
    }
    char *body = json_dumps(root, JSON_COMPACT);
    struct client_request request = {
        .method = "POST",
        .path = path,
        .body = body,
        .body_len = strlen(body),
        .look = look_members,
    };
    int code = answer_change(client, &request, arguments->json, said, err);
    free(body);
    json_decref(root);
    return code;
}

int cli_cluster_add(struct client *client, const struct command_arguments *arguments,
                    struct err *err)
{
    char *said = mem_printf("member '%s' is a voter", arguments->values[0]);
    int code = post(client, arguments, "/v1/cluster/members", "name", said, err);
    mem_free(said);
    return code;
}

int cli_cluster_transfer(struct client *client,
                         const struct command_arguments *arguments, struct err *err)
{
    const char *name = arguments->values[0];
    char *said = name != NULL ? mem_printf("member '%s' leads", name)
                              : mem_strdup("another member leads");
    int code = post(client, arguments, "/v1/cluster/transfer", "to", said, err);
    mem_free(said);
    return code;
}

int cli_cluster_drain(struct client *client, const struct command_arguments *arguments,
                      struct err *err)
{
    char *said = mem_printf("member '%s' drains", arguments->values[0]);
    int code = post(client, arguments, "/v1/cluster/drain", "node", said, err);
    mem_free(said);
    return code;
}

int cli_cluster_undrain(struct client *client,
                        const struct command_arguments *arguments, struct err *err)
{
    char *said = mem_printf("member '%s' drains no more", arguments->values[0]);
    int code = post(client, arguments, "/v1/cluster/undrain", "node", said, err);
    mem_free(said);
    return code;
}

int cli_cluster_remove(struct client *client, const struct command_arguments *arguments,
                       struct err *err)
{
    const char *name = arguments->values[0];
    int code = approve(arguments, "remove member", name, err);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    struct buf path;
    buf_init(&path);
    buf_printf(&path, "/v1/cluster/members/");
    client_put_encoded(&path, name);
    buf_put_u8(&path, 0);
    char *said = mem_printf("member '%s' is removed", name);
    struct client_request request = {
        .method = "DELETE",
        .path = (const char *)path.data,
        .look = look_members,
    };
    code = answer_change(client, &request, arguments->json, said, err);
    mem_free(said);
    buf_close(&path);
    return code;
}
