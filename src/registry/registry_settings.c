/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "registry/registry_inside.h"

typedef void digest_fn(struct digest *digest, const struct digest_item *item);

uint64_t registry_setting(const struct registry *registry, enum setting setting)
{
    return registry->settings.value[setting];
}

/* One at its default counts as nothing: a build with more settings has the same digest.
 */
static void setting_digest(struct registry *registry, digest_fn *apply,
                           enum setting setting)
{
    uint64_t numbers[] = {(uint64_t)setting, registry->settings.value[setting]};
    struct digest_item item = {
        .kind = DIGEST_SETTING,
        .numbers = numbers,
        .number_count = 2,
    };
    if (numbers[1] != setting_default(setting)) {
        apply(&registry->digest, &item);
    }
}

void registry_restore_setting(struct registry *registry, enum setting setting,
                              uint64_t value)
{
    setting_digest(registry, digest_remove, setting);
    registry->settings.value[setting] = value;
    setting_digest(registry, digest_add, setting);
}

int registry_setting_set(struct registry *registry, const struct change *change,
                         const char *name, size_t name_len, uint64_t value)
{
    enum setting setting = setting_find(name, name_len);
    /* below its level, what a node that does not know it says */
    if (setting == SETTING_COUNT || setting_level(setting) > registry->level) {
        return ERR_NOT_FOUND;
    }
    if (value < setting_min(setting) || value > setting_max(setting)) {
        return ERR_INVALID;
    }
    if (registry->settings.value[setting] == value) {
        return 0;
    }
    char *data = mem_printf("{\"name\":\"%s\",\"value\":%" PRIu64 "}",
                            setting_name(setting), value);
    registry_restore_setting(registry, setting, value);
    registry_event(registry, change, EVENT_SETTING_CHANGED, "", data);
    mem_free(data);
    return 0;
}

/* All that could be wrong, before anything is changed. */
static int settings_judge(const struct registry *registry,
                          const struct setting_value *values, size_t count)
{
    bool seen[SETTING_COUNT] = {false};
    for (size_t i = 0; i < count; i++) {
        enum setting setting = values[i].setting;
        if (setting == SETTING_COUNT || setting_level(setting) > registry->level) {
            return ERR_NOT_FOUND;
        }
        if (seen[setting] || !setting_is_open(setting) ||
            values[i].value < setting_min(setting) ||
            values[i].value > setting_max(setting)) {
            return ERR_INVALID;
        }
        seen[setting] = true;
    }
    return 0;
}

/* The events come after all the changes: their own retention is the new one. */
int registry_settings_set(struct registry *registry, const struct change *change,
                          const struct setting_value *values, size_t count)
{
    struct settings old = registry->settings;
    int refused = settings_judge(registry, values, count);
    for (size_t i = 0; refused == 0 && i < count; i++) {
        registry_restore_setting(registry, values[i].setting, values[i].value);
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        uint64_t value = registry->settings.value[i];
        if (value != old.value[i]) {
            char *data = mem_printf("{\"name\":\"%s\",\"from\":%" PRIu64
                                    ",\"value\":%" PRIu64 "}",
                                    setting_name((enum setting)i), old.value[i], value);
            registry_event(registry, change, EVENT_SETTING_CHANGED, "", data);
            mem_free(data);
        }
    }
    return refused;
}

/* --- the zone ----------------------------------------------------------------- */

const char *registry_zone(const struct registry *registry)
{
    return registry->zone;
}

/* The default counts as nothing: states of before have the digest they had. */
static void zone_digest(struct registry *registry, digest_fn *apply)
{
    struct digest_item item = {
        .kind = DIGEST_ZONE,
        .content = registry->zone,
        .len = strlen(registry->zone),
    };
    if (strcmp(registry->zone, REGISTRY_ZONE_DEFAULT) != 0) {
        apply(&registry->digest, &item);
    }
}

static void zone_replace(struct registry *registry, const char *zone, size_t len)
{
    zone_digest(registry, digest_remove);
    memcpy(registry->zone, zone, len);
    registry->zone[len] = '\0';
    zone_digest(registry, digest_add);
}

static bool zone_is(const char *zone, size_t len, const char *other)
{
    return strlen(other) == len && memcmp(zone, other, len) == 0;
}

bool registry_restore_zone(struct registry *registry, const char *zone, size_t zone_len)
{
    bool sound = zone_name_sound(zone, zone_len) &&
                 !zone_is(zone, zone_len, REGISTRY_ZONE_DEFAULT);
    if (sound) {
        zone_replace(registry, zone, zone_len);
    }
    return sound;
}

int registry_zone_set(struct registry *registry, const struct change *change,
                      const char *zone, size_t zone_len)
{
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    if (!zone_name_sound(zone, zone_len)) {
        return ERR_INVALID;
    }
    if (zone_is(zone, zone_len, registry->zone)) {
        return 0;
    }
    /* Such names need no escape in JSON. */
    char *data = mem_printf("{\"name\":\"%s\",\"from\":\"%s\",\"value\":\"%.*s\"}",
                            REGISTRY_ZONE_NAME, registry->zone, (int)zone_len, zone);
    zone_replace(registry, zone, zone_len);
    moment_table_close(&registry->fires);
    moment_table_init(&registry->fires, DIGEST_FIRE);
    registry->moment_changes++;
    registry_event(registry, change, EVENT_SETTING_CHANGED, "", data);
    mem_free(data);
    return 0;
}
