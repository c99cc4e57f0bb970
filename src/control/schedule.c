/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: the next fire of each task with a cron line stands in the registry, and at
 * its time a task_fire{expected, next, due} makes the task due and says when it fires
 * after that. Only the leader computes times and reads time zone files; what it
 * computed is in the command, so every replica agrees and a new leader goes on from the
 * row.
 *
 *   no row ──task_fire{0, next}──▶ row ──its time: task_fire{row, next, due}──▶ row …
 *     ▲                             │
 *     └─ the task's text changes ◀──┘  its time, and the task is disabled: no row
 *
 * A tick neither doubles nor gets lost by a failover: two leaders that see the same row
 * propose the same `expected`, and one is refused. Rows are in order of time, so a look
 * costs what is due and no more. Tasks without a row are found by a walk over all
 * tasks, once a leadership, and after that by their events; both in turns of
 * TURN_READS, as proposals are of TURN_FIRES, and the next turn waits until those are
 * decided, so that no row is proposed for twice.
 *
 * The wall clock may jump. Forwards: what was passed over by no more than LATE_MS (a
 * failover takes less) fires, once, whatever the number of ticks; what is older was
 * missed, and by the setting catch_up is skipped or fires once.
 *
 * Backwards, or another node leads whose clock is behind: a row tells by what wall
 * clock it was computed. By no more than BACK_MS: the row stands, and what has fired
 * does not fire again. By more it is as with cron(8) of Debian: a task of every hour,
 * or more often, is computed anew from the time as it is, for it would stand still; one
 * that fires less often does not repeat what it has done, and its row stands; but by
 * CORRECTION_MS or more the clock was wrong before, and all are computed anew. A leader
 * looks at all rows when it begins and when its clock was set back.
 *
 * Jitter: with schedule_jitter_ms a row's time is the tick and an offset of the task's
 * own, by its name, less than what lies between two of its ticks. So the tick that
 * follows a row's time is always the next one, whatever the setting was. */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/loop.h"
#include "json/task_view.h"
#include "text/cron.h"
#include "text/zone_file.h"

#define TURN_FIRES    64  /* proposals of a turn: each reads a cron line, some 10 µs */
#define TURN_READS    512 /* tasks, or events, that it looks at; of long texts fewer: */
#define READ_BYTES    2048    /* so much of a text counts as one more */
#define LATE_MS       30000   /* a tick that is seen later was missed */
#define LOOK_MS       1000    /* at least so often: the wall clock may have jumped */
#define BACK_MS       60000   /* clocks of nodes agree so far */
#define OFTEN_MS      3600000 /* from tick to tick */
#define CORRECTION_MS (3 * OFTEN_MS)
#define PATIENCE_MS   100 /* until a full queue is tried again */
#define SECOND_MS     1000
#define NEVER_MS      UINT64_MAX /* next fire of a line that has none: a row like others */
#define UNKNOWN_MS    0          /* likewise if it cannot be told: no row */

/* A time zone that was read in this leadership. */
struct zone_kept {
    struct zone_kept *next;
    struct zone *zone; /* NULL: UTC */
    char name[ZONE_NAME_MAX + 1];
};

struct schedule {
    struct control *control;
    struct zone_kept *zones;
    uint64_t walk_from; /* the walk goes on with tasks created then or later */
    bool walked;
    uint64_t high_ms; /* the wall clock at its highest, since the last walk began */
    uint64_t seen;    /* events up to this one were looked at */
    size_t waiting;   /* proposals without an outcome */
    size_t reads;     /* of this turn */
    bool full;        /* door 1 takes no more now */
    bool zone_warned; /* in the log: a zone is not known here */
};

static void *schedule_start(struct control *control)
{
    struct schedule *schedule = mem_zalloc(sizeof *schedule);
    schedule->control = control;
    schedule->seen = registry_sequence(control_registry(control));
    return schedule;
}

