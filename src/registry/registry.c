/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/plant.h"
#include "registry/registry_inside.h"
#include "registry/task_diff.h"

#define KEY_BYTES 8

/* Big-endian, so that a map walks numbers in order. */
static void key_of(uint64_t number, uint8_t key[KEY_BYTES])
{
    for (int i = KEY_BYTES - 1; i >= 0; i--) {
        key[i] = (uint8_t)number;
        number >>= 8;
    }
}

static void *task_map_ref(void *value)
{
    return task_ref(value);
}

static void task_map_unref(void *value)
{
    task_unref(value);
}

static void *member_map_ref(void *value)
{
    return member_ref(value);
}

static void member_map_unref(void *value)
{
    member_unref(value);
}

static const struct map_type task_map = {task_map_ref, task_map_unref};
static const struct map_type member_map = {member_map_ref, member_map_unref};

/* --- digest of the nouns -----------------------------------------------------------
 */

typedef void digest_fn(struct digest *digest, const struct digest_item *item);

/* Name and text stand in a row in a task's allocation, terminators included. */
static void task_digest(struct registry *registry, digest_fn *apply,
                        const struct task *task)
{
    uint64_t numbers[] = {task->created, task->revision, task->enabled,
                          task->enabled_at, 1};
    struct digest_item item = {
        .kind = DIGEST_TASK,
        .numbers = numbers,
        .number_count = task->deleting ? 5 : 4,
        .content = task->name,
        .len = (size_t)task->name_len + 1 + task->text_len,
    };
    apply(&registry->digest, &item);
}

/* So do the texts of a member. */
static void member_digest(struct registry *registry, digest_fn *apply,
                          const struct member *member)
{
    const struct member_duty *duty = &member->duty;
    uint64_t numbers[] = {member->id,     member->revision, member->level,
                          duty->draining, duty->drain_ms,   duty->drivers};
    bool more = duty->drain_ms != 0 || duty->drivers != MEMBER_DRIVERS_DEFAULT;
    struct digest_item item = {
        .kind = DIGEST_MEMBER,
        .numbers = numbers,
        .number_count = more             ? 6
                        : duty->draining ? 4
                                         : 3,
        .content = member->name,
        .len = (size_t)(member->version + strlen(member->version) - member->name),
    };
    apply(&registry->digest, &item);
}

/* --- life
 * ------------------------------------------------------------------------------------
 */

struct registry *registry_new(void)
{
    struct registry *registry = mem_zalloc(sizeof *registry);
    registry->level = 1;
    map_init(&registry->tasks, &task_map);
    map_init(&registry->created, &task_map);
    map_init(&registry->members, &member_map);
    event_log_init(&registry->events, 1);
    key_table_init(&registry->keys);
    run_table_init(&registry->runs);
    moment_table_init(&registry->due, DIGEST_DUE);
    moment_table_init(&registry->fires, DIGEST_FIRE);
    settings_init(&registry->settings);
    memcpy(registry->zone, REGISTRY_ZONE_DEFAULT, sizeof REGISTRY_ZONE_DEFAULT);
    return registry;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    map_close(&registry->tasks);
    map_close(&registry->created);
    map_close(&registry->members);
    event_log_close(&registry->events);
    key_table_close(&registry->keys);
    run_table_close(&registry->runs);
    moment_table_close(&registry->due);
    moment_table_close(&registry->fires);
    mem_free(registry);
}

const struct registry *registry_freeze(const struct registry *registry)
{
    struct registry *frozen = mem_alloc(sizeof *frozen);
    *frozen = *registry;
    frozen->tasks = map_ref(&registry->tasks);
    frozen->created = map_ref(&registry->created);
    frozen->members = map_ref(&registry->members);
    frozen->events = event_log_ref(&registry->events);
    frozen->keys = key_table_ref(&registry->keys);
    frozen->runs = run_table_ref(&registry->runs);
    frozen->due = moment_table_ref(&registry->due);
    frozen->fires = moment_table_ref(&registry->fires);
    return frozen;
}

