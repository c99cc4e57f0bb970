/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated state, as a value that commands transform.
 *
 * Everything that apply reads or changes hangs under this one root: tasks, runs (their
 * part of this is registry_run.h), members, settings, the event log, the sequence, the
 * replicated clock. No clock, no chance, no
 * I/O, no configuration of its own: the same commands give the same bytes on every
 * node.
 *
 * Sequence: each change that a noun shows is one event and takes the next number;
 * bookkeeping takes none. So event numbers have no gaps.
 *
 * Only raft/fsm.c and raft/snapshot_decode.c hold a non-const pointer. Every reader
 * gets a `const struct registry *`; registry_freeze() gives one that later commands
 * leave untouched, in O(1). */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "registry/digest.h"
#include "registry/event_log.h"
#include "registry/key_table.h"
#include "registry/member.h"
#include "registry/moment_table.h"
#include "registry/registry_run.h"
#include "registry/run_table.h"
#include "registry/settings.h"
#include "registry/task.h"

struct registry;

/* Who asks, and the replicated times of the batch the command came in. */
struct change {
    uint64_t wall_ms;       /* shown to people; never decides anything */
    const char *request_id; /* terminated, borrowed; "" if none */
    const char *actor;      /* the caller, "" until there are credentials */
};

/* --- life --- */
struct registry *registry_new(void);
void registry_free(struct registry *registry);
const struct registry *registry_freeze(const struct registry *registry);
void registry_thaw(const struct registry *frozen); /* give a frozen view back */

/* --- questions (any thread may read a frozen view while the loop holds it) --- */
uint64_t registry_sequence(const struct registry *registry); /* of the last event */
uint64_t registry_clock_ms(const struct registry *registry); /* replicated clock */
/* Feature level of the cluster, from 1: every member knows the commands up to it. */
uint32_t registry_level(const struct registry *registry);
struct digest registry_digest(const struct registry *registry);
const struct event_log *registry_events(const struct registry *registry);

uint64_t registry_setting(const struct registry *registry, enum setting setting);
/* The time zone of schedules that name none, terminated: the one setting that is a
 * text, schedule_zone. Apply never looks it up. Borrowed until the registry changes. */
const char *registry_zone(const struct registry *registry);
#define REGISTRY_ZONE_NAME    "schedule_zone"
#define REGISTRY_ZONE_DEFAULT "UTC"

/* NULL if absent. Borrowed until the registry changes. */
const struct task *registry_task(const struct registry *registry, const char *name,
                                 size_t name_len);
size_t registry_task_count(const struct registry *registry);
size_t registry_task_enabled_count(const struct registry *registry);

/* What became of the write with this key; NULL: it is not known, or too old. `name` is
 * sound. Borrowed until the registry changes. */
const struct key_entry *registry_key(const struct registry *registry,
                                     const struct key_name *name);
/* All that are kept: those that are too old go by and by. */
const struct key_table *registry_keys(const struct registry *registry);

/* Walk the tasks in creation order, from the first created at or after `created`.
 * The registry must not change meanwhile: freeze it for anything that yields. */
void registry_task_seek(const struct registry *registry, uint64_t created,
                        struct map_cursor *cursor);
const struct task *registry_task_next(struct map_cursor *cursor); /* NULL at the end */

const struct member *registry_member(const struct registry *registry, uint64_t id);
size_t registry_member_count(const struct registry *registry);
void registry_member_seek(const struct registry *registry, struct map_cursor *cursor);
const struct member *registry_member_next(struct map_cursor *cursor);

/* --- commands; every refusal leaves the registry unchanged. The texts of refusals are
 * written at the door from the code (api/error.c): here the code decides. --- */

/* Advance the replicated clock; a value that is not larger is ignored. Some of the keys
 * that are too old by now go. */
void registry_tick(struct registry *registry, uint64_t clock_ms);

/* Raise the feature level; one that is not higher is ignored. Bookkeeping: no event. */
void registry_level_set(struct registry *registry, uint32_t level);

/* ERR_INVALID if task_draft_sound() says no, ERR_EXISTS if the name is taken, by a task
 * or by a live trial of one. One event, task.created. */
int registry_task_create(struct registry *registry, const struct change *change,
                         const struct task_draft *draft);
/* ERR_NOT_FOUND; ERR_CONFLICT: it is being deleted. One event, task.enabled or
 * task.disabled; none (and the revision stays) if it is so already. A disabled task is
 * not due. */
int registry_task_enable(struct registry *registry, const struct change *change,
                         const char *name, size_t name_len, bool enabled);
/* ERR_NOT_FOUND. One event: task.deleted, or, while it has a live run, task.deleting:
 * it then goes when that has ended, with a task.deleted. None if it is deleting
 * already.
 */
int registry_task_delete(struct registry *registry, const struct change *change,
                         const char *name, size_t name_len);
/* The last two if `match` holds, else ERR_PRECONDITION (ERR_INVALID: there is no such
 * condition). */
int registry_task_enable_if(struct registry *registry, const struct change *change,
                            const char *name, size_t name_len, bool enabled,
                            const struct task_match *match);
int registry_task_delete_if(struct registry *registry, const struct change *change,
                            const char *name, size_t name_len,
                            const struct task_match *match);
