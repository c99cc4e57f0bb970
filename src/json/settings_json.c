/* SPDX-License-Identifier: Apache-2.0 */
#include "json/settings_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "json/jsontext.h"
#include "json/jsonvalue.h"

void settings_json_put(struct buf *out, const struct registry *registry)
{
    const char *separator = "{";
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting setting = (enum setting)i;
        if (setting_level(setting) > registry_level(registry)) {
            continue;
        }
        buf_printf(
            out,
            "%s\"%s\":{\"value\":%" PRIu64 ",\"default\":%" PRIu64 ",\"min\":%" PRIu64
            ",\"max\":%" PRIu64 ",\"unit\":\"%s\",\"writable\":%s}",
            separator, setting_name(setting), registry_setting(registry, setting),
            setting_default(setting), setting_min(setting), setting_max(setting),
            setting_unit(setting), setting_is_open(setting) ? "true" : "false");
        separator = ",";
    }
    buf_put_u8(out, '}');
}

static int refuse_name(const struct jsonvalue *member, struct err *err)
{
    struct buf names;
    buf_init(&names);
    for (int i = 0; i < SETTING_COUNT; i++) {
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", setting_name((enum setting)i));
    }
    err_set(err, ERR_INVALID, "there is no setting '%.64s'; there are %.*s",
            member->key, (int)names.len, (const char *)names.data);
    buf_close(&names);
    return ERR_INVALID;
}

static int read_one(const struct jsonvalue *member, struct setting_value *value,
                    struct err *err)
{
    enum setting setting = setting_find(member->key, member->key_len);
    if (setting == SETTING_COUNT) {
        return refuse_name(member, err);
    }
    if (!setting_is_open(setting)) {
        return err_set(err, ERR_INVALID,
                       "'%s' is not set here: it follows from which members are added "
                       "and removed",
                       setting_name(setting));
    }
    bool number = jsonvalue_is(member, JSONVALUE_NUMBER) &&
                  member->number >= (double)setting_min(setting) &&
                  member->number <= (double)setting_max(setting);
    if (!number || (double)(uint64_t)member->number != member->number) {
        return err_set(err, ERR_INVALID,
                       "'%s' must be a whole number from %" PRIu64 " to %" PRIu64
                       " (%s)",
                       setting_name(setting), setting_min(setting),
                       setting_max(setting), setting_unit(setting));
    }
    *value = (struct setting_value){setting, (uint64_t)member->number};
    return 0;
}

int settings_json_read(const void *body, size_t len,
                       struct setting_value values[SETTING_VALUES_MAX], size_t *count,
                       struct err *err)
{
    _Static_assert(SETTING_COUNT <= SETTING_VALUES_MAX, "all fit in one command");
    const struct jsonvalue *root = NULL;
    int rv = jsontext_parse(body, len, JSONTEXT_WHOLE, &root, err);
    if (rv == 0 &&
        (!jsonvalue_is(root, JSONVALUE_OBJECT) || jsonvalue_count(root) == 0)) {
        rv = err_set(err, ERR_INVALID,
                     "the body must be an object of settings and their new values, "
                     "such as {\"events_max_count\":50000}");
    }
    *count = 0;
    for (const struct jsonvalue *at = rv == 0 ? jsonvalue_first(root) : NULL;
         rv == 0 && at != NULL; at = at->next) {
        rv = read_one(at, &values[*count],
                      err); /* no name comes twice: fewer than fit */
        *count += rv == 0 ? 1 : 0;
    }
    jsonvalue_free(root);
    return rv;
}