void registry_thaw(const struct registry *frozen)
{
    struct registry *ours = NULL;
    memcpy(&ours, &frozen, sizeof ours); /* it was made by registry_freeze() */
    registry_free(ours);
}

/* --- questions
 * --------------------------------------------------------------------------------- */

uint64_t registry_sequence(const struct registry *registry)
{
    return registry->events.next - 1;
}

uint64_t registry_clock_ms(const struct registry *registry)
{
    return registry->clock_ms;
}

uint32_t registry_level(const struct registry *registry)
{
    return registry->level;
}

struct digest registry_digest(const struct registry *registry)
{
    const struct digest parts[] = {
        registry->events.digest, registry->keys.digest,  registry->runs.digest,
        registry->due.digest,    registry->fires.digest,
    };
    struct digest digest = registry->digest;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        digest.low += parts[i].low;
        digest.high += parts[i].high;
    }
    uint64_t numbers[] = {registry->events.first, registry->events.next,
                          registry->clock_ms};
    struct digest_item item = {
        .kind = DIGEST_STATE,
        .numbers = numbers,
        .number_count = 3,
    };
    digest_add(&digest, &item);
    if (registry->level > 1) { /* the first level counts as nothing, as it always did */
        uint64_t level[] = {registry->level};
        item = (struct digest_item){
            .kind = DIGEST_LEVEL,
            .numbers = level,
            .number_count = 1,
        };
        digest_add(&digest, &item);
    }
    if (registry->runs_from_ms != 0) {
        item = (struct digest_item){
            .kind = DIGEST_RUNS_FROM,
            .numbers = &registry->runs_from_ms,
            .number_count = 1,
        };
        digest_add(&digest, &item);
    }
    return digest;
}

const struct event_log *registry_events(const struct registry *registry)
{
    return &registry->events;
}

const struct task *registry_task(const struct registry *registry, const char *name,
                                 size_t name_len)
{
    return map_get(&registry->tasks, name, name_len);
}

size_t registry_task_count(const struct registry *registry)
{
    return map_count(&registry->tasks);
}

size_t registry_task_enabled_count(const struct registry *registry)
{
    return registry->enabled_count;
}

void registry_task_seek(const struct registry *registry, uint64_t created,
                        struct map_cursor *cursor)
{
    uint8_t key[KEY_BYTES];
    key_of(created, key);
    map_seek(&registry->created, key, sizeof key, cursor);
}

const struct task *registry_task_next(struct map_cursor *cursor)
{
    return map_next(cursor, NULL, NULL);
}

const struct member *registry_member(const struct registry *registry, uint64_t id)
{
    uint8_t key[KEY_BYTES];
    key_of(id, key);
    return map_get(&registry->members, key, sizeof key);
}

size_t registry_member_count(const struct registry *registry)
{
    return map_count(&registry->members);
}

void registry_member_seek(const struct registry *registry, struct map_cursor *cursor)
{
    map_seek(&registry->members, NULL, 0, cursor);
}

const struct member *registry_member_next(struct map_cursor *cursor)
{
    return map_next(cursor, NULL, NULL);
}

/* --- changes
 * -------------------------------------------------------------------------------------
 */

uint64_t registry_next(const struct registry *registry)
{
    return registry->events.next;
}

void registry_event(struct registry *registry, const struct change *change,
                    enum event_type type, const char *task, const char *data)
{
    if (PLANTED(DROP_EVENT) && type == EVENT_TASK_DISABLED) {
        return;
    }
    struct event event = {
        .type = type,
        .wall_ms = change->wall_ms,
        .task = task,
        .actor = change->actor,
        .request_id = change->request_id,
        .data = data,
    };
    event_log_append(&registry->events, &event,
                     registry->settings.value[SETTING_EVENTS_MAX_COUNT],
                     registry->settings.value[SETTING_EVENTS_MAX_BYTES]);
}