/* Create the task, or put `draft` in its place, if `match` holds (else as above).
 * `keep_enabled`: one that is there stays enabled or not. ERR_CONFLICT: it is being
 * deleted. One event, task.created or task.updated; none (and the revision stays) if
 * nothing differs. A task whose text changes has no next fire any more. */
int registry_task_put(struct registry *registry, const struct change *change,
                      const struct task_draft *draft, bool keep_enabled,
                      const struct task_match *match);
/* Put `draft`, which was made of the task of revision `base`, in its place.
 * ERR_NOT_FOUND; ERR_PRECONDITION if `match` does not hold (also of a task that is not
 * there); ERR_CONFLICT: it has another revision by now, or is being deleted. */
int registry_task_merge(struct registry *registry, const struct change *change,
                        const struct task_draft *draft, uint64_t base,
                        const struct task_match *match);
/* Keep what became of the write with this key, which is sound and not known, in a
 * cluster of level 2 or more. Bookkeeping: no event. The oldest go, by the settings
 * keys_max_count and keys_max_age_ms. */
void registry_key_add(struct registry *registry, const struct key_name *name,
                      const struct key_outcome *outcome);
/* Insert or replace the row of draft->id: one event, member.joined or member.updated;
 * none when nothing differs. Whether it drains stays as it is; a new one does not.
 * ERR_INVALID if member_draft_sound() says no. */
int registry_member_set(struct registry *registry, const struct change *change,
                        const struct member_draft *draft);
/* ERR_NOT_FOUND. One event, member.left. */
int registry_member_delete(struct registry *registry, const struct change *change,
                           uint64_t id);
/* ERR_LEVEL below level 2, ERR_NOT_FOUND. One event, member.updated; none if it is so
 * already. */
int registry_member_drain(struct registry *registry, const struct change *change,
                          uint64_t id, bool draining);
/* What it carries runs out with: MEMBER_DRIVER_...; a new one has
 * MEMBER_DRIVERS_DEFAULT. ERR_LEVEL below level 3, ERR_NOT_FOUND, ERR_INVALID: a driver
 * that is none. One event, member.updated; none if it is so already. */
int registry_member_drivers(struct registry *registry, const struct change *change,
                            uint64_t id, uint32_t drivers);
/* Change a replicated setting by name (registry/settings.h): ERR_NOT_FOUND for an
 * unknown name, ERR_INVALID out of its bounds. One event, setting.changed; none if it
 * has that value already. */
int registry_setting_set(struct registry *registry, const struct change *change,
                         const char *name, size_t name_len, uint64_t value);
/* Change several at once, all or none: ERR_NOT_FOUND if one is not known, ERR_INVALID
 * if one is out of its bounds, given twice, or none that people change. One event,
 * setting.changed, for each that has another value now, in the order of settings.def.
 */
int registry_settings_set(struct registry *registry, const struct change *change,
                          const struct setting_value *values, size_t count);

/* --- the state that is put back into a new cluster --- */

#define REGISTRY_EPOCH ((uint64_t)1 << 32)

/* Change schedule_zone: ERR_INVALID if it is no name of a zone (zone_name_sound(): so
 * that is part of the format). One event, setting.changed; none if it is so already.
 * Else no task has a next fire any more: all are to be computed anew. Since feature
 * level 3. */
int registry_zone_set(struct registry *registry, const struct change *change,
                      const char *zone, size_t zone_len);

/* A new epoch (DESIGN 5). The old cluster may have gone on after this state was put
 * away, so the numbering leaps over whatever it can have given since, by 2^32; the
 * events go, for the log has no gap in it, and so do the rows of the old members. One
 * event, cluster.recovered, whose data tells the last number before the leap. Then all
 * live runs end as lost: their nodes are none of the new cluster's; a task whose apply
 * was among them is due again. What of them is alive may take a while to end, and runs
 * that this state does not know of as well: registry_runs_from_ms(). Tasks and settings
 * stay as they are. ERR_INVALID: the numbers are at their end. */
int registry_recover(struct registry *registry, const struct change *change);

/* --- for raft/snapshot_decode.c: put back what a snapshot holds, into a new registry.
 * Drafts are sound, numbers as the registry had them: the decoder has checked. --- */
void registry_restore_clock(struct registry *registry, uint64_t clock_ms);
void registry_restore_setting(struct registry *registry, enum setting setting,
                              uint64_t value);
/* False: no such name, or the default, which is not in a snapshot. */
bool registry_restore_zone(struct registry *registry, const char *zone,
                           size_t zone_len);
void registry_restore_task(struct registry *registry, const struct task_draft *draft,
                           uint64_t created, uint64_t revision, bool deleting);
void registry_restore_member(struct registry *registry,
                             const struct member_draft *draft,
                             const struct member_duty *duty, uint64_t revision);
void registry_restore_runs_from(struct registry *registry, uint64_t clock_ms);
void registry_restore_level(struct registry *registry, uint32_t level);
void registry_restore_key(struct registry *registry, const struct key_name *name,
                          uint64_t at_ms, const struct key_outcome *outcome);
/* The numbering starts with `next`; the kept events follow in order, without a gap. */
void registry_restore_events(struct registry *registry, uint64_t next);
void registry_restore_event(struct registry *registry, const struct event *event);

#endif
