/* SPDX-License-Identifier: Apache-2.0 */
#include "json/task_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "text/cron.h"
#include "text/duration.h"
#include "text/name.h"
#include "text/quote.h"
#include "text/regexp.h"

const char *task_rules_text(const struct jsonvalue *object, const char *key)
{
    const struct jsonvalue *value = jsonvalue_get(object, key);
    return jsonvalue_is(value, JSONVALUE_STRING) ? value->text : "";
}

/* --- buffer period
 * --------------------------------------------------------------------- */

/* The duration at `key`, or `*duration_ns` as it is if there is none. */
static int read_duration(const struct jsonvalue *object, const char *key,
                         int64_t *duration_ns, struct err *err)
{
    const struct jsonvalue *value = jsonvalue_get(object, key);
    if (value == NULL) {
        return 0;
    }
    int rc = duration_parse(value->text, value->count, duration_ns, err);
    return rc == 0 ? 0 : err_prefix(err, "error with task configuration");
}

/* What was given over what the cluster has; nothing is judged yet but the syntax. */
static int read_buffer(const struct jsonvalue *task,
                       const struct task_defaults *defaults,
                       struct buffer_period *buffer, struct err *err)
{
    *buffer = (struct buffer_period){defaults->buffer_enabled, defaults->buffer_min_ns,
                                     defaults->buffer_max_ns};
    const struct jsonvalue *given = jsonvalue_get(task, "buffer_period");
    if (given == NULL) {
        return 0;
    }
    const struct jsonvalue *enabled = jsonvalue_get(given, "enabled");
    if (enabled != NULL) {
        buffer->enabled = jsonvalue_is(enabled, JSONVALUE_TRUE);
    }
    int rc = read_duration(given, "max", &buffer->max_ns, err);
    return rc == 0 ? read_duration(given, "min", &buffer->min_ns, err) : rc;
}

static int settle_buffer(const struct jsonvalue *task, struct buffer_period *buffer,
                         struct err *err)
{
    if (buffer->min_ns < 0 || buffer->max_ns < 0) {
        return err_set(err, ERR_INVALID, "buffer_period: cannot be negative");
    }
    const struct jsonvalue *condition = jsonvalue_get(task, "condition");
    if (jsonvalue_get(condition, "schedule") != NULL || !buffer->enabled) {
        *buffer = (struct buffer_period){0};
    }
    if (buffer->min_ns > buffer->max_ns) {
        buffer->max_ns = buffer->min_ns;
    }
    return 0;
}

/* --- the task itself
 * ------------------------------------------------------------------- */

static int check_name(const char *name, struct err *err)
{
    size_t len = strlen(name);
    if (len == 0) {
        return err_set(err, ERR_INVALID, "unique name for the task is required");
    }
    if (len > LIMIT_NAME_BYTES) {
        return err_set(err, ERR_INVALID,
                       "a task name must have at most %d bytes, this one has %zu",
                       LIMIT_NAME_BYTES, len);
    }
    if (!name_is_identifier(name, len)) {
        char *quoted = quote_text(name, len);
        int rc = err_set(err, ERR_INVALID,
                         "a task name must start with a letter or underscore and may "
                         "contain only letters, digits, underscores, and dashes: %s",
                         quoted);
        mem_free(quoted);
        return rc;
    }
    return 0;
}

static int refuse_enterprise(const char *key, const char *name, const char *more,
                             struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "unsupported configuration '%s' for task \"%s\". This option is "
                   "available for Consul-Terraform-Sync Enterprise when using the "
                   "Terraform Cloud driver%s",
                   key, name, more);
}

static int check_enterprise(const struct jsonvalue *task, struct err *err)
{
    const char *name = task_rules_text(task, "name");
    if (task_rules_text(task, "terraform_version")[0] != '\0') {
        return refuse_enterprise(
            "terraform_version", name,
            ", or configure the Terraform client version within the "
            "Terraform driver block",
            err);
    }
    if (jsonvalue_get(task, "terraform_cloud_workspace") != NULL) {
        return refuse_enterprise("terraform_cloud_workspace", name, "", err);
    }
    return 0;
}

static size_t provider_name_len(const char *provider)
{
    return strcspn(provider, ".");
}