void registry_put_task(struct registry *registry, const struct task *old,
                       struct task *task)
{
    uint8_t key[KEY_BYTES];
    key_of(task->created, key);
    if (old != NULL) {
        task_digest(registry, digest_remove, old);
        registry->enabled_count -= old->enabled;
    }
    task_digest(registry, digest_add, task);
    registry->enabled_count += task->enabled;
    map_put(&registry->created, key, sizeof key, task_ref(task));
    map_put(&registry->tasks, task->name, task->name_len, task);
}

/* The clock that keys age by: what came later is older on every node alike. */
static uint64_t registry_keys_now(const struct registry *registry)
{
    return PLANTED_OR(KEYS_BY_WALL_CLOCK, plant_clock(), registry->clock_ms);
}

static void registry_trim_keys(struct registry *registry)
{
    key_table_trim(&registry->keys, registry->settings.value[SETTING_KEYS_MAX_COUNT],
                   registry->settings.value[SETTING_KEYS_MAX_AGE],
                   registry_keys_now(registry));
}

const struct key_entry *registry_key(const struct registry *registry,
                                     const struct key_name *name)
{
    const struct key_entry *entry = key_table_find(&registry->keys, name);
    uint64_t max_age_ms = registry->settings.value[SETTING_KEYS_MAX_AGE];
    return entry != NULL &&
                   !key_entry_old(entry, max_age_ms, registry_keys_now(registry))
               ? entry
               : NULL;
}

const struct key_table *registry_keys(const struct registry *registry)
{
    return &registry->keys;
}

void registry_key_add(struct registry *registry, const struct key_name *name,
                      const struct key_outcome *outcome)
{
    key_table_add(&registry->keys, name, registry->clock_ms, outcome);
    registry_trim_keys(registry);
}

void registry_tick(struct registry *registry, uint64_t clock_ms)
{
    if (clock_ms > registry->clock_ms) {
        registry->clock_ms = clock_ms;
    }
    registry_trim_keys(registry);
}

void registry_level_set(struct registry *registry, uint32_t level)
{
    if (level > registry->level) {
        registry->level = level;
    }
}

void registry_add_task(struct registry *registry, const struct change *change,
                       const struct task_draft *draft)
{
    uint64_t next = registry_next(registry);
    struct task *task = task_new(draft, next, next);
    registry_event(registry, change, EVENT_TASK_CREATED, task->name,
                   task->enabled ? "{\"enabled\":true}" : "{\"enabled\":false}");
    registry_put_task(registry, NULL, task);
}

int registry_task_create(struct registry *registry, const struct change *change,
                         const struct task_draft *draft)
{
    if (!task_draft_sound(draft)) {
        return ERR_INVALID;
    }
    if (registry_task(registry, draft->name, draft->name_len) != NULL ||
        registry_live_run(registry, draft->name, draft->name_len) != NULL) {
        return ERR_EXISTS;
    }
    registry_add_task(registry, change, draft);
    return 0;
}

int registry_task_enable(struct registry *registry, const struct change *change,
                         const char *name, size_t name_len, bool enabled)
{
    const struct task *old = registry_task(registry, name, name_len);
    if (old == NULL || old->deleting) {
        return old == NULL ? ERR_NOT_FOUND : ERR_CONFLICT;
    }
    if (old->enabled == enabled) {
        return 0;
    }
    struct task_draft draft = task_draft_of(old);
    draft.enabled = enabled;
    struct task *task = task_new(&draft, old->created, registry_next(registry));
    registry_event(registry, change, enabled ? EVENT_TASK_ENABLED : EVENT_TASK_DISABLED,
                   task->name, "{}");
    registry_put_task(registry, old, task);
    if (!enabled) {
        registry_drop_due(registry, task);
    }
    return 0;
}

