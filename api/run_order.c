/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run_order.h"

#include <string.h>

#include "api/access.h"
#include "api/error.h"
#include "api/server_internal.h"
#include "registry/key_table.h"

#define REVISION_OF_NONE UINT64_MAX /* no task has it */

static const struct registry *call_registry(const struct call *call)
{
    return node_registry(call->api->node);
}

static uint32_t setting_of(const struct call *call, enum setting setting)
{
    return (uint32_t)registry_setting(call_registry(call), setting);
}

static uint64_t order_self(const struct call *call)
{
    struct node_status status;
    node_status(call->api->node, &status);
    return status.id;
}

/* The member that is to carry it out, 0: nobody, and the call is answered. Where apply
 * only repeats an answer, any. */
static uint64_t order_place(struct call *call)
{
    const struct api_options *options = &call->api->options;
    struct err err;
    uint64_t id = 0;
    if (run_order_known(call)) {
        return order_self(call);
    }
    if (options->place == NULL) {
        error_unsupported(call, "a run");
        return 0;
    }
    if (options->place(options->place_owner, &id, &err) != 0) {
        error_reply(call, &err);
        return 0;
    }
    return id;
}

static void order_submit(struct call *call, uint64_t node, uint64_t revision,
                         enum run_purpose purpose, call_outcome_cb decided)
{
    struct command command = {
        .type = COMMAND_RUN_START,
        .run_start =
            {
                .task = text_of(call->name),
                .revision = revision,
                .node = node,
                .cause = RUN_CAUSE_CLIENT,
                .purpose = purpose,
                .lease_ms = setting_of(call, SETTING_RUN_LEASE),
                .grace_ms = setting_of(call, SETTING_RUN_GRACE),
                .tries = 1,
            },
    };
    call_propose(call, &command, decided);
}

void run_order(struct call *call, uint64_t revision, enum run_purpose purpose,
               call_outcome_cb decided)
{
    uint64_t node = order_place(call);
    call->unkeyed = false;
    if (node != 0) {
        order_submit(call, node, revision, purpose, decided);
    }
}

void run_order_ask(struct call *call, call_outcome_cb decided)
{
    call->unkeyed = true;
    order_submit(call, order_self(call), REVISION_OF_NONE, RUN_APPLY, decided);
}

void run_order_trial(struct call *call, const struct task_draft *draft,
                     enum run_purpose purpose, call_outcome_cb decided)
{
    uint64_t node = order_place(call);
    if (node == 0) {
        return;
    }
    struct command command = {
        .type = COMMAND_RUN_TRIAL,
        .run_trial =
            {
                .name = {draft->name, draft->name_len},
                .text = {draft->text, draft->text_len},
                .enabled_at = draft->enabled_at,
                .enabled = draft->enabled,
                .node = node,
                .purpose = purpose,
                .lease_ms = setting_of(call, SETTING_RUN_LEASE),
                .grace_ms = setting_of(call, SETTING_RUN_GRACE),
            },
    };
    call_propose(call, &command, decided);
}

void run_order_change(struct call *call, struct command *command,
                      call_outcome_cb decided)
{
    bool enables = command->type == COMMAND_RUN_ENABLE;
    bool idle = enables ? !command->run_enable.enabled
                        : !command->run_put.enabled && !command->run_put.keep_enabled;
    uint64_t node = idle ? order_self(call) : order_place(call);
    uint32_t lease_ms = setting_of(call, SETTING_RUN_LEASE);
    uint32_t grace_ms = setting_of(call, SETTING_RUN_GRACE);
    if (node == 0) {
        return;
    }
    if (enables) {
        command->run_enable.node = node;
        command->run_enable.lease_ms = lease_ms;
        command->run_enable.grace_ms = grace_ms;
    } else {
        command->run_put.node = node;
        command->run_put.lease_ms = lease_ms;
        command->run_put.grace_ms = grace_ms;
    }
    call_propose(call, command, decided);
}

void run_order_left(struct call *call)
{
    struct err err;
    err_set(&err, ERR_BUSY, "the node that was to carry it out has just left");
    error_reply(call, &err);
}

bool run_order_known(const struct call *call)
{
    if (call->key.text == NULL) {
        return false;
    }
    struct key_name name = {
        .scope = call->actor,
        .scope_len = strlen(call->actor),
        .key = call->key.text,
        .key_len = strlen(call->key.text),
    };
    return key_table_find(registry_keys(call_registry(call)), &name) != NULL;
}

const struct task *run_order_task(const struct call *call)
{
    return registry_task(call_registry(call), call->name, strlen(call->name));
}

bool run_order_allowed(struct call *call)
{
    return access_allowed(call, ACCESS_RUN);
}