static void schedule_stop(void *state)
{
    struct schedule *schedule = state;
    while (schedule->zones != NULL) {
        struct zone_kept *kept = schedule->zones;
        schedule->zones = kept->next;
        zone_free(kept->zone);
        mem_free(kept);
    }
    mem_free(schedule);
}

/* --- when ------------------------------------------------------------------------- */

/* False: this machine does not know it. */
static bool schedule_zone(struct schedule *schedule, const char *name,
                          const struct zone **out)
{
    for (struct zone_kept *kept = schedule->zones; kept != NULL; kept = kept->next) {
        if (strcmp(kept->name, name) == 0) {
            *out = kept->zone;
            return true;
        }
    }
    struct zone *zone;
    struct err err;
    if (zone_load(name, &zone, &err) != 0) {
        if (!schedule->zone_warned) {
            log_warn("schedules of that time zone do not fire: %s", err.text);
        }
        schedule->zone_warned = true;
        return false;
    }
    struct zone_kept *kept = mem_zalloc(sizeof *kept);
    memcpy(kept->name, name, strlen(name) + 1);
    kept->zone = zone;
    kept->next = schedule->zones;
    schedule->zones = kept;
    *out = zone;
    return true;
}

/* Of a line and a zone: both borrowed for one task's computing. */
struct timetable {
    struct cron cron;
    const struct zone *zone;
    uint64_t jitter_ms; /* the setting */
    uint64_t hash;      /* of the task's name */
};

/* The first fire after `after_ms`. */
static uint64_t timetable_next(const struct timetable *table, uint64_t after_ms)
{
    int64_t tick;
    int64_t following;
    if (after_ms > INT64_MAX ||
        !cron_next(&table->cron, table->zone, (int64_t)(after_ms / SECOND_MS), &tick)) {
        return NEVER_MS;
    }
    uint64_t room_ms = table->jitter_ms;
    if (room_ms > 0 && cron_next(&table->cron, table->zone, tick, &following)) {
        uint64_t gap_ms = (uint64_t)(following - tick) * SECOND_MS - SECOND_MS;
        room_ms = gap_ms < room_ms ? gap_ms : room_ms;
    }
    return (uint64_t)tick * SECOND_MS + table->hash % (room_ms + 1);
}

/* False: the task has no schedule, or one whose times cannot be told here. */
static bool timetable_load(struct schedule *schedule, const struct task *task,
                           struct timetable *table)
{
    char *line = task_view_cron(task->text, task->text_len);
    schedule->reads += task->text_len / READ_BYTES;
    if (line == NULL) {
        return false;
    }
    int rc = cron_parse(line, strlen(line), &table->cron, NULL);
    mem_free(line);
    table->jitter_ms =
        registry_setting(control_registry(schedule->control), SETTING_SCHEDULE_JITTER);
    table->hash = hash_bytes(task->name, task->name_len, 0);
    const char *zone = table->cron.zone;
    if (zone[0] == '\0') {
        zone = registry_zone(control_registry(schedule->control));
    }
    return rc == 0 && schedule_zone(schedule, zone, &table->zone);
}

/* --- proposing -------------------------------------------------------------------- */

static void schedule_decided(void *state, uint64_t tag, const struct outcome *outcome)
{
    (void)tag;
    (void)outcome; /* refused: the task has changed, and an event tells of it */
    struct schedule *schedule = state;
    schedule->waiting--;
    if (schedule->waiting == 0) {
        control_wake(schedule->control);
    }
}

static void schedule_propose(struct schedule *schedule, const struct task *task,
                             uint64_t expected_ms, uint64_t next_ms, bool due)
{
    struct command command = {
        .type = COMMAND_TASK_FIRE,
        .request_id = text_of(""),
        .actor = text_of(""),
        .task_fire =
            {
                .task = {task->name, task->name_len},
                .created = task->created,
                .expected_ms = expected_ms,
                .next_ms = next_ms,
                .due = due,
            },
    };
    if (control_propose(schedule->control, &command, schedule_decided, schedule, 0) ==
        0) {
        schedule->waiting++;
    } else {
        schedule->full = true;
    }
}

