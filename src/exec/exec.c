/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of this machine: what is known of each run.
 *
 *    start() ─▶ QUEUED ─▶ LAUNCHING ─▶ LIVE ─▶ ENDED ─▶ (forgotten)
 *                             │        ▲ │       ▲
 *    found at open() ─────────┼────▶ LOOKING ────┤
 *                             └────────▶ │ ▲     │
 *                                        ▼ │     │
 *                                      PAUSED ───┘
 *
 * Happy path: a job in the pool claims the run and has its supervisor forked, whose
 * socket is then read here; the supervisor says when the program began and how it
 * ended.
 *
 * LOOKING is where everything goes of which that is not known: what an earlier start of
 * the node left, a supervisor whose connection ended without a result, one that was
 * silent past the deadline it had confirmed and the grace, one that is to be killed. A
 * job (exec/settle.c) finds the result, or connects again, or kills what is left, and
 * repeats that until nothing is: only then is the run told to have ended. */
#include "exec/exec.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "exec/machine.h"

#define EXEC_TICK_MS     100
#define EXEC_SLACK_MS    250  /* a supervisor says in time that it is done */
#define EXEC_HELLO_MS    2000 /* and one that was found, that it is there */
#define EXEC_TRIM_MS     600000
#define EXEC_SCAN_MS     500 /* after a scan that failed, twice as much each time, … */
#define EXEC_SCAN_MAX_MS 30000

void exec_move(struct exec_run *run, enum exec_state next)
{
    static const uint8_t allowed[] = {
        [EXEC_QUEUED] = 1 << EXEC_LAUNCHING,
        [EXEC_LAUNCHING] = 1 << EXEC_LIVE | 1 << EXEC_LOOKING | 1 << EXEC_ENDED,
        [EXEC_LIVE] = 1 << EXEC_LOOKING | 1 << EXEC_ENDED,
        [EXEC_LOOKING] =
            1 << EXEC_LIVE | 1 << EXEC_PAUSED | 1 << EXEC_ENDED | 1 << EXEC_LOOKING,
        [EXEC_PAUSED] = 1 << EXEC_LOOKING,
        [EXEC_ENDED] = 0,
    };
    assert((allowed[run->state] >> next & 1) == 1);
    run->state = next;
}

static struct exec *exec_of(struct driver *driver)
{
    return (struct exec *)driver;
}

/* --- the table
 * ---------------------------------------------------------------------------- */

static struct exec_run **bucket_of(struct exec *exec, uint64_t run)
{
    return &exec->buckets[hash_mix(run) % EXEC_BUCKETS];
}

static struct exec_run *find(struct exec *exec, uint64_t run)
{
    struct exec_run *at = *bucket_of(exec, run);
    while (at != NULL && (at->run != run || at->forgotten)) {
        at = at->next_in_bucket;
    }
    return at;
}

static void tick(uv_timer_t *timer);

static void start_ticking(struct exec *exec)
{
    if (!exec->ticking) {
        exec->ticking = true;
        uv_timer_start(&exec->timer, tick, EXEC_TICK_MS, EXEC_TICK_MS);
    }
}

static struct exec_run *add(struct exec *exec, uint64_t run, enum exec_state state)
{
    struct exec_run *added = mem_zalloc(sizeof *added);
    struct exec_run **bucket = bucket_of(exec, run);
    added->exec = exec;
    added->run = run;
    added->state = state;
    added->next_in_bucket = *bucket;
    added->why = "";
    *bucket = added;
    exec->run_count++;
    start_ticking(exec);
    return added;
}

void exec_drop(struct exec_run *run)
{
    struct exec *exec = run->exec;
    struct exec_run **at = bucket_of(exec, run->run);
    while (*at != run) {
        at = &(*at)->next_in_bucket;
    }
    *at = run->next_in_bucket;
    exec->run_count--;
    mem_free(run);
}

static void each_run(struct exec *exec, void (*take)(struct exec_run *run))
{
    for (size_t i = 0; i < EXEC_BUCKETS; i++) {
        struct exec_run *next;
        for (struct exec_run *run = exec->buckets[i]; run != NULL; run = next) {
            next = run->next_in_bucket;
            take(run);
        }
    }
}

/* --- telling
 * -------------------------------------------------------------------------------- */

static void count_told(struct exec *exec)
{
    exec->untold_count--;
    if (exec->untold_count == 0) {
        exec->ready = true;
        exec->events->ready(exec->owner);
    }
}

void exec_found(struct exec_run *run, unsigned phase,
                const struct driver_result *result)
{
    struct exec *exec = run->exec;
    run->untold = false;
    if (phase != DRIVER_ALIVE) {
        exec_move(run, EXEC_ENDED);
    }
    run->forgotten = phase == 0;
    if (phase != 0) {
        exec->events->found(exec->owner, run->run, (enum driver_phase)phase, result);
    }
    count_told(exec);
}