void registry_remove_task(struct registry *registry, const struct change *change,
                          const struct task *task)
{
    uint8_t key[KEY_BYTES];
    key_of(task->created, key);
    registry_count_status(registry, task, false);
    registry_drop_due(registry, task);
    registry_drop_fire(registry, task);
    task_digest(registry, digest_remove, task);
    registry->enabled_count -= task->enabled;
    registry_event(registry, change, EVENT_TASK_DELETED, task->name, "{}");
    map_delete(&registry->tasks, task->name, task->name_len);
    map_delete(&registry->created, key, sizeof key); /* last: it may be the last one */
}

void registry_mark_deleting(struct registry *registry, const struct change *change,
                            const struct task *task)
{
    struct task_draft draft = task_draft_of(task);
    struct task *marked = task_new(&draft, task->created, registry_next(registry));
    marked->deleting = true;
    registry_event(registry, change, EVENT_TASK_DELETING, marked->name, "{}");
    registry_drop_due(registry, marked);
    registry_drop_fire(registry, marked);
    registry_put_task(registry, task, marked);
}

int registry_task_delete(struct registry *registry, const struct change *change,
                         const char *name, size_t name_len)
{
    const struct task *old = registry_task(registry, name, name_len);
    if (old == NULL) {
        return ERR_NOT_FOUND;
    }
    if (registry_live_run(registry, name, name_len) == NULL) {
        registry_remove_task(registry, change, old);
    } else if (!old->deleting) {
        registry_mark_deleting(registry, change, old);
    }
    return 0;
}

/* --- changes of a task under a condition
 * ------------------------------------------------------ */

int registry_task_enable_if(struct registry *registry, const struct change *change,
                            const char *name, size_t name_len, bool enabled,
                            const struct task_match *match)
{
    int refused = task_match_check(match, registry_task(registry, name, name_len));
    return refused != 0
               ? refused
               : registry_task_enable(registry, change, name, name_len, enabled);
}

int registry_task_delete_if(struct registry *registry, const struct change *change,
                            const char *name, size_t name_len,
                            const struct task_match *match)
{
    int refused = task_match_check(match, registry_task(registry, name, name_len));
    return refused != 0 ? refused
                        : registry_task_delete(registry, change, name, name_len);
}

void registry_replace_task(struct registry *registry, const struct change *change,
                           const struct task *old, const struct task_draft *draft)
{
    bool same_text = task_text_equal(old, draft);
    if (old->enabled == draft->enabled && same_text) {
        return;
    }
    struct buf data;
    buf_init(&data);
    task_diff_put(&data, old, draft);
    buf_put_u8(&data, '\0');
    struct task *task = task_new(draft, old->created, registry_next(registry));
    registry_event(registry, change, EVENT_TASK_UPDATED, task->name,
                   (const char *)data.data);
    registry_put_task(registry, old, task);
    if (!same_text) {
        registry_drop_fire(registry, task); /* it may have another schedule */
    }
    if (!task->enabled) {
        registry_drop_due(registry, task);
    }
    buf_close(&data);
}

int registry_task_put(struct registry *registry, const struct change *change,
                      const struct task_draft *draft, bool keep_enabled,
                      const struct task_match *match)
{
    if (!task_draft_sound(draft)) {
        return ERR_INVALID;
    }
    const struct task *old = registry_task(registry, draft->name, draft->name_len);
    int refused = task_match_check(match, old);
    if (refused != 0 || old == NULL) {
        return refused != 0 ? refused : registry_task_create(registry, change, draft);
    }
    if (old->deleting) {
        return ERR_CONFLICT;
    }
    struct task_draft settled = *draft;
    settled.enabled = keep_enabled ? old->enabled : draft->enabled;
    registry_replace_task(registry, change, old, &settled);
    return 0;
}

int registry_task_merge(struct registry *registry, const struct change *change,
                        const struct task_draft *draft, uint64_t base,
                        const struct task_match *match)
{
    if (!task_draft_sound(draft)) {
        return ERR_INVALID;
    }
    const struct task *old = registry_task(registry, draft->name, draft->name_len);
    int refused = task_match_check(match, old);
    if (refused != 0 || old == NULL) {
        return refused != 0 ? refused : ERR_NOT_FOUND;
    }
    if (old->deleting || (old->revision != base && !PLANTED(LOST_UPDATE))) {
        return ERR_CONFLICT;
    }
    registry_replace_task(registry, change, old, draft);
    return 0;
}