/* May this turn go on? */
static bool schedule_may(const struct schedule *schedule)
{
    return !schedule->full && schedule->waiting < TURN_FIRES &&
           schedule->reads < TURN_READS;
}

/* Is it to fire? Says why not. With catch_up a tick that comes while a run is live is
 * not lost either: apply marks the task for when that has ended. */
static bool schedule_is_due(struct schedule *schedule, const struct task *task,
                            uint64_t late_ms)
{
    const struct registry *registry = control_registry(schedule->control);
    if (registry_setting(registry, SETTING_CATCH_UP) != 0) {
        return true;
    }
    if (registry_live_run(registry, task->name, task->name_len) != NULL) {
        log_info("task '%s' is active and cannot be run at this time", task->name);
        return false;
    }
    if (late_ms <= LATE_MS) {
        return true;
    }
    log_info("schedule: task '%s' missed its time by %" PRIu64 " s, and skips it",
             task->name, late_ms / SECOND_MS);
    return false;
}

static void schedule_fire(struct schedule *schedule, const struct task *task,
                          uint64_t at_ms, uint64_t wall_ms)
{
    struct timetable table;
    uint64_t late_ms = wall_ms - at_ms;
    uint64_t next_ms = UNKNOWN_MS;
    if (!task->enabled || task->deleting) {
        schedule_propose(schedule, task, at_ms, UNKNOWN_MS, false);
        return;
    }
    if (timetable_load(schedule, task, &table)) {
        next_ms = timetable_next(&table, late_ms <= LATE_MS ? at_ms : wall_ms);
        if (next_ms <= wall_ms) { /* its next one has come too: they are one */
            next_ms = timetable_next(&table, wall_ms);
        }
    }
    bool due = schedule_is_due(schedule, task, late_ms);
    schedule_propose(schedule, task, at_ms, next_ms, due);
}

/* Rows whose time has come. Returns the time of the first that has not, or what is not
 * reached in this turn. */
static uint64_t schedule_fires(struct schedule *schedule, uint64_t wall_ms)
{
    const struct registry *registry = control_registry(schedule->control);
    struct map_cursor cursor;
    const struct moment *fire;
    registry_fire_seek(registry, &cursor);
    while ((fire = registry_fire_next(&cursor)) != NULL) {
        if (fire->at_ms > wall_ms || !schedule_may(schedule)) {
            return fire->at_ms;
        }
        schedule->reads++;
        schedule_fire(schedule, registry_task_of(registry, fire->task), fire->at_ms,
                      wall_ms);
    }
    return NEVER_MS;
}

/* The row was computed by a clock that was ahead: by so much that it counts no more? */
static bool schedule_is_corrected(const struct timetable *table,
                                  const struct moment *row, uint64_t wall_ms)
{
    return row->until_ms >= wall_ms + CORRECTION_MS ||
           timetable_next(table, row->at_ms) - row->at_ms <= OFTEN_MS;
}

/* Give the task its first row, if it is to have one and has none, or another one if
 * the clock was set back. */
static void schedule_consider(struct schedule *schedule, const struct task *task,
                              uint64_t wall_ms)
{
    struct timetable table;
    const struct moment *row =
        registry_task_fire_row(control_registry(schedule->control), task);
    if (!task->enabled || task->deleting ||
        (row != NULL && row->until_ms <= wall_ms + BACK_MS) ||
        !timetable_load(schedule, task, &table)) {
        return;
    }
    uint64_t next_ms = timetable_next(&table, wall_ms);
    if (row == NULL) {
        schedule_propose(schedule, task, 0, next_ms, false);
    } else if (next_ms != row->at_ms && schedule_is_corrected(&table, row, wall_ms)) {
        schedule_propose(schedule, task, row->at_ms, next_ms, false);
    }
}

