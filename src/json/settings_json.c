/* SPDX-License-Identifier: Apache-2.0 */
#include "json/settings_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
    if (registry_level(registry) >= REGISTRY_RUN_LEVEL) {
        buf_printf(out,
                   ",\"%s\":{\"value\":\"%s\",\"default\":\"%s\",\"unit\":\"time "
                   "zone\",\"writable\":true}",
                   REGISTRY_ZONE_NAME, registry_zone(registry), REGISTRY_ZONE_DEFAULT);
    }
    buf_put_u8(out, '}');
}

static int refuse_name(const struct jsonvalue *member, struct err *err)
{
    struct buf names;
    buf_init(&names);
    for (int i = 0; i < SETTING_COUNT; i++) {
        buf_printf(&names, "%s, ", setting_name((enum setting)i));
    }
    buf_printf(&names, REGISTRY_ZONE_NAME);
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

static int read_zone(const struct jsonvalue *member, struct settings_change *out,
                     struct err *err)
{
    if (!jsonvalue_is(member, JSONVALUE_STRING) ||
        !zone_name_sound(member->text, member->count)) {
        return err_set(err, ERR_INVALID,
                       "'%s' must be the name of a time zone, such as "
                       "\"Europe/Berlin\"",
                       REGISTRY_ZONE_NAME);
    }
    memcpy(out->zone, member->text, member->count + 1);
    return 0;
}

static int read_member(const struct jsonvalue *member, struct settings_change *out,
                       struct err *err)
{
    if (strcmp(member->key, REGISTRY_ZONE_NAME) == 0) {
        return read_zone(member, out, err);
    }
    /* no name comes twice: fewer than fit */
    int rv = read_one(member, &out->values[out->count], err);
    out->count += rv == 0 ? 1 : 0;
    return rv;
}

int settings_json_read(const void *body, size_t len, struct settings_change *out,
                       struct err *err)
{
    _Static_assert(SETTING_COUNT <= SETTING_VALUES_MAX, "all fit in one command");
    const struct jsonvalue *root = NULL;
    *out = (struct settings_change){0};
    int rv = jsontext_parse(body, len, JSONTEXT_WHOLE, &root, err);
    if (rv == 0 &&
        (!jsonvalue_is(root, JSONVALUE_OBJECT) || jsonvalue_count(root) == 0)) {
        rv = err_set(err, ERR_INVALID,
                     "the body must be an object of settings and their new values, "
                     "such as {\"events_max_count\":50000}");
    }
    for (const struct jsonvalue *at = rv == 0 ? jsonvalue_first(root) : NULL;
         rv == 0 && at != NULL; at = at->next) {
        rv = read_member(at, out, err);
    }
    jsonvalue_free(root);
    if (rv == 0 && out->zone[0] != '\0' && out->count > 0) {
        rv = err_set(err, ERR_INVALID, "'%s' is changed alone, without other settings",
                     REGISTRY_ZONE_NAME);
    }
    return rv;
}
