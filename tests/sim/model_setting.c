/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated settings, as naive as the rest of the model. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "sim/model_inside.h"

#define VALUES_MAX 64 /* in one command */

struct wanted {
    struct model_setting *setting;
    uint64_t value;
};

static struct model_setting *setting_of(struct model *model, struct text name)
{
    for (size_t i = 0; i < model->setting_count; i++) {
        struct model_setting *setting = &model->settings[i];
        if (setting->level <= model->level && strlen(setting->name) == name.len &&
            memcmp(setting->name, name.data, name.len) == 0) {
            return setting;
        }
    }
    return NULL;
}

static bool setting_holds(const struct model_setting *setting, uint64_t value)
{
    return value >= setting->min && value <= setting->max;
}

int model_setting_set(struct model *model, const struct command *command)
{
    struct model_setting *setting = setting_of(model, command->setting_set.name);
    uint64_t value = command->setting_set.value;
    if (setting == NULL) {
        return ERR_NOT_FOUND;
    }
    if (!setting_holds(setting, value)) {
        return ERR_INVALID;
    }
    if (value != setting->value) {
        char *data =
            mem_printf("{\"name\":\"%s\",\"value\":%" PRIu64 "}", setting->name, value);
        setting->value = value;
        model_event(model, "setting.changed", "", data);
        mem_free(data);
    }
    return 0;
}

/* Format: raft/README.md. The first that is wrong decides what is said. */
static int settings_read(struct model *model, struct text values,
                         struct wanted wanted[VALUES_MAX], size_t *count)
{
    struct cursor cursor;
    cursor_init(&cursor, values.data, values.len);
    *count = cursor_u16(&cursor);
    int refused = *count > VALUES_MAX ? ERR_INVALID : 0;
    for (size_t i = 0; refused == 0 && i < *count; i++) {
        struct text name;
        name.data = (const char *)cursor_blob(&cursor, UINT16_MAX, &name.len);
        wanted[i].setting = setting_of(model, name);
        wanted[i].value = cursor_u64(&cursor);
        if (wanted[i].setting == NULL) {
            return ERR_NOT_FOUND;
        }
        bool again = false;
        for (size_t j = 0; j < i; j++) {
            again = again || wanted[j].setting == wanted[i].setting;
        }
        if (again || strcmp(wanted[i].setting->name, "voters") == 0 ||
            !setting_holds(wanted[i].setting, wanted[i].value)) {
            return ERR_INVALID;
        }
    }
    return refused;
}

/* All or none; what changes is told in the order of the table. */
int model_settings_set(struct model *model, const struct command *command)
{
    struct wanted wanted[VALUES_MAX];
    uint64_t old[SETTINGS_MAX];
    size_t count = 0;
    int refused = settings_read(model, command->settings_set.values, wanted, &count);
    if (refused != 0) {
        return refused;
    }
    for (size_t i = 0; i < model->setting_count; i++) {
        old[i] = model->settings[i].value;
    }
    for (size_t i = 0; i < count; i++) {
        wanted[i].setting->value = wanted[i].value;
    }
    for (size_t i = 0; i < model->setting_count; i++) {
        const struct model_setting *setting = &model->settings[i];
        if (setting->value != old[i]) {
            char *data = mem_printf("{\"name\":\"%s\",\"from\":%" PRIu64
                                    ",\"value\":%" PRIu64 "}",
                                    setting->name, old[i], setting->value);
            model_event(model, "setting.changed", "", data);
            mem_free(data);
        }
    }
    return 0;
}
