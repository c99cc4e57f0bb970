/* SPDX-License-Identifier: Apache-2.0 */
#include "json/task_schema.h"

#define SCHEMA(list, needed)                                                           \
    {                                                                                  \
        .properties = (list), .count = sizeof(list) / sizeof((list)[0]),               \
        .required = (needed)                                                           \
    }

static const char *const needs_nothing[] = {NULL};
static const char *const needs_cron[] = {"cron", NULL};
static const char *const needs_path[] = {"path", NULL};
static const char *const needs_regexp[] = {"regexp", NULL};
static const char *const needs_task[] = {"task", NULL};
static const char *const needs_of_task[] = {"name", "module", "condition", NULL};

static const struct schema_property buffer_period[] = {
    {"enabled", SCHEMA_BOOL, NULL},
    {"max", SCHEMA_STRING, NULL},
    {"min", SCHEMA_STRING, NULL},
};
static const struct schema buffer_period_schema = SCHEMA(buffer_period, needs_nothing);

static const struct schema_property services_condition[] = {
    {"cts_user_defined_meta", SCHEMA_NULLABLE_MAP, NULL},
    {"datacenter", SCHEMA_STRING, NULL},
    {"filter", SCHEMA_STRING, NULL},
    {"names", SCHEMA_STRINGS, NULL},
    {"namespace", SCHEMA_STRING, NULL},
    {"regexp", SCHEMA_STRING, NULL},
    {"use_as_module_input", SCHEMA_DEFAULTED_BOOL, NULL},
};
static const struct schema services_condition_schema =
    SCHEMA(services_condition, needs_nothing);

static const struct schema_property catalog_condition[] = {
    {"datacenter", SCHEMA_STRING, NULL},
    {"namespace", SCHEMA_STRING, NULL},
    {"node_meta", SCHEMA_STRING_MAP, NULL},
    {"regexp", SCHEMA_STRING, NULL},
    {"use_as_module_input", SCHEMA_DEFAULTED_BOOL, NULL},
};
static const struct schema catalog_condition_schema =
    SCHEMA(catalog_condition, needs_regexp);

static const struct schema_property kv_condition[] = {
    {"datacenter", SCHEMA_STRING, NULL},
    {"namespace", SCHEMA_STRING, NULL},
    {"path", SCHEMA_STRING, NULL},
    {"recurse", SCHEMA_DEFAULTED_BOOL, NULL},
    {"use_as_module_input", SCHEMA_DEFAULTED_BOOL, NULL},
};
static const struct schema kv_condition_schema = SCHEMA(kv_condition, needs_path);

static const struct schema_property schedule_condition[] = {
    {"cron", SCHEMA_STRING, NULL},
};
static const struct schema schedule_condition_schema =
    SCHEMA(schedule_condition, needs_cron);

static const struct schema_property condition[] = {
    {"catalog_services", SCHEMA_OBJECT, &catalog_condition_schema},
    {"consul_kv", SCHEMA_OBJECT, &kv_condition_schema},
    {"schedule", SCHEMA_OBJECT, &schedule_condition_schema},
    {"services", SCHEMA_OBJECT, &services_condition_schema},
};
static const struct schema condition_schema = SCHEMA(condition, needs_nothing);

static const struct schema_property services_input[] = {
    {"cts_user_defined_meta", SCHEMA_NULLABLE_MAP, NULL},
    {"datacenter", SCHEMA_STRING, NULL},
    {"filter", SCHEMA_STRING, NULL},
    {"names", SCHEMA_STRINGS, NULL},
    {"namespace", SCHEMA_STRING, NULL},
    {"regexp", SCHEMA_STRING, NULL},
};
static const struct schema services_input_schema =
    SCHEMA(services_input, needs_nothing);

static const struct schema_property kv_input[] = {
    {"datacenter", SCHEMA_STRING, NULL},
    {"namespace", SCHEMA_STRING, NULL},
    {"path", SCHEMA_STRING, NULL},
    {"recurse", SCHEMA_DEFAULTED_BOOL, NULL},
};
static const struct schema kv_input_schema = SCHEMA(kv_input, needs_path);

static const struct schema_property module_input[] = {
    {"consul_kv", SCHEMA_OBJECT, &kv_input_schema},
    {"services", SCHEMA_OBJECT, &services_input_schema},
};
static const struct schema module_input_schema = SCHEMA(module_input, needs_nothing);

static const struct schema_property cloud_workspace[] = {
    {"agent_pool_id", SCHEMA_STRING, NULL},
    {"agent_pool_name", SCHEMA_STRING, NULL},
    {"execution_mode", SCHEMA_STRING, NULL},
    {"terraform_version", SCHEMA_STRING, NULL},
};
static const struct schema cloud_workspace_schema =
    SCHEMA(cloud_workspace, needs_nothing);

static const struct schema_property task[] = {
    {"buffer_period", SCHEMA_OBJECT, &buffer_period_schema},
    {"condition", SCHEMA_OBJECT, &condition_schema},
    {"description", SCHEMA_STRING, NULL},
    {"enabled", SCHEMA_DEFAULTED_BOOL, NULL},
    {"module", SCHEMA_STRING, NULL},
    {"module_input", SCHEMA_OBJECT, &module_input_schema},
    {"name", SCHEMA_STRING, NULL},
    {"providers", SCHEMA_STRINGS, NULL},
    {"terraform_cloud_workspace", SCHEMA_OBJECT, &cloud_workspace_schema},
    {"terraform_version", SCHEMA_STRING, NULL},
    {"variables", SCHEMA_STRING_MAP, NULL},
    {"version", SCHEMA_STRING, NULL},
};
const struct schema task_schema = SCHEMA(task, needs_of_task);

static const struct schema_property task_request[] = {
    {"task", SCHEMA_OBJECT, &task_schema},
};
const struct schema task_request_schema = SCHEMA(task_request, needs_task);