void exec_end(struct exec_run *run, const struct driver_result *result)
{
    if (run->untold) {
        exec_found(run, DRIVER_ENDED, result);
        return;
    }
    exec_move(run, EXEC_ENDED);
    run->exec->events->ended(run->exec->owner, run->run, result);
}

void exec_started(struct exec_run *run, uint64_t wall_ms)
{
    if (run->started_ms == 0) {
        run->started_ms = wall_ms;
        run->exec->events->started(run->exec->owner, run->run, wall_ms);
    }
}

void exec_live(struct exec_run *run, int fd)
{
    bool found = run->untold;
    exec_move(run, EXEC_LIVE);
    run->told_stop = false;
    run->gone = false;
    if (run->granted_ms == 0) { /* it will say what it has; or it does not answer */
        run->granted_ms = process_boot_ms() + EXEC_HELLO_MS;
    }
    leash_open(run, fd);
    if (found) {
        exec_found(run, DRIVER_ALIVE, NULL);
    }
    leash_feed(run);
}

void exec_look(struct exec_run *run, bool force, const char *why)
{
    leash_close(run);
    exec_move(run, EXEC_LOOKING);
    run->force = force;
    run->why = why;
    job_queue(run);
}

/* --- the clock
 * ------------------------------------------------------------------------------ */

static void look_after(struct exec_run *run)
{
    uint64_t now_ms = process_boot_ms();
    if (run->state == EXEC_LIVE) {
        leash_feed(run);
    }
    if (run->state == EXEC_LIVE && !run->gone &&
        now_ms >= run->granted_ms + run->grace_ms + EXEC_SLACK_MS) {
        log_warn("run %llu: its supervisor does not answer; it is killed",
                 (unsigned long long)run->run);
        exec_look(run, true, "its supervisor did not answer past its deadline; killed");
    } else if (run->state == EXEC_PAUSED && now_ms >= run->retry_ms) {
        exec_look(run, run->force || run->kill, run->why);
    }
    if (run->forgotten && run->leash == NULL && !run->working) {
        exec_drop(run);
    }
}

static void scan(struct exec *exec);

static void tick(uv_timer_t *timer)
{
    struct exec *exec = timer->data;
    each_run(exec, look_after);
    uint64_t now_ms = process_boot_ms();
    if (exec->scan_at_ms != 0 && now_ms >= exec->scan_at_ms) {
        exec->scan_at_ms = 0;
        scan(exec);
    }
    if (now_ms >= exec->trimmed_ms + EXEC_TRIM_MS) {
        exec->trimmed_ms = now_ms;
        keep_trim(exec->keep);
    }
}

/* --- open
 * -------------------------------------------------------------------------------------
 */

struct scan {
    uv_work_t work;
    struct exec *exec;
    struct place_list list;
    struct err err;
    int failed;
};

static void scan_work(uv_work_t *request)
{
    struct scan *scan = request->data;
    scan->failed = place_scan(&scan->exec->place, &scan->list, &scan->err);
}

/* What lives cannot be known: nothing may start. A disk may come back, descriptors be
 * free again. */
static void scan_later(struct exec *exec, const struct err *err)
{
    uint32_t twice = 2 * exec->scan_wait_ms;
    exec->scan_wait_ms = twice < EXEC_SCAN_MS       ? EXEC_SCAN_MS
                         : twice < EXEC_SCAN_MAX_MS ? twice
                                                    : EXEC_SCAN_MAX_MS;
    exec->scan_at_ms = process_boot_ms() + exec->scan_wait_ms;
    log_error("runs: %s; no run is started before it is known what lives, tried again "
              "in %u ms",
              err->text, exec->scan_wait_ms);
    start_ticking(exec);
}

static void scanned(uv_work_t *request, int status)
{
    (void)status; /* it is never cancelled */
    struct scan *scan = request->data;
    struct exec *exec = scan->exec;
    exec->jobs_count--;
    if (exec->closing) {
        place_list_close(&scan->list);
        mem_free(scan);
        exec_may_close(exec);
        return;
    }
    if (scan->failed != 0) {
        scan_later(exec, &scan->err);
        place_list_close(&scan->list);
        mem_free(scan);
        return;
    }
    if (exec->scan_wait_ms > 0) {
        log_info("runs: it is known again what lives");
    }
    keep_load(exec->keep, scan->list.kept, scan->list.kept_count);
    scan->list.kept = NULL;
    exec->untold_count += scan->list.open_count;
    for (size_t i = 0; i < scan->list.open_count; i++) {
        struct exec_run *run = add(exec, scan->list.open[i], EXEC_PAUSED);
        run->untold = true;
        exec_look(run, false, "its node was started anew and its supervisor was gone");
    }
    place_list_close(&scan->list);
    mem_free(scan);
    count_told(exec);
}

static void scan(struct exec *exec)
{
    exec->jobs_count++;
    struct scan *begun = mem_zalloc(sizeof *begun);
    begun->exec = exec;
    begun->work.data = begun;
    uv_queue_work(exec->loop, &begun->work, scan_work, scanned);
}