/* --- members
 * ---------------------------------------------------------------------- */

/* {"id":"…","name":"…"}, with `more` before its end: the name of a member has been
 * checked at the door of its node, but a quote in it must not break the object. */
static void member_data(struct buf *out, uint64_t id, const char *name,
                        const char *more)
{
    buf_printf(out, "{\"id\":\"%" PRIu64 "\",\"name\":\"", id);
    for (const char *at = name; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == '"' || c == '\\') {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_put_u8(out, c);
        }
    }
    buf_printf(out, "\"%s}", more);
    buf_put_u8(out, '\0');
}

static bool member_same(const struct member *member, const struct member_draft *draft)
{
    return member->level == draft->level && strcmp(member->name, draft->name) == 0 &&
           strcmp(member->address, draft->address) == 0 &&
           strcmp(member->peer_address, draft->peer_address) == 0 &&
           strcmp(member->version, draft->version) == 0;
}

static void registry_member_event(struct registry *registry,
                                  const struct change *change, enum event_type type,
                                  const struct member *member, const char *more)
{
    struct buf data;
    buf_init(&data);
    member_data(&data, member->id, member->name, more);
    registry_event(registry, change, type, "", (const char *)data.data);
    buf_close(&data);
}

static void registry_put_member(struct registry *registry, struct member *member)
{
    uint8_t key[KEY_BYTES];
    key_of(member->id, key);
    const struct member *old = map_get(&registry->members, key, sizeof key);
    if (old != NULL) {
        member_digest(registry, digest_remove, old);
    }
    member_digest(registry, digest_add, member);
    map_put(&registry->members, key, sizeof key, member);
}

int registry_member_set(struct registry *registry, const struct change *change,
                        const struct member_draft *draft)
{
    if (!member_draft_sound(draft)) {
        return ERR_INVALID;
    }
    const struct member *old = registry_member(registry, draft->id);
    if (old != NULL && member_same(old, draft)) {
        return 0;
    }
    static const struct member_duty fresh = {.drivers = MEMBER_DRIVERS_DEFAULT};
    struct member *member =
        member_new(draft, old != NULL ? &old->duty : &fresh, registry_next(registry));
    registry_member_event(registry, change,
                          old != NULL ? EVENT_MEMBER_UPDATED : EVENT_MEMBER_JOINED,
                          member, "");
    registry_put_member(registry, member);
    return 0;
}

/* `more`: what of it the event tells. */
static void registry_change_duty(struct registry *registry, const struct change *change,
                                 const struct member *old,
                                 const struct member_duty *duty, const char *more)
{
    struct member_draft draft = {
        .id = old->id,
        .level = old->level,
        .name = old->name,
        .address = old->address,
        .peer_address = old->peer_address,
        .version = old->version,
    };
    struct member *member = member_new(&draft, duty, registry_next(registry));
    registry_member_event(registry, change, EVENT_MEMBER_UPDATED, member, more);
    registry_put_member(registry, member);
}

int registry_member_drain(struct registry *registry, const struct change *change,
                          uint64_t id, bool draining)
{
    if (registry->level < 2) { /* no snapshot of the first level can tell it */
        return ERR_LEVEL;
    }
    const struct member *old = registry_member(registry, id);
    if (old == NULL) {
        return ERR_NOT_FOUND;
    }
    if (old->duty.draining == draining) {
        return 0;
    }
    struct member_duty duty = old->duty;
    bool timed = draining && registry->level >= REGISTRY_RUN_LEVEL;
    duty.draining = draining;
    duty.drain_ms = timed ? registry->clock_ms : 0;
    registry_change_duty(registry, change, old, &duty,
                         draining ? ",\"draining\":true" : ",\"draining\":false");
    return 0;
}