static int compare_providers(const void *left, const void *right)
{
    const char *a = *(const char *const *)left;
    const char *b = *(const char *const *)right;
    size_t a_len = provider_name_len(a);
    size_t b_len = provider_name_len(b);
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* "aws" and "aws.west" are two instances of one provider. */
static int check_providers(const struct jsonvalue *task, struct err *err)
{
    const struct jsonvalue *providers = jsonvalue_get(task, "providers");
    size_t count = jsonvalue_count(providers);
    if (count < 2) {
        return 0;
    }
    const char **sorted = mem_array(count, sizeof *sorted);
    size_t filled = 0;
    for (const struct jsonvalue *at = jsonvalue_first(providers); at != NULL;
         at = at->next) {
        sorted[filled++] = at->text;
    }
    qsort(sorted, count, sizeof *sorted, compare_providers);
    int rc = 0;
    for (size_t i = 1; i < count && rc == 0; i++) {
        if (compare_providers(&sorted[i - 1], &sorted[i]) == 0) {
            rc = err_set(err, ERR_INVALID, "only one provider instance per task");
        }
    }
    mem_free(sorted);
    return rc;
}

/* --- conditions
 * ------------------------------------------------------------------------ */

static int check_regexp(const struct jsonvalue *regexp, const char *what,
                        struct err *err)
{
    int rc = regexp_check(regexp->text, regexp->count, err);
    return rc == 0 ? 0 : err_prefix(err, "unable to compile %s", what);
}

static int check_services(const struct jsonvalue *services, enum task_source source,
                          struct err *err)
{
    const struct jsonvalue *names = jsonvalue_get(services, "names");
    const struct jsonvalue *regexp = jsonvalue_get(services, "regexp");
    size_t count = jsonvalue_count(names);
    if (count > 0 && regexp != NULL && source == TASK_FROM_CONFIGURATION) {
        return err_set(
            err, ERR_INVALID,
            "regexp and names fields cannot both be unconfigured. If both are "
            "needed, consider including the list of names as part of the regex "
            "or creating separate tasks");
    }
    if (count == 0 && regexp == NULL) {
        return err_set(err, ERR_INVALID,
                       "either the regexp or names field must be configured");
    }
    for (const struct jsonvalue *name = jsonvalue_first(names); name != NULL;
         name = name->next) {
        if (name->count == 0) {
            return err_set(
                err, ERR_INVALID,
                "names field includes empty string(s). services names cannot "
                "be empty");
        }
    }
    return count == 0 ? check_regexp(regexp, "services regexp", err) : 0;
}

static int check_schedule(const struct jsonvalue *schedule, struct err *err)
{
    const char *cron = task_rules_text(schedule, "cron");
    if (cron[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "cron config is required for schedule condition");
    }
    struct err reason;
    if (cron_check(cron, strlen(cron), &reason) == 0) {
        return 0;
    }
    char *quoted = quote_text(cron, strlen(cron));
    int rc =
        err_set(err, ERR_INVALID,
                "unable to parse schedule condition's cron config %s: %s. for more "
                "information on writing cron expressions, see "
                "https://github.com/hashicorp/cronexpr",
                quoted, reason.text);
    mem_free(quoted);
    return rc;
}

static int check_one_condition(const struct jsonvalue *condition, struct err *err)
{
    if (jsonvalue_count(condition) <= 1) {
        return 0;
    }
    static const char *const kinds[] = {"services", "consul_kv", "catalog_services",
                                        "schedule"};
    char list[96] = "";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (jsonvalue_get(condition, kinds[i]) != NULL) {
            strcat(list, list[0] != '\0' ? ", " : "");
            strcat(list, kinds[i]);
        }
    }
    return err_set(err, ERR_INVALID, "only one condition can be configured, got: %s",
                   list);
}

static int check_condition(const struct jsonvalue *condition, enum task_source source,
                           struct err *err)
{
    int rc = check_one_condition(condition, err);
    if (rc != 0) {
        return rc;
    }
    const struct jsonvalue *services = jsonvalue_get(condition, "services");
    if (services != NULL) {
        rc = check_services(services, source, err);
        return rc == 0
                   ? 0
                   : err_prefix(err, "error validating `condition \"services\"` block");
    }
    const struct jsonvalue *catalog = jsonvalue_get(condition, "catalog_services");
    if (catalog != NULL) {
        return check_regexp(jsonvalue_get(catalog, "regexp"),
                            "catalog-services 'regexp'", err);
    }
    const struct jsonvalue *kv = jsonvalue_get(condition, "consul_kv");
    if (kv != NULL && task_rules_text(kv, "path")[0] == '\0') {
        return err_set(err, ERR_INVALID, "path is required for consul-kv condition");
    }
    const struct jsonvalue *schedule = jsonvalue_get(condition, "schedule");
    return schedule != NULL ? check_schedule(schedule, err) : 0;
}

/* CTS does not look into module inputs, so that a wrong one shows only when it is
 * rendered (spec/cts.md 11.2, 5). Here it is refused like a condition. */
static int check_module_input(const struct jsonvalue *task, enum task_source source,
                              struct err *err)
{
    const struct jsonvalue *input = jsonvalue_get(task, "module_input");
    const struct jsonvalue *condition = jsonvalue_get(task, "condition");
    static const char *const kinds[] = {"services", "consul_kv"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (jsonvalue_get(input, kinds[i]) != NULL &&
            jsonvalue_get(condition, kinds[i]) != NULL) {
            return err_set(
                err, ERR_INVALID,
                "task's condition block and module_input block both monitor "
                "\"%s\" variable type. condition and module_input variable type "
                "must be unique",
                kinds[i]);
        }
    }
    const struct jsonvalue *services = jsonvalue_get(input, "services");
    int rc = services != NULL ? check_services(services, source, err) : 0;
    if (rc != 0) {
        return err_prefix(err, "error validating `module_input \"services\"` block");
    }
    const struct jsonvalue *kv = jsonvalue_get(input, "consul_kv");
    if (kv != NULL && task_rules_text(kv, "path")[0] == '\0') {
        return err_set(err, ERR_INVALID, "path is required for consul-kv module_input");
    }
    return 0;
}

int task_rules_check(const struct jsonvalue *task, const struct task_defaults *defaults,
                     enum task_source source, struct buffer_period *buffer,
                     struct err *err)
{
    int rc = read_buffer(task, defaults, buffer, err);
    if (rc == 0) {
        rc = check_name(task_rules_text(task, "name"), err);
    }
    if (rc == 0 && task_rules_text(task, "module")[0] == '\0') {
        rc = err_set(err, ERR_INVALID, "module for the task is required");
    }
    if (rc == 0) {
        rc = check_enterprise(task, err);
    }
    if (rc == 0) {
        rc = check_providers(task, err);
    }
    if (rc == 0) {
        rc = check_condition(jsonvalue_get(task, "condition"), source, err);
    }
    if (rc == 0) {
        rc = check_module_input(task, source, err);
    }
    return rc == 0 ? settle_buffer(task, buffer, err) : rc;
}