static void op_open(struct driver *driver, const struct driver_events *events,
                    void *owner)
{
    struct exec *exec = exec_of(driver);
    assert(exec->events == NULL);
    exec->events = events;
    exec->owner = owner;
    exec->untold_count = 1;
    scan(exec);
}

/* --- runs
 * ---------------------------------------------------------------------------------------
 */

static void op_start(struct driver *driver, const struct driver_spec *spec)
{
    struct exec *exec = exec_of(driver);
    assert(exec->ready && !exec->closing && spec->run != 0);
    assert(find(exec, spec->run) == NULL);
    struct exec_run *run = add(exec, spec->run, EXEC_QUEUED);
    run->spec = *spec;
    run->spec.task = mem_strdup(spec->task);
    run->spec.module = mem_strdup(spec->module);
    run->spec.input = mem_strdup(spec->input);
    run->wanted_ms = spec->deadline_ms;
    run->grace_ms = spec->grace_ms;
    job_queue(run);
}

static void op_feed(struct driver *driver, uint64_t id, uint64_t deadline_ms)
{
    struct exec_run *run = find(exec_of(driver), id);
    if (run != NULL && deadline_ms > run->wanted_ms) {
        run->wanted_ms = deadline_ms;
        leash_feed(run);
    }
}

static void op_stop(struct driver *driver, uint64_t id)
{
    struct exec_run *run = find(exec_of(driver), id);
    if (run != NULL) {
        run->stop = true;
        leash_feed(run);
    }
}

static void op_kill(struct driver *driver, uint64_t id)
{
    struct exec_run *run = find(exec_of(driver), id);
    if (run != NULL && !run->kill) {
        run->kill = true;
        if (run->state == EXEC_LIVE) {
            exec_look(run, true, "killed");
        }
    }
}

static void op_forget(struct driver *driver, uint64_t id)
{
    struct exec *exec = exec_of(driver);
    struct exec_run *run = find(exec, id);
    if (run != NULL) {
        assert(run->state == EXEC_ENDED);
        leash_bye(run);
        run->forgotten = true;
    }
    keep_add(exec->keep, id);
}

static uint64_t op_now_ms(struct driver *driver)
{
    (void)driver;
    return process_boot_ms();
}

/* --- close
 * ------------------------------------------------------------------------------------------
 */

static void kept(void *ctx)
{
    struct exec *exec = ctx;
    void (*closed)(void *closed_ctx) = exec->closed;
    void *closed_ctx = exec->ctx;
    each_run(exec, exec_drop);
    place_close(&exec->place);
    mem_free(exec);
    closed(closed_ctx);
}

void exec_may_close(struct exec *exec)
{
    if (exec->closing && exec->timer_closed && exec->jobs_count == 0 &&
        exec->leashes_count == 0 && exec->keep != NULL) {
        struct keep *keep = exec->keep;
        exec->keep = NULL; /* given away: it closes once */
        keep_close(keep, kept, exec);
    }
}

static void timer_closed(uv_handle_t *handle)
{
    struct exec *exec = handle->data;
    exec->timer_closed = true;
    exec_may_close(exec);
}

static void op_close(struct driver *driver, void (*closed)(void *ctx), void *ctx)
{
    struct exec *exec = exec_of(driver);
    assert(!exec->closing);
    exec->closing = true;
    exec->closed = closed;
    exec->ctx = ctx;
    jobs_drop(exec);
    each_run(exec, leash_close);
    uv_close((uv_handle_t *)&exec->timer, timer_closed);
}

/* --- new
 * ----------------------------------------------------------------------------------------------
 */

static uint64_t or_else(uint64_t value, uint64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

int exec_new(struct driver **out, struct uv_loop_s *loop,
             const struct exec_options *options, struct err *err)
{
    static const struct driver_ops ops = {
        .open = op_open,
        .start = op_start,
        .feed = op_feed,
        .stop = op_stop,
        .kill = op_kill,
        .forget = op_forget,
        .now_ms = op_now_ms,
        .close = op_close,
    };
    struct place place;
    int failed = place_open(&place, options, err);
    if (failed != 0) {
        return failed;
    }
    struct exec *exec = mem_zalloc(sizeof *exec);
    exec->driver.ops = &ops;
    exec->loop = loop;
    exec->place = place;
    exec->limits = (struct exec_keep){
        .bytes = or_else(options->keep.bytes, EXEC_KEEP_BYTES),
        .age_ms = or_else(options->keep.age_ms, EXEC_KEEP_AGE_MS),
        .count = or_else(options->keep.count, EXEC_KEEP_COUNT),
    };
    exec->keep = keep_new(loop, &exec->place, &exec->limits);
    exec->last_job = &exec->first_job;
    exec->trimmed_ms = process_boot_ms();
    uv_timer_init(loop, &exec->timer);
    exec->timer.data = exec;
    *out = &exec->driver;
    return 0;
}