int registry_member_drivers(struct registry *registry, const struct change *change,
                            uint64_t id, uint32_t drivers)
{
    if (registry->level < REGISTRY_RUN_LEVEL) {
        return ERR_LEVEL;
    }
    const struct member *old = registry_member(registry, id);
    if (old == NULL) {
        return ERR_NOT_FOUND;
    }
    if ((drivers & ~MEMBER_DRIVERS_KNOWN) != 0) {
        return ERR_INVALID;
    }
    if (old->duty.drivers == drivers) {
        return 0;
    }
    struct member_duty duty = old->duty;
    duty.drivers = drivers;
    registry_change_duty(registry, change, old, &duty,
                         drivers != 0 ? ",\"drivers\":[\"exec\"]" : ",\"drivers\":[]");
    return 0;
}

int registry_member_delete(struct registry *registry, const struct change *change,
                           uint64_t id)
{
    const struct member *old = registry_member(registry, id);
    if (old == NULL) {
        return ERR_NOT_FOUND;
    }
    uint8_t key[KEY_BYTES];
    key_of(id, key);
    member_digest(registry, digest_remove, old);
    registry_member_event(registry, change, EVENT_MEMBER_LEFT, old, "");
    map_delete(&registry->members, key, sizeof key);
    return 0;
}

static void registry_drop_members(struct registry *registry)
{
    struct map_cursor cursor;
    const struct member *member = NULL;
    registry_member_seek(registry, &cursor);
    while ((member = registry_member_next(&cursor)) != NULL) {
        member_digest(registry, digest_remove, member);
    }
    map_close(&registry->members);
    map_init(&registry->members, &member_map);
}

int registry_recover(struct registry *registry, const struct change *change)
{
    uint64_t next = registry_next(registry);
    if (next > INT64_MAX - 2 * REGISTRY_EPOCH) {
        return ERR_INVALID;
    }
    if (registry->level >= REGISTRY_RUN_LEVEL) {
        registry->runs_from_ms = registry->clock_ms + registry_runs_over_ms(registry);
    }
    registry_drop_members(registry);
    event_log_close(&registry->events);
    event_log_init(&registry->events, next + REGISTRY_EPOCH);
    char *data = mem_printf("{\"after\":%" PRIu64 "}", next - 1);
    registry_event(registry, change, EVENT_CLUSTER_RECOVERED, "", data);
    mem_free(data);
    registry_lose_runs(registry, change);
    return 0;
}

/* --- for snapshots
 * --------------------------------------------------------------------------------- */

void registry_restore_clock(struct registry *registry, uint64_t clock_ms)
{
    registry->clock_ms = clock_ms;
}

void registry_restore_task(struct registry *registry, const struct task_draft *draft,
                           uint64_t created, uint64_t revision, bool deleting)
{
    struct task *task = task_new(draft, created, revision);
    task->deleting = deleting;
    registry_put_task(registry, registry_task(registry, draft->name, draft->name_len),
                      task);
}

void registry_restore_member(struct registry *registry,
                             const struct member_draft *draft,
                             const struct member_duty *duty, uint64_t revision)
{
    registry_put_member(registry, member_new(draft, duty, revision));
}

void registry_restore_runs_from(struct registry *registry, uint64_t clock_ms)
{
    registry->runs_from_ms = clock_ms;
}

void registry_restore_level(struct registry *registry, uint32_t level)
{
    registry->level = level;
}

void registry_restore_events(struct registry *registry, uint64_t next)
{
    event_log_close(&registry->events);
    event_log_init(&registry->events, next);
}

void registry_restore_event(struct registry *registry, const struct event *event)
{
    event_log_append(&registry->events, event, UINT64_MAX, UINT64_MAX);
}

void registry_restore_key(struct registry *registry, const struct key_name *name,
                          uint64_t at_ms, const struct key_outcome *outcome)
{
    key_table_add(&registry->keys, name, at_ms, outcome);
}