static void schedule_walk(struct schedule *schedule, uint64_t wall_ms)
{
    struct map_cursor cursor;
    registry_task_seek(control_registry(schedule->control), schedule->walk_from,
                       &cursor);
    while (!schedule->walked && schedule_may(schedule)) {
        const struct task *task = registry_task_next(&cursor);
        if (task == NULL) {
            schedule->walked = true;
            break;
        }
        schedule->reads++;
        schedule_consider(schedule, task, wall_ms);
        if (!schedule->full) {
            schedule->walk_from = task->created + 1;
        }
    }
}

static bool schedule_concerns(const struct event *event)
{
    return event->type == EVENT_TASK_CREATED || event->type == EVENT_TASK_UPDATED ||
           event->type == EVENT_TASK_ENABLED;
}

static void schedule_walk_anew(struct schedule *schedule)
{
    schedule->walk_from = 0;
    schedule->walked = false;
}

/* Events that fell out of the log before they were looked at may be of any task: then
 * all are walked again, as when a setting changes, for it may be the zone. */
static void schedule_events(struct schedule *schedule, uint64_t wall_ms)
{
    const struct registry *registry = control_registry(schedule->control);
    while (schedule->seen < registry_sequence(registry) && schedule_may(schedule)) {
        const struct event *event =
            event_log_after(registry_events(registry), schedule->seen);
        schedule->reads++;
        if (event == NULL || event->seq != schedule->seen + 1) {
            schedule_walk_anew(schedule);
            schedule->seen = registry_sequence(registry);
            return;
        }
        if (event->type == EVENT_SETTING_CHANGED) {
            schedule_walk_anew(schedule);
        }
        const struct task *task = NULL;
        if (schedule_concerns(event)) {
            task = registry_task(registry, event->task, strlen(event->task));
        }
        if (task != NULL) {
            schedule_consider(schedule, task, wall_ms);
        }
        if (!schedule->full) {
            schedule->seen = event->seq;
        }
    }
}

static void schedule_watch_clock(struct schedule *schedule, uint64_t wall_ms)
{
    if (wall_ms + BACK_MS < schedule->high_ms) {
        log_warn("the wall clock was set back by %" PRIu64
                 " s: the next times of schedules are looked at anew",
                 (schedule->high_ms - wall_ms) / SECOND_MS);
        schedule->high_ms = wall_ms;
        schedule_walk_anew(schedule);
    } else if (wall_ms > schedule->high_ms) {
        schedule->high_ms = wall_ms;
    }
}

static bool schedule_is_behind(const struct schedule *schedule)
{
    return !schedule->walked ||
           schedule->seen < registry_sequence(control_registry(schedule->control));
}

/* What is due goes first: a walk over many tasks delays no tick. */
static uint64_t schedule_look(void *state, uint64_t now_ms)
{
    struct schedule *schedule = state;
    if (schedule->waiting > 0) {
        return UINT64_MAX; /* schedule_decided() wakes it */
    }
    schedule->reads = 0;
    schedule->full = false;
    uint64_t wall_ms = clock_wall_ms(control_clock(schedule->control));
    schedule_watch_clock(schedule, wall_ms);
    uint64_t next_ms = schedule_fires(schedule, wall_ms);
    schedule_events(schedule, wall_ms);
    schedule_walk(schedule, wall_ms);
    if (schedule->waiting > 0) {
        return UINT64_MAX;
    }
    if (schedule->full) {
        return now_ms + PATIENCE_MS;
    }
    if (next_ms <= wall_ms || schedule_is_behind(schedule)) {
        return now_ms; /* the turn was used up */
    }
    uint64_t wait_ms = next_ms - wall_ms;
    return now_ms + (wait_ms < LOOK_MS ? wait_ms : LOOK_MS);
}

const struct control_loop control_schedule = {
    .name = "schedule",
    .on_change = true,
    .start = schedule_start,
    .stop = schedule_stop,
    .look = schedule_look,
};
