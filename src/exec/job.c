/* SPDX-License-Identifier: Apache-2.0 */
/* What is done in the pool for a run. Few at a time: the node's own disk has its jobs
 * there too, and a thousand starts at once must not keep it from answering. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "exec/machine.h"

#define JOBS_MAX 4 /* of the pool's eight threads */
#define JOB_AGAIN_MS                                                                   \
    50 /* after a look that has not found out, twice as much each time, */
#define JOB_AGAIN_MAX_MS 1000

void job_queue(struct exec_run *run)
{
    struct exec *exec = run->exec;
    run->next_job = NULL;
    *exec->last_job = run;
    exec->last_job = &run->next_job;
    jobs_submit(exec);
}

static void free_spec(struct driver_spec *spec)
{
    mem_free((char *)(uintptr_t)spec->task);
    mem_free((char *)(uintptr_t)spec->module);
    mem_free((char *)(uintptr_t)spec->input);
    *spec = (struct driver_spec){0};
}

/* --- in the pool
 * ---------------------------------------------------------------------- */

static void launch_work(uv_work_t *request)
{
    struct exec_run *run = request->data;
    place_launch(&run->exec->place, &run->spec, run->refused, &run->launched);
}

/* One that this start of the node was told of gets its result, that it is lost. */
static void look_work(uv_work_t *request)
{
    struct exec_run *run = request->data;
    const struct place *place = &run->exec->place;
    run->settled.mark = run->mark;
    place_settle(place, run->run, run->force, &run->settled);
    if (run->settled.finding == PLACE_NOTHING && run->untold) {
        struct place_kept kept;
        if (run->settled.foreign) { /* for its log, until its number comes again */
            place_put_away(place, run->run, &kept);
        } else {
            place_remove(place, run->run);
        }
    }
    if (run->settled.finding == PLACE_DEAD && !run->untold) {
        struct driver_result *result = &run->settled.result;
        *result = (struct driver_result){.outcome = DRIVER_LOST,
                                         .unable = run->launched.result.unable,
                                         .started_ms = run->started_ms,
                                         .ended_ms = process_wall_ms()};
        memcpy(result->text, run->why, strlen(run->why) + 1);
        place_conclude(place, run->run, result, NULL); /* else it is found as lost */
    }
}

/* --- back
 * ------------------------------------------------------------------------------ */

static void launched(struct exec_run *run)
{
    struct place_launched *launched = &run->launched;
    run->mark = launched->mark;
    run->sent_ms = run->spec.deadline_ms;
    run->granted_ms = run->spec.deadline_ms;
    free_spec(&run->spec);
    if (launched->fd >= 0 && run->kill) {
        close(launched->fd);
        exec_look(run, true, "killed");
    } else if (launched->fd >= 0) {
        exec_live(run, launched->fd);
    } else if (launched->unsettled) {
        exec_look(run, true, launched->result.text);
    } else {
        exec_end(run, &launched->result);
    }
}

static void looked(struct exec_run *run)
{
    struct place_settled *settled = &run->settled;
    run->mark = settled->mark;
    switch (settled->finding) {
    case PLACE_NOTHING:
        if (run->untold && settled->foreign) {
            log_warn(
                "run %llu was claimed by another node, whose folder this was: what "
                "was left of it is killed",
                (unsigned long long)run->run);
        }
        if (run->untold) {
            exec_found(run, 0, NULL);
            return;
        }
        settled->result = (struct driver_result){.outcome = DRIVER_LOST,
                                                 .ended_ms = process_wall_ms(),
                                                 .text = "its folder is gone"};
        exec_end(run, &settled->result);
        return;
    case PLACE_DEAD:
        if (run->untold) {
            exec_found(run, DRIVER_CLAIMED, NULL);
        } else {
            exec_end(run, &settled->result);
        }
        return;
    case PLACE_ENDED:
        exec_end(run, &settled->result);
        return;
    case PLACE_ALIVE:
        if (run->kill) {
            close(settled->fd);
            exec_look(run, true, "killed");
        } else {
            run->again_ms = 0;
            run->grace_ms = settled->grace_ms;
            exec_live(run, settled->fd);
        }
        return;
    case PLACE_AGAIN:
        run->again_ms = run->again_ms == 0 ? JOB_AGAIN_MS : 2 * run->again_ms;
        if (run->again_ms > JOB_AGAIN_MAX_MS) {
            run->again_ms = JOB_AGAIN_MAX_MS;
        }
        run->retry_ms = process_boot_ms() + run->again_ms;
        exec_move(run, EXEC_PAUSED);
        return;
    }
}

static void after(uv_work_t *request, int status)
{
    (void)status; /* it is never cancelled */
    struct exec_run *run = request->data;
    struct exec *exec = run->exec;
    run->working = false;
    exec->jobs_count--;
    if (exec->closing) {
        free_spec(&run->spec);
        int fd = run->state == EXEC_LAUNCHING ? run->launched.fd : run->settled.fd;
        if (fd >= 0) {
            close(fd);
        }
        exec_may_close(exec);
        return;
    }
    if (run->state == EXEC_LAUNCHING) {
        launched(run);
    } else {
        looked(run);
    }
    jobs_submit(exec);
}

void jobs_submit(struct exec *exec)
{
    while (exec->jobs_count < JOBS_MAX && exec->first_job != NULL) {
        struct exec_run *run = exec->first_job;
        exec->first_job = run->next_job;
        if (exec->first_job == NULL) {
            exec->last_job = &exec->first_job;
        }
        exec->jobs_count++;
        run->working = true;
        run->work.data = run;
        run->launched.fd = -1;
        run->settled.fd = -1;
        if (run->state == EXEC_QUEUED) {
            exec_move(run, EXEC_LAUNCHING);
            run->spec.deadline_ms = run->wanted_ms;
            run->refused = run->stop || run->kill;
            uv_queue_work(exec->loop, &run->work, launch_work, after);
        } else {
            uv_queue_work(exec->loop, &run->work, look_work, after);
        }
    }
}

void jobs_drop(struct exec *exec)
{
    for (struct exec_run *run = exec->first_job; run != NULL; run = run->next_job) {
        free_spec(&run->spec);
    }
    exec->first_job = NULL;
    exec->last_job = &exec->first_job;
}
